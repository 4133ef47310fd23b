package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/audit/export"
	"sallyport/shared/rollout"
)

var update = flag.Bool("update", false, "write the goldens anew")

const bom = "\ufeff"

var today = rollout.Date{Year: 2026, Month: time.December, Day: 1}

// nasty are accounts whose names somebody chose with care.
func nasty() []rollout.Account {
	tokyo := time.FixedZone("", 9*60*60)
	full := rollout.Account{
		ID: "00000000-0000-4000-8000-000000000001", UserPrincipalName: "taro.tanaka@contoso.com", DisplayName: "田中 太郎", Mail: "taro.tanaka@contoso.com",
		Language: "ja", LanguageFrom: "preferredLanguage", Country: "日本", Department: "営業部", Manager: "00000000-0000-4000-8000-000000000002",
		Class: rollout.ClassAdmin, Rule: "a role is active", Evidence: "role 62e90394-69f5-4237-9190-012177145e10", Enabled: true, Reactivated: true,
		EnabledSince: time.Date(2026, time.November, 2, 8, 0, 0, 0, tokyo), Registered: rollout.Yes, Capable: rollout.Yes,
		Methods: []string{"mobilePhone", "somethingOfTomorrow"}, Strength: rollout.StrengthWeak, Enforced: rollout.DemandPartly,
		DemandedBy: []string{"policy-1", "policy-2"}, NarrowedBy: []rollout.NarrowedBy{{Policy: "policy-1", By: "platforms: android"}},
		Upcoming: []rollout.Upcoming{{Policy: "policy-3", From: today}}, Roles: []string{"62e90394-69f5-4237-9190-012177145e10"},
		OtherRoles: []string{"=Helpdesk; Tokyo"}, PerUserMFA: "enforced", LegacyClients: []string{"IMAP4", "Authenticated SMTP"},
		Created: time.Date(2020, time.April, 1, 9, 0, 0, 0, tokyo), LastSignIn: time.Date(2026, time.November, 30, 23, 59, 59, 0, time.UTC),
	}
	accounts := []rollout.Account{full}
	for _, name := range []string{
		"عبد الله", `=HYPERLINK("http://attacker.example","click")`, "@SUM(1)", "+44 20 7946 0000", "-", "  =1+1", "\u3000＝１＋１", "\u200e=1", "\tcell", "\r=1",
		"two\nlines", `said "hi", she`, "'quoted'", "a\x00b", "", "semi; colon, comma", "<b>R&D</b>",
	} {
		accounts = append(accounts, rollout.Account{ID: "id of " + name, DisplayName: name, Department: name, Class: rollout.ClassMember, Enforced: rollout.DemandNo, Registered: rollout.No, Capable: rollout.No, Strength: rollout.StrengthNone})
	}
	accounts = append(accounts, rollout.Account{ID: "strong", Class: rollout.ClassMember, Capable: rollout.Yes, Registered: rollout.Yes, Strength: rollout.StrengthStrong})
	return append(accounts, rollout.Account{ID: "nothing known", Class: rollout.ClassNeverSignedIn, Registered: rollout.Unknown})
}

func summary() export.Summary {
	return export.SummaryOf(
		rollout.Coverage{Capable: 1, All: 3, Classes: map[rollout.Class]int{rollout.ClassAdmin: 1, rollout.ClassMember: 2}},
		[]rollout.Finding{
			{ID: "note", Severity: "note"},
			{ID: "new", Severity: "of tomorrow"},
			{ID: "bad", Severity: "critical", Count: 1, Accounts: []string{"a"}, FirstSeen: time.Date(2026, time.December, 1, 2, 0, 0, 0, time.UTC)},
			{ID: "soon", Severity: "warning"},
			{ID: "bad too", Severity: "critical"},
		},
		[]rollout.MissingData{{Listing: "signIns", Reason: "no licence", Consequence: "nobody knows"}},
	)
}

func written(t testing.TB, to func(io.Writer) export.Writer, accounts ...rollout.Account) string {
	t.Helper()
	var out bytes.Buffer
	w := to(&out)
	for _, a := range accounts {
		if err := w.Write(export.RowOf(rollout.Config{}, a, today)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(summary()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func asJSON(w io.Writer) export.Writer { return export.JSON(w, "contoso.onmicrosoft.com") }

func TestGoldens(t *testing.T) {
	for file, to := range map[string]func(io.Writer) export.Writer{"testdata/nasty.csv": export.CSV, "testdata/nasty.json": asJSON} {
		got := written(t, to, nasty()...)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
		}
	}
}

// What a program reads: names as they are, null for what is not known.
func TestJSON(t *testing.T) {
	out := written(t, asJSON, nasty()...)
	var got struct {
		Tenant   string
		Accounts []map[string]any
		Coverage map[string]any
		Findings []map[string]any
		Missing  []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	accounts := nasty()
	if got.Tenant != "contoso.onmicrosoft.com" || len(got.Accounts) != len(accounts) || len(got.Missing) != 1 {
		t.Fatalf("tenant %q, %d accounts, %d missing", got.Tenant, len(got.Accounts), len(got.Missing))
	}
	for i, a := range got.Accounts {
		if a["displayName"] != accounts[i].DisplayName {
			t.Errorf("name %q, want %q", a["displayName"], accounts[i].DisplayName)
		}
	}
	last := got.Accounts[len(accounts)-1]
	for _, name := range []string{
		"registered", "capable", "weak", "weakEnds", "strength", "methods", "enforced", "perUserMfa", "language", "languageFrom",
		"manager", "department", "country", "created", "lastSignIn", "enabledSince",
	} {
		if value, there := last[name]; !there || value != nil {
			t.Errorf("%s of an account of which nothing is known = %v, %v, want null", name, value, there)
		}
		if got.Accounts[0][name] == nil {
			t.Errorf("%s of an account of which all is known is null", name)
		}
	}
	for _, name := range []string{"demandedBy", "narrowedBy", "upcoming", "roles", "otherRoles", "legacyClients"} {
		if list, is := last[name].([]any); !is || len(list) != 0 {
			t.Errorf("%s = %v, want an empty list", name, last[name])
		}
	}
	if got.Accounts[0]["weakEnds"] != "2027-02-01" || got.Accounts[1]["weakEnds"] != nil || got.Accounts[1]["weak"] != false {
		t.Errorf("weakEnds %v and %v, weak %v", got.Accounts[0]["weakEnds"], got.Accounts[1]["weakEnds"], got.Accounts[1]["weak"])
	}
	if strong := got.Accounts[len(accounts)-2]; strong["weak"] != false || strong["weakEnds"] != nil {
		t.Errorf("weak of a strong account = %v, until %v", strong["weak"], strong["weakEnds"])
	}
	if !strings.Contains(out, "<b>R&D</b>") {
		t.Error("a name is not written as people read it")
	}
	if methods, is := got.Accounts[1]["methods"].([]any); !is || len(methods) != 0 {
		t.Errorf("methods of somebody known to have none = %v, want an empty list", got.Accounts[1]["methods"])
	}
	var ids []any
	for _, f := range got.Findings {
		ids = append(ids, f["id"])
		if _, is := f["accounts"].([]any); !is || f["goneAt"] != nil {
			t.Errorf("finding %v: accounts %v, goneAt %v", f["id"], f["accounts"], f["goneAt"])
		}
	}
	if diff := cmp.Diff([]any{"bad", "bad too", "soon", "note", "new"}, ids); diff != "" {
		t.Errorf("findings, the worst first (-want +got):\n%s", diff)
	}
	if got.Findings[0]["firstSeen"] != "2026-12-01T02:00:00Z" || got.Findings[1]["firstSeen"] != nil {
		t.Errorf("firstSeen %v and %v", got.Findings[0]["firstSeen"], got.Findings[1]["firstSeen"])
	}
	if got.Coverage["numerator"] != 1.0 || got.Coverage["denominator"] != 3.0 || got.Coverage["percent"] != 33.3 {
		t.Errorf("coverage %v", got.Coverage)
	}
}

// A tenant without accounts is a whole export too.
func TestNobody(t *testing.T) {
	var got map[string]any
	if err := json.Unmarshal([]byte(written(t, asJSON)), &got); err != nil {
		t.Fatal(err)
	}
	if accounts, is := got["accounts"].([]any); !is || len(accounts) != 0 {
		t.Errorf("accounts %v, want an empty list", got["accounts"])
	}
	if got, want := written(t, export.CSV), bom+strings.Join(export.Columns(), ",")+"\n"; got != want {
		t.Errorf("CSV %q, want the header alone, %q", got, want)
	}
}

// The document, the JSON and the sheets name the same columns in the same order.
func TestColumnsAreThoseOfTheDocument(t *testing.T) {
	document, err := os.ReadFile("../../../infra/docs/audit-export.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	_, table, _ := strings.Cut(string(document), "<!-- columns -->")
	table, _, _ = strings.Cut(table, "<!-- end of columns -->")
	for line := range strings.Lines(table) {
		if cell, is := strings.CutPrefix(line, "| `"); is {
			name, _, _ := strings.Cut(cell, "`")
			named = append(named, name)
		}
	}
	if diff := cmp.Diff(named, export.Columns()); diff != "" {
		t.Errorf("-document +sheets:\n%s", diff)
	}
	row, err := json.Marshal(export.Row{})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	decoder := json.NewDecoder(bytes.NewReader(row))
	for depth := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if token == json.Delim('{') {
			depth++
		} else if key, is := token.(string); is && depth == 1 && strings.Contains(string(row), `"`+key+`":`) && key != "" {
			keys = append(keys, key)
		}
	}
	inJSON := map[string]bool{}
	for _, key := range keys {
		inJSON[key] = true
	}
	for _, name := range named {
		if !inJSON[name] {
			t.Errorf("the JSON has no %s", name)
		}
	}
	if len(inJSON) != len(named) {
		t.Errorf("the JSON has %d fields %v, the document %d", len(inJSON), keys, len(named))
	}
}

// failing is a disk with so many bytes left: what does not fit fails, and what
// is smaller and comes later may fit again.
type failing struct{ left int }

var errFull = errors.New("no space left")

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return 0, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

// An export that could not be written is an error, at the latest when it ends.
func TestFullDisk(t *testing.T) {
	for format, to := range map[string]func(io.Writer) export.Writer{"csv": export.CSV, "json": asJSON} {
		whole := len(written(t, to, nasty()...))
		for left := range whole {
			w := to(&failing{left})
			var err error
			for _, a := range nasty() {
				err = errors.Join(err, w.Write(export.RowOf(rollout.Config{}, a, today)))
			}
			if err = errors.Join(err, w.Close(summary())); !errors.Is(err, errFull) {
				t.Fatalf("%s: %d of %d bytes had place, error %v", format, left, whole, err)
			}
		}
	}
}

// Rows are written as they come: what waits to be written does not grow.
func TestRowsAreNotKept(t *testing.T) {
	for format, to := range map[string]func(io.Writer) export.Writer{"csv": export.CSV, "json": asJSON} {
		var out bytes.Buffer
		w := to(&out)
		row := export.RowOf(rollout.Config{}, nasty()[0], today)
		const rows = 1000
		for range rows {
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		before := out.Len()
		if err := w.Close(export.Summary{}); err != nil {
			t.Fatal(err)
		}
		if waiting := out.Len() - before; waiting > 8<<10 {
			t.Errorf("%s: %d of %d bytes waited for the end", format, waiting, out.Len())
		}
	}
}

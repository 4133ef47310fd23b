package main

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
)

const emergencyConfig = "testdata/emergency.yaml"

// TestEmergencyDocument: the document is written from the file alone, and with
// what a folder adds, in both formats.
func TestEmergencyDocument(t *testing.T) {
	for golden, args := range map[string][]string{
		"testdata/document.md.golden":          {},
		"testdata/document-tenant.md.golden":   {"--tenant", "testdata/emergency/second-disabled"},
		"testdata/document-tenant.html.golden": {"--tenant", "testdata/emergency/second-disabled", "--format", "html"},
	} {
		code, out, errs := emergencyRun(t, nil, append([]string{"document", "--config", emergencyConfig, "--at", "2026-12-01"}, args...)...)
		if code != exitDone {
			t.Fatalf("%s: code %d\n%s", golden, code, errs)
		}
		compareGolden(t, golden, out)
	}
}

// The end of the file's name says the format, and its owner alone may read it.
func TestEmergencyDocumentFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.html")
	code, out, errs := emergencyRun(t, nil, "document", "--config", emergencyConfig, "--out", file)
	if code != exitDone || out != "" {
		t.Fatalf("code %d, %q, %s", code, out, errs)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), "<!doctype html>") {
		t.Errorf("%.40s, %v", text, err)
	}
}

// What looks like a password is refused wherever it stands: the field is named,
// the value is not shown, and no file is written.
func TestEmergencyDocumentRefusesPasswords(t *testing.T) {
	plain, err := os.ReadFile(emergencyConfig)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, secret, field string }{
		"where it lies": {"Safe 2, Leeds", "Safe 2: xK9mPq2vR7tL", "emergencyAccounts[1].passwordLocation"},
		"small letters": {"Safe 2, Leeds", "q7w2k9m4x1c8v5b3", "emergencyAccounts[1].passwordLocation"},
		"the custodian": {"Company secretary", "Ann Tr0ub4dor&3", "emergencyAccounts[1].custodian"},
		"a passphrase":  {"Company secretary", "correct-horse-battery-staple", "emergencyAccounts[1].custodian"},
		"the help desk": {"IT Help Desk", "password is swordfish", "communication.helpDesk.name"},
		"its hours":     {"Monday to Friday 9 to 5", "PIN=4711", "communication.helpDesk.hours"},
		"in the link":   {"https://intranet", "https://ann:swordfish@intranet", "incidentResponsePlan"},
	} {
		dir := t.TempDir()
		file, out := filepath.Join(dir, "rollout.yaml"), filepath.Join(dir, "plan.md")
		if err := os.WriteFile(file, []byte(strings.Replace(string(plain), tt.old, tt.secret, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, errs := emergencyRun(t, nil, "document", "--config", file, "--out", out)
		if code != exitFailed || !strings.Contains(errs, tt.field) {
			t.Errorf("%s: code %d, %q; want it to name %s", name, code, errs, tt.field)
		}
		for word := range strings.FieldsSeq(tt.secret) {
			if len(word) > 6 && word != "password" && strings.Contains(stdout+errs, word) {
				t.Errorf("%s: the value is shown: %s%s", name, stdout, errs)
			}
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: a file was written", name)
		}
	}
}

// The record of the drills, newest first, and never a guess: what is not known is
// said to be.
func TestEmergencyDocumentDrills(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	at := func(days int) time.Time { return now.AddDate(0, 0, days) }
	cfg := rollout.Config{TimeZone: "Europe/London", EmergencyAccounts: []rollout.EmergencyAccount{{ID: northGate}, {ID: southGate}}}
	cfg.EmergencyAccounts[0].Custodian, cfg.EmergencyAccounts[1].Custodian = "COO", "CFO"
	drills := []rollout.Drill{
		{Account: northGate, Custodian: "COO", OpenedAt: at(-200), ClosesAt: at(-193), FailedAt: at(-193), Why: "somebody signed in, but no alert of it left"},
		{Account: northGate, OpenedAt: at(-190), ClosesAt: at(-183), PassedAt: at(-189)},
		{
			Account: northGate, Custodian: "COO", OpenedAt: at(-90), ClosesAt: at(-83), PassedAt: at(-89), SignedInAt: at(-89).Add(-250 * time.Second),
			Ways: []string{"azureMonitor", "poll"}, Methods: []string{"FIDO2 security key"},
		},
		{Account: southGate, Custodian: "CFO", OpenedAt: at(-2), ClosesAt: at(5)},
		{Account: southGate, Custodian: "Head of IT", OpenedAt: at(-20), ClosesAt: at(-13), CancelledAt: at(-15), Why: "the account has another custodian now"},
		{Account: northGate, Custodian: "COO", OpenedAt: at(9), ClosesAt: at(16)},
		{Account: northGate, Custodian: "COO", OpenedAt: at(-300), ClosesAt: at(-293)},
	}
	for name, tt := range map[string]struct {
		facts planFacts
		want  []string
	}{
		"not known": {planFacts{now: now, drills: drills}, []string{"not known here"}},
		"none yet":  {planFacts{now: now, drillsKnown: true}, []string{"NOT PROVEN: account " + northGate + ": no drill was ever passed", "No drill was ever opened"}},
		"some": {planFacts{now: now, drillsKnown: true, drills: drills}, []string{
			"NOT PROVEN: account " + southGate + ": no drill was ever passed; a window is open until Sunday 2026-12-06 12:00",
			northGate + " | 2026-12-10 to 2026-12-17 | COO | planned |",
			southGate + " | 2026-11-29 to 2026-12-06 | CFO | open |",
			southGate + " | 2026-11-11 to 2026-11-18 | Head of IT | cancelled: the account has another custodian now |",
			northGate + " | 2026-09-02 to 2026-09-09 | COO | passed 2026-09-03 12:55 BST | 250 s | azureMonitor, poll | FIDO2 security key |",
			northGate + " | 2026-05-25 to 2026-06-01 | not recorded | passed 2026-05-26 13:00 BST | not recorded | not recorded | the sign-in log did not say |",
			northGate + " | 2026-05-15 to 2026-05-22 | COO | FAILED: somebody signed in, but no alert of it left |",
			northGate + " | 2026-02-04 to 2026-02-11 | COO | FAILED: nobody signed in, or no alert left |",
		}},
	} {
		_, text, _ := strings.Cut(planSection(cfg, tt.facts).markdown(), "## Drills")
		for _, want := range tt.want {
			before, after, found := strings.Cut(text, want)
			if !found {
				t.Errorf("%s: no %q in\n%s%s", name, want, before, after)
			}
			text = after
		}
		if name == "not known" && strings.Contains(text, northGate) {
			t.Errorf("drills that are not known are shown:\n%s", text)
		}
	}
}

// What `emergency create` made is named, with what to do and what to leave; and the
// document knows no password, so it can say none.
func TestEmergencyDocumentOfWhatCreateMade(t *testing.T) {
	s := newScene(t)
	if _, _, errs := s.run("--apply"); s.whole() != nil {
		t.Fatalf("%v, %s", s.whole(), errs)
	}
	dir := t.TempDir()
	if err := s.firm.Save(filepath.Join(dir, "tenant")); err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(emergencyConfig)
	if err != nil {
		t.Fatal(err)
	}
	file, made := filepath.Join(dir, "rollout.yaml"), s.ours()
	if err := os.WriteFile(file, []byte(strings.NewReplacer(northGate, id(made[0]), southGate, id(made[1])).Replace(string(plain))), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := emergencyRun(t, nil, "document", "--config", file, "--tenant", filepath.Join(dir, "tenant"), "--at", "2026-12-01")
	if code != exitDone {
		t.Fatalf("code %d, %s", code, errs)
	}
	for _, want := range []string{s.group(), "out of 2 policies", "made with sallyport emergency create", "four rows, typed without the gaps"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if found := s.leaks(out + errs); len(found) > 0 {
		t.Error("a password is in the document")
	}
}

// With --table the drills are read from the stack's table, with the operator's own
// credentials. The table here speaks DynamoDB's protocol: it keeps the items that the
// store puts and answers a query with them.
func TestEmergencyDocumentReadsTheTable(t *testing.T) {
	var kept []json.RawMessage
	var queries []string
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var in struct {
			Item          json.RawMessage
			TransactItems []struct {
				Put struct{ Item json.RawMessage }
			}
		}
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		switch target := r.Header.Get("X-Amz-Target"); target {
		case "DynamoDB_20120810.Query":
			queries = append(queries, string(body))
			answer, err := json.Marshal(map[string]any{"Items": kept, "Count": len(kept), "ScannedCount": len(kept)})
			if err != nil {
				t.Error(err)
			}
			dynamoSays(w, http.StatusOK, string(answer))
		case "DynamoDB_20120810.PutItem":
			kept = append(kept, in.Item)
			dynamoSays(w, http.StatusOK, "{}")
		case "DynamoDB_20120810.TransactWriteItems":
			for _, one := range in.TransactItems {
				kept = append(kept, one.Put.Item)
			}
			dynamoSays(w, http.StatusOK, "{}")
		default:
			t.Errorf("asked for %s", target)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(fake.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": fake.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_REGION": "eu-west-1", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	table, err := openTable(t.Context(), "sallyport")
	if err != nil {
		t.Fatal(err)
	}
	err = table.PutDrill(t.Context(), "fabrikam.onmicrosoft.com", rollout.Drill{
		ID: "drill-1", Account: northGate, OpenedAt: time.Date(2026, 9, 2, 8, 0, 0, 0, time.UTC),
		ClosesAt: time.Date(2026, 9, 9, 8, 0, 0, 0, time.UTC), PassedAt: time.Date(2026, 9, 3, 12, 0, 0, 0, time.UTC),
	})
	if err != nil || len(kept) != 1 {
		t.Fatalf("%d items, %v", len(kept), err)
	}
	code, out, errs := emergencyRun(t, nil, "document", "--config", emergencyConfig, "--at", "2026-12-01", "--table", "sallyport")
	if code != exitDone || len(queries) != 1 {
		t.Fatalf("code %d, queries %q\n%s", code, queries, errs)
	}
	if !strings.Contains(queries[0], `"TableName":"sallyport"`) || !strings.Contains(queries[0], "fabrikam.onmicrosoft.com") {
		t.Errorf("asked %s", queries[0])
	}
	if _, text, _ := strings.Cut(out, "## Drills"); !strings.Contains(text, northGate+" | 2026-09-02 to 2026-09-09 | not recorded | passed 2026-09-03 13:00 BST") {
		t.Errorf("the drill is not in\n%s", out)
	}

	// A table that cannot be read is no record without drills.
	fake.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		dynamoSays(w, http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}`)
	})
	if code, out, errs := emergencyRun(t, nil, "document", "--config", emergencyConfig, "--table", "salyport"); code != exitFailed || out != "" || !strings.Contains(errs, "read the drills from table salyport") {
		t.Errorf("another table: code %d, %q, %s", code, out, errs)
	}
}

// dynamoSays answers as DynamoDB does, with the sum over the body that its clients
// check.
func dynamoSays(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amz-Crc32", fmt.Sprint(crc32.ChecksumIEEE([]byte(body))))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the reader hung up: nobody left to tell
}

// What the operator wrote is no markup, in neither format.
func TestEmergencyDocumentEscapes(t *testing.T) {
	cfg := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: northGate, Custodian: "<script>a|b</script>\n# Ann & *Co* \x1b[31m"}}}
	d := planSection(cfg, planFacts{now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)})
	for format, want := range map[string]string{
		"markdown": `| &lt;script&gt;a\|b&lt;/script&gt; \# Ann &amp; \*Co\* ?\[31m |`,
		"html":     "<td>&lt;script&gt;a|b&lt;/script&gt; # Ann &amp; *Co* ?[31m</td>",
	} {
		if text := render(d, format); !strings.Contains(text, want) {
			t.Errorf("%s: want %s in\n%s", format, want, text)
		}
	}
}

func TestEmergencyDocumentUsage(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no file":        {[]string{}, exitUsage, "--config names no file"},
		"a format":       {[]string{"--config", emergencyConfig, "--format", "pdf"}, exitUsage, "expected markdown or html"},
		"JSON":           {[]string{"--config", emergencyConfig, "--json"}, exitUsage, ""},
		"an operand":     {[]string{"--config", emergencyConfig, "more"}, exitUsage, "unexpected"},
		"a day":          {[]string{"--config", emergencyConfig, "--at", "soon"}, exitUsage, "--at"},
		"another tenant": {[]string{"--config", emergencyConfig, "--tenant", otherTenant(t)}, exitFailed, "the file is for fabrikam.onmicrosoft.com, but what was read is contoso.onmicrosoft.com"},
	} {
		if code, _, errs := emergencyRun(t, nil, append([]string{"document"}, tt.args...)...); code != tt.code || !strings.Contains(errs, tt.says) {
			t.Errorf("%s: code %d, %s; want %d and %q", name, code, errs, tt.code, tt.says)
		}
	}
}

// otherTenant is a folder like another, of another organisation.
func otherTenant(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/emergency/as-it-should-be")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "organization.json")
	text, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, []byte(strings.ReplaceAll(string(text), "fabrikam", "contoso")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

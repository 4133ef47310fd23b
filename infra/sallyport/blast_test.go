package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

// The list of a copy names everybody who cannot do MFA, and says that nobody
// knows from it who was told.
func TestBlastOfAFolder(t *testing.T) {
	code, out, errs := onCopy(t, func(*tenant.Tenant) {}, "blast", "--wave", "everyone", "--json")
	var answer blastAnswer
	if err := json.Unmarshal([]byte(out), &answer); code != exitDone || err != nil {
		t.Fatalf("code %d, %v\n%s", code, err, errs)
	}
	if answer.Day.String() != "2026-11-11" || answer.ToldKnown || len(answer.Stopped) < 100 {
		t.Errorf("%s, told known %v, %d accounts; want the deadline, false, and the 60 %% who are not capable", answer.Day, answer.ToldKnown, len(answer.Stopped))
	}
	code, sheet, errs := onCopy(t, func(*tenant.Tenant) {}, "blast", "--wave", "everyone", "--format", "csv")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(sheet, "\ufeff"))).ReadAll()
	if code != exitDone || err != nil {
		t.Fatalf("code %d, %v\n%s", code, err, errs)
	}
	if len(rows) != len(answer.Stopped)+1 || rows[1][0] != answer.Stopped[0].Account || rows[1][5] != answer.Stopped[0].Why() || len(rows[0]) != len(rows[1]) {
		t.Errorf("%d rows, the first %v; want a header and those of the JSON", len(rows), rows[1])
	}
	_, words, _ := onCopy(t, func(*tenant.Tenant) {}, "blast", "--wave", "everyone")
	for _, want := range []string{"accounts could not sign in.", "has no method for a second step", "not known from a folder", "sallyport accept"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not said:\n%.600s", want, words)
		}
	}
}

// A name that a spreadsheet would run is only text.
func TestBlastSheetRunsNothing(t *testing.T) {
	_, out, _ := onCopy(t, func(tn *tenant.Tenant) {
		if _, err := tn.AddUser(tenant.Object{"displayName": "=cmd|'/c calc'!A1", "userPrincipalName": "mallory@contoso.com", "mail": "mallory@contoso.com", "accountEnabled": true}); err != nil {
			t.Fatal(err)
		}
	}, "blast", "--wave", "everyone", "--format", "csv")
	if !strings.Contains(out, "'=cmd") {
		t.Errorf("the formula is not defused, or its account not on the list:\n%.300s", out)
	}
}

func TestBlastUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no wave": {}, "a wave that is none": {"--wave", "nobody"}, "a format that is none": {"--wave", "everyone", "--format", "xml"},
		"two formats": {"--wave", "everyone", "--format", "csv", "--json"}, "a day that is none": {"--wave", "everyone", "--on", "soon"},
	} {
		if code, _, errs := onCopy(t, func(*tenant.Tenant) {}, "blast", args...); code != exitUsage {
			t.Errorf("%s: code %d, want %d\n%s", name, code, exitUsage, errs)
		}
	}
}

// Once the deadline is over, the list is that of today.
func TestBlastDay(t *testing.T) {
	_, cfg := rolledOut(t)
	for now, want := range map[string]string{"2027-01-11": "2027-01-12", "2027-01-12": "2027-01-12", "2027-01-20": "2027-01-20"} {
		day, err := rollout.ParseDate(now)
		if err != nil {
			t.Fatal(err)
		}
		all := gathered{cfg: cfg, now: day.At(10, 0, time.UTC)}
		if got, err := (&blastCommand{}).day(all, cfg.Waves[1]); err != nil || got.String() != want {
			t.Errorf("on %s the list is of %s, error %v; want %s", now, got, err, want)
		}
	}
}

// Accepting is by name, for one wave, and takes the person off the gate.
func TestAccept(t *testing.T) {
	table, cfg := rolledOut(t)
	accept := func(yes bool, names ...string) (string, error) {
		a := &acceptance{wave: "everyone", by: "Alex Wilber", reason: "on leave, knows by phone", yes: yes, table: "sallyport", clock: rehearsal.NewClock(time.Date(2027, 1, 11, 10, 0, 0, 0, time.UTC))}
		var out bytes.Buffer
		err := a.record(t.Context(), session{operands: names, stdout: &out}, table, cfg.Tenant)
		return out.String(), err
	}
	recorded := func() []rollout.NamedAcceptance {
		list, err := table.Acceptances(t.Context(), cfg.Tenant)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if out, err := accept(false, "Kim@contoso.com"); err != nil || len(recorded()) != 0 || !strings.Contains(out, "Nothing was recorded") {
		t.Errorf("without --yes: %q, error %v, recorded %v", out, err, recorded())
	}
	for name, who := range map[string][]string{"a stranger": {"kim@contoso.com", "stranger@contoso.com"}, "an emergency account": {"kim@contoso.com", "em1@contoso.com"}} {
		if _, err := accept(true, who...); err == nil || len(recorded()) != 0 {
			t.Errorf("%s: error %v, recorded %v; want an error and nobody", name, err, recorded())
		}
	}
	for range 2 { // twice is no mistake
		if _, err := accept(true, "Kim@contoso.com"); err != nil {
			t.Fatal(err)
		}
	}
	got := recorded()
	if len(got) != 1 || got[0].Account != "m18" || got[0].By != "Alex Wilber" || got[0].Wave != "everyone" || got[0].At.IsZero() {
		t.Fatalf("recorded %+v", got)
	}
	known, err := table.Known(t.Context(), cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := table.Accounts(t.Context(), cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	list := rollout.BlastList(cfg, rollout.Seen{Accounts: accounts}, known, cfg.Waves[1], cfg.Waves[1].Deadline)
	if len(list) != 1 || list[0].AcceptedBy != "Alex Wilber" {
		t.Errorf("the list says %+v, want Kim, accepted by Alex Wilber", list)
	}
}

func TestAcceptUsage(t *testing.T) {
	full := []string{"--wave", "everyone", "--by", "Alex Wilber", "--reason", "knows", "--table", "sallyport"}
	for name, args := range map[string][]string{
		"nobody": full, "no wave": append([]string{"kim"}, full[2:]...), "by nobody": append([]string{"kim", "--by", " "}, append(full[:2:2], full[4:]...)...),
		"no reason": append([]string{"kim"}, append(full[:4:4], full[6:]...)...), "no table": append([]string{"kim"}, full[:6]...),
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"accept"}, args...), strings.NewReader(""), &out, &errs, nil); code != exitUsage {
			t.Errorf("%s: code %d, want %d\n%s", name, code, exitUsage, &errs)
		}
	}
}

package main

import (
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

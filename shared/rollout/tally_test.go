package rollout_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

// overlong is longer than any text that is kept, and every sign of it takes six
// bytes in JSON.
var overlong = strings.Repeat("<", 400)

// worst is an account of a tenant in which everything is wrong with everybody,
// by the longest words that Microsoft lets through.
func worst(n int) rollout.Account {
	number := strconv.Itoa(n)
	long := func(what string) string { return "<" + what + " " + number + overlong + ">" }
	id := fmt.Sprintf("6b0f2c4e-0000-4000-8000-%012d", n)
	a := rollout.Account{
		ID: id, Enabled: true, Capable: rollout.Yes, Strength: rollout.StrengthWeak, Methods: []string{long("a"), long("b")},
		Class: rollout.Classes()[n%10], OtherRoles: []string{long("role")}, Department: long("department"),
		NarrowedBy: []rollout.NarrowedBy{{Policy: id, By: long("condition")}}, Upcoming: []rollout.Upcoming{{Policy: id}},
		LegacyClients: []string{long("client")}, PerUserMFA: "enforced", StoppedBy: []string{id},
		LastInteractive: time.Date(2027, 1, 11, 0, 0, 0, 0, time.UTC),
	}
	if n%3 == 0 {
		a.Capable, a.Roles = rollout.No, []string{rollout.RoleGlobalAdministrator}
	}
	if n%7 == 0 {
		a.Rule = rollout.RuleOverride
	}
	return a
}

// TestAuditRecordFits: however large the tenant and however wrong, the record of
// its audit fits the 400 KB of an item.
func TestAuditRecordFits(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 10:00")
	const accounts = 200_000
	cfg := rollout.Config{Method: rollout.MethodAuto, GraceDays: 14}
	for n := range 20 {
		cfg.Waves = append(cfg.Waves, rollout.WaveConfig{Name: fmt.Sprintf("%02d%s", n, strings.Repeat("日", 38)), Members: rollout.MembersAll})
		cfg.Overrides = append(cfg.Overrides, rollout.Override{Account: worst(n).ID, Class: rollout.ClassService})
	}
	ids := func(n int) (list []string) {
		for i := range n {
			list = append(list, worst(i).ID)
		}
		return list
	}
	dir := rollout.Directory{
		SecurityDefaults: true, Plans: []rollout.ServicePlan{{ID: rollout.PlanEntraP1, Name: "AAD_PREMIUM"}},
		MethodsPolicy: rollout.MethodsPolicy{
			Read: true, Campaign: rollout.Campaign{Methods: ids(1000)},
			Methods: []rollout.MethodConfiguration{{ID: "MicrosoftAuthenticator", State: "enabled", Include: ids(1000), Exclude: ids(1000)}},
		},
	}
	tally := rollout.NewTally(cfg, dir, now)
	digest := rollout.NewSignInDigest(nil, nil, now)
	for n := range accounts {
		a := worst(n)
		tally.Add(a)
		if n < 5000 {
			digest.Add([]rollout.SignIn{{ID: a.ID, UserID: a.ID, ClientAppUsed: "Exchange ActiveSync", CreatedAt: now}})
		}
	}
	var organization rollout.Organization
	for n := range 5000 {
		organization.Domains = append(organization.Domains, fmt.Sprintf("%d.%s.example", n, strings.Repeat("d", 38)))
	}
	upsell := rollout.Finding{ID: "defaults-upsell", Severity: "warning", Text: strings.Repeat("t", 200), FirstSeen: now, LastSeen: now}
	run := rollout.AuditRun{
		At: now, Organization: organization.Brief(), Coverage: tally.Coverage(), Findings: tally.Findings([]rollout.Finding{upsell}), Legacy: digest.Legacy(), Granted: rollout.ReaderPermissions(), Accounts: accounts,
	}
	for n := range 300 {
		run.Plans = append(run.Plans, rollout.ServicePlan{ID: worst(n).ID, Name: strings.Repeat("P", 40)})
	}
	choice := rollout.ChooseMethod(cfg, "", dir.Plans, run.Coverage, rollout.DateOf(now))
	run.Method, run.MethodReason, run.MethodAdvice = choice.Method, choice.Reason, choice.Advice

	var found []string
	for _, f := range run.Findings {
		found = append(found, f.ID)
	}
	slices.Sort(found)
	want := []string{
		"admin-not-capable", "admin-not-enforced", "admin-unseen", "campaign-odd", "defaults-upsell", "defaults-with-licence", "guest-admin", "legacy-in-use",
		"mailbox-can-sign-in", "managed-policy-upcoming", "methods-policy-forbids", "not-reachable", "outside-every-policy", "override-in-force",
		"override-without-effect", "per-user-mfa-left", "policy-would-stop-emergency", "service-admin", "service-interactive", "service-without-exemption",
		"unknown-method", "weak-only",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("this is not the worst case (-want +got):\n%s", diff)
	}
	data, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	point, err := json.Marshal(rollout.CoveragePoint{Coverage: run.Coverage})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the record has %d bytes, the coverage of a day %d", len(data), len(point))
	if len(data) > 400_000 {
		t.Errorf("the record has %d bytes, at most 400,000 fit", len(data))
	}
}

// TestTallyInAnyOrder: pages come as they like, and the audit says the same.
func TestTallyInAnyOrder(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 10:00")
	order := rand.New(rand.NewPCG(1, 2)).Perm(400)
	forward, mixed := rollout.NewTally(rollout.Config{}, rollout.Directory{}, now), rollout.NewTally(rollout.Config{}, rollout.Directory{}, now)
	for n, other := range order {
		forward.Add(worst(n))
		mixed.Add(worst(other))
	}
	if diff := cmp.Diff(forward.Findings(nil), mixed.Findings(nil)); diff != "" {
		t.Errorf("findings (-in order +mixed):\n%s", diff)
	}
	if diff := cmp.Diff(forward.Coverage(), mixed.Coverage()); diff != "" {
		t.Errorf("coverage (-in order +mixed):\n%s", diff)
	}
	if f := forward.Findings(nil)[0]; len(f.Accounts) != min(100, f.Count) || f.Count < 40 {
		t.Errorf("%s names %d of %d", f.ID, len(f.Accounts), f.Count)
	}
}

// TestEvidenceSaysThatThereIsMore: what is left out is not passed over.
func TestEvidenceSaysThatThereIsMore(t *testing.T) {
	strange := func(n int) rollout.Account {
		return like(fmt.Sprint("u", n), func(a *rollout.Account) { a.Methods = []string{fmt.Sprintf("method %02d", n)} })
	}
	var accounts []rollout.Account
	for n := range 21 {
		f := tallied(rollout.Config{}, rollout.Directory{}, time.Time{}, accounts...)["unknown-method"]
		if strings.Contains(f.Evidence, "and more") {
			t.Errorf("%d methods are all named: %s", n, f.Evidence)
		}
		accounts = append(accounts, strange(n))
	}
	f := tallied(rollout.Config{}, rollout.Directory{}, time.Time{}, accounts...)["unknown-method"]
	if !strings.HasSuffix(f.Evidence, "method 19; and more") {
		t.Errorf("21 methods: %s", f.Evidence)
	}
}

// TestSmsVoiceEnds: the day is in the finding that people plan by.
func TestSmsVoiceEnds(t *testing.T) {
	weak := like("weak", func(a *rollout.Account) { a.Strength = rollout.StrengthWeak })
	f := tallied(rollout.Config{}, rollout.Directory{}, time.Time{}, weak)["weak-only"]
	if rollout.SmsVoiceEnds() != day(t, "2027-02-01") || !strings.Contains(f.Text, "2027-02-01") {
		t.Errorf("%s: %s", rollout.SmsVoiceEnds(), f.Text)
	}
}

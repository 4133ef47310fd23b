package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
)

// like is a person with something else.
func like(id string, change func(*rollout.Account)) rollout.Account {
	a := person(id, rollout.Yes)
	a.Enforced = rollout.DemandAlways
	change(&a)
	return a
}

// tallied are the findings about accounts, by id.
func tallied(cfg rollout.Config, dir rollout.Directory, now time.Time, accounts ...rollout.Account) map[string]rollout.Finding {
	tally := rollout.NewTally(cfg, dir, now)
	for _, a := range accounts {
		tally.Add(a)
	}
	by := map[string]rollout.Finding{}
	for _, f := range tally.Findings(nil) {
		by[f.ID] = f
	}
	return by
}

// TestEachFinding: what each finding about accounts concerns, what is close to it
// and none, and what it shows.
func TestEachFinding(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 10:00")
	today := rollout.DateOf(now)
	always := func(*rollout.Account) {}
	admin := func(a *rollout.Account) {
		a.Class, a.Roles = rollout.ClassAdmin, []string{rollout.RoleGlobalAdministrator}
	}
	of := func(c rollout.Class) func(*rollout.Account) { return func(a *rollout.Account) { a.Class = c } }
	both := func(changes ...func(*rollout.Account)) func(*rollout.Account) {
		return func(a *rollout.Account) {
			for _, change := range changes {
				change(a)
			}
		}
	}
	off := func(a *rollout.Account) { a.Enabled = false }
	demanded := func(d rollout.Demand, narrowed ...rollout.NarrowedBy) func(*rollout.Account) {
		return func(a *rollout.Account) { a.Enforced, a.NarrowedBy = d, narrowed }
	}
	byHand := func(ago time.Duration) func(*rollout.Account) {
		return func(a *rollout.Account) { a.LastInteractive = now.Add(-ago) }
	}
	perUser := func(state string) func(*rollout.Account) { return func(a *rollout.Account) { a.PerUserMFA = state } }
	roles := func(a *rollout.Account) { a.Roles = []string{helpdeskAdministrator} }
	defaults := rollout.Directory{SecurityDefaults: true}
	mfa := rollout.Policy{ID: "p1", State: rollout.StateEnabled, GrantControls: []string{"mfa"}, IncludeApplications: []string{"All"}}
	watching := mfa
	watching.State = rollout.StateReportOnly
	tests := []struct {
		id, severity string
		cfg          rollout.Config
		dir          rollout.Directory
		hits, misses []func(*rollout.Account)
		evidence     string
	}{
		{
			id: "policy-would-stop-emergency", severity: "critical",
			hits: []func(*rollout.Account){
				both(of(rollout.ClassEmergency), func(a *rollout.Account) { a.StoppedBy = []string{"p2", "p1"} }),
				both(of(rollout.ClassEmergency), func(a *rollout.Account) { a.StoppedBy = []string{"p1"} }),
			},
			misses: []func(*rollout.Account){of(rollout.ClassEmergency)}, evidence: "policy p1; policy p2",
		},
		{
			id: "admin-not-capable", severity: "critical",
			hits: []func(*rollout.Account){
				both(admin, func(a *rollout.Account) { a.Capable = rollout.No }), both(admin, func(a *rollout.Account) { a.Capable = rollout.Unknown }),
				both(admin, func(a *rollout.Account) { a.Capable, a.New = rollout.No, true }), // a grace is for counting alone
			},
			misses: []func(*rollout.Account){admin, func(a *rollout.Account) { a.Capable = rollout.No }},
		},
		{
			id: "admin-not-enforced", severity: "warning",
			hits: []func(*rollout.Account){
				both(admin, demanded(rollout.DemandNo)), both(admin, demanded("")),
				both(admin, demanded(rollout.DemandPartly, rollout.NarrowedBy{Policy: "p1", By: "platforms"})),
			},
			misses:   []func(*rollout.Account){admin, demanded(rollout.DemandNo), both(admin, demanded(rollout.DemandNo), func(a *rollout.Account) { a.Capable = rollout.No })},
			evidence: "policy p1 is narrowed: platforms",
		},
		{
			id: "admin-unseen", severity: "warning",
			hits:     []func(*rollout.Account){func(a *rollout.Account) { a.OtherRoles = []string{"custom role Phone desk"} }},
			misses:   []func(*rollout.Account){both(admin, func(a *rollout.Account) { a.OtherRoles = []string{"custom role Phone desk"} }), always},
			evidence: "custom role Phone desk",
		},
		{
			id: "guest-admin", severity: "warning",
			hits:   []func(*rollout.Account){both(of(rollout.ClassGuest), roles)},
			misses: []func(*rollout.Account){of(rollout.ClassGuest), both(of(rollout.ClassGuest), roles, off), roles},
		},
		{
			id: "service-admin", severity: "warning",
			hits:   []func(*rollout.Account){both(of(rollout.ClassService), roles), both(of(rollout.ClassRoom), roles), both(of(rollout.ClassSharedMailbox), roles)},
			misses: []func(*rollout.Account){of(rollout.ClassService), both(of(rollout.ClassService), roles, off), both(of(rollout.ClassEmergency), roles)},
		},
		{
			id: "weak-only", severity: "warning", cfg: rollout.Config{Exemptions: []rollout.Exemption{{Account: "m2", Expires: today}}},
			hits: []func(*rollout.Account){func(a *rollout.Account) { a.Strength = rollout.StrengthWeak }},
			misses: []func(*rollout.Account){
				always, both(of(rollout.ClassRoom), func(a *rollout.Account) { a.Strength = rollout.StrengthWeak }), func(a *rollout.Account) { a.Strength = rollout.StrengthWeak },
			},
		},
		{
			id: "unknown-method", severity: "note",
			hits: []func(*rollout.Account){
				func(a *rollout.Account) { a.Methods = []string{"telepathy", "mobilePhone", "mind"} }, func(a *rollout.Account) { a.Methods = []string{"telepathy"} },
			},
			misses: []func(*rollout.Account){always, func(a *rollout.Account) { a.Methods = []string{"mobilePhone"} }}, evidence: "mind; telepathy",
		},
		{
			id: "not-reachable", severity: "warning",
			hits:   []func(*rollout.Account){func(a *rollout.Account) { a.Mail = "" }},
			misses: []func(*rollout.Account){always, both(off, func(a *rollout.Account) { a.Mail = "" })},
		},
		{
			id: "outside-every-policy", severity: "note", cfg: rollout.Config{Exemptions: []rollout.Exemption{{Account: "m4", Expires: today}}},
			hits: []func(*rollout.Account){demanded(rollout.DemandNo), demanded(""), both(admin, demanded(rollout.DemandNo))},
			misses: []func(*rollout.Account){
				always, demanded(rollout.DemandPartly), both(off, demanded(rollout.DemandNo)), both(of(rollout.ClassRoom), demanded(rollout.DemandNo)), demanded(rollout.DemandNo),
			},
		},
		{
			id: "per-user-mfa-left", severity: "warning", dir: defaults,
			hits: []func(*rollout.Account){perUser("Enforced"), perUser("enabled")}, misses: []func(*rollout.Account){perUser("disabled"), perUser("")},
			evidence: "enabled; enforced",
		},
		{id: "per-user-mfa-left", severity: "warning", dir: rollout.Directory{Policies: []rollout.Policy{mfa}}, hits: []func(*rollout.Account){perUser("enforced")}, evidence: "enforced"},
		{id: "per-user-mfa-left", dir: rollout.Directory{Policies: []rollout.Policy{watching}}, misses: []func(*rollout.Account){perUser("enforced")}},
		{
			id: "legacy-in-use", severity: "warning",
			hits:     []func(*rollout.Account){func(a *rollout.Account) { a.LegacyClients = []string{"POP3", "IMAP4"} }, both(of(rollout.ClassService), func(a *rollout.Account) { a.LegacyClients = []string{"IMAP4"} })},
			misses:   []func(*rollout.Account){always, both(of(rollout.ClassDisabled), func(a *rollout.Account) { a.LegacyClients = []string{"IMAP4"} })},
			evidence: "IMAP4; POP3",
		},
		{
			id: "managed-policy-upcoming", severity: "warning",
			hits: []func(*rollout.Account){
				func(a *rollout.Account) { a.Upcoming = []rollout.Upcoming{{Policy: "p9", From: today}} },
				func(a *rollout.Account) { a.Upcoming = []rollout.Upcoming{{Policy: "p9", From: today}, {Policy: "p8"}} },
			},
			misses: []func(*rollout.Account){always}, evidence: "policy p8 from a day not known; policy p9 from 2027-01-12 at the earliest",
		},
		{
			id: "service-interactive", severity: "warning",
			hits: []func(*rollout.Account){both(of(rollout.ClassService), byHand(29*24*time.Hour))},
			misses: []func(*rollout.Account){
				byHand(time.Hour), both(of(rollout.ClassService), byHand(30*24*time.Hour)), of(rollout.ClassService), both(of(rollout.ClassService), byHand(time.Hour), off),
			},
		},
		{
			id: "service-without-exemption", severity: "warning", cfg: rollout.Config{Exemptions: []rollout.Exemption{{Account: "m1", Expires: today}, {Account: "h1", Expires: today.AddDays(-1)}}},
			hits:   []func(*rollout.Account){of(rollout.ClassService), of(rollout.ClassService)},
			misses: []func(*rollout.Account){both(of(rollout.ClassService), off), of(rollout.ClassService)},
		},
		{
			id: "mailbox-can-sign-in", severity: "warning",
			hits:   []func(*rollout.Account){of(rollout.ClassRoom), of(rollout.ClassSharedMailbox)},
			misses: []func(*rollout.Account){both(of(rollout.ClassRoom), off), always},
		},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			var accounts []rollout.Account
			var want []string
			for i, change := range tt.hits {
				want = append(want, "h"+string(rune('0'+i)))
				accounts = append(accounts, like(want[i], change))
			}
			for i, change := range tt.misses {
				accounts = append(accounts, like("m"+string(rune('0'+i)), change))
			}
			f, found := tallied(tt.cfg, tt.dir, now, accounts...)[tt.id]
			if found != (len(want) > 0) || !slices.Equal(f.Accounts, want) || f.Count != len(want) || f.Severity != tt.severity || f.Evidence != tt.evidence {
				t.Errorf("%s about %d, %v, shows %q; want %s about %v, %q", f.Severity, f.Count, f.Accounts, f.Evidence, tt.severity, want, tt.evidence)
			}
			if found && (f.Text == "" || f.Remedy == "" || strings.Contains(f.Text, "%!")) {
				t.Errorf("it says %q, remedy %q", f.Text, f.Remedy)
			}
		})
	}
}

// TestTenantFindings: what each finding about the tenant shows, and when there is
// none.
func TestTenantFindings(t *testing.T) {
	methods := func(list ...rollout.MethodConfiguration) rollout.MethodsPolicy {
		return rollout.MethodsPolicy{Read: true, Methods: list}
	}
	authenticator := func(state string, include, exclude []string) rollout.MethodConfiguration {
		return rollout.MethodConfiguration{ID: "microsoftAuthenticator", State: state, Include: include, Exclude: exclude}
	}
	everybody := []string{"all_users"}
	fine := authenticator("enabled", everybody, nil)
	campaign := func(state string, targets ...string) rollout.MethodsPolicy {
		p := methods(fine, rollout.MethodConfiguration{ID: "Fido2", State: "disabled"})
		p.Campaign = rollout.Campaign{State: state, Methods: targets}
		return p
	}
	unread := methods(authenticator("disabled", nil, nil))
	unread.Read, unread.Campaign.State = false, "disabled"
	migrated := methods(authenticator("disabled", everybody, nil))
	migrated.MigrationState = "migrationComplete"
	tests := []struct {
		name     string
		dir      rollout.Directory
		id       string // empty: none at all
		evidence string
	}{
		{"a policy that was not read says nothing", rollout.Directory{MethodsPolicy: unread}, "", ""},
		{"allowed for everybody", rollout.Directory{MethodsPolicy: methods(fine)}, "", ""},
		{"disabled", rollout.Directory{MethodsPolicy: migrated}, "methods-policy-forbids", "MicrosoftAuthenticator is disabled"},
		{
			"disabled here, perhaps not in the older settings",
			rollout.Directory{MethodsPolicy: methods(authenticator("disabled", everybody, nil))},
			"methods-policy-forbids", "MicrosoftAuthenticator is disabled; the older MFA settings may still allow it, migration is not known",
		},
		{"not listed", rollout.Directory{MethodsPolicy: methods()}, "methods-policy-forbids", "MicrosoftAuthenticator is not listed"},
		{"for some", rollout.Directory{MethodsPolicy: methods(authenticator("enabled", []string{"g2", "g1"}, nil))}, "methods-policy-forbids", "MicrosoftAuthenticator is only for g1, g2"},
		{"for nobody", rollout.Directory{MethodsPolicy: methods(authenticator("enabled", nil, nil))}, "methods-policy-forbids", "MicrosoftAuthenticator is only for nobody"},
		{"not for some", rollout.Directory{MethodsPolicy: methods(authenticator("enabled", everybody, []string{"g1"}))}, "methods-policy-forbids", "MicrosoftAuthenticator is not for g1"},
		{
			"not for many",
			rollout.Directory{MethodsPolicy: methods(authenticator("enabled", everybody, strings.Split("abcdefghijklmnopqrstuvwxyz", "")))},
			"methods-policy-forbids", "MicrosoftAuthenticator is not for a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t and more",
		},
		{
			"a state of any length",
			rollout.Directory{MethodsPolicy: methods(authenticator(strings.Repeat("x", 5000), everybody, nil))},
			"methods-policy-forbids", "MicrosoftAuthenticator is " + strings.Repeat("x", 3200-len("MicrosoftAuthenticator is ")),
		},
		{"a campaign by Microsoft", rollout.Directory{MethodsPolicy: campaign("default")}, "", ""},
		{"a campaign for what is enabled", rollout.Directory{MethodsPolicy: campaign("enabled", "microsoftAuthenticator")}, "", ""},
		{"a campaign that is off", rollout.Directory{MethodsPolicy: campaign("disabled", "fido2")}, "campaign-odd", "the campaign is disabled"},
		{"a campaign for what is forbidden", rollout.Directory{MethodsPolicy: campaign("enabled", "fido2")}, "campaign-odd", "it asks for fido2, which is not enabled"},
		{"a campaign for what is not listed", rollout.Directory{MethodsPolicy: campaign("default", "mind")}, "campaign-odd", "it asks for mind, which is not enabled"},
		{
			"Microsoft is about to",
			rollout.Directory{Upsell: rollout.DefaultsUpsell{Action: "autoEnable", Due: at(t, "UTC", "2027-02-03 00:00")}},
			"defaults-upsell", "autoEnable, due 2027-02-03",
		},
		{"some day", rollout.Directory{Upsell: rollout.DefaultsUpsell{Action: "somethingNew"}}, "defaults-upsell", "somethingNew, day not known"},
		{"on already", rollout.Directory{SecurityDefaults: true, Upsell: rollout.DefaultsUpsell{Action: "autoEnable"}}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tallied(rollout.Config{}, tt.dir, time.Time{})
			f, found := got[tt.id]
			if found != (tt.id != "") || f.Evidence != tt.evidence || len(got) > 1 || (tt.id == "" && len(got) > 0) {
				t.Errorf("findings %+v, want %q with %q alone", got, tt.id, tt.evidence)
			}
		})
	}
}

// TestEndangeredEmergencyAccount: the assessment itself says which policies could
// stop an emergency account: on or report-only, and not proven to leave it out.
func TestEndangeredEmergencyAccount(t *testing.T) {
	cfg := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: "em1"}}}
	policy := func(id, state string, change func(*rollout.Policy)) rollout.Policy {
		p := rollout.Policy{ID: id, State: state, IncludeUsers: []string{"All"}, GrantControls: []string{"block"}}
		change(&p)
		return p
	}
	dir := rollout.Directory{
		Groups: map[string]rollout.GroupFacts{"out": {ID: "out", Opened: true}},
		Policies: []rollout.Policy{
			policy("on", rollout.StateEnabled, func(*rollout.Policy) {}),
			policy("watching", rollout.StateReportOnly, func(*rollout.Policy) {}),
			policy("off", rollout.StateDisabled, func(*rollout.Policy) {}),
			policy("excluded", rollout.StateEnabled, func(p *rollout.Policy) { p.ExcludeUsers = []string{"EM1"} }),
			policy("excluded by group", rollout.StateEnabled, func(p *rollout.Policy) { p.ExcludeGroups = []string{"out"} }),
			policy("closed", rollout.StateEnabled, func(p *rollout.Policy) { p.ExcludeGroups = []string{"nobody knows"} }),
			policy("somebody else", rollout.StateEnabled, func(p *rollout.Policy) { p.IncludeUsers = []string{"u1"} }),
		},
	}
	readings := []rollout.Reading{{User: rollout.User{ID: "em1"}, Groups: []string{"out"}}, {User: rollout.User{ID: "u1"}}}
	accounts, findings := rollout.Assess(cfg, dir, readings, time.Time{})
	if got := accounts[0].StoppedBy; !slices.Equal(got, []string{"on", "watching", "closed"}) || accounts[1].StoppedBy != nil {
		t.Errorf("the emergency account could be stopped by %q, the person by %q", got, accounts[1].StoppedBy)
	}
	if f := findings[0]; f.ID != "policy-would-stop-emergency" || f.Evidence != "policy closed; policy on; policy watching" || !slices.Equal(f.Accounts, []string{"em1"}) {
		t.Errorf("the first finding is %+v", f)
	}
}

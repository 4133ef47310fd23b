package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/shared/rollout"
)

// The sample tenant's emergency accounts, and the waves' policies.
const (
	em1, em2       = "em1", "em2"
	policyAdmins   = "policy-administrators"
	policyReady    = "policy-ready"
	policyEveryone = "policy-everyone"
	groupExempt    = "group-exempt"
	groupReady     = "group-ready"
)

// scene is all that the rules are given. The sample scene is the moment in
// which the last wave of a small firm may be switched: every gate holds. Tests
// spoil one thing and look at what follows.
type scene struct {
	cfg   rollout.Config
	seen  rollout.Seen
	known rollout.Known
	now   time.Time
	// What proofs are made of.
	assignments []rollout.RoleAssignment
	groups      map[string]rollout.Group
}

func sample(t testing.TB) *scene {
	t.Helper()
	cfg := rollout.Config{
		Tenant: "contoso.onmicrosoft.com", TimeZone: "Europe/London", Method: rollout.MethodAuto,
		Announce: day(t, "2026-12-01"),
		Waves: []rollout.WaveConfig{
			{Name: "administrators", Members: rollout.MembersAdmins, Deadline: day(t, "2026-12-15")},
			{Name: "ready", Members: rollout.MembersCapable},
			{Name: "everyone", Members: rollout.MembersAll, Deadline: day(t, "2027-01-12")},
		},
		EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1}, {ID: em2}},
		Communication:     rollout.Communication{HelpDesk: rollout.HelpDesk{Name: "IT Help Desk", Email: "help@contoso.com"}},
		ReminderDays:      []int{7, 3, 1},
		GraceDays:         14,
		Enforcement:       rollout.SwitchWindow{FromHour: 9, ToHour: 16},
		Breaker:           rollout.BreakerLimits{People: 3, Percent: 2, Admins: 2},
	}
	s := &scene{cfg: cfg, now: at(t, "Europe/London", "2027-01-12 10:00"), groups: map[string]rollout.Group{}}
	for _, id := range []string{em1, em2} {
		s.seen.Accounts = append(s.seen.Accounts, rollout.Account{ID: id, Class: rollout.ClassEmergency, Enabled: true, Capable: rollout.Yes})
		s.assignments = append(s.assignments, rollout.RoleAssignment{PrincipalID: id, RoleDefinitionID: rollout.RoleGlobalAdministrator, DirectoryScopeID: "/"})
		s.known.Drills = append(s.known.Drills, rollout.Drill{ID: "drill-" + id, Account: id, PassedAt: at(t, "Europe/London", "2026-12-01 15:00")})
	}
	for _, id := range []string{"admin1", "admin2"} {
		a := person(id, rollout.Yes)
		a.Class, a.Roles = rollout.ClassAdmin, []string{rollout.RoleGlobalAdministrator}
		s.seen.Accounts = append(s.seen.Accounts, a)
		s.assignments = append(s.assignments, rollout.RoleAssignment{PrincipalID: id, RoleDefinitionID: rollout.RoleGlobalAdministrator, DirectoryScopeID: "/"})
	}
	for n := range 18 {
		s.seen.Accounts = append(s.seen.Accounts, person(fmt.Sprintf("m%02d", n+1), rollout.FactOf(n < 17)))
	}
	s.seen.Audit = rollout.AuditRun{
		At: s.now.Add(-8 * time.Hour), Method: rollout.MethodConditionalAccess,
		Plans: []rollout.ServicePlan{{ID: rollout.PlanEntraP1, Name: "AAD_PREMIUM"}}, Granted: rollout.ReaderPermissions(),
	}

	started := at(t, "Europe/London", "2026-12-01 09:00")
	s.known.Waves = []rollout.Wave{
		{Name: "administrators", State: rollout.WaveEnforced, AnnouncedAt: started, ObservedFrom: started, EnforcedAt: at(t, "Europe/London", "2026-12-15 09:10")},
		{Name: "ready", State: rollout.WaveEnforced, AnnouncedAt: started, ObservedFrom: started, EnforcedAt: at(t, "Europe/London", "2026-12-08 09:10")},
		{Name: "everyone", State: rollout.WaveObserving, AnnouncedAt: started, ObservedFrom: started},
	}
	s.known.Groups = []rollout.OwnedGroup{{Purpose: rollout.GroupExempt, ID: groupExempt}, {Purpose: rollout.GroupReady, ID: groupReady}}
	s.known.Messages = []rollout.Message{
		told("m18", day(t, "2026-12-01"), cfg),
		{ID: "switched.administrators.2026-12-15T09:10:00Z", Kind: rollout.MessageSwitched},
		{ID: "switched.ready.2026-12-08T09:10:00Z", Kind: rollout.MessageSwitched},
	}
	ids := map[string]string{rollout.GroupExempt: groupExempt, rollout.GroupReady: groupReady}
	live := &rollout.Live{SecurityDefaults: rollout.No, Granted: rollout.WriterPermissions(), Groups: map[string]rollout.Group{
		rollout.GroupExempt: {ID: groupExempt, Opened: true},
		rollout.GroupReady:  {ID: groupReady, Opened: true, Members: capable(s.seen.Accounts)},
	}}
	for i, w := range cfg.Waves {
		draft := rollout.Draft(cfg, w, ids)
		state := rollout.StateEnabled
		if w.Name == "everyone" {
			state = rollout.StateReportOnly
		}
		s.known.Policies = append(s.known.Policies, rollout.OwnedPolicy{Wave: w.Name, ID: "policy-" + w.Name, Draft: draft, State: state})
		live.Policies = append(live.Policies, policyOf(s.known.Policies[i].ID, state, draft))
	}
	s.seen.Live = live
	s.seen.Observations = []rollout.Observation{{Account: "m01", Policy: policyEveryone, Result: "reportOnlySuccess", LastAt: s.now.Add(-24 * time.Hour)}}
	return s.look()
}

// look reads the tenant again after something was changed in it: the audit
// counts, the emergency accounts are proven.
func (s *scene) look() *scene {
	s.seen.Audit.Accounts = len(s.seen.Accounts)
	s.prove()
	return s
}

func (s *scene) prove() {
	var facts []rollout.EmergencyFacts
	for _, e := range s.cfg.EmergencyAccounts {
		facts = append(facts, rollout.EmergencyFacts{
			Account:     e.ID,
			User:        &rollout.User{ID: e.ID, UserPrincipalName: e.ID + "@contoso.onmicrosoft.com", AccountEnabled: rollout.Yes, Synced: rollout.No},
			MethodsRead: true, Methods: []string{"fido2AuthenticationMethod"},
		})
	}
	groups := map[string]rollout.Group{}
	for id, g := range s.groups {
		groups[id] = g
	}
	for _, g := range s.known.Groups {
		groups[g.ID] = s.seen.Live.Groups[g.Purpose]
	}
	s.seen.Live.Emergency = rollout.ProveEmergency(s.cfg, "contoso.onmicrosoft.com", facts, s.assignments, s.seen.Live.Policies, groups)
}

func (s *scene) account(id string) *rollout.Account {
	return &s.seen.Accounts[slices.IndexFunc(s.seen.Accounts, func(a rollout.Account) bool { return a.ID == id })]
}

func (s *scene) policy(id string) *rollout.Policy {
	return &s.seen.Live.Policies[slices.IndexFunc(s.seen.Live.Policies, func(p rollout.Policy) bool { return p.ID == id })]
}

func (s *scene) wave(name string) *rollout.Wave {
	return &s.known.Waves[slices.IndexFunc(s.known.Waves, func(w rollout.Wave) bool { return w.Name == name })]
}

// joins adds accounts that the newest audit saw.
func (s *scene) joins(accounts ...rollout.Account) {
	s.seen.Accounts = append(s.seen.Accounts, accounts...)
	s.seen.Audit.Accounts = len(s.seen.Accounts)
}

func (s *scene) planSwitch() []rollout.Action {
	return rollout.PlanSwitch(s.cfg, s.seen, s.known, s.now)
}

func person(id string, capable rollout.Fact) rollout.Account {
	return rollout.Account{
		ID: id, UserPrincipalName: id + "@contoso.com", Mail: id + "@contoso.com",
		Class: rollout.ClassMember, Enabled: true, Registered: capable, Capable: capable, Strength: rollout.StrengthStrong,
	}
}

func capable(accounts []rollout.Account) (ids []string) {
	for _, a := range accounts {
		if a.Capable == rollout.Yes && a.Class != rollout.ClassEmergency {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// told is an announcement that was delivered on the day.
func told(id string, on rollout.Date, cfg rollout.Config) rollout.Message {
	return rollout.Message{
		ID: "announcement.everyone." + id, Kind: rollout.MessageAnnouncement, Account: id, Wave: "everyone", Day: on, Deadline: on.AddDays(rollout.NoticeDays),
		State: rollout.MessageDelivered, DeliveredAt: on.At(9, 5, cfg.Location()),
	}
}

// policyOf is what Graph answers after the draft was created.
func policyOf(id, state string, d rollout.PolicyDraft) rollout.Policy {
	return rollout.Policy{
		ID: id, DisplayName: d.DisplayName, Description: d.Description, State: state,
		IncludeUsers: d.IncludeUsers, IncludeGroups: d.IncludeGroups, IncludeRoles: d.IncludeRoles,
		ExcludeUsers: d.ExcludeUsers, ExcludeGroups: d.ExcludeGroups, ExcludeRoles: d.ExcludeRoles,
		IncludeApplications: []string{"All"}, ClientAppTypes: []string{"all"},
		GrantOperator: "OR", GrantControls: []string{"mfa"},
	}
}

// at is a moment in a time zone.
func at(t testing.TB, zone, moment string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	then, err := time.ParseInLocation("2006-01-02 15:04", moment, loc)
	if err != nil {
		t.Fatal(err)
	}
	return then
}

// cpuTime is what this process has computed so far: unlike the clock on the
// wall it does not depend on what else the machine does.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// list names actions, one a line, for comparison.
func list(actions []rollout.Action) string {
	var lines []string
	for _, a := range actions {
		switch a := a.(type) {
		case rollout.Send:
			lines = append(lines, "send "+a.Message.ID)
		case rollout.MoveWave:
			lines = append(lines, "move "+a.Wave+" to "+string(a.To))
		case rollout.CreateGroup:
			lines = append(lines, "create group "+a.Purpose)
		case rollout.FillGroup:
			lines = append(lines, fmt.Sprintf("fill %s +%v -%v", a.Purpose, a.Add, a.Remove))
		case rollout.CreatePolicy:
			lines = append(lines, "create policy "+a.Draft.Wave)
		case rollout.SwitchOn:
			lines = append(lines, "switch on "+a.Wave+" "+a.PolicyID)
		case rollout.RollBack:
			lines = append(lines, "roll back "+a.Wave+" "+a.PolicyID)
		default:
			lines = append(lines, fmt.Sprintf("%T", a))
		}
	}
	return strings.Join(lines, "\n")
}

package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

func TestReach(t *testing.T) {
	groups := map[string]rollout.Group{
		"staff":  {DisplayName: "All staff", Opened: true, Members: []string{"U1"}},
		"others": {Opened: true, Members: []string{"u2"}},
		"closed": {Members: []string{"u1"}},
	}
	me := rollout.Subject{ID: "u1"}
	admin := rollout.Subject{ID: "u1", ActiveRoles: []string{"r1"}, EligibleRoles: []string{"r2"}}
	guest := rollout.Subject{ID: "u1", Guest: true}
	all := func(p rollout.Policy) rollout.Policy { p.IncludeUsers = []string{"All"}; return p }
	tests := []struct {
		name    string
		policy  rollout.Policy
		subject rollout.Subject
		want    rollout.Verdict
		path    string
	}{
		{"everybody", all(rollout.Policy{}), me, rollout.VerdictInside, "all users"},
		{"nobody", rollout.Policy{IncludeUsers: []string{"None"}}, me, rollout.VerdictNotAddressed, "names neither"},
		{"by id, in capitals", rollout.Policy{IncludeUsers: []string{"U1"}}, me, rollout.VerdictInside, "by id"},
		{"exclusion wins", all(rollout.Policy{ExcludeUsers: []string{"U1"}}), me, rollout.VerdictExcluded, "by id"},
		{"exclusion by group", all(rollout.Policy{ExcludeGroups: []string{"others", "staff"}}), me, rollout.VerdictExcluded, "All staff"},
		{"an exclusion that cannot be opened proves nothing", all(rollout.Policy{ExcludeGroups: []string{"others", "closed"}}), me, rollout.VerdictUnresolvable, "closed"},
		{"nor does one that nobody looked at", all(rollout.Policy{ExcludeGroups: []string{"unread"}}), me, rollout.VerdictUnresolvable, "unread"},
		{"one good exclusion is enough", all(rollout.Policy{ExcludeGroups: []string{"closed", "staff"}}), me, rollout.VerdictExcluded, "All staff"},
		{"inclusion by group", rollout.Policy{IncludeGroups: []string{"staff"}}, me, rollout.VerdictInside, "All staff"},
		{"outside the included group, today", rollout.Policy{IncludeGroups: []string{"others"}}, me, rollout.VerdictDepends, "today"},
		{"an included group that cannot be opened", rollout.Policy{IncludeGroups: []string{"others", "closed"}}, me, rollout.VerdictUnresolvable, "closed"},
		{"by an active role", rollout.Policy{IncludeRoles: []string{"R1"}}, admin, rollout.VerdictInside, "role"},
		{"by a role that can be activated", rollout.Policy{IncludeRoles: []string{"r2"}}, admin, rollout.VerdictInside, "role"},
		{"without the role, today", rollout.Policy{IncludeRoles: []string{"r3"}}, admin, rollout.VerdictDepends, "today"},
		{"excluded by an active role", all(rollout.Policy{ExcludeRoles: []string{"r1"}}), admin, rollout.VerdictExcluded, "role r1"},
		{"a role that is not active excludes nobody", all(rollout.Policy{ExcludeRoles: []string{"r2"}}), admin, rollout.VerdictInside, "all users"},
		{"guests out", all(rollout.Policy{ExcludeUsers: []string{"GuestsOrExternalUsers"}}), guest, rollout.VerdictExcluded, "guest"},
		{"guests in", rollout.Policy{IncludeGuests: []string{"b2bCollaborationGuest"}}, guest, rollout.VerdictInside, "guest"},
		{"members are no guests", rollout.Policy{IncludeUsers: []string{"GuestsOrExternalUsers"}}, me, rollout.VerdictNotAddressed, "names neither"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := rollout.Reach(tt.policy, tt.subject, groups)
			if path := strings.Join(got.Path, ", "); got.Verdict != tt.want || !strings.Contains(path, tt.path) {
				t.Errorf("%s (%s), want %s (%s)", got.Verdict, path, tt.want, tt.path)
			}
		})
	}
}

// TestReachAgainstEveryPossibility holds Reach to a second, slower way: try
// every content that the groups nobody could open might have.
func TestReachAgainstEveryPossibility(t *testing.T) {
	ids := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"All", "u1", "u2", "GuestsOrExternalUsers"}), rapid.ID[string])
	groupIDs := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"g1", "g2", "g3"}), rapid.ID[string])
	roleIDs := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"r1", "r2"}), rapid.ID[string])
	rapid.Check(t, func(t *rapid.T) {
		p := rollout.Policy{
			IncludeUsers: ids.Draw(t, "includeUsers"), ExcludeUsers: ids.Draw(t, "excludeUsers"),
			IncludeGroups: groupIDs.Draw(t, "includeGroups"), ExcludeGroups: groupIDs.Draw(t, "excludeGroups"),
			IncludeRoles: roleIDs.Draw(t, "includeRoles"), ExcludeRoles: roleIDs.Draw(t, "excludeRoles"),
		}
		s := rollout.Subject{
			ID: "u1", Guest: rapid.Bool().Draw(t, "guest"),
			ActiveRoles: roleIDs.Draw(t, "active"), EligibleRoles: roleIDs.Draw(t, "eligible"),
		}
		groups := map[string]rollout.Group{}
		for _, id := range []string{"g1", "g2"} { // g3 was never read
			groups[id] = rollout.Group{Opened: rapid.Bool().Draw(t, id+" opened"), Members: rapid.SampledFrom([][]string{{"u1"}, {"u2"}}).Draw(t, id)}
		}
		if got, want := rollout.Reach(p, s, groups).Verdict, reachByTrying(p, s, groups); got != want {
			t.Fatalf("Reach says %s, trying says %s", got, want)
		}
	})
}

func reachByTrying(p rollout.Policy, s rollout.Subject, groups map[string]rollout.Group) rollout.Verdict {
	// isIn is 1 or 0 for a group that was opened, and both otherwise.
	isIn := func(id string) []bool {
		if g := groups[id]; g.Opened {
			return []bool{slices.Contains(g.Members, s.ID)}
		}
		return []bool{false, true}
	}
	possible := func(sure bool, groups []string) (outcomes []bool) {
		outcomes = []bool{sure}
		for _, id := range groups {
			var next []bool
			for _, o := range outcomes {
				for _, in := range isIn(id) {
					next = append(next, o || in)
				}
			}
			outcomes = next
		}
		return outcomes
	}
	shares := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
	}
	named := func(list []string) bool {
		return slices.Contains(list, "u1") || (s.Guest && slices.Contains(list, "GuestsOrExternalUsers"))
	}
	included := possible(named(p.IncludeUsers) || slices.Contains(p.IncludeUsers, "All") || shares(p.IncludeRoles, slices.Concat(s.ActiveRoles, s.EligibleRoles)), p.IncludeGroups)
	excluded := possible(named(p.ExcludeUsers) || shares(p.ExcludeRoles, s.ActiveRoles), p.ExcludeGroups)
	stops, spares, alwaysExcluded := false, false, true
	for _, in := range included {
		for _, out := range excluded {
			stops = stops || (in && !out)
			spares = spares || !in || out
			alwaysExcluded = alwaysExcluded && out
		}
	}
	switch {
	case alwaysExcluded:
		return rollout.VerdictExcluded
	case stops && spares:
		return rollout.VerdictUnresolvable
	case stops:
		return rollout.VerdictInside
	case len(p.IncludeGroups)+len(p.IncludeRoles) > 0:
		return rollout.VerdictDepends
	}
	return rollout.VerdictNotAddressed
}

func TestDemandsMFA(t *testing.T) {
	mfa := rollout.Policy{IncludeApplications: []string{"All"}, GrantOperator: "OR", GrantControls: []string{"mfa"}}
	tests := []struct {
		name    string
		change  func(p *rollout.Policy)
		demands bool
		narrow  string
	}{
		{"plainly", func(*rollout.Policy) {}, true, ""},
		{"by a strength", func(p *rollout.Policy) { p.GrantControls, p.AuthenticationStrength = nil, "strength" }, true, ""},
		{"block is no demand for MFA", func(p *rollout.Policy) { p.GrantControls = []string{"block"} }, false, ""},
		{"or a compliant device", func(p *rollout.Policy) { p.GrantControls = []string{"mfa", "compliantDevice"} }, true, "or compliantDevice"},
		{"and a compliant device", func(p *rollout.Policy) { p.GrantControls, p.GrantOperator = []string{"mfa", "compliantDevice"}, "AND" }, true, ""},
		{"or terms of use", func(p *rollout.Policy) { p.OtherGrants = []string{"termsOfUse"} }, true, "or termsOfUse"},
		{"one application", func(p *rollout.Policy) { p.IncludeApplications = []string{"Office365"} }, true, "applications"},
		{"all but one", func(p *rollout.Policy) { p.ExcludeApplications = []string{"app"} }, true, "applications"},
		{"browsers", func(p *rollout.Policy) { p.ClientAppTypes = []string{"browser"} }, true, "clientAppTypes"},
		{"outside the office", func(p *rollout.Policy) { p.Narrowing = []string{"locations"} }, true, "locations"},
		{"to register a device", func(p *rollout.Policy) {
			p.IncludeApplications, p.IncludeUserActions = nil, []string{"urn:user:registerdevice"}
		}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mfa
			tt.change(&p)
			demands, narrowed := rollout.DemandsMFA(p)
			if demands != tt.demands || strings.Join(narrowed, ", ") != tt.narrow {
				t.Errorf("demands %v, narrowed by %v; want %v, %q", demands, narrowed, tt.demands, tt.narrow)
			}
		})
	}
}

// TestEnforced is what the audit says of one member under one policy.
func TestEnforced(t *testing.T) {
	mfa := rollout.Policy{ID: "p", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, IncludeApplications: []string{"All"}, GrantControls: []string{"mfa"}}
	tests := []struct {
		name   string
		change func(p *rollout.Policy, d *rollout.Directory, r *rollout.Reading)
		want   string // demand, by whom, narrowed by what
	}{
		{"enabled", func(*rollout.Policy, *rollout.Directory, *rollout.Reading) {}, "always by p"},
		{"report-only never counts", func(p *rollout.Policy, _ *rollout.Directory, _ *rollout.Reading) { p.State = rollout.StateReportOnly }, "no by "},
		{"excluded", func(p *rollout.Policy, _ *rollout.Directory, _ *rollout.Reading) { p.ExcludeUsers = []string{"u1"} }, "no by "},
		{"narrowed", func(p *rollout.Policy, _ *rollout.Directory, _ *rollout.Reading) { p.Narrowing = []string{"locations"} }, "partly by p: locations"},
		{"perhaps excluded", func(p *rollout.Policy, _ *rollout.Directory, _ *rollout.Reading) {
			p.ExcludeGroups = []string{"unread"}
		}, "partly by p: a group that could not be opened"},
		{"only while a role is active", func(p *rollout.Policy, d *rollout.Directory, _ *rollout.Reading) {
			p.IncludeUsers, p.IncludeRoles = nil, []string{helpdeskAdministrator}
			r := role(helpdeskAdministrator)
			r.Eligible = true
			d.RoleAssignments = []rollout.RoleAssignment{r}
		}, "partly by p: only while the role is active"},
		{"Security Defaults", func(p *rollout.Policy, d *rollout.Directory, r *rollout.Reading) {
			p.State, d.SecurityDefaults = rollout.StateDisabled, true
		}, "always by securityDefaults"},
		{"a guest counts as one whatever else it is", func(p *rollout.Policy, d *rollout.Directory, r *rollout.Reading) {
			p.ExcludeUsers = []string{"GuestsOrExternalUsers"}
			r.User.UserType, r.User.Purpose = "Guest", "shared"
		}, "no by "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, r := rollout.Directory{}, rollout.Reading{User: rollout.User{ID: "u1"}}
			p := mfa
			tt.change(&p, &d, &r)
			d.Policies = []rollout.Policy{p}
			accounts, _ := rollout.Assess(rollout.Config{}, d, []rollout.Reading{r}, time.Time{})
			a := accounts[0]
			got := string(a.Enforced) + " by " + strings.Join(a.DemandedBy, ", ")
			for _, n := range a.NarrowedBy {
				got += ": " + n.By
			}
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestAssessOfALargeTenant: 20,000 people in a group of 20,000 are judged in
// well under the seconds that looking through the group for each would take.
func TestAssessOfALargeTenant(t *testing.T) {
	const people = 20_000
	d := rollout.Directory{
		Groups:   map[string]rollout.GroupFacts{"all": {Opened: true}},
		Policies: []rollout.Policy{{ID: "p", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, ExcludeGroups: []string{"all"}, IncludeApplications: []string{"All"}, GrantControls: []string{"mfa"}}},
	}
	readings := make([]rollout.Reading, people)
	for n := range readings {
		readings[n] = rollout.Reading{User: rollout.User{ID: fmt.Sprintf("00000000-0000-0000-0000-%012d", n)}, Groups: []string{"all"}}
	}
	begin := cpuTime(t)
	accounts, _ := rollout.Assess(rollout.Config{}, d, readings, time.Time{})
	if took := cpuTime(t) - begin; took > 3*time.Second {
		t.Errorf("judging %d people took %s", people, took)
	}
	for _, a := range accounts {
		if a.Enforced != rollout.DemandNo {
			t.Fatalf("%s is in the excluded group, yet %s is demanded", a.ID, a.Enforced)
		}
	}
}

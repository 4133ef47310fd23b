package rollout_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

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
		{"or what nobody knows", func(p *rollout.Policy) { p.GrantControls = []string{"mfa", "riskRemediation"} }, true, "or riskRemediation"},
		{"or a device, by a strength", func(p *rollout.Policy) {
			p.GrantControls, p.AuthenticationStrength = []string{"domainJoinedDevice"}, "strength"
		}, true, "or domainJoinedDevice"},
		{"no operator: one control may do", func(p *rollout.Policy) {
			p.GrantControls, p.GrantOperator = []string{"mfa", "compliantDevice"}, ""
		}, true, "or compliantDevice"},
		{"block and MFA", func(p *rollout.Policy) { p.GrantControls = []string{"mfa", "Block"} }, false, ""},
		{"a session, no grant", func(p *rollout.Policy) {
			p.GrantControls, p.SessionControls = nil, []string{"signInFrequency"}
		}, false, ""},
		{"no application", func(p *rollout.Policy) { p.IncludeApplications = []string{"none"} }, false, ""},
		{"no application named", func(p *rollout.Policy) { p.IncludeApplications = nil }, false, ""},
		{"applications by a filter", func(p *rollout.Policy) {
			p.IncludeApplications, p.Narrowing = nil, []string{"applicationFilter"}
		}, true, "applications, applicationFilter"},
		{"all client apps", func(p *rollout.Policy) { p.ClientAppTypes = []string{"All"} }, true, ""},
		{"client apps not configured", func(p *rollout.Policy) { p.ClientAppTypes = []string{} }, true, ""},
		{"in some contexts", func(p *rollout.Policy) { p.IncludeApplications, p.AuthContexts = nil, []string{"c1"} }, false, ""},
		{"everywhere, and in some contexts", func(p *rollout.Policy) { p.AuthContexts = []string{"c1"} }, true, "authenticationContexts"},
		{"everywhere, and for an action", func(p *rollout.Policy) { p.IncludeUserActions = []string{"urn:user:registerdevice"} }, true, "userActions"},
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
		{"guests of some tenants, to a member", func(p *rollout.Policy, _ *rollout.Directory, _ *rollout.Reading) {
			p.ExcludeGuests, p.Narrowing = []string{"b2bCollaborationGuest"}, []string{"users.excludeGuestsOrExternalUsers.externalTenants"}
		}, "always by p"},
		{"guests of some tenants, to a guest", func(p *rollout.Policy, _ *rollout.Directory, r *rollout.Reading) {
			p.ExcludeGuests, p.Narrowing = []string{"b2bCollaborationGuest"}, []string{"users.excludeGuestsOrExternalUsers.externalTenants"}
			r.User.UserType, r.User.ExternalUserState = "Guest", "Accepted"
		}, "partly by p: guests of some types or tenants only"},
		{"several doubts", func(p *rollout.Policy, _ *rollout.Directory, r *rollout.Reading) {
			p.IncludeUsers, p.IncludeGroups, p.Narrowing = nil, []string{"unread"}, []string{"locations"}
			p.ExcludeGuests = []string{"unknownFutureValue"}
			r.User.UserType = "Guest"
		}, "partly by p: locations: a group that could not be opened: guests of some types or tenants only"},
		{"the same doubt twice", func(p *rollout.Policy, _ *rollout.Directory, _ *rollout.Reading) {
			p.IncludeUsers, p.IncludeGroups, p.ExcludeGroups = nil, []string{"unread"}, []string{"unread"}
		}, "partly by p: a group that could not be opened"},
		{"narrowed twice, by two policies", func(p *rollout.Policy, d *rollout.Directory, _ *rollout.Reading) {
			q := *p
			q.ID, q.Narrowing, p.Narrowing = "q", []string{"platforms"}, []string{"locations"}
			d.Policies = []rollout.Policy{q}
		}, "partly by q, p: platforms: locations"},
		{"always by one, sometimes by the other", func(p *rollout.Policy, d *rollout.Directory, _ *rollout.Reading) {
			q := *p
			q.ID, q.Narrowing = "q", []string{"platforms"}
			d.Policies = []rollout.Policy{q}
		}, "always by q, p: platforms"},
		{"for workloads and agents", func(p *rollout.Policy, _ *rollout.Directory, _ *rollout.Reading) {
			p.IncludeUsers, p.Narrowing = []string{"None"}, []string{"clientApplications"}
		}, "no by "},
		{"only while a role is active", func(p *rollout.Policy, d *rollout.Directory, _ *rollout.Reading) {
			p.IncludeUsers, p.IncludeRoles = nil, []string{helpdeskAdministrator}
			r := role(helpdeskAdministrator)
			r.Eligible = true
			d.RoleAssignments = []rollout.RoleAssignment{r}
		}, "partly by p: only while the role is active"},
		{"Security Defaults", func(p *rollout.Policy, d *rollout.Directory, r *rollout.Reading) {
			p.State, d.SecurityDefaults = rollout.StateDisabled, true
		}, "always by securityDefaults"},
		{"Security Defaults spare the account that synchronises", func(p *rollout.Policy, d *rollout.Directory, r *rollout.Reading) {
			p.State, d.SecurityDefaults = rollout.StateDisabled, true
			d.RoleAssignments = []rollout.RoleAssignment{role(rollout.RoleDirectorySync)}
		}, "no by "},
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
			d.Policies = append(d.Policies, p)
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

// TestUpcoming: whom a policy reaches that Microsoft will enable by itself, and
// from when.
func TestUpcoming(t *testing.T) {
	managed := rollout.Policy{
		ID: "m", DisplayName: "Microsoft-managed: Multifactor authentication for all users", State: rollout.StateReportOnly,
		Created: at(t, "UTC", "2026-11-20 23:30"), IncludeUsers: []string{"All"}, ExcludeUsers: []string{"out"},
		IncludeApplications: []string{"All"}, GrantControls: []string{"mfa"},
	}
	soon := []rollout.Upcoming{{Policy: "m", From: day(t, "2027-01-04")}}
	tests := []struct {
		name   string
		id     string
		change func(p *rollout.Policy)
		want   []rollout.Upcoming
	}{
		{"reached", "u1", func(*rollout.Policy) {}, soon},
		{"excluded", "out", func(*rollout.Policy) {}, []rollout.Upcoming{}},
		{"perhaps excluded", "u1", func(p *rollout.Policy) { p.ExcludeGroups = []string{"unread"} }, soon},
		{"on already", "u1", func(p *rollout.Policy) { p.State = rollout.StateEnabled }, []rollout.Upcoming{}},
		{"off", "u1", func(p *rollout.Policy) { p.State = rollout.StateDisabled }, []rollout.Upcoming{}},
		{"it blocks", "u1", func(p *rollout.Policy) { p.GrantControls = []string{"block"} }, []rollout.Upcoming{}},
		{"of the house", "u1", func(p *rollout.Policy) { p.DisplayName = "Multifactor authentication for all users" }, []rollout.Upcoming{}},
		{"nobody knows since when", "u1", func(p *rollout.Policy) { p.Created = time.Time{} }, []rollout.Upcoming{{Policy: "m"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := managed
			tt.change(&p)
			accounts, _ := rollout.Assess(rollout.Config{}, rollout.Directory{Policies: []rollout.Policy{p}}, []rollout.Reading{{User: rollout.User{ID: tt.id}}}, time.Time{})
			if diff := cmp.Diff(tt.want, accounts[0].Upcoming); diff != "" {
				t.Errorf("upcoming (-want +got):\n%s", diff)
			}
			if p.State != rollout.StateEnabled && accounts[0].Enforced != rollout.DemandNo {
				t.Errorf("%s is demanded by what is not on", accounts[0].Enforced)
			}
		})
	}
}

// TestEnforcementInJSON: what the audit prints has a list where nothing is in it.
func TestEnforcementInJSON(t *testing.T) {
	p := rollout.Policy{ID: "p", State: rollout.StateEnabled, IncludeUsers: []string{"u1"}, IncludeApplications: []string{"Office365"}, GrantControls: []string{"mfa"}}
	readings := []rollout.Reading{{User: rollout.User{ID: "u1"}}, {User: rollout.User{ID: "u2"}}}
	accounts, _ := rollout.Assess(rollout.Config{}, rollout.Directory{Policies: []rollout.Policy{p}}, readings, time.Time{})
	for i, want := range []string{
		`{"enforced":"partly","demandedBy":["p"],"narrowedBy":[{"policy":"p","by":"applications"}],"upcoming":[]}`,
		`{"enforced":"no","demandedBy":[],"narrowedBy":[],"upcoming":[]}`,
	} {
		whole, err := json.Marshal(accounts[i])
		if err != nil {
			t.Fatal(err)
		}
		var part struct {
			Enforced   json.RawMessage `json:"enforced"`
			DemandedBy json.RawMessage `json:"demandedBy"`
			NarrowedBy json.RawMessage `json:"narrowedBy"`
			Upcoming   json.RawMessage `json:"upcoming"`
		}
		if err := json.Unmarshal(whole, &part); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(part); string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestAnswersAreTheirOwn: no account's lists change by what becomes of another's.
func TestAnswersAreTheirOwn(t *testing.T) {
	p := rollout.Policy{ID: "p", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, IncludeApplications: []string{"Office365"}, GrantControls: []string{"mfa"}}
	q := p
	q.ID, q.ExcludeUsers, q.Narrowing = "q", []string{"u2"}, []string{"locations"}
	e := rollout.NewEvaluator([]rollout.Policy{q, p}, nil, false)
	first := e.Evaluate(rollout.Subject{ID: "u1"})
	before := fmt.Sprint(first)
	second := e.Evaluate(rollout.Subject{ID: "u2"})
	second.DemandedBy[0], second.NarrowedBy[0].By = "x", "x"
	_, _ = append(second.DemandedBy, "x"), append(second.NarrowedBy, rollout.NarrowedBy{By: "x"})
	if after := fmt.Sprint(first); after != before {
		t.Errorf("the first answer was %s and is %s", before, after)
	}
	if again := fmt.Sprint(e.Evaluate(rollout.Subject{ID: "u1"})); again != before {
		t.Errorf("asked again: %s, want %s", again, before)
	}
}

// BenchmarkEvaluator judges a large tenant: 100,000 accounts under 60 policies
// that name 200 groups, nested ones already opened. Each account is in up to ten
// of the groups, one in fifty holds a role, one in twenty is a guest.
func BenchmarkEvaluator(b *testing.B) {
	const accounts, policies, groups = 100_000, 60, 200
	random := rand.New(rand.NewPCG(1, 2))
	some := func(n int) []string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("00000000-0000-4000-8000-%012d", random.IntN(groups))
		}
		return ids
	}
	facts := map[string]rollout.GroupFacts{}
	for n := range groups {
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
		facts[id] = rollout.GroupFacts{ID: id, Opened: true}
	}
	list := make([]rollout.Policy, policies)
	for n := range list {
		p := rollout.Policy{
			ID: fmt.Sprintf("policy-%d", n), State: rollout.StateEnabled, ExcludeGroups: some(3), ExcludeUsers: []string{"emergency-1", "emergency-2"},
			IncludeApplications: []string{"All"}, ClientAppTypes: []string{"all"}, GrantControls: []string{"mfa"},
		}
		switch n % 4 {
		case 0:
			p.IncludeUsers, p.ExcludeGuests = []string{"All"}, []string{"b2bCollaborationGuest"}
		case 1:
			p.IncludeRoles = rollout.AdminRoles()
		case 2:
			p.IncludeGuests = []string{"b2bCollaborationGuest", "internalGuest"}
			p.Narrowing = []string{"users.includeGuestsOrExternalUsers.externalTenants"}
		default:
			p.IncludeGroups, p.Narrowing = some(5), []string{"locations"}
		}
		list[n] = p
	}
	roles := rollout.AdminRoles()
	subjects := make([]rollout.Subject, accounts)
	for n := range subjects {
		s := rollout.Subject{ID: fmt.Sprintf("00000000-0000-4000-9000-%012d", n), Groups: some(random.IntN(11))}
		if n%50 == 0 {
			s.ActiveRoles, s.EligibleRoles = roles[:1], roles[n%len(roles):]
		}
		if n%20 == 0 {
			s.Guest = []rollout.GuestKind{rollout.B2BCollaborationGuest}
		}
		subjects[n] = s
	}
	outcomes := map[rollout.Demand]int{}
	b.ReportAllocs()
	for b.Loop() {
		e := rollout.NewEvaluator(list, facts, false)
		for _, s := range subjects {
			outcomes[e.Evaluate(s).Demand]++
		}
	}
	b.ReportMetric(float64(accounts)*float64(b.N)/b.Elapsed().Seconds(), "accounts/s")
	if outcomes[rollout.DemandAlways] == 0 || outcomes[rollout.DemandPartly] == 0 {
		b.Errorf("outcomes %v: nothing was measured", outcomes)
	}
}

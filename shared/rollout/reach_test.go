package rollout_test

import (
	"slices"
	"strings"
	"testing"

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
	may := func(kinds ...rollout.GuestKind) rollout.Subject { return rollout.Subject{ID: "u1", Guest: kinds} }
	guest := may(rollout.B2BCollaborationGuest)
	guests := func(types ...string) rollout.Policy { return rollout.Policy{IncludeGuests: types} }
	noGuests := func(types ...string) rollout.Policy {
		return rollout.Policy{IncludeUsers: []string{"All"}, ExcludeGuests: types}
	}
	someTenants := func(p rollout.Policy, side string) rollout.Policy {
		p.Narrowing = []string{"users." + side + "GuestsOrExternalUsers.externalTenants"}
		return p
	}
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
		{"by a role that can be activated", rollout.Policy{IncludeRoles: []string{"r2"}}, admin, rollout.VerdictInside, "role r2, once it is activated"},
		{"by a group, whatever can be activated", rollout.Policy{IncludeRoles: []string{"r2"}, IncludeGroups: []string{"staff"}}, admin, rollout.VerdictInside, "All staff"},
		{"by id before anything else", all(rollout.Policy{ExcludeUsers: []string{"u1"}, ExcludeRoles: []string{"r1"}, ExcludeGroups: []string{"staff"}}), admin, rollout.VerdictExcluded, "by id"},
		{"an id is of one thing", all(rollout.Policy{ExcludeRoles: []string{"u1"}, ExcludeGroups: []string{"u1"}}), me, rollout.VerdictUnresolvable, "all users"},
		{"without the role, today", rollout.Policy{IncludeRoles: []string{"r3"}}, admin, rollout.VerdictDepends, "today"},
		{"excluded by an active role", all(rollout.Policy{ExcludeRoles: []string{"r1"}}), admin, rollout.VerdictExcluded, "role r1"},
		{"a role that is not active excludes nobody", all(rollout.Policy{ExcludeRoles: []string{"r2"}}), admin, rollout.VerdictInside, "all users"},
		{"guests out", all(rollout.Policy{ExcludeUsers: []string{"guestsOrExternalUsers"}}), guest, rollout.VerdictExcluded, "guest"},
		{"external members out, too", all(rollout.Policy{ExcludeUsers: []string{"GuestsOrExternalUsers"}}), may(rollout.B2BCollaborationMember), rollout.VerdictExcluded, "guest"},
		{"guests in", guests("B2bCollaborationGuest"), guest, rollout.VerdictInside, "guest"},
		{"guests of another kind", guests("internalGuest", "b2bDirectConnectUser", "otherExternalUser", "serviceProvider", "none"), guest, rollout.VerdictNotAddressed, "names neither"},
		{"guests of another kind out", noGuests("internalGuest", "b2bCollaborationMember"), guest, rollout.VerdictInside, "all users"},
		{"guests of this kind out", noGuests("internalGuest", "B2BCOLLABORATIONGUEST"), guest, rollout.VerdictExcluded, "guest"},
		{"one of two kinds in", guests("internalGuest"), may(rollout.InternalGuest, rollout.B2BCollaborationGuest), rollout.VerdictUnresolvable, "some types"},
		{"one of two kinds out", noGuests("internalGuest"), may(rollout.InternalGuest, rollout.B2BCollaborationGuest), rollout.VerdictUnresolvable, "some types"},
		{"both kinds out", noGuests("internalGuest", "b2bCollaborationGuest"), may(rollout.InternalGuest, rollout.B2BCollaborationGuest), rollout.VerdictExcluded, "guest"},
		{"perhaps a guest, all out", all(rollout.Policy{ExcludeUsers: []string{"GuestsOrExternalUsers"}}), may(rollout.NotGuest, rollout.InternalGuest), rollout.VerdictUnresolvable, "some types"},
		{"a kind nobody knows, all out", all(rollout.Policy{ExcludeUsers: []string{"GuestsOrExternalUsers"}}), may("stowaway"), rollout.VerdictUnresolvable, "some types"},
		{"a type nobody knows is no exclusion", noGuests("unknownFutureValue"), guest, rollout.VerdictUnresolvable, "some types"},
		{"nor an inclusion", guests("unknownFutureValue"), guest, rollout.VerdictUnresolvable, "some types"},
		{"and no member", guests("unknownFutureValue"), me, rollout.VerdictNotAddressed, "names neither"},
		{"guests of some tenants out", someTenants(noGuests("b2bCollaborationGuest"), "exclude"), guest, rollout.VerdictUnresolvable, "some types or tenants"},
		{"guests of some tenants in", someTenants(guests("b2bCollaborationGuest"), "include"), guest, rollout.VerdictUnresolvable, "some types or tenants"},
		{"other guests of some tenants in", someTenants(guests("internalGuest"), "include"), guest, rollout.VerdictNotAddressed, "names neither"},
		{"tenants of the other side", someTenants(guests("b2bCollaborationGuest"), "exclude"), guest, rollout.VerdictInside, "guest"},
		{"tenants are nothing to a member", someTenants(noGuests("b2bCollaborationGuest"), "exclude"), me, rollout.VerdictInside, "all users"},
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

// TestReachAgainstEveryPossibility holds Reach to the plain way of
// [standingByTrying].
func TestReachAgainstEveryPossibility(t *testing.T) {
	seen := map[rollout.Verdict]int{}
	often(t, func(t *rapid.T) {
		p, s := drawPolicy(t), drawSubject(t)
		groups := map[string]rollout.Group{}
		for _, id := range []string{"g1", "g2"} { // g3 was never read
			members := []string{"u2"}
			if slices.ContainsFunc(s.Groups, func(held string) bool { return strings.EqualFold(held, id) }) {
				members = append(members, strings.ToUpper(s.ID))
			}
			groups[id] = rollout.Group{Opened: rapid.Bool().Draw(t, id+" opened"), Members: members}
		}
		opened := func(id string) bool { return groups[id].Opened }
		got, want := rollout.Reach(p, s, groups).Verdict, standingByTrying(p, s, opened).verdict
		if got != want {
			t.Fatalf("Reach says %s, trying says %s", got, want)
		}
		seen[got]++
	})
	for _, v := range []rollout.Verdict{rollout.VerdictExcluded, rollout.VerdictInside, rollout.VerdictNotAddressed, rollout.VerdictDepends, rollout.VerdictUnresolvable} {
		if seen[v] == 0 {
			t.Errorf("nothing was ever %s: nothing was proven", v)
		}
	}
}

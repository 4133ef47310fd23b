package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

const (
	reportsReader = "4a5d8f65-41da-4de4-8968-e035b65339cf"
	customRole    = "7d1f0a3c-0000-4000-8000-00000000c057"
)

// rolesOf judges u1, who is in the group helpers, in a tenant that knows two
// role definitions.
func rolesOf(assignments ...rollout.RoleAssignment) (rollout.Account, []rollout.Finding) {
	dir := rollout.Directory{
		RoleAssignments: assignments,
		RoleDefinitions: map[string]rollout.RoleDefinition{
			reportsReader: {ID: reportsReader, DisplayName: "Reports Reader", BuiltIn: true},
			customRole:    {ID: customRole, DisplayName: "Phone desk"},
		},
	}
	accounts, findings := rollout.Assess(rollout.Config{}, dir, []rollout.Reading{
		{User: rollout.User{ID: "u1", Mail: "u1@contoso.com"}, Groups: []string{"helpers"}},
	}, time.Time{})
	return accounts[0], findings
}

// TestRoles: what a role condition can name is a role, everything else is said
// in words; only the former makes an administrator, and nothing is lost.
func TestRoles(t *testing.T) {
	const unit = "/administrativeUnits/11d1"
	helpers := func(a rollout.RoleAssignment) rollout.RoleAssignment { a.PrincipalID = "Helpers"; return a }
	eligible := func(a rollout.RoleAssignment) rollout.RoleAssignment { a.Eligible = true; return a }
	scoped := func(a rollout.RoleAssignment, scope string) rollout.RoleAssignment {
		a.DirectoryScopeID = scope
		return a
	}
	helpdesk := role(helpdeskAdministrator)
	tests := []struct {
		name     string
		given    []rollout.RoleAssignment
		class    rollout.Class
		evidence string
		roles    []string
		other    []string
	}{
		{"nothing", nil, rollout.ClassMember, "no other rule holds", []string{}, nil},
		{"direct", []rollout.RoleAssignment{helpdesk}, rollout.ClassAdmin, "Helpdesk Administrator: active, assigned directly", []string{helpdeskAdministrator}, nil},
		{"eligible", []rollout.RoleAssignment{eligible(helpdesk)}, rollout.ClassAdmin, "Helpdesk Administrator: eligible, assigned directly", []string{helpdeskAdministrator}, nil},
		{"through a group", []rollout.RoleAssignment{helpers(helpdesk)}, rollout.ClassAdmin, "Helpdesk Administrator: active through group helpers", []string{helpdeskAdministrator}, nil},
		{"eligible through a group", []rollout.RoleAssignment{helpers(eligible(helpdesk))}, rollout.ClassAdmin, "Helpdesk Administrator: eligible through group helpers", []string{helpdeskAdministrator}, nil},
		{
			"both ways, the stronger first",
			[]rollout.RoleAssignment{helpers(eligible(helpdesk)), helpdesk},
			rollout.ClassAdmin,
			"Helpdesk Administrator: active, assigned directly; Helpdesk Administrator: eligible through group helpers",
			[]string{helpdeskAdministrator},
			nil,
		},
		{"id in capitals", []rollout.RoleAssignment{role(strings.ToUpper(helpdeskAdministrator))}, rollout.ClassAdmin, "Helpdesk Administrator: active, assigned directly", []string{strings.ToUpper(helpdeskAdministrator)}, nil},
		{"confined to a unit", []rollout.RoleAssignment{scoped(helpdesk, unit)}, rollout.ClassMember, "no other rule holds", []string{}, []string{"Helpdesk Administrator in administrative unit 11d1"}},
		{
			"eligible in a unit through a group",
			[]rollout.RoleAssignment{helpers(eligible(scoped(helpdesk, unit)))},
			rollout.ClassMember, "no other rule holds",
			[]string{},
			[]string{"Helpdesk Administrator in administrative unit 11d1, eligible, through group helpers"},
		},
		{"confined to an application", []rollout.RoleAssignment{scoped(helpdesk, "/a99")}, rollout.ClassMember, "no other rule holds", []string{}, []string{"Helpdesk Administrator in scope /a99"}},
		{"a scope that was not said", []rollout.RoleAssignment{scoped(helpdesk, "")}, rollout.ClassMember, "no other rule holds", []string{}, []string{"Helpdesk Administrator in scope unknown"}},
		{"custom", []rollout.RoleAssignment{role(customRole)}, rollout.ClassMember, "no other rule holds", []string{}, []string{"custom role Phone desk"}},
		{"built-in, outside the template", []rollout.RoleAssignment{role(reportsReader)}, rollout.ClassMember, "no other rule holds", []string{reportsReader}, nil},
		{"a definition that was not read", []rollout.RoleAssignment{role("abc")}, rollout.ClassMember, "no other rule holds", []string{}, []string{"role abc"}},
		{"an administrator with a custom role", []rollout.RoleAssignment{role(customRole), helpdesk}, rollout.ClassAdmin, "Helpdesk Administrator: active, assigned directly", []string{helpdeskAdministrator}, []string{"custom role Phone desk"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, findings := rolesOf(tt.given...)
			if a.Class != tt.class || a.Evidence != tt.evidence {
				t.Errorf("%s (%s), want %s (%s)", a.Class, a.Evidence, tt.class, tt.evidence)
			}
			if diff := cmp.Diff(tt.roles, a.Roles); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.other, a.OtherRoles); diff != "" {
				t.Errorf("other roles (-want +got):\n%s", diff)
			}
			unseen := slices.ContainsFunc(findings, func(f rollout.Finding) bool {
				return f.ID == "admin-unseen" && f.Evidence == strings.Join(tt.other, "; ")
			})
			if want := len(tt.other) > 0 && tt.class != rollout.ClassAdmin; unseen != want {
				t.Errorf("finding admin-unseen: %t, want %t", unseen, want)
			}
		})
	}
}

// TestConfinedRoleMeetsNoCondition: what is confined to a unit is no role to a
// policy, and makes nobody one who synchronises.
func TestConfinedRoleMeetsNoCondition(t *testing.T) {
	policy := rollout.Policy{ID: "p1", State: rollout.StateEnabled, IncludeRoles: []string{helpdeskAdministrator}, IncludeApplications: []string{"All"}, GrantControls: []string{"mfa"}}
	for scope, want := range map[string]struct {
		demand rollout.Demand
		class  rollout.Class
	}{"/": {rollout.DemandAlways, rollout.ClassSync}, "/administrativeUnits/11d1": {rollout.DemandNo, rollout.ClassMember}} {
		helpdesk, sync := role(helpdeskAdministrator), role(rollout.RoleDirectorySync)
		helpdesk.DirectoryScopeID, sync.DirectoryScopeID = scope, scope
		dir := rollout.Directory{Policies: []rollout.Policy{policy}, RoleAssignments: []rollout.RoleAssignment{helpdesk, sync}}
		accounts, _ := rollout.Assess(rollout.Config{}, dir, []rollout.Reading{{User: rollout.User{ID: "u1"}}}, time.Time{})
		if a := accounts[0]; a.Enforced != want.demand || a.Class != want.class {
			t.Errorf("in scope %s MFA is demanded %s of a %s, want %s of a %s", scope, a.Enforced, a.Class, want.demand, want.class)
		}
	}
}

// TestAdminRoles: fifteen, each once, each an id with a name.
func TestAdminRoles(t *testing.T) {
	var all []rollout.RoleAssignment
	for _, id := range rollout.AdminRoles() {
		all = append(all, role(id))
	}
	a, _ := rolesOf(all...)
	if len(all) != 15 || len(a.Roles) != 15 || len(a.OtherRoles) != 0 {
		t.Errorf("%d roles in the template, %d held, %v besides", len(all), len(a.Roles), a.OtherRoles)
	}
	if !strings.HasSuffix(a.Evidence, "; 12 more") || strings.Count(a.Evidence, "assigned directly") != 3 {
		t.Errorf("evidence %q spells out other than 3 of 15", a.Evidence)
	}
}

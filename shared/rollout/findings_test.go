package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
)

// TestFindings: each finding names the accounts of one small tenant.
func TestFindings(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 10:00")
	yes := rollout.Registration{MFARegistered: rollout.Yes, MFACapable: rollout.Yes}
	weak, strange := yes, yes
	weak.Methods, strange.Methods = []string{"mobilePhone"}, []string{"microsoftAuthenticatorPush", "telepathy"}
	mail := func(id string) rollout.User { return rollout.User{ID: id, Mail: id + "@contoso.com"} }
	shared, robot, guest := mail("shared"), mail("robot"), mail("guest")
	shared.Purpose, guest.UserType = "shared", "Guest"
	robot.ActivityKnown, robot.LastNonInteractive = true, now.Add(-time.Hour)
	dir := rollout.Directory{
		SecurityDefaults: true, Plans: []rollout.ServicePlan{{ID: strings.ToUpper(rollout.PlanEntraP1)}},
		RoleAssignments: []rollout.RoleAssignment{
			{PrincipalID: "admin", RoleDefinitionID: helpdeskAdministrator, DirectoryScopeID: "/"},
			{PrincipalID: "guest", RoleDefinitionID: helpdeskAdministrator, DirectoryScopeID: "/"},
		},
	}
	cfg := rollout.Config{}
	_, findings := rollout.Assess(cfg, dir, []rollout.Reading{
		{User: mail("admin")},
		{User: mail("weak"), Registration: &weak},
		{User: mail("strange"), Registration: &strange},
		{User: shared},
		{User: robot},
		{User: rollout.User{ID: "silent"}, Registration: &yes},
		{User: guest},
	}, now)
	var got []string
	for _, f := range findings {
		got = append(got, f.Severity+" "+f.ID+" "+strings.Join(f.Accounts, ","))
		if f.Remedy == "" || f.Text == "" || strings.Contains(f.Text, "%!") {
			t.Errorf("%s says %q, remedy %q", f.ID, f.Text, f.Remedy)
		}
	}
	want := []string{
		"critical admin-not-capable admin", "warning guest-admin guest", "warning weak-only weak", "warning not-reachable silent",
		"warning service-without-exemption robot", "warning mailbox-can-sign-in shared", "note unknown-method strange", "note defaults-with-licence ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("findings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNothingToFind(t *testing.T) {
	d := rollout.Directory{
		Plans:         []rollout.ServicePlan{{ID: rollout.PlanEntraP1}},
		Policies:      []rollout.Policy{{ID: "all", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, IncludeApplications: []string{"All"}, GrantControls: []string{"mfa"}}},
		MethodsPolicy: rollout.MethodsPolicy{Read: true, Methods: []rollout.MethodConfiguration{{ID: "MicrosoftAuthenticator", State: "enabled", Include: []string{"all_users"}}}},
	}
	one := []rollout.Reading{{User: rollout.User{ID: "u1", Mail: "u1@contoso.com"}}}
	if _, findings := rollout.Assess(rollout.Config{}, d, one, time.Time{}); len(findings) > 0 {
		t.Errorf("findings %v", findings)
	}
}

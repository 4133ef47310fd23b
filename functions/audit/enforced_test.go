package audit_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

// TestEnforcedAgreesWithTheTenant: read through the real adapter, every account
// is under the policies that the simulated tenant's own engine puts it under. The
// two share no code.
func TestEnforcedAgreesWithTheTenant(t *testing.T) {
	ctx := context.Background()
	type object = tenant.Object
	list := func(ids ...any) []any { return ids }
	everywhere := func() object { return object{"includeApplications": list("All")} }
	guests := func(types string) object {
		return object{"guestOrExternalUserTypes": types, "externalTenants": object{
			"@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all",
		}}
	}
	mfa := object{"operator": "OR", "builtInControls": list("mfa")}
	all := object{"includeUsers": list("All")}
	roles := object{"includeRoles": list(rollout.RoleGlobalAdministrator, "729827e3-9c14-49f7-bb1b-9608f156bbb8")}
	for name, p := range map[string]object{
		"everybody":              {"conditions": object{"users": all, "applications": everywhere()}, "grantControls": mfa},
		"admins":                 {"conditions": object{"users": roles, "applications": everywhere()}, "grantControls": mfa},
		"guests":                 {"conditions": object{"users": object{"includeGuestsOrExternalUsers": guests("b2bCollaborationGuest")}, "applications": everywhere()}, "grantControls": mfa},
		"guests that work here":  {"conditions": object{"users": object{"includeGuestsOrExternalUsers": guests("internalGuest,b2bCollaborationMember")}, "applications": everywhere()}, "grantControls": mfa},
		"all but guests":         {"conditions": object{"users": object{"includeUsers": list("All"), "excludeGuestsOrExternalUsers": guests("b2bCollaborationGuest")}, "applications": everywhere()}, "grantControls": mfa},
		"mail":                   {"conditions": object{"users": all, "applications": object{"includeApplications": list("Office365")}}, "grantControls": mfa},
		"blocked":                {"conditions": object{"users": all, "applications": everywhere()}, "grantControls": object{"operator": "OR", "builtInControls": list("block")}},
		"or a device":            {"conditions": object{"users": all, "applications": everywhere()}, "grantControls": object{"operator": "OR", "builtInControls": list("mfa", "compliantDevice")}},
		"and a device":           {"conditions": object{"users": all, "applications": everywhere()}, "grantControls": object{"operator": "AND", "builtInControls": list("mfa", "compliantDevice")}},
		"on phones":              {"conditions": object{"users": all, "applications": everywhere(), "platforms": object{"includePlatforms": list("android")}}, "grantControls": mfa},
		"away from the office":   {"conditions": object{"users": all, "applications": everywhere(), "locations": object{"includeLocations": list("All"), "excludeLocations": list("AllTrusted")}}, "grantControls": mfa},
		"on everything":          {"conditions": object{"users": all, "applications": everywhere(), "platforms": object{"includePlatforms": list("all")}}, "grantControls": mfa},
		"from everywhere":        {"conditions": object{"users": all, "applications": everywhere(), "locations": object{"includeLocations": list("All")}}, "grantControls": mfa},
		"nowhere":                {"conditions": object{"users": all, "applications": object{"includeApplications": list("None")}}, "grantControls": mfa},
		"everybody, report-only": {"state": tenant.StateReportOnly, "conditions": object{"users": all, "applications": everywhere()}, "grantControls": mfa},
	} {
		t.Run(name, func(t *testing.T) {
			clock := rehearsal.NewClock(time.Date(2026, 10, 5, 2, 0, 0, 0, time.UTC))
			firm := tenant.Sample(1, clock)
			p["displayName"] = name
			if p["state"] == nil {
				p["state"] = tenant.StateEnabled
			}
			id := firm.AddPolicy(p)
			dir, readings, err := rehearsal.Read(ctx, firm, clock)
			if err != nil {
				t.Fatal(err)
			}
			accounts, _ := rollout.Assess(rollout.Config{}, dir, readings, clock.Now())
			later := "only while the role is active"
			for _, a := range accounts {
				demand, by := firm.DemandsMFA(a.ID)
				if slices.Contains(a.NarrowedBy, rollout.NarrowedBy{Policy: id, By: later}) {
					if slices.Contains(by, id) {
						t.Errorf("account %s is under the policy now, not only while a role is active", a.ID)
					}
					continue // the tenant speaks of now
				}
				if got, want := slices.Contains(a.DemandedBy, id), slices.Contains(by, id); got != want {
					t.Errorf("account %s: demanded by %v, the tenant says %v", a.ID, a.DemandedBy, by)
				}
				if !slices.Contains(by, "perUserMfa") && string(a.Enforced) != string(demand) {
					t.Errorf("account %s: demanded %s by %v (%v), the tenant says %s by %v", a.ID, a.Enforced, a.DemandedBy, a.NarrowedBy, demand, by)
				}
			}
		})
	}
}

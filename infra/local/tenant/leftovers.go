package tenant

// managers lets everybody report to the first of their department, and those to
// the first of IT, who reports to nobody.
func (f *firm) managers() {
	top := f.departments["IT"][0]
	for _, people := range f.departments {
		for _, id := range people {
			f.t.person(id).manager = people[0]
		}
		f.t.person(people[0]).manager = top
	}
	f.t.person(top).manager = ""
}

// leftovers is what grew over the years: a role of the firm's own, one that
// counts in an administrative unit only (both with people who are admins
// anyway), two people with the legacy per-user MFA, and a registration campaign.
func (f *firm) leftovers() {
	own := f.t.newID("roleDefinition")
	f.t.definitions.put(own, Object{
		"id": own, "templateId": own, "displayName": "Print server operators", "description": "Made here, long ago.",
		"isBuiltIn": false, "isEnabled": true, "resourceScopes": []any{"/"}, "version": "1", "rolePermissions": []any{},
	})
	admins := f.departments["IT"]
	f.t.AssignRole(admins[0], own, "/")
	f.t.AssignRole(admins[1], "729827e3-9c14-49f7-bb1b-9608f156bbb8", "/administrativeUnits/"+f.t.newID("administrativeUnit"))
	left := 2
	for _, id := range f.departments["Finance"] {
		if left > 0 && f.t.capable(id) {
			f.t.person(id).perUser = "enforced"
			left--
		}
	}
	object(f.t.methodsPolicy, "registrationEnforcement", "authenticationMethodsRegistrationCampaign")["state"] = "enabled"
}

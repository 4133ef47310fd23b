package tenant

import (
	"net/http"
	"strings"
	"unicode"
)

// Password returns the password that was last set through Graph, as nobody can
// read it in a real tenant; empty where none was.
func (t *Tenant) Password(userID string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.person(userID); p != nil {
		return p.password
	}
	return ""
}

// createUser makes an account.
// Source: https://learn.microsoft.com/graph/api/user-post-users
func (t *Tenant) createUser(c *call) answer {
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	for _, k := range []string{"accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"} {
		if _, has := body[k]; !has {
			return problem(http.StatusBadRequest, "Request_BadRequest", "A value is required for property '"+k+"' of resource 'User'.")
		}
	}
	name := text(body, "userPrincipalName")
	_, domain, _ := strings.Cut(name, "@")
	password := text(body, "passwordProfile", "password")
	_, taken := t.userID(name)
	switch {
	case taken:
		return problem(http.StatusBadRequest, "Request_BadRequest", "Another object with the same value for property userPrincipalName already exists.")
	case !t.verified(domain):
		return problem(http.StatusBadRequest, "Request_BadRequest", "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.")
	case !complies(password):
		return problem(http.StatusBadRequest, "Request_BadRequest", "The specified password does not comply with password complexity requirements. Please provide a different password.")
	}
	for _, k := range []string{"passwordProfile", "@odata.type", "id"} {
		delete(body, k)
	}
	id, now := t.newID("user"), c.at
	defaults := Object{
		"id": id, "createdDateTime": stamp(now), "lastPasswordChangeDateTime": stamp(now), "userType": "Member", "onPremisesSyncEnabled": nil,
		"businessPhones": []any{}, "assignedLicenses": []any{}, "otherMails": []any{}, "mail": nil, "creationType": nil,
	}
	for k, v := range defaults {
		if _, has := body[k]; !has {
			body[k] = v
		}
	}
	t.putUser(body)
	p := t.person(id)
	p.reportedAt, p.shownAt, p.password = now, now, password
	p.methods = []Object{newMethod(Password, id, now)}
	t.notify("users", id, "created")
	t.record("Add user", "UserManagement", target("User", body, nil))
	made := entity("users", pick(body, standardUser))
	made.status = http.StatusCreated
	return made
}

func (t *Tenant) verified(domain string) bool {
	for _, d := range objects(t.organization, "verifiedDomains") {
		if strings.EqualFold(domain, text(d, "name")) {
			return true
		}
	}
	return false
}

// complies is Entra's rule for passwords: 8 to 256 characters of three kinds.
// Source: https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy
func complies(password string) bool {
	kinds := map[string]bool{}
	for _, r := range password {
		switch {
		case unicode.IsLower(r):
			kinds["lower"] = true
		case unicode.IsUpper(r):
			kinds["upper"] = true
		case unicode.IsDigit(r):
			kinds["digit"] = true
		default:
			kinds["sign"] = true
		}
	}
	return len(password) >= 8 && len(password) <= 256 && len(kinds) >= 3
}

// patchUser sets properties of an account. What decides about a sign-in takes
// more, of whoever holds a role or stands in a group that could carry one.
// Source: https://learn.microsoft.com/graph/api/user-update
func (t *Tenant) patchUser(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	_, enables := body["accountEnabled"]
	profile, changes := body["passwordProfile"]
	if (enables || changes) && t.privileged(text(u, "id")) && !c.may(one("Directory.AccessAsUser.All")) {
		return problem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	if changes && !c.may(one("User-PasswordProfile.ReadWrite.All", "Directory.AccessAsUser.All")) {
		return problem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	password := text(Object{"profile": profile}, "profile", "password")
	if changes && !complies(password) {
		return problem(http.StatusBadRequest, "Request_BadRequest", "The specified password does not comply with password complexity requirements. Please provide a different password.")
	}
	t.refresh(text(u, "id"))
	if changes {
		t.person(text(u, "id")).password = password
		u["lastPasswordChangeDateTime"] = stamp(c.at)
	}
	for k, v := range body {
		if k != "id" && k != "passwordProfile" && !strings.Contains(k, "@odata") {
			u[k] = v
		}
	}
	t.notify("users", text(u, "id"), "updated")
	t.record("Update user", "UserManagement", target("User", u, nil))
	return empty()
}

// privileged reports whether only the highest administrators may touch the
// account.
func (t *Tenant) privileged(id string) bool {
	if t.isAdmin(id) {
		return true
	}
	for _, g := range t.groups.all() {
		if carries, _ := truth(g, "isAssignableToRole"); carries && t.closure(text(g, "id"))[strings.ToLower(id)] {
			return true
		}
	}
	return false
}

// createAssignment gives a role for good.
// Source: https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments
func (t *Tenant) createAssignment(c *call) answer {
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	principal, role, scope := text(body, "principalId"), text(body, "roleDefinitionId"), text(body, "directoryScopeId")
	_, user := t.users.get(principal)
	_, group := t.groups.get(principal)
	_, known := t.definitions.get(role)
	switch {
	case !user && !group:
		return missing(principal)
	case !known:
		return missing(role)
	case scope == "":
		return problem(http.StatusBadRequest, "Request_BadRequest", "One of the parameters directoryScopeId, appScopeId must be provided.")
	}
	for _, have := range t.assignments.all() {
		if strings.EqualFold(text(have, "principalId"), principal) && strings.EqualFold(text(have, "roleDefinitionId"), role) && text(have, "directoryScopeId") == scope {
			return problem(http.StatusBadRequest, "Request_BadRequest", "A conflicting object with one or more of the specified property values is present in the directory.")
		}
	}
	made := entity("roleManagement/directory/roleAssignments", t.assign(principal, role, scope))
	made.status = http.StatusCreated
	return made
}

// mayMakeAssignable guards the making of groups that can carry roles.
// Source: https://learn.microsoft.com/graph/api/group-post-groups
func (t *Tenant) mayMakeAssignable(c *call, body Object) answer {
	carries, _ := truth(body, "isAssignableToRole")
	switch {
	case carries && !t.premium():
		return problem(http.StatusForbidden, "Authorization_RequestDenied", "The tenant needs a premium licence to make groups that can be assigned to roles.")
	case carries && !c.may(one("RoleManagement.ReadWrite.Directory")):
		return problem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	return answer{}
}

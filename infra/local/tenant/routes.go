package tenant

import (
	"net/http"
	"strings"
)

// route is one thing that can be asked.
type route struct {
	method, pattern string
	segments        []string // of the pattern, split once
	beta            bool     // beta only
	anyVersion      bool
	// needs are the permissions: one of each group.
	needs  [][]string
	family family
	cost   int // in resource units, for the directory
	// outside runs without the lock, before do: what calls out or calls back in.
	outside func(*Tenant, *call) answer
	do      func(*Tenant, *call) answer
}

// family decides how a route is throttled and how it refuses.
type family int

const (
	directory family = iota
	reports          // reports, sign-ins, audits, authentication methods
	access           // Conditional Access and Identity Protection
	defaultsFamily
	subscribing
	mailbox
)

func one(names ...string) []string { return names }

// routes is everything that the simulated tenant answers, with the application
// permissions of which one per group is needed.
// Source: https://learn.microsoft.com/graph/permissions-reference
func routes() []route {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	readUsers := one("User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
	writeUsers := one("User.ReadWrite.All", "Directory.ReadWrite.All")
	readGroups := one("Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All")
	readMembers := append(one("GroupMember.ReadBasic.All"), readGroups...)
	writeMembers := one("GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All")
	createGroups := one("Group.Create", "Group.ReadWrite.All", "Directory.ReadWrite.All")
	readRoles := one("RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "RoleManagement.Read.All")
	readEligible := append(one("RoleEligibilitySchedule.Read.Directory"), readRoles...)
	readPolicies := one("Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess")
	writePolicies := [][]string{one("Policy.ReadWrite.ConditionalAccess"), one("Policy.Read.All")}
	readAudit := one("AuditLog.Read.All")
	readMethods := one("UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All")
	needs := func(groups ...[]string) [][]string { return groups }
	all := []route{
		{method: get, pattern: "organization", needs: needs(one("Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All")), do: (*Tenant).getOrganization},
		{method: get, pattern: "subscribedSkus", needs: needs(one("LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All")), cost: 3, do: (*Tenant).getSKUs},

		{method: get, pattern: "users", needs: needs(readUsers), cost: 2, do: (*Tenant).listUsers},
		{method: post, pattern: "users", needs: needs(writeUsers), do: (*Tenant).createUser},
		{method: patch, pattern: "users/{user}", needs: needs(writeUsers), do: (*Tenant).patchUser},
		{method: get, pattern: "users/{user}", needs: needs(readUsers), do: (*Tenant).getUser},
		{method: get, pattern: "users/{user}/authentication/methods", needs: needs(readMethods), family: reports, do: (*Tenant).listMethods},
		{method: post, pattern: "users/{user}/authentication/temporaryAccessPassMethods", needs: needs(one("UserAuthMethod-TAP.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All")), family: reports, do: (*Tenant).createPass},
		{method: get, pattern: "users/{user}/authentication/requirements", beta: true, needs: needs(one("Policy.Read.All")), family: reports, do: (*Tenant).getRequirements},
		{method: patch, pattern: "users/{user}/authentication/requirements", beta: true, needs: needs(one("Policy.ReadWrite.AuthenticationMethod")), family: reports, do: (*Tenant).patchRequirements},
		{method: post, pattern: "users/{user}/revokeSignInSessions", needs: needs(one("User.RevokeSessions.All", "User.ReadWrite.All")), do: (*Tenant).revokeSessions},
		{method: get, pattern: "users/{user}/mailboxSettings", anyVersion: true, needs: needs(one("MailboxSettings.Read", "MailboxSettings.ReadWrite")), family: mailbox, do: (*Tenant).getMailbox},
		{method: get, pattern: "users/{user}/mailboxSettings/userPurpose", anyVersion: true, needs: needs(one("MailboxSettings.Read", "MailboxSettings.ReadWrite")), family: mailbox, do: (*Tenant).getPurpose},

		{method: get, pattern: "reports/authenticationMethods/userRegistrationDetails", needs: needs(readAudit), family: reports, do: (*Tenant).listRegistrations},
		{method: get, pattern: "reports/authenticationMethods/userRegistrationDetails/{user}", needs: needs(readAudit), family: reports, do: (*Tenant).getRegistration},

		{method: get, pattern: "roleManagement/directory/roleAssignments", needs: needs(readRoles), do: (*Tenant).listAssignments},
		{method: post, pattern: "roleManagement/directory/roleAssignments", needs: needs(one("RoleManagement.ReadWrite.Directory")), do: (*Tenant).createAssignment},
		{method: get, pattern: "roleManagement/directory/roleDefinitions", needs: needs(readRoles), do: (*Tenant).listDefinitions},
		{method: get, pattern: "roleManagement/directory/roleEligibilityScheduleInstances", needs: needs(readEligible), do: (*Tenant).listEligibility},

		{method: get, pattern: "groups", needs: needs(readGroups), do: (*Tenant).listGroups},
		{method: post, pattern: "groups", needs: needs(createGroups), do: (*Tenant).createGroup},
		{method: get, pattern: "groups/{group}", needs: needs(readGroups), do: (*Tenant).getGroup},
		{method: patch, pattern: "groups/{group}", needs: needs(writeMembers), do: (*Tenant).patchGroup},
		{method: del, pattern: "groups/{group}", needs: needs(createGroups), do: (*Tenant).removeGroup},
		{method: get, pattern: "groups/{group}/members", needs: needs(readMembers), cost: 3, do: (*Tenant).listMembers},
		{method: get, pattern: "groups/{group}/members/{cast}", needs: needs(readMembers), cost: 3, do: (*Tenant).listMembers},
		{method: post, pattern: "groups/{group}/members/$ref", needs: needs(writeMembers), do: (*Tenant).postMember},
		{method: del, pattern: "groups/{group}/members/{member}/$ref", needs: needs(writeMembers), do: (*Tenant).dropMember},
		{method: get, pattern: "groups/{group}/owners", needs: needs(readGroups), cost: 2, do: (*Tenant).listOwners},
		{method: get, pattern: "groups/{group}/transitiveMembers", needs: needs(readMembers), cost: 5, do: (*Tenant).listTransitive},
		{method: get, pattern: "groups/{group}/transitiveMembers/{cast}", needs: needs(readMembers), cost: 5, do: (*Tenant).listTransitive},

		{method: get, pattern: "identity/conditionalAccess/policies", needs: needs(readPolicies), family: access, do: (*Tenant).listPolicies},
		{method: post, pattern: "identity/conditionalAccess/policies", needs: writePolicies, family: access, do: (*Tenant).createPolicy},
		{method: get, pattern: "identity/conditionalAccess/policies/{policy}", needs: needs(readPolicies), family: access, do: (*Tenant).getPolicy},
		{method: patch, pattern: "identity/conditionalAccess/policies/{policy}", needs: writePolicies, family: access, do: (*Tenant).patchPolicy},
		{method: del, pattern: "identity/conditionalAccess/policies/{policy}", needs: writePolicies, family: access, do: (*Tenant).removePolicy},

		{method: get, pattern: "policies/identitySecurityDefaultsEnforcementPolicy", anyVersion: true, needs: needs(one("Policy.Read.All")), family: defaultsFamily, do: (*Tenant).getDefaults},
		{method: patch, pattern: "policies/identitySecurityDefaultsEnforcementPolicy", needs: needs(one("Policy.ReadWrite.SecurityDefaults", "Policy.ReadWrite.ConditionalAccess"), one("Policy.Read.All")), family: defaultsFamily, do: (*Tenant).patchDefaults},
		{method: get, pattern: "policies/authenticationMethodsPolicy", needs: needs(one("Policy.Read.All", "Policy.Read.AuthenticationMethod", "Policy.ReadWrite.AuthenticationMethod")), family: defaultsFamily, do: (*Tenant).getMethodsPolicy},

		{method: get, pattern: "auditLogs/signIns", anyVersion: true, needs: needs(readAudit), family: reports, do: (*Tenant).listSignIns},
		{method: get, pattern: "auditLogs/signIns/{signIn}", anyVersion: true, needs: needs(readAudit), family: reports, do: (*Tenant).getSignIn},
		{method: get, pattern: "auditLogs/directoryAudits", needs: needs(readAudit), family: reports, do: (*Tenant).listAudits},
		{method: get, pattern: "identityProtection/riskDetections", needs: needs(one("IdentityRiskEvent.Read.All", "IdentityRiskEvent.ReadWrite.All")), family: access, do: (*Tenant).listRisks},
		{method: get, pattern: "identityProtection/riskyUsers", needs: needs(one("IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All")), family: access, do: (*Tenant).listRiskyUsers},

		{method: get, pattern: "subscriptions", family: subscribing, do: (*Tenant).listSubscriptions},
		{method: post, pattern: "subscriptions", needs: needs(append(one("Group.Read.All"), readUsers...)), family: subscribing, outside: (*Tenant).handshake, do: (*Tenant).createSubscription},
		{method: get, pattern: "subscriptions/{subscription}", family: subscribing, do: (*Tenant).getSubscription},
		{method: patch, pattern: "subscriptions/{subscription}", family: subscribing, do: (*Tenant).renewSubscription},
		{method: del, pattern: "subscriptions/{subscription}", family: subscribing, do: (*Tenant).deleteSubscription},
		{method: post, pattern: "subscriptions/{subscription}/reauthorize", family: subscribing, do: (*Tenant).reauthorize},

		{method: post, pattern: "$batch", anyVersion: true, outside: (*Tenant).batch},
	}
	for i := range all {
		all[i].segments = strings.Split(all[i].pattern, "/")
	}
	return all
}

// find looks a call's route up and fills in its variables. Literal segments are
// compared without regard to case, as Graph does.
func (t *Tenant) find(c *call) (route, bool) {
	have := strings.Split(strings.Trim(c.path, "/"), "/")
	for _, r := range t.routes {
		if r.method != c.method || !r.anyVersion && (r.beta != (c.version == "beta")) || c.version != "beta" && c.version != "v1.0" {
			continue
		}
		if vars, fits := match(r.segments, have); fits {
			c.vars = vars
			return r, true
		}
	}
	return route{}, false
}

func match(want, have []string) (map[string]string, bool) {
	if len(want) != len(have) {
		return nil, false
	}
	for i, w := range want {
		variable := w[0] == '{'
		if variable && (have[i] == "" || w == "{cast}" && !strings.Contains(have[i], ".")) || !variable && !strings.EqualFold(w, have[i]) {
			return nil, false
		}
	}
	vars := map[string]string{}
	for i, w := range want {
		if w[0] == '{' {
			vars[strings.Trim(w, "{}")] = have[i]
		}
	}
	return vars, true
}

// may reports whether the token carries one permission of each group.
func (c *call) may(groups ...[]string) bool {
	for _, g := range groups {
		granted := false
		for _, p := range g {
			granted = granted || holds(c.roles, p)
		}
		if !granted {
			return false
		}
	}
	return true
}

// denied is how each part of Graph words a missing permission.
func (r route) denied(*call) answer {
	switch r.family {
	case reports:
		if strings.HasPrefix(r.pattern, "users/") {
			return problem(http.StatusForbidden, "accessDenied", "Request Authorization failed")
		}
		return problem(http.StatusForbidden, "Authentication_MSGraphPermissionMissing", "The principal does not have required Microsoft Graph permission(s): AuditLog.Read.All to call this API.")
	case access, defaultsFamily:
		return problem(http.StatusForbidden, "AccessDenied", "You cannot perform the requested operation, required scopes are missing in the token.")
	case mailbox:
		return problem(http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	default:
		return problem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
}

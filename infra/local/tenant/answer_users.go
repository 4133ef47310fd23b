package tenant

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// standardUser is what a user comes with when nothing is selected.
var standardUser = []string{"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName"}

// basicUser is what User.ReadBasic.All lets an application see.
var basicUser = []string{"displayName", "givenName", "id", "identities", "mail", "photo", "securityIdentifier", "surname", "userPrincipalName"}

// userProperties are the properties of the type user that may be selected.
// Source: https://learn.microsoft.com/graph/api/resources/user
var userProperties = append(slices.Clone(standardUser),
	"accountEnabled", "ageGroup", "assignedLicenses", "assignedPlans", "city", "companyName", "consentProvidedForMinor", "country", "createdDateTime",
	"creationType", "customSecurityAttributes", "deletedDateTime", "department", "employeeHireDate", "employeeId", "employeeLeaveDateTime",
	"employeeOrgData", "employeeType", "externalUserState", "externalUserStateChangeDateTime", "faxNumber", "identities", "imAddresses",
	"isResourceAccount", "lastPasswordChangeDateTime", "legalAgeGroupClassification", "licenseAssignmentStates", "mailNickname",
	"onPremisesDistinguishedName", "onPremisesDomainName", "onPremisesExtensionAttributes", "onPremisesImmutableId", "onPremisesLastSyncDateTime",
	"onPremisesProvisioningErrors", "onPremisesSamAccountName", "onPremisesSecurityIdentifier", "onPremisesSyncEnabled",
	"onPremisesUserPrincipalName", "otherMails", "passwordPolicies", "passwordProfile", "postalCode", "preferredDataLocation",
	"provisionedPlans", "proxyAddresses", "securityIdentifier", "serviceProvisioningErrors", "showInAddressList", "signInActivity",
	"signInSessionsValidFromDateTime", "state", "streetAddress", "usageLocation", "userType")

var userFilters = map[string]string{
	"id": "eq in", "userPrincipalName": "eq startswith in", "mail": "eq startswith in", "displayName": "eq startswith", "accountEnabled": "eq",
	"userType": "eq", "createdDateTime": "eq ge le gt lt", "onPremisesSyncEnabled": "eq", "department": "eq startswith", "usageLocation": "eq",
	"creationType": "eq", "mailNickname": "eq", "signInActivity/lastSignInDateTime": "ge le gt lt eq", "signInActivity/lastSuccessfulSignInDateTime": "ge le gt lt eq",
}

// asksActivity reports whether signInActivity is wanted, and refuses it where
// licence or permission is missing.
func (t *Tenant) asksActivity(c *call) (bool, answer) {
	if !strings.Contains(c.query.Get("$select")+c.query.Get("$filter"), "signInActivity") {
		return false, answer{}
	}
	switch {
	case !t.premium():
		return true, unlicensed()
	case !c.may(one("AuditLog.Read.All")):
		return true, problem(http.StatusForbidden, "Authentication_MSGraphPermissionMissing", "The principal does not have required Microsoft Graph permission(s): AuditLog.Read.All to call this API.")
	}
	return true, answer{}
}

// basicOnly refuses what User.ReadBasic.All does not show.
func basicOnly(c *call) answer {
	if c.may(one("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")) {
		return answer{}
	}
	for _, s := range strings.Split(c.query.Get("$select"), ",") {
		if s = strings.TrimSpace(s); s != "" && !holds(basicUser, s) {
			return problem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		}
	}
	return answer{}
}

func (t *Tenant) listUsers(c *call) answer {
	activity, a := t.asksActivity(c)
	if a.status == 0 {
		a = basicOnly(c)
	}
	if a.status != 0 {
		return a
	}
	l := listing{context: "users", rows: t.users.all(), properties: userProperties, standard: standardUser, filters: userFilters, pageOf: 100, most: 999, options: []string{"$expand"}}
	if activity {
		l.most, l.dress = 500, t.withActivity
	}
	if t.behave.BulkPerUserMFA && strings.Contains(c.query.Get("$select"), perUserState) {
		l.properties = append(slices.Clone(userProperties), perUserState)
		with := l.dressed
		l.dress = func(u Object) Object {
			u = maps.Clone(with(u))
			u[perUserState] = t.person(text(u, "id")).perUser
			return u
		}
	}
	if c.query.Has("$expand") {
		if a := t.expandManager(c, &l); a.status != 0 {
			return a
		}
	}
	return t.list(c, l)
}

// perUserState is asked of /users by others in production and stands in no
// schema of v1.0.
const perUserState = "perUserMfaState"

// expandManager puts everybody's manager into the rows, and lowers the page:
// with $expand Graph gives at most a hundred directory objects. Who reports to
// nobody has no such property.
// Source: https://learn.microsoft.com/graph/query-parameters#expand
func (t *Tenant) expandManager(c *call, l *listing) answer {
	inner, _ := strings.CutPrefix(c.query.Get("$expand"), "manager")
	properties := standardUser
	switch selected, is := strings.CutPrefix(inner, "($select="); {
	case is && strings.HasSuffix(selected, ")"):
		properties = strings.Split(strings.TrimSuffix(selected, ")"), ",")
	case inner != "":
		return badQuery("Parsing OData Select and Expand failed: Could not expand '" + c.query.Get("$expand") + "' on type 'microsoft.graph.user'.")
	}
	l.most, l.expanded = 100, "manager"
	with := l.dressed
	l.dress = func(u Object) Object {
		manager, known := t.users.get(t.person(text(u, "id")).manager)
		if !known {
			return with(u)
		}
		shown := pick(manager, properties)
		shown["@odata.type"] = graphType + "user"
		u = maps.Clone(with(u))
		u["manager"] = shown
		return u
	}
	return answer{}
}

// withActivity is a user with signInActivity as Graph knows it: late.
func (t *Tenant) withActivity(u Object) Object {
	id := text(u, "id")
	t.refresh(id)
	shown := t.person(id).shown
	if shown == nil {
		return u
	}
	with := make(Object, len(u)+1)
	for k, v := range u {
		with[k] = v
	}
	with["signInActivity"] = shown
	return with
}

// theUser finds the user of a call by id or userPrincipalName.
func (t *Tenant) theUser(c *call) (Object, answer) {
	id := c.vars["user"]
	if u, ok := t.users.get(id); ok {
		return u, answer{}
	}
	if byName, ok := t.userID(id); ok {
		u, _ := t.users.get(byName)
		return u, answer{}
	}
	return nil, missing(id)
}

func (t *Tenant) getUser(c *call) answer {
	u, a := t.theUser(c)
	if a.status == 0 {
		_, a = t.asksActivity(c)
	}
	if a.status == 0 {
		a = basicOnly(c)
	}
	if a.status != 0 {
		return a
	}
	l := listing{context: "users", properties: userProperties, standard: standardUser}
	if a := l.refuse(c.query); a.status != 0 {
		return a
	}
	selected, a := l.selected(c.query.Get("$select"))
	if a.status != 0 {
		return a
	}
	return entity("users", pick(t.withActivity(u), selected))
}

package tenant

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// missing is how Graph says that a directory object is not there.
func missing(id string) answer {
	return problem(http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
}

// unlicensed is how Graph says that P1 is needed.
func unlicensed() answer {
	return problem(http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
}

func (t *Tenant) getOrganization(c *call) answer {
	return t.list(c, listing{context: "organization", rows: []Object{t.organization}, pageOf: 100, most: 100})
}

func (t *Tenant) getSKUs(c *call) answer {
	return t.list(c, listing{context: "subscribedSkus", rows: t.skus, pageOf: 1000, most: 1000, noTop: true})
}

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
	"creationType": "eq", "signInActivity/lastSignInDateTime": "ge le gt lt eq", "signInActivity/lastSuccessfulSignInDateTime": "ge le gt lt eq",
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
	l := listing{context: "users", rows: t.users.all(), properties: userProperties, standard: standardUser, filters: userFilters, pageOf: 100, most: 999}
	if activity {
		l.most = 500
		for i, u := range l.rows {
			l.rows[i] = t.withActivity(u)
		}
	}
	return t.list(c, l)
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

// entity answers one thing.
func entity(context string, o Object) answer {
	body := Object{"@odata.context": metadata + context + "/$entity"}
	for k, v := range o {
		body[k] = v
	}
	return ok(http.StatusOK, body)
}

func (t *Tenant) listMethods(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	id := text(u, "id")
	return t.list(c, listing{context: "users('" + id + "')/authentication/methods", rows: t.person(id).methods, pageOf: 100, most: 100})
}

// The rules of a Temporary Access Pass.
// Source: https://learn.microsoft.com/graph/api/authentication-post-temporaryaccesspassmethods
func (t *Tenant) createPass(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	id := text(u, "id")
	if !t.allowed(id, TemporaryAccessPass) || strings.EqualFold(text(u, "userType"), "guest") {
		return badQuery("Temporary Access Pass is not enabled for this user by policy.")
	}
	minutes, start := 60, c.at
	if n, has := number(body["lifetimeInMinutes"]); has {
		minutes = int(n)
	}
	if when := moment(body, "startDateTime"); when.After(start) {
		start = when
	}
	least, most := t.passLimits()
	if minutes < least || minutes > most {
		return badQuery(fmt.Sprintf("lifetimeInMinutes must be between %d and %d.", least, most))
	}
	once, _ := truth(body, "isUsableOnce")
	p := t.person(id)
	p.methods = slices.DeleteFunc(p.methods, func(m Object) bool { return kindOf(m) == TemporaryAccessPass })
	reason := "EnabledByPolicy"
	if start.After(c.at) {
		reason = "NotYetValid"
	}
	method := Object{
		"@odata.type": graphType + "temporaryAccessPassAuthenticationMethod", "id": t.newID("pass"), "createdDateTime": stamp(c.at),
		"startDateTime": stamp(start), "lifetimeInMinutes": minutes, "isUsableOnce": once, "isUsable": !start.After(c.at), "methodUsabilityReason": reason,
	}
	t.refresh(id)
	p.methods = append(p.methods, method)
	shown := cloneObject(method)
	shown["temporaryAccessPass"] = makeID(t.seed, "secret "+text(method, "id"), 1)[:8] // told once, kept nowhere
	delete(shown, "@odata.type")
	shown["@odata.context"] = metadata + "users('" + id + "')/authentication/temporaryAccessPassMethods/$entity"
	return ok(http.StatusCreated, shown)
}

func (t *Tenant) passLimits() (least, most int) {
	least, most = 10, 43200
	for _, c := range objects(t.methodsPolicy, "authenticationMethodConfigurations") {
		if text(c, "id") == "TemporaryAccessPass" {
			if n, has := number(c["minimumLifetimeInMinutes"]); has {
				least = int(n)
			}
			if n, has := number(c["maximumLifetimeInMinutes"]); has {
				most = int(n)
			}
		}
	}
	return least, most
}

// usablePass returns a person's pass that is good at an instant, or nil.
func (t *Tenant) usablePass(id string, when time.Time) Object {
	for _, m := range t.person(id).methods {
		start, minutes := moment(m, "startDateTime"), 0.0
		if n, has := number(m["lifetimeInMinutes"]); has {
			minutes = n
		}
		usable := text(m, "methodUsabilityReason") != "OneTimeUsed"
		if kindOf(m) == TemporaryAccessPass && usable && !when.Before(start) && when.Before(start.Add(time.Duration(minutes)*time.Minute)) {
			return m
		}
	}
	return nil
}

func (t *Tenant) getRequirements(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	id := text(u, "id")
	return ok(http.StatusOK, Object{
		"@odata.context": metadata + "users('" + id + "')/authentication/requirements", "perUserMfaState": t.person(id).perUser,
	})
}

func (t *Tenant) patchRequirements(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	state := text(body, "perUserMfaState")
	if !slices.Contains([]string{"disabled", "enabled", "enforced"}, state) {
		return badQuery("perUserMfaState must be disabled, enabled or enforced.")
	}
	t.person(text(u, "id")).perUser = state
	return empty()
}

func (t *Tenant) revokeSessions(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	u["signInSessionsValidFromDateTime"] = stamp(c.at)
	return ok(http.StatusOK, Object{"@odata.context": metadata + "Edm.Boolean", "value": true})
}

// purposeOf finds the kind of mailbox of a call's user, or says that there is none.
func (t *Tenant) purposeOf(c *call) (string, Object, answer) {
	u, a := t.theUser(c)
	if a.status != 0 {
		return "", nil, problem(http.StatusNotFound, "ErrorInvalidUser", "The requested user '"+c.vars["user"]+"' is invalid.")
	}
	purpose := t.person(text(u, "id")).purpose
	if purpose == "" {
		return "", nil, problem(http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
	}
	return purpose, u, answer{}
}

func (t *Tenant) getMailbox(c *call) answer {
	purpose, u, a := t.purposeOf(c)
	if a.status != 0 {
		return a
	}
	o := Object{
		"@odata.context": metadata + "users('" + text(u, "id") + "')/mailboxSettings", "timeZone": "UTC", "dateFormat": "yyyy-MM-dd", "timeFormat": "HH:mm",
		"userPurpose": purpose,
	}
	if c.version == "beta" {
		o["userPurpose"] = Object{"value": purpose}
	}
	return ok(http.StatusOK, pickOnly(o, c.query.Get("$select")))
}

// pickOnly keeps the annotations and what is selected.
func pickOnly(o Object, selected string) Object {
	if selected == "" {
		return o
	}
	out := Object{}
	for k, v := range o {
		if strings.HasPrefix(k, "@") || holds(strings.Split(selected, ","), k) {
			out[k] = v
		}
	}
	return out
}

func (t *Tenant) getPurpose(c *call) answer {
	purpose, u, a := t.purposeOf(c)
	if a.status != 0 {
		return a
	}
	return ok(http.StatusOK, Object{"@odata.context": metadata + "users('" + text(u, "id") + "')/mailboxSettings/userPurpose", "value": purpose})
}

func (t *Tenant) listAssignments(c *call) answer {
	rows := t.assignments.all()
	if c.query.Has("$expand") {
		if c.query.Get("$expand") != "principal" {
			return badQuery("Parsing OData Select and Expand failed.")
		}
		for i, r := range rows {
			rows[i] = cloneObject(r)
			rows[i]["principal"] = t.directoryObject(text(r, "principalId"))
		}
	}
	return t.list(c, listing{
		context: "roleManagement/directory/roleAssignments", rows: rows, options: []string{"$expand"},
		filters: map[string]string{"principalId": "eq", "roleDefinitionId": "eq", "directoryScopeId": "eq"}, pageOf: 100, most: 500,
	})
}

func (t *Tenant) listDefinitions(c *call) answer {
	return t.list(c, listing{
		context: "roleManagement/directory/roleDefinitions", rows: t.definitions.all(), noTop: true,
		filters: map[string]string{"id": "eq in", "displayName": "eq startswith", "isBuiltIn": "eq"}, pageOf: 1000, most: 1000,
	})
}

func (t *Tenant) listEligibility(c *call) answer {
	if !t.licensed(PlanP2) {
		return problem(http.StatusBadRequest, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.")
	}
	if c.query.Has("$expand") {
		return badQuery("The query specified in the URI is not valid. Property 'principal' cannot be expanded here.")
	}
	return t.list(c, listing{
		context: "roleManagement/directory/roleEligibilityScheduleInstances", rows: t.eligibility.all(), options: []string{"$expand"},
		filters: map[string]string{"principalId": "eq", "roleDefinitionId": "eq"}, pageOf: 100, most: 999,
	})
}

var groupFilters = map[string]string{
	"id": "eq in", "displayName": "eq startswith in", "mailNickname": "eq startswith", "mail": "eq startswith", "description": "eq startswith",
	"securityEnabled": "eq", "mailEnabled": "eq", "isAssignableToRole": "eq", "createdDateTime": "eq ge le",
}

func (t *Tenant) listGroups(c *call) answer {
	return t.list(c, listing{context: "groups", rows: t.groups.all(), filters: groupFilters, pageOf: 100, most: 999})
}

func (t *Tenant) theGroup(c *call) (Object, answer) {
	g, found := t.groups.get(c.vars["group"])
	if !found {
		return nil, missing(c.vars["group"])
	}
	return g, answer{}
}

func (t *Tenant) getGroup(c *call) answer {
	g, a := t.theGroup(c)
	if a.status != 0 {
		return a
	}
	l := listing{context: "groups", rows: []Object{g}}
	if a := l.refuse(c.query); a.status != 0 {
		return a
	}
	selected, a := l.selected(c.query.Get("$select"))
	if a.status != 0 {
		return a
	}
	return entity("groups", pick(g, selected))
}

func (t *Tenant) createGroup(c *call) answer {
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	for _, k := range []string{"displayName", "mailEnabled", "mailNickname", "securityEnabled"} {
		if _, has := body[k]; !has {
			return problem(http.StatusBadRequest, "Request_BadRequest", "A value is required for property '"+k+"' of resource 'Group'.")
		}
	}
	bound, a := t.bound(body)
	if a.status != 0 {
		return a
	}
	for _, k := range []string{"members@odata.bind", "owners@odata.bind", "@odata.type", "id"} {
		delete(body, k)
	}
	id := t.putGroup(body, bound)
	g, _ := t.groups.get(id)
	made := entity("groups", g)
	made.status = http.StatusCreated
	return made
}

// bound reads members@odata.bind: at most 20 links to things that exist.
func (t *Tenant) bound(body Object) ([]string, answer) {
	links := list(body, "members@odata.bind")
	if len(links) > 20 {
		return nil, problem(http.StatusBadRequest, "Request_BadRequest", "The number of references in members@odata.bind exceeds the maximum of 20.")
	}
	var ids []string
	for _, l := range links {
		id := l[strings.LastIndex(l, "/")+1:]
		if _, user := t.users.get(id); !user {
			if _, group := t.groups.get(id); !group {
				return nil, missing(id)
			}
		}
		ids = append(ids, id)
	}
	return ids, answer{}
}

func (t *Tenant) patchGroup(c *call) answer {
	g, a := t.theGroup(c)
	if a.status != 0 {
		return a
	}
	body, a := c.decode()
	if a.status == 0 {
		a = t.mayChangeMembers(c, g)
	}
	if a.status != 0 {
		return a
	}
	add, a := t.bound(body)
	if a.status == 0 {
		a = t.refuseMembers(text(g, "id"), add)
	}
	if a.status != 0 {
		return a
	}
	for k, v := range body {
		if k != "id" && !strings.Contains(k, "@odata") {
			g[k] = v
		}
	}
	return t.joined(text(g, "id"), add)
}

// refuseMembers answers 400 if one of them is a member already.
func (t *Tenant) refuseMembers(group string, add []string) answer {
	for _, m := range add {
		if holds(t.members[strings.ToLower(group)], m) {
			return problem(http.StatusBadRequest, "Request_BadRequest", "One or more added object references already exist for the following modified properties: 'members'.")
		}
	}
	return answer{}
}

func (t *Tenant) joined(group string, add []string) answer {
	if len(add) > 0 {
		if err := t.addMembers(group, add); err != nil {
			return missing(group)
		}
	}
	return empty()
}

// mayChangeMembers guards groups that carry roles.
func (t *Tenant) mayChangeMembers(c *call, g Object) answer {
	if carries, _ := truth(g, "isAssignableToRole"); carries && !c.may(one("RoleManagement.ReadWrite.Directory")) {
		return problem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	return answer{}
}

func (t *Tenant) removeGroup(c *call) answer {
	g, a := t.theGroup(c)
	if a.status == 0 {
		a = t.mayChangeMembers(c, g)
	}
	if a.status != 0 {
		return a
	}
	t.refreshAll()
	t.groups.remove(text(g, "id"))
	delete(t.members, strings.ToLower(text(g, "id")))
	t.closures = nil
	return empty()
}

func (t *Tenant) postMember(c *call) answer {
	g, a := t.theGroup(c)
	if a.status != 0 {
		return a
	}
	var ref map[string]string
	if err := json.Unmarshal(c.body, &ref); err != nil {
		return badQuery("Unable to read JSON request payload.")
	}
	if a = t.mayChangeMembers(c, g); a.status != 0 {
		return a
	}
	add, a := t.bound(Object{"members@odata.bind": []string{ref["@odata.id"]}})
	if a.status == 0 {
		a = t.refuseMembers(text(g, "id"), add)
	}
	if a.status != 0 {
		return a
	}
	return t.joined(text(g, "id"), add)
}

func (t *Tenant) dropMember(c *call) answer {
	g, a := t.theGroup(c)
	if a.status == 0 {
		a = t.mayChangeMembers(c, g)
	}
	if a.status != 0 {
		return a
	}
	if err := t.removeMember(text(g, "id"), c.vars["member"]); err != nil {
		return missing(c.vars["member"])
	}
	return empty()
}

func (t *Tenant) listMembers(c *call) answer {
	return t.listInGroup(c, func(g string) []string { return t.members[strings.ToLower(g)] })
}

func (t *Tenant) listTransitive(c *call) answer {
	return t.listInGroup(c, func(g string) []string { return sortedKeys(t.closure(g)) })
}

func (t *Tenant) listInGroup(c *call, ids func(string) []string) answer {
	g, a := t.theGroup(c)
	if a.status != 0 {
		return a
	}
	id := text(g, "id")
	if t.closed[strings.ToLower(id)] {
		return problem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	cast := c.vars["cast"]
	cast = cast[strings.LastIndex(cast, ".")+1:]
	var rows []Object
	for _, m := range ids(id) {
		o := t.directoryObject(m)
		if cast != "" && text(o, "@odata.type") != graphType+cast {
			continue
		}
		if !c.may(one("User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All", "Group.Read.All")) {
			o = Object{"@odata.type": o["@odata.type"], "id": o["id"]} // members can be counted, not read
		}
		rows = append(rows, o)
	}
	return t.list(c, listing{context: "directoryObjects", rows: rows, properties: append(userProperties, "description", "securityEnabled", "mailEnabled"), standard: nil, pageOf: 100, most: 999})
}

// directoryObject is a user, group or application as it stands in lists of
// members.
func (t *Tenant) directoryObject(id string) Object {
	if u, is := t.users.get(id); is {
		o := pick(u, standardUser)
		o["@odata.type"] = graphType + "user"
		return o
	}
	if g, is := t.groups.get(id); is {
		o := pick(g, []string{"displayName", "description", "mailEnabled", "mailNickname", "securityEnabled"})
		o["@odata.type"] = graphType + "group"
		return o
	}
	return Object{"@odata.type": graphType + "servicePrincipal", "id": id}
}

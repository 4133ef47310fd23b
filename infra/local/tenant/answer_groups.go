package tenant

import (
	"encoding/json"
	"net/http"
	"strings"
)

var groupFilters = map[string]string{
	"id": "eq in", "displayName": "eq startswith in", "mailNickname": "eq startswith", "mail": "eq startswith", "description": "eq startswith",
	"securityEnabled": "eq", "mailEnabled": "eq", "isAssignableToRole": "eq", "createdDateTime": "eq ge le",
}

// groupProperties are those of the type group that may be selected, whether or
// not the groups of a folder have them.
// Source: https://learn.microsoft.com/graph/api/resources/group
var groupProperties = []string{
	"id", "displayName", "description", "visibility", "mail", "mailNickname", "mailEnabled", "securityEnabled", "groupTypes", "isAssignableToRole", "isManagementRestricted",
	"membershipRule", "membershipRuleProcessingState", "classification", "createdDateTime", "deletedDateTime", "expirationDateTime", "renewedDateTime",
	"onPremisesSyncEnabled", "onPremisesDomainName", "onPremisesSamAccountName", "onPremisesSecurityIdentifier", "preferredDataLocation",
	"preferredLanguage", "proxyAddresses", "resourceBehaviorOptions", "resourceProvisioningOptions", "securityIdentifier", "theme", "uniqueName",
}

func (t *Tenant) listGroups(c *call) answer {
	return t.list(c, listing{context: "groups", rows: t.groups.all(), properties: groupProperties, filters: groupFilters, pageOf: 100, most: 999})
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
	l := listing{context: "groups", rows: []Object{g}, properties: groupProperties}
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
	if a := t.mayMakeAssignable(c, body); a.status != 0 {
		return a
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

func (t *Tenant) listOwners(c *call) answer {
	g, a := t.theGroup(c)
	if a.status != 0 {
		return a
	}
	owners, known := t.owners[strings.ToLower(text(g, "id"))]
	if !known {
		return problem(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	return t.listObjects(c, owners)
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
	return t.listObjects(c, ids(id))
}

// listObjects lists what stands in or over a group.
func (t *Tenant) listObjects(c *call, ids []string) answer {
	cast := c.vars["cast"]
	cast = cast[strings.LastIndex(cast, ".")+1:]
	var rows []Object
	for _, m := range ids {
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

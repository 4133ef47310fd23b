package tenant

import (
	"fmt"
	"slices"
	"strings"
)

// AddGroup adds a security group and returns its id. properties may set any of
// Graph's group properties, id included.
func (t *Tenant) AddGroup(displayName string, properties Object, members ...string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := cloneObject(properties)
	if g == nil {
		g = Object{}
	}
	g["displayName"] = displayName
	return t.putGroup(g, members)
}

// putGroup stores a group after filling in what Graph always answers.
func (t *Tenant) putGroup(g Object, members []string) string {
	if text(g, "id") == "" {
		g["id"] = t.newID("group")
	}
	id := text(g, "id")
	defaults := Object{
		"createdDateTime": stamp(t.clock.Now()), "description": nil, "groupTypes": []any{}, "mail": nil, "mailEnabled": false,
		"mailNickname": "g" + id[:min(8, len(id))], "securityEnabled": true, "visibility": nil, "isAssignableToRole": nil, "isManagementRestricted": nil,
	}
	for k, v := range defaults {
		if _, has := g[k]; !has {
			g[k] = v
		}
	}
	t.groups.put(id, g)
	t.members[strings.ToLower(id)] = slices.Clone(members)
	t.owners[strings.ToLower(id)] = []string{}
	t.closures = nil
	t.notify("groups", id, "created")
	t.record("Add group", "GroupManagement", target("Group", g, nil))
	return id
}

// AddMember puts a user or a group into a group.
func (t *Tenant) AddMember(group, member string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.addMembers(group, []string{member})
}

func (t *Tenant) addMembers(group string, members []string) error {
	g, ok := t.groups.get(group)
	if !ok {
		return fmt.Errorf("add members to group %s: %w", group, ErrUnknown)
	}
	t.refreshAll() // roles may come with the group
	key := strings.ToLower(group)
	for _, m := range members {
		t.members[key] = append(t.members[key], m)
		t.record("Add member to group", "GroupManagement", target("User", Object{"id": m}, map[string][2]any{"Group.ObjectID": {nil, quoted(text(g, "id"))}}))
	}
	t.closures = nil
	t.notify("groups", group, "updated")
	return nil
}

// RemoveMember takes a user or a group out of a group.
func (t *Tenant) RemoveMember(group, member string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.removeMember(group, member)
}

func (t *Tenant) removeMember(group, member string) error {
	key := strings.ToLower(group)
	if !holds(t.members[key], member) {
		return fmt.Errorf("remove %s from group %s: %w", member, group, ErrUnknown)
	}
	t.refreshAll()
	t.members[key] = slices.DeleteFunc(t.members[key], func(m string) bool { return strings.EqualFold(m, member) })
	t.closures = nil
	t.record("Remove member from group", "GroupManagement", target("User", Object{"id": member}, map[string][2]any{"Group.ObjectID": {quoted(group), nil}}))
	t.notify("groups", group, "updated")
	return nil
}

// DeleteGroup removes a group; policies that name it go on naming it.
func (t *Tenant) DeleteGroup(group string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.groups.get(group)
	if !ok {
		return fmt.Errorf("delete group %s: %w", group, ErrUnknown)
	}
	t.refreshAll()
	t.groups.remove(group)
	delete(t.members, strings.ToLower(group))
	t.closures = nil
	t.notify("groups", group, "deleted")
	t.record("Delete group", "GroupManagement", target("Group", g, nil))
	return nil
}

// CloseGroup makes the members of a group unreadable (hidden membership), or
// readable again.
func (t *Tenant) CloseGroup(group string, closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed[strings.ToLower(group)] = closed
}

// Groups returns every group, each with the ids of its direct members unless it
// is closed.
func (t *Tenant) Groups() []Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Object, 0, t.groups.len())
	for _, g := range t.groups.all() {
		out = append(out, t.withMembers(g))
	}
	return out
}

// SetOwners makes these users the owners of a group.
func (t *Tenant) SetOwners(group string, owners ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.groups.get(group); !ok {
		return fmt.Errorf("set the owners of group %s: %w", group, ErrUnknown)
	}
	t.owners[strings.ToLower(group)] = slices.Clone(owners)
	t.notify("groups", group, "updated")
	return nil
}

// withMembers is a group with the ids of its direct members and its owners, or
// without those that cannot be read.
func (t *Tenant) withMembers(g Object) Object {
	c, key := cloneObject(g), strings.ToLower(text(g, "id"))
	if !t.closed[key] {
		c["members"] = anyList(t.members[key])
	}
	if owners, known := t.owners[key]; known {
		c["owners"] = anyList(owners)
	}
	return c
}

// TransitiveMembers returns the ids of the users in a group, however deep.
func (t *Tenant) TransitiveMembers(group string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := t.closure(group)
	var out []string
	for _, id := range t.users.ids {
		if in[id] {
			out = append(out, id)
		}
	}
	return out
}

// closure is the set of everything in a group, however deep, by lower-case id.
// It is remembered until a membership changes.
func (t *Tenant) closure(group string) map[string]bool {
	key := strings.ToLower(group)
	if in, ok := t.closures[key]; ok {
		return in
	}
	in := map[string]bool{}
	open := []string{key}
	for len(open) > 0 {
		g := open[0]
		open = open[1:]
		for _, m := range t.members[g] {
			m = strings.ToLower(m)
			if !in[m] {
				in[m] = true
				open = append(open, m)
			}
		}
	}
	if t.closures == nil {
		t.closures = map[string]map[string]bool{}
	}
	t.closures[key] = in
	return in
}

// AssignRole gives a user or a group a directory role for good: scope "/" for
// the whole tenant, or an administrative unit. It returns the assignment's id.
func (t *Tenant) AssignRole(principal, role, scope string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return text(t.assign(principal, role, scope), "id")
}

func (t *Tenant) assign(principal, role, scope string) Object {
	t.refreshAll()
	id := t.newID("roleAssignment")
	o := Object{"id": id, "principalId": principal, "roleDefinitionId": role, "directoryScopeId": scope}
	t.assignments.put(id, o)
	t.record("Add member to role", "RoleManagement", target("User", Object{"id": principal}, map[string][2]any{"Role.TemplateId": {nil, quoted(role)}}))
	return o
}

// MakeEligible lets a user or a group activate a role through Privileged
// Identity Management. It returns the schedule instance's id.
func (t *Tenant) MakeEligible(principal, role, scope string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.newID("roleEligibilityScheduleInstance")
	t.eligibility.put(id, Object{
		"id": id, "principalId": principal, "roleDefinitionId": role, "directoryScopeId": scope, "appScopeId": nil,
		"memberType": "Direct", "roleEligibilityScheduleId": id, "startDateTime": stamp(t.clock.Now()), "endDateTime": nil,
	})
	return id
}

// UnassignRole takes a role away again; the id is of either kind.
func (t *Tenant) UnassignRole(assignment string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refreshAll()
	if !t.assignments.remove(assignment) && !t.eligibility.remove(assignment) {
		return fmt.Errorf("take away role assignment %s: %w", assignment, ErrUnknown)
	}
	return nil
}

// RoleAssignments returns the active assignments.
func (t *Tenant) RoleAssignments() []Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cloneAll(t.assignments.all())
}

// IsAdmin reports whether an account holds any active role, directly or through
// a group.
func (t *Tenant) IsAdmin(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isAdmin(id)
}

func (t *Tenant) isAdmin(id string) bool {
	for _, a := range t.assignments.all() {
		if t.isOrHolds(text(a, "principalId"), id) {
			return true
		}
	}
	return false
}

// hasRole reports whether an account holds a built-in role for the whole tenant,
// which is all that Conditional Access looks at.
func (t *Tenant) hasRole(id string, roles []string) bool {
	if len(roles) == 0 {
		return false
	}
	for _, a := range t.assignments.all() {
		if holds(roles, text(a, "roleDefinitionId")) && text(a, "directoryScopeId") == "/" && t.isOrHolds(text(a, "principalId"), id) {
			return true
		}
	}
	return false
}

func (t *Tenant) isOrHolds(principal, id string) bool {
	return strings.EqualFold(principal, id) || t.closure(principal)[strings.ToLower(id)]
}

// roleSync is the role of the account that copies a directory into the tenant.
const roleSync = "d29b2b05-8046-44ba-8758-1e26182fcf32"

// RoleGlobalAdmin is the template id of Global Administrator.
const RoleGlobalAdmin = "62e90394-69f5-4237-9190-012177145e10"

// builtInRoles are the definitions that matter here; their ids are their
// template ids in every tenant.
// Source: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
func builtInRoles() []Object {
	names := []struct{ id, name string }{
		{RoleGlobalAdmin, "Global Administrator"},
		{"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "Application Administrator"},
		{"c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator"},
		{"b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator"},
		{"158c047a-c907-4556-b7ef-446551a6b5f7", "Cloud Application Administrator"},
		{"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", "Conditional Access Administrator"},
		{"29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator"},
		{"729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator"},
		{"966707d0-3269-4727-9be2-8c3a10f19b9d", "Password Administrator"},
		{"7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "Privileged Authentication Administrator"},
		{"e8611ab8-c189-46e8-94e1-60213ab1f814", "Privileged Role Administrator"},
		{"194ae4cb-b126-40b2-bd5b-6091b380977d", "Security Administrator"},
		{"f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "SharePoint Administrator"},
		{"69091246-20e8-4a56-aa4d-066075b2a7a8", "Teams Administrator"},
		{"fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator"},
		{"f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader"},
		{"5d6b6bb7-de71-4623-b4af-96380a352509", "Security Reader"},
		{"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"},
		{roleSync, "Directory Synchronization Accounts"},
	}
	out := make([]Object, len(names))
	for i, n := range names {
		out[i] = Object{
			"id": n.id, "templateId": n.id, "displayName": n.name, "description": n.name + ", as Microsoft defines it.",
			"isBuiltIn": true, "isEnabled": true, "resourceScopes": []any{"/"}, "version": "1", "rolePermissions": []any{},
		}
	}
	return out
}

// record adds a row to the directory audit log.
func (t *Tenant) record(activity, category string, resource Object) {
	now := t.clock.Now()
	id := "Directory_" + t.newID("directoryAudit")
	t.audits = append(t.audits, Object{
		"id": id, "category": category, "correlationId": makeID(t.seed, "correlation "+id, 1), "result": "success", "resultReason": "",
		"activityDisplayName": activity, "activityDateTime": stamp(now), "loggedByService": "Core Directory",
		"operationType": strings.SplitN(activity, " ", 2)[0], "additionalDetails": []any{}, "targetResources": []any{resource},
		"initiatedBy": Object{"app": nil, "user": Object{"id": nil, "displayName": nil, "userPrincipalName": nil, "ipAddress": ""}},
	})
}

// target is what an audit row is about, with old and new values of properties.
func target(kind string, o Object, changed map[string][2]any) Object {
	modified := []any{}
	for _, name := range sortedKeys(changed) {
		modified = append(modified, Object{"displayName": name, "oldValue": changed[name][0], "newValue": changed[name][1]})
	}
	return Object{
		"id": o["id"], "type": kind, "displayName": o["displayName"], "userPrincipalName": o["userPrincipalName"], "groupType": nil,
		"modifiedProperties": modified,
	}
}

// quoted is how audit rows carry a value: as JSON inside a string.
func quoted(s string) string { return `"` + s + `"` }

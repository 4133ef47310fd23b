package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// RoleGlobalAdministrator and RoleDirectorySync are role template ids.
// Source: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
const (
	RoleGlobalAdministrator = "62e90394-69f5-4237-9190-012177145e10"
	RoleDirectorySync       = "d29b2b05-8046-44ba-8758-1e26182fcf32"
)

// adminRole is a role of Microsoft's template, with its name for people.
type adminRole struct{ id, name string }

func adminRoles() []adminRole {
	return []adminRole{
		{RoleGlobalAdministrator, "Global Administrator"},
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
	}
}

// AdminRoles returns the template ids of the roles that Microsoft's policy
// template "Require MFA for admins" names. A Conditional Access role condition
// sees these when they are held tenant-wide; custom roles and roles scoped to
// an administrative unit it does not see.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/policy-old-require-mfa-admin
func AdminRoles() []string {
	ids := make([]string, 0, len(adminRoles()))
	for _, r := range adminRoles() {
		ids = append(ids, r.id)
	}
	return ids
}

// roles of one account, tenant-wide: what a Conditional Access role condition
// can see, now (active) or once activated (eligible). A custom role is among
// them although no condition can name it: its id matches none.
type roles struct {
	active   []string
	eligible []string
	// grants says of each assignment how it is held, those included that no role
	// condition sees.
	grants []grant
}

// grant is one assignment, as it comes to one account.
type grant struct {
	role     string // definition id
	scope    string // "/" or what the role is confined to
	eligible bool
	group    string // the group through which it is held; empty: directly
}

// rolesByPrincipal are the roles that a user or a role-assignable group is given,
// by its id in lower case. In active and eligible, assignments scoped to an
// administrative unit are left out: Conditional Access does not see them.
type rolesByPrincipal map[string]roles

func newRolesByPrincipal(assignments []RoleAssignment) rolesByPrincipal {
	by := rolesByPrincipal{}
	for _, a := range assignments {
		id := strings.ToLower(a.PrincipalID)
		r := by[id]
		r.grants = append(r.grants, grant{role: a.RoleDefinitionID, scope: a.DirectoryScopeID, eligible: a.Eligible})
		switch {
		case a.DirectoryScopeID != "/":
		case a.Eligible:
			r.eligible = append(r.eligible, a.RoleDefinitionID)
		default:
			r.active = append(r.active, a.RoleDefinitionID)
		}
		by[id] = r
	}
	return by
}

// of are the roles of a user, those of the groups that hold it included.
func (by rolesByPrincipal) of(user string, groups []string) roles {
	own := by[strings.ToLower(user)]
	held := roles{active: slices.Clone(own.active), eligible: slices.Clone(own.eligible), grants: slices.Clone(own.grants)}
	for _, id := range groups {
		r := by[strings.ToLower(id)]
		held.active = append(held.active, r.active...)
		held.eligible = append(held.eligible, r.eligible...)
		for _, g := range r.grants {
			g.group = id
			held.grants = append(held.grants, g)
		}
	}
	return held
}

// groupsHolding are the ids of the groups that hold the account.
func groupsHolding(groups map[string]Group, account string) []string {
	var ids []string
	for id, g := range groups {
		if containsFold(g.Members, account) {
			ids = append(ids, id)
		}
	}
	return ids
}

// roleBook knows the tenant's role definitions, by id in lower case.
type roleBook map[string]RoleDefinition

// builtIn reports whether the role is known to be one of Microsoft's: a role
// whose definition was not read is only if its id is one that Sallyport knows.
func (b roleBook) builtIn(id string) bool {
	return b[strings.ToLower(id)].BuiltIn || strings.EqualFold(id, RoleDirectorySync) || containsFold(AdminRoles(), id)
}

// roleName is the name of a role of Microsoft's template, or else the id.
func roleName(id string) string {
	if i := slices.IndexFunc(adminRoles(), func(r adminRole) bool { return strings.EqualFold(r.id, id) }); i >= 0 {
		return adminRoles()[i].name
	}
	return id
}

func (b roleBook) name(id string) string {
	if name := roleName(id); name != id {
		return name
	}
	switch d, read := b[strings.ToLower(id)]; {
	case read && !d.BuiltIn:
		return "custom role " + nameOr(d.DisplayName, id)
	case read && d.DisplayName != "":
		return d.DisplayName
	}
	return "role " + id
}

// seen are the roles of the account that a role condition of Conditional Access
// can name: built-in and tenant-wide, active or eligible.
func (b roleBook) seen(r roles) []string {
	ids := []string{}
	for _, g := range r.grants {
		if g.scope == "/" && b.builtIn(g.role) {
			ids = append(ids, g.role)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// unseen are the others, in words.
func (b roleBook) unseen(r roles) []string {
	var words []string
	for _, g := range r.grants {
		if g.scope == "/" && b.builtIn(g.role) {
			continue
		}
		w := b.name(g.role)
		if unit, is := strings.CutPrefix(g.scope, "/administrativeUnits/"); is {
			w += " in administrative unit " + unit
		} else if g.scope != "/" {
			w += " in scope " + nameOr(g.scope, "unknown")
		}
		if g.eligible {
			w += ", eligible"
		}
		if g.group != "" {
			w += ", through group " + g.group
		}
		words = append(words, w)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// mostGrants is how many roles the evidence of one account spells out.
const mostGrants = 3

// evidence says how the account comes by the roles of the administrator
// template, those that are active and direct first; nothing if it has none.
func (b roleBook) evidence(r roles) string {
	admin := slices.DeleteFunc(slices.Clone(r.grants), func(g grant) bool {
		return g.scope != "/" || !containsFold(AdminRoles(), g.role)
	})
	slices.SortFunc(admin, func(x, y grant) int {
		return cmp.Or(cmp.Compare(x.state(), y.state()), cmp.Compare(x.group, y.group), cmp.Compare(x.role, y.role))
	})
	admin = slices.Compact(admin)
	var words []string
	for _, g := range admin[:min(len(admin), mostGrants)] {
		words = append(words, b.name(g.role)+": "+g.how())
	}
	if more := len(admin) - mostGrants; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, "; ")
}

func (g grant) how() string {
	if g.group != "" {
		return g.state() + " through group " + g.group
	}
	return g.state() + ", assigned directly"
}

func (g grant) state() string {
	if g.eligible {
		return "eligible"
	}
	return "active"
}

func intersection(a, b []string) []string {
	var both []string
	for _, x := range a {
		if containsFold(b, x) {
			both = append(both, x)
		}
	}
	return both
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

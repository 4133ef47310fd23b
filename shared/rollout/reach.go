package rollout

import (
	"slices"
	"strings"
)

// Subject is an account as a Conditional Access policy sees it.
type Subject struct {
	ID            string
	Guest         bool
	ActiveRoles   []string // role template ids held tenant-wide
	EligibleRoles []string // those that Privileged Identity Management can activate
	// in are the ids of the groups that hold it, if that was worked out before;
	// nil: look into each group.
	in map[string]bool
}

func (s Subject) isIn(id string, g Group) bool {
	if s.in != nil {
		return s.in[id]
	}
	return containsFold(g.Members, s.ID)
}

// Reach says how a policy stands to an account: its users, groups (opened
// transitively), roles and guest types, exclusions first, since exclusion wins.
// It looks at whom the policy addresses, not at its state or its conditions.
// A group that could not be opened proves nothing.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/concept-conditional-access-users-groups
func Reach(p Policy, s Subject, groups map[string]Group) PolicyVerdict {
	v := PolicyVerdict{ID: p.ID, Name: p.DisplayName, State: p.State}
	answer := func(verdict Verdict, path ...string) PolicyVerdict {
		v.Verdict, v.Path = verdict, path
		return v
	}

	if containsFold(p.ExcludeUsers, s.ID) {
		return answer(VerdictExcluded, "excluded by id")
	}
	if s.Guest && (containsFold(p.ExcludeUsers, "GuestsOrExternalUsers") || len(p.ExcludeGuests) > 0) {
		return answer(VerdictExcluded, "excluded as a guest")
	}
	if r := intersection(s.ActiveRoles, p.ExcludeRoles); len(r) > 0 {
		return answer(VerdictExcluded, "excluded through role "+r[0])
	}
	name, in, closed := throughGroup(p.ExcludeGroups, s, groups)
	if in {
		return answer(VerdictExcluded, "excluded through group "+name)
	}
	excludeUnsure := closed

	inside := ""
	switch {
	case containsFold(p.IncludeUsers, "All"):
		inside = "includes all users"
	case containsFold(p.IncludeUsers, s.ID):
		inside = "included by id"
	case s.Guest && (containsFold(p.IncludeUsers, "GuestsOrExternalUsers") || len(p.IncludeGuests) > 0):
		inside = "included as a guest"
	default:
		if r := intersection(slices.Concat(s.ActiveRoles, s.EligibleRoles), p.IncludeRoles); len(r) > 0 {
			inside = "included through role " + r[0]
		}
	}
	includeUnsure := ""
	if inside == "" {
		name, in, closed := throughGroup(p.IncludeGroups, s, groups)
		if in {
			inside = "included through group " + name
		}
		includeUnsure = closed
	}

	switch {
	case inside != "" && excludeUnsure != "":
		return answer(VerdictUnresolvable, inside, "exclusion group "+excludeUnsure+" could not be opened")
	case inside != "":
		return answer(VerdictInside, inside)
	case includeUnsure != "":
		return answer(VerdictUnresolvable, "included group "+includeUnsure+" could not be opened")
	case len(p.IncludeGroups) > 0 || len(p.IncludeRoles) > 0:
		return answer(VerdictDepends, "not in the included groups and roles today")
	}
	return answer(VerdictNotAddressed, "the policy names neither the account nor a set that holds it")
}

// throughGroup looks for the account in the groups. closed names a group that
// could not be opened, if the account is in none of the others.
func throughGroup(ids []string, s Subject, groups map[string]Group) (name string, in bool, closed string) {
	for _, id := range ids {
		g, known := groups[id]
		if !known || !g.Opened {
			closed = id
			continue
		}
		if s.isIn(id, g) {
			return nameOr(g.DisplayName, id), true, ""
		}
	}
	return "", false, closed
}

func nameOr(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

// DemandsMFA reports whether the policy's grant asks for MFA when it applies,
// and by what it may be satisfied or narrowed instead. Policies for user
// actions or authentication contexts are no demand at sign-in.
func DemandsMFA(p Policy) (demands bool, narrowed []string) {
	mfa := containsFold(p.GrantControls, "mfa") || p.AuthenticationStrength != ""
	if !mfa || (len(p.IncludeApplications) == 0 && (len(p.IncludeUserActions) > 0 || len(p.AuthContexts) > 0)) {
		return false, nil
	}
	if strings.EqualFold(p.GrantOperator, "OR") {
		for _, c := range p.GrantControls {
			if !strings.EqualFold(c, "mfa") {
				narrowed = append(narrowed, "or "+c)
			}
		}
		for _, c := range p.OtherGrants {
			narrowed = append(narrowed, "or "+c)
		}
	}
	if !containsFold(p.IncludeApplications, "All") || len(p.ExcludeApplications) > 0 {
		narrowed = append(narrowed, "applications")
	}
	if len(p.ClientAppTypes) > 0 && !containsFold(p.ClientAppTypes, "all") {
		narrowed = append(narrowed, "clientAppTypes")
	}
	return true, append(narrowed, p.Narrowing...)
}

// demandOn works out how far MFA is demanded of the account by what is enabled
// today. Report-only never counts.
func demandOn(s Subject, policies []Policy, groups map[string]Group, securityDefaults bool) (Demand, []string, []NarrowedBy) {
	demand, by, narrowedBy := DemandNo, []string{}, []NarrowedBy{}
	if securityDefaults {
		demand, by = DemandAlways, append(by, "securityDefaults")
	}
	for _, p := range policies {
		demands, narrowed := DemandsMFA(p)
		if p.State != StateEnabled || !demands {
			continue
		}
		switch Reach(p, s, groups).Verdict {
		case VerdictInside:
			if viaEligibleRoleOnly(p, s, groups) {
				narrowed = append(narrowed, "only while the role is active")
			}
		case VerdictUnresolvable:
			narrowed = append(narrowed, "a group that could not be opened")
		default:
			continue
		}
		by = append(by, p.ID)
		for _, n := range narrowed {
			narrowedBy = append(narrowedBy, NarrowedBy{Policy: p.ID, By: n})
		}
		switch {
		case len(narrowed) == 0:
			demand = DemandAlways
		case demand == DemandNo:
			demand = DemandPartly
		}
	}
	return demand, by, narrowedBy
}

func viaEligibleRoleOnly(p Policy, s Subject, groups map[string]Group) bool {
	s.EligibleRoles = nil
	return Reach(p, s, groups).Verdict != VerdictInside
}

package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// PolicyGroup is a group that policies exclude (or include), as it stands to one
// emergency account.
type PolicyGroup struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Opened      bool   `json:"opened"` // false: it is gone or hides its members, and proves nothing
	Holds       bool   `json:"holds"`  // the account, transitively
	// HoldsOthers: it holds another emergency account, so this one should be there.
	HoldsOthers bool `json:"holdsOthers"`
	Members     int  `json:"members"`
	Dynamic     Fact `json:"dynamic"`
	// Protected is [Group.Protected] of the group and of those inside it through
	// which it holds the account: who can empty one of them breaks the exclusion.
	// Weak names the one inside that is not protected.
	Protected Fact   `json:"protected"`
	Weak      string `json:"weak"`
	// Within are the ids of the groups inside it through which it holds the account.
	Within []string `json:"within"`
	// Owners may change who is in the group. Of a small circle, those who are no
	// emergency accounts are listed too: they are outside the policies as well. Both
	// are null where they were not read.
	Owners []string `json:"owners"`
	Circle []string `json:"circle"`
	// Policies are the ids of the policies that could stop the account and name
	// the group on this side.
	Policies []string `json:"policies"`
}

// name is what people call the group, with the id that is sure.
func (g PolicyGroup) name() string {
	if g.DisplayName == "" {
		return "group " + g.ID
	}
	return "group " + g.DisplayName + " (" + g.ID + ")"
}

// policyGroups are the groups on one side of the policies that could stop an
// account, those of the most policies first.
func policyGroups(cfg Config, account string, policies []Policy, groups map[string]Group, side func(Policy) []string) []PolicyGroup {
	var list []PolicyGroup
	for _, p := range policies {
		if !canStop(p) {
			continue
		}
		for _, id := range side(p) {
			i := slices.IndexFunc(list, func(g PolicyGroup) bool { return strings.EqualFold(g.ID, id) })
			if i < 0 {
				i = len(list)
				list = append(list, newPolicyGroup(cfg, account, id, groups))
			}
			list[i].Policies = append(list[i].Policies, p.ID)
		}
	}
	slices.SortStableFunc(list, func(a, b PolicyGroup) int {
		return cmp.Or(cmp.Compare(len(b.Policies), len(a.Policies)), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func newPolicyGroup(cfg Config, account, id string, groups map[string]Group) PolicyGroup {
	g, _ := groupOf(groups, id)
	protected, weak := protection(groups, g, id, account)
	p := PolicyGroup{
		ID: id, DisplayName: g.DisplayName, Opened: g.Opened,
		Holds: g.Opened && containsFold(g.Members, account),
		HoldsOthers: slices.ContainsFunc(g.Members, func(m string) bool {
			return g.Opened && cfg.IsEmergency(m) && !strings.EqualFold(m, account)
		}),
		Members: len(g.Members), Dynamic: orUnknown(g.Dynamic), Protected: protected, Weak: weak,
	}
	if !p.Holds && !p.HoldsOthers {
		return p
	}
	if steps, found := stepsTo(groups, id, account, func(Group) bool { return true }); found {
		p.Within = steps[1:]
	}
	if g.OwnersRead {
		p.Owners = sortedFold(g.Owners)
	}
	if len(g.Members) <= mostInCircle {
		p.Circle = sortedFold(slices.DeleteFunc(slices.Clone(g.Members), cfg.IsEmergency))
	}
	return p
}

// mostInCircle is up to how many members a group's are listed by id. An exclusion
// group is for two or three accounts.
const mostInCircle = 50

// sortedFold are the ids in lower case, sorted, each once, and never null.
func sortedFold(ids []string) []string {
	list := make([]string, 0, len(ids))
	for _, id := range ids {
		list = append(list, strings.ToLower(id))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// groupOf finds a group by its id, however the id is written.
func groupOf(groups map[string]Group, id string) (Group, bool) {
	if g, known := groups[id]; known {
		return g, true
	}
	for key, g := range groups {
		if strings.EqualFold(key, id) {
			return g, true
		}
	}
	return Group{}, false
}

// way says by which groups a group holds an account, as far as that was read:
// "A", the shortest "A > B", or "A (nested)" where the account is not directly in
// A and no way to it was read.
func way(groups map[string]Group, id, account string) string {
	g, _ := groupOf(groups, id)
	name := nameOr(g.DisplayName, id)
	if !g.DirectRead {
		return name // in it, and nobody said how
	}
	steps, found := stepsTo(groups, id, account, func(Group) bool { return true })
	if !found {
		return name + " (nested)"
	}
	for i, step := range steps {
		inner, _ := groupOf(groups, step)
		steps[i] = nameOr(inner.DisplayName, step)
	}
	return strings.Join(steps, " > ")
}

// stepsTo are the ids of the groups of the shortest way by which a group holds an
// account, through groups of which the direct members were read and that are
// good.
func stepsTo(groups map[string]Group, id, account string, good func(Group) bool) ([]string, bool) {
	seen := map[string]bool{}
	for next := [][]string{{id}}; len(next) > 0; next = next[1:] {
		steps := next[0]
		at := steps[len(steps)-1]
		g, known := groupOf(groups, at)
		key := strings.ToLower(at)
		if !known || !g.DirectRead || seen[key] || !good(g) {
			continue
		}
		seen[key] = true
		if containsFold(g.Direct, account) {
			return steps, true
		}
		for _, inner := range slices.Sorted(slices.Values(g.Direct)) {
			next = append(next, append(slices.Clone(steps), inner))
		}
	}
	return nil, false
}

// protection reports whether the group and those inside it, through which it
// holds the account, are protected; weak names the one inside that is not.
func protection(groups map[string]Group, g Group, id, account string) (protected Fact, weak string) {
	protected = g.Protected()
	switch {
	case protected != Yes, !containsFold(g.Members, account):
		return protected, ""
	case !g.DirectRead && len(g.Groups) == 0:
		return Yes, "" // nothing is nested in it
	case !g.DirectRead:
		return Unknown, ""
	}
	if _, found := stepsTo(groups, id, account, func(g Group) bool { return g.Protected() == Yes }); found {
		return Yes, ""
	}
	steps, _ := stepsTo(groups, id, account, func(Group) bool { return true })
	for _, step := range steps {
		if inner, _ := groupOf(groups, step); inner.Protected() != Yes {
			return inner.Protected(), PolicyGroup{ID: step, DisplayName: inner.DisplayName}.name()
		}
	}
	return Unknown, "" // no way was read
}

// brokenExclusions are the groups that should have kept the account out and do
// not, those that say so most plainly first. A group is not meant for the account
// if a policy that excludes it leaves the account out in another way.
func (p EmergencyProof) brokenExclusions() []PolicyGroup {
	broken := slices.DeleteFunc(slices.Clone(p.Excluding), func(g PolicyGroup) bool {
		otherwise := slices.ContainsFunc(p.Policies, func(v PolicyVerdict) bool {
			return v.Verdict == VerdictExcluded && slices.Contains(g.Policies, v.ID)
		})
		return g.Holds || otherwise && !g.HoldsOthers
	})
	slices.SortStableFunc(broken, func(a, b PolicyGroup) int { return cmp.Compare(a.rank(), b.rank()) })
	return broken
}

func (g PolicyGroup) rank() int {
	switch {
	case g.HoldsOthers:
		return 0
	case !g.Opened, g.Members == 0:
		return 1
	}
	return 2
}

func (g PolicyGroup) state() string {
	switch {
	case !g.Opened:
		return "is gone or cannot be opened, and proves nothing"
	case g.Members == 0:
		return "holds nobody"
	}
	return "does not hold the account"
}

// leansOn reports whether a policy leaves the account out through the group and
// in no surer way: by id or by a role, which would be the verdict's reason, or
// through a group that is protected.
func (p EmergencyProof) leansOn(g PolicyGroup) bool {
	return slices.ContainsFunc(p.Policies, func(v PolicyVerdict) bool {
		surer := slices.ContainsFunc(p.Excluding, func(other PolicyGroup) bool {
			return other.Holds && other.Protected == Yes && slices.Contains(other.Policies, v.ID)
		})
		return v.Verdict == VerdictExcluded && slices.Contains(g.Policies, v.ID) && !surer && len(v.Path) > 0 && strings.HasPrefix(v.Path[0], excludedBy+throughGroup)
	})
}

// mostListed is how many policies a sentence names.
const mostListed = 10

// listed names the policies, with what each asks for and, if asked, why nobody
// knows.
func listed(verdicts []PolicyVerdict, policies []Policy, why bool) string {
	var names []string
	for _, v := range verdicts[:min(len(verdicts), mostListed)] {
		name := fmt.Sprintf("policy %q", nameOr(v.Name, v.ID))
		if q, read := policyIn(policies, v.ID); read {
			name += " (" + stateWords(q.State) + ", " + asks(q) + ")"
		}
		if why && v.Verdict == VerdictUnresolvable {
			name += ": " + strings.Join(v.Path, ", ")
		}
		names = append(names, name)
	}
	if more := len(verdicts) - mostListed; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

func policyIn(policies []Policy, id string) (Policy, bool) {
	i := slices.IndexFunc(policies, func(p Policy) bool { return p.ID == id })
	if i < 0 {
		return Policy{}, false
	}
	return policies[i], true
}

func stateWords(state string) string {
	if state == StateReportOnly {
		return "report-only"
	}
	return state
}

// asks says what the policy does to those it holds, in Microsoft's own words.
func asks(p Policy) string {
	var what []string
	grants := slices.Concat(p.GrantControls, p.OtherGrants)
	if p.AuthenticationStrength != "" {
		grants = append(grants, "an authentication strength")
	}
	if len(grants) > 0 {
		what = append(what, "asks for "+strings.Join(grants, ", "))
	}
	if slices.Contains(p.GrantControls, "block") {
		what = []string{"blocks"}
	}
	if len(p.SessionControls) > 0 {
		what = append(what, "limits sessions by "+strings.Join(p.SessionControls, ", "))
	}
	words := strings.Join(what, " and ")
	if risks := slices.DeleteFunc(slices.Clone(p.Narrowing), func(n string) bool { return !strings.Contains(strings.ToLower(n), "risk") }); len(risks) > 0 {
		words += ", by " + strings.Join(risks, ", ")
	}
	return words
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

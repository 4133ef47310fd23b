package rollout

import (
	mathbits "math/bits"
	"slices"
	"strings"
)

// Subject is an account as a Conditional Access policy sees it.
type Subject struct {
	ID            string
	Guest         []GuestKind // what it may be, see [GuestKinds]; empty: no guest
	ActiveRoles   []string    // role template ids held tenant-wide
	EligibleRoles []string    // those that Privileged Identity Management can activate
	Groups        []string    // ids of the groups that hold it, transitively; [Reach] finds them itself
}

// Reach says how a policy stands to an account: its users, groups (opened
// transitively), roles and guest types, exclusions first, since exclusion wins.
// It looks at whom the policy addresses, not at its state or its conditions.
// What cannot be worked out proves nothing: a group that could not be opened,
// guests of a kind or a tenant that the directory does not show.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/concept-conditional-access-users-groups
func Reach(p Policy, s Subject, groups map[string]Group) PolicyVerdict {
	facts := map[string]GroupFacts{}
	s.Groups = nil
	for _, id := range slices.Concat(p.ExcludeGroups, p.IncludeGroups) {
		g, known := groups[id]
		if !known {
			continue
		}
		f := GroupFacts{ID: id, DisplayName: g.DisplayName, Opened: g.Opened}
		if containsFold(g.Members, s.ID) {
			s.Groups = append(s.Groups, id)
			f.DisplayName = way(groups, id, s.ID)
		}
		facts[id] = f
	}
	return reachIn(p, s, facts)
}

// reachIn is Reach where the subject says which groups hold it.
func reachIn(p Policy, s Subject, groups map[string]GroupFacts) PolicyVerdict {
	x := newIndex()
	u := newAudience(p, groups, x)
	a := x.of(s)
	r := u.judge(&a)
	return PolicyVerdict{ID: p.ID, Name: p.DisplayName, State: p.State, Verdict: r.verdict, Path: u.path(r, x)}
}

// audience is whom a policy addresses.
type audience struct {
	include, exclude side
	// joinable: who is not in it today can be tomorrow, by a group or a role.
	joinable bool
}

func newAudience(p Policy, groups map[string]GroupFacts, x *index) *audience {
	u := &audience{joinable: len(p.IncludeGroups) > 0 || len(p.IncludeRoles) > 0}
	u.include.includes, u.include.everybody = true, containsFold(p.IncludeUsers, "All")
	u.include.guests = newGuestList(p.IncludeUsers, p.IncludeGuests, p.someTenants(includedGuests))
	u.exclude.guests = newGuestList(p.ExcludeUsers, p.ExcludeGuests, p.someTenants(excludedGuests))
	// The index numbers what it meets first lowest, and the lowest number that
	// holds an account is the reason given: an id says more than a group.
	u.exclude.name(x, theUser, p.ExcludeUsers)
	u.include.name(x, theUser, p.IncludeUsers)
	u.exclude.name(x, theRole, p.ExcludeRoles)
	u.include.name(x, theRole, p.IncludeRoles)
	u.exclude.nameGroups(x, groups, p.ExcludeGroups)
	u.include.nameGroups(x, groups, p.IncludeGroups)
	return u
}

// side is one half of an audience: whom the policy includes, or excludes.
type side struct {
	includes  bool // or excludes
	everybody bool
	named     bits // users, roles, and those groups that were opened
	guests    guestList
	closed    string // a group that could not be opened; empty: none
}

func (h *side) name(x *index, t thing, ids []string) {
	for _, id := range ids {
		h.named.add(x.number(t, id, id))
	}
}

func (h *side) nameGroups(x *index, groups map[string]GroupFacts, ids []string) {
	for _, id := range ids {
		if g, known := groups[id]; known && g.Opened {
			h.named.add(x.number(theGroup, id, nameOr(g.DisplayName, id)))
		} else {
			h.closed = id
		}
	}
}

// holding says whether a side holds an account.
type holding struct {
	holds Fact
	by    int   // the number of what it is held by, or one of the two below
	later bool  // only while a role is active that the account can activate
	doubt doubt // why it is Unknown
}

const (
	byAll   = -1
	asGuest = -2
)

// doubt is why nobody can say whether a side holds an account.
type doubt uint8

const (
	doubtGroup doubt = iota
	doubtGuests
)

// String says it in the words of [NarrowedBy].
func (d doubt) String() string {
	if d == doubtGroup {
		return "a group that could not be opened"
	}
	return "guests of some types or tenants only"
}

// holds looks for proof first. A role that is only eligible includes, since it
// can be active at any time, and never excludes, for the same reason.
func (h *side) holds(a *attributes) holding {
	if h.everybody {
		return holding{holds: Yes, by: byAll}
	}
	if n := h.named.shared(a.held); n >= 0 {
		return holding{holds: Yes, by: n}
	}
	guest := h.guests.holds(a.guest)
	if guest == Yes {
		return holding{holds: Yes, by: asGuest}
	}
	if h.includes {
		if n := h.named.shared(a.eligible); n >= 0 {
			return holding{holds: Yes, by: n, later: true}
		}
	}
	switch {
	case h.closed != "":
		return holding{holds: Unknown, doubt: doubtGroup}
	case guest == Unknown:
		return holding{holds: Unknown, doubt: doubtGuests}
	}
	return holding{holds: No}
}

// ruling is how a policy stands to an account, and why.
type ruling struct {
	verdict Verdict
	in, out holding
}

func (u *audience) judge(a *attributes) ruling {
	r := ruling{out: u.exclude.holds(a)}
	if r.out.holds == Yes {
		r.verdict = VerdictExcluded
		return r
	}
	r.in = u.include.holds(a)
	switch {
	case r.in.holds == Unknown, r.in.holds == Yes && r.out.holds == Unknown:
		r.verdict = VerdictUnresolvable
	case r.in.holds == Yes:
		r.verdict = VerdictInside
	case u.joinable:
		r.verdict = VerdictDepends
	default:
		r.verdict = VerdictNotAddressed
	}
	return r
}

// The words of the evidence that others read again.
const (
	excludedBy   = "excluded "
	throughGroup = "through group "
	throughRole  = "through role "
)

// path says in words how the ruling came about.
func (u *audience) path(r ruling, x *index) []string {
	switch r.verdict {
	case VerdictExcluded:
		return []string{excludedBy + x.reason(r.out)}
	case VerdictDepends:
		return []string{"not in the included groups and roles today"}
	case VerdictNotAddressed:
		return []string{"the policy names neither the account nor a set that holds it"}
	}
	var path []string
	switch {
	case r.in.holds == Yes && r.in.by == byAll:
		path = append(path, "includes all users")
	case r.in.holds == Yes:
		path = append(path, "included "+x.reason(r.in))
	default:
		path = append(path, "included "+u.include.openQuestion(r.in))
	}
	if r.out.holds == Unknown {
		path = append(path, "exclusion "+u.exclude.openQuestion(r.out))
	}
	return path
}

func (h *side) openQuestion(unknown holding) string {
	if unknown.doubt == doubtGroup {
		return "group " + h.closed + " could not be opened"
	}
	return "of " + unknown.doubt.String()
}

func nameOr(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

// thing is what an id is of.
type thing uint8

const (
	theUser thing = iota
	theRole
	theGroup
)

type attribute struct {
	thing thing
	id    string // lower case
}

// index numbers everything that policies name, so that whether a policy names
// anything that an account has is one look at two sets of bits.
type index struct {
	numbers map[attribute]int
	reasons []string // by number
}

func newIndex() *index { return &index{numbers: map[attribute]int{}} }

func (x *index) number(t thing, id, name string) int {
	key := attribute{t, strings.ToLower(id)}
	if n, known := x.numbers[key]; known {
		return n
	}
	reason := "by id"
	switch t {
	case theRole:
		reason = throughRole + roleName(name)
	case theGroup:
		reason = throughGroup + name
	}
	n := len(x.reasons)
	x.numbers[key], x.reasons = n, append(x.reasons, reason)
	return n
}

// reason says by what a side holds an account.
func (x *index) reason(h holding) string {
	switch {
	case h.by == asGuest:
		return "as a guest"
	case h.later:
		return x.reasons[h.by] + ", once it is activated"
	}
	return x.reasons[h.by]
}

// attributes are what an account has of all that policies name.
type attributes struct {
	held     bits // itself, its active roles, its groups
	eligible bits // its eligible roles
	guest    kindSet
}

func (x *index) of(s Subject) attributes {
	a := attributes{held: make(bits, len(x.reasons)/64+1), guest: kindsOf(s.Guest)}
	find := func(set *bits, t thing, id string) {
		if n, known := x.numbers[attribute{t, strings.ToLower(id)}]; known {
			set.add(n)
		}
	}
	find(&a.held, theUser, s.ID)
	for _, id := range s.ActiveRoles {
		find(&a.held, theRole, id)
	}
	for _, id := range s.Groups {
		find(&a.held, theGroup, id)
	}
	for _, id := range s.EligibleRoles {
		find(&a.eligible, theRole, id)
	}
	return a
}

// bits is a set of small numbers.
type bits []uint64

func (b *bits) add(n int) {
	for len(*b) <= n/64 {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

// shared returns the smallest number that both sets hold, or -1.
func (b bits) shared(other bits) int {
	for i := range min(len(b), len(other)) {
		if both := b[i] & other[i]; both != 0 {
			return i*64 + mathbits.TrailingZeros64(both)
		}
	}
	return -1
}

package rollout

import (
	"slices"
	"strings"
)

// Enforcement is how far MFA is demanded of one account by what is enabled
// today, and by what Microsoft will enable by itself.
type Enforcement struct {
	Demand     Demand
	DemandedBy []string     // policy ids, or "securityDefaults"
	NarrowedBy []NarrowedBy // why a policy demands it only sometimes, or perhaps
	Upcoming   []Upcoming
}

// Evaluator works out what is enforced, account by account. It is made once for
// a tenant, and may be asked by several at the same time.
type Evaluator struct {
	index            *index
	enabled          []demand
	upcoming         []demand
	securityDefaults bool
}

// demand is a policy that demands MFA of its audience.
type demand struct {
	*audience
	policy   string
	narrowed []NarrowedBy // for everybody in the audience
	from     Date         // of a managed policy: the earliest day it is on
}

// NewEvaluator reads the policies of a tenant. groups are those that the
// policies name; one that is missing or was not opened proves nothing.
func NewEvaluator(policies []Policy, groups map[string]GroupFacts, securityDefaults bool) *Evaluator {
	e := &Evaluator{index: newIndex(), securityDefaults: securityDefaults}
	for _, p := range policies {
		demands, narrowed := DemandsMFA(p)
		from, turnsOn := TurnsOn(p)
		// Report-only never counts.
		if !demands || (p.State != StateEnabled && !turnsOn) {
			continue
		}
		d := demand{audience: newAudience(p, groups, e.index), policy: p.ID, from: from}
		for _, n := range narrowed {
			// Guests of some tenants only: that narrows nothing for anybody else, and
			// the audience knows of it.
			if n != includedGuests+externalTenants && n != excludedGuests+externalTenants {
				d.narrowed = append(d.narrowed, NarrowedBy{Policy: p.ID, By: n})
			}
		}
		if turnsOn {
			e.upcoming = append(e.upcoming, d)
		} else {
			e.enabled = append(e.enabled, d)
		}
	}
	return e
}

// Evaluate works out what is demanded of an account, policy by policy: two that
// each demand MFA sometimes are never taken for one that always does.
//
// Security Defaults ask everybody to register, administrators at every sign-in
// and others when Microsoft sees a need; that counts as always. They spare the
// account that synchronises a directory.
// Source: https://learn.microsoft.com/entra/fundamentals/security-defaults
func (e *Evaluator) Evaluate(s Subject) Enforcement {
	a := e.index.of(s)
	// Almost all answers fit, so that each list is allotted once and to measure.
	var ids [32]string
	var narrowings [32]NarrowedBy
	demand, by, narrowedBy, upcoming := DemandNo, ids[:0], narrowings[:0], []Upcoming{}
	if e.securityDefaults && !containsFold(s.ActiveRoles, RoleDirectorySync) {
		demand, by = DemandAlways, append(by, "securityDefaults")
	}
	for i := range e.enabled {
		d := &e.enabled[i]
		r := d.judge(&a)
		if !r.reaches() {
			continue
		}
		before := len(narrowedBy)
		by = append(by, d.policy)
		narrowedBy = r.appendDoubts(append(narrowedBy, d.narrowed...), d.policy)
		switch {
		case len(narrowedBy) == before:
			demand = DemandAlways
		case demand == DemandNo:
			demand = DemandPartly
		}
	}
	for i := range e.upcoming {
		if d := &e.upcoming[i]; d.judge(&a).reaches() {
			upcoming = append(upcoming, Upcoming{Policy: d.policy, From: d.from})
		}
	}
	return Enforcement{
		Demand:     demand,
		DemandedBy: append(make([]string, 0, len(by)), by...),
		NarrowedBy: append(make([]NarrowedBy, 0, len(narrowedBy)), narrowedBy...),
		Upcoming:   upcoming,
	}
}

// reaches reports whether the policy stops the account, or may.
func (r ruling) reaches() bool {
	return r.verdict == VerdictInside || r.verdict == VerdictUnresolvable
}

// appendDoubts appends why the policy reaches the account only sometimes, or
// perhaps not at all.
func (r ruling) appendDoubts(list []NarrowedBy, policy string) []NarrowedBy {
	if r.in.later {
		list = append(list, NarrowedBy{policy, "only while the role is active"})
	}
	if r.in.holds == Unknown {
		list = append(list, NarrowedBy{policy, r.in.doubt.String()})
	}
	if r.out.holds == Unknown && (r.in.holds != Unknown || r.out.doubt != r.in.doubt) {
		list = append(list, NarrowedBy{policy, r.out.doubt.String()})
	}
	return list
}

// DemandsMFA reports whether the policy's grant asks for MFA when it applies, and
// names what narrows that: other controls that satisfy it too, and conditions.
// A policy that blocks asks for nothing; nor does one about no application at
// all, about user actions or authentication contexts: none of these is asked
// for at sign-in. Client apps that are not configured are all of them.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/concept-conditional-access-conditions#client-apps
func DemandsMFA(p Policy) (demands bool, narrowed []string) {
	mfa := containsFold(p.GrantControls, "mfa") || p.AuthenticationStrength != ""
	if !mfa || containsFold(p.GrantControls, "block") || !atSignIn(p) {
		return false, nil
	}
	// One control is enough unless the policy says that all are needed.
	if !strings.EqualFold(p.GrantOperator, "AND") {
		for _, c := range slices.Concat(p.GrantControls, p.OtherGrants) {
			if !strings.EqualFold(c, "mfa") {
				narrowed = append(narrowed, "or "+c)
			}
		}
	}
	if !containsFold(p.IncludeApplications, "All") || len(p.ExcludeApplications) > 0 {
		narrowed = append(narrowed, "applications")
	}
	if len(p.IncludeUserActions) > 0 {
		narrowed = append(narrowed, "userActions")
	}
	if len(p.AuthContexts) > 0 {
		narrowed = append(narrowed, "authenticationContexts")
	}
	if len(p.ClientAppTypes) > 0 && !containsFold(p.ClientAppTypes, "all") {
		narrowed = append(narrowed, "clientAppTypes")
	}
	return true, append(narrowed, p.Narrowing...)
}

// atSignIn reports whether the policy is about any application: by name, or by
// an attribute that a filter looks at.
func atSignIn(p Policy) bool {
	return containsFold(p.Narrowing, "applicationFilter") ||
		slices.ContainsFunc(p.IncludeApplications, func(id string) bool { return !strings.EqualFold(id, "None") })
}

package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// This file works out once more, in the slowest and plainest way, how a policy
// stands to an account and what is demanded of it. It shares no code with the
// evaluator, and its way is another: whatever is not known, it tries everything
// that might be, and looks whether that makes a difference.

// standing is how a policy stands to an account.
type standing struct {
	verdict rollout.Verdict
	doubts  []string // why it may not stop the account at every sign-in
}

func standingByTrying(p rollout.Policy, s rollout.Subject, opened func(group string) bool) standing {
	included := half{
		all: has(p.IncludeUsers, "All"), users: p.IncludeUsers, groups: p.IncludeGroups, roles: p.IncludeRoles, types: p.IncludeGuests,
		someTenants: has(p.Narrowing, "users.includeGuestsOrExternalUsers.externalTenants"),
	}
	excluded := half{
		users: p.ExcludeUsers, groups: p.ExcludeGroups, roles: p.ExcludeRoles, types: p.ExcludeGuests,
		someTenants: has(p.Narrowing, "users.excludeGuestsOrExternalUsers.externalTenants"),
	}
	in := included.try(s, slices.Concat(s.ActiveRoles, s.EligibleRoles), opened)
	inToday := included.try(s, s.ActiveRoles, opened)
	out := excluded.try(s, s.ActiveRoles, opened)

	var doubts []string
	if !in.canBeOut && inToday.canBeOut {
		doubts = append(doubts, "only while the role is active")
	}
	if in.canBeIn && in.canBeOut {
		doubts = append(doubts, included.doubt(opened))
	}
	if out.canBeIn && out.canBeOut {
		doubts = append(doubts, excluded.doubt(opened))
	}
	slices.Sort(doubts)
	doubts = slices.Compact(doubts)

	canStop := in.canBeIn && out.canBeOut
	canSpare := in.canBeOut || out.canBeIn
	switch {
	case !out.canBeOut:
		return standing{rollout.VerdictExcluded, nil}
	case canStop && canSpare:
		return standing{rollout.VerdictUnresolvable, doubts}
	case canStop:
		return standing{rollout.VerdictInside, doubts}
	case len(p.IncludeGroups)+len(p.IncludeRoles) > 0:
		return standing{rollout.VerdictDepends, nil}
	}
	return standing{rollout.VerdictNotAddressed, nil}
}

// half is whom a policy includes, or whom it excludes.
type half struct {
	all                         bool
	users, groups, roles, types []string
	someTenants                 bool
}

type outcomes struct{ canBeIn, canBeOut bool }

func (h half) try(s rollout.Subject, roles []string, opened func(string) bool) (o outcomes) {
	kinds := []string{"none", "internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember"}
	var possible []string
	for _, k := range s.Guest {
		if has(kinds, string(k)) {
			possible = append(possible, string(k))
		} else {
			possible = kinds
			break
		}
	}
	if len(s.Guest) == 0 {
		possible = []string{"none"}
	}
	for _, kind := range possible {
		for _, ofTheTenants := range []bool{false, true} {
			for _, ofTheStrangeType := range []bool{false, true} {
				for _, inTheClosedGroups := range []bool{false, true} {
					if h.holds(s, roles, opened, kind, ofTheTenants, ofTheStrangeType, inTheClosedGroups) {
						o.canBeIn = true
					} else {
						o.canBeOut = true
					}
				}
			}
		}
	}
	return o
}

func (h half) holds(s rollout.Subject, roles []string, opened func(string) bool, kind string, ofTheTenants, ofTheStrangeType, inTheClosedGroups bool) bool {
	guest := kind != "none"
	if h.all || has(h.users, s.ID) || (guest && has(h.users, "GuestsOrExternalUsers")) {
		return true
	}
	for _, t := range h.types {
		documented := has([]string{
			"none", "internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember", "b2bDirectConnectUser", "otherExternalUser", "serviceProvider",
		}, t)
		switch {
		case !documented && guest && ofTheStrangeType:
			return true
		case guest && strings.EqualFold(t, kind) && (ofTheTenants || !h.someTenants):
			return true
		}
	}
	for _, r := range h.roles {
		if has(roles, r) {
			return true
		}
	}
	for _, g := range h.groups {
		if opened(g) && has(s.Groups, g) || !opened(g) && inTheClosedGroups {
			return true
		}
	}
	return false
}

func (h half) doubt(opened func(string) bool) string {
	for _, g := range h.groups {
		if !opened(g) {
			return "a group that could not be opened"
		}
	}
	return "guests of some types or tenants only"
}

// enforcementByTrying says what is demanded, one line for each fact.
func enforcementByTrying(policies []rollout.Policy, s rollout.Subject, opened func(string) bool, defaults bool) []string {
	var by, narrowed, upcoming []string
	always := false
	if defaults && !has(s.ActiveRoles, "d29b2b05-8046-44ba-8758-1e26182fcf32") {
		by, always = append(by, "securityDefaults"), true
	}
	for _, p := range policies {
		stand := standingByTrying(p, s, opened)
		if stand.verdict != rollout.VerdictInside && stand.verdict != rollout.VerdictUnresolvable {
			continue
		}
		if !has(p.GrantControls, "mfa") && p.AuthenticationStrength == "" || has(p.GrantControls, "block") {
			continue
		}
		someApplication := has(p.Narrowing, "applicationFilter")
		for _, a := range p.IncludeApplications {
			someApplication = someApplication || strings.ToLower(a) != "none"
		}
		if !someApplication {
			continue
		}
		managed := strings.HasPrefix(strings.ToLower(p.DisplayName), "microsoft-managed:") || p.TemplateID == managedTemplate
		if p.State == "enabledForReportingButNotEnforced" && managed {
			from := ""
			if !p.Created.IsZero() {
				from = p.Created.Add(45 * 24 * time.Hour).Format("2006-01-02")
			}
			upcoming = append(upcoming, "upcoming "+p.ID+" from "+from)
		}
		if p.State != "enabled" {
			continue
		}
		by = append(by, p.ID)

		why := slices.Clone(stand.doubts)
		for _, c := range append(slices.Clone(p.GrantControls), p.OtherGrants...) {
			if strings.ToLower(c) != "mfa" && strings.ToUpper(p.GrantOperator) != "AND" {
				why = append(why, "or "+c)
			}
		}
		for _, c := range p.Narrowing {
			if !strings.HasSuffix(c, ".externalTenants") {
				why = append(why, c)
			}
		}
		for reason, holds := range map[string]bool{
			"applications":           !has(p.IncludeApplications, "All") || len(p.ExcludeApplications) != 0,
			"userActions":            len(p.IncludeUserActions) != 0,
			"authenticationContexts": len(p.AuthContexts) != 0,
			"clientAppTypes":         len(p.ClientAppTypes) != 0 && !has(p.ClientAppTypes, "all"),
		} {
			if holds {
				why = append(why, reason)
			}
		}
		if len(why) == 0 {
			always = true
		}
		for _, reason := range why {
			narrowed = append(narrowed, "narrowed "+p.ID+" by "+reason)
		}
	}
	demand := rollout.DemandNo
	switch {
	case always:
		demand = rollout.DemandAlways
	case len(by) > 0:
		demand = rollout.DemandPartly
	}
	slices.Sort(narrowed)
	return slices.Concat([]string{fmt.Sprintf("%s by %v", demand, by)}, narrowed, upcoming)
}

// spelled writes an Enforcement in the same lines.
func spelled(e rollout.Enforcement) []string {
	var narrowed, upcoming []string
	for _, n := range e.NarrowedBy {
		narrowed = append(narrowed, "narrowed "+n.Policy+" by "+n.By)
	}
	for _, u := range e.Upcoming {
		upcoming = append(upcoming, "upcoming "+u.Policy+" from "+u.From.String())
	}
	slices.Sort(narrowed)
	return slices.Concat([]string{fmt.Sprintf("%s by %v", e.Demand, e.DemandedBy)}, narrowed, upcoming)
}

func has(list []string, wanted string) bool {
	for _, x := range list {
		if strings.ToLower(x) == strings.ToLower(wanted) { //nolint:staticcheck // on purpose not the way of the evaluator
			return true
		}
	}
	return false
}

const managedTemplate = "4200930c-0da2-4e33-ca01-000000000007"

// few draws a short list without repetition, empty more often than not.
func few(t *rapid.T, name string, from ...string) []string {
	if rapid.Bool().Draw(t, "no "+name) {
		return nil
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 3, rapid.ID[string]).Draw(t, name)
}

func guestKinds() *rapid.Generator[[]rollout.GuestKind] {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]rollout.GuestKind{
		rollout.NotGuest, rollout.InternalGuest, rollout.B2BCollaborationGuest, rollout.B2BCollaborationMember, "stowaway",
	}), 0, 2, rapid.ID[rollout.GuestKind])
}

func drawSubject(t *rapid.T) rollout.Subject {
	return rollout.Subject{
		ID: rapid.SampledFrom([]string{"u1", "U1"}).Draw(t, "id"), Guest: guestKinds().Draw(t, "kinds"),
		ActiveRoles: few(t, "active", "r1", "R2", rollout.RoleDirectorySync), EligibleRoles: few(t, "eligible", "r1", "r2", rollout.RoleDirectorySync),
		Groups: few(t, "groups", "g1", "G2", "g3", "g4"),
	}
}

// drawPolicy draws one that demands MFA of everybody everywhere, and then turns
// some of its fields into anything.
func drawPolicy(t *rapid.T) rollout.Policy {
	types := []string{"internalGuest", "B2BCollaborationGuest", "b2bCollaborationMember", "b2bDirectConnectUser", "otherExternalUser", "none", "unknownFutureValue"}
	p := rollout.Policy{
		DisplayName:   rapid.SampledFrom([]string{"Ours", "Microsoft-managed: x", "MICROSOFT-managed:"}).Draw(t, "name"),
		TemplateID:    rapid.SampledFrom([]string{"", "c7503427-338e-4c5e-902d-abe252abfb43", managedTemplate}).Draw(t, "template"),
		State:         rapid.SampledFrom([]string{rollout.StateEnabled, rollout.StateEnabled, rollout.StateReportOnly, rollout.StateDisabled, "unknownFutureValue"}).Draw(t, "state"),
		IncludeUsers:  rapid.SampledFrom([][]string{{"All"}, nil, {"all"}, {"None"}, {"u1"}, {"U1", "u2"}, {"u2"}, {"guestsOrExternalUsers"}}).Draw(t, "includeUsers"),
		ExcludeUsers:  few(t, "excludeUsers", "u1", "u2", "All", "GuestsOrExternalUsers"),
		IncludeGroups: few(t, "includeGroups", "g1", "g2", "g3"), ExcludeGroups: few(t, "excludeGroups", "g1", "g2", "g3"),
		IncludeRoles: few(t, "includeRoles", "R1", "r2", "u1"), ExcludeRoles: few(t, "excludeRoles", "R1", "r2", "g1"),
		IncludeGuests: few(t, "includeGuests", types...), ExcludeGuests: few(t, "excludeGuests", types...),
		IncludeApplications: []string{"All"}, ClientAppTypes: []string{"all"}, GrantControls: []string{"mfa"}, GrantOperator: "OR",
		Narrowing: few(
			t, "narrowing", "locations", "platforms", "applicationFilter", "users.includeRobots",
			"users.includeGuestsOrExternalUsers.externalTenants", "users.excludeGuestsOrExternalUsers.externalTenants",
		),
	}
	if rapid.Bool().Draw(t, "dated") {
		p.Created = time.Date(2026, 12, 1, 23, 30, 0, 0, time.UTC)
	}
	if rapid.Bool().Draw(t, "other applications") {
		p.IncludeApplications = few(t, "includeApplications", "all", "None", "Office365", "app")
		p.ExcludeApplications = few(t, "excludeApplications", "app")
		p.IncludeUserActions = few(t, "userActions", "urn:user:registerdevice")
		p.AuthContexts = few(t, "contexts", "c1")
		p.ClientAppTypes = few(t, "clientAppTypes", "ALL", "browser", "other")
	}
	if rapid.Bool().Draw(t, "other grants") {
		p.GrantOperator = rapid.SampledFrom([]string{"", "or", "AND", "and", "XOR"}).Draw(t, "operator")
		p.GrantControls = few(t, "controls", "MFA", "mfa", "block", "compliantDevice", "riskRemediation")
		p.OtherGrants = few(t, "otherGrants", "termsOfUse")
		p.AuthenticationStrength = rapid.SampledFrom([]string{"", "strength"}).Draw(t, "strength")
		p.SessionControls = few(t, "session", "signInFrequency")
	}
	return p
}

// evaluatorAgainstTrying draws a small tenant and a subject, and returns the
// lines on which both ways agree.
func evaluatorAgainstTrying(t *rapid.T) []string {
	policies := make([]rollout.Policy, rapid.IntRange(0, 3).Draw(t, "policies"))
	for i := range policies {
		policies[i] = drawPolicy(t)
		policies[i].ID = fmt.Sprintf("p%d", i+1)
	}
	s := drawSubject(t)
	groups := map[string]rollout.GroupFacts{}
	for _, id := range []string{"g1", "g2"} { // g3 was never read
		groups[id] = rollout.GroupFacts{ID: id, Opened: rapid.Bool().Draw(t, id+" opened")}
	}
	defaults := rapid.IntRange(0, 9).Draw(t, "defaults") == 0
	got := spelled(rollout.NewEvaluator(policies, groups, defaults).Evaluate(s))
	want := enforcementByTrying(policies, s, func(id string) bool { return groups[id].Opened }, defaults)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-tried +evaluated):\n%s", diff)
	}
	return got
}

func TestEvaluatorAgainstTrying(t *testing.T) {
	seen := map[string]int{}
	often(t, func(t *rapid.T) {
		for _, line := range evaluatorAgainstTrying(t) {
			first, _, _ := strings.Cut(line, " ")
			seen[first]++
			if _, reason, found := strings.Cut(line, " by "); found && first == "narrowed" {
				seen[reason]++
			}
		}
	})
	for _, must := range []string{
		"always", "partly", "no", "upcoming", "applications", "applicationFilter", "clientAppTypes", "locations", "or compliantDevice", "or termsOfUse",
		"only while the role is active", "a group that could not be opened", "guests of some types or tenants only",
	} {
		if seen[must] == 0 {
			t.Errorf("no tenant came to %q: nothing was proven", must)
		}
	}
}

// often checks a property that takes microseconds as often as one that takes a
// tenth of a second is checked in the same time.
func often(t *testing.T, property func(*rapid.T)) {
	for range 100 {
		rapid.Check(t, property)
	}
}

// FuzzEvaluator is best run with -fuzzminimizetime 10x: to make a random tenant
// smaller takes a fuzzer longer than to find the next.
func FuzzEvaluator(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { evaluatorAgainstTrying(t) }))
}

package tenant

import (
	"slices"
	"strings"
)

// This file is what Microsoft's policy engine does, as far as the simulation
// needs it.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/concept-conditional-access-policies

// addresses reports whether a policy is about a user at all: included and not
// excluded. Exclusion wins.
func (t *Tenant) addresses(p Object, id string) bool {
	users := object(p, "conditions", "users")
	return t.among(users, "include", id) && !t.among(users, "exclude", id)
}

// among reports whether one side (include or exclude) of a policy's users holds
// a user. What is no id, keyword or known group holds nobody.
func (t *Tenant) among(users Object, side, id string) bool {
	named := list(users, side+"Users")
	u, _ := t.users.get(id)
	guest := strings.EqualFold(text(u, "userType"), "guest")
	switch {
	case holds(named, "All"), holds(named, id), guest && holds(named, "GuestsOrExternalUsers"):
		return true
	case t.hasRole(id, list(users, side+"Roles")):
		return true
	}
	for _, g := range list(users, side+"Groups") {
		if t.closure(g)[strings.ToLower(id)] {
			return true
		}
	}
	if kinds := text(users, side+"GuestsOrExternalUsers", "guestOrExternalUserTypes"); kinds != "" {
		return holds(strings.Split(kinds, ","), externalKind(u))
	}
	return false
}

// externalKind says what sort of outsider an account is, or none.
func externalKind(u Object) string {
	guest := strings.EqualFold(text(u, "userType"), "guest")
	invited := text(u, "creationType") == "Invitation" || strings.Contains(text(u, "userPrincipalName"), "#EXT#")
	switch {
	case guest && invited:
		return "b2bCollaborationGuest"
	case guest:
		return "internalGuest"
	case invited:
		return "b2bCollaborationMember"
	default:
		return "none"
	}
}

// meets reports whether a sign-in meets the conditions of a policy other than
// whom it is about.
func meets(p Object, a Attempt) bool {
	c := object(p, "conditions")
	return meetsApplications(object(c, "applications"), a) &&
		meetsClient(list(c, "clientAppTypes"), a) &&
		meetsLists(object(c, "platforms"), "Platforms", "all", func(s string) bool { return strings.EqualFold(s, a.Platform) }) &&
		meetsLists(object(c, "locations"), "Locations", "All", func(s string) bool {
			return s == "AllTrusted" && a.Trusted || holds(a.Locations, s)
		}) &&
		meetsRisk(list(c, "signInRiskLevels"), a.Risk) && meetsRisk(list(c, "userRiskLevels"), a.Risk) &&
		meetsFlow(text(c, "authenticationFlows", "transferMethods"), a) &&
		meetsDevice(object(c, "devices", "deviceFilter")) &&
		!slices.ContainsFunc(sortedKeys(c), func(k string) bool { return !judged[k] && !hollow(c[k]) })
}

// judged are the conditions that meets knows how to judge; one that is set and
// not among them (workload identities, agents, insider risk, whatever comes
// next) is taken as not met.
var judged = map[string]bool{
	"applications": true, "users": true, "clientAppTypes": true, "platforms": true, "locations": true, "devices": true,
	"signInRiskLevels": true, "userRiskLevels": true, "authenticationFlows": true,
}

func meetsApplications(apps Object, a Attempt) bool {
	if actions := list(apps, "includeUserActions"); len(actions) > 0 {
		return holds(actions, a.UserAction)
	}
	if a.UserAction != "" || len(list(apps, "includeAuthenticationContextClassReferences")) > 0 || !hollow(apps["applicationFilter"]) {
		return false
	}
	in := func(named []string) bool {
		return holds(named, a.AppID) ||
			holds(named, "Office365") && officeApps[a.AppID] || holds(named, "MicrosoftAdminPortals") && portalApps[a.AppID]
	}
	included := list(apps, "includeApplications")
	return (holds(included, "All") || in(included)) && !in(list(apps, "excludeApplications"))
}

// clientType is how a policy names the client of a sign-in row.
func (a Attempt) clientType() string {
	switch a.Client {
	case "", "Browser":
		return "browser"
	case "Mobile Apps and Desktop clients":
		return "mobileAppsAndDesktopClients"
	case "Exchange ActiveSync":
		return "exchangeActiveSync"
	default: // IMAP4, POP3, Authenticated SMTP, Other clients ...
		return "other"
	}
}

// legacy reports whether the client cannot show a prompt at all.
func (a Attempt) legacy() bool {
	c := a.clientType()
	return c == "exchangeActiveSync" || c == "other"
}

func meetsClient(types []string, a Attempt) bool {
	return len(types) == 0 || holds(types, "all") || holds(types, a.clientType()) ||
		holds(types, "easSupported") && a.clientType() == "exchangeActiveSync"
}

// meetsLists judges a condition of the shape includeX and excludeX.
func meetsLists(c Object, what, everything string, is func(string) bool) bool {
	if hollow(c) {
		return true
	}
	included := list(c, "include"+what)
	if !holds(included, everything) && !slices.ContainsFunc(included, is) {
		return false
	}
	return !slices.ContainsFunc(list(c, "exclude"+what), is)
}

func meetsRisk(levels []string, risk string) bool {
	return len(levels) == 0 || risk != "" && holds(levels, risk)
}

func meetsFlow(methods string, a Attempt) bool {
	return methods == "" || a.DeviceCode && holds(strings.Split(methods, ","), "deviceCodeFlow")
}

// meetsDevice takes a device filter for what it is to an unknown device: an
// include does not match it, an exclude does not spare it.
func meetsDevice(filter Object) bool { return filter == nil || text(filter, "mode") != "include" }

// need is what a policy asks of a sign-in that it applies to.
type need struct {
	failure  int      // error code of a control that cannot be met; 0: none
	prompt   bool     // MFA must be shown
	strength []string // and by one of these combinations; empty: any
}

// grant works out what a policy needs. claim reports whether the session
// already carries MFA by one of the combinations (any for none).
func grant(p Object, a Attempt, claim func([]string) bool) need {
	g := object(p, "grantControls")
	var met bool
	var open, failed []need
	judge := func(ok bool, n need) {
		switch {
		case ok:
			met = true
		case n.failure != 0:
			failed = append(failed, n)
		default:
			open = append(open, n)
		}
	}
	for _, control := range list(g, "builtInControls") {
		switch control {
		case "mfa":
			judge(claim(nil), need{prompt: true})
		case "block":
			return need{failure: 53003}
		case "compliantDevice":
			judge(a.Compliant, need{failure: 53000})
		case "domainJoinedDevice":
			judge(a.Joined, need{failure: 53001})
		default: // approved apps, password change, risk remediation, what is not known
			judge(false, need{failure: 530032})
		}
	}
	if s := object(g, "authenticationStrength"); s != nil {
		combinations := list(s, "allowedCombinations")
		if len(combinations) == 0 {
			combinations = []string{"a strength that nobody described"}
		}
		judge(claim(combinations), need{prompt: true, strength: combinations})
	}
	if len(list(g, "termsOfUse"))+len(list(g, "customAuthenticationFactors")) > 0 {
		met = true // taken as accepted
	}
	and := strings.EqualFold(text(g, "operator"), "AND")
	switch {
	case and && len(failed) > 0:
		return failed[0]
	case !and && met, len(open) == 0 && len(failed) == 0:
		return need{}
	case and && len(open) > 0:
		n := open[0]
		for _, o := range open {
			if len(o.strength) > 0 {
				n = o
			}
		}
		return n
	case len(open) > 0:
		return open[0]
	default:
		return failed[0]
	}
}

// canPass reports whether a person has a factor that satisfies the combinations
// (any for none).
func (t *Tenant) canPass(id string, combinations []string) bool {
	if len(combinations) == 0 {
		return t.capable(id)
	}
	return slices.ContainsFunc(t.factors(id), func(k MethodKind) bool {
		return slices.Contains(combinations, methodKinds[k].combination)
	})
}

// canPassDefaults is the same for Security Defaults, which take the
// Authenticator, one-time codes and what is better, and no phones.
func (t *Tenant) canPassDefaults(id string) bool {
	if given := t.person(id).given; given != nil && len(t.factors(id)) == 0 {
		return t.capable(id)
	}
	return slices.ContainsFunc(t.factors(id), func(k MethodKind) bool { return methodKinds[k].grade >= strong })
}

// Demand says how far MFA is demanded of an account.
type Demand string

// The demands. DemandPartly is a policy narrowed to some apps, clients, places
// or risks, or one that something else than MFA satisfies too.
const (
	DemandNo     Demand = "no"
	DemandPartly Demand = "partly"
	DemandAlways Demand = "always"
)

// DemandsMFA tells a witness how far MFA is demanded of an account by what is
// enabled as it is written now, and by what: policy ids, "securityDefaults" or
// "perUserMfa". An account that does not exist is asked for nothing.
func (t *Tenant) DemandsMFA(id string) (Demand, []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.users.get(id); !ok {
		return DemandNo, nil
	}
	demand, by := DemandNo, []string(nil)
	if t.defaultsOn() && !t.hasRole(id, []string{roleSync}) {
		demand, by = DemandAlways, append(by, "securityDefaults")
	}
	if t.person(id).perUser == "enforced" {
		demand, by = DemandAlways, append(by, "perUserMfa")
	}
	for _, p := range t.policies.all() {
		if text(p, "state") != StateEnabled || !t.addresses(p, id) {
			continue
		}
		switch asks, always := asksMFA(p); {
		case always:
			demand, by = DemandAlways, append(by, text(p, "id"))
		case asks:
			if demand == DemandNo {
				demand = DemandPartly
			}
			by = append(by, text(p, "id"))
		}
	}
	return demand, by
}

// asksMFA reports whether a policy asks for MFA, and whether it does so at
// every sign-in of those it is about.
func asksMFA(p Object) (asks, always bool) {
	g := object(p, "grantControls")
	controls := list(g, "builtInControls")
	asks = slices.Contains(controls, "mfa") || object(g, "authenticationStrength") != nil
	alone := !slices.ContainsFunc(controls, func(c string) bool { return c != "mfa" }) &&
		len(list(g, "termsOfUse"))+len(list(g, "customAuthenticationFactors")) == 0
	c := object(p, "conditions")
	apps := object(c, "applications")
	included := list(apps, "includeApplications")
	someApp := !hollow(apps["applicationFilter"]) || slices.ContainsFunc(included, func(id string) bool { return !strings.EqualFold(id, "None") })
	if !asks || !someApp || slices.Contains(controls, "block") {
		return false, false // what is about no application asks nothing of who signs in
	}
	wide := holds(included, "All") && len(list(apps, "excludeApplications")) == 0 && hollow(apps["applicationFilter"]) &&
		(len(list(c, "clientAppTypes")) == 0 || holds(list(c, "clientAppTypes"), "all"))
	for _, k := range sortedKeys(c) {
		switch k {
		case "applications", "users", "clientAppTypes": // judged above
		case "platforms":
			wide = wide && spansAll(object(c, k), "Platforms", "all")
		case "locations":
			wide = wide && spansAll(object(c, k), "Locations", "All")
		default:
			wide = wide && hollow(c[k])
		}
	}
	return true, wide && (alone || strings.EqualFold(text(g, "operator"), "AND"))
}

// spansAll reports whether a condition that meetsLists judges is met by every
// sign-in: it is not set, or includes everything and says nothing else.
func spansAll(c Object, what, everything string) bool {
	return hollow(c) || holds(list(c, "include"+what), everything) &&
		!slices.ContainsFunc(sortedKeys(c), func(k string) bool { return k != "include"+what && !hollow(c[k]) })
}

// Addresses tells a witness whether a policy, as it is written now, includes a
// user and does not exclude them, whatever its state.
func (t *Tenant) Addresses(policy, user string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.policies.get(policy)
	return ok && t.addresses(p, user)
}

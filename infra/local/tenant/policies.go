package tenant

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The states of a Conditional Access policy.
// Source: https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
const (
	StateEnabled    = "enabled"
	StateDisabled   = "disabled"
	StateReportOnly = "enabledForReportingButNotEnforced"
)

// version is what a policy was (nil: it did not exist) until an instant: the
// sign-in service goes on with it until the change has reached it.
type version struct {
	was   Object
	until time.Time
}

// AddPolicy puts a policy into the tenant, as if it had long been there, and
// returns its id.
func (t *Tenant) AddPolicy(p Object) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	p = cloneObject(p)
	if text(p, "id") == "" {
		p["id"] = t.newID("policy")
	}
	if _, has := p["createdDateTime"]; !has {
		p["createdDateTime"], p["modifiedDateTime"] = stamp(t.clock.Now()), nil
	}
	id := text(p, "id")
	t.policies.put(id, asRead(p))
	return id
}

// EditPolicy changes a policy the way another admin would: the change is read
// at once and decides about sign-ins later.
func (t *Tenant) EditPolicy(id string, edit func(Object)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.policies.get(id)
	if !ok {
		return fmt.Errorf("edit policy %s: %w", id, ErrUnknown)
	}
	changed := cloneObject(p)
	edit(changed)
	t.replacePolicy(id, changed)
	return nil
}

// SetPolicyState sets a policy's state, whatever else is true of the tenant.
func (t *Tenant) SetPolicyState(id, state string) error {
	return t.EditPolicy(id, func(p Object) { p["state"] = state })
}

// Exclude adds ids to a policy's exclusions; list is excludeUsers or
// excludeGroups.
func (t *Tenant) Exclude(id, list string, who ...string) error {
	return t.EditPolicy(id, func(p Object) {
		users := object(p, "conditions", "users")
		users[list] = anyList(append(stringsOf(users[list]), who...))
	})
}

// Unexclude takes ids out of a policy's exclusions, users and groups alike.
func (t *Tenant) Unexclude(id string, who ...string) error {
	return t.EditPolicy(id, func(p Object) {
		users := object(p, "conditions", "users")
		for _, list := range []string{"excludeUsers", "excludeGroups"} {
			left := slices.DeleteFunc(stringsOf(users[list]), func(e string) bool { return holds(who, e) })
			users[list] = anyList(left)
		}
	})
}

// DeletePolicy removes a policy.
func (t *Tenant) DeletePolicy(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.policies.get(id)
	if !ok {
		return fmt.Errorf("delete policy %s: %w", id, ErrUnknown)
	}
	t.replacePolicy(id, nil)
	t.record("Delete conditional access policy", "Policy", target("Policy", p, nil))
	return nil
}

// Policies returns every policy as it is read.
func (t *Tenant) Policies() []Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cloneAll(t.policies.all())
}

// Policy returns one policy as it is read.
func (t *Tenant) Policy(id string) (Object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.policies.get(id)
	if !ok {
		return nil, fmt.Errorf("policy %s: %w", id, ErrUnknown)
	}
	return cloneObject(p), nil
}

// replacePolicy makes p (nil: nothing) the policy of that id and remembers what
// was there until the change has spread.
func (t *Tenant) replacePolicy(id string, p Object) {
	key := strings.ToLower(id)
	was := t.policies.rows[key]
	now := t.clock.Now()
	past := t.versions[key]
	until := now.Add(part(t.behave.PoliciesWithin, t.seed, "policy", key, fmt.Sprint(len(past))))
	if n := len(past); n > 0 && past[n-1].until.After(until) {
		until = past[n-1].until
	}
	t.versions[key] = append(past, version{was: was, until: until})
	if p == nil {
		t.policies.remove(id)
		return
	}
	if was != nil {
		p["modifiedDateTime"] = stamp(now)
		t.record("Update conditional access policy", "Policy", target("Policy", p, map[string][2]any{"ConditionalAccessPolicy": {nil, nil}}))
	} else {
		t.record("Add conditional access policy", "Policy", target("Policy", p, nil))
	}
	t.policies.put(id, asRead(p))
}

// inForce lists the policies that decide about a sign-in at an instant, in the
// order of their coming; deleted ones that still linger come last.
func (t *Tenant) inForce(when time.Time) []Object {
	out := make([]Object, 0, t.policies.len())
	for _, id := range t.policies.ids {
		if p := t.versionAt(id, when); p != nil {
			out = append(out, p)
		}
	}
	for _, id := range sortedKeys(t.versions) {
		if _, live := t.policies.rows[id]; !live {
			if p := t.versionAt(id, when); p != nil {
				out = append(out, p)
			}
		}
	}
	return out
}

func (t *Tenant) versionAt(id string, when time.Time) Object {
	for _, v := range t.versions[id] {
		if when.Before(v.until) {
			return v.was
		}
	}
	return t.policies.rows[id]
}

// SecurityDefaults reports whether Security Defaults are on.
func (t *Tenant) SecurityDefaults() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.defaultsOn()
}

func (t *Tenant) defaultsOn() bool {
	on, _ := truth(t.defaults, "isEnabled")
	return on
}

// SetSecurityDefaults switches Security Defaults, whatever else is true.
func (t *Tenant) SetSecurityDefaults(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.defaults["isEnabled"] = on
}

// SetUpsell says what Microsoft is about to do with Security Defaults by itself
// (autoEnable, autoEnabledNotify); an empty action: nothing.
func (t *Tenant) SetUpsell(action string, due time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.upsell = nil
	if action != "" {
		t.upsell = Object{"action": action, "dueDateTime": stamp(due)}
	}
}

func newSecurityDefaults(on bool) Object {
	return Object{
		"id": "00000000-0000-0000-0000-000000000005", "displayName": "Security Defaults", "isEnabled": on,
		"description": "Basic identity security that Microsoft recommends for every organisation.",
	}
}

// asRead gives a policy the form in which Graph answers it, which is not the
// form in which it was posted: an operator over one control becomes OR, a
// strength becomes the whole object, lists are sorted, absent lists appear and
// empty conditions vanish, guest types take Microsoft's spelling. The meaning
// is the same.
func asRead(p Object) Object {
	p = cloneObject(p)
	for _, k := range []string{"description", "templateId", "sessionControls", "grantControls"} {
		if _, has := p[k]; !has {
			p[k] = nil
		}
	}
	conditions := object(p, "conditions")
	if conditions == nil {
		conditions = Object{}
		p["conditions"] = conditions
	}
	if len(list(conditions, "clientAppTypes")) == 0 {
		conditions["clientAppTypes"] = []any{"all"}
	}
	lists(conditions, "signInRiskLevels", "userRiskLevels", "clientAppTypes")
	if apps := object(conditions, "applications"); apps != nil {
		lists(apps, "includeApplications", "excludeApplications", "includeUserActions", "includeAuthenticationContextClassReferences")
	}
	if users := object(conditions, "users"); users != nil {
		lists(users, "includeUsers", "excludeUsers", "includeGroups", "excludeGroups", "includeRoles", "excludeRoles")
		for _, side := range []string{"includeGuestsOrExternalUsers", "excludeGuestsOrExternalUsers"} {
			if guests := object(users, side); guests != nil {
				guests["guestOrExternalUserTypes"] = guestTypes(text(guests, "guestOrExternalUserTypes"))
			} else {
				users[side] = nil
			}
		}
	}
	for _, k := range []string{"platforms", "locations", "devices", "clientApplications", "authenticationFlows", "insiderRiskLevels"} {
		if hollow(conditions[k]) {
			conditions[k] = nil
		}
	}
	if hollow(p["sessionControls"]) {
		p["sessionControls"] = nil
	}
	if grant := object(p, "grantControls"); grant != nil {
		grantAsRead(grant)
	}
	return p
}

func grantAsRead(grant Object) {
	lists(grant, "builtInControls", "customAuthenticationFactors", "termsOfUse")
	n := len(list(grant, "builtInControls")) + len(list(grant, "customAuthenticationFactors")) + len(list(grant, "termsOfUse"))
	if strength := object(grant, "authenticationStrength"); strength != nil {
		n++
		if whole, known := builtInStrength(text(strength, "id")); known {
			grant["authenticationStrength@odata.context"] = metadata + "identity/conditionalAccess/policies/$entity/grantControls/authenticationStrength/$entity"
			grant["authenticationStrength"] = whole
		}
	} else {
		grant["authenticationStrength"] = nil
	}
	if n <= 1 || text(grant, "operator") == "" {
		grant["operator"] = "OR"
	}
}

// lists makes each property a sorted list, empty where there was none.
func lists(o Object, properties ...string) {
	for _, p := range properties {
		sorted := stringsOf(o[p])
		slices.Sort(sorted)
		o[p] = anyList(sorted)
	}
}

// hollow reports whether a condition says nothing: null, or an object of
// nothing but nulls and empty lists.
func hollow(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	case Object:
		for _, e := range v {
			if !hollow(e) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

var guestSpelling = []string{"internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember", "b2bDirectConnectUser", "otherExternalUser", "serviceProvider"}

// guestTypes spells the comma-separated kinds of guests as Microsoft does and
// in its order; kinds that are not known stay as they are, at the end.
func guestTypes(posted string) string {
	var known, other []string
	given := strings.Split(posted, ",")
	for i := range given {
		given[i] = strings.TrimSpace(given[i])
	}
	for _, s := range guestSpelling {
		if holds(given, s) {
			known = append(known, s)
		}
	}
	for _, g := range given {
		if g != "" && !holds(guestSpelling, g) {
			other = append(other, g)
		}
	}
	return strings.Join(append(known, other...), ",")
}

// builtInStrength returns one of Microsoft's authentication strengths.
// Source: https://learn.microsoft.com/graph/api/authenticationstrengthroot-list-policies
func builtInStrength(id string) (Object, bool) {
	resistantOnly := []string{"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"}
	passwordless := append(slices.Clone(resistantOnly), "deviceBasedPush")
	anyMFA := append(slices.Clone(passwordless), "temporaryAccessPassOneTime", "temporaryAccessPassMultiUse",
		"password,microsoftAuthenticatorPush", "password,softwareOath", "password,hardwareOath", "password,sms", "password,voice", "federatedMultiFactor")
	var name string
	var combinations []string
	switch id {
	case "00000000-0000-0000-0000-000000000002":
		name, combinations = "Multifactor authentication", anyMFA
	case "00000000-0000-0000-0000-000000000003":
		name, combinations = "Passwordless MFA", passwordless
	case "00000000-0000-0000-0000-000000000004":
		name, combinations = "Phishing resistant MFA", resistantOnly
	default:
		return nil, false
	}
	return Object{
		"id": id, "displayName": name, "description": name + ", as Microsoft defines it.", "policyType": "builtIn", "requirementsSatisfied": "mfa",
		"createdDateTime": "2021-12-01T00:00:00Z", "modifiedDateTime": "2021-12-01T00:00:00Z",
		"allowedCombinations": anyList(combinations), "combinationConfigurations": []any{},
	}, true
}

func stringsOf(v any) []string { return slices.Clone(list(Object{"v": v}, "v")) }

func anyList(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}

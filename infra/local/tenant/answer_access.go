package tenant

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func (t *Tenant) listPolicies(c *call) answer {
	return t.list(c, listing{
		context: "identity/conditionalAccess/policies", rows: t.policies.all(),
		filters: map[string]string{"state": "eq", "displayName": "eq startswith", "id": "eq", "templateId": "eq"}, pageOf: 1000, most: 1000,
	})
}

func (t *Tenant) thePolicy(c *call) (Object, answer) {
	p, found := t.policies.get(c.vars["policy"])
	if !found {
		return nil, problem(http.StatusNotFound, "ResourceNotFound", c.vars["policy"]+" could not be found.")
	}
	return p, answer{}
}

func (t *Tenant) getPolicy(c *call) answer {
	p, a := t.thePolicy(c)
	if a.status != 0 {
		return a
	}
	return entity("identity/conditionalAccess/policies", p)
}

func (t *Tenant) createPolicy(c *call) answer {
	body, a := c.decode()
	if a.status == 0 {
		a = t.refusePolicy(body)
	}
	if a.status != 0 {
		return a
	}
	for _, k := range []string{"id", "createdDateTime", "modifiedDateTime", "@odata.type", "@odata.context"} {
		delete(body, k)
	}
	id := t.newID("policy")
	body["id"], body["createdDateTime"], body["modifiedDateTime"] = id, stamp(c.at), nil
	t.replacePolicy(id, body)
	p, _ := t.policies.get(id)
	made := entity("identity/conditionalAccess/policies", p)
	made.status = http.StatusCreated
	return made
}

// patchPolicy merges what is sent into the policy, object by object; a list
// that is sent replaces the list. A Microsoft-managed policy takes a state and
// exclusions only.
func (t *Tenant) patchPolicy(c *call) answer {
	p, a := t.thePolicy(c)
	if a.status != 0 {
		return a
	}
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	if _, renames := body["displayName"]; renames && managed(p) {
		return badQuery("1130: A Microsoft-managed policy cannot be renamed.")
	}
	changed := cloneObject(p)
	for _, k := range []string{"id", "createdDateTime", "modifiedDateTime", "@odata.type", "@odata.context"} {
		delete(body, k)
	}
	mergeInto(changed, body)
	if a := t.refusePolicy(changed); a.status != 0 {
		return a
	}
	t.replacePolicy(text(p, "id"), changed)
	return empty()
}

// managed reports whether Microsoft made the policy. Nothing in v1.0 says so but
// the name.
func managed(p Object) bool { return strings.HasPrefix(text(p, "displayName"), "Microsoft-managed: ") }

func mergeInto(into, from Object) {
	for k, v := range from {
		inner, isObject := v.(Object)
		if have := object(into, k); isObject && have != nil {
			mergeInto(have, inner)
			continue
		}
		into[k] = v
	}
}

func (t *Tenant) removePolicy(c *call) answer {
	p, a := t.thePolicy(c)
	if a.status != 0 {
		return a
	}
	if managed(p) {
		return badQuery("1131: A Microsoft-managed policy cannot be deleted.")
	}
	t.replacePolicy(text(p, "id"), nil)
	return empty()
}

// refusePolicy answers 400 or 403 for a policy that Graph would not take.
func (t *Tenant) refusePolicy(p Object) answer {
	state := text(p, "state")
	conditions := object(p, "conditions")
	users, apps := object(conditions, "users"), object(conditions, "applications")
	switch {
	case !t.premium():
		return problem(http.StatusForbidden, "AccessDenied", "Your tenant is not licensed for this feature.")
	case strings.TrimSpace(text(p, "displayName")) == "":
		return badQuery("1020: Policy must have a display name.")
	case !slices.Contains([]string{StateEnabled, StateDisabled, StateReportOnly}, state):
		return badQuery("1004: Invalid policy state '" + state + "'.")
	case users == nil || apps == nil:
		return badQuery("1021: Policy must contain users and applications.")
	case object(p, "grantControls") == nil && object(p, "sessionControls") == nil:
		return badQuery("1007: Policy must have grant or session controls.")
	case state == StateEnabled && t.defaultsOn():
		return badQuery("Security Defaults is enabled in the tenant. You must disable Security defaults before enabling a Conditional Access policy.")
	}
	return t.refuseNames(users)
}

// refuseNames answers 400 for users, groups and roles that are not there.
func (t *Tenant) refuseNames(users Object) answer {
	kinds := []struct {
		name  string
		words []string
		in    *table
	}{
		{"Users", []string{"All", "None", "GuestsOrExternalUsers"}, t.users},
		{"Groups", nil, t.groups},
		{"Roles", nil, t.definitions},
	}
	included := !hollow(users["includeGuestsOrExternalUsers"])
	for _, k := range kinds {
		for _, side := range []string{"include", "exclude"} {
			for _, id := range list(users, side+k.name) {
				included = included || side == "include"
				if _, known := k.in.get(id); !known && !slices.Contains(k.words, id) {
					return badQuery(fmt.Sprintf("1034: Policy contains invalid %s: {%s}.", strings.ToLower(k.name), id))
				}
			}
		}
	}
	if !included {
		return badQuery("1022: Policy must include users, groups or roles.")
	}
	return answer{}
}

func (t *Tenant) getDefaults(c *call) answer {
	o := maps.Clone(t.defaults)
	if c.version == "beta" {
		o["securityDefaultsUpsell"] = nil
		if t.upsell != nil {
			o["securityDefaultsUpsell"] = maps.Clone(t.upsell)
		}
	}
	o["@odata.context"] = metadata + "policies/identitySecurityDefaultsEnforcementPolicy/$entity"
	return ok(http.StatusOK, o)
}

func (t *Tenant) patchDefaults(c *call) answer {
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	on, has := truth(body, "isEnabled")
	if !has {
		return badQuery("isEnabled must be true or false.")
	}
	enforcing := slices.ContainsFunc(t.policies.all(), func(p Object) bool { return text(p, "state") == StateEnabled })
	if on && enforcing {
		return badQuery("Conditional Access policies are enabled in the tenant. You must disable them before enabling Security defaults.")
	}
	t.defaults["isEnabled"] = on
	t.record("Update policy", "Policy", target("Policy", t.defaults, nil))
	return empty()
}

func (t *Tenant) getMethodsPolicy(*call) answer {
	o := maps.Clone(t.methodsPolicy)
	o["@odata.context"] = metadata + "policies/authenticationMethodsPolicy/$entity"
	return ok(http.StatusOK, o)
}

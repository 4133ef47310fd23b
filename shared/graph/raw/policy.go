package raw

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sallyport/shared/rollout"
)

// Policy makes a [rollout.Policy] of Graph's JSON, string for string. One that
// cannot be understood is an error. Conditions that are not known here narrow
// the policy under their own name.
// Source: https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
func Policy(raw []byte) (rollout.Policy, error) {
	var p struct {
		ID          string                     `json:"id"`
		DisplayName string                     `json:"displayName"`
		Description string                     `json:"description"`
		State       string                     `json:"state"`
		TemplateID  string                     `json:"templateId"`
		Created     Time                       `json:"createdDateTime"`
		Modified    Time                       `json:"modifiedDateTime"`
		Conditions  map[string]json.RawMessage `json:"conditions"`
		Grant       map[string]json.RawMessage `json:"grantControls"`
		Session     map[string]json.RawMessage `json:"sessionControls"`
		Partial     json.RawMessage            `json:"partialEnablementStrategy"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return rollout.Policy{}, fmt.Errorf("a Conditional Access policy is not what Graph documents: %w", err)
	}
	if p.ID == "" || p.State == "" {
		return rollout.Policy{}, fmt.Errorf("a Conditional Access policy (id %q) has no id or no state", p.ID)
	}
	out := rollout.Policy{
		ID: p.ID, DisplayName: p.DisplayName, Description: p.Description, State: p.State,
		TemplateID: p.TemplateID, Created: p.Created.Time, Modified: p.Modified.Time,
	}
	if err := errors.Join(readConditions(p.Conditions, &out), readGrant(p.Grant, &out)); err != nil {
		return rollout.Policy{}, fmt.Errorf("Conditional Access policy %s: %w", p.ID, err)
	}
	// Microsoft's own name for a policy that is not on for everybody yet; what it
	// may hold is not documented.
	if set(p.Partial) {
		out.Narrowing = append(out.Narrowing, "partialEnablementStrategy")
		slices.Sort(out.Narrowing)
	}
	out.SessionControls = setKeys(p.Session)
	return out, nil
}

// readConditions reads whom and what the policy addresses. Whatever else is set,
// known here or not, narrows it.
func readConditions(conditions map[string]json.RawMessage, p *rollout.Policy) error {
	var errs []error
	for name, value := range conditions {
		var err error
		switch name {
		case "users":
			err = readUsers(value, p)
		case "applications":
			err = readApplications(value, p)
		case "clientAppTypes":
			p.ClientAppTypes, err = Strings(value)
		default:
			if narrows(name, value) {
				p.Narrowing = append(p.Narrowing, name)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("conditions.%s: %w", name, err))
		}
	}
	slices.Sort(p.Narrowing)
	return errors.Join(errs...)
}

func readUsers(raw json.RawMessage, p *rollout.Policy) error {
	return readMembers(raw, map[string]*[]string{
		"includeUsers": &p.IncludeUsers, "excludeUsers": &p.ExcludeUsers,
		"includeGroups": &p.IncludeGroups, "excludeGroups": &p.ExcludeGroups,
		"includeRoles": &p.IncludeRoles, "excludeRoles": &p.ExcludeRoles,
	}, func(name string, value json.RawMessage) error {
		var err error
		switch name {
		case "includeGuestsOrExternalUsers":
			p.IncludeGuests, err = guestTypes(name, value, p)
		case "excludeGuestsOrExternalUsers":
			p.ExcludeGuests, err = guestTypes(name, value, p)
		default:
			if set(value) {
				p.Narrowing = append(p.Narrowing, "users."+name)
			}
		}
		return err
	})
}

func readApplications(raw json.RawMessage, p *rollout.Policy) error {
	return readMembers(raw, map[string]*[]string{
		"includeApplications": &p.IncludeApplications, "excludeApplications": &p.ExcludeApplications,
		"includeUserActions":                          &p.IncludeUserActions,
		"includeAuthenticationContextClassReferences": &p.AuthContexts,
	}, func(name string, value json.RawMessage) error {
		if set(value) {
			p.Narrowing = append(p.Narrowing, name)
		}
		return nil
	})
}

// readMembers fills the lists of an object by name and leaves the rest to other.
func readMembers(raw json.RawMessage, lists map[string]*[]string, other func(string, json.RawMessage) error) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	var errs []error
	for name, value := range members {
		if strings.HasPrefix(name, "@") || strings.Contains(name, "@odata.") {
			continue // an annotation says nothing of its own
		}
		var err error
		if list, ok := lists[name]; ok {
			*list, err = Strings(value)
		} else {
			err = other(name, value)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// guestTypes reads the kinds of guest, which Graph writes in one string. Guests
// of some tenants only are a narrowing of their own.
func guestTypes(name string, raw json.RawMessage, p *rollout.Policy) ([]string, error) {
	var g *struct {
		Types   string `json:"guestOrExternalUserTypes"`
		Tenants *struct {
			Kind string `json:"membershipKind"`
		} `json:"externalTenants"`
	}
	if err := json.Unmarshal(raw, &g); err != nil || g == nil {
		return nil, err
	}
	if g.Tenants != nil && !strings.EqualFold(g.Tenants.Kind, "all") {
		p.Narrowing = append(p.Narrowing, "users."+name+".externalTenants")
	}
	var types []string
	for t := range strings.SplitSeq(g.Types, ",") {
		if t = strings.TrimSpace(t); t != "" {
			types = append(types, t)
		}
	}
	return types, nil
}

func readGrant(grant map[string]json.RawMessage, p *rollout.Policy) error {
	var errs []error
	for name, value := range grant {
		var err error
		switch {
		case strings.Contains(name, "@odata."):
		case name == "operator":
			err = json.Unmarshal(value, &p.GrantOperator)
		case name == "builtInControls":
			p.GrantControls, err = Strings(value)
		case name == "authenticationStrength":
			var s *struct {
				ID string `json:"id"`
			}
			if err = json.Unmarshal(value, &s); err == nil && s != nil {
				if p.AuthenticationStrength = s.ID; s.ID == "" {
					err = errors.New("it has no id")
				}
			}
		case set(value):
			p.OtherGrants = append(p.OtherGrants, name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("grantControls.%s: %w", name, err))
		}
	}
	slices.Sort(p.OtherGrants)
	return errors.Join(errs...)
}

// narrows reports whether a condition leaves anybody or anything out. All
// platforms and all locations, with no exclusion, do not.
func narrows(name string, raw json.RawMessage) bool {
	var include, exclude string
	switch name {
	case "platforms":
		include, exclude = "includePlatforms", "excludePlatforms"
	case "locations":
		include, exclude = "includeLocations", "excludeLocations"
	default:
		return !strings.Contains(name, "@odata.") && set(raw)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return true
	}
	list, err := Strings(members[include])
	if err != nil || len(list) != 1 || !strings.EqualFold(list[0], "all") {
		return set(raw)
	}
	for key, value := range members {
		if key != include && (key == exclude || !strings.Contains(key, "@odata.")) && set(value) {
			return true
		}
	}
	return false
}

// set reports whether a value says anything: null, "", false and whatever is
// empty or holds only such do not.
func set(raw json.RawMessage) bool {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return len(raw) > 0
	}
	return says(v)
}

func says(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case bool:
		return v
	case []any:
		return slices.ContainsFunc(v, says)
	case map[string]any:
		for key, member := range v {
			if !strings.Contains(key, "@odata.") && says(member) {
				return true
			}
		}
		return false
	}
	return true
}

func setKeys(m map[string]json.RawMessage) []string {
	var keys []string
	for key, value := range m {
		if !strings.Contains(key, "@odata.") && set(value) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Strings reads a list of strings; null and missing are none. Anything else in
// it is an error: half a list is no list.
func Strings(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var list []*string
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var out []string
	for _, s := range list {
		if s == nil || *s == "" {
			return nil, errors.New("a null or an empty string in the list")
		}
		out = append(out, *s)
	}
	return out, nil
}

package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

// guard is the last look at a request before the wire, at the very bytes that
// would leave. It knows each write that Sallyport may make and refuses every
// other one, whoever built it and however: a list that was decoded by the SDK
// and written back turns an unknown control into "block", and that is everybody
// locked out.
//
// The call says what this very request may change, and whom a new policy leaves
// out.
func guard(method, path string, body []byte, about call) error {
	owned := about.owned
	if err := guardNames(method, body); err != nil {
		return err
	}
	switch part := strings.Split(strings.TrimPrefix(path, "/"), "/"); {
	case method == http.MethodGet || method == http.MethodHead:
		return nil
	case method == http.MethodPost && path == batchPath:
		return guardBatch(body)
	case method == http.MethodPost && path == "/identity/conditionalAccess/policies":
		return guardNewPolicy(body, about.spared)
	case method == http.MethodPatch && len(part) == 4 && strings.HasPrefix(path, "/identity/conditionalAccess/policies/"):
		return errors.Join(guardOwned(part[3], owned), guardState(body))
	case method == http.MethodPatch && path == "/policies/identitySecurityDefaultsEnforcementPolicy":
		_, err := guardKeys(body, "isEnabled")
		return err
	case method == http.MethodPost && path == "/groups":
		return guardNewGroup(body)
	case method == http.MethodPatch && len(part) == 2 && part[0] == "groups":
		return errors.Join(guardOwned(part[1], owned), guardNewMembers(body))
	case method == http.MethodDelete && len(part) == 5 && part[0] == "groups" && part[2] == "members" && part[4] == "$ref":
		return guardOwned(part[1], owned)
	case method == http.MethodPost && path == "/subscriptions":
		return nil
	case method == http.MethodPatch && len(part) == 2 && part[0] == "subscriptions":
		_, err := guardKeys(body, "expirationDateTime")
		return err
	}
	return errors.New("this is no write that Sallyport makes")
}

// guardOwned lets only objects through that Sallyport recorded as its own.
func guardOwned(id string, owned []string) error {
	if !slices.ContainsFunc(owned, func(o string) bool { return strings.EqualFold(o, id) }) {
		return fmt.Errorf("%s is not among the %d objects that Sallyport owns", id, len(owned))
	}
	return nil
}

// guardBatch keeps writes from going past the guard inside a batch.
func guardBatch(body []byte) error {
	var batch struct {
		Requests []batchRequest `json:"requests"`
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return err
	}
	for _, r := range batch.Requests {
		if r.Method != http.MethodGet {
			return fmt.Errorf("a batch may only read, not %s", r.Method)
		}
	}
	return nil
}

// guardState lets a PATCH of a policy carry its state and nothing else.
func guardState(body []byte) error {
	members, err := guardKeys(body, "state")
	if err != nil {
		return err
	}
	var state string
	if err := json.Unmarshal(members["state"], &state); err != nil {
		return err
	}
	switch state {
	case rollout.StateEnabled, rollout.StateDisabled, rollout.StateReportOnly:
		return nil
	}
	return fmt.Errorf("%q is no state of a policy", state)
}

// guardNames refuses a body in which an object says the same thing twice, in
// whatever case. Of two members of a name Go keeps the last and Graph may keep the
// first: what was looked at here would not be what is done there.
func guardNames(method string, body []byte) error {
	if method == http.MethodGet || method == http.MethodHead || len(body) == 0 {
		return nil
	}
	var named []map[string]bool // of each object that is open; nil for a list
	key := false                // the next string is a name
	for decoder := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the body is no JSON: %w", err)
		}
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				named = append(named, map[string]bool{})
			case '[':
				named = append(named, nil)
			default:
				named = named[:len(named)-1]
			}
		case string:
			if key {
				if name := strings.ToLower(t); named[len(named)-1][name] {
					return fmt.Errorf("the body says %q twice", t)
				}
				named[len(named)-1][strings.ToLower(t)] = true
				key = false
				continue
			}
		}
		key = len(named) > 0 && named[len(named)-1] != nil
	}
}

// guardNewPolicy lets only one shape of new policy through: MFA for all apps and
// all clients, report-only, and never without every emergency account excluded by
// its id. One that is for a group today may be for them tomorrow.
func guardNewPolicy(body []byte, spared []string) error {
	if _, err := guardKeys(body, "displayName", "description", "state", "conditions", "grantControls"); err != nil {
		return err
	}
	var p struct {
		State      string `json:"state"`
		Conditions struct {
			Users        json.RawMessage `json:"users"`
			Applications struct {
				Include []string `json:"includeApplications"`
			} `json:"applications"`
			ClientAppTypes []string `json:"clientAppTypes"`
		} `json:"conditions"`
		Grant struct {
			Operator string   `json:"operator"`
			Controls []string `json:"builtInControls"`
		} `json:"grantControls"`
	}
	if err := strict(body, &p, "displayName", "description"); err != nil {
		return err
	}
	switch {
	case slices.ContainsFunc(p.Grant.Controls, func(c string) bool { return strings.EqualFold(c, "block") }):
		return errors.New("it would block people")
	case p.State != rollout.StateReportOnly:
		return fmt.Errorf("a new policy must be report-only, not %q", p.State)
	case p.Grant.Operator != "OR" || !slices.Equal(p.Grant.Controls, []string{"mfa"}):
		return fmt.Errorf("it must ask for mfa alone, not %q of %q", p.Grant.Operator, p.Grant.Controls)
	case !slices.Equal(p.Conditions.Applications.Include, []string{"All"}), !slices.Equal(p.Conditions.ClientAppTypes, []string{"all"}):
		return errors.New("it must be for all apps and all clients")
	}
	return guardPeople(p.Conditions.Users, spared)
}

func guardPeople(users []byte, spared []string) error {
	var who struct {
		IncludeUsers  []string `json:"includeUsers"`
		IncludeGroups []string `json:"includeGroups"`
		IncludeRoles  []string `json:"includeRoles"`
		ExcludeUsers  []string `json:"excludeUsers"`
		ExcludeGroups []string `json:"excludeGroups"`
		ExcludeRoles  []string `json:"excludeRoles"`
	}
	if err := strict(users, &who); err != nil {
		return err
	}
	switch {
	case len(who.IncludeUsers)+len(who.IncludeGroups)+len(who.IncludeRoles) == 0:
		return errors.New("it is for nobody")
	case len(spared) == 0:
		return errors.New("nobody said which accounts are emergency accounts, and it would leave none out")
	}
	for _, id := range spared {
		if !slices.ContainsFunc(who.ExcludeUsers, func(out string) bool { return strings.EqualFold(out, id) }) {
			return fmt.Errorf("it does not leave out emergency account %q", id)
		}
	}
	isID := regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	for _, id := range slices.Concat(who.IncludeUsers, who.IncludeGroups, who.IncludeRoles, who.ExcludeUsers, who.ExcludeGroups, who.ExcludeRoles) {
		// A name or a placeholder where an id belongs would leave nobody out.
		if id != "All" && id != "GuestsOrExternalUsers" && !isID.MatchString(id) {
			return fmt.Errorf("%q is no object id", id)
		}
	}
	return nil
}

// guardNewGroup lets only a plain, empty security group through.
func guardNewGroup(body []byte) error {
	if _, err := guardKeys(body, "displayName", "description", "mailNickname", "mailEnabled", "securityEnabled"); err != nil {
		return err
	}
	var g struct {
		MailEnabled     *bool `json:"mailEnabled"`
		SecurityEnabled *bool `json:"securityEnabled"`
	}
	if err := json.Unmarshal(body, &g); err != nil {
		return err
	}
	if g.MailEnabled == nil || *g.MailEnabled || g.SecurityEnabled == nil || !*g.SecurityEnabled {
		return errors.New("it is no plain security group")
	}
	return nil
}

// guardNewMembers lets a PATCH of a group only add members.
func guardNewMembers(body []byte) error {
	members, err := guardKeys(body, "members@odata.bind")
	if err != nil {
		return err
	}
	refs, err := raw.Strings(members["members@odata.bind"])
	if err != nil {
		return err
	}
	if len(refs) == 0 || len(refs) > membersPerPatch {
		return fmt.Errorf("one PATCH adds 1 to %d members, not %d", membersPerPatch, len(refs))
	}
	return nil
}

// guardKeys refuses a body with any other key than those, or without one of them.
func guardKeys(body []byte, allowed ...string) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, fmt.Errorf("the body is no JSON object: %w", err)
	}
	for key := range members {
		if !slices.Contains(allowed, key) {
			return nil, fmt.Errorf("the body may not carry %q", key)
		}
	}
	for _, key := range allowed {
		if _, ok := members[key]; !ok {
			return nil, fmt.Errorf("the body lacks %q", key)
		}
	}
	return members, nil
}

// strict decodes JSON and refuses every member that v does not name, but for
// those that are let pass.
func strict(body []byte, v any, pass ...string) error {
	if len(pass) > 0 {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			return err
		}
		for _, key := range pass {
			delete(members, key)
		}
		var err error
		if body, err = json.Marshal(members); err != nil {
			return err
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

package graph_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

const awkwardPolicy = `{
	"id": "` + policyID + `", "displayName": "Risky sign-ins", "description": null, "state": "enabled", "templateId": null,
	"createdDateTime": "2026-09-26T23:12:16.0792706Z", "modifiedDateTime": null, "deletedDateTime": null, "partialEnablementStrategy": null,
	"conditions": {
		"clientAppTypes": ["browser", "holographic"], "signInRiskLevels": ["high", "galactic"], "userRiskLevels": [],
		"platforms": {"includePlatforms": ["all"], "excludePlatforms": []},
		"locations": {"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]},
		"moonPhases": {"includePhases": ["full"]}, "times": null, "devices": {"deviceFilter": null},
		"applications": {"includeApplications": ["All"], "excludeApplications": [], "includeUserActions": [],
			"includeAuthenticationContextClassReferences": ["c1"], "applicationFilter": {"mode": "include", "rule": "x"}, "networkAccess": null},
		"users": {"includeUsers": ["All"], "excludeUsers": ["` + userID + `"], "includeGroups": [], "excludeGroups": ["` + groupID + `"],
			"includeRoles": [], "excludeRoles": [], "includeRobots": ["r"],
			"includeGuestsOrExternalUsers": null,
			"excludeGuestsOrExternalUsers": {"guestOrExternalUserTypes": "internalGuest, b2bCollaborationGuest,serviceProvider",
				"externalTenants": {"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": ["x"]}}}
	},
	"grantControls": {"operator": "AND", "builtInControls": ["mfa", "riskRemediation"], "customAuthenticationFactors": [], "termsOfUse": ["t"],
		"authenticationStrength@odata.context": "https://graph.microsoft.com/", "authenticationStrength": {"id": "00000000-0000-0000-0000-000000000004", "displayName": "Phishing-resistant MFA"}},
	"sessionControls": {"disableResilienceDefaults": null, "persistentBrowser": {"mode": "never", "isEnabled": true}, "secureSignInSession": null, "cloudAppSecurity": {"isEnabled": false}}
}`

// A control that this version of the SDK does not know must stay what it is:
// the SDK itself reads ["mfa","riskRemediation"] as [mfa block].
func TestAPolicyKeepsTheOriginalStrings(t *testing.T) {
	want := rollout.Policy{
		ID: policyID, DisplayName: "Risky sign-ins", State: rollout.StateEnabled,
		Created:      time.Date(2026, 9, 26, 23, 12, 16, 79270600, time.UTC),
		IncludeUsers: []string{"All"}, ExcludeUsers: []string{userID}, ExcludeGroups: []string{groupID},
		ExcludeGuests:       []string{"internalGuest", "b2bCollaborationGuest", "serviceProvider"},
		IncludeApplications: []string{"All"}, AuthContexts: []string{"c1"},
		ClientAppTypes: []string{"browser", "holographic"},
		Narrowing: []string{
			"applicationFilter", "locations", "moonPhases", "signInRiskLevels",
			"users.excludeGuestsOrExternalUsers.externalTenants", "users.includeRobots",
		},
		GrantOperator: "AND", GrantControls: []string{"mfa", "riskRemediation"}, OtherGrants: []string{"termsOfUse"},
		AuthenticationStrength: "00000000-0000-0000-0000-000000000004",
		SessionControls:        []string{"persistentBrowser"},
	}
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/policies") {
			ok(`{"value":[`+awkwardPolicy+`]}`)(w, r)
			return
		}
		ok(awkwardPolicy)(w, r)
	})
	list, err := tn.Policies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]rollout.Policy{want}, list); diff != "" {
		t.Error(diff)
	}
	one, err := tn.Policy(t.Context(), policyID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Error(diff)
	}
}

func TestWhatNarrowsAPolicy(t *testing.T) {
	for condition, want := range map[string]bool{
		`"platforms": null`:                          false,
		`"platforms": {"includePlatforms": ["all"]}`: false,
		`"platforms": {"includePlatforms": ["all"], "excludePlatforms": ["iOS"]}`: true,
		`"platforms": {"includePlatforms": ["android"]}`:                          true,
		`"platforms": {"includePlatforms": "all"}`:                                true,
		`"locations": {"includeLocations": ["All"], "excludeLocations": []}`:      false,
		`"locations": {"includeLocations": ["AllTrusted"]}`:                       true,
		`"locations": {"includeLocations": ["All"], "somethingNew": ["x"]}`:       true,
		`"signInRiskLevels": []`:                                                  false,
		`"signInRiskLevels": ["low"]`:                                             true,
		`"devices": {"deviceFilter": {"mode": "include", "rule": "x"}}`:           true,
		`"authenticationFlows": {"transferMethods": "deviceCodeFlow"}`:            true,
		`"authenticationFlows": {"transferMethods": ""}`:                          false,
		`"somethingNew": {"@odata.type": "#x"}`:                                   false,
		`"somethingNew": 1`:                                                       true,
		`"somethingNew": {"on": false, "list": [null, ""]}`:                       false,
		`"users": {"includeGuestsOrExternalUsers": {"guestOrExternalUserTypes": "internalGuest", "externalTenants": {"membershipKind": "all"}}}`: false,
		`"users": {"includeGuestsOrExternalUsers": {"guestOrExternalUserTypes": "internalGuest", "externalTenants": {"membershipKind": null}}}`:  true,
	} {
		p, err := graph.ReadPolicy([]byte(`{"id":"p","state":"enabled","conditions":{` + condition + `}}`))
		if err != nil {
			t.Errorf("%s: %v", condition, err)
		}
		if got := len(p.Narrowing) > 0; got != want {
			t.Errorf("%s narrows = %t (%v), want %t", condition, got, p.Narrowing, want)
		}
	}
}

func TestAPolicyThatCannotBeUnderstoodIsAnError(t *testing.T) {
	for _, raw := range []string{
		`{"state":"enabled"}`, `{"id":null,"state":"enabled"}`, `{"id":"p"}`, `{"id":"p","state":null}`, `{"id":"p","state":1}`, `null`, `[]`, `{`,
		`{"id":"p","state":"enabled","conditions":[]}`,
		`{"id":"p","state":"enabled","conditions":{"users":"All"}}`,
		`{"id":"p","state":"enabled","conditions":{"users":{"includeUsers":"All"}}}`,
		`{"id":"p","state":"enabled","conditions":{"users":{"excludeUsers":["a",null]}}}`,
		`{"id":"p","state":"enabled","conditions":{"users":{"excludeUsers":["a",""]}}}`,
		`{"id":"p","state":"enabled","conditions":{"users":{"excludeGuestsOrExternalUsers":"all"}}}`,
		`{"id":"p","state":"enabled","conditions":{"clientAppTypes":{}}}`,
		`{"id":"p","state":"enabled","grantControls":{"builtInControls":["mfa",7]}}`,
		`{"id":"p","state":"enabled","grantControls":{"operator":[]}}`,
		`{"id":"p","state":"enabled","grantControls":{"authenticationStrength":{"displayName":"MFA"}}}`,
	} {
		if p, err := graph.ReadPolicy([]byte(raw)); err == nil {
			t.Errorf("%s passes as %+v", raw, p)
		}
		tn := newTenant(t, ok(`{"value":[{"id":"good","state":"disabled"},`+raw+`]}`))
		if got, err := tn.Policies(t.Context()); err == nil {
			t.Errorf("%s is left out of the listing: %+v", raw, got)
		}
	}
}

func FuzzReadPolicy(f *testing.F) {
	f.Add([]byte(awkwardPolicy))
	f.Add([]byte(`{"id":"p","state":"enabled","conditions":{"users":{"includeUsers":["All"],"excludeUsers":["None"]}},"grantControls":{"builtInControls":["block"]}}`))
	f.Add([]byte(`{"id":"p","state":"x","conditions":{"platforms":{"includePlatforms":["ALL"],"a":{"b":[[],{}]}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := graph.ReadPolicy(raw)
		if err != nil {
			return
		}
		if p.ID == "" || p.State == "" {
			t.Fatalf("a policy without an id or a state passed: %+v", p)
		}
		// No string may appear that Graph did not write.
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("read a policy of what is no JSON: %v", err)
		}
		written := map[string]bool{}
		stringsOf(v, written)
		lists := slices.Concat(p.IncludeUsers, p.ExcludeUsers, p.IncludeGroups, p.ExcludeGroups, p.IncludeRoles, p.ExcludeRoles,
			p.IncludeApplications, p.ExcludeApplications, p.IncludeUserActions, p.AuthContexts, p.ClientAppTypes, p.GrantControls,
			p.OtherGrants, p.SessionControls)
		for _, s := range append(lists, p.State, p.ID) {
			if !written[s] {
				t.Errorf("%q was never written", s)
			}
		}
		if !slices.IsSorted(p.Narrowing) {
			t.Errorf("narrowing %v depends on the order of a map", p.Narrowing)
		}
	})
}

func stringsOf(v any, into map[string]bool) {
	switch v := v.(type) {
	case string:
		into[v] = true
	case []any:
		for _, e := range v {
			stringsOf(e, into)
		}
	case map[string]any:
		for k, e := range v {
			into[k] = true
			stringsOf(e, into)
		}
	}
}

func draft() rollout.PolicyDraft {
	return rollout.PolicyDraft{
		Wave: "everyone", Marker: "[sallyport:contoso:everyone]", DisplayName: "Sallyport: require MFA - everyone", Description: "Made by Sallyport.",
		IncludeUsers: []string{"All"}, ExcludeUsers: []string{userID, "GuestsOrExternalUsers"}, ExcludeGroups: []string{groupID},
		ExcludeRoles: []string{"d29b2b05-8046-44ba-8758-1e26182fcf32"},
	}
}

func TestCreatePolicyIsReportOnlyAndAsksForMFAAlone(t *testing.T) {
	answer := strings.Replace(awkwardPolicy, `"enabled"`, `"enabledForReportingButNotEnforced"`, 1)
	tn := newTenant(t, status(201, answer))
	got, err := tn.CreatePolicy(t.Context(), draft())
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != policyID || got.State != rollout.StateReportOnly {
		t.Errorf("read back %s, %s", got.ID, got.State)
	}
	want := map[string]any{
		"displayName": "Sallyport: require MFA - everyone",
		"description": "Made by Sallyport.\n[sallyport:contoso:everyone]",
		"state":       "enabledForReportingButNotEnforced",
		"conditions": map[string]any{
			"clientAppTypes": []any{"all"},
			"applications":   map[string]any{"includeApplications": []any{"All"}},
			"users": map[string]any{
				"includeUsers": []any{"All"}, "excludeUsers": []any{userID, "GuestsOrExternalUsers"},
				"excludeGroups": []any{groupID}, "excludeRoles": []any{"d29b2b05-8046-44ba-8758-1e26182fcf32"},
			},
		},
		"grantControls": map[string]any{"operator": "OR", "builtInControls": []any{"mfa"}},
	}
	if diff := cmp.Diff(want, decode(t, tn.last().body)); diff != "" {
		t.Error(diff)
	}
}

func TestCreatePolicyRefusesADraftThatCouldLockOut(t *testing.T) {
	for name, change := range map[string]func(*rollout.PolicyDraft){
		"everybody without an exclusion": func(d *rollout.PolicyDraft) { d.ExcludeUsers = nil },
		"a role without an exclusion": func(d *rollout.PolicyDraft) {
			d.IncludeUsers, d.IncludeRoles, d.ExcludeUsers = nil, []string{"62e90394-69f5-4237-9190-012177145e10"}, nil
		},
		"nobody":           func(d *rollout.PolicyDraft) { d.IncludeUsers = nil },
		"a name for an id": func(d *rollout.PolicyDraft) { d.ExcludeUsers = []string{"breakglass@contoso.com"} },
		"a placeholder":    func(d *rollout.PolicyDraft) { d.ExcludeUsers = []string{"Current administrator will be excluded"} },
		"an empty group":   func(d *rollout.PolicyDraft) { d.ExcludeGroups = []string{""} },
		"no marker":        func(d *rollout.PolicyDraft) { d.Marker = "" },
		"no name":          func(d *rollout.PolicyDraft) { d.DisplayName = "" },
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, status(201, awkwardPolicy))
			d := draft()
			change(&d)
			if _, err := tn.CreatePolicy(t.Context(), d); err == nil {
				t.Error("no error")
			}
			if len(tn.calls()) != 0 {
				t.Errorf("sent %v", tn.calls())
			}
		})
	}
}

// Whoever builds the request, and however: these bytes do not leave.
func TestTheGuardRefusesEveryOtherWrite(t *testing.T) {
	const policies, one = "/identity/conditionalAccess/policies", "/identity/conditionalAccess/policies/" + policyID
	good := func(change ...string) string {
		s := `{"displayName":"d","description":"m","state":"enabledForReportingButNotEnforced","conditions":{"clientAppTypes":["all"],
			"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"],"excludeUsers":["` + userID + `"]}},
			"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`
		return strings.NewReplacer(change...).Replace(s)
	}
	for name, c := range map[string]struct{ method, path, body, says string }{
		"create with block":            {"POST", policies, good(`["mfa"]`, `["mfa","block"]`), "block"},
		"create with Block":            {"POST", policies, good(`["mfa"]`, `["Block"]`), "block"},
		"create enabled":               {"POST", policies, good(`"enabledForReportingButNotEnforced"`, `"enabled"`), "report-only"},
		"create disabled":              {"POST", policies, good(`"enabledForReportingButNotEnforced"`, `"disabled"`), "report-only"},
		"create for all, none out":     {"POST", policies, good(`["`+userID+`"]`, `[]`), "emergency"},
		"create for all, key missing":  {"POST", policies, good(`,"excludeUsers":["`+userID+`"]`, ``), "emergency"},
		"create with AND":              {"POST", policies, good(`"OR"`, `"AND"`), "mfa alone"},
		"create with another control":  {"POST", policies, good(`["mfa"]`, `["mfa","riskRemediation"]`), "mfa alone"},
		"create with a strength":       {"POST", policies, good(`"operator"`, `"authenticationStrength":{"id":"x"},"operator"`), "authenticationStrength"},
		"create with session controls": {"POST", policies, good(`"conditions"`, `"sessionControls":{},"conditions"`), "sessionControls"},
		"create for some apps":         {"POST", policies, good(`"includeApplications":["All"]`, `"includeApplications":["Office365"]`), "all apps"},
		"create for some clients":      {"POST", policies, good(`["all"]`, `["browser"]`), "all clients"},
		"create with a condition":      {"POST", policies, good(`"clientAppTypes"`, `"locations":{},"clientAppTypes"`), "locations"},
		"create with no body":          {"POST", policies, "", "JSON"},
		"create with two bodies":       {"POST", policies, good() + good(), "JSON"},
		"state of another's policy":    {"PATCH", "/identity/conditionalAccess/policies/99999999-0000-4000-8000-000000000009", `{"state":"enabled"}`, "owns"},
		"state and conditions":         {"PATCH", one, `{"state":"enabled","conditions":{}}`, "conditions"},
		"conditions alone":             {"PATCH", one, `{"conditions":{"users":{"excludeUsers":[]}}}`, "conditions"},
		"grant controls":               {"PATCH", one, `{"grantControls":{"builtInControls":["mfa","block"]}}`, "grantControls"},
		"no state":                     {"PATCH", one, `{}`, "lacks"},
		"a made-up state":              {"PATCH", one, `{"state":"on"}`, "no state"},
		"delete a policy":              {"DELETE", one, "", "no write"},
		"put a policy":                 {"PUT", one, `{"state":"enabled"}`, "no write"},
		"a strength policy":            {"POST", "/identity/conditionalAccess/authenticationStrength/policies", `{}`, "no write"},
		"defaults and more":            {"PATCH", "/policies/identitySecurityDefaultsEnforcementPolicy", `{"isEnabled":false,"x":1}`, "x"},
		"the methods policy":           {"PATCH", "/policies/authenticationMethodsPolicy", `{}`, "no write"},
		"a user":                       {"PATCH", "/users/" + userID, `{"accountEnabled":false}`, "no write"},
		"a group's name":               {"PATCH", "/groups/" + groupID, `{"displayName":"x"}`, "displayName"},
		"members and name":             {"PATCH", "/groups/" + groupID, `{"displayName":"x","members@odata.bind":["u"]}`, "displayName"},
		"too many members":             {"PATCH", "/groups/" + groupID, `{"members@odata.bind":["` + strings.Repeat(`u","`, 20) + `u"]}`, "not 21"},
		"another's group":              {"PATCH", "/groups/" + userID, `{"members@odata.bind":["u"]}`, "owns"},
		"another's member":             {"DELETE", "/groups/" + userID + "/members/" + userID + "/$ref", "", "owns"},
		"delete a group":               {"DELETE", "/groups/" + groupID, "", "no write"},
		"an owner":                     {"DELETE", "/groups/" + groupID + "/owners/" + userID + "/$ref", "", "no write"},
		"a group for roles":            {"POST", "/groups", `{"displayName":"d","description":"m","mailNickname":"n","mailEnabled":false,"securityEnabled":true,"isAssignableToRole":true}`, "isAssignableToRole"},
		"a mail group":                 {"POST", "/groups", `{"displayName":"d","description":"m","mailNickname":"n","mailEnabled":true,"securityEnabled":true}`, "plain"},
		"a write in a batch":           {"POST", "/$batch", `{"requests":[{"id":"1","method":"GET","url":"/me"},{"id":"2","method":"PATCH","url":"` + one + `","body":{"state":"disabled"}}]}`, "only read"},
		"a role":                       {"POST", "/roleManagement/directory/roleAssignments", `{}`, "no write"},
		"a subscription's address":     {"PATCH", "/subscriptions/s", `{"expirationDateTime":"2026-12-20T00:00:00Z","notificationUrl":"https://example.com"}`, "notificationUrl"},
		"a subscription's end":         {"DELETE", "/subscriptions/s", "", "no write"},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, status(204, ""))
			err := tn.SendRaw(t.Context(), c.method, c.path, c.body, policyID, groupID)
			if !errors.Is(err, graph.ErrRefused) {
				t.Errorf("error %v, want ErrRefused", err)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			if len(tn.calls()) != 0 {
				t.Error("it reached the wire")
			}
		})
	}
	t.Run("and lets the right ones through", func(t *testing.T) {
		tn := newTenant(t, status(204, ""))
		for path, body := range map[string]string{"POST " + policies: good(), "PATCH " + one: `{"state":"enabled"}`, "POST /$batch": `{"requests":[]}`} {
			method, path, _ := strings.Cut(path, " ")
			if err := tn.SendRaw(t.Context(), method, path, body, policyID); err != nil {
				t.Errorf("%s %s: %v", method, path, err)
			}
		}
	})
}

func TestSetPolicyState(t *testing.T) {
	owned := []rollout.OwnedPolicy{{ID: ""}, {ID: policyID}}
	t.Run("carries the state alone", func(t *testing.T) {
		for _, state := range []string{rollout.StateEnabled, rollout.StateDisabled, rollout.StateReportOnly} {
			tn := newTenant(t, status(204, ""))
			if err := tn.SetPolicyState(t.Context(), owned, policyID, state); err != nil {
				t.Fatal(err)
			}
			got := tn.last()
			if got.method != "PATCH" || got.path != "/v1.0/identity/conditionalAccess/policies/"+policyID || got.body != `{"state":"`+state+`"}` {
				t.Errorf("sent %s %s %s", got.method, got.path, got.body)
			}
			if n := len(tn.calls()); n != 1 {
				t.Errorf("%d requests, want one", n)
			}
		}
	})
	t.Run("refuses what is not owned", func(t *testing.T) {
		tn := newTenant(t, status(204, ""))
		for _, id := range []string{"", groupID, policyID + "x"} {
			if err := tn.SetPolicyState(t.Context(), owned, id, rollout.StateEnabled); err == nil {
				t.Errorf("%q passes", id)
			}
		}
		if err := tn.SetPolicyState(t.Context(), nil, policyID, rollout.StateEnabled); !errors.Is(err, graph.ErrRefused) {
			t.Errorf("with nothing owned: %v", err)
		}
		if len(tn.calls()) != 0 {
			t.Errorf("sent %v", tn.calls())
		}
	})
	t.Run("refuses an unknown state", func(t *testing.T) {
		tn := newTenant(t, status(204, ""))
		for _, state := range []string{"", "on", "Enabled"} {
			if err := tn.SetPolicyState(t.Context(), owned, policyID, state); err == nil {
				t.Errorf("%q passes", state)
			}
		}
	})
	t.Run("under Security Defaults", func(t *testing.T) {
		for name, c := range map[string]struct {
			code, state, defaults string
			want                  bool
		}{
			"on":           {"BadRequest", rollout.StateEnabled, `{"isEnabled":true}`, true},
			"off":          {"BadRequest", rollout.StateEnabled, `{"isEnabled":false}`, false},
			"unreadable":   {"BadRequest", rollout.StateEnabled, `{}`, false},
			"another code": {"1040", rollout.StateEnabled, `{"isEnabled":true}`, false},
			"disabling":    {"BadRequest", rollout.StateDisabled, `{"isEnabled":true}`, false},
		} {
			tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					ok(c.defaults)(w, r)
					return
				}
				failure(400, c.code)(w, r)
			})
			err := tn.SetPolicyState(t.Context(), owned, policyID, c.state)
			if err == nil || errors.Is(err, graph.ErrSecurityDefaultsOn) != c.want {
				t.Errorf("%s: error %v, want ErrSecurityDefaultsOn: %t", name, err, c.want)
			}
		}
	})
}

func TestSecurityDefaults(t *testing.T) {
	for _, body := range []string{`{}`, `{"isEnabled":null}`, `{"error":{"code":"UnknownError"}}`, `[]`} {
		if on, err := newTenant(t, ok(body)).SecurityDefaults(t.Context()); err == nil {
			t.Errorf("%s is read as %t", body, on)
		}
	}
	tn := newTenant(t, status(204, ""))
	if err := tn.SetSecurityDefaults(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := tn.last(); got.method != "PATCH" || got.path != "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy" || got.body != `{"isEnabled":false}` {
		t.Errorf("sent %s %s %s", got.method, got.path, got.body)
	}
}

package graph_test

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// awkwardPolicy is one that the SDK would misread.
func awkwardPolicy(t *testing.T) string {
	t.Helper()
	body, err := os.ReadFile("raw/testdata/awkward-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

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
			ok(`{"value":[`+awkwardPolicy(t)+`]}`)(w, r)
			return
		}
		ok(awkwardPolicy(t))(w, r)
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

func TestAPolicyThatCannotBeUnderstoodFailsTheListing(t *testing.T) {
	for _, bad := range []string{`{"id":"p"}`, `null`, `{"id":null,"state":"enabled"}`, `{"id":"p","state":"enabled","conditions":{"users":{"includeUsers":"All"}}}`} {
		tn := newTenant(t, ok(`{"value":[{"id":"good","state":"disabled"},`+bad+`]}`))
		if got, err := tn.Policies(t.Context()); err == nil {
			t.Errorf("%s is left out: %+v", bad, got)
		}
	}
	if _, err := newTenant(t, ok(`{"id":"p"}`)).Policy(t.Context(), "p"); err == nil {
		t.Error("a policy without a state passes")
	}
	if _, err := newTenant(t, ok(`{}`)).Policy(t.Context(), ""); err == nil {
		t.Error("no id passes: it would read the listing")
	}
	if _, err := newTenant(t, failure(404, "ResourceNotFound")).Policy(t.Context(), policyID); !errors.Is(err, graph.ErrNotFound) {
		t.Errorf("a policy that is gone: %v, want ErrNotFound", err)
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
	answer := strings.Replace(awkwardPolicy(t), `"enabled"`, `"enabledForReportingButNotEnforced"`, 1)
	tn := newTenant(t, status(201, answer))
	got, err := tn.CreatePolicy(t.Context(), draft(), []string{strings.ToUpper(userID)})
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
		"a group without an exclusion": func(d *rollout.PolicyDraft) {
			d.IncludeUsers, d.IncludeGroups, d.ExcludeUsers = nil, []string{groupID}, nil
		},
		"everybody but guests":  func(d *rollout.PolicyDraft) { d.ExcludeUsers = []string{"GuestsOrExternalUsers"} },
		"everybody but another": func(d *rollout.PolicyDraft) { d.ExcludeUsers = []string{policyID} },
		"nobody":                func(d *rollout.PolicyDraft) { d.IncludeUsers = nil },
		"a name for an id":      func(d *rollout.PolicyDraft) { d.ExcludeUsers = []string{"breakglass@contoso.com"} },
		"a placeholder":         func(d *rollout.PolicyDraft) { d.ExcludeUsers = []string{"Current administrator will be excluded"} },
		"an empty group":        func(d *rollout.PolicyDraft) { d.ExcludeGroups = []string{""} },
		"no marker":             func(d *rollout.PolicyDraft) { d.Marker = "" },
		"no name":               func(d *rollout.PolicyDraft) { d.DisplayName = "" },
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, status(201, awkwardPolicy(t)))
			d := draft()
			change(&d)
			if _, err := tn.CreatePolicy(t.Context(), d, []string{userID}); err == nil {
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
		"create with block":                       {"POST", policies, good(`["mfa"]`, `["mfa","block"]`), "block"},
		"create with Block":                       {"POST", policies, good(`["mfa"]`, `["Block"]`), "block"},
		"create enabled":                          {"POST", policies, good(`"enabledForReportingButNotEnforced"`, `"enabled"`), "report-only"},
		"create disabled":                         {"POST", policies, good(`"enabledForReportingButNotEnforced"`, `"disabled"`), "report-only"},
		"create for all, none out":                {"POST", policies, good(`["`+userID+`"]`, `[]`), "emergency"},
		"create for all, key missing":             {"POST", policies, good(`,"excludeUsers":["`+userID+`"]`, ``), "emergency"},
		"create with block, said twice":           {"POST", policies, good(`"builtInControls":["mfa"]`, `"builtInControls":["block"],"builtInControls":["mfa"]`), "twice"},
		"create with block, said in another case": {"POST", policies, good(`"builtInControls":["mfa"]`, `"builtInControls":["block"],"BuiltInControls":["mfa"]`), "twice"},
		"state, said twice":                       {"PATCH", one, `{"state":"disabled","state":"enabled"}`, "twice"},
		"create with AND":                         {"POST", policies, good(`"OR"`, `"AND"`), "mfa alone"},
		"create with another control":             {"POST", policies, good(`["mfa"]`, `["mfa","riskRemediation"]`), "mfa alone"},
		"create with a strength":                  {"POST", policies, good(`"operator"`, `"authenticationStrength":{"id":"x"},"operator"`), "authenticationStrength"},
		"create with session controls":            {"POST", policies, good(`"conditions"`, `"sessionControls":{},"conditions"`), "sessionControls"},
		"create for some apps":                    {"POST", policies, good(`"includeApplications":["All"]`, `"includeApplications":["Office365"]`), "all apps"},
		"create for some clients":                 {"POST", policies, good(`["all"]`, `["browser"]`), "all clients"},
		"create with a condition":                 {"POST", policies, good(`"clientAppTypes"`, `"locations":{},"clientAppTypes"`), "locations"},
		"create with no body":                     {"POST", policies, "", "JSON"},
		"create with two bodies":                  {"POST", policies, good() + good(), "JSON"},
		"state of another's policy":               {"PATCH", "/identity/conditionalAccess/policies/99999999-0000-4000-8000-000000000009", `{"state":"enabled"}`, "owns"},
		"state and conditions":                    {"PATCH", one, `{"state":"enabled","conditions":{}}`, "conditions"},
		"conditions alone":                        {"PATCH", one, `{"conditions":{"users":{"excludeUsers":[]}}}`, "conditions"},
		"grant controls":                          {"PATCH", one, `{"grantControls":{"builtInControls":["mfa","block"]}}`, "grantControls"},
		"no state":                                {"PATCH", one, `{}`, "lacks"},
		"a made-up state":                         {"PATCH", one, `{"state":"on"}`, "no state"},
		"delete a policy":                         {"DELETE", one, "", "no write"},
		"put a policy":                            {"PUT", one, `{"state":"enabled"}`, "no write"},
		"a strength policy":                       {"POST", "/identity/conditionalAccess/authenticationStrength/policies", `{}`, "no write"},
		"defaults and more":                       {"PATCH", "/policies/identitySecurityDefaultsEnforcementPolicy", `{"isEnabled":false,"x":1}`, "x"},
		"the methods policy":                      {"PATCH", "/policies/authenticationMethodsPolicy", `{}`, "no write"},
		"a user":                                  {"PATCH", "/users/" + userID, `{"accountEnabled":false}`, "no write"},
		"a group's name":                          {"PATCH", "/groups/" + groupID, `{"displayName":"x"}`, "displayName"},
		"members and name":                        {"PATCH", "/groups/" + groupID, `{"displayName":"x","members@odata.bind":["u"]}`, "displayName"},
		"too many members":                        {"PATCH", "/groups/" + groupID, `{"members@odata.bind":["` + strings.Repeat(`u","`, 20) + `u"]}`, "not 21"},
		"another's group":                         {"PATCH", "/groups/" + userID, `{"members@odata.bind":["u"]}`, "owns"},
		"another's member":                        {"DELETE", "/groups/" + userID + "/members/" + userID + "/$ref", "", "owns"},
		"delete a group":                          {"DELETE", "/groups/" + groupID, "", "no write"},
		"an owner":                                {"DELETE", "/groups/" + groupID + "/owners/" + userID + "/$ref", "", "no write"},
		"a group for roles":                       {"POST", "/groups", `{"displayName":"d","description":"m","mailNickname":"n","mailEnabled":false,"securityEnabled":true,"isAssignableToRole":true}`, "isAssignableToRole"},
		"a mail group":                            {"POST", "/groups", `{"displayName":"d","description":"m","mailNickname":"n","mailEnabled":true,"securityEnabled":true}`, "plain"},
		"a write in a batch":                      {"POST", "/$batch", `{"requests":[{"id":"1","method":"GET","url":"/me"},{"id":"2","method":"PATCH","url":"` + one + `","body":{"state":"disabled"}}]}`, "only read"},
		"a role":                                  {"POST", "/roleManagement/directory/roleAssignments", `{}`, "no write"},
		"a subscription's address":                {"PATCH", "/subscriptions/s", `{"expirationDateTime":"2026-12-20T00:00:00Z","notificationUrl":"https://example.com"}`, "notificationUrl"},
		"a subscription's end":                    {"DELETE", "/subscriptions/s", "", "no write"},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, status(204, ""))
			err := tn.SendRawSparing(t.Context(), []string{userID}, c.method, c.path, c.body, policyID, groupID)
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
	t.Run("a policy whose emergency accounts nobody named", func(t *testing.T) {
		for name, spared := range map[string][]string{"none": nil, "one of two": {userID, policyID}, "an empty id": {userID, ""}} {
			tn := newTenant(t, status(204, ""))
			if err := tn.SendRawSparing(t.Context(), spared, "POST", policies, good()); !errors.Is(err, graph.ErrRefused) || len(tn.calls()) != 0 {
				t.Errorf("%s: error %v, %d calls; want ErrRefused and none", name, err, len(tn.calls()))
			}
		}
	})
	t.Run("and lets the right ones through", func(t *testing.T) {
		tn := newTenant(t, status(204, ""))
		for path, body := range map[string]string{"POST " + policies: good(), "PATCH " + one: `{"state":"enabled"}`, "POST /$batch": `{"requests":[]}`} {
			method, path, _ := strings.Cut(path, " ")
			if err := tn.SendRawSparing(t.Context(), []string{userID}, method, path, body, policyID); err != nil {
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

package raw_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

func TestValuesThatMayBeMissing(t *testing.T) {
	for body, want := range map[string][2]rollout.Fact{ // the fact; and where null means false
		`{}`: {rollout.Unknown, rollout.Unknown}, `{"b":null}`: {rollout.Unknown, rollout.No},
		`{"b":true}`: {rollout.Yes, rollout.Yes}, `{"b":false}`: {rollout.No, rollout.No},
	} {
		var v struct{ B raw.Bool }
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if got := [2]rollout.Fact{v.B.Fact(), v.B.FactNullIsNo()}; got != want {
			t.Errorf("%s is %v, want %v", body, got, want)
		}
	}
	for body, want := range map[string]time.Time{
		`null`: {}, `""`: {}, `"0001-01-01T00:00:00Z"`: {},
		`"2026-12-01T08:00:00.1234567Z"`: time.Date(2026, 12, 1, 8, 0, 0, 123456700, time.UTC),
		`"2026-12-01T08:00:00+02:00"`:    time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC),
		`"2026-12-01T08:00:00"`:          time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC),
	} {
		var got raw.Time
		if err := json.Unmarshal([]byte(body), &got); err != nil || !got.Time.Equal(want) {
			t.Errorf("%s is %s, %v, want %s", body, got, err, want)
		}
	}
	var b raw.Bool
	var at raw.Time
	for body, into := range map[string]any{`"yes"`: &b, `1`: &b, `7`: &at, `"soon"`: &at, `{}`: &at} {
		if err := json.Unmarshal([]byte(body), into); err == nil {
			t.Errorf("%s passes for a %T", body, into)
		}
	}
}

func TestWhatNarrowsAPolicy(t *testing.T) {
	for condition, want := range map[string]bool{
		`"platforms": null`:                          false,
		`"platforms": {"includePlatforms": ["all"]}`: false,
		`"platforms": {"includePlatforms": ["all"], "excludePlatforms": ["iOS"]}`: true,
		`"platforms": {"includePlatforms": ["android"]}`:                          true,
		`"platforms": {"includePlatforms": "all"}`:                                true,
		`"locations": {"includeLocations": ["all"], "excludeLocations": null}`:    false,
		`"locations": {"includeLocations": ["All"], "excludeLocations": ["x"]}`:   true,
		`"clientAppTypes": []`: false,
		`"clientApplications": {"includeServicePrincipals": ["x"]}`:          true,
		`"locations": {"includeLocations": ["All"], "excludeLocations": []}`: false,
		`"locations": {"includeLocations": ["AllTrusted"]}`:                  true,
		`"locations": {"includeLocations": ["All"], "somethingNew": ["x"]}`:  true,
		`"signInRiskLevels": []`:                                        false,
		`"signInRiskLevels": ["low"]`:                                   true,
		`"devices": {"deviceFilter": {"mode": "include", "rule": "x"}}`: true,
		`"authenticationFlows": {"transferMethods": "deviceCodeFlow"}`:  true,
		`"authenticationFlows": {"transferMethods": ""}`:                false,
		`"somethingNew": {"@odata.type": "#x"}`:                         false,
		`"somethingNew": 1`:                                             true,
		`"somethingNew": {"on": false, "list": [null, ""]}`:             false,
		`"users": {"includeGuestsOrExternalUsers": {"guestOrExternalUserTypes": "internalGuest", "externalTenants": {"membershipKind": "all"}}}`: false,
		`"users": {"includeGuestsOrExternalUsers": {"guestOrExternalUserTypes": "internalGuest", "externalTenants": {"membershipKind": null}}}`:  true,
	} {
		p, err := raw.Policy([]byte(`{"id":"p","state":"enabled","conditions":{` + condition + `}}`))
		if err != nil {
			t.Errorf("%s: %v", condition, err)
		}
		if got := len(p.Narrowing) > 0; got != want {
			t.Errorf("%s narrows = %t (%v), want %t", condition, got, p.Narrowing, want)
		}
	}
}

// TestAPolicyThatIsOnForSome: what lies beside the conditions narrows, too.
func TestAPolicyThatIsOnForSome(t *testing.T) {
	for member, want := range map[string][]string{
		`"description":""`:                                nil,
		`"partialEnablementStrategy":null`:                nil,
		`"partialEnablementStrategy":"tenPercent"`:        {"locations", "partialEnablementStrategy", "userRiskLevels"},
		`"partialEnablementStrategy":{"percentage":10.0}`: {"locations", "partialEnablementStrategy", "userRiskLevels"},
	} {
		conditions := `{}`
		if want != nil {
			conditions = `{"userRiskLevels":["high"],"locations":{"includeLocations":["AllTrusted"]}}`
		}
		p, err := raw.Policy([]byte(`{"id":"p","state":"enabled",` + member + `,"conditions":` + conditions + `}`))
		if err != nil || !slices.Equal(p.Narrowing, want) {
			t.Errorf("%s narrows by %v, %v, want %v", member, p.Narrowing, err, want)
		}
	}
}

// TestGuestsOfSomeTenants: package rollout knows the names under which the
// restriction to some tenants is kept, and what it is worth.
func TestGuestsOfSomeTenants(t *testing.T) {
	guest := rollout.Subject{ID: "u1", Guest: []rollout.GuestKind{rollout.B2BCollaborationGuest}}
	some := `{"guestOrExternalUserTypes":"b2BCollaborationGuest,internalGuest","externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessEnumeratedExternalTenants","membershipKind":"enumerated","members":["x"]}}`
	all := `{"guestOrExternalUserTypes":"b2BCollaborationGuest,internalGuest","externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"all"}}`
	for users, want := range map[string]rollout.Verdict{
		`"includeUsers":["All"],"excludeGuestsOrExternalUsers":` + some: rollout.VerdictUnresolvable,
		`"includeUsers":["All"],"excludeGuestsOrExternalUsers":` + all:  rollout.VerdictExcluded,
		`"includeGuestsOrExternalUsers":` + some:                        rollout.VerdictUnresolvable,
		`"includeGuestsOrExternalUsers":` + all:                         rollout.VerdictInside,
	} {
		p, err := raw.Policy([]byte(`{"id":"p","state":"enabled","conditions":{"users":{` + users + `}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := rollout.Reach(p, guest, nil); got.Verdict != want {
			t.Errorf("%s: the guest is %s %v, want %s", users, got.Verdict, got.Path, want)
		}
	}
}

func TestAPolicyThatCannotBeUnderstoodIsAnError(t *testing.T) {
	for _, body := range []string{
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
		if p, err := raw.Policy([]byte(body)); err == nil {
			t.Errorf("%s passes as %+v", body, p)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	awkward, err := os.ReadFile("testdata/awkward-policy.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(awkward)
	f.Add([]byte(`{"id":"p","state":"enabled","conditions":{"users":{"includeUsers":["All"],"excludeUsers":["None"]}},"grantControls":{"builtInControls":["block"]}}`))
	f.Add([]byte(`{"id":"p","state":"x","conditions":{"platforms":{"includePlatforms":["ALL"],"a":{"b":[[],{}]}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := raw.Policy(body)
		if err != nil {
			return
		}
		if p.ID == "" || p.State == "" {
			t.Fatalf("a policy without an id or a state passed: %+v", p)
		}
		// No string may appear that Graph did not write.
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
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

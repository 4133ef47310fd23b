package graph_test

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	simulated "sallyport/infra/local/tenant"
	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

func TestPerUserMFAInBulk(t *testing.T) {
	for name, c := range map[string]struct {
		answer     http.HandlerFunc
		want       []graph.MFAState
		notOffered bool
	}{
		"every row has it":   {ok(`{"value":[{"id":"a","perUserMfaState":"enforced"},{"id":"b","perUserMfaState":"paused"}]}`), []graph.MFAState{{UserID: "a", State: "enforced"}, {UserID: "b", State: "paused"}}, false},
		"one row has it not": {ok(`{"value":[{"id":"a","perUserMfaState":"enforced"},{"id":"b"}]}`), nil, true},
		"one row is null":    {ok(`{"value":[{"id":"a","perUserMfaState":"enforced"},{"id":"b","perUserMfaState":null}]}`), nil, true},
		"one row is empty":   {ok(`{"value":[{"id":"a","perUserMfaState":""}]}`), nil, true},
		"Graph refuses it":   {failure(400, "BadRequest"), nil, true},
		"no permission":      {failure(403, "Authorization_RequestDenied"), nil, false},
		"nobody":             {ok(`{"value":[]}`), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, c.answer)
			page, err := tn.PerUserMFAPage(t.Context(), "")
			if errors.Is(err, graph.ErrNotOffered) != c.notOffered || (err == nil) != (c.want != nil) {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(c.want, page.Rows); diff != "" {
				t.Error(diff)
			}
			if q, err := url.ParseQuery(tn.last().query); err != nil || q.Get("$select") != "id,perUserMfaState" || q.Get("$top") != "999" {
				t.Errorf("asked with %q", tn.last().query)
			}
		})
	}
	tn := newTenant(t, failure(400, "BadRequest"))
	if _, err := tn.PerUserMFAPage(t.Context(), tn.server.URL+"/v1.0/users?$skiptoken=a"); !errors.Is(err, graph.ErrCursorExpired) || errors.Is(err, graph.ErrNotOffered) {
		t.Errorf("a later page that is refused: error %v", err)
	}
}

func TestPerUserMFAOneByOne(t *testing.T) {
	people := ids(43)
	tn := newTenant(t, batchServer(t, func(s sub) subAnswer {
		switch {
		case s.Method != "GET" || !strings.HasPrefix(s.URL, "/users/") || !strings.HasSuffix(s.URL, "/authentication/requirements"):
			t.Errorf("asked %s %s", s.Method, s.URL)
		case strings.Contains(s.URL, people[1]):
			return subAnswer{Status: 404, Body: odata("Request_ResourceNotFound")}
		case strings.Contains(s.URL, people[2]):
			return subAnswer{Status: 403, Body: odata("accessDenied")}
		case strings.Contains(s.URL, people[3]):
			return subAnswer{Status: 200, Body: map[string]any{"perUserMfaState": nil}}
		case strings.Contains(s.URL, people[4]):
			return subAnswer{Status: 200, Body: map[string]any{"perUserMfaState": "paused"}}
		}
		return subAnswer{Status: 200, Body: map[string]any{"perUserMfaState": "disabled"}}
	}))
	got, err := tn.PerUserMFA(t.Context(), people)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, id := range people {
		want[id] = "disabled"
	}
	for _, i := range []int{1, 2, 3} {
		delete(want, people[i]) // not known, which is not disabled
	}
	want[people[4]] = "paused" // a state that Microsoft may add
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(slices.Repeat([]string{"POST /beta/$batch"}, 3), tn.calls()); diff != "" {
		t.Error(diff)
	}
}

func TestPerUserMFAFails(t *testing.T) {
	for name, c := range map[string]struct {
		one  subAnswer
		says string
	}{
		"every one refused":       {subAnswer{Status: 403, Body: odata("accessDenied")}, "lacks Policy.Read.All"},
		"a request it knows not":  {subAnswer{Status: 400, Body: odata("BadRequest")}, "BadRequest"},
		"an error inside a 200":   {subAnswer{Status: 200, Body: odata("UnknownError")}, "UnknownError"},
		"a state that is no text": {subAnswer{Status: 200, Body: map[string]any{"perUserMfaState": 7}}, "not what Graph documents"},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, batchServer(t, func(sub) subAnswer { return c.one }))
			if got, err := tn.PerUserMFA(t.Context(), ids(3)); err == nil || got != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %v, want an error that says %q", got, err, c.says)
			}
		})
	}
	if _, err := newTenant(t, ok(`{}`)).PerUserMFA(t.Context(), []string{""}); err == nil {
		t.Error("no id, and no error")
	}
}

// The beta's batch may read and nothing else, like the other one.
func TestABetaBatchOnlyReads(t *testing.T) {
	tn := newTenant(t, ok(`{"responses":[]}`))
	err := tn.SendRaw(t.Context(), "POST", tn.server.URL+"/beta/$batch", `{"requests":[{"id":"1","method":"PATCH","url":"/users/a/authentication/requirements"}]}`)
	if !errors.Is(err, graph.ErrRefused) || len(tn.calls()) != 0 {
		t.Errorf("error %v after %d requests, want ErrRefused after none", err, len(tn.calls()))
	}
	for _, method := range []string{"PATCH", "POST", "DELETE"} {
		if err := tn.SendRaw(t.Context(), method, tn.server.URL+"/beta/users/a/authentication/requirements", `{"perUserMfaState":"disabled"}`); !errors.Is(err, graph.ErrRefused) {
			t.Errorf("%s: error %v, want ErrRefused", method, err)
		}
	}
}

// Both ways give the same where the tenant offers both, and the first says
// plainly where it does not.
func TestPerUserMFAOfTheSimulatedTenant(t *testing.T) {
	f := newFirm(t, simulated.Sample, 4)
	var people []string
	for _, u := range f.Users() {
		id, _ := u["id"].(string)
		people = append(people, id)
	}
	if _, err := f.client.PerUserMFAPage(t.Context(), ""); !errors.Is(err, graph.ErrNotOffered) {
		t.Errorf("a tenant that does not offer it: error %v", err)
	}
	alone, err := f.client.PerUserMFA(t.Context(), people)
	if err != nil {
		t.Fatal(err)
	}
	b := f.Behaviour()
	b.BulkPerUserMFA, b.PageCap = true, 60
	f.SetBehaviour(b)
	bulk, cursor := map[string]string{}, ""
	for {
		page, err := f.client.PerUserMFAPage(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			bulk[r.UserID] = r.State
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(bulk, alone); diff != "" || len(bulk) != len(people) {
		t.Errorf("%d of %d; %s", len(bulk), len(people), diff)
	}
	states := slices.Sorted(maps.Values(alone))
	if diff := cmp.Diff([]string{"disabled", "enforced"}, slices.Compact(states)); diff != "" {
		t.Error(diff)
	}
}

func TestMethodsPolicy(t *testing.T) {
	tn := newTenant(t, ok(`{"policyMigrationState":"migrationInProgress","authenticationMethodConfigurations":[
		{"id":"Fido2","state":"enabled","includeTargets":[{"id":"all_users"}],"excludeTargets":[{"id":"g"}]},
		{"id":"QRCodePin","state":"paused","includeTargets":null}],
		"registrationEnforcement":{"authenticationMethodsRegistrationCampaign":{"state":"enabled","excludeTargets":[{"id":"x"}],
		"includeTargets":[{"id":"a","targetedAuthenticationMethod":"microsoftAuthenticator"},{"id":"b","targetedAuthenticationMethod":"fido2"},{"id":"c","targetedAuthenticationMethod":"fido2"}]}}}`))
	got, err := tn.MethodsPolicy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := rollout.MethodsPolicy{
		Read: true, MigrationState: "migrationInProgress",
		Methods:  []rollout.MethodConfiguration{{ID: "Fido2", State: "enabled", Include: []string{"all_users"}, Exclude: []string{"g"}}, {ID: "QRCodePin", State: "paused"}},
		Campaign: rollout.Campaign{State: "enabled", Methods: []string{"microsoftAuthenticator", "fido2"}, Include: []string{"a", "b", "c"}, Exclude: []string{"x"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := newTenant(t, ok(`{"policyMigrationState":null,"registrationEnforcement":null,"authenticationMethodConfigurations":[]}`)).MethodsPolicy(t.Context()); err != nil || !got.Read {
		t.Errorf("nulls: %+v, %v", got, err)
	}
}

func TestAMethodsPolicyThatCannotBeReadIsNotRead(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"nothing":               ok(`{}`),
		"an error inside a 200": ok(`{"error":{"code":"UnknownError"}}`),
		"a method without id":   ok(`{"authenticationMethodConfigurations":[{"state":"enabled"}]}`),
		"one without state":     ok(`{"authenticationMethodConfigurations":[{"id":"Sms","state":null}]}`),
		"not found":             failure(404, "x"),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := newTenant(t, answer).MethodsPolicy(t.Context()); err == nil || got.Read {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	var denied *graph.DeniedError
	if _, err := newTenant(t, failure(403, "AccessDenied")).MethodsPolicy(t.Context()); !errors.As(err, &denied) || denied.Permission != "Policy.Read.AuthenticationMethod" {
		t.Errorf("without the permission: %v", err)
	}
}

func TestRoleDefinitions(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[{"id":"AAAA","templateId":"BBBB","displayName":"Global Administrator","isBuiltIn":true},
		{"id":"cccc","templateId":"dddd","displayName":"Print","isBuiltIn":false},{"id":"eeee","displayName":"?"}]}`))
	got, err := tn.RoleDefinitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]rollout.RoleDefinition{
		"aaaa": {ID: "BBBB", DisplayName: "Global Administrator", BuiltIn: true},
		"cccc": {ID: "cccc", DisplayName: "Print"}, "eeee": {ID: "eeee", DisplayName: "?"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if q := tn.last().query; strings.Contains(q, "top") {
		t.Errorf("asked with %q: Graph refuses $top here", q)
	}
	if _, err := newTenant(t, ok(`{"value":[]}`)).RoleDefinitions(t.Context()); err == nil {
		t.Error("a tenant without a single role is believed")
	}
}

func TestDefaultsUpsell(t *testing.T) {
	due := time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   rollout.DefaultsUpsell
		fails  bool
		logged bool
	}{
		"planned":           {ok(`{"securityDefaultsUpsell":{"action":"autoEnable","dueDateTime":"2027-01-15T00:00:00Z"}}`), rollout.DefaultsUpsell{Action: "autoEnable", Due: due}, false, false},
		"a new word":        {ok(`{"securityDefaultsUpsell":{"action":"autoEnableSoon","dueDateTime":null}}`), rollout.DefaultsUpsell{Action: "autoEnableSoon"}, false, false},
		"nothing planned":   {ok(`{"isEnabled":false,"securityDefaultsUpsell":null}`), rollout.DefaultsUpsell{}, false, false},
		"not there":         {ok(`{"isEnabled":false}`), rollout.DefaultsUpsell{}, false, false},
		"another shape":     {ok(`{"securityDefaultsUpsell":"autoEnable"}`), rollout.DefaultsUpsell{}, false, true},
		"an error in a 200": {ok(`{"error":{"code":"UnknownError"}}`), rollout.DefaultsUpsell{}, false, true},
		"beta knows it not": {failure(404, "ResourceNotFound"), rollout.DefaultsUpsell{}, false, true},
		"beta refuses":      {failure(400, "BadRequest"), rollout.DefaultsUpsell{}, false, true},
		"not implemented":   {failure(501, "NotImplemented"), rollout.DefaultsUpsell{}, false, true},
		"no permission":     {failure(403, "AccessDenied"), rollout.DefaultsUpsell{}, true, false},
		"down":              {failure(500, "x"), rollout.DefaultsUpsell{}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, c.answer)
			var log bytes.Buffer
			client, err := graph.New(graph.Options{Endpoint: tn.server.URL, Credential: app{}, Clock: tn.clock, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.DefaultsUpsell(t.Context())
			if (err != nil) != c.fails {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if said := strings.Contains(log.String(), "not known"); said != c.logged {
				t.Errorf("log: %s", log.String())
			}
			if got := tn.calls()[0]; got != "GET /beta/policies/identitySecurityDefaultsEnforcementPolicy" {
				t.Errorf("asked %s", got)
			}
		})
	}
}

// What the simulated tenant holds is what the adapter says, page by page.
func TestTheSimulatedTenantIsReadInPages(t *testing.T) {
	f := newFirm(t, simulated.Sample, 4)
	f.SetUpsell("autoEnabledNotify", start().AddDate(0, 0, 30))
	b := f.Behaviour()
	b.PageCap = 40
	f.SetBehaviour(b)
	users, err := pages(func(cursor string) (graph.Page[rollout.User], error) {
		return f.client.UsersPage(t.Context(), true, cursor)
	})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := collect(func(page func([]rollout.User) error) error { return f.client.Users(t.Context(), true, page) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, users); diff != "" || len(users) != 250 {
		t.Errorf("%d users; %s", len(users), diff)
	}
	if i := slices.IndexFunc(users, func(u rollout.User) bool { return u.ExternalUserState == "PendingAcceptance" }); i < 0 || users[i].CreationType != "Invitation" {
		t.Error("no invited guest who has not accepted")
	}
	managers, err := pages(func(cursor string) (graph.Page[graph.Manager], error) {
		return f.client.ManagersPage(t.Context(), cursor)
	})
	if err != nil || len(managers) != 250 {
		t.Errorf("%d managers, %v", len(managers), err)
	}
	if !slices.ContainsFunc(managers, func(m graph.Manager) bool { return m.ManagerID != "" }) {
		t.Error("nobody reports to anybody")
	}
	registrations, err := pages(func(cursor string) (graph.Page[rollout.Registration], error) {
		return f.client.RegistrationsPage(t.Context(), cursor)
	})
	report, wholeErr := collect(func(page func([]rollout.Registration) error) error { return f.client.Registrations(t.Context(), page) })
	if diff := cmp.Diff(report, registrations); diff != "" || err != nil || wholeErr != nil || len(report) < 100 {
		t.Errorf("%v %v %s", err, wholeErr, diff)
	}
	all, _ := f.GroupID("All staff")
	members, err := pages(func(cursor string) (graph.Page[string], error) { return f.client.MembersPage(t.Context(), all, cursor) })
	slices.Sort(members)
	want := f.TransitiveMembers(all)
	slices.Sort(want)
	if diff := cmp.Diff(want, members); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	policy, err := f.client.MethodsPolicy(t.Context())
	if err != nil || policy.Campaign.State != "enabled" || len(policy.Methods) != 7 {
		t.Errorf("methods policy %+v, %v", policy, err)
	}
	roles, err := f.client.RoleDefinitions(t.Context())
	if err != nil || !roles[simulated.RoleGlobalAdmin].BuiltIn || len(roles) != 20 {
		t.Errorf("%d roles, %v", len(roles), err)
	}
	upsell, err := f.client.DefaultsUpsell(t.Context())
	if err != nil || upsell.Action != "autoEnabledNotify" || !upsell.Due.Equal(start().AddDate(0, 0, 30)) {
		t.Errorf("upsell %+v, %v", upsell, err)
	}
}

func pages[T any](read func(cursor string) (graph.Page[T], error)) ([]T, error) {
	var out []T
	for cursor := ""; ; {
		page, err := read(cursor)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Rows...)
		if cursor = page.Next; cursor == "" {
			return out, nil
		}
	}
}

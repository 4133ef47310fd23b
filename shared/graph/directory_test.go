package graph_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

const (
	policyID = "11111111-0000-4000-8000-000000000001"
	groupID  = "22222222-0000-4000-8000-000000000001"
	userID   = "33333333-0000-4000-8000-000000000001"
)

func TestOrganization(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[{"id":"o","displayName":"Contoso","preferredLanguage":"en","countryLetterCode":"GB","verifiedDomains":[
		{"name":"contoso.com","isInitial":false},{"name":"Contoso.onmicrosoft.com","isInitial":true}]}]}`))
	got, err := tn.Organization(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := rollout.Organization{
		ID: "o", DisplayName: "Contoso", PreferredLanguage: "en", CountryLetterCode: "GB",
		InitialDomain: "contoso.onmicrosoft.com", Domains: []string{"contoso.com", "contoso.onmicrosoft.com"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlansAreThoseInForce(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[
		{"id":"1","capabilityStatus":"Enabled","servicePlans":[
			{"servicePlanId":"41781FB2-bc02-4b7c-bd55-b576c07bb09d","servicePlanName":"AAD_PREMIUM","provisioningStatus":"Success"},
			{"servicePlanId":"p2","servicePlanName":"AAD_PREMIUM_P2","provisioningStatus":"PendingInput"}]},
		{"id":"2","capabilityStatus":"Enabled","servicePlans":[
			{"servicePlanId":"41781fb2-bc02-4b7c-bd55-b576c07bb09d","servicePlanName":"AAD_PREMIUM","provisioningStatus":"Success"}]},
		{"id":"3","capabilityStatus":"Suspended","servicePlans":[
			{"servicePlanId":"x","servicePlanName":"EXCHANGE","provisioningStatus":"Success"}]}]}`))
	got, err := tn.Plans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []rollout.ServicePlan{{ID: rollout.PlanEntraP1, Name: "AAD_PREMIUM"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUsers(t *testing.T) {
	const rows = `{"value":[
		{"id":"1","userPrincipalName":"ana@contoso.com","displayName":"Ana \"Ann\" 田中","mail":"ana@contoso.com","otherMails":["ana@example.com"],
		 "userType":"Member","accountEnabled":true,"onPremisesSyncEnabled":null,"assignedLicenses":[{"skuId":"x"}],"preferredLanguage":"es-ES",
		 "usageLocation":"ES","department":"Sales","createdDateTime":"2020-03-13T19:15:41.6195833Z",
		 "signInActivity":{"lastSignInDateTime":"2026-11-30T08:00:00+02:00","lastNonInteractiveSignInDateTime":null,"lastSuccessfulSignInDateTime":"2026-11-29T08:00:00Z"}},
		{"id":"2","userPrincipalName":"old@contoso.com","displayName":null,"mail":null,"otherMails":[],"userType":null,"accountEnabled":null,
		 "onPremisesSyncEnabled":true,"assignedLicenses":[],"preferredLanguage":null,"createdDateTime":null},
		{"id":"3"}]}`
	want := []rollout.User{
		{
			ID: "1", UserPrincipalName: "ana@contoso.com", DisplayName: `Ana "Ann" 田中`, Mail: "ana@contoso.com", OtherMails: []string{"ana@example.com"},
			UserType: "Member", AccountEnabled: rollout.Yes, Synced: rollout.No, Licensed: true, PreferredLanguage: "es-ES", UsageLocation: "ES", Department: "Sales",
			Created:    time.Date(2020, 3, 13, 19, 15, 41, 619583300, time.UTC),
			LastSignIn: time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC), LastSuccessfulSignIn: time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC),
			ActivityKnown: true,
		},
		{ID: "2", UserPrincipalName: "old@contoso.com", OtherMails: []string{}, AccountEnabled: rollout.Unknown, Synced: rollout.Yes, ActivityKnown: true},
		{ID: "3", AccountEnabled: rollout.Unknown, Synced: rollout.Unknown, ActivityKnown: true},
	}
	tn := newTenant(t, ok(rows))
	got, err := collect(func(f func([]rollout.User) error) error { return tn.Users(t.Context(), true, f) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	q, err := url.ParseQuery(tn.last().query)
	if err != nil || q.Get("$top") != "500" || !strings.Contains(q.Get("$select"), "signInActivity") {
		t.Errorf("asked with %q", tn.last().query)
	}
}

func TestUser(t *testing.T) {
	tn := newTenant(t, answers(ok(`{"id":"`+userID+`","accountEnabled":false}`), failure(404, "Request_ResourceNotFound"), ok(`{"id":null}`)))
	got, err := tn.User(t.Context(), userID)
	if err != nil || got.ID != userID || got.AccountEnabled != rollout.No || got.ActivityKnown {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := tn.User(t.Context(), userID); !errors.Is(err, graph.ErrNotFound) {
		t.Errorf("a missing user: %v, want ErrNotFound", err)
	}
	if _, err := tn.User(t.Context(), userID); err == nil {
		t.Error("an answer without an id passes")
	}
	if _, err := tn.User(t.Context(), ""); err == nil {
		t.Error("no id passes: it would read the listing")
	}
}

func TestRegistrations(t *testing.T) {
	const rows = `{"value":[
		{"id":"1","isAdmin":true,"isMfaRegistered":true,"isMfaCapable":false,"methodsRegistered":["mobilePhone","somethingNew"],"lastUpdatedDateTime":"2026-12-01T03:00:00"},
		{"id":"2","isMfaRegistered":null,"methodsRegistered":[],"userPreferredMethodForSecondaryAuthentication":""}]}`
	want := []rollout.Registration{
		{
			UserID: "1", IsAdmin: true, MFARegistered: rollout.Yes, MFACapable: rollout.No, Methods: []string{"mobilePhone", "somethingNew"},
			ReportedAt: time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC),
		},
		{UserID: "2", MFARegistered: rollout.Unknown, MFACapable: rollout.Unknown, Methods: []string{}},
	}
	read := func(tn *tenant) ([]rollout.Registration, error) {
		return collect(func(f func([]rollout.Registration) error) error { return tn.Registrations(t.Context(), f) })
	}
	t.Run("as documented", func(t *testing.T) {
		got, err := read(newTenant(t, ok(rows)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("where the page size is refused", func(t *testing.T) {
		tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("$top") {
				failure(400, "BadRequest")(w, r)
				return
			}
			ok(rows)(w, r)
		})
		if got, err := read(tn); err != nil || len(got) != 2 {
			t.Errorf("got %d rows, %v", len(got), err)
		}
	})
	t.Run("without a licence", func(t *testing.T) {
		_, err := read(newTenant(t, failure(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")))
		if !errors.Is(err, graph.ErrNoLicence) {
			t.Errorf("error %v, want ErrNoLicence", err)
		}
	})
}

func TestRoleAssignments(t *testing.T) {
	const active = `{"value":[{"id":"a","principalId":"p","roleDefinitionId":"r","directoryScopeId":"/"}]}`
	eligible := func(answer http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/roleAssignments") {
				ok(active)(w, r)
				return
			}
			answer(w, r)
		}
	}
	one := rollout.RoleAssignment{PrincipalID: "p", RoleDefinitionID: "r", DirectoryScopeID: "/"}
	two := rollout.RoleAssignment{PrincipalID: "q", RoleDefinitionID: "r", DirectoryScopeID: "/administrativeUnits/u", Eligible: true}
	for name, c := range map[string]struct {
		eligible http.HandlerFunc
		want     []rollout.RoleAssignment
		err      error
	}{
		"both":             {ok(`{"value":[{"id":"b","principalId":"q","roleDefinitionId":"r","directoryScopeId":"/administrativeUnits/u"}]}`), []rollout.RoleAssignment{one, two}, nil},
		"nobody eligible":  {ok(`{"value":[]}`), []rollout.RoleAssignment{one}, nil},
		"no licence":       {failure(400, "AadPremiumLicenseRequired"), []rollout.RoleAssignment{one}, graph.ErrNoLicence},
		"another 400":      {failure(400, "SomethingElse"), []rollout.RoleAssignment{one}, graph.ErrNoLicence},
		"a 400 in between": {answers(ok(`{"value":[],"@odata.nextLink":"{host}/v1.0/roleManagement/directory/roleEligibilityScheduleInstances?$skiptoken=a"}`), failure(400, "SomethingElse")), nil, errAny},
		"no permission":    {failure(403, "Authorization_RequestDenied"), nil, errAny},
		"no principal":     {ok(`{"value":[{"id":"b","principalId":null,"roleDefinitionId":"r"}]}`), nil, errAny},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, eligible(c.eligible))
			got, err := tn.RoleAssignments(t.Context(), true)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (c.err == nil) || c.err != nil && c.err != errAny && !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if c.err == errAny && errors.Is(err, graph.ErrNoLicence) {
				t.Errorf("error %v passes for a missing licence", err)
			}
			if strings.Contains(tn.last().query, "top") {
				t.Errorf("asked with %q: role management refuses $top", tn.last().query)
			}
		})
	}
	t.Run("nobody at all cannot be", func(t *testing.T) {
		var partial *graph.PartialError
		if _, err := newTenant(t, ok(`{"value":[]}`)).RoleAssignments(t.Context(), false); !errors.As(err, &partial) {
			t.Errorf("error %v, want a PartialError", err)
		}
	})
}

var errAny = errors.New("any")

// Who stands in a group itself, nested groups among them, and who owns it: one
// that does not show them is no empty one.
func TestDirectMembersAndOwners(t *testing.T) {
	for name, read := range map[string]func(*graph.Client) ([]string, error){
		"members": func(c *graph.Client) ([]string, error) {
			members, nested, err := c.DirectMembers(t.Context(), groupID)
			if err == nil && !slices.Equal(nested, []string{"g"}) {
				t.Errorf("nested groups %v", nested)
			}
			return members, err
		},
		"owners": func(c *graph.Client) ([]string, error) { return c.Owners(t.Context(), groupID) },
	} {
		tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/groups/"+groupID+"/"+name) {
				failure(404, "Request_ResourceNotFound")(w, r)
				return
			}
			ok(`{"value":[{"@odata.type":"#microsoft.graph.user","id":"1"},{"@odata.type":"#microsoft.graph.group","id":"g"}]}`)(w, r)
		})
		if got, err := read(tn.Client); err != nil || !slices.Equal(got, []string{"1", "g"}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if _, err := read(newTenant(t, failure(403, "Authorization_RequestDenied")).Client); !errors.Is(err, graph.ErrMembersHidden) {
			t.Errorf("%s refused: %v", name, err)
		}
		if got, err := read(newTenant(t, failure(404, "Request_ResourceNotFound")).Client); err == nil {
			t.Errorf("%s of a group that is gone: %v", name, got)
		}
	}
}

func TestGroup(t *testing.T) {
	group := func(about string, members http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/transitiveMembers") {
				members(w, r)
				return
			}
			ok(about)(w, r)
		}
	}
	const facts = `"groupTypes":["DynamicMembership"],"isAssignableToRole":null,"isManagementRestricted":true`
	const open, hidden = `{"id":"` + groupID + `","displayName":"Sales","visibility":null,` + facts + `}`, `{"id":"` + groupID + `","displayName":"Sales","visibility":"HiddenMembership",` + facts + `}`
	mixed := ok(`{"value":[{"@odata.type":"#microsoft.graph.user","id":"1"},{"@odata.type":"#microsoft.graph.group","id":"g"},{"@odata.type":"#microsoft.graph.device","id":"d"},{"id":"2"}]}`)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   rollout.Group
	}{
		"users alone count":    {group(open, mixed), rollout.Group{ID: groupID, DisplayName: "Sales", Members: []string{"1", "2"}, Groups: []string{"g"}, Opened: true}},
		"empty":                {group(open, ok(`{"value":[]}`)), rollout.Group{ID: groupID, DisplayName: "Sales", Opened: true}},
		"hidden, looks empty":  {group(hidden, ok(`{"value":[]}`)), rollout.Group{ID: groupID, DisplayName: "Sales"}},
		"hidden, but readable": {group(hidden, mixed), rollout.Group{ID: groupID, DisplayName: "Sales", Members: []string{"1", "2"}, Groups: []string{"g"}, Opened: true}},
		"hidden by a refusal":  {group(open, failure(403, "Authorization_RequestDenied")), rollout.Group{ID: groupID, DisplayName: "Sales"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newTenant(t, c.answer).Group(t.Context(), groupID)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Opened && len(c.want.Groups) == 0 {
				c.want.Direct, c.want.DirectRead = c.want.Members, true // nothing is nested
			}
			c.want.Dynamic, c.want.RoleAssignable, c.want.Restricted = rollout.Yes, rollout.No, rollout.Yes
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("what is not said is not known", func(t *testing.T) {
		got, err := newTenant(t, group(`{"id":"`+groupID+`"}`, mixed)).Group(t.Context(), groupID)
		if err != nil || got.Dynamic != rollout.Unknown || got.RoleAssignable != rollout.Unknown || got.Restricted != rollout.Unknown || got.Protected() == rollout.Yes {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("the restricted unit is asked for", func(t *testing.T) {
		// Graph leaves it out unless it is selected.
		var selected string
		tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/transitiveMembers") {
				selected = r.URL.Query().Get("$select")
			}
			group(open, mixed)(w, r)
		})
		if _, err := tn.Group(t.Context(), groupID); err != nil || !strings.Contains(selected, "isManagementRestricted") {
			t.Errorf("selected %s, %v", selected, err)
		}
	})
	t.Run("gone", func(t *testing.T) {
		got, err := newTenant(t, failure(404, "Request_ResourceNotFound")).Group(t.Context(), groupID)
		if !errors.Is(err, graph.ErrNotFound) || got.Opened {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("no permission", func(t *testing.T) {
		_, err := newTenant(t, failure(403, "Authorization_RequestDenied")).Group(t.Context(), groupID)
		var denied *graph.DeniedError
		if !errors.As(err, &denied) || denied.Permission != "GroupMember.Read.All" {
			t.Errorf("error %v, want a DeniedError", err)
		}
	})
	t.Run("members broken off", func(t *testing.T) {
		got, err := newTenant(t, group(open, ok(`{"value":[{"id":"1"}`))).Group(t.Context(), groupID)
		if err == nil || got.Opened {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestCreateAndFindGroup(t *testing.T) {
	var nickname, filter string
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			filter = r.URL.Query().Get("$filter")
			ok(`{"value":[{"id":"other","description":"somebody else's"},{"id":"`+groupID+`","description":"[sallyport:contoso:ready]"}]}`)(w, r)
			return
		}
		status(201, `{"id":"`+groupID+`"}`)(w, r)
	})
	id, err := tn.CreateGroup(t.Context(), "Sallyport: ready", "[sallyport:contoso:ready]")
	if err != nil || id != groupID {
		t.Fatalf("got %q, %v", id, err)
	}
	body := decode(t, tn.last().body)
	nickname, _ = body["mailNickname"].(string)
	delete(body, "mailNickname")
	want := map[string]any{"displayName": "Sallyport: ready", "description": "[sallyport:contoso:ready]", "mailEnabled": false, "securityEnabled": true}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
	if len(nickname) > 64 || strings.ContainsAny(nickname, "@()\\[]\";:<>, ") {
		t.Errorf("nickname %q is none that Graph takes", nickname)
	}
	found, is, err := tn.FindGroup(t.Context(), "[sallyport:contoso:ready]")
	if err != nil || !is || found != groupID {
		t.Errorf("found %q, %t, %v", found, is, err)
	}
	if want := "mailNickname eq '" + nickname + "'"; filter != want {
		t.Errorf("filter %q, want %q", filter, want)
	}

	if _, is, err := newTenant(t, ok(`{"value":[]}`)).FindGroup(t.Context(), "m"); is || err != nil {
		t.Errorf("none: %t, %v", is, err)
	}
	if _, _, err := newTenant(t, ok(`{"value":[{"id":"a","description":"m"},{"id":"b","description":"m"}]}`)).FindGroup(t.Context(), "m"); err == nil {
		t.Error("two groups of one marker pass")
	}
	if _, err := newTenant(t, status(201, `{}`)).CreateGroup(t.Context(), "n", "m"); err == nil {
		t.Error("a group without an id passes")
	}
}

func TestAddMembers(t *testing.T) {
	owned := []rollout.OwnedGroup{{ID: groupID}}
	var ids []string
	for i := range 45 {
		ids = append(ids, strings.Replace(userID, "000001", string([]byte{'0' + byte(i/10), '0' + byte(i%10)})+"0001", 1))
	}
	t.Run("twenty at a time", func(t *testing.T) {
		tn := newTenant(t, status(204, ""))
		if err := tn.AddMembers(t.Context(), owned, groupID, ids); err != nil {
			t.Fatal(err)
		}
		var sent []string
		for _, s := range tn.seen {
			refs, _ := decode(t, s.body)["members@odata.bind"].([]any)
			if s.method != "PATCH" || s.path != "/v1.0/groups/"+groupID || len(refs) > 20 || len(decode(t, s.body)) != 1 {
				t.Errorf("sent %s %s with %d members: %s", s.method, s.path, len(refs), s.body)
			}
			for _, r := range refs {
				sent = append(sent, strings.TrimPrefix(r.(string), tn.server.URL+"/v1.0/directoryObjects/"))
			}
		}
		if diff := cmp.Diff(ids, sent); diff != "" || len(tn.seen) != 3 {
			t.Errorf("%d requests: %s", len(tn.seen), diff)
		}
	})
	// A PATCH that was done although its answer was lost is refused the second time.
	t.Run("again after a lost answer", func(t *testing.T) {
		present := map[string]bool{ids[0]: true}
		tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) { memberServer(t, present)(w, r) })
		if err := tn.AddMembers(t.Context(), owned, groupID, ids[:3]); err != nil {
			t.Fatal(err)
		}
		if len(present) != 3 {
			t.Errorf("%d members, want 3", len(present))
		}
		if err := tn.AddMembers(t.Context(), owned, groupID, ids[:3]); err != nil {
			t.Errorf("all there already: %v", err)
		}
	})
	t.Run("refused for another reason", func(t *testing.T) {
		tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				ok(`{"value":[]}`)(w, r)
				return
			}
			failure(400, "Request_BadRequest")(w, r)
		})
		if err := tn.AddMembers(t.Context(), owned, groupID, ids[:3]); err == nil {
			t.Error("no error")
		}
	})
}

// memberServer behaves as Graph: one member who is there already fails them all.
func memberServer(t *testing.T, present map[string]bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			var rows []string
			for id := range present {
				rows = append(rows, `{"id":"`+id+`"}`)
			}
			slices.Sort(rows)
			ok(`{"value":[`+strings.Join(rows, ",")+`]}`)(w, r)
			return
		}
		var add []string
		body := decodeReader(t, r.Body)
		for _, ref := range body["members@odata.bind"].([]any) {
			id := ref.(string)[strings.LastIndex(ref.(string), "/")+1:]
			if present[id] {
				failure(400, "Request_BadRequest")(w, r)
				return
			}
			add = append(add, id)
		}
		for _, id := range add {
			present[id] = true
		}
		w.WriteHeader(204)
	}
}

func TestRemoveMember(t *testing.T) {
	owned := []rollout.OwnedGroup{{ID: groupID}}
	gone := func(members http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				members(w, r)
				return
			}
			failure(404, "Request_ResourceNotFound")(w, r)
		}
	}
	tn := newTenant(t, status(204, ""))
	if err := tn.RemoveMember(t.Context(), owned, groupID, userID); err != nil {
		t.Fatal(err)
	}
	if got, want := tn.calls()[0], "DELETE /v1.0/groups/"+groupID+"/members/"+userID+"/$ref"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if err := newTenant(t, gone(ok(`{"value":[]}`))).RemoveMember(t.Context(), owned, groupID, userID); err != nil {
		t.Errorf("who is out already: %v", err)
	}
	if err := newTenant(t, gone(failure(404, "Request_ResourceNotFound"))).RemoveMember(t.Context(), owned, groupID, userID); !errors.Is(err, graph.ErrNotFound) {
		t.Errorf("a group that is gone: %v, want ErrNotFound", err)
	}
	if err := newTenant(t, gone(ok(`{"value":[{"id":"`+userID+`"}]}`))).RemoveMember(t.Context(), owned, groupID, userID); err == nil {
		t.Error("who is still in it passes for removed")
	}
	if err := newTenant(t, status(204, "")).RemoveMember(t.Context(), owned, groupID, ""); err == nil {
		t.Error("no member passes")
	}
}

func TestSubscriptions(t *testing.T) {
	expires := time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC)
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			ok(`{"value":[{"id":"s","resource":"users","clientState":null,"expirationDateTime":"2026-12-20T00:00:00Z","notificationContentType":"application/json"}]}`)(w, r)
		case http.MethodPost:
			status(201, `{"id":"s","resource":"/users","clientState":null,"expirationDateTime":"2026-12-20T00:00:00Z"}`)(w, r)
		default:
			ok(`{"id":"s","resource":"/users","expirationDateTime":"2026-12-25T00:00:00Z"}`)(w, r)
		}
	})
	made, err := tn.CreateSubscription(t.Context(), "/users", "updated,deleted", "https://hook.example.com/graph", "state", expires)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rollout.Subscription{ID: "s", Resource: "/users", ClientState: "state", ExpiresAt: expires}, made); diff != "" {
		t.Error(diff)
	}
	want := map[string]any{
		"resource": "/users", "changeType": "updated,deleted", "clientState": "state", "expirationDateTime": "2026-12-20T00:00:00Z",
		"notificationUrl": "https://hook.example.com/graph", "lifecycleNotificationUrl": "https://hook.example.com/graph",
	}
	if diff := cmp.Diff(want, decode(t, tn.last().body)); diff != "" {
		t.Error(diff)
	}
	if _, err := tn.CreateSubscription(t.Context(), "/users", "updated", "https://hook.example.com/", "", expires); err == nil {
		t.Error("an empty client state passes")
	}
	list, err := tn.Subscriptions(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != "s" || !list[0].ExpiresAt.Equal(expires) {
		t.Errorf("listed %+v, %v", list, err)
	}
	renewed, err := tn.RenewSubscription(t.Context(), "s", expires.AddDate(0, 0, 5))
	if err != nil || !renewed.ExpiresAt.Equal(expires.AddDate(0, 0, 5)) {
		t.Errorf("renewed %+v, %v", renewed, err)
	}
	if diff := cmp.Diff(map[string]any{"expirationDateTime": "2026-12-25T00:00:00Z"}, decode(t, tn.last().body)); diff != "" {
		t.Error(diff)
	}
	if _, err := newTenant(t, failure(404, "ResourceNotFound")).RenewSubscription(t.Context(), "s", expires); !errors.Is(err, graph.ErrNotFound) {
		t.Errorf("a lapsed one: %v, want ErrNotFound", err)
	}
}

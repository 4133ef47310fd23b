package graph_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

func TestClientsKeepsOneClientForEachTenant(t *testing.T) {
	clients := &graph.Clients{App: graph.App{ClientID: clientID}, Source: graph.STSTokens{Client: &stsFake{}}, Clock: &clock{now: start()}}
	one, err := clients.For(t.Context(), "contoso.onmicrosoft.com")
	if err != nil {
		t.Fatal(err)
	}
	again, err := clients.For(t.Context(), "contoso.onmicrosoft.com")
	if err != nil || again != one {
		t.Errorf("the same tenant got another client, and with it another pace: %v", err)
	}
	other, err := clients.For(t.Context(), "fabrikam.onmicrosoft.com")
	if err != nil || other == one {
		t.Errorf("another tenant got the same client, and with it the same token: %v", err)
	}
	if _, err := clients.For(t.Context(), "no tenant!"); err == nil {
		t.Error("a tenant that cannot be passes")
	}
}

func TestGroupsLeavesOutOnlyWhatIsGone(t *testing.T) {
	const gone, denied = "gone", "denied"
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, gone):
			failure(404, "Request_ResourceNotFound")(w, r)
		case strings.Contains(r.URL.Path, denied):
			failure(403, "Authorization_RequestDenied")(w, r)
		case strings.HasSuffix(r.URL.Path, "/transitiveMembers"):
			ok(`{"value":[{"id":"1"}]}`)(w, r)
		default:
			ok(`{"id":"`+groupID+`","displayName":"Sales"}`)(w, r)
		}
	})
	got, err := tn.Groups(t.Context(), []string{groupID, gone})
	want := map[string]rollout.Group{groupID: {ID: groupID, DisplayName: "Sales", Members: []string{"1"}, Opened: true, Direct: []string{"1"}, DirectRead: true, Dynamic: rollout.Unknown, RoleAssignable: rollout.Unknown, Restricted: rollout.Unknown}, gone: {ID: gone}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	var missing *graph.DeniedError
	if got, err := tn.Groups(t.Context(), []string{groupID, denied}); !errors.As(err, &missing) {
		t.Errorf("a missing permission: %v, %v", got, err)
	}
}

// TestReadWays: what is nested is opened inwards, where an account is in it and
// nowhere else, each group once however they stand in each other.
func TestReadWays(t *testing.T) {
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		const user, group = `{"@odata.type":"#microsoft.graph.user","id":"`, `{"@odata.type":"#microsoft.graph.group","id":"`
		switch path := strings.TrimPrefix(r.URL.Path, "/v1.0/groups/"); path {
		case "outer/members":
			ok(`{"value":[`+group+`inner"},`+group+`shy"},`+user+`9"}]}`)(w, r)
		case "inner/transitiveMembers":
			ok(`{"value":[`+user+`1"},`+group+`outer"}]}`)(w, r)
		case "inner/members":
			ok(`{"value":[`+user+`1"},`+group+`outer"}]}`)(w, r)
		case "shy/transitiveMembers":
			ok(`{"value":[`+user+`1"},`+group+`inner"}]}`)(w, r)
		case "shy/members":
			failure(403, "Authorization_RequestDenied")(w, r)
		case "inner", "shy":
			ok(`{"id":"`+path+`","displayName":"Called `+path+`"}`)(w, r)
		default:
			failure(404, "Request_ResourceNotFound")(w, r)
		}
	})
	groups := map[string]rollout.Group{
		"outer": {Opened: true, Members: []string{"1", "9"}, Groups: []string{"inner", "shy"}},
		"other": {Opened: true, Members: []string{"9"}, Groups: []string{"never asked for"}},
		"flat":  {Opened: true, Members: []string{"1"}, Direct: []string{"1"}, DirectRead: true},
	}
	if err := tn.ReadWays(t.Context(), groups, []string{"1"}); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for id, g := range groups {
		if g.DirectRead {
			got[id] = g.Direct
		}
	}
	want := map[string][]string{"outer": {"inner", "shy", "9"}, "inner": {"1", "outer"}, "flat": {"1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who stands directly in what (-want +got):\n%s", diff)
	}
}

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
	want := map[string]rollout.Group{groupID: {ID: groupID, DisplayName: "Sales", Members: []string{"1"}, Opened: true, Dynamic: rollout.Unknown, RoleAssignable: rollout.Unknown, Restricted: rollout.Unknown}, gone: {ID: gone}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	var missing *graph.DeniedError
	if got, err := tn.Groups(t.Context(), []string{groupID, denied}); !errors.As(err, &missing) {
		t.Errorf("a missing permission: %v, %v", got, err)
	}
}

package breakglass_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass"
	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/graph"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

const reader = "5a11e900-0000-4000-8000-000000000001"

// token is the simulated tenant's.
type token struct{ tenant *tenant.Tenant }

func (k token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	text, expires, err := k.tenant.Token(reader)
	return azcore.AccessToken{Token: text, ExpiresOn: expires}, err
}

// withoutBeta refuses what is asked of Graph's beta, for a while.
type withoutBeta struct {
	http.RoundTripper
	refused int
	on      bool
}

func (w *withoutBeta) RoundTrip(req *http.Request) (*http.Response, error) {
	if !w.on || !strings.HasPrefix(req.URL.Path, "/beta/") {
		return w.RoundTripper.RoundTrip(req)
	}
	w.refused++
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"BadRequest","message":"This version is gone."}}`)),
	}, nil
}

// A night on the simulated tenant, whose rows come late, twice and in disorder,
// through the real adapter: every sign-in of an emergency account raises one
// alert, though beta is refused for three hours of it.
func TestNightOnTheSimulatedTenant(t *testing.T) {
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	o, err := rehearsal.Sample(1, renderer)
	if err != nil {
		t.Fatal(err)
	}
	o.Tenant.PutApp(tenant.App{ID: reader, Roles: rollout.ReaderPermissions()})
	beta := &withoutBeta{RoundTripper: o.Tenant.Transport()}
	client, err := graph.New(graph.Options{Credential: token{o.Tenant}, Clock: o.Clock, Transport: beta})
	if err != nil {
		t.Fatal(err)
	}
	n, ctx := newBench(t), context.Background()
	n.b.Graph = func(context.Context, rollout.TenantID) (breakglass.Graph, error) { return client, nil }
	o.Config.Tenant = contoso
	if err := n.table.PutConfig(ctx, o.Config); err != nil {
		t.Fatal(err)
	}

	want := map[string]int{}
	failures := 0
	for i := range 12 * 9 {
		now := o.Clock.Now()
		if i < 12*6 && i%10 == 0 {
			for _, account := range o.Config.EmergencyAccounts {
				for _, a := range []tenant.Attempt{{}, {Refused: 50126}, {NonInteractive: true}} {
					a.UserID = account.ID
					out, err := o.Tenant.SignIn(a)
					if err != nil {
						t.Fatal(err)
					}
					want["signin-"+out.ID] = 1
				}
			}
		}
		beta.on = i >= 12*2 && i < 12*5
		if err := n.poll(now); err != nil {
			failures++
			if !beta.on || !strings.Contains(err.Error(), "non-interactive") {
				t.Fatalf("%s: %v", now, err)
			}
		} else if err := n.table.MarkRun(ctx, contoso, "breakglass", now, ""); err != nil { // as job does
			t.Fatal(err)
		}
		o.Clock.Set(now.Add(5 * time.Minute))
	}
	got := map[string]int{}
	for _, id := range n.email.sent {
		if !strings.HasPrefix(id, "repeat-") { // nobody acknowledges anything in this night
			got[id]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	if failures != 12*3 || beta.refused == 0 {
		t.Errorf("%d runs failed while beta was refused, want %d", failures, 12*3)
	}
}

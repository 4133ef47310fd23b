package breakglass_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/functions/subscriptions"
	"sallyport/functions/webhook"
	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// doorway is API Gateway before webhook, for whoever calls over HTTP.
type doorway struct{ handler *webhook.Handler }

func (d doorway) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	reply, err := d.handler.Handle(r.Context(), events.APIGatewayV2HTTPRequest{RouteKey: "POST " + r.URL.Path, RawQueryString: r.URL.RawQuery, Body: string(body)})
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for k, v := range reply.Headers {
		header.Set(k, v)
	}
	return &http.Response{StatusCode: reply.StatusCode, Header: header, Body: io.NopCloser(strings.NewReader(reply.Body)), Request: r}, nil
}

// hints is the event queue.
type hints struct{ waiting []touch.Event }

func (h *hints) Send(_ context.Context, list []touch.Event) error {
	h.waiting = append(h.waiting, list...)
	return nil
}

// watchedFirm is the sample tenant with everything around it that watches its
// emergency accounts: subscriptions, the door, the queue and breakglass.
type watchedFirm struct {
	*bench
	o     rehearsal.Options
	queue *hints
	door  doorway
}

func newWatchedFirm(t *testing.T, roles ...string) *watchedFirm {
	t.Helper()
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	o, err := rehearsal.Sample(1, renderer)
	if err != nil {
		t.Fatal(err)
	}
	o.Tenant.PutApp(tenant.App{ID: reader, Roles: append(rollout.ReaderPermissions(), roles...)})
	f := &watchedFirm{bench: newBench(t), o: o, queue: &hints{}}
	const secret = "an-invented-client-state"
	f.door = doorway{&webhook.Handler{
		Receiver: webhook.NewReceiver(secret, "", nil, f.queue), Now: o.Clock.Now, Log: slog.New(slog.DiscardHandler), Metrics: io.Discard,
	}}
	o.Tenant.SetCallBack(f.door)
	client, err := graph.New(graph.Options{Credential: token{o.Tenant}, Clock: o.Clock, Transport: o.Tenant.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	f.b.Graph = func(context.Context, rollout.TenantID) (breakglass.Graph, error) { return client, nil }
	if err := f.table.PutConfig(context.Background(), o.Config); err != nil {
		t.Fatal(err)
	}
	ids := 0
	keep := subscriptions.Subscriptions{
		Table: f.table, NotificationURL: "https://hooks.example.com/notifications", ClientState: secret,
		NewProbeID: func() string { ids++; return strings.Repeat("p", ids) },
		Graph:      func(context.Context, rollout.TenantID) (subscriptions.Graph, error) { return client, nil },
	}
	// A first proof, and what it says is to be watched.
	if err := f.b.Run(context.Background(), contoso, o.Clock.Now(), &job.Summary{}); err != nil {
		t.Fatal(err)
	}
	if err := keep.Run(context.Background(), contoso, o.Clock.Now(), &job.Summary{}); err != nil {
		t.Fatal(err)
	}
	f.follow(t)
	return f
}

// follow delivers what the tenant notifies of, twice, and lets breakglass follow it.
func (f *watchedFirm) follow(t *testing.T) {
	t.Helper()
	for _, n := range f.o.Tenant.TakeNotifications() {
		for range 2 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL, bytes.NewReader(n.Body))
			if err != nil {
				t.Fatal(err)
			}
			res, err := f.door.RoundTrip(r)
			if err != nil || res.StatusCode != http.StatusAccepted {
				t.Fatalf("webhook answers %v, %v", res, err)
			}
			if err := res.Body.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.o.Clock.Set(f.o.Clock.Now().Add(2 * time.Second))
	f.hear(t, f.o.Clock.Now(), f.queue.waiting...)
	f.queue.waiting = nil
}

func (f *watchedFirm) exclusionGroup(t *testing.T) string {
	t.Helper()
	p, err := f.table.Emergency(context.Background(), contoso)
	if err != nil || !p.OK || len(p.Changes) != 0 || len(p.WatchedGroups()) != 1 {
		t.Fatalf("first proof %+v, %v", p, err)
	}
	return p.WatchedGroups()[0]
}

// Through everything, from the tenant to the alert: the change notification, the
// door, the queue, the proof. Each deed is told by one alert, seconds after it.
func TestTouchedInTheSimulatedTenant(t *testing.T) {
	deeds := map[string]struct {
		do    func(f *watchedFirm, group, account string) error
		kind  string
		about string // what the alert has to name
	}{
		"the group is emptied of one": {func(f *watchedFirm, group, account string) error { return f.o.Tenant.RemoveMember(group, account) }, "exclusion-group", tenant.SampleEmergency},
		"the group is deleted":        {func(f *watchedFirm, group, _ string) error { return f.o.Tenant.DeleteGroup(group) }, "exclusion-group", tenant.SampleEmergency},
		"the group gets an owner":     {func(f *watchedFirm, group, account string) error { return f.o.Tenant.SetOwners(group, account) }, "group-owner-added", tenant.SampleEmergency},
		"the account is disabled":     {func(f *watchedFirm, _, account string) error { return f.o.Tenant.SetEnabled(account, false) }, "disabled", ""},
		"the account is deleted":      {func(f *watchedFirm, _, account string) error { return f.o.Tenant.DeleteUser(account) }, "deleted", ""},
		"the account is renamed": {func(f *watchedFirm, _, account string) error {
			return f.o.Tenant.UpdateUser(account, tenant.Object{"userPrincipalName": "other@contoso.com"})
		}, "renamed", ""},
	}
	for name, deed := range deeds {
		t.Run(name, func(t *testing.T) {
			f := newWatchedFirm(t, "Group.Read.All")
			account, _ := f.o.Tenant.UserID(tenant.SampleEmergencyOne)
			at := f.o.Clock.Now()
			if err := deed.do(f, f.exclusionGroup(t), account); err != nil {
				t.Fatal(err)
			}
			f.follow(t)
			alerts, err := f.table.Alerts(context.Background(), contoso)
			if err != nil || len(alerts) != 1 || !strings.HasPrefix(alerts[0].ID, "tampering-"+deed.kind+"-") || !strings.Contains(alerts[0].Text, deed.about) {
				t.Fatalf("alerts %+v, %v; want one of %s", alerts, err, deed.kind)
			}
			if left := alerts[0].AlertedAt.Sub(at); len(f.email.sent) != 1 || left <= 0 {
				t.Errorf("sent %v after %s of the tenant's clock", f.email.sent, left)
			}
		})
	}
}

// Without Group.Read.All the groups are seen by the nightly proof.
func TestGroupTouchedWithoutThePermission(t *testing.T) {
	f := newWatchedFirm(t)
	account, _ := f.o.Tenant.UserID(tenant.SampleEmergencyOne)
	if err := f.o.Tenant.RemoveMember(f.exclusionGroup(t), account); err != nil {
		t.Fatal(err)
	}
	f.follow(t)
	if len(f.email.sent) != 0 {
		t.Errorf("sent %v, though nobody notifies of groups", f.email.sent)
	}
	f.o.Clock.Set(f.o.Clock.Now().Add(24 * time.Hour))
	if err := f.table.PutProbe(context.Background(), contoso, rollout.Probe{ID: "today", SentAt: f.o.Clock.Now(), Version: 2}); err != nil {
		t.Fatal(err)
	}
	if err := f.poll(f.o.Clock.Now()); err != nil || len(f.email.sent) != 1 {
		t.Errorf("in the night: %v, sent %v", err, f.email.sent)
	}
}

// The self-test goes through the handshake of the simulated tenant.
func TestSelfTestInTheSimulatedTenant(t *testing.T) {
	f := newWatchedFirm(t, "Group.Read.All")
	p, err := f.table.Probe(context.Background(), contoso)
	if err != nil || p.HeardAt.IsZero() {
		raw, _ := json.Marshal(p)
		t.Fatalf("%s, %v: want it heard", raw, err)
	}
	watches := 0
	for _, s := range f.o.Tenant.Subscriptions() {
		if u, err := url.Parse(s["notificationUrl"].(string)); err != nil || u.Query().Get("probe") == "" {
			watches++
		}
	}
	if watches != 3 {
		t.Errorf("%d watches, want those of two accounts and one group", watches)
	}
}

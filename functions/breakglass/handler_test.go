package breakglass_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/shared/rollout"
)

// hear hands over hints as one batch of the queue, none of which may come back.
func (n *bench) hear(t *testing.T, at time.Time, hints ...touch.Event) {
	t.Helper()
	var batch events.SQSEvent
	for _, e := range hints {
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: e.AlertID + e.SubscriptionID, Body: string(body)})
	}
	h := breakglass.Handler{Breakglass: n.b, Registry: n.table, Now: func() time.Time { return at }}
	if reply := h.HandleQueue(context.Background(), batch); len(reply.BatchItemFailures) > 0 {
		t.Fatalf("came back: %v", reply.BatchItemFailures)
	}
}

// An alert that comes again, from Azure within a minute or days later from
// somebody who kept it, is known by its id: also when the row has come since.
func TestReplayedAlert(t *testing.T) {
	n := newBench(t)
	fired := touch.Event{Source: touch.SourceAzureMonitor, Condition: touch.ConditionFired, AlertID: "a1", FiredAt: night, Accounts: []string{one}}
	n.hear(t, night, fired, fired)
	n.hear(t, night.Add(time.Minute), fired)
	n.directory.rows = []rollout.SignIn{row("s1", one, night.Add(-5*time.Minute), 0)}
	n.hear(t, night.Add(20*time.Minute), fired)
	n.hear(t, night.Add(72*time.Hour), fired)
	if diff := cmp.Diff([]string{"azureMonitor-a1-" + one, "signin-s1"}, n.email.sent); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

// In a batch that mixes tenants each notification is about the tenant of its
// subscription: an account of another is not looked at there.
func TestBatchOfManyTenants(t *testing.T) {
	const fabrikam = rollout.TenantID("fabrikam.onmicrosoft.com")
	const theirs = "f0000000-0000-4000-8000-000000000001"
	n, ctx := newBench(t), context.Background()
	other := &directory{users: map[string]rollout.User{}} // where their account was deleted
	n.b.Graph = func(_ context.Context, of rollout.TenantID) (breakglass.Graph, error) {
		return map[rollout.TenantID]*directory{contoso: n.directory, fabrikam: other}[of], nil
	}
	cfg := rollout.Config{Tenant: fabrikam, TimeZone: "UTC", EmergencyAccounts: []rollout.EmergencyAccount{{ID: theirs}}}
	if err := n.table.PutConfig(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	for of, id := range map[rollout.TenantID]string{contoso: "of-contoso", fabrikam: "of-fabrikam"} {
		if err := n.table.PutSubscription(ctx, of, rollout.Subscription{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	delete(n.directory.users, one)
	changed := func(subscription, account string) touch.Event {
		return touch.Event{Source: touch.SourceNotification, SubscriptionID: subscription, ChangeType: "deleted", Account: account}
	}
	n.hear(t, night, changed("of-fabrikam", one), changed("of-contoso", theirs), changed("of-nobody", one))
	if len(n.email.sent) != 0 {
		t.Errorf("alerts %v, want none: nobody told us of the tenant's own account", n.email.sent)
	}
	n.hear(t, night, changed("of-fabrikam", theirs), changed("of-contoso", one))
	for of, id := range map[rollout.TenantID]string{contoso: one, fabrikam: theirs} {
		alerts, err := n.table.Alerts(ctx, of)
		if err != nil {
			t.Fatal(err)
		}
		if len(alerts) != 1 || alerts[0].Account != id || alerts[0].Kind != rollout.AlertTampering {
			t.Errorf("%s: alerts %v, want one of %s", of, alerts, id)
		}
	}
}

package outbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const tenant = rollout.TenantID("contoso.onmicrosoft.com")

var noon = time.Date(2026, 10, 6, 11, 0, 0, 0, time.UTC)

// queue takes items unless it is told to fail.
type queue struct {
	items []string
	err   error
}

func (q *queue) Put(_ context.Context, item outbox.Item) error {
	if q.err == nil {
		q.items = append(q.items, item.MessageID)
	}
	return q.err
}

func message(id, account string) rollout.Message {
	return rollout.Message{
		ID: id, Kind: rollout.MessageReminder, Account: account, Day: rollout.DateOf(noon),
		State: rollout.MessageClaimed, ClaimedAt: noon,
	}
}

func TestPostHappensOnce(t *testing.T) {
	ctx, q := context.Background(), &queue{}
	o := outbox.Outbox{Table: store.New(store.NewMemory()), Queue: q}
	for i, want := range []bool{true, false} {
		claimed, err := o.Post(ctx, tenant, message("reminder-7.everyone.a", "a"))
		if err != nil || claimed != want {
			t.Errorf("post %d: claimed %t, %v; want %t", i+1, claimed, err, want)
		}
	}
	// The same person, the same day, another message.
	if claimed, err := o.Post(ctx, tenant, message("holdout-1.everyone.a", "a")); claimed || err != nil {
		t.Errorf("a second message on one day: claimed %t, %v", claimed, err)
	}
	if diff := cmp.Diff([]string{"reminder-7.everyone.a"}, q.items); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

// A run that dies between claim and queue leaves a claim; the sweep queues it,
// once it is old enough, and only while it is still claimed.
func TestSweepFindsWhatWasLeftBehind(t *testing.T) {
	ctx, q := context.Background(), &queue{err: errors.New("queue down")}
	table := store.New(store.NewMemory())
	o := outbox.Outbox{Table: table, Queue: q}
	claimed, err := o.Post(ctx, tenant, message("reminder-7.everyone.a", "a"))
	if !claimed || err == nil {
		t.Fatalf("claimed %t, %v; want a claim and the queue's error", claimed, err)
	}
	q.err = nil
	sweep := func(at time.Time) int {
		t.Helper()
		messages, err := table.Messages(ctx, tenant)
		if err != nil {
			t.Fatal(err)
		}
		n, err := o.Sweep(ctx, tenant, messages, at)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := sweep(noon.Add(59 * time.Minute)); n != 0 {
		t.Errorf("swept %d claims that are not an hour old", n)
	}
	if n := sweep(noon.Add(time.Hour)); n != 1 {
		t.Errorf("swept %d, want 1", n)
	}
	m, err := table.Message(ctx, tenant, "reminder-7.everyone.a")
	if err != nil {
		t.Fatal(err)
	}
	m.State, m.SentAt = rollout.MessageSent, noon.Add(61*time.Minute)
	if err := table.PutMessage(ctx, tenant, m); err != nil {
		t.Fatal(err)
	}
	if n := sweep(noon.Add(48 * time.Hour)); n != 0 {
		t.Errorf("swept %d messages that were sent", n)
	}
	if diff := cmp.Diff([]string{"reminder-7.everyone.a"}, q.items); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

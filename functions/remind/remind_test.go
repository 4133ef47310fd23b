package remind_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/remind"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const tenant = rollout.TenantID("contoso.onmicrosoft.com")

var morning = time.Date(2026, 10, 6, 9, 0, 0, 0, time.UTC)

type queue struct {
	items  []string
	refuse string // the message that the queue refuses
}

func (q *queue) Put(_ context.Context, item outbox.Item) error {
	if item.MessageID == q.refuse {
		return errors.New("queue down")
	}
	q.items = append(q.items, item.MessageID)
	return nil
}

func member(id string, capable rollout.Fact) rollout.Account {
	return rollout.Account{ID: id, UserPrincipalName: id + "@contoso.com", Mail: id + "@contoso.com", Class: rollout.ClassMember, Enabled: true, Capable: capable}
}

// announced is a tenant whose wave was announced today.
func announced(t *testing.T, audited bool) *store.Store {
	t.Helper()
	ctx, table := context.Background(), store.New(store.NewMemory())
	cfg := rollout.Config{
		Tenant: tenant, TimeZone: "UTC", Announce: rollout.DateOf(morning), ReminderDays: []int{7, 3, 1},
		Waves: []rollout.WaveConfig{{Name: "everyone", Members: rollout.MembersAll, Deadline: rollout.DateOf(morning).AddDays(35)}},
	}
	_, _, err := table.SaveAccounts(ctx, tenant, []rollout.Account{member("a", rollout.No), member("b", rollout.Yes), member("c", rollout.Unknown)})
	err = errors.Join(err, table.PutConfig(ctx, cfg), table.PutWave(ctx, tenant, rollout.Wave{Name: "everyone", State: rollout.WaveAnnounced}))
	if audited {
		err = errors.Join(err, table.PutAudit(ctx, tenant, rollout.AuditRun{At: morning.Add(-7 * time.Hour), Accounts: 3}))
	}
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestEverybodyIsToldOnce(t *testing.T) {
	table, q := announced(t, true), &queue{}
	r := remind.Remind{Table: table, Outbox: outbox.Outbox{Table: table, Queue: q}}
	for range 2 { // the second run of the day has nothing left to do
		if err := r.Run(context.Background(), tenant, morning, &job.Summary{}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"announcement.everyone.a", "ready.everyone.b", "announcement.everyone.c"}
	if diff := cmp.Diff(want, q.items); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

// One message that cannot be queued is an error, and stops no other.
func TestOneFailureStopsNobodyElse(t *testing.T) {
	table, q := announced(t, true), &queue{refuse: "announcement.everyone.a"}
	err := remind.Remind{Table: table, Outbox: outbox.Outbox{Table: table, Queue: q}}.Run(context.Background(), tenant, morning, &job.Summary{})
	if err == nil {
		t.Error("no error for the message that was not queued")
	}
	if diff := cmp.Diff([]string{"ready.everyone.b", "announcement.everyone.c"}, q.items); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

// Before the first complete audit nothing is known of anybody.
func TestNoAuditNoMail(t *testing.T) {
	table, q := announced(t, false), &queue{}
	if err := (remind.Remind{Table: table, Outbox: outbox.Outbox{Table: table, Queue: q}}).Run(context.Background(), tenant, morning, &job.Summary{}); err != nil {
		t.Fatal(err)
	}
	if len(q.items) > 0 {
		t.Errorf("queued %v before the first audit", q.items)
	}
}

// A run begins no more than rollout.yaml allows, and the next one goes on.
func TestMostPerRun(t *testing.T) {
	table, q := announced(t, true), &queue{}
	cfg, err := table.Config(context.Background(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Communication.MostPerRun = 2
	if err := table.PutConfig(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	r := remind.Remind{Table: table, Outbox: outbox.Outbox{Table: table, Queue: q}}
	for _, want := range [][]string{
		{"announcement.everyone.a", "ready.everyone.b"},
		{"announcement.everyone.a", "ready.everyone.b", "announcement.everyone.c"},
	} {
		if err := r.Run(context.Background(), tenant, morning, &job.Summary{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, q.items); diff != "" {
			t.Errorf("queued (-want +got):\n%s", diff)
		}
	}
}

package monitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"sallyport/functions/monitor"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const tenant = rollout.TenantID("contoso.onmicrosoft.com")

var switched = time.Date(2026, 11, 11, 9, 10, 0, 0, time.UTC)

// signInLog answers queries as Graph does: by code or by person.
type signInLog struct{ rows []rollout.SignIn }

func (l *signInLog) SignIns(_ context.Context, q graph.SignInQuery, page func([]rollout.SignIn) error) error {
	var rows []rollout.SignIn
	for _, r := range l.rows {
		if (q.UserID == "" || r.UserID == q.UserID) && (q.ErrorCode == 0 || r.ErrorCode == q.ErrorCode) && !r.CreatedAt.Before(q.From) && !r.CreatedAt.After(q.To) {
			rows = append(rows, r)
		}
	}
	return page(rows)
}

type queue struct{ items []string }

func (q *queue) Put(_ context.Context, item outbox.Item) error {
	q.items = append(q.items, item.MessageID)
	return nil
}

type bench struct {
	monitor monitor.Monitor
	table   *store.Store
	log     *signInLog
	queue   *queue
}

// newBench is a tenant of so many members, switched.
func newBench(t *testing.T, members int) *bench {
	t.Helper()
	ctx := context.Background()
	b := &bench{table: store.New(store.NewMemory()), log: &signInLog{}, queue: &queue{}}
	b.monitor = monitor.Monitor{
		Table: b.table, Outbox: outbox.Outbox{Table: b.table, Queue: b.queue}, Log: slog.New(slog.DiscardHandler),
		Graph: func(context.Context, rollout.TenantID) (monitor.Graph, error) { return b.log, nil },
	}
	cfg := rollout.Config{
		Tenant: tenant, TimeZone: "UTC", Breaker: rollout.BreakerLimits{People: 3, Percent: 2, Admins: 2},
		Waves: []rollout.WaveConfig{{Name: "everyone", Members: rollout.MembersAll, Deadline: rollout.DateOf(switched)}},
	}
	var accounts []rollout.Account
	for i := range members {
		accounts = append(accounts, rollout.Account{ID: fmt.Sprintf("m%03d", i), Class: rollout.ClassMember, Enabled: true, Capable: rollout.No})
	}
	_, _, err := b.table.SaveAccounts(ctx, tenant, accounts)
	err = errors.Join(err, b.table.PutConfig(ctx, cfg),
		b.table.PutAudit(ctx, tenant, rollout.AuditRun{At: switched, Accounts: members, Method: rollout.MethodConditionalAccess}),
		b.table.PutWave(ctx, tenant, rollout.Wave{Name: "everyone", State: rollout.WaveEnforced, EnforcedAt: switched}))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// at runs monitor, as the runner marks it.
func (b *bench) at(t *testing.T, at time.Time) {
	t.Helper()
	if err := b.monitor.Run(context.Background(), tenant, at, &job.Summary{}); err != nil {
		t.Fatal(err)
	}
	if err := b.table.MarkRun(context.Background(), tenant, monitor.JobName, at, ""); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) lockOuts(t *testing.T) []rollout.LockOut {
	t.Helper()
	list, err := b.table.LockOuts(context.Background(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (b *bench) stop(id, user string, after time.Duration, code int) {
	b.log.rows = append(b.log.rows, rollout.SignIn{ID: id, UserID: user, CreatedAt: switched.Add(after), ErrorCode: code, Interactive: true})
}

// A person is locked out once an hour has passed, whoever came first in the log;
// the help desk hears of it once; a success closes it.
func TestLockOutFromOpenToClosed(t *testing.T) {
	b := newBench(t, 200)
	b.stop("r2", "m001", 50*time.Minute, 50079)
	b.at(t, switched.Add(70*time.Minute))
	if got := b.lockOuts(t); len(got) != 0 {
		t.Fatalf("locked out after 20 minutes: %+v", got)
	}
	b.at(t, switched.Add(130*time.Minute))
	b.stop("r1", "m001", 35*time.Minute, 50079) // arrives late, and is older
	b.at(t, switched.Add(190*time.Minute))
	got := b.lockOuts(t)
	if len(got) != 1 || got[0].Attempts != 2 || got[0].Cause == "" || !got[0].ClosedAt.IsZero() {
		t.Fatalf("lock-outs %+v, want one of two attempts, open", got)
	}
	// The sweep queues the claim again, since nobody sends it here; it is one.
	if told := slices.Compact(b.queue.items); len(told) != 1 {
		t.Errorf("told %v, want once", told)
	}
	m, err := b.table.Message(context.Background(), tenant, b.queue.items[0])
	if err != nil {
		t.Fatal(err)
	}
	var rows []rollout.LockOut
	if err := json.Unmarshal([]byte(m.Details["lockOuts"]), &rows); err != nil || len(rows) != 1 || rows[0].Account != "m001" {
		t.Errorf("the message says %q, %v", m.Details["lockOuts"], err)
	}
	b.stop("r3", "m001", 200*time.Minute, 0)
	b.at(t, switched.Add(250*time.Minute))
	if got := b.lockOuts(t); len(got) != 1 || got[0].ClosedBy != "signed in" {
		t.Errorf("after the success: %+v", got)
	}
}

// A success that comes late shows that there was no lock-out: its record goes.
func TestLateSuccess(t *testing.T) {
	b := newBench(t, 200)
	b.stop("r1", "m001", 10*time.Minute, 50079)
	b.at(t, switched.Add(80*time.Minute))
	if got := b.lockOuts(t); len(got) != 1 {
		t.Fatalf("lock-outs %+v, want one", got)
	}
	b.stop("r2", "m001", 30*time.Minute, 0) // two hours late
	b.at(t, switched.Add(140*time.Minute))
	if got := b.lockOuts(t); len(got) != 0 {
		t.Errorf("lock-outs %+v, want none", got)
	}
}

// The help desk sleeps: what is found at night is recorded, and told in the
// morning; it is told again when the cause is another one.
func TestHelpDeskIsToldInWorkingTime(t *testing.T) {
	b := newBench(t, 200)
	b.stop("r1", "m001", 10*time.Hour, 50079) // at 19:10
	b.at(t, switched.Add(12*time.Hour))
	if got := b.lockOuts(t); len(got) != 1 || len(b.queue.items) != 0 {
		t.Fatalf("lock-outs %+v, told %v; want one, and nobody yet", got, b.queue.items)
	}
	b.at(t, switched.Add(24*time.Hour))
	b.at(t, switched.Add(25*time.Hour))
	if told := slices.Compact(slices.Clone(b.queue.items)); len(told) != 1 {
		t.Fatalf("told %v, want once", told)
	}
	b.stop("r2", "m001", 25*time.Hour, 53004) // now it is a risk
	b.at(t, switched.Add(27*time.Hour))
	if told := slices.Compact(slices.Sorted(slices.Values(b.queue.items))); len(told) != 2 {
		t.Errorf("told %v, want once more of another cause", told)
	}
}

// A run that was missed is made good: the next one reads from before the last
// that succeeded.
func TestMissedRunsAreMadeGood(t *testing.T) {
	b := newBench(t, 200)
	b.at(t, switched.Add(time.Hour))
	b.stop("r1", "m001", 2*time.Hour, 50079)
	b.at(t, switched.Add(40*time.Hour))
	if got := b.lockOuts(t); len(got) != 1 {
		t.Errorf("lock-outs %+v, want the one of the missed hours", got)
	}
}

// An interrupt that a success follows is no lock-out, nor is a wrong password.
func TestInterruptsAreNoLockOut(t *testing.T) {
	b := newBench(t, 200)
	b.stop("r1", "m001", time.Hour, 50072)
	b.stop("r2", "m001", time.Hour+5*time.Minute, 0)
	b.stop("r3", "m002", time.Hour, 50126)
	b.at(t, switched.Add(3*time.Hour))
	if got := b.lockOuts(t); len(got) != 0 {
		t.Errorf("lock-outs %+v, want none", got)
	}
}

// The breaker's verdict is recorded on the wave: one more than the limit of
// max(3, 2 %) trips it, the limit itself does not.
func TestBreaker(t *testing.T) {
	for people, want := range map[int]bool{4: false, 5: true} {
		t.Run(fmt.Sprint(people), func(t *testing.T) {
			b := newBench(t, 200) // 2 % are 4
			for i := range people {
				b.stop(fmt.Sprintf("r%d", i), fmt.Sprintf("m%03d", i), time.Hour, 50079)
			}
			b.at(t, switched.Add(3*time.Hour))
			wave, err := b.table.Wave(context.Background(), tenant, "everyone")
			if err != nil {
				t.Fatal(err)
			}
			if tripped := wave.BreakerTripped != ""; tripped != want {
				t.Errorf("tripped %t (%q), want %t", tripped, wave.BreakerTripped, want)
			}
		})
	}
}

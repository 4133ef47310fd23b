package enforce_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/functions/enforce"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

const operator = "arn:aws:iam::111122223333:user/ana"

// give puts an order into the table, as the operator's command does.
func (b *bench) give(t *testing.T, o rollout.Order) string {
	t.Helper()
	if o.At.IsZero() {
		o.At = b.clock.Now()
	}
	o.ID = o.At.UTC().Format("20060102T150405.000000000Z") + "-" + string(o.Kind)
	o.By, o.Reason, o.State = operator, "it was too early", rollout.OrderOpen
	if err := b.table.PutOrder(context.Background(), b.cfg.Tenant, o); err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// outcome is what became of an order.
func (b *bench) outcome(t *testing.T, id string) rollout.Order {
	t.Helper()
	orders, err := b.table.Orders(context.Background(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	return orders[slices.IndexFunc(orders, func(o rollout.Order) bool { return o.ID == id })]
}

// done gives an order, runs enforce, and wants it carried out.
func (b *bench) done(t *testing.T, o rollout.Order) rollout.Order {
	t.Helper()
	id := b.give(t, o)
	b.mustRun(t, 1)
	if o = b.outcome(t, id); o.State != rollout.OrderDone {
		t.Errorf("order %s is %s: %s", o.Kind, o.State, o.Outcome)
	}
	return o
}

// refused gives an order, runs enforce, and wants it refused for that reason and
// the tenant left alone.
func (b *bench) refused(t *testing.T, o rollout.Order, why string) {
	t.Helper()
	id := b.give(t, o)
	b.tenant.ForgetJournal()
	b.mustRun(t, 1)
	o = b.outcome(t, id)
	if o.State != rollout.OrderRefused || !strings.Contains(o.Outcome, why) {
		t.Errorf("order %s is %s: %s; want it refused: %s", o.Kind, o.State, o.Outcome, why)
	}
	for _, w := range b.tenant.Writes() {
		if !strings.HasSuffix(w.Path, "/$batch") {
			t.Errorf("%s %s was made for an order that is refused", w.Method, w.Path)
		}
	}
	log := b.log(t)
	if !slices.ContainsFunc(log, func(c rollout.Change) bool {
		return c.Kind == rollout.ChangeNote && c.What == "refused" && c.Order == id && c.By == operator && strings.Contains(c.Result, why)
	}) {
		t.Error("the log does not say that it was refused")
	}
}

func (b *bench) wave(t *testing.T) rollout.Wave {
	t.Helper()
	w, err := b.table.Wave(context.Background(), b.cfg.Tenant, "everyone")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (b *bench) pauseByHand(t *testing.T) {
	t.Helper()
	if err := b.table.PutPause(context.Background(), b.cfg.Tenant, rollout.Pause{Paused: true}); err != nil {
		t.Fatal(err)
	}
}

// A wave is rolled back by hand, recorded in the operator's name, told once, and
// not tried again; resumed, it is observed anew.
func TestRollbackAndResume(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)
	o := b.done(t, rollout.Order{Kind: rollout.OrderRollback, Wave: "everyone"})
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
	w := b.last(t, rollout.ChangePolicyState)
	if w.Intent.By != operator || w.Intent.Order != o.ID || !strings.Contains(w.Intent.Reason, "too early") {
		t.Errorf("the log does not say who asked and why: %+v", w.Intent)
	}
	b.mustRun(t, 3)
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
	if again := b.outcome(t, o.ID); again.Version != o.Version {
		t.Error("an order that was carried out was carried out again")
	}
	told := slices.DeleteFunc(slices.Clone(b.queue.items), func(id string) bool { return !strings.HasPrefix(id, "rollback.everyone") })
	if len(told) != 1 {
		t.Errorf("the operators were told %v, want once", told)
	}

	at := b.clock.Now()
	b.done(t, rollout.Order{Kind: rollout.OrderResume, Wave: "everyone"})
	b.expect(t, rollout.WaveHeld, rollout.StateReportOnly) // by the gate that it was observed
	if wave := b.wave(t); wave.ObservedFrom.Before(at) {
		t.Errorf("observed from %s, want anew from %s", wave.ObservedFrom, at)
	}
	b.mustRun(t, 3)
	if state, policy := b.state(t); state == rollout.WaveEnforced || policy != rollout.StateReportOnly {
		t.Errorf("wave %s, policy %s: it was switched without being observed", state, policy)
	}
	b.refused(t, rollout.Order{Kind: rollout.OrderResume, Wave: "everyone"}, "nothing to resume")
}

// The way back works while everything else is paused, and a refusal too.
func TestOrdersWhilePaused(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.pauseByHand(t)
	b.refused(t, rollout.Order{Kind: rollout.OrderRollback, Wave: "everyone"}, "nothing of it is switched on")
	b.expect(t, rollout.WaveObserving, rollout.StateReportOnly)
	if err := b.table.PutPause(context.Background(), b.cfg.Tenant, rollout.Pause{Version: 1}); err != nil {
		t.Fatal(err)
	}
	b.mustRun(t, 1)
	if err := b.table.PutPause(context.Background(), b.cfg.Tenant, rollout.Pause{Paused: true, Version: 2}); err != nil {
		t.Fatal(err)
	}
	b.done(t, rollout.Order{Kind: rollout.OrderRollback, Wave: "everyone"})
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
}

// What others did to a policy that is on is left as it is, but for its state:
// also a control that nobody here knows.
func TestRollbackLeavesWhatOthersDid(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	b.meddle(t, "riskRemediation")
	before := b.copyOf(t, b.policy(t))
	b.done(t, rollout.Order{Kind: rollout.OrderRollback, Wave: "everyone"})
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
	differs, err := rollout.CopyDifference(before, b.copyOf(t, b.policy(t)))
	if want := `state was "enabled", is "enabledForReportingButNotEnforced"`; err != nil || len(differs) != 1 || differs[0] != want {
		t.Errorf("differences %q, %v; want the state alone", differs, err)
	}
}

// A policy that somebody has already taken back is not touched.
func TestRollbackOfWhatIsOff(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	if err := b.tenant.SetPolicyState(b.policy(t), rollout.StateDisabled); err != nil {
		t.Fatal(err)
	}
	b.done(t, rollout.Order{Kind: rollout.OrderRollback, Wave: "everyone"})
	b.expect(t, rollout.WaveRolledBack, rollout.StateDisabled)
}

// An order that nobody carried out in a day was meant for another world.
func TestOldOrderIsRefused(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	b.refused(t, rollout.Order{Kind: rollout.OrderRollback, Wave: "everyone", At: b.clock.Now().Add(-25 * time.Hour)}, "25 hours")
	b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)
	b.refused(t, rollout.Order{Kind: "dance"}, "nobody told enforce")
}

// An order stays open while Graph does not answer, and is carried out then. That
// the rest of the tenant cannot be read does not hold it up.
func TestOrderStaysOpen(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	calm := b.graph
	b.graph = refusing{calm}
	id := b.give(t, rollout.Order{Kind: rollout.OrderRollback, Wave: "everyone"})
	if err := b.run(); err == nil {
		t.Error("no error")
	}
	if o := b.outcome(t, id); o.State != rollout.OrderOpen {
		t.Errorf("the order is %s: %s", o.State, o.Outcome)
	}
	b.clock.Set(b.clock.Now().Add(time.Hour))
	b.graph = blind{calm}
	if err := b.run(); err == nil {
		t.Error("no error of the rest of the run")
	}
	if o := b.outcome(t, id); o.State != rollout.OrderDone {
		t.Errorf("the order is %s: %s", o.State, o.Outcome)
	}
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
}

// blind cannot read what the gates need.
type blind struct{ enforce.Graph }

func (blind) Granted(context.Context) ([]string, error) { return nil, errDied }

// Wherever a roll-back ends, the next run ends in the same state.
func TestRollbackMayEndAnywhere(t *testing.T) {
	everyDeath(t, func(t *testing.T, n int) bool {
		b := newBench(t)
		b.ready(t)
		b.mustRun(t, 1)
		b.pauseByHand(t) // nothing else happens in these runs
		id := b.give(t, rollout.Order{Kind: rollout.OrderRollback, Wave: "everyone"})
		survived := b.dieAfter(n)
		b.clock.Set(b.clock.Now().Add(time.Hour))
		b.mustRun(t, 2)
		b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
		if o := b.outcome(t, id); o.State != rollout.OrderDone {
			t.Errorf("the order is %s: %s", o.State, o.Outcome)
		}
		if head, err := b.table.ChangeHead(context.Background(), b.cfg.Tenant); err != nil || len(head.Open) > 0 {
			t.Errorf("intents without a result: %v, %v", head.Open, err)
		}
		return survived
	})
}

// Between two hours only those tenants are run for which something waits.
func TestWaiting(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	var log strings.Builder
	h := enforce.Handler{Enforce: b.enforce, Tenants: b.table, Runner: job.Runner{
		Leases: b.table, Clock: b.clock, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: &strings.Builder{}, TTL: time.Minute, Bound: job.Unbounded,
		Owner: func() string { return "run" },
	}}
	handle := func() bool {
		log.Reset()
		if err := h.Handle(context.Background(), enforce.Event{ScheduledEvent: job.ScheduledEvent{Time: b.clock.Now()}, Waiting: true}); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(log.String(), "job=enforce")
	}
	if handle() {
		t.Error("a run with nothing to do counts as a success of the hour's")
	}
	w := b.wave(t)
	w.BreakerTripped = "too many"
	if err := b.table.PutWave(context.Background(), b.cfg.Tenant, w); err != nil {
		t.Fatal(err)
	}
	if !handle() {
		t.Error("the breaker's verdict waits")
	}
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
	b.give(t, rollout.Order{Kind: rollout.OrderResume, Wave: "everyone"})
	if !handle() {
		t.Error("an order waits")
	}
	b.expect(t, rollout.WaveHeld, rollout.StateReportOnly)
	if handle() {
		t.Error("nothing waits any more")
	}
	// Nothing may demand MFA of anybody while a change-over is open.
	if err := b.table.PutChangeOver(context.Background(), b.cfg.Tenant, rollout.ChangeOver{Wave: "everyone", BegunAt: b.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	b.tenant.SetSecurityDefaults(true)
	err := h.Handle(context.Background(), enforce.Event{ScheduledEvent: job.ScheduledEvent{Time: b.clock.Now()}, Waiting: true})
	if err == nil || !strings.Contains(err.Error(), "was taken back") {
		t.Errorf("an open change-over waits, and the run answered %v", err)
	}
	if c, err := b.table.ChangeOver(context.Background(), b.cfg.Tenant); err != nil || c.Open() {
		t.Errorf("it was left open: %+v, %v", c, err)
	}
}

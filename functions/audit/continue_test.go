package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/audit"
	"sallyport/shared/archive"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// counting counts the questions to Graph, and lets the one that is asked as
// number dies end the invocation.
type counting struct {
	audit.Graph
	asked, dies int
}

var errDied = errors.New("the invocation died")

func (c *counting) ask() error {
	c.asked++
	if c.asked == c.dies {
		return errDied
	}
	return nil
}

func (c *counting) Policies(ctx context.Context) ([]rollout.Policy, error) {
	if err := c.ask(); err != nil {
		return nil, err
	}
	return c.Graph.Policies(ctx)
}

func (c *counting) UsersPage(ctx context.Context, activity bool, cursor string) (graph.Page[rollout.User], error) {
	if err := c.ask(); err != nil {
		return graph.Page[rollout.User]{}, err
	}
	return c.Graph.UsersPage(ctx, activity, cursor)
}

func (c *counting) RegistrationsPage(ctx context.Context, cursor string) (graph.Page[rollout.Registration], error) {
	if err := c.ask(); err != nil {
		return graph.Page[rollout.Registration]{}, err
	}
	return c.Graph.RegistrationsPage(ctx, cursor)
}

func (c *counting) MembersPage(ctx context.Context, group, cursor string) (graph.Page[string], error) {
	if err := c.ask(); err != nil {
		return graph.Page[string]{}, err
	}
	return c.Graph.MembersPage(ctx, group, cursor)
}

func (c *counting) Purposes(ctx context.Context, ids []string) (map[string]string, error) {
	if err := c.ask(); err != nil {
		return nil, err
	}
	return c.Graph.Purposes(ctx, ids)
}

func (c *counting) SignInsPage(ctx context.Context, q graph.SignInQuery, cursor string) (graph.Page[rollout.SignIn], error) {
	if err := c.ask(); err != nil {
		return graph.Page[rollout.SignIn]{}, err
	}
	return c.Graph.SignInsPage(ctx, q, cursor)
}

// outcome is what an audit leaves.
func (b *bench) outcome(t *testing.T) (rollout.AuditRun, []rollout.Account) {
	t.Helper()
	run, err := b.table.Audit(t.Context(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := b.table.Accounts(t.Context(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	return run, accounts
}

// Wherever a run dies, the next one goes on from there: it ends as if nothing had
// happened, and asks Graph nothing that it knew already.
func TestDiesAnywhere(t *testing.T) {
	calm := newBench(t)
	whole := &counting{Graph: calm.graph}
	calm.graph = whole
	if err := calm.run(); err != nil {
		t.Fatal(err)
	}
	wantRun, wantAccounts := calm.outcome(t)
	if whole.asked < 8 {
		t.Fatalf("only %d questions: this test would show little", whole.asked)
	}
	for dies := 1; dies <= whole.asked; dies++ {
		t.Run(fmt.Sprint(dies), func(t *testing.T) {
			b := newBench(t)
			c := &counting{Graph: b.graph, dies: dies}
			b.graph = c
			if err := b.run(); !errors.Is(err, errDied) {
				t.Fatalf("run answered %v", err)
			}
			if run, err := b.table.Audit(t.Context(), b.cfg.Tenant); err != nil || !run.At.IsZero() || run.Failed == "" {
				t.Errorf("half an audit counts as one: %+v, %v", run, err)
			}
			if err := b.run(); err != nil {
				t.Fatal(err)
			}
			run, accounts := b.outcome(t)
			if diff := cmp.Diff(wantRun, run); diff != "" {
				t.Errorf("audit (-calm +died):\n%s", diff)
			}
			if diff := cmp.Diff(wantAccounts, accounts); diff != "" {
				t.Errorf("accounts (-calm +died):\n%s", diff)
			}
			if c.asked != whole.asked+1 {
				t.Errorf("%d questions to Graph, want one more than %d", c.asked, whole.asked)
			}
			if left, err := b.archive.List(t.Context(), pages(b.cfg.Tenant)); err != nil || len(left) > 0 {
				t.Errorf("left in the archive: %v, %v", left, err)
			}
		})
	}
}

// later is a Graph that asks for a long wait, once.
type later struct {
	audit.Graph
	at time.Time
}

func (l *later) RegistrationsPage(ctx context.Context, cursor string) (graph.Page[rollout.Registration], error) {
	if at := l.at; !at.IsZero() {
		l.at = time.Time{}
		return graph.Page[rollout.Registration]{}, fmt.Errorf("read a page: %w", &graph.LaterError{At: at, API: "the registration report"})
	}
	return l.Graph.RegistrationsPage(ctx, cursor)
}

// When Graph asks to wait for long, the audit is neither done nor failed, and
// goes on by itself, not before.
func TestGraphAsksToWait(t *testing.T) {
	b := newBench(t)
	begun := b.clock.Now()
	b.graph = &later{Graph: b.graph, at: begun.Add(40 * time.Minute)}
	if err := b.run(); !errors.Is(err, job.ErrContinues) {
		t.Fatalf("run answered %v, want that it continues", err)
	}
	if run, err := b.table.Audit(t.Context(), b.cfg.Tenant); err == nil {
		t.Errorf("a failure was recorded: %+v", run)
	}
	for after, want := range map[time.Duration]bool{39 * time.Minute: false, 40 * time.Minute: true} {
		if got, err := b.audit.Continues(t.Context(), b.cfg.Tenant, begun.Add(after)); err != nil || got != want {
			t.Errorf("may continue after %s: %v, %v; want %v", after, got, err, want)
		}
	}
	b.clock.Set(begun.Add(30 * time.Minute))
	if err := b.run(); !errors.Is(err, job.ErrContinues) {
		t.Errorf("run too early answered %v", err)
	}
	b.clock.Set(begun.Add(41 * time.Minute))
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if run, _ := b.outcome(t); !run.At.Equal(begun) {
		t.Errorf("the audit is of %s; it began to read at %s", run.At, begun)
	}
}

type deadlineAt struct {
	context.Context
	at time.Time
}

func (d deadlineAt) Deadline() (time.Time, bool) { return d.at, true }

// A run that has not the time to read a page stops before it, and the next goes
// on where it was.
func TestRunsOutOfTime(t *testing.T) {
	b := newBench(t)
	c := &counting{Graph: b.graph}
	b.graph = c
	now := b.clock.Now()
	short := deadlineAt{t.Context(), now.Add(44 * time.Second)}
	if err := b.audit.Run(short, b.cfg.Tenant, now, &job.Summary{}); !errors.Is(err, job.ErrContinues) {
		t.Fatalf("run answered %v, want that it continues", err)
	}
	if c.asked > 1 {
		t.Errorf("%d questions were asked without the time for an answer", c.asked)
	}
	asked := c.asked
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	whole := newBench(t)
	all := &counting{Graph: whole.graph}
	whole.graph = all
	if err := whole.run(); err != nil {
		t.Fatal(err)
	}
	if c.asked != all.asked || asked == 0 {
		t.Errorf("%d questions in two runs, %d in one", c.asked, all.asked)
	}
}

// What was read is judged only if there is the time for all of it; the next
// invocation has it, and asks Graph nothing more.
func TestTooLateToJudge(t *testing.T) {
	f := newFirm()
	b := newBooks(t, f)
	now := firmNight
	deadline := now.Add(15 * time.Minute)
	b.audit.Now = func() time.Time { return now }
	questions := 0
	f.signIns = func(graph.SignInQuery, string) (graph.Page[rollout.SignIn], error) {
		questions++
		now = deadline.Add(-20 * time.Second) // it was slow
		return graph.Page[rollout.SignIn]{}, nil
	}
	err := b.audit.Run(deadlineAt{t.Context(), deadline}, "contoso.onmicrosoft.com", firmNight, &job.Summary{})
	if !errors.Is(err, job.ErrContinues) {
		t.Fatalf("run answered %v, want that it continues", err)
	}
	if _, err := b.table.Audit(t.Context(), "contoso.onmicrosoft.com"); err == nil {
		t.Error("it was judged all the same")
	}
	if run, _ := b.night(t, 0); run.Accounts != 3 || questions != 1 {
		t.Errorf("%d accounts after %d questions about sign-ins", run.Accounts, questions)
	}
}

// A clock that went back does not make an audit of the future one to go on with.
func TestBegunInTheFuture(t *testing.T) {
	b := newBench(t)
	now := b.clock.Now()
	if err := b.audit.Begin(t.Context(), b.cfg.Tenant, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got, err := b.audit.Continues(t.Context(), b.cfg.Tenant, now); err != nil || got {
		t.Errorf("goes on with an audit of the future: %v, %v", got, err)
	}
}

// An audit that was begun yesterday is not gone on with: what it read first
// would be older than it says.
func TestTooOldToGoOn(t *testing.T) {
	b := newBench(t)
	begun := b.clock.Now()
	b.graph = &later{Graph: b.graph, at: begun.Add(time.Minute)}
	if err := b.run(); !errors.Is(err, job.ErrContinues) {
		t.Fatal(err)
	}
	b.clock.Set(begun.Add(24 * time.Hour))
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if run, _ := b.outcome(t); !run.At.Equal(begun.Add(24 * time.Hour)) {
		t.Errorf("the audit is of %s, a day old", run.At)
	}
}

// A handler goes on only with what was begun; it begins nothing.
func TestHandlerContinues(t *testing.T) {
	b := newBench(t)
	c := &counting{Graph: b.graph}
	b.graph = &later{Graph: c, at: b.clock.Now().Add(10 * time.Minute)}
	h := audit.Handler{Audit: b.audit, Tenants: b.table, Runner: b.runner()}
	event := func(goOn bool) audit.Event {
		return audit.Event{ScheduledEvent: job.ScheduledEvent{Time: b.clock.Now()}, Continue: goOn}
	}
	if err := h.Handle(t.Context(), event(true)); err != nil || c.asked > 0 {
		t.Fatalf("asked %d questions for an audit that nobody began, %v", c.asked, err)
	}
	if err := h.Handle(t.Context(), event(false)); err != nil {
		t.Fatal(err)
	}
	asked := c.asked
	if err := h.Handle(t.Context(), event(true)); err != nil || c.asked != asked || asked == 0 {
		t.Fatalf("went on before Graph's time: %d questions after %d, %v", c.asked, asked, err)
	}
	b.clock.Set(b.clock.Now().Add(11 * time.Minute))
	if err := h.Handle(t.Context(), event(true)); err != nil {
		t.Fatal(err)
	}
	if run, _ := b.outcome(t); run.Accounts != len(b.tenant.Users()) {
		t.Errorf("the audit has %d accounts of %d", run.Accounts, len(b.tenant.Users()))
	}
	runs, err := b.table.Runs(t.Context(), b.cfg.Tenant)
	if err != nil || len(runs) != 1 {
		t.Errorf("%d runs counted as done, want the last one: %v", len(runs), err)
	}
}

// A tenant for which a large one left no time is gone on with by the next event,
// although nobody had begun to read it.
func TestNobodyIsForgotten(t *testing.T) {
	b := newBench(t)
	other := b.cfg
	other.Tenant = "zulu.onmicrosoft.com" // behind the bench's own
	if err := b.table.PutConfig(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	h := audit.Handler{Audit: b.audit, Tenants: b.table, Runner: b.runner()}
	now := b.clock.Now()
	h.Audit.Now = func() time.Time { return now }
	deadline := now.Add(15 * time.Minute)
	reads := b.graph
	h.Audit.Graph = func(_ context.Context, tenant rollout.TenantID) (audit.Graph, error) {
		if tenant == b.cfg.Tenant {
			now = deadline.Add(-30 * time.Second) // it takes all the time there is
		}
		return reads, nil
	}
	event := audit.Event{ScheduledEvent: job.ScheduledEvent{Time: b.clock.Now()}}
	if err := h.Handle(deadlineAt{t.Context(), deadline}, event); err != nil {
		t.Fatal(err)
	}
	if run, err := b.table.Audit(t.Context(), other.Tenant); err == nil {
		t.Fatalf("the other was audited in no time: %+v", run)
	}
	event.Continue, deadline = true, now.Add(time.Hour)
	h.Audit.Graph = func(context.Context, rollout.TenantID) (audit.Graph, error) { return reads, nil }
	if err := h.Handle(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []rollout.TenantID{b.cfg.Tenant, other.Tenant} {
		if run, err := b.table.Audit(t.Context(), tenant); err != nil || run.Accounts != len(b.tenant.Users()) {
			t.Errorf("%s: %d accounts, %v", tenant, run.Accounts, err)
		}
	}
}

// What another version of Sallyport has kept is not gone on with: it may mean
// something else by it.
func TestKeptByAnotherVersion(t *testing.T) {
	b := newBench(t)
	now := b.clock.Now()
	if err := b.audit.Begin(t.Context(), b.cfg.Tenant, now); err != nil {
		t.Fatal(err)
	}
	name := archive.Name(b.cfg.Tenant, archive.KindPage, "progress.json")
	source, err := b.archive.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := io.ReadAll(source)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{string(kept): true, strings.Replace(string(kept), `"format":1`, `"format":9`, 1): false} {
		if err := b.archive.Put(t.Context(), name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := b.audit.Continues(t.Context(), b.cfg.Tenant, now); err != nil || got != want {
			t.Errorf("goes on with %.20s: %v, %v; want %v", text, got, err, want)
		}
	}
}

// A tenant that cannot be reached is left alone for a while, and not asked again
// by every event.
func TestOutOfReach(t *testing.T) {
	b := newBench(t)
	begun := b.clock.Now()
	b.audit.Graph = func(context.Context, rollout.TenantID) (audit.Graph, error) { return nil, errDied }
	if err := b.audit.Begin(t.Context(), b.cfg.Tenant, begun); err != nil {
		t.Fatal(err)
	}
	if err := b.run(); !errors.Is(err, errDied) {
		t.Fatalf("run answered %v", err)
	}
	for after, want := range map[time.Duration]bool{5 * time.Minute: false, 31 * time.Minute: true} {
		if got, err := b.audit.Continues(t.Context(), b.cfg.Tenant, begun.Add(after)); err != nil || got != want {
			t.Errorf("asked again after %s: %v, %v", after, got, err)
		}
	}
}

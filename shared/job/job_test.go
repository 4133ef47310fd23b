package job_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	contoso  = rollout.TenantID("contoso.onmicrosoft.com")
	fabrikam = rollout.TenantID("fabrikam.onmicrosoft.com")
	ttl      = 15 * time.Minute
)

var (
	noon  = time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)
	errIt = errors.New("it does not work")
)

// clock is a time that only moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// bench is a Runner on a table in memory, and what it wrote.
type bench struct {
	job.Runner
	clock   *clock
	table   *store.Store
	log     *bytes.Buffer
	metrics *bytes.Buffer
}

func newBench() *bench {
	b := &bench{clock: &clock{now: noon}, table: store.New(store.NewMemory()), log: &bytes.Buffer{}, metrics: &bytes.Buffer{}}
	runs := 0
	b.Runner = job.Runner{
		Leases: b.table, Clock: b.clock, Metrics: b.metrics, TTL: ttl, Bound: job.Unbounded,
		Log:   slog.New(slog.NewJSONHandler(b.log, nil)),
		Owner: func() string { runs++; return fmt.Sprint("run ", runs) },
	}
	return b
}

// run runs the job "audit" for Contoso.
func (b *bench) run(t *testing.T, fn func(context.Context, *job.Summary) error) error {
	t.Helper()
	return b.Run(t.Context(), contoso, "audit", noon, ttl, fn)
}

// lines are the lines of the log, decoded, without the time of writing.
func lines(t *testing.T, log *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for text := range strings.Lines(log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("not one JSON object a line: %v: %s", err, text)
		}
		delete(line, "time")
		all = append(all, line)
	}
	return all
}

// wantFree fails unless the lease can be had now.
func (b *bench) wantFree(t *testing.T) {
	t.Helper()
	if err := b.table.AcquireLease(t.Context(), contoso, "audit", "the test", b.clock.Now(), ttl); err != nil {
		t.Fatalf("the lease was not given back: %v", err)
	}
}

func (b *bench) runs(t *testing.T) []store.Run {
	t.Helper()
	runs, err := b.table.Runs(t.Context(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

// A run that succeeds leaves one line, one metric and its mark.
func TestRunSucceeds(t *testing.T) {
	b := newBench()
	err := b.run(t, func(ctx context.Context, sum *job.Summary) error {
		sum.Count("written", 2)
		sum.Count("accounts", 250)
		sum.Count("written", 1)
		sum.Count("removed", 0)
		sum.Note("policy", "6b0f")
		sum.Note("policy", "7c10")
		return b.clock.Sleep(ctx, 1500*time.Millisecond)
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, []map[string]any{{
		"level": "INFO", "msg": "job",
		"tenant": "contoso.onmicrosoft.com", "job": "audit", "outcome": "done",
		"for": "2026-12-01T12:00:00Z", "milliseconds": 1500.0,
		"counts": map[string]any{"accounts": 250.0, "removed": 0.0, "written": 3.0},
		"ids":    map[string]any{"policy": []any{"6b0f", "7c10"}},
	}}, lines(t, b.log))
	want := `{"_aws":{"Timestamp":1796126401500,"CloudWatchMetrics":[{"Namespace":"Sallyport","Dimensions":[["Job"]],` +
		`"Metrics":[{"Name":"JobSuccess","Unit":"Count"},{"Name":"JobDuration","Unit":"Milliseconds"}]}]},` +
		`"Job":"audit","Tenant":"contoso.onmicrosoft.com","JobSuccess":1,"JobDuration":1500}` + "\n"
	same(t, want, b.metrics.String())
	same(t, []store.Run{{Job: "audit", At: noon, Result: "accounts 250, removed 0, written 3"}}, b.runs(t))
	b.wantFree(t)
}

// A run that fails says so, counts as no success, and gives the lease back.
func TestRunFails(t *testing.T) {
	b := newBench()
	err := b.run(t, func(_ context.Context, sum *job.Summary) error {
		sum.Count("accounts", 7)
		return errIt
	})
	if !errors.Is(err, errIt) || !strings.Contains(err.Error(), "audit of contoso.onmicrosoft.com") {
		t.Fatalf("got error %v, want the job's with the job and the tenant", err)
	}
	line := lines(t, b.log)
	same(t, 1, len(line))
	same(t, []any{"ERROR", "failed", "audit of contoso.onmicrosoft.com: it does not work", map[string]any{"accounts": 7.0}},
		[]any{line[0]["level"], line[0]["outcome"], line[0]["error"], line[0]["counts"]})
	same(t, "", b.metrics.String())
	same(t, 0, len(b.runs(t)))
	b.wantFree(t)
}

// A run that stops to go on later is neither a failure nor a success: the alarm
// on missing success must not be silenced by it.
func TestRunContinues(t *testing.T) {
	b := newBench()
	err := b.run(t, func(_ context.Context, sum *job.Summary) error {
		sum.Count("pages", 3)
		return fmt.Errorf("Graph asks for a pause: %w", job.ErrContinues)
	})
	if err != nil {
		t.Fatal(err)
	}
	line := lines(t, b.log)
	same(t, []any{"INFO", "to be continued", map[string]any{"pages": 3.0}}, []any{line[0]["level"], line[0]["outcome"], line[0]["counts"]})
	same(t, "", b.metrics.String())
	same(t, 0, len(b.runs(t)))
	b.wantFree(t)
}

// A job that another runs is skipped, without an error and without a success,
// until the other's lease ends.
func TestRunIsBusyUntilTheLeaseEnds(t *testing.T) {
	b := newBench()
	if err := b.table.AcquireLease(t.Context(), contoso, "audit", "another run", noon, ttl); err != nil {
		t.Fatal(err)
	}
	calls := 0
	fn := func(context.Context, *job.Summary) error { calls++; return nil }
	for _, after := range []time.Duration{0, ttl - time.Second} {
		b.clock.now = noon.Add(after)
		if err := b.run(t, fn); err != nil {
			t.Fatalf("busy after %s: got error %v, want none", after, err)
		}
	}
	same(t, 0, calls)
	for _, line := range lines(t, b.log) {
		same(t, []any{"INFO", "busy"}, []any{line["level"], line["outcome"]})
	}
	same(t, "", b.metrics.String())
	same(t, 0, len(b.runs(t)))

	b.clock.now = noon.Add(ttl)
	if err := b.run(t, fn); err != nil {
		t.Fatal(err)
	}
	same(t, 1, calls)
}

// The lease goes by the clock: an event that was late does not take a lease that
// has ended already.
func TestLeaseGoesByTheClockAndNotByTheEvent(t *testing.T) {
	b := newBench()
	late := noon.Add(time.Hour)
	b.clock.now = late
	err := b.run(t, func(ctx context.Context, _ *job.Summary) error {
		return b.table.AcquireLease(ctx, contoso, "audit", "another run", late.Add(time.Minute), ttl)
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("got error %v: two ran at once", err)
	}
}

// Of fifty that begin at once one runs, and the others are skipped.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.Clock = job.Wall{}
		var owners, ran atomic.Int64
		b.Owner = func() string { return fmt.Sprint("run ", owners.Add(1)) }
		b.Metrics = io.Discard
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				err := b.run(t, func(context.Context, *job.Summary) error {
					ran.Add(1)
					time.Sleep(time.Minute) // of the bubble: it passes when all others are done
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		same(t, []int64{50, 1}, []int64{owners.Load(), ran.Load()})
		same(t, 50, len(lines(t, b.log)))
	})
}

// What was not begun in time is not begun: there is nothing to clean up.
func TestDeadlineIsNear(t *testing.T) {
	cases := []struct {
		left time.Duration
		runs bool
	}{
		{time.Hour, true},
		{time.Minute, true},
		{time.Minute - time.Nanosecond, false},
		{-time.Minute, false},
	}
	for _, c := range cases {
		t.Run(c.left.String(), func(t *testing.T) {
			b := newBench()
			// A deadline as the clock tells the time, which never ends by itself.
			ctx := deadlineAt{t.Context(), noon.Add(c.left)}
			ran := false
			err := b.Run(ctx, contoso, "audit", noon, ttl, func(context.Context, *job.Summary) error {
				ran = true
				return nil
			})
			same(t, c.runs, ran)
			if errors.Is(err, job.ErrNoTime) == c.runs {
				t.Fatalf("got error %v", err)
			}
			if !c.runs {
				same(t, "not begun", lines(t, b.log)[0]["outcome"])
				same(t, "", b.metrics.String())
			}
			b.wantFree(t)
		})
	}
}

type deadlineAt struct {
	context.Context
	at time.Time
}

func (d deadlineAt) Deadline() (time.Time, bool) { return d.at, true }

// A panic is the caller's to see. The lease stays until it ends.
func TestPanic(t *testing.T) {
	b := newBench()
	func() {
		defer func() {
			if seen := recover(); seen != "boom" {
				t.Errorf("recovered %v, want the job's own panic", seen)
			}
		}()
		_ = b.run(t, func(context.Context, *job.Summary) error { panic("boom") })
		t.Error("the panic was swallowed")
	}()
	same(t, "", b.metrics.String())
	calls := 0
	count := func(context.Context, *job.Summary) error { calls++; return nil }
	b.clock.now = noon.Add(ttl - time.Second)
	if err := b.run(t, count); err != nil || calls != 0 {
		t.Fatalf("before the lease's end: %d calls, error %v", calls, err)
	}
	b.clock.now = noon.Add(ttl)
	if err := b.run(t, count); err != nil || calls != 1 {
		t.Fatalf("after the lease's end: %d calls, error %v", calls, err)
	}
}

// In real time the job's context ends with its lease, however long it took to
// get it; the error says so, and the lease is given back all the same.
func TestContextEndsWithTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.Bound = nil
		b.Clock = job.Wall{}
		b.Leases = slowLeases{Store: b.table, wait: 2 * time.Minute}
		begun := time.Now()
		err := b.run(t, func(ctx context.Context, _ *job.Summary) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "end of its lease") {
			t.Fatalf("got error %v, want one that says that the lease has ended", err)
		}
		same(t, ttl, time.Since(begun))
		b.clock.now = time.Now()
		b.wantFree(t)
	})
}

// A run whose own context has ended still gives the lease back.
func TestReleasedAfterTheEndOfTheCaller(t *testing.T) {
	b := newBench()
	ctx, cancel := context.WithCancel(t.Context())
	err := b.Run(ctx, contoso, "audit", noon, ttl, func(ctx context.Context, _ *job.Summary) error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "lease") {
		t.Fatalf("got error %v", err)
	}
	b.wantFree(t)
}

// A run that outlasts its lease does not take it from the one that has it now.
func TestOutlastedLeaseIsLeft(t *testing.T) {
	b := newBench()
	err := b.run(t, func(ctx context.Context, _ *job.Summary) error {
		b.clock.now = noon.Add(ttl + time.Second)
		return b.table.AcquireLease(ctx, contoso, "audit", "another run", b.clock.now, ttl)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.table.AcquireLease(t.Context(), contoso, "audit", "the test", b.clock.now, ttl); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("got error %v: the other's lease was taken away", err)
	}
	same(t, "WARN", lines(t, b.log)[0]["level"])
}

// A table that fails: without a lease nothing is begun; without the mark it is
// no success; a lease that cannot be given back ends by itself.
func TestTableFails(t *testing.T) {
	cases := []struct {
		name    string
		leases  func(*store.Store) job.Leases
		ran     bool
		outcome string
		err     bool
	}{
		{"no lease", func(s *store.Store) job.Leases { return failingLeases{Store: s, acquire: errIt} }, false, "not begun", true},
		{"no mark", func(s *store.Store) job.Leases { return failingLeases{Store: s, mark: errIt} }, true, "failed", true},
		{"no release", func(s *store.Store) job.Leases { return failingLeases{Store: s, release: errIt} }, true, "done", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench()
			b.Leases = c.leases(b.table)
			ran := false
			err := b.run(t, func(context.Context, *job.Summary) error { ran = true; return nil })
			all := lines(t, b.log)
			same(t, []any{c.ran, c.err, c.outcome}, []any{ran, errors.Is(err, errIt), all[len(all)-1]["outcome"]})
			same(t, !c.err, b.metrics.Len() > 0)
		})
	}
}

// A metric that cannot be written is said and harms nothing.
func TestMetricsFail(t *testing.T) {
	b := newBench()
	b.Metrics = brokenPipe{}
	if err := b.run(t, func(context.Context, *job.Summary) error { return nil }); err != nil {
		t.Fatal(err)
	}
	same(t, 1, len(b.runs(t)))
	all := lines(t, b.log)
	same(t, "WARN", all[len(all)-1]["level"])
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errIt }

// slowLeases take their time to give a lease.
type slowLeases struct {
	*store.Store
	wait time.Duration
}

func (l slowLeases) AcquireLease(ctx context.Context, t rollout.TenantID, name, owner string, now time.Time, ttl time.Duration) error {
	if err := (job.Wall{}).Sleep(ctx, l.wait); err != nil {
		return err
	}
	return l.Store.AcquireLease(ctx, t, name, owner, now, ttl)
}

type failingLeases struct {
	*store.Store
	acquire, release, mark error
}

func (l failingLeases) AcquireLease(ctx context.Context, t rollout.TenantID, name, owner string, now time.Time, ttl time.Duration) error {
	if l.acquire != nil {
		return l.acquire
	}
	return l.Store.AcquireLease(ctx, t, name, owner, now, ttl)
}

func (l failingLeases) ReleaseLease(ctx context.Context, t rollout.TenantID, name, owner string) error {
	if l.release != nil {
		return l.release
	}
	return l.Store.ReleaseLease(ctx, t, name, owner)
}

func (l failingLeases) MarkRun(ctx context.Context, t rollout.TenantID, name string, at time.Time, result string) error {
	if l.mark != nil {
		return l.mark
	}
	return l.Store.MarkRun(ctx, t, name, at, result)
}

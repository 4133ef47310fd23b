// Package job runs one scheduled job for one tenant: never twice at a time,
// never without the time to finish, never silently.
//
// A [Runner] takes the job's lease, calls the job, and writes one structured
// line that says how it went. On success it also writes one metric, for whose
// absence an alarm waits, and marks the run in the table.
package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// MinTime is how much of the caller's deadline must be left for a run to begin.
const MinTime = time.Minute

// ErrNoTime says that a run was not begun because the caller's deadline is too
// near. The next scheduled run, or Lambda's retry, does the work.
var ErrNoTime = errors.New("too little time left to begin")

// ErrContinues is what a job answers that has stopped on purpose before its end
// and will go on by itself in a later run: no failure, and no success yet.
var ErrContinues = errors.New("to be continued")

// Leases is what a Runner needs of the table; [store.Store] has it.
type Leases interface {
	// AcquireLease answers store.ErrConflict while another holds the lease.
	AcquireLease(ctx context.Context, t rollout.TenantID, job, owner string, now time.Time, ttl time.Duration) error
	// ReleaseLease answers store.ErrConflict if the lease was lost meanwhile.
	ReleaseLease(ctx context.Context, t rollout.TenantID, job, owner string) error
	MarkRun(ctx context.Context, t rollout.TenantID, job string, at time.Time, result string) error
}

// Runner runs jobs. [New] fills it for production.
type Runner struct {
	Leases Leases
	Clock  Clock
	Log    *slog.Logger
	// Metrics takes CloudWatch's embedded metric lines: standard output in Lambda.
	Metrics io.Writer
	// Owner names a run in its lease. It must never give the same name twice.
	Owner func() string
	// TTL is how long a lease of [Runner.EachTenant] holds. It is at least the
	// function's time-out, so that a lease never ends under a run that may go on,
	// and not much more, so that the run after a crash need not wait long.
	TTL time.Duration
	// Bound ends the job's context when its lease ends. Nil is
	// context.WithTimeout, in real time, because a lease is held against other
	// machines. A simulation, whose time stands still while a job runs, sets
	// [Unbounded].
	Bound func(ctx context.Context, left time.Duration) (context.Context, context.CancelFunc)
}

// New returns a Runner that runs in real time and writes metrics to standard
// output.
func New(leases Leases, log *slog.Logger, ttl time.Duration) Runner {
	return Runner{Leases: leases, Clock: Wall{}, Log: log, Metrics: os.Stdout, Owner: uuid.NewString, TTL: ttl}
}

// Unbounded is a [Runner.Bound] that ends nothing.
func Unbounded(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Run calls fn if nobody else runs the job for the tenant. now is the time that
// the run is about (the schedule's own); the lease goes by the clock, since an
// event may come late. ttl is how long the lease holds, and fn's context ends
// with it.
//
// A job that is busy elsewhere is skipped without an error, and one that answers
// [ErrContinues] leaves neither an error nor a success. Run answers
// ErrNoTime with less than MinTime left of ctx's deadline, and otherwise fn's
// error with the tenant and the job. When fn panics, or the process dies, the
// lease stays until its end: nobody knows how far the run came, and what it was
// doing may still be on its way.
func (r Runner) Run(ctx context.Context, t rollout.TenantID, name string, now time.Time, ttl time.Duration, fn func(context.Context, *Summary) error) error {
	begun := r.Clock.Now()
	line := line{tenant: t, job: name, now: now, begun: begun, sum: &Summary{}}
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(begun) < MinTime {
		line.err = fmt.Errorf("%s of %s: %w: %s until the deadline, %s are needed", name, t, ErrNoTime, deadline.Sub(begun), MinTime)
		return r.finish(ctx, line, notBegun)
	}

	owner := r.Owner()
	err := r.Leases.AcquireLease(ctx, t, name, owner, begun, ttl)
	if errors.Is(err, store.ErrConflict) {
		return r.finish(ctx, line, busy)
	}
	if err != nil {
		line.err = fmt.Errorf("%s of %s: take the lease: %w", name, t, err)
		return r.finish(ctx, line, notBegun)
	}

	how := done
	if err := r.call(ctx, ttl-r.Clock.Now().Sub(begun), fn, line.sum); errors.Is(err, ErrContinues) {
		how = continues
	} else if err != nil {
		line.err = fmt.Errorf("%s of %s: %w", name, t, err)
	} else if err := r.Leases.MarkRun(ctx, t, name, now, line.sum.String()); err != nil {
		line.err = fmt.Errorf("%s of %s: mark the run: %w", name, t, err)
	}
	r.release(ctx, t, name, owner)
	if line.err != nil {
		return r.finish(ctx, line, failed)
	}
	return r.finish(ctx, line, how)
}

// call runs fn for no longer than the lease holds.
func (r Runner) call(ctx context.Context, left time.Duration, fn func(context.Context, *Summary) error, sum *Summary) error {
	bound := r.Bound
	if bound == nil {
		bound = context.WithTimeout
	}
	leased, cancel := bound(ctx, left)
	defer cancel()
	err := fn(leased, sum)
	if err != nil && leased.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("stopped at the end of its lease: %w", err)
	}
	return err
}

// release gives the lease back, also when the run's own context has ended. If
// that fails the lease ends by itself, so it is no failure of the run.
func (r Runner) release(ctx context.Context, t rollout.TenantID, name, owner string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := r.Leases.ReleaseLease(ctx, t, name, owner)
	switch {
	case errors.Is(err, store.ErrConflict):
		r.Log.WarnContext(ctx, "run outlasted its lease and another has begun: the lease's time is too short", "tenant", t, "job", name)
	case err != nil:
		r.Log.WarnContext(ctx, "lease not given back, it ends by itself", "tenant", t, "job", name, "error", err)
	}
}

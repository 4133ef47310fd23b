package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// Event is what the schedules send: every night, and every few minutes to go on
// with what a night did not finish.
type Event struct {
	job.ScheduledEvent
	// Continue asks for nothing to be begun.
	Continue bool `json:"continue"`
}

// Handler answers the schedules for every tenant of the table.
type Handler struct {
	Audit   Audit
	Tenants job.TenantLister
	Runner  job.Runner
}

// Handle runs the audit for the time that the schedule names: every tenant one
// after the other, and one tenant's failure never stops another's. Every night's
// audit is begun before the first is run, so that those for which a large tenant
// leaves no time are gone on with by the next event, beside it.
func (h Handler) Handle(ctx context.Context, e Event) error {
	now := e.Time
	if now.IsZero() {
		now = h.Runner.Clock.Now()
	}
	all, err := h.Tenants.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("audit: list the tenants: %w", err)
	}
	prepare := h.begin
	if e.Continue {
		prepare = h.continues
	}
	var due []rollout.TenantID
	var errs []error
	for _, t := range all {
		is, err := prepare(ctx, t, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("audit of %s: %w", t, err))
		}
		if is {
			due = append(due, t)
		}
	}
	for _, t := range due {
		if h.Audit.left(ctx) < job.MinTime {
			break // the next event goes on
		}
		errs = append(errs, h.Runner.Run(ctx, t, "audit", now, h.Runner.TTL, func(ctx context.Context, sum *job.Summary) error {
			return h.Audit.Run(ctx, t, now, sum)
		}))
	}
	return errors.Join(errs...)
}

func (h Handler) begin(ctx context.Context, t rollout.TenantID, now time.Time) (due bool, err error) {
	return true, h.Audit.Begin(ctx, t, now)
}

// continues leaves out the tenants with nothing to go on with: a run with nothing
// to do would count as a success.
func (h Handler) continues(ctx context.Context, t rollout.TenantID, _ time.Time) (due bool, err error) {
	return h.Audit.Continues(ctx, t, h.Runner.Clock.Now())
}

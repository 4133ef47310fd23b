package enforce

import (
	"context"
	"time"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// Event is what the schedules send: every hour, and every few minutes for what
// cannot wait that long.
type Event struct {
	job.ScheduledEvent
	// Waiting asks for those tenants alone for which something waits, see
	// [Enforce.Waiting].
	Waiting bool `json:"waiting"`
}

// Handler answers the schedules.
type Handler struct {
	Enforce Enforce
	Tenants job.TenantLister
	Runner  job.Runner
}

// stale is how far from the clock an event's time may be, either way: it decides
// whether a deadline is here and the window open, so a late event, one of the
// future (sent by hand) and a clock that is wrong all count for nothing. The next
// hour's is on its way.
const stale = 30 * time.Minute

// Handle runs enforce for the time that the schedule names.
func (h Handler) Handle(ctx context.Context, e Event) error {
	if late := h.Runner.Clock.Now().Sub(e.Time); !e.Time.IsZero() && late.Abs() > stale {
		h.Enforce.Log.WarnContext(ctx, "event of another time left alone, the next hour's does the work", "for", e.Time, "late", late.String())
		return nil
	}
	tenants := h.Tenants
	if e.Waiting {
		tenants = waiting{h}
	}
	return h.Runner.EachTenant(ctx, tenants, "enforce", e.Time, h.Enforce.Run)
}

// waiting lists the tenants for which something waits: a run with nothing to do
// would count as a success of the hour's.
type waiting struct{ Handler }

// Tenants implements [job.TenantLister].
func (w waiting) Tenants(ctx context.Context) ([]rollout.TenantID, error) {
	all, err := w.Handler.Tenants.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	var due []rollout.TenantID
	for _, t := range all {
		is, err := w.Enforce.Waiting(ctx, t)
		if err != nil {
			// Its own run says what is wrong, with the tenant's name.
			w.Enforce.Log.WarnContext(ctx, "not known whether an order waits, so it is looked for", "tenant", t, "error", err)
		}
		if is || err != nil {
			due = append(due, t)
		}
	}
	return due, nil
}

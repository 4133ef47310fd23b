package enforce

import (
	"context"
	"time"

	"sallyport/shared/job"
)

// Handler answers the hourly schedule.
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
func (h Handler) Handle(ctx context.Context, e job.ScheduledEvent) error {
	if late := h.Runner.Clock.Now().Sub(e.Time); !e.Time.IsZero() && late.Abs() > stale {
		h.Enforce.Log.WarnContext(ctx, "event of another time left alone, the next hour's does the work", "for", e.Time, "late", late.String())
		return nil
	}
	return h.Runner.EachTenant(ctx, h.Tenants, "enforce", e.Time, h.Enforce.Run)
}

package remind

import (
	"context"

	"sallyport/shared/job"
)

// Handler answers the schedule: hourly in working time, so that what one run
// could not do the next one does the same day.
type Handler struct {
	Remind  Remind
	Tenants job.TenantLister
	Runner  job.Runner
}

// Handle runs remind for the time that the schedule names.
func (h Handler) Handle(ctx context.Context, e job.ScheduledEvent) error {
	return h.Runner.EachTenant(ctx, h.Tenants, "remind", e.Time, h.Remind.Run)
}

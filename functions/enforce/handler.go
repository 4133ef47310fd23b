package enforce

import (
	"context"

	"sallyport/shared/job"
)

// Handler answers the hourly schedule.
type Handler struct {
	Enforce Enforce
	Tenants job.TenantLister
	Runner  job.Runner
}

// Handle runs enforce for the time that the schedule names.
func (h Handler) Handle(ctx context.Context, e job.ScheduledEvent) error {
	return h.Runner.EachTenant(ctx, h.Tenants, "enforce", e.Time, h.Enforce.Run)
}

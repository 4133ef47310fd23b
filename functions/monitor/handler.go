package monitor

import (
	"context"

	"sallyport/shared/job"
)

// Handler answers the hourly schedule.
type Handler struct {
	Monitor Monitor
	Tenants job.TenantLister
	Runner  job.Runner
}

// Handle runs monitor for the time that the schedule names.
func (h Handler) Handle(ctx context.Context, e job.ScheduledEvent) error {
	return h.Runner.EachTenant(ctx, h.Tenants, JobName, e.Time, h.Monitor.Run)
}

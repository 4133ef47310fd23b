package subscriptions

import (
	"context"

	"sallyport/shared/job"
)

// Handler answers the daily schedule.
type Handler struct {
	Subscriptions Subscriptions
	Tenants       job.TenantLister
	Runner        job.Runner
}

// Handle looks after every tenant's subscriptions.
func (h Handler) Handle(ctx context.Context, e job.ScheduledEvent) error {
	return h.Runner.EachTenant(ctx, h.Tenants, "subscriptions", e.Time, h.Subscriptions.Run)
}

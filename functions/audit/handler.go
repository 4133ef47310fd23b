package audit

import (
	"context"

	"sallyport/shared/job"
)

// Handler answers the nightly schedule: every tenant of the table, one after
// the other; one tenant's failure never stops another's.
type Handler struct {
	Audit   Audit
	Tenants job.TenantLister
	Runner  job.Runner
}

// Handle runs the audit for the time that the schedule names.
func (h Handler) Handle(ctx context.Context, e job.ScheduledEvent) error {
	return h.Runner.EachTenant(ctx, h.Tenants, "audit", e.Time, h.Audit.Run)
}

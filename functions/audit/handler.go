package audit

import (
	"context"

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

// Handler answers the schedules: every tenant of the table, one after the other;
// one tenant's failure never stops another's.
type Handler struct {
	Audit   Audit
	Tenants job.TenantLister
	Runner  job.Runner
}

// Handle runs the audit for the time that the schedule names.
func (h Handler) Handle(ctx context.Context, e Event) error {
	tenants := h.Tenants
	if e.Continue {
		tenants = unfinished{h}
	}
	return h.Runner.EachTenant(ctx, tenants, "audit", e.Time, h.Audit.Run)
}

// unfinished lists the tenants whose audit can be gone on with. The others are
// not run at all: a run with nothing to do would count as a success.
type unfinished struct{ h Handler }

// Tenants implements [job.TenantLister].
func (u unfinished) Tenants(ctx context.Context) ([]rollout.TenantID, error) {
	all, err := u.h.Tenants.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	now := u.h.Runner.Clock.Now()
	var list []rollout.TenantID
	for _, t := range all {
		continues, err := u.h.Audit.Continues(ctx, t, now)
		if err != nil {
			return nil, err
		}
		if continues {
			list = append(list, t)
		}
	}
	return list, nil
}

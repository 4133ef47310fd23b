package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/shared/rollout"
)

// ScheduledEvent is what EventBridge Scheduler sends, as far as a job reads it.
// Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
type ScheduledEvent struct {
	Time time.Time `json:"time"` // when the schedule was due
}

// TenantLister lists the tenants that have a config; [store.Store] does.
type TenantLister interface {
	Tenants(ctx context.Context) ([]rollout.TenantID, error)
}

// EachTenant runs the job for every tenant, as [Runner.Run] and [ForEachTenant]
// say. now is the schedule's time; zero, as in an event sent by hand, is the
// clock's.
func (r Runner) EachTenant(ctx context.Context, tenants TenantLister, name string, now time.Time,
	fn func(ctx context.Context, t rollout.TenantID, now time.Time, sum *Summary) error,
) error {
	if now.IsZero() {
		now = r.Clock.Now()
	}
	all, err := tenants.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("%s: list the tenants: %w", name, err)
	}
	return ForEachTenant(ctx, all, func(ctx context.Context, t rollout.TenantID) error {
		return r.Run(ctx, t, name, now, r.TTL, func(ctx context.Context, sum *Summary) error {
			return fn(ctx, t, now, sum)
		})
	})
}

// ForEachTenant calls fn for one tenant after the other and returns all their
// errors: one tenant's failure never stops another's. When ctx ends it begins no
// more, and says how many are left.
func ForEachTenant(ctx context.Context, tenants []rollout.TenantID, fn func(context.Context, rollout.TenantID) error) error {
	var errs []error
	for i, t := range tenants {
		if err := ctx.Err(); err != nil {
			errs = append(errs, fmt.Errorf("%d of %d tenants not begun, %s the first: %w", len(tenants)-i, len(tenants), t, err))
			break
		}
		errs = append(errs, fn(ctx, t))
	}
	return errors.Join(errs...)
}

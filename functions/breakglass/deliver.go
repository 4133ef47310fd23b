package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// deliver sends every alert, those before the index left out, by every channel
// that has not taken it yet. One channel's failure never stops another; the next
// run tries again.
func (w *watch) deliver(ctx context.Context, first int, sum *job.Summary) error {
	var failed error
	for i := first; i < len(w.alerts); i++ {
		for _, channel := range w.Channels {
			if !w.alerts[i].Delivered[channel.Name()].IsZero() {
				continue
			}
			if err := w.send(ctx, channel, &w.alerts[i]); err != nil {
				failed = errors.Join(failed, fmt.Errorf("alert %s by %s, tried again in 5 minutes: %w", w.alerts[i].ID, channel.Name(), err))
				continue
			}
			sum.Count("delivered", 1)
		}
	}
	return failed
}

func (w *watch) send(ctx context.Context, channel Channel, a *rollout.Alert) error {
	warning := Warning{Config: w.cfg, Alert: *a, Account: rollout.Account{ID: a.Account}, Now: w.now}
	// What stands beside the alert helps its reader; the alert leaves without it too.
	if account, err := w.Table.Account(ctx, w.cfg.Tenant, a.Account); err == nil {
		warning.Account = account
	}
	if audit, err := w.Table.Audit(ctx, w.cfg.Tenant); err == nil {
		warning.Audit = audit
	}
	if i := slices.IndexFunc(w.drills, func(d rollout.Drill) bool { return d.ID == a.Drill }); i >= 0 {
		warning.Drill = &w.drills[i]
	}
	if err := channel.Alert(ctx, warning); err != nil {
		return err
	}
	delivered := map[string]time.Time{channel.Name(): w.now}
	for name, at := range a.Delivered {
		delivered[name] = at
	}
	a.Delivered = delivered
	if a.AlertedAt.IsZero() {
		a.AlertedAt = w.now
	}
	err := w.Table.PutAlert(ctx, w.cfg.Tenant, *a)
	if err == nil {
		a.Version++
	}
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("it was sent, and will be again, since that could not be recorded: %w", err)
	}
	return nil
}

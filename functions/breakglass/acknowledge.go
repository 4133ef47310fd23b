package breakglass

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// AckTable is what an acknowledgement reads and writes.
type AckTable interface {
	Alert(ctx context.Context, t rollout.TenantID, id string) (rollout.Alert, error)
	PutAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error
}

// Acknowledge records that somebody looks after alerts, and returns those that
// nobody had before: whoever came first stays.
func Acknowledge(ctx context.Context, table AckTable, t rollout.TenantID, alerts []rollout.Alert, by string, at time.Time) ([]rollout.Alert, error) {
	var acked []rollout.Alert
	for _, a := range alerts {
		done, err := acknowledgeOne(ctx, table, t, &a, by, at)
		if err != nil {
			return acked, fmt.Errorf("acknowledge alert %s: %w", a.ID, err)
		}
		if done {
			acked = append(acked, a)
		}
	}
	return acked, nil
}

// mostConflicts is how often a record that moves on is read again. A delivery
// moves it once for each run; nothing else does but another acknowledgement.
const mostConflicts = 5

func acknowledgeOne(ctx context.Context, table AckTable, t rollout.TenantID, a *rollout.Alert, by string, at time.Time) (bool, error) {
	for range mostConflicts {
		if !a.AckedAt.IsZero() {
			return false, nil
		}
		a.AckedAt, a.AckedBy = at, by
		err := table.PutAlert(ctx, t, *a)
		if err == nil {
			a.Version++
			return true, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return false, err
		}
		if *a, err = table.Alert(ctx, t, a.ID); err != nil {
			return false, err
		}
	}
	return false, fmt.Errorf("somebody else writes it all the time: %w", store.ErrConflict)
}

// acknowledged records that the button behind a link was pressed. The sender was
// proven by the link's signature; an alert that is not there any more is none.
func (w *watch) acknowledged(ctx context.Context, e touch.Event, sum *job.Summary) error {
	at := e.ReceivedAt
	if at.IsZero() || at.After(w.now) {
		at = w.now
	}
	by := "by link"
	for _, a := range w.alerts {
		if a.ID == e.AlertID && a.Contact != "" {
			by = "by link to " + a.Contact
		}
	}
	acked, err := Acknowledge(ctx, w.Table, w.cfg.Tenant, rollout.Covered(w.alerts, e.AlertID), by, at)
	sum.Count("acknowledged", len(acked))
	w.Log.InfoContext(ctx, "acknowledged", "tenant", w.cfg.Tenant, "alert", e.AlertID, "alerts", len(acked))
	return err
}

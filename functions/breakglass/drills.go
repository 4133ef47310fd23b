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

// closeDrills ends the drills that an alert proves.
func (w *watch) closeDrills(ctx context.Context, sum *job.Summary) error {
	var failed error
	for i, drill := range w.drills {
		if !drill.PassedAt.IsZero() {
			continue
		}
		proof := slices.IndexFunc(w.alerts, func(a rollout.Alert) bool { return rollout.PassesDrill(drill, a) })
		if proof < 0 {
			continue
		}
		drill.PassedAt, drill.AlertID = w.alerts[proof].AlertedAt, w.alerts[proof].ID
		if err := w.Table.PutDrill(ctx, w.cfg.Tenant, drill); err != nil && !errors.Is(err, store.ErrConflict) {
			failed = errors.Join(failed, fmt.Errorf("record that drill %s was passed: %w", drill.ID, err))
			continue
		}
		drill.Version++
		w.drills[i] = drill
		sum.Count("drillsPassed", 1)
	}
	return failed
}

// openDrills opens what is due and asks the custodian, once for each.
func (w *watch) openDrills(ctx context.Context, sum *job.Summary) error {
	if w.cfg.Paused || w.blind {
		return nil
	}
	var failed error
	for _, drill := range rollout.DrillsDue(w.cfg, w.drills, w.now) {
		if err := w.Table.PutDrill(ctx, w.cfg.Tenant, drill); err != nil && !errors.Is(err, store.ErrConflict) {
			failed = errors.Join(failed, fmt.Errorf("open drill %s: %w", drill.ID, err))
			continue
		}
		w.drills = append(w.drills, drill)
		sum.Count("drillsOpened", 1)
	}
	for _, drill := range w.drills {
		if _, open := rollout.OpenDrill([]rollout.Drill{drill}, drill.Account, w.now); !open {
			continue
		}
		message := rollout.Message{
			ID: "drill.." + drill.ID, Kind: rollout.MessageDrill, Subject: "Drill", Day: rollout.DateOf(w.now.In(w.cfg.Location())),
			State: rollout.MessageClaimed, ClaimedAt: w.now,
			Details: map[string]string{
				"account": drill.Account,
				"opens":   drill.OpenedAt.UTC().Format(time.RFC3339), "closes": drill.ClosesAt.UTC().Format(time.RFC3339),
			},
		}
		if _, err := w.Outbox.Post(ctx, w.cfg.Tenant, message); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

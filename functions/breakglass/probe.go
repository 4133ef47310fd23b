package breakglass

import (
	"context"
	"errors"
	"fmt"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// hear records that a self-test has come all the way: Graph called, and what it
// said went through the door, webhook and the queue.
func (w *watch) hear(ctx context.Context, e touch.Event) error {
	probe, err := w.Table.Probe(ctx, w.cfg.Tenant)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the self-test: %w", err)
	}
	if probe.ID != e.Probe || !probe.HeardAt.IsZero() {
		return nil // an older one, or one that is heard twice
	}
	probe.HeardAt = w.now
	if err := w.Table.PutProbe(ctx, w.cfg.Tenant, probe); err != nil {
		return fmt.Errorf("record that the self-test arrived: %w", err)
	}
	return nil
}

// listen alerts when a self-test did not arrive, once for each.
func (w *watch) listen(ctx context.Context, sum *job.Summary) error {
	probe, err := w.Table.Probe(ctx, w.cfg.Tenant)
	if errors.Is(err, store.ErrNotFound) {
		return nil // subscriptions has not run yet, which has its own alarm
	}
	if err != nil {
		return fmt.Errorf("read the self-test: %w", err)
	}
	silent := probe.Silent(w.now)
	if silent == "" || len(w.cfg.EmergencyAccounts) == 0 {
		return nil
	}
	seen := len(w.alerts)
	err = w.claim(ctx, rollout.Alert{
		ID: "silent-" + probe.ID, Kind: rollout.AlertSilent, Account: w.cfg.EmergencyAccounts[0].ID, Source: "poll",
		Text:       silent + " Look at the alarms of webhook and subscriptions; sign-ins are still polled every five minutes.",
		OccurredAt: probe.SentAt, SeenAt: w.now,
	}, sum)
	return errors.Join(err, w.deliver(ctx, seen, sum))
}

package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// proofJob is what the nightly proof is called among the runs in the table.
const proofJob = "emergencyProof"

// aboutEmergency reports whether a notification may be about what keeps an
// emergency account working: the account, or a group that we watch.
func (w *watch) aboutEmergency(e touch.Event) bool {
	resource := strings.ToLower(strings.TrimPrefix(e.Resource, "/"))
	return e.Source == touch.SourceNotification && (w.cfg.IsEmergency(e.Account) || strings.HasPrefix(resource, "groups/"))
}

// tampering follows a notification: the accounts are proven anew, unless a proof
// was begun after the notification came.
func (w *watch) tampering(ctx context.Context, e touch.Event, sum *job.Summary) error {
	last, err := w.lastProof(ctx)
	if err != nil {
		return err
	}
	failed := w.tell(ctx, last, touch.SourceNotification, sum) // what a run that died left
	if e.ReceivedAt.IsZero() || !last.ReadAt.After(e.ReceivedAt) {
		failed = errors.Join(failed, w.prove(ctx, touch.SourceNotification, sum))
	}
	return failed
}

// nightly proves the accounts once a night. Whoever took a policy's exclusion away
// is seen by this: Graph notifies of no policy.
func (w *watch) nightly(ctx context.Context, sum *job.Summary) error {
	if len(w.cfg.EmergencyAccounts) == 0 || !w.proofDue {
		return nil
	}
	seen := len(w.alerts)
	err := w.prove(ctx, sourceProof, sum)
	return errors.Join(err, w.deliver(ctx, seen, sum))
}

// sourceProof is how the nightly proof is called in an alert.
const sourceProof = "proof"

// mostTries bounds how often a reading is laid over a proof that others replace
// meanwhile.
const mostTries = 5

// prove reads all that the proof is made of, keeps it and tells what changed. An
// incomplete reading keeps and tells nothing, and is an error: it does not say that
// nothing changed. What changed is kept in the same write as the proof, so that it
// is told once, whoever dies in between and however many read at the same time.
func (w *watch) prove(ctx context.Context, source string, sum *job.Summary) error {
	g, err := w.Graph(ctx, w.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("connect to Graph: %w", err)
	}
	reading, err := g.Emergency(ctx, w.cfg)
	if err == nil {
		err = reading.Complete(w.cfg)
	}
	if err != nil {
		return fmt.Errorf("prove the emergency accounts: %w", err)
	}
	for range mostTries {
		last, err := w.lastProof(ctx)
		if err != nil {
			return err
		}
		next, newer := last.Next(w.cfg, reading, w.now)
		if newer {
			err = w.Table.PutEmergency(ctx, w.cfg.Tenant, next)
		}
		if errors.Is(err, store.ErrConflict) {
			continue // compare with what another has read meanwhile
		}
		if err != nil {
			return fmt.Errorf("keep the proof of the emergency accounts: %w", err)
		}
		sum.Count("proofs", 1)
		if err := w.tell(ctx, next, source, sum); err != nil {
			return err
		}
		if err := w.Table.MarkRun(ctx, w.cfg.Tenant, proofJob, reading.At, fmt.Sprintf("%d of %d proven", next.Proven, len(next.Accounts))); err != nil {
			return fmt.Errorf("record that the emergency accounts were proven: %w", err)
		}
		w.proofDue = false
		return nil
	}
	return fmt.Errorf("keep the proof of the emergency accounts: others kept theirs %d times meanwhile", mostTries)
}

func (w *watch) lastProof(ctx context.Context) (rollout.ProvenEmergency, error) {
	last, err := w.Table.Emergency(ctx, w.cfg.Tenant)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return last, fmt.Errorf("read the last proof of the emergency accounts: %w", err)
	}
	return last, nil
}

// tellWithin is how old a change may be and still be told: far older than any run
// that died, and younger than the alert that it already has is kept.
const tellWithin = 30 * 24 * time.Hour

// tell claims an alert for each change that somebody has to hear of.
func (w *watch) tell(ctx context.Context, p rollout.ProvenEmergency, source string, sum *job.Summary) error {
	var failed error
	for _, c := range p.Changes {
		if !c.Alerts() || w.now.Sub(c.SeenAt) > tellWithin {
			continue
		}
		at := c.At
		if at.IsZero() {
			at = c.SeenAt
		}
		failed = errors.Join(failed, w.claim(ctx, rollout.Alert{
			ID: c.ID, Kind: rollout.AlertTampering, Account: c.Accounts[0], Source: source, Text: w.changeWords(c), OccurredAt: at, SeenAt: w.now,
		}, sum))
	}
	return failed
}

// changeWords say what changed, for which accounts if for more than one, and what
// to do.
func (w *watch) changeWords(c rollout.EmergencyChange) string {
	text := c.Text
	if len(c.Accounts) > 1 {
		text += " Accounts: " + strings.Join(c.Accounts, ", ") + "."
	}
	if n := len(c.Policies); n > 0 && c.Group != "" {
		text += fmt.Sprintf(" Policies concerned: %d.", n)
	}
	return text + " If nobody of you did this, follow the plan now. sallyport emergency check shows all."
}

// proofDue looks among the runs for when the accounts were proven last.
func proofDue(cfg rollout.Config, runs []store.Run, now time.Time) bool {
	var last time.Time
	if i := slices.IndexFunc(runs, func(r store.Run) bool { return r.Job == proofJob }); i >= 0 {
		last = runs[i].At
	}
	return rollout.ProofDue(cfg, last, now)
}

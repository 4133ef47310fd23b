package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// jobName is what the schedule's runs are called in the table.
const jobName = "breakglass"

// logKept is how long Entra keeps the sign-in log, at most.
// Source: https://learn.microsoft.com/entra/identity/monitoring-health/reference-reports-data-retention
const logKept = 30 * 24 * time.Hour

// readFrom is the moment from which the sign-in log is read: the last run that
// saw all of it, and two hours more, because rows arrive late and twice. So what
// happened while Graph could not be reached is read once it can be again.
func readFrom(runs []store.Run, now time.Time) time.Time {
	seen := now
	if i := slices.IndexFunc(runs, func(r store.Run) bool { return r.Job == jobName }); i >= 0 && runs[i].At.Before(now) {
		seen = runs[i].At
	}
	from := seen.Add(-rollout.PollOverlap)
	if oldest := now.Add(-logKept); from.Before(oldest) {
		return oldest
	}
	return from
}

// signIns reads both logs and sends the alerts. The interactive sign-ins come
// first, of every account, and their alerts leave before the others are asked
// for: those are in Graph's beta alone, which may be slow, or change, or fail.
func (w *watch) signIns(ctx context.Context, source string, sum *job.Summary) error {
	g, err := w.Graph(ctx, w.cfg.Tenant)
	if err != nil {
		return errors.Join(fmt.Errorf("connect to Graph: %w", err), w.deliver(ctx, 0, sum))
	}
	failed := w.poll(ctx, g, false, source, sum)
	failed = errors.Join(failed, w.deliver(ctx, 0, sum))
	return errors.Join(failed, w.unattended(ctx, g, source, sum))
}

// unattended reads the sign-ins that clients made on an account's behalf.
func (w *watch) unattended(ctx context.Context, g Graph, source string, sum *job.Summary) error {
	if w.blind {
		return nil
	}
	seen := len(w.alerts)
	failed := w.poll(ctx, g, true, source, sum)
	return errors.Join(failed, w.deliver(ctx, seen, sum))
}

// poll claims an alert for each sign-in of one kind that has none. One account's
// failure does not hide another's sign-ins.
func (w *watch) poll(ctx context.Context, g Graph, nonInteractive bool, source string, sum *job.Summary) error {
	kind := "interactive"
	if nonInteractive {
		kind = "non-interactive"
	}
	var failed error
	for _, account := range w.cfg.EmergencyAccounts {
		query := graph.SignInQuery{UserID: account.ID, From: w.from, To: w.now, NonInteractive: nonInteractive}
		var unclaimed []error
		err := g.SignIns(ctx, query, func(page []rollout.SignIn) error {
			for _, row := range page {
				if err := w.claim(ctx, w.signInAlert(row, source), sum); err != nil {
					unclaimed = append(unclaimed, err)
				}
			}
			return nil
		})
		if errors.Is(err, graph.ErrNoLicence) && !nonInteractive {
			sum.Note("signInLog", "not licensed: sign-ins of emergency accounts cannot be seen")
			w.blind = true
			return failed
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("read the %s sign-ins of emergency account %s: %w", kind, account.ID, err))
		}
		if len(unclaimed) > 0 {
			failed = errors.Join(failed, fmt.Errorf("%d %s sign-ins of emergency account %s have no alert yet: %w", len(unclaimed), kind, account.ID, unclaimed[0]))
		}
	}
	return failed
}

func (w *watch) signInAlert(row rollout.SignIn, source string) rollout.Alert {
	a := rollout.Alert{
		ID: rollout.AlertID(row.ID), Kind: rollout.AlertSignIn, Account: row.UserID, SignIn: row, Source: source,
		OccurredAt: row.CreatedAt, SeenAt: w.now,
	}
	if drill, open := rollout.OpenDrill(w.drills, row.UserID, row.CreatedAt); open {
		a.Drill = drill.ID
	}
	return a
}

// claim records an alert once. Whoever claims it first is the one whose alert
// leaves; anybody may deliver it. A row that Azure Monitor fired for is joined to
// that first; if that fails, the alert matters more.
func (w *watch) claim(ctx context.Context, a rollout.Alert, sum *job.Summary) error {
	if w.known(a.ID) {
		return w.seenAgain(ctx, a)
	}
	counted := "alerts"
	switch a.Kind {
	case rollout.AlertRepetition:
		counted = "repetitions"
	case rollout.AlertSignIn:
		if err := w.join(ctx, &a); err != nil {
			w.Log.WarnContext(ctx, "an alert is not joined to Azure Monitor's and calls on its own", "alert", a.ID, "error", err)
		}
	}
	err := w.Table.ClaimAlert(ctx, w.cfg.Tenant, a)
	if errors.Is(err, store.ErrConflict) {
		return nil // another way saw it first, and delivers it
	}
	if err != nil {
		return fmt.Errorf("claim alert %s: %w", a.ID, err)
	}
	a.Version = 1
	w.alerts = append(w.alerts, a)
	sum.Count(counted, 1)
	return nil
}

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

// closeDrills ends the drills that an alert proves, and completes the evidence of
// those that were passed a short while ago.
func (w *watch) closeDrills(ctx context.Context, sum *job.Summary) error {
	var failed error
	for i, drill := range w.drills {
		if !drill.PassedAt.IsZero() {
			if seen, more := drill.SawByMonitor(w.alerts); more && w.now.Sub(drill.PassedAt) < 24*time.Hour {
				failed = errors.Join(failed, w.keep(ctx, i, seen))
			}
			continue
		}
		proof := w.proofOf(ctx, drill, sum)
		if proof < 0 {
			continue
		}
		if err := w.keep(ctx, i, drill.Pass(w.alerts[proof], w.alerts)); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		sum.Count("drillsPassed", 1)
	}
	return failed
}

// proofOf is the alert that passes the drill, or -1.
func (w *watch) proofOf(ctx context.Context, drill rollout.Drill, sum *job.Summary) int {
	for i := range w.alerts {
		if rollout.PassesDrill(drill, w.alerts[i]) && w.inDetail(ctx, drill, i, sum) && rollout.PassesDrill(drill, w.alerts[i]) {
			return i
		}
	}
	return -1
}

// detailWithin is how long a drill waits to hear by which method its sign-in was
// made: only Graph's beta tells, which may be late, or fail.
const detailWithin = time.Hour

// inDetail asks how the i-th alert's sign-in went, once, since the log of v1.0
// does not say: a drill tries the key, not the password alone. It answers whether
// what is known now is what there is to know.
func (w *watch) inDetail(ctx context.Context, drill rollout.Drill, i int, sum *job.Summary) bool {
	row := w.alerts[i].SignIn
	if row.Requirement != "" || len(row.Methods) > 0 {
		return true
	}
	late := w.now.Sub(row.CreatedAt) >= detailWithin
	g, err := w.Graph(ctx, w.cfg.Tenant)
	if err != nil {
		sum.Note("drillDetail", err.Error())
		return late
	}
	found := false
	query := graph.SignInQuery{UserID: row.UserID, From: row.CreatedAt.Add(-time.Second), To: row.CreatedAt.Add(time.Second), Detailed: true}
	err = g.SignIns(ctx, query, func(page []rollout.SignIn) error {
		for _, r := range page {
			if r.ID == row.ID {
				found, row.Requirement, row.Methods = true, r.Requirement, r.Methods
			}
		}
		return nil
	})
	if err != nil {
		sum.Note("drillDetail", err.Error())
		return late
	}
	switch {
	case row.Requirement == "" && len(row.Methods) == 0:
		return found || late
	case len(row.Methods) == 0 && !late && !rollout.PassesDrill(drill, withRow(w.alerts[i], row)):
		return false // the methods of a row come later than the row: they may say that it was the key
	}
	// Kept, so that nobody asks again about one that passes no drill.
	w.alerts[i].SignIn = row
	if err := w.Table.PutAlert(ctx, w.cfg.Tenant, w.alerts[i]); err != nil {
		sum.Note("drillDetail", err.Error())
		return true
	}
	w.alerts[i].Version++
	return true
}

func withRow(a rollout.Alert, row rollout.SignIn) rollout.Alert {
	a.SignIn = row
	return a
}

// keep records what became of the i-th drill.
func (w *watch) keep(ctx context.Context, i int, drill rollout.Drill) error {
	err := w.Table.PutDrill(ctx, w.cfg.Tenant, drill)
	if errors.Is(err, store.ErrConflict) {
		return nil // the next run sees what the other one did
	}
	if err != nil {
		return fmt.Errorf("record drill %s: %w", drill.ID, err)
	}
	drill.Version++
	w.drills[i] = drill
	return nil
}

// planDrills does what is due: invites, moves, cancels, fails. complete says that
// this run saw the whole sign-in log: a drill is not failed on less, except after
// a day, since what was never seen is no pass either.
func (w *watch) planDrills(ctx context.Context, complete bool, sum *job.Summary) error {
	if w.cfg.Paused || w.blind {
		return nil
	}
	var failed error
	for _, step := range rollout.PlanDrills(w.cfg, w.drills, w.alerts, w.now) {
		if step.Do == rollout.DrillFail && !complete && w.now.Sub(step.Drill.ClosesAt) < 24*time.Hour {
			continue
		}
		i := slices.IndexFunc(w.drills, func(d rollout.Drill) bool { return d.ID == step.Drill.ID })
		err := w.Table.PutDrill(ctx, w.cfg.Tenant, step.Drill)
		if errors.Is(err, store.ErrConflict) {
			continue // another run was first: the next one sees what it did
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s drill %s: %w", step.Do, step.Drill.ID, err))
			continue
		}
		step.Drill.Version++
		if i < 0 {
			w.drills = append(w.drills, step.Drill)
		} else {
			w.drills[i] = step.Drill
		}
		sum.Count("drills:"+string(step.Do), 1)
	}
	failed = errors.Join(failed, w.tellOfDrills(ctx))
	return errors.Join(failed, w.alertFailedDrills(ctx, sum))
}

// tellOfDrills sends what is due about each drill, once.
func (w *watch) tellOfDrills(ctx context.Context) error {
	var failed error
	for i, drill := range w.drills {
		message, due := rollout.DueDrillNotice(w.cfg, drill, w.now)
		if !due {
			continue
		}
		if _, err := w.Outbox.Post(ctx, w.cfg.Tenant, message); err != nil {
			failed = errors.Join(failed, err)
			continue // if it is claimed, it is queued again; if not, tried again
		}
		drill.Told = message.Subject
		failed = errors.Join(failed, w.keep(ctx, i, drill))
	}
	return failed
}

// failedLately bounds how long after a drill failed its alert is made up for.
const failedLately = 7 * 24 * time.Hour

// alertFailedDrills raises one alert for each failed drill, also where the run
// that failed it ended before it could.
func (w *watch) alertFailedDrills(ctx context.Context, sum *job.Summary) error {
	var failed error
	seen := len(w.alerts)
	for _, drill := range w.drills {
		if !drill.FailedAt.IsZero() && w.now.Sub(drill.FailedAt) < failedLately {
			failed = errors.Join(failed, w.claim(ctx, rollout.DrillAlert(drill, w.now), sum))
		}
	}
	return errors.Join(failed, w.deliver(ctx, seen, sum))
}

// seenAgain notes that a sign-in whose alert is known was seen by another way
// too: a drill's evidence names every way that saw it.
func (w *watch) seenAgain(ctx context.Context, a rollout.Alert) error {
	i := slices.IndexFunc(w.drills, func(d rollout.Drill) bool { return d.AlertID == a.ID })
	if i < 0 {
		return nil
	}
	drill, more := w.drills[i].Saw(a.Source)
	if !more {
		return nil
	}
	return w.keep(ctx, i, drill)
}

package breakglass

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Azure Monitor is often faster than the sign-in log that Graph shows, and it
// names the account and nothing of the sign-in. Three things could be done: wait
// for the row, and be late; send both, and call twice for one sign-in; or, as
// here, send Azure Monitor's word at once and make the row's alert its second
// part. The two are written down as a pair, on both records and conditionally:
//
//   - Azure Monitor first: its alert leaves. The row that explains it is claimed
//     by its sign-in id, as ever, and goes out as an update in the same thread to
//     those who read (mail, webhook); what rings (SMS, pager) does not ring again.
//   - the row first: its alert leaves. Azure Monitor's word is recorded as its
//     pair and says nothing new to anybody.
//
// A pair is one and one. Of several rows that one firing may stand for, one is
// joined to it and the others are alerts of their own: so a second sign-in never
// hides behind the first.

// glanceTime is how long Azure Monitor's word waits for the log: if the row is
// there, one alert says everything; if not, or if Graph is slow, the alert must
// leave.
const glanceTime = 3 * time.Second

// fired follows Azure Monitor's word: a glance into the log, the alert, and then
// the log in full.
func (w *watch) fired(ctx context.Context, e touch.Event, sum *job.Summary) error {
	g, glanced := w.Graph(ctx, w.cfg.Tenant)
	if glanced == nil {
		short, cancel := context.WithTimeout(ctx, glanceTime)
		glanced = w.poll(short, g, false, e.Source, sum)
		cancel()
	}
	failed := w.monitorFired(ctx, e)
	failed = errors.Join(failed, w.deliver(ctx, 0, sum))
	if glanced != nil {
		return errors.Join(failed, w.signIns(ctx, e.Source, sum))
	}
	return errors.Join(failed, w.unattended(ctx, g, e.Source, sum))
}

// monitorFired alerts on Azure Monitor's word for each account that it names,
// unless the row that it is about was alerted on already.
func (w *watch) monitorFired(ctx context.Context, e touch.Event) error {
	var failed error
	for _, id := range e.Accounts {
		if !w.cfg.IsEmergency(id) {
			continue
		}
		a := rollout.Alert{
			ID: "azureMonitor-" + shortID(e.AlertID) + "-" + id, Kind: rollout.AlertMonitor, Account: id, Source: touch.SourceAzureMonitor,
			Text: "Azure Monitor saw a sign-in; the log's row is not here yet.", OccurredAt: e.FiredAt, SeenAt: w.now,
		}
		if a.OccurredAt.IsZero() {
			a.OccurredAt = w.now // it did not say when
		}
		if drill, open := rollout.OpenDrill(w.drills, id, a.OccurredAt); open {
			a.Drill = drill.ID
		}
		if w.known(a.ID) {
			continue
		}
		if row, found := rollout.RowFor(w.alerts, a); found {
			taken, err := w.pair(ctx, row, a.ID)
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			if taken {
				a.Pair, a.AckedAt, a.AckedBy = row.ID, row.AckedAt, row.AckedBy
			}
		}
		failed = errors.Join(failed, w.claim(ctx, a, &job.Summary{}))
	}
	return failed
}

// join makes a row's alert the second part of what Azure Monitor fired for, if it
// fired for it. The alarm has then left already, when that did.
func (w *watch) join(ctx context.Context, a *rollout.Alert) error {
	fired, found := rollout.FiredFor(w.alerts, *a)
	if !found {
		return nil
	}
	taken, err := w.pair(ctx, fired, a.ID)
	if err != nil || !taken {
		return err
	}
	a.Pair, a.AlertedAt, a.AckedAt, a.AckedBy = fired.ID, fired.AlertedAt, fired.AckedAt, fired.AckedBy
	return nil
}

// pair writes the other's id on an alert. It reports false if the alert found
// another pair meanwhile: then there is none for this one.
func (w *watch) pair(ctx context.Context, a rollout.Alert, with string) (bool, error) {
	for range mostConflicts {
		if a.Pair != "" {
			return a.Pair == with, nil
		}
		a.Pair = with
		err := w.Table.PutAlert(ctx, w.cfg.Tenant, a)
		if err == nil {
			a.Version++
			if i := slices.IndexFunc(w.alerts, func(b rollout.Alert) bool { return b.ID == a.ID }); i >= 0 {
				w.alerts[i] = a
			}
			return true, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return false, fmt.Errorf("pair alert %s with %s: %w", a.ID, with, err)
		}
		if a, err = w.Table.Alert(ctx, w.cfg.Tenant, a.ID); err != nil {
			return false, fmt.Errorf("read alert %s again: %w", a.ID, err)
		}
	}
	return false, fmt.Errorf("pair alert %s with %s: %w", a.ID, with, store.ErrConflict)
}

func (w *watch) known(id string) bool {
	return slices.ContainsFunc(w.alerts, func(a rollout.Alert) bool { return a.ID == id })
}

var (
	guid  = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	plain = regexp.MustCompile(`^[0-9A-Za-z_-]{1,40}$`)
)

// shortID is what an alert of Azure Monitor is known by: people type it, and SES
// takes no tag of more than 256 characters. An alertId is a path whose last part
// is a GUID; another one is known by its digest.
func shortID(alertID string) string {
	if last := alertID[strings.LastIndexByte(alertID, '/')+1:]; guid.MatchString(last) {
		return strings.ToLower(last)
	}
	if plain.MatchString(alertID) {
		return alertID
	}
	sum := sha256.Sum256([]byte(alertID))
	return hex.EncodeToString(sum[:16])
}

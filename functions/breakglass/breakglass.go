// Package breakglass watches the emergency accounts. Every five minutes it reads
// their sign-ins, and at once when webhook says that one was touched; each
// sign-in, successful or failed, raises one alert, whichever way saw it first.
// It also opens the quarterly drills and closes those that were passed.
package breakglass

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Graph is what breakglass reads of a tenant.
type Graph interface {
	User(ctx context.Context, id string) (rollout.User, error)
	SignIns(ctx context.Context, q graph.SignInQuery, page func([]rollout.SignIn) error) error
}

// Table is what breakglass reads and writes of the table.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error)
	Account(ctx context.Context, t rollout.TenantID, id string) (rollout.Account, error)
	Alerts(ctx context.Context, t rollout.TenantID) ([]rollout.Alert, error)
	ClaimAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error
	PutAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error
	Drills(ctx context.Context, t rollout.TenantID) ([]rollout.Drill, error)
	PutDrill(ctx context.Context, t rollout.TenantID, d rollout.Drill) error
	Runs(ctx context.Context, t rollout.TenantID) ([]store.Run, error)
}

// Channel is one way to the security team. It may deliver the same alert twice
// after a crash, and must never lose one silently.
type Channel interface {
	Name() string
	Alert(ctx context.Context, w Warning) error
}

// Warning is an alert with what its reader needs beside it.
type Warning struct {
	Config  rollout.Config
	Audit   rollout.AuditRun
	Account rollout.Account // as the last audit saw it; only its id if it did not
	Alert   rollout.Alert
	Drill   *rollout.Drill // open at the moment of the sign-in
	Now     time.Time
}

// Breakglass watches the emergency accounts of tenants.
type Breakglass struct {
	Graph    func(ctx context.Context, t rollout.TenantID) (Graph, error)
	Table    Table
	Outbox   outbox.Outbox
	Channels []Channel
	Log      *slog.Logger
}

// Run looks after one tenant's emergency accounts. Its parts do not wait for one
// another: an alert that was claimed before leaves even if Graph is down.
func (b Breakglass) Run(ctx context.Context, t rollout.TenantID, now time.Time, sum *job.Summary) error {
	w, err := b.begin(ctx, t, now)
	if err != nil {
		return err
	}
	failed := w.signIns(ctx, "poll", sum)
	failed = errors.Join(failed, w.closeDrills(ctx, sum))
	return errors.Join(failed, w.openDrills(ctx, sum))
}

// Look follows a hint of webhook: the account is read again, and its sign-ins
// at once.
func (b Breakglass) Look(ctx context.Context, t rollout.TenantID, e touch.Event, now time.Time, sum *job.Summary) error {
	w, err := b.begin(ctx, t, now)
	if err != nil {
		return err
	}
	var failed error
	if e.Source == touch.SourceNotification && w.cfg.IsEmergency(e.Account) {
		failed = w.tampering(ctx, e.Account)
	}
	failed = errors.Join(failed, w.signIns(ctx, e.Source, sum))
	if e.Source == touch.SourceAzureMonitor && e.Condition == touch.ConditionFired {
		seen := len(w.alerts)
		failed = errors.Join(failed, w.monitorFired(ctx, e))
		failed = errors.Join(failed, w.deliver(ctx, seen, sum))
	}
	return failed
}

type watch struct {
	Breakglass
	cfg    rollout.Config
	alerts []rollout.Alert
	drills []rollout.Drill
	now    time.Time
	from   time.Time // how far back the sign-in log is read
	// blind: the tenant has no sign-in log, so no drill could ever be passed.
	blind bool
}

func (b Breakglass) begin(ctx context.Context, t rollout.TenantID, now time.Time) (*watch, error) {
	w := &watch{Breakglass: b, now: now}
	var err error
	if w.cfg, err = b.Table.Config(ctx, t); err != nil {
		return nil, fmt.Errorf("read rollout.yaml of the tenant: %w", err)
	}
	if w.alerts, err = b.Table.Alerts(ctx, t); err != nil {
		return nil, fmt.Errorf("read the alerts: %w", err)
	}
	if w.drills, err = b.Table.Drills(ctx, t); err != nil {
		return nil, fmt.Errorf("read the drills: %w", err)
	}
	runs, err := b.Table.Runs(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("read when the sign-in log was last read: %w", err)
	}
	w.from = readFrom(runs, now)
	return w, nil
}

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

// tampering reads an account that was touched and alerts if it is no longer
// what an emergency account must be.
func (w *watch) tampering(ctx context.Context, id string) error {
	g, err := w.Graph(ctx, w.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("connect to Graph: %w", err)
	}
	user, err := g.User(ctx, id)
	var what string
	switch {
	case errors.Is(err, graph.ErrNotFound):
		what = "deleted"
	case err != nil:
		return fmt.Errorf("read emergency account %s: %w", id, err)
	case user.AccountEnabled != rollout.Yes:
		what = "disabled"
	case user.Synced == rollout.Yes:
		what = "synchronized from on-premises"
	case w.renamed(ctx, id, user.UserPrincipalName):
		what = "renamed"
	default:
		return nil // touched, and still whole
	}
	day := rollout.DateOf(w.now.In(w.cfg.Location()))
	return w.claim(ctx, rollout.Alert{
		ID: strings.Join([]string{"tampering", id, what, day.String()}, "-"), Kind: rollout.AlertTampering, Account: id,
		Source: touch.SourceNotification, Text: "The emergency account was " + what + ".", OccurredAt: w.now, SeenAt: w.now,
	}, &job.Summary{})
}

func (w *watch) renamed(ctx context.Context, id, now string) bool {
	before, err := w.Table.Account(ctx, w.cfg.Tenant, id)
	return err == nil && !strings.EqualFold(before.UserPrincipalName, now)
}

// rowBefore is how long before Azure Monitor fired the row that made it fire may
// lie: the rule's window and the log's delay.
const rowBefore = time.Hour

// monitorFired alerts on Azure Monitor's word for an account whose row the
// sign-in log does not show yet; the row's own alert follows when it arrives.
func (w *watch) monitorFired(ctx context.Context, e touch.Event) error {
	var failed error
	for _, id := range e.Accounts {
		if !w.cfg.IsEmergency(id) || slices.ContainsFunc(w.alerts, func(a rollout.Alert) bool {
			return strings.EqualFold(a.Account, id) && a.Kind == rollout.AlertSignIn && e.FiredAt.Sub(a.OccurredAt) < rowBefore
		}) {
			continue
		}
		failed = errors.Join(failed, w.claim(ctx, rollout.Alert{
			ID: "azureMonitor-" + e.AlertID + "-" + id, Kind: rollout.AlertMonitor, Account: id, Source: touch.SourceAzureMonitor,
			Text: "Azure Monitor saw a sign-in; the log's row is not here yet.", OccurredAt: e.FiredAt, SeenAt: w.now,
		}, &job.Summary{}))
	}
	return failed
}

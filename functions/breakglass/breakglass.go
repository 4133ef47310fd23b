// Package breakglass watches the emergency accounts. Every five minutes it reads
// their sign-ins, and at once when webhook says that one was touched; each
// sign-in, successful or failed, raises one alert, whichever way saw it first,
// and people are called again until one of them acknowledges it. It also sees to
// the quarterly drills: invites, opens, and closes them with evidence.
package breakglass

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	Emergency(ctx context.Context, cfg rollout.Config) (rollout.EmergencyReading, error)
	SignIns(ctx context.Context, q graph.SignInQuery, page func([]rollout.SignIn) error) error
}

// Table is what breakglass reads and writes of the table.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error)
	Account(ctx context.Context, t rollout.TenantID, id string) (rollout.Account, error)
	Alerts(ctx context.Context, t rollout.TenantID) ([]rollout.Alert, error)
	ClaimAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error
	AckTable
	Drills(ctx context.Context, t rollout.TenantID) ([]rollout.Drill, error)
	PutDrill(ctx context.Context, t rollout.TenantID, d rollout.Drill) error
	Runs(ctx context.Context, t rollout.TenantID) ([]store.Run, error)
	MarkRun(ctx context.Context, t rollout.TenantID, job string, at time.Time, result string) error
	Emergency(ctx context.Context, t rollout.TenantID) (rollout.ProvenEmergency, error)
	PutEmergency(ctx context.Context, t rollout.TenantID, p rollout.ProvenEmergency) error
	Probe(ctx context.Context, t rollout.TenantID) (rollout.Probe, error)
	PutProbe(ctx context.Context, t rollout.TenantID, p rollout.Probe) error
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
	Lately  rollout.Lately // what else happened to the account
	// Fired is the alert of Azure Monitor that has left for this very sign-in.
	Fired *rollout.Alert
	// Of a repetition: what is not acknowledged, the newest first, and what people
	// call its accounts.
	Open  []rollout.Alert
	Names map[string]string
	Links Links
	Now   time.Time
}

// Breakglass watches the emergency accounts of tenants.
type Breakglass struct {
	Graph    func(ctx context.Context, t rollout.TenantID) (Graph, error)
	Table    Table
	Outbox   outbox.Outbox
	Channels []Channel
	Links    Links
	Log      *slog.Logger
	// Metrics takes CloudWatch's embedded metric lines; nil: nobody counts.
	Metrics io.Writer
}

// Run looks after one tenant's emergency accounts. Its parts do not wait for one
// another: an alert that was claimed before leaves even if Graph is down.
func (b Breakglass) Run(ctx context.Context, t rollout.TenantID, now time.Time, sum *job.Summary) error {
	w, err := b.begin(ctx, t, now)
	if err != nil {
		return err
	}
	failed := w.signIns(ctx, "poll", sum)
	complete := failed == nil
	failed = errors.Join(failed, w.repeat(ctx, sum), w.nightly(ctx, sum), w.listen(ctx, sum))
	failed = errors.Join(failed, w.closeDrills(ctx, sum))
	return errors.Join(failed, w.planDrills(ctx, complete, sum))
}

// Look follows a hint of webhook: what keeps the accounts working is read again,
// and their sign-ins at once.
func (b Breakglass) Look(ctx context.Context, t rollout.TenantID, e touch.Event, now time.Time, sum *job.Summary) error {
	w, err := b.begin(ctx, t, now)
	if err != nil {
		return err
	}
	switch {
	case e.Source == touch.SourceAck:
		return w.acknowledged(ctx, e, sum)
	case e.Source == touch.SourceProbe:
		return w.hear(ctx, e)
	case e.Source == touch.SourceAzureMonitor && e.Condition == touch.ConditionFired:
		return w.fired(ctx, e, sum)
	}
	var failed error
	if w.aboutEmergency(e) {
		seen := len(w.alerts)
		failed = w.tampering(ctx, e, sum)
		failed = errors.Join(failed, w.deliver(ctx, seen, sum)) // before the log is asked
	}
	return errors.Join(failed, w.signIns(ctx, e.Source, sum))
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
	// proofDue: the accounts are still to be proven this night.
	proofDue bool
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
	w.proofDue = proofDue(w.cfg, runs, now)
	return w, nil
}

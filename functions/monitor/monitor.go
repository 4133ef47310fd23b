// Package monitor watches what a switch does to people: hourly it looks for
// those who were stopped and did not get in, tells the help desk, trips the
// circuit breaker when they are too many, and settles a wave when its time is
// over and everybody is inside. It only reads the tenant; what the breaker
// decides, enforce carries out within minutes.
package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Graph is what monitor reads of a tenant.
type Graph interface {
	SignIns(ctx context.Context, q graph.SignInQuery, page func([]rollout.SignIn) error) error
}

// Table is what monitor reads and writes of the table.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error)
	Accounts(ctx context.Context, t rollout.TenantID) ([]rollout.Account, error)
	Known(ctx context.Context, t rollout.TenantID) (rollout.Known, error)
	PutLockOut(ctx context.Context, t rollout.TenantID, l rollout.LockOut) error
	ChangeLockOut(ctx context.Context, t rollout.TenantID, change rollout.LockOutChange) error
	Wave(ctx context.Context, t rollout.TenantID, name string) (rollout.Wave, error)
	PutWave(ctx context.Context, t rollout.TenantID, w rollout.Wave) error
	Runs(ctx context.Context, t rollout.TenantID) ([]store.Run, error)
}

// JobName is the name under which monitor's runs are marked.
const JobName = "monitor"

// Monitor watches tenants after a switch.
type Monitor struct {
	Graph  func(ctx context.Context, t rollout.TenantID) (Graph, error)
	Table  Table
	Outbox outbox.Outbox
	Log    *slog.Logger
}

// Run watches one tenant.
func (m Monitor) Run(ctx context.Context, t rollout.TenantID, now time.Time, sum *job.Summary) error {
	cfg, err := m.Table.Config(ctx, t)
	if err != nil {
		return fmt.Errorf("read rollout.yaml of the tenant: %w", err)
	}
	known, err := m.Table.Known(ctx, t)
	if err != nil {
		return fmt.Errorf("read what is known of the rollout: %w", err)
	}
	if cfg.Paused {
		sum.Note("paused", "true")
		return nil
	}
	// What other runs left behind is sent first: it concerns every tenant, and
	// nothing below has to succeed for it.
	swept, failed := m.Outbox.Sweep(ctx, t, known.Messages, now)
	sum.Count("queuedAgain", swept)

	audit, err := m.Table.Audit(ctx, t)
	if errors.Is(err, store.ErrNotFound) {
		return failed
	}
	if err != nil {
		return errors.Join(failed, fmt.Errorf("read the audit: %w", err))
	}
	watched := watchedWaves(cfg, known)
	if len(watched) == 0 && !anySettled(known) {
		return failed
	}
	accounts, err := m.Table.Accounts(ctx, t)
	if err != nil {
		return errors.Join(failed, fmt.Errorf("read the accounts: %w", err))
	}
	w := watch{Monitor: m, cfg: cfg, accounts: accounts, known: known, audited: audit.At, now: now}
	if len(watched) > 0 && audit.Method == rollout.MethodConditionalAccess {
		// Security Defaults come without a sign-in log: there is nothing to read.
		if err := w.lockOuts(ctx, watched, sum); err != nil {
			return errors.Join(failed, err)
		}
		failed = errors.Join(failed, w.breaker(ctx, watched, sum))
	}
	for _, action := range rollout.PlanWatch(cfg, rollout.Seen{Audit: audit, Accounts: accounts}, w.known, now) {
		failed = errors.Join(failed, w.carryOut(ctx, action))
	}
	return failed
}

// watchedWaves are the waves that are on and not yet settled.
func watchedWaves(cfg rollout.Config, known rollout.Known) []rollout.WaveConfig {
	return slices.DeleteFunc(slices.Clone(cfg.Waves), func(w rollout.WaveConfig) bool {
		return known.Wave(w.Name).State != rollout.WaveEnforced
	})
}

func anySettled(known rollout.Known) bool {
	return slices.ContainsFunc(known.Waves, func(w rollout.Wave) bool { return w.State == rollout.WaveSettled })
}

type watch struct {
	Monitor
	cfg      rollout.Config
	accounts []rollout.Account
	known    rollout.Known
	audited  time.Time // when the newest audit began
	now      time.Time
}

// lockOuts finds who was stopped since the first of the waves was switched,
// records it, and tells the help desk of those who are new.
func (w *watch) lockOuts(ctx context.Context, watched []rollout.WaveConfig, sum *job.Summary) error {
	g, err := w.Graph(ctx, w.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("connect to Graph: %w", err)
	}
	since := w.now
	for _, wave := range watched {
		if at := w.known.Wave(wave.Name).EnforcedAt; at.Before(since) {
			since = at
		}
	}
	from, err := w.from(ctx, since)
	if err != nil {
		return err
	}
	suspects, err := w.suspects(ctx, g, from)
	if err != nil {
		return err
	}
	byID := map[string]rollout.Account{}
	for _, a := range w.accounts {
		byID[a.ID] = a
	}
	for _, id := range suspects {
		account, ours := byID[id]
		if !ours {
			continue
		}
		stored := w.recorded(id)
		begin := rollout.HistoryFrom(stored, from)
		var rows []rollout.SignIn
		if err := g.SignIns(ctx, graph.SignInQuery{UserID: id, From: begin, To: w.now}, func(page []rollout.SignIn) error {
			rows = append(rows, page...)
			return nil
		}); err != nil {
			return fmt.Errorf("read the sign-ins of account %s: %w", id, err)
		}
		found := rollout.FindLockOuts(rows, []rollout.Account{account}, since, w.audited, w.now)
		for _, change := range rollout.Reconcile(stored, found, begin) {
			if err := w.record(ctx, id, change); err != nil {
				return err
			}
		}
	}
	open := 0
	for _, l := range w.known.LockOuts {
		if l.ClosedAt.IsZero() {
			open++
		}
	}
	sum.Count("lockedOut", open)
	return w.tellHelpDesk(ctx)
}

// from is where to begin to read: at the switch, or before the last run that
// succeeded, however long ago it was.
func (w *watch) from(ctx context.Context, since time.Time) (time.Time, error) {
	runs, err := w.Table.Runs(ctx, w.cfg.Tenant)
	if err != nil {
		return since, fmt.Errorf("read when monitor last succeeded: %w", err)
	}
	for _, run := range runs {
		if back := run.At.Add(-rollout.DeskLookBack); run.Job == JobName && back.After(since) {
			return back, nil
		}
	}
	return since, nil
}

// suspects are the accounts to look at, in order: those with a failure that MFA
// explains, and those who are still locked out.
func (w *watch) suspects(ctx context.Context, g Graph, from time.Time) ([]string, error) {
	suspects := map[string]bool{}
	for _, code := range rollout.LockOutCodes() {
		if err := g.SignIns(ctx, graph.SignInQuery{ErrorCode: code, From: from, To: w.now}, func(page []rollout.SignIn) error {
			for _, r := range page {
				suspects[r.UserID] = true
			}
			return nil
		}); err != nil {
			return nil, fmt.Errorf("read the sign-ins that failed with %d: %w", code, err)
		}
	}
	for _, l := range w.known.LockOuts {
		if l.ClosedAt.IsZero() {
			suspects[l.Account] = true
		}
	}
	return slices.Sorted(maps.Keys(suspects)), nil
}

// recorded are the lock-outs of one person that the table has.
func (w *watch) recorded(account string) []rollout.LockOut {
	var list []rollout.LockOut
	for _, l := range w.known.LockOuts {
		if l.Account == account {
			list = append(list, l)
		}
	}
	return list
}

// record writes what a reading changes about one lock-out.
func (w *watch) record(ctx context.Context, account string, change rollout.LockOutChange) error {
	if err := w.Table.ChangeLockOut(ctx, w.cfg.Tenant, change); err != nil {
		return fmt.Errorf("record the lock-out of account %s: %w", account, err)
	}
	version := int64(1)
	if b := change.Before; b != nil {
		w.known.LockOuts = slices.DeleteFunc(w.known.LockOuts, func(l rollout.LockOut) bool {
			return l.Account == b.Account && l.OpenedAt.Equal(b.OpenedAt)
		})
		if change.After != nil && change.After.OpenedAt.Equal(b.OpenedAt) {
			version = b.Version + 1
		}
	}
	if change.After != nil {
		after := *change.After
		after.Version = version
		w.known.LockOuts = append(w.known.LockOuts, after)
	}
	return nil
}

func (w *watch) put(ctx context.Context, i int, l rollout.LockOut) error {
	if err := w.Table.PutLockOut(ctx, w.cfg.Tenant, l); err != nil {
		return fmt.Errorf("record the lock-out of account %s: %w", l.Account, err)
	}
	l.Version++
	w.known.LockOuts[i] = l
	return nil
}

// tellHelpDesk puts the lock-outs that nobody was told of, or whose cause is
// another one since, into one message, in working time. Each is marked with the
// message first: a run that dies in between leaves marks without a message, and
// the next one posts it.
func (w *watch) tellHelpDesk(ctx context.Context) error {
	id := "lockOut.." + w.now.UTC().Format(time.RFC3339)
	due := rollout.WorkingTime(w.cfg, w.now)
	for i, l := range w.known.LockOuts {
		if due && rollout.IsNews(l) {
			l.ToldIn, l.ToldKind = id, l.Kind
			if err := w.put(ctx, i, l); err != nil {
				return err
			}
		}
	}
	posted := map[string]bool{}
	for _, m := range w.known.Messages {
		posted[m.ID] = true
	}
	rows := map[string][]rollout.LockOut{}
	for _, l := range w.known.LockOuts {
		if l.ToldIn != "" && !posted[l.ToldIn] {
			rows[l.ToldIn] = append(rows[l.ToldIn], l)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		list, err := json.Marshal(rows[id])
		if err != nil {
			return fmt.Errorf("write the lock-outs as JSON: %w", err)
		}
		m := rollout.Message{
			ID: id, Kind: rollout.MessageLockOut, Subject: "Locked out", Day: rollout.DateOf(w.now.In(w.cfg.Location())),
			State: rollout.MessageClaimed, ClaimedAt: w.now, Details: map[string]string{"lockOuts": string(list)},
		}
		if _, err := w.Outbox.Post(ctx, w.cfg.Tenant, m); err != nil {
			return err
		}
	}
	return nil
}

// breaker records the circuit breaker's verdict on the wave.
func (w *watch) breaker(ctx context.Context, watched []rollout.WaveConfig, sum *job.Summary) error {
	var failed error
	for _, wave := range watched {
		known := w.known.Wave(wave.Name)
		trips, reason := rollout.Breaker(w.cfg, wave, w.accounts, w.known.LockOuts, known.EnforcedAt, w.now)
		if !trips || known.BreakerTripped != "" {
			continue
		}
		record, err := w.Table.Wave(ctx, w.cfg.Tenant, wave.Name)
		if err == nil && record.State == rollout.WaveEnforced {
			record.BreakerTripped = reason
			err = w.Table.PutWave(ctx, w.cfg.Tenant, record)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("record that the breaker of wave %s tripped: %w", wave.Name, err))
			continue
		}
		sum.Note("breaker", wave.Name)
	}
	return failed
}

func (w *watch) carryOut(ctx context.Context, action rollout.Action) error {
	switch a := action.(type) {
	case rollout.Send:
		_, err := w.Outbox.Post(ctx, w.cfg.Tenant, a.Message)
		return err
	case rollout.MoveWave:
		record, err := w.Table.Wave(ctx, w.cfg.Tenant, a.Wave)
		if err != nil {
			return fmt.Errorf("read wave %s: %w", a.Wave, err)
		}
		if record, err = rollout.Transition(record, a.To, w.now, a.Reason); err != nil {
			return err
		}
		if err := w.Table.PutWave(ctx, w.cfg.Tenant, record); err != nil {
			return fmt.Errorf("record that wave %s is %s: %w", a.Wave, a.To, err)
		}
		return nil
	}
	return fmt.Errorf("nobody told monitor how to carry out %T", action)
}

package enforce

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Waiting reports whether something of the tenant should not wait for the next
// hour: an order of the operator's, a verdict of the circuit breaker, or a
// change-over that a run left open.
func (e Enforce) Waiting(ctx context.Context, t rollout.TenantID) (bool, error) {
	orders, err := e.Table.Orders(ctx, t)
	if err != nil {
		return false, fmt.Errorf("read the operator's orders: %w", err)
	}
	if slices.ContainsFunc(orders, isOpen) {
		return true, nil
	}
	changing, err := e.Table.ChangeOver(ctx, t)
	if err != nil {
		return false, fmt.Errorf("read the record of the change-over: %w", err)
	}
	waves, err := e.Table.Waves(ctx, t)
	if err != nil {
		return false, fmt.Errorf("read the waves: %w", err)
	}
	return changing.Open() || slices.ContainsFunc(waves, func(w rollout.Wave) bool { return w.BreakerTripped != "" }), nil
}

func isOpen(o rollout.Order) bool { return o.State == rollout.OrderOpen }

// first does what comes before everything else: it looks what became of writes
// that an earlier run left in doubt, and carries out what the operator ordered.
// Without either it asks Graph nothing. One failure never stops the rest.
func (r run) first(ctx context.Context, sum *job.Summary) error {
	head, err := r.Table.ChangeHead(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read where the change log ends: %w", err)
	}
	orders, err := r.Table.Orders(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the operator's orders: %w", err)
	}
	orders = slices.DeleteFunc(orders, func(o rollout.Order) bool { return !isOpen(o) })
	if len(head.Open)+len(orders) == 0 {
		return nil
	}
	if r, err = r.connected(ctx); err != nil {
		return err
	}
	failed := r.settle(ctx, head.Open)
	for _, o := range orders {
		if ctx.Err() != nil {
			return errors.Join(failed, fmt.Errorf("stopped with orders left; the next run goes on: %w", ctx.Err()))
		}
		if err := r.obey(ctx, o, sum); err != nil {
			failed = errors.Join(failed, fmt.Errorf("order %s, which stays open: %w", o.ID, err))
		}
	}
	return failed
}

// refusedError is why an order will never be carried out.
type refusedError struct{ why string }

func (e refusedError) Error() string { return e.why }

func refuse(format string, args ...any) error { return refusedError{fmt.Sprintf(format, args...)} }

// obey carries out one order and records what came of it. Each kind of order
// finds by itself that it was carried out before, so that a run which ends in
// between is no harm.
func (r run) obey(ctx context.Context, o rollout.Order, sum *job.Summary) error {
	r.order, r.by = o, o.By
	outcome, err := r.do(ctx, o)
	var no refusedError
	switch {
	case errors.As(err, &no):
		o.State, o.Outcome = rollout.OrderRefused, no.why
		note := rollout.Change{Kind: rollout.ChangeNote, What: "refused", Target: string(o.Kind), Reason: o.Reason, Undoes: o.Change, Result: no.why}
		if _, err := r.log(ctx, note); err != nil {
			return fmt.Errorf("record that it is refused: %w", err)
		}
	case err != nil:
		return err
	default:
		o.State, o.Outcome = rollout.OrderDone, outcome
	}
	o.OutcomeAt = r.now
	if err := r.Table.PutOrder(ctx, r.cfg.Tenant, o); err != nil {
		return fmt.Errorf("record what came of it: %w", err)
	}
	sum.Note("order "+string(o.State), o.ID)
	return nil
}

func (r run) do(ctx context.Context, o rollout.Order) (outcome string, err error) {
	if age := r.now.Sub(o.At); age > rollout.OrderMaxAge {
		return "", refuse("it waited for %d hours and may be meant for a world that is gone: order it again if you still want it", int(age.Hours()))
	}
	switch o.Kind {
	case rollout.OrderRollback:
		return r.orderedRollback(ctx, o)
	case rollout.OrderResume:
		return r.orderedResume(ctx, o)
	case rollout.OrderUndo:
		return r.orderedUndo(ctx, o)
	}
	return "", refuse("nobody told enforce how to carry out %q", o.Kind)
}

// why is the reason of an order as records show it.
func why(o rollout.Order) string {
	if o.Reason == "" {
		return "ordered by " + o.By
	}
	return "ordered by " + o.By + ": " + o.Reason
}

func (r run) wave(ctx context.Context, name string) (rollout.Wave, error) {
	wave, err := r.Table.Wave(ctx, r.cfg.Tenant, name)
	if errors.Is(err, store.ErrNotFound) {
		return rollout.Wave{Name: name, State: rollout.WavePlanned}, nil
	}
	if err != nil {
		return wave, fmt.Errorf("read wave %s: %w", name, err)
	}
	return wave, nil
}

// orderedRollback asks nothing of the audit but the method, and of the tenant
// nothing but the one policy: the way back must not hang on what else works.
func (r run) orderedRollback(ctx context.Context, o rollout.Order) (string, error) {
	wave, err := r.wave(ctx, o.Wave)
	if err != nil {
		return "", err
	}
	settled, err := rollout.CheckRollback(wave)
	if err != nil {
		return "", refuse("%v", err)
	}
	if settled {
		return "wave " + o.Wave + " is rolled back", nil
	}
	audit, err := r.Table.Audit(ctx, r.cfg.Tenant)
	if err != nil {
		return "", fmt.Errorf("read the audit: %w", err)
	}
	policies, err := r.Table.Policies(ctx, r.cfg.Tenant)
	if err != nil {
		return "", fmt.Errorf("read the recorded policies: %w", err)
	}
	owned, _ := rollout.Known{Policies: policies}.Owned(o.Wave)
	if err := r.rollBack(ctx, rollout.RollBack{Wave: o.Wave, Method: audit.Method, PolicyID: owned.ID, Reason: why(o)}); err != nil {
		return "", err
	}
	return "wave " + o.Wave + " is rolled back", nil
}

func (r run) orderedResume(ctx context.Context, o rollout.Order) (string, error) {
	wave, err := r.wave(ctx, o.Wave)
	if err != nil {
		return "", err
	}
	settled, err := rollout.CheckResume(wave, o.At)
	if err != nil {
		return "", refuse("%v", err)
	}
	if !settled {
		if err := r.move(ctx, o.Wave, rollout.WaveObserving, why(o)); err != nil {
			return "", err
		}
	}
	return "wave " + o.Wave + " is observed anew; the gates decide when it is switched", nil
}

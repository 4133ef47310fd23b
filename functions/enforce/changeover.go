package enforce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/shared/rollout"
)

// The time of a change-over. It is not begun unless forward, back and the last
// words fit into what is left of the invocation.
const (
	forwardFor = 2 * time.Minute // how long the policies are tried
	backFor    = 5 * time.Minute // and how long the way back, which must succeed
	lastWords  = time.Minute
	// pause lies between two tries: Graph goes on to refuse for a while what
	// Security Defaults kept from being enabled.
	pause     = 3 * time.Second
	pauseMost = 15 * time.Second
)

// changeOver takes the tenant from Security Defaults to its policies, or ends
// what an earlier run began. Whatever happens, this run leaves either the
// policies enabled or the Defaults on; if it dies, the open record makes the next
// one do so before anything else.
func (r run) changeOver(ctx context.Context, a rollout.ChangeOverDefaults) error {
	record, err := r.Table.ChangeOver(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the record of the change-over: %w", err)
	}
	if a.Back {
		return r.takeBack(ctx, record, a, errors.New(a.Reason))
	}
	if failing := rollout.Failing(a.Gates); len(failing) > 0 && !record.Open() || len(a.Gates) == 0 || len(a.Policies) == 0 {
		return fmt.Errorf("refused: %d of %d gates do not hold, for %d policies", len(failing), len(a.Gates), len(a.Policies))
	}
	if !record.Open() {
		if record, err = r.beginChangeOver(ctx, record, a); err != nil {
			return err
		}
	}
	r.ending = true
	if err := r.forward(ctx, &record, a); err != nil {
		return r.takeBack(ctx, record, a, err)
	}
	return r.endChangeOver(ctx, record, a, rollout.ChangedOver, rollout.WaveEnforced)
}

// beginChangeOver looks once more at every policy, and records the intent.
func (r run) beginChangeOver(ctx context.Context, last rollout.ChangeOver, a rollout.ChangeOverDefaults) (rollout.ChangeOver, error) {
	if deadline, has := ctx.Deadline(); has {
		if left := deadline.Sub(r.Clock.Now()); left < forwardFor+backFor+lastWords {
			return last, fmt.Errorf("not begun: %s are left of this run, and the way back needs up to %s; the next run does it", left.Round(time.Second), forwardFor+backFor+lastWords)
		}
	}
	for _, p := range a.Policies {
		record, _, err := r.owned(ctx, p.Wave, p.ID)
		if err != nil {
			return last, err
		}
		live, _, err := r.graph.PolicyCopy(ctx, record.ID)
		if err != nil {
			return last, fmt.Errorf("read policy %s before the change-over: %w", record.ID, err)
		}
		if err := r.check(record.Draft, live, rollout.StateReportOnly); err != nil {
			return last, fmt.Errorf("not begun: %w", err)
		}
	}
	// One record is used again, so that two runs can never begin at once.
	begun := rollout.ChangeOver{Wave: a.Wave, BegunAt: r.now, Version: last.Version}
	return begun, r.putChangeOver(ctx, &begun)
}

// forward switches the Defaults off and the policies on.
func (r run) forward(ctx context.Context, record *rollout.ChangeOver, a rollout.ChangeOverDefaults) error {
	if record.OffAt.IsZero() {
		record.OffAt = r.Clock.Now()
		if err := r.putChangeOver(ctx, record); err != nil {
			return err
		}
	}
	if err := r.switchDefaults(ctx, false, a.Reason, 0); err != nil {
		return err
	}
	until := r.Clock.Now().Add(forwardFor)
	for _, p := range a.Policies {
		if err := r.insist(ctx, until, func() error { return r.enable(ctx, p, a.Reason) }); err != nil {
			return fmt.Errorf("enable the policy of wave %s: %w", p.Wave, err)
		}
	}
	return nil
}

// enable enables one policy, unless it is.
func (r run) enable(ctx context.Context, p rollout.OwnedPolicy, reason string) error {
	record, policies, err := r.owned(ctx, p.Wave, p.ID)
	if err != nil {
		return err
	}
	live, text, err := r.graph.PolicyCopy(ctx, record.ID)
	if err != nil {
		return fmt.Errorf("read policy %s: %w", record.ID, err)
	}
	if err := r.check(record.Draft, live, live.State); err != nil {
		return err
	}
	if live.State == rollout.StateEnabled {
		return nil
	}
	_, err = r.setState(ctx, record, policies, rollout.Change{Before: live.State, Copy: text, After: rollout.StateEnabled, Reason: reason})
	return err
}

const backReason = "the change-over is taken back"

// takeBack puts the tenant back to Security Defaults: the policies first, since
// Graph refuses the Defaults while one is enabled.
func (r run) takeBack(ctx context.Context, record rollout.ChangeOver, a rollout.ChangeOverDefaults, why error) error {
	r.ending, r.unrecorded = true, true
	until := r.Clock.Now().Add(backFor)
	for _, p := range a.Policies {
		if err := r.insist(ctx, until, func() error { return r.reportOnly(ctx, p) }); err != nil {
			return stuck(why, fmt.Errorf("put the policy of wave %s back to report-only: %w", p.Wave, err))
		}
	}
	if err := r.insist(ctx, until, func() error { return r.switchDefaults(ctx, true, backReason, 0) }); err != nil {
		return stuck(why, err)
	}
	record.Failure = why.Error()
	if err := r.endChangeOver(ctx, record, a, rollout.TakenBack, ""); err != nil {
		return errors.Join(why, err)
	}
	return fmt.Errorf("the change-over was taken back, Security Defaults are on as before: %w", why)
}

func stuck(why, err error) error {
	return fmt.Errorf("SECURITY DEFAULTS ARE OFF AND NOT EVERY POLICY IS ON; the next run goes on. Switch either on by hand, in the Entra admin centre, now: %w", errors.Join(why, err))
}

// warnIfOpen tells the operator at once of a change-over that this run did not
// end, for whatever reason: by hand it can be ended sooner.
func (r run) warnIfOpen(ctx context.Context, why error) error {
	record, err := r.Table.ChangeOver(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the record of the change-over: %w", err)
	}
	if !record.Open() || record.OffAt.IsZero() {
		return nil
	}
	text := "a change-over from Security Defaults is open"
	if why != nil {
		text = why.Error()
	}
	_, err = r.Outbox.Post(ctx, r.cfg.Tenant, record.Warning(r.cfg, text, r.now))
	return err
}

func (r run) reportOnly(ctx context.Context, p rollout.OwnedPolicy) error {
	record, policies, err := r.owned(ctx, p.Wave, p.ID)
	if err != nil {
		return err
	}
	live, text, err := r.graph.PolicyCopy(ctx, record.ID)
	if err != nil {
		return fmt.Errorf("read policy %s: %w", record.ID, err)
	}
	if live.State != rollout.StateEnabled {
		return nil
	}
	_, err = r.setState(ctx, record, policies, rollout.Change{Before: live.State, Copy: text, After: rollout.StateReportOnly, Reason: backReason})
	return err
}

// insist tries until it succeeds, or until then.
func (r run) insist(ctx context.Context, until time.Time, try func() error) error {
	for wait := pause; ; wait = min(2*wait, pauseMost) {
		err := try()
		if err == nil || r.Clock.Now().Add(wait).After(until) {
			return err
		}
		if slept := r.Clock.Sleep(ctx, wait); slept != nil {
			return errors.Join(err, slept)
		}
	}
}

// endChangeOver records how it ended and moves the waves.
func (r run) endChangeOver(ctx context.Context, record rollout.ChangeOver, a rollout.ChangeOverDefaults, outcome string, to rollout.WaveState) error {
	record.EndedAt, record.Outcome = r.Clock.Now(), outcome
	if err := r.putChangeOver(ctx, &record); err != nil {
		return err
	}
	if to == "" {
		return nil
	}
	var failed error
	for _, p := range a.Policies {
		failed = errors.Join(failed, r.move(ctx, p.Wave, to, fmt.Sprintf("%s; nothing demanded MFA for %s", a.Reason, record.Exposure().Round(time.Second))))
	}
	return failed
}

func (r run) putChangeOver(ctx context.Context, c *rollout.ChangeOver) error {
	if err := r.Table.PutChangeOver(ctx, r.cfg.Tenant, *c); err != nil {
		return fmt.Errorf("record the change-over: %w", err)
	}
	c.Version++
	return nil
}

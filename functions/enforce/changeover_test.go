package enforce_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/functions/enforce"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// defaulted is a tenant with Security Defaults on at its deadline.
func defaulted(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.ready(t)
	under(t, b)
	return b
}

// under switches the tenant's Security Defaults on.
func under(t *testing.T, b *bench) {
	t.Helper()
	// Others' policies cannot be on while the Defaults are.
	for _, p := range b.tenant.Policies() {
		if p["state"] == rollout.StateEnabled {
			if err := b.tenant.SetPolicyState(p["id"].(string), rollout.StateDisabled); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.tenant.SetSecurityDefaults(true)
}

// expectEither fails unless the tenant is one of two things: changed over, or as
// it was.
func (b *bench) expectEither(t *testing.T) (changed bool) {
	t.Helper()
	wave, policy := b.state(t)
	record, err := b.table.ChangeOver(t.Context(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	switch on := b.tenant.SecurityDefaults(); {
	case !on && policy == rollout.StateEnabled && wave == rollout.WaveEnforced && !record.Open():
		return true
	case on && policy == rollout.StateReportOnly && wave != rollout.WaveEnforced && !record.Open():
		return false
	}
	t.Fatalf("Security Defaults %t, policy %s, wave %s, record %+v: neither the one nor the other", b.tenant.SecurityDefaults(), policy, wave, record)
	return false
}

// interference lies between enforce and Graph during a change-over.
type interference struct {
	enforce.Graph
	calls  int
	dies   int // the call from which on nothing answers; 0: never
	enable error
	only   string // the policy that cannot be enabled; empty: none can, if enable is set
	// refusals is how often an enabling is refused before it is taken, as Graph
	// goes on to do for a while.
	refusals int
	defaults error // of switching the Defaults on
}

var errGone = errors.New("the invocation died")

func (i *interference) call() error {
	if i.calls++; i.dies > 0 && i.calls >= i.dies {
		return errGone
	}
	return nil
}

func (i *interference) PolicyCopy(ctx context.Context, id string) (rollout.Policy, string, error) {
	if err := i.call(); err != nil {
		return rollout.Policy{}, "", err
	}
	return i.Graph.PolicyCopy(ctx, id)
}

func (i *interference) SecurityDefaults(ctx context.Context) (bool, error) {
	if err := i.call(); err != nil {
		return false, err
	}
	return i.Graph.SecurityDefaults(ctx)
}

func (i *interference) SetPolicyState(ctx context.Context, owned []rollout.OwnedPolicy, id, state string) error {
	if err := i.call(); err != nil {
		return err
	}
	if state == rollout.StateEnabled {
		if i.refusals--; i.refusals >= 0 {
			return graph.ErrSecurityDefaultsOn
		}
		if i.enable != nil && (i.only == "" || i.only == id) {
			return i.enable
		}
	}
	return i.Graph.SetPolicyState(ctx, owned, id, state)
}

func (i *interference) SetSecurityDefaults(ctx context.Context, on bool) error {
	if err := i.call(); err != nil {
		return err
	}
	if on && i.defaults != nil {
		return i.defaults
	}
	return i.Graph.SetSecurityDefaults(ctx, on)
}

func TestChangeOver(t *testing.T) {
	b := defaulted(t)
	b.graph = &interference{Graph: b.graph, refusals: 3}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if !b.expectEither(t) {
		t.Fatal("it was not changed over")
	}
	record, err := b.table.ChangeOver(t.Context(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	// Three pauses of 3, 6 and 12 seconds, and what Graph's pace costs.
	if got := record.Exposure(); record.Outcome != rollout.ChangedOver || got < 21*time.Second || got > 40*time.Second {
		t.Errorf("%q after %s", record.Outcome, got)
	}
	b.mustRun(t, 1)
	messages, err := b.table.Messages(t.Context(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(messages, func(m rollout.Message) bool {
		return m.Kind == rollout.MessageSwitched && m.Details["exposure"] == record.Exposure().String()
	}) {
		t.Errorf("nobody was told of the exposure: %+v", messages)
	}
}

// A policy that cannot be enabled: the Defaults are on again, the operator is
// told, and there is no second try on that day.
func TestChangeOverIsTakenBack(t *testing.T) {
	b := defaulted(t)
	i := &interference{Graph: b.graph, enable: errors.New("400 BadRequest")}
	b.graph = i
	if err := b.run(); err == nil || !strings.Contains(err.Error(), "was taken back") {
		t.Fatalf("run answered %v", err)
	}
	if b.expectEither(t) {
		t.Fatal("it was changed over without an enabled policy")
	}
	record, err := b.table.ChangeOver(t.Context(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	if record.Outcome != rollout.TakenBack || record.Exposure() > 3*time.Minute || !strings.Contains(record.Failure, "400 BadRequest") {
		t.Errorf("record %+v, exposed for %s", record, record.Exposure())
	}
	i.enable = nil
	b.clock.Set(b.clock.Now().Add(time.Hour))
	b.mustRun(t, 1)
	if b.expectEither(t) {
		t.Fatal("a second try on the same day")
	}
	b.expect(t, rollout.WaveHeld, rollout.StateReportOnly)
	b.clock.Set(deadlineDay.AddDate(0, 0, 1))
	b.audit(t)
	b.mustRun(t, 1)
	if !b.expectEither(t) {
		t.Error("no try on the next day")
	}
}

// One policy is on and another cannot be enabled: the first is put back before the
// Defaults are, since Graph refuses them while a policy is enabled.
func TestChangeOverTakesPoliciesBackFirst(t *testing.T) {
	b := newBench(t)
	b.cfg.Waves = append(b.cfg.Waves, rollout.WaveConfig{Name: "administrators", Members: rollout.MembersAdmins, Deadline: b.cfg.Waves[0].Deadline})
	b.ready(t)
	admins := b.policyOf(t, "administrators")
	under(t, b)
	seen := rollout.Observation{Account: "a", Policy: admins, Result: "reportOnlySuccess", LastAt: deadlineDay.Add(-time.Hour)}
	if err := b.table.PutObservations(t.Context(), b.cfg.Tenant, []rollout.Observation{seen}); err != nil {
		t.Fatal(err)
	}
	i := &interference{Graph: b.graph, enable: errors.New("400 BadRequest"), only: admins}
	b.graph = i
	if err := b.run(); err == nil || !strings.Contains(err.Error(), "wave administrators") || !strings.Contains(err.Error(), "was taken back") {
		t.Fatalf("run answered %v", err)
	}
	if b.expectEither(t) {
		t.Fatal("it was changed over without the policy of the administrators")
	}
	changes, err := b.table.Changes(t.Context(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(changes, func(c rollout.Change) bool {
		return c.What == rollout.ChangePolicyState && c.After == rollout.StateEnabled
	}) {
		t.Error("no policy was ever on: this test shows nothing")
	}
}

// Wherever a run dies, the next one leaves the tenant changed over or as it was,
// and never with neither.
func TestChangeOverDiesAnywhere(t *testing.T) {
	whole := defaulted(t)
	counted := &interference{Graph: whole.graph}
	whole.graph = counted
	whole.mustRun(t, 1)
	if counted.calls < 7 {
		t.Fatalf("only %d calls: this test would show little", counted.calls)
	}
	for dies := 2; dies <= counted.calls; dies++ {
		t.Run(fmt.Sprint(dies), func(t *testing.T) {
			b := defaulted(t)
			plain := b.graph
			b.graph = &interference{Graph: plain, dies: dies}
			if err := b.run(); !errors.Is(err, errGone) {
				t.Fatalf("run answered %v, want that it died", err)
			}
			b.graph = plain
			b.clock.Set(b.clock.Now().Add(10 * time.Minute))
			if err := b.run(); err != nil && !strings.Contains(err.Error(), "was taken back") {
				t.Fatal(err)
			}
			b.expectEither(t)
		})
	}
}

// A write whose answer was lost may have happened.
func TestChangeOverTimesOut(t *testing.T) {
	for _, path := range []string{"/conditionalAccess/policies", "/identitySecurityDefaultsEnforcementPolicy"} {
		b := defaulted(t)
		b.tenant.SetFaults(timeout{"PATCH", path})
		failed := b.run()
		b.tenant.SetFaults(nil)
		b.clock.Set(b.clock.Now().Add(10 * time.Minute))
		if err := b.run(); err != nil && !strings.Contains(err.Error(), "was taken back") {
			t.Fatalf("%s: %v after %v", path, err, failed)
		}
		b.expectEither(t)
	}
}

// What was left open is ended although the rollout was paused since, or a gate
// fails by now: by the way back.
func TestChangeOverIsEndedAnyway(t *testing.T) {
	for name, spoil := range map[string]func(b *bench) error{
		"paused": func(b *bench) error { b.cfg.Paused = true; return b.table.PutConfig(context.Background(), b.cfg) },
		"gate fails": func(b *bench) error {
			b.cfg.Communication.HelpDesk = rollout.HelpDesk{}
			return b.table.PutConfig(context.Background(), b.cfg)
		},
		"out of hours": func(b *bench) error {
			b.clock.Set(b.clock.Now().Add(10 * time.Hour))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := defaulted(t)
			plain := b.graph
			// The Defaults are off, the policy is not on, and nothing answers any more.
			b.graph = &interference{Graph: plain, enable: errGone, defaults: errGone}
			if err := b.run(); err == nil || !strings.Contains(err.Error(), "SECURITY DEFAULTS ARE OFF") {
				t.Fatalf("run answered %v", err)
			}
			if !slices.ContainsFunc(b.queue.items, func(id string) bool { return strings.HasPrefix(id, "hold.everyone.open-") }) {
				t.Errorf("nobody was told at once: %v", b.queue.items)
			}
			b.graph = plain
			if err := spoil(b); err != nil {
				t.Fatal(err)
			}
			if err := b.run(); err != nil && !strings.Contains(err.Error(), "was taken back") {
				t.Fatal(err)
			}
			if changed := b.expectEither(t); changed != (name == "out of hours") {
				t.Errorf("changed over: %t", changed)
			}
		})
	}
}

// A run that cannot even read the tenant ends no change-over: the operator hears
// that it is open, once, and only if the Defaults were touched.
func TestOpenChangeOverIsTold(t *testing.T) {
	for _, touched := range []bool{true, false} {
		b := defaulted(t)
		b.graph = &interference{Graph: b.graph, dies: 1}
		open := rollout.ChangeOver{Wave: "everyone", BegunAt: b.clock.Now()}
		if touched {
			open.OffAt = b.clock.Now()
		}
		if err := b.table.PutChangeOver(t.Context(), b.cfg.Tenant, open); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := b.run(); !errors.Is(err, errGone) {
				t.Fatalf("run answered %v, want that nothing answers", err)
			}
		}
		told := slices.DeleteFunc(slices.Clone(b.queue.items), func(id string) bool { return !strings.HasPrefix(id, "hold.everyone.open-") })
		if want := map[bool]int{true: 1, false: 0}[touched]; len(slices.Compact(told)) != want {
			t.Errorf("touched %t: told %v, want %d", touched, told, want)
		}
	}
}

// A change-over is not begun without the time for the way back.
func TestChangeOverNeedsTime(t *testing.T) {
	for left, want := range map[time.Duration]bool{7 * time.Minute: false, 9 * time.Minute: true} {
		b := defaulted(t)
		err := b.enforce.Run(until{t.Context(), b.clock.Now().Add(left)}, b.cfg.Tenant, b.clock.Now(), &job.Summary{})
		if changed := b.expectEither(t); changed != want || (err == nil) != want {
			t.Errorf("%s left: changed over %t, %v; want %t", left, changed, err, want)
		}
	}
}

// until is a context that ends by the simulated clock.
type until struct {
	context.Context
	at time.Time
}

func (u until) Deadline() (time.Time, bool) { return u.at, true }

// amnesiac has a change log that fails once the Defaults are off.
type amnesiac struct {
	*store.Store
	off func() bool
}

func (a amnesiac) AppendChange(ctx context.Context, t rollout.TenantID, c rollout.Change) (rollout.Change, error) {
	if a.off() {
		return rollout.Change{}, errors.New("table down")
	}
	return a.Store.AppendChange(ctx, t, c)
}

// The way back is not barred by a log that cannot be written.
func TestTheWayBackNeedsNoLog(t *testing.T) {
	b := defaulted(t)
	b.enforce.Table = amnesiac{b.table, func() bool { return !b.tenant.SecurityDefaults() }}
	if err := b.run(); err == nil {
		t.Error("no error")
	}
	if b.expectEither(t) {
		t.Error("a policy was enabled without a record of it")
	}
}

// Somebody changes a policy before the change-over: the last look sees it, and
// the Defaults are never touched.
func TestChangeOverLooksOnceMore(t *testing.T) {
	b := defaulted(t)
	id, writes := b.policy(t), 0
	b.graph = meddler{b.graph, func() {
		if err := b.tenant.Unexclude(id, b.cfg.EmergencyAccounts[0].ID); err != nil {
			t.Fatal(err)
		}
	}, &writes}
	if err := b.run(); err == nil || !b.tenant.SecurityDefaults() || writes > 0 {
		t.Errorf("run answered %v, Security Defaults %t, %d writes", err, b.tenant.SecurityDefaults(), writes)
	}
}

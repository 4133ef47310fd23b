package enforce_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/functions/enforce"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// log is the change log, which must hold.
func (b *bench) log(t *testing.T) []rollout.Change {
	t.Helper()
	if _, err := b.table.VerifyChanges(context.Background(), b.cfg.Tenant); err != nil {
		t.Error(err)
	}
	log, err := b.table.Changes(context.Background(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// last is the newest write of that kind.
func (b *bench) last(t *testing.T, what string) rollout.Written {
	t.Helper()
	writes := slices.DeleteFunc(rollout.WritesOf(b.log(t)), func(w rollout.Written) bool { return w.Intent.What != what })
	if len(writes) == 0 {
		t.Fatalf("the log holds no %s", what)
	}
	return writes[len(writes)-1]
}

// copyOf is a policy byte for byte as Graph answers it.
func (b *bench) copyOf(t *testing.T, id string) string {
	t.Helper()
	_, text, err := b.graph.PolicyCopy(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The intent keeps what was there, the result what is there now, byte for byte.
func TestCopiesAreKept(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	id := b.policy(t)
	before := b.copyOf(t, id)
	b.mustRun(t, 1)
	w := b.last(t, rollout.ChangePolicyState)
	if w.Intent.Copy != before || w.Result.Copy != b.copyOf(t, id) || w.Intent.Copy == w.Result.Copy {
		t.Errorf("before:\n%s\nafter:\n%s\nthe log has\n%s\nand\n%s", before, b.copyOf(t, id), w.Intent.Copy, w.Result.Copy)
	}
	if w.Intent.By != "enforce" || !strings.HasPrefix(w.Intent.Run, "enforce 2026-11-11T10:") || w.Intent.Before != rollout.StateReportOnly || w.Intent.After != rollout.StateEnabled {
		t.Errorf("the intent does not say who, when and what: %+v", w.Intent)
	}
	if made := b.last(t, rollout.ChangeCreatePolicy); made.Result.Copy == "" || made.Intent.Copy != "" {
		t.Errorf("of a policy that was made: before %q, after %q", made.Intent.Copy, made.Result.Copy)
	}
}

// A write whose answer was lost is looked up by the next run.
func TestLostAnswerIsLookedUp(t *testing.T) {
	for name, tt := range map[string]struct {
		lost timeout
		want string
	}{
		"it happened":        {timeout{"PATCH", "/conditionalAccess/policies"}, rollout.ResultFoundDone},
		"it did not happen":  {timeout{}, rollout.ResultFoundNotDone},
		"everything is well": {timeout{"NONE", ""}, rollout.ResultDone},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.ready(t)
			if tt.lost.method == "" {
				b.graph = refusing{b.graph}
			} else {
				b.tenant.SetFaults(tt.lost)
			}
			failed := b.run() != nil
			if failed != (tt.want != rollout.ResultDone) {
				t.Errorf("failed %v", failed)
			}
			first := b.last(t, rollout.ChangePolicyState)
			if failed && (first.Result.Certain() || first.Result.Result == "") {
				t.Errorf("the result of a write in doubt is %q", first.Result.Result)
			}
			b.tenant.SetFaults(nil)
			if r, is := b.graph.(refusing); is {
				b.graph = r.Graph
			}
			b.clock.Set(b.clock.Now().Add(time.Hour))
			if err := b.run(); err != nil {
				t.Fatal(err)
			}
			for _, w := range rollout.WritesOf(b.log(t)) {
				if w.Intent.Seq == first.Intent.Seq && w.Result.Result != tt.want {
					t.Errorf("the last word on it is %q, want %q", w.Result.Result, tt.want)
				}
			}
			b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)
		})
	}
}

// refusing lets no state be set.
type refusing struct{ enforce.Graph }

func (refusing) SetPolicyState(context.Context, []rollout.OwnedPolicy, string, string) error {
	return errors.New("503")
}

// pausing pauses the tenant the moment that something was written.
type pausing struct {
	enforce.Graph
	b      *bench
	writes *int
}

func (p pausing) wrote() {
	if *p.writes++; *p.writes == 1 {
		_ = p.b.table.PutPause(context.Background(), p.b.cfg.Tenant, rollout.Pause{Paused: true})
	}
}

func (p pausing) CreateGroup(ctx context.Context, name, marker string) (string, error) {
	defer p.wrote()
	return p.Graph.CreateGroup(ctx, name, marker)
}

func (p pausing) CreatePolicy(ctx context.Context, d rollout.PolicyDraft, emergency []string) (rollout.Policy, error) {
	defer p.wrote()
	return p.Graph.CreatePolicy(ctx, d, emergency)
}

func (p pausing) AddMembers(ctx context.Context, owned []rollout.OwnedGroup, id string, members []string) error {
	defer p.wrote()
	return p.Graph.AddMembers(ctx, owned, id, members)
}

func (p pausing) SetPolicyState(ctx context.Context, owned []rollout.OwnedPolicy, id, state string) error {
	defer p.wrote()
	return p.Graph.SetPolicyState(ctx, owned, id, state)
}

// A pause in the middle of a run lets what is under way be recorded, and nothing
// more be begun: not in this run and not in the next.
func TestPauseInTheMiddle(t *testing.T) {
	b := newBench(t)
	b.cfg.Waves = append(b.cfg.Waves, rollout.WaveConfig{Name: "ready", Members: rollout.MembersCapable})
	b.clock.Set(b.cfg.Announce.At(8, 0, time.UTC))
	b.audit(t)
	b.mustRun(t, 1) // announced; next come two groups
	writes, groups := 0, len(b.tenant.Groups())
	calm := b.graph
	b.graph = pausing{calm, b, &writes}
	b.mustRun(t, 3)
	if writes != 1 || len(b.tenant.Groups()) != groups+1 {
		t.Errorf("%d writes after the pause, want the one that was under way", writes-1)
	}
	for _, w := range rollout.WritesOf(b.log(t)) {
		if w.Result.Result != rollout.ResultDone {
			t.Errorf("change %d: %q", w.Intent.Seq, w.Result.Result)
		}
	}
	if err := b.table.PutPause(context.Background(), b.cfg.Tenant, rollout.Pause{Version: 1}); err != nil {
		t.Fatal(err)
	}
	b.graph = calm
	b.mustRun(t, 4)
	policies, err := b.table.Policies(context.Background(), b.cfg.Tenant)
	if err != nil || len(policies) != 2 {
		t.Errorf("after the pause: %d policies, %v; want 2", len(policies), err)
	}
}

// life ends before the write after so many writes, to the table or to the tenant:
// what a process that dies leaves behind hangs on nothing but which of its writes
// were made.
type life struct {
	left  int
	ended bool
}

var errDied = errors.New("the process has ended")

func (l *life) write(do func() error) error {
	if l.left--; l.left < 0 || l.ended {
		l.ended = true
		return errDied
	}
	return do()
}

type mortalTable struct {
	store.Table
	life *life
}

func (m mortalTable) Write(ctx context.Context, writes ...store.Write) error {
	return m.life.write(func() error { return m.Table.Write(ctx, writes...) })
}

type mortalGraph struct {
	enforce.Graph
	life *life
}

func (m mortalGraph) CreatePolicy(ctx context.Context, d rollout.PolicyDraft, emergency []string) (p rollout.Policy, err error) {
	err = m.life.write(func() (err error) { p, err = m.Graph.CreatePolicy(ctx, d, emergency); return })
	return p, err
}

func (m mortalGraph) SetPolicyState(ctx context.Context, owned []rollout.OwnedPolicy, id, state string) error {
	return m.life.write(func() error { return m.Graph.SetPolicyState(ctx, owned, id, state) })
}

func (m mortalGraph) CreateGroup(ctx context.Context, name, marker string) (id string, err error) {
	err = m.life.write(func() (err error) { id, err = m.Graph.CreateGroup(ctx, name, marker); return })
	return id, err
}

func (m mortalGraph) AddMembers(ctx context.Context, owned []rollout.OwnedGroup, id string, members []string) error {
	return m.life.write(func() error { return m.Graph.AddMembers(ctx, owned, id, members) })
}

func (m mortalGraph) RemoveMember(ctx context.Context, owned []rollout.OwnedGroup, id, member string) error {
	return m.life.write(func() error { return m.Graph.RemoveMember(ctx, owned, id, member) })
}

// dieAfter runs enforce, ending it after n writes. It reports whether the run came
// to its own end before.
func (b *bench) dieAfter(n int) (survived bool) {
	table, graph := b.enforce.Table, b.graph
	l := &life{left: n}
	b.enforce.Table, b.graph = store.New(mortalTable{b.memory, l}), mortalGraph{graph, l}
	_ = b.run() // whatever it says, nobody hears it
	b.enforce.Table, b.graph = table, graph
	return !l.ended
}

// everyDeath calls test for an end after each write of a run.
func everyDeath(t *testing.T, test func(t *testing.T, n int) (survived bool)) {
	t.Helper()
	everyDeathOf(t, 5, test)
}

// everyDeathOf expects a run of that many writes at least.
func everyDeathOf(t *testing.T, least int, test func(t *testing.T, n int) (survived bool)) {
	t.Helper()
	for n := 0; ; n++ {
		survived := test(t, n)
		if t.Failed() {
			t.Fatalf("after an end after %d writes", n)
		}
		if survived {
			if n < least {
				t.Errorf("the run makes %d writes: nothing was proven", n)
			}
			return
		}
	}
}

// Wherever a switch ends, the next runs end in the same state, and the log says
// of every intent what became of it.
func TestSwitchMayEndAnywhere(t *testing.T) {
	everyDeath(t, func(t *testing.T, n int) bool {
		b := newBench(t)
		b.ready(t)
		survived := b.dieAfter(n)
		b.clock.Set(b.clock.Now().Add(time.Hour))
		b.mustRun(t, 2)
		b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)
		for _, w := range rollout.WritesOf(b.log(t)) {
			if !w.Result.Certain() {
				t.Errorf("of change %d (%s) nothing certain is known: %q", w.Intent.Seq, w.Intent.What, w.Result.Result)
			}
		}
		switches := 0
		for _, r := range b.tenant.Writes() {
			if r.Method == "PATCH" && strings.Contains(r.Path, "conditionalAccess") && strings.Contains(r.Body, rollout.StateEnabled) {
				switches++
			}
		}
		if switches != 1 {
			t.Errorf("switched %d times", switches)
		}
		return survived
	})
}

// Wherever a run ends that makes groups and policies, or fills a group, each is
// made once, and the log says what became of each intent.
func TestPreparationMayEndAnywhere(t *testing.T) {
	for _, before := range []int{1, 2} { // runs that came to their ends
		everyDeathOf(t, 3, func(t *testing.T, n int) bool {
			b := newBench(t)
			policies, groups := len(b.tenant.Policies()), len(b.tenant.Groups())
			b.clock.Set(b.cfg.Announce.At(8, 0, time.UTC))
			b.audit(t)
			b.mustRun(t, before)
			survived := b.dieAfter(n)
			b.clock.Set(b.clock.Now().Add(time.Hour))
			b.mustRun(t, 5)
			b.expect(t, rollout.WaveObserving, rollout.StateReportOnly)
			if p, g := len(b.tenant.Policies())-policies, len(b.tenant.Groups())-groups; p != 1 || g != 1 {
				t.Errorf("%d policies and %d groups were made, want one each", p, g)
			}
			for _, w := range rollout.WritesOf(b.log(t)) {
				if !w.Result.Certain() {
					t.Errorf("of change %d (%s) nothing certain is known: %q", w.Intent.Seq, w.Intent.What, w.Result.Result)
				}
			}
			return survived
		})
	}
}

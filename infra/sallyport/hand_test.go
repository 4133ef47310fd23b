package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/infra/local/rehearsal"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	contoso  = rollout.TenantID("contoso.onmicrosoft.com")
	fabrikam = rollout.TenantID("fabrikam.onmicrosoft.com")
	ana      = "arn:aws:iam::111122223333:user/ana"
)

var tuesday = time.Date(2026, time.November, 10, 9, 30, 0, 0, time.UTC)

// handBench is the operator's hand on a table in memory.
type handBench struct {
	hand
	table *store.Store
	// obey is what enforce does while somebody waits.
	obey func(rollout.Order) rollout.Order
}

func newHandBench(t *testing.T, tenants ...rollout.TenantID) *handBench {
	t.Helper()
	b := &handBench{table: store.New(store.NewMemory())}
	for _, tenant := range tenants {
		cfg := rollout.Config{Tenant: tenant, Waves: []rollout.WaveConfig{{Name: "everyone"}, {Name: "ready"}}}
		if err := b.table.PutConfig(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	b.hand = hand{
		table: "sallyport", reason: "the tills", clock: &waiting{Clock: rehearsal.NewClock(tuesday), bench: b},
		open: func(context.Context, string) (*store.Store, error) { return b.table, nil },
		who:  func(context.Context) (string, error) { return ana, nil },
	}
	return b
}

// waiting is a clock during whose waits enforce runs.
type waiting struct {
	*rehearsal.Clock
	bench *handBench
}

func (w *waiting) Sleep(ctx context.Context, d time.Duration) error {
	w.Set(w.Now().Add(d))
	orders, err := w.bench.table.Orders(ctx, contoso)
	for _, o := range orders {
		if o.State == rollout.OrderOpen && w.bench.obey != nil {
			err = errors.Join(err, w.bench.table.PutOrder(ctx, contoso, w.bench.obey(o)))
		}
	}
	return err
}

// does runs an action with those operands.
func (b *handBench) does(t *testing.T, act action, operands ...string) (out string, err error) {
	t.Helper()
	var text bytes.Buffer
	err = act(t.Context(), session{operands: operands, stdout: &text, stdin: strings.NewReader("")})
	return text.String(), err
}

func (b *handBench) orders(t *testing.T) []rollout.Order {
	t.Helper()
	orders, err := b.table.Orders(t.Context(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	return orders
}

// enforced brings the wave everyone to enforced.
func (b *handBench) enforced(t *testing.T) {
	t.Helper()
	w := rollout.Wave{Name: "everyone", State: rollout.WaveEnforced, EnforcedAt: tuesday.Add(-time.Hour)}
	if err := b.table.PutWave(t.Context(), contoso, w); err != nil {
		t.Fatal(err)
	}
}

// add puts entries into Contoso's change log.
func (b *handBench) add(t *testing.T, entries ...rollout.Change) {
	t.Helper()
	for _, c := range entries {
		c.At, c.By = tuesday, "enforce"
		if _, err := b.table.AppendChange(t.Context(), contoso, c); err != nil {
			t.Fatal(err)
		}
	}
}

// switched is a switch and its result: entries 2 and 3.
func (b *handBench) switched(t *testing.T) {
	t.Helper()
	b.add(t,
		rollout.Change{Kind: rollout.ChangeIntent, What: rollout.ChangePolicyState, Target: "p1", Before: rollout.StateReportOnly, After: rollout.StateEnabled, Reason: "every gate holds", Copy: `{"id":"p1","x":"<&>"}`},
		rollout.Change{Kind: rollout.ChangeResult, What: rollout.ChangePolicyState, Of: 2, Result: rollout.ResultDone},
	)
}

func wantUsage(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.As(err, new(usageError)) {
		t.Errorf("%s: got %v, want it to be wrong usage", what, err)
	}
}

// A table of several tenants wants one named, and knows which there are.
func TestReach(t *testing.T) {
	b := newHandBench(t)
	if _, _, err := b.reach(t.Context()); err == nil || !strings.Contains(err.Error(), "no tenant yet") {
		t.Errorf("an empty table: %v", err)
	}
	b = newHandBench(t, contoso)
	if _, got, err := b.reach(t.Context()); err != nil || got != contoso {
		t.Errorf("the only one: %s, %v", got, err)
	}
	b = newHandBench(t, contoso, fabrikam)
	_, _, err := b.reach(t.Context())
	wantUsage(t, "two and none named", err)
	b.tenant = "nobody"
	_, _, err = b.reach(t.Context())
	wantUsage(t, "one that is not there", err)
	b.tenant = "Contoso.onmicrosoft.com"
	if _, got, err := b.reach(t.Context()); err != nil || got != contoso {
		t.Errorf("named: %s, %v", got, err)
	}
}

// A pause holds at once and says who, why and how it ends; without --yes nothing
// is changed.
func TestPauseAndResume(t *testing.T) {
	b := newHandBench(t, contoso)
	state := func() bool {
		cfg, err := b.table.Config(t.Context(), contoso)
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Paused
	}
	resume := func(ctx context.Context, s session) error { return b.resume(ctx, s, "") }

	out, err := b.does(t, b.pause)
	if err != nil || state() || !strings.Contains(out, "Nothing was changed") {
		t.Errorf("without --yes: paused %v, %v\n%s", state(), err, out)
	}
	b.yes = true
	out, err = b.does(t, b.pause)
	if err != nil || !state() || !strings.Contains(out, "sallyport resume --table sallyport --tenant contoso.onmicrosoft.com --yes") {
		t.Errorf("paused %v, %v\n%s", state(), err, out)
	}
	if out, err = b.does(t, b.pause); err != nil || !strings.Contains(out, "paused already, since 2026-11-10 09:30 UTC by "+ana) {
		t.Errorf("again: %v\n%s", err, out)
	}
	if out, err = b.does(t, resume); err != nil || state() {
		t.Errorf("resumed: paused %v, %v\n%s", state(), err, out)
	}
	if out, err = b.does(t, resume); err != nil || !strings.Contains(out, "was not paused by hand") {
		t.Errorf("again: %v\n%s", err, out)
	}
	log, err := b.table.Changes(t.Context(), contoso)
	if err != nil || len(log) != 3 {
		t.Fatalf("%d entries in the log, %v; want the genesis, the pause and the resume", len(log), err)
	}
	for i, what := range []string{"pause", "resume"} {
		if c := log[i+1]; c.What != what || c.By != ana || c.Reason != "the tills" || c.Kind != rollout.ChangeNote {
			t.Errorf("entry %d: %+v", c.Seq, c)
		}
	}

	if err := b.table.PutConfig(t.Context(), rollout.Config{Tenant: contoso, Paused: true}); err != nil {
		t.Fatal(err)
	}
	if out, err = b.does(t, resume); err != nil || !strings.Contains(out, "Its rollout.yaml says paused: true") {
		t.Errorf("paused in the file: %v\n%s", err, out)
	}
	_, err = b.does(t, b.pause, "contoso")
	wantUsage(t, "an operand", err)
	b.wait = true
	_, err = b.does(t, resume)
	wantUsage(t, "--wait for nothing", err)
}

// A roll-back is ordered in the caller's name, for a wave that is on, and with
// --wait what came of it is said.
func TestRollbackOrder(t *testing.T) {
	b := newHandBench(t, contoso)
	roll := func(wave string) (string, error) {
		return b.does(t, func(ctx context.Context, s session) error { return b.rollback(ctx, s, wave) })
	}
	_, err := roll("")
	wantUsage(t, "no wave", err)
	_, err = roll("nobody")
	wantUsage(t, "a wave that is not there", err)
	if _, err := roll("everyone"); err == nil || !strings.Contains(err.Error(), "is planned") {
		t.Errorf("a wave that is not on: %v", err)
	}
	b.enforced(t)
	out, err := roll("everyone")
	if err != nil || len(b.orders(t)) != 0 || !strings.Contains(out, "Nothing was ordered") || !strings.Contains(out, "switched on 2026-11-10 08:30 UTC") {
		t.Errorf("without --yes: %v, %d orders\n%s", err, len(b.orders(t)), out)
	}
	b.yes = true
	if _, err = roll("everyone"); err != nil {
		t.Fatal(err)
	}
	o := b.orders(t)[0]
	if o.Kind != rollout.OrderRollback || o.Wave != "everyone" || o.By != ana || o.Reason != "the tills" || o.State != rollout.OrderOpen || !o.At.Equal(tuesday) {
		t.Errorf("ordered %+v", o)
	}

	b = newHandBench(t, contoso)
	b.enforced(t)
	b.yes, b.wait = true, true
	b.obey = func(o rollout.Order) rollout.Order {
		o.State, o.Outcome = rollout.OrderDone, "wave everyone is rolled back"
		return o
	}
	if out, err = roll("everyone"); err != nil || !strings.Contains(out, "Done: wave everyone is rolled back.") {
		t.Errorf("waited: %v\n%s", err, out)
	}
	b.obey = nil
	b.clock.(*waiting).Set(tuesday.Add(time.Hour))
	if _, err := roll("everyone"); err == nil || !strings.Contains(err.Error(), "nothing came of it") {
		t.Errorf("waited for nothing: %v", err)
	}
	b.who = func(context.Context) (string, error) { return "", errors.New("no credentials") }
	before := len(b.orders(t))
	if _, err := roll("everyone"); err == nil || len(b.orders(t)) != before {
		t.Errorf("ordered by nobody: %v", err)
	}
}

func TestResumeOrder(t *testing.T) {
	b := newHandBench(t, contoso)
	b.yes = true
	b.enforced(t)
	resume := func(ctx context.Context, s session) error { return b.resume(ctx, s, "everyone") }
	if _, err := b.does(t, resume); err == nil || !strings.Contains(err.Error(), "not rolled back") {
		t.Errorf("a wave that is on: %v", err)
	}
	w, err := b.table.Wave(t.Context(), contoso, "everyone")
	if err != nil {
		t.Fatal(err)
	}
	w.State = rollout.WaveRolledBack
	if err := b.table.PutWave(t.Context(), contoso, w); err != nil {
		t.Fatal(err)
	}
	if _, err := b.does(t, resume); err != nil || b.orders(t)[0].Kind != rollout.OrderResume {
		t.Errorf("%v, orders %+v", err, b.orders(t))
	}
	if _, err := b.does(t, func(ctx context.Context, s session) error { return b.rollback(ctx, s, "everyone") }); err == nil || !strings.Contains(err.Error(), "sallyport resume --wave everyone") {
		t.Errorf("rolled back already: %v", err)
	}
}

func TestUndoOrder(t *testing.T) {
	b := newHandBench(t, contoso)
	b.switched(t)
	for _, operands := range [][]string{nil, {"1", "2"}, {"x"}, {"0"}, {"-2"}} {
		_, err := b.does(t, b.undo, operands...)
		wantUsage(t, strings.Join(operands, " "), err)
	}
	if _, err := b.does(t, b.undo, "3"); err == nil || !strings.Contains(err.Error(), "undo that one") {
		t.Errorf("of a result: %v", err)
	}
	out, err := b.does(t, b.undo, "2")
	if err != nil || !strings.Contains(out, "the state of policy p1 goes from enabled to report-only") || len(b.orders(t)) != 0 {
		t.Errorf("without --yes: %v\n%s", err, out)
	}
	b.yes, b.wait = true, true
	b.obey = func(o rollout.Order) rollout.Order {
		o.State, o.Outcome = rollout.OrderRefused, "somebody changed it since"
		return o
	}
	out, err = b.does(t, b.undo, "2")
	if exitCode(err) != exitFailed || !strings.Contains(out, "Refused: somebody changed it since.") || b.orders(t)[0].Change != 2 {
		t.Errorf("refused: %v\n%s", err, out)
	}
	members := undoWords(rollout.Undo{Seq: 4, What: rollout.ChangeGroupMembers, Target: "g", Add: []string{"a"}, Remove: []string{"b", "c"}})
	if !strings.Contains(members, "taken out of group g: b, c") || !strings.Contains(members, "added to group g: a") {
		t.Error(members)
	}
	if words := undoWords(rollout.Undo{What: rollout.ChangeDefaults}); !strings.Contains(words, "switched off") {
		t.Error(words)
	}
}

// The log is read by people, exported, and verified without the table; each byte
// that is changed in the export is noticed.
func TestLogAndVerify(t *testing.T) {
	b := newHandBench(t, contoso)
	show := &logger{hand: &b.hand}
	if out, err := b.does(t, show.run); err != nil || out != "Sallyport has written nothing to contoso.onmicrosoft.com.\n" {
		t.Errorf("empty: %v\n%s", err, out)
	}
	b.switched(t)
	b.add(t,
		rollout.Change{Kind: rollout.ChangeIntent, What: rollout.ChangeGroupMembers, Target: "g1", Added: []string{"a", "b"}, Undoes: 2},
		rollout.Change{Kind: rollout.ChangeNote, What: "refused", Target: "undo", Undoes: 2, Result: "it is gone"},
	)
	out, err := b.does(t, show.run)
	for _, want := range []string{
		"    1  2026-11-10 09:30  the log of contoso.onmicrosoft.com begins\n",
		"    2  2026-11-10 09:30  set the state of policy p1: report-only -> enabled\n", "by enforce: every gate holds\n",
		"    3  2026-11-10 09:30  change 2: done\n",
		"change the members of group g1: 2 added, 0 taken out (undoes change 2)\n",
		"refused undo of change 2: it is gone\n", "The log ends at 5:",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the log does not say %q (%v):\n%s", want, err, out)
		}
	}

	file := filepath.Join(t.TempDir(), "log.jsonl")
	show.lines, show.out = true, file
	if _, err := b.does(t, show.run); err != nil {
		t.Fatal(err)
	}
	exported, err := os.ReadFile(file)
	if err != nil || bytes.Count(exported, []byte("\n")) != 5 || !bytes.Contains(exported, []byte(`"copy":"{\"id\":\"p1\",\"x\":\"<&>\"}"`)) {
		t.Fatalf("%v\n%s", err, exported)
	}
	head, err := b.table.ChangeHead(t.Context(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(text []byte, v logVerifier) (string, error) {
		v.hand = &hand{tenant: string(contoso)}
		var out bytes.Buffer
		err := v.run(t.Context(), session{operands: []string{"-"}, stdin: bytes.NewReader(text), stdout: &out})
		return out.String(), err
	}
	if out, err := verify(exported, logVerifier{}); err != nil || !strings.Contains(out, "All 5 entries") || !strings.Contains(out, head.String()) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := b.does(t, (&logVerifier{hand: &hand{}}).run, file); err != nil || !strings.Contains(out, "All 5 entries") {
		t.Errorf("the file itself: %v\n%s", err, out)
	}
	if out, err := verify(exported, logVerifier{head: head.String()}); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for i := range exported {
		changed := bytes.Clone(exported)
		changed[i] ^= 1
		if _, err := verify(changed, logVerifier{head: head.String()}); err == nil {
			t.Errorf("byte %d was changed from %q to %q in %q, and nobody noticed", i, exported[i], changed[i], exported[max(0, i-20):min(len(exported), i+20)])
		}
	}
	lines := bytes.SplitAfter(exported, []byte("\n"))
	var broken *rollout.BrokenChainError
	cut := bytes.Join(lines[:4], nil)
	if _, err := verify(cut, logVerifier{}); err != nil {
		t.Errorf("cut short: an export alone cannot show it, and says %v", err)
	}
	if _, err := verify(cut, logVerifier{head: head.String()}); !errors.As(err, &broken) || broken.Seq != 5 {
		t.Errorf("cut short: %v", err)
	}
	twice := bytes.Replace(exported, []byte(`"what":"refused"`), []byte(`"what":"done","what":"refused"`), 1)
	if _, err := verify(twice, logVerifier{}); !errors.As(err, &broken) || broken.Seq != 5 {
		t.Errorf("a name twice: %v", err)
	}
	if _, err := verify(bytes.Replace(exported, []byte(`{"seq":3`), []byte(`{"more":1,"seq":3`), 1), logVerifier{}); !errors.As(err, &broken) || broken.Seq != 3 {
		t.Errorf("a name more: %v", err)
	}
}

// With --json the answer is one object, and the exit code says the same.
func TestVerifyJSON(t *testing.T) {
	memory := store.NewMemory()
	b := newHandBench(t)
	b.table = store.New(memory)
	if err := b.table.PutConfig(t.Context(), rollout.Config{Tenant: contoso}); err != nil {
		t.Fatal(err)
	}
	b.switched(t)
	v := &logVerifier{hand: &b.hand}
	answer := func() (got verified, err error) {
		var out bytes.Buffer
		err = v.run(t.Context(), session{json: true, stdout: &out})
		if jsonErr := json.Unmarshal(out.Bytes(), &got); jsonErr != nil {
			t.Fatalf("%v: %s", jsonErr, out.String())
		}
		return got, err
	}
	if got, err := answer(); err != nil || !got.Holds || got.Broken != 0 || !strings.HasPrefix(got.Head, "3:") {
		t.Errorf("%+v, %v", got, err)
	}
	c, err := b.table.Change(t.Context(), contoso, 2)
	if err != nil {
		t.Fatal(err)
	}
	c.Reason = "none"
	if err := memory.Write(t.Context(), store.Write{Item: store.Item{Key: store.Key{PK: string(contoso) + "#changes", SK: "000000000002"}, Data: c}}); err != nil {
		t.Fatal(err)
	}
	if got, err := answer(); exitCode(err) != exitFailed || got.Holds || got.Broken != 2 || got.Why == "" {
		t.Errorf("%+v, %v", got, err)
	}
	v.head = "nonsense"
	wantUsage(t, "--head", v.run(t.Context(), session{}))
	v.head = ""
	wantUsage(t, "a file and a table", v.run(t.Context(), session{operands: []string{"x"}}))
	wantUsage(t, "two files", v.run(t.Context(), session{operands: []string{"x", "y"}}))
}

package breakglass_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// failer is a test, or a property of one.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// guarded is a bench whose accounts stand outside a policy through a group, as a
// first proof found them.
func guarded(t failer, n *bench) {
	t.Helper()
	d := n.directory
	d.held = map[string][]string{one: {"fido2AuthenticationMethod k1"}, two: {"fido2AuthenticationMethod k2"}}
	d.groups = map[string]rollout.Group{"eg": {ID: "eg", DisplayName: "Keys", Opened: true, Members: []string{one, two}, Direct: []string{one, two}, DirectRead: true, Dynamic: rollout.No, RoleAssignable: rollout.Yes, OwnersRead: true}}
	d.policies = []rollout.Policy{{ID: "p1", DisplayName: "All", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, ExcludeGroups: []string{"eg"}, GrantControls: []string{"mfa"}}}
	d.at = night.Add(-time.Hour)
	if err := n.look(d.at, touch.Event{Source: touch.SourceNotification, Account: one}); err != nil {
		t.Fatal(err)
	}
	if len(n.email.sent) != 0 {
		t.Fatal("the first proof alerts: ", n.email.sent)
	}
}

func (n *bench) look(at time.Time, e touch.Event) error {
	n.directory.at = at
	return n.b.Look(context.Background(), contoso, e, at, &job.Summary{})
}

func aboutGroup(at time.Time) touch.Event {
	return touch.Event{Source: touch.SourceNotification, Account: "eg", Resource: "Groups/eg", ChangeType: "updated", ReceivedAt: at}
}

func aboutUser(id string, at time.Time) touch.Event {
	return touch.Event{Source: touch.SourceNotification, Account: id, Resource: "Users/" + id, ChangeType: "updated", ReceivedAt: at}
}

func (d *directory) group(change func(*rollout.Group)) {
	g := d.groups["eg"]
	change(&g)
	d.groups["eg"] = g
}

// Who empties the exclusion group is told of at once, by one alert that names the
// group, though two accounts and every policy are concerned.
func TestExclusionGroupEmptied(t *testing.T) {
	n := newBench(t)
	guarded(t, n)
	n.directory.group(func(g *rollout.Group) { g.Members, g.Direct = nil, nil })
	for range 2 {
		if err := n.look(night, aboutGroup(night)); err != nil {
			t.Fatal(err)
		}
	}
	alerts, err := n.table.Alerts(context.Background(), contoso)
	if err != nil || len(alerts) != 1 || !strings.Contains(alerts[0].Text, "Keys (eg)") || alerts[0].Kind != rollout.AlertTampering || !slices.Equal(n.email.sent, []string{alerts[0].ID}) {
		t.Errorf("alerts %+v, %v; sent %v", alerts, err, n.email.sent)
	}
}

// The alert of a change leaves before the sign-in log is asked: that may be slow,
// or down.
func TestChangeDoesNotWaitForTheLog(t *testing.T) {
	n := newBench(t)
	guarded(t, n)
	n.directory.held[one] = append(n.directory.held[one], "fido2AuthenticationMethod k9")
	asked := false
	n.directory.asked = func(graph.SignInQuery) error {
		asked = true
		if len(n.email.sent) != 1 {
			t.Error("the log is asked before the alert left")
		}
		return nil
	}
	if err := n.look(night, aboutUser(one, night)); err != nil || !asked {
		t.Errorf("%v, log asked: %v", err, asked)
	}
}

// A reading that fails keeps nothing and is handed back to the queue; what it did
// not see is seen by the next.
func TestReadingThatFails(t *testing.T) {
	n := newBench(t)
	guarded(t, n)
	u := n.directory.users[two]
	u.AccountEnabled = rollout.No
	n.directory.users[two] = u
	before, err := n.table.Emergency(context.Background(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	for what, fails := range map[string]func(){
		"no answer":       func() { n.directory.err = errors.New("503") },
		"half an account": func() { n.directory.err, n.directory.unread = nil, one },
	} {
		fails()
		if err := n.look(night, aboutUser(two, night)); err == nil || !strings.Contains(err.Error(), "prove the emergency accounts") {
			t.Errorf("%s: error %v", what, err)
		}
		n.directory.unread = ""
		after, err := n.table.Emergency(context.Background(), contoso)
		if err != nil || after.Version != before.Version || len(n.email.sent) != 0 {
			t.Errorf("%s: version %d, was %d; sent %v; %v", what, after.Version, before.Version, n.email.sent, err)
		}
	}
	n.directory.err = nil
	if err := n.look(night.Add(time.Minute), aboutUser(two, night)); err != nil || len(n.email.sent) != 1 {
		t.Errorf("the next reading: %v, sent %v", err, n.email.sent)
	}
}

// Notifications that came before the last reading began need no other.
func TestNotificationsOfWhatWasRead(t *testing.T) {
	n := newBench(t)
	guarded(t, n)
	read := n.directory.read
	for range 5 {
		if err := n.look(night, aboutUser(one, night.Add(-time.Minute))); err != nil {
			t.Fatal(err)
		}
	}
	if n.directory.read != read+1 {
		t.Errorf("five notifications of the same minute cost %d readings", n.directory.read-read)
	}
	if err := n.look(night.Add(time.Hour), touch.Event{Source: touch.SourceLifecycle, Account: one, ReceivedAt: night.Add(time.Hour)}); err != nil || n.directory.read != read+1 {
		t.Errorf("a lifecycle event costs a reading: %v", err)
	}
}

// dies is a table that takes a proof, and the alerts of it only later.
type dies struct {
	breakglass.Table
	down bool
}

func (d *dies) ClaimAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error {
	if d.down {
		return errors.New("throttled")
	}
	return d.Table.ClaimAlert(ctx, t, a)
}

// A run that dies between the proof and the alert loses nothing: the next one that
// is asked tells it, and the night's does.
func TestRunThatDiesBeforeItTells(t *testing.T) {
	for name, again := range map[string]func(n *bench) error{
		"the queue brings it again": func(n *bench) error { return n.look(night.Add(time.Minute), aboutUser(one, night)) },
		"the night": func(n *bench) error {
			n.directory.at = night.Add(25 * time.Hour)
			return n.poll(night.Add(25 * time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newBench(t)
			guarded(t, n)
			table := &dies{Table: n.table, down: true}
			n.b.Table = table
			delete(n.directory.users, one)
			if err := n.look(night.Add(time.Second), aboutUser(one, night)); err == nil {
				t.Error("no error for the alert that was not claimed")
			}
			table.down = false
			if err := again(n); err != nil {
				t.Fatal(err)
			}
			if len(n.email.sent) != 1 || !strings.HasPrefix(n.email.sent[0], "tampering-deleted-"+one) {
				t.Errorf("sent %v", n.email.sent)
			}
		})
	}
}

// busy is a table where somebody else keeps a proof first, once.
type busy struct {
	breakglass.Table
	other func()
}

func (b *busy) PutEmergency(ctx context.Context, t rollout.TenantID, p rollout.ProvenEmergency) error {
	if other := b.other; other != nil {
		b.other = nil
		other()
	}
	return b.Table.PutEmergency(ctx, t, p)
}

// Two that read at the same time tell each change once.
func TestTwoAtOnce(t *testing.T) {
	n := newBench(t)
	guarded(t, n)
	delete(n.directory.users, one)
	// The other reads what was there before somebody added a key.
	earlier := *n.directory
	earlier.held = map[string][]string{one: n.directory.held[one], two: n.directory.held[two]}
	second := *n
	second.directory = &earlier
	second.b.Graph = func(context.Context, rollout.TenantID) (breakglass.Graph, error) { return &earlier, nil }
	n.b.Table = &busy{Table: n.table, other: func() {
		if err := second.look(night, aboutUser(one, night)); err != nil {
			t.Error(err)
		}
	}}
	n.directory.held[two] = append(n.directory.held[two], "fido2AuthenticationMethod k9")
	if err := n.look(night.Add(time.Second), aboutUser(one, night)); err != nil {
		t.Fatal(err)
	}
	slices.Sort(n.email.sent)
	if len(n.email.sent) != 2 || n.email.sent[0] == n.email.sent[1] {
		t.Errorf("sent %v, want each of two changes once", n.email.sent)
	}
}

// Every night the accounts are proven, once, and what nobody notified of is told:
// Graph has no notification of a policy.
func TestNightlyProof(t *testing.T) {
	n := newBench(t)
	guarded(t, n)
	n.directory.policies[0].ExcludeGroups = nil
	read := n.directory.read
	for i := range 12 * 24 {
		at := night.Add(24*time.Hour + time.Duration(i)*5*time.Minute)
		n.directory.at = at
		if err := n.poll(at); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.directory.read - read; got != 2 {
		t.Errorf("%d readings in a day and the hour before it, want 2", got)
	}
	proof, err := n.table.Emergency(context.Background(), contoso)
	if sent := n.email.first(); err != nil || len(sent) != 1 || proof.OK || len(proof.Findings) == 0 {
		t.Errorf("sent %v; proof OK %v with %d findings, %v", sent, proof.OK, len(proof.Findings), err)
	}
}

// A self-test that breakglass hears of is silent; one that never comes alerts,
// once.
func TestSelfTest(t *testing.T) {
	n, ctx := newBench(t), context.Background()
	guarded(t, n)
	sent := func(id string, at time.Time) {
		last, err := n.table.Probe(ctx, contoso)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if err := n.table.PutProbe(ctx, contoso, rollout.Probe{ID: id, SentAt: at, Version: last.Version}); err != nil {
			t.Fatal(err)
		}
	}
	heard := func(id string, at time.Time) {
		n.hear(t, at, touch.Event{Source: touch.SourceProbe, Probe: id, Tenant: string(contoso), ReceivedAt: at})
	}
	poll := func(at time.Time, want ...string) {
		t.Helper()
		n.directory.at = at
		if err := n.poll(at); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, n.email.first()); diff != "" {
			t.Errorf("%s: sent (-want +got):\n%s", at, diff)
		}
	}
	sent("p1", night)
	// Another firm's self-test is none of ours, whatever its id.
	if err := n.table.PutConfig(ctx, rollout.Config{Tenant: "fabrikam.onmicrosoft.com", TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	n.hear(t, night, touch.Event{Source: touch.SourceProbe, Probe: "p1", Tenant: "fabrikam.onmicrosoft.com"})
	if p, err := n.table.Probe(ctx, contoso); err != nil || !p.HeardAt.IsZero() {
		t.Errorf("heard by another firm's: %+v, %v", p, err)
	}
	heard("p1", night.Add(time.Second))
	poll(night.Add(time.Hour))
	sent("p2", night.Add(24*time.Hour))
	heard("p1", night.Add(24*time.Hour)) // an older one proves nothing
	poll(night.Add(24*time.Hour + 10*time.Minute))
	poll(night.Add(24*time.Hour+20*time.Minute), "silent-p2")
	poll(night.Add(24*time.Hour+25*time.Minute), "silent-p2")
	sent("p3", night.Add(48*time.Hour))
	heard("p3", night.Add(48*time.Hour+time.Second))
	poll(night.Add(77*time.Hour), "silent-p2")
	poll(night.Add(79*time.Hour), "silent-p2", "silent-p3") // no other since
}

// The alerts that are raised do not depend on the order of the notifications, nor
// on how often each comes.
func TestOrderAndRepetitionChangeNothing(t *testing.T) {
	alertsOf := func(t *rapid.T, hints []touch.Event) []string {
		n := newBench(t)
		guarded(t, n)
		delete(n.directory.users, two)
		n.directory.held[one] = []string{"fido2AuthenticationMethod k1", "phoneAuthenticationMethod n"}
		n.directory.group(func(g *rollout.Group) {
			g.Owners, g.RoleAssignable, g.Restricted = []string{"u1"}, rollout.No, rollout.No
		})
		for i, e := range hints {
			if err := n.look(night.Add(time.Duration(i)*time.Second), e); err != nil {
				t.Fatal(err)
			}
		}
		list, err := n.table.Alerts(context.Background(), contoso)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, a := range list {
			ids = append(ids, a.ID)
		}
		slices.Sort(ids)
		return ids
	}
	three := []touch.Event{aboutUser(one, night), aboutUser(two, night), aboutGroup(night)}
	rapid.Check(t, func(t *rapid.T) {
		hints := rapid.SliceOfN(rapid.SampledFrom(three), 1, 8).Draw(t, "hints")
		want := alertsOf(t, three)
		if len(want) != 4 {
			t.Fatalf("alerts %v, want four", want)
		}
		if diff := cmp.Diff(want, alertsOf(t, hints)); diff != "" {
			t.Fatalf("%v (-want +got):\n%s", fmt.Sprint(hints), diff)
		}
	})
}

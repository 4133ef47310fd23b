package breakglass_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// ringing is a channel that wakes people.
type ringing struct{ *channel }

func (ringing) Wakes() bool { return true }

// firedAt is Azure Monitor's word that emergency account one was used.
func firedAt(id string, at time.Time) touch.Event {
	return touch.Event{Source: touch.SourceAzureMonitor, Condition: touch.ConditionFired, AlertID: id, FiredAt: at, Accounts: []string{one}}
}

// Whichever way sees a sign-in first, people are woken once for it, and mail says
// at most two things: that it was, and what it was.
func TestOneSignInWakesOnce(t *testing.T) {
	at := func(minutes int) time.Time { return night.Add(time.Duration(minutes) * time.Minute) }
	fire := func(id string, minutes int) func(*testing.T, *bench) {
		return func(t *testing.T, n *bench) { n.hear(t, at(minutes), firedAt(id, at(minutes))) }
	}
	resolve := func(id string, minutes int) func(*testing.T, *bench) {
		return func(t *testing.T, n *bench) {
			e := firedAt(id, at(minutes))
			e.Condition = touch.ConditionResolved
			n.hear(t, at(minutes), e)
		}
	}
	// read lets rows arrive and the poll see them, later than they happened.
	read := func(minutes int, rows ...rollout.SignIn) func(*testing.T, *bench) {
		return func(t *testing.T, n *bench) {
			n.directory.rows = append(n.directory.rows, rows...)
			if err := n.poll(at(minutes)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s1, s2, s3 := row("s1", one, at(0), 0), row("s2", one, at(2), 50126), row("s3", one, at(7), 0)
	const a1, a2 = "azureMonitor-a1-" + one, "azureMonitor-a2-" + one
	for name, tt := range map[string]struct {
		steps      []func(*testing.T, *bench)
		mail, ring []string
	}{
		"Azure, then the row":               {[]func(*testing.T, *bench){fire("a1", 6), read(10, s1)}, []string{a1, "signin-s1"}, []string{a1}},
		"the row, then Azure":               {[]func(*testing.T, *bench){read(5, s1), fire("a1", 6)}, []string{"signin-s1"}, []string{"signin-s1"}},
		"Azure twice":                       {[]func(*testing.T, *bench){fire("a1", 6), fire("a1", 6), read(10, s1), fire("a1", 6)}, []string{a1, "signin-s1"}, []string{a1}},
		"the row twice":                     {[]func(*testing.T, *bench){fire("a1", 6), read(10, s1, s1), read(12, s1)}, []string{a1, "signin-s1"}, []string{a1}},
		"Resolved before Fired":             {[]func(*testing.T, *bench){resolve("a1", 5), fire("a1", 6), read(10, s1), resolve("a1", 12)}, []string{a1, "signin-s1"}, []string{a1}},
		"Resolved alone":                    {[]func(*testing.T, *bench){resolve("a1", 5)}, nil, nil},
		"a row that is two hours late":      {[]func(*testing.T, *bench){fire("a1", 6), read(12), read(130, s1)}, []string{a1, "signin-s1"}, []string{a1}},
		"a row of another sign-in":          {[]func(*testing.T, *bench){fire("a1", 62), read(70, s1)}, []string{a1, "signin-s1"}, []string{a1, "signin-s1"}},
		"two rows, one firing":              {[]func(*testing.T, *bench){fire("a1", 6), read(10, s2, s1)}, []string{a1, "signin-s2", "signin-s1"}, []string{a1, "signin-s1"}},
		"two firings, one after each row":   {[]func(*testing.T, *bench){fire("a1", 6), read(7, s1), fire("a2", 11), read(12, s3)}, []string{a1, "signin-s1", a2, "signin-s3"}, []string{a1, a2}},
		"two firings before both rows":      {[]func(*testing.T, *bench){fire("a2", 11), fire("a1", 6), read(12, s3, s1)}, []string{a2, a1, "signin-s3", "signin-s1"}, []string{a2, a1}},
		"a row seen, then a second firing":  {[]func(*testing.T, *bench){read(5, s1), fire("a1", 6), fire("a2", 11)}, []string{"signin-s1", a2}, []string{"signin-s1", a2}},
		"another's row":                     {[]func(*testing.T, *bench){fire("a1", 6), read(10, row("x", two, at(0), 0))}, []string{a1, "signin-x"}, []string{a1, "signin-x"}},
		"Azure again, days after everybody": {[]func(*testing.T, *bench){fire("a1", 6), read(10, s1), fire("a1", 6), fire("a1", 4000)}, []string{a1, "signin-s1"}, []string{a1}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newBench(t)
			n.b.Channels = []breakglass.Channel{n.email, ringing{n.sns}}
			for _, step := range tt.steps {
				step(t, n)
			}
			calls := func(id string) bool { return len(id) > 7 && id[:7] == "repeat-" }
			if diff := cmp.Diff(tt.mail, slices.DeleteFunc(n.email.sent, calls)); diff != "" {
				t.Errorf("mail (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.ring, slices.DeleteFunc(n.sns.sent, calls)); diff != "" {
				t.Errorf("rings (-want +got):\n%s", diff)
			}
		})
	}
}

// A pager that was down when Azure Monitor fired rings for the row: nobody was
// woken yet.
func TestRowRingsWhereAzureDidNot(t *testing.T) {
	n := newBench(t)
	n.b.Channels = []breakglass.Channel{n.email, ringing{n.sns}}
	n.sns.down = true
	e := firedAt("a1", night.Add(6*time.Minute))
	if err := n.b.Look(context.Background(), contoso, e, night.Add(6*time.Minute), &job.Summary{}); err == nil {
		t.Error("no error for the pager that is down")
	}
	n.sns.down = false
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0)}
	if err := n.poll(night.Add(10 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if len(n.sns.sent) != 1 {
		t.Errorf("the pager rang for %v, want once", n.sns.sent)
	}
}

// A drill's alert is marked as one, whichever way brings it; and the time from
// sign-in to alert is that of the first.
func TestPairBelongsToTheDrill(t *testing.T) {
	n, ctx := newBench(t), context.Background()
	if err := n.poll(night); err != nil { // opens the drills
		t.Fatal(err)
	}
	n.hear(t, night.Add(6*time.Minute), firedAt("a1", night.Add(6*time.Minute)))
	n.directory.rows = []rollout.SignIn{row("s1", one, night.Add(time.Minute), 0)}
	if err := n.poll(night.Add(10 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	alerts, err := n.table.Alerts(ctx, contoso)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts {
		if a.Drill == "" || !a.AlertedAt.Equal(night.Add(6*time.Minute)) || a.Pair == "" {
			t.Errorf("%s: drill %q, alerted %s, pair %q", a.ID, a.Drill, a.AlertedAt, a.Pair)
		}
	}
	if len(alerts) != 2 {
		t.Errorf("%d alerts, want the pair", len(alerts))
	}
}

// dyingTable is a table on which a run dies after some writes.
type dyingTable struct {
	breakglass.Table
	writes int
}

var errDied = errors.New("died")

func (d *dyingTable) ClaimAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error {
	if d.writes--; d.writes < 0 {
		return errDied
	}
	return d.Table.ClaimAlert(ctx, t, a)
}

func (d *dyingTable) PutAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error {
	if d.writes--; d.writes < 0 {
		return errDied
	}
	return d.Table.PutAlert(ctx, t, a)
}

// Wherever a run dies between the writes of a pair, the next ends in one pair.
func TestPairSurvivesDeath(t *testing.T) {
	for writes := range 6 {
		for name, first := range map[string]bool{"Azure first": true, "row first": false} {
			n := newBench(t)
			dies := &dyingTable{n.table, 1000}
			n.b.Table = dies
			ctx, r := context.Background(), row("s1", one, night, 0)
			fire := func() error {
				return n.b.Look(ctx, contoso, firedAt("a1", night.Add(6*time.Minute)), night.Add(6*time.Minute), &job.Summary{})
			}
			read := func() error {
				n.directory.rows = []rollout.SignIn{r}
				return n.poll(night.Add(10 * time.Minute))
			}
			before, dead := fire, read
			if !first {
				before, dead = read, fire
			}
			if err := before(); err != nil {
				t.Fatal(err)
			}
			dies.writes = writes
			_ = dead() // its end is what is tried here
			dies.writes = 1000
			if err := dead(); err != nil {
				t.Fatal(err)
			}
			alerts, err := n.table.Alerts(ctx, contoso)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, a := range alerts {
				got[a.ID] = a.Pair
			}
			want := map[string]string{"signin-s1": "azureMonitor-a1-" + one, "azureMonitor-a1-" + one: "signin-s1"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, dead after %d writes (-want +got):\n%s", name, writes, diff)
			}
		}
	}
}

// slow is a Graph that answers when nobody waits any more.
type slow struct{ breakglass.Graph }

func (slow) SignIns(ctx context.Context, _ graph.SignInQuery, _ func([]rollout.SignIn) error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Hour):
		return nil
	}
}

// Azure Monitor's word does not wait for a Graph that is slow: it leaves within
// the bound of five seconds.
func TestAzureMonitorDoesNotWaitForGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newBench(t)
		begun := time.Now()
		n.b.Graph = func(context.Context, rollout.TenantID) (breakglass.Graph, error) { return slow{n.directory}, nil }
		left := time.Duration(-1)
		n.b.Channels = []breakglass.Channel{timed{n.email, func() { left = time.Since(begun) }}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := n.b.Look(ctx, contoso, firedAt("a1", night), night, &job.Summary{}); err == nil {
			t.Error("no error for a log that could not be read")
		}
		if left < 0 || left > 5*time.Second {
			t.Errorf("the alert left after %s, want at most 5 s", left)
		}
	})
}

type timed struct {
	*channel
	took func()
}

func (c timed) Alert(ctx context.Context, w breakglass.Warning) error {
	c.took()
	return c.channel.Alert(ctx, w)
}

// Channels that hang delay no other, and the run no longer than a moment.
func TestChannelThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newBench(t)
		begun := time.Now()
		left := time.Duration(-1)
		n.b.Channels = []breakglass.Channel{hanging{n.sns}, hanging{&channel{name: "pager"}}, timed{n.email, func() { left = time.Since(begun) }}}
		n.directory.rows = []rollout.SignIn{row("s1", one, night, 0)}
		if err := n.poll(night.Add(5 * time.Minute)); err == nil {
			t.Error("no error for the channel that hangs")
		}
		if left < 0 || left > 5*time.Second {
			t.Errorf("the other channel was tried after %s", left)
		}
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("the run hung with it for %s", took)
		}
	})
}

type hanging struct{ *channel }

func (hanging) Alert(ctx context.Context, _ breakglass.Warning) error {
	<-ctx.Done()
	return ctx.Err()
}

// An id that Azure chose is one that people can type and SES takes as a tag.
func TestAzureIDIsShort(t *testing.T) {
	n := newBench(t)
	const id = "/subscriptions/0f0f0f0f-0000-4000-8000-000000000001/providers/Microsoft.AlertsManagement/alerts/0E0E0E0E-0000-4000-8000-00000000000A"
	n.hear(t, night, firedAt(id, night), firedAt(id+"/", night))
	want := []string{"azureMonitor-0e0e0e0e-0000-4000-8000-00000000000a-" + one}
	if len(n.email.sent) != 2 || n.email.sent[0] != want[0] || len(n.email.sent[1]) > 100 {
		t.Errorf("ids %v, want %v and a digest", n.email.sent, want)
	}
}

package breakglass_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func (n *bench) drill(t *testing.T, id string) rollout.Drill {
	t.Helper()
	drills, err := n.table.Drills(context.Background(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(drills, func(d rollout.Drill) bool { return d.ID == id })
	if i < 0 {
		t.Fatalf("no drill %s among %+v", id, drills)
	}
	return drills[i]
}

func (n *bench) mustPoll(t *testing.T, at time.Time) {
	t.Helper()
	if err := n.poll(at); err != nil {
		t.Fatal(err)
	}
}

const firstOfOne, firstOfTwo = "drill-" + one + "-001", "drill-" + two + "-001"

// Drills are due from the beginning: opened and asked for once, passed by a
// successful sign-in whose alert left, not by a failed one, nor by a program's.
func TestDrills(t *testing.T) {
	n := newBench(t)
	for i := range 3 {
		n.mustPoll(t, night.Add(time.Duration(i)*5*time.Minute))
	}
	want := []string{"drill.." + firstOfOne + ".invitation-0", "drill.." + firstOfTwo + ".invitation-0"}
	if diff := cmp.Diff(want, n.queue.items); diff != "" {
		t.Fatalf("asked (-want +got):\n%s", diff)
	}
	program := row("s3", two, night.Add(time.Hour), 0)
	program.Interactive = false
	n.directory.rows = []rollout.SignIn{row("s1", one, night.Add(time.Hour), 0), row("s2", two, night.Add(time.Hour), 50126), program}
	n.mustPoll(t, night.Add(time.Hour+5*time.Minute))
	if d := n.drill(t, firstOfTwo); d.Ended() {
		t.Errorf("passed by a failed sign-in or a program's: %+v", d)
	}
	d := n.drill(t, firstOfOne)
	got := []any{d.SignedInAt, d.PassedAt, d.AlertID, d.Ways}
	if diff := cmp.Diff([]any{night.Add(time.Hour), night.Add(time.Hour + 5*time.Minute), "signin-s1", []string{"poll"}}, got); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	alerts, err := n.table.Alerts(context.Background(), contoso)
	if err != nil || len(alerts) != 3 {
		t.Fatalf("%d alerts, %v", len(alerts), err)
	}
	for _, a := range alerts {
		if a.Drill == "" {
			t.Errorf("alert %s does not say that a drill is open", a.ID)
		}
	}
}

// What Graph's beta says of the sign-in decides, and stands in the evidence. It is
// asked once; where it fails, the drill waits for an hour and takes what is known.
func TestDrillAsksByWhichMethod(t *testing.T) {
	signedIn := night.Add(time.Hour)
	for name, tt := range map[string]struct {
		methods []string
		single  bool // one factor was demanded
		down    bool
		after   time.Duration
		passes  bool
		asked   int // of three polls
	}{
		"the key":                          {methods: []string{"Passkey (device-bound)"}, passes: true, asked: 1},
		"a text message":                   {methods: []string{"Password", "Text message"}, asked: 1},
		"one factor, the methods may come": {single: true, asked: 3},
		"one factor, and no methods came":  {single: true, after: time.Hour, asked: 1},
		"one factor, with the key":         {methods: []string{"FIDO2 security key"}, single: true, passes: true, asked: 1},
		"beta fails":                       {down: true, asked: 3},
		"beta has failed for an hour":      {down: true, after: time.Hour, passes: true, asked: 1},
		"beta has the row, and no word":    {passes: true, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			n, asked := newBench(t), 0
			n.mustPoll(t, night)
			n.directory.rows = []rollout.SignIn{row("s1", one, signedIn, 0)}
			n.directory.asked = func(q graph.SignInQuery) error {
				if !q.Detailed {
					n.directory.rows[0].Methods, n.directory.rows[0].Requirement = nil, ""
					return nil
				}
				asked++
				n.directory.rows[0].Methods = tt.methods
				if tt.single {
					n.directory.rows[0].Requirement = "singleFactorAuthentication"
				}
				if tt.down {
					return errors.New("beta is down")
				}
				return nil
			}
			for i := range 3 {
				n.mustPoll(t, signedIn.Add(tt.after+time.Duration(i+1)*5*time.Minute))
			}
			d := n.drill(t, firstOfOne)
			if d.PassedAt.IsZero() == tt.passes || asked != tt.asked {
				t.Errorf("passed %s, asked %d times; want passed %t, %d", d.PassedAt, asked, tt.passes, tt.asked)
			}
			if tt.passes && !slices.Equal(d.Methods, tt.methods) {
				t.Errorf("evidence %v, want %v", d.Methods, tt.methods)
			}
		})
	}
}

// Every way that saw the sign-in stands in the evidence, in whatever order they
// came: the one that made the alert, the poll after it, Azure Monitor's word.
func TestDrillNamesTheWays(t *testing.T) {
	n, ctx := newBench(t), context.Background()
	n.mustPoll(t, night)
	n.directory.rows = []rollout.SignIn{row("s1", one, night.Add(time.Hour), 0)}
	e := touch.Event{Source: touch.SourceNotification, Account: one}
	if err := n.b.Look(ctx, contoso, e, night.Add(time.Hour+time.Minute), &job.Summary{}); err != nil {
		t.Fatal(err)
	}
	n.mustPoll(t, night.Add(time.Hour+5*time.Minute)) // passes it, by the notification's alert
	if diff := cmp.Diff([]string{"notification"}, n.drill(t, firstOfOne).Ways); diff != "" {
		t.Errorf("ways (-want +got):\n%s", diff)
	}
	err := n.table.ClaimAlert(ctx, contoso, rollout.Alert{ID: "m", Kind: rollout.AlertMonitor, Account: one, OccurredAt: night.Add(time.Hour + 4*time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n.mustPoll(t, night.Add(time.Hour+10*time.Minute))
	}
	d := n.drill(t, firstOfOne)
	if diff := cmp.Diff([]string{"azureMonitor", "notification", "poll"}, d.Ways); diff != "" {
		t.Errorf("ways (-want +got):\n%s", diff)
	}
	if d.PassedAt != night.Add(time.Hour+time.Minute) {
		t.Errorf("passed at %s: the evidence moved", d.PassedAt)
	}
}

// A drill that nobody passed raises one alert, and the next follows.
func TestFailedDrillAlertsOnce(t *testing.T) {
	n := newBench(t)
	n.mustPoll(t, night)
	over := night.AddDate(0, 0, 7).Add(rollout.DrillGrace)
	n.email.down = true
	if err := n.poll(over); err == nil {
		t.Error("no error for the channel that is down")
	}
	n.email.down = false
	for i := range 2 { // before anybody is called again
		n.mustPoll(t, over.Add(time.Duration(i+1)*5*time.Minute))
	}
	want := []string{"failed-" + firstOfOne, "failed-" + firstOfTwo}
	for _, c := range []*channel{n.email, n.sns} {
		if diff := cmp.Diff(want, c.sent); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if d := n.drill(t, firstOfOne); d.FailedAt != over || d.Why != "nobody signed in" {
		t.Errorf("failed at %s: %q", d.FailedAt, d.Why)
	}
	if d := n.drill(t, "drill-"+one+"-002"); d.Cause != rollout.DrillAgain || d.OpenedAt != over.Add(5*time.Minute) {
		t.Errorf("the next: %+v", d)
	}
}

// A run that dies between the failure and its alert leaves the alert to the next.
func TestFailedDrillWhoseRunDied(t *testing.T) {
	n := newBench(t)
	d := rollout.Drill{ID: firstOfOne, Account: one, OpenedAt: night.AddDate(0, 0, -8), ClosesAt: night.AddDate(0, 0, -1), FailedAt: night.Add(-time.Hour), Why: "nobody signed in"}
	if err := n.table.PutDrill(context.Background(), contoso, d); err != nil {
		t.Fatal(err)
	}
	n.mustPoll(t, night)
	if diff := cmp.Diff([]string{"failed-" + firstOfOne}, n.email.sent); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

// While the sign-in log cannot be read, a drill whose window is over waits for a
// day: its sign-in may stand there. A sign-in that is read late passes it.
func TestDrillWaitsForTheLog(t *testing.T) {
	n := newBench(t)
	n.mustPoll(t, night)
	if err := n.table.MarkRun(context.Background(), contoso, "breakglass", night, ""); err != nil { // as job does
		t.Fatal(err)
	}
	n.directory.err = errors.New("graph down")
	n.directory.rows = []rollout.SignIn{row("s1", one, night.AddDate(0, 0, 6), 0)}
	over := night.AddDate(0, 0, 7).Add(rollout.DrillGrace)
	for range 2 {
		if err := n.poll(over); err == nil {
			t.Error("no error for Graph")
		}
	}
	if d := n.drill(t, firstOfOne); d.Ended() {
		t.Fatalf("ended without the log: %+v", d)
	}
	n.directory.err = nil
	n.mustPoll(t, over.Add(time.Hour))
	if d := n.drill(t, firstOfOne); d.PassedAt.IsZero() {
		t.Errorf("not passed by the sign-in that was read late: %+v", d)
	}
	n = newBench(t)
	n.mustPoll(t, night)
	n.directory.err = errors.New("graph down")
	if err := n.poll(night.AddDate(0, 0, 8)); err == nil {
		t.Error("no error for Graph")
	}
	if d := n.drill(t, firstOfOne); d.FailedAt.IsZero() {
		t.Errorf("not failed a day after its window: %+v", d)
	}
}

// Paused, or without a log to see a sign-in in, nobody is asked for anything.
func TestNoDrillsWherePausedOrBlind(t *testing.T) {
	n := newBench(t)
	cfg := rollout.Config{Tenant: contoso, Paused: true, EmergencyAccounts: []rollout.EmergencyAccount{{ID: one}}}
	if err := n.table.PutConfig(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	n.mustPoll(t, night)
	blind := newBench(t)
	blind.directory.asked = func(graph.SignInQuery) error { return graph.ErrNoLicence }
	blind.mustPoll(t, night)
	if len(n.queue.items)+len(blind.queue.items) != 0 {
		t.Errorf("asked %v and %v", n.queue.items, blind.queue.items)
	}
}

// A custodian who is no longer asked hears it, and the new one is asked at once.
func TestDrillOfANewCustodian(t *testing.T) {
	n := newBench(t)
	n.mustPoll(t, night)
	cfg := rollout.Config{Tenant: contoso, TimeZone: "UTC", EmergencyAccounts: []rollout.EmergencyAccount{
		{ID: one, Custodian: "Head of Finance", CustodianEmail: "finance@fabrikam.com"}, {ID: two},
	}}
	if err := n.table.PutConfig(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	n.queue.items = nil
	for i := range 3 {
		n.mustPoll(t, night.Add(time.Duration(i+1)*time.Hour))
	}
	second := "drill-" + one + "-002"
	if diff := cmp.Diff([]string{"drill.." + firstOfOne + ".cancelled", "drill.." + second + ".invitation-0"}, n.queue.items); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if d := n.drill(t, second); d.Custodian != "Head of Finance" || d.Invitee != "finance@fabrikam.com" {
		t.Errorf("asked %+v", d)
	}
}

// dying is a table on which a run ends at the nth write of a drill.
type dying struct {
	*store.Store
	writes, last int
}

func (d *dying) PutDrill(ctx context.Context, t rollout.TenantID, drill rollout.Drill) error {
	if d.writes++; d.writes == d.last {
		return errors.New("the run ended here")
	}
	return d.Store.PutDrill(ctx, t, drill)
}

var _ breakglass.Table = (*dying)(nil)

// Wherever a run dies, the next ones ask once for each drill.
func TestDrillsAfterACrash(t *testing.T) {
	for last := range 6 {
		n := newBench(t)
		n.b.Table = &dying{Store: n.table, last: last}
		for i := range 4 {
			if err := n.poll(night.Add(time.Duration(i) * 5 * time.Minute)); err != nil && i > 0 {
				t.Errorf("dies at %d, run %d: %v", last, i, err)
			}
		}
		slices.Sort(n.queue.items)
		want := []string{"drill.." + firstOfOne + ".invitation-0", "drill.." + firstOfTwo + ".invitation-0"}
		if diff := cmp.Diff(want, n.queue.items); diff != "" {
			t.Errorf("dies at %d: asked (-want +got):\n%s", last, diff)
		}
		if d := n.drill(t, firstOfTwo); d.Told != "invitation-0" || d.Ended() {
			t.Errorf("dies at %d: %+v", last, d)
		}
	}
}

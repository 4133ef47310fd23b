package breakglass_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// unattended is a sign-in that a client made on the account's behalf.
func unattended(id, user string, at time.Time) rollout.SignIn {
	r := row(id, user, at, 0)
	r.Interactive = false
	return r
}

// Both logs are read, and a sign-in that stands in both alerts once.
func TestBothLogsAreRead(t *testing.T) {
	n := newBench(t)
	n.directory.rows = []rollout.SignIn{
		row("s1", one, night, 0), unattended("s1", one, night), unattended("s2", two, night), unattended("s2", two, night), unattended("x", "somebody", night),
	}
	for i := range 3 {
		if err := n.poll(night.Add(time.Duration(5*(i+1)) * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"signin-s1", "signin-s2"}, n.email.sent); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

// One log's failure is told and hides nothing of the other; so with accounts.
func TestEitherLogMayFail(t *testing.T) {
	down := errors.New("not what it was yesterday")
	for name, tt := range map[string]struct {
		fails func(graph.SignInQuery) error
		want  []string
		told  string // empty: no failure
		blind bool   // no drill can be passed, so none is opened
	}{
		"neither": {func(graph.SignInQuery) error { return nil }, []string{"signin-i1", "signin-i2", "signin-n1", "signin-n2"}, "", false},
		"beta": {func(q graph.SignInQuery) error {
			if q.NonInteractive {
				return down
			}
			return nil
		}, []string{"signin-i1", "signin-i2"}, "read the non-interactive sign-ins of emergency account " + one, false},
		"v1.0": {func(q graph.SignInQuery) error {
			if !q.NonInteractive {
				return down
			}
			return nil
		}, []string{"signin-n1", "signin-n2"}, "read the interactive sign-ins of emergency account " + one, false},
		"one account": {func(q graph.SignInQuery) error {
			if q.UserID == one {
				return down
			}
			return nil
		}, []string{"signin-i2", "signin-n2"}, "read the non-interactive sign-ins of emergency account " + one, false},
		"licence": {func(graph.SignInQuery) error { return graph.ErrNoLicence }, nil, "", true},
		"licence of beta alone": {func(q graph.SignInQuery) error {
			if q.NonInteractive {
				return graph.ErrNoLicence
			}
			return nil
		}, []string{"signin-i1", "signin-i2"}, "read the non-interactive sign-ins of emergency account " + one, false},
		"one, then no licence": {func(q graph.SignInQuery) error {
			if q.UserID == two {
				return graph.ErrNoLicence
			}
			return down
		}, nil, "read the interactive sign-ins of emergency account " + one, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newBench(t)
			n.directory.rows = []rollout.SignIn{row("i1", one, night, 0), row("i2", two, night, 50126), unattended("n1", one, night), unattended("n2", two, night)}
			n.directory.asked = tt.fails
			err := n.poll(night.Add(5 * time.Minute))
			if (err == nil) != (tt.told == "") || err != nil && !strings.Contains(err.Error(), tt.told) {
				t.Errorf("error %v, want one that says %q", err, tt.told)
			}
			if diff := cmp.Diff(tt.want, n.email.sent); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
			if blind := len(n.queue.items) == 0; blind != tt.blind {
				t.Errorf("drills asked for: %v", n.queue.items)
			}
		})
	}
}

// What may be slow waits for what may not: every account's interactive sign-ins
// are read, and their alerts left, before beta is asked. A channel that is down
// is tried once in a run all the same.
func TestAlertsDoNotWaitForBeta(t *testing.T) {
	n := newBench(t)
	n.directory.rows, n.sns.down = []rollout.SignIn{row("i1", one, night, 0), row("i2", two, night, 0)}, true
	n.directory.asked = func(q graph.SignInQuery) error {
		if q.NonInteractive && !slices.Equal(n.email.sent, []string{"signin-i1", "signin-i2"}) {
			t.Errorf("beta is asked when %v have left", n.email.sent)
		}
		return nil
	}
	if err := n.poll(night.Add(5 * time.Minute)); err == nil {
		t.Error("no error for the channel that is down")
	}
	if n.sns.tried != 2 {
		t.Errorf("two alerts tried %d times by the channel that is down", n.sns.tried)
	}
}

// After a pause, however long, the log is read from the last run that saw all of
// it, as far back as there is a log; otherwise two hours back.
func TestPollCatchesUp(t *testing.T) {
	now := night.Add(100 * 24 * time.Hour)
	for name, tt := range map[string]struct {
		lastRun time.Time
		want    time.Time
	}{
		"never ran":             {time.Time{}, now.Add(-rollout.PollOverlap)},
		"five minutes ago":      {now.Add(-5 * time.Minute), now.Add(-5*time.Minute - rollout.PollOverlap)},
		"three days ago":        {now.Add(-72 * time.Hour), now.Add(-72*time.Hour - rollout.PollOverlap)},
		"longer than the log":   {now.Add(-60 * 24 * time.Hour), now.Add(-30 * 24 * time.Hour)},
		"a clock that was fast": {now.Add(time.Hour), now.Add(-rollout.PollOverlap)},
	} {
		t.Run(name, func(t *testing.T) {
			n := newBench(t)
			for _, job := range []string{"audit", "breakglass"} {
				at := tt.lastRun
				if job == "audit" {
					at = now.Add(-time.Hour) // another job's run is none of ours
				}
				if at.IsZero() {
					continue
				}
				if err := n.table.MarkRun(context.Background(), contoso, job, at, ""); err != nil {
					t.Fatal(err)
				}
			}
			n.directory.asked = func(q graph.SignInQuery) error {
				if !q.From.Equal(tt.want) || !q.To.Equal(now) {
					t.Errorf("read from %s to %s, want from %s to %s", q.From, q.To, tt.want, now)
				}
				return nil
			}
			n.directory.rows = []rollout.SignIn{row("just in", one, tt.want, 0), row("too old", one, tt.want.Add(-time.Second), 0)}
			if err := n.poll(now); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"signin-just in"}, n.email.sent); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

// picky is a table that does not take one alert.
type picky struct {
	breakglass.Table
	refuses string
}

func (p picky) ClaimAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error {
	if a.ID == p.refuses {
		return errors.New("throttled")
	}
	return p.Table.ClaimAlert(ctx, t, a)
}

// A sign-in that cannot be claimed now hides none of those after it, and is
// claimed by the next run.
func TestUnclaimedSignInComesAgain(t *testing.T) {
	n := newBench(t)
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0), row("s2", one, night, 0)}
	n.b.Table = picky{n.table, "signin-s1"}
	if err := n.poll(night.Add(5 * time.Minute)); err == nil || !strings.Contains(err.Error(), "1 interactive sign-ins of emergency account "+one+" have no alert yet") {
		t.Errorf("error %v does not say what is left", err)
	}
	n.b.Table = n.table
	if err := n.poll(night.Add(10 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"signin-s2", "signin-s1"}, n.email.sent); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

// An alert of Azure Monitor's that names no account is still one: every tenant
// looks at its log at once.
func TestAlertAboutNobodyInParticular(t *testing.T) {
	n := newBench(t)
	n.directory.rows = []rollout.SignIn{unattended("s1", two, night)}
	n.hear(t, night.Add(time.Minute), touch.Event{Source: touch.SourceAzureMonitor, Condition: touch.ConditionFired, AlertID: "a1", FiredAt: night})
	if diff := cmp.Diff([]string{"signin-s1"}, n.email.sent); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

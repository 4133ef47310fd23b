package rehearsal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/rehearsal"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// rehearse runs the sample.
func rehearse(t *testing.T, seed uint64, change func(*rehearsal.Options)) rehearsal.Timeline {
	t.Helper()
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	o, err := rehearsal.Sample(seed, renderer)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o)
	}
	timeline, err := rehearsal.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return timeline
}

func text(t *testing.T, timeline rehearsal.Timeline) string {
	t.Helper()
	b, err := json.MarshalIndent(timeline, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The sample's story, whole: held on the deadline because an emergency account
// was taken out of an exclusion, switched after it was mended, everybody inside
// at the end.
func TestSampleStory(t *testing.T) {
	t.Parallel()
	got := rehearse(t, 1, nil)
	if len(got.Violations) > 0 {
		t.Errorf("violations: %q", got.Violations)
	}
	if got.Coverage != (rehearsal.Span{Start: 40, End: 100}) {
		t.Errorf("coverage went from %g to %g, want 40 to 100", got.Coverage.Start, got.Coverage.End)
	}
	for _, w := range got.Waves {
		if w.State != rollout.WaveSettled {
			t.Errorf("wave %s ends %s, want settled", w.Name, w.State)
		}
	}
	if len(got.Holds) != 1 || got.Holds[0].Wave != "everyone" || got.Holds[0].Gate != "emergency-excluded" || got.Holds[0].To == nil {
		t.Errorf("holds = %+v, want one of everyone by emergency-excluded, ended", got.Holds)
	}
	if day := got.Waves[2].EnforcedAt; day == nil || day.Format(time.DateOnly) != "2026-11-12" {
		t.Errorf("everyone was switched %v, want on 2026-11-12, the day after the hold", day)
	}
	night := got.Alerts[len(got.Alerts)-1]
	if night.OccurredAt.Format("15:04") != "03:07" || night.AlertedAt == nil || night.Drill {
		t.Errorf("last alert = %+v, want one for 03:07 that is no drill", night)
	}
	if night.AckedAt == nil || night.Calls != 1 || night.AckedBy != "by link to Duty manager" {
		t.Errorf("the night's alert was acknowledged %q after %d calls, want by the first contact who was called", night.AckedBy, night.Calls)
	}
	for _, a := range got.Alerts[:len(got.Alerts)-1] {
		calls, by := 0, "by link" // in the day, as that of a drill
		if a.OccurredAt.Hour() < 6 {
			calls, by = 1, "by link to Duty manager" // what was taken out of a policy is seen at night
		}
		if a.AckedAt == nil || a.Calls != calls || a.AckedBy != by {
			t.Errorf("the alert of %s was acknowledged %q after %d calls, want %q after %d", a.OccurredAt, a.AckedBy, a.Calls, by, calls)
		}
	}
	if len(got.LockOuts) == 0 {
		t.Error("nobody was locked out: the story has somebody")
	}
	for _, l := range got.LockOuts {
		if l.ClosedAt == nil {
			t.Errorf("%s is still locked out", l.Account)
		}
	}
	for _, kind := range []rollout.MessageKind{"announcement", "ready", "reminder", "holdout", "hold", "switched", "lockOut", "drill", "closing", "alert"} {
		if got.Messages[kind] == 0 {
			t.Errorf("no message of kind %s", kind)
		}
	}
	if len(got.Failures) > 0 {
		t.Errorf("functions failed in a world without faults: %v", got.Failures)
	}
}

// The same seed gives the same bytes, with faults too.
func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	run := func() string {
		return text(t, rehearse(t, 3, func(o *rehearsal.Options) { o.Days, o.Faults = 20, 0.05 }))
	}
	if diff := cmp.Diff(run(), run()); diff != "" {
		t.Errorf("two runs of one seed differ:\n%s", diff)
	}
}

// Faults, crashes and duplicates change nothing of where a rollout ends, and no
// property is violated on the way. SALLYPORT_SEEDS says how many seeds; make soak
// takes 50.
func TestFaultsChangeNothing(t *testing.T) {
	seeds := 3
	if n, err := strconv.Atoi(os.Getenv("SALLYPORT_SEEDS")); err == nil {
		seeds = n
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) {
			t.Parallel()
			calm := rehearse(t, uint64(seed+1), nil)
			rough := rehearse(t, uint64(seed+1), func(o *rehearsal.Options) { o.Faults = 0.05 })
			if len(calm.Violations)+len(rough.Violations) > 0 {
				t.Errorf("violations: %q without faults, %q with", calm.Violations, rough.Violations)
			}
			if diff := cmp.Diff(calm.Final, rough.Final); diff != "" {
				t.Errorf("the end differs (-without +with faults):\n%s", diff)
			}
			crashes := 0
			for what, n := range rough.Faults {
				if len(what) > 5 && what[:5] == "crash" {
					crashes += n
				}
			}
			if crashes == 0 || len(rough.Failures) == 0 {
				t.Errorf("the faults did not strike: %v", rough.Faults)
			}
		})
	}
}

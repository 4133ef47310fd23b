package rollout_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

var alertNight = time.Date(2026, 11, 21, 3, 7, 0, 0, time.UTC)

// seen is an alert that was claimed that many minutes after 03:07.
func seen(id string, minutes float64) rollout.Alert {
	at := alertNight.Add(time.Duration(minutes * float64(time.Minute)))
	return rollout.Alert{ID: id, Kind: rollout.AlertSignIn, Account: "e1", SignIn: rollout.SignIn{ID: id}, OccurredAt: at, SeenAt: at, Version: 1}
}

func acked(a rollout.Alert) rollout.Alert {
	a.AckedAt, a.AckedBy = a.SeenAt.Add(time.Minute), "by link"
	return a
}

var threeContacts = []rollout.Contact{{Name: "Ana"}, {Name: "Ben"}, {Name: "Cleo"}}

// calls lets five-minute runs go by and returns when a repetition was claimed, in
// minutes after 03:07, whom it called and how many alerts it was about. Between
// two runs an event may change the alerts.
func calls(contacts []rollout.Contact, alerts []rollout.Alert, minutes int, events map[int]func([]rollout.Alert) []rollout.Alert) []string {
	var got []string
	for m := 0; m <= minutes; m += 5 {
		if change := events[m]; change != nil {
			alerts = change(alerts)
		}
		if due, ok := rollout.RepetitionDue(contacts, alerts, alertNight.Add(time.Duration(m)*time.Minute)); ok {
			got = append(got, fmt.Sprintf("%d %s %d", m, due.Contact, due.Repeats))
			alerts = append(alerts, due)
		}
	}
	return got
}

func TestRepetitions(t *testing.T) {
	type change = func([]rollout.Alert) []rollout.Alert
	ackAll := func(alerts []rollout.Alert) []rollout.Alert {
		alerts = slices.Clone(alerts)
		for i := range alerts {
			alerts[i] = acked(alerts[i])
		}
		return alerts
	}
	add := func(a rollout.Alert) change {
		return func(alerts []rollout.Alert) []rollout.Alert { return append(alerts, a) }
	}
	drill := seen("drill", 0)
	drill.Drill = "drill-e1"
	monitor, row := seen("monitor", 0), seen("row", 5)
	monitor.Kind, monitor.Pair, row.Pair = rollout.AlertMonitor, "row", "monitor"
	var flood []rollout.Alert
	for i := range 1000 {
		flood = append(flood, seen(fmt.Sprintf("s%d", i), 0))
	}
	for name, tt := range map[string]struct {
		contacts []rollout.Contact
		alerts   []rollout.Alert
		events   map[int]change
		want     []string
	}{
		"in turn, and round":           {threeContacts, []rollout.Alert{seen("a", 0)}, nil, []string{"15 Ana 1", "30 Ben 1", "45 Cleo 1", "60 Ana 1"}},
		"nobody in particular":         {nil, []rollout.Alert{seen("a", 0)}, nil, []string{"15  1", "30  1", "45  1", "60  1"}},
		"acknowledged at once":         {threeContacts, []rollout.Alert{acked(seen("a", 0))}, nil, nil},
		"acknowledged after one call":  {threeContacts, []rollout.Alert{seen("a", 0)}, map[int]change{20: ackAll}, []string{"15 Ana 1"}},
		"begins again with the first":  {threeContacts, []rollout.Alert{seen("a", 0)}, map[int]change{20: ackAll, 25: add(seen("b", 25))}, []string{"15 Ana 1", "40 Ana 1", "55 Ben 1"}},
		"another joins":                {threeContacts, []rollout.Alert{seen("a", 0)}, map[int]change{20: add(seen("b", 20))}, []string{"15 Ana 1", "30 Ben 2", "45 Cleo 2", "60 Ana 2"}},
		"a thousand at once":           {threeContacts, flood, nil, []string{"15 Ana 1000", "30 Ben 1000", "45 Cleo 1000", "60 Ana 1000"}},
		"a drill, passed or not":       {threeContacts, []rollout.Alert{drill}, nil, []string{"15 Ana 1", "30 Ben 1", "45 Cleo 1", "60 Ana 1"}},
		"a pair is one":                {threeContacts, []rollout.Alert{monitor, row}, nil, []string{"20 Ana 1", "35 Ben 1", "50 Cleo 1"}},
		"a row was acknowledged early": {threeContacts, []rollout.Alert{monitor, acked(row)}, nil, nil},
	} {
		if diff := cmp.Diff(tt.want, calls(tt.contacts, tt.alerts, 60, tt.events)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Every quarter of an hour for a day, every hour for a week, then once a day, for
// as long as nobody answers; a fresh alert is called about a quarter of an hour
// later all the same.
func TestRepetitionsThinOutAndNeverEnd(t *testing.T) {
	const day = 24 * 60
	fresh := func(alerts []rollout.Alert) []rollout.Alert { return append(alerts, seen("fresh", 20*day+100)) }
	got := calls(threeContacts, []rollout.Alert{seen("a", 0)}, 21*day, map[int]func([]rollout.Alert) []rollout.Alert{20*day + 100: fresh})
	perDay := map[int]int{}
	for _, line := range got {
		var minute int
		if _, err := fmt.Sscan(line, &minute); err != nil {
			t.Fatal(err)
		}
		perDay[minute/day]++
	}
	for d, want := range map[int]int{0: 95, 3: 24, 6: 24, 8: 1, 15: 1, 19: 1} {
		if perDay[d] != want {
			t.Errorf("day %d: %d calls, want %d", d, perDay[d], want)
		}
	}
	after := slices.IndexFunc(got, func(line string) bool { return line[len(line)-1] == '2' })
	var minute int
	if after < 0 {
		t.Fatal("nobody was called about the fresh alert")
	}
	if _, err := fmt.Sscan(got[after], &minute); err != nil || minute != 20*day+115 {
		t.Errorf("the fresh alert was called about in minute %d, want a quarter of an hour after it", minute-20*day-100)
	}
}

// Two runs that see the same state claim the same repetition, whatever their
// clocks say; once it is there, the next has another id.
func TestRepetitionHasOneID(t *testing.T) {
	alerts := []rollout.Alert{seen("a", 0)}
	one, ok1 := rollout.RepetitionDue(threeContacts, alerts, alertNight.Add(15*time.Minute))
	two, ok2 := rollout.RepetitionDue(threeContacts, alerts, alertNight.Add(19*time.Minute))
	next, ok3 := rollout.RepetitionDue(threeContacts, append(alerts, one), alertNight.Add(30*time.Minute))
	if !ok1 || !ok2 || !ok3 || one.ID != two.ID || next.ID == one.ID {
		t.Errorf("ids %q, %q, then %q", one.ID, two.ID, next.ID)
	}
}

func TestCovered(t *testing.T) {
	monitor, row, other, late := seen("monitor", 0), seen("row", 5), seen("other", 6), seen("late", 40)
	monitor.Kind, monitor.Pair, row.Pair = rollout.AlertMonitor, "row", "monitor"
	call := seen("call", 20)
	call.Kind = rollout.AlertRepetition
	alerts := []rollout.Alert{monitor, row, other, acked(seen("done", 1)), call, late}
	for id, want := range map[string][]string{
		"row": {"monitor", "row"}, "monitor": {"monitor", "row"}, "other": {"other"}, "done": nil, "nobody's": nil,
		"call": {"monitor", "row", "other", "call"},
	} {
		var got []string
		for _, a := range rollout.Covered(alerts, id) {
			got = append(got, a.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s covers (-want +got):\n%s", id, diff)
		}
	}
}

func TestPairs(t *testing.T) {
	fired := func(id string, minutes float64) rollout.Alert {
		a := seen(id, minutes)
		a.Kind, a.SignIn = rollout.AlertMonitor, rollout.SignIn{}
		return a
	}
	with := func(a rollout.Alert, pair string) rollout.Alert { a.Pair = pair; return a }
	other := seen("r", 0)
	other.Account = "e2"
	for name, tt := range map[string]struct {
		alerts []rollout.Alert
		row    rollout.Alert
		want   string
	}{
		"fired after it":          {[]rollout.Alert{fired("m", 6)}, seen("r", 0), "m"},
		"an hour after it":        {[]rollout.Alert{fired("m", 60)}, seen("r", 0), ""},
		"a clock that differs":    {[]rollout.Alert{fired("m", -4)}, seen("r", 0), "m"},
		"before it":               {[]rollout.Alert{fired("m", -5)}, seen("r", 0), ""},
		"of another account":      {[]rollout.Alert{fired("m", 6)}, other, ""},
		"explained already":       {[]rollout.Alert{with(fired("m", 6), "another")}, seen("r", 0), ""},
		"the earlier of two":      {[]rollout.Alert{fired("m2", 11), fired("m1", 6)}, seen("r", 0), "m1"},
		"a half pair goes first":  {[]rollout.Alert{fired("m1", 6), with(fired("m2", 11), "r")}, seen("r", 0), "m2"},
		"the row's own half goes": {[]rollout.Alert{fired("m1", 6), fired("m2", 11)}, with(seen("r", 0), "m2"), "m2"},
		"another row is no fire":  {[]rollout.Alert{seen("s", 6)}, seen("r", 0), ""},
	} {
		if got, _ := rollout.FiredFor(tt.alerts, tt.row); got.ID != tt.want {
			t.Errorf("%s: pair %q, want %q", name, got.ID, tt.want)
		}
	}
	rows := []rollout.Alert{seen("r1", 0), seen("r2", 3), with(seen("r3", 4), "another"), seen("r4", 20)}
	if got, _ := rollout.RowFor(rows, fired("m", 6)); got.ID != "r2" {
		t.Errorf("the row for it is %q, want the latest that is nobody's: r2", got.ID)
	}
}

// Whatever comes in whatever order, nobody is in two pairs, and a pair is about
// one account.
func TestPairsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var alerts []rollout.Alert
		pairs := map[string]int{}
		for i := range rapid.IntRange(1, 20).Draw(t, "alerts") {
			a := seen(fmt.Sprint("a", i), float64(rapid.IntRange(-90, 90).Draw(t, "minute")))
			a.Account = rapid.SampledFrom([]string{"e1", "E1", "e2"}).Draw(t, "account")
			find := rollout.FiredFor
			if rapid.Bool().Draw(t, "fired") {
				a.Kind, find = rollout.AlertMonitor, rollout.RowFor
			}
			if other, ok := find(alerts, a); ok {
				at := slices.IndexFunc(alerts, func(b rollout.Alert) bool { return b.ID == other.ID })
				alerts[at].Pair, a.Pair = a.ID, other.ID
				pairs[a.ID]++
				pairs[other.ID]++
				if a.Kind == other.Kind || (a.Account == "e2") != (other.Account == "e2") {
					t.Fatalf("%s %s of %s with %s of %s", a.Kind, a.ID, a.Account, other.Kind, other.Account)
				}
			}
			alerts = append(alerts, a)
		}
		for id, n := range pairs {
			if n != 1 {
				t.Fatalf("%s is in %d pairs", id, n)
			}
		}
	})
}

func TestLately(t *testing.T) {
	failed, tampered, old, call, other := seen("f", -10), seen("t", -20), seen("o", -24*60-1), seen("c", -5), seen("x", -1)
	failed.SignIn.ErrorCode, tampered.Kind, call.Kind, other.Account = 50126, rollout.AlertTampering, rollout.AlertRepetition, "e2"
	fired, of := seen("m", 0), seen("s", 0)
	fired.Kind, fired.Pair, of.Pair = rollout.AlertMonitor, "s", "m"
	got := rollout.LatelyOf([]rollout.Alert{failed, tampered, old, call, other, fired, seen("ok", -30), of, seen("later", 1)}, of)
	if want := (rollout.Lately{SignIns: 2, Succeeded: 1, Tampered: 1}); got != want {
		t.Errorf("lately %+v, want %+v", got, want)
	}
}

package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// drillWorld is the part of Sallyport that sees to drills, on a table that
// refuses what was read in an older version: what breakglass does, without it.
type drillWorld struct {
	cfg    rollout.Config
	drills []rollout.Drill
	sent   map[string]rollout.Message
	log    []string
	broken string // what must never happen, and did
}

func newDrillWorld(zone string, accounts ...rollout.EmergencyAccount) *drillWorld {
	return &drillWorld{sent: map[string]rollout.Message{}, cfg: rollout.Config{
		TimeZone: zone, EmergencyAccounts: accounts, Enforcement: rollout.SwitchWindow{FromHour: 9, ToHour: 16},
	}}
}

func (w *drillWorld) put(d rollout.Drill) bool {
	i := slices.IndexFunc(w.drills, func(have rollout.Drill) bool { return have.ID == d.ID })
	switch {
	case i < 0 && d.Version == 0:
		d.Version++
		w.drills = append(w.drills, d)
	case i >= 0 && w.drills[i].Version == d.Version:
		d.Version++
		w.drills[i] = d
	default:
		return false
	}
	for _, e := range w.cfg.EmergencyAccounts {
		n := 0
		for _, d := range w.drills {
			if strings.EqualFold(d.Account, e.ID) && !d.Ended() {
				n++
			}
		}
		if n > 1 {
			w.broken = fmt.Sprintf("%d drills of %s at once", n, e.ID)
		}
	}
	return true
}

// run is one run on what was read at some moment, which may be old by now.
func (w *drillWorld) run(read []rollout.Drill, now time.Time) {
	for _, s := range rollout.PlanDrills(w.cfg, read, nil, now) {
		if w.put(s.Drill) {
			w.note(now, "%s %s %s", s.Do, s.Drill.ID, s.Drill.Cause)
		}
	}
	for _, d := range slices.Clone(w.drills) {
		m, due := rollout.DueDrillNotice(w.cfg, d, now)
		if !due {
			continue
		}
		if _, claimed := w.sent[m.ID]; !claimed {
			w.sent[m.ID] = m
			w.note(now, "mail %s", strings.TrimPrefix(m.ID, "drill.."))
		}
		d.Told = m.Subject
		w.put(d)
	}
}

func (w *drillWorld) note(now time.Time, format string, args ...any) {
	w.log = append(w.log, now.In(w.cfg.Location()).Format("2006-01-02 15:04 ")+fmt.Sprintf(format, args...))
}

// signIn is the custodian passing the drill that is open, if one is.
func (w *drillWorld) signIn(account string, now time.Time) bool {
	d, open := rollout.OpenDrill(w.drills, account, now)
	if !open {
		return false
	}
	a := rollout.Alert{ID: "a", Kind: rollout.AlertSignIn, Account: account, OccurredAt: now, AlertedAt: now, SignIn: rollout.SignIn{Interactive: true}}
	if !rollout.PassesDrill(d, a) {
		return false
	}
	w.put(d.Pass(a, nil))
	w.note(now, "passed %s", d.ID)
	return true
}

// TestLifetimeOfDrills walks one account through two years: passed, failed,
// passed again, a change of custodian, the day on which the clocks change.
func TestLifetimeOfDrills(t *testing.T) {
	w := newDrillWorld("Europe/London", rollout.EmergencyAccount{ID: em1, Custodian: "COO"})
	begin := at(t, "Europe/London", "2026-12-01 12:00")
	absent := func(now time.Time) bool { // the custodian is away
		return now.After(at(t, "UTC", "2027-04-01 00:00")) && now.Before(at(t, "UTC", "2027-05-08 00:00"))
	}
	changes := at(t, "UTC", "2027-09-15 10:00")
	for now := begin; now.Before(begin.AddDate(2, 0, 0)); now = now.Add(30 * time.Minute) {
		if !now.Before(changes) {
			w.cfg.EmergencyAccounts[0].Custodian = "CFO"
		}
		w.run(w.drills, now)
		if d, open := rollout.OpenDrill(w.drills, em1, now); open && !absent(now) && now.Sub(d.OpenedAt) >= 26*time.Hour {
			w.signIn(em1, now)
		}
	}
	want := `
2026-12-01 12:00 invite drill-em1-001 first
2026-12-01 12:00 mail drill-em1-001.invitation-0
2026-12-02 14:00 passed drill-em1-001
2027-02-01 09:00 invite drill-em1-002 routine
2027-02-01 09:00 mail drill-em1-002.invitation-0
2027-02-15 09:00 mail drill-em1-002.open-0
2027-02-16 11:00 passed drill-em1-002
2027-04-16 09:00 invite drill-em1-003 routine
2027-04-16 09:00 mail drill-em1-003.invitation-0
2027-04-30 09:00 mail drill-em1-003.open-0
2027-05-07 11:30 fail drill-em1-003 routine
2027-05-07 12:00 invite drill-em1-004 again
2027-05-07 12:00 mail drill-em1-004.invitation-0
2027-05-08 14:00 passed drill-em1-004
2027-07-08 09:00 invite drill-em1-005 routine
2027-07-08 09:00 mail drill-em1-005.invitation-0
2027-07-22 09:00 mail drill-em1-005.open-0
2027-07-23 11:00 passed drill-em1-005
2027-09-15 11:00 invite drill-em1-006 custodian
2027-09-15 11:00 mail drill-em1-006.invitation-0
`
	got := "\n" + strings.Join(w.log, "\n") + "\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("the first year (-want +got):\n%s", cmp.Diff(want, got))
	}
	if w.broken != "" {
		t.Error(w.broken)
	}
	if n := strings.Count(got, "fail "); n != 1 {
		t.Errorf("%d drills failed, want 1:\n%s", n, got)
	}
	if n := strings.Count(got, "passed "); n < 9 {
		t.Errorf("%d drills were passed in two years, want one in each quarter or more:\n%s", n, got)
	}
}

// TestDrillProperties: runs come late, twice, not at all, with what was read long
// ago and by clocks that jump. Never are two drills of an account open, never is
// anybody asked twice, and where the custodian does what is asked within days of
// being asked, no quarter is missed.
func TestDrillProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"}).Draw(t, "zone")
		w := newDrillWorld(zone, rollout.EmergencyAccount{ID: em1, Custodian: "COO"}, rollout.EmergencyAccount{ID: em2, Custodian: "CFO"})
		jumps := rapid.Bool().Draw(t, "clock jumps")
		loc := w.cfg.Location()
		begin := time.Date(2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"), rapid.IntRange(0, 23).Draw(t, "hour"), 30, 0, 0, loc)
		read := slices.Clone(w.drills)
		willing := map[string]time.Time{}
		last := map[string]time.Time{em1: begin, em2: begin}
		for now := begin; now.Before(begin.AddDate(0, 9, 0)); {
			clock := now
			if jumps && rapid.IntRange(0, 99).Draw(t, "jump") == 0 {
				clock = clock.Add(time.Duration(rapid.IntRange(-400, 400).Draw(t, "by days")) * 24 * time.Hour)
			}
			if rapid.IntRange(0, 4).Draw(t, "fresh") > 0 {
				read = slices.Clone(w.drills)
			}
			for range rapid.IntRange(0, 2).Draw(t, "runs") {
				w.run(read, clock)
			}
			for _, e := range w.cfg.EmergencyAccounts {
				d, open := rollout.OpenDrill(w.drills, e.ID, now)
				if !open {
					continue
				}
				if _, known := willing[d.ID]; !known {
					willing[d.ID] = now.Add(time.Duration(rapid.IntRange(0, 4*24).Draw(t, "acts after")) * time.Hour)
				}
				if now.Before(willing[d.ID]) || !w.signIn(e.ID, now) {
					continue
				}
				if !jumps && now.Sub(last[e.ID]) > rollout.DrillDays*24*time.Hour {
					t.Fatalf("%s was tried on %s and then on %s\n%s", e.ID, last[e.ID], now, strings.Join(w.log, "\n"))
				}
				last[e.ID] = now
			}
			now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "hours")) * time.Hour)
		}
		if w.broken != "" {
			t.Fatalf("%s\n%s", w.broken, strings.Join(w.log, "\n"))
		}
		invited := map[string]int{}
		for id, m := range w.sent {
			if m.Details["notice"] == rollout.NoticeInvitation {
				invited[m.Details["drill"]+" "+m.Details["sequence"]]++
			}
			if invited[m.Details["drill"]+" "+m.Details["sequence"]] > 1 {
				t.Fatalf("asked twice: %s\n%s", id, strings.Join(w.log, "\n"))
			}
		}
		for i, d := range w.drills {
			local, closes := d.OpenedAt.In(loc), d.ClosesAt.In(loc)
			if local.Format("15:04") != closes.Format("15:04") && zone != "Pacific/Apia" && local.Hour() > 3 {
				t.Fatalf("the window of %s changes its hour: %s to %s", d.ID, local, closes)
			}
			for _, o := range w.drills[:i] {
				if o.Account == d.Account && o.CancelledAt.IsZero() && d.CancelledAt.IsZero() && o.PassedAt.IsZero() && d.PassedAt.IsZero() && !jumps && o.OpenedAt.Before(d.ClosesAt) && d.OpenedAt.Before(o.ClosesAt) {
					t.Fatalf("two windows of %s at once\n%s", d.Account, strings.Join(w.log, "\n"))
				}
			}
		}
		if !jumps {
			for account, pass := range last {
				if end := begin.AddDate(0, 9, 0); end.Sub(pass) > rollout.DrillDays*24*time.Hour {
					t.Fatalf("%s was tried last on %s\n%s", account, pass, strings.Join(w.log, "\n"))
				}
			}
		}
	})
}

// Routine windows of two accounts that were passed on one day do not overlap.
func TestDrillsOfTwoAccountsAreApart(t *testing.T) {
	w := newDrillWorld("Europe/London", rollout.EmergencyAccount{ID: em1, Custodian: "COO"}, rollout.EmergencyAccount{ID: em2, Custodian: "CFO"})
	begin := at(t, "Europe/London", "2026-12-01 12:00")
	for now := begin; now.Before(begin.AddDate(2, 0, 0)); now = now.Add(time.Hour) {
		w.run(w.drills, now)
		w.signIn(em1, now)
		w.signIn(em2, now)
	}
	routine := 0
	for i, d := range w.drills {
		if d.Cause == rollout.DrillRoutine {
			routine++
		}
		for _, o := range w.drills[:i] {
			if d.Cause == rollout.DrillRoutine && o.Cause == rollout.DrillRoutine && o.OpenedAt.Before(d.ClosesAt) && d.OpenedAt.Before(o.ClosesAt) {
				t.Errorf("%s (%s) and %s (%s) overlap", d.ID, d.OpenedAt, o.ID, o.OpenedAt)
			}
		}
	}
	if routine < 16 {
		t.Errorf("only %d routine drills in two years", routine)
	}
}

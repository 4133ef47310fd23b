package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

func day(t testing.TB, s string) rollout.Date {
	t.Helper()
	d, err := rollout.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTimeline(t *testing.T) {
	cfg := rollout.Config{
		Announce: day(t, "2026-11-28"), // a Saturday
		Waves: []rollout.WaveConfig{
			{Name: "administrators", Members: rollout.MembersAdmins, Deadline: day(t, "2026-12-15")},
			{Name: "ready", Members: rollout.MembersCapable},
			{Name: "everyone", Members: rollout.MembersAll, Deadline: day(t, "2027-01-11")}, // a Monday
		},
		ReminderDays:      []int{7, 3, 1},
		Communication:     rollout.Communication{Training: rollout.Training{Title: "Two factors", Start: "2026-12-08T10:00"}},
		Enforcement:       rollout.SwitchWindow{Holidays: []rollout.Date{day(t, "2026-12-14"), day(t, "2027-01-04")}},
		Exemptions:        []rollout.Exemption{{Account: "scanner@contoso.com", Expires: day(t, "2027-03-31")}},
		Waivers:           []rollout.Waiver{{Gate: "coverage", Until: day(t, "2027-01-12")}},
		EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1, Custodian: "COO"}, {ID: em2, Custodian: "CFO"}},
	}
	checkTimeline(t, cfg, `
Mon 2026-11-30 announcement
Mon 2026-11-30 observation, 7 days or more
Mon 2026-11-30 drill, COO tries em1, due before the first switch
Mon 2026-11-30 drill, CFO tries em2, due before the first switch
Mon 2026-12-07 opens ready, each person from the day they are capable
Tue 2026-12-08 training, Two factors
Tue 2026-12-08 reminder administrators, 7 days before the deadline
Tue 2026-12-15 deadline administrators
Tue 2026-12-29 settled administrators, at the earliest
Tue 2027-01-05 reminder everyone, 6 days before the deadline
Fri 2027-01-08 reminder everyone, 3 days before the deadline
Mon 2027-01-11 deadline everyone
Tue 2027-01-12 waiver ends, coverage
Fri 2027-01-22 drill invitation, COO is asked to try em1
Mon 2027-01-25 settled everyone, at the earliest
Fri 2027-01-29 drill invitation, CFO is asked to try em2
Fri 2027-02-05 drill, COO tries em1, until 2027-02-12
Fri 2027-02-12 drill, CFO tries em2, until 2027-02-19
Wed 2027-03-31 exemption ends, scanner@contoso.com
`)

	// Security Defaults know one switch for everybody and no report-only.
	cfg.Method = rollout.MethodSecurityDefaults
	cfg.Communication.Training, cfg.Exemptions, cfg.Waivers, cfg.ReminderDays = rollout.Training{}, nil, nil, []int{1}
	cfg.Enforcement.Holidays, cfg.EmergencyAccounts = nil, nil
	checkTimeline(t, cfg, `
Mon 2026-11-30 announcement
Mon 2026-12-14 reminder administrators, the day before the deadline
Tue 2026-12-15 deadline administrators, switched with everyone
Mon 2027-01-11 deadline everyone
Mon 2027-01-25 settled administrators, at the earliest
Mon 2027-01-25 settled everyone, at the earliest
`)
}

func checkTimeline(t *testing.T, cfg rollout.Config, want string) {
	t.Helper()
	var got strings.Builder
	got.WriteByte('\n')
	for _, e := range rollout.Timeline(cfg) {
		fmt.Fprintf(&got, "%s %s %s", e.Day.Weekday().String()[:3], e.Day, e.What)
		if e.Wave != "" {
			fmt.Fprintf(&got, " %s", e.Wave)
		}
		if e.Detail != "" {
			fmt.Fprintf(&got, ", %s", e.Detail)
		}
		got.WriteByte('\n')
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}

// TestReminderDay walks one window through the week of its deadline.
func TestReminderDay(t *testing.T) {
	holiday := day(t, "2027-01-06")
	tests := []struct {
		name     string
		deadline string
		window   int
		want     string // empty: silent
	}{
		{"its first day is a working day", "2027-01-14", 7, "2027-01-07"},
		{"begins on a Sunday: the next Monday", "2027-01-19", 9, "2027-01-11"},
		{"begins on a holiday: the day after", "2027-01-13", 7, "2027-01-07"},
		{"begins on a Saturday and is over on Sunday", "2027-01-11", 2, ""},
		{"the day before is a Sunday", "2027-01-11", 1, ""},
		{"reaches back before the announcement", "2027-01-12", 14, "2027-01-01"},
		{"lies before the announcement", "2026-12-31", 3, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := rollout.Config{
				Announce:     day(t, "2026-12-31"),
				ReminderDays: []int{14, 9, 7, 3, 2, 1},
				Enforcement:  rollout.SwitchWindow{Holidays: []rollout.Date{holiday}},
			}
			got, ok := cfg.ReminderDay(day(t, tt.deadline), tt.window)
			if got.String() != tt.want || ok != (tt.want != "") {
				t.Errorf("ReminderDay(%s, %d) = %s, %v; want %q", tt.deadline, tt.window, got, ok, tt.want)
			}
		})
	}
}

// TestReminderDayHoldsItsWindow: whatever the calendar, a reminder goes out on a
// working day inside its own window, after the announcement, and no two windows
// share a day (nobody gets two messages in a day). A silent window has no day
// on which it could have gone out.
func TestReminderDayHoldsItsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rollout.Date{Year: 2026, Month: time.December, Day: 1}
		days := rapid.IntRange(0, 60)
		cfg := rollout.Config{Announce: start.AddDays(days.Draw(t, "announce"))}
		for range rapid.IntRange(0, 8).Draw(t, "holidays") {
			cfg.Enforcement.Holidays = append(cfg.Enforcement.Holidays, start.AddDays(days.Draw(t, "holiday")))
		}
		cfg.ReminderDays = rapid.SliceOfNDistinct(rapid.IntRange(1, 30), 0, 5, rapid.ID[int]).Draw(t, "windows")
		deadline := start.AddDays(days.Draw(t, "deadline"))
		taken := map[rollout.Date]int{}
		for _, window := range cfg.ReminderDays {
			next := 0
			for _, w := range cfg.ReminderDays {
				if w < window {
					next = max(next, w)
				}
			}
			possible := func(d rollout.Date) bool {
				before := d.DaysUntil(deadline)
				return before <= window && before > next && cfg.Enforcement.WorkingDay(d) && cfg.AnnouncementDay().Before(d)
			}
			got, ok := cfg.ReminderDay(deadline, window)
			if !ok {
				for before := next + 1; before <= window; before++ {
					if d := deadline.AddDays(-before); possible(d) {
						t.Fatalf("window %d is silent although %s would do", window, d)
					}
				}
				continue
			}
			if !possible(got) {
				t.Fatalf("window %d goes out on %s, which is outside it, before the announcement or no working day", window, got)
			}
			if other, twice := taken[got]; twice {
				t.Fatalf("windows %d and %d both go out on %s", other, window, got)
			}
			taken[got] = window
		}
	})
}

package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// foresee is the outlook of one gate of the wave of everyone.
func (s *scene) foresee(t testing.TB, gate string, day rollout.Date) rollout.Forecast {
	t.Helper()
	wave, _ := s.cfg.Wave("everyone")
	all := rollout.Foresee(s.cfg, s.seen, s.known, wave, s.now, day)
	i := slices.IndexFunc(all, func(f rollout.Forecast) bool { return f.ID == gate })
	if i < 0 {
		t.Fatalf("there is no forecast of %s", gate)
	}
	return all[i]
}

// atChristmas takes the scene back to a day on which the wave is observed and its
// deadline, 2027-01-12, lies ahead.
func atChristmas(t *testing.T) *scene {
	s := sample(t)
	s.now = at(t, "Europe/London", "2026-12-21 10:00")
	s.seen.Audit.At = s.now.Add(-8 * time.Hour)
	s.seen.Observations[0].LastAt = s.now.Add(-24 * time.Hour)
	return s
}

// TestForesee: each gate as it will be on the deadline, or on the named day.
func TestForesee(t *testing.T) {
	tests := []struct {
		gate, name string
		change     func(t *testing.T, s *scene)
		on         string // empty: the deadline
		want       rollout.Outlook
		says       string
	}{
		{"emergency-accounts", "proven now", nil, "", rollout.WillHold, "as today, which may change"},
		{"emergency-accounts", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, "", rollout.Unforeseen, "not read"},
		{"emergency-accounts", "wrong now", func(_ *testing.T, s *scene) { s.seen.Live.Emergency[1].Enabled = rollout.No }, "", rollout.WillFail, "is enabled (no)"},
		{"emergency-excluded", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, "", rollout.Unforeseen, "not read"},
		{"policies-unchanged", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, "", rollout.Unforeseen, "not read"},
		{"permissions", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, "", rollout.Unforeseen, "not read"},
		{"defaults-off", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, "", rollout.Unforeseen, "not known"},

		{"audit-fresh", "fresh now", nil, "", rollout.WillHold, "fresh if the audit goes on"},
		{"audit-fresh", "old now", func(_ *testing.T, s *scene) { s.seen.Audit.At = s.now.Add(-40 * time.Hour) }, "", rollout.Unforeseen, "if the audit runs again"},

		{"capable-admin", "now", nil, "", rollout.WillHold, "2 capable"},
		{"capable-admin", "only by text message, after the end", func(_ *testing.T, s *scene) {
			s.account("admin1").Strength, s.account("admin2").Strength = rollout.StrengthWeak, rollout.StrengthWeak
		}, "2027-02-01", rollout.WillFail, "0 capable"},
		{"capable-admin", "only by text message, before it", func(_ *testing.T, s *scene) {
			s.account("admin1").Strength, s.account("admin2").Strength = rollout.StrengthWeak, rollout.StrengthWeak
		}, "2027-01-28", rollout.WillHold, "2 capable"},

		{"alert-path", "drills of 1 December", nil, "", rollout.WillHold, "young enough"},
		{"alert-path", "90 days later", nil, "2027-03-01", rollout.WillHold, "young enough"},
		{"alert-path", "91 days later", nil, "2027-03-02", rollout.WillFail, "em2: no drill was passed within 90 days, the last on 2026-12-01, by then"},

		{"observed", "since 1 December", nil, "", rollout.WillHold, "7 days by then"},
		{"observed", "since five days, in two", func(_ *testing.T, s *scene) { s.wave("everyone").ObservedFrom = s.now.Add(-5 * 24 * time.Hour) }, "2026-12-22", rollout.WillFail, "6.0 of 7 days by then"},
		{"observed", "since five days, in three", func(_ *testing.T, s *scene) {
			s.wave("everyone").ObservedFrom = s.now.Add(-5*24*time.Hour - 2*time.Hour)
		}, "2026-12-23", rollout.WillHold, "7 days by then"},
		{"observed", "seven days to the minute", func(t *testing.T, s *scene) {
			s.wave("everyone").ObservedFrom = at(t, "Europe/London", "2026-12-16 09:00")
		}, "2026-12-23", rollout.WillHold, "7 days by then"},
		{"observed", "no verdicts yet", func(_ *testing.T, s *scene) { s.seen.Observations = nil }, "", rollout.Unforeseen, "no verdict"},
		{"observed", "not begun, in time", func(_ *testing.T, s *scene) { s.wave("everyone").ObservedFrom = time.Time{} }, "", rollout.Unforeseen, "must by 2027-01-05"},
		{"observed", "not begun, a week ahead", func(_ *testing.T, s *scene) { s.wave("everyone").ObservedFrom = time.Time{} }, "2026-12-28", rollout.Unforeseen, "must by 2026-12-21"},
		{"observed", "not begun, six days ahead", func(_ *testing.T, s *scene) { s.wave("everyone").ObservedFrom = time.Time{} }, "2026-12-27", rollout.WillFail, "2026-12-21 at the earliest"},
		{"observed", "not announced before January", func(t *testing.T, s *scene) {
			s.wave("everyone").ObservedFrom, s.cfg.Announce = time.Time{}, day(t, "2027-01-06")
		}, "", rollout.WillFail, "2027-01-06 at the earliest"},
		{"observed", "Security Defaults", func(_ *testing.T, s *scene) { s.seen.Audit.Method = rollout.MethodSecurityDefaults }, "", rollout.WillHold, "no report-only"},

		{"notice-given", "told on 1 December", nil, "", rollout.WillHold, "1 people would be stopped"},
		{"notice-given", "told, and the notice runs its course by itself", func(t *testing.T, s *scene) {
			s.known.Messages = []rollout.Message{told("m18", day(t, "2026-12-20"), s.cfg)}
		}, "", rollout.WillHold, "1 people would be stopped"},
		{"notice-given", "told, for a day too early", func(t *testing.T, s *scene) {
			s.known.Messages = []rollout.Message{told("m18", day(t, "2026-12-20"), s.cfg)}
		}, "2026-12-30", rollout.Unforeseen, "left out until their own notice has run: m18"},
		{"notice-given", "not told yet, and there is time", func(_ *testing.T, s *scene) { s.known.Messages = nil }, "", rollout.Unforeseen, "delivered by 2026-12-29 is in time"},
		{"notice-given", "not told, 14 days ahead", func(_ *testing.T, s *scene) { s.known.Messages = nil }, "2027-01-04", rollout.Unforeseen, "delivered by 2026-12-21 is in time"},
		{"notice-given", "not told, 13 days ahead", func(_ *testing.T, s *scene) { s.known.Messages = nil }, "2027-01-03", rollout.Unforeseen, "left out until"},
		{"notice-given", "three not told, 13 days ahead", func(t *testing.T, s *scene) { fourUntold(t, s); s.account("m17").Capable = rollout.Yes }, "2027-01-03", rollout.Unforeseen, "3 people cannot be told in time"},
		{"notice-given", "four not told, 13 days ahead", fourUntold, "2027-01-03", rollout.WillFail, "4 people can no longer be told 14 days before"},
		{"notice-given", "not told, and Security Defaults leave nobody out", func(_ *testing.T, s *scene) {
			s.known.Messages, s.seen.Audit.Method = nil, rollout.MethodSecurityDefaults
		}, "2027-01-03", rollout.WillFail, "1 people can no longer be told"},
		{"notice-given", "four not told, announced in January", func(t *testing.T, s *scene) {
			fourUntold(t, s)
			s.cfg.Announce = day(t, "2027-01-04")
		}, "", rollout.WillFail, "4 people can no longer be told"},
		{"notice-given", "nothing was read", func(_ *testing.T, s *scene) { s.seen.Accounts = nil }, "", rollout.Unforeseen, "no account"},
		{"notice-given", "not told, and nothing was read live", func(_ *testing.T, s *scene) { s.seen.Live, s.known.Messages = nil, nil }, "2027-01-03", rollout.Unforeseen, "m18"},
		{"notice-given", "text messages end before", func(t *testing.T, s *scene) {
			s.account("m01").Strength = rollout.StrengthWeak
		}, "2027-02-01", rollout.Unforeseen, "1 people were not told yet"},
		{"notice-given", "an exemption that is not in force yet", func(t *testing.T, s *scene) {
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m01", Expires: day(t, "2027-02-01")}}
		}, "", rollout.Unforeseen, "not all in force"},

		{"coverage", "no account was read", func(_ *testing.T, s *scene) { s.seen.Accounts = nil }, "", rollout.Unforeseen, "nobody yet"},
		{"help-desk", "which needs no accounts", func(_ *testing.T, s *scene) { s.seen.Accounts = nil }, "", rollout.WillHold, "IT Help Desk"},
		{"coverage", "now", nil, "", rollout.WillHold, "19 of 20"},
		{"coverage", "two by text message alone, after the end", func(_ *testing.T, s *scene) {
			s.account("m01").Strength, s.account("m02").Strength = rollout.StrengthWeak, rollout.StrengthWeak
		}, "2027-02-01", rollout.WillFail, "17 of 20"},
		{"coverage", "an exemption ends before", func(t *testing.T, s *scene) {
			s.account("m17").Capable = rollout.No
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m17", Expires: day(t, "2027-01-11")}}
		}, "", rollout.WillFail, "18 of 20"},
		{"coverage", "it ends on that day", func(t *testing.T, s *scene) {
			s.account("m17").Capable = rollout.No
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m17", Expires: day(t, "2027-01-12")}}
		}, "", rollout.WillFail, "18 of 19"},
		{"service-accounts", "an exemption ends before", func(t *testing.T, s *scene) {
			s.account("m17").Class = rollout.ClassService
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m17", Expires: day(t, "2027-01-11")}}
		}, "", rollout.WillFail, "m17"},
		{"service-accounts", "an exemption ends on that day", func(t *testing.T, s *scene) {
			s.account("m17").Class = rollout.ClassService
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m17", Expires: day(t, "2027-01-12")}}
		}, "", rollout.WillHold, "none is left"},
		{"legacy", "an old client goes on being used", func(_ *testing.T, s *scene) {
			s.seen.Audit.Legacy = []rollout.LegacyUse{{Account: "m01", Client: "IMAP4", LastAt: s.now.Add(-24 * time.Hour)}}
		}, "", rollout.WillFail, "m01 by IMAP4"},

		{rollout.GateWindow, "a Tuesday", nil, "", rollout.WillHold, "open on Tuesday from 9:00 to 16:00"},
		{rollout.GateWindow, "a Friday", nil, "2027-01-15", rollout.WillFail, "opens Monday 2027-01-18 09:00"},
		{rollout.GateWindow, "a holiday", func(t *testing.T, s *scene) { s.cfg.Enforcement.Holidays = []rollout.Date{day(t, "2027-01-12")} }, "", rollout.WillFail, "opens Wednesday 2027-01-13 09:00"},
	}
	for _, tt := range tests {
		t.Run(tt.gate+": "+tt.name, func(t *testing.T) {
			s := atChristmas(t)
			if tt.change != nil {
				tt.change(t, s)
			}
			on := day(t, "2027-01-12")
			if tt.on != "" {
				on = day(t, tt.on)
			}
			if got := s.foresee(t, tt.gate, on); got.Outlook != tt.want || !strings.Contains(got.Evidence, tt.says) {
				t.Errorf("%s: %q; want %s with %q", got.Outlook, got.Evidence, tt.want, tt.says)
			}
		})
	}
}

func fourUntold(_ *testing.T, s *scene) {
	s.known.Messages = nil
	for _, id := range []string{"m15", "m16", "m17"} {
		s.account(id).Capable = rollout.No
	}
}

// TestForeseeWaivers: a waiver counts while it lasts, and one that ends before is
// named.
func TestForeseeWaivers(t *testing.T) {
	for until, holds := range map[string]bool{"2027-01-12": true, "2027-01-11": false} {
		s := atChristmas(t)
		s.cfg.Communication.HelpDesk = rollout.HelpDesk{}
		s.cfg.Waivers = []rollout.Waiver{{Gate: "help-desk", Owner: "Alex Wilber", Reason: "moving house", Until: day(t, until)}}
		f := s.foresee(t, "help-desk", day(t, "2027-01-12"))
		if f.Holds() != holds || f.Outlook != rollout.WillFail || (f.Waived != nil) != holds || f.Today.Waived == nil {
			t.Errorf("waived until %s: %+v", until, f)
		}
		if says := strings.Contains(f.Evidence, "the waiver of Alex Wilber ends on 2027-01-11, before that day"); says == holds {
			t.Errorf("waived until %s: %q", until, f.Evidence)
		}
	}
}

// TestForeseeNeverWaivesWhatCannotBe: no waiver lifts the four.
func TestForeseeNeverWaivesWhatCannotBe(t *testing.T) {
	s := atChristmas(t)
	s.seen.Live = nil
	s.cfg.Waivers = []rollout.Waiver{{Gate: "emergency-accounts", Owner: "Alex Wilber", Reason: "none", Until: day(t, "2027-12-31")}}
	if f := s.foresee(t, "emergency-accounts", day(t, "2027-01-12")); f.Holds() {
		t.Errorf("%+v", f)
	}
}

// TestForesightComesTrue: what was said to hold on a day holds on it if nothing
// but the date changes, with an audit of the night and sign-ins of the day
// before. And what was said to fail fails.
func TestForesightComesTrue(t *testing.T) {
	outlooks := map[rollout.Outlook]int{}
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScene(rt, t)
		wave := rapid.SampledFrom(s.cfg.Waves).Draw(rt, "wave")
		today := rollout.DateOf(s.now.In(s.cfg.Location()))
		day := today.AddDays(rapid.IntRange(1, 40).Draw(rt, "days ahead"))
		forecasts := rollout.Foresee(s.cfg, s.seen, s.known, wave, s.now, day)
		then := day.At(s.cfg.Enforcement.FromHour, 0, s.cfg.Location())
		moved := s.seen
		moved.Audit.At = then.Add(-8 * time.Hour)
		moved.Observations = slices.Clone(s.seen.Observations)
		for i, o := range moved.Observations {
			moved.Observations[i].LastAt = then.Add(-s.now.Sub(o.LastAt))
		}
		results := rollout.CheckGates(s.cfg, moved, s.known, wave, then)
		for i, f := range forecasts {
			outlooks[f.Outlook]++
			if r := results[i]; f.Outlook == rollout.WillHold && !r.OK || f.Outlook == rollout.WillFail && r.OK {
				rt.Fatalf("%s on %s: %s (%s), but then: %+v", f.ID, day, f.Outlook, f.Evidence, r)
			}
		}
	})
	if len(outlooks) != 3 {
		t.Errorf("outlooks %v: not all three came up, so nothing was proven of one", outlooks)
	}
}

package rollout_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

// TestMoves walks every pair of states: what the table does not hold is refused,
// and leaves the wave as it was.
func TestMoves(t *testing.T) {
	states := []rollout.WaveState{
		rollout.WavePlanned, rollout.WaveAnnounced, rollout.WaveObserving, rollout.WaveHeld,
		rollout.WaveEnforced, rollout.WaveSettled, rollout.WavePaused, rollout.WaveRolledBack,
	}
	// Written out again on purpose: a move is added to both or to none.
	allowed := map[rollout.WaveState][]rollout.WaveState{
		rollout.WavePlanned:    {rollout.WaveAnnounced, rollout.WavePaused},
		rollout.WaveAnnounced:  {rollout.WaveObserving, rollout.WavePaused},
		rollout.WaveObserving:  {rollout.WaveHeld, rollout.WaveEnforced, rollout.WavePaused},
		rollout.WaveHeld:       {rollout.WaveObserving, rollout.WaveEnforced, rollout.WavePaused},
		rollout.WaveEnforced:   {rollout.WaveSettled, rollout.WaveRolledBack},
		rollout.WaveSettled:    {rollout.WaveRolledBack},
		rollout.WavePaused:     {rollout.WavePlanned, rollout.WaveAnnounced, rollout.WaveObserving, rollout.WaveHeld},
		rollout.WaveRolledBack: {rollout.WaveObserving},
	}
	now := at(t, "UTC", "2027-01-12 10:00")
	for _, from := range states {
		for _, to := range states {
			before := rollout.Wave{Name: "everyone", State: from, Version: 7}
			got, err := rollout.Transition(before, to, now, "because")
			if may := slices.Contains(allowed[from], to); may != (err == nil) {
				t.Errorf("%s -> %s: %v, allowed %v", from, to, err, may)
			}
			if err != nil && !cmp.Equal(got, before) {
				t.Errorf("%s -> %s was refused, yet changed the wave: %+v", from, to, got)
			}
			if err == nil && (got.State != to || len(got.History) != 1 || got.Version != 7) {
				t.Errorf("%s -> %s: %+v", from, to, got)
			}
		}
	}
	if _, err := rollout.Transition(rollout.Wave{State: "dreaming"}, rollout.WaveEnforced, now, ""); err == nil {
		t.Error("a state that nobody knows may move")
	}
}

// TestTransitionRemembers walks a wave through its life, a roll-back included.
func TestTransitionRemembers(t *testing.T) {
	now := at(t, "UTC", "2026-12-01 09:00")
	w := rollout.Wave{Name: "everyone", State: rollout.WavePlanned}
	when := map[rollout.WaveState]time.Time{}
	move := func(to rollout.WaveState, gates ...string) {
		t.Helper()
		var err error
		now = now.Add(24 * time.Hour)
		if w, err = rollout.Transition(w, to, now, "because", gates...); err != nil {
			t.Fatal(err)
		}
		if when[to].IsZero() {
			when[to] = now
		}
	}
	move(rollout.WaveAnnounced)
	move(rollout.WaveObserving)
	move(rollout.WaveHeld, "coverage")
	move(rollout.WaveObserving)
	move(rollout.WaveEnforced)
	if !w.AnnouncedAt.Equal(when[rollout.WaveAnnounced]) || !w.ObservedFrom.Equal(when[rollout.WaveObserving]) || !w.EnforcedAt.Equal(now) {
		t.Errorf("%+v, want the first moments of %v", w, when)
	}
	if !slices.Equal(w.History[2].Gates, []string{"coverage"}) || w.History[2].Reason != "because" {
		t.Errorf("history %+v", w.History[2])
	}

	w.BreakerTripped = "too many people"
	move(rollout.WaveRolledBack)
	move(rollout.WaveObserving)
	if !w.ObservedFrom.Equal(now) {
		t.Errorf("observed from %s, want anew from %s after the roll-back", w.ObservedFrom, now)
	}
	move(rollout.WaveEnforced)
	if w.BreakerTripped != "" {
		t.Error("the old verdict of the breaker would put the wave back at once")
	}
	if !w.EnforcedAt.Equal(now) {
		t.Errorf("enforced at %s, want the second switch at %s: the watch begins anew", w.EnforcedAt, now)
	}
	move(rollout.WaveSettled)
	if !w.SettledAt.Equal(now) {
		t.Errorf("settled at %s", w.SettledAt)
	}
}

func TestTransitionLeavesItsInputAlone(t *testing.T) {
	history := make([]rollout.Move, 1, 8)
	w := rollout.Wave{State: rollout.WavePlanned, History: history}
	_, err1 := rollout.Transition(w, rollout.WaveAnnounced, time.Time{}, "one")
	two, err2 := rollout.Transition(w, rollout.WavePaused, time.Time{}, "two")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if two.History[1].Reason != "two" || history[:2][1].Reason != "" {
		t.Errorf("two transitions share memory: %+v", history[:2])
	}
}

// TestHolds: who can be stopped by which wave.
func TestHolds(t *testing.T) {
	cfg := rollout.Config{
		EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1}, {ID: "LATE"}},
		Exemptions:        []rollout.Exemption{{Account: "exempt@CONTOSO.com", Expires: day(t, "2027-01-12")}},
	}
	as := func(id string, class rollout.Class) rollout.Account {
		a := person(id, rollout.Yes)
		a.Class = class
		return a
	}
	admin, off, guest := as("admin", rollout.ClassAdmin), as("off", rollout.ClassMember), as("guest", rollout.ClassGuest)
	admin.Roles, guest.Roles, off.Enabled = []string{helpdeskAdministrator}, []string{helpdeskAdministrator}, false
	late := as("late", rollout.ClassAdmin) // an emergency account since today
	late.Roles = []string{rollout.RoleGlobalAdministrator}
	tests := []struct {
		account            rollout.Account
		admins, ready, all bool
	}{
		{admin, true, true, true},
		{as("member", rollout.ClassMember), false, true, true},
		{person("not-capable", rollout.No), false, false, true},
		{person("unknown", rollout.Unknown), false, false, true},
		{as("never", rollout.ClassNeverSignedIn), false, true, true},
		{as("service", rollout.ClassService), false, false, true},
		{guest, false, false, false},
		{as(em1, rollout.ClassEmergency), false, false, false},
		{late, false, false, false},
		{as("sync", rollout.ClassSync), false, false, false},
		{off, false, false, false},
		{as("exempt", rollout.ClassMember), false, false, false},
	}
	today := day(t, "2027-01-12")
	holds := func(m rollout.Members, a rollout.Account, on rollout.Date) bool {
		return rollout.WaveConfig{Members: m}.Holds(cfg, a, on)
	}
	for _, tt := range tests {
		got := []bool{holds(rollout.MembersAdmins, tt.account, today), holds(rollout.MembersCapable, tt.account, today), holds(rollout.MembersAll, tt.account, today)}
		if want := []bool{tt.admins, tt.ready, tt.all}; !slices.Equal(got, want) {
			t.Errorf("%s: admins, ready, all = %v, want %v", tt.account.ID, got, want)
		}
	}
	if !holds(rollout.MembersAll, as("exempt", rollout.ClassMember), today.AddDays(1)) {
		t.Error("an exemption that has ended still holds")
	}
	if holds("somebody", admin, today) {
		t.Error("a set that nobody knows holds somebody")
	}
	cfg.CountGuests = true
	if !holds(rollout.MembersAll, guest, today) || !holds(rollout.MembersAdmins, guest, today) {
		t.Error("guests count, and are not held")
	}
}

// TestWaveOf: each person's deadline is that of the first wave that holds them
// and has one.
func TestWaveOf(t *testing.T) {
	s := sample(t)
	for id, want := range map[string]string{"admin1": "administrators", "m01": "everyone", "m18": "everyone", em1: ""} {
		if got, ok := rollout.WaveOf(s.cfg, *s.account(id), rollout.DateOf(s.now)); got.Name != want || ok != (want != "") {
			t.Errorf("%s: wave %q, want %q", id, got.Name, want)
		}
	}
}

func TestNeededCoverage(t *testing.T) {
	for want, w := range map[float64]rollout.WaveConfig{
		95: {Members: rollout.MembersAll}, 90: {Members: rollout.MembersAdmins}, 80: {Members: rollout.MembersAdmins, Coverage: 80},
	} {
		if got := w.NeededCoverage(); got != want {
			t.Errorf("%+v needs %v, want %v", w, got, want)
		}
	}
}

// TestWindow walks through a week and two changes of the clocks.
func TestWindow(t *testing.T) {
	tests := []struct {
		zone, local string
		open        bool
		next        string // the next opening, in the same zone
	}{
		{"Europe/London", "2027-01-11 09:00", true, "2027-01-11 09:00"},
		{"Europe/London", "2027-01-11 15:59", true, "2027-01-11 15:59"},
		{"Europe/London", "2027-01-11 16:00", false, "2027-01-12 09:00"},
		{"Europe/London", "2027-01-14 16:00", false, "2027-01-18 09:00"}, // Thursday evening
		{"Europe/London", "2027-01-15 10:00", false, "2027-01-18 09:00"}, // Friday
		{"Europe/London", "2027-03-26 10:00", false, "2027-03-29 09:00"}, // the clocks jump on the 28th
		{"America/New_York", "2027-03-13 10:00", false, "2027-03-15 09:00"},
		{"Pacific/Kiritimati", "2027-01-12 09:00", true, "2027-01-12 09:00"},
		{"Pacific/Pago_Pago", "2027-01-12 08:59", false, "2027-01-12 09:00"},
		{"Europe/London", "2027-01-19 10:00", false, "2027-01-20 09:00"}, // a holiday
	}
	for _, tt := range tests {
		cfg := rollout.Config{TimeZone: tt.zone, Enforcement: rollout.SwitchWindow{FromHour: 9, ToHour: 16, Holidays: []rollout.Date{day(t, "2027-01-19")}}}
		now := at(t, tt.zone, tt.local).UTC()
		if got := cfg.InWindow(now); got != tt.open {
			t.Errorf("%s %s: open %v", tt.zone, tt.local, got)
		}
		if got := cfg.NextOpening(now); !got.Equal(at(t, tt.zone, tt.next)) {
			t.Errorf("%s %s: opens %s, want %s", tt.zone, tt.local, got.In(cfg.Location()), tt.next)
		}
	}
}

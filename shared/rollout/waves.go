package rollout

import (
	"fmt"
	"slices"
	"time"
)

// The lengths that a rollout is built from, in days.
const (
	// NoticeDays is how long before a switch everyone it can stop was told.
	NoticeDays = 14
	// ObserveDays is how long a policy stands report-only before a switch.
	ObserveDays = 7
	// SettleDays is how long a switched wave is watched before it may settle.
	SettleDays = 14
)

// DrillDays is how old, in days, the newest passed drill of an emergency account
// may be.
// Source: https://learn.microsoft.com/entra/identity/role-based-access-control/security-emergency-access
const DrillDays = 90

// AuditMaxAge is how old the newest complete audit may be: one missed night.
const AuditMaxAge = 36 * time.Hour

// Moves is the table of allowed moves of a wave. What is not in it cannot
// happen; settled is the end, unless the circuit breaker trips late.
func Moves() map[WaveState][]WaveState {
	return map[WaveState][]WaveState{
		WavePlanned:    {WaveAnnounced, WavePaused},
		WaveAnnounced:  {WaveObserving, WavePaused},
		WaveObserving:  {WaveHeld, WaveEnforced, WavePaused},
		WaveHeld:       {WaveObserving, WaveEnforced, WavePaused},
		WaveEnforced:   {WaveSettled, WaveRolledBack},
		WaveRolledBack: {WaveObserving},
		WavePaused:     {WavePlanned, WaveAnnounced, WaveObserving, WaveHeld},
		WaveSettled:    {WaveRolledBack},
	}
}

// Transition moves a wave, or says why it may not. It is the only way in which
// a state changes; the store's condition on the version makes it happen once.
// A wave that is let on again after a roll-back is observed and watched anew.
func Transition(w Wave, to WaveState, at time.Time, reason string, gates ...string) (Wave, error) {
	if !slices.Contains(Moves()[w.State], to) {
		return w, fmt.Errorf("wave %s cannot go from %s to %s: the table of moves does not hold it", w.Name, w.State, to)
	}
	w.History = append(slices.Clone(w.History), Move{From: w.State, To: to, At: at, Reason: reason, Gates: gates})
	w.State = to
	first := func(t *time.Time) {
		if t.IsZero() {
			*t = at
		}
	}
	switch to {
	case WaveAnnounced:
		first(&w.AnnouncedAt)
	case WaveObserving:
		if w.History[len(w.History)-1].From == WaveRolledBack {
			w.ObservedFrom = at // whom it stopped is to be seen again before a second switch
		}
		first(&w.ObservedFrom)
	case WaveEnforced:
		w.EnforcedAt = at
	case WaveSettled:
		w.SettledAt = at
	case WaveRolledBack:
		w.BreakerTripped = "" // its verdict was carried out
	}
	return w, nil
}

// Holds reports whether the wave's policy addresses the account: who could be
// stopped by it. Emergency and exempted accounts are outside every wave, and so
// are guests unless the operator counts them: the policies exclude them.
func (w WaveConfig) Holds(cfg Config, a Account, day Date) bool {
	// An account that was only just configured keeps its old class until the
	// next audit.
	if a.Class == ClassEmergency || cfg.IsEmergency(a.ID) || a.Class == ClassSync || !a.Enabled {
		return false
	}
	if _, exempt := cfg.Exemption(a, day); exempt || (a.Class == ClassGuest && !cfg.CountGuests) {
		return false
	}
	switch w.Members {
	case MembersAdmins:
		return administers(a)
	case MembersCapable:
		return a.Capable == Yes && IsPerson(cfg, a)
	case MembersAll:
		return true
	}
	return false
}

// NeededCoverage is the percentage that the coverage gate demands: the
// configured one, else 95 for everyone and 90 for administrators.
func (w WaveConfig) NeededCoverage() float64 {
	switch {
	case w.Coverage > 0:
		return float64(w.Coverage)
	case w.Members == MembersAdmins:
		return 90
	}
	return 95
}

// WaveOf returns the wave that gives a person their deadline: the first
// configured one with a deadline that holds them.
func WaveOf(cfg Config, a Account, day Date) (WaveConfig, bool) {
	i := slices.IndexFunc(cfg.Waves, func(w WaveConfig) bool { return !w.Deadline.IsZero() && w.Holds(cfg, a, day) })
	if i < 0 {
		return WaveConfig{}, false
	}
	return cfg.Waves[i], true
}

// WorkingDay reports whether people are written to on the day: Monday to
// Friday, no holiday of the tenant.
func (s SwitchWindow) WorkingDay(day Date) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday && !slices.Contains(s.Holidays, day)
}

func (s SwitchWindow) switchDay(day Date) bool {
	return s.WorkingDay(day) && day.Weekday() != time.Friday
}

// InWindow reports whether a switch may be made at that moment: business hours
// of the tenant, on a day on which anything may be switched.
func (c Config) InWindow(now time.Time) bool {
	local := now.In(c.Location())
	return c.IsSwitchDay(DateOf(local)) && local.Hour() >= c.Enforcement.FromHour && local.Hour() < c.Enforcement.ToHour
}

// NextOpening is the first moment from now on at which the window is open; zero
// if there is none within a year.
func (c Config) NextOpening(now time.Time) time.Time {
	if c.InWindow(now) {
		return now
	}
	local := now.In(c.Location())
	from := DateOf(local)
	if local.Hour() >= c.Enforcement.FromHour {
		from = from.AddDays(1)
	}
	day, ok := c.firstDay(from, c.IsSwitchDay)
	if !ok {
		return time.Time{}
	}
	return day.At(c.Enforcement.FromHour, 0, c.Location())
}

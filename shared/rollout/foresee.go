package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Outlook is what can be said today of a gate on a later day.
type Outlook string

// The three outlooks. What nobody knows today is never said to hold.
const (
	WillHold    Outlook = "will hold"
	WillFail    Outlook = "will fail"
	Unforeseen  Outlook = "cannot be foreseen"
	asItIsToday         = "as today, which may change"
)

// Forecast is what a gate will say on a later day if nothing changes but the
// date: exemptions, waivers and drills run out, notices run their course, text
// messages end. Audits and sign-ins are taken to go on.
type Forecast struct {
	ID       string     `json:"id"`
	Question string     `json:"question"`
	Outlook  Outlook    `json:"outlook"`
	Evidence string     `json:"evidence"`
	Remedy   string     `json:"remedy"`
	Today    GateResult `json:"today"`
	Waived   *Waiver    `json:"waived,omitempty"` // the waiver that lifts it on that day
	Day      Date       `json:"day"`
}

// Holds reports whether the gate is foreseen to let the switch through.
func (f Forecast) Holds() bool { return f.Outlook == WillHold || f.Waived != nil }

// Foresee says of every gate of a wave what it will say when the window opens on
// that day, in the order in which to mend. It is for a day after today: of today
// [CheckGates] says what is.
func Foresee(cfg Config, seen Seen, known Known, wave WaveConfig, now time.Time, day Date) []Forecast {
	today := newGateInput(cfg, seen, known, wave, now)
	then := today.on(day)
	forecasts := make([]Forecast, 0, len(Gates()))
	for _, g := range Gates() {
		r := g.ask(today)
		f := Forecast{ID: g.ID, Question: g.Question, Remedy: g.Remedy, Today: r, Day: day}
		if foresee := foresight()[g.ID]; foresee != nil {
			f.Outlook, f.Evidence = foresee(today, then)
		} else {
			f.Outlook, f.Evidence = asToday(g, today, then)
		}
		if f.Outlook != WillHold && g.Waivable {
			f.Waived = validWaiver(cfg.Waivers, g.ID, day)
		}
		if f.Outlook != WillHold && f.Waived == nil && r.Waived != nil {
			f.Evidence += fmt.Sprintf("; the waiver of %s ends on %s, before that day", r.Waived.Owner, r.Waived.Until)
		}
		forecasts = append(forecasts, f)
	}
	return forecasts
}

// on is the same knowledge on a later day, when the window opens.
func (in gateInput) on(day Date) gateInput {
	then := in
	then.day, then.now = day, day.At(in.cfg.Enforcement.FromHour, 0, in.cfg.Location())
	then.blast = stopped(in.cfg, in.seen, in.wave, day)
	return then
}

// foresight holds what depends on time, by gate. Every other gate is asked with
// the day alone moved on.
func foresight() map[string]func(today, then gateInput) (Outlook, string) {
	return map[string]func(today, then gateInput) (Outlook, string){
		"audit-fresh":  foreseeAudit,
		"alert-path":   foreseeDrills,
		"observed":     foreseeObserved,
		"notice-given": foreseeNotice,
		GateWindow:     foreseeWindow,
	}
}

// asToday asks the gate with that day's exemptions and methods, and with all else
// as it is. A gate that was not given what it asks about is no forecast.
func asToday(g Gate, today, then gateInput) (Outlook, string) {
	if today.seen.Live == nil && slices.Contains(liveGates(), g.ID) {
		_, evidence := g.check(today)
		return Unforeseen, evidence
	}
	if len(today.seen.Accounts) == 0 {
		if ok, evidence := g.check(today); !ok {
			return Unforeseen, evidence
		}
	}
	then.now = today.now // what was seen in the last days goes on
	ok, evidence := g.check(then)
	if ok {
		return WillHold, evidence + ", " + asItIsToday
	}
	return WillFail, evidence
}

// liveGates are those that ask what was read of the tenant in this very run.
func liveGates() []string {
	return []string{"emergency-accounts", "emergency-excluded", GateDefaultsOff, "permissions", "policies-unchanged"}
}

// foreseeAudit: the audit is of last night or it is not, whatever day it will be.
func foreseeAudit(today, _ gateInput) (Outlook, string) {
	ok, evidence := gateAuditFresh(today)
	if ok {
		return WillHold, "fresh if the audit goes on running every night; now: " + evidence
	}
	return Unforeseen, "fresh if the audit runs again before; now: " + evidence
}

func foreseeDrills(today, then gateInput) (Outlook, string) {
	var wrong []string
	for _, t := range DrillTroubles(then.cfg, then.known.Drills, then.now) {
		wrong = append(wrong, t.Account+": "+t.Text)
	}
	if ok, evidence := gateAlertPath(then); !ok {
		if len(wrong) > 0 {
			evidence = strings.Join(wrong, "; ")
		}
		return WillFail, evidence + ", by then; pass one before"
	}
	return WillHold, "the newest drills are young enough on that day"
}

func foreseeWindow(_, then gateInput) (Outlook, string) {
	if ok, evidence := gateInWindow(then); !ok {
		return WillFail, evidence
	}
	return WillHold, fmt.Sprintf("open on %s from %d:00 to %d:00", then.day.Weekday(), then.cfg.Enforcement.FromHour, then.cfg.Enforcement.ToHour)
}

func foreseeObserved(today, then gateInput) (Outlook, string) {
	if !today.conditionalAccess() {
		return WillHold, "Security Defaults know no report-only"
	}
	record := today.known.Wave(today.wave.Name)
	latest := then.day.AddDays(-ObserveDays)
	if record.ObservedFrom.IsZero() {
		begins := later(today.day, today.cfg.AnnouncementDay())
		if latest.Before(begins) {
			return WillFail, fmt.Sprintf("observation can begin on %s at the earliest, and needs %d days", begins, ObserveDays)
		}
		return Unforeseen, fmt.Sprintf("observation has not begun; it must by %s", latest)
	}
	if days := then.now.Sub(record.ObservedFrom).Hours() / 24; days < ObserveDays {
		return WillFail, fmt.Sprintf("observed for %.1f of %d days by then", days, ObserveDays)
	}
	// Long enough by then: is there data?
	aged := today
	aged.known.Waves = slices.Clone(today.known.Waves)
	for i := range aged.known.Waves {
		if aged.known.Waves[i].Name == today.wave.Name {
			aged.known.Waves[i].ObservedFrom = today.now.Add(-ObserveDays * 24 * time.Hour)
		}
	}
	if ok, evidence := gateObserved(aged); !ok {
		return Unforeseen, "long enough by then; but now: " + evidence
	}
	return WillHold, "observed for 7 days by then, with data as long as people go on signing in"
}

// foreseeNotice: a notice that was delivered runs its course by itself; one that
// was not can still be given while there are 14 days left for it.
func foreseeNotice(today, then gateInput) (Outlook, string) {
	if len(today.seen.Accounts) == 0 {
		return Unforeseen, noAccounts
	}
	if ok, evidence := gateNoticeGiven(then); ok {
		return WillHold, evidence + ", " + asItIsToday
	} else if today.seen.Live == nil {
		return Unforeseen, evidence
	}
	var ids []string
	for _, a := range untold(then.cfg, then.known, then.wave, then.blast, then.day) {
		ids = append(ids, a.ID)
	}
	latest := then.day.AddDays(-NoticeDays)
	switch {
	case len(ids) == 0: // exempted or extended, and not yet in Sallyport's group
		return Unforeseen, "the exemptions and extensions of rollout.yaml are not all in force yet"
	case !latest.Before(later(today.day, today.cfg.AnnouncementDay())):
		return Unforeseen, fmt.Sprintf("%d people were not told yet; a notice that is delivered by %s is in time", len(ids), latest)
	case today.conditionalAccess() && len(ids) <= mostSpared(len(today.seen.Accounts)):
		return Unforeseen, fmt.Sprintf("%d people cannot be told in time; so few are left out until their own notice has run: %s", len(ids), strings.Join(ids, ", "))
	}
	return WillFail, fmt.Sprintf("%d people can no longer be told %d days before: accept them by name, or move the deadline: %s", len(ids), NoticeDays, strings.Join(ids, ", "))
}

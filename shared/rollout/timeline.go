package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// IsSwitchDay reports whether anything may be switched on the day: a working
// day but no Friday, because whoever is stopped on a Friday stands without help
// until Monday.
func (c Config) IsSwitchDay(d Date) bool { return c.Enforcement.switchDay(d) }

// AnnouncementDay is the day on which the announcement really goes out: the
// first working day from Announce on. Notice is counted from it.
func (c Config) AnnouncementDay() Date {
	day, _ := c.firstDay(c.Announce, c.Enforcement.WorkingDay)
	return day
}

// ReminderDay is the day on which the reminder of a window goes out to somebody
// who had been announced to and still has to act. A window of 7, with 3 as the
// next smaller one, covers the days 7 to 4 before the deadline; the reminder
// goes out on its first working day after the announcement. A window without
// one is silent: false.
func (c Config) ReminderDay(deadline Date, window int) (Date, bool) {
	next := 0
	for _, w := range c.ReminderDays {
		if w < window {
			next = max(next, w)
		}
	}
	announced := c.AnnouncementDay()
	for before := window; before > next; before-- {
		day := deadline.AddDays(-before)
		if announced.Before(day) && c.Enforcement.WorkingDay(day) {
			return day, true
		}
	}
	return Date{}, false
}

// firstDay returns the first day from start on for which ok holds. It looks one
// year ahead: a calendar without a single such day in a year is none.
func (c Config) firstDay(start Date, ok func(Date) bool) (Date, bool) {
	for n := range 366 {
		if day := start.AddDays(n); ok(day) {
			return day, true
		}
	}
	return start, false
}

// Milestone names what happens on a day of the timeline.
type Milestone string

// The milestones of a rollout.
const (
	MilestoneAnnouncement Milestone = "announcement"
	MilestoneObservation  Milestone = "observation" // report-only from here on: nobody is stopped
	MilestoneTraining     Milestone = "training"
	MilestoneReminder     Milestone = "reminder"
	MilestoneOpens        Milestone = "opens" // a wave of capable people: the first day on which it can be switched
	MilestoneDeadline     Milestone = "deadline"
	MilestoneSettled      Milestone = "settled" // the earliest day
	MilestoneExemption    Milestone = "exemption ends"
	MilestoneWaiver       Milestone = "waiver ends"
	MilestoneDrill        Milestone = "drill"            // of an emergency account: its window opens
	MilestoneInvitation   Milestone = "drill invitation" // its custodian is asked
	MilestoneExtension    Milestone = "extension ends"
)

// TimelineEntry is one day of the timeline that follows from a [Config].
type TimelineEntry struct {
	Day    Date      `json:"day"`
	What   Milestone `json:"what"`
	Wave   string    `json:"wave"`   // empty: every wave
	Detail string    `json:"detail"` // the window of a reminder, the account of an exemption or an extension, the gate of a waiver
}

// Timeline is the calendar that follows from the config when every gate holds
// on its day: earliest first, then as the config lists its waves. It promises
// nothing: a gate that fails holds its wave, and then the later days move.
// Security Defaults know no report-only and one switch for everybody: there is
// no observation then, and every wave is switched with that of everyone.
func Timeline(cfg Config) []TimelineEntry {
	announced := cfg.AnnouncementDay()
	entries := []TimelineEntry{
		{Day: announced, What: MilestoneAnnouncement},
	}
	if cfg.Method != MethodSecurityDefaults {
		entries = append(entries, TimelineEntry{Day: announced, What: MilestoneObservation, Detail: fmt.Sprintf("%d days or more", ObserveDays)})
	}
	if start, err := time.Parse(TrainingLayout, cfg.Communication.Training.Start); err == nil {
		entries = append(entries, TimelineEntry{Day: DateOf(start), What: MilestoneTraining, Detail: cfg.Communication.Training.Title})
	}
	for _, wave := range cfg.Waves {
		entries = append(entries, cfg.waveEntries(wave, announced)...)
	}
	for _, e := range cfg.Exemptions {
		entries = append(entries, TimelineEntry{Day: e.Expires, What: MilestoneExemption, Detail: e.Account})
	}
	for _, e := range cfg.Extensions {
		entries = append(entries, TimelineEntry{Day: e.Until, What: MilestoneExtension, Detail: e.Account})
	}
	for _, w := range cfg.Waivers {
		entries = append(entries, TimelineEntry{Day: w.Until, What: MilestoneWaiver, Detail: w.Gate})
	}
	entries = append(entries, drillEntries(cfg, announced)...)
	slices.SortStableFunc(entries, func(a, b TimelineEntry) int { return cmp.Compare(0, a.Day.DaysUntil(b.Day)) })
	return entries
}

// TrainingLayout is how [Training.Start] is written: local time of the tenant.
const TrainingLayout = "2006-01-02T15:04"

func (c Config) waveEntries(wave WaveConfig, announced Date) []TimelineEntry {
	if wave.Members == MembersCapable && c.Method == MethodSecurityDefaults {
		return nil
	}
	if wave.Members == MembersCapable {
		day, _ := c.firstDay(announced.AddDays(ObserveDays), c.IsSwitchDay)
		return []TimelineEntry{{Day: day, What: MilestoneOpens, Wave: wave.Name, Detail: "each person from the day they are capable"}}
	}
	var entries []TimelineEntry
	for _, window := range c.ReminderDays {
		if day, ok := c.ReminderDay(wave.Deadline, window); ok {
			entries = append(entries, TimelineEntry{
				Day: day, What: MilestoneReminder, Wave: wave.Name,
				Detail: daysBefore(day.DaysUntil(wave.Deadline)),
			})
		}
	}
	switched := TimelineEntry{Day: wave.Deadline, What: MilestoneDeadline, Wave: wave.Name}
	settled := TimelineEntry{Day: wave.Deadline.AddDays(SettleDays), What: MilestoneSettled, Wave: wave.Name, Detail: "at the earliest"}
	if everyone := c.everyone(); c.Method == MethodSecurityDefaults && wave.Members != MembersAll {
		switched.Detail = "switched with " + everyone.Name
		settled.Day = everyone.Deadline.AddDays(SettleDays)
	}
	return append(entries, switched, settled)
}

// everyone is the wave that holds everybody, if there is one.
func (c Config) everyone() WaveConfig {
	i := slices.IndexFunc(c.Waves, func(w WaveConfig) bool { return w.Members == MembersAll })
	if i < 0 {
		return WaveConfig{}
	}
	return c.Waves[i]
}

func daysBefore(n int) string {
	if n == 1 {
		return "the day before the deadline"
	}
	return fmt.Sprintf("%d days before the deadline", n)
}

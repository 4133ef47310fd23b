package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// dayWords names a day as people read it in a message.
func dayWords(d rollout.Date) string { return fmt.Sprintf("%s %s", d.Weekday(), d) }

func (c checker) calendar() {
	if c.usable["timeZone"] {
		// "Local" loads too, and means another zone on every machine.
		if _, err := time.LoadLocation(c.cfg.TimeZone); err != nil || c.cfg.TimeZone == "Local" {
			c.fail("timeZone", "%s is no IANA time zone; the names that Windows shows are not understood", quote(c.cfg.TimeZone))
		}
	}
	c.between("enforcement.fromHour", float64(c.cfg.Enforcement.FromHour), 0, 23)
	c.between("enforcement.toHour", float64(c.cfg.Enforcement.ToHour), 1, 24)
	if from, to := c.cfg.Enforcement.FromHour, c.cfg.Enforcement.ToHour; from >= to && !c.failed["enforcement.fromHour"] && !c.failed["enforcement.toHour"] {
		c.fail("enforcement.toHour", "the window closes at %d but opens at %d: nothing could ever be switched", to, from)
	}
	if c.usable["announce"] && !c.cfg.Enforcement.WorkingDay(c.cfg.Announce) {
		c.warn("announce", "%s is no working day: the announcement goes out on %s", dayWords(c.cfg.Announce), dayWords(c.cfg.AnnouncementDay()))
	}
}

// waveName keeps names short and free of what separates the parts of a key in
// the table or of a message's id.
var waveName = regexp.MustCompile(`^[\pL\pN][\pL\pN _-]{0,39}$`)

func (c checker) waves() {
	names, sets := map[string]string{}, map[string]string{}
	for i, wave := range c.cfg.Waves {
		path := item("waves", i)
		if c.usable[path+".name"] && !waveName.MatchString(wave.Name) {
			c.fail(path+".name", "%s cannot be the name of a wave", quote(wave.Name))
		}
		c.unique(path+".name", strings.ToLower(wave.Name), names, "another wave is called %s too", quote(wave.Name))
		c.choice(path+".members", string(wave.Members), members())
		c.unique(path+".members", string(wave.Members), sets, "another wave holds the same people")
		c.between(path+".coverage", float64(wave.Coverage), 1, 100)
		c.deadline(path, wave)
	}
	c.waveOrder(sets)
}

func (c checker) deadline(path string, wave rollout.WaveConfig) {
	at := path + ".deadline"
	if wave.Members == rollout.MembersCapable {
		for _, key := range []string{"deadline", "coverage"} {
			if c.usable[path+"."+key] {
				c.failWith(path+"."+key, "no "+key, "waves:\n  - {name: ready, members: capable}",
					"a wave of capable people has no %s: each person joins it on the day they become capable", key)
			}
		}
		return
	}
	if c.failed[path+".members"] || !c.usable[path+".members"] || !c.need(at) {
		return
	}
	day := wave.Deadline
	announced := c.cfg.AnnouncementDay()
	switch notice := announced.DaysUntil(day); {
	case c.usable["announce"] && notice < 0:
		c.failDeadline(at, day, "%s is before the announcement of %s", dayWords(day), dayWords(announced))
	case c.usable["announce"] && notice < rollout.NoticeDays:
		c.failDeadline(at, day, "%s is only %d days after the announcement of %s; people need %d days to act", dayWords(day), notice, dayWords(announced), rollout.NoticeDays)
	case day.Weekday() == time.Friday:
		c.failDeadline(at, day, "%s is a Friday: whoever is stopped then has no help until Monday", day)
	case !c.cfg.IsSwitchDay(day):
		c.failDeadline(at, day, "%s is a weekend or a holiday: nothing is switched and nobody is there to help", dayWords(day))
	}
}

// failDeadline offers the next day that would do, if the calendar has one.
func (c checker) failDeadline(path string, wrong rollout.Date, format string, args ...any) {
	h := c.hint(path)
	if c.usable["announce"] {
		next := c.cfg.AnnouncementDay().AddDays(rollout.NoticeDays)
		if next.Before(wrong) {
			next = wrong
		}
		for n := range 366 {
			if day := next.AddDays(n); c.cfg.IsSwitchDay(day) {
				h.expected += fmt.Sprintf("; the next that would do is %s", dayWords(day))
				h.example = "deadline: " + day.String()
				break
			}
		}
	}
	c.failWith(path, h.expected, h.example, format, args...)
}

// waveOrder: each person's deadline is that of the first wave that holds them,
// and an attacker goes for administrators first.
func (c checker) waveOrder(sets map[string]string) {
	admins, all := sets[string(rollout.MembersAdmins)], sets[string(rollout.MembersAll)]
	if c.usable["waves"] && all == "" && !c.failed["waves"] {
		c.warn("waves", "no wave holds members: all, so this rollout never reaches everybody")
	}
	if admins == "" || all == "" {
		return
	}
	first, second := c.waveAt(admins), c.waveAt(all)
	const expected = "the wave of admins first, with the earlier deadline"
	adminsAt, allAt := c.placeOf(admins), c.placeOf(all)
	switch {
	case adminsAt.line > allAt.line || adminsAt.line == allAt.line && adminsAt.column > allAt.column:
		c.failWith(admins, expected, "", "the wave of admins stands after the wave of everyone, which holds administrators too")
	case !first.Deadline.IsZero() && !second.Deadline.IsZero() && second.Deadline.Before(first.Deadline):
		c.failWith(strings.TrimSuffix(admins, "members")+"deadline", expected, "",
			"administrators have until %s, later than everyone (%s): they are who an attacker tries first", dayWords(first.Deadline), second.Deadline)
	}
}

// securityDefaults: they are one switch for the whole tenant, without exclusions.
func (c checker) securityDefaults() {
	if c.cfg.Method != rollout.MethodSecurityDefaults || c.failed["waves"] || !c.usable["waves"] {
		return
	}
	everyone := slices.IndexFunc(c.cfg.Waves, func(w rollout.WaveConfig) bool { return w.Members == rollout.MembersAll })
	if everyone < 0 {
		c.failWith("method", "a wave with members: all, or method: conditionalAccess", "waves:\n  - {name: everyone, members: all, deadline: 2027-01-12}",
			"Security Defaults are one switch for everybody, but no wave holds everybody: nothing would ever be switched")
		return
	}
	if len(c.cfg.Waves) > 1 {
		c.warn("method", "Security Defaults are one switch for everybody: the other waves are told their own dates, but all are switched with %s", c.cfg.Waves[everyone].Name)
	}
	if len(c.cfg.Exemptions) > 0 {
		c.warn("exemptions", "Security Defaults know no exclusions: the exempted accounts must do MFA like everybody else")
	}
}

// waveAt returns the wave whose members stand at the path.
func (c checker) waveAt(path string) rollout.WaveConfig {
	for i, wave := range c.cfg.Waves {
		if strings.HasPrefix(path, item("waves", i)+".") {
			return wave
		}
	}
	return rollout.WaveConfig{}
}

func (c checker) reminders() {
	ok := true
	for i, window := range c.cfg.ReminderDays {
		path := item("reminderDays", i)
		c.between(path, float64(window), 1, 60)
		if i > 0 && c.usable[path] && c.usable[item("reminderDays", i-1)] && window >= c.cfg.ReminderDays[i-1] {
			c.fail(path, "%d stands after %d", window, c.cfg.ReminderDays[i-1])
		}
		ok = ok && !c.failed[path]
	}
	if !ok || len(c.cfg.ReminderDays) == 0 || c.failed["waves"] || c.failed["announce"] {
		return
	}
	// Where another window falls silent, the next smaller one speaks for it.
	last := slices.Min(c.cfg.ReminderDays)
	for i, wave := range c.cfg.Waves {
		if _, due := c.cfg.ReminderDay(wave.Deadline, last); !due && !wave.Deadline.IsZero() {
			c.warn(item("waves", i)+".deadline", "the last reminder (%d days or less before %s) falls on no working day after the announcement, so it is left out", last, dayWords(wave.Deadline))
		}
	}
}

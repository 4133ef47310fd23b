package mail

import (
	"errors"
	"fmt"
	"time"
	"unicode"

	"sallyport/shared/rollout"
)

// locale is how one language writes days and spans.
type locale struct {
	months   [12]string
	weekdays [7]string // from Sunday, as time.Weekday counts
	date     func(weekday string, day int, month string, year int) string
	// countdown says when a day is that is n days away: "in 7 days".
	countdown func(n int) string
	minutes   func(n int) string // a number with its noun
}

// locales returns the languages in which days can be written: a template in any
// other does not load.
func locales() map[string]locale {
	return map[string]locale{
		"en": {
			months:   [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
			weekdays: [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s, %d %s %d", weekday, day, month, year)
			},
			countdown: countdown("any day now", "today", "tomorrow", "in %d days"),
			minutes:   plural("%d minute", "%d minutes"),
		},
		"de": {
			months:   [12]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
			weekdays: [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s, %d. %s %d", weekday, day, month, year)
			},
			countdown: countdown("in Kürze", "heute", "morgen", "in %d Tagen"),
			minutes:   plural("%d Minute", "%d Minuten"),
		},
		"es": {
			months:   [12]string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"},
			weekdays: [7]string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s, %d de %s de %d", weekday, day, month, year)
			},
			countdown: countdown("en breve", "hoy", "mañana", "dentro de %d días"),
			minutes:   plural("%d minuto", "%d minutos"),
		},
		"fr": {
			months:   [12]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
			weekdays: [7]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
			date: func(weekday string, day int, month string, year int) string {
				if day == 1 { // of a month's days, the first alone is an ordinal
					return fmt.Sprintf("%s 1er %s %d", weekday, month, year)
				}
				return fmt.Sprintf("%s %d %s %d", weekday, day, month, year)
			},
			countdown: countdown("très prochainement", "aujourd’hui", "demain", "dans %d jours"),
			minutes:   plural("%d minute", "%d minutes"),
		},
	}
}

func countdown(past, today, tomorrow, later string) func(int) string {
	return func(n int) string {
		switch {
		case n < 0:
			return past
		case n == 0:
			return today
		case n == 1:
			return tomorrow
		}
		return fmt.Sprintf(later, n)
	}
}

func plural(one, many string) func(int) string {
	return func(n int) string {
		if n == 1 {
			return fmt.Sprintf(one, n)
		}
		return fmt.Sprintf(many, n)
	}
}

// day writes a calendar day with its weekday; the month as a word, since
// 01/02 is two different days.
func (l locale) day(d rollout.Date) (string, error) {
	if d.IsZero() {
		return "", errors.New("the day is not set")
	}
	return l.date(l.weekdays[d.Weekday()], d.Day, l.months[d.Month-1], d.Year), nil
}

// moment writes an instant in a zone: day, time and zone.
func (l locale) moment(t time.Time, zone *time.Location) (string, error) {
	clock, err := clock(t, zone)
	if err != nil {
		return "", err
	}
	day, err := l.day(rollout.DateOf(in(t, zone)))
	return day + ", " + clock, err
}

// clock writes the time of day of an instant in a zone.
func clock(t time.Time, zone *time.Location) (string, error) {
	if t.IsZero() {
		return "", errors.New("the time is not set")
	}
	t = in(t, zone)
	return t.Format("15:04") + " (" + zoneName(t) + ")", nil
}

// utc writes an instant to the second, for those who compare it with a log.
func utc(t time.Time) (string, error) {
	if t.IsZero() {
		return "", errors.New("the time is not set")
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC", nil
}

// in is t in a zone; without a zone, in UTC.
func in(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone)
}

// zoneName is the zone's abbreviation at t, or its offset where the zone has
// only a number for a name.
func zoneName(t time.Time) string {
	name := t.Format("MST")
	for _, r := range name {
		if !unicode.IsLetter(r) {
			return "UTC" + t.Format("-07:00")
		}
	}
	return name
}

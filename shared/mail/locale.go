package mail

import (
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	"sallyport/shared/rollout"
)

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
	return day + l.beforeClock + clock, err
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

// upperFirst makes a word fit to begin a sentence.
func upperFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// Package rollout holds the rules of a Sallyport rollout: who an account is,
// what demands MFA of it, which message is due, when a wave may move, what a
// lock-out is. It is pure: standard library only, no I/O, no clock, no
// randomness. Every function takes what it needs, `now` included, and returns
// what should happen and why. The functions of the stack carry that out.
//
// Start reading at [Plan]: it turns what the operator wants ([Config]), what
// was seen of the tenant ([Seen]), what the table remembers ([Known]) and the
// time into a list of actions with reasons.
package rollout

import (
	"cmp"
	"fmt"
	"time"
)

// TenantID names one Microsoft 365 organisation: its initial domain
// (contoso.onmicrosoft.com), lower case. Microsoft never lets it change, and a
// person can read it; every key in the table begins with it.
type TenantID string

// Fact is a statement that may be unknown. Missing data is never a pass, so a
// bool is not enough: Unknown is neither Yes nor No.
type Fact string

// The three values of a Fact. The zero value counts as Unknown.
const (
	Unknown Fact = "unknown"
	Yes     Fact = "yes"
	No      Fact = "no"
)

// FactOf makes a Fact of something that is known.
func FactOf(b bool) Fact {
	if b {
		return Yes
	}
	return No
}

// Date is a calendar day without a time or a zone: deadlines are days in the
// tenant's time zone, not instants.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the calendar day of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// ParseDate reads a day as 2006-01-02.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("%q is no date: expected YYYY-MM-DD, for example 2027-01-12", s)
	}
	return DateOf(t), nil
}

// IsZero reports whether the date is unset.
func (d Date) IsZero() bool { return d == Date{} }

// At returns the instant of hour:minute on that day in loc.
func (d Date) At(hour, minute int, loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, hour, minute, 0, 0, loc)
}

// DaysUntil counts calendar days from d to other; negative if other is earlier.
func (d Date) DaysUntil(other Date) int {
	return int(other.At(12, 0, time.UTC).Sub(d.At(12, 0, time.UTC)) / (24 * time.Hour))
}

// AddDays returns the day n days later.
func (d Date) AddDays(n int) Date { return DateOf(d.At(12, 0, time.UTC).AddDate(0, 0, n)) }

// Before reports whether d is an earlier day than other.
func (d Date) Before(other Date) bool {
	return cmp.Or(cmp.Compare(d.Year, other.Year), cmp.Compare(d.Month, other.Month), cmp.Compare(d.Day, other.Day)) < 0
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.At(12, 0, time.UTC).Weekday() }

// String writes the day as 2006-01-02, or nothing if unset.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.At(12, 0, time.UTC).Format(time.DateOnly)
}

// MarshalText and UnmarshalText keep a Date readable in JSON, YAML and the table.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

package rollout

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The kinds of alert.
const (
	AlertSignIn    = "signIn"       // a row of the sign-in log
	AlertTampering = "tampering"    // the account or its exclusion was touched
	AlertMonitor   = "azureMonitor" // Azure Monitor fired; the rows may come later
	// AlertRepetition calls again, since alerts are not acknowledged. It is an
	// alert like the others: claimed once, and delivered until a channel took it.
	AlertRepetition = "repetition"
	AlertSilent     = "silent" // Graph's notifications may not reach us
)

// AlertID is the key of the alert for one sign-in: whichever way saw it first,
// it is claimed once.
func AlertID(signInID string) string { return "signin-" + signInID }

// PollOverlap is how far back each poll of the sign-in log reads: rows arrive
// up to two hours late and more than once.
// Source: https://learn.microsoft.com/entra/identity/monitoring-health/reports-faq
const PollOverlap = 2*time.Hour + 10*time.Minute

// How often an alert is repeated. Whoever is on call gets a quarter of an hour
// to react, and then the next contact does, for a day: an attack is won or lost
// in it. After that the calls thin out, so that they are not silenced by those
// who know already, and never stop. A fresh alert is never slowed down by an old
// one that nobody cared for.
const (
	RepeatAfter     = 15 * time.Minute
	repeatLater     = time.Hour      // from the second day
	repeatRarely    = 24 * time.Hour // from the second week
	repeatOftenFor  = 24 * time.Hour
	repeatHourlyFor = 7 * 24 * time.Hour
)

// DeliverFor is how long a channel that does not take an alert is tried. What it
// never took is not lost: until it is acknowledged it is in each repetition. And
// a channel that is new does not tell what is long past.
const DeliverFor = 24 * time.Hour

// Unacknowledged are the alerts that nobody has acknowledged, the oldest first.
// A drill's count too, passed or not: a drill proves that somebody reads. Of a
// pair it is the row alone, which says more.
func Unacknowledged(alerts []Alert) []Alert {
	var open []Alert
	for _, a := range alerts {
		if a.Kind != AlertRepetition && a.AckedAt.IsZero() && (a.Kind != AlertMonitor || a.Pair == "") {
			open = append(open, a)
		}
	}
	slices.SortStableFunc(open, func(a, b Alert) int { return a.SeenAt.Compare(b.SeenAt) })
	return open
}

// RepetitionDue is the repetition to claim now, if one is due: one for all that
// is not acknowledged, however much it is, to the contact whose turn it is. The
// first contact is called first whenever there was nothing left to acknowledge
// before; after the last one it is the first one's turn again.
//
// Its id comes from what is known and not from the clock: two runs that see the
// same state claim the same one.
func RepetitionDue(contacts []Contact, alerts []Alert, now time.Time) (Alert, bool) {
	open := Unacknowledged(alerts)
	if len(open) == 0 {
		return Alert{}, false
	}
	turn, last := 0, open[0].SeenAt
	for _, a := range alerts {
		if a.Kind == AlertRepetition && !a.SeenAt.Before(open[0].SeenAt) {
			turn++
			last = latest(last, a.SeenAt)
		}
	}
	told := open[0] // the newest that was told when the last call went out
	next := time.Time{}
	for _, a := range open {
		if a.SeenAt.After(last) {
			next = a.SeenAt.Add(RepeatAfter) // a fresh one keeps no old one's slow pace
			break
		}
		told = a
	}
	if again := last.Add(repeatPace(last.Sub(told.SeenAt))); next.IsZero() || again.Before(next) {
		next = again
	}
	if now.Before(next) {
		return Alert{}, false
	}
	due := Alert{
		ID: "repeat-" + last.UTC().Format("20060102T150405.000000"), Kind: AlertRepetition,
		Account: open[len(open)-1].Account, OccurredAt: open[0].OccurredAt, SeenAt: now, Repeats: len(open),
	}
	if len(contacts) > 0 {
		due.Contact = contacts[turn%len(contacts)].Name
	}
	return due, true
}

func repeatPace(age time.Duration) time.Duration {
	switch {
	case age < repeatOftenFor:
		return RepeatAfter
	case age < repeatHourlyFor:
		return repeatLater
	}
	return repeatRarely
}

// Covered are the alerts that an acknowledgement of one of them settles: the
// alert itself and its pair, or all that a repetition called about.
func Covered(alerts []Alert, id string) []Alert {
	at := slices.IndexFunc(alerts, func(a Alert) bool { return a.ID == id })
	if at < 0 {
		return nil
	}
	named := alerts[at]
	var covered []Alert
	for _, a := range alerts {
		switch {
		case !a.AckedAt.IsZero():
		case a.ID == named.ID, a.ID == named.Pair, named.Kind == AlertRepetition && !a.SeenAt.After(named.SeenAt):
			covered = append(covered, a)
		}
	}
	return covered
}

// Azure Monitor may fire this long after the sign-in: the rule's window and the
// log's delay. Its clock and the log's differ a little.
const (
	firesWithin = time.Hour
	clocksApart = 5 * time.Minute
)

// FiredFor is the alert of Azure Monitor that a row of the log explains, if there
// is one that no other row does: the earliest. A rule fires once for several
// rows; the first that comes is its pair, the others are alerts of their own. So
// no sign-in hides behind another.
func FiredFor(alerts []Alert, row Alert) (Alert, bool) {
	return best(alerts, func(a Alert) bool { return paired(a, row) }, func(a, b Alert) int { return a.OccurredAt.Compare(b.OccurredAt) })
}

// RowFor is the row's alert that explains what Azure Monitor fired for, if there
// is one that explains nothing else: the latest.
func RowFor(alerts []Alert, fired Alert) (Alert, bool) {
	return best(alerts, func(a Alert) bool { return paired(fired, a) }, func(a, b Alert) int { return b.OccurredAt.Compare(a.OccurredAt) })
}

// paired reports whether the two are, or may become, one pair. A pair that was
// written down on one side alone, by a run that died, goes before any other.
func paired(fired, row Alert) bool {
	if fired.Kind != AlertMonitor || row.Kind != AlertSignIn {
		return false
	}
	if fired.Pair != "" || row.Pair != "" {
		return fired.Pair == row.ID && (row.Pair == "" || row.Pair == fired.ID) || row.Pair == fired.ID && fired.Pair == ""
	}
	before := fired.OccurredAt.Sub(row.OccurredAt)
	return strings.EqualFold(fired.Account, row.Account) && before < firesWithin && before > -clocksApart
}

func best(alerts []Alert, fits func(Alert) bool, order func(a, b Alert) int) (Alert, bool) {
	fitting := slices.DeleteFunc(slices.Clone(alerts), func(a Alert) bool { return !fits(a) })
	if len(fitting) == 0 {
		return Alert{}, false
	}
	return slices.MinFunc(fitting, func(a, b Alert) int {
		half := func(a Alert) int { return cmp.Compare(0, len(a.Pair)) } // -1: the other side's name stands there
		return cmp.Or(half(a), order(a, b), cmp.Compare(a.ID, b.ID))
	}), true
}

// Lately is what else happened to an account in the day before an alert.
type Lately struct {
	SignIns   int // attempts, successful or not
	Succeeded int
	Tampered  int
}

// LatelyOf counts the other alerts of the account in the 24 hours before it.
func LatelyOf(alerts []Alert, of Alert) Lately {
	var l Lately
	for _, a := range alerts {
		before := of.OccurredAt.Sub(a.OccurredAt)
		if a.ID == of.ID || a.ID == of.Pair || !strings.EqualFold(a.Account, of.Account) || before < 0 || before > 24*time.Hour {
			continue
		}
		switch {
		case a.Kind == AlertTampering:
			l.Tampered++
		case a.Kind == AlertSignIn, a.Kind == AlertMonitor && a.Pair == "":
			l.SignIns++
			if a.Kind == AlertSignIn && a.SignIn.ErrorCode == 0 {
				l.Succeeded++
			}
		}
	}
	return l
}

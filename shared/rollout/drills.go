package rollout

import (
	"slices"
	"strings"
	"time"
)

// DrillWindow is how long a drill stays open for its account's custodian.
const DrillWindow = 7 * 24 * time.Hour

// DrillsDue returns the drills to open now: one for each emergency account whose
// newest passed drill is older than three quarters of DrillDays and that has
// none open. So a drill that fails leaves time for another.
func DrillsDue(cfg Config, drills []Drill, now time.Time) []Drill {
	var due []Drill
	for _, e := range cfg.EmergencyAccounts {
		if _, open := OpenDrill(drills, e.ID, now); open || now.Sub(lastPassed(drills, e.ID)) < DrillDays*24*time.Hour*3/4 {
			continue
		}
		due = append(due, Drill{
			ID:      "drill-" + e.ID + "-" + DateOf(now.In(cfg.Location())).String(),
			Account: e.ID, OpenedAt: now, ClosesAt: now.Add(DrillWindow),
		})
	}
	return due
}

// OpenDrill returns the account's drill that is open at the moment.
func OpenDrill(drills []Drill, account string, at time.Time) (Drill, bool) {
	i := slices.IndexFunc(drills, func(d Drill) bool {
		return strings.EqualFold(d.Account, account) && d.PassedAt.IsZero() && !at.Before(d.OpenedAt) && at.Before(d.ClosesAt)
	})
	if i < 0 {
		return Drill{}, false
	}
	return drills[i], true
}

func lastPassed(drills []Drill, account string) time.Time {
	var last time.Time
	for _, d := range drills {
		if strings.EqualFold(d.Account, account) {
			last = latest(last, d.PassedAt)
		}
	}
	return last
}

// PassesDrill reports whether the alert closes the drill: a successful sign-in
// inside its window, and the alert of it has left.
func PassesDrill(d Drill, a Alert) bool {
	return a.Kind == AlertSignIn && a.SignIn.ErrorCode == 0 && strings.EqualFold(a.Account, d.Account) &&
		!a.AlertedAt.IsZero() && !a.OccurredAt.Before(d.OpenedAt) && a.OccurredAt.Before(d.ClosesAt)
}

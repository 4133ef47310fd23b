package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// AlertDrill is the kind of the alert that a drill was failed: once for each.
const AlertDrill = "drill"

// DrillCause is why a drill is due.
type DrillCause string

// The causes. Only a routine drill waits for its invitation: what the others
// would prove is not proven today.
const (
	DrillFirst     DrillCause = "first"     // the account was never tried
	DrillRoutine   DrillCause = "routine"   // the last one was passed some time ago
	DrillAgain     DrillCause = "again"     // the last one failed
	DrillCustodian DrillCause = "custodian" // another custodian keeps the account now
)

// DrillGrace is how long after its window a drill is kept open for what arrives
// late: rows of the sign-in log take up to two hours.
const DrillGrace = PollOverlap

// Ended reports whether the drill was passed, failed or cancelled.
func (d Drill) Ended() bool {
	return !d.PassedAt.IsZero() || !d.FailedAt.IsZero() || !d.CancelledAt.IsZero()
}

// OpenDrill returns the account's drill whose window is open at the moment.
func OpenDrill(drills []Drill, account string, at time.Time) (Drill, bool) {
	i := slices.IndexFunc(drills, func(d Drill) bool {
		return strings.EqualFold(d.Account, account) && !d.Ended() && d.holds(at)
	})
	if i < 0 {
		return Drill{}, false
	}
	return drills[i], true
}

func (d Drill) holds(at time.Time) bool { return !at.Before(d.OpenedAt) && at.Before(d.ClosesAt) }

// PassesDrill reports whether the alert closes the drill: the custodian was
// there and got in with the key, inside the window, and the alert has left. What
// a program does with a session that is open already tries no key. Where the row
// says how the sign-in went, it must have been a second factor that is kept with
// the account; where it does not, an interactive success is taken.
func PassesDrill(d Drill, a Alert) bool {
	return !d.Ended() && a.Kind == AlertSignIn && strings.EqualFold(a.Account, d.Account) && d.holds(a.OccurredAt) &&
		!a.AlertedAt.IsZero() && a.SignIn.ErrorCode == 0 && a.SignIn.Interactive && usedKey(a.SignIn)
}

// usedKey: the row does not say that it was anything else than a key or a
// certificate. A session that "previously satisfied" the demand is something else.
// Source: https://learn.microsoft.com/graph/api/resources/authenticationdetail
func usedKey(s SignIn) bool {
	if len(s.Methods) == 0 {
		return !strings.EqualFold(s.Requirement, "singleFactorAuthentication")
	}
	return slices.ContainsFunc(s.Methods, func(method string) bool {
		method = strings.ToLower(method)
		return slices.ContainsFunc([]string{"fido", "passkey", "x.509", "x509", "certificate"}, func(hard string) bool {
			return strings.Contains(method, hard)
		})
	})
}

// Pass closes the drill with the evidence of the alert that passes it.
func (d Drill) Pass(proof Alert, alerts []Alert) Drill {
	d.PassedAt, d.AlertID, d.SignedInAt = proof.AlertedAt, proof.ID, proof.OccurredAt
	d.Methods = slices.Clone(proof.SignIn.Methods)
	d, _ = d.Saw(proof.Source)
	d, _ = d.SawByMonitor(alerts)
	return d
}

// Saw notes that the drill's sign-in was seen by a way (poll, notification,
// azureMonitor); false: it was noted before.
func (d Drill) Saw(way string) (Drill, bool) {
	if way == "" || d.PassedAt.IsZero() || slices.Contains(d.Ways, way) {
		return d, false
	}
	d.Ways = slices.Sorted(slices.Values(append(slices.Clone(d.Ways), way)))
	return d, true
}

// SawByMonitor notes that Azure Monitor fired for the drill's sign-in. Its alert
// has no row to know it by: one of the account within the log's delay counts.
func (d Drill) SawByMonitor(alerts []Alert) (Drill, bool) {
	fired := slices.ContainsFunc(alerts, func(a Alert) bool {
		late := a.OccurredAt.Sub(d.SignedInAt)
		return a.Kind == AlertMonitor && strings.EqualFold(a.Account, d.Account) && late >= 0 && late < PollOverlap
	})
	if !fired {
		return d, false
	}
	return d.Saw("azureMonitor")
}

// whyFailed says what a failed drill lacked.
func (d Drill) whyFailed(alerts []Alert) string {
	why := "nobody signed in"
	for _, a := range alerts {
		switch {
		case a.Kind != AlertSignIn || !strings.EqualFold(a.Account, d.Account) || !d.holds(a.OccurredAt):
		case a.AlertedAt.IsZero():
			return "somebody signed in, but no alert of it left"
		default:
			why = "somebody tried, but no sign-in succeeded with the key"
		}
	}
	return why
}

// lastPass is the account's newest passed drill. One in the future proves
// nothing: a clock was wrong.
func lastPass(drills []Drill, account string, now time.Time) (Drill, bool) {
	var last Drill
	for _, d := range drills {
		if strings.EqualFold(d.Account, account) && !d.PassedAt.IsZero() && !d.PassedAt.After(now) && d.PassedAt.After(last.PassedAt) {
			last = d
		}
	}
	return last, !last.PassedAt.IsZero()
}

// lastFailure is the account's newest failed drill since its last passed one;
// one in the future, like a pass, says only that a clock was wrong.
func lastFailure(drills []Drill, account string, now time.Time) (Drill, bool) {
	pass, _ := lastPass(drills, account, now)
	var last Drill
	for _, d := range drills {
		if strings.EqualFold(d.Account, account) && !d.FailedAt.IsZero() && !d.FailedAt.After(now) && d.ClosesAt.After(pass.PassedAt) && d.ClosesAt.After(last.ClosesAt) {
			last = d
		}
	}
	return last, !last.FailedAt.IsZero()
}

// sameCustodian compares names as people write them. A drill that does not say
// who was asked proves nothing of anybody.
func sameCustodian(a, b string) bool { return lettersOf(a) == lettersOf(b) }

// The ids of what can be wrong with an account's drills, as findings.
const (
	findingNeverDrilled   = "drill-missing"
	findingDrillOverdue   = "drill-overdue"
	findingDrillFailed    = "drill-failed"
	findingDrillCustodian = "drill-custodian"
)

// DrillTrouble is why an account's alert path is not proven, and when it can be.
type DrillTrouble struct {
	ID, Account, Text, Next string
}

// DrillTroubles are the emergency accounts that are not proven by a drill: at
// most one trouble for each, the gravest.
func DrillTroubles(cfg Config, drills []Drill, now time.Time) []DrillTrouble {
	var list []DrillTrouble
	day := func(at time.Time) string { return DateOf(at.In(cfg.Location())).String() }
	for _, e := range cfg.EmergencyAccounts {
		t := DrillTrouble{Account: e.ID}
		pass, passed := lastPass(drills, e.ID, now)
		failure, failed := lastFailure(drills, e.ID, now)
		switch {
		case failed:
			t.ID, t.Text = findingDrillFailed, fmt.Sprintf("the drill from %s to %s failed: %s", day(failure.OpenedAt), day(failure.ClosesAt), failure.Why)
		case !passed:
			t.ID, t.Text = findingNeverDrilled, "no drill was ever passed"
		case now.Sub(pass.PassedAt) > DrillDays*24*time.Hour:
			t.ID, t.Text = findingDrillOverdue, fmt.Sprintf("no drill was passed within %d days, the last on %s", DrillDays, day(pass.PassedAt))
		case !sameCustodian(pass.Custodian, e.Custodian):
			t.ID, t.Text = findingDrillCustodian, fmt.Sprintf("the last drill, on %s, was not passed by its present custodian", day(pass.PassedAt))
		default:
			continue
		}
		t.Next = nextWords(cfg, drills, e.ID, now)
		list = append(list, t)
	}
	return list
}

// nextWords say when the account can be tried.
func nextWords(cfg Config, drills []Drill, account string, now time.Time) string {
	const layout = "Monday 2006-01-02 15:04"
	loc := cfg.Location()
	for _, d := range drills {
		switch {
		case !strings.EqualFold(d.Account, account) || d.Ended() || !now.Before(d.ClosesAt):
		case now.Before(d.OpenedAt):
			return "the next window opens " + d.OpenedAt.In(loc).Format(layout)
		default:
			return "a window is open until " + d.ClosesAt.In(loc).Format(layout)
		}
	}
	return "the next window opens within minutes, unless the rollout is paused or the tenant has no sign-in log"
}

// DrillFindings are the troubles as findings of the audit: one for each cause.
func DrillFindings(cfg Config, drills []Drill, now time.Time) []Finding {
	var list []Finding
	for _, rule := range []struct{ id, one, many string }{
		{findingDrillFailed, "The last drill of an emergency account failed", "The last drills of %d emergency accounts failed"},
		{findingDrillOverdue, "An emergency account was not tried for 90 days", "%d emergency accounts were not tried for 90 days"},
		{findingDrillCustodian, "An emergency account has a new custodian who never tried it", "%d emergency accounts have new custodians who never tried them"},
		{findingNeverDrilled, "An emergency account was never tried", "%d emergency accounts were never tried"},
	} {
		f := Finding{
			ID: rule.id, Severity: SeverityWarning, Text: rule.one,
			Remedy: "Let the custodian sign in with the account, using its key, while its drill is open.",
		}
		var seen []string
		for _, t := range DrillTroubles(cfg, drills, now) {
			if t.ID == rule.id {
				f.Accounts, seen = append(f.Accounts, t.Account), append(seen, t.Text+"; "+t.Next)
			}
		}
		if len(f.Accounts) == 0 {
			continue
		}
		if f.Count = len(f.Accounts); f.Count > 1 {
			f.Text = fmt.Sprintf(rule.many, f.Count)
		}
		f.Evidence = cut(strings.Join(seen, "; "), mostEvidence*evidenceWidth)
		list = append(list, f)
	}
	return list
}

// DrillAlert is the alert that a drill was failed.
func DrillAlert(d Drill, now time.Time) Alert {
	return Alert{
		ID: "failed-" + d.ID, Kind: AlertDrill, Account: d.Account, OccurredAt: d.ClosesAt, SeenAt: now,
		Text: "The drill was failed: " + d.Why + ". Until one is passed, nobody knows whether this account works on the day it is needed",
	}
}

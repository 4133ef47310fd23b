package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// LockOutAfter is how long a failure may wait for a success before it counts:
// most codes are interrupts that precede one.
const LockOutAfter = time.Hour

// How a lock-out is closed.
const (
	ClosedBySignIn      = "signed in"
	ClosedByRegistering = "registered"
)

// FindLockOuts is what a lock-out is, for the desk, the circuit breaker and the
// gates alike: a sign-in since the switch that failed for a cause of the table
// ([Causes]), and no success of that person, in any application, within
// [LockOutAfter]. It lasts until their next success, or until an audit that
// began (audited) after their last attempt finds that somebody who had to
// register is capable. The result does not depend on the order of the rows nor
// on how often each comes.
func FindLockOuts(rows []SignIn, accounts []Account, since, audited, now time.Time) []LockOut {
	byUser := map[string][]SignIn{}
	for _, r := range Distinct(rows) {
		if !r.CreatedAt.Before(since) && !r.CreatedAt.After(now) {
			id := strings.ToLower(r.UserID)
			byUser[id] = append(byUser[id], r)
		}
	}
	var list []LockOut
	for _, a := range accounts {
		list = append(list, lockOutsOf(a, byUser[strings.ToLower(a.ID)], audited, now)...)
	}
	return list
}

// Distinct returns each sign-in once, oldest first. Of a row that came more than
// once the fullest counts: the log publishes rows before it knows what the
// policies said, and again when it does.
// Source: https://learn.microsoft.com/entra/identity/monitoring-health/reports-faq
func Distinct(rows []SignIn) []SignIn {
	fullest := map[string]SignIn{}
	for _, r := range rows {
		if have, known := fullest[r.ID]; !known || fuller(r, have) > 0 {
			fullest[r.ID] = r
		}
	}
	list := make([]SignIn, 0, len(fullest))
	for _, r := range fullest {
		list = append(list, r)
	}
	slices.SortFunc(list, func(x, y SignIn) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(successLast(x), successLast(y)), cmp.Compare(x.ID, y.ID))
	})
	return list
}

// successLast: a prompt and the success that it leads to bear the same second.
func successLast(r SignIn) int {
	if r.ErrorCode == 0 {
		return 1
	}
	return 0
}

// fuller orders two versions of one row: above zero if x says more. It compares
// all that a lock-out is made of, so that the arrival never decides.
func fuller(x, y SignIn) int {
	return cmp.Or(
		cmp.Compare(len(x.Applied), len(y.Applied)),
		cmp.Compare(len(stoppedBy(x)), len(stoppedBy(y))),
		-cmp.Compare(uint(x.ErrorCode), uint(y.ErrorCode)), // a success first; a missing code, -1, last
		cmp.Compare(x.CAStatus, y.CAStatus),
		cmp.Compare(x.ClientAppUsed, y.ClientAppUsed),
		-x.CreatedAt.Compare(y.CreatedAt),
		cmp.Compare(x.UserID, y.UserID),
		slices.Compare(stoppedBy(x), stoppedBy(y)),
	)
}

func lockOutsOf(a Account, history []SignIn, audited, now time.Time) []LockOut {
	var list []LockOut
	var open incident
	// registered ends the incident if its person was found capable after it.
	registered := func() bool {
		l, closed := CloseRegistered(open.lockOut(a.ID), a, audited)
		if closed && audited.Sub(open.openedAt) >= LockOutAfter {
			list = append(list, l)
		}
		return closed
	}
	for _, r := range history {
		if r.CreatedAt.After(audited) && open.attempts > 0 && registered() {
			open = incident{} // what follows is another trouble
		}
		cause := CauseOf(r)
		switch {
		case r.ErrorCode == 0:
			if open.attempts > 0 && r.CreatedAt.Sub(open.openedAt) >= LockOutAfter {
				l := open.lockOut(a.ID)
				l.ClosedAt, l.ClosedBy = r.CreatedAt, ClosedBySignIn
				list = append(list, l)
			}
			open = incident{}
		case cause.LockOut():
			open.add(r, cause)
		default:
			open.mention(r, cause)
		}
	}
	if open.attempts > 0 && now.Sub(open.openedAt) >= LockOutAfter && !registered() {
		list = append(list, open.lockOut(a.ID))
	}
	return list
}

// incident collects the failures of a person up to a success.
type incident struct {
	openedAt, lastAt time.Time
	attempts         int
	codes            []int
	cause            CauseRule
	policies         []string
}

func (i *incident) add(r SignIn, cause CauseRule) {
	if i.attempts == 0 {
		i.openedAt = r.CreatedAt
	}
	i.lastAt = r.CreatedAt
	i.attempts++
	i.code(r.ErrorCode)
	if cause.Weight < i.cause.Weight {
		return
	}
	// The policies are those of the cause: others stopped other attempts.
	if cause.Kind != i.cause.Kind {
		i.policies = nil
	}
	i.cause = cause
	for _, name := range stoppedBy(r) {
		if !slices.Contains(i.policies, name) {
			i.policies = append(i.policies, name)
			slices.Sort(i.policies)
		}
	}
}

// mention shows a code that nobody knows beside those that stopped the person.
func (i *incident) mention(r SignIn, cause CauseRule) {
	if i.attempts > 0 && cause.Kind == CauseUnknown {
		i.code(r.ErrorCode)
	}
}

func (i *incident) code(c int) {
	if !slices.Contains(i.codes, c) {
		i.codes = append(i.codes, c)
		slices.Sort(i.codes)
	}
}

func (i *incident) lockOut(account string) LockOut {
	return LockOut{
		Account: account, Kind: i.cause.Kind, Cause: i.cause.Words, Advice: i.cause.Advice(), Policies: i.policies, Codes: i.codes,
		Attempts: i.attempts, OpenedAt: i.openedAt, LastAt: i.lastAt,
	}
}

// CloseRegistered closes the open lock-out of somebody who had to register and
// whom an audit that began after their last attempt found capable. closed is
// false, and the lock-out as it was, for all others: who has a method and cannot
// use it is capable all the time.
func CloseRegistered(l LockOut, a Account, audited time.Time) (_ LockOut, closed bool) {
	switch l.Kind {
	case CauseNotRegistered, CausePlace, CauseRisk:
	default:
		return l, false
	}
	if !l.ClosedAt.IsZero() || a.Capable != Yes || !audited.After(l.LastAt) {
		return l, false
	}
	l.ClosedAt, l.ClosedBy = audited, ClosedByRegistering
	return l, true
}

// breakerSpan is the time within which lock-outs count together.
const breakerSpan = 24 * time.Hour

// Breaker says whether the circuit breaker trips for a wave, and why: too many
// people locked out within any 24 hours since its switch, two administrators, or
// the last capable one. Lock-outs of before the switch are not its doing; but an
// administrator who is still outside cannot help, however long ago that began.
func Breaker(cfg Config, wave WaveConfig, accounts []Account, lockOuts []LockOut, since, now time.Time) (bool, string) {
	day := DateOf(now.In(cfg.Location()))
	opened := map[string][]time.Time{}
	outside := map[string]bool{}
	for _, l := range lockOuts {
		if !l.OpenedAt.Before(since) {
			opened[l.Account] = append(opened[l.Account], l.OpenedAt)
		}
		if l.ClosedAt.IsZero() || (!l.OpenedAt.Before(since) && now.Sub(l.OpenedAt) < breakerSpan) {
			outside[l.Account] = true
		}
	}
	var people, admins []lockOutAt
	members, outsideAdmins, capableAdmins := 0, 0, 0
	for _, a := range accounts {
		if !wave.Holds(cfg, a, day) || !IsPerson(cfg, a) {
			continue
		}
		members++
		for _, at := range opened[a.ID] {
			people = append(people, lockOutAt{a.ID, at})
			if a.Class == ClassAdmin {
				admins = append(admins, lockOutAt{a.ID, at})
			}
		}
		switch {
		case a.Class == ClassAdmin && outside[a.ID]:
			outsideAdmins++
		case a.Class == ClassAdmin && a.Capable == Yes:
			capableAdmins++
		}
	}
	limit := max(float64(cfg.Breaker.People), float64(members)*cfg.Breaker.Percent/100)
	mostPeople, mostAdmins := mostAtOnce(people), mostAtOnce(admins)
	switch {
	case float64(mostPeople) > limit:
		return true, fmt.Sprintf("%d of %d people were locked out within 24 hours; the limit is %.0f", mostPeople, members, limit)
	case cfg.Breaker.Admins > 0 && mostAdmins >= cfg.Breaker.Admins:
		return true, fmt.Sprintf("%d administrators were locked out within 24 hours", mostAdmins)
	case outsideAdmins > 0 && capableAdmins == 0:
		return true, "the last capable administrator was locked out"
	}
	return false, ""
}

type lockOutAt struct {
	account string
	at      time.Time
}

// mostAtOnce is the largest number of distinct people in any span.
func mostAtOnce(list []lockOutAt) int {
	slices.SortFunc(list, func(a, b lockOutAt) int { return a.at.Compare(b.at) })
	within, first, most := map[string]int{}, 0, 0
	for _, l := range list {
		within[l.account]++
		for ; l.at.Sub(list[first].at) >= breakerSpan; first++ {
			if within[list[first].account]--; within[list[first].account] == 0 {
				delete(within, list[first].account)
			}
		}
		most = max(most, len(within))
	}
	return most
}

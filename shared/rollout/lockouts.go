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

// Cause says in words why somebody was stopped, and what the help desk should
// do. ok is false for codes that are no lock-out by MFA (a wrong password, a
// disabled account, an ordinary interrupt).
// Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func Cause(code int, legacyClient bool) (cause, advice string, ok bool) {
	switch code {
	case 50072, 50079:
		return "not registered and stopped", "Issue a Temporary Access Pass after checking who calls, and register a method together.", true
	case 50074, 500121:
		return "the MFA challenge was not passed", "Ask for a lost or new phone; if so, issue a Temporary Access Pass and register the new one.", true
	case 53003:
		return "blocked by a Conditional Access policy", "Look in the sign-in log which policy it was; Sallyport's own never block.", true
	case 53004:
		return "may not register because the account is at risk", "Do not simply register again: let security look at the account first.", true
	case 53010:
		return "may not register from this place or device", "Issue a Temporary Access Pass, or register in the office.", true
	case 530032, 530035:
		return "blocked by a security policy", "Move the client to modern authentication.", true
	case 50076:
		return "the client cannot show an MFA prompt", "Move the client to modern authentication.", legacyClient
	}
	return "", "", false
}

// LockOutCodes are the codes that [Cause] can explain, for asking the log for
// them alone: no whole log is read.
func LockOutCodes() []int {
	return []int{50072, 50074, 50076, 50079, 53003, 53004, 53010, 500121, 530032, 530035}
}

// LegacyClient reports whether clientAppUsed is a protocol that cannot do MFA.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/policy-block-legacy-authentication
func LegacyClient(clientApp string) bool {
	switch strings.ToLower(strings.TrimSpace(clientApp)) {
	case "", "browser", "mobile apps and desktop clients":
		return false
	}
	return true
}

// FindLockOuts turns rows of the sign-in log since a switch into the people who
// were stopped and did not get in: a failure that MFA explains, an hour without
// a success of that person in any application. A later success closes it, and
// so does becoming capable for somebody who was not registered. The result does
// not depend on the order of the rows or on how often they came.
func FindLockOuts(rows []SignIn, accounts []Account, since, now time.Time) []LockOut {
	// A row that is published again may say something else: the order decides
	// which one counts, not the arrival.
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(x, y SignIn) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ID, y.ID), cmp.Compare(x.UserID, y.UserID), cmp.Compare(x.ErrorCode, y.ErrorCode), cmp.Compare(x.ClientAppUsed, y.ClientAppUsed))
	})
	byUser := map[string][]SignIn{}
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[r.ID] && !r.CreatedAt.Before(since) {
			seen[r.ID] = true
			byUser[r.UserID] = append(byUser[r.UserID], r)
		}
	}
	var list []LockOut
	for _, a := range accounts {
		list = append(list, lockOutsOf(a, byUser[a.ID], now)...)
	}
	return list
}

func lockOutsOf(a Account, history []SignIn, now time.Time) []LockOut {
	var list []LockOut
	var open *LockOut
	register := func() {
		if open != nil && now.Sub(open.OpenedAt) >= LockOutAfter {
			if a.Capable == Yes && notRegistered(open.Codes) {
				open.ClosedAt, open.ClosedBy = now, "registered"
			}
			list = append(list, *open)
		}
		open = nil
	}
	for _, r := range history {
		if r.ErrorCode == 0 {
			if open != nil && r.CreatedAt.Sub(open.OpenedAt) >= LockOutAfter {
				open.ClosedAt, open.ClosedBy = r.CreatedAt, "signed in"
				list = append(list, *open)
			}
			open = nil
			continue
		}
		cause, advice, ok := Cause(r.ErrorCode, LegacyClient(r.ClientAppUsed))
		if !ok {
			continue
		}
		if open == nil {
			open = &LockOut{Account: a.ID, OpenedAt: r.CreatedAt}
		}
		open.Cause, open.Advice = cause, advice
		open.LastAt = r.CreatedAt
		open.Attempts++
		if !slices.Contains(open.Codes, r.ErrorCode) {
			open.Codes = append(open.Codes, r.ErrorCode)
			slices.Sort(open.Codes)
		}
	}
	register()
	return list
}

func notRegistered(codes []int) bool {
	return slices.ContainsFunc(codes, func(c int) bool { return c == 50072 || c == 50079 || c == 53010 })
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

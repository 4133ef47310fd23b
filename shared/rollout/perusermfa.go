package rollout

import (
	"hash/fnv"
	"strings"
)

// askedEvery is the number of nights in which everybody is asked once.
const askedEvery = 7

// AsksPerUserMFA reports whether the audit asks tonight for an account's per-user
// MFA, the legacy switch, of which there is no listing: where nothing is known of
// it, where it was on, and of the others a seventh every night. Guests and
// disabled accounts are not asked about.
// Source: https://learn.microsoft.com/entra/identity/authentication/howto-mfa-userstates
func AsksPerUserMFA(u User, before *Account, night Date) bool {
	if u.AccountEnabled == No || isGuest(u) {
		return false
	}
	if before == nil || !strings.EqualFold(before.PerUserMFA, "disabled") {
		return true
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(u.ID))) // never fails
	days := Date{2000, 1, 1}.DaysUntil(night)
	return int(h.Sum32()%askedEvery) == ((days%askedEvery)+askedEvery)%askedEvery
}

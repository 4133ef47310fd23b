package rollout

import (
	"hash/fnv"
	"strings"
)

// Some facts of an account have no listing: there is one question an account.
// What was known of them is carried on, and asked about again once in a week.

// askedEvery is the number of nights in which everybody is asked about once.
const askedEvery = 7

// itsNight reports whether this is the account's night of the week.
func itsNight(id string, night Date) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(id))) // never fails
	days := Date{2000, 1, 1}.DaysUntil(night)
	return int(h.Sum32()%askedEvery) == ((days%askedEvery)+askedEvery)%askedEvery
}

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
	return itsNight(u.ID, night)
}

// AsksPurpose reports whether the audit asks tonight what an account's mailbox is
// for. It matters where the account may be no person: one without a licence, that
// cannot sign in, or that is not capable of MFA (a room with a licence of its own
// looks like a person who never registers), or that was found to be none before
// and may have become one. Of those it is asked where it is not known, and of the
// people among them a seventh every night. Guests have no mailbox here.
// Source: https://learn.microsoft.com/graph/api/user-get-mailboxsettings
func AsksPurpose(u User, reg *Registration, before *Account, night Date) bool {
	if u.Mail == "" || isGuest(u) {
		return false
	}
	if before != nil && before.Purpose != "" && before.Purpose != "user" {
		return true
	}
	if u.Licensed && u.AccountEnabled != No && reg != nil && reg.MFACapable == Yes {
		return false
	}
	return before == nil || before.Purpose == "" || itsNight(u.ID, night)
}

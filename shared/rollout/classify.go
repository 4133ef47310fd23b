package rollout

import (
	"slices"
	"strings"
	"time"
)

// serviceSilence is how recent a non-interactive sign-in must be to say that an
// account works without a person.
const serviceSilence = 30 * 24 * time.Hour

// judgement is a class with the rule that gave it and what the rule saw.
type judgement struct {
	class          Class
	rule, evidence string
}

// classify gives an account its class: by the first rule that holds, unless the
// operator says otherwise and may.
func classify(cfg Config, u User, r roles, book roleBook, now time.Time) judgement {
	j := ruled(cfg, u, r, book, now)
	if o, found := cfg.Override(Account{ID: u.ID, UserPrincipalName: u.UserPrincipalName}); found {
		return overridden(j, o, u, book.evidence(r))
	}
	return j
}

func ruled(cfg Config, u User, r roles, book roleBook, now time.Time) judgement {
	exemption, exempted := configuredExemption(cfg, u)
	signedIn := !u.LastSignIn.IsZero() || !u.LastNonInteractive.IsZero() || !u.LastSuccessfulSignIn.IsZero()
	admin := book.evidence(r)
	switch {
	case cfg.IsEmergency(u.ID):
		return judgement{ClassEmergency, "configured", "listed under emergencyAccounts"}
	case containsFold(r.active, RoleDirectorySync):
		return judgement{ClassSync, "role", "holds the role Directory Synchronization Accounts"}
	case u.Purpose == "room" || u.Purpose == "equipment":
		return judgement{ClassRoom, "userPurpose", "mailbox purpose is " + u.Purpose}
	case u.Purpose == "shared":
		return judgement{ClassSharedMailbox, "userPurpose", "mailbox purpose is shared"}
	case exempted && exemption.Kind == "sharedMailbox":
		return judgement{ClassSharedMailbox, "configured", "listed under exemptions as a shared mailbox"}
	case u.AccountEnabled == No:
		return judgement{ClassDisabled, "accountEnabled", "accountEnabled is false"}
	case exempted && exemption.Kind == "serviceAccount":
		return judgement{ClassService, "configured", "listed under exemptions as a service account"}
	case !u.Licensed && u.ActivityKnown && u.LastSignIn.IsZero() && now.Sub(u.LastNonInteractive) < serviceSilence && !u.LastNonInteractive.IsZero():
		return judgement{ClassService, "behaviour", "no licence, no interactive sign-in, non-interactive ones as late as " + DateOf(u.LastNonInteractive).String()}
	case strings.EqualFold(u.UserType, "guest"):
		return judgement{ClassGuest, "userType", "userType is guest"}
	case isGuest(u):
		return judgement{ClassGuest, "userPrincipalName", "the name holds #EXT#: invited, and turned into a member"}
	case admin != "":
		return judgement{ClassAdmin, "role", admin}
	case u.ActivityKnown && !signedIn:
		return judgement{ClassNeverSignedIn, "signInActivity", "no sign-in is recorded"}
	}
	return judgement{ClassMember, "otherwise", "no other rule holds"}
}

// overridden lays the operator's word over a judgement. It says what the account
// is, and nothing that Microsoft decides by itself: who is an emergency account,
// synchronises, is disabled or administers stays so, and nobody becomes a guest
// or stops being one, because the policies ask userType and not rollout.yaml.
// Else somebody could be stopped whom nobody counted. What has no effect keeps
// its own rule, and is a finding.
func overridden(j judgement, o Override, u User, admin string) judgement {
	switch {
	case j.class == ClassEmergency, j.class == ClassSync, j.class == ClassAdmin, u.AccountEnabled == No:
		return j
	case o.Class == ClassMember && isGuest(u):
		return j
	case o.Class == ClassMember && admin != "":
		return judgement{ClassAdmin, RuleOverride, "rollout.yaml: " + o.Reason + "; " + admin}
	case slices.Contains(OverrideClasses(), o.Class):
		return judgement{o.Class, RuleOverride, "rollout.yaml: " + o.Reason}
	}
	return j
}

// isGuest: an account that was invited says so in its type, or keeps the mark
// of its origin in its name after somebody turned it into a member.
func isGuest(u User) bool {
	return strings.EqualFold(u.UserType, "guest") || strings.Contains(strings.ToUpper(u.UserPrincipalName), "#EXT#")
}

// configuredExemption finds an exemption of the account, expired or not: an
// expired one ends the protection, not the knowledge of what the account is.
func configuredExemption(cfg Config, u User) (Exemption, bool) {
	return cfg.Exemption(Account{ID: u.ID, UserPrincipalName: u.UserPrincipalName}, Date{})
}

// inGrace reports whether something that happened then is within the grace.
func inGrace(cfg Config, since, now time.Time) bool {
	return !since.IsZero() && now.Sub(since) < time.Duration(cfg.GraceDays)*24*time.Hour
}

// enabledSince is when an audit first saw the account enabled that the one
// before saw disabled. What is not known enables nobody: the grace is a favour.
func enabledSince(u User, before *Account, now time.Time) time.Time {
	switch {
	case before == nil, u.AccountEnabled == No:
		return time.Time{}
	case before.Enabled:
		return before.EnabledSince
	case u.AccountEnabled == Yes:
		return now
	}
	return time.Time{}
}

// InGrace reports whether the account is new or was enabled again not long ago:
// counted apart. It is told and enforced like any other.
func (a Account) InGrace() bool { return a.New || a.Reactivated }

// IsPerson reports whether the class is one of people who sign in themselves:
// they are told, and they can be stopped. Guests are people of another house:
// they are ours only if the operator says so.
func IsPerson(cfg Config, a Account) bool {
	return a.Enabled && (ClassCounts(cfg, a.Class) || a.Class == ClassNeverSignedIn)
}

// ClassCounts says of each class whether its accounts stand in the denominator
// of coverage: admins and members do, guests if the operator says so. Who never
// signed in is shown apart, and what is no person has a protection of its own.
func ClassCounts(cfg Config, c Class) bool {
	switch c {
	case ClassAdmin, ClassMember:
		return true
	case ClassGuest:
		return cfg.CountGuests
	}
	return false
}

// Counts reports whether the account stands in the denominator of coverage: its
// class counts, it is enabled, out of its grace, and not exempted on that day.
func Counts(cfg Config, a Account, day Date) bool {
	if _, exempt := cfg.Exemption(a, day); exempt {
		return false
	}
	return a.Enabled && ClassCounts(cfg, a.Class) && !a.InGrace()
}

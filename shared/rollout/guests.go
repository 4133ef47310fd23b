package rollout

import (
	"slices"
	"strings"
)

// GuestKind is a sort of guest or external user, in Microsoft's words.
// Source: https://learn.microsoft.com/graph/api/resources/conditionalaccessguestsorexternalusers
type GuestKind string

// The kinds that have an account in the directory. A policy may also name
// b2bDirectConnectUser, otherExternalUser and serviceProvider: those have none,
// or none that can be told from the others, so no account is taken for one.
const (
	NotGuest               GuestKind = "none"
	InternalGuest          GuestKind = "internalGuest"          // signs in here, has the rights of a guest
	B2BCollaborationGuest  GuestKind = "b2bCollaborationGuest"  // signs in elsewhere, has the rights of a guest
	B2BCollaborationMember GuestKind = "b2bCollaborationMember" // signs in elsewhere, has the rights of a member
)

// GuestKinds returns what sort of guest the account may be: one kind where its
// fields agree, several where they do not say, nothing for a member of the house.
//
// Microsoft asks two things: does the account sign in here or elsewhere, and is
// its userType Guest or Member? Elsewhere is proven by #EXT# in the name or by
// an externalUserState; how the account was created only suggests it, since an
// external account can be turned into an internal one later.
// Source: https://learn.microsoft.com/entra/external-id/authentication-conditional-access#assigning-conditional-access-policies-to-external-user-types
func GuestKinds(u User) []GuestKind {
	external := No
	switch {
	case u.ExternalUserState != "" || strings.Contains(strings.ToUpper(u.UserPrincipalName), "#EXT#"):
		external = Yes
	case strings.EqualFold(u.CreationType, "Invitation") || strings.EqualFold(u.CreationType, "SelfServiceSignUp"):
		external = Unknown
	}
	guest := Unknown
	switch {
	case strings.EqualFold(u.UserType, "Guest"):
		guest = Yes
	case strings.EqualFold(u.UserType, "Member"), u.UserType == "" && external == No:
		// Accounts of the years before guests existed have no userType.
		guest = No
	}
	var kinds []GuestKind
	for _, k := range []struct {
		kind            GuestKind
		external, guest Fact
	}{
		{NotGuest, No, No}, {InternalGuest, No, Yes}, {B2BCollaborationGuest, Yes, Yes}, {B2BCollaborationMember, Yes, No},
	} {
		if (external == Unknown || external == k.external) && (guest == Unknown || guest == k.guest) {
			kinds = append(kinds, k.kind)
		}
	}
	if len(kinds) == 1 && kinds[0] == NotGuest {
		return nil
	}
	return kinds
}

// kindSet is a set of kinds, one bit each.
type kindSet uint8

const (
	notGuest kindSet = 1 << iota
	internalGuest
	b2bCollaborationGuest
	b2bCollaborationMember

	anyGuest = internalGuest | b2bCollaborationGuest | b2bCollaborationMember
)

// kindsOf is what an account may be. A kind that is not known here may be any.
func kindsOf(kinds []GuestKind) kindSet {
	if len(kinds) == 0 {
		return notGuest
	}
	var set kindSet
	for _, k := range kinds {
		if strings.EqualFold(string(k), string(NotGuest)) {
			set |= notGuest
		} else if named, known := namedKind(string(k)); known && named != 0 {
			set |= named
		} else {
			set |= notGuest | anyGuest
		}
	}
	return set
}

// namedKind is what a policy means by a type, in whatever case Graph writes it.
// The set is empty for a type that no account in the directory has.
func namedKind(name string) (set kindSet, known bool) {
	switch strings.ToLower(name) {
	case "internalguest":
		return internalGuest, true
	case "b2bcollaborationguest":
		return b2bCollaborationGuest, true
	case "b2bcollaborationmember":
		return b2bCollaborationMember, true
	case "b2bdirectconnectuser", "otherexternaluser", "serviceprovider", "none":
		return 0, true
	}
	return 0, false
}

// guestList is which guests one side of a policy holds: those it holds whoever
// they are, and those that it may hold, since the policy names tenants that a
// directory does not show, or a type that is not known here.
type guestList struct{ surely, perhaps kindSet }

func newGuestList(users, types []string, someTenants bool) guestList {
	var l guestList
	for _, t := range types {
		set, known := namedKind(t)
		switch {
		case !known:
			l.perhaps |= anyGuest
		case someTenants:
			l.perhaps |= set
		default:
			l.surely |= set
		}
	}
	if containsFold(users, "GuestsOrExternalUsers") {
		l.surely = anyGuest
	}
	return l
}

// holds asks about an account that is one of the kinds, nobody knows which.
func (l guestList) holds(kinds kindSet) Fact {
	switch {
	case kinds&^l.surely == 0:
		return Yes
	case kinds&(l.surely|l.perhaps) == 0:
		return No
	}
	return Unknown
}

// someTenants reports whether a side of the policy means guests of some tenants
// only. Package raw leaves that among what narrows a policy.
func (p Policy) someTenants(side string) bool {
	return slices.Contains(p.Narrowing, side+externalTenants)
}

const (
	includedGuests  = "users.includeGuestsOrExternalUsers"
	excludedGuests  = "users.excludeGuestsOrExternalUsers"
	externalTenants = ".externalTenants"
)

package rollout_test

import (
	"slices"
	"testing"

	"sallyport/shared/rollout"
)

func TestGuestKinds(t *testing.T) {
	const (
		internal = rollout.InternalGuest
		guest    = rollout.B2BCollaborationGuest
		member   = rollout.B2BCollaborationMember
		none     = rollout.NotGuest
	)
	home, away := "adele@contoso.com", "adele_fabrikam.com#ext#@contoso.onmicrosoft.com"
	tests := []struct {
		name string
		user rollout.User
		want []rollout.GuestKind
	}{
		{"member", rollout.User{UserPrincipalName: home, UserType: "Member"}, nil},
		{"of the years before guests existed", rollout.User{UserPrincipalName: home}, nil},
		{"signs in here with the rights of a guest", rollout.User{UserPrincipalName: home, UserType: "guest"}, []rollout.GuestKind{internal}},
		{"invited", rollout.User{UserPrincipalName: away, UserType: "Guest", CreationType: "Invitation", ExternalUserState: "Accepted"}, []rollout.GuestKind{guest}},
		{"invited, long ago", rollout.User{UserPrincipalName: away, UserType: "Guest"}, []rollout.GuestKind{guest}},
		{"invited, under a new name", rollout.User{UserPrincipalName: home, UserType: "Guest", ExternalUserState: "PendingAcceptance"}, []rollout.GuestKind{guest}},
		{"made a member", rollout.User{UserPrincipalName: away, UserType: "Member", CreationType: "Invitation"}, []rollout.GuestKind{member}},
		{"of the house, signing in elsewhere", rollout.User{UserPrincipalName: home, UserType: "Member", ExternalUserState: "Accepted"}, []rollout.GuestKind{member}},
		{"created by invitation, perhaps converted", rollout.User{UserPrincipalName: home, UserType: "Guest", CreationType: "invitation"}, []rollout.GuestKind{internal, guest}},
		{"signed up by itself, perhaps converted", rollout.User{UserPrincipalName: home, UserType: "Member", CreationType: "SelfServiceSignUp"}, []rollout.GuestKind{none, member}},
		{"verified by mail, which members are, too", rollout.User{UserPrincipalName: home, UserType: "Member", CreationType: "EmailVerified"}, nil},
		{"external without a type", rollout.User{UserPrincipalName: away}, []rollout.GuestKind{guest, member}},
		{"a type nobody knows", rollout.User{UserPrincipalName: home, UserType: "Robot"}, []rollout.GuestKind{none, internal}},
		{"nothing is clear", rollout.User{UserPrincipalName: home, UserType: "Robot", CreationType: "Invitation"}, []rollout.GuestKind{none, internal, guest, member}},
	}
	for _, tt := range tests {
		if got := rollout.GuestKinds(tt.user); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

const helpdeskAdministrator = "729827e3-9c14-49f7-bb1b-9608f156bbb8"

// classify gives one user its account, in a tenant that holds nothing else.
func classify(cfg rollout.Config, u rollout.User, now time.Time, roles ...rollout.RoleAssignment) rollout.Account {
	u.ID = "u1"
	accounts, _ := rollout.Assess(cfg, rollout.Directory{RoleAssignments: roles}, []rollout.Reading{{User: u}}, now)
	return accounts[0]
}

func role(id string) rollout.RoleAssignment {
	return rollout.RoleAssignment{PrincipalID: "u1", RoleDefinitionID: id, DirectoryScopeID: "/"}
}

// TestClass holds each rule, and that it is asked before the next one.
func TestClass(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 10:00")
	recently := now.Add(-29 * 24 * time.Hour)
	emergency := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: "U1"}}}
	listed := func(kind string) rollout.Config {
		// Expired: what the account is stays known.
		return rollout.Config{Exemptions: []rollout.Exemption{{Account: "scanner@CONTOSO.com", Kind: kind, Expires: day(t, "2020-01-01")}}}
	}
	sync, admin := role(rollout.RoleDirectorySync), role(helpdeskAdministrator)
	eligible, scoped := admin, admin
	eligible.Eligible, scoped.DirectoryScopeID = true, "/administrativeUnits/1"
	byRobot := rollout.User{ActivityKnown: true, LastNonInteractive: recently}
	tests := []struct {
		name  string
		cfg   rollout.Config
		user  rollout.User
		roles []rollout.RoleAssignment
		want  rollout.Class
	}{
		{"emergency before all", emergency, rollout.User{AccountEnabled: rollout.No, Purpose: "room"}, []rollout.RoleAssignment{sync}, rollout.ClassEmergency},
		{"sync", rollout.Config{}, rollout.User{AccountEnabled: rollout.No, Purpose: "room"}, []rollout.RoleAssignment{sync}, rollout.ClassSync},
		{"room", rollout.Config{}, rollout.User{AccountEnabled: rollout.No, Purpose: "room"}, nil, rollout.ClassRoom},
		{"equipment", rollout.Config{}, rollout.User{Purpose: "equipment"}, nil, rollout.ClassRoom},
		{"shared mailbox", rollout.Config{}, rollout.User{AccountEnabled: rollout.No, Purpose: "shared"}, nil, rollout.ClassSharedMailbox},
		{"shared mailbox that the operator names", listed("sharedMailbox"), rollout.User{UserPrincipalName: "scanner@contoso.com", AccountEnabled: rollout.No}, nil, rollout.ClassSharedMailbox},
		{"disabled", listed("serviceAccount"), rollout.User{UserPrincipalName: "scanner@contoso.com", AccountEnabled: rollout.No}, []rollout.RoleAssignment{admin}, rollout.ClassDisabled},
		{"service account that the operator names", listed("serviceAccount"), rollout.User{UserPrincipalName: "scanner@contoso.com", UserType: "Guest"}, []rollout.RoleAssignment{admin}, rollout.ClassService},
		{"a person whom the operator exempted is a person", listed("person"), rollout.User{UserPrincipalName: "scanner@contoso.com"}, nil, rollout.ClassMember},
		{"works without a person", rollout.Config{}, byRobot, []rollout.RoleAssignment{admin}, rollout.ClassService},
		{"worked without a person, long ago", rollout.Config{}, rollout.User{ActivityKnown: true, LastNonInteractive: now.Add(-30 * 24 * time.Hour)}, nil, rollout.ClassMember},
		{"works without a person, but has a licence", rollout.Config{}, rollout.User{ActivityKnown: true, LastNonInteractive: recently, Licensed: true}, nil, rollout.ClassMember},
		{"guest by type", rollout.Config{}, rollout.User{UserType: "Guest"}, []rollout.RoleAssignment{admin}, rollout.ClassGuest},
		{"guest by name", rollout.Config{}, rollout.User{UserType: "Member", UserPrincipalName: "adele_fabrikam.com#ext#@contoso.onmicrosoft.com"}, nil, rollout.ClassGuest},
		{"admin", rollout.Config{}, rollout.User{ActivityKnown: true}, []rollout.RoleAssignment{admin}, rollout.ClassAdmin},
		{"admin when he activates it", rollout.Config{}, rollout.User{}, []rollout.RoleAssignment{eligible}, rollout.ClassAdmin},
		{"administrator of a unit alone: no policy sees that", rollout.Config{}, rollout.User{}, []rollout.RoleAssignment{scoped}, rollout.ClassMember},
		{"a role outside the template", rollout.Config{}, rollout.User{}, []rollout.RoleAssignment{role("88d8e3e3-8f55-4a1e-953a-9b9898b8876b")}, rollout.ClassMember},
		{"never signed in", rollout.Config{}, rollout.User{ActivityKnown: true, Licensed: true}, nil, rollout.ClassNeverSignedIn},
		{"whether it signed in is not known", rollout.Config{}, rollout.User{}, nil, rollout.ClassMember},
		{"signed in", rollout.Config{}, rollout.User{ActivityKnown: true, LastSignIn: recently}, nil, rollout.ClassMember},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := classify(tt.cfg, tt.user, now, tt.roles...)
			if got.Class != tt.want || got.Rule == "" || got.Evidence == "" {
				t.Errorf("class %q by rule %q (%s), want %q", got.Class, got.Rule, got.Evidence, tt.want)
			}
		})
	}
}

// TestRolesThroughGroups: a role-assignable group hands its role on, whatever
// the case of the ids.
func TestRolesThroughGroups(t *testing.T) {
	dir := rollout.Directory{
		RoleAssignments: []rollout.RoleAssignment{{PrincipalID: "Helpers", RoleDefinitionID: helpdeskAdministrator, DirectoryScopeID: "/"}},
		Groups:          map[string]rollout.GroupFacts{"helpers": {Opened: true}},
	}
	readings := []rollout.Reading{{User: rollout.User{ID: "u1"}, Groups: []string{"helpers"}}, {User: rollout.User{ID: "u2"}}}
	accounts, _ := rollout.Assess(rollout.Config{}, dir, readings, time.Time{})
	if accounts[0].Class != rollout.ClassAdmin || accounts[1].Class != rollout.ClassMember {
		t.Errorf("classes %q and %q, want admin and member", accounts[0].Class, accounts[1].Class)
	}
}

// TestAssess reads a registration into an account, joins on the id, and names
// nobody twice.
func TestAssess(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 10:00")
	methods := []string{"softwareOneTimePasscode", "mobilePhone"}
	dir := rollout.Directory{Organization: rollout.Organization{PreferredLanguage: "en", CountryLetterCode: "GB"}}
	readings := []rollout.Reading{
		{User: rollout.User{ID: "b", OtherMails: []string{"b@example.com"}, PreferredLanguage: "de-DE", Created: now.Add(-14*24*time.Hour + time.Minute)}},
		{
			User:         rollout.User{ID: "a", Mail: "a@contoso.com", OtherMails: []string{"a@example.com"}, Created: now.Add(-14 * 24 * time.Hour)},
			Registration: &rollout.Registration{MFARegistered: rollout.Yes, MFACapable: rollout.Yes, Methods: methods},
		},
		{User: rollout.User{ID: "b", Mail: "again@contoso.com"}},
	}
	accounts, _ := rollout.Assess(rollout.Config{GraceDays: 14}, dir, readings, now)
	if len(accounts) != 2 || accounts[0].ID != "a" || accounts[1].ID != "b" {
		t.Fatalf("accounts %v, want a and b once each", accounts)
	}
	a, b := accounts[0], accounts[1]
	if a.Capable != rollout.Yes || a.Strength != rollout.StrengthStrong || a.New || a.Mail != "a@contoso.com" || a.Language != "en" || a.Country != "GB" {
		t.Errorf("a: %+v", a)
	}
	if b.Capable != rollout.Unknown || b.Registered != rollout.Unknown || b.Strength != rollout.StrengthUnknown || !b.New {
		t.Errorf("b has no row in the report, which is no proof of anything: %+v", b)
	}
	if !slices.Equal(methods, []string{"softwareOneTimePasscode", "mobilePhone"}) {
		t.Errorf("the registration was sorted in place: %v", methods)
	}
}

func TestStrength(t *testing.T) {
	tests := []struct {
		methods []string
		want    rollout.Strength
	}{
		{nil, rollout.StrengthNone},
		{[]string{"password", "email", "temporaryAccessPass", ""}, rollout.StrengthNone},
		{[]string{"password", "mobilePhone"}, rollout.StrengthWeak},
		{[]string{"officePhone", "microsoftAuthenticatorPush"}, rollout.StrengthStrong},
		{[]string{"PASSKEYDEVICEBOUND", "mobilePhone"}, rollout.StrengthPhishingResistant},
		{[]string{"fido2AuthenticationMethod"}, rollout.StrengthPhishingResistant},
		{[]string{"telepathy"}, rollout.StrengthUnknown},
		{[]string{"telepathy", "sms"}, rollout.StrengthWeak},
	}
	for _, tt := range tests {
		if got := rollout.StrengthOf(tt.methods); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.methods, got, tt.want)
		}
	}
}

// TestRegistrationFromMethods: without a report a method that nobody knows
// proves nothing, in either direction.
func TestRegistrationFromMethods(t *testing.T) {
	for method, want := range map[string]struct{ registered, capable rollout.Fact }{
		"passwordAuthenticationMethod":               {rollout.No, rollout.No},
		"phoneAuthenticationMethod":                  {rollout.Yes, rollout.No}, // Security Defaults take no phone number
		"microsoftAuthenticatorAuthenticationMethod": {rollout.Yes, rollout.Yes},
		"telepathyAuthenticationMethod":              {rollout.Unknown, rollout.Unknown},
	} {
		if got := rollout.RegistrationFromMethods("u1", []string{method}); got.MFACapable != want.capable || got.MFARegistered != want.registered {
			t.Errorf("%s: registered %s, capable %s, want %s, %s", method, got.MFARegistered, got.MFACapable, want.registered, want.capable)
		}
	}
}

func TestCoverage(t *testing.T) {
	today := day(t, "2027-01-12")
	cfg := rollout.Config{Exemptions: []rollout.Exemption{
		{Account: "exempt", Expires: today}, {Account: "expired", Expires: today.AddDays(-1)},
	}}
	weak := person("weak", rollout.Yes)
	weak.Strength = rollout.StrengthWeak
	never, guest, off, young := person("never", rollout.No), person("guest", rollout.No), person("off", rollout.No), person("young", rollout.No)
	never.Class, guest.Class, off.Enabled, young.New = rollout.ClassNeverSignedIn, rollout.ClassGuest, false, true
	accounts := []rollout.Account{
		person("yes", rollout.Yes), weak, person("no", rollout.No), person("unknown", rollout.Unknown), person("unsaid", ""),
		person("exempt", rollout.No), person("expired", rollout.No), never, guest, off, young,
	}
	want := rollout.Coverage{Capable: 2, All: 6, Weak: 1, Unknown: 2, New: 1, Classes: map[rollout.Class]int{
		rollout.ClassMember: 9, rollout.ClassNeverSignedIn: 1, rollout.ClassGuest: 1,
	}}
	if diff := cmp.Diff(want, rollout.CoverageOf(cfg, accounts, today)); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	cfg.CountGuests = true
	if got := rollout.CoverageOf(cfg, accounts, today).All; got != 7 {
		t.Errorf("with guests %d count, want 7", got)
	}
}

// TestPercent: 100 means everybody, and nobody is no proof.
func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		capable, all int
		want         float64
	}{{0, 0, 0}, {1999, 2000, 99.9}, {2000, 2000, 100}, {1, 3, 33.3}} {
		if got := (rollout.Coverage{Capable: tt.capable, All: tt.all}).Percent(); got != tt.want {
			t.Errorf("%d of %d: %v %%, want %v", tt.capable, tt.all, got, tt.want)
		}
	}
}

package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

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

// TestLanguage: the person's own choice first, then the house's, then rollout.yaml's.
func TestLanguage(t *testing.T) {
	cfg := rollout.Config{Communication: rollout.Communication{Languages: []string{"es", "en"}}}
	for _, tt := range []struct{ own, house, want, from string }{
		{"ja-JP", "de", "ja-JP", "preferredLanguage"}, {"", "de", "de", "organization"}, {"", "", "es", "configured"},
	} {
		dir := rollout.Directory{Organization: rollout.Organization{PreferredLanguage: tt.house}}
		accounts, _ := rollout.Assess(cfg, dir, []rollout.Reading{{User: rollout.User{ID: "u1", PreferredLanguage: tt.own}}}, time.Time{})
		if a := accounts[0]; a.Language != tt.want || a.LanguageFrom != tt.from {
			t.Errorf("%+v: %s from %s", tt, a.Language, a.LanguageFrom)
		}
	}
}

// TestReactivated walks one account through being disabled and enabled again.
func TestReactivated(t *testing.T) {
	cfg := rollout.Config{GraceDays: 14}
	begin := at(t, "UTC", "2027-01-01 02:00")
	var before *rollout.Account
	for _, tt := range []struct {
		day         int
		enabled     rollout.Fact
		reactivated bool
		since       int // day; -1: never
	}{
		{0, rollout.Yes, false, -1}, // the first audit: who was there before is not new
		{1, rollout.No, false, -1},
		{2, rollout.No, false, -1},
		{3, rollout.Yes, true, 3},
		{16, rollout.Yes, true, 3},
		{17, rollout.Yes, false, 3},
		{18, rollout.No, false, -1},
		{19, rollout.Unknown, false, -1}, // the grace is a favour: what is not known earns none
		{20, rollout.No, false, -1},
		{21, rollout.Yes, true, 21},
	} {
		now := begin.Add(time.Duration(tt.day) * 24 * time.Hour)
		a := rollout.NewAssessor(cfg, rollout.Directory{}, now).Assess(rollout.Reading{User: rollout.User{ID: "u1", Mail: "u1@contoso.com", AccountEnabled: tt.enabled}, Before: before})
		want := time.Time{}
		if tt.since >= 0 {
			want = begin.Add(time.Duration(tt.since) * 24 * time.Hour)
		}
		if a.Reactivated != tt.reactivated || !a.EnabledSince.Equal(want) || a.InGrace() != tt.reactivated {
			t.Errorf("day %d: reactivated %t since %s, want %t since %s", tt.day, a.Reactivated, a.EnabledSince, tt.reactivated, want)
		}
		today := rollout.DateOf(now)
		if a.Enabled && (rollout.Counts(cfg, a, today) == tt.reactivated || !rollout.IsPerson(cfg, a) || !(rollout.WaveConfig{Members: rollout.MembersAll}).Holds(cfg, a, today)) {
			t.Errorf("day %d: only the counting may change: %+v", tt.day, a)
		}
		before = &a
	}
}

// TestOverrides: the operator's word wins, except over what Microsoft's policies
// act on; what cannot hold is a finding, never silence.
func TestOverrides(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 10:00")
	admin := role(helpdeskAdministrator)
	byRobot := rollout.User{ActivityKnown: true, LastNonInteractive: now.Add(-time.Hour)}
	tests := []struct {
		name  string
		user  rollout.User
		roles []rollout.RoleAssignment
		give  rollout.Class
		want  rollout.Class
		holds bool
	}{
		{"a person is a service account", rollout.User{}, nil, rollout.ClassService, rollout.ClassService, true},
		{"a person is a room", rollout.User{}, nil, rollout.ClassRoom, rollout.ClassRoom, true},
		{"a room is a shared mailbox", rollout.User{Purpose: "room"}, nil, rollout.ClassSharedMailbox, rollout.ClassSharedMailbox, true},
		{"a robot is a person", byRobot, nil, rollout.ClassMember, rollout.ClassMember, true},
		{"who never signed in counts", rollout.User{ActivityKnown: true}, nil, rollout.ClassMember, rollout.ClassMember, true},
		{"a robot with a role is an administrator", byRobot, []rollout.RoleAssignment{admin}, rollout.ClassMember, rollout.ClassAdmin, true},
		{"a guest is a service account", rollout.User{UserType: "Guest"}, nil, rollout.ClassService, rollout.ClassService, true},
		{"an administrator stays one", rollout.User{}, []rollout.RoleAssignment{admin}, rollout.ClassService, rollout.ClassAdmin, false},
		{"a guest stays one", rollout.User{UserType: "Guest"}, nil, rollout.ClassMember, rollout.ClassGuest, false},
		{"nobody becomes a guest", rollout.User{}, nil, rollout.ClassGuest, rollout.ClassMember, false},
		{"nobody becomes an administrator", rollout.User{}, nil, rollout.ClassAdmin, rollout.ClassMember, false},
		{"nobody becomes an emergency account", rollout.User{}, nil, rollout.ClassEmergency, rollout.ClassMember, false},
		{"disabled stays disabled", rollout.User{AccountEnabled: rollout.No}, nil, rollout.ClassMember, rollout.ClassDisabled, false},
		{"a disabled room stays a room", rollout.User{AccountEnabled: rollout.No, Purpose: "room"}, nil, rollout.ClassMember, rollout.ClassRoom, false},
		{"who synchronises stays", rollout.User{}, []rollout.RoleAssignment{role(rollout.RoleDirectorySync)}, rollout.ClassMember, rollout.ClassSync, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.user.ID, tt.user.Mail = "u1", "u1@contoso.com"
			cfg := rollout.Config{Overrides: []rollout.Override{{Account: "U1", Class: tt.give, Reason: "the lobby"}}}
			accounts, findings := rollout.Assess(cfg, rollout.Directory{RoleAssignments: tt.roles}, []rollout.Reading{{User: tt.user}}, now)
			a := accounts[0]
			if a.Class != tt.want || (a.Rule == rollout.RuleOverride) != tt.holds || strings.Contains(a.Evidence, "rollout.yaml: the lobby") != tt.holds {
				t.Errorf("%s by %s (%s), want %s", a.Class, a.Rule, a.Evidence, tt.want)
			}
			said := map[bool]string{true: "override-in-force", false: "override-without-effect"}[tt.holds]
			if !slices.ContainsFunc(findings, func(f rollout.Finding) bool { return f.ID == said && slices.Equal(f.Accounts, []string{"u1"}) }) {
				t.Errorf("no finding %s", said)
			}
		})
	}
	emergency := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: "u1"}}, Overrides: []rollout.Override{{Account: "u1", Class: rollout.ClassMember}}}
	if a := classify(emergency, rollout.User{}, now); a.Class != rollout.ClassEmergency {
		t.Errorf("an emergency account became %s", a.Class)
	}
}

// TestClassCounts says it of each class.
func TestClassCounts(t *testing.T) {
	for _, guests := range []bool{false, true} {
		for _, c := range rollout.Classes() {
			want := c == rollout.ClassAdmin || c == rollout.ClassMember || (c == rollout.ClassGuest && guests)
			if got := rollout.ClassCounts(rollout.Config{CountGuests: guests}, c); got != want {
				t.Errorf("countGuests %t, %s: counts %t", guests, c, got)
			}
		}
	}
}

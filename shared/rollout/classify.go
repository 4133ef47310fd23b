package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// RoleGlobalAdministrator and RoleDirectorySync are role template ids.
// Source: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
const (
	RoleGlobalAdministrator = "62e90394-69f5-4237-9190-012177145e10"
	RoleDirectorySync       = "d29b2b05-8046-44ba-8758-1e26182fcf32"
)

// AdminRoles returns the template ids of the roles that Microsoft's policy
// template "Require MFA for admins" names. A Conditional Access role condition
// sees these when they are held tenant-wide; custom roles and roles scoped to
// an administrative unit it does not see.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/policy-old-require-mfa-admin
func AdminRoles() []string {
	return []string{
		RoleGlobalAdministrator,
		"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", // Application Administrator
		"c4e39bd9-1100-46d3-8c65-fb160da0071f", // Authentication Administrator
		"b0f54661-2d74-4c50-afa3-1ec803f12efe", // Billing Administrator
		"158c047a-c907-4556-b7ef-446551a6b5f7", // Cloud Application Administrator
		"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", // Conditional Access Administrator
		"29232cdf-9323-42fd-ade2-1d097af3e4de", // Exchange Administrator
		"729827e3-9c14-49f7-bb1b-9608f156bbb8", // Helpdesk Administrator
		"966707d0-3269-4727-9be2-8c3a10f19b9d", // Password Administrator
		"7be44c8a-adaf-4e2a-84d6-ab2649e08a13", // Privileged Authentication Administrator
		"e8611ab8-c189-46e8-94e1-60213ab1f814", // Privileged Role Administrator
		"194ae4cb-b126-40b2-bd5b-6091b380977d", // Security Administrator
		"f28a1f50-f6e7-4571-818b-6a12f2af6b6c", // SharePoint Administrator
		"69091246-20e8-4a56-aa4d-066075b2a7a8", // Teams Administrator
		"fe930be7-5e62-47db-91af-98c3a49a38b1", // User Administrator
	}
}

// roles of one account, tenant-wide: what a Conditional Access role condition
// can see, now (active) or once activated (eligible).
type roles struct {
	active   []string
	eligible []string
}

func (r roles) all() []string {
	all := append(slices.Clone(r.active), r.eligible...)
	slices.Sort(all)
	return slices.Compact(all)
}

// rolesByPrincipal are the roles that a user or a role-assignable group is given,
// by its id in lower case. Assignments scoped to an administrative unit are left
// out: Conditional Access does not see them.
type rolesByPrincipal map[string]roles

func newRolesByPrincipal(assignments []RoleAssignment) rolesByPrincipal {
	by := rolesByPrincipal{}
	for _, a := range assignments {
		if a.DirectoryScopeID != "/" {
			continue
		}
		id := strings.ToLower(a.PrincipalID)
		r := by[id]
		if a.Eligible {
			r.eligible = append(r.eligible, a.RoleDefinitionID)
		} else {
			r.active = append(r.active, a.RoleDefinitionID)
		}
		by[id] = r
	}
	return by
}

// of are the roles of a user, those of the groups that hold it included.
func (by rolesByPrincipal) of(user string, groups []string) roles {
	own := by[strings.ToLower(user)]
	held := roles{active: slices.Clone(own.active), eligible: slices.Clone(own.eligible)}
	for _, id := range groups {
		r := by[strings.ToLower(id)]
		held.active = append(held.active, r.active...)
		held.eligible = append(held.eligible, r.eligible...)
	}
	return held
}

// groupsHolding are the ids of the groups that hold the account.
func groupsHolding(groups map[string]Group, account string) []string {
	var ids []string
	for id, g := range groups {
		if containsFold(g.Members, account) {
			ids = append(ids, id)
		}
	}
	return ids
}

// serviceSilence is how recent a non-interactive sign-in must be to say that an
// account works without a person.
const serviceSilence = 30 * 24 * time.Hour

// classify gives an account its class by the first rule that holds, with the
// rule's name and what it saw.
func classify(cfg Config, u User, r roles, now time.Time) (class Class, rule, evidence string) {
	exemption, exempted := configuredExemption(cfg, u)
	signedIn := !u.LastSignIn.IsZero() || !u.LastNonInteractive.IsZero() || !u.LastSuccessfulSignIn.IsZero()
	adminRoles := intersection(r.all(), AdminRoles())
	switch {
	case cfg.IsEmergency(u.ID):
		return ClassEmergency, "configured", "listed under emergencyAccounts"
	case containsFold(r.active, RoleDirectorySync):
		return ClassSync, "role", "holds the role Directory Synchronization Accounts"
	case u.Purpose == "room" || u.Purpose == "equipment":
		return ClassRoom, "userPurpose", "mailbox purpose is " + u.Purpose
	case u.Purpose == "shared":
		return ClassSharedMailbox, "userPurpose", "mailbox purpose is shared"
	case exempted && exemption.Kind == "sharedMailbox":
		return ClassSharedMailbox, "configured", "listed under exemptions as a shared mailbox"
	case u.AccountEnabled == No:
		return ClassDisabled, "accountEnabled", "accountEnabled is false"
	case exempted && exemption.Kind == "serviceAccount":
		return ClassService, "configured", "listed under exemptions as a service account"
	case !u.Licensed && u.ActivityKnown && u.LastSignIn.IsZero() && now.Sub(u.LastNonInteractive) < serviceSilence && !u.LastNonInteractive.IsZero():
		return ClassService, "behaviour", "no licence, no interactive sign-in, non-interactive ones as late as " + DateOf(u.LastNonInteractive).String()
	case isGuest(u):
		return ClassGuest, "userType", "userType is guest"
	case len(adminRoles) > 0:
		return ClassAdmin, "role", fmt.Sprintf("holds %d of the roles of Microsoft's administrator template", len(adminRoles))
	case u.ActivityKnown && !signedIn:
		return ClassNeverSignedIn, "signInActivity", "no sign-in is recorded"
	}
	return ClassMember, "otherwise", "no other rule holds"
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

// isNew reports whether the account is within its grace.
func isNew(cfg Config, created, now time.Time) bool {
	return !created.IsZero() && now.Sub(created) < time.Duration(cfg.GraceDays)*24*time.Hour
}

// IsPerson reports whether the class is one of people who sign in themselves:
// they are told, and they can be stopped. Guests are people of another house:
// they are ours only if the operator says so.
func IsPerson(cfg Config, a Account) bool {
	switch a.Class {
	case ClassAdmin, ClassMember, ClassNeverSignedIn:
		return a.Enabled
	case ClassGuest:
		return a.Enabled && cfg.CountGuests
	}
	return false
}

// Counts reports whether the account stands in the denominator of coverage:
// admins and members, guests if the operator says so; not those in their
// grace, never signed in, or exempted on that day.
func Counts(cfg Config, a Account, day Date) bool {
	if _, exempt := cfg.Exemption(a, day); exempt {
		return false
	}
	return IsPerson(cfg, a) && a.Class != ClassNeverSignedIn && !a.New
}

// methodStrength maps the strings of the registration report and of
// authentication/methods to a strength. They are free text at Microsoft; a
// string that is not here is StrengthUnknown.
// Source: https://learn.microsoft.com/graph/api/resources/userregistrationdetails
// and https://learn.microsoft.com/entra/identity/authentication/concept-sms-voice-retirement
func methodStrength(method string) Strength {
	switch strings.ToLower(method) {
	case "passkeydevicebound", "passkeydeviceboundauthenticator", "passkeydeviceboundwindowshello", "passkeysynced",
		"fido2securitykey", "fido2", "fido", "windowshelloforbusiness", "macossecureenclavekey",
		"fido2authenticationmethod", "windowshelloforbusinessauthenticationmethod", "x509certificateauthenticationmethod",
		"platformcredentialauthenticationmethod":
		return StrengthPhishingResistant
	case "microsoftauthenticatorpush", "microsoftauthenticatorpasswordless", "softwareonetimepasscode",
		"hardwareonetimepasscode", "onetimepasscode", "externalauthmethod",
		"microsoftauthenticatorauthenticationmethod", "softwareoathauthenticationmethod", "hardwareoathauthenticationmethod",
		"externalauthenticationmethod":
		return StrengthStrong
	case "mobilephone", "alternatemobilephone", "officephone", "sms", "mobilesms", "mobilecall", "officecall",
		"alternatemobilecall", "phoneauthenticationmethod":
		return StrengthWeak
	case "password", "email", "securityquestion", "apppassword", "temporaryaccesspass", "qrcode",
		"passwordauthenticationmethod", "emailauthenticationmethod", "temporaryaccesspassauthenticationmethod",
		"qrcodepinauthenticationmethod", "":
		return StrengthNone
	}
	return StrengthUnknown
}

// StrengthOf returns the strength of the best of the methods. A Temporary
// Access Pass and a password are no methods.
func StrengthOf(methods []string) Strength {
	order := []Strength{StrengthNone, StrengthUnknown, StrengthWeak, StrengthStrong, StrengthPhishingResistant}
	best := StrengthNone
	for _, m := range methods {
		s := methodStrength(m)
		if slices.Index(order, s) > slices.Index(order, best) {
			best = s
		}
	}
	return best
}

// RegistrationFromMethods makes a registration of the methods that
// /users/{id}/authentication/methods lists, for tenants whose licence has no
// registration report. Such a tenant has Security Defaults alone, which take an
// authenticator app or stronger: somebody with only a phone number has
// registered, and would be stopped all the same.
// Source: https://learn.microsoft.com/entra/fundamentals/security-defaults
func RegistrationFromMethods(userID string, methods []string) Registration {
	r := Registration{UserID: userID, MFARegistered: Yes, MFACapable: Yes, Methods: methods}
	switch StrengthOf(methods) {
	case StrengthNone:
		r.MFARegistered, r.MFACapable = No, No
	case StrengthUnknown:
		r.MFARegistered, r.MFACapable = Unknown, Unknown
	case StrengthWeak:
		r.MFACapable = No
	}
	return r
}

func intersection(a, b []string) []string {
	var both []string
	for _, x := range a {
		if containsFold(b, x) {
			both = append(both, x)
		}
	}
	return both
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

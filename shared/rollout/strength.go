package rollout

import (
	"slices"
	"strings"
	"time"
)

// SmsVoiceEnds is the day on which Microsoft switches off its own text messages
// and calls for MFA: who has nothing else must register something else first.
// Source: https://learn.microsoft.com/entra/identity/authentication/concept-sms-voice-retirement
func SmsVoiceEnds() Date { return Date{2027, time.February, 1} }

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

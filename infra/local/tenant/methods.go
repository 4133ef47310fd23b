package tenant

import (
	"slices"
	"strings"
	"time"
)

// MethodKind is a way to authenticate, as the simulation names it.
type MethodKind string

// The kinds of methods that Graph's v1.0 lists.
const (
	Password            MethodKind = "password"
	AuthenticatorPush   MethodKind = "microsoftAuthenticator"
	SoftwareOath        MethodKind = "softwareOath"
	FIDO2               MethodKind = "fido2"
	WindowsHello        MethodKind = "windowsHelloForBusiness"
	PlatformCredential  MethodKind = "platformCredential"
	MobilePhone         MethodKind = "mobilePhone"
	AlternatePhone      MethodKind = "alternateMobilePhone"
	OfficePhone         MethodKind = "officePhone"
	Email               MethodKind = "email"
	TemporaryAccessPass MethodKind = "temporaryAccessPass"
)

// grade is what a method is good for.
type grade int

const (
	noFactor grade = iota // not a second factor
	weak                  // SMS and voice
	strong
	resistant // to phishing
)

// methodInfo ties together the names that Microsoft gives one method.
// Sources: https://learn.microsoft.com/graph/api/resources/authenticationmethod,
// https://learn.microsoft.com/graph/api/resources/userregistrationdetails,
// https://learn.microsoft.com/graph/api/resources/authenticationmethodconfiguration
type methodInfo struct {
	odata       string   // @odata.type, without "#microsoft.graph."
	phoneType   string   // for phones
	registered  string   // the report's methodsRegistered
	aliases     []string // other strings the report has used for it
	allowedBy   []string // configurations of which one must be enabled; none: always allowed
	grade       grade
	preferred   string // userPreferredMethodForSecondaryAuthentication
	combination string // how an authentication strength names it
}

var methodKinds = map[MethodKind]methodInfo{
	Password:            {odata: "passwordAuthenticationMethod"},
	AuthenticatorPush:   {odata: "microsoftAuthenticatorAuthenticationMethod", registered: "microsoftAuthenticatorPush", aliases: []string{"microsoftAuthenticatorPasswordless"}, allowedBy: []string{"MicrosoftAuthenticator"}, grade: strong, preferred: "push", combination: "password,microsoftAuthenticatorPush"},
	SoftwareOath:        {odata: "softwareOathAuthenticationMethod", registered: "softwareOneTimePasscode", aliases: []string{"oneTimePasscode"}, allowedBy: []string{"SoftwareOath"}, grade: strong, preferred: "oath", combination: "password,softwareOath"},
	FIDO2:               {odata: "fido2AuthenticationMethod", registered: "passKeyDeviceBound", aliases: []string{"fido2SecurityKey", "fido2", "fido", "passKeySynced", "passKeyDeviceBoundAuthenticator", "passKeyDeviceBoundWindowsHello"}, allowedBy: []string{"Fido2"}, grade: resistant, combination: "fido2"},
	WindowsHello:        {odata: "windowsHelloForBusinessAuthenticationMethod", registered: "windowsHelloForBusiness", grade: resistant, combination: "windowsHelloForBusiness"},
	PlatformCredential:  {odata: "platformCredentialAuthenticationMethod", registered: "macOsSecureEnclaveKey", grade: resistant, combination: "windowsHelloForBusiness"},
	MobilePhone:         {odata: "phoneAuthenticationMethod", phoneType: "mobile", registered: "mobilePhone", aliases: []string{"sms", "mobileSMS", "mobileCall"}, allowedBy: []string{"Sms", "Voice"}, grade: weak, preferred: "sms", combination: "password,sms"},
	AlternatePhone:      {odata: "phoneAuthenticationMethod", phoneType: "alternateMobile", registered: "alternateMobilePhone", aliases: []string{"alternateMobileCall"}, allowedBy: []string{"Voice"}, grade: weak, preferred: "voiceAlternateMobile", combination: "password,voice"},
	OfficePhone:         {odata: "phoneAuthenticationMethod", phoneType: "office", registered: "officePhone", aliases: []string{"officeCall"}, allowedBy: []string{"Voice"}, grade: weak, preferred: "voiceOffice", combination: "password,voice"},
	Email:               {odata: "emailAuthenticationMethod", registered: "email"},
	TemporaryAccessPass: {odata: "temporaryAccessPassAuthenticationMethod", registered: "temporaryAccessPass"},
}

// kindsInOrder is the order in which the report lists methods.
var kindsInOrder = []MethodKind{MobilePhone, AlternatePhone, OfficePhone, Email, AuthenticatorPush, SoftwareOath, FIDO2, WindowsHello, PlatformCredential, TemporaryAccessPass}

const graphType = "#microsoft.graph."

// newMethod makes a method as /authentication/methods would list it.
func newMethod(kind MethodKind, from string, when time.Time) Object {
	info := methodKinds[kind]
	m := Object{"@odata.type": graphType + info.odata, "id": makeID(0, "method "+from, 1)}
	switch kind {
	case Password:
		m["id"] = "28c10230-6103-485e-b985-444c60001490" // the same for everybody, as Microsoft has it
		m["password"], m["createdDateTime"] = nil, stamp(when)
	case MobilePhone, AlternatePhone, OfficePhone:
		m["phoneType"], m["phoneNumber"], m["smsSignInState"] = info.phoneType, "+44 20 7946 0000", "notAllowedByPolicy"
	case SoftwareOath:
		m["secretKey"] = nil
	case Email:
		m["emailAddress"] = "someone@example.com"
	case AuthenticatorPush:
		m["displayName"], m["deviceTag"], m["phoneAppVersion"], m["createdDateTime"] = "Phone", "SoftwareTokenActivated", "6.2401.0119", stamp(when)
	case FIDO2:
		m["displayName"], m["model"], m["attestationLevel"], m["createdDateTime"] = "Security key", "Contoso Key 5", "attested", stamp(when)
	case WindowsHello, PlatformCredential:
		m["displayName"], m["keyStrength"], m["createdDateTime"] = "Laptop", "normal", stamp(when)
	}
	return m
}

// kindOf names a listed method, or empty for one that is not known here.
func kindOf(m Object) MethodKind {
	odata := strings.TrimPrefix(text(m, "@odata.type"), graphType)
	for kind, info := range methodKinds {
		if info.odata == odata && (info.phoneType == "" || info.phoneType == text(m, "phoneType")) {
			return kind
		}
	}
	return ""
}

// kindRegistered names the method that a string of the report means.
func kindRegistered(s string) MethodKind {
	for kind, info := range methodKinds {
		if s != "" && (info.registered == s || slices.Contains(info.aliases, s)) {
			return kind
		}
	}
	return ""
}

// has lists the kinds a person has, in the report's order.
func (p *person) has() []MethodKind {
	held := map[MethodKind]bool{}
	for _, m := range p.methods {
		held[kindOf(m)] = true
	}
	var out []MethodKind
	for _, k := range kindsInOrder {
		if held[k] {
			out = append(out, k)
		}
	}
	return out
}

// factors lists the second factors that the methods policy lets a person use.
func (t *Tenant) factors(id string) []MethodKind {
	p := t.person(id)
	if p.given != nil {
		if capable, _ := truth(p.given, "isMfaCapable"); !capable {
			return nil
		}
	}
	var out []MethodKind
	for _, k := range p.has() {
		if methodKinds[k].grade > noFactor && t.allowed(id, k) {
			out = append(out, k)
		}
	}
	return out
}

// allowed reports whether the authentication methods policy lets a person use a
// kind of method.
func (t *Tenant) allowed(id string, kind MethodKind) bool {
	by := methodKinds[kind].allowedBy
	if len(by) == 0 {
		return true
	}
	for _, c := range objects(t.methodsPolicy, "authenticationMethodConfigurations") {
		if holds(by, text(c, "id")) && text(c, "state") == "enabled" &&
			t.targeted(id, objects(c, "includeTargets")) && !t.targeted(id, objects(c, "excludeTargets")) {
			return true
		}
	}
	return false
}

func (t *Tenant) targeted(id string, targets []Object) bool {
	for _, target := range targets {
		switch to := text(target, "id"); {
		case to == "all_users", strings.EqualFold(to, id), t.closure(to)[strings.ToLower(id)]:
			return true
		}
	}
	return false
}

// IsCapable reports whether a person could pass MFA today: has a second factor
// that policy allows. An account that does not exist is not.
func (t *Tenant) IsCapable(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.users.get(id)
	return ok && t.capable(id)
}

func (t *Tenant) capable(id string) bool {
	if given := t.person(id).given; given != nil {
		is, _ := truth(given, "isMfaCapable")
		return is
	}
	return len(t.factors(id)) > 0
}

// registration makes the row of the report as of an instant, nil for an account
// that the report leaves out: it knows no disabled ones.
func (t *Tenant) registration(id string, asOf time.Time) Object {
	u, _ := t.users.get(id)
	if enabled, known := truth(u, "accountEnabled"); known && !enabled {
		return nil
	}
	p := t.person(id)
	if p.given != nil {
		row := cloneObject(p.given)
		row["lastUpdatedDateTime"] = stamp(asOf)
		return row
	}
	var names, systemPreferred []any
	preferred, isRegistered, passwordless, recovery := "", false, false, false
	for _, k := range p.has() {
		info := methodKinds[k]
		names = append(names, info.registered)
		isRegistered = isRegistered || info.grade > noFactor
		passwordless = passwordless || info.grade == resistant
		recovery = recovery || k == Email || info.grade > noFactor
		if info.preferred != "" && (preferred == "" || info.grade == strong) {
			preferred = info.preferred
		}
	}
	if preferred != "" {
		systemPreferred = []any{preferred}
	}
	return Object{
		"id": u["id"], "userPrincipalName": u["userPrincipalName"], "userDisplayName": u["displayName"],
		"userType": strings.ToLower(text(u, "userType")), "isAdmin": t.isAdmin(id),
		"isMfaRegistered": isRegistered, "isMfaCapable": len(t.factors(id)) > 0, "isPasswordlessCapable": passwordless,
		"isSsprRegistered": recovery, "isSsprEnabled": true, "isSsprCapable": recovery,
		"isSystemPreferredAuthenticationMethodEnabled":  true,
		"methodsRegistered":                             orEmpty(names),
		"systemPreferredAuthenticationMethods":          orEmpty(systemPreferred),
		"userPreferredMethodForSecondaryAuthentication": preferred,
		"lastUpdatedDateTime":                           stamp(asOf),
	}
}

func orEmpty(l []any) []any {
	if l == nil {
		return []any{}
	}
	return l
}

// SetMethodState enables or disables one configuration of the authentication
// methods policy: Fido2, MicrosoftAuthenticator, Sms, Voice, SoftwareOath,
// TemporaryAccessPass, Email. An unknown one changes nothing.
func (t *Tenant) SetMethodState(configuration, state string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refreshAll()
	for _, c := range objects(t.methodsPolicy, "authenticationMethodConfigurations") {
		if strings.EqualFold(text(c, "id"), configuration) {
			c["state"] = state
		}
	}
}

// newMethodsPolicy is what Microsoft gives a tenant today, with SMS still on and
// voice off.
// Source: https://learn.microsoft.com/graph/api/resources/authenticationmethodspolicy
func newMethodsPolicy(now time.Time) Object {
	everybody := func() []any {
		return []any{Object{"targetType": "group", "id": "all_users", "isRegistrationRequired": false}}
	}
	configuration := func(kind, id, state string, more Object) Object {
		c := Object{"@odata.type": graphType + kind + "AuthenticationMethodConfiguration", "id": id, "state": state, "excludeTargets": []any{}, "includeTargets": everybody()}
		for k, v := range more {
			c[k] = v
		}
		return c
	}
	return Object{
		"id": "authenticationMethodsPolicy", "displayName": "Authentication Methods Policy",
		"description":          "Which methods people of this tenant may register and use.",
		"lastModifiedDateTime": stamp(now.AddDate(-1, 0, 0)), "policyVersion": "1.5", "policyMigrationState": "migrationComplete",
		"registrationEnforcement": Object{"authenticationMethodsRegistrationCampaign": Object{
			"snoozeDurationInDays": 1, "state": "default", "excludeTargets": []any{},
			"includeTargets": []any{Object{"id": "all_users", "targetType": "group", "targetedAuthenticationMethod": "microsoftAuthenticator"}},
		}},
		"authenticationMethodConfigurations": []any{
			configuration("fido2", "Fido2", "enabled", Object{"isSelfServiceRegistrationAllowed": true, "isAttestationEnforced": false, "keyRestrictions": Object{"isEnforced": false, "enforcementType": "block", "aaGuids": []any{}}}),
			configuration("microsoftAuthenticator", "MicrosoftAuthenticator", "enabled", Object{"isSoftwareOathEnabled": true}),
			configuration("sms", "Sms", "enabled", nil),
			configuration("voice", "Voice", "disabled", Object{"isOfficePhoneAllowed": false}),
			configuration("softwareOath", "SoftwareOath", "enabled", nil),
			configuration("temporaryAccessPass", "TemporaryAccessPass", "enabled", Object{"defaultLifetimeInMinutes": 60, "defaultLength": 8, "minimumLifetimeInMinutes": 60, "maximumLifetimeInMinutes": 480, "isUsableOnce": false}),
			configuration("email", "Email", "enabled", Object{"allowExternalIdToUseEmailOtp": "default"}),
		},
	}
}

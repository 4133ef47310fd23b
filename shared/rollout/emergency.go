package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// EmergencyFacts is what was read of one emergency account, in this run.
type EmergencyFacts struct {
	Account string
	// User is nil if the account does not exist; ReadError says why it could
	// not be read, and then nothing is proven.
	User      *User
	ReadError string
	Methods   []string // as authentication/methods names them
	// MethodsRead is false if the methods could not be read.
	MethodsRead bool
	// Held are the same methods one by one, each as "kind id": two keys are two.
	Held []string
	// PerUserMFA is the legacy state; empty if it could not be read.
	PerUserMFA string
}

// ProveEmergency turns what was read into a proof per configured account. What
// could not be read stays Unknown, and Unknown proves nothing.
func ProveEmergency(cfg Config, initialDomain string, facts []EmergencyFacts, assignments []RoleAssignment, policies []Policy, groups map[string]Group) []EmergencyProof {
	roles := newRolesByPrincipal(assignments)
	proofs := make([]EmergencyProof, 0, len(cfg.EmergencyAccounts))
	for _, e := range cfg.EmergencyAccounts {
		p := EmergencyProof{
			Account: e.ID, Exists: Unknown, Enabled: Unknown, CloudOnly: Unknown,
			InitialDomain: Unknown, GlobalAdmin: Unknown, StrongMethod: Unknown, NothingPersonal: Unknown,
		}
		r := roles.of(e.ID, groupsHolding(groups, e.ID))
		subject := Subject{ID: e.ID, ActiveRoles: r.active, EligibleRoles: r.eligible}
		i := slices.IndexFunc(facts, func(f EmergencyFacts) bool { return strings.EqualFold(f.Account, e.ID) })
		switch {
		case i < 0:
			p.ReadError = "nobody looked at it"
		case facts[i].ReadError != "":
			p.ReadError = facts[i].ReadError
		default:
			f := facts[i]
			// A name that leads to some account is no object id.
			p.Exists = FactOf(f.User != nil && strings.EqualFold(f.User.ID, e.ID))
			if p.Exists == Yes {
				subject.Guest = GuestKinds(*f.User)
				p.Enabled = f.User.AccountEnabled
				p.CloudOnly = not(f.User.Synced)
				if initialDomain != "" {
					p.InitialDomain = FactOf(strings.HasSuffix(strings.ToLower(f.User.UserPrincipalName), "@"+strings.ToLower(initialDomain)))
				}
				p.GlobalAdmin = permanentGlobalAdmin(assignments, e.ID, r)
				p.PasswordChanged = f.User.PasswordChanged
				p.UserPrincipalName, p.PerUserMFA = f.User.UserPrincipalName, strings.ToLower(f.PerUserMFA)
			}
			if f.MethodsRead {
				p.StrongMethod = FactOf(holdsHardMethod(f.Methods))
				p.Held = slices.Clone(f.Held)
				p.Personal = personalMethods(f.Methods)
				p.NothingPersonal = FactOf(len(p.Personal) == 0)
			}
		}
		for _, policy := range policies {
			v := Reach(policy, subject, groups)
			v.CanStop = canStop(policy)
			p.Policies = append(p.Policies, v)
		}
		p.Excluding = policyGroups(cfg, e.ID, policies, groups, func(policy Policy) []string { return policy.ExcludeGroups })
		p.Including = policyGroups(cfg, e.ID, policies, groups, func(policy Policy) []string { return policy.IncludeGroups })
		proofs = append(proofs, p)
	}
	return proofs
}

func not(f Fact) Fact {
	switch f {
	case Yes:
		return No
	case No:
		return Yes
	}
	return Unknown
}

// permanentGlobalAdmin: active, assigned to the account itself, at "/". One that
// the account may also activate cannot be told from an activation that ends in
// some hours: the listing shows both alike.
// Source: https://learn.microsoft.com/graph/api/resources/unifiedroleassignmentscheduleinstance
func permanentGlobalAdmin(assignments []RoleAssignment, account string, r roles) Fact {
	direct := slices.ContainsFunc(assignments, func(a RoleAssignment) bool {
		return strings.EqualFold(a.PrincipalID, account) && strings.EqualFold(a.RoleDefinitionID, RoleGlobalAdministrator) && a.DirectoryScopeID == "/" && !a.Eligible
	})
	if direct && containsFold(r.eligible, RoleGlobalAdministrator) {
		return Unknown
	}
	return FactOf(direct)
}

// holdsHardMethod: a FIDO2 passkey or a certificate. Windows Hello and the
// passkey in Authenticator hang on one person's device and are none.
func holdsHardMethod(methods []string) bool {
	return slices.ContainsFunc(methods, func(m string) bool {
		switch strings.ToLower(m) {
		case "fido2authenticationmethod", "x509certificateauthenticationmethod", "fido2securitykey", "passkeydevicebound":
			return true
		}
		return false
	})
}

// personalMethods are those of one person, who may be on leave, have left, or be
// the attacker: a phone, an app on it, a mailbox, the device of one person.
func personalMethods(methods []string) []string {
	var personal []string
	for _, m := range methods {
		switch strings.ToLower(m) {
		case "phoneauthenticationmethod", "emailauthenticationmethod", "softwareoathauthenticationmethod",
			"microsoftauthenticatorauthenticationmethod", "passwordlessmicrosoftauthenticatorauthenticationmethod",
			"windowshelloforbusinessauthenticationmethod", "platformcredentialauthenticationmethod",
			// As the registration report names them.
			"mobilephone", "alternatemobilephone", "officephone", "sms", "email", "softwareonetimepasscode",
			"microsoftauthenticatorpush", "microsoftauthenticatorpasswordless", "passkeydeviceboundauthenticator",
			"windowshelloforbusiness", "passkeydeviceboundwindowshello", "macossecureenclavekey":
			personal = append(personal, m)
		}
	}
	return personal
}

// Shortcomings says what keeps the account from being a working emergency
// account; nothing means that it is proven.
func (p EmergencyProof) Shortcomings() []string {
	var list []string
	for _, c := range []struct {
		fact Fact
		text string
	}{
		{p.Exists, "exists"},
		{p.Enabled, "is enabled"},
		{p.CloudOnly, "is cloud-only"},
		{p.InitialDomain, "is on the initial onmicrosoft.com domain"},
		{p.GlobalAdmin, "is permanently and directly Global Administrator"},
		{p.StrongMethod, "holds a FIDO2 key or a certificate"},
		{p.NothingPersonal, "holds no phone and no app or device of one person"},
	} {
		if c.fact != Yes {
			list = append(list, fmt.Sprintf("not proven that it %s (%s)", c.text, orUnknown(c.fact)))
		}
	}
	return list
}

func orUnknown(f Fact) Fact {
	if f == "" {
		return Unknown
	}
	return f
}

// Exposed are the policies that could stop the account: enabled or report-only,
// asking for anything, and not proven to leave it out. To be outside the
// included group today is no proof.
func (p EmergencyProof) Exposed(policies []Policy) []PolicyVerdict {
	var list []PolicyVerdict
	for _, policy := range policies {
		if !canStop(policy) {
			continue
		}
		i := slices.IndexFunc(p.Policies, func(v PolicyVerdict) bool { return v.ID == policy.ID })
		if i < 0 {
			list = append(list, PolicyVerdict{ID: policy.ID, Name: policy.DisplayName, State: policy.State, Verdict: VerdictUnresolvable, Path: []string{"not looked at"}})
			continue
		}
		if v := p.Policies[i]; v.Verdict != VerdictExcluded && v.Verdict != VerdictNotAddressed {
			list = append(list, v)
		}
	}
	return list
}

// couldStop are the ids of the policies that could stop the subject, by the same
// measure.
func couldStop(s Subject, policies []Policy, groups map[string]GroupFacts) []string {
	var p EmergencyProof
	for _, policy := range policies {
		p.Policies = append(p.Policies, reachIn(policy, s, groups))
	}
	var ids []string
	for _, v := range p.Exposed(policies) {
		ids = append(ids, v.ID)
	}
	return ids
}

// canStop reports whether the policy, on or about to be on, asks for anything.
// A state that nobody knows can stop.
func canStop(p Policy) bool {
	return p.State != StateDisabled &&
		(len(p.GrantControls) > 0 || len(p.OtherGrants) > 0 || p.AuthenticationStrength != "" || len(p.SessionControls) > 0)
}

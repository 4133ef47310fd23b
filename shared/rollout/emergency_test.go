package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

func TestProveEmergency(t *testing.T) {
	globalAdmin := rollout.RoleAssignment{PrincipalID: "EM1", RoleDefinitionID: rollout.RoleGlobalAdministrator, DirectoryScopeID: "/"}
	type input struct {
		facts       rollout.EmergencyFacts
		domain      string
		assignments []rollout.RoleAssignment
		groups      map[string]rollout.Group
	}
	tests := []struct {
		name   string
		change func(in *input)
		want   string // the shortcomings
	}{
		{"proven", func(*input) {}, ""},
		{"a certificate", func(in *input) { in.facts.Methods = []string{"x509CertificateAuthenticationMethod"} }, ""},
		{"not read", func(in *input) { in.facts.ReadError = "503" }, "exists (unknown), is enabled (unknown), is cloud-only (unknown), is on the initial onmicrosoft.com domain (unknown), is permanently and directly Global Administrator (unknown), holds a FIDO2 key or a certificate (unknown), holds no phone and no app or device of one person (unknown)"},
		{"another account was read", func(in *input) { in.facts.Account = em2 }, "exists (unknown), is enabled (unknown), is cloud-only (unknown), is on the initial onmicrosoft.com domain (unknown), is permanently and directly Global Administrator (unknown), holds a FIDO2 key or a certificate (unknown), holds no phone and no app or device of one person (unknown)"},
		{"does not exist", func(in *input) { in.facts.User, in.facts.MethodsRead = nil, false }, "exists (no), is enabled (unknown), is cloud-only (unknown), is on the initial onmicrosoft.com domain (unknown), is permanently and directly Global Administrator (unknown), holds a FIDO2 key or a certificate (unknown), holds no phone and no app or device of one person (unknown)"},
		{"disabled", func(in *input) { in.facts.User.AccountEnabled = rollout.No }, "is enabled (no)"},
		{"synced", func(in *input) { in.facts.User.Synced = rollout.Yes }, "is cloud-only (no)"},
		{"synced or not, nobody said", func(in *input) { in.facts.User.Synced = "" }, "is cloud-only (unknown)"},
		{"another domain", func(in *input) { in.facts.User.UserPrincipalName = "em1@contoso.com" }, "is on the initial onmicrosoft.com domain (no)"},
		{"a domain that only ends like it", func(in *input) { in.facts.User.UserPrincipalName = "em1@evil-contoso.onmicrosoft.com" }, "is on the initial onmicrosoft.com domain (no)"},
		{"which domain is initial is not known", func(in *input) { in.domain = "" }, "is on the initial onmicrosoft.com domain (unknown)"},
		{"eligible is not permanent", func(in *input) { in.assignments[0].Eligible = true }, "is permanently and directly Global Administrator (no)"},
		{"of a unit alone", func(in *input) { in.assignments[0].DirectoryScopeID = "/administrativeUnits/1" }, "is permanently and directly Global Administrator (no)"},
		{"through a group alone", func(in *input) {
			in.assignments[0].PrincipalID = "g"
			in.groups = map[string]rollout.Group{"g": {Opened: true, Members: []string{em1}}}
		}, "is permanently and directly Global Administrator (no)"},
		{"methods not read", func(in *input) { in.facts.MethodsRead = false }, "holds a FIDO2 key or a certificate (unknown), holds no phone and no app or device of one person (unknown)"},
		{"Windows Hello hangs on one device", func(in *input) {
			in.facts.Methods = []string{"windowsHelloForBusinessAuthenticationMethod", "passwordAuthenticationMethod"}
		}, "holds a FIDO2 key or a certificate (no), holds no phone and no app or device of one person (no)"},
		{"somebody's Authenticator beside the key", func(in *input) {
			in.facts.Methods = append(in.facts.Methods, "microsoftAuthenticatorAuthenticationMethod")
		}, "holds no phone and no app or device of one person (no)"},
		{"a phone beside the key", func(in *input) { in.facts.Methods = append(in.facts.Methods, "phoneAuthenticationMethod") }, "holds no phone and no app or device of one person (no)"},
		{"active and eligible: it may be an activation", func(in *input) {
			again := in.assignments[0]
			again.Eligible = true
			in.assignments = append(in.assignments, again)
		}, "is permanently and directly Global Administrator (unknown)"},
		{"another account answered", func(in *input) { in.facts.User.ID, in.facts.MethodsRead = em2, false }, "exists (no), is enabled (unknown), is cloud-only (unknown), is on the initial onmicrosoft.com domain (unknown), is permanently and directly Global Administrator (unknown), holds a FIDO2 key or a certificate (unknown), holds no phone and no app or device of one person (unknown)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input{
				domain: "Contoso.onmicrosoft.com", assignments: []rollout.RoleAssignment{globalAdmin},
				facts: rollout.EmergencyFacts{
					Account: em1, MethodsRead: true, Methods: []string{"fido2AuthenticationMethod"},
					User: &rollout.User{ID: em1, UserPrincipalName: "em1@contoso.onmicrosoft.com", AccountEnabled: rollout.Yes, Synced: rollout.No},
				},
			}
			tt.change(&in)
			cfg := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1}}}
			proofs := rollout.ProveEmergency(cfg, in.domain, []rollout.EmergencyFacts{in.facts}, in.assignments, nil, in.groups)
			got := strings.ReplaceAll(strings.Join(proofs[0].Shortcomings(), ", "), "not proven that it ", "")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("shortcomings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProofSeesWhatGuestAnAccountIs: an emergency account that is a guest is held
// by policies for guests, and by no exclusion of guests of another kind.
func TestProofSeesWhatGuestAnAccountIs(t *testing.T) {
	cfg := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1}}}
	facts := []rollout.EmergencyFacts{{Account: em1, User: &rollout.User{ID: em1, UserType: "Guest", ExternalUserState: "Accepted"}}}
	policies := []rollout.Policy{
		{ID: "in", IncludeGuests: []string{"b2bCollaborationGuest"}},
		{ID: "out", IncludeUsers: []string{"All"}, ExcludeGuests: []string{"internalGuest"}},
	}
	proofs := rollout.ProveEmergency(cfg, "", facts, nil, policies, nil)
	for _, v := range proofs[0].Policies {
		if v.Verdict != rollout.VerdictInside {
			t.Errorf("policy %s: %s %v, want inside", v.ID, v.Verdict, v.Path)
		}
	}
}

// TestProofSeesRolesWhateverTheCase: an account that rollout.yaml writes in
// capitals is still the one that holds the role.
func TestProofSeesRolesWhateverTheCase(t *testing.T) {
	cfg := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: "EM1"}}}
	policy := rollout.Policy{ID: "p", State: rollout.StateEnabled, IncludeRoles: []string{"r1"}, GrantControls: []string{"mfa"}}
	proofs := rollout.ProveEmergency(cfg, "", nil, []rollout.RoleAssignment{{PrincipalID: em1, RoleDefinitionID: "r1", DirectoryScopeID: "/"}}, []rollout.Policy{policy}, nil)
	if got := proofs[0].Policies[0].Verdict; got != rollout.VerdictInside {
		t.Errorf("verdict %s, want inside", got)
	}
}

func TestExposed(t *testing.T) {
	mfa := rollout.Policy{ID: "p", State: rollout.StateEnabled, GrantControls: []string{"mfa"}}
	with := func(change func(p *rollout.Policy)) rollout.Policy { p := mfa; change(&p); return p }
	tests := []struct {
		name    string
		policy  rollout.Policy
		verdict rollout.Verdict
		exposed bool
	}{
		{"inside", mfa, rollout.VerdictInside, true},
		{"excluded", mfa, rollout.VerdictExcluded, false},
		{"not addressed", mfa, rollout.VerdictNotAddressed, false},
		{"outside by membership, today", mfa, rollout.VerdictDepends, true},
		{"a group that could not be opened", mfa, rollout.VerdictUnresolvable, true},
		{"a verdict that was never given", mfa, "", true},
		{"report-only", with(func(p *rollout.Policy) { p.State = rollout.StateReportOnly }), rollout.VerdictInside, true},
		{"a state that nobody knows", with(func(p *rollout.Policy) { p.State = "paused" }), rollout.VerdictInside, true},
		{"disabled", with(func(p *rollout.Policy) { p.State = rollout.StateDisabled }), rollout.VerdictInside, false},
		{"asks for nothing", with(func(p *rollout.Policy) { p.GrantControls = nil }), rollout.VerdictInside, false},
		{"asks for terms of use alone", with(func(p *rollout.Policy) { p.GrantControls, p.OtherGrants = nil, []string{"termsOfUse"} }), rollout.VerdictInside, true},
		{"asks for a strength alone", with(func(p *rollout.Policy) { p.GrantControls, p.AuthenticationStrength = nil, "s" }), rollout.VerdictInside, true},
		{"ends sessions alone", with(func(p *rollout.Policy) { p.GrantControls, p.SessionControls = nil, []string{"signInFrequency"} }), rollout.VerdictInside, true},
	}
	for _, tt := range tests {
		proof := rollout.EmergencyProof{Policies: []rollout.PolicyVerdict{{ID: "p", Verdict: tt.verdict}}}
		if got := len(proof.Exposed([]rollout.Policy{tt.policy})) > 0; got != tt.exposed {
			t.Errorf("%s: exposed %v", tt.name, got)
		}
	}
}

// TestOneAlertPerSignIn is the part of "every sign-in of an emergency account
// raises an alert" that the rules decide: two sign-ins never share an alert, and
// no poll leaves a gap that a row two hours late could fall into.
func TestOneAlertPerSignIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringOfN(rapid.RuneFrom([]rune("aA -")), 0, 3, -1)
		a, b := id.Draw(t, "a"), id.Draw(t, "b")
		if (a == b) != (rollout.AlertID(a) == rollout.AlertID(b)) {
			t.Fatalf("%q and %q: %q and %q", a, b, rollout.AlertID(a), rollout.AlertID(b))
		}
	})
	const latest, poll = 2 * time.Hour, 5 * time.Minute
	if rollout.PollOverlap < latest+poll {
		t.Errorf("a poll reads %s back: a row that comes %s late is lost if one poll is missed", rollout.PollOverlap, latest)
	}
}

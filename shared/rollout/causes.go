package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// CauseKind sorts the reasons for which a sign-in fails by who can mend it.
type CauseKind string

// The kinds of cause. The first block are lock-outs: MFA, or what stands around
// it, stopped somebody. The second is kept apart from them: the switch is not
// its reason, so neither the circuit breaker nor a gate nor the desk counts it.
const (
	CauseNotRegistered CauseKind = "notRegistered"
	CauseChallenge     CauseKind = "challengeNotPassed"
	CausePolicy        CauseKind = "blockedByPolicy"
	CauseRisk          CauseKind = "atRisk"
	CausePlace         CauseKind = "mayNotRegisterHere"
	CauseClient        CauseKind = "clientCannotDoMFA"
	CauseUnknown       CauseKind = "unknown"

	CauseSmartLockOut CauseKind = "smartLockOut"
	CausePassword     CauseKind = "password"
	CauseDevice       CauseKind = "device"    // a policy that asks for a managed device
	CauseInterrupt    CauseKind = "interrupt" // a step on the way, or no matter of MFA
	CauseNone         CauseKind = ""          // a success
)

// CauseRule is a row of the table of causes: what an error code means to the
// person who cannot get in, and to those who help.
type CauseRule struct {
	Kind  CauseKind
	Codes []int
	// LegacyOnly narrows the row to clients that cannot prompt, see
	// [LegacyClient]; for the others the code means what a later row says.
	LegacyOnly bool
	Words      string
	Steps      []string // what the help desk does, in order
	// Weight decides which cause an incident bears when it has seen several: the
	// heaviest, and of equal ones the latest. Zero: kept apart, no lock-out.
	Weight int
}

// LockOut reports whether a sign-in that failed for this cause can lock
// somebody out.
func (c CauseRule) LockOut() bool { return c.Weight > 0 }

// Advice is what the help desk does, in one line.
func (c CauseRule) Advice() string { return strings.Join(c.Steps, " ") }

// Causes is the table: the first row that holds explains a failure. Weights: a
// risk outweighs everything, because its advice must not be missed; what a
// person can do something about outweighs a client that goes on trying.
//
// Sources: https://learn.microsoft.com/entra/identity-platform/reference-error-codes,
// https://learn.microsoft.com/entra/identity/conditional-access/howto-conditional-access-session-lifetime
func Causes() []CauseRule {
	return []CauseRule{
		{
			Kind: CauseRisk, Codes: []int{53004}, Weight: 4, Words: "may not register because the account is at risk",
			Steps: []string{"Do not simply register again: somebody else may know the password.", "Let security look at the account first.", "When it is cleared, issue a Temporary Access Pass and register a method together."},
		},
		{
			Kind: CausePlace, Codes: []int{53010}, Weight: 3, Words: "may not register from this place or device",
			Steps: []string{"Make sure who calls.", "Issue a Temporary Access Pass, or register in the office."},
		},
		{
			Kind: CausePolicy, Codes: []int{53003}, Weight: 3, Words: "blocked by a Conditional Access policy",
			Steps: []string{"Sallyport's own policies never block: ask the owner of the policy that is named.", "If it is not named, the sign-in log of the person says which it was."},
		},
		{
			Kind: CauseNotRegistered, Codes: []int{50072, 50079}, Weight: 3, Words: "not registered and stopped",
			Steps: []string{"Make sure who calls.", "Issue a Temporary Access Pass and register a method together."},
		},
		{
			Kind: CauseChallenge, Codes: []int{50074, 500121}, Weight: 3, Words: "the MFA challenge was not passed",
			Steps: []string{"Ask whether the prompts were their own; if not, change the password and tell security.", "Ask for a lost or new phone; if so, issue a Temporary Access Pass and register the new one."},
		},
		{
			Kind: CauseClient, Codes: []int{50076}, LegacyOnly: true, Weight: 2, Words: "the client cannot show an MFA prompt",
			Steps: []string{"Move the client to modern authentication; the browser works meanwhile."},
		},
		{
			Kind: CauseClient, Codes: []int{530032, 530035}, Weight: 2, Words: "the client is too old for the security policy",
			Steps: []string{"Move the client to modern authentication; the browser works meanwhile."},
		},
		{
			Kind: CauseSmartLockOut, Codes: []int{50053}, Words: "locked after too many wrong passwords, or from a bad address",
			Steps: []string{"Wait for the lock to end, or reset the password.", "Many of these at once are an attack: tell security."},
		},
		{
			Kind: CausePassword, Codes: []int{50055, 50056, 50057, 50064, 50126, 50144}, Words: "wrong, expired or missing password, or a disabled account",
			Steps: []string{"This is no matter of MFA: reset the password, or enable the account."},
		},
		{
			Kind: CauseDevice, Codes: []int{53000, 53001, 53011}, Words: "a policy asks for a managed device, or the home tenant sees a risk",
			Steps: []string{"This is no matter of MFA: enrol the device."},
		},
		{
			Kind: CauseInterrupt, Codes: []int{16000, 50058, 50076, 50078, 50097, 50105, 50125, 50140, 50158, 65001}, Words: "a step on the way to a sign-in",
			Steps: []string{"Nothing: the person goes on by themselves."},
		},
	}
}

// Cause says in words why somebody was stopped, and what the help desk should
// do. ok is false for codes that are no lock-out by MFA.
func Cause(code int, legacyClient bool) (cause, advice string, ok bool) {
	client := ""
	if legacyClient {
		client = "Other clients"
	}
	c := CauseOf(SignIn{ErrorCode: code, ClientAppUsed: client})
	if !c.LockOut() {
		return "", "", false
	}
	return c.Words, c.Advice(), true
}

// CauseOf explains one row of the sign-in log. A code that no row of the table
// has is a lock-out only if the log says that a policy failed it: then it is
// shown as it is, and nothing is guessed.
func CauseOf(r SignIn) CauseRule {
	if r.ErrorCode == 0 {
		return CauseRule{}
	}
	legacy := LegacyClient(r.ClientAppUsed)
	for _, c := range Causes() {
		if slices.Contains(c.Codes, r.ErrorCode) && (legacy || !c.LegacyOnly) {
			return c
		}
	}
	c := CauseRule{
		Kind: CauseUnknown, Codes: []int{r.ErrorCode}, Words: fmt.Sprintf("stopped with error %d, which Sallyport does not know", r.ErrorCode),
		Steps: []string{"Look the number up at https://login.microsoftonline.com/error, and at the row in the sign-in log."},
	}
	if strings.EqualFold(r.CAStatus, "failure") || len(stoppedBy(r)) > 0 {
		c.Weight = 1
	}
	return c
}

// stoppedBy names the policies that failed a sign-in, each by its name, or its
// id where the log does not say it.
func stoppedBy(r SignIn) []string {
	var names []string
	for _, p := range r.Applied {
		if p.Result == "failure" {
			name := p.DisplayName
			if name == "" {
				name = p.ID
			}
			names = append(names, name)
		}
	}
	return names
}

// LockOutCodes are the codes of the table that can lock somebody out, for asking
// the log for them alone: no whole log is read.
func LockOutCodes() []int {
	var codes []int
	for _, c := range Causes() {
		if c.LockOut() {
			codes = append(codes, c.Codes...)
		}
	}
	slices.Sort(codes)
	return codes
}

// LegacyClient reports whether clientAppUsed is a protocol that cannot do MFA.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/policy-block-legacy-authentication
func LegacyClient(clientApp string) bool {
	switch strings.ToLower(strings.TrimSpace(clientApp)) {
	case "", "browser", "mobile apps and desktop clients":
		return false
	}
	return true
}

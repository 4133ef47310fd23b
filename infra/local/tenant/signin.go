package tenant

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Attempt is one try to sign in.
type Attempt struct {
	UserID string
	At     time.Time // zero: now
	AppID  string    // empty: Exchange Online; see the App constants
	// Client is the log's clientAppUsed: empty or "Browser", "Mobile Apps and
	// Desktop clients", or a protocol that cannot prompt ("IMAP4",
	// "Authenticated SMTP", "Exchange ActiveSync").
	Client         string
	NonInteractive bool // a refresh or a script: nobody there to answer a prompt
	IP             string
	City, Country  string
	Trusted        bool     // from a location that the tenant marked as trusted
	Locations      []string // ids of the named locations it comes from
	Platform       string   // windows, macOS, iOS, android, linux
	Compliant      bool     // the device is compliant
	Joined         bool     // the device is hybrid joined
	MFAClaim       bool     // the session already carries MFA; ignored for people who cannot have passed it
	Answer         Answer   // what the person does when prompted
	// Refused is the error of the first factor (50126 wrong password, 50053
	// smart lockout ...); no policy is looked at then.
	Refused    int
	UserAction string // "urn:user:registersecurityinfo" when registering a method
	DeviceCode bool   // by the device code flow
	Risk       string // low, medium, high; empty: none
}

// Answer is what a person does when MFA is asked of them.
type Answer int

// The answers.
const (
	Passes   Answer = iota // shows the second factor
	Abandons               // walks away from the prompt: 50074
	Denies                 // declines it on the phone, or it times out: 500121
)

// The applications of the simulation.
// Source: https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
const (
	AppExchange    = "00000002-0000-0ff1-ce00-000000000000"
	AppSharePoint  = "00000003-0000-0ff1-ce00-000000000000"
	AppTeams       = "1fec8e78-bce4-4aaf-ab1b-5451cc387264"
	AppAzurePortal = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"
	AppOfficeHome  = "4765445b-32c6-49b0-83e6-1d93765276ca"
)

var (
	appNames   = map[string]string{AppExchange: "Office 365 Exchange Online", AppSharePoint: "Office 365 SharePoint Online", AppTeams: "Microsoft Teams", AppAzurePortal: "Azure Portal", AppOfficeHome: "OfficeHome"}
	officeApps = map[string]bool{AppExchange: true, AppSharePoint: true, AppTeams: true, AppOfficeHome: true}
	portalApps = map[string]bool{AppAzurePortal: true}
)

// Outcome is what became of an attempt.
type Outcome struct {
	ID         string   // of the row in the sign-in log that decides
	Code       int      // 0: the person is in
	UsedMFA    bool     // the session now carries MFA
	Failed     []string // ids of the policies that stopped it, or "securityDefaults", "perUserMfa"
	Prompted   bool     // MFA was asked
	Registered bool     // where MFA was needed: the person had a factor that would have done
}

// Stopped reports whether the person did not get in because of MFA or a policy.
func (o Outcome) Stopped() bool { return o.Code != 0 && len(o.Failed) > 0 }

// SignIn lets an account try to sign in and writes the log. An error means that
// there is no such account, never that the sign-in failed.
func (t *Tenant) SignIn(a Attempt) (Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u, ok := t.users.get(a.UserID)
	if !ok {
		return Outcome{}, fmt.Errorf("sign in as user %s: %w", a.UserID, ErrUnknown)
	}
	if a.At.IsZero() {
		a.At = t.clock.Now()
	}
	if a.AppID == "" {
		a.AppID = AppExchange
	}
	if a.Client == "" {
		a.Client = "Browser"
	}
	if a.legacy() {
		a.NonInteractive = a.NonInteractive || a.clientType() == "exchangeActiveSync"
	}
	v := t.judge(u, a)
	row := t.newRow(u, a, v)
	if v.Code == 0 && v.Prompted && share(t.seed, "interrupt", row.id) < t.behave.Interrupts {
		before := v
		before.Code, before.UsedMFA = 50074, false
		first := t.newRow(u, a, before)
		first.correlation, first.at = row.correlation, row.at.Add(-20*time.Second)
		t.log.add(first)
	}
	t.log.add(row)
	t.noteActivity(row)
	if v.usedPass != nil {
		v.usedPass["isUsable"], v.usedPass["methodUsabilityReason"] = false, "OneTimeUsed"
	}
	v.ID = row.id
	return v.Outcome, nil
}

// judgement is an outcome with what the log says of each policy.
type judgement struct {
	Outcome
	applied  []appliedPolicy
	status   string // conditionalAccessStatus
	usedPass Object // the one-time Temporary Access Pass that was spent
}

type appliedPolicy struct{ id, name, result, control string }

// judge decides an attempt by what is true and in force at its instant.
func (t *Tenant) judge(u Object, a Attempt) judgement {
	id := text(u, "id")
	v := judgement{status: "notApplied"}
	v.Code = a.Refused
	if enabled, known := truth(u, "accountEnabled"); known && !enabled {
		v.Code = 50057
	}
	if v.Code != 0 {
		return v
	}
	policies := t.inForce(a.At)
	held := a.MFAClaim && t.capable(id) // what the session carries
	claim := func(combinations []string) bool { return held && t.canPass(id, combinations) }

	// What everything that is enforced needs, together.
	var prompts []string
	var strengths [][]string
	for _, p := range policies {
		if text(p, "state") != StateEnabled || !t.addresses(p, id) || !meets(p, a) {
			continue
		}
		switch n := grant(p, a, claim); {
		case n.failure != 0:
			if v.Code == 0 {
				v.Code = n.failure
			}
			v.Failed = append(v.Failed, text(p, "id"))
		case n.prompt:
			prompts, strengths = append(prompts, text(p, "id")), append(strengths, n.strength)
		}
	}
	byDefaults := t.defaultsOn() && !t.hasRole(id, []string{roleSync})
	if byDefaults && a.legacy() && v.Code == 0 {
		v.Code, v.Failed = 530035, append(v.Failed, "securityDefaults")
	}
	if byDefaults && !held {
		prompts = append(prompts, "securityDefaults")
	}
	if t.person(id).perUser == "enforced" && !held {
		prompts = append(prompts, "perUserMfa")
	}
	if v.Code == 0 && len(prompts) > 0 {
		t.prompt(id, a, byDefaults && !held, strengths, prompts, &v)
		held = held || v.UsedMFA
	}
	v.UsedMFA = held && v.Code == 0
	t.tellPolicies(policies, id, a, held, prompts, &v)
	return v
}

// prompt asks for MFA and sets what comes of it.
func (t *Tenant) prompt(id string, a Attempt, byDefaults bool, strengths [][]string, prompts []string, v *judgement) {
	v.Registered = !byDefaults || t.canPassDefaults(id)
	if len(strengths) == 0 && !byDefaults {
		strengths = [][]string{nil}
	}
	for _, s := range strengths {
		v.Registered = v.Registered && t.canPass(id, s)
	}
	pass := t.usablePass(id, a.At)
	for _, s := range strengths {
		if len(s) > 0 && !slices.Contains(s, "temporaryAccessPassOneTime") {
			pass = nil
		}
	}
	switch {
	case a.NonInteractive || a.legacy():
		v.Code = 50079
		if v.Registered {
			v.Code = 50076
		}
	case v.Registered || pass != nil:
		v.Prompted = true
		v.Code = map[Answer]int{Passes: 0, Abandons: 50074, Denies: 500121}[a.Answer]
		v.UsedMFA = v.Code == 0
		if once, _ := truth(pass, "isUsableOnce"); once && !v.Registered && v.UsedMFA {
			v.usedPass = pass
		}
	case t.atRisk(id):
		v.Code = 53004
	case t.mayNotRegister(id, a):
		v.Code = 53010
	default:
		v.Code = 50072
	}
	if v.Code != 0 {
		v.Failed = append(v.Failed, prompts...)
	}
}

// mayNotRegister reports whether a policy forbids registering a method from
// where the person is.
func (t *Tenant) mayNotRegister(id string, a Attempt) bool {
	a.UserAction = "urn:user:registersecurityinfo"
	for _, p := range t.inForce(a.At) {
		if text(p, "state") == StateEnabled && t.addresses(p, id) && meets(p, a) {
			if n := grant(p, a, func([]string) bool { return false }); n.failure != 0 || n.prompt {
				return true
			}
		}
	}
	return false
}

func (t *Tenant) atRisk(id string) bool {
	r, ok := t.riskyUsers.get(id)
	return ok && (text(r, "riskState") == "atRisk" || text(r, "riskState") == "confirmedCompromised")
}

// tellPolicies fills in what the log says of every policy.
func (t *Tenant) tellPolicies(policies []Object, id string, a Attempt, held bool, prompts []string, v *judgement) {
	claim := func(combinations []string) bool { return held && t.canPass(id, combinations) }
	say := func(id, name, result, control string) {
		v.applied = append(v.applied, appliedPolicy{id, name, result, control})
		switch {
		case result == "failure":
			v.status = "failure"
		case result == "success" && v.status != "failure":
			v.status = "success"
		}
	}
	for _, p := range policies {
		applies := t.addresses(p, id) && meets(p, a)
		result := "notApplied"
		switch state := text(p, "state"); {
		case state == StateReportOnly && !applies:
			result = "reportOnlyNotApplied"
		case state == StateReportOnly:
			n := grant(p, a, claim)
			result = "reportOnlySuccess"
			if n.failure != 0 {
				result = "reportOnlyFailure"
			} else if n.prompt {
				result = "reportOnlyInterrupted"
			}
		case state != StateEnabled:
			result = "notEnabled"
		case applies && holds(v.Failed, text(p, "id")):
			result = "failure"
		case applies:
			result = "success"
		}
		say(text(p, "id"), text(p, "displayName"), result, controlName(p))
	}
	if t.defaultsOn() {
		result := "success"
		if holds(v.Failed, "securityDefaults") {
			result = "failure"
		} else if !holds(prompts, "securityDefaults") {
			result = "notApplied"
		}
		say("SecurityDefaults", "Security Defaults", result, "")
	}
}

// controlName spells a policy's control as the sign-in log does.
func controlName(p Object) string {
	g := object(p, "grantControls")
	if object(g, "authenticationStrength") != nil {
		return "RequireAuthenticationStrength"
	}
	controls := list(g, "builtInControls")
	if len(controls) == 0 || controls[0] == "" {
		return ""
	}
	return strings.ToUpper(controls[0][:1]) + controls[0][1:]
}

// noteActivity keeps signInActivity. The last sign-in counts attempts.
func (t *Tenant) noteActivity(r *row) {
	t.refresh(r.userID)
	p := t.person(r.userID)
	if p.activity == nil {
		p.activity = Object{}
	}
	set := func(what string) {
		if !r.at.Before(moment(p.activity, what+"DateTime")) {
			p.activity[what+"DateTime"], p.activity[what+"RequestId"] = stamp(r.at), r.id
		}
	}
	if r.interactive {
		set("lastSignIn")
	} else {
		set("lastNonInteractiveSignIn")
	}
	if r.code == 0 {
		set("lastSuccessfulSignIn")
	}
}

// AddRisk records a risk detection and makes the user risky: level low, medium
// or high, kind a riskEventType such as unfamiliarFeatures.
func (t *Tenant) AddRisk(user, level, kind string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	u, ok := t.users.get(user)
	if !ok {
		return fmt.Errorf("risk of user %s: %w", user, ErrUnknown)
	}
	now := stamp(t.clock.Now())
	id := t.newID("riskDetection")
	t.risks.put(id, Object{
		"id": id, "requestId": id, "correlationId": id, "riskEventType": kind, "riskState": "atRisk", "riskLevel": level, "riskDetail": "none",
		"source": "IdentityProtection", "detectionTimingType": "offline", "activity": "signin", "tokenIssuerType": "AzureAD", "ipAddress": "203.0.113.9",
		"location": Object{"city": "Nowhere", "state": "", "countryOrRegion": "XX", "geoCoordinates": nil}, "additionalInfo": "[]",
		"activityDateTime": now, "detectedDateTime": now, "lastUpdatedDateTime": now,
		"userId": u["id"], "userDisplayName": u["displayName"], "userPrincipalName": u["userPrincipalName"],
	})
	t.riskyUsers.put(user, Object{
		"id": u["id"], "isDeleted": false, "isProcessing": false, "riskLastUpdatedDateTime": now, "riskLevel": level, "riskState": "atRisk", "riskDetail": "none",
		"userDisplayName": u["displayName"], "userPrincipalName": u["userPrincipalName"],
	})
	return nil
}

// ClearRisk sets what became of a user's risk: remediated, dismissed,
// confirmedSafe or confirmedCompromised.
func (t *Tenant) ClearRisk(user, state string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.riskyUsers.get(user)
	if !ok {
		return fmt.Errorf("clear the risk of user %s: %w", user, ErrUnknown)
	}
	r["riskState"], r["riskLastUpdatedDateTime"] = state, stamp(t.clock.Now())
	for _, d := range t.risks.all() {
		if strings.EqualFold(text(d, "userId"), user) {
			d["riskState"] = state
		}
	}
	return nil
}

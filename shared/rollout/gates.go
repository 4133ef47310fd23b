package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Gate is one named check that must hold before a switch.
type Gate struct {
	ID       string
	Question string // what it asks, as a sentence
	Remedy   string // how to mend it, in one sentence
	// Waivable: an owner may lift it until a day. Five never are.
	Waivable bool
	check    func(gateInput) (ok bool, evidence string)
}

// GateResult is what a gate said of one wave at one moment.
type GateResult struct {
	ID       string  `json:"id"`
	Question string  `json:"question"`
	OK       bool    `json:"ok"`
	Evidence string  `json:"evidence"`
	Remedy   string  `json:"remedy"`
	Waived   *Waiver `json:"waived,omitempty"` // set if it failed and a valid waiver lifts it
}

// Holds reports whether the gate lets the switch through.
func (r GateResult) Holds() bool { return r.OK || r.Waived != nil }

type gateInput struct {
	cfg   Config
	seen  Seen
	known Known
	wave  WaveConfig
	now   time.Time
	day   Date // of now, in the tenant's zone
	blast []Account
}

func (in gateInput) live() Live {
	if in.seen.Live == nil {
		return Live{SecurityDefaults: Unknown}
	}
	return *in.seen.Live
}

func (in gateInput) conditionalAccess() bool {
	return in.seen.Audit.Method != MethodSecurityDefaults
}

// GateWindow is the one gate that only time mends: a switch that waits for
// nothing else is not held.
const GateWindow = "enforcement-window"

// Gates is the table of gates. Its order is the order in which to mend.
func Gates() []Gate {
	return []Gate{
		{
			"emergency-accounts", "Are two or more emergency accounts proven to work?",
			"Mend what the evidence names, in the Entra admin centre, for each account.", false, gateEmergencyAccounts,
		},
		{
			"emergency-excluded", "Is every emergency account outside every policy that could stop it?",
			"Put the account back into the exclusions of the policy, or into the group, that the evidence names, and see that the group is protected.", false, gateEmergencyExcluded,
		},
		{
			"audit-fresh", "Is the newest audit complete and less than 36 hours old?",
			"Look at the audit function's last error; run it again.", false, gateAuditFresh,
		},
		{
			"capable-admin", "Is there an administrator with a usable MFA method who is no emergency account?",
			"Let one administrator register at https://aka.ms/mysecurityinfo.", false, gateCapableAdmin,
		},
		{
			"licence", "Do the licences allow the chosen method?",
			"Buy Entra ID P1, or set method: securityDefaults.", true, gateLicence,
		},
		{
			GateDefaultsOff, "Are Security Defaults off, or can they give way to the policies?",
			"Mend what the evidence names; Sallyport changes over from Security Defaults by itself, with the wave for everybody.", false, gateDefaultsOff,
		},
		{
			"permissions", "Are the granted permissions exactly those that are needed?",
			"Grant what is missing and remove what is too much, on the two app registrations.", true, gatePermissions,
		},
		{
			"alert-path", "Was the alert path proven by a drill within 90 days, for each emergency account, by its present custodian?",
			"Let the custodian sign in with the account while its drill is open.", true, gateAlertPath,
		},
		{
			"help-desk", "Is a help desk named that people can reach?",
			"Fill communication.helpDesk in rollout.yaml.", true, gateHelpDesk,
		},
		{
			"policies-unchanged", "Is the live policy what was announced?",
			"Undo the change that the evidence names, or announce the new policy.", true, gatePoliciesUnchanged,
		},
		{
			"observed", "Was the policy observed report-only for 7 days, with data?",
			"Wait; if data is missing, look at the audit's sign-in listing.", true, gateObserved,
		},
		{
			"notice-given", "Was everybody who would be stopped told at least 14 days ago, and was it delivered?",
			"Tell the named people, or accept them by name: sallyport accept, or accepted in rollout.yaml.", true, gateNoticeGiven,
		},
		{
			"coverage", "Is enough of the wave capable?",
			"Follow up with the people on the blast list.", true, gateCoverage,
		},
		{
			"service-accounts", "Has every service account and shared mailbox that signs in an alternative or an exemption?",
			"List each under exemptions with an owner, an alternative and an expiry.", true, gateServiceAccounts,
		},
		{
			"legacy", "Is nothing left that signs in by protocols that cannot do MFA?",
			"Move the named clients to modern authentication, or exempt the account.", true, gateLegacy,
		},
		{
			GateWindow, "Is it inside the enforcement window (no Friday, weekend or holiday; business hours)?",
			"Wait for the next opening.", true, gateInWindow,
		},
	}
}

// GateIDs maps every gate to whether it may be waived, for checking rollout.yaml.
func GateIDs() map[string]bool {
	ids := map[string]bool{}
	for _, g := range Gates() {
		ids[g.ID] = g.Waivable
	}
	return ids
}

// CheckGates asks every gate about a wave. Missing data never passes.
func CheckGates(cfg Config, seen Seen, known Known, wave WaveConfig, now time.Time) []GateResult {
	in := newGateInput(cfg, seen, known, wave, now)
	var results []GateResult
	for _, g := range Gates() {
		results = append(results, g.ask(in))
	}
	return results
}

func newGateInput(cfg Config, seen Seen, known Known, wave WaveConfig, now time.Time) gateInput {
	day := DateOf(now.In(cfg.Location()))
	return gateInput{cfg: cfg, seen: seen, known: known, wave: wave, now: now, day: day, blast: stopped(cfg, seen, wave, day)}
}

func (g Gate) ask(in gateInput) GateResult {
	r := GateResult{ID: g.ID, Question: g.Question, Remedy: g.Remedy}
	r.OK, r.Evidence = g.check(in)
	if !r.OK && g.Waivable {
		r.Waived = validWaiver(in.cfg.Waivers, g.ID, in.day)
	}
	return r
}

func validWaiver(waivers []Waiver, gate string, day Date) *Waiver {
	for _, w := range waivers {
		if w.Gate == gate && w.Owner != "" && w.Reason != "" && !w.Until.Before(day) {
			return &w
		}
	}
	return nil
}

// Failing are the gates that do not let the switch through.
func Failing(results []GateResult) []GateResult {
	return slices.DeleteFunc(slices.Clone(results), GateResult.Holds)
}

func gateAuditFresh(in gateInput) (bool, string) { return auditComplete(in.cfg, in.seen, in.now) }

// auditComplete reports whether what was seen of the tenant's accounts is whole
// and young enough to act on, with the evidence.
func auditComplete(cfg Config, seen Seen, now time.Time) (bool, string) {
	a := seen.Audit
	at := a.At.In(cfg.Location()).Format(time.DateTime)
	switch {
	case a.At.IsZero() || a.Accounts == 0:
		return false, "there is no complete audit"
	case now.Sub(a.At) > AuditMaxAge:
		return false, fmt.Sprintf("the newest complete audit is of %s, %d hours ago", at, int(now.Sub(a.At).Hours()))
	case a.At.After(now):
		return false, "the newest audit lies in the future: a clock is wrong"
	case len(seen.Accounts) != a.Accounts:
		return false, fmt.Sprintf("the audit saw %d accounts, the table holds %d", a.Accounts, len(seen.Accounts))
	}
	return true, fmt.Sprintf("%d accounts at %s", a.Accounts, at)
}

func gateCapableAdmin(in gateInput) (bool, string) {
	n := 0
	for _, a := range in.seen.Accounts {
		if a.Class == ClassAdmin && !in.cfg.IsEmergency(a.ID) && CapableOn(a, in.day) == Yes && containsFold(a.Roles, RoleGlobalAdministrator) {
			n++
		}
	}
	return n > 0, fmt.Sprintf("%d capable Global Administrators besides the emergency accounts", n)
}

func gateLicence(in gateInput) (bool, string) {
	if !in.conditionalAccess() {
		return true, "Security Defaults need no licence"
	}
	if HoldsPlan(in.seen.Audit.Plans, PlanEntraP1, PlanEntraP2) {
		return true, "Entra ID P1 or P2 is in force"
	}
	return false, "no plan of Entra ID P1 or P2 is in force, and Conditional Access needs one"
}

func gatePermissions(in gateInput) (bool, string) {
	if in.seen.Live == nil {
		return false, "the writer's permissions were not read in this run"
	}
	var wrong []string
	for _, role := range []struct {
		name          string
		needed, given []string
	}{{"reader", ReaderPermissions(), in.seen.Audit.Granted}, {"writer", WriterPermissions(), in.live().Granted}} {
		missing, extra := difference(role.needed, role.given), difference(role.given, role.needed)
		if len(missing) > 0 {
			wrong = append(wrong, "the "+role.name+" lacks "+strings.Join(missing, ", "))
		}
		if len(extra) > 0 {
			wrong = append(wrong, "the "+role.name+" has too much: "+strings.Join(extra, ", "))
		}
	}
	if len(wrong) > 0 {
		return false, strings.Join(wrong, "; ")
	}
	return true, "granted equals needed, for reader and writer"
}

// difference is a without b, whatever the case. The lists can be as long as the
// tenant is large.
func difference(a, b []string) []string {
	without := map[string]bool{}
	for _, x := range b {
		without[strings.ToLower(x)] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return without[strings.ToLower(x)] })
}

// ReaderPermissions are the application permissions that audit, breakglass,
// monitor and subscriptions need together.
// Source: https://learn.microsoft.com/graph/permissions-reference
func ReaderPermissions() []string {
	return []string{
		"AuditLog.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "MailboxSettings.Read", "Organization.Read.All",
		"Policy.Read.All", "Policy.Read.AuthenticationMethod", "RoleManagement.Read.Directory", "User.Read.All",
		"UserAuthenticationMethod.Read.All",
	}
}

// WriterPermissions are the application permissions that enforce needs.
// Source: https://learn.microsoft.com/graph/permissions-reference
func WriterPermissions() []string {
	return []string{
		"Group.Create", "GroupMember.ReadWrite.All", "Organization.Read.All", "Policy.Read.All", "Policy.ReadWrite.ConditionalAccess",
		"Policy.ReadWrite.SecurityDefaults", "RoleManagement.Read.Directory", "User.Read.All", "UserAuthenticationMethod.Read.All",
	}
}

// gateAlertPath asks for a drill of each account that its present custodian
// passed, and that none has failed since.
func gateAlertPath(in gateInput) (bool, string) {
	if len(in.cfg.EmergencyAccounts) == 0 {
		return false, "no passed drill, for there is no emergency account"
	}
	var wrong []string
	for _, t := range DrillTroubles(in.cfg, in.known.Drills, in.now) {
		wrong = append(wrong, t.Account+": "+t.Text+"; "+t.Next)
	}
	if len(wrong) > 0 {
		return false, strings.Join(wrong, ". ")
	}
	return true, "a drill was passed within 90 days for each account, by its present custodian"
}

func gateHelpDesk(in gateInput) (bool, string) {
	h := in.cfg.Communication.HelpDesk
	if h.Name == "" || (h.Email == "" && h.Phone == "") {
		return false, "no help desk with a name and a way to reach it"
	}
	return true, h.Name
}

func gateInWindow(in gateInput) (bool, string) {
	if in.cfg.InWindow(in.now) {
		return true, in.now.In(in.cfg.Location()).Format("Monday 15:04")
	}
	next := in.cfg.NextOpening(in.now)
	if next.IsZero() {
		return false, "the window does not open within a year"
	}
	return false, "opens " + next.In(in.cfg.Location()).Format("Monday 2006-01-02 15:04")
}

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
			"Tell the named people, or accept them by name under accepted in rollout.yaml.", true, gateNoticeGiven,
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
	day := DateOf(now.In(cfg.Location()))
	in := gateInput{cfg: cfg, seen: seen, known: known, wave: wave, now: now, day: day, blast: stopped(cfg, seen, wave, day)}
	var results []GateResult
	for _, g := range Gates() {
		r := GateResult{ID: g.ID, Question: g.Question, Remedy: g.Remedy}
		r.OK, r.Evidence = g.check(in)
		if !r.OK && g.Waivable {
			r.Waived = validWaiver(cfg.Waivers, g.ID, day)
		}
		results = append(results, r)
	}
	return results
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

func gateEmergencyAccounts(in gateInput) (bool, string) {
	if in.seen.Live == nil {
		return false, "the emergency accounts were not read in this run"
	}
	// Counted by id: the same account twice is one.
	good, wrong := map[string]bool{}, []string{}
	for _, e := range in.cfg.EmergencyAccounts {
		p, looked := in.live().proof(e.ID)
		switch s := p.Shortcomings(); {
		case !looked:
			wrong = append(wrong, e.ID+": not looked at")
		case len(s) > 0:
			wrong = append(wrong, e.ID+": "+strings.Join(s, "; "))
		default:
			good[strings.ToLower(e.ID)] = true
		}
	}
	if len(wrong) > 0 || len(good) < 2 {
		return false, fmt.Sprintf("%d of %d accounts proven, two are needed and none may be wrong. %s", len(good), len(in.cfg.EmergencyAccounts), strings.Join(wrong, ". "))
	}
	return true, fmt.Sprintf("%d accounts proven", len(good))
}

// proof returns what was seen of an emergency account.
func (l Live) proof(account string) (EmergencyProof, bool) {
	i := slices.IndexFunc(l.Emergency, func(p EmergencyProof) bool { return strings.EqualFold(p.Account, account) })
	if i < 0 {
		return EmergencyProof{}, false
	}
	return l.Emergency[i], true
}

func gateEmergencyExcluded(in gateInput) (bool, string) {
	if in.seen.Live == nil {
		return false, "the policies were not read in this run"
	}
	if in.conditionalAccess() {
		// A listing without the policy that is about to be switched proves nothing.
		owned, created := in.known.Owned(in.wave.Name)
		if _, read := in.live().Policy(owned.ID); !created || !read {
			return false, "the wave's own policy is not among the policies that were read"
		}
	}
	if len(in.cfg.EmergencyAccounts) == 0 {
		return false, "there is no emergency account"
	}
	var wrong []string
	var found []EmergencyFinding
	for _, e := range in.cfg.EmergencyAccounts {
		proof, looked := in.live().proof(e.ID)
		if !looked {
			wrong = append(wrong, "account "+e.ID+" was not looked at")
			continue
		}
		found = append(found, proof.policyFindings(in.live().Policies)...)
	}
	for _, f := range merged(found) {
		if f.Severity == SeverityCritical {
			wrong = append(wrong, strings.Join(f.Accounts, ", ")+": "+f.Text)
		}
	}
	if len(wrong) > 0 {
		return false, strings.Join(wrong, "; ")
	}
	return true, fmt.Sprintf("outside all %d policies", len(in.live().Policies))
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
		if a.Class == ClassAdmin && !in.cfg.IsEmergency(a.ID) && a.Capable == Yes && containsFold(a.Roles, RoleGlobalAdministrator) {
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

func gatePoliciesUnchanged(in gateInput) (bool, string) {
	if !in.conditionalAccess() {
		return true, "Security Defaults have nothing to change"
	}
	if in.seen.Live == nil {
		return false, "the policies were not read in this run"
	}
	owned, ok := in.known.Owned(in.wave.Name)
	if !ok {
		return false, "the wave's policy was not created yet"
	}
	live, found := in.live().Policy(owned.ID)
	if !found {
		return false, "policy " + owned.ID + " is gone"
	}
	if live.State != StateReportOnly && live.State != StateEnabled {
		return false, fmt.Sprintf("somebody set policy %s to %q", owned.ID, live.State)
	}
	if drift := Drift(in.cfg, owned.Draft, live); len(drift) > 0 {
		return false, strings.Join(drift, "; ")
	}
	// Whom the gates ask about follows from rollout.yaml as it is now.
	if drift := Drift(in.cfg, Draft(in.cfg, in.wave, in.known.groupIDs()), live); len(drift) > 0 {
		return false, "rollout.yaml asks for another policy than the one announced: " + strings.Join(drift, "; ")
	}
	if added := AddedExclusions(owned.Draft, live); len(added) > 0 {
		return true, fmt.Sprintf("as announced; others excluded %s, which stays", strings.Join(added, ", "))
	}
	return true, "as announced"
}

func gateObserved(in gateInput) (bool, string) {
	if !in.conditionalAccess() {
		return true, "Security Defaults know no report-only"
	}
	record := in.known.Wave(in.wave.Name)
	if record.ObservedFrom.IsZero() {
		return false, "observation has not begun"
	}
	if days := in.now.Sub(record.ObservedFrom).Hours() / 24; days < ObserveDays {
		return false, fmt.Sprintf("observed for %.1f of %d days", days, ObserveDays)
	}
	owned, ok := in.known.Owned(in.wave.Name)
	if !ok {
		return false, "the wave's policy was not created yet"
	}
	people, recent := 0, false
	for _, o := range in.seen.Observations {
		if o.Policy != owned.ID || in.now.Sub(o.LastAt) > ObserveDays*24*time.Hour {
			continue // somebody who has left must not speak for ever
		}
		if !knownReportOnly(o.Result) {
			return false, fmt.Sprintf("the sign-in log answered %q for account %s: missing data", o.Result, o.Account)
		}
		people++
		recent = recent || in.now.Sub(o.LastAt) < 4*24*time.Hour
	}
	if people == 0 || !recent {
		return false, "the sign-in log shows no verdict of the policy in the last four days"
	}
	return true, fmt.Sprintf("since %s, verdicts on %d people", DateOf(record.ObservedFrom.In(in.cfg.Location())), people)
}

// knownReportOnly: unknownFutureValue and the like are missing data.
// Source: https://learn.microsoft.com/graph/api/resources/appliedconditionalaccesspolicy
func knownReportOnly(result string) bool {
	switch strings.ToLower(result) {
	case "reportonlysuccess", "reportonlyfailure", "reportonlynotapplied", "reportonlyinterrupted":
		return true
	}
	return false
}

func gateNoticeGiven(in gateInput) (bool, string) {
	if _, read := in.live().Groups[GroupReady]; in.wave.Members == MembersCapable && in.conditionalAccess() && !read {
		return false, "the members of the wave's group were not read in this run"
	}
	if len(in.seen.Accounts) == 0 {
		return false, noAccounts
	}
	untold := untold(in.cfg, in.known, in.blast, in.day)
	spared := in.spared()
	if late := in.exemptedButInside(spared); len(late) > 0 {
		return false, "exempted, but not yet left out by the policy: " + strings.Join(late, ", ")
	}
	var open []string
	for _, a := range untold {
		if !containsFold(spared, a.ID) {
			open = append(open, a.ID)
		}
	}
	if len(open) > 0 {
		return false, fmt.Sprintf("%d of %d people who would be stopped were not provably told %d days ago: %s", len(open), len(in.blast), NoticeDays, strings.Join(open, ", "))
	}
	return true, fmt.Sprintf("%d people would be stopped: told, or accepted by name; %d whose notice still runs are left out until it has", len(in.blast)-len(untold), len(untold))
}

// exemptedButInside are the accounts that rollout.yaml leaves out and the policy
// does not: an exemption counts once Sallyport's group holds the account.
func (in gateInput) exemptedButInside(spared []string) []string {
	if !in.conditionalAccess() {
		return nil
	}
	nobodyExempt := in.cfg
	nobodyExempt.Exemptions = nil
	var ids []string
	for _, a := range addressed(nobodyExempt, in.seen, in.wave, in.day) {
		if _, exempt := in.cfg.Exemption(a, in.day); exempt && !containsFold(spared, a.ID) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

const noAccounts = "no account was read"

// spared are the accounts that the live policy leaves out through Sallyport's
// group. Security Defaults leave nobody out.
func (in gateInput) spared() []string {
	owned, created := in.known.Owned(in.wave.Name)
	policy, read := in.live().Policy(owned.ID)
	group := in.live().Groups[GroupExempt]
	if !in.conditionalAccess() || !created || !read || !group.Opened || !containsFold(policy.ExcludeGroups, in.known.groupIDs()[GroupExempt]) {
		return nil
	}
	return group.Members
}

// stopped are the people whom the wave's switch would stop.
func stopped(cfg Config, seen Seen, wave WaveConfig, day Date) []Account {
	return slices.DeleteFunc(addressed(cfg, seen, wave, day), func(a Account) bool { return !IsPerson(cfg, a) || a.Capable == Yes })
}

// addressed are the accounts that the wave's policy holds. That of capable
// people holds a group, and with it those who are capable no longer.
func addressed(cfg Config, seen Seen, wave WaveConfig, day Date) []Account {
	inside := func(Account) bool { return true }
	if wave.Members == MembersCapable {
		wave.Members = MembersAll
		members := map[string]bool{}
		if seen.Live != nil {
			for _, id := range seen.Live.Groups[GroupReady].Members {
				members[strings.ToLower(id)] = true
			}
		}
		inside = func(a Account) bool { return members[strings.ToLower(a.ID)] }
	}
	var list []Account
	for _, a := range seen.Accounts {
		if wave.Holds(cfg, a, day) && inside(a) {
			list = append(list, a)
		}
	}
	return list
}

// untold are those of the people who were neither provably told in time nor
// accepted by name.
func untold(cfg Config, known Known, people []Account, day Date) []Account {
	sent, loc := messagesByAccount(known.Messages), cfg.Location()
	return slices.DeleteFunc(slices.Clone(people), func(a Account) bool {
		return toldInTime(loc, sent[a.ID], day) || accepted(cfg, a)
	})
}

// toldInTime: a notice reached the person, it has run out, and the date that it
// named has come.
func toldInTime(loc *time.Location, sent []Message, day Date) bool {
	return slices.ContainsFunc(sent, func(m Message) bool {
		return isNotice(m.Kind) && m.State == MessageDelivered && !m.DeliveredAt.IsZero() &&
			DateOf(m.DeliveredAt.In(loc)).DaysUntil(day) >= NoticeDays && !day.Before(m.Deadline)
	})
}

func accepted(cfg Config, a Account) bool {
	return slices.ContainsFunc(cfg.Accepted, func(x Acceptance) bool {
		return x.By != "" && names(x.Account, a)
	})
}

func gateCoverage(in gateInput) (bool, string) {
	capable, all := 0, 0
	for _, a := range in.seen.Accounts {
		if in.wave.Holds(in.cfg, a, in.day) && Counts(in.cfg, a, in.day) {
			all++
			if a.Capable == Yes {
				capable++
			}
		}
	}
	if all == 0 {
		return in.wave.Members == MembersCapable, "the wave holds nobody yet"
	}
	percent := float64(capable*1000/all) / 10
	return percent >= in.wave.NeededCoverage(), fmt.Sprintf("%d of %d capable, %.1f %%; %.0f %% are needed", capable, all, percent, in.wave.NeededCoverage())
}

func gateServiceAccounts(in gateInput) (bool, string) {
	if len(in.seen.Accounts) == 0 {
		return false, noAccounts
	}
	var open []string
	for _, a := range in.seen.Accounts {
		if in.wave.Holds(in.cfg, a, in.day) && (a.Class == ClassService || a.Class == ClassSharedMailbox || a.Class == ClassRoom) {
			open = append(open, a.ID)
		}
	}
	if len(open) > 0 {
		return false, "neither alternative nor exemption: " + strings.Join(open, ", ")
	}
	return true, "none is left without one"
}

func gateLegacy(in gateInput) (bool, string) {
	if len(in.seen.Accounts) == 0 {
		return false, noAccounts
	}
	if !HoldsPlan(in.seen.Audit.Plans, PlanEntraP1, PlanEntraP2) {
		return false, "without Entra ID P1 there is no sign-in log, so nobody knows; ask, and waive the gate"
	}
	byID := map[string]Account{}
	for _, a := range in.seen.Accounts {
		byID[a.ID] = a
	}
	var left []string
	for _, l := range in.seen.Audit.Legacy {
		if a, ok := byID[l.Account]; ok && in.wave.Holds(in.cfg, a, in.day) && in.now.Sub(l.LastAt) < 7*24*time.Hour {
			left = append(left, l.Account+" by "+l.Client)
		}
	}
	if len(left) > 0 {
		return false, strings.Join(left, ", ")
	}
	return true, "none seen in the last 7 days"
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

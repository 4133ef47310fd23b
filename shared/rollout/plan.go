package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Action is one thing to do, with the reason. The functions carry actions out
// one by one, each conditional and idempotent; none of them decides anything.
type Action interface {
	// Why says in a sentence why the action is due.
	Why() string
}

// Send claims a message and puts it on the mail queue.
type Send struct {
	Message Message
	Reason  string
}

// MoveWave changes a wave's state without touching the tenant.
type MoveWave struct {
	Wave   string
	To     WaveState
	Gates  []string
	Reason string
}

// CreateGroup creates one of Sallyport's own groups.
type CreateGroup struct {
	Purpose string
	Marker  string
	Name    string
	Reason  string
}

// FillGroup reconciles the members of one of Sallyport's own groups.
type FillGroup struct {
	Purpose string
	Add     []string
	Remove  []string
	Reason  string
}

// CreatePolicy creates a wave's policy, report-only.
type CreatePolicy struct {
	Draft  PolicyDraft
	Reason string
}

// SwitchOn switches a wave to enforcing: the one act that can lock people out.
// The wave moves to enforced once the state was read back.
type SwitchOn struct {
	Wave     string
	Method   Method
	PolicyID string // for Conditional Access
	Gates    []GateResult
	Reason   string
}

// RollBack puts a wave's policy back to report-only.
type RollBack struct {
	Wave     string
	Method   Method
	PolicyID string
	Reason   string
}

// Why implements Action.
func (a Send) Why() string { return a.Reason }

// Why implements Action.
func (a MoveWave) Why() string { return a.Reason }

// Why implements Action.
func (a CreateGroup) Why() string { return a.Reason }

// Why implements Action.
func (a FillGroup) Why() string { return a.Reason }

// Why implements Action.
func (a CreatePolicy) Why() string { return a.Reason }

// Why implements Action.
func (a SwitchOn) Why() string { return a.Reason }

// Why implements Action.
func (a RollBack) Why() string { return a.Reason }

// Plan is the whole of the rules: what is due now, and why. Each function
// carries out its own part: enforce what changes the tenant and the waves
// ([PlanSwitch]), remind the messages to people ([PlanMessages]), monitor the
// watch after a switch ([PlanWatch]).
func Plan(cfg Config, seen Seen, known Known, now time.Time) []Action {
	return slices.Concat(PlanSwitch(cfg, seen, known, now), PlanMessages(cfg, seen, known, now), PlanWatch(cfg, seen, known, now))
}

// PlanSwitch says which wave moves, what must be created for it, and when it is
// switched. It decides nothing without a live reading and an audit.
func PlanSwitch(cfg Config, seen Seen, known Known, now time.Time) []Action {
	if seen.Live == nil || seen.Audit.At.IsZero() {
		return nil
	}
	p := switchPlan{cfg: cfg, seen: seen, known: known, now: now, day: DateOf(now.In(cfg.Location()))}
	if known.ChangeOver.Open() {
		// Also while paused: a tenant never stays without any demand of MFA.
		p.finishChangeOver()
		return p.actions
	}
	if cfg.Paused {
		return nil
	}
	for _, wave := range cfg.Waves {
		p.wave(wave)
	}
	p.fillGroups()
	p.tellExpiries()
	return p.actions
}

type switchPlan struct {
	cfg     Config
	seen    Seen
	known   Known
	now     time.Time
	day     Date
	actions []Action
}

func (p *switchPlan) do(a Action) { p.actions = append(p.actions, a) }

func (p *switchPlan) wave(wave WaveConfig) {
	record := p.known.Wave(wave.Name)
	switch record.State {
	case WavePlanned:
		p.announce(wave)
	case WaveAnnounced:
		p.prepare(wave)
	case WaveObserving, WaveHeld:
		p.foretell(wave)
		p.consider(wave, record)
	case WaveRolledBack:
		p.tellRolledBack(wave, record)
	case WaveEnforced, WaveSettled:
		p.keep(wave, record)
	}
}

// announce opens a wave on its day, once the licence for its method is known.
func (p *switchPlan) announce(wave WaveConfig) {
	if p.day.Before(p.cfg.AnnouncementDay()) {
		return
	}
	if failing := p.failing(wave, "licence", "audit-fresh"); len(failing) > 0 {
		p.tellHeld(wave, failing)
		return
	}
	reason := "the day of the announcement is here, the audit is complete and the licences allow " + string(p.seen.Audit.Method)
	if waived := p.waived(wave, "licence"); len(waived) > 0 {
		reason = "the day of the announcement is here and the audit is complete" + waivedWords(waived)
	}
	p.do(MoveWave{Wave: wave.Name, To: WaveAnnounced, Reason: reason})
}

// failing are those of the named gates that do not let the wave through.
func (p *switchPlan) failing(wave WaveConfig, gates ...string) []GateResult {
	return slices.DeleteFunc(Failing(CheckGates(p.cfg, p.seen, p.known, wave, p.now)), func(r GateResult) bool {
		return !slices.Contains(gates, r.ID)
	})
}

// waived are those of the named gates that fail and are lifted by a waiver.
func (p *switchPlan) waived(wave WaveConfig, gates ...string) []GateResult {
	return slices.DeleteFunc(CheckGates(p.cfg, p.seen, p.known, wave, p.now), func(r GateResult) bool {
		return r.Waived == nil || !slices.Contains(gates, r.ID)
	})
}

// waivedWords names every waiver that is being used, so that it stands in the
// change log and in the wave's history for as long as these are kept.
func waivedWords(results []GateResult) string {
	var used []string
	for _, r := range results {
		if r.Waived != nil {
			used = append(used, fmt.Sprintf("%s by %s until %s, because %s (%s)", r.ID, r.Waived.Owner, r.Waived.Until, r.Waived.Reason, cut(r.Evidence, 200)))
		}
	}
	if len(used) == 0 {
		return ""
	}
	return "; waived: " + strings.Join(used, "; ")
}

// prepare creates what the wave needs, report-only, and begins to observe. The
// operator hears if that does not succeed in time.
func (p *switchPlan) prepare(wave WaveConfig) {
	if p.seen.Audit.Method == MethodSecurityDefaults {
		p.do(MoveWave{Wave: wave.Name, To: WaveObserving, Reason: "Security Defaults know no report-only: nothing to create"})
		return
	}
	owned, exists := p.known.Owned(wave.Name)
	if live, found := p.seen.Live.Policy(owned.ID); exists && found && live.State == StateReportOnly {
		p.do(MoveWave{Wave: wave.Name, To: WaveObserving, Reason: "its policy exists, report-only, read back"})
		return
	}
	if !wave.Deadline.IsZero() && p.day.DaysUntil(wave.Deadline) < ObserveDays {
		if failing := p.failing(wave, "policies-unchanged", "observed"); len(failing) > 0 {
			p.tellHeld(wave, failing)
		}
	}
	ids := p.known.groupIDs()
	ready := true
	need := func(purpose, name string) {
		if ids[purpose] == "" {
			ready = false
			p.createGroup(purpose, name)
		}
	}
	need(GroupExempt, "Sallyport: exempted from MFA")
	if wave.Members == MembersCapable {
		need(GroupReady, "Sallyport: ready for MFA")
	}
	if ready && !exists {
		p.do(CreatePolicy{Draft: Draft(p.cfg, wave, ids), Reason: "wave " + wave.Name + " is announced and needs its policy, report-only"})
	}
}

// createGroup asks for a group once, however many waves need it.
func (p *switchPlan) createGroup(purpose, name string) {
	asked := slices.ContainsFunc(p.actions, func(a Action) bool {
		c, is := a.(CreateGroup)
		return is && c.Purpose == purpose
	})
	if !asked {
		p.do(CreateGroup{Purpose: purpose, Name: name, Marker: Marker(p.cfg.Tenant, purpose), Reason: "the policies need the group"})
	}
}

// consider switches a wave whose time has come if every gate lets it, holds it
// and tells the operator if not.
func (p *switchPlan) consider(wave WaveConfig, record Wave) {
	method := p.seen.Audit.Method
	owned, _ := p.known.Owned(wave.Name)
	if p.enforcing(method, owned) {
		p.do(MoveWave{Wave: wave.Name, To: WaveEnforced, Reason: "it was found enforcing: a run ended before it recorded its switch, or somebody else switched it"})
		return
	}
	if p.underDefaults() {
		p.changeOver(wave, record)
		return
	}
	if !p.due(wave, record) {
		return
	}
	results := CheckGates(p.cfg, p.seen, p.known, wave, p.now)
	failing := Failing(results)
	switch {
	case len(failing) == 0:
		if method == MethodSecurityDefaults && wave.Members != MembersAll {
			return // Security Defaults know one switch for everybody, made with that wave
		}
		p.do(SwitchOn{Wave: wave.Name, Method: method, PolicyID: owned.ID, Gates: results, Reason: "the deadline is here and every gate holds" + waivedWords(results)})
	case len(failing) == 1 && failing[0].ID == GateWindow:
		// Only time is missing: the wave waits, nobody needs to do anything.
	default:
		p.hold(wave, record, failing)
	}
}

// enforcing reports whether the wave's demand is already live.
func (p *switchPlan) enforcing(method Method, owned OwnedPolicy) bool {
	if method == MethodSecurityDefaults {
		return p.seen.Live.SecurityDefaults == Yes
	}
	live, found := p.seen.Live.Policy(owned.ID)
	return found && owned.ID != "" && live.State == StateEnabled
}

// due: the deadline has come, and the window of its day is open or was. A wave
// of capable people has no deadline: it is due when it was observed.
func (p *switchPlan) due(wave WaveConfig, record Wave) bool {
	if wave.Deadline.IsZero() {
		return p.now.Sub(record.ObservedFrom) >= ObserveDays*24*time.Hour
	}
	return !p.now.Before(wave.Deadline.At(p.cfg.Enforcement.FromHour, 0, p.cfg.Location()))
}

func (p *switchPlan) hold(wave WaveConfig, record Wave, failing []GateResult) {
	// The hours of the window are no news while other gates fail.
	failing = slices.DeleteFunc(slices.Clone(failing), func(r GateResult) bool { return r.ID == GateWindow })
	if wave.Deadline.IsZero() {
		return // a wave of capable people waits quietly: nobody was promised a day
	}
	if record.State == WaveObserving {
		p.do(MoveWave{Wave: wave.Name, To: WaveHeld, Gates: gateIDs(failing), Reason: "the deadline is here and " + sentence(failing)})
	} else if p.now.In(p.cfg.Location()).Hour() < p.cfg.Enforcement.FromHour {
		return // the next day's word waits for the morning: it may be mended by then
	}
	p.tellHeld(wave, failing)
}

// tellHeld tells the operator once a day why a wave does not move.
func (p *switchPlan) tellHeld(wave WaveConfig, failing []GateResult) {
	gates, err := json.Marshal(failing)
	if err != nil {
		gates = []byte("[]") // a GateResult holds strings and bools: it always marshals
	}
	details := map[string]string{"gates": string(gates), "deadline": wave.Deadline.String()}
	if next := p.cfg.NextOpening(p.now); !next.IsZero() {
		details["earliest"] = next.UTC().Format(time.RFC3339)
	}
	p.tell(notice(MessageHold, wave.Name, p.day.String(), "Held: "+wave.Name, p.day, p.now, details), sentence(failing))
}

func (p *switchPlan) tell(m Message, reason string) {
	if !p.told(m.ID) {
		p.do(Send{Message: m, Reason: reason})
	}
}

// told reports whether a message of that id was claimed before.
func (p *switchPlan) told(id string) bool {
	return slices.ContainsFunc(p.known.Messages, func(k Message) bool { return k.ID == id })
}

// keep looks after a wave that is on: the breaker's verdict is carried out, the
// operator hears once that it was switched.
func (p *switchPlan) keep(wave WaveConfig, record Wave) {
	method := p.seen.Audit.Method
	owned, _ := p.known.Owned(wave.Name)
	if record.BreakerTripped != "" {
		p.do(RollBack{Wave: wave.Name, Method: method, PolicyID: owned.ID, Reason: record.BreakerTripped})
		p.tellRolledBack(wave, record)
		return
	}
	people := 0
	for _, a := range p.seen.Accounts {
		if wave.Holds(p.cfg, a, p.day) && IsPerson(p.cfg, a) {
			people++
		}
	}
	details := map[string]string{"at": record.EnforcedAt.UTC().Format(time.RFC3339), "policy": owned.ID, "people": fmt.Sprint(people)}
	if c := p.known.ChangeOver; c.Outcome == ChangedOver && !record.EnforcedAt.Before(c.BegunAt) {
		details["exposure"] = c.Exposure().Round(time.Second).String()
	}
	p.tell(notice(MessageSwitched, wave.Name, record.EnforcedAt.UTC().Format(time.RFC3339), "Switched: "+wave.Name, p.day, p.now, details), "the wave was switched")
}

// tellRolledBack tells the operator once of each roll-back, also when the run
// that made it ended before it could.
func (p *switchPlan) tellRolledBack(wave WaveConfig, record Wave) {
	reason := record.BreakerTripped
	if n := len(record.History); n > 0 && record.State == WaveRolledBack {
		reason = record.History[n-1].Reason
	}
	p.tell(notice(MessageRollback, wave.Name, record.EnforcedAt.UTC().Format(time.RFC3339), "Rolled back: "+wave.Name, p.day, p.now,
		map[string]string{"reason": reason}), reason)
}

// untoldReady are the people in the group of capable people who are capable no
// longer, and whom nobody told.
func (p *switchPlan) untoldReady() []string {
	ids := []string{}
	wave := WaveConfig{Members: MembersCapable}
	if i := slices.IndexFunc(p.cfg.Waves, func(w WaveConfig) bool { return w.Members == MembersCapable }); i >= 0 {
		wave = p.cfg.Waves[i]
	}
	for _, a := range untold(p.cfg, p.known, wave, stopped(p.cfg, p.seen, wave, p.day), p.day) {
		ids = append(ids, a.ID)
	}
	return ids
}

// spareFrom is how many days before a deadline people whose notice still runs
// are left out: membership changes can take a day to be effective.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation
const spareFrom = 2

// mostSpared is how many people may be left out of a switch because they were not
// told in time; if there are more, the gate holds it.
func mostSpared(accounts int) int { return max(3, accounts/50) }

// noticeRunning are the people who were not told in time (new colleagues, a
// mailbox that bounced) and are therefore left out of the switch, each until 14
// days after their own notice: nobody is stopped who was not told, and one new
// colleague does not hold a company. Before a switch they may be few; if many
// were not told, nobody is left out and the gate holds the wave.
func (p *switchPlan) noticeRunning() map[string]bool {
	sparing := map[string]bool{}
	for _, w := range p.cfg.Waves {
		if w.Deadline.IsZero() {
			continue
		}
		list := untold(p.cfg, p.known, w, stopped(p.cfg, p.seen, w, p.day), p.day)
		switch p.known.Wave(w.Name).State {
		case WaveObserving, WaveHeld:
			if p.day.DaysUntil(w.Deadline) > spareFrom || len(list) > mostSpared(len(p.seen.Accounts)) {
				continue
			}
		case WaveEnforced, WaveSettled:
		default:
			continue
		}
		for _, a := range list {
			sparing[a.ID] = true
		}
	}
	return sparing
}

// PlanWatch says what the watch after a switch leads to: a wave settles when 14
// days are over, nobody is locked out and everybody who counts is capable; when
// the last wave has settled, the operator gets the closing summary.
func PlanWatch(cfg Config, seen Seen, known Known, now time.Time) []Action {
	if cfg.Paused {
		return nil
	}
	day := DateOf(now.In(cfg.Location()))
	var actions []Action
	open := anyLockedOut(cfg, seen.Accounts, known.LockOuts, day)
	complete, _ := auditComplete(cfg, seen, now)
	coverage := CoverageOf(cfg, seen.Accounts, day)
	everybody := coverage.All > 0 && coverage.Capable == coverage.All
	allSettled := len(cfg.Waves) > 0
	for _, w := range cfg.Waves {
		record := known.Wave(w.Name)
		if record.State == WaveEnforced && now.Sub(record.EnforcedAt) >= SettleDays*24*time.Hour && complete && !open && everybody {
			actions = append(actions, MoveWave{Wave: w.Name, To: WaveSettled, Reason: fmt.Sprintf("%d days are over, nobody is locked out, coverage is 100 %%", SettleDays)})
		}
		allSettled = allSettled && record.State == WaveSettled
	}
	closing := notice(MessageClosing, "", "all", "Rollout complete", day, now, map[string]string{
		"capable": fmt.Sprint(coverage.Capable), "all": fmt.Sprint(coverage.All), "percent": fmt.Sprintf("%.1f", coverage.Percent()),
	})
	if allSettled && !slices.ContainsFunc(known.Messages, func(m Message) bool { return m.ID == closing.ID }) {
		actions = append(actions, Send{Message: closing, Reason: "every wave has settled"})
	}
	return actions
}

// anyLockedOut: somebody who has left, or was exempted since, no longer waits to
// get in, and would otherwise keep a wave from ever settling.
func anyLockedOut(cfg Config, accounts []Account, lockOuts []LockOut, day Date) bool {
	outside := map[string]bool{}
	for _, l := range lockOuts {
		if l.ClosedAt.IsZero() {
			outside[l.Account] = true
		}
	}
	return slices.ContainsFunc(accounts, func(a Account) bool {
		_, exempt := cfg.Exemption(a, day)
		return outside[a.ID] && !exempt && IsPerson(cfg, a)
	})
}

func gateIDs(results []GateResult) []string {
	var ids []string
	for _, r := range results {
		ids = append(ids, r.ID)
	}
	return ids
}

func sentence(failing []GateResult) string {
	var parts []string
	for _, r := range failing {
		parts = append(parts, r.ID+": "+r.Evidence)
	}
	return strings.Join(parts, "; ")
}

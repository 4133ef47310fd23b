package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// While Security Defaults are on, Graph refuses to enable a policy. So a tenant
// that has them changes over in one go: every policy is proven report-only, the
// Defaults go off, the policies go on at once, and if one of them does not, the
// Defaults go on again. For the seconds in between nothing demands MFA of
// anybody: they are measured and reported, and no run leaves them unfinished.
// Source: https://learn.microsoft.com/entra/fundamentals/security-defaults

// ChangeOver is the record of the newest change-over of a tenant; the zero value
// says that there was none.
type ChangeOver struct {
	Wave    string    `json:"wave"`    // the wave for everybody, with whose deadline it is made
	BegunAt time.Time `json:"begunAt"` // recorded before the first write
	// OffAt is when the Defaults were about to be switched off: from then on the
	// tenant may have stood open. Zero: they were never touched.
	OffAt   time.Time `json:"offAt"`
	EndedAt time.Time `json:"endedAt"` // zero: it is open
	// Outcome says how it ended, and Failure why it was taken back.
	Outcome string `json:"outcome"`
	Failure string `json:"failure"`
	Version int64  `json:"version"`
}

// How a change-over ends.
const (
	ChangedOver = "policies on"                // every policy enforces
	TakenBack   = "Security Defaults on again" // as before it began
)

// Open reports whether a run began it and none has ended it.
func (c ChangeOver) Open() bool { return !c.BegunAt.IsZero() && c.EndedAt.IsZero() }

// Exposure is how long nothing demanded MFA of anybody: from the Defaults going
// off until the policies were read as enabled, or the Defaults as on again.
func (c ChangeOver) Exposure() time.Duration {
	if c.OffAt.IsZero() || c.EndedAt.IsZero() {
		return 0
	}
	return c.EndedAt.Sub(c.OffAt)
}

// Warning tells the operator, once for each change-over, that nothing demands MFA
// of anybody.
func (c ChangeOver) Warning(cfg Config, why string, now time.Time) Message {
	gates, err := json.Marshal([]GateResult{{
		ID: GateDefaultsOff, Question: "Does anything demand MFA of people?", Evidence: why,
		Remedy: "Switch Security Defaults on, or the policies, in the Entra admin centre, now.",
	}})
	if err != nil {
		gates = []byte("[]") // a GateResult holds strings and bools: it always marshals
	}
	wave, _ := cfg.Wave(c.Wave)
	return notice(MessageHold, c.Wave, "open-"+c.BegunAt.UTC().Format(time.RFC3339), "Unprotected: "+c.Wave, DateOf(now.In(cfg.Location())), now,
		map[string]string{"gates": string(gates), "deadline": wave.Deadline.String()})
}

// ChangeOverDefaults takes a tenant from Security Defaults to its policies, or
// ends what a run that died began.
type ChangeOverDefaults struct {
	Wave string
	// Policies are those to enable, the one for everybody first: with it the gap
	// is closed.
	Policies []OwnedPolicy
	// Gates are those of every wave; none of them fails unless Back.
	Gates []GateResult
	// Back: the Defaults are to be on, whatever it takes.
	Back   bool
	Reason string
}

// Why implements Action.
func (a ChangeOverDefaults) Why() string { return a.Reason }

// underDefaults: the waves are policies, and the Defaults keep them from being
// enabled.
func (p *switchPlan) underDefaults() bool {
	return p.seen.Audit.Method == MethodConditionalAccess && p.seen.Live.SecurityDefaults == Yes
}

// changeOver is made with the wave for everybody: until then the Defaults demand
// MFA of everyone, and without it they would leave people with nothing.
func (p *switchPlan) changeOver(wave WaveConfig, record Wave) {
	if wave.Members != MembersAll || slices.ContainsFunc(p.cfg.Waves, func(w WaveConfig) bool { return !p.due(w, p.known.Wave(w.Name)) }) {
		return
	}
	results := p.gatesOfAll()
	switch failing := Failing(results); {
	case len(failing) == 0:
		p.do(ChangeOverDefaults{
			Wave: wave.Name, Policies: p.inOrder(), Gates: results,
			Reason: "the deadline is here, every gate of every wave holds, and Security Defaults give way to the policies",
		})
	case !slices.ContainsFunc(failing, func(r GateResult) bool { return r.ID != GateWindow }):
		// Only time is missing.
	default:
		p.hold(wave, record, failing)
	}
}

// finishChangeOver ends what a run that died began, before anything else: forward
// if the gates still hold, whatever the hour, and else back.
func (p *switchPlan) finishChangeOver() {
	open := p.known.ChangeOver
	action := ChangeOverDefaults{Wave: open.Wave, Policies: p.inOrder(), Gates: p.gatesOfAll()}
	failing := slices.DeleteFunc(Failing(action.Gates), func(r GateResult) bool { return r.ID == GateWindow })
	switch {
	case p.enforcingAll(action.Policies):
		action.Reason = "every policy is on: only the record was missing"
	case p.seen.Live.SecurityDefaults == Yes:
		action.Back, action.Reason = true, "Security Defaults are on: the change-over of "+open.BegunAt.UTC().Format(time.RFC3339)+" did not come far, or was taken back"
	case p.seen.Live.SecurityDefaults != No:
		return // not known: the next run reads again
	case len(failing) > 0 || p.cfg.Paused:
		action.Back, action.Reason = true, "a change-over was left unfinished and cannot go on: "+sentence(failing)
	default:
		action.Reason = "a change-over was left unfinished, and every gate still holds"
	}
	p.do(action)
}

func (p *switchPlan) enforcingAll(policies []OwnedPolicy) bool {
	return len(policies) > 0 && !slices.ContainsFunc(policies, func(o OwnedPolicy) bool { return !p.enforcing(MethodConditionalAccess, o) })
}

// inOrder are the policies of all waves, that for everybody first. A wave without
// one is left out; its gates say so.
func (p *switchPlan) inOrder() []OwnedPolicy {
	var policies []OwnedPolicy
	for _, everybody := range []bool{true, false} {
		for _, w := range p.cfg.Waves {
			if owned, ok := p.known.Owned(w.Name); ok && (w.Members == MembersAll) == everybody {
				policies = append(policies, owned)
			}
		}
	}
	return policies
}

// gatesOfAll asks the gates of every wave; what several waves say alike stands
// there once.
func (p *switchPlan) gatesOfAll() []GateResult {
	var all []GateResult
	for _, w := range p.cfg.Waves {
		for _, r := range CheckGates(p.cfg, p.seen, p.known, w, p.now) {
			if r.ID == GateDefaultsOff && w.Members != MembersAll {
				continue // it waits for the wave for everybody, whose gate it is
			}
			if i := slices.IndexFunc(all, func(known GateResult) bool { return known.ID == r.ID && known.Evidence == r.Evidence }); i >= 0 {
				continue
			}
			all = append(all, r)
		}
	}
	return all
}

// GateDefaultsOff is the gate of a tenant whose Security Defaults are on.
const GateDefaultsOff = "defaults-off"

// gateDefaultsOff: Microsoft answers 400 to a policy that is enabled while
// Security Defaults are on, so such a wave would only fail every hour. With the
// wave for everybody they are changed over, at most once a day.
// Source: https://learn.microsoft.com/entra/fundamentals/security-defaults
func gateDefaultsOff(in gateInput) (bool, string) {
	everyone := in.cfg.everyone().Name
	last := in.known.ChangeOver
	switch {
	case !in.conditionalAccess():
		return true, "Security Defaults are the method"
	case in.live().SecurityDefaults == No:
		return true, "they are off"
	case in.live().SecurityDefaults != Yes:
		return false, "whether Security Defaults are on is not known, and they keep every policy from being enabled"
	case everyone == "":
		return false, "they are on, and no wave is for everybody: without them people outside the waves would be asked for nothing"
	case in.wave.Name != everyone:
		return false, "they are on; this wave is switched together with wave " + everyone + ", in one change-over"
	case last.Outcome == TakenBack && !DateOf(last.EndedAt.In(in.cfg.Location())).Before(in.day):
		return false, "the change-over of " + last.BegunAt.In(in.cfg.Location()).Format(time.DateTime) + " was taken back, the next try is tomorrow: " + last.Failure
	}
	var without []string
	for _, w := range in.cfg.Waves {
		owned, created := in.known.Owned(w.Name)
		if live, read := in.live().Policy(owned.ID); !created || !read || live.State != StateReportOnly {
			without = append(without, w.Name)
		}
	}
	if len(without) > 0 {
		return false, "they are on, and no policy stands ready, report-only, for " + strings.Join(without, ", ")
	}
	return true, fmt.Sprintf("they are on, and give way to the %d policies at the switch", len(in.cfg.Waves))
}

package rollout_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

const heldToday = "send hold.everyone.2027-01-12"

// fromTheStart takes the scene back to the morning of the announcement.
func fromTheStart(t *testing.T, s *scene) {
	s.now = at(t, "Europe/London", "2026-12-01 00:10")
	s.seen.Audit.At = s.now.Add(-time.Hour)
	s.known.Waves, s.known.Policies, s.known.Groups, s.known.Messages = nil, nil, nil, nil
	s.seen.Live.Policies, s.seen.Live.Groups = nil, nil
	s.cfg.Waves = s.cfg.Waves[1:] // ready and everyone: enough to show
}

// announced is one step further: both waves are announced.
func announced(t *testing.T, s *scene) {
	fromTheStart(t, s)
	s.known.Waves = []rollout.Wave{{Name: "ready", State: rollout.WaveAnnounced}, {Name: "everyone", State: rollout.WaveAnnounced}}
}

func TestPlanSwitch(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, s *scene)
		want   []string
	}{
		{"every gate holds", func(*testing.T, *scene) {}, []string{"switch on everyone " + policyEveryone}},
		{"the deadline is tomorrow", func(t *testing.T, s *scene) { s.now = s.now.Add(-24 * time.Hour); s.seen.Audit.At = s.now }, []string{"send blast.everyone.1-2027-01-12"}},
		{"before the window opens", func(t *testing.T, s *scene) { s.now = at(t, "Europe/London", "2027-01-12 08:59") }, nil},
		{"the day after, outside the window", func(t *testing.T, s *scene) { s.now = at(t, "Europe/London", "2027-01-12 17:00") }, nil},
		{"held, mended, outside the window", func(t *testing.T, s *scene) {
			s.now = at(t, "Europe/London", "2027-01-12 17:00")
			s.wave("everyone").State = rollout.WaveHeld
		}, nil},
		{"held, mended", func(_ *testing.T, s *scene) { s.wave("everyone").State = rollout.WaveHeld }, []string{"switch on everyone " + policyEveryone}},
		{"a gate fails", func(_ *testing.T, s *scene) { s.cfg.Communication.HelpDesk = rollout.HelpDesk{} }, []string{"move everyone to held", heldToday}},
		{"a gate still fails", func(_ *testing.T, s *scene) {
			s.cfg.Communication.HelpDesk = rollout.HelpDesk{}
			s.wave("everyone").State = rollout.WaveHeld
		}, []string{heldToday}},
		{"and was told of today", func(_ *testing.T, s *scene) {
			s.cfg.Communication.HelpDesk = rollout.HelpDesk{}
			s.wave("everyone").State = rollout.WaveHeld
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: "hold.everyone.2027-01-12"})
		}, nil},
		{"a gate fails and is waived", func(_ *testing.T, s *scene) {
			s.cfg.Communication.HelpDesk = rollout.HelpDesk{}
			s.cfg.Waivers = []rollout.Waiver{{Gate: "help-desk", Owner: "Alex Wilber", Reason: "on holiday", Until: rollout.DateOf(s.now)}}
		}, []string{"switch on everyone " + policyEveryone}},

		{"paused by the operator", func(_ *testing.T, s *scene) { s.cfg.Paused = true }, nil},
		{"nothing was read live", func(_ *testing.T, s *scene) { s.seen.Live = nil }, nil},
		{"no audit", func(_ *testing.T, s *scene) { s.seen.Audit = rollout.AuditRun{} }, nil},
		{"the wave is paused", func(_ *testing.T, s *scene) { s.wave("everyone").State = rollout.WavePaused }, nil},

		{"a run ended between the switch and its record", func(_ *testing.T, s *scene) { s.policy(policyEveryone).State = rollout.StateEnabled }, []string{"move everyone to enforced"}},
		{"switched: the operator hears once", func(_ *testing.T, s *scene) {
			s.policy(policyEveryone).State = rollout.StateEnabled
			w := s.wave("everyone")
			w.State, w.EnforcedAt = rollout.WaveEnforced, s.now
		}, []string{"send switched.everyone.2027-01-12T10:00:00Z"}},
		{"the breaker tripped", func(_ *testing.T, s *scene) { s.wave("ready").BreakerTripped = "too many" }, []string{
			"roll back ready " + policyReady, "send rollback.ready.2026-12-08T09:10:00Z", "switch on everyone " + policyEveryone,
		}},
		{"it tripped after the wave had settled", func(_ *testing.T, s *scene) {
			w := s.wave("ready")
			w.State, w.BreakerTripped = rollout.WaveSettled, "too many"
		}, []string{"roll back ready " + policyReady, "send rollback.ready.2026-12-08T09:10:00Z", "switch on everyone " + policyEveryone}},
		{"rolled back, and the run ended before it told", func(_ *testing.T, s *scene) {
			w := s.wave("ready")
			w.State, w.History = rollout.WaveRolledBack, []rollout.Move{{To: rollout.WaveRolledBack, Reason: "too many"}}
		}, []string{
			"send rollback.ready.2026-12-08T09:10:00Z", "switch on everyone " + policyEveryone,
		}},
		{"rolled back: waits for the operator", func(_ *testing.T, s *scene) {
			s.wave("everyone").State = rollout.WaveRolledBack
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: "rollback.everyone.0001-01-01T00:00:00Z"})
		}, nil},

		{"the day of the announcement", fromTheStart, []string{"move ready to announced", "move everyone to announced"}},
		{"the evening before", func(t *testing.T, s *scene) { fromTheStart(t, s); s.now = s.now.Add(-15 * time.Minute) }, nil},
		{"without the licence", func(t *testing.T, s *scene) { fromTheStart(t, s); s.seen.Audit.Plans = nil }, []string{"send hold.ready.2026-12-01", "send hold.everyone.2026-12-01"}},
		{"with an old audit", func(t *testing.T, s *scene) { fromTheStart(t, s); s.seen.Audit.At = s.now.Add(-40 * time.Hour) }, []string{"send hold.ready.2026-12-01", "send hold.everyone.2026-12-01"}},
		{"announced: groups first, each once", announced, []string{"create group exempt", "create group ready"}},
		{"then policies, and the groups are filled", func(t *testing.T, s *scene) {
			announced(t, s)
			s.known.Groups = []rollout.OwnedGroup{{Purpose: rollout.GroupExempt, ID: groupExempt}, {Purpose: rollout.GroupReady, ID: groupReady}}
			s.seen.Live.Groups = map[string]rollout.Group{rollout.GroupExempt: {Opened: true}, rollout.GroupReady: {Opened: true, Members: capable(s.seen.Accounts)[1:]}}
		}, []string{"create policy ready", "create policy everyone", "fill ready +[admin1] -[]"}},
		{"a create that was never confirmed is tried again", func(t *testing.T, s *scene) {
			announced(t, s)
			s.cfg.Waves = s.cfg.Waves[1:]
			s.known.Groups = []rollout.OwnedGroup{{Purpose: rollout.GroupExempt, ID: groupExempt}}
			s.known.Policies = []rollout.OwnedPolicy{{Wave: "everyone", Marker: "m"}}
		}, []string{"create policy everyone"}},
		{"the policies exist", func(_ *testing.T, s *scene) { s.wave("everyone").State = rollout.WaveAnnounced }, []string{"move everyone to observing"}},
		{"the policy was deleted before it was observed, long ago", func(t *testing.T, s *scene) {
			s.wave("everyone").State, s.wave("everyone").ObservedFrom = rollout.WaveAnnounced, time.Time{}
			s.seen.Live.Policies = s.seen.Live.Policies[:2]
			s.prove()
			s.now = at(t, "Europe/London", "2027-01-05 10:00")
			s.seen.Audit.At = s.now
		}, nil},
		{"and time runs out: the operator hears", func(t *testing.T, s *scene) {
			s.wave("everyone").State, s.wave("everyone").ObservedFrom = rollout.WaveAnnounced, time.Time{}
			s.seen.Live.Policies = s.seen.Live.Policies[:2]
			s.prove()
			s.now = at(t, "Europe/London", "2027-01-06 10:00")
			s.seen.Audit.At = s.now
		}, []string{"send hold.everyone.2027-01-06"}},

		{"Security Defaults: nothing to create", func(t *testing.T, s *scene) {
			announced(t, s)
			s.seen.Audit.Method = rollout.MethodSecurityDefaults
		}, []string{"move ready to observing", "move everyone to observing"}},
		{"Security Defaults: one switch, with the wave for all", func(_ *testing.T, s *scene) {
			s.seen.Audit.Method = rollout.MethodSecurityDefaults
			s.known.Waves[0].State, s.known.Waves[1].State = rollout.WaveObserving, rollout.WaveObserving
		}, []string{"switch on everyone " + policyEveryone}},
		{"Security Defaults are on", func(_ *testing.T, s *scene) {
			s.seen.Audit.Method, s.seen.Live.SecurityDefaults = rollout.MethodSecurityDefaults, rollout.Yes
			s.known.Waves[0].State = rollout.WaveHeld
		}, []string{"move administrators to enforced", "move everyone to enforced"}},

		{"a wave of capable people, observed for a week", func(t *testing.T, s *scene) {
			s.onlyReady(t, "2026-12-08 09:00")
		}, []string{"switch on ready " + policyReady}},
		{"and for a minute less", func(t *testing.T, s *scene) { s.onlyReady(t, "2026-12-08 08:59") }, nil},
		{"it waits quietly", func(t *testing.T, s *scene) {
			s.onlyReady(t, "2026-12-09 10:00")
			s.cfg.Communication.HelpDesk = rollout.HelpDesk{}
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			tt.change(t, s)
			actions := s.planSwitch()
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), list(actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			for _, a := range actions {
				if a.Why() == "" {
					t.Errorf("%T without a reason", a)
				}
			}
		})
	}
}

// onlyReady looks at the wave of capable people alone, observed since 09:00 on
// 2026-12-01.
func (s *scene) onlyReady(t *testing.T, now string) {
	s.now = at(t, "Europe/London", now)
	s.seen.Audit.At, s.seen.Observations[0] = s.now, rollout.Observation{Account: "m01", Policy: policyReady, Result: "reportOnlySuccess", LastAt: s.now}
	s.cfg.Waves = s.cfg.Waves[1:2]
	s.wave("ready").State = rollout.WaveObserving
	s.policy(policyReady).State = rollout.StateReportOnly
}

// TestHoldSaysWhy: the operator's message carries the gates and the next chance.
func TestHoldSaysWhy(t *testing.T) {
	s := sample(t)
	s.policy(policyEveryone).ExcludeUsers = []string{em1, "GuestsOrExternalUsers"}
	s.prove()
	s.now = at(t, "Europe/London", "2027-01-12 16:30") // the window has closed, which is no news
	actions := s.planSwitch()
	if got, want := list(actions), "move everyone to held\n"+heldToday; got != want {
		t.Fatalf("actions\n%s\nwant\n%s", got, want)
	}
	move, m := actions[0].(rollout.MoveWave), actions[1].(rollout.Send).Message
	if !slices.Equal(move.Gates, []string{"emergency-excluded"}) {
		t.Errorf("held by %v", move.Gates)
	}
	var gates []rollout.GateResult
	if err := json.Unmarshal([]byte(m.Details["gates"]), &gates); err != nil {
		t.Fatal(err)
	}
	if len(gates) != 1 || !strings.Contains(gates[0].Evidence, em2) || gates[0].Remedy == "" {
		t.Errorf("gates %+v", gates)
	}
	if m.Details["earliest"] != "2027-01-13T09:00:00Z" || m.Kind.ToPerson() {
		t.Errorf("message %+v", m)
	}
}

// TestFillGroups: what the groups hold, what belongs there, and what is done.
func TestFillGroups(t *testing.T) {
	exempt := func(id string) rollout.Exemption {
		return rollout.Exemption{Account: id, Expires: rollout.Date{Year: 2027, Month: time.January, Day: 12}}
	}
	crowd := func(n int) (ids []string) {
		for i := range n {
			ids = append(ids, fmt.Sprintf("gone%02d", i))
		}
		return ids
	}
	has := func(s *scene, purpose string, members ...string) {
		s.seen.Live.Groups[purpose] = rollout.Group{Opened: true, Members: members}
	}
	ready := func(s *scene) []string { return s.seen.Live.Groups[rollout.GroupReady].Members }
	tests := []struct {
		name   string
		change func(s *scene)
		want   string // the fill actions
	}{
		{"all is well", func(*scene) {}, ""},
		{"exempted", func(s *scene) { s.cfg.Exemptions = []rollout.Exemption{exempt("m03@contoso.com")} }, "fill exempt +[m03] -[]"},
		{"exempted, and there already", func(s *scene) {
			s.cfg.Exemptions = []rollout.Exemption{exempt("m03")}
			has(s, rollout.GroupExempt, "M03")
		}, ""},
		{"the exemption has ended", func(s *scene) {
			s.cfg.Exemptions = []rollout.Exemption{exempt("m03")}
			s.cfg.Exemptions[0].Expires.Day--
			has(s, rollout.GroupExempt, "m03")
		}, "fill exempt +[] -[m03]"},
		{"an emergency account is never added", func(s *scene) { s.cfg.Exemptions = []rollout.Exemption{exempt("EM1")} }, ""},
		{"nor taken out where others put it", func(s *scene) { has(s, rollout.GroupExempt, "Em1") }, ""},
		{"somebody became capable", func(s *scene) { s.account("m18").Capable = rollout.Yes }, "fill ready +[m18] -[]"},
		{"capable, and exempted", func(s *scene) {
			s.account("m18").Capable = rollout.Yes
			s.cfg.Exemptions = []rollout.Exemption{exempt("m18")}
		}, "fill exempt +[m18] -[]"},
		{"a shared mailbox with a method", func(s *scene) {
			a := person("shared", rollout.Yes)
			a.Class = rollout.ClassSharedMailbox
			s.joins(a)
		}, ""},
		{"capable no longer, and told in time: stays", func(s *scene) { has(s, rollout.GroupReady, append(ready(s), "m18")...) }, ""},
		{"capable no longer, and untold: leaves", func(s *scene) {
			s.account("m01").Capable = rollout.No
			s.wave("everyone").State = rollout.WaveAnnounced
		}, "fill ready +[] -[m01]"},
		{"untold, two days before: left out until their notice has run", func(s *scene) { s.twoDaysBefore(1) }, "fill exempt +[new1] -[]"},
		{"three people", func(s *scene) { s.twoDaysBefore(3) }, "fill exempt +[new1 new2 new3] -[]"},
		{"too many untold: the gate will hold", func(s *scene) { s.twoDaysBefore(4) }, ""},
		{"untold, three days before", func(s *scene) { s.twoDaysBefore(1); s.now = s.now.Add(-24 * time.Hour); s.seen.Audit.At = s.now }, ""},
		{"many untold, after the switch", func(s *scene) {
			s.twoDaysBefore(4)
			s.wave("everyone").State, s.policy(policyEveryone).State = rollout.WaveEnforced, rollout.StateEnabled
		}, "fill exempt +[new1 new2 new3 new4] -[]"},
		{"their notice has run", func(s *scene) {
			s.twoDaysBefore(1)
			s.known.Messages = append(s.known.Messages, told("new1", rollout.DateOf(s.now).AddDays(-14), s.cfg))
			has(s, rollout.GroupExempt, "new1")
		}, "fill exempt +[] -[new1]"},
		{"a group that empties at once is a mistake", func(s *scene) {
			has(s, rollout.GroupExempt, crowd(51)...)
			s.cfg.Exemptions = []rollout.Exemption{exempt("m03")}
		}, "fill exempt +[m03] -[]"},
		{"fifty leave at once", func(s *scene) { has(s, rollout.GroupExempt, crowd(50)...) }, fmt.Sprintf("fill exempt +[] -%v", crowd(50))},
		{"no more than fifty join at once", func(s *scene) {
			for _, id := range crowd(60) {
				s.joins(person(id, rollout.Yes))
			}
		}, fmt.Sprintf("fill ready +%v -[]", crowd(50))},
		{"not opened", func(s *scene) { s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Members: []string{"m03"}} }, ""},
		{"not read", func(s *scene) { delete(s.seen.Live.Groups, rollout.GroupReady) }, ""},
		{"not confirmed", func(s *scene) { s.known.Groups[0].ID = ""; has(s, rollout.GroupExempt, "m03") }, ""},
		{"on part of the accounts nothing is done", func(s *scene) {
			s.seen.Accounts = s.seen.Accounts[:3]
			has(s, rollout.GroupExempt, "m03")
		}, ""},
		{"nor without any", func(s *scene) { s.seen.Accounts, s.seen.Audit.Accounts = nil, 0; has(s, rollout.GroupExempt, "m03") }, ""},
		{"nor on an old audit", func(s *scene) {
			s.seen.Audit.At = s.now.Add(-37 * time.Hour)
			has(s, rollout.GroupExempt, "m03")
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			tt.change(s)
			fills := slices.DeleteFunc(s.planSwitch(), func(a rollout.Action) bool { _, is := a.(rollout.FillGroup); return !is })
			if got := list(fills); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// twoDaysBefore goes to the Sunday before the deadline, with new colleagues.
func (s *scene) twoDaysBefore(joined int) {
	s.now = s.now.Add(-48 * time.Hour)
	s.seen.Audit.At = s.now
	for n := range joined {
		s.joins(person(fmt.Sprintf("new%d", n+1), rollout.No))
	}
}

func TestPlanWatch(t *testing.T) {
	// all three waves are on; the last was switched on 2027-01-12 at 09:10.
	on := func(t *testing.T, s *scene) {
		s.account("m18").Capable = rollout.Yes
		w := s.wave("everyone")
		w.State, w.EnforcedAt = rollout.WaveEnforced, at(t, "Europe/London", "2027-01-12 09:10")
		s.wave("administrators").State, s.wave("ready").State = rollout.WaveSettled, rollout.WaveSettled
		s.now = w.EnforcedAt.Add(14 * 24 * time.Hour)
		s.seen.Audit.At = s.now.Add(-time.Hour)
	}
	lockedOut := func(s *scene, id string) {
		s.known.LockOuts = []rollout.LockOut{{Account: id, OpenedAt: s.now}}
	}
	const settles, closes = "move everyone to settled", "send closing..all"
	tests := []struct {
		name   string
		change func(s *scene)
		want   string
	}{
		{"14 days are over", func(*scene) {}, settles},
		{"a minute is missing", func(s *scene) { s.now = s.now.Add(-time.Minute) }, ""},
		{"somebody is not capable", func(s *scene) { s.account("m18").Capable = rollout.Unknown }, ""},
		{"somebody is locked out", func(s *scene) { lockedOut(s, "m01") }, ""},
		{"they got in", func(s *scene) { lockedOut(s, "m01"); s.known.LockOuts[0].ClosedAt = s.now }, settles},
		{"somebody was locked out, and has left", func(s *scene) { lockedOut(s, "gone") }, settles},
		{"somebody was locked out, and was exempted", func(s *scene) {
			lockedOut(s, "m01")
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m01", Expires: rollout.DateOf(s.now)}}
		}, settles},
		{"the audit is old", func(s *scene) { s.seen.Audit.At = s.now.Add(-37 * time.Hour) }, ""},
		{"part of the accounts", func(s *scene) { s.seen.Accounts = s.seen.Accounts[:5] }, ""},
		{"no accounts", func(s *scene) { s.seen.Accounts, s.seen.Audit.Accounts = nil, 0 }, ""},
		{"paused", func(s *scene) { s.cfg.Paused = true }, ""},
		{"every wave has settled", func(s *scene) { s.wave("everyone").State = rollout.WaveSettled }, closes},
		{"and the operator knows", func(s *scene) {
			s.wave("everyone").State = rollout.WaveSettled
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: "closing..all"})
		}, ""},
		{"a wave was rolled back", func(s *scene) { s.wave("everyone").State = rollout.WaveRolledBack }, ""},
		{"no waves", func(s *scene) { s.cfg.Waves = nil }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			on(t, s)
			tt.change(s)
			if got := list(rollout.PlanWatch(s.cfg, s.seen, s.known, s.now)); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestPlan is all three parts, in order.
func TestPlan(t *testing.T) {
	s := sample(t)
	s.now = at(t, "Europe/London", "2027-01-11 10:00")
	s.seen.Audit.At = s.now
	s.known.Messages = s.known.Messages[:1]
	for _, w := range []string{"administrators", "ready"} {
		s.wave(w).State = rollout.WaveSettled
	}
	got := strings.Split(list(rollout.Plan(s.cfg, s.seen, s.known, s.now)), "\n")
	if !slices.Contains(got, "send switched.administrators.2026-12-15T09:10:00Z") || !slices.Contains(got, "send reminder-1-2027-01-12.everyone.m18") {
		t.Errorf("actions %v", got)
	}
}

// TestPlanForALargeTenant: an enterprise of 20,000 is planned for in a fraction
// of the time that a look-up per account would take.
func TestPlanForALargeTenant(t *testing.T) {
	s := sample(t)
	var everybody []string
	announcement := told("", day(t, "2026-12-01"), s.cfg)
	for n := range 20_000 {
		a := person(fmt.Sprintf("00000000-0000-0000-0000-%012d", n), rollout.FactOf(n%2 == 0))
		s.seen.Accounts = append(s.seen.Accounts, a)
		announcement.Account, announcement.ID = a.ID, "announcement.everyone."+a.ID
		s.known.Messages = append(s.known.Messages, announcement)
		everybody = append(everybody, a.ID)
	}
	s.look()
	s.seen.Live.Groups[rollout.GroupReady] = rollout.Group{Opened: true, Members: everybody}
	begin := cpuTime(t)
	actions := rollout.Plan(s.cfg, s.seen, s.known, s.now)
	if took := cpuTime(t) - begin; took > time.Second {
		t.Errorf("planning took %s", took)
	}
	if got, want := list(actions), "move everyone to held\n"+heldToday; !strings.HasPrefix(got, want) {
		t.Errorf("actions %.200s, want them to begin with %s", got, want)
	}
}

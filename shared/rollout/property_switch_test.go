package rollout_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// spoil is one way in which something may be wrong, or merely different.
type spoil struct {
	name  string
	apply func(t *rapid.T, s *scene)
}

func anyone(t *rapid.T, s *scene) *rollout.Account {
	return &s.seen.Accounts[rapid.IntRange(0, len(s.seen.Accounts)-1).Draw(t, "whom")]
}

// spoils are drawn from by the properties: each changes what was seen, known or
// wanted, most of them for the worse.
func spoils() []spoil {
	return []spoil{
		{"the hour", func(t *rapid.T, s *scene) {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, 14*24).Draw(t, "hours")) * time.Hour)
			s.seen.Audit.At = s.now.Add(-time.Hour)
		}},
		{"the zone", func(t *rapid.T, s *scene) {
			s.cfg.TimeZone = rapid.SampledFrom([]string{"Pacific/Kiritimati", "America/New_York", "Pacific/Pago_Pago"}).Draw(t, "zone")
		}},
		{"a holiday", func(_ *rapid.T, s *scene) {
			s.cfg.Enforcement.Holidays = append(s.cfg.Enforcement.Holidays, rollout.DateOf(s.now.In(s.cfg.Location())))
		}},
		{"the audit's age", func(t *rapid.T, s *scene) {
			s.seen.Audit.At = s.now.Add(-time.Duration(rapid.IntRange(-2, 48).Draw(t, "age")) * time.Hour)
		}},
		{"an account is missing", func(t *rapid.T, s *scene) {
			n := rapid.IntRange(2, len(s.seen.Accounts)-1).Draw(t, "which") // the first two are the emergency accounts
			s.seen.Accounts = slices.Delete(slices.Clone(s.seen.Accounts), n, n+1)
		}},
		{"somebody is not capable", func(t *rapid.T, s *scene) {
			anyone(t, s).Capable = rapid.SampledFrom([]rollout.Fact{rollout.No, rollout.Unknown, ""}).Draw(t, "fact")
		}},
		{"somebody is something else", func(t *rapid.T, s *scene) {
			anyone(t, s).Class = rapid.SampledFrom([]rollout.Class{rollout.ClassGuest, rollout.ClassNeverSignedIn, rollout.ClassDisabled}).Draw(t, "class")
		}},
		{"somebody joined", func(t *rapid.T, s *scene) {
			a := person(fmt.Sprintf("new%d", len(s.seen.Accounts)), rapid.SampledFrom([]rollout.Fact{rollout.Yes, rollout.No}).Draw(t, "capable"))
			a.New, a.Reactivated = rapid.Bool().Draw(t, "new"), rapid.Bool().Draw(t, "reactivated")
			s.joins(a)
		}},
		{"a notice", func(t *rapid.T, s *scene) {
			on := rollout.DateOf(s.now.In(s.cfg.Location())).AddDays(-rapid.IntRange(12, 16).Draw(t, "days ago"))
			m := told(anyone(t, s).ID, on, s.cfg)
			m.ID += fmt.Sprint(len(s.known.Messages))
			m.Deadline = on.AddDays(rapid.IntRange(12, 14).Draw(t, "says"))
			m.State = rapid.SampledFrom([]rollout.MessageState{rollout.MessageDelivered, rollout.MessageDelivered, rollout.MessageSent, rollout.MessageBounced}).Draw(t, "state")
			s.known.Messages = append(s.known.Messages, m)
		}},
		{"no notices", func(_ *rapid.T, s *scene) { s.known.Messages = nil }},
		{"accepted", func(t *rapid.T, s *scene) {
			s.cfg.Accepted = append(s.cfg.Accepted, rollout.Acceptance{Account: anyone(t, s).ID, By: rapid.SampledFrom([]string{"Alex Wilber", ""}).Draw(t, "by")})
		}},
		{"exempted", func(t *rapid.T, s *scene) {
			until := rollout.DateOf(s.now.In(s.cfg.Location())).AddDays(rapid.IntRange(-1, 1).Draw(t, "until"))
			s.cfg.Exemptions = append(s.cfg.Exemptions, rollout.Exemption{Account: anyone(t, s).ID, Expires: until})
		}},
		{"left out", func(t *rapid.T, s *scene) {
			s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: rapid.Bool().Draw(t, "opened"), Members: []string{anyone(t, s).ID, "new22"}}
		}},
		{"a policy forgets an exclusion", func(t *rapid.T, s *scene) {
			if len(s.seen.Live.Policies) == 0 {
				return
			}
			p := &s.seen.Live.Policies[rapid.IntRange(0, len(s.seen.Live.Policies)-1).Draw(t, "policy")]
			if rapid.Bool().Draw(t, "group") {
				p.ExcludeGroups = nil
				return
			}
			p.ExcludeUsers = slices.DeleteFunc(slices.Clone(p.ExcludeUsers), func(id string) bool { return id == em2 })
		}},
		{"a policy of others", func(t *rapid.T, s *scene) {
			p := rollout.Policy{
				ID:           fmt.Sprint("other", len(s.seen.Live.Policies)),
				State:        rapid.SampledFrom([]string{rollout.StateEnabled, rollout.StateReportOnly, rollout.StateDisabled}).Draw(t, "state"),
				IncludeUsers: []string{rapid.SampledFrom([]string{"All", em1, "m01", "None"}).Draw(t, "users")}, GrantControls: []string{"mfa"},
			}
			if rapid.Bool().Draw(t, "by group") {
				p.ExcludeGroups = []string{"glass"}
				s.groups["glass"] = rollout.Group{Opened: rapid.Bool().Draw(t, "opened"), Members: rapid.SampledFrom([][]string{{em1, em2}, {em1}}).Draw(t, "members")}
			}
			s.seen.Live.Policies = append(s.seen.Live.Policies, p)
		}},
		{"policies are missing", func(t *rapid.T, s *scene) {
			s.seen.Live.Policies = s.seen.Live.Policies[:rapid.IntRange(0, len(s.seen.Live.Policies)).Draw(t, "left")]
		}},
		{"an emergency account is not permanent", func(_ *rapid.T, s *scene) { s.assignments = s.assignments[1:] }},
		{"one emergency account", func(_ *rapid.T, s *scene) { s.cfg.EmergencyAccounts = s.cfg.EmergencyAccounts[:1] }},
		{"the same one twice", func(_ *rapid.T, s *scene) {
			s.cfg.EmergencyAccounts = append(s.cfg.EmergencyAccounts[:1], s.cfg.EmergencyAccounts[0])
		}},
		{"the coverage asked for", func(t *rapid.T, s *scene) { s.cfg.Waves[2].Coverage = rapid.IntRange(50, 100).Draw(t, "percent") }},
		{"a waiver", func(t *rapid.T, s *scene) {
			ids := []string{"coverage", "notice-given", rollout.GateWindow, "emergency-accounts", "emergency-excluded", "audit-fresh", "capable-admin", "policies-unchanged", "observed", "service-accounts"}
			until := rollout.DateOf(s.now.In(s.cfg.Location())).AddDays(rapid.IntRange(-1, 1).Draw(t, "until"))
			s.cfg.Waivers = append(s.cfg.Waivers, rollout.Waiver{
				Gate: rapid.SampledFrom(ids).Draw(t, "gate"), Owner: rapid.SampledFrom([]string{"Alex Wilber", ""}).Draw(t, "owner"), Reason: "drawn", Until: until,
			})
		}},
	}
}

// drawScene draws the sample scene with up to four things wrong.
func drawScene(t *rapid.T, tb testing.TB) *scene {
	s := sample(tb)
	if rapid.Bool().Draw(t, "the wave of capable people is due too") {
		s.wave("ready").State, s.policy(policyReady).State = rollout.WaveObserving, rollout.StateReportOnly
		s.seen.Observations = append(s.seen.Observations, rollout.Observation{Account: "m01", Policy: policyReady, Result: "reportOnlyInterrupted", LastAt: s.now.Add(-time.Hour)})
	}
	for _, n := range rapid.SliceOfN(rapid.IntRange(0, len(spoils())-1), 0, 4).Draw(t, "spoils") {
		spoils()[n].apply(t, s)
	}
	for id, g := range s.groups {
		g.ID = id
		s.groups[id] = g
	}
	s.prove()
	return s
}

// thoroughly checks a cheap property a thousand times: what breaks it can
// take three things going wrong at once.
func thoroughly(t *testing.T, property func(rt *rapid.T)) {
	for range 10 {
		if !t.Failed() {
			rapid.Check(t, property)
		}
	}
}

// TestNothingIsSwitchedWhileAGateFails is property 1.
func TestNothingIsSwitchedWhileAGateFails(t *testing.T) {
	switched, kept := 0, 0
	thoroughly(t, func(rt *rapid.T) {
		s := drawScene(rt, t)
		for _, a := range s.planSwitch() {
			on, is := a.(rollout.SwitchOn)
			if !is {
				continue
			}
			switched++
			wave, _ := s.cfg.Wave(on.Wave)
			if failing := rollout.Failing(rollout.CheckGates(s.cfg, s.seen, s.known, wave, s.now)); len(failing) > 0 || len(on.Gates) != len(rollout.Gates()) {
				rt.Fatalf("%s is switched on although %s fails", on.Wave, failing[0].ID)
			}
			if reason := reasonNotToSwitch(s, wave); reason != "" {
				rt.Fatalf("%s is switched on although %s", on.Wave, reason)
			}
		}
		if reasonNotToSwitch(s, s.cfg.Waves[2]) != "" {
			kept++
		}
	})
	if switched == 0 || kept == 0 {
		t.Errorf("%d switches and %d reasons not to: nothing was proven", switched, kept)
	}
}

// TestEmergencyAccountsStayOutside is property 2.
func TestEmergencyAccountsStayOutside(t *testing.T) {
	t.Run("in every draft", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			cfg := drawConfig(t)
			ids := map[string]string{rollout.GroupExempt: groupExempt, rollout.GroupReady: groupReady}
			policy := policyOf("p", rollout.StateEnabled, rollout.Draft(cfg, rapid.SampledFrom(cfg.Waves).Draw(t, "wave"), ids))
			e := rapid.SampledFrom(cfg.EmergencyAccounts).Draw(t, "account").ID
			everywhere := map[string]rollout.Group{groupExempt: {}, groupReady: {Opened: true, Members: []string{e}}}
			s := rollout.Subject{ID: e, Guest: guestKinds().Draw(t, "guest"), ActiveRoles: rollout.AdminRoles()}
			if v := rollout.Reach(policy, s, everywhere); v.Verdict != rollout.VerdictExcluded {
				t.Fatalf("%s is %s %s: %v", e, v.Verdict, policy.DisplayName, v.Path)
			}
		})
	})
	t.Run("of every group", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			s := drawScene(rt, t)
			// Whatever the audit took them for, and wherever others put them.
			s.account(em1).Class = rapid.SampledFrom([]rollout.Class{rollout.ClassEmergency, rollout.ClassAdmin, rollout.ClassMember}).Draw(rt, "class")
			s.account(em1).Capable = rapid.SampledFrom([]rollout.Fact{rollout.Yes, rollout.No}).Draw(rt, "capable")
			if rapid.Bool().Draw(rt, "exempted") {
				s.cfg.Exemptions = append(s.cfg.Exemptions, rollout.Exemption{Account: em1, Expires: rollout.DateOf(s.now).AddDays(9)})
			}
			group := s.seen.Live.Groups[rollout.GroupExempt]
			group.Members = append(slices.Clone(group.Members), em1)
			if rapid.Bool().Draw(rt, "in the group") {
				s.seen.Live.Groups[rollout.GroupExempt] = group
			}
			for _, a := range s.planSwitch() {
				if fill, is := a.(rollout.FillGroup); is && slices.ContainsFunc(slices.Concat(fill.Add, fill.Remove), s.cfg.IsEmergency) {
					rt.Fatalf("%s touches an emergency account", list([]rollout.Action{a}))
				}
			}
		})
	})
}

// TestOnlyOurOwnIsWritten is property 6, but for the drafts: see
// TestDraftKnowsNoControl and TestAddedExclusionsAreWelcome.
func TestOnlyOurOwnIsWritten(t *testing.T) {
	writes := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScene(rt, t)
		if rapid.Bool().Draw(rt, "the breaker tripped") {
			s.wave("administrators").BreakerTripped = "too many"
		}
		ours := func(id string) bool {
			return slices.ContainsFunc(s.known.Policies, func(p rollout.OwnedPolicy) bool { return p.ID == id && id != "" })
		}
		for _, a := range s.planSwitch() {
			switch a := a.(type) {
			case rollout.SwitchOn:
				writes++
				if !ours(a.PolicyID) || s.policy(a.PolicyID) == nil {
					rt.Fatalf("%s is switched on, and not ours", a.PolicyID)
				}
			case rollout.RollBack:
				writes++
				if !ours(a.PolicyID) {
					rt.Fatalf("%s is rolled back, and not ours", a.PolicyID)
				}
			case rollout.FillGroup:
				writes++
				limit := max(50, len(s.seen.Accounts)/20)
				if !slices.ContainsFunc(s.known.Groups, func(g rollout.OwnedGroup) bool { return g.Purpose == a.Purpose && g.ID != "" }) || len(a.Add) > limit || len(a.Remove) > limit {
					rt.Fatalf("%s", list([]rollout.Action{a}))
				}
			}
		}
	})
	if writes == 0 {
		t.Error("nothing was ever written: nothing was proven")
	}
}

// TestNothingFollowsFromNothing is property 8: an empty or partial listing
// switches nothing, takes nobody out of a group, tells nobody and ends nothing.
func TestNothingFollowsFromNothing(t *testing.T) {
	losses := []spoil{
		{"no accounts", func(_ *rapid.T, s *scene) { s.seen.Accounts = nil }},
		{"no accounts, and the audit agrees", func(_ *rapid.T, s *scene) { s.seen.Accounts, s.seen.Audit.Accounts = nil, 0 }},
		{"part of the accounts", func(t *rapid.T, s *scene) {
			s.seen.Accounts = s.seen.Accounts[:rapid.IntRange(0, len(s.seen.Accounts)-1).Draw(t, "left")]
		}},
		{"no audit", func(_ *rapid.T, s *scene) { s.seen.Audit = rollout.AuditRun{} }},
		{"nothing at all", func(_ *rapid.T, s *scene) { s.seen = rollout.Seen{} }},
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScene(rt, t)
		s.now = s.now.Add(-time.Duration(rapid.IntRange(0, 30).Draw(rt, "days before")) * 24 * time.Hour)
		s.seen.Audit.At, s.seen.Audit.Accounts = s.now.Add(-time.Hour), len(s.seen.Accounts)
		loss := losses[rapid.IntRange(0, len(losses)-1).Draw(rt, "loss")]
		loss.apply(rt, s)
		for _, a := range rollout.Plan(s.cfg, s.seen, s.known, s.now) {
			switch a := a.(type) {
			case rollout.SwitchOn:
				rt.Fatalf("%s: %s is switched on", loss.name, a.Wave)
			case rollout.FillGroup:
				rt.Fatalf("%s: %s", loss.name, list([]rollout.Action{a}))
			case rollout.MoveWave:
				if a.To == rollout.WaveSettled || a.To == rollout.WaveAnnounced {
					rt.Fatalf("%s: %s is %s", loss.name, a.Wave, a.To)
				}
			case rollout.Send:
				if a.Message.Kind.ToPerson() {
					rt.Fatalf("%s: %s is sent", loss.name, a.Message.ID)
				}
			}
		}
	})
	t.Run("no live reading", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			s := drawScene(rt, t)
			s.seen.Live = nil
			if actions := s.planSwitch(); len(actions) > 0 {
				rt.Fatalf("%s", list(actions))
			}
		})
	})
	t.Run("no policies", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			s := drawScene(rt, t)
			s.seen.Live.Policies = nil
			s.prove()
			for _, a := range s.planSwitch() {
				if on, is := a.(rollout.SwitchOn); is {
					rt.Fatalf("%s is switched on", on.Wave)
				}
			}
		})
	})
}

package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
)

// underDefaults turns the scene into that of a tenant whose Security Defaults are
// on: every wave's policy stands ready, and none is switched.
func (s *scene) underDefaults() {
	s.seen.Live.SecurityDefaults = rollout.Yes
	for i := range s.seen.Live.Policies {
		s.seen.Live.Policies[i].State = rollout.StateReportOnly
		s.known.Policies[i].State = rollout.StateReportOnly
	}
	for i := range s.known.Waves {
		s.known.Waves[i].State, s.known.Waves[i].EnforcedAt = rollout.WaveObserving, time.Time{}
	}
	for _, id := range []string{policyAdmins, policyReady} {
		s.seen.Observations = append(s.seen.Observations, rollout.Observation{Account: "m01", Policy: id, Result: "reportOnlySuccess", LastAt: s.now.Add(-24 * time.Hour)})
	}
	s.prove()
}

// changeOvers are the change-overs among the actions; switches, those that would
// enable a policy in any other way.
func changeOvers(actions []rollout.Action) (list []rollout.ChangeOverDefaults, switches int) {
	for _, a := range actions {
		switch a := a.(type) {
		case rollout.ChangeOverDefaults:
			list = append(list, a)
		case rollout.SwitchOn:
			switches++
		}
	}
	return list, switches
}

func TestChangeOverIsPlanned(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(s *scene)
		want  int
		held  string // the gates for which the wave is held
	}{
		{"everything holds", func(*scene) {}, 1, ""},
		{"before the deadline", func(s *scene) { s.now = s.now.AddDate(0, 0, -1) }, 0, ""},
		{"another wave's deadline is later", func(s *scene) { s.cfg.Waves[0].Deadline = s.cfg.Waves[2].Deadline.AddDays(1) }, 0, ""},
		{"out of hours", func(s *scene) { s.now = s.now.Add(9 * time.Hour) }, 0, ""},
		{"a gate of another wave fails", func(s *scene) { s.known.Waves[0].ObservedFrom = s.now }, 0, "observed"},
		{"a gate of this wave fails", func(s *scene) { s.cfg.Communication.HelpDesk = rollout.HelpDesk{} }, 0, "help-desk"},
		{"Security Defaults are the method", func(s *scene) { s.seen.Audit.Method = rollout.MethodSecurityDefaults }, 0, ""},
		{"paused", func(s *scene) { s.cfg.Paused = true }, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sample(t)
			s.underDefaults()
			c.spoil(s)
			actions := rollout.PlanSwitch(s.cfg, s.seen, s.known, s.now)
			list, switches := changeOvers(actions)
			if len(list) != c.want || switches != 0 {
				t.Fatalf("%d change-overs and %d switches, want %d and none: %+v", len(list), switches, c.want, actions)
			}
			held := slices.IndexFunc(actions, func(a rollout.Action) bool {
				m, is := a.(rollout.MoveWave)
				return is && m.To == rollout.WaveHeld && strings.Contains(strings.Join(m.Gates, " "), c.held)
			}) >= 0
			if held != (c.held != "") {
				t.Errorf("held for %q: %t; %+v", c.held, held, actions)
			}
			if c.want == 0 {
				return
			}
			var order []string
			for _, p := range list[0].Policies {
				order = append(order, p.Wave)
			}
			if want := []string{"everyone", "administrators", "ready"}; !slices.Equal(order, want) || list[0].Back || len(rollout.Failing(list[0].Gates)) > 0 {
				t.Errorf("policies %v, back %t, want %v forward", order, list[0].Back, want)
			}
		})
	}
}

// What a run left open is ended before anything else, whatever the hour.
func TestOpenChangeOverIsEnded(t *testing.T) {
	for _, c := range []struct {
		name       string
		spoil      func(s *scene)
		want, back bool
	}{
		{"the Defaults are off", func(*scene) {}, true, false},
		{"out of hours", func(s *scene) { s.now = s.now.Add(9 * time.Hour) }, true, false},
		{"a gate fails", func(s *scene) { s.cfg.Communication.HelpDesk = rollout.HelpDesk{} }, true, true},
		{"paused", func(s *scene) { s.cfg.Paused = true }, true, true},
		{"the Defaults are on", func(s *scene) { s.seen.Live.SecurityDefaults = rollout.Yes }, true, true},
		{"not known", func(s *scene) { s.seen.Live.SecurityDefaults = rollout.Unknown }, false, false},
		{"every policy is on, and a gate fails", func(s *scene) {
			s.cfg.Communication.HelpDesk = rollout.HelpDesk{}
			for i := range s.seen.Live.Policies {
				s.seen.Live.Policies[i].State = rollout.StateEnabled
			}
		}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sample(t)
			s.underDefaults()
			s.seen.Live.SecurityDefaults = rollout.No
			s.known.ChangeOver = rollout.ChangeOver{Wave: "everyone", BegunAt: s.now.Add(-time.Hour), OffAt: s.now.Add(-time.Hour)}
			c.spoil(s)
			actions := rollout.PlanSwitch(s.cfg, s.seen, s.known, s.now)
			list, _ := changeOvers(actions)
			if len(actions) != len(list) {
				t.Fatalf("something else is done while nothing demands MFA: %+v", actions)
			}
			if got := len(list) == 1; got != c.want || (got && list[0].Back != c.back) {
				t.Errorf("ended: %t, %+v; want %t, back %t", got, list, c.want, c.back)
			}
		})
	}
}

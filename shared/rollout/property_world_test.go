package rollout_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// TestNobodyHearsTwice is property 3: no message comes twice, nobody hears twice
// in a day, nobody who is known capable is reminded. Runs are missed, late and
// doubled.
func TestNobodyHearsTwice(t *testing.T) {
	kinds := map[rollout.MessageKind]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		ids, days := map[string]bool{}, map[string]bool{}
		for _, d := range w.days() {
			w.clock(d, 2, 0)
			w.audit()
			for _, hour := range rapid.SliceOfN(rapid.SampledFrom([]int{3, 8, 9, 9, 17, 18, 23}), 0, 3).Draw(rt, "runs") {
				for _, a := range w.remind(d, hour) {
					m := a.(rollout.Send).Message
					kinds[m.Kind]++
					if hour < 8 || hour > 17 {
						rt.Fatalf("%s: %s at %d o'clock", d, m.ID, hour)
					}
					if !m.Kind.ToPerson() {
						if ids[m.ID] {
							rt.Fatalf("%s: %s is planned again", d, m.ID)
						}
						ids[m.ID] = true
						continue
					}
					if day := m.Account + m.Day.String(); ids[m.ID] || days[day] {
						rt.Fatalf("%s: %s is planned again", d, m.ID)
					} else {
						ids[m.ID], days[day] = true, true
					}
					i := slices.IndexFunc(w.Accounts, func(a rollout.Account) bool { return a.ID == m.Account })
					if able := w.Accounts[i].Capable == rollout.Yes; able != (m.Kind == rollout.MessageReady || m.Kind == rollout.MessageBetter) && m.Kind != rollout.MessageTeam {
						rt.Fatalf("%s: %s, although capable is %v", d, m.ID, able)
					}
					if m.Day != d || !w.Cfg.Enforcement.WorkingDay(d) || w.Cfg.IsEmergency(m.Account) {
						rt.Fatalf("%s: %s of %s", d, m.ID, m.Day)
					}
				}
			}
			w.enforce(d, 10)
		}
	})
	for _, k := range []rollout.MessageKind{rollout.MessageAnnouncement, rollout.MessageReady, rollout.MessageReminder, rollout.MessageHoldout, rollout.MessageToday, rollout.MessageHoldouts} {
		if kinds[k] == 0 {
			t.Errorf("no world saw a %s: nothing was proven", k)
		}
	}
}

// TestWhoeverIsStoppedWasTold is property 4, and 2 and 6 as days go by: whoever
// an enforcing policy of ours stops was told 14 days before, and no emergency
// account is ever inside one.
func TestWhoeverIsStoppedWasTold(t *testing.T) {
	enforced, stopped, settled := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		for _, d := range w.days() {
			w.day(d)
			s := w.see()
			groups := map[string]rollout.Group{}
			for id, members := range w.Groups {
				groups[id] = rollout.Group{Opened: true, Members: members}
			}
			for _, p := range w.Policies {
				for _, a := range w.Accounts {
					subject := rollout.Subject{ID: a.ID, ActiveRoles: a.Roles}
					verdict := rollout.Reach(p, subject, groups).Verdict
					if w.Cfg.IsEmergency(a.ID) && verdict != rollout.VerdictExcluded {
						rt.Fatalf("%s: emergency account %s is %s %s", d, a.ID, verdict, p.ID)
					}
					if p.State != rollout.StateEnabled || a.Capable == rollout.Yes || verdict != rollout.VerdictInside || w.Cfg.IsEmergency(a.ID) {
						continue
					}
					stopped++
					if !wasTold(s, a.ID, d) {
						rt.Fatalf("%s: %s stops %s, who was not told", d, p.ID, a.ID)
					}
				}
				if p.State == rollout.StateEnabled {
					enforced++
				}
			}
			if w.Known.Wave("everyone").State == rollout.WaveSettled {
				settled++
			}
		}
	})
	if enforced == 0 || stopped == 0 || settled == 0 {
		t.Errorf("%d days of enforcing, %d of somebody stopped, %d settled: nothing was proven", enforced, stopped, settled)
	}
}

// TestARunMayEndAnywhere is property 7: whichever step a run dies after, the
// next ones end in the same state as if it had not.
func TestARunMayEndAnywhere(t *testing.T) {
	steps := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		days := w.days()
		for _, d := range days[:rapid.IntRange(1, len(days)-1).Draw(rt, "day")] {
			w.day(d)
		}
		// Something for the run to do: the world has moved on by a day or ten.
		d := w.today().AddDays(rapid.IntRange(1, 10).Draw(rt, "later"))
		w.clock(d, 2, 0)
		w.audit()
		for i, wave := range w.Known.Waves {
			if wave.State == rollout.WaveEnforced && rapid.Bool().Draw(rt, "the breaker tripped") {
				w.Known.Waves[i].BreakerTripped = "too many"
			}
		}
		w.clock(d, 9, 10)

		whole, broken := w, w.copy()
		whole.rest()
		var acts []func()
		for _, a := range broken.see().planSwitch() {
			acts = append(acts, broken.steps(a)...)
		}
		steps += len(acts)
		for _, act := range acts[:rapid.IntRange(0, len(acts)).Draw(rt, "dies after")] {
			act()
		}
		broken.rest()
		if diff := cmp.Diff(whole.state(), broken.state()); diff != "" {
			rt.Fatalf("%s (-whole +broken):\n%s", d, diff)
		}
	})
	if steps == 0 {
		t.Error("no run had anything to do: nothing was proven")
	}
}

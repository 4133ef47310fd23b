package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// TestExtension: m18 has no method; the deadline is 2027-01-12.
func TestExtension(t *testing.T) {
	tests := []struct {
		name, until, on string
		change          func(s *scene)
		want            string // the last day; empty: no extension in force
	}{
		{"a week", "2027-01-19", "2027-01-12", nil, "2027-01-19"},
		{"on its last day", "2027-01-19", "2027-01-19", nil, "2027-01-19"},
		{"the day after", "2027-01-19", "2027-01-20", nil, ""},
		{"before the deadline: to be in force on it", "2027-01-15", "2027-01-05", nil, "2027-01-15"},
		{"of one day", "2027-01-12", "2027-01-12", nil, "2027-01-12"},
		{"that ends before the deadline", "2027-01-11", "2027-01-11", nil, ""},
		{"of a month is one of a week", "2027-02-12", "2027-01-12", nil, "2027-01-19"},
		{"of a month, after a week", "2027-02-12", "2027-01-20", nil, ""},
		{"of somebody who is capable by now", "2027-01-19", "2027-01-12", func(s *scene) { s.account("m18").Capable = rollout.Yes }, ""},
		{"of somebody of whom nobody knows", "2027-01-19", "2027-01-12", func(s *scene) { s.account("m18").Capable = rollout.Unknown }, "2027-01-19"},
		{"of an emergency account", "2027-01-19", "2027-01-12", func(s *scene) {
			s.cfg.EmergencyAccounts = append(s.cfg.EmergencyAccounts, rollout.EmergencyAccount{ID: "M18"})
		}, ""},
		{"of no person", "2027-01-19", "2027-01-12", func(s *scene) { s.account("m18").Class = rollout.ClassService }, ""},
		{"of somebody else", "2027-01-19", "2027-01-12", func(s *scene) { s.cfg.Extensions[0].Account = "m17" }, ""},
		{"by user principal name", "2027-01-19", "2027-01-12", func(s *scene) { s.cfg.Extensions[0].Account = "M18@contoso.com" }, "2027-01-19"},
		{"without a wave", "2027-01-19", "2027-01-12", func(s *scene) { s.cfg.Waves = s.cfg.Waves[:2] }, ""},
		{"of an administrator, whose deadline is another", "2027-01-19", "2027-01-12", func(s *scene) {
			s.account("m18").Class, s.account("m18").Roles = rollout.ClassAdmin, []string{rollout.RoleGlobalAdministrator}
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			s.cfg.Extensions = []rollout.Extension{{Account: "m18", Until: day(t, tt.until), Reason: "new phone", By: "Alex Wilber"}}
			if tt.change != nil {
				tt.change(s)
			}
			got, in := s.cfg.Extension(*s.account("m18"), day(t, tt.on))
			if in != (tt.want != "") || in && got.Until != day(t, tt.want) {
				t.Errorf("in force %v until %s, want %q", in, got.Until, tt.want)
			}
		})
	}
}

// extended gives m18 until 2027-01-19.
func extended(t *testing.T) *scene {
	s := sample(t)
	s.cfg.Extensions = []rollout.Extension{{Account: "m18", Until: day(t, "2027-01-19"), Reason: "new phone", By: "Alex Wilber"}}
	return s
}

// TestExtendedIsLeftOut: the person joins the group, and the switch waits until
// the policy leaves them out.
func TestExtendedIsLeftOut(t *testing.T) {
	s := extended(t)
	actions := list(s.planSwitch())
	if !strings.Contains(actions, "fill exempt +[m18] -[]") || strings.Contains(actions, "switch on") {
		t.Errorf("before the group holds m18: %s", actions)
	}
	if r := s.gate(t, "notice-given"); r.OK || !strings.Contains(r.Evidence, "extended, but not yet left out by the policy: m18") {
		t.Errorf("the gate says %v: %s", r.OK, r.Evidence)
	}
	s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{"m18"}}
	if actions := list(s.planSwitch()); !strings.Contains(actions, "switch on everyone") || strings.Contains(actions, "fill exempt") {
		t.Errorf("once it does: %s", actions)
	}
	if b := s.blast(t)["m18"]; !b.LeftOut {
		t.Errorf("the list says %+v, want left out", b)
	}
}

// TestExtendedIsTold: the reminder names the new day, and none says that the
// person was stopped before.
func TestExtendedIsTold(t *testing.T) {
	s := extended(t)
	s.wave("everyone").State, s.wave("everyone").EnforcedAt = rollout.WaveEnforced, s.now
	s.now = at(t, "Europe/London", "2027-01-13 09:00")
	s.seen.Audit.At = s.now.Add(-8 * time.Hour)
	messages := func() (got []rollout.Message) {
		for _, a := range rollout.PlanMessages(s.cfg, s.seen, s.known, s.now) {
			got = append(got, a.(rollout.Send).Message)
		}
		return got
	}
	got := messages()
	if len(got) != 1 || got[0].Kind != rollout.MessageReminder || got[0].Deadline != day(t, "2027-01-20") {
		t.Errorf("messages %+v; want a reminder that names 2027-01-20, the first day without it", got)
	}
	s.seen.Audit.Method = rollout.MethodSecurityDefaults
	if got := messages(); len(got) != 1 || got[0].Kind != rollout.MessageHoldout {
		t.Errorf("Security Defaults leave nobody out: %+v, want how to get in", got)
	}
	s.seen.Audit.Method = rollout.MethodConditionalAccess
	s.cfg.Extensions = nil
	if got := messages(); len(got) != 1 || got[0].Kind != rollout.MessageHoldout {
		t.Errorf("without the extension: %+v, want how to get in", got)
	}
}

// TestLeftOutNoLongerThanGranted is a property: whenever runs come, and however
// many are skipped, each run leaves out exactly whom rollout.yaml leaves out on
// its day, and nobody stays in the group over a run after the last day.
func TestLeftOutNoLongerThanGranted(t *testing.T) {
	expired, inForce := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		s := sample(t)
		s.known.Messages = append(s.known.Messages, told("m17", day(t, "2026-12-01"), s.cfg))
		s.account("m17").Capable = rollout.No
		extension := day(t, "2027-01-12").AddDays(rapid.IntRange(0, 40).Draw(rt, "extension"))
		exemption := day(t, "2027-01-12").AddDays(rapid.IntRange(-5, 30).Draw(rt, "exemption"))
		s.cfg.Extensions = []rollout.Extension{{Account: "m18", Until: extension}}
		s.cfg.Exemptions = []rollout.Exemption{{Account: "m17", Expires: exemption}}
		last := map[string]rollout.Date{"m17": exemption, "m18": extension}
		if most := day(t, "2027-01-19"); most.Before(extension) {
			last["m18"] = most
		}
		group := []string{}
		start := at(t, "Europe/London", "2027-01-04 00:30")
		for _, hour := range slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.IntRange(0, 60*24), 1, 12, rapid.ID[int]).Draw(rt, "hours with a run"))) {
			s.now = start.Add(time.Duration(hour) * time.Hour)
			s.seen.Audit.At = s.now.Add(-time.Hour)
			s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: group}
			for _, a := range s.planSwitch() {
				switch a := a.(type) {
				case rollout.FillGroup:
					if a.Purpose == rollout.GroupExempt {
						group = slices.DeleteFunc(append(group, a.Add...), func(id string) bool { return slices.Contains(a.Remove, id) })
					}
				case rollout.Send:
					s.known.Messages = append(s.known.Messages, a.Message)
				}
			}
			today := rollout.DateOf(s.now.In(s.cfg.Location()))
			for id, until := range last {
				inside := !until.Before(today)
				if inside {
					inForce++
				} else {
					expired++
				}
				if slices.Contains(group, id) != inside {
					rt.Fatalf("on %s %s is in the group: %v; it is left out until %s", today, id, !inside, until)
				}
			}
		}
	})
	if expired == 0 || inForce == 0 {
		t.Errorf("%d times over, %d times in force: nothing was proven", expired, inForce)
	}
}

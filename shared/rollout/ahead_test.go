package rollout_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// blastSent is the one blast list among the actions, if any.
func blastSent(t *testing.T, actions []rollout.Action) (rollout.Message, rollout.BlastNotice, bool) {
	t.Helper()
	for _, a := range actions {
		if send, is := a.(rollout.Send); is && send.Message.Kind == rollout.MessageBlast {
			var notice rollout.BlastNotice
			if err := json.Unmarshal([]byte(send.Message.Details[rollout.DetailBlast]), &notice); err != nil {
				t.Fatal(err)
			}
			return send.Message, notice, true
		}
	}
	return rollout.Message{}, rollout.BlastNotice{}, false
}

// TestForetell: the operator is sent the list three days and one day ahead.
func TestForetell(t *testing.T) {
	tests := []struct {
		name, at string
		change   func(s *scene)
		want     string // the message's id; empty: none
	}{
		{"four days ahead", "2027-01-08 10:00", nil, ""},
		{"three days ahead", "2027-01-09 09:00", nil, "blast.everyone.3-2027-01-12"},
		{"before the morning", "2027-01-09 08:59", nil, ""},
		{"a late run, two days ahead", "2027-01-10 10:00", nil, "blast.everyone.3-2027-01-12"},
		{"one day ahead", "2027-01-11 10:00", nil, "blast.everyone.1-2027-01-12"},
		{"on the day", "2027-01-12 08:00", nil, ""},
		{"told already", "2027-01-11 10:00", func(s *scene) {
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: "blast.everyone.1-2027-01-12"})
		}, ""},
		{"the deadline was moved", "2027-01-11 10:00", func(s *scene) {
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: "blast.everyone.1-2027-01-10"})
		}, "blast.everyone.1-2027-01-12"},
		{"the audit is old", "2027-01-11 10:00", func(s *scene) { s.seen.Audit.At = s.now.Add(-37 * time.Hour) }, ""},
		{"the wave is on already", "2027-01-11 10:00", func(s *scene) { s.wave("everyone").State = rollout.WaveEnforced }, ""},
		{"Security Defaults", "2027-01-11 10:00", func(s *scene) { s.seen.Audit.Method = rollout.MethodSecurityDefaults }, "blast.everyone.1-2027-01-12"},
		{"Security Defaults, and a wave that they do not know", "2026-12-14 10:00", func(s *scene) {
			s.seen.Audit.Method, s.wave("administrators").State = rollout.MethodSecurityDefaults, rollout.WaveObserving
		}, ""},
		{"a wave without a deadline", "2027-01-08 10:00", func(s *scene) { s.wave("ready").State = rollout.WaveObserving }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			s.now = at(t, "Europe/London", tt.at)
			s.seen.Audit.At = s.now.Add(-8 * time.Hour)
			if tt.change != nil {
				tt.change(s)
			}
			if m, _, _ := blastSent(t, s.planSwitch()); m.ID != tt.want {
				t.Errorf("sent %q, want %q", m.ID, tt.want)
			}
		})
	}
}

// TestForetellSays: the list is that of the day of the switch, without names, and
// no longer than a mail can be.
func TestForetellSays(t *testing.T) {
	s := sample(t)
	s.now = at(t, "Europe/London", "2027-01-11 10:00")
	s.seen.Audit.At = s.now
	// Exempt today, and no longer tomorrow.
	s.cfg.Exemptions = []rollout.Exemption{{Account: "m17", Expires: day(t, "2027-01-11")}}
	s.account("m17").Capable = rollout.No
	for n := range 120 {
		s.joins(person(fmt.Sprintf("new%03d", n), rollout.No))
	}
	m, notice, sent := blastSent(t, s.planSwitch())
	if !sent {
		t.Fatal("no list was sent")
	}
	if notice.Count != 122 || notice.Open != 121 || len(notice.Rows) != 100 || notice.Deadline != day(t, "2027-01-12") {
		t.Errorf("%d accounts, %d open, %d rows, %s; want 122, 121 (m18 was told), 100", notice.Count, notice.Open, len(notice.Rows), notice.Deadline)
	}
	if notice.Rows[0].Account != "m17" || strings.Contains(m.Details[rollout.DetailBlast], "@contoso.com") {
		t.Errorf("the first is %+v, want m17; and no names: %.200s", notice.Rows[0], m.Details[rollout.DetailBlast])
	}
}

// TestForetellOnce: however often and however late runs come, each of the two
// lists is sent at most once, and one of them at least if any run came in time.
func TestForetellOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := sample(t)
		start := at(t, "Europe/London", "2027-01-08 00:00")
		sent, inTime := map[string]int{}, false
		hours := rapid.SliceOfNDistinct(rapid.IntRange(0, 4*24-1), 0, 20, rapid.ID[int]).Draw(rt, "hours with a run")
		for h := range 4 * 24 {
			if !slices.Contains(hours, h) {
				continue
			}
			s.now = start.Add(time.Duration(h) * time.Hour)
			s.seen.Audit.At = s.now.Add(-time.Hour)
			inTime = inTime || (h >= 24 && h%24 >= 9)
			for _, a := range s.planSwitch() {
				if send, is := a.(rollout.Send); is {
					s.known.Messages = append(s.known.Messages, send.Message)
					if send.Message.Kind == rollout.MessageBlast {
						sent[send.Message.ID]++
					}
				}
			}
		}
		for id, n := range sent {
			if n > 1 {
				rt.Fatalf("%s was sent %d times", id, n)
			}
		}
		if inTime != (len(sent) > 0) {
			rt.Fatalf("a run in time: %v; sent: %v", inTime, sent)
		}
	})
}

// TestWaiverStandsInTheRecord: each use of a waiver is in the reason of the move,
// which the change log and the wave's history keep.
func TestWaiverStandsInTheRecord(t *testing.T) {
	s := sample(t)
	s.cfg.Communication.HelpDesk = rollout.HelpDesk{}
	s.cfg.Waivers = []rollout.Waiver{
		{Gate: "help-desk", Owner: "Alex Wilber", Reason: "moving house", Until: rollout.DateOf(s.now)},
		{Gate: "coverage", Owner: "Nestor Wilke", Reason: "not needed", Until: rollout.DateOf(s.now)},
	}
	var reason string
	for _, a := range s.planSwitch() {
		if on, is := a.(rollout.SwitchOn); is {
			reason = on.Reason
		}
	}
	if want := "help-desk by Alex Wilber until 2027-01-12, because moving house (no help desk with a name and a way to reach it)"; !strings.Contains(reason, want) || strings.Contains(reason, "Nestor") {
		t.Errorf("reason %q, want it to name %q and no waiver that was not used", reason, want)
	}
	fromTheStart(t, s)
	s.seen.Audit.Plans = nil
	s.cfg.Waivers = []rollout.Waiver{{Gate: "licence", Owner: "Alex Wilber", Reason: "ordered", Until: rollout.DateOf(s.now)}}
	for _, a := range s.planSwitch() {
		if move, is := a.(rollout.MoveWave); is && (!strings.Contains(move.Reason, "licence by Alex Wilber") || strings.Contains(move.Reason, "allow")) {
			t.Errorf("announced because %q, want the waiver and no word of licences that allow", move.Reason)
		}
	}
}

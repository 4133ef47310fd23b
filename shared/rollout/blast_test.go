package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

func (s *scene) blast(t *testing.T) map[string]rollout.Blast {
	t.Helper()
	wave, _ := s.cfg.Wave("everyone")
	by := map[string]rollout.Blast{}
	for _, b := range rollout.BlastList(s.cfg, s.seen, s.known, wave, rollout.DateOf(s.now)) {
		by[b.Account] = b
	}
	return by
}

func codes(b rollout.Blast) string {
	var list []string
	for _, r := range b.Reasons {
		list = append(list, r.Code)
	}
	return strings.Join(list, " ")
}

// registration is a policy that says from where people may register.
func registration(id string, change func(*rollout.Policy)) rollout.Policy {
	p := rollout.Policy{
		ID: id, State: rollout.StateEnabled, IncludeUsers: []string{"All"}, ExcludeUsers: []string{em1, em2},
		IncludeUserActions: []string{"urn:user:registersecurityinfo"}, Narrowing: []string{"locations"}, GrantControls: []string{"block"},
	}
	change(&p)
	return p
}

// TestBlastList: the sample's m18 has no method; everybody else gets in.
func TestBlastList(t *testing.T) {
	securityDefaults := func(s *scene) { s.seen.Audit.Method = rollout.MethodSecurityDefaults }
	tests := []struct {
		name   string
		change func(t *testing.T, s *scene)
		who    string
		want   string // the codes; empty: not on the list
	}{
		{"no method", func(*testing.T, *scene) {}, "m18", "notCapable"},
		{"a method", func(*testing.T, *scene) {}, "m01", ""},
		{"nobody knows", func(_ *testing.T, s *scene) { s.account("m18").Capable = rollout.Unknown }, "m18", "unproven"},
		{"a fact is missing", func(_ *testing.T, s *scene) { s.account("m18").Capable = "" }, "m18", "unproven"},
		{"has left", func(_ *testing.T, s *scene) { s.account("m18").Enabled = false }, "m18", ""},
		{"text messages, before their end", func(t *testing.T, s *scene) {
			s.now = at(t, "Europe/London", "2027-01-31 10:00")
			s.account("m01").Strength = rollout.StrengthWeak
		}, "m01", ""},
		{"text messages, after it", func(t *testing.T, s *scene) {
			s.now = at(t, "Europe/London", "2027-02-01 10:00")
			s.account("m01").Strength = rollout.StrengthWeak
		}, "m01", "weakOnly"},
		{"an app, after it", func(t *testing.T, s *scene) { s.now = at(t, "Europe/London", "2027-02-01 10:00") }, "m01", ""},
		{"text messages, which Security Defaults do not take", func(_ *testing.T, s *scene) {
			securityDefaults(s)
			s.account("m01").Strength = rollout.StrengthWeak
		}, "m01", "weakOnly"},
		{"an old client", func(_ *testing.T, s *scene) { s.account("m01").LegacyClients = []string{"IMAP4"} }, "m01", "client"},
		{"an old client, last night", func(_ *testing.T, s *scene) {
			s.seen.Audit.Legacy = []rollout.LegacyUse{{Account: "m01", Client: "POP3"}}
		}, "m01", "client"},
		{"no method and an old client", func(_ *testing.T, s *scene) { s.account("m18").LegacyClients = []string{"IMAP4"} }, "m18", "notCapable client"},
		{"a prompt stops nobody who has a method", func(_ *testing.T, s *scene) { s.seen.Observations[0].Result = "reportOnlyInterrupted" }, "m01", ""},
		{"the trial refused a sign-in", func(_ *testing.T, s *scene) { s.seen.Observations[0].Result = "reportOnlyFailure" }, "m01", "refused"},
		{"another policy's trial did", func(_ *testing.T, s *scene) {
			s.seen.Observations[0].Result, s.seen.Observations[0].Policy = "reportOnlyFailure", policyReady
		}, "m01", ""},
		{"the trial did, and then no more", func(_ *testing.T, s *scene) {
			s.seen.Observations = append([]rollout.Observation{{Account: "m01", Policy: policyEveryone, Result: "reportOnlyFailure", LastAt: s.now.Add(-48 * time.Hour)}}, s.seen.Observations...)
		}, "m01", ""},
		{"registration is restricted for all", func(_ *testing.T, s *scene) {
			s.seen.Live.Policies = append(s.seen.Live.Policies, registration("office", func(*rollout.Policy) {}))
		}, "m18", "notCapable noRegistry"},
		{"which is nothing to somebody who has registered", func(_ *testing.T, s *scene) {
			s.seen.Live.Policies = append(s.seen.Live.Policies, registration("office", func(*rollout.Policy) {}))
		}, "m01", ""},
		{"restricted, report-only", func(_ *testing.T, s *scene) {
			s.seen.Live.Policies = append(s.seen.Live.Policies, registration("office", func(p *rollout.Policy) { p.State = rollout.StateReportOnly }))
		}, "m18", "notCapable"},
		{"another user action is", func(_ *testing.T, s *scene) {
			s.seen.Live.Policies = append(s.seen.Live.Policies, registration("join", func(p *rollout.Policy) { p.IncludeUserActions = []string{"urn:user:registerdevice"} }))
		}, "m18", "notCapable"},
		{"restricted for a group without them", func(_ *testing.T, s *scene) {
			s.seen.Live.Named = map[string]rollout.Group{"sales": {Opened: true, Members: []string{"m02"}}}
			s.seen.Live.Policies = append(s.seen.Live.Policies, registration("office", func(p *rollout.Policy) { p.IncludeUsers, p.IncludeGroups = nil, []string{"sales"} }))
		}, "m18", "notCapable"},
		{"restricted for a group with them", func(_ *testing.T, s *scene) {
			s.seen.Live.Named = map[string]rollout.Group{"sales": {Opened: true, Members: []string{"M18"}}}
			s.seen.Live.Policies = append(s.seen.Live.Policies, registration("office", func(p *rollout.Policy) { p.IncludeUsers, p.IncludeGroups = nil, []string{"sales"} }))
		}, "m18", "notCapable noRegistry"},
		{"restricted for a group that nobody opened", func(_ *testing.T, s *scene) {
			s.seen.Live.Policies = append(s.seen.Live.Policies, registration("office", func(p *rollout.Policy) { p.IncludeUsers, p.IncludeGroups = nil, []string{"sales"} }))
		}, "m18", "notCapable noRegistry"},
		{"registration was refused already", func(_ *testing.T, s *scene) {
			s.known.LockOuts = []rollout.LockOut{{Account: "m18", Codes: []int{53010}}}
		}, "m18", "notCapable noRegistry"},
		{"it was, and is mended", func(_ *testing.T, s *scene) {
			s.known.LockOuts = []rollout.LockOut{{Account: "m18", Codes: []int{53010}, ClosedAt: s.now}}
		}, "m18", "notCapable"},

		{"a service account without exemption", func(_ *testing.T, s *scene) { s.account("m18").Class = rollout.ClassService }, "m18", "notCapable"},
		{"exempt", func(_ *testing.T, s *scene) {
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m18", Expires: rollout.DateOf(s.now)}}
		}, "m18", ""},
		{"exempt, and Security Defaults", func(_ *testing.T, s *scene) {
			securityDefaults(s)
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m18", Expires: rollout.DateOf(s.now)}}
		}, "m18", "notCapable noExclusion"},
		{"a guest who does not count", func(_ *testing.T, s *scene) { s.account("m18").Class = rollout.ClassGuest }, "m18", ""},
		{"a guest, and Security Defaults", func(_ *testing.T, s *scene) { securityDefaults(s); s.account("m18").Class = rollout.ClassGuest }, "m18", "notCapable"},
		{"an emergency account without a method, and Security Defaults", func(_ *testing.T, s *scene) { securityDefaults(s); s.account(em1).Capable = rollout.No }, em1, "notCapable noExclusion"},
		{"an emergency account with one", func(_ *testing.T, s *scene) { securityDefaults(s) }, em1, ""},
		{"the sync account, and Security Defaults", func(_ *testing.T, s *scene) { securityDefaults(s); s.account("m18").Class = rollout.ClassSync }, "m18", ""},
		{"has left, and Security Defaults", func(_ *testing.T, s *scene) { securityDefaults(s); s.account("m18").Enabled = false }, "m18", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			tt.change(t, s)
			if got := codes(s.blast(t)[tt.who]); got != tt.want {
				t.Errorf("%s is stopped because %q, want %q", tt.who, got, tt.want)
			}
		})
	}
}

// TestBlastOfAdministrators: Security Defaults are one switch, but a wave's list
// is of its own people.
func TestBlastOfAdministrators(t *testing.T) {
	s := sample(t)
	s.seen.Audit.Method = rollout.MethodSecurityDefaults
	s.account("admin1").Capable = rollout.No
	wave, _ := s.cfg.Wave("administrators")
	list := rollout.BlastList(s.cfg, s.seen, s.known, wave, rollout.DateOf(s.now))
	if len(list) != 1 || list[0].Account != "admin1" {
		t.Errorf("list %+v, want admin1 alone", list)
	}
}

// TestBlastTold: what each was told, and whether it arrived.
func TestBlastTold(t *testing.T) {
	bounced := func(s *scene) { s.known.Messages[0].State = rollout.MessageBounced }
	tests := []struct {
		name   string
		change func(t *testing.T, s *scene)
		want   rollout.Blast
	}{
		{"delivered", func(*testing.T, *scene) {}, rollout.Blast{Told: rollout.MessageAnnouncement, ToldOn: day(t, "2026-12-01"), Arrived: rollout.Yes, InTime: true}},
		{"never told", func(_ *testing.T, s *scene) { s.known.Messages = nil }, rollout.Blast{Arrived: rollout.Unknown}},
		{"sent", func(_ *testing.T, s *scene) { s.known.Messages[0].State = rollout.MessageSent }, rollout.Blast{Told: rollout.MessageAnnouncement, ToldOn: day(t, "2026-12-01"), Arrived: rollout.Unknown}},
		{"bounced", func(_ *testing.T, s *scene) { bounced(s) }, rollout.Blast{Told: rollout.MessageAnnouncement, ToldOn: day(t, "2026-12-01"), Arrived: rollout.No}},
		{"dropped", func(_ *testing.T, s *scene) { s.known.Messages[0].State = rollout.MessageDropped }, rollout.Blast{Arrived: rollout.Unknown}},
		{"bounced, then delivered, then sent again", func(t *testing.T, s *scene) {
			bounced(s)
			again, third := told("m18", day(t, "2026-12-02"), s.cfg), told("m18", day(t, "2027-01-04"), s.cfg)
			third.State = rollout.MessageSent
			s.known.Messages = append(s.known.Messages, again, third)
		}, rollout.Blast{Told: rollout.MessageAnnouncement, ToldOn: day(t, "2026-12-02"), Arrived: rollout.Yes, InTime: true}},
		{"too late", func(t *testing.T, s *scene) {
			s.known.Messages = []rollout.Message{told("m18", day(t, "2026-12-30"), s.cfg)}
		}, rollout.Blast{Told: rollout.MessageAnnouncement, ToldOn: day(t, "2026-12-30"), Arrived: rollout.Yes}},
		{"the mailbox is dead", func(_ *testing.T, s *scene) {
			s.known.Unreachable, s.known.Messages = map[string]string{"m18": "no such mailbox"}, nil
		}, rollout.Blast{Arrived: rollout.No, NotReached: "no such mailbox"}},
		{"no address", func(_ *testing.T, s *scene) { s.account("m18").Mail, s.known.Messages = "", nil }, rollout.Blast{Arrived: rollout.No, NotReached: "no mail address"}},
		{"accepted", func(_ *testing.T, s *scene) {
			s.known.Messages, s.known.Accepted = nil, []rollout.NamedAcceptance{{Wave: "everyone", Account: "m18", By: "Alex Wilber"}}
		}, rollout.Blast{Arrived: rollout.Unknown, AcceptedBy: "Alex Wilber"}},
		{"left out", func(_ *testing.T, s *scene) {
			s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{"M18"}}
			s.known.Messages = nil
		}, rollout.Blast{Arrived: rollout.Unknown, LeftOut: true}},
		{"tried", func(_ *testing.T, s *scene) {
			s.known.Messages = nil
			s.seen.Observations = append(s.seen.Observations, rollout.Observation{Account: "m18", Policy: policyEveryone, Result: "reportOnlyInterrupted", LastAt: s.now.Add(-48 * time.Hour)})
		}, rollout.Blast{Arrived: rollout.Unknown, Trial: "reportOnlyInterrupted", TrialOn: day(t, "2027-01-10")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			tt.change(t, s)
			got := s.blast(t)["m18"]
			got.Account, got.UserPrincipalName, got.DisplayName, got.Class, got.Reasons = "", "", "", "", nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBlastOrder: whoever still needs something done comes first.
func TestBlastOrder(t *testing.T) {
	s := sample(t)
	for _, id := range []string{"m03", "m02"} {
		s.account(id).Capable = rollout.No
	}
	s.account("m01").Capable = rollout.No
	s.known.Accepted = []rollout.NamedAcceptance{{Wave: "everyone", Account: "m02", By: "Alex Wilber"}}
	wave, _ := s.cfg.Wave("everyone")
	var got []string
	for _, b := range rollout.BlastList(s.cfg, s.seen, s.known, wave, rollout.DateOf(s.now)) {
		got = append(got, b.Account)
	}
	if want := []string{"m01", "m03", "m02", "m18"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// TestBlastListAndGateAgree: nobody whom the gate asks about is missing from the
// list.
func TestBlastListAndGateAgree(t *testing.T) {
	s := sample(t)
	s.known.Messages = nil
	s.account("m02").Capable = rollout.Unknown
	evidence := s.gate(t, "notice-given").Evidence
	for id, b := range s.blast(t) {
		if !b.InTime && b.AcceptedBy == "" && !strings.Contains(evidence, id) {
			t.Errorf("%s is on the list, and the gate says %q", id, evidence)
		}
	}
	if !strings.HasPrefix(evidence, "2 of 2 ") {
		t.Errorf("the gate says %q, want 2 of 2", evidence)
	}
}

// TestBlastInWords: what an operator reads of one account.
func TestBlastInWords(t *testing.T) {
	on := day(t, "2026-12-01")
	for want, b := range map[string]rollout.Blast{
		"nothing": {},
		"nothing; not reachable: no mail address":                   {Arrived: rollout.No, NotReached: "no mail address"},
		"nothing; accepted by Alex Wilber; left out for now":        {AcceptedBy: "Alex Wilber", LeftOut: true},
		"ready of 2026-12-01, delivered in time":                    {Told: rollout.MessageReady, ToldOn: on, Arrived: rollout.Yes, InTime: true},
		"ready of 2026-12-01, delivered, but the notice still runs": {Told: rollout.MessageReady, ToldOn: on, Arrived: rollout.Yes},
		"ready of 2026-12-01, bounced":                              {Told: rollout.MessageReady, ToldOn: on, Arrived: rollout.No},
		"ready of 2026-12-01, not known whether it arrived":         {Told: rollout.MessageReady, ToldOn: on, Arrived: rollout.Unknown},
	} {
		if got := b.Notice(); got != want {
			t.Errorf("%+v reads %q, want %q", b, got, want)
		}
	}
	b := rollout.Blast{Reasons: []rollout.BlastReason{{Text: "one"}, {Text: "two"}}}
	if got := b.Why(); got != "one; two" {
		t.Errorf("why: %q", got)
	}
}

// TestCannotAnswer: an old client stops somebody with that client alone.
func TestCannotAnswer(t *testing.T) {
	for code, want := range map[string]bool{
		rollout.BlastNotCapable: true, rollout.BlastUnproven: true, rollout.BlastWeakOnly: true,
		rollout.BlastClient: false, rollout.BlastRefused: false, rollout.BlastNoRegistry: false, rollout.BlastNoExclusion: false,
	} {
		b := rollout.Blast{Reasons: []rollout.BlastReason{{Code: rollout.BlastClient}, {Code: code}}}
		if got := b.CannotAnswer(); got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
}

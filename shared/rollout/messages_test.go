package rollout_test

import (
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
)

// due names the message that m18, who is not capable, is due in the scene.
func due(s *scene) string {
	for _, a := range rollout.PlanMessages(s.cfg, s.seen, s.known, s.now) {
		if send := a.(rollout.Send); send.Message.Account == "m18" {
			return strings.TrimSuffix(send.Message.ID, ".everyone.m18")
		}
	}
	return ""
}

// TestDue: m18 was announced to on 2026-12-01; the deadline is 2027-01-12.
func TestDue(t *testing.T) {
	on := func(date string) func(*testing.T, *scene) {
		return func(t *testing.T, s *scene) {
			s.now = at(t, "Europe/London", date+" 09:00")
			s.seen.Audit.At = s.now.Add(-7 * time.Hour)
		}
	}
	both := func(changes ...func(*testing.T, *scene)) func(*testing.T, *scene) {
		return func(t *testing.T, s *scene) {
			for _, change := range changes {
				change(t, s)
			}
		}
	}
	untold := func(_ *testing.T, s *scene) { s.known.Messages = nil }
	noticeIs := func(state rollout.MessageState) func(*testing.T, *scene) {
		return func(_ *testing.T, s *scene) { s.known.Messages[0].State = state }
	}
	stands := func(state rollout.WaveState) func(*testing.T, *scene) {
		return func(t *testing.T, s *scene) {
			w := s.wave("everyone")
			w.State, w.EnforcedAt = state, at(t, "Europe/London", "2027-01-12 09:10")
		}
	}
	can := func(f rollout.Fact) func(*testing.T, *scene) {
		return func(_ *testing.T, s *scene) { s.account("m18").Capable = f }
	}
	holdout := func(n int, date string) func(*testing.T, *scene) {
		return func(t *testing.T, s *scene) {
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: "holdout-" + string(rune('0'+n)) + ".everyone.m18", Kind: rollout.MessageHoldout, Account: "m18", Day: day(t, date)})
		}
	}
	const reminder7 = "reminder-7-2027-01-12"
	tests := []struct {
		name   string
		change func(t *testing.T, s *scene)
		want   string
	}{
		{"before the first window", on("2027-01-04"), ""},
		{"the first window", on("2027-01-05"), reminder7},
		{"late in it", on("2027-01-08"), reminder7},
		{"the last window", on("2027-01-11"), "reminder-1-2027-01-12"},
		{"on the day itself, and not switched yet", on("2027-01-12"), ""},
		{"on the day itself, and the wave is held", both(on("2027-01-12"), stands(rollout.WaveHeld)), ""},
		{"on the day itself, and it was switched at nine", both(on("2027-01-12"), stands(rollout.WaveEnforced)), "today-2027-01-12"},
		{"on the day itself, capable", both(on("2027-01-12"), stands(rollout.WaveEnforced), can(rollout.Yes)), ""},
		{"held, and switched a week later", both(on("2027-01-19"), func(t *testing.T, s *scene) {
			w := s.wave("everyone")
			w.State, w.EnforcedAt = rollout.WaveEnforced, at(t, "Europe/London", "2027-01-19 09:10")
		}), "today-2027-01-19"},
		{"held beyond the day", both(on("2027-01-14"), stands(rollout.WaveHeld)), ""},
		{"on a Sunday", on("2027-01-10"), ""},
		{"on a holiday", both(on("2027-01-05"), func(t *testing.T, s *scene) { s.cfg.Enforcement.Holidays = []rollout.Date{day(t, "2027-01-05")} }), ""},
		{"once only", both(on("2027-01-06"), func(t *testing.T, s *scene) {
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: reminder7 + ".everyone.m18", Kind: rollout.MessageReminder, Account: "m18", Day: day(t, "2027-01-05")})
		}), ""},
		{"something else came today", both(on("2027-01-05"), func(t *testing.T, s *scene) {
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: "else", Account: "m18", Day: day(t, "2027-01-05")})
		}), ""},
		{"the date was moved: reminded anew", both(on("2027-01-19"), func(t *testing.T, s *scene) {
			s.cfg.Waves[2].Deadline = day(t, "2027-01-26")
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: reminder7 + ".everyone.m18", Kind: rollout.MessageReminder, Account: "m18", Day: day(t, "2027-01-05")})
		}), "reminder-7-2027-01-26"},
		{"told of a later day: that one counts", both(on("2027-01-11"), func(t *testing.T, s *scene) { s.known.Messages[0].Deadline = day(t, "2027-01-18") }), "reminder-7-2027-01-18"},

		{"capable", both(on("2027-01-05"), can(rollout.Yes)), ""},
		{"perhaps capable", both(on("2027-01-05"), can(rollout.Unknown)), reminder7},
		{"exempted", both(on("2027-01-05"), func(t *testing.T, s *scene) {
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m18", Expires: day(t, "2027-01-05")}}
		}), ""},
		{"disabled", both(on("2027-01-05"), func(_ *testing.T, s *scene) { s.account("m18").Enabled = false }), ""},
		{"an emergency account since today", both(on("2027-01-05"), func(_ *testing.T, s *scene) {
			s.cfg.EmergencyAccounts = append(s.cfg.EmergencyAccounts, rollout.EmergencyAccount{ID: "m18"})
		}), ""},
		{"no address", both(on("2027-01-05"), func(_ *testing.T, s *scene) { s.account("m18").Mail = "" }), ""},
		{"bounced for good", both(on("2027-01-05"), func(_ *testing.T, s *scene) { s.known.Unreachable = map[string]string{"m18": "550 no such user"} }), ""},
		{"bounced, and nobody said why", both(on("2027-01-05"), func(_ *testing.T, s *scene) { s.known.Unreachable = map[string]string{"m18": ""} }), ""},

		{"paused", both(on("2027-01-05"), func(_ *testing.T, s *scene) { s.cfg.Paused = true }), ""},
		{"the wave is planned", both(on("2027-01-05"), stands(rollout.WavePlanned)), ""},
		{"the wave is paused", both(on("2027-01-05"), stands(rollout.WavePaused)), ""},
		{"the wave was rolled back", both(on("2027-01-14"), stands(rollout.WaveRolledBack)), ""},
		{"no audit", both(on("2027-01-05"), func(_ *testing.T, s *scene) { s.seen.Audit = rollout.AuditRun{} }), ""},
		{"an old audit", both(on("2027-01-05"), func(_ *testing.T, s *scene) { s.seen.Audit.At = s.now.Add(-37 * time.Hour) }), ""},
		{"part of the accounts", both(on("2027-01-05"), func(_ *testing.T, s *scene) { s.seen.Audit.Accounts++ }), ""},

		{"untold", both(on("2026-12-30"), untold), "announcement"},
		{"untold, and capable", both(on("2026-12-30"), untold, can(rollout.Yes)), "ready"},
		{"untold, and capable after the switch", both(on("2027-01-14"), untold, can(rollout.Yes), stands(rollout.WaveEnforced)), ""},
		{"untold after the switch", both(on("2027-01-14"), untold, stands(rollout.WaveEnforced)), "announcement"},
		{"the announcement was dropped", both(on("2026-12-30"), noticeIs(rollout.MessageDropped)), "announcement-2"},
		{"the announcement bounced, and the mailbox works again", both(on("2026-12-30"), noticeIs(rollout.MessageBounced)), "announcement-2"},
		{"the announcement is in doubt", both(on("2026-12-30"), noticeIs(rollout.MessageSending)), ""},

		{"the announcement went to a test address", both(on("2026-12-30"), func(_ *testing.T, s *scene) {
			s.known.Messages[0] = s.known.Messages[0].Redirect("test@contoso.com")
		}), "announcement-2"},
		{"confirmed already, when they were in another wave", both(on("2026-12-30"), can(rollout.Yes), func(t *testing.T, s *scene) {
			s.cfg.Communication.Done = true
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: "done.administrators.m18", Kind: rollout.MessageDone, Account: "m18", Day: day(t, "2026-12-10")})
		}), ""},
		{"to be confirmed", both(on("2026-12-30"), can(rollout.Yes), func(_ *testing.T, s *scene) { s.cfg.Communication.Done = true }), "done"},

		{"stopped", both(on("2027-01-13"), stands(rollout.WaveEnforced)), "holdout-1"},
		{"stopped, and told late", both(on("2027-01-19"), stands(rollout.WaveEnforced), holdout(1, "2027-01-18")), ""},
		{"stopped for a week more", both(on("2027-01-20"), stands(rollout.WaveEnforced), holdout(1, "2027-01-13")), "holdout-2"},
		{"stopped again after a roll-back", both(on("2027-01-29"), stands(rollout.WaveEnforced), holdout(1, "2027-01-13"), holdout(2, "2027-01-20")), "holdout-3"},
		{"stopped in a wave that has settled", both(on("2027-01-29"), stands(rollout.WaveSettled)), "holdout-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			tt.change(t, s)
			if got := due(s); got != tt.want {
				t.Errorf("due %q, want %q", got, tt.want)
			}
		})
	}
}

// TestMessageSaysTheirOwnDay: who is told late has a later deadline.
func TestMessageSaysTheirOwnDay(t *testing.T) {
	s := sample(t)
	s.known.Messages = nil
	s.now = at(t, "Europe/London", "2027-01-04 09:00")
	s.seen.Audit.At = s.now.Add(-7 * time.Hour)
	for _, a := range rollout.PlanMessages(s.cfg, s.seen, s.known, s.now) {
		m := a.(rollout.Send).Message
		if m.Account == "m18" && (m.Deadline != day(t, "2027-01-18") || m.Day != day(t, "2027-01-04") || m.State != rollout.MessageClaimed || a.Why() == "") {
			t.Errorf("message %+v, because %q", m, a.Why())
		}
		if m.Account == "admin1" && m.Wave != "administrators" {
			t.Errorf("an administrator is told of wave %q", m.Wave)
		}
	}
}

// TestStillDue: what was true when it was claimed may not be when it is sent.
func TestStillDue(t *testing.T) {
	tests := []struct {
		name   string
		change func(cfg *rollout.Config, m *rollout.Message, a *rollout.Account)
		want   string // empty: still due
	}{
		{"as claimed", func(*rollout.Config, *rollout.Message, *rollout.Account) {}, ""},
		{"registered", func(_ *rollout.Config, _ *rollout.Message, a *rollout.Account) { a.Capable = rollout.Yes }, "registered since"},
		{"left", func(_ *rollout.Config, _ *rollout.Message, a *rollout.Account) { a.Class = rollout.ClassDisabled }, "disabled"},
		{"exempted", func(cfg *rollout.Config, m *rollout.Message, _ *rollout.Account) {
			cfg.Exemptions = []rollout.Exemption{{Account: "m18", Expires: m.Day}}
		}, "no longer in the wave"},
		{"no wave of that name", func(_ *rollout.Config, m *rollout.Message, _ *rollout.Account) { m.Wave = "gone" }, "no longer in the plan"},
		{"no address", func(_ *rollout.Config, _ *rollout.Message, a *rollout.Account) { a.Mail = "" }, "no mail address"},
		{"paused", func(cfg *rollout.Config, _ *rollout.Message, _ *rollout.Account) { cfg.Paused = true }, "paused"},
		{"a reminder on the day itself", func(_ *rollout.Config, m *rollout.Message, _ *rollout.Account) {
			m.Kind, m.Deadline = rollout.MessageReminder, m.Day
		}, "the deadline is here"},
		{"ready, and so they are", func(_ *rollout.Config, m *rollout.Message, a *rollout.Account) {
			m.Kind, a.Capable = rollout.MessageReady, rollout.Yes
		}, ""},
		{"ready, and no longer", func(_ *rollout.Config, m *rollout.Message, _ *rollout.Account) { m.Kind = rollout.MessageReady }, "capable no longer"},
		{"today, and it is", func(_ *rollout.Config, m *rollout.Message, _ *rollout.Account) {
			m.Kind, m.Deadline = rollout.MessageToday, m.Day
		}, ""},
		{"today, a day late", func(_ *rollout.Config, m *rollout.Message, _ *rollout.Account) {
			m.Kind, m.Deadline = rollout.MessageToday, m.Day.AddDays(-1)
		}, "the day is over"},
		{"a better method, and so it is", func(_ *rollout.Config, m *rollout.Message, a *rollout.Account) {
			m.Kind, a.Capable, a.Strength = rollout.MessageBetter, rollout.Yes, rollout.StrengthWeak
		}, ""},
		{"a better method, and they have one", func(_ *rollout.Config, m *rollout.Message, a *rollout.Account) {
			m.Kind, a.Capable, a.Strength = rollout.MessageBetter, rollout.Yes, rollout.StrengthStrong
		}, "no longer all they have"},
		{"a better method, and they have none", func(_ *rollout.Config, m *rollout.Message, a *rollout.Account) {
			m.Kind, a.Strength = rollout.MessageBetter, rollout.StrengthWeak
		}, "no longer all they have"},
		{"done, and no longer", func(_ *rollout.Config, m *rollout.Message, _ *rollout.Account) { m.Kind = rollout.MessageDone }, "capable no longer"},
		{"a manager's, who is in no wave", func(cfg *rollout.Config, m *rollout.Message, a *rollout.Account) {
			m.Kind, m.Wave, a.Capable = rollout.MessageTeam, "", rollout.Yes
			cfg.Exemptions = []rollout.Exemption{{Account: "m18", Expires: m.Day}}
		}, ""},
		{"a manager's, who has left", func(_ *rollout.Config, m *rollout.Message, a *rollout.Account) {
			m.Kind, m.Wave, a.Enabled = rollout.MessageTeam, "", false
		}, "the account is now"},
		{"the operator's is always", func(cfg *rollout.Config, m *rollout.Message, a *rollout.Account) {
			m.Kind, m.Wave, a.Mail, cfg.Paused = rollout.MessageAlert, "", "", true
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			m := rollout.Message{Kind: rollout.MessageAnnouncement, Account: "m18", Wave: "everyone", Day: rollout.DateOf(s.now), Deadline: rollout.DateOf(s.now).AddDays(14)}
			a := *s.account("m18")
			tt.change(&s.cfg, &m, &a)
			ok, why := rollout.StillDue(s.cfg, m, a, s.now)
			if ok != (tt.want == "") || !strings.Contains(why, tt.want) {
				t.Errorf("still due %v (%s), want %q", ok, why, tt.want)
			}
		})
	}
}

func TestStuck(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 12:00")
	messages := []rollout.Message{
		{ID: "lost claim", State: rollout.MessageClaimed, ClaimedAt: now.Add(-time.Hour)},
		{ID: "young claim", State: rollout.MessageClaimed, ClaimedAt: now.Add(-time.Hour + time.Second)},
		{ID: "in doubt for long", State: rollout.MessageSending, ClaimedAt: now.Add(-7 * time.Hour), SendingAt: now.Add(-6 * time.Hour)},
		{ID: "in doubt", State: rollout.MessageSending, ClaimedAt: now.Add(-7 * time.Hour), SendingAt: now.Add(-5 * time.Hour)},
		{ID: "sent", State: rollout.MessageSent, ClaimedAt: now.Add(-48 * time.Hour), SendingAt: now.Add(-48 * time.Hour)},
		{ID: "dropped", State: rollout.MessageDropped, ClaimedAt: now.Add(-48 * time.Hour)},
	}
	var got []string
	for _, m := range rollout.Stuck(messages, now) {
		got = append(got, m.ID)
	}
	if want := "lost claim, in doubt for long"; strings.Join(got, ", ") != want {
		t.Errorf("stuck %v, want %s", got, want)
	}
}

package notify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/notify"
	"sallyport/shared/mail"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
)

// TestMessagesToPeople: each says what it was claimed with, as it is now.
func TestMessagesToPeople(t *testing.T) {
	switched := func(t *testing.T, w *world) {
		english(t, w)
		w.do(t, w.store.PutWave(context.Background(), contoso, rollout.Wave{Name: "everyone", State: rollout.WaveEnforced, EnforcedAt: now}))
	}
	withTeam := func(t *testing.T, w *world) {
		registered, left := account(), account()
		registered.ID, registered.DisplayName, registered.Capable = "r1", "Adele Vance", rollout.Yes
		left.ID, left.DisplayName, left.Enabled = "l1", "Nestor Wilke", false
		stopped := account()
		stopped.ID, stopped.DisplayName, stopped.UserPrincipalName = "s1", "Alex Wilber", "alex@contoso.com"
		manager := account()
		manager.Language, manager.Capable = "en", rollout.Yes
		w.accounts(t, manager, registered, left, stopped)
	}
	team := map[string]string{"people": "r1 l1 s1 gone", "more": "2"}
	for name, tt := range map[string]struct {
		message rollout.Message
		prepare func(t *testing.T, w *world)
		says    []string
		silent  []string
	}{
		"today":     {rollout.Message{Kind: rollout.MessageToday, Account: megan, Wave: "everyone", Deadline: today}, switched, []string{"today, Tuesday, 1 December 2026", "ten minutes"}, nil},
		"colleague": {rollout.Message{Kind: rollout.MessageColleague, Account: megan, Wave: "everyone", Deadline: deadline}, switched, []string{"Welcome to Contoso Ltd", "22 December 2026", "it@contoso.com", "https://meet.contoso.com/x"}, nil},
		"better": {rollout.Message{Kind: rollout.MessageBetter, Account: megan, Wave: "everyone", Window: 60}, func(t *testing.T, w *world) {
			w.accounts(t, capable(account(), rollout.StrengthWeak))
		}, []string{"in 62 days", "1 February 2027"}, nil},
		"done": {rollout.Message{Kind: rollout.MessageDone, Account: megan, Wave: "everyone"}, func(t *testing.T, w *world) {
			w.accounts(t, capable(account(), rollout.StrengthStrong))
		}, []string{"nothing more to do"}, nil},
		"team: without those who registered or left": {
			rollout.Message{Kind: rollout.MessageTeam, Account: megan, Details: team},
			withTeam,
			[]string{"Alex Wilber", "alex@contoso.com", "And 2 more"},
			[]string{"Adele Vance", "Nestor Wilke", "gone"},
		},
		"holdouts, to the operator": {
			rollout.Message{Kind: rollout.MessageHoldouts, Wave: "everyone", Details: team},
			withTeam,
			[]string{"“everyone”", "Alex Wilber", "1 December 2026, 09:00"},
			[]string{"Adele Vance", "Nestor Wilke", "gone"},
		},
		"a reminder in the language of today": {
			rollout.Message{Kind: rollout.MessageReminder, Account: megan, Wave: "everyone", Window: 7, Deadline: today.AddDays(7)},
			func(t *testing.T, w *world) {
				cfg := config()
				cfg.Communication.Languages = []string{"en", "de", "ja"}
				w.configure(t, cfg)
				a := account()
				a.Language = "ja-JP"
				w.accounts(t, a)
			},
			[]string{"7日後", "Megan Bowen 様"},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.prepare(t, w)
			m := tt.message
			m.ID, m.Day, m.State, m.ClaimedAt = "the-message", today, rollout.MessageClaimed, now
			w.claim(t, m)
			if again := w.deliver(t, m.ID); len(again) != 0 {
				t.Fatalf("came back:\n%s", w.log.String())
			}
			text := strings.Join(strings.Fields(w.text(t).Text), " ")
			for _, say := range tt.says {
				if !strings.Contains(text, say) {
					t.Errorf("the mail does not say %q:\n%s", say, text)
				}
			}
			for _, secret := range tt.silent {
				if strings.Contains(text, secret) {
					t.Errorf("the mail says %q:\n%s", secret, text)
				}
			}
		})
	}
}

// A message about people who can all sign in by now is not sent.
func TestTeamThatIsWellIsNotReported(t *testing.T) {
	w := newWorld(t)
	manager, registered := capable(account(), rollout.StrengthStrong), capable(account(), rollout.StrengthStrong)
	registered.ID = "r1"
	w.accounts(t, manager, registered)
	w.claim(t, rollout.Message{ID: "m", Kind: rollout.MessageTeam, Account: megan, Day: today, State: rollout.MessageClaimed, ClaimedAt: now, Details: map[string]string{"people": "r1"}})
	w.deliver(t, "m")
	if m := w.message(t, "m"); m.State != rollout.MessageDropped || len(w.post.taken) != 0 {
		t.Errorf("state %s (%s), %d mails; want it dropped", m.State, m.Reason, len(w.post.taken))
	}
}

// invitation is a message about the training of the configuration.
func invitation(changes map[string]string) rollout.Message {
	m := rollout.Message{
		ID: "training", Kind: rollout.MessageTraining, Account: megan, Wave: "everyone", Day: today, Deadline: deadline,
		State: rollout.MessageClaimed, ClaimedAt: now,
		Details: map[string]string{"title": "The second step", "start": "2026-12-08T10:00", "minutes": "30", "join": "https://meet.contoso.com/x", "sequence": "0"},
	}
	for k, v := range changes {
		m.Details[k] = v
	}
	return m
}

// TestInvitations: the calendar file invites, moves and calls off one and the
// same appointment.
func TestInvitations(t *testing.T) {
	for name, tt := range map[string]struct {
		details map[string]string
		change  func(*rollout.Config)
		says    []string // lines of the calendar file
	}{
		"invited": {nil, nil, []string{"METHOD:REQUEST", "SEQUENCE:0", "DTSTART:20261208T100000Z", "DTEND:20261208T103000Z", "STATUS:CONFIRMED"}},
		"moved": {
			map[string]string{"start": "2026-12-09T11:00", "sequence": "1"},
			func(c *rollout.Config) { c.Communication.Training.Start = "2026-12-09T11:00" },
			[]string{"METHOD:REQUEST", "SEQUENCE:1", "DTSTART:20261209T110000Z"},
		},
		"called off": {
			map[string]string{"sequence": "2", "cancelled": "yes"},
			func(c *rollout.Config) { c.Communication.Training = rollout.Training{} },
			[]string{"METHOD:CANCEL", "SEQUENCE:2", "DTSTART:20261208T100000Z", "STATUS:CANCELLED"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			english(t, w)
			cfg := config()
			if tt.change != nil {
				tt.change(&cfg)
			}
			w.configure(t, cfg)
			m := invitation(tt.details)
			w.claim(t, m)
			w.deliver(t, m.ID)
			parsed := w.text(t)
			if len(parsed.Attachments) != 1 {
				t.Fatalf("%d attachments, want the calendar file\n%s", len(parsed.Attachments), w.log.String())
			}
			file := strings.ReplaceAll(string(parsed.Attachments[0].Content), "\r\n ", "")
			for _, line := range append(tt.says, "UID:training."+megan+"@contoso.onmicrosoft.com", "mailto:help@contoso.com", "mailto:megan.bowen@contoso.com") {
				if !strings.Contains(file, line) {
					t.Errorf("the calendar file does not say %s:\n%s", line, file)
				}
			}
		})
	}
}

// An invitation to what is no longer so, or to who has registered, is not sent;
// whoever was invited before hears of a change all the same.
func TestInvitationThatIsNoLongerSo(t *testing.T) {
	for name, tt := range map[string]struct {
		details map[string]string
		change  func(*rollout.Config)
		able    bool
		sent    bool
	}{
		"moved since":                    {nil, func(c *rollout.Config) { c.Communication.Training.Start = "2026-12-09T11:00" }, false, false},
		"called off since":               {nil, func(c *rollout.Config) { c.Communication.Training = rollout.Training{} }, false, false},
		"begun since":                    {map[string]string{"start": "2026-12-01T08:59"}, func(c *rollout.Config) { c.Communication.Training.Start = "2026-12-01T08:59" }, false, false},
		"on again since":                 {map[string]string{"sequence": "2", "cancelled": "yes"}, nil, false, false},
		"registered since":               {nil, nil, true, false},
		"registered since, invited once": {map[string]string{"sequence": "1"}, nil, true, true},
	} {
		w := newWorld(t)
		cfg := config()
		if tt.change != nil {
			tt.change(&cfg)
		}
		w.configure(t, cfg)
		if tt.able {
			w.accounts(t, capable(account(), rollout.StrengthStrong))
		}
		m := invitation(tt.details)
		w.claim(t, m)
		w.deliver(t, m.ID)
		if sent := len(w.post.taken) == 1; sent != tt.sent {
			t.Errorf("%s: sent %t, want %t (%s)", name, sent, tt.sent, w.message(t, m.ID).Reason)
		}
	}
}

// What was claimed in the evening waits for the reader's morning: claimed, and
// neither sent nor lost.
func TestQuietHoursKeepTheClaim(t *testing.T) {
	for name, tt := range map[string]struct {
		at      time.Time
		country string
		kind    rollout.MessageKind
		sent    bool
	}{
		"by day":                {now, "GB", rollout.MessageAnnouncement, true},
		"in the evening":        {now.Add(9 * time.Hour), "GB", rollout.MessageAnnouncement, false},
		"in Tokyo's evening":    {now, "JP", rollout.MessageAnnouncement, false},
		"on Saturday":           {now.Add(4 * 24 * time.Hour), "GB", rollout.MessageAnnouncement, false},
		"the operator at night": {now.Add(12 * time.Hour), "GB", rollout.MessageSwitched, true},
	} {
		w := newWorld(t)
		a := account()
		a.Country = tt.country
		w.accounts(t, a)
		m := announcement()
		m.Kind = tt.kind
		m.Details = map[string]string{"people": "3"}
		w.claim(t, m)
		w.now = tt.at
		outcome, err := w.handler.Notify.Begin(tt.at).Send(context.Background(), outbox.Item{Tenant: contoso, MessageID: m.ID})
		want := map[bool]notify.Outcome{true: notify.OutcomeSent, false: notify.OutcomeQuiet}[tt.sent]
		if err != nil || outcome != want {
			t.Errorf("%s: %s, %v; want %s", name, outcome, err, want)
		}
		if state := w.message(t, m.ID).State; !tt.sent && state != rollout.MessageClaimed {
			t.Errorf("%s: state %s, want it claimed", name, state)
		}
	}
}

// TestRedirect: everything to people goes to one address, marked, and nobody
// counts as told or as unreachable by it.
func TestRedirect(t *testing.T) {
	w := newWorld(t)
	cfg := config()
	cfg.Communication.Redirect = "test@contoso.com"
	w.configure(t, cfg)
	w.claim(t, announcement())
	w.deliver(t, announcement().ID)
	if diff := cmp.Diff([]string{"test@contoso.com"}, w.post.taken[0].To); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	parsed := w.text(t)
	if subject := parsed.GetHeader("Subject"); !strings.HasPrefix(subject, "[for megan.bowen@contoso.com]") {
		t.Errorf("subject %q, want it marked", subject)
	}
	if m := w.message(t, announcement().ID); !m.Redirected() || m.State != rollout.MessageSent {
		t.Errorf("message %+v, want it sent and redirected", m)
	}

	// An invitation would land in the wrong calendar.
	m := invitation(nil)
	m.Day = today.AddDays(1)
	w.claim(t, m)
	w.now = now.Add(24 * time.Hour)
	w.deliver(t, m.ID)
	w.post.taken = w.post.taken[1:]
	if n := len(w.text(t).Attachments); n != 0 {
		t.Errorf("%d attachments, want none", n)
	}

	// Alerts and the operator's messages are not redirected.
	w.post.taken = nil
	w.claim(t, rollout.Message{ID: "s", Kind: rollout.MessageSwitched, Wave: "everyone", Day: today, State: rollout.MessageClaimed, ClaimedAt: now, Details: map[string]string{"people": "3"}})
	w.deliver(t, "s")
	if to := w.post.taken[0].To[0]; to != "security@contoso.com" {
		t.Errorf("the operator's message went to %s", to)
	}
}

// What a test address refuses says nothing of the person's own.
func TestRefusedTestAddressMarksNobody(t *testing.T) {
	w := newWorld(t)
	cfg := config()
	cfg.Communication.Redirect = "test@contoso.com"
	w.configure(t, cfg)
	w.post.err = mail.ErrRejected
	w.claim(t, announcement())
	w.deliver(t, announcement().ID)
	if m := w.message(t, announcement().ID); m.State != rollout.MessageBounced || len(w.unreachable(t)) != 0 {
		t.Errorf("state %s, unreachable %v; want it bounced and nobody marked", m.State, w.unreachable(t))
	}
}

// TestBranding: what the operator adds stands in the mail, in its language only.
func TestBranding(t *testing.T) {
	w := newWorld(t)
	cfg := config()
	cfg.Communication.Branding = rollout.Branding{
		Colour: "#aa00bb", Signature: "Contoso IT, 1 High Street, Leeds",
		Extra: []rollout.Paragraph{
			{Message: rollout.MessageAnnouncement, Text: "Phones can be borrowed <at> the front desk."},
			{Message: rollout.MessageAnnouncement, Language: "de", Text: "Leihgeräte gibt es am Empfang."},
			{Message: rollout.MessageAnnouncement, Language: "en", Text: "English only."},
			{Message: rollout.MessageReminder, Text: "Reminders only."},
		},
	}
	w.configure(t, cfg)
	w.claim(t, announcement())
	w.deliver(t, announcement().ID)
	parsed := w.text(t)
	for _, want := range []string{"Phones can be borrowed <at> the front desk.", "Leihgeräte gibt es am Empfang.", "Contoso IT, 1 High Street, Leeds"} {
		if !strings.Contains(parsed.Text, want) {
			t.Errorf("the text does not say %q:\n%s", want, parsed.Text)
		}
	}
	for _, want := range []string{"borrowed &lt;at&gt; the", "#aa00bb"} {
		if !strings.Contains(parsed.HTML, want) {
			t.Errorf("the HTML does not hold %q", want)
		}
	}
	if strings.Contains(parsed.Text, "English only") || strings.Contains(parsed.Text, "Reminders only") {
		t.Errorf("a paragraph of another language or message:\n%s", parsed.Text)
	}
}

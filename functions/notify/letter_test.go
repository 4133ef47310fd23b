package notify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

// Each kind says what the table and its details hold.
func TestEachKindSaysWhatItKnows(t *testing.T) {
	switchedAt := now.Add(-24 * time.Hour)
	everybody := []string{"security@contoso.com", "night@contoso.com"}
	person := []string{"megan.bowen@contoso.com"}
	for name, tt := range map[string]struct {
		message rollout.Message
		prepare func(t *testing.T, w *world)
		to      []string
		says    []string
	}{
		"ready": {
			rollout.Message{Kind: rollout.MessageReady, Account: megan, Wave: "everyone", Deadline: deadline},
			func(t *testing.T, w *world) { w.accounts(t, capable(account(), rollout.StrengthStrong)) },
			person,
			[]string{"22 December 2026", "nothing you have to do"},
		},
		"ready, by phone only": {
			rollout.Message{Kind: rollout.MessageReady, Account: megan, Wave: "everyone", Deadline: deadline},
			func(t *testing.T, w *world) { w.accounts(t, capable(account(), rollout.StrengthWeak)) },
			person,
			[]string{"1 February 2027"},
		},
		"reminder": {
			rollout.Message{Kind: rollout.MessageReminder, Account: megan, Wave: "everyone", Window: 3, Deadline: today.AddDays(2)},
			english,
			person,
			[]string{"3 December 2026", "in 2 days"},
		},
		"holdout": {
			rollout.Message{Kind: rollout.MessageHoldout, Account: megan, Wave: "everyone", Deadline: today.AddDays(-1)},
			func(t *testing.T, w *world) {
				english(t, w)
				w.do(t, w.store.PutWave(context.Background(), contoso, rollout.Wave{Name: "everyone", State: rollout.WaveEnforced, EnforcedAt: switchedAt}))
			},
			person,
			[]string{"30 November 2026"},
		},
		"hold": {
			rollout.Message{Kind: rollout.MessageHold, Wave: "everyone", Details: map[string]string{
				"deadline": deadline.String(), "earliest": "2026-12-23T09:00:00Z",
				"gates": `[{"id":"emergency-excluded","question":"Are they outside?","ok":false,"evidence":"One is inside.","remedy":"Exclude it."}]`,
			}},
			nil,
			everybody,
			[]string{"“everyone” is held", "22 December 2026", "Are they outside?", "One is inside.", "Exclude it.", "23 December 2026, 09:00"},
		},
		"hold of a wave without a deadline": {
			rollout.Message{Kind: rollout.MessageHold, Wave: "ready", Details: map[string]string{"deadline": "", "gates": `[{"id":"licence","question":"Licensed?"}]`}},
			nil,
			everybody,
			[]string{"22 December 2026", "Licensed?"},
		},
		"switched": {
			rollout.Message{Kind: rollout.MessageSwitched, Wave: "everyone", Details: map[string]string{"at": switchedAt.Format(time.RFC3339), "policy": "p1", "people": "212"}},
			withPolicy,
			everybody,
			[]string{"30 November 2026, 09:00", "Sallyport: MFA for everyone", "212"},
		},
		"switched by Security Defaults": {
			rollout.Message{Kind: rollout.MessageSwitched, Wave: "everyone", Details: map[string]string{"people": "30"}},
			nil,
			everybody,
			[]string{"Security Defaults", "1 December 2026, 09:00"},
		},
		"rolled back": {
			rollout.Message{Kind: rollout.MessageRollback, Wave: "everyone", Details: map[string]string{"reason": "9 people were locked out."}},
			withPolicy,
			everybody,
			[]string{"9 people were locked out.", "Sallyport: MFA for everyone", "1 December 2026, 09:00"},
		},
		"lock-outs, also of somebody who has left": {
			rollout.Message{Kind: rollout.MessageLockOut, Details: map[string]string{"lockOuts": `[
				{"account":"` + megan + `","cause":"No method (50072)","advice":"Call her.","attempts":4,"openedAt":"2026-12-01T08:05:00Z"},
				{"account":"left-1","cause":"Risk","advice":"Dismiss it.","attempts":1,"openedAt":"2026-12-01T08:06:00Z"}]`}},
			nil,
			append(everybody, "help@contoso.com"),
			[]string{"2 people", "Megan Bowen", "megan@contoso.com", "No method (50072)", "Call her.", "08:05", "left-1"},
		},
		"drill": {
			rollout.Message{Kind: rollout.MessageDrill, Details: map[string]string{"account": emergency, "opens": "2026-12-02T09:00:00Z", "closes": "2026-12-09T17:00:00Z"}},
			func(t *testing.T, w *world) {
				w.accounts(t, rollout.Account{ID: emergency, DisplayName: "Emergency account 1", Class: rollout.ClassEmergency})
			},
			everybody,
			[]string{"Emergency account 1", "2 December 2026, 09:00", "9 December 2026, 17:00", "Chief Operating Officer", "Safe 1, head office", "https://intranet.contoso.com/break-glass"},
		},
		"drill of a custodian with an address": {
			rollout.Message{Kind: rollout.MessageDrill, Details: map[string]string{
				"account": emergency, "notice": "invitation", "sequence": "1", "cause": "routine", "custodian": "Head of Finance", "invitee": "finance@fabrikam.com",
				"opens": "2026-12-15T09:00:00Z", "closes": "2026-12-22T09:00:00Z",
			}},
			nil,
			append([]string{"finance@fabrikam.com"}, everybody...),
			[]string{"Head of Finance", "The window has moved", "15 December 2026, 09:00", "once a quarter"},
		},
		"drill that is cancelled, of an account that is none any more": {
			rollout.Message{Kind: rollout.MessageDrill, Details: map[string]string{
				"account": "former-1", "notice": "cancelled", "custodian": "Head of Finance", "invitee": "finance@fabrikam.com",
				"opens": "2026-11-15T09:00:00Z", "closes": "2026-11-22T09:00:00Z", "why": "the account is no longer an emergency account",
			}},
			nil,
			append([]string{"finance@fabrikam.com"}, everybody...),
			[]string{"You need not sign in. The reason: the account is no longer an emergency account."},
		},
		"blast list": {
			rollout.Message{Kind: rollout.MessageBlast, Details: map[string]string{rollout.DetailBlast: `{"deadline":"2026-12-02","count":2,"open":1,"rows":[
				{"account":"` + megan + `","reasons":[{"code":"notCapable","text":"has no method"}],"told":"announcement","toldOn":"2026-11-20","arrived":"no"},
				{"account":"left-1","reasons":[{"code":"client","text":"signs in by IMAP4"}],"acceptedBy":"Alex Wilber"}]}`}},
			nil,
			everybody,
			[]string{"1 day from now", "accounts could not sign in", "Megan Bowen", "megan@contoso.com", "has no method", "announcement of 2026-11-20, bounced", "signs in by IMAP4", "accepted by Alex Wilber", "left-1"},
		},
		"task, also to the owner": {
			rollout.Message{Kind: rollout.MessageTask, Details: map[string]string{
				rollout.DetailTask:  `{"title":"An exemption ends","text":"It ends on 2026-12-08.","remedy":"Mend it.","accounts":["` + megan + `"],"count":3}`,
				rollout.DetailOwner: "facilities@contoso.com",
			}},
			nil,
			append(everybody, "facilities@contoso.com"),
			[]string{"An exemption ends", "It ends on 2026-12-08.", "Mend it.", "Megan Bowen", "And 2 more"},
		},
		"closing": {
			rollout.Message{Kind: rollout.MessageClosing, Details: map[string]string{"capable": "200"}},
			func(t *testing.T, w *world) {
				ctx := context.Background()
				for i, capable := range []int{80, 120, 200} {
					w.do(t, w.store.PutCoverage(ctx, contoso, rollout.CoveragePoint{Day: today.AddDays(i - 2), Coverage: rollout.Coverage{Capable: capable, All: 200}}))
				}
				w.do(t, w.store.PutWave(ctx, contoso, rollout.Wave{Name: "everyone", State: rollout.WaveSettled, EnforcedAt: switchedAt}))
				sent := announcement()
				sent.State = rollout.MessageDelivered
				w.claim(t, sent)
				w.do(t, w.store.PutLockOut(ctx, contoso, rollout.LockOut{Account: megan, OpenedAt: switchedAt, ClosedAt: now}))
			},
			everybody,
			[]string{"80 of 200", "40%", "200 of 200", "100%", "30 November 2026, 09:00", "people locked out and helped", "announcements"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tt.prepare != nil {
				tt.prepare(t, w)
			}
			m := tt.message
			m.ID, m.Day, m.State, m.ClaimedAt = "the-message", today, rollout.MessageClaimed, now
			w.claim(t, m)
			if again := w.deliver(t, m.ID); len(again) != 0 {
				t.Fatalf("came back:\n%s", w.log.String())
			}
			parsed := w.text(t)
			if diff := cmp.Diff(tt.to, w.post.taken[0].To); diff != "" {
				t.Errorf("recipients (-want +got):\n%s", diff)
			}
			text := strings.Join(strings.Fields(parsed.Text), " ")
			for _, say := range tt.says {
				if !strings.Contains(text, say) {
					t.Errorf("the mail does not say %q:\n%s", say, parsed.Text)
				}
			}
			if thread := parsed.GetHeader("References"); (thread != "") != m.Kind.ToPerson() {
				t.Errorf("thread %q for kind %s", thread, m.Kind)
			}
		})
	}
}

func capable(a rollout.Account, strength rollout.Strength) rollout.Account {
	a.Language, a.Capable, a.Registered, a.Strength = "en", rollout.Yes, rollout.Yes, strength
	return a
}

func english(t *testing.T, w *world) {
	t.Helper()
	a := account()
	a.Language = "en"
	w.accounts(t, a)
}

func withPolicy(t *testing.T, w *world) {
	t.Helper()
	w.do(t, w.store.PutPolicy(context.Background(), contoso, rollout.OwnedPolicy{
		Wave: "everyone", ID: "p1", Marker: "sallyport:everyone", Draft: rollout.PolicyDraft{DisplayName: "Sallyport: MFA for everyone"},
	}))
}

// The calendar file of a drill keeps its id from the invitation to the
// cancellation, and says each time which version it is.
func TestDrillsCalendarFile(t *testing.T) {
	for name, tt := range map[string]struct {
		notice, sequence string
		want             []string
	}{
		"invitation":   {"invitation", "0", []string{"METHOD:REQUEST", "SEQUENCE:0", "DTSTAMP:20261130T090000Z", "DTSTART:20261215T090000Z", "DTEND:20261222T090000Z"}},
		"moved":        {"invitation", "1", []string{"METHOD:REQUEST", "SEQUENCE:1"}},
		"reminder":     {"open", "1", []string{"METHOD:REQUEST", "SEQUENCE:1", "DTSTAMP:20261130T090000Z"}},
		"cancellation": {"cancelled", "1", []string{"METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:2", "DTSTAMP:20261201T090000Z"}},
	} {
		w := newWorld(t)
		w.claim(t, rollout.Message{ID: "m", Kind: rollout.MessageDrill, Day: today, State: rollout.MessageClaimed, ClaimedAt: now, Details: map[string]string{
			"account": emergency, "drill": "drill-x-002", "notice": tt.notice, "sequence": tt.sequence, "invited": "2026-11-30T09:00:00Z",
			"opens": "2026-12-15T09:00:00Z", "closes": "2026-12-22T09:00:00Z", "invitee": "finance@fabrikam.com",
		}})
		w.deliver(t, "m")
		parts := w.text(t).OtherParts
		if len(parts) != 1 {
			t.Fatalf("%s: %d parts beside the words, want the calendar file\n%s", name, len(parts), w.log.String())
		}
		file := string(parts[0].Content)
		for _, want := range append(tt.want, "UID:drill-x-002@", "mailto:finance@fabrikam.com") {
			if !strings.Contains(strings.ReplaceAll(file, "\r\n ", ""), want) {
				t.Errorf("%s: no %q in\n%s", name, want, file)
			}
		}
		if strings.Contains(file, "Safe 1") || strings.Contains(file, emergency) {
			t.Errorf("%s: the calendar tells which account, or where its password lies:\n%s", name, file)
		}
	}
}

// A message whose details cannot be read is not sent and not lost.
func TestUnreadableDetailsStayClaimed(t *testing.T) {
	for kind, details := range map[rollout.MessageKind]map[string]string{
		rollout.MessageHold:     {"gates": "?"},
		rollout.MessageLockOut:  {},
		rollout.MessageSwitched: {"people": "many"},
		rollout.MessageDrill:    {"account": emergency, "opens": "soon"},
		rollout.MessageClosing:  {}, // and no coverage
		rollout.MessageBlast:    {"blast": "?"},
		rollout.MessageTask:     {"task": `{"title":"and no text"}`},
		rollout.MessageAlert:    {},
		"levitation":            {},
	} {
		w := newWorld(t)
		w.claim(t, rollout.Message{ID: "m", Kind: kind, Day: today, State: rollout.MessageClaimed, ClaimedAt: now, Details: details})
		if again := w.deliver(t, "m"); len(again) != 1 || len(w.post.taken) != 0 {
			t.Errorf("%s: %d mails left, %v comes again; want none and the message", kind, len(w.post.taken), again)
		}
		if got := w.message(t, "m").State; got != rollout.MessageClaimed {
			t.Errorf("%s: state %s, want claimed", kind, got)
		}
	}
}

// The session is offered until it is over.
func TestTrainingThatIsOverIsNotOffered(t *testing.T) {
	for start, offered := range map[string]bool{
		"2026-12-01T08:31": true,
		"2026-12-01T08:30": false,
		"":                 false,
	} {
		w := newWorld(t)
		cfg := config()
		cfg.Communication.Training.Start = start
		w.configure(t, cfg)
		m := announcement()
		w.claim(t, m)
		w.deliver(t, m.ID)
		if got := strings.Contains(w.text(t).Text, "https://meet.contoso.com/x"); got != offered {
			t.Errorf("start %q at 09:00: offered %v, want %v", start, got, offered)
		}
	}
}

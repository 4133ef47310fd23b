package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// isNotice: either of these told the person of the date.
func isNotice(k MessageKind) bool { return k == MessageAnnouncement || k == MessageReady }

// HoldoutEvery is how many days lie between two messages to a holdout.
const HoldoutEvery = 7

// PlanMessages says which person is due which message on the tenant's day of
// now, with the reason. It works in windows, not instants: a late run sends the
// newest due message and never a burst; nobody who is known capable is
// reminded; each person gets at most one message a day, and none on a day on
// which the tenant does not work, or on which nobody knows who is capable by now.
// Everybody is looked at every time, so that nothing that cannot be sent stands
// in the way of what can.
func PlanMessages(cfg Config, seen Seen, known Known, now time.Time) []Action {
	loc := cfg.Location()
	day := DateOf(now.In(loc))
	if complete, _ := auditComplete(cfg, seen, now); cfg.Paused || !complete || !cfg.Enforcement.WorkingDay(day) {
		return nil
	}
	if seen.Audit.Method == MethodSecurityDefaults {
		cfg.Extensions = nil // they know no exclusions: nobody gets more time
	}
	sent := messagesByAccount(known.Messages)
	var actions []Action
	for _, a := range seen.Accounts {
		if _, bounced := known.Unreachable[a.ID]; bounced || a.Mail == "" {
			continue
		}
		m, reason, due := dueMessage(cfg, known, sent[a.ID], a, loc, now)
		if due {
			actions = append(actions, Send{Message: m, Reason: reason})
		}
	}
	return actions
}

func messagesByAccount(messages []Message) map[string][]Message {
	by := map[string][]Message{}
	for _, m := range messages {
		if m.Account != "" {
			by[m.Account] = append(by[m.Account], m)
		}
	}
	return by
}

func dueMessage(cfg Config, known Known, sent []Message, a Account, loc *time.Location, now time.Time) (Message, string, bool) {
	day := DateOf(now.In(loc))
	none := func() (Message, string, bool) { return Message{}, "", false }
	wave, ok := WaveOf(cfg, a, day)
	if !ok || !IsPerson(cfg, a) || slices.ContainsFunc(sent, func(m Message) bool { return m.Day == day }) {
		return none()
	}
	record := known.Wave(wave.Name)
	switched := record.State == WaveEnforced || record.State == WaveSettled
	if !switched && record.State != WaveAnnounced && record.State != WaveObserving && record.State != WaveHeld {
		return none()
	}
	told, notice := noticeOf(sent)
	deadline := later(wave.Deadline, day.AddDays(NoticeDays))
	if told {
		deadline = later(wave.Deadline, notice.Deadline) // never earlier than they were told
	}
	if e, extended := cfg.Extension(a, day); extended {
		deadline = later(deadline, e.Until.AddDays(1))
	}
	claim := func(kind MessageKind, window int, id, reason string) (Message, string, bool) {
		id = fmt.Sprintf("%s.%s.%s", id, wave.Name, a.ID)
		if slices.ContainsFunc(sent, func(m Message) bool { return m.ID == id }) {
			return none()
		}
		return Message{
			ID: id, Kind: kind, Account: a.ID, Wave: wave.Name, Window: window,
			Day: day, Deadline: deadline, State: MessageClaimed, ClaimedAt: now,
		}, reason, true
	}

	switch {
	case !told && a.Capable == Yes && switched:
		return none() // nothing to do, and nothing will change for them
	case !told && a.Capable == Yes:
		return claim(MessageReady, 0, nextNotice("ready", sent), "already capable: nothing to do")
	case !told:
		return claim(MessageAnnouncement, 0, nextNotice("announcement", sent), "the wave is announced")
	case a.Capable == Yes:
		return none()
	}
	if left := day.DaysUntil(deadline); left >= 1 {
		window, in := reminderWindow(cfg.ReminderDays, left)
		if !in {
			return none()
		}
		// With the day in its id: when the date moves, people are reminded anew.
		return claim(MessageReminder, window, fmt.Sprintf("reminder-%d-%s", window, deadline), fmt.Sprintf("not capable %d days before the deadline", left))
	}
	if since := later(DateOf(record.EnforcedAt.In(loc)), deadline).DaysUntil(day); switched && since >= 1 {
		count, last := holdoutsOf(sent)
		if count > 0 && last.DaysUntil(day) < HoldoutEvery {
			return none()
		}
		return claim(MessageHoldout, 0, fmt.Sprintf("holdout-%d", count+1), fmt.Sprintf("not capable %d days after the switch", since))
	}
	return none()
}

// noticeOf finds the message that told the person of the date.
func noticeOf(sent []Message) (told bool, notice Message) {
	i := slices.IndexFunc(sent, func(m Message) bool {
		return isNotice(m.Kind) && m.State != MessageDropped && m.State != MessageBounced
	})
	if i < 0 {
		return false, Message{}
	}
	return true, sent[i]
}

// holdoutsOf counts the messages to a holdout, and says when the last one was.
func holdoutsOf(sent []Message) (count int, last Date) {
	for _, m := range sent {
		if m.Kind == MessageHoldout {
			count, last = count+1, later(last, m.Day)
		}
	}
	return count, last
}

// nextNotice names the next try to tell a person: an announcement that was
// dropped, because it was not true at that moment, does not count.
func nextNotice(name string, sent []Message) string {
	tries := 0
	for _, m := range sent {
		if isNotice(m.Kind) {
			tries++
		}
	}
	if tries == 0 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, tries+1)
}

func later(a, b Date) Date {
	if a.Before(b) {
		return b
	}
	return a
}

// reminderWindow returns the smallest window that holds the day: with 7, 3, 1,
// five days before the deadline lie in the window of 7.
func reminderWindow(windows []int, daysLeft int) (int, bool) {
	best, found := 0, false
	for _, w := range windows {
		if daysLeft >= 1 && daysLeft <= w && (!found || w < best) {
			best, found = w, true
		}
	}
	return best, found
}

// StillDue reports whether a claimed message is still true at the moment of
// sending, and if not, why: the person may have registered, left or been
// exempted since.
func StillDue(cfg Config, m Message, a Account, now time.Time) (bool, string) {
	day := DateOf(now.In(cfg.Location()))
	if !m.Kind.ToPerson() {
		return true, ""
	}
	wave, ok := cfg.Wave(m.Wave)
	switch {
	case cfg.Paused:
		return false, "the rollout is paused"
	case !ok:
		return false, "the wave is no longer in the plan"
	case !IsPerson(cfg, a):
		return false, "the account is now: " + string(a.Class)
	case !wave.Holds(cfg, a, day):
		return false, "the account is no longer in the wave"
	case a.Mail == "":
		return false, "the account has no mail address"
	case a.Capable == Yes && m.Kind != MessageReady:
		return false, "registered since"
	case a.Capable != Yes && m.Kind == MessageReady:
		return false, "capable no longer"
	case m.Kind == MessageReminder && day.DaysUntil(m.Deadline) < 1:
		return false, "the deadline is here"
	}
	return true, ""
}

// ReleaseAfter is how long a message may stay in doubt (sending, and no event
// from SES) before it counts as never sent; RequeueAfter how long a claim may
// wait for its queue.
const (
	ReleaseAfter = 6 * time.Hour
	RequeueAfter = time.Hour
)

// Stuck returns the messages that a run left behind: claims whose queue item
// was lost, and doubts that nothing settled. They are queued again.
func Stuck(messages []Message, now time.Time) []Message {
	var stuck []Message
	for _, m := range messages {
		if (m.State == MessageClaimed && now.Sub(m.ClaimedAt) >= RequeueAfter) ||
			(m.State == MessageSending && now.Sub(m.SendingAt) >= ReleaseAfter) {
			stuck = append(stuck, m)
		}
	}
	return stuck
}

func noticeID(kind MessageKind, wave, id string) string {
	return strings.Join([]string{string(kind), wave, id}, ".")
}

// notice is an operator's message; its id makes it once per subject.
func notice(kind MessageKind, wave, id, subject string, day Date, now time.Time, details map[string]string) Message {
	return Message{
		ID: noticeID(kind, wave, id), Kind: kind, Wave: wave, Subject: subject,
		Day: day, State: MessageClaimed, ClaimedAt: now, Details: details,
	}
}

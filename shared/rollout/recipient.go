package rollout

import (
	"fmt"
	"slices"
	"time"
)

// HoldoutEvery is how many days lie between two messages to a holdout, and
// between two to the manager about them.
const HoldoutEvery = 7

// recipient is one person of a wave that is under way.
type recipient struct {
	*desk
	Account
	messages []Message // that the person was sent
	wave     WaveConfig
	record   Wave
	told     bool // of the date
	deadline Date // their own: the wave's, but never earlier than they were told
}

func (d *desk) recipient(a Account) (recipient, bool) {
	wave, ok := WaveOf(d.cfg, a, d.day)
	if !ok {
		return recipient{}, false
	}
	r := recipient{desk: d, Account: a, messages: d.sent[a.ID], wave: wave, record: d.known.Wave(wave.Name)}
	if !r.switched() && r.record.State != WaveAnnounced && r.record.State != WaveObserving && r.record.State != WaveHeld {
		return recipient{}, false
	}
	told, notice := noticeOf(r.messages)
	r.told, r.deadline = told, later(wave.Deadline, d.day.AddDays(NoticeDays))
	if told {
		r.deadline = later(wave.Deadline, notice.Deadline)
	}
	if e, extended := d.cfg.Extension(a, d.day); extended {
		r.deadline = later(r.deadline, e.Until.AddDays(1))
	}
	return r, true
}

func (r recipient) switched() bool {
	return r.record.State == WaveEnforced || r.record.State == WaveSettled
}

// due is the one message that the person is due: the first rule that has one. A
// new kind of message is a line here and a function.
func (r recipient) due() (Send, bool) {
	for _, rule := range []func() (Send, bool){
		r.notice, r.today, r.reminder, r.holdout, r.training, r.better, r.done,
	} {
		if send, due := rule(); due {
			return send, true
		}
	}
	return Send{}, false
}

// message makes one of the person's messages, unless it was sent before.
func (r recipient) message(kind MessageKind, window int, id, reason string) (Send, bool) {
	id = fmt.Sprintf("%s.%s.%s", id, r.wave.Name, r.ID)
	if slices.ContainsFunc(r.messages, func(m Message) bool { return m.ID == id }) {
		return Send{}, false
	}
	return Send{Reason: reason, Message: Message{
		ID: id, Kind: kind, Account: r.ID, Wave: r.wave.Name, Window: window,
		Day: r.day, Deadline: r.deadline, State: MessageClaimed, ClaimedAt: r.now,
	}}, true
}

// notice tells the person of the date. Who is capable after the switch has
// nothing to do, and nothing changes for them.
func (r recipient) notice() (Send, bool) {
	switch {
	case r.told, r.Capable == Yes && r.switched():
		return Send{}, false
	case r.Capable == Yes:
		return r.message(MessageReady, 0, nextNotice("ready", r.messages), "already capable: nothing to do")
	case r.switched() && r.Created.After(r.record.EnforcedAt):
		return r.message(MessageColleague, 0, nextNotice("colleague", r.messages), "joined after the switch")
	}
	return r.message(MessageAnnouncement, 0, nextNotice("announcement", r.messages), "the wave is announced")
}

// today says what happens at the next sign-in, on the very day: once the switch
// is made, since a wave that is held is not switched on its day, and nobody is
// told what is not so.
func (r recipient) today() (Send, bool) {
	if since, stopped := r.stoppedSince(); !stopped || since != r.day {
		return Send{}, false
	}
	send, due := r.message(MessageToday, 0, fmt.Sprintf("today-%s", r.day), "not capable on the day of the switch")
	send.Message.Deadline = r.day
	return send, due
}

func (r recipient) reminder() (Send, bool) {
	left := r.day.DaysUntil(r.deadline)
	window, in := reminderWindow(r.cfg.ReminderDays, left)
	if !r.told || r.Capable == Yes || !in {
		return Send{}, false
	}
	// With the day in its id: when the date moves, people are reminded anew.
	return r.message(MessageReminder, window, fmt.Sprintf("reminder-%d-%s", window, r.deadline), fmt.Sprintf("not capable %d days before the deadline", left))
}

func (r recipient) holdout() (Send, bool) {
	since := r.stoppedFor()
	count, last := countOf(r.messages, MessageHoldout)
	if since < 1 || count > 0 && last.DaysUntil(r.day) < HoldoutEvery {
		return Send{}, false
	}
	return r.message(MessageHoldout, 0, fmt.Sprintf("holdout-%d", count+1), fmt.Sprintf("not capable %d days after the switch", since))
}

// stoppedSince is the day from which a password alone does not let the person in.
func (r recipient) stoppedSince() (Date, bool) {
	if !r.told || r.Capable == Yes || !r.switched() {
		return Date{}, false
	}
	return later(DateOf(r.record.EnforcedAt.In(r.loc)), r.deadline), true
}

// stoppedFor is for how many days the person has been a holdout; 0: they are none.
func (r recipient) stoppedFor() int {
	since, stopped := r.stoppedSince()
	if !stopped {
		return 0
	}
	return max(0, since.DaysUntil(r.day))
}

// BetterDays are the windows of the better-method track, in days before SMS and
// voice end.
func BetterDays() []int { return []int{60, 30, 14, 7, 1} }

// PhoneEnds is the day on which Microsoft switches SMS and voice off.
func PhoneEnds() Date { return Date{2027, time.February, 1} }

// better asks for a better method, of those who have SMS or voice alone.
func (r recipient) better() (Send, bool) {
	left := r.day.DaysUntil(PhoneEnds())
	window, in := reminderWindow(BetterDays(), left)
	again := func(m Message) bool { return m.Kind == MessageBetter && m.Window == window }
	if r.Capable != Yes || r.Strength != StrengthWeak || !in || slices.ContainsFunc(r.messages, again) {
		return Send{}, false
	}
	return r.message(MessageBetter, window, fmt.Sprintf("better-%d", window), fmt.Sprintf("SMS or voice alone, %d days before they end", left))
}

// done confirms once, if the operator likes, that the person has registered. Who
// had SMS or voice alone hears of a better method instead.
func (r recipient) done() (Send, bool) {
	told, notice := noticeOf(r.messages)
	had, _ := countOf(r.messages, MessageDone)
	if !r.cfg.Communication.Done || r.Capable != Yes || r.Strength == StrengthWeak || !told || notice.Kind == MessageReady || had > 0 {
		return Send{}, false
	}
	return r.message(MessageDone, 0, "done", "has registered")
}

// noticeOf finds the message that told the person of the date.
func noticeOf(sent []Message) (told bool, notice Message) {
	i := slices.IndexFunc(sent, func(m Message) bool {
		return m.Kind.IsNotice() && m.State != MessageDropped && m.State != MessageBounced && !m.Redirected()
	})
	if i < 0 {
		return false, Message{}
	}
	return true, sent[i]
}

// countOf counts the messages of a kind, and says when the last one was.
func countOf(sent []Message, kind MessageKind) (count int, last Date) {
	for _, m := range sent {
		if m.Kind == kind {
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
		if m.Kind.IsNotice() {
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

package rollout

import (
	"slices"
	"strings"
	"time"
)

// PlanMessages says which person is due which message on the tenant's day of
// now, with the reason. It works in windows, not instants: a late run sends the
// newest due message and never a burst; nobody who is known capable is
// reminded; each mailbox gets at most one message a day, by the tenant's clock
// and by the reader's own, and none in the quiet hours or on a day on which
// nobody works, by the reader's clock; and nobody gets any while nobody knows
// who is capable by now. Everybody is looked at every time, so that nothing
// that cannot be sent stands in the way of what can.
func PlanMessages(cfg Config, seen Seen, known Known, now time.Time) []Action {
	if complete, _ := auditComplete(cfg, seen, now); cfg.Paused || !complete {
		return nil
	}
	if seen.Audit.Method == MethodSecurityDefaults {
		cfg.Extensions = nil // they know no exclusions: nobody gets more time
	}
	d := newDesk(cfg, seen, known, now)
	due := d.toPeople()
	due = append(due, d.toManagers()...) // after their own, which come first
	return append(d.firstOfEachMailbox(due), d.toOperator()...)
}

// desk is what one run knows of everybody.
type desk struct {
	cfg    Config
	known  Known
	people []Account
	sent   map[string][]Message // by account
	loc    *time.Location       // the tenant's
	clocks clocks
	day    Date // the tenant's
	now    time.Time
	// holdouts are found on the way: also those who cannot be written to.
	holdouts []holdout
}

func newDesk(cfg Config, seen Seen, known Known, now time.Time) *desk {
	loc := cfg.Location()
	return &desk{
		cfg: cfg, known: known, people: seen.Accounts, sent: messagesByAccount(known.Messages),
		loc: loc, clocks: newClocks(loc), day: DateOf(now.In(loc)), now: now,
	}
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

// reachable reports whether the person can be written to now.
func (d *desk) reachable(a Account) bool {
	_, bounced := d.known.Unreachable[a.ID]
	return !bounced && a.Mail != "" && IsPerson(d.cfg, a) && d.cfg.mayWrite(d.clocks.of(a), d.now)
}

// toPeople are the messages that are due to people of the rollout. It finds the
// holdouts on the way, those who cannot be written to among them.
func (d *desk) toPeople() []Send {
	var due []Send
	for _, a := range d.people {
		if !IsPerson(d.cfg, a) {
			continue
		}
		r, ok := d.recipient(a)
		if !ok {
			continue
		}
		if days := r.stoppedFor(); days > 0 {
			d.holdouts = append(d.holdouts, holdout{a, r.wave.Name, days})
		}
		if !d.reachable(a) {
			continue
		}
		if send, ok := r.due(); ok {
			due = append(due, send)
		}
	}
	return due
}

// firstOfEachMailbox leaves one message to each mailbox that got none today. Some
// people have two accounts with one mailbox: the one that waits longer is first.
func (d *desk) firstOfEachMailbox(due []Send) []Action {
	mailbox, had := map[string]string{}, map[string]bool{}
	for _, a := range d.people {
		box := strings.ToLower(a.Mail)
		mailbox[a.ID] = box
		had[box] = had[box] || d.wroteToday(a)
	}
	first := map[string]Send{}
	for _, send := range due {
		box := mailbox[send.Message.Account]
		other, taken := first[box]
		if had[box] || taken && !d.lastTo(send.Message.Account).Before(d.lastTo(other.Message.Account)) {
			continue
		}
		first[box] = send
	}
	var actions []Action
	for _, send := range due {
		if first[mailbox[send.Message.Account]].Message.ID == send.Message.ID {
			actions = append(actions, send)
		}
	}
	return actions
}

// wroteToday: today by the tenant's clock or by the person's own.
func (d *desk) wroteToday(a Account) bool {
	own := d.clocks.of(a)
	return slices.ContainsFunc(d.sent[a.ID], func(m Message) bool {
		return m.Day == d.day || !m.ClaimedAt.IsZero() && DateOf(m.ClaimedAt.In(own)) == DateOf(d.now.In(own))
	})
}

func (d *desk) lastTo(account string) Date {
	var last Date
	for _, m := range d.sent[account] {
		last = later(last, m.Day)
	}
	return last
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

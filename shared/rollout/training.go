package rollout

import (
	"fmt"
	"strconv"
	"time"
)

// What the message of an invitation remembers, so that a later one can move it
// or call it off.
const (
	detailTitle     = "title"
	detailStart     = "start"
	detailMinutes   = "minutes"
	detailJoin      = "join"
	detailRecording = "recording"
	detailSequence  = "sequence"
	detailCancelled = "cancelled"
)

// Invitation is what a message of kind [MessageTraining] says: the session, how
// many messages about it went to this person before, and whether it is called off.
type Invitation struct {
	Training  Training
	Sequence  int // as iCalendar counts (RFC 5545, 3.8.7.4)
	Cancelled bool
}

// InvitationOf reads an invitation out of its message.
func InvitationOf(m Message) Invitation {
	minutes, _ := strconv.Atoi(m.Details[detailMinutes]) // written by details below
	sequence, _ := strconv.Atoi(m.Details[detailSequence])
	return Invitation{
		Training: Training{
			Title: m.Details[detailTitle], Start: m.Details[detailStart], Minutes: minutes,
			Join: m.Details[detailJoin], Recording: m.Details[detailRecording],
		},
		Sequence: sequence, Cancelled: m.Details[detailCancelled] != "",
	}
}

func (i Invitation) details() map[string]string {
	d := map[string]string{
		detailTitle: i.Training.Title, detailStart: i.Training.Start, detailMinutes: strconv.Itoa(i.Training.Minutes),
		detailJoin: i.Training.Join, detailRecording: i.Training.Recording, detailSequence: strconv.Itoa(i.Sequence),
	}
	if i.Cancelled {
		d[detailCancelled] = "yes"
	}
	return d
}

// Span is when the session begins and ends; false: there is none.
func (t Training) Span(loc *time.Location) (start, end time.Time, ok bool) {
	start, err := time.ParseInLocation(TrainingLayout, t.Start, loc)
	if err != nil || t.Title == "" || t.Minutes <= 0 {
		return time.Time{}, time.Time{}, false
	}
	return start, start.Add(time.Duration(t.Minutes) * time.Minute), true
}

// ahead: the session is there and has not begun.
func (t Training) ahead(loc *time.Location, now time.Time) bool {
	start, _, ok := t.Span(loc)
	return ok && now.Before(start)
}

// training invites whoever has to act, once they were told of the date, and
// keeps their calendars right: whoever was invited hears when the session moves
// or is called off, also once they have registered, as long as it has not begun.
func (r recipient) training() (Send, bool) {
	session := r.cfg.Communication.Training
	count, _ := countOf(r.messages, MessageTraining)
	next, reason := Invitation{Training: session, Sequence: count}, "has to act: invited to the training"
	last, invited := r.lastInvitation()
	_, _, there := session.Span(r.loc)
	switch {
	case !invited || !last.ahead(r.loc, r.now):
		if !r.told || r.Capable == Yes || !session.ahead(r.loc, r.now) {
			return Send{}, false
		}
	case last == session, there && !session.ahead(r.loc, r.now):
		return Send{}, false // nothing new; or moved into the past, which is a slip of the pen
	case there:
		reason = "the training has changed"
	default:
		next.Training, next.Cancelled, reason = last, true, "the training is called off"
	}
	send, due := r.message(MessageTraining, 0, fmt.Sprintf("training-%d", count+1), reason)
	send.Message.Details = next.details()
	return send, due
}

// lastInvitation is the session that stands in the person's calendar.
func (r recipient) lastInvitation() (last Training, stands bool) {
	sequence := -1
	for _, m := range r.messages {
		if m.Kind != MessageTraining || m.State == MessageDropped || m.State == MessageBounced || m.Redirected() {
			continue
		}
		if i := InvitationOf(m); i.Sequence > sequence {
			last, stands, sequence = i.Training, !i.Cancelled, i.Sequence
		}
	}
	return last, stands
}

// invitationHolds: what the message says is still so.
func invitationHolds(cfg Config, m Message, loc *time.Location, now time.Time) bool {
	invitation, session := InvitationOf(m), cfg.Communication.Training
	if invitation.Cancelled {
		return invitation.Training != session && invitation.Training.ahead(loc, now)
	}
	return invitation.Training == session && session.ahead(loc, now)
}

package mail

import (
	"fmt"
	"time"

	ics "github.com/arran4/golang-ical"
)

// Invitation is an appointment in a message: the reader's calendar takes it in,
// moves it or takes it out again.
type Invitation struct {
	// UID is the appointment's for good: a later message with the same one and a
	// greater Sequence changes it.
	UID       string
	Sequence  int
	Cancelled bool
	Title     Line
	// Description is read by whoever may see the calendar; empty: none.
	Description string
	Start       time.Time
	End         time.Time
	Place       string // a link; empty: none
	Organizer   Address
	Attendees   []Address
	// Aside: it is private, and shown as free time. It takes a few minutes of a long
	// window, and is nobody's business.
	Aside bool
}

// Calendar writes an invitation as iCalendar: METHOD REQUEST, or CANCEL for one
// that is called off. Times are in UTC, which needs no table of time zones and
// which every calendar shows in its own. No answer is asked for: a help desk
// drowns in them. The same inputs give the same bytes.
// Source: https://www.rfc-editor.org/rfc/rfc5546#section-3.2
func Calendar(i Invitation, stamp time.Time) ([]byte, error) {
	if i.UID == "" || i.Start.IsZero() || !i.Start.Before(i.End) {
		return nil, fmt.Errorf("calendar file: expected an id, a beginning and a later end, got %q, %s and %s", i.UID, i.Start, i.End)
	}
	calendar := ics.NewCalendarFor("Sallyport")
	calendar.SetProductId("-//Sallyport//EN")
	calendar.SetMethod(i.method())
	event := calendar.AddEvent(i.UID)
	event.SetSequence(i.Sequence)
	event.SetDtStampTime(stamp)
	event.SetStartAt(i.Start)
	event.SetEndAt(i.End)
	event.SetSummary(i.Title.String())
	event.SetStatus(ics.ObjectStatusConfirmed)
	if i.Cancelled {
		event.SetStatus(ics.ObjectStatusCancelled)
	}
	if i.Place != "" {
		event.SetLocation(i.Place)
		event.SetURL(i.Place)
	}
	if i.Description != "" {
		event.SetDescription(i.Description)
	}
	if i.Aside {
		event.SetClass(ics.ClassificationPrivate)
		event.SetTimeTransparency(ics.TransparencyTransparent)
	}
	event.SetOrganizer(i.Organizer.Email, ics.WithCN(i.Organizer.Name.String()))
	for _, a := range i.Attendees {
		event.AddAttendee(a.Email, ics.WithCN(a.Name.String()), ics.ParticipationRoleOptParticipant, ics.WithRSVP(false))
	}
	return []byte(calendar.Serialize(ics.WithNewLineWindows)), nil
}

func (i Invitation) method() ics.Method {
	if i.Cancelled {
		return ics.MethodCancel
	}
	return ics.MethodRequest
}

package mail

import (
	"errors"
	"fmt"
	"time"

	ics "github.com/arran4/golang-ical"
	gomail "github.com/wneessen/go-mail"
)

// Event is what a message puts into its readers' calendars. The same UID with a
// higher Sequence moves it there; Cancelled takes it out again.
type Event struct {
	UID           string
	Sequence      int
	Stamp         time.Time // when this version of it was made
	Opens, Closes time.Time
	// Summary and Description are read by whoever may see the calendar: no account
	// and no place stands in them.
	Summary, Description string
	Cancelled            bool
}

// calendarFile writes the event as a calendar asks for it: a request (or its
// cancellation) from the sender to everybody who is written to. A file that is
// only published could not be moved or taken back. Its times are in UTC, so that
// it needs no table of time zones and no clock change can shift it; it is shown
// as free time, because nobody is busy for a week.
// Source: https://www.rfc-editor.org/rfc/rfc5546#section-3.2
func (h Header) calendarFile() (text string, kind gomail.ContentType, err error) {
	e := h.Event
	switch {
	case e.UID == "":
		return "", "", errors.New("the calendar event has no id")
	case e.Stamp.IsZero() || !e.Opens.Before(e.Closes):
		return "", "", errors.New("the calendar event ends before it begins")
	}
	method, status := ics.MethodRequest, ics.ObjectStatusConfirmed
	if e.Cancelled {
		method, status = ics.MethodCancel, ics.ObjectStatusCancelled
	}
	c := ics.NewCalendar()
	c.SetProductId("-//Sallyport//Drills//EN")
	c.SetMethod(method)
	event := c.AddEvent(escaped(e.UID, ".") + "@sallyport." + h.From.domain())
	event.SetDtStampTime(e.Stamp)
	event.SetSequence(e.Sequence)
	event.SetStartAt(e.Opens)
	event.SetEndAt(e.Closes)
	event.SetSummary(oneLine(e.Summary))
	event.SetDescription(e.Description)
	event.SetStatus(status)
	event.SetClass(ics.ClassificationPrivate)
	event.SetTimeTransparency(ics.TransparencyTransparent)
	event.SetOrganizer(h.From.Email)
	for _, to := range h.To {
		event.AddAttendee(to.Email, ics.ParticipationStatusNeedsAction, &ics.KeyValues{Key: string(ics.ParameterRsvp), Value: []string{"FALSE"}})
	}
	return c.Serialize(ics.WithNewLineWindows), gomail.ContentType(fmt.Sprintf("text/calendar; method=%s", method)), nil
}

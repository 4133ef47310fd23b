package mail

import (
	"errors"
	"time"

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

// calendarFile writes the event for the calendars of everybody who is written to.
// A file that is only published could not be moved or taken back.
func (h Header) calendarFile() (text string, kind gomail.ContentType, err error) {
	e := h.Event
	if e.Stamp.IsZero() {
		return "", "", errors.New("nobody knows when the calendar event was made")
	}
	i := Invitation{
		UID: escaped(e.UID, ".") + "@sallyport." + h.From.domain(), Sequence: e.Sequence, Cancelled: e.Cancelled,
		Title: Line(e.Summary), Description: e.Description, Start: e.Opens, End: e.Closes,
		Organizer: h.From, Attendees: h.To, Aside: true,
	}
	if e.UID == "" {
		i.UID = ""
	}
	file, err := Calendar(i, e.Stamp)
	return string(file), gomail.ContentType("text/calendar; method=" + string(i.method())), err
}

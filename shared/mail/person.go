package mail

import (
	"slices"
	"time"

	"sallyport/shared/rollout"
)

// Person is what every message to a person knows of them and of whom they ask.
type Person struct {
	Name         Name // empty: greeted without a name
	Account      Line // the name they sign in with; some people have two accounts
	Organization Name
	HelpDesk     rollout.HelpDesk // Phone and Hours may be empty
}

// Announcement says what changes, when, and what to do. It goes to everybody who
// still has to act, at least 14 days before the deadline.
type Announcement struct {
	Person
	Deadline rollout.Date
	From     Line      // the sender's address: how to tell that the mail is genuine
	Training *Training // nil: none is offered
}

// Training is the optional session.
type Training struct {
	Title     Line
	Start     time.Time
	Zone      *time.Location
	Minutes   int
	Join      string // https link
	Recording string // https link; empty: none
}

// Ready goes to those who are already capable, instead of the announcement:
// nothing to do, and what they will notice.
type Ready struct {
	Person
	Deadline rollout.Date // until when the second step is asked of them at the latest
	// PhoneEnds is set for a person whose only methods are text message and
	// voice call: the day on which Microsoft switches those off.
	PhoneEnds rollout.Date
}

// Reminder goes only to those who still have to act. It counts the days that are
// really left on the day it is sent, whichever window it belongs to.
type Reminder struct {
	Person
	Today    rollout.Date // in the tenant's time zone
	Deadline rollout.Date
	Window   int   // this reminder's window: days before the deadline
	Windows  []int // all windows, as configured
}

// DaysLeft is how many days there are until the deadline; 0 on the day itself,
// negative after it (a wave that is held).
func (r Reminder) DaysLeft() int { return r.Today.DaysUntil(r.Deadline) }

// Last reports whether no reminder follows: it says what will stop working.
func (r Reminder) Last() bool {
	return r.DaysLeft() <= 1 || len(r.Windows) == 0 || r.Window <= slices.Min(r.Windows)
}

// First reports whether it is the first of several, and so the longest.
func (r Reminder) First() bool { return !r.Last() && r.Window >= slices.Max(r.Windows) }

// Holdout goes to a person who is stopped since the switch: how to get in.
type Holdout struct {
	Person
	Since rollout.Date // the day of the switch
}

// Kind says which message it is.
func (Announcement) Kind() rollout.MessageKind { return rollout.MessageAnnouncement }

// Kind says which message it is.
func (Ready) Kind() rollout.MessageKind { return rollout.MessageReady }

// Kind says which message it is.
func (Reminder) Kind() rollout.MessageKind { return rollout.MessageReminder }

// Kind says which message it is.
func (Holdout) Kind() rollout.MessageKind { return rollout.MessageHoldout }

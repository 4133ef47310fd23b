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

// Today goes out on the morning of the switch to those who still have to act:
// what happens at the next sign-in, and how long it takes.
type Today struct {
	Person
	Deadline rollout.Date // today
}

// Colleague goes, instead of the announcement, to whoever joins after the switch.
type Colleague struct {
	Person
	Deadline rollout.Date // from when the second step is asked of them
	From     Line
	Training *Training // nil: none is offered
}

// Session invites whoever has to act to the training, says what has changed of
// it, or that it is called off. Its mail carries an [Invitation].
type Session struct {
	Person
	Training
	Deadline  rollout.Date
	Sequence  int // how many messages about it this person had before
	Cancelled bool
}

// Changed reports whether the person knows of another time or place.
func (s Session) Changed() bool { return s.Sequence > 0 && !s.Cancelled }

// Better asks for a better method, of those who have text message or voice call
// alone.
type Better struct {
	Person
	Today rollout.Date // in the tenant's time zone
	Ends  rollout.Date // the day on which Microsoft switches those off
}

// DaysLeft is how many days there are until then.
func (b Better) DaysLeft() int { return b.Today.DaysUntil(b.Ends) }

// Done confirms that the second step is set up.
type Done struct{ Person }

// Team tells a manager who of theirs is stopped: one message for all of them.
type Team struct {
	Name         Name // the manager's; empty: greeted without a name
	Organization Name
	HelpDesk     rollout.HelpDesk
	People       []Member
	More         int // how many it does not name
}

// Member is a person who is named to somebody who can help them.
type Member struct {
	Name    Name
	Account Line
}

// All is how many people it is about.
func (t Team) All() int { return len(t.People) + t.More }

// Kind says which message it is.
func (Today) Kind() rollout.MessageKind { return rollout.MessageToday }

// Kind says which message it is.
func (Colleague) Kind() rollout.MessageKind { return rollout.MessageColleague }

// Kind says which message it is.
func (Session) Kind() rollout.MessageKind { return rollout.MessageTraining }

// Kind says which message it is.
func (Better) Kind() rollout.MessageKind { return rollout.MessageBetter }

// Kind says which message it is.
func (Done) Kind() rollout.MessageKind { return rollout.MessageDone }

// Kind says which message it is.
func (Team) Kind() rollout.MessageKind { return rollout.MessageTeam }

// Kind says which message it is.
func (Announcement) Kind() rollout.MessageKind { return rollout.MessageAnnouncement }

// Kind says which message it is.
func (Ready) Kind() rollout.MessageKind { return rollout.MessageReady }

// Kind says which message it is.
func (Reminder) Kind() rollout.MessageKind { return rollout.MessageReminder }

// Kind says which message it is.
func (Holdout) Kind() rollout.MessageKind { return rollout.MessageHoldout }

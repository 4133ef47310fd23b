package mail

import (
	"time"

	"sallyport/shared/rollout"
)

// Notice is what every message to the operator knows. One operator may look
// after many tenants, so each names its own.
type Notice struct {
	Organization Name
	Tenant       rollout.TenantID
	Zone         *time.Location // the tenant's; its times are written in it
}

// Hold says that a wave has come to its deadline and was not switched.
type Hold struct {
	Notice
	Wave     Name
	Deadline rollout.Date
	Gates    []Gate    // those that fail
	Earliest time.Time // the next moment at which it may be switched; zero: not known
}

// Gate is one check that fails.
type Gate struct {
	ID       Line // as it is named in rollout.yaml
	Question Line
	Evidence Line
	Remedy   Line
}

// Switched says that a wave now demands MFA.
type Switched struct {
	Notice
	Wave   Name
	At     time.Time
	Policy Line // the policy that was switched, or "Security Defaults"
	People int  // whom the wave holds
	// Exposure is for how long nothing demanded MFA while Security Defaults gave
	// way to the policies; empty where they were not on.
	Exposure Line
}

// RolledBack says that the circuit breaker took a wave's demand back.
type RolledBack struct {
	Notice
	Wave   Name
	At     time.Time
	Policy Line
	Reason Line // which limit was passed, by how much
}

// LockOuts says to the help desk who is locked out and why.
type LockOuts struct {
	Notice
	Rows []LockOut // those with the most to lose first
}

// LockOut is one person who is locked out.
type LockOut struct {
	Name     Name
	Account  Line
	Cause    Line
	Advice   Line
	Attempts int
	Since    time.Time
}

// mostRows is how many people one message lists: nobody works through more of
// them in a mail.
const mostRows = 100

// Shown are the rows that the message lists.
func (l LockOuts) Shown() []LockOut { return l.Rows[:min(len(l.Rows), mostRows)] }

// More is how many rows it leaves out.
func (l LockOuts) More() int { return len(l.Rows) - len(l.Shown()) }

// Drill says that an emergency account has to be tried, by whom, and when; or
// that it need not be after all.
type Drill struct {
	Notice
	Account          Name // which one, as people call it
	Opens, Closes    time.Time
	Custodian        Name
	PasswordLocation Line // where it lies, never the password
	Plan             string
	// Cause is why it is due.
	Cause rollout.DrillCause
	// Stage says which word this is: that it will be, that it has moved, that its
	// window is open now, that it is cancelled.
	Stage DrillStage
	Why   Line // why it is cancelled
}

// DrillStage is which word about a drill a message is.
type DrillStage string

// The stages.
const (
	DrillAhead     DrillStage = "ahead"
	DrillMoved     DrillStage = "moved"
	DrillOpen      DrillStage = "open"
	DrillCancelled DrillStage = "cancelled"
)

// From is the day on which the window opens, in the tenant's time zone.
func (d Drill) From() rollout.Date { return rollout.DateOf(d.Opens.In(d.Zone)) }

// Event is the drill in its custodian's calendar.
func (d Drill) Event(uid string, sequence int, stamp time.Time) *Event {
	return &Event{
		UID: uid, Sequence: sequence, Stamp: stamp, Opens: d.Opens, Closes: d.Closes, Cancelled: d.Stage == DrillCancelled,
		Summary:     "Sign-in drill: once within this time",
		Description: "Sallyport asked you by mail to try something once. The mail says what and how; choose any moment within this time.",
	}
}

// Closing is the summary at the end of a rollout.
type Closing struct {
	Notice
	Start, End Coverage
	Waves      []ClosedWave
	Counts     []Count
}

// ClosedWave is one wave, looked back on.
type ClosedWave struct {
	Name     Name
	Deadline rollout.Date // unset for a wave without one
	Enforced time.Time
}

// Count is a number with what it counts: "reminders sent", 412.
type Count struct {
	What Line
	N    int
}

// Coverage is how many people had a second step on a day.
type Coverage struct {
	Day          rollout.Date
	Capable, All int
	Weak         int     // of the capable, those with text message or voice call only
	Percent      float64 // as [rollout.Coverage.Percent] rounds it
}

// CoverageOf takes from a point of the table what the closing summary says.
func CoverageOf(p rollout.CoveragePoint) Coverage {
	c := p.Coverage
	return Coverage{Day: p.Day, Capable: c.Capable, All: c.All, Weak: c.Weak, Percent: c.Percent()}
}

// Holdouts says to the operator who is stopped since a week or more, by name.
type Holdouts struct {
	Notice
	Wave   Name
	At     time.Time // when it was so
	People []Member
	More   int // how many it does not name
}

// All is how many people it is about.
func (h Holdouts) All() int { return len(h.People) + h.More }

// Kind says which message it is.
func (Holdouts) Kind() rollout.MessageKind { return rollout.MessageHoldouts }

// Kind says which message it is.
func (Hold) Kind() rollout.MessageKind { return rollout.MessageHold }

// Kind says which message it is.
func (Switched) Kind() rollout.MessageKind { return rollout.MessageSwitched }

// Kind says which message it is.
func (RolledBack) Kind() rollout.MessageKind { return rollout.MessageRollback }

// Kind says which message it is.
func (LockOuts) Kind() rollout.MessageKind { return rollout.MessageLockOut }

// Kind says which message it is.
func (Drill) Kind() rollout.MessageKind { return rollout.MessageDrill }

// Kind says which message it is.
func (Closing) Kind() rollout.MessageKind { return rollout.MessageClosing }

package mail

import (
	"time"

	"sallyport/shared/rollout"
)

// Blast says, some days before a switch, whom it would stop.
type Blast struct {
	Notice
	Wave     Name
	Deadline rollout.Date
	Days     int // until it is switched
	At       time.Time
	Count    int // of all whom it would stop
	Open     int // of these, who was not provably told in time and was not accepted
	Rows     []BlastRow
}

// BlastRow is one account that would be stopped.
type BlastRow struct {
	Name    Name
	Account Line
	Why     Line
	Told    Line // what it was told, and whether that arrived
}

// Shown are the rows that the message lists.
func (b Blast) Shown() []BlastRow { return b.Rows[:min(len(b.Rows), mostRows)] }

// More is how many accounts it leaves out.
func (b Blast) More() int { return b.Count - len(b.Shown()) }

// Task says that something waits for the operator's decision: an exemption that
// ends, more changes at once than a run makes by itself, somebody else in
// Sallyport's group.
type Task struct {
	Notice
	Title  Line
	Text   Line
	Remedy Line
	At     time.Time
	Rows   []TaskRow
	Count  int // of all accounts that it is about
}

// TaskRow is one account that a task is about.
type TaskRow struct {
	Name    Name
	Account Line
}

// Shown are the rows that the message lists.
func (t Task) Shown() []TaskRow { return t.Rows[:min(len(t.Rows), mostRows)] }

// More is how many accounts it leaves out.
func (t Task) More() int { return t.Count - len(t.Shown()) }

// Kind says which message it is.
func (Blast) Kind() rollout.MessageKind { return rollout.MessageBlast }

// Kind says which message it is.
func (Task) Kind() rollout.MessageKind { return rollout.MessageTask }

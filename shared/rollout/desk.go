package rollout

import (
	"slices"
	"time"
)

// The lock-out desk: how what it finds in the log is laid over what it recorded
// before, and when the help desk is told.

// DeskLookBack is how far before its last reading the desk reads again: rows
// arrive late, and a failure is none until it is an hour old.
const DeskLookBack = PollOverlap + LockOutAfter

// WorkingTime reports whether the help desk can be expected to read: when people
// are written to, by the tenant's clock. A lock-out that is found outside of it
// waits for the next morning.
func WorkingTime(cfg Config, now time.Time) bool { return cfg.mayWrite(cfg.Location(), now) }

// HistoryFrom is from when a person's sign-ins have to be read so that what is
// found can be laid over what was recorded (stored, of that person alone): from
// is where the desk's own reading begins. A lock-out that reaches into the
// reading is read from its start, and what was before somebody registered is
// over.
func HistoryFrom(stored []LockOut, from time.Time) time.Time {
	var over time.Time
	for _, l := range stored {
		if l.ClosedBy == ClosedByRegistering && l.ClosedAt.After(over) {
			over = l.ClosedAt
		}
	}
	begin := from
	for moved := true; moved; {
		moved = false
		for _, l := range stored {
			reaches := l.ClosedAt.IsZero() || !l.ClosedAt.Before(begin)
			// An earlier row may still come: rows are late.
			if early := l.OpenedAt.Add(-PollOverlap); l.ClosedBy != ClosedByRegistering && reaches && early.Before(begin) {
				begin, moved = early, true
			}
		}
	}
	if begin.Before(over) {
		begin = over
	}
	return begin
}

// LockOutChange is one record of the desk that changes. Before without After was
// none after all: a success that came late shows it. After without Before is
// new. With both, the record goes on as After, perhaps from another OpenedAt.
type LockOutChange struct {
	Before, After *LockOut
}

// Reconcile lays the lock-outs found in the sign-ins of one person, read from
// begin on, over those recorded of that person, and returns what changes. Once
// every row has come, the records are those that [FindLockOuts] makes of all
// rows at once, whatever their order: that is the desk's property.
func Reconcile(stored, found []LockOut, begin time.Time) []LockOutChange {
	var changes []LockOutChange
	used := map[int]bool{}
	for _, f := range found {
		i := slices.IndexFunc(stored, func(l LockOut) bool {
			return !l.OpenedAt.Before(begin) && l.ClosedBy != ClosedByRegistering && overlap(l, f)
		})
		if i < 0 {
			changes = append(changes, LockOutChange{After: &f})
			continue
		}
		before := stored[i]
		// What the help desk was told holds for every part of a record that falls
		// apart.
		f.ToldIn, f.ToldKind = before.ToldIn, before.ToldKind
		if used[i] {
			changes = append(changes, LockOutChange{After: &f})
			continue
		}
		used[i] = true
		f.Version = before.Version
		if !sameIncident(before, f) {
			changes = append(changes, LockOutChange{Before: &before, After: &f})
		}
	}
	for i, l := range stored {
		if !used[i] && !l.OpenedAt.Before(begin) && l.ClosedBy != ClosedByRegistering {
			changes = append(changes, LockOutChange{Before: &l})
		}
	}
	return changes
}

// overlap reports whether two lock-outs of one person share an instant.
func overlap(x, y LockOut) bool {
	return (x.ClosedAt.IsZero() || !y.OpenedAt.After(x.ClosedAt)) && (y.ClosedAt.IsZero() || !x.OpenedAt.After(y.ClosedAt))
}

func sameIncident(x, y LockOut) bool {
	return x.OpenedAt.Equal(y.OpenedAt) && x.LastAt.Equal(y.LastAt) && x.ClosedAt.Equal(y.ClosedAt) && x.ClosedBy == y.ClosedBy &&
		x.Kind == y.Kind && x.Cause == y.Cause && x.Advice == y.Advice && x.Attempts == y.Attempts &&
		slices.Equal(x.Codes, y.Codes) && slices.Equal(x.Policies, y.Policies)
}

// IsNews reports whether the help desk has to hear of a lock-out: it is open, and
// they were not told of it, or of another cause.
func IsNews(l LockOut) bool {
	return l.ClosedAt.IsZero() && (l.ToldIn == "" || l.ToldKind != l.Kind)
}

package store_test

import (
	"errors"
	"testing"
	"time"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// lockOutsChange: a lock-out is made, goes on, begins earlier, and is none after
// all; each time only from what was read.
func lockOutsChange(t *testing.T, s *store.Store) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	stored := func() []rollout.LockOut { return must(s.LockOuts(t.Context(), contoso))(t) }
	first := rollout.LockOut{Account: "ana", OpenedAt: at(10), Attempts: 1}
	ok(t, s.ChangeLockOut(t.Context(), contoso, rollout.LockOutChange{After: &first}))
	first.Version = 1
	same(t, []rollout.LockOut{first}, stored())

	more := first
	more.Attempts = 2
	ok(t, s.ChangeLockOut(t.Context(), contoso, rollout.LockOutChange{Before: &first, After: &more}))
	more.Version = 2
	same(t, []rollout.LockOut{more}, stored())

	earlier := more
	earlier.OpenedAt, earlier.Attempts = at(5), 3
	ok(t, s.ChangeLockOut(t.Context(), contoso, rollout.LockOutChange{Before: &more, After: &earlier}))
	earlier.Version = 1
	same(t, []rollout.LockOut{earlier}, stored())

	// Somebody read the record before it moved on: nothing of theirs is written.
	stale := earlier
	stale.Version = 7
	elsewhere := rollout.LockOut{Account: "ana", OpenedAt: at(1)}
	for name, change := range map[string]rollout.LockOutChange{
		"new once more": {After: &earlier}, "moved on": {Before: &stale, After: &earlier}, "moved elsewhere": {Before: &stale, After: &elsewhere}, "dropped": {Before: &stale},
	} {
		if err := s.ChangeLockOut(t.Context(), contoso, change); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: error %v, want ErrConflict", name, err)
		}
	}
	same(t, []rollout.LockOut{earlier}, stored())

	ok(t, s.ChangeLockOut(t.Context(), contoso, rollout.LockOutChange{Before: &earlier}))
	if left := stored(); len(left) != 0 {
		t.Errorf("left %+v, want none", left)
	}
}

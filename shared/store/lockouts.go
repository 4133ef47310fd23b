package store

import (
	"context"

	"sallyport/shared/rollout"
)

// LockOuts lists every lock-out, open or closed, by account and by when it began.
func (s *Store) LockOuts(ctx context.Context, t rollout.TenantID) ([]rollout.LockOut, error) {
	return list[rollout.LockOut](ctx, s, t, kindLockOut)
}

// PutLockOut records a lock-out. Account and OpenedAt say which one it is, so
// neither may change. l.Version is the version that was read, 0 for a new one;
// ErrConflict if it moved on.
func (s *Store) PutLockOut(ctx context.Context, t rollout.TenantID, l rollout.LockOut) error {
	read := l.Version
	l.Version++
	return s.replace(ctx, lockOutKey(t, l.Account, l.OpenedAt), read, l)
}

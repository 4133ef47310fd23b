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

// ChangeLockOut moves a lock-out on: after takes the place of before, which was
// read, perhaps from another OpenedAt. Without before it is new; without after
// there was none after all, and the record goes. ErrConflict if it moved on.
func (s *Store) ChangeLockOut(ctx context.Context, t rollout.TenantID, change rollout.LockOutChange) error {
	before, after := change.Before, change.After
	if before == nil {
		fresh := *after
		fresh.Version = 0
		return s.PutLockOut(ctx, t, fresh)
	}
	if after != nil && after.OpenedAt.Equal(before.OpenedAt) {
		moved := *after
		moved.Version = before.Version
		return s.PutLockOut(ctx, t, moved)
	}
	writes := []Write{{Item: Item{Key: lockOutKey(t, before.Account, before.OpenedAt)}, Delete: true, If: VersionIs(before.Version)}}
	if after != nil {
		moved := *after
		moved.Version = 1
		writes = append(writes, Write{Item: Item{Key: lockOutKey(t, after.Account, after.OpenedAt), Version: 1, Data: moved}, If: Absent()})
	}
	return s.write(ctx, writes...)
}

package store

import (
	"context"

	"sallyport/shared/rollout"
)

// Groups lists the groups that Sallyport created or is about to: the only ones
// it may fill. They are ordered by purpose.
func (s *Store) Groups(ctx context.Context, t rollout.TenantID) ([]rollout.OwnedGroup, error) {
	return list[rollout.OwnedGroup](ctx, s, t, kindGroup)
}

// PutGroup records the group of a purpose; there is one for each. g.Version is
// the version that was read, 0 for a new one; ErrConflict if it moved on.
func (s *Store) PutGroup(ctx context.Context, t rollout.TenantID, g rollout.OwnedGroup) error {
	read := g.Version
	g.Version++
	return s.replace(ctx, groupKey(t, g.Purpose), read, g)
}

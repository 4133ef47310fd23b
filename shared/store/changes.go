package store

import (
	"cmp"
	"context"
	"slices"

	"sallyport/shared/rollout"
)

// PutChange writes a line of the change log: the intent as a new one, its result
// with the version that was read. ErrConflict if it moved on. Lines never expire.
func (s *Store) PutChange(ctx context.Context, t rollout.TenantID, c rollout.Change) error {
	read := c.Version
	c.Version++
	return s.replace(ctx, changeKey(t, c.ID), read, c)
}

// Changes lists the change log, earliest first; lines of the same instant by id.
func (s *Store) Changes(ctx context.Context, t rollout.TenantID) ([]rollout.Change, error) {
	changes, err := list[rollout.Change](ctx, s, t, kindChange)
	slices.SortFunc(changes, func(a, b rollout.Change) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	return changes, err
}

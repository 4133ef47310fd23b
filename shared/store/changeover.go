package store

import (
	"context"
	"errors"

	"sallyport/shared/rollout"
)

// ChangeOver returns the newest change-over from Security Defaults; the zero
// value if there was none.
func (s *Store) ChangeOver(ctx context.Context, t rollout.TenantID) (rollout.ChangeOver, error) {
	c, err := get[rollout.ChangeOver](ctx, s, changeOverKey(t))
	if errors.Is(err, ErrNotFound) {
		return rollout.ChangeOver{}, nil
	}
	return c, err
}

// PutChangeOver begins a change-over or ends it. c.Version is the version that
// was read, 0 for the first; ErrConflict if it moved on.
func (s *Store) PutChangeOver(ctx context.Context, t rollout.TenantID, c rollout.ChangeOver) error {
	read := c.Version
	c.Version++
	return s.replace(ctx, changeOverKey(t), read, c)
}

package store

import (
	"context"
	"errors"

	"sallyport/shared/rollout"
)

// Pause returns whether the operator paused the tenant by hand; nobody did where
// there is no record.
func (s *Store) Pause(ctx context.Context, t rollout.TenantID) (rollout.Pause, error) {
	p, err := get[rollout.Pause](ctx, s, pauseKey(t))
	if errors.Is(err, ErrNotFound) {
		return rollout.Pause{}, nil
	}
	return p, err
}

// PutPause pauses a tenant, or lets it go on. p.Version is the version that was
// read, 0 for the first; ErrConflict if it moved on.
func (s *Store) PutPause(ctx context.Context, t rollout.TenantID, p rollout.Pause) error {
	read := p.Version
	p.Version++
	return s.replace(ctx, pauseKey(t), read, p)
}

// Orders lists every order that an operator gave, by id: the earliest first.
func (s *Store) Orders(ctx context.Context, t rollout.TenantID) ([]rollout.Order, error) {
	return list[rollout.Order](ctx, s, t, kindOrder)
}

// PutOrder gives an order or says what became of it. o.Version is the version
// that was read, 0 for a new one; ErrConflict if it moved on.
func (s *Store) PutOrder(ctx context.Context, t rollout.TenantID, o rollout.Order) error {
	read := o.Version
	o.Version++
	return s.replace(ctx, orderKey(t, o.ID), read, o)
}

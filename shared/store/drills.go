package store

import (
	"context"

	"sallyport/shared/rollout"
)

// Drills lists every drill, open or not, by id.
func (s *Store) Drills(ctx context.Context, t rollout.TenantID) ([]rollout.Drill, error) {
	return list[rollout.Drill](ctx, s, t, kindDrill)
}

// PutDrill opens or closes a drill. d.Version is the version that was read, 0
// for a new one; ErrConflict if it moved on.
func (s *Store) PutDrill(ctx context.Context, t rollout.TenantID, d rollout.Drill) error {
	read := d.Version
	d.Version++
	return s.replace(ctx, drillKey(t, d.ID), read, d)
}

package store

import (
	"context"

	"sallyport/shared/rollout"
)

// Waves lists the waves that have a record, by name. A wave without one is
// still planned.
func (s *Store) Waves(ctx context.Context, t rollout.TenantID) ([]rollout.Wave, error) {
	return list[rollout.Wave](ctx, s, t, kindWave)
}

// Wave returns one wave, or ErrNotFound.
func (s *Store) Wave(ctx context.Context, t rollout.TenantID, name string) (rollout.Wave, error) {
	return get[rollout.Wave](ctx, s, waveKey(t, name))
}

// PutWave moves a wave on. w.Version is the version that was read, 0 for a new
// one; it is stored as w.Version+1, or ErrConflict.
func (s *Store) PutWave(ctx context.Context, t rollout.TenantID, w rollout.Wave) error {
	read := w.Version
	w.Version++
	return s.replace(ctx, waveKey(t, w.Name), read, w)
}

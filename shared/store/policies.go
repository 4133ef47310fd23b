package store

import (
	"context"

	"sallyport/shared/rollout"
)

// Policies lists the policies that Sallyport created or is about to: the only
// ones it may write. They are ordered by marker.
func (s *Store) Policies(ctx context.Context, t rollout.TenantID) ([]rollout.OwnedPolicy, error) {
	return list[rollout.OwnedPolicy](ctx, s, t, kindPolicy)
}

// PutPolicy records a policy by its marker, which must never change. p.Version
// is the version that was read, 0 for a new one; ErrConflict if it moved on.
func (s *Store) PutPolicy(ctx context.Context, t rollout.TenantID, p rollout.OwnedPolicy) error {
	read := p.Version
	p.Version++
	return s.replace(ctx, policyKey(t, p.Marker), read, p)
}

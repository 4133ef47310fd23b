package store

import (
	"context"

	"sallyport/shared/rollout"
)

// Acceptances lists whom the operator accepted by name before a switch, by wave
// and account.
func (s *Store) Acceptances(ctx context.Context, t rollout.TenantID) ([]rollout.NamedAcceptance, error) {
	return list[rollout.NamedAcceptance](ctx, s, t, kindAcceptance)
}

// PutAcceptance records one. Wave and Account say which one it is; a.Version is
// the version that was read, 0 for a new one: ErrConflict if somebody else
// accepted the account already.
func (s *Store) PutAcceptance(ctx context.Context, t rollout.TenantID, a rollout.NamedAcceptance) error {
	read := a.Version
	a.Version++
	return s.replace(ctx, acceptanceKey(t, a.Wave, a.Account), read, a)
}

package store

import (
	"context"

	"sallyport/shared/rollout"
)

// ClaimAlert takes an alert for sending: ErrConflict if it is already there. Its
// id comes from the sign-in, so there is one alert for each. It is stored as
// version 1.
func (s *Store) ClaimAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error {
	a.Version = 0
	return s.PutAlert(ctx, t, a)
}

// PutAlert moves an alert on. a.Version is the version that was read, 0 for a
// new one; ErrConflict if it moved on.
func (s *Store) PutAlert(ctx context.Context, t rollout.TenantID, a rollout.Alert) error {
	read := a.Version
	a.Version++
	return s.write(ctx, Write{
		Item: Item{Key: alertKey(t, a.ID), Version: a.Version, Expires: expiry(a.SeenAt), Data: a},
		If:   unchangedSince(read),
	})
}

// Alert returns one alert, or ErrNotFound.
func (s *Store) Alert(ctx context.Context, t rollout.TenantID, id string) (rollout.Alert, error) {
	return get[rollout.Alert](ctx, s, alertKey(t, id))
}

// Alerts lists every alert, by id.
func (s *Store) Alerts(ctx context.Context, t rollout.TenantID) ([]rollout.Alert, error) {
	return list[rollout.Alert](ctx, s, t, kindAlert)
}

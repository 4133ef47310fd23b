package store

import (
	"context"
	"time"

	"sallyport/shared/rollout"
)

// Subscriptions lists the Graph subscriptions that Sallyport keeps alive, by id.
func (s *Store) Subscriptions(ctx context.Context, t rollout.TenantID) ([]rollout.Subscription, error) {
	return list[rollout.Subscription](ctx, s, t, kindSubscription)
}

// PutSubscription keeps a subscription and the pointer from its id to the
// tenant, both or neither. ErrConflict if the id is another tenant's.
func (s *Store) PutSubscription(ctx context.Context, t rollout.TenantID, sub rollout.Subscription) error {
	return s.write(ctx,
		Write{Item: Item{Key: subscriptionKey(t, sub.ID), Data: sub}},
		Write{Item: Item{Key: subscriptionPointerKey(sub.ID), Owner: string(t), Data: tenant{t}}, If: FreeFor(string(t), time.Time{})},
	)
}

// DeleteSubscription removes both again. One that is not there is no error; one
// of another tenant is ErrConflict.
func (s *Store) DeleteSubscription(ctx context.Context, t rollout.TenantID, id string) error {
	return s.write(ctx,
		Write{Item: Item{Key: subscriptionKey(t, id)}, Delete: true},
		Write{Item: Item{Key: subscriptionPointerKey(id)}, Delete: true, If: FreeFor(string(t), time.Time{})},
	)
}

// TenantOfSubscription says whose subscription a notification names, or
// ErrNotFound.
func (s *Store) TenantOfSubscription(ctx context.Context, id string) (rollout.TenantID, error) {
	pointer, err := get[tenant](ctx, s, subscriptionPointerKey(id))
	return pointer.Tenant, err
}

package store

import (
	"context"
	"fmt"
	"time"

	"sallyport/shared/rollout"
)

type lease struct {
	Job   string    `json:"job"`
	Owner string    `json:"owner"`
	Since time.Time `json:"since"`
}

// AcquireLease makes the owner the only one to run the job for the tenant until
// ttl has passed, rounded up to a whole second: ErrConflict while another holds
// it. It is one conditional write. The owner itself may take it again, which
// prolongs it, so an owner names one run and is never used for another.
func (s *Store) AcquireLease(ctx context.Context, t rollout.TenantID, job, owner string, now time.Time, ttl time.Duration) error {
	if owner == "" {
		return fmt.Errorf("store: lease on %s of %s without an owner: nobody could give it back", job, t)
	}
	until := now.Add(ttl + time.Second - time.Nanosecond).Unix()
	return s.write(ctx, Write{
		Item: Item{Key: leaseKey(t, job), Owner: owner, Expires: until, Data: lease{job, owner, now}},
		If:   FreeFor(owner, now),
	})
}

// ReleaseLease gives the lease back. ErrConflict says that it had run out and
// another has taken it: the other's lease stays.
func (s *Store) ReleaseLease(ctx context.Context, t rollout.TenantID, job, owner string) error {
	return s.write(ctx, Write{Item: Item{Key: leaseKey(t, job)}, Delete: true, If: FreeFor(owner, time.Time{})})
}

package store

import (
	"context"
	"time"

	"sallyport/shared/rollout"
)

// Run is the last success of a job for a tenant.
type Run struct {
	Job    string    `json:"job"`
	At     time.Time `json:"at"`
	Result string    `json:"result"` // what it did, in a few words
}

// MarkRun records that the job succeeded, in place of the time before.
func (s *Store) MarkRun(ctx context.Context, t rollout.TenantID, job string, at time.Time, result string) error {
	return s.put(ctx, runKey(t, job), Run{job, at, result})
}

// Runs lists the last success of every job that ever had one, by job.
func (s *Store) Runs(ctx context.Context, t rollout.TenantID) ([]Run, error) {
	return list[Run](ctx, s, t, kindRun)
}

package store

import (
	"context"

	"sallyport/shared/rollout"
)

// PutCoverage keeps the coverage of a day, in place of an earlier one of that day.
func (s *Store) PutCoverage(ctx context.Context, t rollout.TenantID, p rollout.CoveragePoint) error {
	return s.put(ctx, coverageKey(t, p.Day), p)
}

// Coverage lists the coverage of every day that has one, earliest first.
func (s *Store) Coverage(ctx context.Context, t rollout.TenantID) ([]rollout.CoveragePoint, error) {
	return list[rollout.CoveragePoint](ctx, s, t, kindCoverage)
}

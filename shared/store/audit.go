package store

import (
	"context"

	"sallyport/shared/rollout"
)

// PutAudit keeps the record of the newest audit in place of the one before. The
// writer keeps its lists short (a hundred ids, "and N more"): ErrTooLarge says
// that it did not.
func (s *Store) PutAudit(ctx context.Context, t rollout.TenantID, a rollout.AuditRun) error {
	return s.put(ctx, auditKey(t), a)
}

// Audit returns the newest audit, or ErrNotFound before the first.
func (s *Store) Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error) {
	return get[rollout.AuditRun](ctx, s, auditKey(t))
}

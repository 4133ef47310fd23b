// Package remind works out who is due which message, claims it and puts it on
// the mail queue. It has no Graph rights: it believes the last complete audit,
// and notify looks once more before it sends.
package remind

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Table is what remind reads of the table.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error)
	Accounts(ctx context.Context, t rollout.TenantID) ([]rollout.Account, error)
	Known(ctx context.Context, t rollout.TenantID) (rollout.Known, error)
}

// Remind posts what is due to people.
type Remind struct {
	Table  Table
	Outbox outbox.Outbox
}

// Run posts what is due in one tenant. A message that cannot be claimed or
// queued never stops the others.
func (r Remind) Run(ctx context.Context, t rollout.TenantID, now time.Time, sum *job.Summary) error {
	cfg, err := r.Table.Config(ctx, t)
	if err != nil {
		return fmt.Errorf("read rollout.yaml of the tenant: %w", err)
	}
	audit, err := r.Table.Audit(ctx, t)
	if errors.Is(err, store.ErrNotFound) {
		return nil // nothing is known of anybody before the first audit
	}
	if err != nil {
		return fmt.Errorf("read the audit: %w", err)
	}
	accounts, err := r.Table.Accounts(ctx, t)
	if err != nil {
		return fmt.Errorf("read the accounts: %w", err)
	}
	known, err := r.Table.Known(ctx, t)
	if err != nil {
		return fmt.Errorf("read what is known of the rollout: %w", err)
	}
	sum.Count("examined", len(accounts))
	var failed error
	begun, most := 0, cfg.Communication.MostPerRun
	for _, action := range rollout.PlanMessages(cfg, rollout.Seen{Audit: audit, Accounts: accounts}, known, now) {
		send, ok := action.(rollout.Send)
		if !ok {
			continue
		}
		if ctx.Err() != nil {
			return errors.Join(failed, fmt.Errorf("stopped with messages left; the next run goes on: %w", ctx.Err()))
		}
		if most > 0 && begun == most && send.Message.Kind.ToPerson() {
			sum.Count("left for the next run", 1)
			continue
		}
		claimed, err := r.Outbox.Post(ctx, t, send.Message)
		failed = errors.Join(failed, err)
		if claimed {
			begun++
			sum.Count(string(send.Message.Kind), 1)
		}
	}
	return failed
}

package audit

import (
	"context"
	"fmt"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// prove looks for what no single page can show: an account that came twice, and
// a directory that shrank by half. Nothing is written before it has passed.
func (r *reading) prove(ctx context.Context, accountsBefore int) error {
	for _, listing := range [...]string{listUsers, listRegistrations} {
		last := ""
		for row, err := range r.rows(ctx, listing) {
			if err != nil {
				return err
			}
			if row.key == last {
				return fmt.Errorf("account %s came twice in %s: its pages overlapped", last, listing)
			}
			last = row.key
		}
	}
	if n := r.progress.of(listUsers).Rows; n*2 < accountsBefore {
		return fmt.Errorf("the listing of users holds %d accounts, the last audit %d: refused as incomplete", n, accountsBefore)
	}
	return nil
}

// batch is how many changes are written together: four of DynamoDB's batches.
const batch = 100

// changes collects what is to be written, and writes it in parts, so that a
// tenant's worth of them is never in memory.
type changes struct {
	table        Table
	tenant       rollout.TenantID
	accounts     []rollout.Account
	gone         []string
	observations []rollout.Observation

	written, removed int
}

// account writes an account if it is not what is stored.
func (c *changes) account(ctx context.Context, before *rollout.Account, now rollout.Account) error {
	if before != nil && store.SameAccount(*before, now) {
		return nil
	}
	c.accounts = append(c.accounts, now)
	c.written++
	return c.flush(ctx, batch)
}

func (c *changes) remove(ctx context.Context, id string) error {
	c.gone = append(c.gone, id)
	c.removed++
	return c.flush(ctx, batch)
}

func (c *changes) observed(ctx context.Context, later []rollout.Observation) error {
	c.observations = append(c.observations, later...)
	return c.flush(ctx, batch)
}

// flush writes what was collected, if it is that much.
func (c *changes) flush(ctx context.Context, atLeast int) error {
	if n := len(c.accounts) + len(c.gone); n > 0 && n >= atLeast {
		if err := c.table.ChangeAccounts(ctx, c.tenant, c.accounts, c.gone); err != nil {
			return fmt.Errorf("save the accounts: %w", err)
		}
		c.accounts, c.gone = c.accounts[:0], c.gone[:0]
	}
	if n := len(c.observations); n > 0 && n >= atLeast {
		if err := c.table.PutObservations(ctx, c.tenant, c.observations); err != nil {
			return fmt.Errorf("save what report-only policies said: %w", err)
		}
		c.observations = c.observations[:0]
	}
	return nil
}

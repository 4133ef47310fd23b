package audit_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"sallyport/functions/audit"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// ledger counts how often the table's accounts are read, and breaks off after
// some of them if it is told to.
type ledger struct {
	audit.Table
	readings, breaks int
}

var errLedger = errors.New("the table does not answer")

func (l *ledger) EachAccount(ctx context.Context, t rollout.TenantID) iter.Seq2[rollout.Account, error] {
	l.readings++
	return func(yield func(rollout.Account, error) bool) {
		n := 0
		for a, err := range l.Table.EachAccount(ctx, t) {
			if n++; n == l.breaks {
				yield(rollout.Account{}, errLedger)
				return
			}
			if !yield(a, err) {
				return
			}
		}
	}
}

// The table's accounts are read once a night, though several steps look at them,
// and in pieces: a run that breaks off is gone on with behind those it has. What
// follows is the same.
func TestTheTableIsReadOnce(t *testing.T) {
	const people = 4500 // three pieces
	f := newFirm()
	for n := range people {
		f.users = append(f.users, person(fmt.Sprintf("p%05d", n)))
	}
	b := newBooks(t, f)
	b.night(t, 0)
	l := &ledger{Table: b.table}
	b.audit.Table = l
	gone := f.users[people].ID // of the last piece
	f.users = append(f.users[:people:people], f.users[people+1:]...)

	l.breaks = people - 200
	err := b.audit.Run(t.Context(), "contoso.onmicrosoft.com", firmNight.AddDate(0, 0, 1), &job.Summary{})
	if !errors.Is(err, errLedger) {
		t.Fatalf("run answered %v, want that the table does not answer", err)
	}
	l.readings, l.breaks = 0, 0
	writes := &changed{Table: l}
	b.audit.Table = writes
	if err := b.audit.Run(t.Context(), "contoso.onmicrosoft.com", firmNight.AddDate(0, 0, 1), &job.Summary{}); err != nil {
		t.Fatal(err)
	}
	if l.readings != 1 {
		t.Errorf("the table's accounts were read %d times by the run that went on", l.readings)
	}
	if len(writes.accounts) != 0 || len(writes.gone) != 1 || writes.gone[0] != gone {
		t.Errorf("%d accounts were written and %v removed, want only %s removed", len(writes.accounts), writes.gone, gone)
	}
}

// changed hears what is written of the accounts.
type changed struct {
	audit.Table
	accounts []rollout.Account
	gone     []string
}

func (c *changed) ChangeAccounts(ctx context.Context, t rollout.TenantID, accounts []rollout.Account, gone []string) error {
	c.accounts, c.gone = append(c.accounts, accounts...), append(c.gone, gone...)
	return c.Table.ChangeAccounts(ctx, t, accounts, gone)
}

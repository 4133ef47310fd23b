package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"sallyport/shared/rollout"
)

// Accounts lists what the last audit made of every account, by id.
func (s *Store) Accounts(ctx context.Context, t rollout.TenantID) ([]rollout.Account, error) {
	return list[rollout.Account](ctx, s, t, kindAccount)
}

// EachAccount yields the accounts in the order of their ids, one at a time, for
// tenants whose accounts do not fit into memory. After an error it yields no more.
func (s *Store) EachAccount(ctx context.Context, t rollout.TenantID) iter.Seq2[rollout.Account, error] {
	return each[rollout.Account](ctx, s, partition(t, kindAccount))
}

// Account returns one account, or ErrNotFound.
func (s *Store) Account(ctx context.Context, t rollout.TenantID, id string) (rollout.Account, error) {
	return get[rollout.Account](ctx, s, accountKey(t, id))
}

// ChangeAccounts writes accounts and removes others by their ids. After an error
// some may have been written; repeating all of it is harmless.
func (s *Store) ChangeAccounts(ctx context.Context, t rollout.TenantID, changed []rollout.Account, gone []string) error {
	writes := make([]Write, 0, len(changed)+len(gone))
	for _, a := range changed {
		writes = append(writes, Write{Item: Item{Key: accountKey(t, a.ID), Data: a}})
	}
	for _, id := range gone {
		writes = append(writes, Write{Item: Item{Key: accountKey(t, id)}, Delete: true})
	}
	return s.batch(ctx, writes)
}

// SaveAccounts makes the stored accounts those of want, which must be the whole
// tenant and fit into memory: it writes the new and the changed, and removes the
// gone. Of two with the same id the later counts. An empty list is refused, for
// no tenant is empty: it is a listing that failed. After an error some may have
// been written; the next run writes the rest.
func (s *Store) SaveAccounts(ctx context.Context, t rollout.TenantID, want []rollout.Account) (written, removed int, err error) {
	if len(want) == 0 {
		return 0, 0, fmt.Errorf("store: refused to save an empty list of accounts for %s: it would remove them all", t)
	}
	changed := make(map[string]rollout.Account, len(want))
	for _, a := range want {
		changed[a.ID] = a
	}
	var gone []string
	for stored, err := range s.EachAccount(ctx, t) {
		if err != nil {
			return 0, 0, err
		}
		switch now, wanted := changed[stored.ID]; {
		case !wanted:
			gone = append(gone, stored.ID)
		case SameAccount(stored, now):
			delete(changed, stored.ID)
		}
	}
	writes := make([]rollout.Account, 0, len(changed))
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		writes = append(writes, changed[id])
	}
	return len(writes), len(gone), s.ChangeAccounts(ctx, t, writes, gone)
}

// SameAccount compares two accounts by what would be stored of them: a plain
// comparison takes the same instant in the same zone for two different times.
func SameAccount(a, b rollout.Account) bool {
	left, leftErr := json.Marshal(a)
	right, rightErr := json.Marshal(b)
	return leftErr == nil && rightErr == nil && bytes.Equal(left, right)
}

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"sallyport/shared/rollout"
)

// Accounts lists what the last audit made of every account, by id.
func (s *Store) Accounts(ctx context.Context, t rollout.TenantID) ([]rollout.Account, error) {
	return list[rollout.Account](ctx, s, t, kindAccount)
}

// Account returns one account, or ErrNotFound.
func (s *Store) Account(ctx context.Context, t rollout.TenantID, id string) (rollout.Account, error) {
	return get[rollout.Account](ctx, s, accountKey(t, id))
}

// SaveAccounts makes the stored accounts those of want, which must be the whole
// tenant: it writes the new and the changed, and removes the gone. Of two with
// the same id the later counts. An empty list is refused, for no tenant is
// empty: it is a listing that failed. After an error some may have been written;
// the next run writes the rest.
func (s *Store) SaveAccounts(ctx context.Context, t rollout.TenantID, want []rollout.Account) (written, removed int, err error) {
	if len(want) == 0 {
		return 0, 0, fmt.Errorf("store: refused to save an empty list of accounts for %s: it would remove them all", t)
	}
	latest := make(map[string]int, len(want)) // id -> index in want
	for i, a := range want {
		latest[a.ID] = i
	}
	var writes []Write
	unchanged := make(map[string]bool, len(want))
	err = each(ctx, s, partition(t, kindAccount), func(stored rollout.Account) {
		i, wanted := latest[stored.ID]
		if !wanted {
			writes = append(writes, Write{Item: Item{Key: accountKey(t, stored.ID)}, Delete: true})
			return
		}
		unchanged[stored.ID] = sameJSON(stored, want[i])
	})
	if err != nil {
		return 0, 0, err
	}
	removed = len(writes)
	for i, a := range want {
		if latest[a.ID] == i && !unchanged[a.ID] {
			writes = append(writes, Write{Item: Item{Key: accountKey(t, a.ID), Data: a}})
			written++
		}
	}
	return written, removed, s.batch(ctx, writes)
}

// sameJSON compares two records by what would be stored of them: a plain
// comparison takes the same instant in the same zone for two different times.
func sameJSON(a, b any) bool {
	left, leftErr := json.Marshal(a)
	right, rightErr := json.Marshal(b)
	return leftErr == nil && rightErr == nil && bytes.Equal(left, right)
}

package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"sallyport/shared/rollout"
)

// The change log: entries that are written once under their number, and a head
// that says where they end. There is no method that changes or deletes an entry.

// ErrLogForked says that the head of the change log and its entries do not
// belong together, which no crash can lead to. Nothing was written.
var ErrLogForked = errors.New("the change log's head does not fit its entries: somebody wrote to the table by hand; sallyport log verify says where")

// appendTries is how often an entry is tried to be added while others add
// theirs: each time one of them has succeeded.
const appendTries = 100

// AppendChange adds an entry to the end of the log and returns it as it was
// written: numbered, bound to the one before it, hashed. Entry and head are
// written together or not at all, and an entry only where there is none: two who
// write at once never fork the log, the slower one tries again.
func (s *Store) AppendChange(ctx context.Context, t rollout.TenantID, c rollout.Change) (rollout.Change, error) {
	if c.Kind == "" || c.Kind == rollout.ChangeGenesis || c.What == "" {
		return rollout.Change{}, fmt.Errorf("store: add to the change log of %s: an entry of kind %q that says %q", t, c.Kind, c.What)
	}
	for range appendTries {
		head, err := s.ChangeHead(ctx, t)
		if err != nil {
			return rollout.Change{}, err
		}
		entries, next, err := s.link(ctx, t, c, head)
		if err != nil {
			return rollout.Change{}, err
		}
		next.Version = head.Version + 1
		writes := []Write{{Item: Item{Key: changeHeadKey(t), Version: next.Version, Data: next}, If: unchangedSince(head.Version)}}
		for _, e := range entries {
			writes = append(writes, Write{Item: Item{Key: changeKey(t, e.Seq), Data: e}, If: Absent()})
		}
		if err = s.write(ctx, writes...); err == nil {
			return entries[len(entries)-1], nil
		}
		if !errors.Is(err, ErrConflict) {
			return rollout.Change{}, err
		}
		// In this order: what another adds in between moves the head as well.
		_, err = s.Change(ctx, t, entries[0].Seq)
		taken := err == nil
		again, err := s.ChangeHead(ctx, t)
		if err != nil {
			return rollout.Change{}, err
		}
		if taken && again.Version == head.Version {
			return rollout.Change{}, fmt.Errorf("store: add to the change log of %s: entry %d is there already: %w", t, entries[0].Seq, ErrLogForked)
		}
	}
	return rollout.Change{}, fmt.Errorf("store: add to the change log of %s: %w %d times", t, ErrConflict, appendTries)
}

// link makes the entry that follows the head, and the genesis if there is none.
func (s *Store) link(ctx context.Context, t rollout.TenantID, c rollout.Change, head rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead, error) {
	var entries []rollout.Change
	if head.Seq == 0 {
		legacy, err := s.legacy(ctx, t)
		if err != nil {
			return nil, head, err
		}
		genesis, end := rollout.Seal(rollout.Genesis(t, legacy, c.At), head)
		entries, head = append(entries, genesis), end
	}
	entry, end := rollout.Seal(c, head)
	return append(entries, entry), end, nil
}

// legacy describes the lines of a log from before there was a chain: how many,
// and the SHA-256 of all of them, each as JSON on a line, by id. They stay where
// they are and are never read again.
func (s *Store) legacy(ctx context.Context, t rollout.TenantID) (string, error) {
	sum, n := sha256.New(), 0
	for line, err := range each[map[string]any](ctx, s, partition(t, "change")) {
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(line) // sorts its members
		if err != nil {
			return "", fmt.Errorf("store: read a line of the old change log of %s: %w", t, err)
		}
		sum.Write(append(text, '\n'))
		n++
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d earlier lines, sha256 %s", n, hex.EncodeToString(sum.Sum(nil))), nil
}

// ChangeHead returns where the change log ends; the zero value before its first
// entry.
func (s *Store) ChangeHead(ctx context.Context, t rollout.TenantID) (rollout.ChangeHead, error) {
	head, err := get[rollout.ChangeHead](ctx, s, changeHeadKey(t))
	if errors.Is(err, ErrNotFound) {
		return rollout.ChangeHead{}, nil
	}
	return head, err
}

// Change returns one entry of the change log, or ErrNotFound.
func (s *Store) Change(ctx context.Context, t rollout.TenantID, seq int64) (rollout.Change, error) {
	return get[rollout.Change](ctx, s, changeKey(t, seq))
}

// EachChange yields the change log one by one, in the order of the numbers.
func (s *Store) EachChange(ctx context.Context, t rollout.TenantID) iter.Seq2[rollout.Change, error] {
	return each[rollout.Change](ctx, s, partition(t, kindChange))
}

// Changes lists the change log in the order of the numbers.
func (s *Store) Changes(ctx context.Context, t rollout.TenantID) ([]rollout.Change, error) {
	return list[rollout.Change](ctx, s, t, kindChange)
}

// VerifyChanges recomputes the change log of a tenant, from its first entry to
// its head, and returns where it ends. known are heads that were written down
// outside the table. A log that is not what was once written is a
// [rollout.BrokenChainError]; entries that are added meanwhile do no harm.
func (s *Store) VerifyChanges(ctx context.Context, t rollout.TenantID, known ...rollout.ChangeHead) (rollout.ChangeHead, error) {
	before, err := s.ChangeHead(ctx, t)
	if err != nil {
		return rollout.ChangeHead{}, err
	}
	check := rollout.ChainCheck{Tenant: t}
	for _, head := range slices.Concat(known, []rollout.ChangeHead{before}) {
		if head.Seq > 0 {
			check.Expect(head)
		}
	}
	for c, err := range s.EachChange(ctx, t) {
		if err != nil {
			return check.Head(), err
		}
		if err := check.Add(c); err != nil {
			return check.Head(), err
		}
	}
	after, err := s.ChangeHead(ctx, t)
	if err != nil {
		return check.Head(), err
	}
	if after.Seq > check.Head().Seq && after.Version != before.Version {
		return check.Head(), check.EndOfExport() // they came after the entries were read
	}
	return check.Head(), check.End(after)
}

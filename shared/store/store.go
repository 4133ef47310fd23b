// Package store keeps what Sallyport remembers: one table, one method for each
// way of reading or writing it. The list of files in this folder is the
// catalogue of those ways; keys are built in keys.go and nowhere else.
//
// The methods are written once, on [Store], over a [Table] of four operations.
// Two tables exist: [NewDynamo] for Amazon DynamoDB, and [NewMemory] for
// rehearsals and tests. One contract test holds them equal.
//
// What every method keeps to:
//
//   - Every read is strongly consistent and follows all pages: a list is whole
//     or it is an error.
//   - A write that hangs on what was read carries the version that was read, and
//     answers [ErrConflict] if somebody was faster. Version 0 means "there was
//     none"; what is stored has the version read plus one.
//   - Expiry (the attribute "expires") is housekeeping, done by DynamoDB some
//     days late. No answer depends on it but a lease's, which compares it itself.
//   - A write whose answer was lost on the way may have happened. The caller
//     repeats it and may then meet its own ErrConflict: it reads and goes on from
//     there, as it would after anybody else's write.
package store

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"sallyport/shared/rollout"
)

var (
	// ErrNotFound says that there is no such record.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a condition did not hold: the version has moved on,
	// or somebody else holds the claim. Nothing was written.
	ErrConflict = errors.New("somebody else was faster")
	// ErrTooLarge says that a record passes what DynamoDB takes: 400 KB an item,
	// 2 KB and 1 KB for its keys. Nothing was written.
	ErrTooLarge = errors.New("too large for the table")
)

// Store is the table with its access patterns. It is safe for concurrent use if
// its table is; both of this package are.
type Store struct {
	table Table
}

// New returns a store on a table.
func New(table Table) *Store { return &Store{table: table} }

// get reads the one record under key.
func get[T any](ctx context.Context, s *Store, key Key) (T, error) {
	var record T
	if err := key.check(); err != nil {
		return record, err
	}
	if err := s.table.Get(ctx, key, &record); err != nil {
		return record, fmt.Errorf("store: read %s: %w", key, err)
	}
	return record, nil
}

// list reads all records of a kind, in the order of their sort keys.
func list[T any](ctx context.Context, s *Store, tenant rollout.TenantID, kind string) ([]T, error) {
	var records []T
	partition := partition(tenant, kind)
	for row, err := range rows(ctx, s, partition) {
		if err == nil {
			// In its place: a rehearsal reads millions of them.
			var zero T
			records = append(records, zero)
			err = row.Decode(&records[len(records)-1])
		}
		if err != nil {
			return nil, fmt.Errorf("store: list %.200s: %w", partition, err) // never half a list
		}
	}
	return records, nil
}

// each yields the records of a partition one by one, in the order of their sort keys,
// so that a large one need not be in memory at once. After an error it yields no
// more.
func each[T any](ctx context.Context, s *Store, partition string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for row, err := range rows(ctx, s, partition) {
			var record T
			if err == nil {
				err = row.Decode(&record)
			}
			if err != nil {
				yield(record, fmt.Errorf("store: list %.200s: %w", partition, err))
				return
			}
			if !yield(record, nil) {
				return
			}
		}
	}
}

// rows yields the rows of a partition; none of a partition without a tenant.
func rows(ctx context.Context, s *Store, partition string) iter.Seq2[Row, error] {
	if partition == "" {
		return func(yield func(Row, error) bool) { yield(nil, errNoTenant) }
	}
	return s.table.Query(ctx, partition)
}

// write makes all writes or none.
func (s *Store) write(ctx context.Context, writes ...Write) error {
	for _, w := range writes {
		if err := w.Key.check(); err != nil {
			return err
		}
	}
	if err := s.table.Write(ctx, writes...); err != nil {
		return fmt.Errorf("store: write %s: %w", writes[0].Key, err)
	}
	return nil
}

// batch makes writes that need no condition, as fast as the table takes them.
func (s *Store) batch(ctx context.Context, writes []Write) error {
	for _, w := range writes {
		if err := w.Key.check(); err != nil {
			return err
		}
	}
	if len(writes) == 0 {
		return nil
	}
	if err := s.table.Batch(ctx, writes); err != nil {
		return fmt.Errorf("store: write %d records, %s the first: %w", len(writes), writes[0].Key, err)
	}
	return nil
}

// put writes a record whatever stood there before.
func (s *Store) put(ctx context.Context, key Key, record any) error {
	return s.write(ctx, Write{Item: Item{Key: key, Data: record}})
}

// replace is the optimistic write: record takes the place of what was read with
// version read, and is stored as version read+1, which the caller has already
// set in it.
func (s *Store) replace(ctx context.Context, key Key, read int64, record any) error {
	return s.write(ctx, Write{Item: Item{Key: key, Version: read + 1, Data: record}, If: unchangedSince(read)})
}

// unchangedSince is the condition of an optimistic write.
func unchangedSince(read int64) Condition {
	if read == 0 {
		return Absent()
	}
	return VersionIs(read)
}

package store

import (
	"context"
	"iter"
	"time"
)

// Table is what the store needs of a table with a partition key and a sort key.
// All of it is safe for concurrent use.
type Table interface {
	// Get reads one item's data into the pointer, strongly consistent, or
	// answers ErrNotFound.
	Get(ctx context.Context, key Key, into any) error
	// Query yields every item of the partition in the order of the sort keys,
	// all pages of it. After an error it yields nothing more.
	Query(ctx context.Context, partition string) iter.Seq2[Row, error]
	// Write makes all the writes or none, ErrConflict if a condition fails. No
	// two may have the same key.
	Write(ctx context.Context, writes ...Write) error
	// Batch makes many writes without conditions, not all or none: after an error
	// some may have been made, and repeating all of them is harmless.
	Batch(ctx context.Context, writes []Write) error
}

// Row is an item of a query.
type Row interface {
	// Decode reads the item's data into the pointer, which shares nothing with
	// the table afterwards.
	Decode(into any) error
}

// Item is what is kept under one key.
type Item struct {
	Key     Key
	Version int64  // 0: the item has none
	Owner   string // who holds it, for [FreeFor]; empty: nobody
	// Expires is when the item may be deleted by the table, in seconds since
	// 1970; 0: never.
	Expires int64
	Data    any // a struct; its fields are named by their json tags
}

// Write puts or deletes one item, if the condition holds.
type Write struct {
	Item   // of a deletion only the key counts
	Delete bool
	If     Condition // the zero value always holds
}

// Condition is what must be true of the item that is stored now.
type Condition struct {
	kind    conditionKind
	version int64
	owner   string
	now     int64
}

type conditionKind int

const (
	always conditionKind = iota
	absent
	versionIs
	freeFor
)

// Absent holds if there is no item under the key.
func Absent() Condition { return Condition{kind: absent} }

// VersionIs holds if there is an item and it has this version.
func VersionIs(n int64) Condition { return Condition{kind: versionIs, version: n} }

// FreeFor holds if there is no item, or it is the owner's own, or it has expired
// by now. With a zero now nothing ever expires.
func FreeFor(owner string, now time.Time) Condition {
	c := Condition{kind: freeFor, owner: owner}
	if !now.IsZero() {
		c.now = now.Unix()
	}
	return c
}

// keptFor is how long claims and locks are kept: far beyond any rollout, so that
// no message can come a second time, and not for ever.
const keptFor = 400 * 24 * time.Hour

// expiry is when something claimed at that time may go. What has no time stays.
func expiry(claimed time.Time) int64 {
	if claimed.IsZero() {
		return 0
	}
	return claimed.Add(keptFor).Unix()
}

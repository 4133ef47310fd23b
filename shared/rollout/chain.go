package rollout

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ChangeKind is what an entry of the change log is.
type ChangeKind string

// The kinds of entry. A note tells of something that wrote nothing to the tenant:
// a pause, or an order that was refused.
const (
	ChangeGenesis ChangeKind = "genesis"
	ChangeIntent  ChangeKind = "intent"
	ChangeResult  ChangeKind = "result"
	ChangeNote    ChangeKind = "note"
)

// The results that are certain. "Found" are those of a run that ended before it
// could say: the next one looked.
const (
	ResultDone         = "done"
	ResultFoundDone    = "found done"
	ResultFoundNotDone = "found not done"
)

// Certain reports whether a result says what happened. An error does not: the
// answer may have been lost after the write was made.
func (c Change) Certain() bool {
	return c.Result == ResultDone || c.Result == ResultFoundDone || c.Result == ResultFoundNotDone
}

// Happened reports whether the write was made.
func (c Change) Happened() bool { return c.Result == ResultDone || c.Result == ResultFoundDone }

// ChangeHead is where the log ends. It is kept beside the entries and outside
// the table, so that the newest entries cannot be dropped unnoticed.
type ChangeHead struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
	// Open are the intents of which no certain result is known.
	Open    []int64 `json:"open"`
	Version int64   `json:"version"`
}

// String is the head as people copy it: "41:9f86d0...".
func (h ChangeHead) String() string { return strconv.FormatInt(h.Seq, 10) + ":" + h.Hash }

// ParseHead reads what [ChangeHead.String] wrote.
func ParseHead(s string) (ChangeHead, error) {
	number, hash, ok := strings.Cut(strings.TrimSpace(s), ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	sum, hexErr := hex.DecodeString(hash)
	if !ok || err != nil || hexErr != nil || seq < 1 || len(sum) != sha256.Size {
		return ChangeHead{}, fmt.Errorf("%q is no head of a change log; expected NUMBER:HASH, as the nightly audit's log line shows it", s)
	}
	return ChangeHead{Seq: seq, Hash: strings.ToLower(hash)}, nil
}

// Genesis is the first entry of a tenant's log. legacy says what was found of a
// log from before there was a chain; empty: nothing.
func Genesis(t TenantID, legacy string, at time.Time) Change {
	return Change{Kind: ChangeGenesis, What: "begin", Target: string(t), Before: legacy, At: at, By: "sallyport", Reason: "the change log begins"}
}

// Seal numbers an entry, binds it to the end of the log and hashes it. It returns
// the entry and the log's new end.
func Seal(c Change, end ChangeHead) (Change, ChangeHead) {
	c.Seq, c.Prev, c.At = end.Seq+1, end.Hash, c.At.UTC()
	for _, text := range c.texts() {
		*text = strings.ToValidUTF8(*text, "\uFFFD")
	}
	c.Hash = HashOf(c)
	return c, end.after(c)
}

// after is the head once the entry is added.
func (h ChangeHead) after(c Change) ChangeHead {
	h.Seq, h.Hash, h.Open = c.Seq, c.Hash, slices.Clone(h.Open)
	switch {
	case c.Kind == ChangeIntent:
		h.Open = append(h.Open, c.Seq)
	case c.Kind == ChangeResult && c.Certain():
		h.Open = slices.DeleteFunc(h.Open, func(seq int64) bool { return seq == c.Of })
	}
	return h
}

func (c *Change) texts() []*string {
	list := []*string{&c.By, &c.Run, &c.Order, &c.What, &c.Target, &c.Before, &c.After, &c.Reason, &c.Copy, &c.Result}
	c.Added, c.Removed = slices.Clone(c.Added), slices.Clone(c.Removed)
	for i := range c.Added {
		list = append(list, &c.Added[i])
	}
	for i := range c.Removed {
		list = append(list, &c.Removed[i])
	}
	return list
}

// HashOf is the SHA-256 of an entry's [Canonical] form, in hexadecimal.
func HashOf(c Change) string {
	sum := sha256.Sum256(Canonical(c))
	return hex.EncodeToString(sum[:])
}

// Canonical is the form of an entry that is hashed: its JSON, without the member
// "hash", by the JSON Canonicalization Scheme. Anybody can make it of an exported
// line with any tool for that scheme. It never changes: every hash would.
// Source: https://www.rfc-editor.org/rfc/rfc8785
func Canonical(c Change) []byte {
	var b bytes.Buffer
	text := func(s string) { canonicalText(&b, s) }
	list := func(l []string) {
		if l == nil {
			b.WriteString("null")
			return
		}
		b.WriteByte('[')
		for i, s := range l {
			if i > 0 {
				b.WriteByte(',')
			}
			text(s)
		}
		b.WriteByte(']')
	}
	number := func(n int64) { b.WriteString(strconv.FormatInt(n, 10)) }
	members := []struct {
		name  string
		write func()
	}{ // in the order of their names
		{"added", func() { list(c.Added) }},
		{"after", func() { text(c.After) }},
		{"at", func() { text(c.At.UTC().Format(time.RFC3339Nano)) }},
		{"before", func() { text(c.Before) }},
		{"by", func() { text(c.By) }},
		{"copy", func() { text(c.Copy) }},
		{"kind", func() { text(string(c.Kind)) }},
		{"of", func() { number(c.Of) }},
		{"order", func() { text(c.Order) }},
		{"prev", func() { text(c.Prev) }},
		{"reason", func() { text(c.Reason) }},
		{"removed", func() { list(c.Removed) }},
		{"result", func() { text(c.Result) }},
		{"run", func() { text(c.Run) }},
		{"seq", func() { number(c.Seq) }},
		{"target", func() { text(c.Target) }},
		{"undoes", func() { number(c.Undoes) }},
		{"what", func() { text(c.What) }},
	}
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		text(m.name)
		b.WriteByte(':')
		m.write()
	}
	b.WriteByte('}')
	return b.Bytes()
}

// canonicalText writes a string as the scheme has it: as few escapes as JSON
// allows.
func canonicalText(b *bytes.Buffer, s string) {
	short := map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}
	b.WriteByte('"')
	for _, r := range s {
		switch escaped, is := short[r]; {
		case is:
			b.WriteString(escaped)
		case r < 0x20:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// BrokenChainError names the first entry of a log that is not what was once
// written.
type BrokenChainError struct {
	Seq int64
	Why string
}

func (e *BrokenChainError) Error() string {
	return fmt.Sprintf("the change log is broken at entry %d: %s", e.Seq, e.Why)
}

// ChainCheck recomputes a log entry by entry, in the order of their numbers. Its
// memory does not grow with the log. The zero value begins with no entry.
type ChainCheck struct {
	// Tenant, if it is set, must be the one that the log was begun for.
	Tenant TenantID
	end    ChangeHead
	known  []ChangeHead // heads that were seen elsewhere and are yet to come
	broken error
}

// Expect adds a head that was written down elsewhere: the log must hold that very
// entry. It is called before the first [ChainCheck.Add].
func (k *ChainCheck) Expect(h ChangeHead) {
	k.known = append(k.known, h)
	slices.SortFunc(k.known, func(a, b ChangeHead) int { return cmp.Compare(a.Seq, b.Seq) })
}

// Add checks the next entry. The first error stays, a [BrokenChainError].
func (k *ChainCheck) Add(c Change) error {
	if k.broken != nil {
		return k.broken
	}
	next := k.end.Seq + 1
	switch {
	case c.Seq > next:
		return k.fail(next, fmt.Sprintf("it is missing; the next one that is there is %d", c.Seq))
	case c.Seq < next:
		return k.fail(c.Seq, fmt.Sprintf("it stands where entry %d should: it came twice, or the order was changed", next))
	case c.Prev != k.end.Hash:
		return k.fail(c.Seq, "it does not follow from the entry before it: one of the two was changed")
	case HashOf(c) != c.Hash:
		return k.fail(c.Seq, "its hash is not that of what it says: it was changed")
	case (c.Seq == 1) != (c.Kind == ChangeGenesis):
		return k.fail(c.Seq, "a log begins with its genesis, and has only one")
	case c.Seq == 1 && k.Tenant != "" && c.Target != string(k.Tenant):
		return k.fail(c.Seq, fmt.Sprintf("it begins the log of %s, not of %s", c.Target, k.Tenant))
	case c.Kind == ChangeResult && (c.Of < 1 || c.Of >= c.Seq):
		return k.fail(c.Seq, fmt.Sprintf("it is the result of entry %d, which does not stand before it", c.Of))
	}
	for len(k.known) > 0 && k.known[0].Seq == c.Seq {
		if k.known[0].Hash != c.Hash {
			return k.fail(c.Seq, "it is not the entry whose hash was written down elsewhere: the log was written anew")
		}
		k.known = k.known[1:]
	}
	k.end = k.end.after(c)
	return nil
}

// End checks that the log ends where its head says, and not before any head that
// was expected.
func (k *ChainCheck) End(head ChangeHead) error {
	if err := k.EndOfExport(); err != nil {
		return err
	}
	switch {
	case head.Seq > k.end.Seq:
		return k.fail(k.end.Seq+1, fmt.Sprintf("it is missing: the head says that there are %d", head.Seq))
	case head.Seq < k.end.Seq:
		return k.fail(head.Seq+1, fmt.Sprintf("the head says that there are %d: it was set back, or the entry was put in by hand", head.Seq))
	case head.Hash != k.end.Hash:
		return k.fail(k.end.Seq, "the head has another hash for it")
	case !slices.Equal(head.Open, k.end.Open):
		return k.fail(k.end.Seq, fmt.Sprintf("the head says that the intents %v have no result yet; the entries say %v", head.Open, k.end.Open))
	}
	return nil
}

// EndOfExport checks what can be said of entries without their head: that they
// reach as far as every head that was expected.
func (k *ChainCheck) EndOfExport() error {
	if k.broken == nil && len(k.known) > 0 {
		return k.fail(k.end.Seq+1, fmt.Sprintf("it is missing: entry %d was there when its hash was written down", k.known[len(k.known)-1].Seq))
	}
	return k.broken
}

// Head is where the checked entries end.
func (k *ChainCheck) Head() ChangeHead { return k.end }

func (k *ChainCheck) fail(seq int64, why string) error {
	k.broken = &BrokenChainError{seq, why}
	return k.broken
}

// FindingBrokenLog is the id of the finding that the change log is not what was
// once written.
const FindingBrokenLog = "change-log-broken"

// BrokenLog is the finding for a chain that does not hold; none where err is nil.
func BrokenLog(err error) []Finding {
	if err == nil {
		return nil
	}
	return []Finding{{
		ID: FindingBrokenLog, Severity: SeverityCritical,
		Text:     "The change log is not what Sallyport once wrote",
		Evidence: cut(err.Error(), mostEvidence*evidenceWidth),
		Remedy:   "Somebody has written to the table by hand. Keep the table as it is, find out who may write to it (AWS CloudTrail), and compare with the last export: sallyport log verify.",
	}}
}

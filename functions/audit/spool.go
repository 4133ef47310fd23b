package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"sallyport/shared/archive"
)

// record is a row of a listing on its way through the archive, under the id of
// the account that it is about.
type record struct {
	key   string // lower case: Graph writes ids so, people's exports do not always
	value []byte // JSON
}

func newRecord(account string, value any) (record, error) {
	key := strings.ToLower(account)
	if key == "" || strings.ContainsAny(key, "\t\n") {
		return record{}, fmt.Errorf("a row is about no account: its id is %q", account)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return record{}, fmt.Errorf("keep the row of account %s: %w", account, err)
	}
	return record{key, text}, nil
}

// spool keeps the rows of listings in the archive until all of them are read. A
// page becomes a sheet: its rows in the order of their accounts. Many sheets are
// read together as one listing in that order, one row of each in memory: so
// listings are joined whatever their size.
type spool struct {
	archive archive.Archive
	prefix  string
	packed  *gzip.Writer // one for all sheets: it takes a megabyte
}

// merged is how many sheets are put together into one. A sheet that is open
// costs some 50 KB; with this, a tenant of a million accounts has fewer than a
// hundred of a listing open at once.
const merged = 32

// write keeps rows as one sheet. Writing a sheet again replaces it.
func (s *spool) write(ctx context.Context, sheet string, rows []record) error {
	slices.SortStableFunc(rows, func(a, b record) int { return cmp.Compare(a.key, b.key) })
	return s.put(ctx, sheet, func(yield func(record, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	})
}

func (s *spool) put(ctx context.Context, sheet string, rows iter.Seq2[record, error]) error {
	var content bytes.Buffer
	if s.packed == nil {
		// The fastest level: the sheets live for minutes.
		var err error
		if s.packed, err = gzip.NewWriterLevel(nil, gzip.BestSpeed); err != nil {
			return err
		}
	}
	packed := s.packed
	packed.Reset(&content)
	for r, err := range rows {
		if err != nil {
			return err
		}
		for _, part := range [][]byte{[]byte(r.key), {'\t'}, r.value, {'\n'}} {
			if _, err := packed.Write(part); err != nil {
				return err
			}
		}
	}
	if err := packed.Close(); err != nil {
		return err
	}
	return s.archive.Put(ctx, s.prefix+sheet, bytes.NewReader(content.Bytes()))
}

// unite puts sheets together into one.
func (s *spool) unite(ctx context.Context, sheets []string, into string) error {
	return s.put(ctx, into, s.read(ctx, sheets))
}

// read yields the rows of the sheets in the order of their accounts; rows of one
// account in the order of the sheets. After an error it yields no more.
func (s *spool) read(ctx context.Context, sheets []string) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		open := make([]*sheetReader, 0, len(sheets))
		defer func() {
			for _, r := range open {
				r.close()
			}
		}()
		for _, name := range sheets {
			r, err := s.open(ctx, name)
			if err != nil {
				yield(record{}, err)
				return
			}
			open = append(open, r)
			if err := r.advance(); err != nil {
				yield(record{}, err)
				return
			}
		}
		for {
			least := -1
			for i, r := range open {
				if !r.ended && (least < 0 || r.head.key < open[least].head.key) {
					least = i
				}
			}
			if least < 0 {
				return
			}
			if !yield(open[least].head, nil) {
				return
			}
			if err := open[least].advance(); err != nil {
				yield(record{}, err)
				return
			}
		}
	}
}

// sheetReader reads one sheet, one row ahead.
type sheetReader struct {
	name   string
	source io.ReadCloser
	lines  *bufio.Reader
	head   record
	ended  bool
}

func (s *spool) open(ctx context.Context, sheet string) (*sheetReader, error) {
	source, err := s.archive.Open(ctx, s.prefix+sheet)
	if err != nil {
		return nil, fmt.Errorf("open sheet %s of the audit: %w", sheet, err)
	}
	unpacked, err := gzip.NewReader(source)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open sheet %s of the audit: %w", sheet, err), source.Close())
	}
	return &sheetReader{name: sheet, source: source, lines: bufio.NewReader(unpacked)}, nil
}

// advance reads the next row into head. A sheet that breaks off is an error:
// gzip ends with a checksum.
func (r *sheetReader) advance() error {
	line, err := r.lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) && len(line) == 0 {
		r.ended = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read sheet %s of the audit: %w", r.name, err)
	}
	key, value, found := bytes.Cut(line[:len(line)-1], []byte{'\t'})
	if !found || string(key) < r.head.key {
		return fmt.Errorf("sheet %s of the audit is damaged after account %q", r.name, r.head.key)
	}
	r.head = record{string(key), value}
	return nil
}

func (r *sheetReader) close() { _ = r.source.Close() } // it was only read

// follower walks a listing beside another that leads: both in the order of their
// accounts. What is listed is a page's row or a record of the table.
type follower[T any] struct {
	next func() (T, error, bool)
	stop func()
	key  func(T) string
	head T
	has  bool
}

func follow[T any](rows iter.Seq2[T, error], key func(T) string) (*follower[T], error) {
	f := &follower[T]{key: key}
	f.next, f.stop = iter.Pull2(rows)
	return f, f.advance()
}

func (f *follower[T]) advance() error {
	head, err, more := f.next()
	if err == nil && more && f.has && f.key(head) < f.key(f.head) {
		err = fmt.Errorf("%s comes after %s: a listing is not in the order of its accounts", f.key(head), f.key(f.head))
	}
	f.head, f.has = head, more
	return err
}

// of hands over the rows of the account; passed, unless nil, gets those of
// accounts before it, which the leading listing does not hold.
func (f *follower[T]) of(key string, take, passed func(T) error) error {
	for f.has && f.key(f.head) <= key {
		do := passed
		if f.key(f.head) == key {
			do = take
		}
		if do != nil {
			if err := do(f.head); err != nil {
				return err
			}
		}
		if err := f.advance(); err != nil {
			return err
		}
	}
	return nil
}

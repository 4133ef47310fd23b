package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/archive"
)

func newSpace() workspace {
	return workspace{&spool{archive: archive.NewMemory(), prefix: archive.Prefix("contoso.onmicrosoft.com", archive.KindPage)}}
}

func lines(t interface{ Fatal(...any) }, s *spool, sheets []string) []string {
	var got []string
	for r, err := range s.read(context.Background(), sheets) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.key+" "+string(r.value))
	}
	return got
}

// Whatever pages the rows came on, they are read in the order of their accounts,
// each once; rows of one account stay in the order in which they came.
func TestPagesAreReadAsOneListing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, l := newSpace(), &listed{}
		var want []string
		for n := range rapid.IntRange(0, 80).Draw(t, "pages") {
			var rows []record
			for m, id := range rapid.SliceOfN(rapid.StringMatching(`[a-c]{1,3}`), 0, 4).Draw(t, "ids") {
				value := fmt.Sprintf("%02d.%d", n, m)
				rows = append(rows, record{id, []byte(value)})
				want = append(want, id+" "+value)
			}
			if err := w.keep(context.Background(), "users", l, rows); err != nil {
				t.Fatal(err)
			}
			if err := l.move("more" + fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(want, func(a, b string) int {
			return strings.Compare(strings.Fields(a)[0], strings.Fields(b)[0])
		})
		if diff := cmp.Diff(want, lines(t, w.spool, l.Sheets)); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		if len(l.Sheets) > merged+l.United {
			t.Fatalf("%d sheets are open at once, %d of them united", len(l.Sheets), l.United)
		}
	})
}

// A sheet that breaks off, is gone, or is none at all is an error and never a
// short listing.
func TestDamagedSheet(t *testing.T) {
	w := newSpace()
	var rows []record
	for n := range 2000 {
		rows = append(rows, record{fmt.Sprintf("%06d", n), []byte("{}")})
	}
	if err := w.write(t.Context(), "users/1", rows); err != nil {
		t.Fatal(err)
	}
	source, err := w.archive.Open(t.Context(), w.prefix+"users/1")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(source)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.Clone(whole)
	last[len(last)-6] ^= 1 // in the checksum
	for name, content := range map[string][]byte{"half": whole[:len(whole)/2], "without its end": whole[:len(whole)-8], "another checksum": last, "empty": {}, "something else": []byte("{}")} {
		t.Run(name, func(t *testing.T) {
			if err := w.archive.Put(t.Context(), w.prefix+"users/1", bytes.NewReader(content)); err != nil {
				t.Fatal(err)
			}
			n, err := count(t.Context(), w.spool, "users/1")
			if err == nil {
				t.Errorf("no error after %d rows of 2000", n)
			}
		})
	}
	if _, err := count(t.Context(), w.spool, "users/2"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("a sheet that is gone: %v", err)
	}
}

func count(ctx context.Context, s *spool, sheet string) (n int, err error) {
	for _, err := range s.read(ctx, []string{sheet}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// A chain of pages that leads back into itself is found, wherever it does.
func TestPagesThatGoRound(t *testing.T) {
	for tail := range 5 {
		for round := 1; round < 20; round++ {
			l := &listed{}
			page := func(n int) string {
				if n > tail {
					n = tail + (n-tail)%round
				}
				return fmt.Sprint("page ", n)
			}
			found := false
			for n := 1; n < 200 && !found; n++ {
				found = l.move(page(n)) != nil
			}
			if !found {
				t.Errorf("%d pages, then %d in a circle: not found", tail, round)
			}
		}
	}
	// And a straight one is not.
	l := &listed{}
	for n := range 5000 {
		if err := l.move(fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// A row that is about nobody, or whose id would break a sheet's lines, is no row.
func TestRowsNeedAnAccount(t *testing.T) {
	for _, id := range []string{"", "a\tb", "a\nb"} {
		if r, err := newRecord(id, struct{}{}); err == nil {
			t.Errorf("%q became a record: %+v", id, r)
		}
	}
	if r, err := newRecord("ABC", 1); err != nil || r.key != "abc" {
		t.Errorf("record %+v, %v", r, err)
	}
}

// What is not in the order of its accounts would be joined wrongly: an error.
func TestOutOfOrder(t *testing.T) {
	w := newSpace()
	var content bytes.Buffer
	packed := gzip.NewWriter(&content)
	_, err := packed.Write([]byte("b\t1\na\t2\n"))
	if err := errors.Join(err, packed.Close(), w.archive.Put(t.Context(), w.prefix+"users/1", bytes.NewReader(content.Bytes()))); err != nil {
		t.Fatal(err)
	}
	if n, err := count(t.Context(), w.spool, "users/1"); err == nil {
		t.Errorf("a sheet out of order gave %d rows and no error", n)
	}
	stored := func(yield func(string, error) bool) { _ = yield("b", nil) && yield("a", nil) }
	f, err := follow(stored, func(s string) string { return s })
	if err != nil {
		t.Fatal(err)
	}
	defer f.stop()
	if err := f.of("z", nil, nil); err == nil {
		t.Error("a listing out of order was followed to its end")
	}
}

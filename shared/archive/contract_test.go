package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/archive"
	"sallyport/shared/rollout"
)

const (
	contoso  = rollout.TenantID("contoso.onmicrosoft.com")
	fabrikam = rollout.TenantID("fabrikam.onmicrosoft.com")
)

// contract is what must hold of an archive, whatever keeps its objects. Each
// test gets an empty one.
var contract = map[string]func(*testing.T, archive.Archive){
	"an object reads back as written":   objectReadsBackAsWritten,
	"what is kept is a copy":            keptIsACopy,
	"the last one written is there":     lastWrittenIsThere,
	"a reader keeps what it opened":     readerKeepsWhatItOpened,
	"no object is ErrNotFound":          noObjectIsNotFound,
	"a list is sorted and its own":      listIsSortedAndItsOwn,
	"nothing is listed of nothing":      nothingIsListedOfNothing,
	"what is deleted is gone":           deletedIsGone,
	"names of the strangest tenants":    strangestTenants,
	"what is no name is refused":        noNameIsRefused,
	"a cancelled run does nothing":      cancelledDoesNothing,
	"many at once":                      manyAtOnce,
	"a large object in small mouthfuls": largeInSmallMouthfuls,
}

func TestMemory(t *testing.T) {
	for name, test := range contract {
		t.Run(name, func(t *testing.T) { test(t, archive.NewMemory()) })
	}
	t.Run("one name at once", func(t *testing.T) { oneNameAtOnce(t, archive.NewMemory()) })
}

func TestFolder(t *testing.T) {
	for name, test := range contract {
		t.Run(name, func(t *testing.T) { test(t, folder(t, t.TempDir())) })
	}
	t.Run("one name at once", func(t *testing.T) { oneNameAtOnce(t, folder(t, t.TempDir())) })
}

func folder(t *testing.T, dir string) archive.Archive {
	t.Helper()
	a, err := archive.NewFolder(dir)
	ok(t, err)
	return a
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, a archive.Archive, name, content string) {
	t.Helper()
	ok(t, a.Put(t.Context(), name, bytes.NewReader([]byte(content))))
}

// read returns a whole object, or the error of the first step that fails.
func read(ctx context.Context, a archive.Archive, name string) (string, error) {
	r, err := a.Open(ctx, name)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(r)
	return string(content), errors.Join(err, r.Close())
}

func has(t *testing.T, a archive.Archive, name, want string) {
	t.Helper()
	if got, err := read(t.Context(), a, name); err != nil || got != want {
		t.Errorf("%s holds %.100q, error %v, want %.100q", name, got, err, want)
	}
}

func lists(t *testing.T, a archive.Archive, prefix string, want ...string) {
	t.Helper()
	got, err := a.List(t.Context(), prefix)
	if diff := cmp.Diff(append([]string{}, want...), got); err != nil || diff != "" {
		t.Errorf("list %s: error %v, -want +got:\n%s", prefix, err, diff)
	}
}

func page(parts ...string) string { return archive.Name(contoso, archive.KindPage, parts...) }

func objectReadsBackAsWritten(t *testing.T, a archive.Archive) {
	for name, content := range map[string]string{
		page("empty"):      "",
		page("text"):       "田中 太郎\r\n",
		page("run", "001"): "\x1f\x8b\x00\xff not text",
	} {
		put(t, a, name, content)
		has(t, a, name, content)
	}
}

func keptIsACopy(t *testing.T, a archive.Archive) {
	content := []byte("before")
	ok(t, a.Put(t.Context(), page("1"), bytes.NewReader(content)))
	copy(content, "after!")
	has(t, a, page("1"), "before")
}

func lastWrittenIsThere(t *testing.T, a archive.Archive) {
	put(t, a, page("1"), "a longer one")
	put(t, a, page("1"), "short")
	has(t, a, page("1"), "short")
	lists(t, a, archive.Prefix(contoso, archive.KindPage), page("1"))
}

func readerKeepsWhatItOpened(t *testing.T, a archive.Archive) {
	put(t, a, page("1"), "opened")
	r, err := a.Open(t.Context(), page("1"))
	ok(t, err)
	defer r.Close()
	put(t, a, page("1"), "of later")
	if got, err := io.ReadAll(r); err != nil || string(got) != "opened" {
		t.Errorf("read %q, error %v, want what was opened", got, err)
	}
}

func noObjectIsNotFound(t *testing.T, a archive.Archive) {
	put(t, a, page("run", "1"), "x")
	for _, name := range []string{page("run", "2"), page("run"), page("other", "1"), archive.Name(fabrikam, archive.KindPage, "run", "1")} {
		if _, err := a.Open(t.Context(), name); !errors.Is(err, archive.ErrNotFound) || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("open %s: %v, want ErrNotFound with the name", name, err)
		}
	}
}

func listIsSortedAndItsOwn(t *testing.T, a archive.Archive) {
	export := archive.Name(contoso, archive.KindExport, "2026-12-01.csv")
	foreign := archive.Name(fabrikam, archive.KindPage, "run1", "1")
	// "run1-b" stands before "run1/b" and after it in a walk of folders.
	for _, name := range []string{page("run10", "1"), page("run1", "b"), page("run1-b", "1"), foreign, export, page("run1", "B"), page("run1", "a", "2")} {
		put(t, a, name, "x")
	}
	lists(t, a, archive.Prefix(contoso, archive.KindPage, "run1"), page("run1", "B"), page("run1", "a", "2"), page("run1", "b"))
	lists(t, a, archive.Prefix(contoso, archive.KindPage),
		page("run1-b", "1"), page("run1", "B"), page("run1", "a", "2"), page("run1", "b"), page("run10", "1"))
	lists(t, a, archive.Prefix(contoso, archive.KindExport), export)
	lists(t, a, archive.Prefix(fabrikam, archive.KindPage), foreign)
}

func nothingIsListedOfNothing(t *testing.T, a archive.Archive) {
	lists(t, a, archive.Prefix(contoso, archive.KindPage))
	put(t, a, page("1"), "x") // an object is no folder of its own name
	lists(t, a, archive.Prefix(contoso, archive.KindPage, "1"))
}

func deletedIsGone(t *testing.T, a archive.Archive) {
	for _, n := range []string{"1", "2", "3"} {
		put(t, a, page("run", n), "x")
	}
	ok(t, a.Delete(t.Context()))
	ok(t, a.Delete(t.Context(), page("run", "1"), page("run", "1"), page("never", "there"), page("run", "3")))
	lists(t, a, archive.Prefix(contoso, archive.KindPage), page("run", "2"))
	if _, err := a.Open(t.Context(), page("run", "1")); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("open what was deleted: %v, want ErrNotFound", err)
	}
	ok(t, a.Delete(t.Context(), page("run", "1")))
}

func strangestTenants(t *testing.T, a archive.Archive) {
	strange := []rollout.TenantID{"contoso", "contoso/pages", "..", ".", "../contoso", "%2F", "/", "a\\b", "a b", "a+b", "a\x00b", "日本", "\xff"}
	for i, tenant := range strange {
		put(t, a, archive.Name(tenant, archive.KindPage, "..", string(tenant)), fmt.Sprint(i))
	}
	for i, tenant := range strange {
		name := archive.Name(tenant, archive.KindPage, "..", string(tenant))
		lists(t, a, archive.Prefix(tenant, archive.KindPage), name)
		has(t, a, name, fmt.Sprint(i))
	}
}

func noNameIsRefused(t *testing.T, a archive.Archive) {
	put(t, a, page("1"), "x")
	for _, name := range []string{
		"", "/", "a", "a/b", "a/b/", "/a/b", "a//b", "a/b/..", "../a/b", "a/b/.c", "a/b/c\\d", "a/b/c\n", "a/b/é", "a/b/c d",
		"a/b/" + strings.Repeat("x", 256), "a/b/" + strings.Repeat("x/", 510) + "x",
		archive.Name("", archive.KindPage, "1"), archive.Name(contoso, "", "1"), page(), page(""), page("run", ""),
	} {
		_, opened := a.Open(t.Context(), name)
		for verb, err := range map[string]error{"put": a.Put(t.Context(), name, bytes.NewReader(nil)), "open": opened, "delete": a.Delete(t.Context(), page("1"), name)} {
			if !errors.Is(err, archive.ErrName) {
				t.Errorf("%s %.50q: %v, want ErrName", verb, name, err)
			}
		}
	}
	for _, prefix := range []string{"", "/", "contoso", "contoso/", page("1"), "a/b/../", "a//b/", archive.Prefix("", archive.KindPage), archive.Prefix(contoso, "")} {
		if names, err := a.List(t.Context(), prefix); !errors.Is(err, archive.ErrName) || names != nil {
			t.Errorf("list %q: %v, %v, want ErrName and no name", prefix, names, err)
		}
	}
	has(t, a, page("1"), "x") // no Delete went half its way
}

func cancelledDoesNothing(t *testing.T, a archive.Archive) {
	put(t, a, page("1"), "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, opened := a.Open(ctx, page("1"))
	names, listed := a.List(ctx, archive.Prefix(contoso, archive.KindPage))
	for verb, err := range map[string]error{"put": a.Put(ctx, page("1"), bytes.NewReader([]byte("y"))), "open": opened, "list": listed, "delete": a.Delete(ctx, page("1"))} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", verb, err)
		}
	}
	if names != nil {
		t.Errorf("a list that was cancelled names %v", names)
	}
	has(t, a, page("1"), "x")
}

// Twenty at once, each with an object of its own.
func manyAtOnce(t *testing.T, a archive.Archive) {
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			name, content := page("own", fmt.Sprint(i)), strings.Repeat(fmt.Sprint(i), 5000)
			err := a.Put(t.Context(), name, bytes.NewReader([]byte(content)))
			got, readErr := read(t.Context(), a, name)
			if err := errors.Join(err, readErr); err != nil || got != content {
				t.Errorf("read %d bytes, error %v, want the %d written", len(got), err, len(content))
			}
		})
	}
	all.Wait()
	if names, err := a.List(t.Context(), archive.Prefix(contoso, archive.KindPage)); err != nil || len(names) != 20 {
		t.Errorf("%d objects, error %v, want 20", len(names), err)
	}
}

// Twenty writers of one object: every reader sees a whole one. S3 promises that
// too; moto breaks down at it.
func oneNameAtOnce(t *testing.T, a archive.Archive) {
	whole := map[string]bool{}
	for i := range 20 {
		whole[strings.Repeat(string(rune('a'+i)), 5000)] = true
	}
	var all sync.WaitGroup
	for content := range whole {
		all.Go(func() {
			err := a.Put(t.Context(), page("shared"), bytes.NewReader([]byte(content)))
			got, readErr := read(t.Context(), a, page("shared"))
			if err := errors.Join(err, readErr); err != nil || !whole[got] {
				t.Errorf("read %d bytes that nobody wrote, error %v", len(got), err)
			}
		})
	}
	all.Wait()
	lists(t, a, archive.Prefix(contoso, archive.KindPage), page("shared"))
}

func largeInSmallMouthfuls(t *testing.T, a archive.Archive) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	ok(t, a.Put(t.Context(), page("large"), bytes.NewReader(content)))
	r, err := a.Open(t.Context(), page("large"))
	ok(t, err)
	defer r.Close()
	var got bytes.Buffer
	if _, err := io.CopyBuffer(&got, struct{ io.Reader }{r}, make([]byte, 1000)); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("read %d bytes, error %v, want the %d written", got.Len(), err, len(content))
	}
}

package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"sallyport/shared/archive"
)

// A file that a killed writer left is nobody's object.
func TestFolderListsNoDrafts(t *testing.T) {
	dir := t.TempDir()
	a := folder(t, dir)
	put(t, a, page("1"), "x")
	for _, foreign := range []string{".HALFWRITTEN", ".DS_Store", "a b"} {
		ok(t, os.WriteFile(filepath.Join(dir, string(contoso), string(archive.KindPage), foreign), []byte("half"), 0o600))
	}
	lists(t, a, archive.Prefix(contoso, archive.KindPage), page("1"))
}

// A write that fails leaves the old object, and nothing of the new one.
func TestFolderWritesAsAWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	a := folder(t, dir)
	put(t, a, page("1", "2"), "x")
	if err := a.Put(t.Context(), page("1"), bytes.NewReader([]byte("y"))); err == nil {
		t.Error("an object took the place of a folder")
	}
	has(t, a, page("1", "2"), "x")
	left, err := filepath.Glob(filepath.Join(dir, string(contoso), string(archive.KindPage), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}

// A link that somebody put into the folder leads no object out of it.
func TestFolderDoesNotFollowLinksOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	ok(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("of somebody else"), 0o600))
	a := folder(t, dir)
	put(t, a, page("1"), "x")
	ok(t, os.Symlink(outside, filepath.Join(dir, string(contoso), string(archive.KindPage), "link")))
	if got, err := read(t.Context(), a, page("link", "secret")); err == nil {
		t.Errorf("read %q from outside of the folder", got)
	}
	if err := a.Put(t.Context(), page("link", "written"), bytes.NewReader(nil)); err == nil {
		t.Error("wrote outside of the folder")
	}
	if err := a.Delete(t.Context(), page("link", "secret")); err == nil {
		t.Error("deleted outside of the folder")
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error(err)
	}
}

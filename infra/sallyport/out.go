package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// prepareOut makes the folder that a verb is going to write into and proves
// that it can be written to. A verb calls it first: an operator hears of a full
// or read-only disk before the work, not after it.
func prepareOut(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--out %s cannot be made, choose another folder: %w", dir, err)
	}
	probe, err := os.CreateTemp(dir, ".sallyport-*")
	if err != nil {
		return fmt.Errorf("--out %s cannot be written to, choose another folder: %w", dir, err)
	}
	_, err = probe.WriteString("probe")
	if closed := probe.Close(); err == nil {
		err = closed
	}
	if removed := os.Remove(probe.Name()); err == nil {
		err = removed
	}
	if err != nil {
		return fmt.Errorf("--out %s cannot be written to, choose another folder: %w", dir, err)
	}
	return nil
}

// outFile is a file that appears under its name once it is whole: until then the
// one before it stays, and what a failed run wrote is gone. Its owner alone may
// read it.
type outFile struct {
	*os.File
	name string // as it was asked for
	path string // where it is kept
}

// newOutFile proves that the file can be made. A verb calls it first, as it does
// prepareOut.
func newOutFile(name string) (*outFile, error) {
	fail := func(err error) (*outFile, error) {
		return nil, fmt.Errorf("--out %s cannot be written, choose another file: %w", name, err)
	}
	path := name
	switch info, err := os.Stat(name); {
	case err == nil && !info.Mode().IsRegular(): // a folder; or a device, whose place the file would take
		return fail(errors.New("it is no regular file"))
	case err == nil:
		if path, err = filepath.EvalSymlinks(name); err != nil {
			return fail(err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fail(err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".sallyport-*")
	if err != nil {
		return fail(err)
	}
	return &outFile{draft, name, path}, nil
}

// keep ends the file: under its name if all went well, and else not at all.
func (f *outFile) keep(err error) error {
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.File.Name(), f.path)
	}
	if err != nil {
		_ = os.Remove(f.File.Name()) // it may be that the disk is gone
		return fmt.Errorf("--out %s is not written: %w", f.name, err)
	}
	return nil
}

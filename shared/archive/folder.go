package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// folder keeps each object in a file of its name. The root holds every path
// inside the folder, symbolic links too.
//
// Unlike S3, a file system has no place for "a/b/c" beside an object "a/b".
type folder struct{ root *os.Root }

// NewFolder returns an archive in a folder of this machine, making it if need
// be. What stands in it is for its owner alone: the objects name people.
func NewFolder(dir string) (Archive, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("archive: folder %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("archive: folder %s: %w", dir, err)
	}
	return folder{root}, nil
}

func (f folder) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("archive: write %s: %w", name, err)
	}
	dir := path.Dir(name)
	if err := f.root.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("archive: write %s: %w", name, err)
	}
	// No object's name has a part that begins with a dot, so what a crash leaves
	// here is never listed.
	draft := path.Join(dir, "."+rand.Text())
	err := f.write(draft, content)
	if err == nil {
		err = f.root.Rename(draft, name)
	}
	if err != nil {
		_ = f.root.Remove(draft) // it may never have been made
		return fmt.Errorf("archive: write %s: %w", name, err)
	}
	return nil
}

// write makes a file and sees it on the disk, so that what is renamed is whole.
func (f folder) write(name string, content io.ReadSeeker) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (f folder) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("archive: read %s: %w", name, err)
	}
	info, err := f.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil, fmt.Errorf("archive: read %s: %w", name, ErrNotFound)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("archive: read %s: %w", name, err)
	}
	return file, nil
}

func (f folder) List(ctx context.Context, prefix string) ([]string, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	names := []string{}
	top := strings.TrimSuffix(prefix, "/")
	err := fs.WalkDir(f.root.FS(), top, func(name string, d fs.DirEntry, err error) error {
		if name == top && errors.Is(err, fs.ErrNotExist) {
			return fs.SkipAll // no object is no error
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if name != top && !d.IsDir() && checkName(name) == nil {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("archive: list %s: %w", prefix, err)
	}
	slices.Sort(names) // a walk has "a/z" before "a-b", S3 has not
	return names, nil
}

func (f folder) Delete(ctx context.Context, names ...string) error {
	if err := checkNames(names); err != nil {
		return err
	}
	var errs []error
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, fmt.Errorf("archive: delete %d more objects: %w", len(names)-i, err))...)
		}
		if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("archive: delete %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

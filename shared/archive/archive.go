// Package archive keeps what does not fit the table: whole objects, such as the
// pages of an audit while it runs, and each night's export for as long as the
// operator keeps it. Names are built in keys.go and nowhere else.
//
// Three archives exist: [NewS3] for Amazon S3, [NewFolder] for a folder of this
// machine, and [NewMemory] for rehearsals and tests. One contract test holds
// them equal.
//
// What every archive keeps to:
//
//   - An object is there as a whole or not at all, whenever the writer dies.
//   - A list is whole or it is an error, and so is what is read.
//   - Nothing is said of an object but its name: what stands in it is the
//     caller's, compressed or not.
package archive

import (
	"context"
	"errors"
	"io"
)

var (
	// ErrNotFound says that there is no such object.
	ErrNotFound = errors.New("not found")
	// ErrName says that a name or a prefix is none that keys.go builds. Nothing
	// was read, written or deleted.
	ErrName = errors.New("not the name of an object")
)

// Archive keeps objects by name. It is safe for concurrent use.
type Archive interface {
	// Put keeps an object, in place of the one of that name if there is one: the
	// content from where it stands to its end. It may be read more than once.
	Put(ctx context.Context, name string, content io.ReadSeeker) error
	// Open reads an object from its beginning; the caller closes it. Content that
	// ends early is an error of Read and never a short object. ErrNotFound if
	// there is no object of that name.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// List returns the names of all objects under a prefix as [Prefix] builds it,
	// sorted. No object is no error.
	List(ctx context.Context, prefix string) ([]string, error)
	// Delete removes objects. One that is not there is no error. The error names
	// each one that is still there; the others are gone.
	Delete(ctx context.Context, names ...string) error
}

package audit

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"sallyport/functions/audit/export"
	"sallyport/shared/archive"
	"sallyport/shared/rollout"
)

// nightly writes the export of a night's audit into a file, and from there into
// the archive: a large tenant's is not held in memory.
type nightly struct {
	file   *os.File
	packed *gzip.Writer
	rows   export.Writer
}

func newNightly() (*nightly, error) {
	file, err := os.CreateTemp("", "audit-*.csv.gz")
	if err != nil {
		return nil, fmt.Errorf("write the export: %w", err)
	}
	packed := gzip.NewWriter(file)
	return &nightly{file, packed, export.CSV(packed)}, nil
}

// keep ends the export and puts it into the archive under its day.
func (n *nightly) keep(ctx context.Context, into archive.Archive, t rollout.TenantID, day rollout.Date, s export.Summary) error {
	err := errors.Join(n.rows.Close(s), n.packed.Close())
	if err == nil {
		_, err = n.file.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = into.Put(ctx, archive.Name(t, archive.KindExport, day.String()+".csv.gz"), n.file)
	}
	if err != nil {
		return fmt.Errorf("keep the export of %s: %w", day, err)
	}
	return nil
}

func (n *nightly) close() {
	_ = n.file.Close()           // it was read to its end, or is not wanted
	_ = os.Remove(n.file.Name()) // the system clears what is left
}

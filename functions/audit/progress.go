package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sallyport/shared/archive"
)

// progress is how far an audit has come. It is written after every page, so that
// the next invocation goes on where this one ended, whatever it died of.
type progress struct {
	Format int       `json:"format"`
	Begun  time.Time `json:"begun"`
	// NotBefore is when Graph allows the next request, if it asked for a long wait.
	NotBefore time.Time `json:"notBefore"`
	// TryAgain is when an audit that failed is worth another attempt by itself;
	// one that is asked for is made at once.
	TryAgain  time.Time `json:"tryAgain"`
	Directory bool      `json:"directory"` // what there is beside the accounts was read
	// Listings are those begun, by name.
	Listings map[string]*listed `json:"listings"`
}

// listed is how far one listing was read.
type listed struct {
	Complete bool `json:"complete"`
	Pages    int  `json:"pages"`
	Rows     int  `json:"rows"`
	// Cursor is what the next page is asked for with: Graph's link, or the last
	// account that was asked about.
	Cursor string `json:"cursor"`
	// Milestone is a cursor seen before. It moves to the present one at every
	// power of two, so that a chain of pages that leads back into itself is
	// found without keeping all of them.
	Milestone string `json:"milestone"`
	Restarts  int    `json:"restarts"` // how often it was begun again because its cursor expired
	// Oldest is the earliest sign-in read so far, and From where the log was last
	// taken up again; Disordered if rows did not come newest first, so that
	// nothing can be taken up.
	Oldest     time.Time `json:"oldest"`
	From       time.Time `json:"from"`
	Disordered bool      `json:"disordered"`
	// Denied is the permission that lacked when every account of a question was
	// refused.
	Denied string `json:"denied"`
	// Sheets hold the rows: United of them put together, then those of the last pages.
	Sheets []string `json:"sheets"`
	United int      `json:"united"`
	// Refused is why Graph does not give this listing in this tenant; it is then
	// complete without a row.
	Refused string `json:"refused"`
}

// format is raised when what is kept changes; an audit that was begun in another
// one is begun anew.
const format = 1

// longestAudit is how old an unfinished audit may be. What it read first is then
// older than the freshness gate likes, so another is begun.
const longestAudit = 20 * time.Hour

const (
	progressName  = "progress.json"
	directoryName = "directory.json"
)

func (p *progress) of(listing string) *listed {
	l := p.Listings[listing]
	if l == nil {
		l = &listed{}
		p.Listings[listing] = l
	}
	return l
}

// move enters the cursor of the next page, and refuses one that leads back.
func (l *listed) move(next string) error {
	l.Pages++
	if next != "" && (next == l.Cursor || next == l.Milestone) {
		return errors.New("the link to the next page leads back to a page that was read")
	}
	if l.Pages&(l.Pages-1) == 0 {
		l.Milestone = next
	}
	l.Cursor, l.Complete = next, next == ""
	return nil
}

// workspace is where one audit keeps what it has read so far.
type workspace struct {
	*spool
}

// load reads a JSON object; archive.ErrNotFound where there is none.
func (w workspace) load(ctx context.Context, name string, into any) error {
	source, err := w.archive.Open(ctx, w.prefix+name)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(source)
	if err := errors.Join(err, source.Close()); err != nil {
		return fmt.Errorf("read %s of the audit: %w", name, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s of the audit: %w", name, err)
	}
	return nil
}

func (w workspace) save(ctx context.Context, name string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("keep %s of the audit: %w", name, err)
	}
	if err := w.archive.Put(ctx, w.prefix+name, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("keep %s of the audit: %w", name, err)
	}
	return nil
}

// progress reads how far an unfinished audit came; found is false if there is
// none that can be gone on with.
func (w workspace) progress(ctx context.Context, now time.Time) (p *progress, found bool, err error) {
	p = &progress{}
	err = w.load(ctx, progressName, p)
	switch {
	case errors.Is(err, archive.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	return p, p.Format == format && now.Sub(p.Begun) < longestAudit && !p.Begun.After(now), nil
}

// begin clears what an earlier audit left.
func (w workspace) begin(ctx context.Context, now time.Time) (*progress, error) {
	if err := w.clear(ctx); err != nil {
		return nil, err
	}
	return &progress{Format: format, Begun: now, Listings: map[string]*listed{}}, nil
}

// clear removes everything the audit kept, how far it came first: without that
// the rest means nothing.
func (w workspace) clear(ctx context.Context) error {
	if err := w.archive.Delete(ctx, w.prefix+progressName); err != nil {
		return fmt.Errorf("clear the audit's workspace: %w", err)
	}
	names, err := w.archive.List(ctx, w.prefix)
	if err != nil {
		return fmt.Errorf("clear the audit's workspace: %w", err)
	}
	if len(names) == 0 {
		return nil
	}
	if err := w.archive.Delete(ctx, names...); err != nil {
		return fmt.Errorf("clear the audit's workspace: %w", err)
	}
	return nil
}

// keep writes a page's rows as a sheet of the listing and puts sheets together
// when there are enough. How far the listing came is not written here.
func (w workspace) keep(ctx context.Context, listing string, l *listed, rows []record) error {
	if len(rows) == 0 {
		return nil
	}
	name := fmt.Sprintf("%s/%06d", listing, l.Pages)
	if err := w.write(ctx, name, rows); err != nil {
		return fmt.Errorf("keep a page of %s: %w", listing, err)
	}
	l.Rows += len(rows)
	l.Sheets = append(l.Sheets, name)
	if single := l.Sheets[l.United:]; len(single) >= merged {
		into := fmt.Sprintf("%s/united-%06d", listing, l.United)
		if err := w.unite(ctx, single, into); err != nil {
			return fmt.Errorf("put the pages of %s together: %w", listing, err)
		}
		l.Sheets = append(l.Sheets[:l.United:l.United], into)
		l.United++
	}
	return nil
}

// again begins a listing anew.
func (l *listed) again() {
	*l = listed{Restarts: l.Restarts + 1}
}

package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Page is one page of a listing that is read over several invocations. Its rows
// passed every check that a page can be put to by itself; that a row came on an
// earlier page already is for the caller to find, who merges by id. Nothing may
// be concluded before the page whose Next is empty.
type Page[T any] struct {
	Rows []T
	Next string // the cursor of the page after it; empty after the last
}

// ErrCursorExpired: Graph does not take this cursor any more. Start the listing
// again from its first page, and not for ever: a listing that expires at every
// attempt is an error.
//
// Graph has no one code for it. The directory says Directory_ExpiredPageToken,
// the reports and the sign-in log UnknownError or nothing, with 400 or 410 and a
// text of their own. But the same question was accepted for the first page, so
// either status, to a request that was made from a cursor, is about the cursor.
// Its text is not looked at.
var ErrCursorExpired = errors.New("the cursor has expired: this listing must be read again from its first page")

// pageOf reads one page of a listing: the first for an empty cursor.
func pageOf[R row, T any](ctx context.Context, l *listing[R], first *request, cursor string, convert func(R) (T, error)) (Page[T], error) {
	about := func(err error) error { return fmt.Errorf("read a page of %s: %w", l.call.api.name, err) }
	start, err := first.GetUri()
	if err != nil {
		return Page[T]{}, about(err)
	}
	req := first
	if cursor != "" {
		// What lay in storage is trusted no more than what comes off the wire.
		u, err := l.client.link(cursor)
		if err != nil {
			return Page[T]{}, about(fmt.Errorf("the cursor %w", err))
		}
		if !samePath(u.Path, start.Path) {
			return Page[T]{}, about(fmt.Errorf("the cursor leads to %s, which is another listing", u.Path))
		}
		req = at(u)
	}
	p, more, err := l.step(ctx, req)
	if cursor != "" && expired(err) {
		return Page[T]{}, about(fmt.Errorf("%w: %w", ErrCursorExpired, err))
	}
	if err != nil {
		return Page[T]{}, about(err)
	}
	if more != nil {
		// Found here and not when the cursor comes back: that is another night.
		u, err := more.GetUri()
		if err != nil {
			return Page[T]{}, about(err)
		}
		if p.NextLink == cursor || !samePath(u.Path, start.Path) {
			return Page[T]{}, about(fmt.Errorf("the link to the next page leads to %s, which is this page or another listing", u.Path))
		}
	}
	if cursor == "" && more == nil && l.neverEmpty && len(*p.Value) == 0 {
		return Page[T]{}, about(errors.New("it is empty, which it cannot be"))
	}
	if cursor == "" && more == nil && p.Count != nil && *p.Count != len(*p.Value) {
		return Page[T]{}, about(fmt.Errorf("it ended after %d rows, but Graph counted %d", len(*p.Value), *p.Count))
	}
	out := Page[T]{Rows: make([]T, len(*p.Value)), Next: p.NextLink}
	for i, r := range *p.Value {
		if out.Rows[i], err = convert(r); err != nil {
			return Page[T]{}, about(err)
		}
	}
	return out, nil
}

// expired reports whether Graph refused the request as it stands, which a
// missing permission or licence is not.
func expired(err error) bool {
	status := statusOf(err)
	return (status == http.StatusBadRequest || status == http.StatusGone) && !errors.Is(err, ErrNoLicence)
}

// samePath compares paths as OData does: groups('a') is groups/a.
func samePath(a, b string) bool {
	plain := strings.NewReplacer("('", "/", "')", "")
	return strings.EqualFold(plain.Replace(a), plain.Replace(b))
}

// sure is a conversion that cannot fail.
func sure[R row, T any](one func(R) T) func(R) (T, error) {
	return func(r R) (T, error) { return one(r), nil }
}

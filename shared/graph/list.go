package graph

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
)

// row is one element of a listing as Graph wrote it.
type row interface{ rowID() string }

// page is one answer of a listing.
type page[R row] struct {
	Value    *[]R            `json:"value"`
	NextLink string          `json:"@odata.nextLink"`
	Count    *int            `json:"@odata.count"` // of the whole listing, where Graph says it
	Error    json.RawMessage `json:"error"`
}

// listing is one reading of a collection from its first page to its last.
type listing[R row] struct {
	client *Client
	call   call
	// repeats allows an id to come more than once (the sign-in log, where that
	// is normal); anywhere else it means that pages overlapped.
	repeats bool
	// never empty: every tenant has at least one row of this
	neverEmpty bool

	rows  int
	pages int
	links map[digest]bool
	ids   map[digest]bool
}

// digest stands for an id or a link in the sets that find repetitions: 16 bytes
// a row is all that a listing keeps.
type digest [16]byte

func digestOf(s string) digest {
	sum := sha256.Sum256([]byte(s))
	return digest(sum[:16])
}

// read hands over each page as it comes. The error is the first page's own where
// nothing could be read (no licence, no permission); after that it is a
// [PartialError].
func (l *listing[R]) read(ctx context.Context, first *request, deliver func([]R) error) error {
	total := -1
	for req := first; req != nil; {
		p, more, err := l.step(ctx, req)
		if err != nil && l.pages == 0 {
			return fmt.Errorf("read %s: %w", l.call.api.name, err)
		}
		if err != nil {
			return l.partial(err)
		}
		if p.Count != nil {
			total = *p.Count
		}
		if len(*p.Value) > 0 {
			if err := deliver(*p.Value); err != nil {
				return fmt.Errorf("take a page of %s: %w", l.call.api.name, err)
			}
		}
		req = more
	}
	if total >= 0 && l.rows != total {
		return l.partial(fmt.Errorf("it ended, but Graph counted %d", total))
	}
	if l.neverEmpty && l.rows == 0 {
		return l.partial(errors.New("it is empty, which it cannot be"))
	}
	return nil
}

// step reads one page and checks it by itself and against those before it; more
// asks for the page after it, nil after the last.
func (l *listing[R]) step(ctx context.Context, req *request) (p page[R], more *request, err error) {
	if l.links == nil {
		l.links, l.ids = map[digest]bool{}, map[digest]bool{}
	}
	if p, err = l.page(ctx, req); err != nil {
		return p, nil, err
	}
	l.pages++
	if err = l.check(*p.Value); err != nil {
		return p, nil, err
	}
	l.rows += len(*p.Value)
	more, err = l.next(p.NextLink)
	return p, more, err
}

func (l *listing[R]) page(ctx context.Context, req *request) (page[R], error) {
	var p page[R]
	body, err := l.client.send(ctx, l.call, req)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(body, &p); err != nil {
		if e := errorIn(body); e != nil {
			return p, answerError(l.call.api, 200, "", e)
		}
		return p, fmt.Errorf("a page is not what Graph documents: %w", err)
	}
	if len(p.Error) > 0 && string(p.Error) != "null" {
		return p, answerError(l.call.api, 200, "", errorIn(body))
	}
	if p.Value == nil {
		return p, errors.New("a page has no rows, not even none")
	}
	return p, nil
}

// check refuses rows that cannot be told apart.
func (l *listing[R]) check(rows []R) error {
	for i, r := range rows {
		id := r.rowID()
		if id == "" {
			return fmt.Errorf("row %d has no id", l.rows+i+1)
		}
		if l.repeats {
			continue
		}
		d := digestOf(id)
		if l.ids[d] {
			return fmt.Errorf("the id %s came twice", id)
		}
		l.ids[d] = true
	}
	return nil
}

// next makes the request for the page after this one, nil after the last.
func (l *listing[R]) next(link string) (*request, error) {
	if link == "" {
		return nil, nil
	}
	u, err := l.client.link(link)
	if err != nil {
		return nil, fmt.Errorf("the link to the next page %w", err)
	}
	d := digestOf(link)
	if l.links[d] {
		return nil, errors.New("the link to the next page leads back to a page that was read")
	}
	l.links[d] = true
	return at(u), nil
}

// link reads the address of a page. It is an answer's content, or was kept by
// the caller: the token goes nowhere but to the end point.
func (c *Client) link(link string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, errors.New("is no address")
	}
	if u.Scheme != c.endpoint.Scheme || u.Host != c.endpoint.Host || u.User != nil {
		return nil, fmt.Errorf("leads to %s://%s, which is not the end point %s", u.Scheme, u.Host, c.endpoint)
	}
	return u, nil
}

func (l *listing[R]) partial(err error) error {
	return &PartialError{Listing: l.call.api.name, Rows: l.rows, Err: err}
}

// all collects a listing that is small by nature.
func all[R row, T any](ctx context.Context, l *listing[R], first *request, convert func(R) (T, error)) ([]T, error) {
	var out []T
	err := l.read(ctx, first, func(rows []R) error {
		for _, r := range rows {
			v, err := convert(r)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

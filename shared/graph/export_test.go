package graph

import (
	"context"
	"net/url"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"

	"sallyport/shared/rollout"
)

// What the tests need to see of the inside.

func Backoff(method, url string, attempt int) time.Duration { return backoff(method, url, attempt) }

// SendRaw sends whatever it is told through the real adapter, as code would that
// forgot every rule. owned are the ids it claims to own.
func (c *Client) SendRaw(ctx context.Context, method, address, body string, owned ...string) error {
	return c.SendRawSparing(ctx, nil, method, address, body, owned...)
}

// SendRawSparing is SendRaw that names the emergency accounts.
func (c *Client) SendRawSparing(ctx context.Context, spared []string, method, address, body string, owned ...string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if !u.IsAbs() {
		if u, err = url.Parse(c.base() + address); err != nil {
			return err
		}
	}
	req := at(u)
	switch method {
	case "GET":
		req.Method = abstractions.GET
	case "POST":
		req.Method = abstractions.POST
	case "PATCH":
		req.Method = abstractions.PATCH
	case "PUT":
		req.Method = abstractions.PUT
	case "DELETE":
		req.Method = abstractions.DELETE
	}
	if body != "" {
		req.SetStreamContentAndContentType([]byte(body), "application/json")
	}
	_, err = c.send(ctx, call{api: api{name: "a raw request"}, owned: owned, spared: spared}, req)
	return err
}

// Users reads the accounts as a listing that is read at once, as policies and
// sign-ins are: what holds for one such listing holds for all.
func (c *Client) Users(ctx context.Context, withActivity bool, page func([]rollout.User) error) error {
	l, req, err := c.usersListing(ctx, withActivity)
	if err != nil {
		return err
	}
	return l.read(ctx, req, func(rows []userRow) error {
		out := make([]rollout.User, len(rows))
		for i, r := range rows {
			out[i] = r.user(withActivity)
		}
		return page(out)
	})
}

// Registrations reads the report page by page, to its end.
func (c *Client) Registrations(ctx context.Context, page func([]rollout.Registration) error) error {
	for cursor, more := "", true; more; {
		p, err := c.RegistrationsPage(ctx, cursor)
		if err != nil {
			return err
		}
		if err := page(p.Rows); err != nil {
			return err
		}
		cursor, more = p.Next, p.Next != ""
	}
	return nil
}

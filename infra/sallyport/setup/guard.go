package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	abstractions "github.com/microsoft/kiota-abstractions-go"
)

// errRefused: the request was stopped on this side, before the wire.
var errRefused = errors.New("refused before sending")

// permit is the one write that a request may be. It travels with the request, and
// the bytes that would leave are held to it.
type permit struct {
	method, path string
	body         []byte // exactly these
}

type permitKey struct{}

// write sends a request that changes something. The body must be what the caller
// means, key by key: the SDK writes what its models know, and a list that was
// decoded by them turns a control that they do not know into "block".
func (c *Client) write(ctx context.Context, req *abstractions.RequestInformation, path string, meant any) ([]byte, error) {
	body, err := json.Marshal(meant)
	if err != nil {
		return nil, err
	}
	return c.send(context.WithValue(ctx, permitKey{}, permit{method: req.Method.String(), path: path, body: body}), req)
}

// guarded is the last stop before the wire. It lets nothing out to another host,
// and no write but the one that was meant, of the kinds that setting up takes.
type guarded struct {
	next     http.RoundTripper
	endpoint *url.URL
}

// RoundTrip implements [http.RoundTripper].
func (g guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.EqualFold(req.URL.Scheme, g.endpoint.Scheme) || !strings.EqualFold(req.URL.Host, g.endpoint.Host) {
		return nil, fmt.Errorf("%w: a request to %s, which is not the end point", errRefused, req.URL.Host)
	}
	if req.Method == http.MethodGet {
		return g.next.RoundTrip(req)
	}
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
		_ = req.Body.Close() // it was read to its end
	}
	path := strings.TrimPrefix(req.URL.Path, g.endpoint.Path+"/v1.0/")
	meant, _ := req.Context().Value(permitKey{}).(permit)
	if err := guard(req.Method, path, body, meant); err != nil {
		return nil, fmt.Errorf("%w: %s %s: %w", errRefused, req.Method, path, err)
	}
	out := req.Clone(req.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return g.next.RoundTrip(out)
}

// guard refuses every write that is not one of these, to the letter of what was
// meant. Whatever else this package might ever be asked to do is not among them: it
// takes away no account, no role and no exclusion, and touches no policy's state,
// controls or inclusions.
func guard(method, path string, body []byte, meant permit) error {
	part := strings.Split(path, "/")
	kinds := []bool{
		method == http.MethodPost && path == "users",
		method == http.MethodPatch && len(part) == 2 && part[0] == "users",
		method == http.MethodPost && path == "groups",
		method == http.MethodPost && len(part) == 4 && part[0] == "groups" && part[2] == "members" && part[3] == "$ref",
		method == http.MethodPost && path == "roleManagement/directory/roleAssignments",
		method == http.MethodPatch && len(part) == 4 && strings.HasPrefix(path, "identity/conditionalAccess/policies/"),
	}
	if !slices.Contains(kinds, true) {
		return errors.New("this is no write that setting up takes")
	}
	if method != meant.method || path != meant.path || !sameJSON(body, meant.body) {
		return errors.New("these are not the bytes that were meant")
	}
	return nil
}

// sameJSON compares two JSON texts by what they say.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	one, err := json.Marshal(x)
	if err != nil {
		return false
	}
	other, err := json.Marshal(y)
	return err == nil && bytes.Equal(one, other)
}

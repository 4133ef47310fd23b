package tenant

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// maxBatch is how many requests one $batch may hold.
// Source: https://learn.microsoft.com/graph/json-batching
const maxBatch = 20

type batchRequest struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// batch answers each request on its own: throttled, refused and journalled like
// any other, under one 200. The answers come in no particular order.
func (t *Tenant) batch(c *call) answer {
	var in struct {
		Requests []batchRequest `json:"requests"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil {
		return badQuery("Invalid batch payload format.")
	}
	if len(in.Requests) == 0 || len(in.Requests) > maxBatch {
		return badQuery(fmt.Sprintf("Number of batch request steps must be between 1 and %d.", maxBatch))
	}
	seen := map[string]bool{}
	responses := make([]any, len(in.Requests))
	for i, r := range in.Requests {
		if r.ID == "" || seen[r.ID] {
			return badQuery("Every request of a batch needs an id of its own.")
		}
		seen[r.ID] = true
		responses[len(responses)-1-i] = t.batched(c, r)
	}
	return ok(http.StatusOK, Object{"responses": responses})
}

func (t *Tenant) batched(c *call, r batchRequest) Object {
	a := problem(http.StatusBadRequest, "BadRequest", "Invalid batch request URL.")
	if u, err := url.Parse("/" + strings.TrimPrefix(r.URL, "/")); err == nil {
		inner := &call{
			method: strings.ToUpper(r.Method), version: c.version, path: strings.TrimPrefix(u.Path, "/"), query: u.Query(), raw: u.RawQuery, header: http.Header{},
			body: r.Body, base: c.base, inner: true,
		}
		inner.header.Set("Authorization", c.header.Get("Authorization"))
		for k, v := range r.Headers {
			inner.header.Set(k, v)
		}
		if inner.path == "$batch" {
			a = badQuery("A batch cannot hold a batch.")
		} else if said, err := t.exchange(inner); err == nil {
			a = said
		} else {
			a = problem(http.StatusGatewayTimeout, "UnknownError", "The step did not answer in time.")
		}
	}
	out := Object{"id": r.ID, "status": a.status}
	headers := Object{}
	for k, v := range a.header {
		headers[k] = v
	}
	if len(a.body) > 0 {
		headers["Content-Type"] = "application/json"
		out["body"] = json.RawMessage(a.body)
	}
	out["headers"] = headers
	return out
}

package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
)

// Source: https://learn.microsoft.com/graph/json-batching
const (
	batchPath = "/$batch"
	batchSize = 20
	// batchRounds is how often in a row a batch may bring nothing at all.
	batchRounds = 8
)

type batchRequest struct {
	ID     string `json:"id"`
	Method string `json:"method"`
	URL    string `json:"url"`
}

type batchAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// retryAfter reads the answer's own Retry-After.
func (a batchAnswer) retryAfter(now time.Time) (time.Duration, bool) {
	header := http.Header{}
	for name, value := range a.Headers {
		header.Set(name, value)
	}
	return retryAfter(header, now)
}

// batch reads many small things below a version, twenty in a request, and hands each answer to
// take with its index in paths, in any order. Statuses above 399 reach take too,
// but for those that pass: each sub-request is throttled alone, as an answer
// inside a success, and nobody but us repeats it. The first such refusal shows
// that the limit counts sub-requests; from then on only as many go out together
// as `careful` says, each counted on its own.
func (c *Client) batch(ctx context.Context, version string, a api, careful int, paths []string, take func(i, status int, body []byte) error) error {
	pending := make([]int, len(paths))
	partial := func(err error) error {
		return &PartialError{Listing: a.name, Rows: len(paths) - len(pending), Err: err}
	}
	for i := range paths {
		pending[i] = i
	}
	size, weight, fruitless := batchSize, 1, 0
	for len(pending) > 0 {
		chunk := pending[:min(size, len(pending))]
		if weight > 1 {
			weight = len(chunk)
		}
		answers, err := c.sendBatch(ctx, version, call{api: a, weight: weight}, chunk, paths)
		if err != nil {
			return partial(err)
		}
		var again []int
		var wait time.Duration
		var refused error
		for _, i := range chunk {
			answer := answers[i]
			if temporary(answer.Status) {
				again = append(again, i)
				asked, ok := answer.retryAfter(c.clock.Now())
				if !ok {
					asked = backoff(http.MethodGet, paths[i], fruitless+1)
				}
				if refused == nil || asked > wait {
					wait, refused = asked, answerError(a, answer.Status, "", errorIn(answer.Body))
				}
				continue
			}
			if err := take(i, answer.Status, answer.Body); err != nil {
				return err
			}
		}
		if len(again) < len(chunk) {
			fruitless = 0
		} else if fruitless++; fruitless == batchRounds {
			return partial(fmt.Errorf("Graph refused for now, %d times in a row", fruitless))
		}
		pending = append(again, pending[len(chunk):]...)
		if len(again) > 0 {
			size, weight = careful, careful
			if then := c.clock.Now().Add(wait); wait > maxWait || !inTime(ctx, then) {
				return partial(&LaterError{At: then, API: a.name, Err: refused})
			}
			if err := c.clock.Sleep(ctx, wait); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendBatch sends one batch and returns its answers by index. One answer for
// each request, no more and no fewer.
func (c *Client) sendBatch(ctx context.Context, version string, about call, chunk []int, paths []string) (map[int]batchAnswer, error) {
	var body struct {
		Requests []batchRequest `json:"requests"`
	}
	for _, i := range chunk {
		body.Requests = append(body.Requests, batchRequest{ID: strconv.Itoa(i), Method: http.MethodGet, URL: paths[i]})
	}
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	// A whole address: the SDK would put its own base, version 1.0, before a path.
	u, err := url.Parse(version + batchPath)
	if err != nil {
		return nil, err
	}
	req := at(u)
	req.Method = abstractions.POST
	req.SetStreamContentAndContentType(content, "application/json")
	var answer struct {
		Responses []batchAnswer `json:"responses"`
	}
	if err := c.fetch(ctx, about, req, &answer); err != nil {
		return nil, err
	}
	answers := make(map[int]batchAnswer, len(chunk))
	for _, one := range answer.Responses {
		i, err := strconv.Atoi(one.ID)
		if _, twice := answers[i]; err != nil || twice {
			return nil, fmt.Errorf("the batch answered a request %q that was not asked, or twice", one.ID)
		}
		answers[i] = one
	}
	for _, i := range chunk {
		if answers[i].Status == 0 {
			return nil, fmt.Errorf("the batch left out %d of %d answers", len(chunk)-len(answers), len(chunk))
		}
	}
	if len(answers) != len(chunk) {
		return nil, errors.New("the batch answered requests that were not asked")
	}
	return answers, nil
}

// relative is the request's address as a batch wants it: below the version.
func (c *Client) relative(req *request) (string, error) {
	u, err := req.GetUri()
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(u.String(), c.base())
	if !ok {
		return "", fmt.Errorf("%s is not below %s", u.Path, c.base())
	}
	return rest, nil
}

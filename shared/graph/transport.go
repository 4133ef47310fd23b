package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer bounds one answer; a page of a thousand sign-ins is about 3 MB.
const maxAnswer = 64 << 20

// transport is the last stop before the wire: it lets nothing out to another
// host and no write that the guard does not know, keeps the pace, and repeats
// what may be repeated. Answers are read whole here, so that a connection that
// breaks in the middle of a page counts as an error and not as a short page.
type transport struct {
	base     http.RoundTripper
	endpoint *url.URL
	clock    Clock
	pacer    *pacer
	log      *slog.Logger
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, about := req.Context(), callOf(req.Context())
	body, err := readRequest(req)
	if err != nil {
		return nil, err
	}
	path, err := t.pathOf(req.URL)
	if err != nil {
		return nil, err
	}
	if err := guard(req.Method, path, body, about); err != nil {
		return nil, fmt.Errorf("%w: %s %s: %w", ErrRefused, req.Method, path, err)
	}

	var waited time.Duration
	for attempt := 1; ; attempt++ {
		if err := t.pacer.wait(ctx, about.api, about.weight); err != nil {
			return nil, err
		}
		res, err := t.send(req, body)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && !temporary(res.StatusCode) {
			return res, nil
		}
		if !repeatable(req.Method, path) {
			if err != nil {
				err = fmt.Errorf("nobody knows whether it was done, look before trying again: %w", err)
			}
			return res, err
		}
		wait, asked := backoff(req.Method, req.URL.RequestURI(), attempt), false
		if err == nil {
			if d, ok := retryAfter(res.Header, t.clock.Now()); ok {
				wait, asked = d, true
			}
		}
		then := t.clock.Now().Add(wait)
		spent := attempt == maxAttempts || waited+wait > maxWait
		switch {
		case err == nil && (spent && asked || !inTime(ctx, then)):
			return nil, &LaterError{At: then, API: about.api.name, Err: answerOf(about.api, res)}
		case err != nil && (spent || !inTime(ctx, then)):
			return nil, fmt.Errorf("gave up after %d attempts and %s of waiting: %w", attempt, waited.Round(time.Second), err)
		case spent:
			return res, nil
		}
		t.log.LogAttrs(ctx, slog.LevelInfo, "graph: waiting before another attempt",
			slog.String("api", about.api.name), slog.Int("attempt", attempt), slog.Duration("wait", wait), slog.Int("status", status(res)))
		if err := t.clock.Sleep(ctx, wait); err != nil {
			return nil, err
		}
		waited += wait
	}
}

// pathOf returns the path below the version (v1.0 or beta). The token belongs to
// the end point alone.
func (t *transport) pathOf(u *url.URL) (string, error) {
	if !strings.EqualFold(u.Scheme, t.endpoint.Scheme) || !strings.EqualFold(u.Host, t.endpoint.Host) {
		return "", fmt.Errorf("%w: a request to %s://%s, which is not the end point %s", ErrRefused, u.Scheme, u.Host, t.endpoint)
	}
	path := strings.TrimPrefix(u.Path, t.endpoint.Path)
	for _, version := range []string{"/v1.0/", "/beta/"} {
		if rest, ok := strings.CutPrefix(path, version); ok {
			return "/" + rest, nil
		}
	}
	return "", fmt.Errorf("%w: %s is outside v1.0 and beta", ErrRefused, path)
}

// send makes one attempt and reads the answer to its end.
func (t *transport) send(req *http.Request, body []byte) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), attemptTime)
	defer cancel()
	out := req.Clone(ctx)
	out.Body, out.ContentLength = http.NoBody, 0
	if len(body) > 0 {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	res, err := t.base.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var buffer bytes.Buffer
	if res.ContentLength > 0 && res.ContentLength <= maxAnswer {
		buffer.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(io.LimitReader(res.Body, maxAnswer+1)); err != nil {
		return nil, fmt.Errorf("the answer broke off after %d bytes: %w", buffer.Len(), err)
	}
	answer := buffer.Bytes()
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if res.ContentLength > 0 && !res.Uncompressed && int64(len(answer)) != res.ContentLength {
		return nil, fmt.Errorf("the answer broke off after %d of %d bytes", len(answer), res.ContentLength)
	}
	res.Body, res.ContentLength = &wholeBody{bytes.NewReader(answer), answer}, int64(len(answer))
	return res, nil
}

// wholeBody is an answer that was read to its end, so that it need not be
// copied again.
type wholeBody struct {
	*bytes.Reader
	all []byte
}

// Close implements [io.Closer]; there is nothing left to close.
func (*wholeBody) Close() error { return nil }

func readRequest(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(req.Body)
	if err := errors.Join(err, req.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	return body, nil
}

func status(res *http.Response) int {
	if res == nil {
		return 0
	}
	return res.StatusCode
}

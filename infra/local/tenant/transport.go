package tenant

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// Transport answers requests in process, without sockets, whatever host they
// are for: sixty days of polling in seconds. Give it to the client under test
// as its HTTP transport.
func (t *Tenant) Transport() http.RoundTripper { return transport{t} }

type transport struct{ tenant *Tenant }

// RoundTrip implements http.RoundTripper.
func (tr transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	c, err := newCall(r)
	if r.Body != nil {
		_ = r.Body.Close() // a RoundTripper must; there is nothing to lose
	}
	if err != nil {
		return respond(r, problem(http.StatusBadRequest, "BadRequest", err.Error())), nil
	}
	a, err := tr.tenant.exchange(c)
	var b *broken
	switch {
	case errors.As(err, &b) && errors.Is(err, ErrCut):
		res := respond(r, b.part)
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b.part.body), failing{}))
		return res, nil
	case errors.As(err, &b):
		return nil, b.err
	}
	return respond(r, a), err
}

// failing is the end of a connection that was cut.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func respond(r *http.Request, a answer) *http.Response {
	h := http.Header{}
	for k, v := range a.header {
		h.Set(k, v)
	}
	if len(a.body) > 0 {
		h.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	}
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
}

// hangUp lets a fault of the transport happen over a socket.
func hangUp(w http.ResponseWriter, r *http.Request, failed error) {
	var timesOut interface{ Timeout() bool }
	if errors.As(failed, &timesOut) && timesOut.Timeout() {
		<-r.Context().Done() // until the caller gives up
	}
	var b *broken
	if errors.As(failed, &b) && len(b.part.body) > 0 {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000000") // more than comes
		w.WriteHeader(b.part.status)
		_, _ = w.Write(b.part.body) // the connection is about to be cut anyway
		_ = http.NewResponseController(w).Flush()
	}
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close() // that is the fault
	}
}

package tenant

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one request to Graph, from a socket, in process or out of a batch.
type call struct {
	at      time.Time
	method  string
	version string // v1.0 or beta
	path    string // below the version
	vars    map[string]string
	query   url.Values
	raw     string // the query as it came
	header  http.Header
	body    []byte
	base    string // scheme and host, for links
	inner   bool   // out of a $batch
	app     string
	roles   []string // what the token allows: application permissions or scopes
	person  string   // who signed in; empty: an application on its own
}

// answer is what Graph says. status 0 means that nothing was said yet.
type answer struct {
	status int
	header map[string]string
	body   []byte
}

// Request is one line of the journal.
type Request struct {
	At     time.Time
	App    string // application id of the token
	Method string
	Path   string // with version and query
	Body   string // as sent, unzipped
	Status int    // what Graph answered; 0: nothing, a fault came first
	Fault  string // what happened to the request or to its answer
	Inner  bool   // out of a $batch
}

// Write reports whether the request asked for a change.
func (r Request) Write() bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.Path, "/$batch")
}

// Journal returns every request so far, those inside batches on their own.
func (t *Tenant) Journal() []Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Request(nil), t.journal...)
}

// Writes returns the requests that asked for a change.
func (t *Tenant) Writes() []Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Request
	for _, r := range t.journal {
		if r.Write() {
			out = append(out, r)
		}
	}
	return out
}

// ForgetJournal drops the journal, for long simulations that have read it.
func (t *Tenant) ForgetJournal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.journal = nil
}

// maxBody is far above anything a caller of this API sends.
const maxBody = 4 << 20

// ServeHTTP answers like https://graph.microsoft.com.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := newCall(r)
	if err != nil {
		write(w, problem(http.StatusBadRequest, "BadRequest", err.Error()))
		return
	}
	a, failed := t.exchange(c)
	if failed != nil {
		hangUp(w, r, failed)
		return
	}
	write(w, a)
}

func newCall(r *http.Request) (*call, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = readBody(r); err != nil {
			return nil, err
		}
	}
	scheme := r.URL.Scheme
	if scheme == "" {
		scheme = "http"
		if r.TLS != nil {
			scheme = "https"
		}
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return &call{method: r.Method, version: version, path: path, query: r.URL.Query(), raw: r.URL.RawQuery, header: r.Header, body: body, base: scheme + "://" + host}, nil
}

func readBody(r *http.Request) ([]byte, error) {
	var in io.Reader = r.Body
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
		in = z
	}
	b, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if len(b) > maxBody {
		return nil, errors.New("the body is too large")
	}
	return b, nil
}

// exchange answers a call, with the faults that befall it on the way in and out.
func (t *Tenant) exchange(c *call) (answer, error) {
	t.mu.Lock()
	c.at = t.clock.Now()
	hook := t.faults
	t.calls++
	seen := Call{N: t.calls, At: c.at, Method: c.method, Path: "/" + c.version + "/" + c.path, Query: c.raw, Inner: c.inner}
	t.mu.Unlock()
	if hook != nil {
		if f := hook.Before(seen); f.Kind != NoFault {
			t.remember(c, 0, f)
			return t.befall(c, f, answer{})
		}
	}
	a := t.serve(c)
	if hook != nil {
		if f := hook.After(seen, a.status); f.Kind != NoFault {
			t.remember(c, a.status, f)
			return t.befall(c, f, a)
		}
	}
	t.remember(c, a.status, Fault{})
	return a, nil
}

func (t *Tenant) remember(c *call, status int, f Fault) {
	path := "/" + c.version + "/" + c.path
	if c.raw != "" {
		q, err := url.QueryUnescape(c.raw)
		if err != nil {
			q = c.raw
		}
		path += "?" + q
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.journal = append(t.journal, Request{At: c.at, App: c.app, Method: c.method, Path: path, Body: string(c.body), Status: status, Fault: f.String(), Inner: c.inner})
}

// serve routes a call, checks token, licence and limits, and answers.
func (t *Tenant) serve(c *call) answer {
	t.mu.Lock()
	r, a := t.admit(c)
	t.mu.Unlock()
	if a.status == 0 && r.outside != nil {
		a = r.outside(t, c)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.status == 0 {
		a = r.do(t, c)
	}
	return t.signed(c, a)
}

// admit finds the route of a call and refuses what has no token, no permission
// or no room under the limits.
func (t *Tenant) admit(c *call) (route, answer) {
	r, found := t.find(c)
	if a := t.authenticate(c); a.status != 0 {
		return r, a
	}
	if !found {
		return r, problem(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+c.path+"', or the simulated tenant does not know it.")
	}
	if a := t.throttle(c, r); a.status != 0 {
		return r, a
	}
	if !c.may(r.needs...) || !t.personMay(c) {
		return r, r.denied(c)
	}
	return r, answer{}
}

// signed adds the headers and the ids that every answer carries.
func (t *Tenant) signed(c *call, a answer) answer {
	if a.status < 400 {
		return a
	}
	var o Object
	if json.Unmarshal(a.body, &o) != nil {
		return a
	}
	e := object(o, "error")
	if e == nil {
		return a
	}
	id := makeID(t.seed, "request", uint64(t.calls))
	client := c.header.Get("client-request-id")
	if client == "" {
		client = id
	}
	inner := object(e, "innerError")
	if inner == nil {
		inner = Object{}
		e["innerError"] = inner
	}
	inner["date"], inner["request-id"], inner["client-request-id"] = c.at.UTC().Format("2006-01-02T15:04:05"), id, client
	a.body = marshal(o)
	return a
}

// marshal encodes what is made of maps, lists, strings, numbers and bools only.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte("null")
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func ok(status int, o Object) answer { return answer{status: status, body: marshal(o)} }

func empty() answer { return answer{status: http.StatusNoContent} }

// problem is an error in Graph's shape.
// Source: https://learn.microsoft.com/graph/errors
func problem(status int, code, message string) answer {
	return answer{status: status, body: marshal(Object{"error": Object{"code": code, "message": message}})}
}

func write(w http.ResponseWriter, a answer) {
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if len(a.body) > 0 {
		w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the reader hung up: nobody left to tell
}

// decode reads the body of a write as an object.
func (c *call) decode() (Object, answer) {
	var o Object
	if err := json.Unmarshal(c.body, &o); err != nil || o == nil {
		return nil, problem(http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload.")
	}
	return o, answer{}
}

package graph_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"sallyport/shared/graph"
)

func start() time.Time { return time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC) }

// clock is a clock whose sleeps pass at once and are written down.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	sleeps []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.sleeps = append(c.sleeps, d)
	return ctx.Err()
}

// app is a credential with a token of the test's making.
type app struct{ roles []string }

func (a app) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	claims, err := json.Marshal(map[string]any{"aud": strings.Join(o.Scopes, " "), "roles": a.roles})
	if err != nil {
		return azcore.AccessToken{}, err
	}
	token := "e30." + base64.RawURLEncoding.EncodeToString(claims) + ".c2ln"
	return azcore.AccessToken{Token: token, ExpiresOn: start().Add(time.Hour)}, nil
}

// seen is one request as it reached the server.
type seen struct {
	at     time.Time
	method string
	path   string
	query  string
	header http.Header
	body   string
}

// tenant is a server that answers as the test says.
type tenant struct {
	*graph.Client
	t      *testing.T
	clock  *clock
	server *httptest.Server
	mu     sync.Mutex
	seen   []seen
}

func newTenant(t *testing.T, answer http.HandlerFunc) *tenant {
	t.Helper()
	tn := &tenant{t: t, clock: &clock{now: start()}}
	tn.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		tn.mu.Lock()
		tn.seen = append(tn.seen, seen{tn.clock.Now(), r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Clone(), string(body)})
		tn.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	t.Cleanup(tn.server.Close)
	tn.Client = tn.client(app{roles: []string{"User.Read.All", "AuditLog.Read.All"}})
	return tn
}

func (tn *tenant) client(credential azcore.TokenCredential) *graph.Client {
	tn.t.Helper()
	c, err := graph.New(graph.Options{Endpoint: tn.server.URL, Credential: credential, Clock: tn.clock})
	if err != nil {
		tn.t.Fatal(err)
	}
	return c
}

// calls lists the requests as "GET /v1.0/users".
func (tn *tenant) calls() []string {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	var out []string
	for _, s := range tn.seen {
		out = append(out, s.method+" "+s.path)
	}
	return out
}

func (tn *tenant) last() seen {
	tn.t.Helper()
	tn.mu.Lock()
	defer tn.mu.Unlock()
	if len(tn.seen) == 0 {
		tn.t.Fatal("nothing was sent")
	}
	return tn.seen[len(tn.seen)-1]
}

// answers sends the given answers, one a request; the last one again and again.
func answers(list ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		one := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		mu.Unlock()
		one(w, r)
	}
}

// ok answers 200 with the body; {host} in it stands for the server.
func ok(body string) http.HandlerFunc { return status(http.StatusOK, body) }

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, strings.ReplaceAll(body, "{host}", "http://"+r.Host))
	}
}

func failure(code int, graphCode string, header ...string) http.HandlerFunc {
	return status(code, `{"error":{"code":"`+graphCode+`","message":"written for people"}}`, header...)
}

// collect gathers what a listing hands over.
func collect[T any](list func(func([]T) error) error) ([]T, error) {
	var out []T
	err := list(func(page []T) error { out = append(out, page...); return nil })
	return out, err
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, o := range map[string]graph.Options{
		"no credential":  {Clock: &clock{}},
		"no clock":       {Credential: app{}},
		"plain http":     {Credential: app{}, Clock: &clock{}, Endpoint: "http://graph.contoso.com"},
		"no host":        {Credential: app{}, Clock: &clock{}, Endpoint: "graph.microsoft.com"},
		"user in it":     {Credential: app{}, Clock: &clock{}, Endpoint: "https://a:b@graph.microsoft.com"},
		"another scheme": {Credential: app{}, Clock: &clock{}, Endpoint: "ftp://localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := graph.New(o); err == nil {
				t.Error("no error")
			}
		})
	}
	if _, err := graph.New(graph.Options{Credential: app{}, Clock: &clock{}}); err != nil {
		t.Errorf("the public cloud by default: %v", err)
	}
}

func TestEveryRequestCarriesTheTokenAndAsksForUnknownMembers(t *testing.T) {
	tn := newTenant(t, ok(`{"isEnabled":true}`))
	if _, err := tn.SecurityDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := tn.last()
	if !strings.HasPrefix(got.header.Get("Authorization"), "Bearer e30.") {
		t.Errorf("Authorization is %q", got.header.Get("Authorization"))
	}
	if got.header.Get("Prefer") != "include-unknown-enum-members" {
		t.Errorf("Prefer is %q", got.header.Get("Prefer"))
	}
}

func TestGrantedReadsTheTokensRoles(t *testing.T) {
	tn := newTenant(t, ok(`{}`))
	got, err := tn.Granted(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := "AuditLog.Read.All User.Read.All"; strings.Join(got, " ") != want {
		t.Errorf("Granted = %q, want %q, sorted", got, want)
	}
}

// The root package of the SDK takes 100 seconds more to build and gives nothing.
func TestTheRootOfTheSDKIsNotImported(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if path := strings.Trim(i.Path.Value, `"`); path == "github.com/microsoftgraph/msgraph-sdk-go" {
				t.Errorf("%s imports %s: use its sub-packages", e.Name(), path)
			}
		}
	}
}

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	return decodeReader(t, strings.NewReader(body))
}

func decodeReader(t *testing.T, r io.Reader) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.NewDecoder(r).Decode(&v); err != nil {
		t.Errorf("no JSON object: %v", err)
	}
	return v
}

package tenant_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
)

// once lets one fault happen, before or after the first request.
type once struct {
	before, after tenant.Fault
	done          bool
}

func (o *once) Before(tenant.Call) tenant.Fault {
	if o.before.Kind != tenant.NoFault && !o.done {
		o.done = true
		return o.before
	}
	return tenant.Fault{}
}

func (o *once) After(tenant.Call, int) tenant.Fault {
	if o.after.Kind != tenant.NoFault && !o.done {
		o.done = true
		return o.after
	}
	return tenant.Fault{}
}

// A fault before means that nothing was done; one after, that it was. In
// process and over a socket it looks the same to the caller.
func TestFaults(t *testing.T) {
	crash := errors.New("the caller crashed")
	for name, f := range map[string]struct {
		faults once
		done   bool
		status int
		fails  func(error) bool
	}{
		"429 with a wait":         {faults: once{before: tenant.Fault{Kind: tenant.Answers, Status: 429, RetryAfter: "1.5"}}, status: 429},
		"503":                     {faults: once{before: tenant.Fault{Kind: tenant.Answers, Status: 503}}, status: 503},
		"a time-out before":       {faults: once{before: tenant.Fault{Kind: tenant.TimesOut}}, fails: isTimeout},
		"a time-out after":        {faults: once{after: tenant.Fault{Kind: tenant.TimesOut}}, done: true, fails: isTimeout},
		"a reset before":          {faults: once{before: tenant.Fault{Kind: tenant.Resets}}, fails: notNil},
		"a reset after":           {faults: once{after: tenant.Fault{Kind: tenant.Resets}}, done: true, fails: notNil},
		"an answer that is cut":   {faults: once{after: tenant.Fault{Kind: tenant.Cuts}}, done: true, fails: func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		"a crash after the write": {faults: once{after: tenant.Fault{Kind: tenant.Breaks, Err: crash}}, done: true, fails: notNil},
	} {
		for _, way := range []string{"in process", "socket"} {
			t.Run(name+", "+way, func(t *testing.T) {
				firm := unthrottled(tenant.Sample(1, newClock()))
				call(t, firm, everyRole...)
				faults := f.faults
				firm.SetFaults(&faults)
				client, base := &http.Client{Transport: firm.Transport()}, "https://graph.microsoft.com"
				if way == "socket" {
					server := httptest.NewServer(firm)
					defer server.Close()
					client, base = server.Client(), server.URL
					client.Timeout = 300 * time.Millisecond
				}
				before := len(firm.Policies())
				token, _, err := firm.Token(reader)
				if err != nil {
					t.Fatal(err)
				}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1.0"+policies, strings.NewReader(draft(tenant.StateReportOnly)))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+token)
				res, err := client.Do(r)
				status := 0
				if err == nil {
					status = res.StatusCode
					_, err = io.ReadAll(res.Body)
					_ = res.Body.Close()
				}
				if f.fails == nil && (err != nil || status != f.status) || f.fails != nil && !f.fails(err) {
					t.Errorf("status %d, error %v", status, err)
				}
				if way == "in process" && strings.HasPrefix(name, "a crash") && !errors.Is(err, crash) {
					t.Errorf("the crash is lost: %v", err)
				}
				if done := len(firm.Policies()) == before+1; done != f.done {
					t.Errorf("done %v, want %v", done, f.done)
				}
				if j := firm.Journal(); len(j) != 1 || j[0].Fault == "" || f.done != (j[0].Status == http.StatusCreated) {
					t.Errorf("journal: %+v", j)
				}
				if f.status == 429 && res.Header.Get("Retry-After") != "1.5" {
					t.Errorf("Retry-After %q", res.Header.Get("Retry-After"))
				}
			})
		}
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func notNil(err error) bool { return err != nil }

// The same seed and order of requests meets the same faults, about as many as
// the rate says, of every kind.
func TestSeededFaults(t *testing.T) {
	run := func(seed uint64, rate float64) ([]string, map[string]int) {
		s := tenant.NewSeededFaults(seed, rate)
		var out []string
		for n := range 10000 {
			c := tenant.Call{N: n, Method: []string{"GET", "POST"}[n%2], Path: "/v1.0/users", Query: []string{"", "%24skiptoken=x"}[n/2%2]}
			f := s.Before(c)
			if f.Kind == tenant.NoFault {
				f = s.After(c, 200)
			}
			out = append(out, f.String())
		}
		return out, s.Struck()
	}
	first, struck := run(7, 0.05)
	again, _ := run(7, 0.05)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	total := 0
	for _, n := range struck {
		total += n
	}
	if total < 400 || total > 600 {
		t.Errorf("%d faults in 10,000 requests at a rate of 0.05", total)
	}
	for _, kind := range []string{"answers 429", "answers 503", "answers 504", "times out", "resets", "cuts", "loses page"} {
		if struck[kind] == 0 {
			t.Errorf("never %q: %v", kind, struck)
		}
	}
	if _, none := run(7, 0); len(none) != 0 {
		t.Errorf("at rate 0: %v", none)
	}
}

// A lost page is an error that stays: the listing cannot be finished.
func TestALostPage(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	next := str(app.get("/users"), "@odata.nextLink")
	firm.SetFaults(&once{before: tenant.Fault{Kind: tenant.LosesPage}})
	if status, o, _ := app.do(http.MethodGet, next, ""); status != http.StatusBadRequest || errorCode(o) != "Directory_ExpiredPageToken" {
		t.Errorf("%d %v", status, o)
	}
}

// Faults change no id and no delay of what happens beside them.
func TestFaultsLeaveTheTruthAlone(t *testing.T) {
	run := func(f tenant.Faults) []tenant.Object {
		c := newClock()
		firm := unthrottled(tenant.Sample(1, c))
		firm.SetFaults(f)
		client := &http.Client{Transport: firm.Transport()}
		for _, u := range firm.Users()[:30] {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/users", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if res, err := client.Do(r); err == nil {
				_ = res.Body.Close()
			}
			if _, err := firm.SignIn(tenant.Attempt{UserID: str(u, "id")}); err != nil {
				t.Fatal(err)
			}
		}
		return firm.SignIns(time.Time{}, time.Time{})
	}
	if diff := cmp.Diff(run(nil), run(tenant.NewSeededFaults(3, 0.5))); diff != "" {
		t.Error(diff)
	}
}

func TestSubscriptions(t *testing.T) {
	c := newClock()
	firm := unthrottled(tenant.Sample(1, c))
	var seen []*http.Request
	reply := func(r *http.Request) (int, string, string) {
		return http.StatusOK, "text/plain", r.URL.Query().Get("validationToken")
	}
	firm.SetCallBack(roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r)
		status, kind, body := reply(r)
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}))
	app := call(t, firm, everyRole...)
	body := func(resource string, life time.Duration) string {
		b, err := json.Marshal(map[string]string{
			"changeType": "updated,deleted", "notificationUrl": "https://hook.example.com/notify?x=1", "lifecycleNotificationUrl": "https://hook.example.com/life",
			"resource": resource, "expirationDateTime": c.now.Add(life).Format(time.RFC3339), "clientState": "secret",
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	post := func(b string) (int, tenant.Object) {
		status, o, _ := app.do(http.MethodPost, "/subscriptions", b)
		return status, o
	}
	for name, bad := range map[string]func(*http.Request) (int, string, string){
		"202 instead of 200": func(r *http.Request) (int, string, string) {
			return http.StatusAccepted, "text/plain", r.URL.Query().Get("validationToken")
		},
		"JSON": func(r *http.Request) (int, string, string) {
			return 200, "application/json", r.URL.Query().Get("validationToken")
		},
		"not decoded": func(r *http.Request) (int, string, string) {
			return 200, "text/plain", url.QueryEscape(r.URL.Query().Get("validationToken"))
		},
	} {
		good := reply
		reply = bad
		if status, _ := post(body("/users", time.Hour)); status != http.StatusBadRequest || len(firm.Subscriptions()) != 0 {
			t.Errorf("%s: %d", name, status)
		}
		reply = good
	}
	for name, b := range map[string]string{
		"too long":    body("/users", 41761*time.Minute),
		"in the past": body("/users", -time.Minute),
		"sign-ins":    body("/auditLogs/signIns", time.Hour),
	} {
		if status, _ := post(b); status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, status)
		}
	}
	seen = nil
	status, made := post(body("/users", 41760*time.Minute))
	if status != http.StatusCreated || str(made, "clientState") != "secret" {
		t.Fatalf("%d %v", status, made)
	}
	if len(seen) != 2 || seen[0].Method != http.MethodPost || seen[0].URL.Query().Get("x") != "1" {
		t.Errorf("%d handshakes, want one for each address", len(seen))
	}
	if status, _ := post(body("users", 100*time.Hour)); status != http.StatusConflict {
		t.Errorf("the same again: %d, want 409", status)
	}
	listed := app.rows("/subscriptions")
	if len(listed) != 1 || listed[0]["clientState"] != nil {
		t.Errorf("listed: %v", listed)
	}
	firm.PutApp(tenant.App{ID: "other", Roles: everyRole})
	other := app
	other.app = "other"
	if n := len(other.rows("/subscriptions")); n != 0 {
		t.Errorf("another application sees %d", n)
	}
	id := str(made, "id")
	user := idOf(t, firm, tenant.SampleEmergencyOne)
	if err := firm.SetEnabled(user, false); err != nil {
		t.Fatal(err)
	}
	if err := firm.DeleteUser(user); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, n := range firm.TakeNotifications() {
		var o tenant.Object
		if err := json.Unmarshal(n.Body, &o); err != nil {
			t.Fatal(err)
		}
		v := objectsOf(o["value"])[0]
		if str(v, "subscriptionId") != id || str(v, "clientState") != "secret" || !strings.EqualFold(str(v, "resource"), "Users/"+user) || !strings.HasPrefix(n.URL, "https://hook.example.com/notify") {
			t.Errorf("%s to %s", n.Body, n.URL)
		}
		kinds = append(kinds, str(v, "changeType"))
	}
	if diff := cmp.Diff([]string{"updated", "deleted", "updated"}, kinds); diff != "" {
		t.Error(diff)
	}
	later := c.now.Add(48 * time.Hour).Format(time.RFC3339)
	if status, o, _ := app.do(http.MethodPatch, "/subscriptions/"+id, `{"expirationDateTime":"`+later+`"}`); status != http.StatusOK || str(o, "expirationDateTime") != later {
		t.Errorf("renew: %d %v", status, o)
	}
	if status, _, _ := app.do(http.MethodPost, "/subscriptions/"+id+"/reauthorize", ""); status != http.StatusNoContent {
		t.Errorf("reauthorize: %d", status)
	}
	c.advance(48 * time.Hour)
	if n := len(app.rows("/subscriptions")); n != 0 {
		t.Error("it outlives its end")
	}
	if status, _, _ := app.do(http.MethodDelete, "/subscriptions/"+id, ""); status != http.StatusNotFound {
		t.Errorf("delete one that ran out: %d", status)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// wall stands at the instant at which the test began, for what TLS and
// Microsoft's credential hold to the real time.
func wall() *clock { return &clock{now: time.Now()} }

func assertion(header, claims string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(claims)) + "." + e.EncodeToString([]byte("signature"))
}

// Microsoft's own credential logs in over TLS with the assertion that AWS gives.
func TestAzidentityLogsIn(t *testing.T) {
	c := wall()
	firm := tenant.Sample(1, c)
	firm.PutApp(tenant.App{ID: reader, Roles: []string{"User.Read.All"}, Issuer: "https://x.tokens.sts.global.api.aws", Subject: "arn:aws:iam::123456789012:role/Reader"})
	server, err := tenant.ServeTLS(firm.Login(), t.TempDir(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	pem, err := os.ReadFile(server.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the CA file holds no certificate")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	const good = `{"iss":"https://x.tokens.sts.global.api.aws","sub":"arn:aws:iam::123456789012:role/Reader","aud":["api://AzureADTokenExchange"]}`
	for name, a := range map[string]struct {
		tenantID, header, claims, code string
	}{
		"good":              {tenant.SampleDomain, `{"alg":"RS256"}`, good, ""},
		"another algorithm": {tenant.SampleDomain, `{"alg":"ES384"}`, good, "AADSTS5002738"},
		"another audience":  {tenant.SampleDomain, `{"alg":"RS256"}`, strings.Replace(good, "AzureADTokenExchange", "x", 1), "AADSTS700212"},
		"another role":      {tenant.SampleDomain, `{"alg":"RS256"}`, strings.Replace(good, "Reader", "Writer", 1), "AADSTS700213"},
		"another issuer":    {tenant.SampleDomain, `{"alg":"RS256"}`, strings.Replace(good, "https://x", "https://y", 1), "AADSTS700211"},
		"too old":           {tenant.SampleDomain, `{"alg":"RS256"}`, strings.Replace(good, "}", `,"exp":1}`, 1), "AADSTS700024"},
		"another tenant":    {"fabrikam.onmicrosoft.com", `{"alg":"RS256"}`, good, "AADSTS90002"},
	} {
		t.Run(name, func(t *testing.T) {
			credential, err := azidentity.NewClientAssertionCredential(a.tenantID, reader, func(context.Context) (string, error) { return assertion(a.header, a.claims), nil },
				&azidentity.ClientAssertionCredentialOptions{
					DisableInstanceDiscovery: true,
					ClientOptions: azcore.ClientOptions{
						Transport: client, Retry: policy.RetryOptions{MaxRetries: -1},
						Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: server.URL + "/"},
					},
				})
			if err != nil {
				t.Fatal(err)
			}
			token, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
			if a.code != "" {
				if err == nil || !strings.Contains(err.Error(), a.code) {
					t.Errorf("%v, want %s", err, a.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1.0/users", nil)
			r.Header.Set("Authorization", "Bearer "+token.Token)
			w := httptest.NewRecorder()
			firm.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Errorf("the token opens nothing: %d %s", w.Code, w.Body)
			}
		})
	}
}

// Callers may come from many goroutines at once, and batches and hooks call
// back in.
func TestManyAtOnce(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	users := firm.Users()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 20 {
				app.get("/users?$top=5")
				if _, err := firm.SignIn(tenant.Attempt{UserID: str(users[i*20+k], "id")}); err != nil {
					t.Error(err)
				}
				app.do(http.MethodPost, "/$batch", `{"requests":[{"id":"1","method":"GET","url":"/organization"}]}`)
			}
		})
	}
	wg.Wait()
	if n := len(firm.Journal()); n != 8*20*3 {
		t.Errorf("%d lines in the journal, want %d", n, 8*20*3)
	}
}

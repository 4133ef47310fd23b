package webhook_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/functions/webhook"
)

// Keys take long to make: these are shared. The weak one is what nobody should
// believe.
var (
	first  = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	second = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	weak   = sync.OnceValue(func() *rsa.PrivateKey { return newKey(1024) })
)

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// jwk is a public key as Entra publishes it.
func jwk(kid string, key *rsa.PrivateKey, issuer string) map[string]string {
	raw := base64.RawURLEncoding
	return map[string]string{
		"kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "issuer": issuer,
		"n": raw.EncodeToString(key.N.Bytes()), "e": raw.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
}

// entra publishes keys, and counts how often it is asked.
type entra struct {
	*httptest.Server
	asked atomic.Int64
	mu    sync.Mutex
	keys  map[string][]map[string]string // by tenant
	down  http.HandlerFunc               // answers instead
}

func newEntra(t testing.TB) *entra {
	t.Helper()
	e := &entra{keys: map[string][]map[string]string{}}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		e.mu.Lock()
		defer e.mu.Unlock()
		tenant, found := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/discovery/v2.0/keys")
		switch {
		case e.down != nil:
			e.down(w, r)
		case !found || e.keys[tenant] == nil:
			http.NotFound(w, r)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": e.keys[tenant]})
		}
	}))
	t.Cleanup(e.Close)
	e.publish(contoso, jwk("k1", first(), e.URL+"/{tenantid}/v2.0"))
	e.publish(fabrikam, jwk("k2", second(), e.URL+"/"+fabrikam+"/v2.0"))
	return e
}

func (e *entra) publish(tenant string, keys ...map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys[tenant] = keys
}

func (e *entra) fail(down http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

// at answers a token at a moment.
func (d *door) at(t *testing.T, when time.Time, token string) int {
	t.Helper()
	d.handler.Now = func() time.Time { return when }
	return d.handle(t, bearer(token)).StatusCode
}

// lasting is a token that the clock does not matter to.
func (e *entra) lasting(t *testing.T, kid string, key *rsa.PrivateKey) string {
	tk := e.version2()
	tk.key, tk.header["kid"], tk.claims["exp"] = key, kid, received.Add(1000*time.Hour).Unix()
	return tk.sign(t)
}

// Keys are asked for once, and again when a token names one that is new.
func TestKeysRotate(t *testing.T) {
	e := newEntra(t)
	d := e.secure()
	old, rotated := e.lasting(t, "k1", first()), e.lasting(t, "k9", second())
	step := func(what string, after time.Duration, token string, status int, asked int64) {
		t.Helper()
		if got := d.at(t, received.Add(after), token); got != status {
			t.Errorf("%s: got %d, want %d", what, got, status)
		}
		if got := e.asked.Load(); got != asked {
			t.Errorf("%s: Entra was asked %d times, want %d", what, got, asked)
		}
	}
	step("first", 0, old, 202, 1)
	step("kept", time.Hour, old, 202, 1)
	step("a key that is not published yet", time.Hour, rotated, 401, 2)
	e.publish(contoso, jwk("k9", second(), ""))
	step("asked a moment ago", time.Hour+59*time.Second, rotated, 401, 2)
	step("rotated", time.Hour+time.Minute, rotated, 202, 3)
	step("a key that was taken out", time.Hour+time.Minute, old, 401, 3)
	e.publish(contoso, jwk("k1", first(), ""))
	step("fresh", 13*time.Hour+59*time.Second, rotated, 202, 3)
	step("read again after half a day", 13*time.Hour+time.Minute, rotated, 401, 4)
}

// A flood of tokens that name unknown keys becomes no flood of requests.
func TestFloodOfUnknownKeys(t *testing.T) {
	e := newEntra(t)
	d := e.secure()
	good := e.lasting(t, "k1", first())
	for i := range 200 {
		tk := e.version2()
		tk.header["kid"] = strings.Repeat("k", i+2)
		if got := d.at(t, received.Add(time.Duration(i)*time.Millisecond), tk.sign(t)); got != 401 {
			t.Fatalf("got %d, want 401", got)
		}
	}
	if got := d.at(t, received.Add(time.Second), good); got != 202 {
		t.Errorf("Azure Monitor got %d in the flood, want 202", got)
	}
	if got := e.asked.Load(); got != 1 {
		t.Errorf("Entra was asked %d times, want once", got)
	}
}

// What is not even made out to us never makes us ask for keys.
func TestForgedTokensAskForNoKeys(t *testing.T) {
	e := newEntra(t)
	d := e.secure()
	tk := e.version2()
	tk.claims["aud"] = "https://graph.microsoft.com"
	d.handle(t, bearer(tk.sign(t)))
	if got := e.asked.Load(); got != 0 {
		t.Errorf("Entra was asked %d times", got)
	}
}

// Many first tokens at once share one request.
func TestKeysAreAskedForOnce(t *testing.T) {
	e := newEntra(t)
	tokens := webhook.NewTokens(e.URL+"/", map[string]string{contoso: contosoApp}, e.Client())
	authorization := "Bearer " + e.version2().sign(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			r := webhook.NewReceiver("", "", tokens, &queue{})
			if _, err := r.SecureAlert(context.Background(), authorization, []byte(fired("Fired")), received); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := e.asked.Load(); got != 1 {
		t.Errorf("Entra was asked %d times, want once", got)
	}
}

// Without keys nobody is proven and nobody refused: Azure Monitor comes again
// after 503, and finds us ready as soon as Entra is.
func TestKeysOutOfReach(t *testing.T) {
	for name, down := range map[string]http.HandlerFunc{
		"error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{jwk("k1", first(), "")}})
		},
		"not JSON":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"deep JSON":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(nested(10_000))) },
		"no key":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"connection cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{jwk("k1", first(), "")}, "x": strings.Repeat("x", 2<<20)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t)
			d := e.secure()
			token := e.lasting(t, "k1", first())
			e.fail(down)
			for i, asked := range []int64{1, 1} {
				if got := d.at(t, received.Add(time.Duration(i)*2*time.Second), token); got != http.StatusServiceUnavailable {
					t.Errorf("got %d, want 503", got)
				}
				if got := e.asked.Load(); got != asked {
					t.Errorf("Entra was asked %d times, want %d", got, asked)
				}
			}
			if d.counted(t, "WebhookUndecided") != 2 || d.counted(t, "WebhookRefused") != 0 || !strings.Contains(d.log.String(), contoso) {
				t.Errorf("nobody hears that Entra is out of reach:\n%s%s", d.metrics.String(), d.log.String())
			}
			e.fail(nil)
			if got := d.at(t, received.Add(5*time.Second), token); got != http.StatusAccepted {
				t.Errorf("got %d once Entra is back, want 202", got)
			}
		})
	}
}

// Keys that were read serve for a day while Entra is out of reach, and not for
// ever: one of them may have been stolen since.
func TestKeysThatGrowStale(t *testing.T) {
	e := newEntra(t)
	d := e.secure()
	token := e.lasting(t, "k1", first())
	d.at(t, received, token)
	e.fail(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{time.Hour, 202}, {13 * time.Hour, 202}, {24*time.Hour - time.Second, 202}, {24 * time.Hour, 503}, {48 * time.Hour, 503}} {
		if got := d.at(t, received.Add(step.after), token); got != step.want {
			t.Errorf("%s later: got %d, want %d", step.after, got, step.want)
		}
	}
}

// Only keys that sign for the tenant, and are strong, are believed.
func TestKeysThatDoNotCount(t *testing.T) {
	e := newEntra(t)
	with := func(changes map[string]string) map[string]string {
		key := jwk("k1", first(), "")
		maps.Copy(key, changes)
		return key
	}
	for name, key := range map[string]map[string]string{
		"another issuer's":   with(map[string]string{"issuer": e.URL + "/" + fabrikam + "/v2.0"}),
		"another host's":     with(map[string]string{"issuer": "https://example.com/{tenantid}/v2.0"}),
		"for encryption":     with(map[string]string{"use": "enc"}),
		"of another kind":    with(map[string]string{"kty": "EC"}),
		"weak":               jwk("k1", weak(), ""),
		"exponent one":       with(map[string]string{"e": "AQ"}),
		"exponent even":      with(map[string]string{"e": "BA"}),
		"exponent enormous":  with(map[string]string{"e": strings.Repeat("_", 20)}),
		"modulus no base64":  with(map[string]string{"n": "???"}),
		"exponent no base64": with(map[string]string{"e": "???"}),
	} {
		t.Run(name, func(t *testing.T) {
			e.publish(contoso, key, jwk("other", second(), ""))
			signer := first()
			if name == "weak" {
				signer = weak()
			}
			d := e.secure()
			if got := d.at(t, received, e.lasting(t, "k1", signer)); got != http.StatusUnauthorized {
				t.Errorf("got %d, want 401", got)
			}
			if believed := name == "exponent one" || name == "exponent even"; !believed && !strings.Contains(d.metrics.String(), "does not have") {
				t.Errorf("the key was believed: %s", d.metrics.String())
			}
		})
	}
}

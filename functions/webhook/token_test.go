package webhook_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/webhook"
)

const (
	contoso, contosoApp   = "c0000000-0000-4000-8000-00000000000c", "c0000000-0000-4000-8000-0000000000aa"
	fabrikam, fabrikamApp = "f0000000-0000-4000-8000-00000000000f", "f0000000-0000-4000-8000-0000000000aa"
	azureMonitor          = "461e8683-5575-4561-ac7f-899cc907d62a"
)

// token is what the tests change of a token before they sign it.
type token struct {
	method jwt.SigningMethod
	key    any
	header map[string]any
	claims jwt.MapClaims
}

// version2 is a token of version 2 as Entra gives it to Azure Monitor.
func (e *entra) version2() token {
	return token{
		method: jwt.SigningMethodRS256, key: first(), header: map[string]any{"kid": "k1"},
		claims: jwt.MapClaims{
			"iss": e.URL + "/" + contoso + "/v2.0", "aud": contosoApp, "tid": contoso, "azp": azureMonitor, "ver": "2.0",
			"roles": []string{"ActionGroupsSecureWebhook"}, "sub": "some-object",
			"iat": received.Unix(), "nbf": received.Unix(), "exp": received.Add(time.Hour).Unix(),
		},
	}
}

// version1 is one of version 1, the default of an app registration.
func (e *entra) version1() token {
	tk := e.version2()
	delete(tk.claims, "azp")
	maps.Copy(tk.claims, jwt.MapClaims{"iss": "https://sts.windows.net/" + contoso + "/", "aud": "api://" + contosoApp, "appid": azureMonitor, "ver": "1.0"})
	return tk
}

func (tk token) sign(t testing.TB) string {
	t.Helper()
	unsigned := jwt.NewWithClaims(tk.method, tk.claims)
	maps.Copy(unsigned.Header, tk.header)
	signed, err := unsigned.SignedString(tk.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// secure is a door that trusts two tenants.
func (e *entra) secure() *door {
	d := newDoor(clientState, alertSecret)
	tokens := webhook.NewTokens(e.URL+"/", map[string]string{contoso: contosoApp, fabrikam: fabrikamApp}, e.Client())
	d.handler.Receiver = webhook.NewReceiver(clientState, alertSecret, tokens, d.queue)
	return d
}

func bearer(token string) events.APIGatewayV2HTTPRequest {
	return events.APIGatewayV2HTTPRequest{RouteKey: "POST /alerts", Headers: map[string]string{"authorization": "Bearer " + token}, Body: fired("Fired")}
}

func TestSecureAlertsAreQueued(t *testing.T) {
	e := newEntra(t)
	for name, tk := range map[string]token{
		"version 1": e.version1(),
		"version 2": e.version2(),
		"audience in a list": func() token {
			tk := e.version2()
			tk.claims["aud"] = []string{contosoApp}
			return tk
		}(),
		"clocks that differ": func() token {
			tk := e.version2()
			tk.claims["nbf"] = received.Add(50 * time.Second).Unix()
			return tk
		}(),
		"another tenant": func() token {
			tk := e.version2()
			tk.key, tk.header["kid"] = second(), "k2"
			maps.Copy(tk.claims, jwt.MapClaims{"iss": e.URL + "/" + fabrikam + "/v2.0", "tid": fabrikam, "aud": fabrikamApp})
			return tk
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			d := e.secure()
			resp := d.handle(t, bearer(tk.sign(t)))
			if resp.StatusCode != http.StatusAccepted || len(d.queue.events) != 1 {
				t.Fatalf("got %d, queued %v; want 202 and one event\n%s", resp.StatusCode, d.queue.events, d.metrics.String())
			}
			if diff := cmp.Diff([]string{account}, d.queue.events[0].Accounts); diff != "" {
				t.Errorf("accounts (-want +got):\n%s", diff)
			}
		})
	}
}

// elsewhere sends every request to another host.
type elsewhere struct{ host string }

func (e elsewhere) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host = "http", e.host
	return http.DefaultTransport.RoundTrip(req)
}

// Tokens of version 1 come from a name that is not the authority's, and that
// differs by cloud.
func TestIssuersOfTheClouds(t *testing.T) {
	e := newEntra(t)
	e.publish(contoso, jwk("k1", first(), ""))
	client := &http.Client{Transport: elsewhere{strings.TrimPrefix(e.URL, "http://")}}
	for authority, issuers := range map[string][]string{
		"https://login.microsoftonline.com/": {"https://sts.windows.net/" + contoso + "/", "https://login.microsoftonline.com/" + contoso + "/v2.0"},
		"https://login.microsoftonline.us":   {"https://sts.windows.net/" + contoso + "/", "https://login.microsoftonline.us/" + contoso + "/v2.0"},
		"https://login.chinacloudapi.cn/":    {"https://sts.chinacloudapi.cn/" + contoso + "/", "https://login.chinacloudapi.cn/" + contoso + "/v2.0"},
	} {
		r := webhook.NewReceiver("", "", webhook.NewTokens(authority, map[string]string{contoso: contosoApp}, client), &queue{})
		for _, issuer := range append(issuers, "https://sts.example.com/"+contoso+"/") {
			tk := e.version2()
			tk.claims["iss"] = issuer
			_, err := r.SecureAlert(context.Background(), "Bearer "+tk.sign(t), []byte(fired("Fired")), received)
			if trusted := err == nil; trusted != slices.Contains(issuers, issuer) {
				t.Errorf("authority %s, issuer %s: %v", authority, issuer, err)
			}
		}
	}
}

// A forged token is refused without a word to its sender; the metric's reason
// says why, in our words.
func TestForgedTokens(t *testing.T) {
	e := newEntra(t)
	claim := func(name string, value any) func(*token) {
		return func(tk *token) { tk.claims[name] = value }
	}
	without := func(name string) func(*token) { return func(tk *token) { delete(tk.claims, name) } }
	for name, tt := range map[string]struct {
		forge func(*token)
		why   string
	}{
		"alg none": {func(tk *token) { tk.method, tk.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType }, "token not signed with RS256"},
		// The public key, which everybody has, as a shared secret.
		"HS256 confusion":        {func(tk *token) { tk.method, tk.key = jwt.SigningMethodHS256, first().N.Bytes() }, "token not signed with RS256"},
		"RS512":                  {func(tk *token) { tk.method = jwt.SigningMethodRS512 }, "token not signed with RS256"},
		"PS256":                  {func(tk *token) { tk.method = jwt.SigningMethodPS256 }, "token not signed with RS256"},
		"another's key":          {func(tk *token) { tk.key = second() }, "signature does not match"},
		"another tenant's key":   {func(tk *token) { tk.key, tk.header["kid"] = second(), "k2" }, "signed with a key that the tenant does not have"},
		"no key id":              {func(tk *token) { delete(tk.header, "kid") }, "not a token as Entra makes them"},
		"key id no text":         {func(tk *token) { tk.header["kid"] = []int{1} }, "not a token as Entra makes them"},
		"critical extension":     {func(tk *token) { tk.header["crit"] = []string{"b64"} }, "not a token as Entra makes them"},
		"another audience":       {claim("aud", fabrikamApp), "made out to another application"},
		"Graph's audience":       {claim("aud", "https://graph.microsoft.com"), "made out to another application"},
		"no audience":            {without("aud"), "made out to another application"},
		"audience like ours":     {claim("aud", "api://"+contosoApp+"/"), "made out to another application"},
		"another issuer":         {claim("iss", e.URL+"/"+azureMonitor+"/v2.0"), "issuer is none of AlertTenants"},
		"an issuer of one's own": {claim("iss", "https://example.com/"+contoso+"/v2.0"), "issuer is none of AlertTenants"},
		"no issuer":              {without("iss"), "issuer is none of AlertTenants"},
		"another tenant":         {claim("tid", fabrikam), "issuer is none of AlertTenants"},
		"no tenant":              {without("tid"), "issuer is none of AlertTenants"},
		"another caller":         {claim("azp", contosoApp), "caller is not Azure Monitor"},
		"two callers":            {claim("appid", contosoApp), "caller is not Azure Monitor"},
		"no caller":              {without("azp"), "caller is not Azure Monitor"},
		"another role":           {claim("roles", []string{"Directory.Read.All"}), "caller lacks the role ActionGroupsSecureWebhook"},
		"no role":                {without("roles"), "caller lacks the role ActionGroupsSecureWebhook"},
		"roles no list":          {claim("roles", "ActionGroupsSecureWebhook"), "not a token as Entra makes them"},
		"expired":                {claim("exp", received.Add(-2*time.Minute).Unix()), "token expired or never expires"},
		"never expires":          {without("exp"), "token expired or never expires"},
		"expires in words":       {claim("exp", "tomorrow"), "not a token as Entra makes them"},
		"not valid yet":          {claim("nbf", received.Add(2*time.Minute).Unix()), "token not valid yet"},
	} {
		t.Run(name, func(t *testing.T) {
			tk := e.version2()
			tt.forge(&tk)
			e.refused(t, bearer(tk.sign(t)), "sender not proven: "+tt.why)
		})
	}
}

// refused: 401, no word, one count with the reason, nothing queued or logged.
func (e *entra) refused(t *testing.T, req events.APIGatewayV2HTTPRequest, why string) {
	t.Helper()
	d := e.secure()
	resp := d.handle(t, req)
	if resp.StatusCode != http.StatusUnauthorized || resp.Body != "" || len(d.queue.events) != 0 {
		t.Errorf("got %d %q, queued %v; want 401, no body, nothing queued", resp.StatusCode, resp.Body, d.queue.events)
	}
	var metric struct {
		Reason string
	}
	if err := json.Unmarshal(d.metrics.Bytes(), &metric); err != nil {
		t.Fatalf("not one metric line: %v\n%s", err, d.metrics.String())
	}
	if metric.Reason != why || d.counted(t, "WebhookRefused") != 1 {
		t.Errorf("reason %q, want %q, counted %d", metric.Reason, why, d.counted(t, "WebhookRefused"))
	}
	if d.log.Len() != 0 {
		t.Errorf("logged %s: a flood must cost one line each, the metric's", d.log.String())
	}
}

func TestBearersThatAreNone(t *testing.T) {
	e := newEntra(t)
	good := e.version2().sign(t)
	const nonsense = "sender not proven: not a token as Entra makes them"
	for name, tt := range map[string]struct{ header, why string }{
		"empty":            {"", "sender not proven: no bearer token"},
		"scheme alone":     {"Bearer", "sender not proven: no bearer token"},
		"another scheme":   {"Basic " + good, "sender not proven: no bearer token"},
		"token alone":      {good, "sender not proven: no bearer token"},
		"over the limit":   {"Bearer " + strings.Repeat("x", 8<<10), "sender not proven: token over the limit"},
		"ten megabytes":    {"Bearer " + strings.Repeat(".", 10<<20), "sender not proven: token over the limit"},
		"dots":             {"Bearer " + strings.Repeat(".", 8000), nonsense},
		"text":             {"Bearer token", nonsense},
		"two tokens":       {"Bearer " + good + "," + good, nonsense},
		"padded":           {"Bearer " + good + "==", nonsense},
		"no signature":     {"Bearer " + good[:strings.LastIndexByte(good, '.')+1], "sender not proven: signature does not match"},
		"deep JSON":        {"Bearer " + base64.RawURLEncoding.EncodeToString([]byte(nested(2500))) + ".e30.e30", nonsense},
		"header no object": {"Bearer MQ.MQ.MQ", nonsense},
	} {
		t.Run(name, func(t *testing.T) {
			req := bearer("")
			req.Headers["authorization"] = tt.header
			e.refused(t, req, tt.why)
		})
	}
	t.Run("no header", func(t *testing.T) {
		e.refused(t, events.APIGatewayV2HTTPRequest{RouteKey: "POST /alerts", Body: fired("Fired")}, "sender not proven: no bearer token")
	})
}

// A stack that trusts no tenant has no secure webhook, whoever calls.
func TestSecureWebhookIsOffWithoutTenants(t *testing.T) {
	e := newEntra(t)
	d := newDoor(clientState, alertSecret)
	d.handler.Receiver = webhook.NewReceiver(clientState, alertSecret, webhook.NewTokens(e.URL+"/", nil, e.Client()), d.queue)
	if resp := d.handle(t, bearer(e.version2().sign(t))); resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %d, want 404", resp.StatusCode)
	}
	if len(d.queue.events) != 0 || e.asked.Load() != 0 {
		t.Errorf("queued %v, asked Entra %d times", d.queue.events, e.asked.Load())
	}
}

// What a good token carries is read as carefully as what a secret does.
func TestSecureAlertsOfNoUse(t *testing.T) {
	e := newEntra(t)
	for body, want := range map[string]int{
		"":                    400,
		nested(10_000):        400,
		fired("Acknowledged"): 400,
		fired("Fired") + strings.Repeat(" ", webhook.MaxBody): 413,
	} {
		d := e.secure()
		req := bearer(e.version1().sign(t))
		req.Body = body
		if resp := d.handle(t, req); resp.StatusCode != want || len(d.queue.events) != 0 {
			t.Errorf("%.20q: got %d, queued %v; want %d", body, resp.StatusCode, d.queue.events, want)
		}
	}
}

// The sample's token has lapsed and nobody signed it. Signed and in time, it is
// one that we trust.
func TestSampleOfASecureAlert(t *testing.T) {
	raw, err := os.ReadFile("../../events/webhook-alert-secure.json")
	if err != nil {
		t.Fatal(err)
	}
	var req events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &req); err != nil {
		t.Fatal(err)
	}
	e := newEntra(t)
	tk := e.version1()
	lapsed, _, err := jwt.NewParser().ParseUnverified(strings.TrimPrefix(req.Headers["authorization"], "Bearer "), jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iat", "nbf", "exp"} {
		delete(lapsed.Claims.(jwt.MapClaims), name)
	}
	maps.Copy(tk.header, lapsed.Header)
	maps.Copy(tk.claims, lapsed.Claims.(jwt.MapClaims))
	tenant, _ := tk.claims["tid"].(string)
	app, _ := tk.claims["aud"].(string)
	e.publish(tenant, jwk(tk.header["kid"].(string), first(), ""))
	d := newDoor(clientState, alertSecret)
	tokens := webhook.NewTokens(e.URL+"/", map[string]string{tenant: strings.TrimPrefix(app, "api://")}, e.Client())
	d.handler.Receiver = webhook.NewReceiver(clientState, alertSecret, tokens, d.queue)
	if resp := d.handle(t, req); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("as it is: got %d, want 401", resp.StatusCode)
	}
	req.Headers["authorization"] = "Bearer " + tk.sign(t)
	if resp := d.handle(t, req); resp.StatusCode != http.StatusAccepted || len(d.queue.events) != 1 {
		t.Errorf("signed: got %d, queued %v; want 202 and one event", resp.StatusCode, d.queue.events)
	}
}

package webhook_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/functions/webhook"
)

func FuzzNotifications(f *testing.F) {
	f.Add(`{"value":[` + change(quoted(clientState)) + `]}`)
	f.Add(`{"value":[null,1,{}]}`)
	f.Add(`{"value":` + strings.Repeat("[", 40))
	f.Add(`{"value":[{"subscriptionId":"\ud800","clientState":"` + clientState + `","changeType":"a","resource":"\\"}]}`)
	f.Fuzz(func(t *testing.T, body string) { fuzz(t, notifications(body)) })
}

func FuzzAlert(f *testing.F) {
	f.Add(fired("Fired"))
	f.Add(`{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"a","monitorCondition":"Resolved"},"alertContext":7}}`)
	f.Fuzz(func(t *testing.T, body string) { fuzz(t, alert(alertSecret, body)) })
}

// FuzzHandshake: whatever is asked for, only a text that Graph could have sent
// comes back, as it was, and as nothing that a browser would run.
func FuzzHandshake(f *testing.F) {
	f.Add("validationToken=Validation%3A+Testing+client+application")
	f.Add("validationToken=%00")
	f.Add("validationToken=%ff&validationToken=b")
	f.Add("validationToken;x=%zz")
	f.Fuzz(func(t *testing.T, query string) {
		req := notifications(`{"value":[` + change(quoted(clientState)) + `]}`)
		req.RawQueryString = query
		d := newDoor(clientState, alertSecret)
		resp := d.handle(t, req)
		asked, err := url.ParseQuery(query)
		switch {
		case resp.StatusCode == http.StatusOK:
			if err != nil || resp.Body != asked.Get("validationToken") || !utf8.ValidString(resp.Body) || strings.ContainsAny(resp.Body, "\r\n\x00") ||
				resp.Headers["Content-Type"] != "text/plain; charset=utf-8" || resp.Headers["X-Content-Type-Options"] != "nosniff" {
				t.Errorf("%q is answered %q with %v", query, resp.Body, resp.Headers)
			}
		case resp.Body != "":
			t.Errorf("%d echoes %q", resp.StatusCode, resp.Body)
		}
		if handshake := err == nil && asked.Has("validationToken"); handshake == (len(d.queue.events) > 0) {
			t.Errorf("%q: handshake %t, and %d events queued", query, handshake, len(d.queue.events))
		}
	})
}

func FuzzBase64(f *testing.F) {
	f.Add(base64.StdEncoding.EncodeToString([]byte(`{"value":[` + change(quoted(clientState)) + `]}`)))
	f.Add("e30")
	f.Add("====")
	f.Fuzz(func(t *testing.T, body string) {
		req := notifications(body)
		req.IsBase64Encoded = true
		fuzz(t, req)
	})
}

// FuzzToken: no header that was not signed with the tenant's key proves anybody,
// and only one that would be good if it were makes us look for a key.
func FuzzToken(f *testing.F) {
	e := newEntra(f)
	tk := e.version2()
	tk.key = second()
	forged := tk.sign(f) // all of it good but the signature
	f.Add("Bearer " + forged)
	f.Add("bearer " + forged[:strings.LastIndexByte(forged, '.')+1])
	f.Add("Bearer e30.e30.")
	f.Add("Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k1"}`)) + strings.Repeat(".", 2))
	f.Add("Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"k1"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1e400,"aud":[null],"roles":[1]}`)) + ".")
	f.Fuzz(func(t *testing.T, authorization string) {
		d := e.secure()
		req := bearer("")
		req.Headers["authorization"] = authorization
		if resp := d.handle(t, req); resp.StatusCode != http.StatusUnauthorized || resp.Body != "" || len(d.queue.events) > 0 {
			t.Errorf("%q: got %d %q, queued %v", authorization, resp.StatusCode, resp.Body, d.queue.events)
		}
	})
}

// published answers every request with one body.
type published string

func (p published) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(p)))}, nil
}

// FuzzKeys: whatever stands at Entra's address, a token is good only if its
// signer's key stands there.
func FuzzKeys(f *testing.F) {
	modulus := base64.RawURLEncoding.EncodeToString(first().N.Bytes())
	f.Add(`{"keys":[{"kty":"RSA","use":"sig","kid":"k1","n":"` + modulus + `","e":"AQAB"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","kid":"k1","n":"` + strings.Repeat("_", 400) + `","e":"AQAB"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","kid":"k1","n":"","e":""},null,{}]}`)
	f.Add(`{"keys":{}}`)
	e := newEntra(f)
	tk := e.version1()
	authorization := "Bearer " + tk.sign(f)
	f.Fuzz(func(t *testing.T, body string) {
		tokens := webhook.NewTokens(e.URL, map[string]string{contoso: contosoApp}, &http.Client{Transport: published(body)})
		r := webhook.NewReceiver("", "", tokens, &queue{})
		_, err := r.SecureAlert(context.Background(), authorization, []byte(fired("Fired")), received)
		switch {
		case err == nil && !strings.Contains(body, modulus):
			t.Errorf("a token is good by the keys %q", body)
		case err != nil && !errors.Is(err, webhook.ErrForeign) && !errors.Is(err, webhook.ErrUndecided):
			t.Errorf("%v", err)
		}
	})
}

// fuzz states what holds for any body: only the documented answers, nothing
// echoed, something queued exactly if 202, and only what a queue accepts.
func fuzz(t *testing.T, req events.APIGatewayV2HTTPRequest) {
	d := newDoor(clientState, alertSecret)
	d.handler.Log = slog.New(slog.DiscardHandler)
	resp := d.handle(t, req)
	switch resp.StatusCode {
	case 202, 400, 401, 413:
	default:
		t.Errorf("status %d", resp.StatusCode)
	}
	if resp.Body != "" {
		t.Errorf("echoed %q", resp.Body)
	}
	if accepted := resp.StatusCode == 202; accepted != (len(d.queue.events) > 0) {
		t.Errorf("status %d with %d events queued", resp.StatusCode, len(d.queue.events))
	}
	for _, event := range d.queue.events {
		body, err := json.Marshal(event)
		if err != nil {
			t.Fatalf("event is no JSON: %v", err)
		}
		if strings.ContainsAny(string(body), "\ufffe\uffff") || len(body) > webhook.MaxBody {
			t.Errorf("SQS would refuse %q for good", body)
		}
	}
}

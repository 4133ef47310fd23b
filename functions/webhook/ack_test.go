package webhook_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass/acklink"
	"sallyport/functions/breakglass/touch"
)

const ackSecret = "an-invented-ack-secret"

func ackLink(t testing.TB, expires time.Time) string {
	t.Helper()
	token, err := acklink.Sign(ackSecret, acklink.Claim{Tenant: "contoso.onmicrosoft.com", Alert: "signin-s1", Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func ack(method, token string) events.APIGatewayV2HTTPRequest {
	return events.APIGatewayV2HTTPRequest{RouteKey: method + " /ack/{token}", PathParameters: map[string]string{"token": token}}
}

func ackDoor() *door {
	d := newDoor(clientState, alertSecret)
	d.handler.Receiver.AckSecret = ackSecret
	return d
}

// Mail scanners open every link, some of them many times: that acknowledges
// nothing. The button does, each time it is pressed; breakglass counts once.
func TestOnlyTheButtonAcknowledges(t *testing.T) {
	d, token := ackDoor(), ackLink(t, received.Add(time.Hour))
	for range 3 {
		resp := d.handle(t, ack("GET", token))
		if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Body, `<form method="post">`) || !strings.Contains(resp.Body, "signin-s1") {
			t.Fatalf("the page: %d\n%s", resp.StatusCode, resp.Body)
		}
	}
	if len(d.queue.events) > 0 {
		t.Fatalf("opening the link queued %v", d.queue.events)
	}
	want := touch.Event{Source: touch.SourceAck, ReceivedAt: received, Tenant: "contoso.onmicrosoft.com", AlertID: "signin-s1"}
	for range 2 {
		if resp := d.handle(t, ack("POST", token)); resp.StatusCode != http.StatusOK || !strings.Contains(resp.Body, "<h1>Acknowledged</h1>") || strings.Contains(resp.Body, "<form") {
			t.Errorf("the button: %d\n%s", resp.StatusCode, resp.Body)
		}
	}
	if diff := cmp.Diff([]touch.Event{want, want}, d.queue.events); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

// The page runs nothing, loads nothing, is kept by nobody and is in no index.
func TestAckPageIsSelfContained(t *testing.T) {
	d := ackDoor()
	for _, req := range []events.APIGatewayV2HTTPRequest{
		ack("GET", ackLink(t, received.Add(time.Hour))), ack("POST", ackLink(t, received.Add(time.Hour))), ack("GET", "forged"), ack("GET", ackLink(t, received)),
	} {
		resp := d.handle(t, req)
		_, rest, _ := strings.Cut(resp.Body, "<style>")
		css, _, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(css))
		want := map[string]string{
			"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow",
			"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
				"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		}
		if diff := cmp.Diff(want, resp.Headers); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		for _, loads := range []string{"<script", "src=", "href=", "url(", "style=", "http://", "https://"} {
			if strings.Contains(resp.Body, loads) {
				t.Errorf("the page has %s", loads)
			}
		}
		if !strings.Contains(resp.Body, `<html lang="en">`) || strings.Count(resp.Body, "<h1>") != 1 {
			t.Error("the page has no language or not one heading")
		}
	}
}

func TestAckRefused(t *testing.T) {
	good := ackLink(t, received.Add(time.Hour))
	without := newDoor(clientState, alertSecret) // no secret is set
	for name, tt := range map[string]struct {
		door  *door
		token string
		want  int
	}{
		"forged":           {ackDoor(), strings.ToLower(good), http.StatusNotFound},
		"empty":            {ackDoor(), "", http.StatusNotFound},
		"markup":           {ackDoor(), "<script>alert(1)</script>", http.StatusNotFound},
		"expired":          {ackDoor(), ackLink(t, received), http.StatusGone},
		"no secret is set": {without, good, http.StatusNotFound},
	} {
		for _, method := range []string{"GET", "POST"} {
			before := tt.door.counted(t, "WebhookRefused")
			resp := tt.door.handle(t, ack(method, tt.token))
			if resp.StatusCode != tt.want || len(tt.door.queue.events) > 0 || strings.Contains(resp.Body, "<form") {
				t.Errorf("%s, %s: %d, queued %v, want %d", name, method, resp.StatusCode, tt.door.queue.events, tt.want)
			}
			if tt.token != "" && strings.Contains(resp.Body, tt.token) {
				t.Errorf("%s: the page echoes what was given", name)
			}
			if got := tt.door.counted(t, "WebhookRefused") - before; got != 1 {
				t.Errorf("%s: counted %d refusals, want 1", name, got)
			}
		}
	}
}

func TestAckIsNotLostSilently(t *testing.T) {
	d := ackDoor()
	d.queue.err = errors.New("throttled")
	resp := d.handle(t, ack("POST", ackLink(t, received.Add(time.Hour))))
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(resp.Body, "Not acknowledged yet") || !strings.Contains(resp.Body, "sallyport alerts ack signin-s1") {
		t.Errorf("%d\n%s", resp.StatusCode, resp.Body)
	}
	if d.counted(t, "WebhookQueueRefused") != 1 {
		t.Error("the refusal is not counted")
	}
}

// FuzzAck: whatever stands in the path, nothing is acknowledged that was not
// signed, and the page shows nothing of it.
func FuzzAck(f *testing.F) {
	f.Add("1.a.b")
	f.Add(ackLink(f, received)) // expired
	f.Add(`"><script>`)
	f.Fuzz(func(t *testing.T, token string) {
		d := ackDoor()
		for _, method := range []string{"GET", "POST"} {
			resp := d.handle(t, ack(method, token))
			if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusGone || len(d.queue.events) > 0 {
				t.Errorf("%q: %d, queued %v", token, resp.StatusCode, d.queue.events)
			}
		}
	})
}

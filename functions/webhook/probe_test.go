package webhook_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass/touch"
)

func handshakeOf(probe string) events.APIGatewayV2HTTPRequest {
	q := url.Values{"validationToken": {"a token"}, "probe": {probe}}
	return events.APIGatewayV2HTTPRequest{RouteKey: "POST /notifications", RawQueryString: q.Encode()}
}

// A self-test of ours goes on to breakglass. A stranger's is answered as every
// handshake is, and queues nothing.
func TestSelfTest(t *testing.T) {
	ours := touch.NewProbe("contoso.onmicrosoft.com", "id1", clientState, received)
	for name, tt := range map[string]struct {
		probe string
		want  []touch.Event
	}{
		"ours":           {ours, []touch.Event{{Source: touch.SourceProbe, ReceivedAt: received, Tenant: "contoso.onmicrosoft.com", Probe: "id1"}}},
		"forged":         {touch.NewProbe("contoso.onmicrosoft.com", "id1", "guessed", received), nil},
		"of an hour ago": {touch.NewProbe("contoso.onmicrosoft.com", "id1", clientState, received.Add(-time.Hour)), nil},
		"none":           {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(clientState, alertSecret)
			resp := d.handle(t, handshakeOf(tt.probe))
			if resp.StatusCode != http.StatusOK || resp.Body != "a token" {
				t.Errorf("answer %d %q", resp.StatusCode, resp.Body)
			}
			if diff := cmp.Diff(tt.want, d.queue.events); diff != "" {
				t.Errorf("queued (-want +got):\n%s", diff)
			}
		})
	}
}

// Where the queue is down, the self-test fails at once: Graph makes no subscription.
func TestSelfTestWithoutAQueue(t *testing.T) {
	d := newDoor(clientState, alertSecret)
	d.queue.err = errors.New("down")
	if resp := d.handle(t, handshakeOf(touch.NewProbe("contoso.onmicrosoft.com", "id1", clientState, received))); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answer %d", resp.StatusCode)
	}
	// Every other handshake needs no queue.
	if resp := d.handle(t, handshakeOf("")); resp.StatusCode != http.StatusOK {
		t.Errorf("a plain handshake: answer %d", resp.StatusCode)
	}
}

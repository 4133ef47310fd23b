package webhook_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// A body of 10 MB is refused by every way in, whoever sends it, before anything
// reads it as JSON.
func TestTenMegabytes(t *testing.T) {
	e := newEntra(t)
	const size = 10 << 20
	padding := strings.Repeat(" ", size)
	for name, req := range map[string]events.APIGatewayV2HTTPRequest{
		"notifications": notifications(`{"value":[` + change(quoted(clientState)) + padding + `]}`),
		"alert":         alert(alertSecret, fired("Fired")+padding),
		"secure alert": func() events.APIGatewayV2HTTPRequest {
			req := bearer(e.version1().sign(t))
			req.Body += padding
			return req
		}(),
	} {
		for _, encoded := range []bool{false, true} {
			if req.IsBase64Encoded = encoded; encoded {
				req.Body = base64.StdEncoding.EncodeToString([]byte(req.Body))
			}
			d := e.secure()
			if resp := d.handle(t, req); resp.StatusCode != http.StatusRequestEntityTooLarge || resp.Body != "" || len(d.queue.events) != 0 {
				t.Errorf("%s, base64 %t: got %d %q, queued %d; want 413", name, encoded, resp.StatusCode, resp.Body, len(d.queue.events))
			}
		}
	}
}

// JSON of 10,000 levels is refused wherever it stands: a decoder recurses.
func TestTenThousandLevels(t *testing.T) {
	e := newEntra(t)
	deep := nested(10_000)
	objects := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	for name, req := range map[string]events.APIGatewayV2HTTPRequest{
		"in a notification": notifications(`{"value":[` + strings.Replace(change(quoted(clientState)), `[1]`, deep, 1) + `]}`),
		"objects":           notifications(`{"x":` + objects + `,"value":[` + change(quoted(clientState)) + `]}`),
		"never closed":      notifications(strings.Repeat("[", 10_000)),
		"in an alert":       alert(alertSecret, strings.Replace(fired("Fired"), `"properties":null`, `"properties":`+deep, 1)),
		"in a secure alert": func() events.APIGatewayV2HTTPRequest {
			req := bearer(e.version1().sign(t))
			req.Body = strings.Replace(req.Body, `"customProperties":null`, `"customProperties":`+objects, 1)
			return req
		}(),
	} {
		d := e.secure()
		if resp := d.handle(t, req); resp.StatusCode != http.StatusBadRequest || len(d.queue.events) != 0 {
			t.Errorf("%s: got %d, queued %d; want 400", name, resp.StatusCode, len(d.queue.events))
		}
	}
}

// One batch of Graph's may be about many tenants. Each item leads to its own by
// its subscription, whatever tenant it says it is of.
func TestBatchOfManyTenants(t *testing.T) {
	d := newDoor(clientState, alertSecret)
	const said = "84bd8158-6d4d-4958-8b9f-9d6445542f95"
	item := func(subscription, tenant string) string {
		return strings.NewReplacer("sub-1", subscription, said, tenant).Replace(change(quoted(clientState)))
	}
	resp := d.handle(t, notifications(`{"value":[`+item("of-contoso", contoso)+","+item("of-fabrikam", fabrikam)+","+item("of-contoso-too", fabrikam)+`]}`))
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("got %d, want 202", resp.StatusCode)
	}
	var got []string
	for _, event := range d.queue.events {
		got = append(got, event.SubscriptionID)
	}
	if diff := cmp.Diff([]string{"of-contoso", "of-fabrikam", "of-contoso-too"}, got); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

// A secret that is not set authorises nothing, whatever is like it; one that is
// not ASCII is compared byte by byte.
func TestSecretsAtTheEdge(t *testing.T) {
	e := newEntra(t)
	for name, tt := range map[string]struct {
		stored string
		given  string // as JSON
		want   int
	}{
		"not set, missing":       {"", "null", 401},
		"not set, empty":         {"", `""`, 401},
		"not set, a space":       {"", `" "`, 401},
		"not set, a zero byte":   {"", `"\u0000"`, 401},
		"not set, no text":       {"", `false`, 401},
		"set, missing":           {clientState, "null", 401},
		"set, a list of it":      {clientState, `["` + clientState + `"]`, 401},
		"set, and a zero byte":   {clientState, `"` + clientState + `\u0000"`, 401},
		"set, in upper case":     {clientState, quoted(strings.ToUpper(clientState)), 401},
		"not ASCII, the same":    {"clé-é", `"cl\u00e9-é"`, 202},
		"not ASCII, looks alike": {"clé-é", `"cle\u0301-é"`, 401},
		"not UTF-8":              {"cl\xe9", `"cl\ufffd"`, 401},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(tt.stored, tt.stored)
			if resp := d.handle(t, notifications(`{"value":[`+change(tt.given)+`]}`)); resp.StatusCode != tt.want {
				t.Errorf("got %d, want %d", resp.StatusCode, tt.want)
			}
			if queued := len(d.queue.events) > 0; queued != (tt.want == 202) {
				t.Errorf("queued %v", d.queue.events)
			}
		})
	}
	d := e.secure() // tokens are no secret of these, nor the other way round
	if resp := d.handle(t, alert("Bearer "+e.version2().sign(t), fired("Fired"))); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token in the path: got %d, want 401", resp.StatusCode)
	}
}

// The door knows nothing of yesterday: a replayed alert is queued again, with the
// alertId by which breakglass claims it once (its TestReplayedAlert).
func TestReplayKeepsItsAlertID(t *testing.T) {
	e := newEntra(t)
	d := e.secure()
	req := bearer(e.version2().sign(t))
	for range 3 {
		if resp := d.handle(t, req); resp.StatusCode != http.StatusAccepted {
			t.Fatalf("got %d, want 202: a redelivery that is refused would come for ever", resp.StatusCode)
		}
	}
	for _, event := range d.queue.events {
		if event.AlertID != "/subscriptions/s/alerts/a1" {
			t.Errorf("alertId %q is not Azure's", event.AlertID)
		}
	}
}

package webhook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass/touch"
	"sallyport/functions/webhook"
)

const (
	clientState = "an-invented-client-state"
	alertSecret = "an-invented-alert-secret"
	account     = "00aa00aa-bb11-cc22-dd33-44ee44ee44ee"
)

var received = time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)

// queue keeps what was sent, or refuses everything.
type queue struct {
	events []touch.Event
	err    error
}

func (q *queue) Send(_ context.Context, events []touch.Event) error {
	if q.err != nil {
		return q.err
	}
	q.events = append(q.events, events...)
	return nil
}

type door struct {
	handler *webhook.Handler
	queue   *queue
	metrics bytes.Buffer
	log     bytes.Buffer
}

func newDoor(clientState, alertSecret string) *door {
	d := &door{queue: &queue{}}
	d.handler = &webhook.Handler{
		Receiver: webhook.NewReceiver(clientState, alertSecret, nil, d.queue),
		Now:      func() time.Time { return received },
		Log:      slog.New(slog.NewJSONHandler(&d.log, nil)),
		Metrics:  &d.metrics,
	}
	return d
}

func (d *door) handle(t *testing.T, req events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	resp, err := d.handler.Handle(context.Background(), req)
	if err != nil {
		t.Fatalf("Handle: %v; API Gateway would answer 500, which Azure does not retry", err)
	}
	return resp
}

// counted returns what the metric lines add up to for a name.
func (d *door) counted(t *testing.T, name string) int {
	t.Helper()
	total := 0
	for line := range strings.Lines(d.metrics.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("metric line is no JSON: %v", err)
		}
		if n, ok := m[name].(float64); ok {
			total += int(n)
		}
	}
	return total
}

func notifications(body string) events.APIGatewayV2HTTPRequest {
	return events.APIGatewayV2HTTPRequest{RouteKey: "POST /notifications", Body: body}
}

func alert(secret, body string) events.APIGatewayV2HTTPRequest {
	return events.APIGatewayV2HTTPRequest{
		RouteKey:       "POST /alerts/{secret}",
		PathParameters: map[string]string{"secret": secret},
		Body:           body,
	}
}

// change is one Graph change notification, with the keys that Graph is known to
// add without documenting them.
func change(state string) string {
	return `{"subscriptionId":"sub-1","subscriptionExpirationDateTime":"2026-12-20T18:23:45+00:00","clientState":` + state + `,
		"changeType":"updated","resource":"Users/` + account + `","tenantId":"84bd8158-6d4d-4958-8b9f-9d6445542f95","novelty":{"a":[1]},
		"resourceData":{"@odata.type":"#Microsoft.Graph.User","id":"` + account + `","sequenceNumber":7}}`
}

// nested is a JSON array of that depth.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func quoted(s string) string { return `"` + s + `"` }

func fired(condition string) string {
	return `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"/subscriptions/s/alerts/a1","alertRule":"break-glass-sign-in",
		"monitorCondition":"` + condition + `","monitoringService":"Log Alerts V2","firedDateTime":"2026-12-01T02:59:24.3713213Z","severity":"Sev0"},
		"alertContext":{"properties":null,"conditionType":"LogQueryCriteria","condition":{"windowSize":"PT5M","allOf":[
		{"threshold":"0","metricValue":1.0,"dimensions":[{"name":"UserId","value":"` + account + `"},{"name":"UserId","value":"` + account + `"},{"name":"App","value":"portal"}]}]}},
		"customProperties":null}}`
}

func TestHandshakeEchoesTheDecodedToken(t *testing.T) {
	const token = "Validation: Testing client application reachability, Request-Id: a1&b=2 <+ü>"
	for name, req := range map[string]events.APIGatewayV2HTTPRequest{
		"plus for a space":    {RawQueryString: "validationToken=" + url.QueryEscape(token)},
		"percent for a space": {RawQueryString: "validationToken=" + strings.ReplaceAll(url.QueryEscape(token), "+", "%20")},
		"decoded alone":       {QueryStringParameters: map[string]string{"validationToken": token}},
	} {
		t.Run(name, func(t *testing.T) {
			req.RouteKey = "POST /notifications"
			d := newDoor(clientState, alertSecret)
			resp := d.handle(t, req)
			if resp.StatusCode != http.StatusOK || resp.Body != token {
				t.Errorf("got %d %q, want 200 %q", resp.StatusCode, resp.Body, token)
			}
			if got := resp.Headers["Content-Type"]; got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type %q: a browser might take the token for a page", got)
			}
			if got := resp.Headers["X-Content-Type-Options"]; got != "nosniff" {
				t.Errorf("X-Content-Type-Options %q, want nosniff", got)
			}
			if got := resp.Headers["Content-Security-Policy"]; !strings.Contains(got, "default-src 'none'") {
				t.Errorf("Content-Security-Policy %q allows something", got)
			}
		})
	}
}

func TestHandshakeEchoesNothingThatIsNotAToken(t *testing.T) {
	for name, token := range map[string]string{
		"empty":     "",
		"too long":  strings.Repeat("x", 2049),
		"header":    "a\r\nSet-Cookie: b",
		"not UTF-8": "a\xff",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(clientState, alertSecret)
			req := notifications("")
			req.RawQueryString = "validationToken=" + url.QueryEscape(token)
			resp := d.handle(t, req)
			if resp.StatusCode != http.StatusBadRequest || resp.Body != "" {
				t.Errorf("got %d %q, want 400 and an empty body", resp.StatusCode, resp.Body)
			}
			if got := d.counted(t, "WebhookRefused"); got != 1 {
				t.Errorf("counted %d refusals, want 1", got)
			}
		})
	}
}

func TestNotificationsAreQueued(t *testing.T) {
	d := newDoor(clientState, alertSecret)
	body := `{"value":[` + change(quoted(clientState)) + `,
		{"subscriptionId":"sub-2","clientState":"` + clientState + `","lifecycleEvent":"reauthorizationRequired","tenantId":"t"}],"validationTokens":[]}`
	req := notifications(base64.StdEncoding.EncodeToString([]byte(body)))
	req.IsBase64Encoded = true

	resp := d.handle(t, req)

	if resp.StatusCode != http.StatusAccepted || resp.Body != "" {
		t.Errorf("got %d %q, want 202 and an empty body", resp.StatusCode, resp.Body)
	}
	want := []touch.Event{
		{Source: touch.SourceNotification, ReceivedAt: received, SubscriptionID: "sub-1", ChangeType: "updated", Resource: "Users/" + account, Account: account},
		{Source: touch.SourceLifecycle, ReceivedAt: received, SubscriptionID: "sub-2", Lifecycle: "reauthorizationRequired"},
	}
	if diff := cmp.Diff(want, d.queue.events); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
	if got := d.counted(t, "WebhookRefused"); got != 0 {
		t.Errorf("counted %d refusals of a clean batch", got)
	}
}

// A batch may mix tenants and strangers: what proves itself is not lost for the
// others' sake.
func TestMixedBatchKeepsTheProven(t *testing.T) {
	d := newDoor(clientState, alertSecret)
	items := []string{
		change(quoted("somebody else's")),
		`"not even an object"`,
		`{"clientState":"` + clientState + `","changeType":"updated"}`, // no subscription
		change(quoted(clientState)),
		change("12"),
	}
	resp := d.handle(t, notifications(`{"value":[`+strings.Join(items, ",")+`]}`))
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("got %d, want 202", resp.StatusCode)
	}
	if len(d.queue.events) != 1 || d.queue.events[0].SubscriptionID != "sub-1" {
		t.Errorf("queued %v, want the one proven item", d.queue.events)
	}
	if got := d.counted(t, "WebhookRefused"); got != 4 {
		t.Errorf("counted %d refusals, want 4", got)
	}
}

// Brackets in texts do not nest, and there is room for what Microsoft may add.
func TestDepthThatIsFine(t *testing.T) {
	d := newDoor(clientState, alertSecret)
	body := `{"x":` + nested(31) + `,"y":"` + strings.Repeat(`[\"{`, 100) + `","value":[` + change(quoted(clientState)) + `]}`
	if resp := d.handle(t, notifications(body)); resp.StatusCode != http.StatusAccepted {
		t.Errorf("got %d, want 202", resp.StatusCode)
	}
}

func TestAlertsAreQueued(t *testing.T) {
	for _, condition := range []string{touch.ConditionFired, touch.ConditionResolved} {
		d := newDoor(clientState, alertSecret)
		resp := d.handle(t, alert(alertSecret, fired(condition)))
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%s: got %d, want 202", condition, resp.StatusCode)
		}
		want := []touch.Event{{
			Source: touch.SourceAzureMonitor, ReceivedAt: received, AlertID: "/subscriptions/s/alerts/a1", Rule: "break-glass-sign-in",
			Condition: condition, FiredAt: time.Date(2026, 12, 1, 2, 59, 24, 371321300, time.UTC), Accounts: []string{account},
		}}
		if diff := cmp.Diff(want, d.queue.events); diff != "" {
			t.Errorf("%s queued (-want +got):\n%s", condition, diff)
		}
	}
}

// An alert whose context cannot be read is still an alert.
func TestAlertWithoutReadableContextIsQueued(t *testing.T) {
	for _, alertContext := range []string{`null`, `{"condition":null}`, `{"condition":"text"}`, `[]`, `{"condition":{"allOf":[{"dimensions":[{"name":"UserId","value":7}]}]}}`} {
		d := newDoor(clientState, alertSecret)
		body := `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"a1","alertRule":"r\u0000ule","monitorCondition":"Fired","firedDateTime":"soon"},"alertContext":` + alertContext + `}}`
		if resp := d.handle(t, alert(alertSecret, body)); resp.StatusCode != http.StatusAccepted {
			t.Errorf("context %s: got %d, want 202", alertContext, resp.StatusCode)
			continue
		}
		want := []touch.Event{{Source: touch.SourceAzureMonitor, ReceivedAt: received, AlertID: "a1", Rule: "rule", Condition: touch.ConditionFired}}
		if diff := cmp.Diff(want, d.queue.events); diff != "" {
			t.Errorf("context %s queued (-want +got):\n%s", alertContext, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	deep := nested(10_000)
	good := `{"value":[` + change(quoted(clientState)) + `]}`
	padded := `{"value":[` + change(quoted(clientState)) + `],"x":"` + strings.Repeat("x", webhook.MaxBody) + `"}`
	encoded := func(s string) events.APIGatewayV2HTTPRequest {
		req := notifications(s)
		req.IsBase64Encoded = true
		return req
	}
	for name, tt := range map[string]struct {
		req  events.APIGatewayV2HTTPRequest
		want int
	}{
		"no body":                      {notifications(""), 400},
		"no JSON":                      {notifications("<xml/>"), 400},
		"trailing text":                {notifications(good + "x"), 400},
		"another shape":                {notifications(`[]`), 400},
		"empty batch":                  {notifications(`{"value":[]}`), 400},
		"no batch":                     {notifications(`{}`), 400},
		"deep":                         {notifications(deep), 400},
		"deep inside an unknown key":   {notifications(`{"x":` + deep + `,` + good[1:]), 400},
		"deeper than any of Graph's":   {notifications(`{"x":` + nested(32) + `,` + good[1:]), 400},
		"another type the second time": {notifications(good[:len(good)-1] + `,"value":7}`), 400},
		"oversized":                    {notifications(padded), 413},
		"oversized base64":             {encoded(base64.StdEncoding.EncodeToString([]byte(padded))), 413},
		"oversized, no base64":         {encoded(strings.Repeat("!", 2*webhook.MaxBody)), 413},
		"not base64":                   {encoded("!!!"), 400},
		"another's clientState":        {notifications(`{"value":[` + change(quoted("another")) + `]}`), 401},
		"clientState missing":          {notifications(`{"value":[{"subscriptionId":"s","changeType":"updated","resource":"Users/a"}]}`), 401},
		"clientState null":             {notifications(`{"value":[` + change("null") + `]}`), 401},
		"clientState empty":            {notifications(`{"value":[` + change(`""`) + `]}`), 401},
		"clientState not ASCII":        {notifications(`{"value":[` + change(quoted(clientState+"é")) + `]}`), 401},
		"clientState a prefix":         {notifications(`{"value":[` + change(quoted(clientState[:8])) + `]}`), 401},
		"control characters in an id":  {notifications(`{"value":[{"subscriptionId":"s\u0001","clientState":"` + clientState + `","changeType":"updated","resource":"Users/a"}]}`), 401},
		"endless id":                   {notifications(`{"value":[{"subscriptionId":"` + strings.Repeat("s", 513) + `","clientState":"` + clientState + `","changeType":"updated","resource":"Users/a"}]}`), 401},
		"alert without secret":         {alert("", fired("Fired")), 401},
		"alert with another's secret":  {alert("another", fired("Fired")), 401},
		"alert with clientState":       {alert(clientState, fired("Fired")), 401},
		"alert of another schema":      {alert(alertSecret, `{"schemaId":"Microsoft.Insights/activityLogs","data":{}}`), 400},
		"alert of a schema unlike it":  {alert(alertSecret, strings.Replace(fired("Fired"), "azureMonitorCommonAlertSchema", "another", 1)), 400},
		"alert of an unknown state":    {alert(alertSecret, fired("Acknowledged")), 400},
		"alert without id":             {alert(alertSecret, `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"monitorCondition":"Fired"}}}`), 400},
		"alert that is a notification": {alert(alertSecret, good), 400},
		"oversized alert":              {alert(alertSecret, fired("Fired")+strings.Repeat(" ", webhook.MaxBody)), 413},
		"unknown route":                {events.APIGatewayV2HTTPRequest{RouteKey: "$default", Body: good}, 404},
		"another method":               {events.APIGatewayV2HTTPRequest{RouteKey: "GET /notifications", Body: good}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(clientState, alertSecret)
			resp := d.handle(t, tt.req)
			if resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.want)
			}
			if resp.Body != "" {
				t.Errorf("echoed %q", resp.Body)
			}
			if len(d.queue.events) != 0 {
				t.Errorf("queued %v", d.queue.events)
			}
			if got := d.counted(t, "WebhookRefused"); got != 1 {
				t.Errorf("counted %d refusals, want 1", got)
			}
			if d.log.Len() != 0 {
				t.Errorf("logged %s: a flood must cost one line each, the metric's", d.log.String())
			}
		})
	}
}

// A stack whose secrets were never set lets nobody in, whatever they send.
func TestEmptySecretsAuthoriseNothing(t *testing.T) {
	d := newDoor("", "")
	for _, req := range []events.APIGatewayV2HTTPRequest{
		notifications(`{"value":[` + change(`""`) + `]}`),
		notifications(`{"value":[` + change("null") + `]}`),
		alert("", fired("Fired")),
	} {
		if resp := d.handle(t, req); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", req.RouteKey, resp.StatusCode)
		}
	}
	if len(d.queue.events) != 0 {
		t.Errorf("queued %v", d.queue.events)
	}
}

// Azure Monitor retries 503 and neither 500 nor 502; Graph retries all of them.
func TestQueueRefusalAsksTheSenderToComeAgain(t *testing.T) {
	for _, req := range []events.APIGatewayV2HTTPRequest{
		notifications(`{"value":[` + change(quoted(clientState)) + `]}`),
		alert(alertSecret, fired("Fired")),
	} {
		d := newDoor(clientState, alertSecret)
		d.queue.err = errors.New("throttled")
		resp := d.handle(t, req)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Body != "" {
			t.Errorf("%s: got %d %q, want 503 and an empty body", req.RouteKey, resp.StatusCode, resp.Body)
		}
		if got := d.counted(t, "WebhookQueueRefused"); got != 1 {
			t.Errorf("%s: counted %d, want 1", req.RouteKey, got)
		}
		if !strings.Contains(d.log.String(), "throttled") {
			t.Errorf("%s: the log does not say why: %s", req.RouteKey, d.log.String())
		}
	}
}

// The samples are what `sam local` sends too.
func TestSamples(t *testing.T) {
	for name, want := range map[string]struct {
		status, queued int
	}{
		"webhook-handshake":      {http.StatusOK, 0},
		"webhook-change":         {http.StatusAccepted, 1},
		"webhook-lifecycle":      {http.StatusAccepted, 1},
		"webhook-foreign":        {http.StatusUnauthorized, 0},
		"webhook-alert-fired":    {http.StatusAccepted, 1},
		"webhook-alert-resolved": {http.StatusAccepted, 1},
		"webhook-alert-secure":   {http.StatusNotFound, 0}, // off: no tenant is trusted
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile("../../events/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var req events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(raw, &req); err != nil {
				t.Fatal(err)
			}
			d := newDoor("example-client-state", "example-alert-secret")
			if resp := d.handle(t, req); resp.StatusCode != want.status || len(d.queue.events) != want.queued {
				t.Errorf("status %d, %d queued; want %d and %d", resp.StatusCode, len(d.queue.events), want.status, want.queued)
			}
		})
	}
}

func TestNothingLoggedGivesASecretAway(t *testing.T) {
	d := newDoor(clientState, alertSecret)
	d.handle(t, notifications(`{"value":[`+change(quoted(clientState))+`]}`))
	d.handle(t, alert(alertSecret, fired("Fired")))
	d.queue.err = errors.New("refused")
	d.handle(t, alert(alertSecret, fired("Fired")))
	d.handler.Log.Error("all of it", "receiver", d.handler.Receiver)
	if d.log.Len() == 0 {
		t.Fatal("nothing was logged, so nothing was proven")
	}
	for _, secret := range []string{clientState, alertSecret} {
		if strings.Contains(d.log.String()+d.metrics.String(), secret) {
			t.Errorf("the log shows a secret:\n%s", d.log.String())
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	d := newDoor(clientState, alertSecret)
	d.handler.Log = slog.New(slog.DiscardHandler)
	req := notifications(`{"value":[` + change(quoted(clientState)) + `]}`)
	b.ReportAllocs()
	for b.Loop() {
		d.queue.events = d.queue.events[:0]
		if resp, _ := d.handler.Handle(context.Background(), req); resp.StatusCode != http.StatusAccepted {
			b.Fatalf("got %d", resp.StatusCode)
		}
	}
}

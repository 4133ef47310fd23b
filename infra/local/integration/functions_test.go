package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/infra/local/emulator"
	"sallyport/shared/rollout"
)

// The secrets that the samples of events/ are made with, and the tenant that the
// secure alert among them comes from.
const (
	clientState  = "example-client-state"
	alertSecret  = "example-alert-secret"
	alertTenants = "5c0a7f0e-0000-4000-8000-0000000000aa=5c0a7f0e-0000-4000-8000-0000000000ab"
)

// world is both sides and the functions between them.
type world struct {
	*cloud
	*firm
	start     rollout.Date
	functions map[string]*emulator.Function
}

// run builds and starts every function, each with all that template.yaml sets for
// any of them and with the end points of this test.
func (w *world) run(t *testing.T) {
	t.Helper()
	w.functions = map[string]*emulator.Function{}
	entries, err := os.ReadDir(filepath.Join(emulator.Root(t), "functions"))
	must(t, err)
	for _, entry := range entries {
		name := entry.Name()
		role, app := readerKey, readerApp
		if name == "enforce" {
			role, app = writerKey, writerApp
		}
		w.functions[name] = emulator.Lambda(t, emulator.Build(t, name), append(emulator.Env(w.moto),
			"AWS_ENDPOINT_URL_DYNAMODB="+w.dynamo, "AWS_ENDPOINT_URL_STS="+w.sts,
			"AWS_ACCESS_KEY_ID="+role, "AWS_LAMBDA_FUNCTION_NAME="+name,
			"AWS_LAMBDA_FUNCTION_TIMEOUT=120", // a job wants a minute at least to begin
			"SSL_CERT_FILE="+w.caFile, "AZURE_AUTHORITY_HOST="+w.login, "GRAPH_ENDPOINT="+w.graph, "GRAPH_CLIENT_ID="+app,
			"TABLE_NAME="+tableName, "ARCHIVE_BUCKET="+bucket, "MAIL_QUEUE_URL="+w.mailQueue, "EVENT_QUEUE_URL="+w.eventQueue, "ALERT_TOPIC_ARN="+w.alertTopic,
			"SES_CONFIGURATION_SET=rollout", "NOTIFICATION_URL=https://hooks.contoso.com/notifications",
			"WEBHOOK_CLIENT_STATE_SECRET="+clientState, "WEBHOOK_ALERT_SECRET="+alertSecret, "ALERT_TENANTS="+alertTenants,
			"WEBHOOK_ACK_SECRET=an-invented-ack-secret", "ACK_URL=https://hooks.contoso.com/ack/",
		)...)
	}
}

// invoke hands a function an event; an error of the function ends the test.
func (w *world) invoke(t *testing.T, function string, event any) []byte {
	t.Helper()
	raw, is := event.([]byte)
	if !is {
		var err error
		raw, err = json.Marshal(event)
		must(t, err)
	}
	answer, err := w.functions[function].Invoke(t.Context(), raw)
	if err != nil {
		t.Fatalf("%s: %v", function, err)
	}
	return answer
}

// job invokes a scheduled function for a moment.
func (w *world) job(t *testing.T, function string, at time.Time) {
	t.Helper()
	w.invoke(t, function, map[string]any{"time": at.UTC().Format(time.RFC3339)})
}

// batch invokes a function that a queue feeds; no message may come back.
func (w *world) batch(t *testing.T, function string, batch events.SQSEvent) {
	t.Helper()
	if failed := failures(t, w.invoke(t, function, batch)); len(failed) > 0 {
		t.Fatalf("%s hands %d of %d messages back", function, len(failed), len(batch.Records))
	}
}

func failures(t *testing.T, answer []byte) []events.SQSBatchItemFailure {
	t.Helper()
	if !strings.Contains(string(answer), `"batchItemFailures":[`) { // Lambda takes null for a malformed reply
		t.Fatalf("%s is no partial-batch reply", answer)
	}
	var reply events.SQSEventResponse
	must(t, json.Unmarshal(answer, &reply))
	return reply.BatchItemFailures
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(emulator.Root(t), "events", name))
	must(t, err)
	return b
}

// samples: every file of events/ is understood by its function. The table is
// empty, so nothing follows from them.
func (w *world) samples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(emulator.Root(t), "events", "*.json"))
	must(t, err)
	// What webhook answers, and how many messages of the others come back: a
	// message that notify is to send and does not find may still be on its way.
	statuses := map[string]int{
		"webhook-handshake.json": 200, "webhook-change.json": 202, "webhook-lifecycle.json": 202, "webhook-foreign.json": 401,
		"webhook-alert-fired.json": 202, "webhook-alert-resolved.json": 202, "webhook-alert-secure.json": 401, // its token has lapsed
		"webhook-ack-page.json": 404, "webhook-ack.json": 404, // nobody signed them
	}
	back := map[string]int{"notify-mail.json": 2}
	covered := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(file)
		function, _, _ := strings.Cut(name, "-")
		covered[function] = true
		answer := w.invoke(t, function, sample(t, name))
		switch {
		case function == "webhook":
			var reply events.APIGatewayV2HTTPResponse
			must(t, json.Unmarshal(answer, &reply))
			if reply.StatusCode != statuses[name] {
				t.Errorf("%s: status %d, want %d", name, reply.StatusCode, statuses[name])
			}
		case strings.HasSuffix(name, "-schedule.json"), name == "audit-continue.json", name == "enforce-waiting.json":
			if string(answer) != "null" {
				t.Errorf("%s: answered %s", name, answer)
			}
		default:
			if got := len(failures(t, answer)); got != back[name] {
				t.Errorf("%s: %d messages come back, want %d", name, got, back[name])
			}
		}
	}
	for name := range w.functions {
		if !covered[name] {
			t.Errorf("events/ holds no sample for %s", name)
		}
	}
	w.takeAll(t, w.eventQueue) // what webhook queued
}

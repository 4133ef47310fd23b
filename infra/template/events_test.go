package template_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/functions/audit"
	"sallyport/functions/breakglass/touch"
	"sallyport/functions/enforce"
	"sallyport/functions/feedback"
	"sallyport/infra/local/emulator"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
)

// events: every trigger of every function has a sample in events/, named
// FUNCTION-WHAT.json, of the shape that the trigger delivers.
func (s stack) events(t *testing.T) {
	triggers := map[string]map[string]bool{} // function -> what it is yet without
	add := func(function, what string) {
		name := strings.ToLower(function)
		if triggers[name] == nil {
			triggers[name] = map[string]bool{}
		}
		triggers[name][what] = true
	}
	for _, schedule := range s.of(t, "AWS::Scheduler::Schedule") {
		add(target(at(schedule.Properties, "Target", "Arn")), "schedule")
	}
	for _, m := range s.of(t, "AWS::Lambda::EventSourceMapping") {
		add(target(m.Properties["FunctionName"]), "queue")
	}
	for _, p := range s.of(t, "AWS::Lambda::Permission") {
		if p.Properties["Principal"] == "apigateway.amazonaws.com" {
			add(target(p.Properties["FunctionName"]), "http")
		}
	}

	files, err := filepath.Glob(filepath.Join(emulator.Root(t), "events", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		function, _, _ := strings.Cut(name, "-")
		if triggers[function] == nil {
			t.Errorf("%s is not named for a function that has a trigger", name)
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		what := kindOf(t, name, text)
		if _, ok := triggers[function][what]; !ok {
			t.Errorf("%s is a sample of a trigger (%s) that %s does not have", name, what, function)
		}
		triggers[function][what] = false
	}
	for function, kinds := range triggers {
		for what, missing := range kinds {
			if missing {
				t.Errorf("events/ has no sample of what starts %s by %s", function, what)
			}
		}
	}
}

// kindOf tells what a sample is of, and reads it as its function would. An
// unknown key is a slip of the sample.
func kindOf(t *testing.T, name string, text []byte) string {
	t.Helper()
	var keys map[string]json.RawMessage
	strictly(t, name, text, &keys)
	switch {
	case keys["time"] != nil:
		if strings.HasPrefix(name, "enforce-") {
			var event enforce.Event
			strictly(t, name, text, &event)
			if event.Time.IsZero() || event.Waiting != (name == "enforce-waiting.json") {
				t.Errorf("%s says no time, or not for whom it is", name)
			}
			return "schedule"
		}
		var event audit.Event // as every other schedule's, and a word more
		strictly(t, name, text, &event)
		if event.Time.IsZero() || event.Continue != (name == "audit-continue.json") {
			t.Errorf("%s says no time, or to continue what cannot be", name)
		}
		return "schedule"
	case keys["Records"] != nil:
		var event events.SQSEvent
		strictly(t, name, text, &event)
		for _, record := range event.Records {
			body(t, name, record)
		}
		return "queue"
	case keys["routeKey"] != nil:
		var event events.APIGatewayV2HTTPRequest
		strictly(t, name, text, &event)
		if !slices.Contains([]string{"POST /notifications", "POST /alerts/{secret}", "POST /alerts", "GET /ack/{token}", "POST /ack/{token}"}, event.RouteKey) {
			t.Errorf("%s came by a route that does not exist: %s", name, event.RouteKey)
		}
		return "http"
	}
	t.Errorf("%s is like no trigger", name)
	return ""
}

// body reads what lies on a queue.
func body(t *testing.T, name string, record events.SQSMessage) {
	t.Helper()
	switch _, queue, _ := strings.Cut(record.EventSourceARN, "sallyport-"); {
	case strings.HasPrefix(queue, "MailQueue"):
		var item outbox.Item
		strictly(t, name, []byte(record.Body), &item)
		if item.Tenant == "" || item.MessageID == "" {
			t.Errorf("%s: a message of nobody: %s", name, record.Body)
		}
	case strings.HasPrefix(queue, "EventQueue"):
		var event touch.Event
		strictly(t, name, []byte(record.Body), &event)
		if event.Source == "" || event.ReceivedAt.IsZero() {
			t.Errorf("%s: an event without a source or a time: %s", name, record.Body)
		}
	case strings.HasPrefix(queue, "FeedbackQueue"):
		var receipt job.ScheduledEvent // any fixed time will do
		event, err := feedback.Parse(record.Body, receipt.Time)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// Only what is no event, or came by an identity's own notifications, is about no message.
		if ours := event.Message != ""; ours == (name == "feedback-topic-connected.json" || name == "feedback-notification-type.json") {
			t.Errorf("%s: about message %q", name, event.Message)
		}
	default:
		t.Errorf("%s came from a queue that does not exist: %s", name, record.EventSourceARN)
	}
}

func strictly(t *testing.T, name string, text []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass/touch"
	"sallyport/functions/webhook"
)

// sqsClient answers SendMessageBatch as SQS documents it.
type sqsClient struct {
	batches []int
	bodies  []string
	refuse  string // the entry id that SQS refuses
	err     error
}

func (c *sqsClient) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	if c.err != nil {
		return nil, c.err
	}
	c.batches = append(c.batches, len(in.Entries))
	out := &sqs.SendMessageBatchOutput{}
	for _, e := range in.Entries {
		if aws.ToString(e.Id) == c.refuse {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
			continue
		}
		c.bodies = append(c.bodies, aws.ToString(e.MessageBody))
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

func manyEvents(n int) []touch.Event {
	events := make([]touch.Event, n)
	for i := range events {
		events[i] = touch.Event{Source: touch.SourceNotification, ReceivedAt: received, SubscriptionID: fmt.Sprintf("sub-%d", i), ChangeType: "updated", Resource: "Users/a"}
	}
	return events
}

func TestSQSSendsEachEventInBatchesOfTen(t *testing.T) {
	client := &sqsClient{}
	want := manyEvents(23)
	if err := (webhook.SQS{Client: client, URL: "https://sqs.example/events"}).Send(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{10, 10, 3}, client.batches); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	var got []touch.Event
	for _, body := range client.bodies {
		var event touch.Event
		if err := json.Unmarshal([]byte(body), &event); err != nil {
			t.Fatalf("breakglass could not read %s: %v", body, err)
		}
		got = append(got, event)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestSQSRefusalIsAnError(t *testing.T) {
	down := errors.New("connection refused")
	for name, client := range map[string]*sqsClient{
		"one entry refused": {refuse: "3"},
		"queue unreachable": {err: down},
	} {
		if err := (webhook.SQS{Client: client}).Send(context.Background(), manyEvents(5)); err == nil {
			t.Errorf("%s: no error: the sender would not come again", name)
		}
	}
}

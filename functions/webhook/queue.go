package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sallyport/functions/breakglass/touch"
)

// sqsBatch is how many messages one SendMessageBatch takes.
// Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
const sqsBatch = 10

// SQS is the event queue on Amazon SQS: one message per event.
type SQS struct {
	Client interface {
		SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	}
	URL string
}

// Send implements [Queue]. SQS may take some entries of a batch and refuse
// others: that too is an error.
func (q SQS) Send(ctx context.Context, events []touch.Event) error {
	for chunk := range slices.Chunk(events, sqsBatch) {
		entries := make([]types.SendMessageBatchRequestEntry, len(chunk))
		for i, event := range chunk {
			body, err := json.Marshal(event)
			if err != nil {
				return fmt.Errorf("write event as JSON: %w", err)
			}
			entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(body))}
		}
		out, err := q.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(q.URL), Entries: entries})
		if err != nil {
			return fmt.Errorf("send %d events to the queue: %w", len(chunk), err)
		}
		if len(out.Failed) > 0 {
			return fmt.Errorf("queue took %d of %d events, then %s", len(out.Successful), len(chunk), aws.ToString(out.Failed[0].Code))
		}
	}
	return nil
}

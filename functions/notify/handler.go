package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/shared/outbox"
)

// enoughTime is what one message needs at most. One that is begun later would
// be cut off in doubt, and then wait for hours.
const enoughTime = 5 * time.Second

// Handler answers batches of the mail queue.
type Handler struct {
	Notify Notify
	Now    func() time.Time
}

// Handle sends each message by itself and names those that have to come again.
// When the provider takes nothing, or time runs out, the rest goes back untried.
func (h *Handler) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	// Lambda takes null for a malformed reply and the whole batch for failed.
	reply := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	counts := map[Outcome]int{}
	run := h.Notify.Begin(h.Now().UTC())
	var stop error
	for _, record := range batch.Records {
		outcome, err := OutcomeLater, stop
		if stop == nil {
			outcome, err = h.one(ctx, run, record.Body)
		}
		counts[outcome]++
		if err == nil {
			continue
		}
		reply.BatchItemFailures = append(reply.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		if stop != nil {
			continue
		}
		h.Notify.Log.ErrorContext(ctx, "message not sent, it comes again", "record", record.MessageId, "error", err)
		if errors.Is(err, ErrBusy) || errors.Is(err, errNoTime) {
			stop = err
		}
	}
	h.Notify.Log.InfoContext(ctx, "notify", "messages", len(batch.Records), "outcomes", counts)
	return reply, nil
}

var errNoTime = errors.New("too little time left to send")

func (h *Handler) one(ctx context.Context, run *Run, body string) (Outcome, error) {
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(h.Now()) < enoughTime {
		return OutcomeLater, errNoTime
	}
	var item outbox.Item
	if err := json.Unmarshal([]byte(body), &item); err != nil {
		return OutcomeLater, fmt.Errorf("read the queue item: %w", err)
	}
	outcome, err := run.Send(ctx, item)
	if err != nil {
		return outcome, fmt.Errorf("message %s of %s: %w", item.MessageID, item.Tenant, err)
	}
	return outcome, nil
}

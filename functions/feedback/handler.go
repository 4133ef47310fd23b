package feedback

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// Handler answers batches of the queue that is subscribed to SES's topic.
type Handler struct {
	Feedback Feedback
	Now      func() time.Time
	Log      *slog.Logger
}

// Handle applies each event by itself and names those that have to come again.
func (h *Handler) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	now := h.Now().UTC()
	// Lambda takes null for a malformed reply and the whole batch for failed.
	reply := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	counts := map[Outcome]int{}
	for _, record := range batch.Records {
		outcome, err := h.apply(ctx, record.Body, now)
		if err != nil {
			h.Log.ErrorContext(ctx, "event of SES not applied, it comes again", "record", record.MessageId, "error", err)
			reply.BatchItemFailures = append(reply.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
			continue
		}
		counts[outcome]++
	}
	h.Log.InfoContext(ctx, "feedback", "events", len(batch.Records), "again", len(reply.BatchItemFailures), "outcomes", counts)
	return reply, nil
}

func (h *Handler) apply(ctx context.Context, body string, now time.Time) (Outcome, error) {
	event, err := Parse(body, now)
	if err != nil {
		return "", err
	}
	return h.Feedback.Apply(ctx, event)
}

// Package outbox turns a due message into one that will be sent: it is claimed
// in the table, then put on the mail queue. The claim comes first and makes the
// message happen once; a run that dies between the two leaves a claim that
// [Outbox.Sweep] finds and queues again.
package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Item is what lies on the mail queue: which message, never what it says.
type Item struct {
	Tenant    rollout.TenantID `json:"tenant"`
	MessageID string           `json:"messageId"`
}

// Table holds the claims. ClaimMessage answers store.ErrConflict if the message,
// or the person's day, is taken.
type Table interface {
	ClaimMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error
	PutMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error
}

// Queue is the mail queue. An item may arrive twice.
type Queue interface {
	Put(ctx context.Context, item Item) error
}

// Outbox claims and queues messages.
type Outbox struct {
	Table Table
	Queue Queue
}

// Post claims the message and queues it. claimed is false, without an error, if
// it was claimed before: then it is on its way, or Sweep will see to it.
func (o Outbox) Post(ctx context.Context, t rollout.TenantID, m rollout.Message) (claimed bool, err error) {
	err = o.Table.ClaimMessage(ctx, t, m)
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim message %s: %w", m.ID, err)
	}
	if err := o.Queue.Put(ctx, Item{Tenant: t, MessageID: m.ID}); err != nil {
		return true, fmt.Errorf("queue message %s (it stays claimed and is queued again within %s): %w", m.ID, rollout.RequeueAfter, err)
	}
	return true, nil
}

// Sweep queues again what a run left behind: claims that nothing sent, and
// messages in doubt for so long that SES cannot have taken them. It returns how
// many, and goes on after an error.
func (o Outbox) Sweep(ctx context.Context, t rollout.TenantID, messages []rollout.Message, now time.Time) (swept int, err error) {
	for _, m := range rollout.Stuck(messages, now) {
		m.State, m.ClaimedAt = rollout.MessageClaimed, now
		m.Reason = "queued again: the run that had it ended before it was sent"
		putErr := o.Table.PutMessage(ctx, t, m)
		if errors.Is(putErr, store.ErrConflict) {
			continue // it has moved on by itself
		}
		if putErr == nil {
			putErr = o.Queue.Put(ctx, Item{Tenant: t, MessageID: m.ID})
		}
		if putErr != nil {
			err = errors.Join(err, fmt.Errorf("queue message %s again: %w", m.ID, putErr))
			continue
		}
		swept++
	}
	return swept, err
}

// SQS is the mail queue on Amazon SQS.
type SQS struct {
	Client interface {
		SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	}
	URL string
}

// Put implements Queue.
func (q SQS) Put(ctx context.Context, item Item) error {
	body, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("write queue item: %w", err)
	}
	_, err = q.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(q.URL), MessageBody: aws.String(string(body))})
	if err != nil {
		return fmt.Errorf("send to the mail queue: %w", err)
	}
	return nil
}

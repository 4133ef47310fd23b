package breakglass

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Registry finds the tenant that an event belongs to.
type Registry interface {
	job.TenantLister
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	TenantOfSubscription(ctx context.Context, id string) (rollout.TenantID, error)
}

// Handler answers both triggers: the schedule, every five minutes, and the
// event queue.
type Handler struct {
	Breakglass Breakglass
	Registry   Registry
	Runner     job.Runner
	// Now is the receipt of a queue batch.
	Now func() time.Time
}

// Handle tells the triggers apart by their shape: a batch of the queue has
// Records, the schedule has a time.
func (h Handler) Handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var batch events.SQSEvent
	if err := json.Unmarshal(raw, &batch); err == nil && len(batch.Records) > 0 {
		return h.HandleQueue(ctx, batch), nil
	}
	var scheduled job.ScheduledEvent
	if err := json.Unmarshal(raw, &scheduled); err != nil {
		return nil, fmt.Errorf("neither a batch of the event queue nor a schedule: %w", err)
	}
	return nil, h.Runner.EachTenant(ctx, h.Registry, jobName, scheduled.Time, h.Breakglass.Run)
}

// HandleQueue follows each hint of the batch; those that failed are handed back
// to the queue alone.
func (h Handler) HandleQueue(ctx context.Context, batch events.SQSEvent) events.SQSEventResponse {
	reply := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	now := h.Now()
	for _, record := range batch.Records {
		if err := h.one(ctx, record.Body, now); err != nil {
			h.Breakglass.Log.ErrorContext(ctx, "event not followed, the queue brings it again", "record", record.MessageId, "error", err)
			reply.BatchItemFailures = append(reply.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		}
	}
	return reply
}

func (h Handler) one(ctx context.Context, body string, now time.Time) error {
	var e touch.Event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	tenants, err := h.tenants(ctx, e)
	if err != nil {
		return err
	}
	var failed error
	for _, t := range tenants {
		var sum job.Summary
		if err := h.Breakglass.Look(ctx, t, e, now, &sum); err != nil {
			failed = errors.Join(failed, fmt.Errorf("tenant %s: %w", t, err))
		}
	}
	return failed
}

// tenants are those an event concerns: the subscription's, the one that a signed
// link or our own self-test names, or every tenant that has one of the accounts as
// an emergency account. An alert that names no account may be about any: all look.
func (h Handler) tenants(ctx context.Context, e touch.Event) ([]rollout.TenantID, error) {
	if e.Source == touch.SourceAck || e.Source == touch.SourceProbe {
		t := rollout.TenantID(e.Tenant)
		if _, err := h.Registry.Config(ctx, t); errors.Is(err, store.ErrNotFound) {
			return nil, nil // a tenant that is no longer looked after
		}
		return []rollout.TenantID{t}, nil
	}
	if e.SubscriptionID != "" {
		t, err := h.Registry.TenantOfSubscription(ctx, e.SubscriptionID)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil // a subscription that is not ours (any more)
		}
		if err != nil {
			return nil, fmt.Errorf("find the tenant of subscription %s: %w", e.SubscriptionID, err)
		}
		return []rollout.TenantID{t}, nil
	}
	all, err := h.Registry.Tenants(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the tenants: %w", err)
	}
	if len(e.Accounts) == 0 {
		return all, nil
	}
	var concerned []rollout.TenantID
	for _, t := range all {
		cfg, err := h.Registry.Config(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("read rollout.yaml of tenant %s: %w", t, err)
		}
		for _, id := range e.Accounts {
			if cfg.IsEmergency(id) {
				concerned = append(concerned, t)
				break
			}
		}
	}
	return concerned, nil
}

package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/shared/outbox"
)

// queue is SQS between two functions: at least once, in batches, an item that
// failed comes back when it is visible again, and after five times it is a dead
// letter.
type queue[T any] struct {
	name    string
	clock   *Clock
	agenda  *agenda
	faults  *faults
	deliver func(events.SQSEvent) (events.SQSEventResponse, error)

	waiting []*queued
	next    int
	dead    int
	planned bool
}

type queued struct {
	id       string
	body     string
	visible  time.Time
	received int
}

const (
	batchSize  = 10
	batchWait  = time.Second
	visibility = 3 * time.Minute
	mostTimes  = 5
)

func newQueue[T any](name string, clock *Clock, a *agenda, f *faults) *queue[T] {
	return &queue[T]{name: name, clock: clock, agenda: a, faults: f}
}

// put takes an item. With faults, some arrive twice.
func (q *queue[T]) put(item T) error {
	body, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.name, err)
	}
	text := string(body)
	if s, is := any(item).(string); is {
		text = s
	}
	times := 1
	if q.faults.strikes("queue delivers twice", 1) {
		times = 2
	}
	for range times {
		q.next++
		q.waiting = append(q.waiting, &queued{id: fmt.Sprintf("%s-%d", q.name, q.next), body: text, visible: q.clock.Now().Add(batchWait)})
	}
	q.plan()
	return nil
}

// plan puts the next delivery on the agenda.
func (q *queue[T]) plan() {
	if q.planned || len(q.waiting) == 0 {
		return
	}
	first := q.waiting[0].visible
	for _, item := range q.waiting {
		if item.visible.Before(first) {
			first = item.visible
		}
	}
	q.planned = true
	q.agenda.put(first, q.run)
}

func (q *queue[T]) run() {
	q.planned = false
	now := q.clock.Now()
	var batch []*queued
	for _, item := range q.waiting {
		if !item.visible.After(now) && len(batch) < batchSize {
			item.received++
			item.visible = now.Add(visibility)
			batch = append(batch, item)
		}
	}
	if len(batch) > 0 {
		q.settle(batch)
	}
	q.plan()
}

func (q *queue[T]) settle(batch []*queued) {
	var event events.SQSEvent
	for _, item := range batch {
		event.Records = append(event.Records, events.SQSMessage{MessageId: item.id, Body: item.body})
	}
	reply, err := q.deliver(event)
	failed := map[string]bool{}
	for _, f := range reply.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	done := map[*queued]bool{}
	for _, item := range batch {
		if err == nil && !failed[item.id] {
			done[item] = true
		} else if item.received >= mostTimes {
			done[item] = true
			q.dead++
		}
	}
	kept := q.waiting[:0]
	for _, item := range q.waiting {
		if !done[item] {
			kept = append(kept, item)
		}
	}
	q.waiting = kept
}

// mailQueue is the mail queue as the outbox sees it.
type mailQueue struct{ *queue[outbox.Item] }

// Put implements outbox.Queue.
func (q mailQueue) Put(_ context.Context, item outbox.Item) error { return q.put(item) }

// Package webhook is the door: it proves who sent a notification or an alert,
// puts what it says on the event queue and answers within milliseconds. It
// decides nothing and looks nothing up, and it links no Graph SDK, because
// Microsoft slows down and then drops deliveries to an end point that is late.
//
// A request proves itself by a shared secret: Graph's notifications carry it as
// clientState, Azure Monitor's plain webhook in the path. Azure's signed
// "secure webhook" is not understood here yet.
//
// Sources: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
// and https://learn.microsoft.com/azure/azure-monitor/alerts/action-groups
package webhook

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"sallyport/functions/breakglass/touch"
)

// Why a request was not queued. Nothing of it was.
var (
	ErrOversized = errors.New("body over the limit")
	ErrMalformed = errors.New("malformed body")
	ErrForeign   = errors.New("sender not proven")
	// ErrQueue is the only one that asks the sender to come again.
	ErrQueue = errors.New("event queue refused")
)

// MaxBody is the largest body that is looked at, in bytes: Azure Monitor's own
// limit, and far above what Graph sends.
const MaxBody = 256 << 10

// Queue takes events for breakglass. An error means that some may be missing:
// the sender is then asked to come again, so an event may be queued twice.
type Queue interface {
	Send(ctx context.Context, events []touch.Event) error
}

// Receiver proves requests and queues what they say.
type Receiver struct {
	clientState secret
	alerts      secret
	queue       Queue
}

// NewReceiver makes a Receiver. The secrets are those given to Graph as
// clientState and to Azure Monitor in the path; an empty one authorises nothing.
func NewReceiver(clientState, alertSecret string, queue Queue) *Receiver {
	return &Receiver{clientState: newSecret(clientState), alerts: newSecret(alertSecret), queue: queue}
}

// Result counts what became of a request's items.
type Result struct {
	Queued  int
	Foreign int // dropped: not proven or not readable
}

// Notifications takes a batch of Graph change and lifecycle notifications. One
// POST may mix subscriptions and tenants, so each item proves itself: those
// that do are queued, the others dropped and counted. It fails with
// [ErrForeign] if none does, [ErrMalformed], [ErrOversized] or [ErrQueue].
func (r *Receiver) Notifications(ctx context.Context, body []byte, now time.Time) (Result, error) {
	items, err := parseNotifications(body)
	if err != nil {
		return Result{}, err
	}
	var events []touch.Event
	for _, item := range items {
		if item.readable && r.clientState.matches(item.clientState) {
			item.event.ReceivedAt = now
			events = append(events, item.event)
		}
	}
	result := Result{Queued: len(events), Foreign: len(items) - len(events)}
	if len(events) == 0 {
		return Result{Foreign: result.Foreign}, fmt.Errorf("%w: no item carries our clientState", ErrForeign)
	}
	if err := r.queue.Send(ctx, events); err != nil {
		return Result{Foreign: result.Foreign}, fmt.Errorf("%w %d notifications: %w", ErrQueue, len(events), err)
	}
	return result, nil
}

// Alert takes one Azure Monitor alert of the common alert schema; given is the
// secret in the request's path. It fails with [ErrForeign], [ErrMalformed],
// [ErrOversized] or [ErrQueue].
func (r *Receiver) Alert(ctx context.Context, given string, body []byte, now time.Time) (Result, error) {
	if !r.alerts.matches(given) {
		return Result{Foreign: 1}, fmt.Errorf("%w: the path does not carry our secret", ErrForeign)
	}
	event, err := parseAlert(body)
	if err != nil {
		return Result{}, err
	}
	event.ReceivedAt = now
	if err := r.queue.Send(ctx, []touch.Event{event}); err != nil {
		return Result{}, fmt.Errorf("%w an Azure Monitor alert: %w", ErrQueue, err)
	}
	return Result{Queued: 1}, nil
}

// secret keeps only the digest of a shared secret, so that comparing takes the
// same time whatever is given, its length included, and no log can show it.
type secret struct {
	set    bool
	digest [sha256.Size]byte
}

func newSecret(s string) secret {
	return secret{set: s != "", digest: sha256.Sum256([]byte(s))}
}

func (s secret) matches(given string) bool {
	digest := sha256.Sum256([]byte(given))
	same := subtle.ConstantTimeCompare(s.digest[:], digest[:]) == 1
	return s.set && same
}

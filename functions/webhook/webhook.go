// Package webhook is the door: it proves who sent a notification or an alert,
// puts what it says on the event queue and answers within milliseconds. It
// decides nothing and looks nothing up, and it links no Graph SDK, because
// Microsoft slows down and then drops deliveries to an end point that is late.
//
// Graph's notifications prove themselves by a shared secret, their clientState.
// Azure Monitor's alerts do by a token of Entra (a "secure webhook"), or by a
// secret in the path (a plain webhook), which is the lesser choice: whoever reads
// the action group, a proxy's log or a browser's history has it, it holds until
// somebody changes it, and it says nothing about which tenant calls.
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
	// ErrOff: no tenant may call by this way.
	ErrOff = errors.New("secure webhook is off")
	// ErrQueue and [ErrUndecided] are the only ones that ask the sender to come
	// again.
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
	probes      func(probe string, now time.Time) (touch.Event, bool)
	alerts      secret
	tokens      *Tokens
	queue       Queue
	// AckSecret signs the links in alerts; empty: none is good.
	AckSecret string
}

// NewReceiver makes a Receiver. The secrets are those given to Graph as
// clientState and to Azure Monitor in the path; an empty one authorises nothing,
// and neither do nil tokens.
func NewReceiver(clientState, alertSecret string, tokens *Tokens, queue Queue) *Receiver {
	probes := func(probe string, now time.Time) (touch.Event, bool) {
		return touch.ProvenProbe(probe, clientState, now)
	}
	return &Receiver{clientState: newSecret(clientState), probes: probes, alerts: newSecret(alertSecret), tokens: tokens, queue: queue}
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

// Probe takes the handshake of a self-test. A probe that is not ours is dropped,
// as every handshake is: nothing is queued for strangers. It fails with [ErrQueue].
func (r *Receiver) Probe(ctx context.Context, probe string, now time.Time) error {
	event, ours := r.probes(probe, now)
	if !ours {
		return nil
	}
	if err := r.queue.Send(ctx, []touch.Event{event}); err != nil {
		return fmt.Errorf("%w a self-test: %w", ErrQueue, err)
	}
	return nil
}

// Alert takes one Azure Monitor alert of the common alert schema; given is the
// secret in the request's path. It fails with [ErrForeign], [ErrMalformed],
// [ErrOversized] or [ErrQueue].
func (r *Receiver) Alert(ctx context.Context, given string, body []byte, now time.Time) (Result, error) {
	if !r.alerts.matches(given) {
		return Result{Foreign: 1}, fmt.Errorf("%w: the path does not carry our secret", ErrForeign)
	}
	return r.proven(ctx, body, now)
}

// SecureAlert takes one Azure Monitor alert that proves itself by its
// Authorization header. It fails as [Receiver.Alert] does, and with [ErrOff] or
// [ErrUndecided].
func (r *Receiver) SecureAlert(ctx context.Context, authorization string, body []byte, now time.Time) (Result, error) {
	if r.tokens == nil {
		return Result{}, ErrOff
	}
	if err := r.tokens.prove(ctx, authorization, now); err != nil {
		return Result{}, err
	}
	return r.proven(ctx, body, now)
}

// proven queues an alert whose sender is. The same alert may come again, from
// Azure or from somebody who kept it: it carries the same alertId, by which
// breakglass claims it once.
func (r *Receiver) proven(ctx context.Context, body []byte, now time.Time) (Result, error) {
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

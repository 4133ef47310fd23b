// Package feedback settles what became of each message: delivered, bounced, or
// not yet known. It reads the events that SES reports through SNS, and it is
// the only judge of a message whose sending was cut off half-way.
//
// Invariant: whatever the order in which the events of a message arrive, and
// however often, it ends in the same state. For a person, a failure for good
// outweighs a delivery: a mailbox that took the mail and then sent it back did
// not tell anybody. For the operator's addresses, which share one message, one
// delivery outweighs the others' failures.
package feedback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Table is what feedback reads and writes of the table.
type Table interface {
	Message(ctx context.Context, t rollout.TenantID, id string) (rollout.Message, error)
	PutMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error
	MarkUnreachable(ctx context.Context, t rollout.TenantID, account, reason string) error
}

// Feedback applies SES's events.
type Feedback struct {
	Table Table
}

// Outcome is what an event led to, for counting.
type Outcome string

// The outcomes.
const (
	OutcomeDelivered   Outcome = "Delivered"
	OutcomeBounced     Outcome = "Bounced"     // for good
	OutcomeSoftBounce  Outcome = "SoftBounced" // given up after retries: not delivered
	OutcomeComplaint   Outcome = "Complained"
	OutcomeAccepted    Outcome = "Accepted" // SES has it; nothing more is known yet
	OutcomeForeign     Outcome = "Foreign"  // no message of ours
	OutcomeUnknownType Outcome = "UnknownType"
)

// tries is how often an event meets somebody else's write (notify confirms the
// same message) before it is left to the queue's redelivery.
const tries = 4

// Apply applies one event. It can be repeated at will. An error means that the
// event has to come again.
func (f Feedback) Apply(ctx context.Context, e Event) (Outcome, error) {
	if e.Tenant == "" || e.Message == "" {
		return OutcomeForeign, nil
	}
	effect, outcome := e.effect()
	for range tries {
		m, err := f.Table.Message(ctx, e.Tenant, e.Message)
		if errors.Is(err, store.ErrNotFound) {
			return OutcomeForeign, nil
		}
		if err != nil {
			return outcome, fmt.Errorf("read message %s of %s: %w", e.Message, e.Tenant, err)
		}
		// The mark comes first and every time: if the run dies between the two
		// writes, the event comes again and makes both.
		if effect.unreachable != "" && m.Kind.ToPerson() && !m.Redirected() {
			if err := f.Table.MarkUnreachable(ctx, e.Tenant, m.Account, effect.unreachable); err != nil {
				return outcome, fmt.Errorf("mark account %s of %s as unreachable: %w", m.Account, e.Tenant, err)
			}
		}
		next, changed := effect.on(m)
		if !changed {
			return outcome, nil
		}
		err = f.Table.PutMessage(ctx, e.Tenant, next)
		if err == nil {
			return outcome, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return outcome, fmt.Errorf("settle message %s of %s: %w", e.Message, e.Tenant, err)
		}
	}
	return outcome, fmt.Errorf("settle message %s of %s: %w %d times in a row", e.Message, e.Tenant, store.ErrConflict, tries)
}

// effect is what an event proves.
type effect struct {
	state       rollout.MessageState // delivered, bounced, or sent: SES has it
	reason      string
	unreachable string    // why nothing more can be written to the person; empty: it can
	sentAt      time.Time // when SES took it
	at          time.Time // when it was delivered
}

// effect says what an event proves. Only what SES will never deliver is a
// bounce for good, and only what concerns the recipient makes it unreachable: a
// rejected message is our own fault.
//
// Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
func (e Event) effect() (effect, Outcome) {
	accepted := effect{state: rollout.MessageSent, sentAt: e.SentAt}
	failed := func(reason, unreachable string) effect {
		return effect{state: rollout.MessageBounced, reason: reason, unreachable: unreachable, sentAt: e.SentAt}
	}
	switch e.Type {
	case "Delivery":
		return effect{state: rollout.MessageDelivered, sentAt: e.SentAt, at: e.DeliveredAt}, OutcomeDelivered
	case "Bounce":
		if e.BounceType != "Permanent" {
			// Transient and Undetermined come after SES has stopped retrying: the
			// message is not delivered, the address may still be good.
			return accepted, OutcomeSoftBounce
		}
		reason := "mail bounced for good"
		if e.SubType == "OnAccountSuppressionList" || e.SubType == "Suppressed" {
			reason = "address is on the suppression list: nothing was sent"
		}
		return failed(reason, reason), OutcomeBounced
	case "Complaint":
		if e.ComplaintType == "not-spam" {
			return accepted, OutcomeAccepted // the opposite of a complaint
		}
		const reason = "complained about our mail"
		if e.SubType == "OnAccountSuppressionList" {
			return failed("address is on the suppression list: nothing was sent", reason), OutcomeComplaint
		}
		accepted.unreachable = reason
		return accepted, OutcomeComplaint
	case "Reject":
		return failed("SES rejected the message", ""), OutcomeBounced
	case "Rendering Failure":
		return failed("SES could not render the message", ""), OutcomeBounced
	case "Send", "DeliveryDelay", "Open", "Click", "Subscription":
		return accepted, OutcomeAccepted
	}
	return effect{}, OutcomeUnknownType
}

// on returns the message as it stands after the event, and whether that is
// another state than before.
func (e effect) on(m rollout.Message) (rollout.Message, bool) {
	if rank(m, e.state) <= rank(m, m.State) {
		return m, false
	}
	m.State, m.Reason = e.state, e.reason
	m.DeliveredAt = e.at // zero for all but a delivery: notice is counted from it
	if m.SentAt.IsZero() {
		m.SentAt = e.sentAt
	}
	return m, true
}

// rank orders the states by how much they settle: a message only ever rises.
// Even one that was given back to be sent again is settled by proof that the
// first sending had succeeded.
func rank(m rollout.Message, state rollout.MessageState) int {
	delivered, bounced := 2, 3
	if !m.Kind.ToPerson() {
		delivered, bounced = 3, 2
	}
	switch state {
	case rollout.MessageSent:
		return 1
	case rollout.MessageDelivered:
		return delivered
	case rollout.MessageBounced:
		return bounced
	}
	return 0
}

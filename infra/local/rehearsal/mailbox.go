package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// mailbox stands in for SES and everybody's inbox: it keeps each message, tells
// feedback what became of it in AWS's own words, and lets people read.
type mailbox struct {
	world *world
	keep  mail.Sender // the folder; nil keeps nothing
	// bounces are addresses that do not exist.
	bounces  map[string]bool
	received []letter
	alerts   int // how many alerts left, those that left twice included
}

// letter is one message that arrived, as its reader sees it.
type letter struct {
	ID   string
	Kind rollout.MessageKind
	To   []string
	At   time.Time
	Ack  string // of an alert: the token in its link
}

// Send implements mail.Sender.
func (m *mailbox) Send(ctx context.Context, e mail.Envelope) (string, error) {
	w := m.world
	parsed, err := netmail.ReadMessage(bytes.NewReader(e.Raw))
	if err != nil {
		return "", fmt.Errorf("the message is no mail: %w", err)
	}
	kind := rollout.MessageKind(parsed.Header.Get("X-Sallyport-Kind"))
	if m.keep != nil {
		if _, err := m.keep.Send(ctx, e); err != nil {
			return "", err
		}
	}
	if kind == rollout.MessageAlert {
		m.alerts++
	}
	w.witness.mailed(letter{ID: e.MessageID, Kind: kind, To: e.To, At: w.clock.Now()})
	arrives := w.clock.Now().Add(5*time.Second + w.people.share(90*time.Second, "mail", e.MessageID))
	w.agenda.put(arrives, func() { m.arrive(e, kind) })
	return fmt.Sprintf("sim-%d", len(m.received)), nil
}

func (m *mailbox) arrive(e mail.Envelope, kind rollout.MessageKind) {
	w := m.world
	if slices.ContainsFunc(e.To, func(to string) bool { return m.bounces[strings.ToLower(to)] }) {
		w.say("mail to %s bounced", strings.Join(e.To, ", "))
		m.report(e, map[string]any{"eventType": "Bounce", "bounce": map[string]any{
			"bounceType": "Permanent", "bounceSubType": "General", "timestamp": w.clock.Now().Format(time.RFC3339Nano),
		}})
		return
	}
	l := letter{ID: e.MessageID, Kind: kind, To: e.To, At: w.clock.Now()}
	if kind == rollout.MessageAlert {
		l.Ack = ackToken(e.Raw)
	}
	m.received = append(m.received, l)
	m.report(e, map[string]any{"eventType": "Delivery", "delivery": map[string]any{
		"timestamp": w.clock.Now().Format(time.RFC3339Nano), "recipients": e.To,
	}})
	w.people.read(l)
}

// report hands feedback an event as SNS puts it on the queue.
// Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
func (m *mailbox) report(e mail.Envelope, event map[string]any) {
	event["mail"] = map[string]any{
		"timestamp": m.world.clock.Now().Format(time.RFC3339Nano), "destination": e.To,
		"tags": map[string][]string{mail.TagTenant: {mail.Tag(string(e.Tenant))}, mail.TagMessage: {mail.Tag(e.MessageID)}},
	}
	inner, err := json.Marshal(event)
	if err == nil {
		var outer []byte
		if outer, err = json.Marshal(map[string]string{"Type": "Notification", "Message": string(inner)}); err == nil {
			err = m.world.events.put(string(outer))
		}
	}
	if err != nil {
		m.world.witness.violate("the simulation could not report on a message: %v", err)
	}
}

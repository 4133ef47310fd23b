package feedback

import (
	"encoding/json"
	"fmt"
	"time"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// Event is what feedback takes of one SES event. The recipients' addresses are
// not among it: which message it is about stands in its tags, and a message has
// one recipient. That also keeps us from believing a list of recipients that
// may hold everybody at a domain (complaints) or the sender (rejects).
type Event struct {
	Type    string // as SES writes it: Delivery, Bounce, "Rendering Failure" ...
	Tenant  rollout.TenantID
	Message string // the rollout.Message's id; empty: not a message of ours

	SentAt      time.Time // when SES took the message
	DeliveredAt time.Time // of a Delivery

	BounceType    string // Permanent, Transient, Undetermined
	SubType       string // bounceSubType or complaintSubType
	ComplaintType string // complaintFeedbackType: abuse, not-spam ...
}

// Parse reads an SES event as a queue message holds it: in SNS's envelope, or
// bare where the subscription delivers raw messages. SES names the type
// eventType when it comes through a configuration set and notificationType
// otherwise.
//
// Something that is no JSON inside the envelope (SES announces itself in plain
// words when a topic is connected) is an Event of no message. now stands in for
// a delivery time that cannot be read: later than the truth, so that nobody
// counts as told too early.
//
// Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
func Parse(body string, now time.Time) (Event, error) {
	var envelope struct {
		Type    string `json:"Type"`
		Message string `json:"Message"`
	}
	if err := json.Unmarshal([]byte(body), &envelope); err != nil {
		return Event{}, fmt.Errorf("queue message is no JSON object: %w", err)
	}
	if envelope.Type == "Notification" {
		body = envelope.Message
		if !json.Valid([]byte(body)) {
			return Event{}, nil
		}
	}
	var in struct {
		EventType        string `json:"eventType"`
		NotificationType string `json:"notificationType"`
		Mail             struct {
			Timestamp string              `json:"timestamp"`
			Tags      map[string][]string `json:"tags"`
		} `json:"mail"`
		Delivery struct {
			Timestamp string `json:"timestamp"`
		} `json:"delivery"`
		Bounce struct {
			Type    string `json:"bounceType"`
			SubType string `json:"bounceSubType"`
		} `json:"bounce"`
		Complaint struct {
			Type    string `json:"complaintFeedbackType"`
			SubType string `json:"complaintSubType"`
		} `json:"complaint"`
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		return Event{}, fmt.Errorf("SES event is unlike what AWS documents: %w", err)
	}
	e := Event{
		Type:          firstOf(in.EventType, in.NotificationType),
		Tenant:        rollout.TenantID(tag(in.Mail.Tags[mail.TagTenant])),
		Message:       tag(in.Mail.Tags[mail.TagMessage]),
		SentAt:        instant(in.Mail.Timestamp, now),
		BounceType:    in.Bounce.Type,
		SubType:       firstOf(in.Bounce.SubType, in.Complaint.SubType),
		ComplaintType: in.Complaint.Type,
	}
	if e.Type == "Delivery" {
		e.DeliveredAt = instant(in.Delivery.Timestamp, now)
	}
	return e, nil
}

// tag reads a tag that shared/mail wrote; empty if it did not.
func tag(values []string) string {
	id, err := mail.Untag(firstOf(values...))
	if err != nil {
		return ""
	}
	return id
}

// instant reads SES's time, or answers otherwise.
func instant(s string, otherwise time.Time) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return otherwise.UTC()
	}
	return t.UTC()
}

// firstOf returns the first value that is not empty.
func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

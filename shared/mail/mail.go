// Package mail says what Sallyport has to say to people: the words, and the
// ways to send them.
//
// A message is made in three steps, each usable and tested alone:
//
//   - a typed struct, one per message ([Announcement], [Reminder], [Hold] ...),
//     is rendered in a language by [Renderer.Render] into a [Content];
//   - [Compose] makes a MIME message of a [Header] and a Content; the same
//     inputs give the same bytes;
//   - a [Sender] sends it: [NewSES] through Amazon SES, [NewFile] into a folder.
//
// The words are in templates/, one file per message and language, read as the
// mail itself reads. markup.go says how such a file is written.
//
// Everything that comes from the directory or from a log (names, reasons,
// places) is a [Name] or a [Line], which cannot carry a line break into a header
// or turn the text around it; HTML is escaped by html/template everywhere.
package mail

import (
	"context"
	"errors"
	"fmt"

	"sallyport/shared/rollout"
)

// A Sender hands one composed message to the outside.
//
// Send returns the provider's own id of the message. Its errors say whether the
// message may have left, because nobody may get the same message twice:
//
//   - [ErrRejected], [ErrThrottled], [ErrNotSetUp], [ErrNotSent]: it surely did
//     not leave.
//   - any other error: not known. Do not send again before the provider's own
//     events have settled it.
//
// A provider's words may quote addresses: keep them out of logs.
//
// A Sender does not remember what it sent: sending twice sends twice.
type Sender interface {
	Send(ctx context.Context, e Envelope) (providerID string, err error)
}

// Envelope is a composed message and where it goes.
type Envelope struct {
	From string   // the address alone, or with a name: "Contoso IT <it@contoso.com>"
	To   []string // addresses alone
	// MessageID is the id of the rollout.Message. SES gives it back in every
	// event of the message, as the tag "message".
	MessageID string
	Tenant    rollout.TenantID
	Raw       []byte // what Compose made
}

// The reasons for which a message surely did not leave.
var (
	// ErrRejected: the message will never be taken, and the recipient or the
	// message itself is why. Do not try again.
	ErrRejected = errors.New("mail rejected for good")
	// ErrThrottled: too fast, or the day's quota is used up. Try later.
	ErrThrottled = errors.New("mail throttled")
	// ErrNotSetUp: the sending side is not ready (identity not verified, sandbox,
	// configuration set missing, sending paused, no right to send). It says
	// nothing about the recipient. Try again once the operator has mended it.
	ErrNotSetUp = errors.New("mail sending is not set up")
	// ErrNotSent: it never came so far (no time left, no connection, disk full).
	// Try again.
	ErrNotSent = errors.New("mail not sent")
)

// mostRecipients is how many addresses SES takes in one message.
const mostRecipients = 50

// check refuses, before anything is sent, what a provider would refuse.
func (e Envelope) check() error {
	switch {
	case len(e.To) == 0:
		return fmt.Errorf("%w: message %s has no recipient", ErrRejected, e.MessageID)
	case len(e.To) > mostRecipients:
		return fmt.Errorf("%w: message %s has %d recipients, %d are allowed", ErrRejected, e.MessageID, len(e.To), mostRecipients)
	case len(e.Raw) == 0:
		return fmt.Errorf("%w: message %s is empty", ErrRejected, e.MessageID)
	case e.MessageID == "" || len(Tag(e.MessageID)) > longestTag:
		return fmt.Errorf("%w: message id %q: expected 1 to %d characters once written as a tag", ErrRejected, e.MessageID, longestTag)
	case e.Tenant == "" || len(Tag(string(e.Tenant))) > longestTag:
		return fmt.Errorf("%w: message %s: tenant %q: expected 1 to %d characters once written as a tag", ErrRejected, e.MessageID, e.Tenant, longestTag)
	}
	for _, to := range e.To {
		if _, err := NewAddress("", to); err != nil {
			return fmt.Errorf("message %s: a recipient: %w", e.MessageID, err)
		}
	}
	if _, err := ParseAddress(e.From); err != nil {
		return fmt.Errorf("message %s: the sender: %w", e.MessageID, err)
	}
	return nil
}

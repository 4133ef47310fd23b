package mail

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"sallyport/shared/rollout"
)

// Header is who writes to whom, and when.
type Header struct {
	From    Address
	To      []Address
	ReplyTo Address // the help desk
	// MessageID is the id of the rollout.Message: Message-ID is made of it.
	MessageID string
	// Thread is the same for all mails to a person about the rollout, so that
	// reminders stand below the announcement. The announcement has it too: SES
	// puts its own Message-ID into every mail, so that References naming the
	// announcement's would lead nowhere. Empty: on its own.
	// Source: https://docs.aws.amazon.com/ses/latest/dg/header-fields.html
	Thread string
	Date   time.Time
	// Event goes along as a calendar file; nil: none does.
	Event *Event
}

// headerKind tells a mailbox (the file sender, a filter rule) which message it
// is without reading its words.
const headerKind = gomail.Header("X-Sallyport-Kind")

// Compose makes the MIME message: text, HTML and a calendar file as alternatives.
// The same inputs give the same bytes.
func Compose(h Header, c Content) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("compose message %s: %w", h.MessageID, err)
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	m.FromMailAddress(h.From.forHeader())
	for _, to := range h.To {
		m.AddToMailAddress(to.forHeader())
	}
	m.ReplyToMailAddress(h.ReplyTo.forHeader())
	m.Subject(oneLine(c.Subject))
	m.SetDateWithValue(h.Date)
	m.SetMessageIDWithValue(h.id("", h.MessageID))
	if h.Thread != "" {
		// Never a mail's own Message-ID: none may refer to itself.
		m.SetGenHeader(gomail.HeaderReferences, "<"+h.id("thread.", h.Thread)+">")
	}
	m.SetGenHeader(gomail.HeaderContentLang, c.Lang)
	m.SetGenHeader(headerKind, string(c.Kind))
	// RFC 3834, and its like for Exchange: no answering machine answers.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	if c.Kind.ToPerson() {
		// RFC 2919: one rule of a mail program sorts all of them.
		m.SetGenHeader("List-Id", "<rollout.sallyport."+h.From.domain()+">")
	}
	if c.Kind == rollout.MessageAlert {
		m.SetImportance(gomail.ImportanceHigh)
	}
	m.SetBodyString(gomail.TypeTextPlain, c.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, c.HTML)
	if h.Event != nil {
		file, kind, err := h.calendarFile()
		if err != nil {
			return nil, fmt.Errorf("compose message %s: %w", h.MessageID, err)
		}
		m.AddAlternativeString(kind, file)
	}
	if err := h.add(m, c); err != nil {
		return nil, fmt.Errorf("compose message %s: %w", h.MessageID, err)
	}

	var raw bytes.Buffer
	if _, err := m.WriteTo(&raw); err != nil {
		return nil, fmt.Errorf("compose message %s: %w", h.MessageID, err)
	}
	return withFixedBoundaries(raw.Bytes(), h.MessageID), nil
}

// add puts the pictures and the appointment into a message. The appointment
// stands twice: as an alternative, which is what calendars read (RFC 6047, 2.4),
// and as a file, for those who open it by hand.
func (h Header) add(m *gomail.Msg, c Content) error {
	for _, i := range c.Images {
		err := m.EmbedReader(i.ID+extension(i.Type), bytes.NewReader(i.Data), gomail.WithFileContentID("<"+i.ID+">"), gomail.WithFileContentType(gomail.ContentType(i.Type)))
		if err != nil {
			return err
		}
	}
	if c.Invitation == nil {
		return nil
	}
	file, err := Calendar(*c.Invitation, h.Date)
	if err != nil {
		return err
	}
	m.AddAlternativeString(gomail.ContentType("text/calendar; method="+string(c.Invitation.method())), string(file), gomail.WithPartEncoding(gomail.EncodingB64))
	return m.AttachReader("training.ics", bytes.NewReader(file), gomail.WithFileContentType("text/calendar"))
}

func extension(mediaType string) string { return "." + strings.TrimPrefix(mediaType, "image/") }

func (h Header) check() error {
	switch {
	case h.From.Email == "":
		return errors.New("the sender is not set")
	case len(h.To) == 0:
		return fmt.Errorf("%w: no recipient", ErrRejected)
	case h.ReplyTo.Email == "":
		return errors.New("the help desk's address is not set")
	case h.MessageID == "":
		return errors.New("the message id is not set")
	case h.Date.IsZero():
		return errors.New("the date is not set")
	}
	return nil
}

// id makes an id for a header: <what>@sallyport.<the sender's domain>.
func (h Header) id(prefix, id string) string {
	return prefix + escaped(id, ".") + "@sallyport." + h.From.domain()
}

// boundary matches where go-mail declares a random boundary. In a body the line
// cannot stand: quoted-printable writes = as =3D.
var boundary = regexp.MustCompile(`(?m)^ boundary=([0-9a-f]{60})\r$`)

// withFixedBoundaries replaces go-mail's random boundaries, at whatever depth,
// by ones made of the message's id. go-mail's own way to set one uses it for
// every level, and nested parts are lost. "=_" cannot stand in a quoted-printable
// or base64 body, so no text can be taken for a boundary.
func withFixedBoundaries(raw []byte, messageID string) []byte {
	for i, found := range boundary.FindAllSubmatch(raw, -1) {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", messageID, i))
		fixed := fmt.Appendf(nil, "=_%x", sum[:16])
		raw = bytes.ReplaceAll(raw, fmt.Appendf(nil, " boundary=%s", found[1]), fmt.Appendf(nil, " boundary=%q", fixed))
		raw = bytes.ReplaceAll(raw, append([]byte("--"), found[1]...), append([]byte("--"), fixed...))
	}
	return raw
}

// For is the message as it is shown to somebody else than its reader: marked, in
// subject and text, with whom it was for. It carries no appointment: it would be
// put into the wrong calendar.
func (c Content) For(to Address) Content {
	c.Subject = oneLine("[for " + to.Email + "] " + c.Subject)
	c.Text = "[for " + to.Email + "]\n\n" + c.Text
	c.Invitation = nil
	return c
}

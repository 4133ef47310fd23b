package mail_test

import (
	"bytes"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jhillyerd/enmime/v2"
	"pgregory.net/rapid"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

var noon = time.Date(2026, time.December, 29, 12, 0, 0, 0, time.FixedZone("GMT", 0))

func address(t testing.TB, name, email string) mail.Address {
	t.Helper()
	a, err := mail.NewAddress(mail.Name(name), email)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func header(t testing.TB) mail.Header {
	return mail.Header{
		From:      address(t, "Contoso IT", "it@contoso.com"),
		To:        []mail.Address{address(t, "Megan Bowen", "megan.bowen@contoso.com")},
		ReplyTo:   address(t, "IT Help Desk", "help@contoso.com"),
		MessageID: "reminder-7.everyone.5c1a",
		Thread:    "person.5c1a",
		Date:      noon,
	}
}

func content() mail.Content {
	return mail.Content{
		Kind: rollout.MessageReminder, Lang: "de", Subject: "Die Anmeldung ändert sich in 7 Tagen",
		Text: "Grüße\n-- \nfrom us\n", HTML: "<!DOCTYPE html><p>Grüße =_ --=_</p>",
	}
}

func compose(t testing.TB, h mail.Header, c mail.Content) []byte {
	t.Helper()
	raw, err := mail.Compose(h, c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parse(t testing.TB, raw []byte) *enmime.Envelope {
	t.Helper()
	e, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range e.Errors {
		t.Errorf("the MIME is not clean: %s", problem)
	}
	return e
}

// unixLines undoes the line ends of mail.
func unixLines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// The whole message, byte by byte.
func TestComposeGolden(t *testing.T) {
	golden(t, "reminder.eml", string(compose(t, header(t), content())))
}

func TestComposeIsDeterministic(t *testing.T) {
	first := compose(t, header(t), content())
	for range 20 {
		if diff := cmp.Diff(string(first), string(compose(t, header(t), content()))); diff != "" {
			t.Fatalf("the same inputs give other bytes (-first +again):\n%s", diff)
		}
	}
}

func TestCompose(t *testing.T) {
	e := parse(t, compose(t, header(t), content()))
	for name, want := range map[string]string{
		"From":                     `"Contoso IT" <it@contoso.com>`,
		"To":                       `"Megan Bowen" <megan.bowen@contoso.com>`,
		"Reply-To":                 `"IT Help Desk" <help@contoso.com>`,
		"Subject":                  "Die Anmeldung ändert sich in 7 Tagen",
		"Date":                     "Tue, 29 Dec 2026 12:00:00 +0000",
		"Message-ID":               "<reminder-7.everyone.5c1a@sallyport.contoso.com>",
		"References":               "<thread.person.5c1a@sallyport.contoso.com>",
		"List-Id":                  "<rollout.sallyport.contoso.com>",
		"Auto-Submitted":           "auto-generated",
		"X-Auto-Response-Suppress": "All",
		"Content-Language":         "de",
		"X-Sallyport-Kind":         "reminder",
		"MIME-Version":             "1.0",
		"Importance":               "",
		"X-Mailer":                 "",
		"User-Agent":               "",
	} {
		if got := e.GetHeader(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if unixLines(e.Text) != content().Text {
		t.Errorf("text: %q", e.Text)
	}
	if e.HTML != content().HTML {
		t.Errorf("HTML: %q", e.HTML)
	}
	if len(e.Attachments)+len(e.Inlines)+len(e.OtherParts) != 0 {
		t.Error("there are other parts")
	}
}

// Mail clients show the last alternative that they can: HTML has to be it.
func TestHTMLIsTheLastAlternative(t *testing.T) {
	root := parse(t, compose(t, header(t), content())).Root
	if root.ContentType != "multipart/alternative" {
		t.Fatalf("the message is %s", root.ContentType)
	}
	if a, b := root.FirstChild.ContentType, root.FirstChild.NextSibling.ContentType; a != "text/plain" || b != "text/html" {
		t.Errorf("the alternatives are %s, %s", a, b)
	}
}

func TestAlertIsUrgent(t *testing.T) {
	c := content()
	c.Kind = rollout.MessageAlert
	if got := parse(t, compose(t, header(t), c)).GetHeader("Importance"); got != "high" {
		t.Errorf("Importance: %q", got)
	}
}

func TestMessageWithoutThread(t *testing.T) {
	h := header(t)
	h.Thread = ""
	if got := parse(t, compose(t, h, content())).GetHeader("References"); got != "" {
		t.Errorf("References: %q", got)
	}
}

// An id of any shape makes a Message-ID that is one, and the only one.
func TestMessageIDOfAnyID(t *testing.T) {
	h := header(t)
	h.MessageID, h.Thread = "alert:a b>\r\nBcc: x@contoso.com", ""
	raw := compose(t, h, content())
	if got, want := parse(t, raw).GetHeader("Message-ID"), "<alert_3aa_20b_3e_0d_0aBcc_3a_20x_40contoso.com@sallyport.contoso.com>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// No name in a directory can add a header, a recipient or a body, or make a line
// that mail servers cut.
func TestHostileNames(t *testing.T) {
	plain := headerNames(t, compose(t, header(t), content()))
	for _, name := range []string{
		"Megan\r\nBcc: everybody@contoso.com",
		"Megan\nBcc: everybody@contoso.com",
		"Megan\r\n\r\n<h1>body</h1>",
		"Megan>, <everybody@contoso.com",
		`Megan", "All" <everybody@contoso.com>, "`,
		"=?utf-8?q?Megan=0D=0ABcc:_everybody@contoso.com?=",
		"Megan\u2028Bcc: everybody@contoso.com",
		"Megan\x00\x08\x7f",
		"מגן \u202emoc.osotnoc@ydobyreve",
		strings.Repeat("m", 5000),
		strings.Repeat("é", 5000),
		strings.Repeat("שלום ", 1000),
		strings.Repeat("\U0001f469\u200d\U0001f4bb", 1000),
	} {
		checkHostile(t, name, plain)
	}
}

func TestAnyNameIsHarmless(t *testing.T) {
	plain := headerNames(t, compose(t, header(t), content()))
	rapid.Check(t, func(rt *rapid.T) { checkHostile(t, rapid.String().Draw(rt, "name"), plain) })
}

func checkHostile(t *testing.T, name string, plain []string) {
	t.Helper()
	h := header(t)
	h.To[0].Name, h.From.Name, h.ReplyTo.Name = mail.Name(name), mail.Name(name), mail.Name(name)
	c := content()
	c.Subject = "For " + name
	if len(c.Subject) > 600 { // the renderer's subjects hold names of 80 characters
		c.Subject = "For " + mail.Name(name).String()
	}
	raw := compose(t, h, c)
	if got := headerNames(t, raw); !slices.Equal(got, plain) {
		t.Errorf("%.80q: the headers are %v, want %v", name, got, plain)
	}
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
			t.Errorf("%.80q: a line of %d bytes", name, len(line))
		}
	}
	e := parse(t, raw)
	m, err := netmail.ReadMessage(bytes.NewReader(raw)) // enmime decodes names before it parses them
	if err != nil {
		t.Fatal(err)
	}
	to, err := m.Header.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Address != "megan.bowen@contoso.com" {
		t.Errorf("%.80q: it goes to %v, error %v", name, to, err)
	}
	if e.HTML != content().HTML {
		t.Errorf("%.80q: the HTML is %.80q", name, e.HTML)
	}
}

func headerNames(t *testing.T, raw []byte) []string {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, values := range m.Header {
		names = append(names, fmt.Sprintf("%s %d", name, len(values)))
	}
	slices.Sort(names)
	return names
}

// A name that is written from right to left stands in the subject and the text
// without turning what is around it.
func TestRightToLeftName(t *testing.T) {
	r := newRenderer(t)
	data := mail.Samples()[0].(mail.Announcement)
	data.Name = "שרה כהן"
	c, err := r.Render("en", data)
	if err != nil {
		t.Fatal(err)
	}
	want := "Hello \u2068שרה כהן\u2069,"
	if e := parse(t, compose(t, header(t), c)); !strings.Contains(e.Text, want) || !strings.Contains(e.HTML, want) {
		t.Errorf("%q is missing in the text or the HTML", want)
	}
}

// What every real message becomes.
func TestEverySampleIsCleanMIME(t *testing.T) {
	r := newRenderer(t)
	for _, s := range samples() {
		c, err := r.Render(s.lang, s.data)
		if err != nil {
			t.Fatal(err)
		}
		raw := compose(t, header(t), c)
		e := parse(t, raw)
		if e.GetHeader("Subject") != c.Subject || unixLines(e.HTML) != c.HTML || unixLines(e.Text) != c.Text {
			t.Errorf("%s: subject, text or HTML did not survive", s.name)
		}
		// Gmail cuts a mail whose HTML is above 102 KB.
		if len(raw) > 60_000 {
			t.Errorf("%s: %d bytes", s.name, len(raw))
		}
	}
}

func TestComposeRefuses(t *testing.T) {
	for name, change := range map[string]func(*mail.Header){
		"no sender":     func(h *mail.Header) { h.From = mail.Address{} },
		"no recipient":  func(h *mail.Header) { h.To = nil },
		"no help desk":  func(h *mail.Header) { h.ReplyTo = mail.Address{} },
		"no message id": func(h *mail.Header) { h.MessageID = "" },
		"no date":       func(h *mail.Header) { h.Date = time.Time{} },
	} {
		h := header(t)
		change(&h)
		if _, err := mail.Compose(h, content()); err == nil {
			t.Errorf("%s: no error", name)
		} else if rejected := errors.Is(err, mail.ErrRejected); rejected != (name == "no recipient") {
			t.Errorf("%s: ErrRejected %t; only what concerns the recipient is: %v", name, rejected, err)
		}
	}
}

func TestTag(t *testing.T) {
	for id, want := range map[string]string{
		"contoso.onmicrosoft.com":           "contoso_2eonmicrosoft_2ecom",
		"reminder-7.everyone.5c1a-4b":       "reminder-7_2eeveryone_2e5c1a-4b",
		"under_score":                       "under_5fscore",
		"alert:é":                           "alert_3a_c3_a9",
		"":                                  "",
		"0b4c2a70-5f55-4a0d-9d8a-2b1f6f7a0": "0b4c2a70-5f55-4a0d-9d8a-2b1f6f7a0",
	} {
		if got := mail.Tag(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		got, err := mail.Untag(mail.Tag(id))
		if err != nil || got != id {
			t.Fatalf("%q came back as %q, error %v", id, got, err)
		}
	})
	for _, foreign := range []string{"contoso.com", "a_", "a_2", "a_zz", "a_2E", "a_41", "a b"} {
		if id, err := mail.Untag(foreign); err == nil {
			t.Errorf("%q was read as %q", foreign, id)
		}
	}
}

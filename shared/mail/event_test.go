package mail_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/go-cmp/cmp"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// invitation is a drill's mail with its calendar file.
func invitation(t *testing.T, change func(*mail.Event)) []byte {
	t.Helper()
	kiritimati := time.FixedZone("+14", 14*60*60)
	opens := time.Date(2027, time.March, 22, 9, 0, 0, 0, kiritimati)
	d := mail.Drill{Opens: opens, Closes: opens.AddDate(0, 0, 7), Stage: mail.DrillAhead}
	h := header(t)
	h.To = append(h.To, address(t, "Security, team", "security@fabrikam.com"))
	h.Event = d.Event("drill-6b0f-002", 1, noon)
	if change != nil {
		change(h.Event)
	}
	c := content()
	c.Kind = rollout.MessageDrill
	return compose(t, h, c)
}

// The calendar file as a mail client finds it: a part of its own type, in UTC,
// asking everybody who is written to and nobody else.
func TestCalendarFile(t *testing.T) {
	raw := invitation(t, nil)
	envelope := parse(t, raw)
	if len(envelope.OtherParts) != 1 || envelope.OtherParts[0].ContentType != "text/calendar" {
		t.Fatalf("parts %v, want one calendar file", envelope.OtherParts)
	}
	part := envelope.OtherParts[0]
	if got := part.Header.Get("Content-Type"); !strings.Contains(got, "method=REQUEST") || !strings.Contains(got, "charset=UTF-8") {
		t.Errorf("Content-Type: %s", got)
	}
	file := string(part.Content)
	for i, line := range strings.SplitAfter(file, "\r\n") {
		if len(line) > 77 || strings.Contains(strings.TrimSuffix(line, "\r\n"), "\n") {
			t.Errorf("line %d is not as RFC 5545 folds it: %q", i+1, line)
		}
	}
	calendar, err := ics.ParseCalendar(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if len(calendar.Events()) != 1 {
		t.Fatalf("%d events, want one", len(calendar.Events()))
	}
	got := map[string]string{}
	var attendees []string
	for _, p := range calendar.Events()[0].Properties {
		if p.IANAToken == "ATTENDEE" {
			attendees = append(attendees, p.Value+" "+strings.Join(p.ICalParameters["RSVP"], ""))
			continue
		}
		got[p.IANAToken] = p.Value
	}
	delete(got, "DESCRIPTION")
	want := map[string]string{
		"UID": "drill-6b0f-002@sallyport.contoso.com", "SEQUENCE": "1", "DTSTAMP": "20261229T120000Z",
		"DTSTART": "20270321T190000Z", "DTEND": "20270328T190000Z", "STATUS": "CONFIRMED", "CLASS": "PRIVATE", "TRANSP": "TRANSPARENT",
		"SUMMARY": "Sign-in drill: once within this time", "ORGANIZER": "mailto:it@contoso.com",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"mailto:megan.bowen@contoso.com false", "mailto:security@fabrikam.com false"}, attendees); diff != "" {
		t.Errorf("attendees (-want +got):\n%s", diff)
	}
	if string(invitation(t, nil)) != string(raw) {
		t.Error("the same inputs gave other bytes")
	}
	if envelope.Text == "" || envelope.HTML == "" {
		t.Error("the words are lost beside the calendar file")
	}
}

// A cancellation is the same event, taken back; without an event there is no file.
func TestCalendarCancellation(t *testing.T) {
	part := parse(t, invitation(t, func(e *mail.Event) { e.Cancelled = true })).OtherParts[0]
	if got := part.Header.Get("Content-Type"); !strings.Contains(got, "method=CANCEL") {
		t.Errorf("Content-Type: %s", got)
	}
	for _, want := range []string{"METHOD:CANCEL\r\n", "STATUS:CANCELLED\r\n", "UID:drill-6b0f-002@"} {
		if !strings.Contains(string(part.Content), want) {
			t.Errorf("no %q in\n%s", want, part.Content)
		}
	}
	if parts := parse(t, compose(t, header(t), content())).OtherParts; len(parts) != 0 {
		t.Errorf("a mail without an event has %d other parts", len(parts))
	}
}

// Text cannot break out of its line, and what makes no event is refused.
func TestCalendarRefuses(t *testing.T) {
	file := parse(t, invitation(t, func(e *mail.Event) {
		e.Summary, e.Description = "a\r\nATTENDEE:mailto:x@fabrikam.com", "b\nMETHOD:CANCEL"
	})).OtherParts[0].Content
	for line := range strings.SplitSeq(string(file), "\r\n") {
		if strings.HasPrefix(line, "ATTENDEE:mailto:x@") || line == "METHOD:CANCEL" {
			t.Errorf("a line came out of a text: %q", line)
		}
	}
	for name, change := range map[string]func(*mail.Event){
		"no id":             func(e *mail.Event) { e.UID = "" },
		"no time":           func(e *mail.Event) { e.Stamp = time.Time{} },
		"ends at its begin": func(e *mail.Event) { e.Closes = e.Opens },
	} {
		h := header(t)
		h.Event = mail.Drill{Opens: noon, Closes: noon.AddDate(0, 0, 7)}.Event("d", 0, noon)
		change(h.Event)
		if raw, err := mail.Compose(h, content()); err == nil {
			t.Errorf("%s: composed %s", name, fmt.Sprintf("%.40s", raw))
		}
	}
}

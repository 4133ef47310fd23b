package mail_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	qr "github.com/piglig/go-qr"

	"sallyport/shared/mail"
)

// The codes in the announcement lead where the links beside them lead.
func TestQRCodes(t *testing.T) {
	content, err := newRenderer(t).Render("en", mail.Samples()[0])
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]string{
		"app-store":   "https://apps.apple.com/app/microsoft-authenticator/id983156458",
		"google-play": "https://play.google.com/store/apps/details?id=com.azure.authenticator",
	}
	if len(content.Images) != len(targets) {
		t.Fatalf("%d pictures, want %d", len(content.Images), len(targets))
	}
	for _, i := range content.Images {
		picture, err := png.Decode(bytes.NewReader(i.Data))
		if err != nil {
			t.Fatalf("%s: %v", i.ID, err)
		}
		if got, err := qr.Decode(picture); err != nil || got != targets[i.ID] {
			t.Errorf("%s leads to %q (%v), want %q", i.ID, got, err, targets[i.ID])
		}
		if len(i.Data) > 2<<10 {
			t.Errorf("%s has %d bytes: everybody gets it", i.ID, len(i.Data))
		}
	}
}

func appointment() mail.Invitation {
	start := time.Date(2026, time.December, 8, 10, 0, 0, 0, time.UTC)
	return mail.Invitation{
		UID: "training.1@contoso.onmicrosoft.com", Sequence: 1, Title: "The second step, together", Start: start, End: start.Add(30 * time.Minute),
		Place: "https://meet.contoso.com/x", Organizer: mail.Address{Name: "IT Help Desk", Email: "help@contoso.com"},
		Attendee: mail.Address{Name: "Megan Bowen", Email: "megan.bowen@contoso.com"},
	}
}

func TestCalendar(t *testing.T) {
	stamp := time.Date(2026, time.December, 1, 9, 0, 0, 0, time.UTC)
	file, err := mail.Calendar(appointment(), stamp)
	if err != nil {
		t.Fatal(err)
	}
	again, err := mail.Calendar(appointment(), stamp)
	if err != nil || !bytes.Equal(file, again) {
		t.Errorf("the same invitation gave other bytes (%v)", err)
	}
	if bare := strings.ReplaceAll(string(file), "\r\n", ""); strings.ContainsAny(bare, "\r\n") {
		t.Error("a line does not end in CRLF")
	}
	for line := range strings.SplitSeq(string(file), "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
	calendar, err := ics.ParseCalendar(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	event := calendar.Events()[0]
	start, err := event.GetStartAt()
	if err != nil || !start.Equal(appointment().Start) || event.Id() != appointment().UID {
		t.Errorf("event %s begins at %s (%v)", event.Id(), start, err)
	}
}

// A name cannot add a line, a property or a parameter to a calendar.
func TestNameCannotBecomeACalendarLine(t *testing.T) {
	for _, hostile := range []string{
		"x\r\nATTENDEE:mailto:evil@example.com", `x";RSVP=TRUE:mailto:evil@example.com`, "x:mailto:evil@example.com", "x;ROLE=CHAIR", strings.Repeat("ア", 5000), "\u202eevil",
	} {
		i := appointment()
		i.Attendee.Name, i.Organizer.Name, i.Title = mail.Name(hostile), mail.Name(hostile), mail.Line(hostile)
		file, err := mail.Calendar(i, i.Start)
		if err != nil {
			t.Fatal(err)
		}
		calendar, err := ics.ParseCalendar(bytes.NewReader(file))
		if err != nil {
			t.Errorf("%.20q: %v\n%s", hostile, err, file)
			continue
		}
		event := calendar.Events()[0]
		attendees := event.Attendees()
		if len(attendees) != 1 || attendees[0].Email() != "megan.bowen@contoso.com" {
			t.Errorf("%.20q: attendees %v\n%s", hostile, attendees, file)
		}
		for _, property := range event.Properties {
			if property.IANAToken == "ORGANIZER" && property.Value != "mailto:help@contoso.com" {
				t.Errorf("%.20q: organizer %s", hostile, property.Value)
			}
		}
	}
}

func TestCalendarRefuses(t *testing.T) {
	for name, change := range map[string]func(*mail.Invitation){
		"no id":        func(i *mail.Invitation) { i.UID = "" },
		"no beginning": func(i *mail.Invitation) { i.Start = time.Time{} },
		"ends at once": func(i *mail.Invitation) { i.End = i.Start },
		"ends before":  func(i *mail.Invitation) { i.End = i.Start.Add(-time.Minute) },
	} {
		i := appointment()
		change(&i)
		if _, err := mail.Calendar(i, i.Start); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

package mail_test

import (
	"bytes"
	"image/png"
	"mime"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/jhillyerd/enmime/v2"
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
		Attendees: []mail.Address{{Name: "Megan Bowen", Email: "megan.bowen@contoso.com"}},
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
		i.Attendees[0].Name, i.Organizer.Name, i.Title = mail.Name(hostile), mail.Name(hostile), mail.Line(hostile)
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

func TestInvitationRefuses(t *testing.T) {
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

// Pictures beside each other fit a narrow phone, whose card leaves 282 pixels.
func TestPicturesFitAPhone(t *testing.T) {
	r := newRenderer(t)
	found := 0
	for _, s := range samples() {
		content, err := r.Render(s.lang, s.data)
		if err != nil {
			t.Fatal(err)
		}
		wide := 0
		for _, w := range regexp.MustCompile(`<img [^>]*width="(\d+)"`).FindAllStringSubmatch(content.HTML, -1) {
			n, err := strconv.Atoi(w[1])
			if err != nil {
				t.Fatal(err)
			}
			wide += n + 14
			found++
		}
		if wide > 282 {
			t.Errorf("%s: pictures are %d pixels wide", s.name, wide)
		}
	}
	if found == 0 {
		t.Error("no picture was found")
	}
}

// Every picture says in words what it is, in the language of the message.
func TestPicturesHaveWords(t *testing.T) {
	r := newRenderer(t)
	words := map[string]string{}
	for _, s := range samples() {
		content, err := r.Render(s.lang, s.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, alt := range regexp.MustCompile(`<img [^>]*alt="([^"]*)"`).FindAllStringSubmatch(content.HTML, -1) {
			if alt[1] == "" {
				t.Errorf("%s: a picture without words", s.name)
			}
			if other, taken := words[alt[1]]; taken && other != s.lang {
				t.Errorf("%s: %q stands in %s too", s.name, alt[1], other)
			}
			words[alt[1]] = s.lang
		}
	}
	if len(words) != 2*len(mail.Languages()) {
		t.Errorf("%d texts of pictures, want two in each language: %v", len(words), words)
	}
}

// TestOwnTemplates: an operator's folder takes the place of single files, brings
// a logo, and is tried as a whole before anything is sent.
func TestOwnTemplates(t *testing.T) {
	picture, err := newRenderer(t).Render("en", mail.Samples()[0])
	if err != nil {
		t.Fatal(err)
	}
	logo := picture.Images[0].Data
	r, err := mail.NewRendererWith(fstest.MapFS{
		"done.en.md": {Data: []byte("Subject: Well done\n\n# Well done, {{.Name}}")},
		"logo.png":   {Data: logo},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := mail.Done{Person: mail.SampleSubject().Person}
	own, err := r.Render("en", done)
	if err != nil {
		t.Fatal(err)
	}
	if own.Subject != "Well done" || len(own.Images) != 1 || !bytes.Equal(own.Images[0].Data, logo) || !strings.Contains(own.HTML, `alt="Contoso"`) {
		t.Errorf("subject %q, %d pictures", own.Subject, len(own.Images))
	}
	german, err := r.Render("de", done)
	if err != nil || !strings.Contains(german.Text, "Vielen Dank") {
		t.Errorf("the German words are gone (%v)", err)
	}
	operators, err := r.Render("en", mail.Switched{At: time.Unix(1.8e9, 0)})
	if err != nil || len(operators.Images) != 0 {
		t.Errorf("the operator's message has %d pictures (%v)", len(operators.Images), err)
	}
	for name, files := range map[string]fstest.MapFS{
		"a name that takes no place":  {"doone.en.md": {Data: []byte("Subject: x\n\n# x")}},
		"a field that is not there":   {"done.en.md": {Data: []byte("Subject: x\n\n# {{.Nmae}}")}},
		"a logo that is no picture":   {"logo.png": {Data: []byte("GIF89a")}},
		"a logo that nobody can bear": {"logo.png": {Data: append(bytes.Clone(logo), make([]byte, 100<<10)...)}},
	} {
		if _, err := mail.NewRendererWith(files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestComposeWithPictures: a mail program finds the pictures by the ids that the
// HTML names, and the same inputs give the same bytes at every depth.
func TestComposeWithPictures(t *testing.T) {
	content, err := newRenderer(t).Render("ja", mail.Samples()[0])
	if err != nil {
		t.Fatal(err)
	}
	raw := compose(t, header(t), content)
	if again := compose(t, header(t), content); !bytes.Equal(raw, again) {
		t.Error("the same message gave other bytes")
	}
	e := parse(t, raw)
	if len(e.Inlines) != 2 {
		t.Fatalf("%d pictures, want 2", len(e.Inlines))
	}
	for _, part := range e.Inlines {
		if !strings.Contains(e.HTML, `src="cid:`+part.ContentID+`"`) || part.ContentType != "image/png" {
			t.Errorf("part %s of type %s is shown nowhere", part.ContentID, part.ContentType)
		}
	}
	if unixLines(e.HTML) != content.HTML || len(e.Errors) != 0 {
		t.Errorf("the HTML did not come through: %v", e.Errors)
	}
}

// TestComposeWithInvitation: the appointment is an alternative of its own, with
// the method that calendars ask for, and a file beside it.
func TestComposeWithInvitation(t *testing.T) {
	for method, cancelled := range map[string]bool{"REQUEST": false, "CANCEL": true} {
		content, err := newRenderer(t).Render("en", mail.Session{
			Person: mail.SampleSubject().Person, Training: mail.SampleSubject().Training, Deadline: mail.SampleSubject().Deadline, Cancelled: cancelled,
		})
		if err != nil {
			t.Fatal(err)
		}
		i := appointment()
		i.Cancelled = cancelled
		content.Invitation = &i
		e := parse(t, compose(t, header(t), content))
		var found []string
		e.Root.DepthMatchAll(func(p *enmime.Part) bool {
			if p.ContentType == "text/calendar" {
				_, parameters, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
				if err != nil {
					t.Error(err)
				}
				found = append(found, p.Parent.ContentType+" "+parameters["method"])
			}
			return false
		})
		if want := []string{"multipart/alternative " + method, "multipart/mixed "}; !slices.Equal(found, want) {
			t.Errorf("calendar parts %q, want %q", found, want)
		}
		if len(e.Attachments) != 1 || e.Attachments[0].FileName != "training.ics" || !bytes.Contains(e.Attachments[0].Content, []byte("METHOD:"+method)) {
			t.Errorf("attachments %v", e.Attachments)
		}
	}
}

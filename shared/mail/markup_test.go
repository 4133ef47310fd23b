package mail_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"sallyport/shared/mail"
)

// What the author of a template writes is text, also where HTML has a meaning
// for it; and a piece with control actions stays one list.
func TestMarkup(t *testing.T) {
	files := ownTemplates(t)
	files["holdout.en.md"] = &fstest.MapFile{Data: []byte(`Subject: R&D <IT>

# A < B & C

Text **strong & <b>** and [a & b](https://contoso.com/?a=1&b=2) {{.Name}} & more
on the next line.

- one
{{if .Name}}
- two & <i>
{{end}}
- three goes
  on here

| Label & <u> | {{.Account}} & <s> |

---

Small {{day .Since}} print, {{.Organization}} {{.HelpDesk.Name}}.
`)}
	r, err := mail.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	var data mail.Data
	for _, sample := range mail.Samples() {
		if h, ok := sample.(mail.Holdout); ok {
			data = h
		}
	}
	content, err := r.Render("en", data)
	if err != nil {
		t.Fatal(err)
	}
	if content.Subject != "R&D <IT>" {
		t.Errorf("subject: %q", content.Subject)
	}
	wantText := `A < B & C
=========

Text strong & <b> and a & b <https://contoso.com/?a=1&b=2> Megan Bowen &
more on the next line.

- one
- two & <i>
- three goes on here

Label & <u>: megan.bowen@contoso.com & <s>

-- 
Small Tuesday, 12 January 2027 print, Contoso IT Help Desk.
`
	if content.Text != wantText {
		t.Errorf("text:\n%s\nwant:\n%s", content.Text, wantText)
	}
	for _, want := range []string{
		">A &lt; B &amp; C</h1>",
		">strong &amp; &lt;b&gt;</strong>",
		`<a href="https://contoso.com/?a=1&amp;b=2"`,
		"Megan Bowen &amp; more on the next line.</p>",
		">two &amp; &lt;i&gt;</li>",
		">Label &amp; &lt;u&gt;</th>",
		"&amp; &lt;s&gt;</td>",
		">Small Tuesday, 12 January 2027 print",
	} {
		if !strings.Contains(content.HTML, want) {
			t.Errorf("the HTML has no %q", want)
		}
	}
	for tag, want := range map[string]int{"<ul": 1, "</ul>": 1, "<li": 3, "<hr": 1, "<h1": 1} {
		if got := strings.Count(content.HTML, tag); got != want {
			t.Errorf("the HTML has %d of %s, want %d", got, tag, want)
		}
	}
}

package mail

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	texttemplate "text/template"

	"golang.org/x/text/language"

	"sallyport/shared/rollout"
)

//go:embed all:templates
var builtIn embed.FS

// fallback is the language of a message that is not there in the one asked for:
// messages to operators exist in it alone.
const fallback = "en"

// Data is what one message says. The structs of this package are Data, and
// nothing else is of use to a [Renderer].
type Data interface {
	Kind() rollout.MessageKind
}

// Content is a rendered message.
type Content struct {
	Kind    rollout.MessageKind
	Lang    string // of the words: one of [Languages]
	Subject string // one line
	Text    string
	HTML    string  // a whole page
	Images  []Image // that the page shows
	// Invitation is the appointment that the message is about; nil: none.
	Invitation *Invitation
}

// layout is what layout.html needs besides the message itself.
type layout struct {
	Lang, Subject, Accent     string
	Message                   Data
	Brand                     Brand
	Logo                      bool
	OutlookOpen, OutlookClose htmltemplate.HTML
}

// Outlook for Windows knows no max-width: for it alone a table holds the card to
// 600 pixels. html/template drops comments, so they come as data.
const (
	outlookOpen  = htmltemplate.HTML(`<!--[if mso]><table role="presentation" width="600" align="center"><tr><td><![endif]-->`)
	outlookClose = htmltemplate.HTML(`<!--[if mso]></td></tr></table><![endif]-->`)
)

// Renderer holds the loaded templates. It is safe for concurrent use.
type Renderer struct {
	messages  map[message]templates
	languages []string // of messages to persons; fallback first
	images    []Image
}

// message names one template file: <kind>.<language>.md.
type message struct {
	kind rollout.MessageKind
	lang string
}

type templates struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

// NewRenderer loads the templates that are built in and renders every one with
// every sample: what cannot be rendered fails here and not at a person's mail.
func NewRenderer() (*Renderer, error) {
	files, err := fs.Sub(builtIn, "templates")
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	return Load(files)
}

// Load is [NewRenderer] for templates of one's own: a folder with layout.html,
// the messages and the parts that they include.
func Load(files fs.FS) (*Renderer, error) {
	images, err := codes()
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	own, err := logo(files)
	if err != nil {
		return nil, err
	}
	r := &Renderer{messages: map[message]templates{}, images: append(images, own...)}
	names, err := fs.Glob(files, "*.md")
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "_") {
			continue
		}
		kind, lang, found := strings.Cut(strings.TrimSuffix(name, ".md"), ".")
		if !found {
			return nil, fmt.Errorf("mail template %s: expected a name like announcement.en.md", name)
		}
		t, err := parse(files, name, lang)
		if err != nil {
			return nil, fmt.Errorf("mail template %s: %w", name, err)
		}
		r.messages[message{rollout.MessageKind(kind), lang}] = t
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// check renders all samples in all languages. A message to persons must be
// there in every language in which any is.
func (r *Renderer) check() error {
	found := map[string]bool{}
	for m := range r.messages {
		found[m.lang] = true
	}
	delete(found, fallback)
	r.languages = append([]string{fallback}, slices.Sorted(maps.Keys(found))...)
	for _, sample := range Samples() {
		languages := r.languages
		if !sample.Kind().ToPerson() {
			languages = []string{fallback}
		}
		for _, lang := range languages {
			if _, ok := r.messages[message{sample.Kind(), lang}]; !ok {
				return fmt.Errorf("mail template %s.%s.md is missing", sample.Kind(), lang)
			}
			if _, err := r.Render(lang, sample); err != nil {
				return fmt.Errorf("with sample data: %w", err)
			}
		}
	}
	return nil
}

// Language chooses the language for a person: the first of the preferences (the
// person's own, then the organisation's; BCP 47, empty or unknown ones are
// passed over) that matches one of the configured languages. Failing that, the
// first configured language that exists here, or English.
func (r *Renderer) Language(configured []string, preferences ...string) string {
	offered := slices.DeleteFunc(slices.Clone(configured), func(l string) bool { return !slices.Contains(r.languages, l) })
	if len(offered) == 0 {
		offered = r.languages
	}
	tags := make([]language.Tag, len(offered))
	for i, l := range offered {
		tags[i] = language.Make(l)
	}
	matcher := language.NewMatcher(tags)
	for _, preference := range preferences {
		tag, err := language.Parse(preference)
		if err != nil {
			continue
		}
		if _, i, confidence := matcher.Match(tag); confidence != language.No {
			return offered[i]
		}
	}
	return offered[0]
}

// Brand is how an organisation wants its messages to look, and what it adds to
// one. The zero value is Sallyport's own plain look.
type Brand struct {
	Colour    string // of the bar above a message, #rrggbb; empty: by its urgency
	Extra     []Line // paragraphs below the message's own
	Signature Line
}

// BrandOf is what rollout.yaml asks for, for one kind of message in one language.
func BrandOf(b rollout.Branding, kind rollout.MessageKind, lang string) Brand {
	if !kind.ToPerson() {
		return Brand{}
	}
	brand := Brand{Colour: b.Colour, Signature: Line(b.Signature)}
	for _, p := range b.Extra {
		if p.Message == kind && (p.Language == "" || p.Language == lang) {
			brand.Extra = append(brand.Extra, Line(p.Text))
		}
	}
	return brand
}

// Render is [Renderer.RenderAs] in the plain look.
func (r *Renderer) Render(lang string, data Data) (Content, error) {
	return r.RenderAs(Brand{}, lang, data)
}

// RenderAs puts data into words in one of the languages that [Renderer.Language]
// answers, or in English where the message is not there in that one.
func (r *Renderer) RenderAs(brand Brand, lang string, data Data) (Content, error) {
	t, ok := r.messages[message{data.Kind(), lang}]
	if !ok {
		lang = fallback
		t, ok = r.messages[message{data.Kind(), lang}]
	}
	if !ok {
		return Content{}, fmt.Errorf("there is no mail template for %q", data.Kind())
	}
	fail := func(form string, err error) (Content, error) {
		return Content{}, fmt.Errorf("render the %s of %s in %s: %w", form, data.Kind(), lang, err)
	}
	var subject, text, page strings.Builder
	if err := t.subject.Execute(&subject, data); err != nil {
		return fail("subject", err)
	}
	if err := t.text.Execute(&text, data); err != nil {
		return fail("text", err)
	}
	for _, paragraph := range brand.Extra {
		text.WriteString("\n" + paragraph.String() + "\n")
	}
	if brand.Signature != "" {
		text.WriteString("\n-- \n" + brand.Signature.String() + "\n")
	}
	content := Content{Kind: data.Kind(), Lang: lang, Subject: oneLine(subject.String()), Text: layOut(text.String())}
	err := t.html.Execute(&page, layout{
		Lang: lang, Subject: content.Subject, Accent: brand.accent(data.Kind()), Message: data,
		Brand: brand, Logo: data.Kind().ToPerson() && slices.ContainsFunc(r.images, func(i Image) bool { return i.ID == imageLogo }),
		OutlookOpen: outlookOpen, OutlookClose: outlookClose,
	})
	if err != nil {
		return fail("HTML", err)
	}
	content.HTML = page.String()
	content.Images = shown(content.HTML, r.images)
	return content, nil
}

// parse loads one message: its file, and the parts in its language.
func parse(files fs.FS, name, lang string) (templates, error) {
	var t templates
	words, ok := locales()[lang]
	if !ok {
		return t, fmt.Errorf("days cannot be written in %q yet: add it to languages.go", lang)
	}
	functions := map[string]any{
		"day":        words.day,
		"moment":     words.moment,
		"clock":      clock,
		"utc":        utc,
		"countdown":  words.countdown,
		"minutes":    words.minutes,
		"upperFirst": upperFirst,
	}
	source, err := readSource(files, name, true)
	if err != nil {
		return t, err
	}
	t.subject, err = texttemplate.New("subject").Funcs(functions).Parse(source.subject)
	if err != nil {
		return t, err
	}
	t.text, err = texttemplate.New("body").Funcs(functions).Parse(source.text)
	if err != nil {
		return t, err
	}
	t.html, err = htmltemplate.New("layout.html").Funcs(functions).ParseFS(files, "layout.html")
	if err != nil {
		return t, err
	}
	if _, err = t.html.New("body").Parse(source.html); err != nil {
		return t, err
	}
	parts, err := fs.Glob(files, "_*."+lang+".md")
	if err != nil {
		return t, err
	}
	for _, file := range parts {
		part, err := readSource(files, file, false)
		if err != nil {
			return t, err
		}
		name := strings.TrimSuffix(path.Base(file), "."+lang+".md")
		if _, err = t.text.New(name).Parse(part.text); err != nil {
			return t, err
		}
		if _, err = t.html.New(name).Parse(part.html); err != nil {
			return t, err
		}
	}
	return t, nil
}

func readSource(files fs.FS, name string, withSubject bool) (markup, error) {
	source, err := fs.ReadFile(files, name)
	if err != nil {
		return markup{}, err
	}
	return parseMarkup(string(source), withSubject)
}

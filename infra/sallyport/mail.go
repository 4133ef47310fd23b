package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"html/template"
	"io"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/browser"

	"sallyport/infra/local/rehearsal"
	"sallyport/shared/job"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

//go:embed mail.html
var previewPage string

func mailPreviewVerb() verb {
	return verb{
		name:    "mail preview",
		summary: "show every message to people, in every language, on one page",
		about: `Writes one page that shows the messages as people will get them: in each
language of the configuration, with its help desk, dates, training and
branding, and with your own templates if you have any. With --tenant and
--person it is that person's own mail. Nothing is sent, and the page fetches
nothing.`,
		examples: []string{
			"sallyport mail preview --open",
			"sallyport mail preview --config rollout.yaml --message announcement --language de --out preview.html",
			"sallyport mail preview --tenant snapshot/ --config rollout.yaml --person megan.bowen@contoso.com --open",
		},
		prepare: func(f *flag.FlagSet) action {
			p := &preview{}
			f.StringVar(&p.config, "config", "", "a rollout.yaml `FILE`; empty: an invented one")
			f.StringVar(&p.tenant, "tenant", "", "a `folder` made by snapshot, where --person is looked up")
			f.StringVar(&p.person, "person", "", "whose mail: a `name`; with --tenant their userPrincipalName, mail address or object id")
			f.StringVar(&p.message, "message", "", "only this `kind` of message, for example announcement")
			f.StringVar(&p.language, "language", "", "only this `language`, for example pt-BR")
			f.StringVar(&p.templates, "templates", "", "a `folder` of your own templates, laid over the built-in ones")
			f.StringVar(&p.out, "out", "mail-preview.html", "write the page to this `FILE`")
			f.BoolVar(&p.open, "open", false, "open the page in the browser")
			return p.run
		},
	}
}

type preview struct {
	config, tenant, person, message, language, templates, out string
	open                                                      bool
}

// shownMessage is one message on the page.
type shownMessage struct {
	Kind, Lang, Subject, Text string
	Page                      string // of the mail, whole: html/template escapes it once, for the frame to unescape
}

func (p *preview) run(ctx context.Context, s session) error {
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	}
	renderer, err := p.renderer()
	if err != nil {
		return err
	}
	subject, brand, languages := mail.SampleSubject(), rollout.Branding{}, mail.Languages()
	if p.config != "" {
		cfg, err := readConfig(s, p.config)
		if err != nil {
			return err
		}
		subject, brand, languages = subjectOf(cfg), cfg.Communication.Branding, cfg.Communication.Languages
	}
	if err := p.describe(ctx, s, &subject, renderer, &languages); err != nil {
		return err
	}
	messages, err := p.render(renderer, subject, brand, languages)
	if err != nil {
		return err
	}
	if err := p.write(messages); err != nil {
		return err
	}
	if s.json {
		if err := s.writeJSON(map[string]any{"page": p.out, "messages": len(messages)}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(s.stdout, "Messages shown: %d. Page: %s\n", len(messages), p.out)
	}
	if !p.open {
		return nil
	}
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	if err := browser.OpenFile(p.out); err != nil {
		return fmt.Errorf("no browser could be opened (%w): open %s yourself", err, p.out)
	}
	return nil
}

func (p *preview) renderer() (*mail.Renderer, error) {
	if p.templates == "" {
		return mail.NewRenderer()
	}
	return mail.NewRendererWith(os.DirFS(p.templates))
}

// subjectOf is an invented person in the operator's rollout.
func subjectOf(cfg rollout.Config) mail.Subject {
	s := mail.SampleSubject()
	s.HelpDesk, s.Organization, s.Windows = cfg.Communication.HelpDesk, mail.Name(cfg.Tenant), cfg.ReminderDays
	if from, err := netmail.ParseAddress(cfg.Communication.From); err == nil { // Parse has proven that it is one
		s.From = mail.Line(from.Address)
	}
	for _, w := range cfg.Waves {
		if s.Deadline = w.Deadline; w.Members == rollout.MembersAll {
			break
		}
	}
	s.Training = mail.Training{}
	training := cfg.Communication.Training
	if start, _, there := training.Span(cfg.Location()); there {
		s.Training = mail.Training{Title: mail.Line(training.Title), Start: start, Zone: cfg.Location(), Minutes: training.Minutes, Join: training.Join, Recording: training.Recording}
	}
	return s
}

// describe makes the subject the person who was asked for, in their language.
func (p *preview) describe(ctx context.Context, s session, subject *mail.Subject, renderer *mail.Renderer, languages *[]string) error {
	switch {
	case p.person == "" && p.tenant != "":
		return usageError{"--tenant says where, and --person whose mail it is: give both"}
	case p.person == "":
		return nil
	case p.tenant == "":
		subject.Name = mail.Name(p.person)
		return nil
	}
	clock := rehearsal.NewClock(job.Wall{}.Now())
	t, err := loadTenant(s, p.tenant, 1, clock)
	if err != nil {
		return err
	}
	dir, readings, err := rehearsal.Read(ctx, t, clock)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(readings, func(r rollout.Reading) bool {
		names := []string{r.User.ID, r.User.UserPrincipalName, r.User.Mail}
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, p.person) })
	})
	if i < 0 {
		return fmt.Errorf("%s holds nobody with the id, userPrincipalName or mail address %s", p.tenant, p.person)
	}
	u := readings[i].User
	subject.Name, subject.Account, subject.Organization = mail.Name(u.DisplayName), mail.Line(u.UserPrincipalName), mail.Name(dir.Organization.DisplayName)
	*languages = []string{renderer.Language(*languages, u.PreferredLanguage, dir.Organization.PreferredLanguage)}
	return nil
}

func (p *preview) render(renderer *mail.Renderer, subject mail.Subject, brand rollout.Branding, languages []string) ([]shownMessage, error) {
	if p.language != "" {
		if !slices.Contains(mail.Languages(), p.language) {
			return nil, usageError{fmt.Sprintf("--language %s: expected one of %s", p.language, strings.Join(mail.Languages(), ", "))}
		}
		languages = []string{p.language}
	}
	if p.message != "" && !slices.Contains(rollout.PersonKinds(), rollout.MessageKind(p.message)) {
		return nil, usageError{fmt.Sprintf("--message %s: expected one of %v", p.message, rollout.PersonKinds())}
	}
	var messages []shownMessage
	for _, data := range mail.PersonSamples(subject) {
		if p.message != "" && string(data.Kind()) != p.message {
			continue
		}
		for _, lang := range languages {
			content, err := renderer.RenderAs(mail.BrandOf(brand, data.Kind(), lang), lang, data)
			if err != nil {
				return nil, fmt.Errorf("the message cannot be shown: %w", err)
			}
			messages = append(messages, shownMessage{
				Kind: string(data.Kind()), Lang: lang, Subject: content.Subject, Text: content.Text,
				Page: content.Page(),
			})
		}
	}
	return messages, nil
}

func (p *preview) write(messages []shownMessage) error {
	page, err := template.New("preview").Parse(previewPage)
	if err != nil {
		return err
	}
	if p.out, err = filepath.Abs(p.out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	file, err := newOutFile(p.out)
	if err != nil {
		return err
	}
	return file.keep(page.Execute(file, messages))
}

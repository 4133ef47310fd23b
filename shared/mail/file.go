package mail

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed mailbox.html
var mailboxPage string

// File is a mailbox in a folder: for rehearsals and demonstrations, where mail
// must not leave the machine. Each message becomes <n>-<kind>-<recipient>.eml,
// beside it its HTML part for a browser, and index.html lists them all.
type File struct {
	dir string

	mu    sync.Mutex
	next  int // number of the next message
	index *os.File
	rows  *template.Template
	// end is where index.html's last lines begin: each row is written over
	// them, with them behind it, so that the page is whole at any moment.
	end int64
}

// NewFile opens the folder, making it if need be. What an earlier run left there
// stays, and is listed. A folder that cannot be written to is an error here and
// not at the first message.
func NewFile(dir string) (*File, error) {
	fail := func(err error) (*File, error) {
		return nil, fmt.Errorf("mailbox folder %s: %w", dir, err)
	}
	page, err := template.New("page").Parse(mailboxPage)
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(err)
	}
	index, err := os.Create(filepath.Join(dir, "index.html"))
	if err != nil {
		return fail(err)
	}
	f := &File{dir: dir, next: 1, index: index, rows: page}
	var top bytes.Buffer
	if err := page.ExecuteTemplate(&top, "top", nil); err != nil {
		return fail(err)
	}
	f.end = int64(top.Len())
	if err := f.writeIndex(top.Bytes(), 0); err != nil {
		return fail(err)
	}
	earlier, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		return fail(err)
	}
	for _, path := range earlier { // Glob sorts, and the names begin with a number
		raw, err := os.ReadFile(path)
		if err != nil {
			return fail(err)
		}
		if l, err := read(raw); err == nil {
			l.Base = strings.TrimSuffix(filepath.Base(path), ".eml")
			if err := f.list(l); err != nil {
				return fail(err)
			}
		}
		number, _, _ := strings.Cut(filepath.Base(path), "-")
		if n, err := strconv.Atoi(number); err == nil {
			f.next = max(f.next, n+1)
		}
	}
	return f, nil
}

// Close closes the folder's index.
func (f *File) Close() error { return f.index.Close() }

// Send implements [Sender]. The provider's id is the file's name without its
// ending.
func (f *File) Send(ctx context.Context, e Envelope) (string, error) {
	if err := e.check(); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("put message %s into %s: %w: %w", e.MessageID, f.dir, ErrNotSent, err)
	}
	l, err := read(e.Raw)
	if err != nil {
		return "", fmt.Errorf("put message %s into %s: %w: %w", e.MessageID, f.dir, ErrRejected, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.store(&l, e); err != nil {
		return "", fmt.Errorf("put message %s into %s: %w: %w", e.MessageID, f.dir, ErrNotSent, err)
	}
	if err := f.list(l); err != nil {
		return "", fmt.Errorf("list message %s in %s: %w", e.MessageID, f.dir, err)
	}
	return l.Base, nil
}

// store writes the message and its HTML part; if one cannot be, neither stays.
func (f *File) store(l *letter, e Envelope) error {
	local, _, _ := strings.Cut(e.To[0], "@")
	l.Base = fmt.Sprintf("%05d-%s-%s", f.next, fileName(l.Kind), fileName(local))
	path := filepath.Join(f.dir, l.Base)
	err := errors.Join(
		os.WriteFile(path+".eml", e.Raw, 0o644),
		os.WriteFile(path+".html", []byte(l.html), 0o644),
	)
	if err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(path+".eml")), ignoreMissing(os.Remove(path+".html")))
	}
	f.next++
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// list adds a row to the index.
func (f *File) list(l letter) error {
	var row bytes.Buffer
	if err := f.rows.ExecuteTemplate(&row, "row", l); err != nil {
		return err
	}
	at := f.end
	f.end += int64(row.Len())
	return f.writeIndex(row.Bytes(), at)
}

func (f *File) writeIndex(b []byte, at int64) error {
	var bottom bytes.Buffer
	if err := f.rows.ExecuteTemplate(&bottom, "bottom", nil); err != nil {
		return err
	}
	_, err := f.index.WriteAt(append(b, bottom.Bytes()...), at)
	return err
}

// letter is what the index says of a message, and its HTML part.
type letter struct {
	Base, Kind, Lang, To, Subject string
	Date                          time.Time
	html                          string
}

// read takes a composed message apart.
func read(raw []byte) (letter, error) {
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return letter{}, fmt.Errorf("not a MIME message: %w", err)
	}
	l := letter{Kind: m.Header.Get(string(headerKind)), Lang: m.Header.Get("Content-Language")}
	if l.Date, err = m.Header.Date(); err != nil {
		return letter{}, fmt.Errorf("not a MIME message: its date: %w", err)
	}
	decoder := new(mime.WordDecoder)
	if l.Subject, err = decoder.DecodeHeader(m.Header.Get("Subject")); err != nil {
		return letter{}, fmt.Errorf("not a MIME message: its subject: %w", err)
	}
	to, err := m.Header.AddressList("To")
	if err != nil {
		return letter{}, fmt.Errorf("not a MIME message: its recipients: %w", err)
	}
	names := make([]string, len(to))
	for i, a := range to {
		names[i] = a.Address
		if a.Name != "" {
			names[i] = a.Name + " <" + a.Address + ">"
		}
	}
	l.To = strings.Join(names, ", ")
	l.html, err = htmlPart(m)
	return l, err
}

// htmlPart is the message's HTML, its pictures written into it: a browser that
// opens it alone shows it as a mail program does.
func htmlPart(m *netmail.Message) (string, error) {
	var p pictured
	if err := p.collect(m.Header.Get("Content-Type"), m.Body); err != nil {
		return "", err
	}
	if p.page == "" {
		return "", errors.New("the message has no HTML part")
	}
	for _, i := range p.images {
		p.page = inlined(p.page, i.id, i.kind, i.data)
	}
	return p.page, nil
}

type pictured struct {
	page   string
	images []struct{ id, kind, data string } // data in base64
}

// collect goes through the parts, at whatever depth.
func (p *pictured) collect(contentType string, body io.Reader) error {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("not a MIME message: its content type: %w", err)
	}
	parts := multipart.NewReader(body, parameters["boundary"])
	for {
		part, err := parts.NextPart() // decodes quoted-printable
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not a MIME message: its parts: %w", err)
		}
		kind, _, _ := strings.Cut(part.Header.Get("Content-Type"), ";")
		id := strings.Trim(part.Header.Get("Content-ID"), "<>")
		switch {
		case strings.HasPrefix(kind, "multipart/"):
			err = p.collect(part.Header.Get("Content-Type"), part)
		case kind == "text/html":
			var page []byte
			page, err = io.ReadAll(part)
			p.page = string(page)
		case id != "":
			var data []byte // base64, as a data URL has it, but for the line breaks
			data, err = io.ReadAll(part)
			p.images = append(p.images, struct{ id, kind, data string }{id, kind, strings.Join(strings.Fields(string(data)), "")})
		}
		if err != nil {
			return err
		}
	}
}

var notInFileName = regexp.MustCompile(`[^a-zA-Z0-9.-]+`)

// fileName makes a part of a file name that every file system takes.
func fileName(s string) string {
	s = strings.Trim(notInFileName.ReplaceAllString(s, "_"), "._-")
	return s[:min(len(s), 40)]
}

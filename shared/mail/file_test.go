package mail_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"sallyport/shared/mail"
)

func TestFileSender(t *testing.T) {
	testSender(t, func(t *testing.T) mailbox {
		dir := t.TempDir()
		return mailbox{newFile(t, dir), func(t *testing.T) []string {
			t.Helper()
			paths, err := filepath.Glob(filepath.Join(dir, "*.eml"))
			if err != nil {
				t.Fatal(err)
			}
			var sent []string
			for _, path := range paths {
				sent = append(sent, readFile(t, path))
			}
			return sent
		}}
	})
}

func newFile(t *testing.T, dir string) *mail.File {
	t.Helper()
	f, err := mail.NewFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func send(t *testing.T, s mail.Sender, change func(*mail.Header, *mail.Content)) string {
	t.Helper()
	h, c := header(t), content()
	change(&h, &c)
	e := envelope(t)
	e.To, e.MessageID, e.Raw = mail.Recipients(h.To), h.MessageID, compose(t, h, c)
	id, err := s.Send(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}

func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	f := newFile(t, dir)
	send(t, f, func(*mail.Header, *mail.Content) {})
	send(t, f, func(h *mail.Header, _ *mail.Content) {
		h.To = []mail.Address{address(t, "", "o'neill/x+y@contoso.com")}
	})
	send(t, f, func(h *mail.Header, c *mail.Content) {
		c.Kind = "../../alert"
		h.To = []mail.Address{address(t, "", strings.Repeat("a", 60)+"@contoso.com")}
	})
	want := []string{
		"00001-reminder-megan.bowen.eml", "00001-reminder-megan.bowen.html",
		"00002-reminder-o_neill_x_y.eml", "00002-reminder-o_neill_x_y.html",
		"00003-alert-" + strings.Repeat("a", 40) + ".eml", "00003-alert-" + strings.Repeat("a", 40) + ".html",
		"index.html",
	}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := readFile(t, filepath.Join(dir, "00001-reminder-megan.bowen.html")); got != content().HTML {
		t.Errorf("the page is %q", got)
	}
}

// The same messages make the same folder, byte by byte.
func TestFileIsDeterministic(t *testing.T) {
	write := func() map[string]string {
		dir := t.TempDir()
		f := newFile(t, dir)
		for range 3 {
			send(t, f, func(*mail.Header, *mail.Content) {})
		}
		all := map[string]string{}
		for _, name := range names(t, dir) {
			all[name] = readFile(t, filepath.Join(dir, name))
		}
		return all
	}
	if diff := cmp.Diff(write(), write()); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

// The index is a whole page after every message, and names each once.
func TestFileIndex(t *testing.T) {
	dir := t.TempDir()
	f := newFile(t, dir)
	if got := rows(t, dir); len(got) != 0 {
		t.Errorf("an empty mailbox lists %q", got)
	}
	send(t, f, func(*mail.Header, *mail.Content) {})
	if got := rows(t, dir); len(got) != 1 {
		t.Errorf("after one message: %q", got)
	}
	send(t, f, func(h *mail.Header, c *mail.Content) {
		c.Subject, c.Kind, c.Lang = "<script>alert(1)</script>", "hold", "en"
		h.To = append(h.To, address(t, "", "adele.vance@contoso.com"))
		h.Date = noon.AddDate(0, 0, 1)
	})
	want := []string{
		"Tue 2026-12-29 12:00|reminder|de|Megan Bowen <megan.bowen@contoso.com>|Die Anmeldung ändert sich in 7 Tagen (00001-reminder-megan.bowen.html)|.eml (00001-reminder-megan.bowen.eml)",
		"Wed 2026-12-30 12:00|hold|en|Megan Bowen <megan.bowen@contoso.com>, adele.vance@contoso.com|<script>alert(1)</script> (00002-hold-megan.bowen.html)|.eml (00002-hold-megan.bowen.eml)",
	}
	if diff := cmp.Diff(want, rows(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// rows reads the index as a browser does: the cells of each row of its body,
// links with where they lead.
func rows(t *testing.T, dir string) []string {
	t.Helper()
	page := readFile(t, filepath.Join(dir, "index.html"))
	if !strings.HasSuffix(page, "</html>\n") {
		t.Errorf("the page does not end: %q", page[max(0, len(page)-80):])
	}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for n := range root.Descendants() {
		if n.Data != "tr" || n.Parent.Data != "tbody" {
			continue
		}
		var cells []string
		for cell := range n.ChildNodes() {
			text, href := "", ""
			for d := range cell.Descendants() {
				switch {
				case d.Type == html.TextNode:
					text += d.Data
				case d.Data == "a":
					href = " (" + d.Attr[0].Val + ")"
				}
			}
			cells = append(cells, text+href)
		}
		all = append(all, strings.Join(cells, "|"))
	}
	return all
}

// A mailbox that is opened again goes on: nothing is lost, nothing overwritten.
func TestFileGoesOn(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		send(t, newFile(t, dir), func(*mail.Header, *mail.Content) {})
	}
	if err := os.Remove(filepath.Join(dir, "00002-reminder-megan.bowen.eml")); err != nil {
		t.Fatal(err)
	}
	first := readFile(t, filepath.Join(dir, "00001-reminder-megan.bowen.eml"))
	send(t, newFile(t, dir), func(h *mail.Header, _ *mail.Content) { h.MessageID = "another" })
	if got := readFile(t, filepath.Join(dir, "00001-reminder-megan.bowen.eml")); got != first {
		t.Error("the first message was overwritten")
	}
	if got := rows(t, dir); len(got) != 3 || !strings.Contains(got[0], "00001-") || !strings.Contains(got[1], "00003-") || !strings.Contains(got[2], "00004-") {
		t.Errorf("the index lists %q", got)
	}
}

func TestFileUnwritableFolder(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"below a file":         filepath.Join(blocked, "mail"),
		"a file":               blocked,
		"no permission at all": "/proc/sallyport",
	} {
		if _, err := mail.NewFile(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want one that names the folder", name, err)
		}
	}
}

// A folder that goes away (or fills up) while it is written to: the message
// surely was not sent, and the next one may be.
func TestFileFolderGoesAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	f := newFile(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Send(context.Background(), envelope(t)); !errors.Is(err, mail.ErrNotSent) {
		t.Errorf("error %v, want ErrNotSent", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Send(context.Background(), envelope(t)); err != nil {
		t.Error(err)
	}
}

func TestFileRefusesWhatIsNoMail(t *testing.T) {
	f := newFile(t, t.TempDir())
	for name, raw := range map[string]string{
		"no MIME":      "hello",
		"no date":      "To: megan@contoso.com\r\n\r\nhello",
		"no recipient": "Date: Tue, 29 Dec 2026 12:00:00 +0000\r\n\r\nhello",
		"no HTML part": "Date: Tue, 29 Dec 2026 12:00:00 +0000\r\nTo: megan@contoso.com\r\nContent-Type: text/plain\r\n\r\nhello",
	} {
		e := envelope(t)
		e.Raw = []byte(raw)
		if _, err := f.Send(context.Background(), e); !errors.Is(err, mail.ErrRejected) {
			t.Errorf("%s: error %v, want ErrRejected", name, err)
		}
	}
}

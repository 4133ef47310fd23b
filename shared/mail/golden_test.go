package mail_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/mail"
)

var update = flag.Bool("update", false, "write what is rendered as the new goldens")

const howToUpdate = "If the new words are right, run: go test ./shared/mail -run TestGoldens -update"

// sample is one of mail.Samples in one language, with the name of its golden.
type sample struct {
	name string // announcement.de, reminder-3.fr
	lang string
	data mail.Data
}

func samples() []sample {
	var all []sample
	seen := map[string]int{}
	for _, data := range mail.Samples() {
		name := string(data.Kind())
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, seen[name])
		}
		languages := []string{"en"}
		if data.Kind().ToPerson() {
			languages = mail.Languages()
		}
		for _, lang := range languages {
			all = append(all, sample{name + "." + lang, lang, data})
		}
	}
	return all
}

func newRenderer(t *testing.T) *mail.Renderer {
	t.Helper()
	r, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every message in every language, as people get it. The goldens are also there
// to be read: the .html ones open in a browser.
func TestGoldens(t *testing.T) {
	r := newRenderer(t)
	written := map[string]bool{}
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			content, err := r.Render(s.lang, s.data)
			if err != nil {
				t.Fatal(err)
			}
			if content.Lang != s.lang {
				t.Errorf("rendered in %q", content.Lang)
			}
			golden(t, s.name+".txt", "Subject: "+content.Subject+"\n\n"+content.Text)
			golden(t, s.name+".html", content.HTML)
		})
		written[s.name+".txt"], written[s.name+".html"] = true, true
	}
	files, err := os.ReadDir("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !written[f.Name()] && !strings.HasSuffix(f.Name(), ".eml") {
			t.Errorf("testdata/golden/%s is the golden of no message: remove it", f.Name())
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v\n%s", err, howToUpdate)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-golden +now):\n%s\n%s", path, diff, howToUpdate)
	}
}

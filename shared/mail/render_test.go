package mail_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// A field that a template forgets would be lost in silence. So every field of
// every message, changed alone, has to change the text and the HTML of at least
// one sample.
func TestEveryFieldIsShown(t *testing.T) {
	r := newRenderer(t)
	shown := map[string]bool{}
	for _, s := range samples() {
		before, err := r.Render(s.lang, s.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mutants(reflect.ValueOf(s.data)) {
			field := fmt.Sprintf("%s.%s: %s", s.data.Kind(), s.lang, m.path)
			after, err := r.Render(s.lang, m.value.Interface().(mail.Data))
			if err != nil {
				t.Fatalf("%s: %v", field, err)
			}
			shown[field] = shown[field] || (after.Text != before.Text && after.HTML != before.HTML)
		}
	}
	if len(shown) < 100 {
		t.Fatalf("only %d fields were found", len(shown))
	}
	for _, field := range slices.Sorted(maps.Keys(shown)) {
		if !shown[field] {
			t.Errorf("%s is not shown", field)
		}
	}
}

type mutant struct {
	path  string
	value reflect.Value
}

// mutants returns copies of v, each with one field changed.
func mutants(v reflect.Value) []mutant {
	one := func(changed any) []mutant { return []mutant{{"", reflect.ValueOf(changed).Convert(v.Type())}} }
	switch x := v.Interface().(type) {
	case time.Time:
		return one(x.Add(25*time.Hour + 3*time.Minute))
	case rollout.Date:
		return one(x.AddDays(2))
	case *time.Location:
		return one(time.FixedZone("NPT", (5*60+45)*60))
	}
	var all []mutant
	switch v.Kind() {
	case reflect.String:
		return one(v.String() + "z")
	case reflect.Int:
		return append(one(v.Int()+1), one(v.Int()-1)...)
	case reflect.Float64:
		return one(v.Float() + 1.5)
	case reflect.Bool:
		return one(!v.Bool())
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		for _, m := range mutants(v.Elem()) {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(m.value)
			all = append(all, mutant{m.path, p})
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).IsZero() && v.Field(i).Kind() != reflect.Bool {
				continue // another sample has it
			}
			for _, m := range mutants(v.Field(i)) {
				c := reflect.New(v.Type()).Elem()
				c.Set(v)
				c.Field(i).Set(m.value)
				all = append(all, mutant{"." + v.Type().Field(i).Name + m.path, c})
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			for _, m := range mutants(v.Index(i)) {
				c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
				reflect.Copy(c, v)
				c.Index(i).Set(m.value)
				all = append(all, mutant{"[]" + m.path, c})
			}
		}
	default:
		panic("a message has a " + v.Type().String() + ", which this test cannot change")
	}
	return all
}

// Nothing that comes from a directory or a log can become markup: the HTML keeps
// the same elements with the same attributes, and the text the same headings.
func TestDataCannotBecomeMarkup(t *testing.T) {
	r := newRenderer(t)
	hostile := []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`' style='position:fixed`,
		`{{.HelpDesk.Email}}`,
		`[click](https://evil.example/)`,
		"**bold**\n\n# Title\n\n- item\n\n| a | b |",
		"\x01Heading",
		`--></style><h1>`,
		`<!--[if mso]>`,
	}
	for _, s := range samples() {
		benign := withNames(s.data, "benign")
		want, err := r.Render(s.lang, benign)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range hostile {
			got, err := r.Render(s.lang, withNames(s.data, bad))
			if err != nil {
				t.Fatal(err)
			}
			if a, b := skeleton(t, want.HTML), skeleton(t, got.HTML); a != b {
				t.Errorf("%s: %q changed the HTML from\n%s\nto\n%s", s.name, bad, a, b)
			}
			if a, b := underlines(want.Text), underlines(got.Text); a != b {
				t.Errorf("%s: %q changed the number of headings in the text from %d to %d", s.name, bad, a, b)
			}
		}
	}
}

// withNames replaces every Name and Line in a message.
func withNames(data mail.Data, text string) mail.Data {
	v := reflect.New(reflect.TypeOf(data)).Elem()
	v.Set(reflect.ValueOf(data))
	replaceNames(v, text)
	return v.Interface().(mail.Data)
}

func replaceNames(v reflect.Value, text string) {
	switch v.Interface().(type) {
	case mail.Name, mail.Line:
		if v.String() != "" {
			v.SetString(text)
		}
		return
	case time.Time, rollout.Date, *time.Location:
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			replaceNames(v.Field(i), text)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(v.Elem())
			replaceNames(p.Elem(), text)
			v.Set(p)
		}
	case reflect.Slice:
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			replaceNames(c.Index(i), text)
		}
		v.Set(c)
	}
}

// skeleton is a page's elements with the names of their attributes.
func skeleton(t *testing.T, page string) string {
	t.Helper()
	var out strings.Builder
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return out.String()
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			token := z.Token()
			out.WriteString(token.Data)
			for _, a := range token.Attr {
				out.WriteString(" " + a.Key)
			}
			out.WriteString(";")
		case html.CommentToken:
			out.WriteString("comment;")
		}
	}
}

func underlines(text string) int {
	return len(regexp.MustCompile(`(?m)^(=+|-{3,})$`).FindAllString(text, -1))
}

// The links that a message may hold, besides those that the operator gave.
var allowedLinks = []string{
	"https://aka.ms/mysecurityinfo",
	"https://apps.apple.com/app/microsoft-authenticator/id983156458",
	"https://play.google.com/store/apps/details?id=com.azure.authenticator",
	// From the samples:
	"mailto:help@contoso.com",
	"https://meet.contoso.com/second-step",
	"https://video.contoso.com/second-step",
	"https://intranet.contoso.com/break-glass",
	"https://hooks.contoso.com/ack/1.invented.token",
}

// No link but the listed ones, and nothing that is fetched when the mail is
// opened: no picture but those inside the mail, no tracking.
func TestLinks(t *testing.T) {
	r := newRenderer(t)
	for _, s := range samples() {
		content, err := r.Render(s.lang, s.data)
		if err != nil {
			t.Fatal(err)
		}
		for z := html.NewTokenizer(strings.NewReader(content.HTML)); ; {
			if z.Next() == html.ErrorToken {
				break
			}
			token := z.Token()
			if slices.Contains([]string{"script", "link", "iframe", "form", "video", "audio", "object", "embed", "base"}, token.Data) && token.Type == html.StartTagToken {
				t.Errorf("%s: there is a <%s>", s.name, token.Data)
			}
			for _, a := range token.Attr {
				switch a.Key {
				case "href":
					if !slices.Contains(allowedLinks, a.Val) {
						t.Errorf("%s links to %s", s.name, a.Val)
					}
				case "src":
					inside := slices.ContainsFunc(content.Images, func(i mail.Image) bool { return a.Val == "cid:"+i.ID })
					if token.Data != "img" || !inside {
						t.Errorf("%s: <%s %s=%q>", s.name, token.Data, a.Key, a.Val)
					}
				case "background", "srcset", "poster":
					t.Errorf("%s: <%s %s=%q>", s.name, token.Data, a.Key, a.Val)
				case "style":
					if strings.Contains(a.Val, "url(") {
						t.Errorf("%s: a style fetches: %s", s.name, a.Val)
					}
				}
			}
		}
		for _, url := range regexp.MustCompile(`https?://[^\s>]+`).FindAllString(content.Text, -1) {
			if !slices.Contains(allowedLinks, strings.TrimRight(url, ".,")) {
				t.Errorf("%s: the text links to %s", s.name, url)
			}
		}
	}
}

// A link that is no web address leads nowhere.
func TestLinkThatRunsCode(t *testing.T) {
	alert := mail.Samples()[len(mail.Samples())-1].(mail.SecurityAlert)
	alert.Plan = "javascript:alert(1)"
	content, err := newRenderer(t).Render("en", alert)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(content.HTML, "javascript:") {
		t.Error("the HTML links to javascript:")
	}
}

// At most one screen before the steps: what stands above them is short.
func TestShortBeforeTheSteps(t *testing.T) {
	r := newRenderer(t)
	for _, s := range samples() {
		content, err := r.Render(s.lang, s.data)
		if err != nil {
			t.Fatal(err)
		}
		before, _, found := strings.Cut(content.Text, "\n1. ")
		n := len(strings.Fields(before))
		if s.lang == "ja" {
			n = len(regexp.MustCompile(`[\p{Hiragana}\p{Katakana}\p{Han}]`).FindAllString(before, -1)) / 3 // written without spaces
		}
		if found && s.data.Kind().ToPerson() && n > 95 {
			t.Errorf("%s: %d words before the first step", s.name, n)
		}
	}
}

func TestEachReminderIsShorter(t *testing.T) {
	r := newRenderer(t)
	for _, lang := range mail.Languages() {
		last := 1 << 20
		for _, data := range mail.Samples() {
			if reminder, ok := data.(mail.Reminder); ok {
				content, err := r.Render(lang, reminder)
				if err != nil {
					t.Fatal(err)
				}
				if len(content.Text) >= last {
					t.Errorf("%s: the reminder of window %d has %d bytes, the one before %d", lang, reminder.Window, len(content.Text), last)
				}
				last = len(content.Text)
			}
		}
	}
}

// The text counts the days that are left when it is sent, whatever the window.
func TestReminderCountsRealDays(t *testing.T) {
	r := newRenderer(t)
	deadline := rollout.Date{Year: 2027, Month: time.January, Day: 12}
	for _, test := range []struct {
		window, left int
		want         string // of the subject
	}{
		{7, 7, "Sign-in changes in 7 days: your second step is not set up yet"},
		{7, 5, "Sign-in changes in 5 days: your second step is not set up yet"}, // a late run
		{3, 2, "Sign-in changes in 2 days: your second step is not set up yet"},
		{7, 1, "Last reminder: your password alone stops working tomorrow"}, // very late
		{1, 1, "Last reminder: your password alone stops working tomorrow"},
		{1, 0, "Last reminder: your password alone stops working today"},
		{1, -3, "Last reminder: your password alone stops working any day now"}, // held since
	} {
		content, err := r.Render("en", mail.Reminder{
			Today: deadline.AddDays(-test.left), Deadline: deadline, Window: test.window, Windows: []int{7, 3, 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		if content.Subject != test.want {
			t.Errorf("window %d, %d days left: %q, want %q", test.window, test.left, content.Subject, test.want)
		}
	}
}

func TestReminderStages(t *testing.T) {
	deadline := rollout.Date{Year: 2027, Month: time.January, Day: 12}
	for _, test := range []struct {
		name         string
		window, left int
		windows      []int
		first, last  bool
	}{
		{"first of three", 7, 7, []int{7, 3, 1}, true, false},
		{"second of three", 3, 3, []int{7, 3, 1}, false, false},
		{"last of three", 1, 1, []int{7, 3, 1}, false, true},
		{"last of those that do not reach the day", 2, 2, []int{14, 2}, false, true},
		{"the only one", 7, 7, []int{7}, false, true},
		{"no windows known", 7, 7, nil, false, true},
		{"first, so late that none can follow", 7, 1, []int{7, 3}, false, true},
	} {
		r := mail.Reminder{Today: deadline.AddDays(-test.left), Deadline: deadline, Window: test.window, Windows: test.windows}
		if r.First() != test.first || r.Last() != test.last {
			t.Errorf("%s: first %t, last %t, want %t, %t", test.name, r.First(), r.Last(), test.first, test.last)
		}
	}
}

func TestDays(t *testing.T) {
	r := newRenderer(t)
	first := rollout.Date{Year: 2026, Month: time.August, Day: 1}
	for lang, want := range map[string]string{
		"en":    "Saturday, 1 August 2026",
		"de":    "Samstag, 1. August 2026",
		"es":    "sábado, 1 de agosto de 2026",
		"fr":    "samedi 1er août 2026",
		"it":    "sabato 1º agosto 2026",
		"ja":    "2026年8月1日（土）",
		"nl":    "zaterdag 1 augustus 2026",
		"pt-BR": "sábado, 1º de agosto de 2026",
	} {
		content, err := r.Render(lang, mail.Announcement{Deadline: first})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(content.Subject, want) {
			t.Errorf("%s: the subject is %q, want %q in it", lang, content.Subject, want)
		}
	}
}

func TestTimesAreWrittenInTheirZone(t *testing.T) {
	r := newRenderer(t)
	at := time.Date(2026, time.July, 1, 22, 5, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		zone *time.Location
		want string
	}{
		{"a zone with a name", time.FixedZone("CEST", 2*60*60), "Thursday, 2 July 2026, 00:05 (CEST)"},
		{"a zone with a number for a name", time.FixedZone("+0545", (5*60+45)*60), "Thursday, 2 July 2026, 03:50 (UTC+05:45)"},
		{"no zone", nil, "Wednesday, 1 July 2026, 22:05 (UTC)"},
	} {
		content, err := r.Render("en", mail.Switched{Notice: mail.Notice{Zone: test.zone}, At: at})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(content.Text, test.want) {
			t.Errorf("%s: want %q in\n%s", test.name, test.want, content.Text)
		}
	}
}

// A day that nobody set must not be written as a day.
func TestMissingDatesAreErrors(t *testing.T) {
	r := newRenderer(t)
	for _, data := range []mail.Data{mail.Announcement{}, mail.Ready{}, mail.Holdout{}, mail.Hold{}, mail.Switched{}, mail.SecurityAlert{}} {
		if _, err := r.Render("en", data); err == nil || !strings.Contains(err.Error(), "is not set") {
			t.Errorf("%s without its dates: error %v", data.Kind(), err)
		}
	}
}

func TestLockOutsAreCapped(t *testing.T) {
	rows := make([]mail.LockOut, 130)
	for i := range rows {
		rows[i] = mail.LockOut{Name: mail.Name(fmt.Sprintf("Person %d!", i)), Since: time.Unix(1.8e9, 0)}
	}
	content, err := newRenderer(t).Render("en", mail.LockOuts{Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"130 people are locked out": true, "Person 99!": true, "Person 100!": false, "And 30 more": true} {
		if strings.Contains(content.Text, text) != want {
			t.Errorf("%q stands in the text: %t, want %t", text, !want, want)
		}
	}
}

func TestLanguage(t *testing.T) {
	r := newRenderer(t)
	all := []string{"en", "es", "de", "fr"}
	for _, test := range []struct {
		name        string
		configured  []string
		preferences []string
		want        string
	}{
		{"exact", all, []string{"de"}, "de"},
		{"with a region", all, []string{"de-CH"}, "de"},
		{"another region", all, []string{"es-419"}, "es"},
		{"upper case and underscore", all, []string{"FR_ca"}, "fr"},
		{"a close language", all, []string{"gsw"}, "de"},
		{"the person's before the organisation's", all, []string{"fr-FR", "de-DE"}, "fr"},
		{"the organisation's if the person has none", all, []string{"", "de-DE"}, "de"},
		{"the organisation's if the person's is not offered", all, []string{"zh-Hans", "de-DE"}, "de"},
		{"nonsense is passed over", all, []string{"!!", "und", "fr"}, "fr"},
		{"nothing known: the first configured", []string{"fr", "en"}, nil, "fr"},
		{"not configured", []string{"en", "es"}, []string{"de-DE"}, "en"},
		{"configured, but not written yet", []string{"ko", "es"}, []string{"ko-KR"}, "es"},
		{"Belgian Dutch", mail.Languages(), []string{"nl-BE"}, "nl"},
		{"Japanese", mail.Languages(), []string{"ja-JP"}, "ja"},
		{"Brazil's Portuguese", mail.Languages(), []string{"pt-BR"}, "pt-BR"},
		{"Portugal's is nearer to Brazil's than to English", mail.Languages(), []string{"pt-PT"}, "pt-BR"},
		{"Swiss Italian", mail.Languages(), []string{"it-CH"}, "it"},
		{"Chinese is not Japanese", mail.Languages(), []string{"zh-CN"}, "en"},
		{"Chinese, in a Japanese organisation", mail.Languages(), []string{"zh-TW", "ja"}, "ja"},
		{"nothing configured", nil, []string{"es-MX"}, "es"},
		{"nothing at all", nil, nil, "en"},
	} {
		if got := r.Language(test.configured, test.preferences...); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestOperatorsReadEnglish(t *testing.T) {
	content, err := newRenderer(t).Render("de", mail.Switched{At: time.Unix(1.8e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if content.Lang != "en" {
		t.Errorf("rendered in %q", content.Lang)
	}
}

// Templates of one's own are tried before any mail is made of them.
func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct {
		name, file, content string // content "": the file is missing
		want                string
	}{
		{"a field that is not there", "ready.de.md", "Subject: x\n\n# {{.Nmae}}", "Nmae"},
		{"a field in a branch that is rarely taken", "alert.en.md", "Subject: x\n\n{{if .What}}\n\n{{.Wht}}\n\n{{end}}", "Wht"},
		{"a field in the subject", "hold.en.md", "Subject: {{.Wav}}\n\n# x", "Wav"},
		{"no subject", "holdout.fr.md", "# Titre", `expected the subject`},
		{"a template that does not parse", "switched.en.md", "Subject: x\n\n{{if .At}}", "switched.en.md"},
		{"a message that is missing", "holdout.es.md", "", "holdout.es.md is missing"},
		{"a part that is missing", "_help.de.md", "", "_help"},
		{"the layout missing", "layout.html", "", "layout.html"},
		{"an unknown language", "ready.tlh.md", "Subject: x\n\n# x", `"tlh"`},
		{"a name without a language", "ready.md", "Subject: x\n\n# x", "ready.md"},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := ownTemplates(t)
			delete(files, test.file)
			if test.content != "" {
				files[test.file] = &fstest.MapFile{Data: []byte(test.content)}
			}
			_, err := mail.Load(files)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := mail.Load(ownTemplates(t)); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func ownTemplates(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS("templates"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile("templates/" + path)
		files[path] = &fstest.MapFile{Data: content}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func BenchmarkNewRenderer(b *testing.B) {
	for b.Loop() {
		if _, err := mail.NewRenderer(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	r, err := mail.NewRenderer()
	if err != nil {
		b.Fatal(err)
	}
	data := mail.Samples()[0]
	for b.Loop() {
		if _, err := r.Render("de", data); err != nil {
			b.Fatal(err)
		}
	}
}

// French sets a space before : ; ? ! and inside its quotation marks, and a line
// may not break there.
func TestFrenchMarksStayWithTheirWord(t *testing.T) {
	r := newRenderer(t)
	for _, s := range samples() {
		if s.lang != "fr" {
			continue
		}
		content, err := r.Render(s.lang, s.data)
		if err != nil {
			t.Fatal(err)
		}
		if torn := regexp.MustCompile(`\S* [:;?!»]|« \S*`).FindString(content.Subject + "\n" + content.Text); torn != "" {
			t.Errorf("%s: %q can be torn apart", s.name, torn)
		}
	}
}

// Japanese is written without spaces: lines break between its characters, never
// before a mark that closes, and no line is longer than the others may be.
func TestJapaneseLines(t *testing.T) {
	r := newRenderer(t)
	for _, s := range samples() {
		if s.lang != "ja" {
			continue
		}
		content, err := r.Render(s.lang, s.data)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(content.Text, "\n") {
			wide := 0
			for _, c := range line {
				if c > 0x2e80 {
					wide++
				}
			}
			if n := utf8.RuneCountInString(line) + wide; n > 76 && !strings.Contains(line, "https://") {
				t.Errorf("%s: a line of %d columns: %s", s.name, n, line)
			}
			if first, _ := utf8.DecodeRuneInString(strings.TrimSpace(line)); strings.ContainsRune("、。：）」ー", first) {
				t.Errorf("%s: a line begins with %q: %s", s.name, first, line)
			}
		}
		for _, torn := range regexp.MustCompile(`[\p{Hiragana}\p{Katakana}\p{Han}。、：] [\p{Hiragana}\p{Katakana}\p{Han}]`).FindAllString(content.HTML, -1) {
			t.Errorf("%s: there is a space in %q", s.name, torn)
		}
	}
}

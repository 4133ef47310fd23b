package mail_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sallyport/shared/mail"
)

func TestName(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "Megan Bowen", "Megan Bowen"},
		{"accents and apostrophes", "Zoë O’Neill-Núñez", "Zoë O’Neill-Núñez"},
		{"comma and brackets", "Bowen, Megan (IT)", "Bowen, Megan (IT)"},
		{"Japanese", "山田 太郎", "山田 太郎"},
		{"a line break cannot begin a header", "Megan\r\nBcc: everybody@contoso.com", "Megan Bcc: everybody@contoso.com"},
		{"other line breaks", "a\vb\fc\u0085d\u2028e\u2029f", "a b c d e f"},
		{"control characters", "Me\x00gan\x1b[31m\x7f", "Me gan [31m"},
		{"white space", "  Megan \t  Bowen ", "Megan Bowen"},
		{"Hebrew stands on its own", "מגן בואן", "\u2068מגן בואן\u2069"},
		{"Arabic among Latin", "IT (سارة)", "\u2068IT (سارة)\u2069"},
		{"an override cannot turn the text around", "moc.osotnoc@ti\u202e", "moc.osotnoc@ti"},
		{"isolates and marks are dropped", "\u2067a\u2069\u200eb\u200f", "ab"},
		{"zero width space and soft hyphen", "Me\u200bg\u00adan\ufeff", "Megan"},
		{"joiners stay", "नमस्\u200dते 👩\u200d💻", "नमस्\u200dते 👩\u200d💻"},
		{"broken UTF-8", "Meg\xffan", "Meg\ufffdan"},
		{"empty", "", ""},
		{"5,000 characters", strings.Repeat("é", 5000), strings.Repeat("é", 79) + "…"},
		{"exactly as long as is shown", strings.Repeat("é", 80), strings.Repeat("é", 80)},
	} {
		if got := mail.Name(test.in).String(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Whatever the directory holds, a name is one short line, and showing it again
// changes nothing.
func TestNameIsAlwaysOneShortLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "name")
		got := mail.Name(in).String()
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		if n := utf8.RuneCountInString(got); n > 82 { // with the two isolates
			t.Fatalf("%q has %d characters", got, n)
		}
		for _, r := range got {
			if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || (r >= '\u202a' && r <= '\u202e') {
				t.Fatalf("%q holds %U", got, r)
			}
		}
		if again := mail.Name(got).String(); again != got {
			t.Fatalf("shown again, %q becomes %q", got, again)
		}
	})
}

func TestLineIsLongerThanName(t *testing.T) {
	long := strings.Repeat("evidence ", 1000)
	if got := utf8.RuneCountInString(mail.Line(long).String()); got < 500 || got > 600 {
		t.Errorf("a long line has %d characters", got)
	}
}

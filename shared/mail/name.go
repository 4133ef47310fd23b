package mail

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
)

// How much of a text that others wrote is shown, in characters. A display name
// may have 256 in Entra; nobody reads more than this of one.
const (
	longestName = 80
	longestLine = 600
)

// Name is a display name or a label as the tenant gave it: of a person, an
// organisation, an app, a wave. Printing it (in templates too) makes it fit for
// a header and a sentence: one line, no control characters, at most 80
// characters, and a right-to-left name does not turn the text around it.
type Name string

// String returns the name as it is shown.
func (n Name) String() string { return isolated(shortened(string(n), longestName)) }

// Line is a sentence that comes from outside the templates: a reason, an
// evidence, a remedy, a log's own words. Like a [Name], but up to 600 characters.
type Line string

// String returns the line as it is shown.
func (l Line) String() string { return isolated(shortened(string(l), longestLine)) }

// oneLine puts s on one line: white space and control characters, however many,
// become one space. A no-break space, as French has before a colon, stays.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\ufffd"), func(r rune) bool {
		return (unicode.IsSpace(r) && r != '\u00a0') || unicode.IsControl(r)
	}), " ")
}

// shortened puts s on one line, without invisible characters, cut to limit
// characters with an ellipsis.
func shortened(s string, limit int) string {
	clean := []rune(oneLine(strings.Map(visible, s)))
	if len(clean) <= limit {
		return string(clean)
	}
	return strings.TrimSpace(string(clean[:limit-1])) + "…"
}

// visible drops format characters: those that reorder text (so that a name could
// pretend to be another address) and those that cannot be seen. The two joiners
// stay, since Persian, Hindi and emoji need them.
func visible(r rune) rune {
	if unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' {
		return -1
	}
	return r
}

// isolated wraps a text that holds right-to-left characters in first strong
// isolate and pop directional isolate, so that it stands on its own in a line.
func isolated(s string) string {
	for _, r := range s {
		p, _ := bidi.LookupRune(r)
		if c := p.Class(); c == bidi.R || c == bidi.AL {
			return "\u2068" + s + "\u2069"
		}
	}
	return s
}

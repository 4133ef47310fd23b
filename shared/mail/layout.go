package mail

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// textWidth is where lines of the text form break.
const textWidth = 76

// spaces are those that a line may break at: a no-break space is none.
var spaces = regexp.MustCompile(` +`)

var listMark = regexp.MustCompile(`^(\d+\. |- )`)

// layOut finishes the text form once the data is in it: headings underlined,
// lines broken, no more than one blank line in a row.
func layOut(text string) string {
	var out []string
	underline := "="
	blank := func() {
		if len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, "")
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		title, isHeading := strings.CutPrefix(line, headingMark)
		switch {
		case isHeading:
			blank()
			out = append(out, title, strings.Repeat(underline, min(columns(title), textWidth)))
			underline = "-"
		case strings.TrimSpace(line) == "":
			blank()
		case line == "-- ": // the space is part of the signature's mark
			out = append(out, line)
		default:
			out = append(out, broken(strings.TrimSpace(line))...)
		}
	}
	return strings.TrimSpace(strings.Join(out, "\n")) + "\n"
}

// broken breaks one line at textWidth; what follows in a list item is indented
// to stand under it. Words, and so links, are never broken.
func broken(line string) []string {
	indent := strings.Repeat(" ", len(listMark.FindString(line)))
	var lines []string
	current, open := "", false // open: current holds more than its indent
	for _, part := range parts(spaces.ReplaceAllString(line, " ")) {
		switch {
		case !open:
			current, open = current+strings.TrimSpace(part), true
		case columns(current)+columns(strings.TrimRight(part, " ")) <= textWidth:
			current += part
		default:
			lines = append(lines, strings.TrimRight(current, " "))
			current = indent + strings.TrimSpace(part)
		}
	}
	return append(lines, strings.TrimRight(current, " "))
}

// parts cuts a line wherever it may be broken: before a space, and between two
// characters of a script that is written without spaces.
func parts(line string) []string {
	var all []string
	start := 0
	var before rune
	for i, r := range line {
		if i > start && (r == ' ' && before != ' ' || breaksBetween(before, r)) {
			all = append(all, line[start:i])
			start = i
		}
		before = r
	}
	return append(all, line[start:])
}

// breaksBetween: Japanese breaks almost anywhere, but never before a mark that
// closes or a small letter, and never after a mark that opens.
func breaksBetween(before, after rune) bool {
	if !isWide(before) && !isWide(after) || before == ' ' || after == ' ' {
		return false
	}
	return !strings.ContainsRune(wideMarks+"・ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ.,:;!?)>", after) && !strings.ContainsRune("（「『【〈《(<", before)
}

// wideMarks are the marks that close, which bring their own space along.
const wideMarks = "、。，．：；！？）」』】〉》"

// glue joins two lines of a template: by a space, but not between two characters
// of a script that is written without them.
func glue(a, b string) string {
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	if isWide(last) && isWide(first) || strings.ContainsRune(wideMarks, last) {
		return a + b
	}
	return a + " " + b
}

// columns is how many columns a text takes in a fixed-width font.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		if isWide(r) {
			n++
		}
	}
	return n
}

// isWide reports whether a character is two columns wide, as Japanese ones are.
func isWide(r rune) bool {
	k := width.LookupRune(r).Kind()
	return k == width.EastAsianWide || k == width.EastAsianFullwidth
}

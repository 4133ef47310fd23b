package mail

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// textWidth is where lines of the text form break.
const textWidth = 76

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
			out = append(out, title, strings.Repeat(underline, min(utf8.RuneCountInString(title), textWidth)))
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
	current := ""
	for word := range strings.SplitSeq(line, " ") {
		switch {
		case word == "":
		case current == "":
			current = word
		case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) <= textWidth:
			current += " " + word
		default:
			lines = append(lines, current)
			current = indent + word
		}
	}
	return append(lines, current)
}

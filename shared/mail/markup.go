package mail

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
)

// A template file is the mail as plain text, in a small part of Markdown, with
// Go template actions in it. It is turned into two templates, one for text and
// one for HTML, when it is loaded and before any data is in it: so nothing that
// a message carries can be taken for markup, and html/template still sees every
// action in its place and escapes it for that place.
//
// The first line is "Subject: ...". Blank lines part the rest into pieces:
//
//	# Title              the one heading of first rank; ## and ### below it
//	1. A step            a numbered list; an indented line goes on with the item
//	- A point            a list
//	| Label | Value |    a table of facts, one per line
//	![alt|label](cid:x)  pictures beside each other, for HTML alone: what they say
//	                     must stand in the text too
//	---                  what follows is the small print
//	{{if .Training}}     a piece of control actions alone stands for itself
//	anything else        a paragraph
//
// Inside a piece: **strong**, [label](link), and control actions on lines of
// their own between the items of a list or the rows of a table.

// markup is a template source in its two forms.
type markup struct {
	subject, text, html string
}

// headingMark begins a heading's line in the text form, until [layOut] has
// underlined it: only then its width is known. Data cannot hold a control
// character.
const headingMark = "\x01"

var (
	blankLines = regexp.MustCompile(`\n[ \t]*\n\s*`)
	action     = regexp.MustCompile(`\{\{.*?\}\}`)
	control    = regexp.MustCompile(`^(\{\{-?\s*(if|else|end|range|with|template|/\*)[^}]*\}\}\s*)+$`)
	heading    = regexp.MustCompile(`^(#{1,3}) (.+)$`)
	numbered   = regexp.MustCompile(`^\d+\. `)
	row        = regexp.MustCompile(`^\| (.+?) \| (.+) \|$`)
	link       = regexp.MustCompile(`\[([^\]]+)\]\(([^)]+)\)`)
	picture    = regexp.MustCompile(`^!\[([^|\]]+)\|([^\]]+)\]\((cid:[a-z-]+)\)$`)
	strong     = regexp.MustCompile(`\*\*(.+?)\*\*`)
)

// parseMarkup turns a template file into its two forms. A part that is included
// in others (named _part) has no subject.
func parseMarkup(source string, withSubject bool) (markup, error) {
	var m markup
	source = strings.TrimSpace(source)
	if withSubject {
		first, rest, _ := strings.Cut(source, "\n")
		subject, found := strings.CutPrefix(first, "Subject: ")
		if !found {
			return m, fmt.Errorf("line 1 is %q: expected the subject, for example %q", first, "Subject: Please read this")
		}
		m.subject, source = strings.TrimSpace(subject), strings.TrimSpace(rest)
	}
	var text, page strings.Builder
	paragraph := styles["p"]
	for _, piece := range blankLines.Split(source, -1) {
		if piece == "---" {
			text.WriteString("-- \n")
			page.WriteString(styles["hr"].open() + "\n")
			paragraph = styles["small"]
			continue
		}
		t, h := convert(unwrapped(piece), paragraph)
		text.WriteString(t + "\n")
		page.WriteString(h)
	}
	m.text, m.html = text.String(), page.String()
	return m, nil
}

// unwrapped splits a piece into its lines, an indented line joined to the item
// that it goes on with.
func unwrapped(piece string) []string {
	var lines []string
	for line := range strings.SplitSeq(piece, "\n") {
		if strings.HasPrefix(line, "  ") && len(lines) > 0 {
			lines[len(lines)-1] = glue(lines[len(lines)-1], strings.TrimSpace(line))
			continue
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// convert turns one piece into its text and its HTML.
func convert(lines []string, paragraph style) (text, page string) {
	items := slices.DeleteFunc(slices.Clone(lines), control.MatchString)
	switch {
	case len(items) == 0:
		all := strings.Join(lines, "\n")
		return all, all + "\n"
	case heading.MatchString(items[0]):
		part := heading.FindStringSubmatch(items[0])
		tag := fmt.Sprintf("h%d", len(part[1]))
		return headingMark + plain(part[2]) + "\n", styles[tag].wrap(rich(part[2])) + "\n"
	case all(items, numbered.MatchString):
		return list(lines, "ol", func(item string) string { return numbered.ReplaceAllString(item, "") })
	case all(items, func(item string) bool { return strings.HasPrefix(item, "- ") }):
		return list(lines, "ul", func(item string) string { return strings.TrimPrefix(item, "- ") })
	case all(items, row.MatchString):
		return table(lines)
	case all(items, picture.MatchString):
		return "", pictures(lines)
	}
	joined := lines[0]
	for _, line := range lines[1:] {
		joined = glue(joined, line)
	}
	return plain(joined) + "\n", paragraph.wrap(rich(joined)) + "\n"
}

func all(items []string, is func(string) bool) bool {
	return !slices.ContainsFunc(items, func(s string) bool { return !is(s) })
}

func list(lines []string, tag string, content func(string) string) (text, page string) {
	var t, h strings.Builder
	h.WriteString(styles[tag].open() + "\n")
	for _, line := range lines {
		if control.MatchString(line) {
			t.WriteString(line)
			h.WriteString(line)
			continue
		}
		t.WriteString(plain(line) + "\n")
		h.WriteString(styles["li"].wrap(rich(content(line))) + "\n")
	}
	h.WriteString("</" + tag + ">\n")
	return t.String(), h.String()
}

func table(lines []string) (text, page string) {
	var t, h strings.Builder
	h.WriteString(styles["table"].open() + "\n")
	for _, line := range lines {
		if control.MatchString(line) {
			t.WriteString(line)
			h.WriteString(line)
			continue
		}
		cell := row.FindStringSubmatch(line)
		t.WriteString(plain(cell[1]) + ": " + plain(cell[2]) + "\n")
		h.WriteString("<tr>" + styles["th"].wrap(rich(cell[1])) + styles["td"].wrap(rich(cell[2])) + "</tr>\n")
	}
	h.WriteString("</table>\n")
	return t.String(), h.String()
}

// pictures stand beside each other, each with its label below.
func pictures(lines []string) string {
	var h strings.Builder
	h.WriteString(styles["pictures"].open() + "<tr>\n")
	for _, line := range lines {
		part := picture.FindStringSubmatch(line)
		h.WriteString(styles["picture"].open())
		fmt.Fprintf(&h, `<img src="%s" alt="%s" width="120" height="120" style="display:block;border:0;margin:0 0 4px">`, part[3], html.EscapeString(part[1]))
		h.WriteString(rich(part[2]) + "</td>\n")
	}
	h.WriteString("</tr></table>\n")
	return h.String()
}

// plain is a piece's text for the text form.
func plain(s string) string {
	s = strong.ReplaceAllString(s, "$1")
	return link.ReplaceAllStringFunc(s, func(found string) string {
		part := link.FindStringSubmatch(found)
		label, target := part[1], part[2]
		switch {
		case target == "mailto:"+label:
			return label
		case target == "https://"+label, target == label:
			return target
		}
		return label + " <" + target + ">"
	})
}

// rich is a piece's text for the HTML form.
func rich(s string) string {
	s = escapeLiterals(s)
	s = strong.ReplaceAllString(s, styles["strong"].wrap("$1"))
	return link.ReplaceAllString(s, `<a href="$2" style="`+styles["a"].css+`">$1</a>`)
}

// escapeLiterals escapes what the author wrote; the actions are html/template's.
func escapeLiterals(s string) string {
	var out strings.Builder
	last := 0
	for _, at := range action.FindAllStringIndex(s, -1) {
		out.WriteString(html.EscapeString(s[last:at[0]]))
		out.WriteString(s[at[0]:at[1]])
		last = at[1]
	}
	out.WriteString(html.EscapeString(s[last:]))
	return out.String()
}

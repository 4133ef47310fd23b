package main

import (
	"fmt"
	"html"
	"strings"
)

// render writes the document as Markdown or as one HTML page that needs nothing
// else.
func render(d document, format string) string {
	if format == "html" {
		return d.html()
	}
	return d.markdown()
}

func (d document) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", inMarkdown(d.title))
	for _, p := range d.parts {
		fmt.Fprintf(&b, "\n## %s\n", inMarkdown(p.title))
		for _, s := range p.says {
			fmt.Fprintf(&b, "\n%s\n", inMarkdown(s))
		}
		for i, s := range p.steps {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "%d. %s\n", i+1, inMarkdown(s))
		}
		if len(p.rows) == 0 {
			continue
		}
		b.WriteString("\n")
		for i, row := range append([][]string{p.header}, p.rows...) {
			cells := make([]string, len(row))
			for c := range row {
				cells[c] = inMarkdown(row[c])
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
			if i == 0 {
				fmt.Fprintf(&b, "|%s\n", strings.Repeat(" --- |", len(row)))
			}
		}
	}
	return b.String()
}

// inMarkdown keeps what the operator wrote from being markup. A link stays one.
func inMarkdown(s string) string {
	words := strings.Fields(s)
	text := strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "|", `\|`, "&", "&amp;", "<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`, "#", `\#`,
	)
	link := strings.NewReplacer(`\`, "%5C", "`", "%60", "|", "%7C", "<", "%3C", ">", "%3E", "[", "%5B", "]", "%5D")
	for i, word := range words {
		word = printable(word)
		if strings.Contains(word, "://") {
			words[i] = link.Replace(word)
		} else {
			words[i] = text.Replace(word)
		}
	}
	return strings.Join(words, " ")
}

const documentStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.7rem}h2{font-size:1.25rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #767676;padding:.4rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
@media print{body{margin:0;max-width:none}h2{break-after:avoid}tr,li{break-inside:avoid}}`

func (d document) html() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%[1]s</title>\n<style>\n%[2]s\n</style>\n</head>\n<body>\n<h1>%[1]s</h1>\n", inHTML(d.title), documentStyle)
	for _, p := range d.parts {
		fmt.Fprintf(&b, "<h2>%s</h2>\n", inHTML(p.title))
		for _, s := range p.says {
			fmt.Fprintf(&b, "<p>%s</p>\n", inHTML(s))
		}
		if len(p.steps) > 0 {
			b.WriteString("<ol>\n")
			for _, s := range p.steps {
				fmt.Fprintf(&b, "<li>%s</li>\n", inHTML(s))
			}
			b.WriteString("</ol>\n")
		}
		if len(p.rows) > 0 {
			b.WriteString("<table>\n" + htmlRow("th", p.header))
			for _, row := range p.rows {
				b.WriteString(htmlRow("td", row))
			}
			b.WriteString("</table>\n")
		}
	}
	b.WriteString("</body>\n</html>\n")
	return b.String()
}

func htmlRow(cell string, texts []string) string {
	var b strings.Builder
	b.WriteString("<tr>")
	for _, t := range texts {
		fmt.Fprintf(&b, "<%[1]s>%[2]s</%[1]s>", cell, inHTML(t))
	}
	b.WriteString("</tr>\n")
	return b.String()
}

func inHTML(s string) string {
	return html.EscapeString(printable(strings.Join(strings.Fields(s), " ")))
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"sallyport/functions/audit/export"
	"sallyport/shared/rollout"
)

// auditTable shows an audit to a person, in 100 columns. It keeps the rows, to
// show them by class and name: what is too much for that is too much to read.
type auditTable struct {
	to     io.Writer
	tenant rollout.TenantID
	rows   []export.Row
}

const (
	tableWidth   = 100
	accountWidth = 34 // what the other columns leave of it
)

// Write implements [export.Writer].
func (a *auditTable) Write(r export.Row) error {
	a.rows = append(a.rows, r)
	return nil
}

// Close implements [export.Writer].
func (a *auditTable) Close(s export.Summary) error {
	classes := rollout.Classes()
	slices.SortStableFunc(a.rows, func(x, y export.Row) int {
		return cmp.Or(
			cmp.Compare(slices.Index(classes, x.Class), slices.Index(classes, y.Class)),
			cmp.Compare(strings.ToLower(x.UserPrincipalName), strings.ToLower(y.UserPrincipalName)),
		)
	})
	out := tabwriter.NewWriter(a.to, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "ACCOUNT\tCLASS\tCOUNTS\tCAPABLE\tENFORCED\tSTRENGTH")
	names := map[string]string{}
	for _, x := range a.rows {
		names[strings.ToLower(x.ID)] = x.UserPrincipalName
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n",
			short(printable(x.UserPrincipalName), accountWidth), x.Class, yesNo(&x.Counts), yesNo(x.Capable), orUnknown(x.Enforced), orUnknown(x.Strength))
	}
	fmt.Fprint(out, legend)
	fmt.Fprintf(out, "\nCoverage of %s: %d of %d who count are capable, %.1f %%\n", a.tenant, s.Coverage.Numerator, s.Coverage.Denominator, s.Coverage.Percent)
	for _, class := range classes {
		if n := s.Coverage.PerClass[class]; n > 0 {
			fmt.Fprintf(out, "  %s\t%d\n", class, n)
		}
	}
	if len(s.Findings) == 0 {
		fmt.Fprintln(out, "\nNo findings.")
	}
	for _, f := range s.Findings {
		fmt.Fprintf(out, "\n%s%s%s%s", wrapped("", "  ", f.Severity+": "+f.Text),
			labelled("accounts", concerned(f, names)), labelled("evidence", f.Evidence), labelled("to do", f.Remedy))
	}
	for _, m := range s.Missing {
		fmt.Fprintf(out, "\n%s", wrapped("", "  ", fmt.Sprintf("not known: %s (%s): %s", m.Listing, m.Reason, m.Consequence)))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	return nil
}

// legend says what the columns mean.
const legend = `
COUNTS    in coverage: people do, once they are no longer new
CAPABLE   could pass MFA today
ENFORCED  MFA is demanded always, partly (of some applications, under conditions) or not
STRENGTH  of the best method that can be used; weak is SMS and voice
`

// mostConcerned is how many accounts of a finding are named. All are in the JSON.
const mostConcerned = 5

// concerned names accounts of a finding as the table calls them.
func concerned(f export.Finding, names map[string]string) string {
	var who []string
	for _, id := range f.Accounts[:min(len(f.Accounts), mostConcerned)] {
		who = append(who, cmp.Or(names[strings.ToLower(id)], id))
	}
	text := strings.Join(who, ", ")
	if more := max(f.Count, len(f.Accounts)) - len(who); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return strings.TrimSpace(text)
}

// labelled is a line of a finding; nothing where there is nothing to say.
func labelled(label, text string) string {
	return wrapped(fmt.Sprintf("  %-10s", label), "            ", text)
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return "unknown"
	case *b:
		return "yes"
	}
	return "no"
}

func orUnknown[T ~string](s *T) string {
	if s == nil {
		return "unknown"
	}
	return string(*s)
}

// short is the text in so many characters, with a sign where it goes on.
func short(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// wrapped is the text in lines of the table's width, broken between words: the
// first behind one lead, the others behind another.
func wrapped(lead, others, text string) string {
	var b strings.Builder
	left := 0
	for i, word := range strings.Fields(printable(text)) {
		n := len([]rune(word))
		switch {
		case i == 0:
			b.WriteString(lead + word)
			left = tableWidth - len(lead) - n
		case n < left:
			b.WriteString(" " + word)
			left -= n + 1
		default:
			b.WriteString("\n" + others + word)
			left = tableWidth - len(others) - n
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return b.String() + "\n"
}

// printable keeps what a tenant's names hold from driving the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || slices.Contains([]rune{0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069}, r) {
			return '?'
		}
		return r
	}, s)
}

package rehearsal

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

// Progress shows a rehearsal as it runs: on a terminal one line that is drawn
// anew, above it what happened; elsewhere plain lines. A word of the trade is
// explained where it first appears.
type Progress struct {
	out       io.Writer
	terminal  bool
	explained map[string]bool
}

// NewProgress writes to out.
func NewProgress(out io.Writer, terminal bool) *Progress {
	return &Progress{out: out, terminal: terminal, explained: map[string]bool{}}
}

const (
	barWidth = 24
	// dayLines is how much of a day is shown: in a large tenant much happens.
	dayLines = 14
)

// glossary explains a word when a line first holds it.
var glossary = []struct{ word, means string }{
	{"wave", "a wave is a group of people with one date: administrators first, then everyone; \"ready\" are those who need do nothing"},
	{"gate", "a gate is a question that must be answered with yes before a switch; held means that nothing is switched until it is"},
	{"drill", "a drill proves that the use of an emergency account raises an alert"},
	{"locked out", "stopped, and not in again within an hour: the help desk is told who and why"},
}

// Day shows one day. It has the shape of [Options.Progress]. A terminal that is
// gone does not stop a rehearsal: its results are in files.
func (p *Progress) Day(d Day) { _, _ = io.WriteString(p.out, p.day(d)) }

func (p *Progress) day(d Day) string {
	var b strings.Builder
	if p.terminal {
		b.WriteString("\r\x1b[K")
	}
	if d.N == 1 {
		fmt.Fprintf(&b, "%d days in a simulated tenant. Each line: the day, the share of people able to use MFA, and what happened.\n\n", d.Of)
	}
	lines := p.lines(d)
	when := fmt.Sprintf("day %2d  %s  %5.1f %%", d.N, d.Date.At(12, 0, time.UTC).Format("Mon 02 Jan"), d.Coverage)
	for i, line := range lines {
		if i > 0 {
			when = strings.Repeat(" ", len(when))
		}
		fmt.Fprintf(&b, "%s  %s\n", when, line)
	}
	switch {
	case p.terminal:
		full := int(d.Coverage / 100 * barWidth)
		fmt.Fprintf(&b, "[%s%s] %5.1f %%  day %d of %d", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), d.Coverage, d.N, d.Of)
		if d.N == d.Of {
			fmt.Fprintln(&b)
		}
	case len(lines) == 0 && (d.N%7 == 0 || d.N == d.Of):
		fmt.Fprintln(&b, when)
	}
	return b.String()
}

func (p *Progress) lines(d Day) []string {
	said := d.Said
	if more := len(said) - dayLines; more > 0 {
		said = append(slices.Clone(said[:dayLines]), fmt.Sprintf("and %d things more", more))
	}
	var lines []string
	for _, line := range said {
		lines = append(lines, line)
		for _, g := range glossary {
			if !p.explained[g.word] && strings.Contains(line, g.word) {
				p.explained[g.word] = true
				lines = append(lines, "  ("+g.means+")")
			}
		}
	}
	if mail := mailLine(d.Mailed); mail != "" {
		lines = append(lines, "mail: "+mail)
	}
	return lines
}

// mailLine counts the messages of a day by kind.
func mailLine(mailed map[rollout.MessageKind]int) string {
	var parts []string
	for _, k := range kindWords {
		if n := mailed[k.kind]; n > 0 {
			parts = append(parts, count(n, k.one))
		}
	}
	return strings.Join(parts, ", ")
}

// Paths is where a rehearsal left its results.
type Paths struct {
	Report, Mail, Timeline string
}

// WriteSummary says what a rehearsal came to and where to look.
func (t Timeline) WriteSummary(out io.Writer, paths Paths) error {
	var b strings.Builder
	loc := t.detail.cfg.Location()
	at := func(moment time.Time) string { return moment.In(loc).Format("Mon 2 Jan 15:04") }
	fmt.Fprintf(&b, "\n%s: from %.1f %% to %.1f %% of people able to use MFA, in %s.\n", t.Tenant, t.Coverage.Start, t.Coverage.End, count(t.Days, "day"))
	for _, w := range t.Waves {
		fmt.Fprintf(&b, "  wave %-16s %s", w.Name, w.State)
		if w.EnforcedAt != nil {
			fmt.Fprintf(&b, ", switched %s", at(*w.EnforcedAt))
		}
		fmt.Fprintln(&b)
	}
	for _, h := range t.Holds {
		until := "and still is"
		if h.To != nil {
			until = "for " + span(h.To.Sub(h.From))
		}
		fmt.Fprintf(&b, "  wave %s was held by the gate %s on %s, %s\n", h.Wave, h.Gate, at(h.From), until)
	}
	sent := 0
	for _, n := range t.Messages {
		sent += n
	}
	fmt.Fprintf(&b, "  %s, %s", count(sent, "message"), count(len(t.Alerts), "alert"))
	if slowest, ok := t.SlowestAlert(); ok {
		fmt.Fprintf(&b, " (the slowest left %s after its sign-in)", span(slowest))
	}
	fmt.Fprintf(&b, ", %s, %s left\n", count(len(t.LockOuts), "lock-out"), count(len(t.Holdouts), "holdout"))
	if len(t.Violations) == 0 {
		fmt.Fprintln(&b, "  none of the eight promises was broken")
	}
	for _, v := range t.Violations {
		fmt.Fprintf(&b, "  VIOLATED %s\n", v)
	}
	fmt.Fprintf(&b, "\nLook at\n  %s\n  %s\n  %s\n", paths.Report, paths.Mail, paths.Timeline)
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

// MedianAlert is the time from a sign-in to its alert that half of them did not
// pass.
func (t Timeline) MedianAlert() (time.Duration, bool) {
	var all []time.Duration
	for _, a := range t.Alerts {
		if a.AlertedAt != nil {
			all = append(all, a.AlertedAt.Sub(a.OccurredAt))
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return all[(len(all)-1)/2], true
}

// SlowestAlert is the longest time from a sign-in to its alert.
func (t Timeline) SlowestAlert() (time.Duration, bool) {
	var slowest time.Duration
	found := false
	for _, a := range t.Alerts {
		if a.AlertedAt != nil {
			found = true
			slowest = max(slowest, a.AlertedAt.Sub(a.OccurredAt))
		}
	}
	return slowest, found
}

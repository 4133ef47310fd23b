package rehearsal

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Progress shows a rehearsal as it runs: on a terminal one line that is drawn
// anew, above it what happened; elsewhere plain lines.
type Progress struct {
	out      io.Writer
	terminal bool
	last     float64
}

// NewProgress writes to out.
func NewProgress(out io.Writer, terminal bool) *Progress {
	return &Progress{out: out, terminal: terminal, last: -1}
}

const barWidth = 24

// Day shows one day. It has the shape of [Options.Progress].
func (p *Progress) Day(d Day) {
	when := fmt.Sprintf("day %2d  %s", d.N, d.Date.At(12, 0, time.UTC).Format("Mon 02 Jan"))
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	for i, said := range d.Said {
		if i > 0 {
			when = strings.Repeat(" ", len(when))
		}
		fmt.Fprintf(p.out, "%s  %5.1f %%  %s\n", when, d.Coverage, said)
	}
	switch {
	case p.terminal:
		full := int(d.Coverage / 100 * barWidth)
		fmt.Fprintf(p.out, "[%s%s] %5.1f %%  day %d of %d", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), d.Coverage, d.N, d.Of)
		if d.N == d.Of {
			fmt.Fprintln(p.out)
		}
	case len(d.Said) == 0 && (d.N%7 == 0 || d.N == d.Of):
		fmt.Fprintf(p.out, "%s  %5.1f %%\n", when, d.Coverage)
	}
}

// Paths is where a rehearsal left its results.
type Paths struct {
	Report, Mail, Timeline string
}

// WriteSummary says what a rehearsal came to and where to look.
func (t Timeline) WriteSummary(out io.Writer, paths Paths) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: coverage went from %.1f %% to %.1f %% in %d days.\n", t.Tenant, t.Coverage.Start, t.Coverage.End, t.Days)
	for _, w := range t.Waves {
		fmt.Fprintf(&b, "  wave %-16s %s", w.Name, w.State)
		if w.EnforcedAt != nil {
			fmt.Fprintf(&b, ", switched %s", w.EnforcedAt.Format("Mon 2 Jan 15:04 UTC"))
		}
		fmt.Fprintln(&b)
	}
	sent := 0
	for _, n := range t.Messages {
		sent += n
	}
	fmt.Fprintf(&b, "  %d messages, %d alerts", sent, len(t.Alerts))
	if slowest, ok := t.SlowestAlert(); ok {
		fmt.Fprintf(&b, " (the slowest left %d minutes after its sign-in)", int(slowest.Minutes()))
	}
	fmt.Fprintf(&b, ", %d lock-outs, %d holdouts left\n", len(t.LockOuts), len(t.Holdouts))
	for _, h := range t.Holds {
		until := "still held"
		if h.To != nil {
			until = "until " + h.To.Format("Mon 2 Jan 15:04 UTC")
		}
		fmt.Fprintf(&b, "  %s was held by the gate %s from %s, %s\n", h.Wave, h.Gate, h.From.Format("Mon 2 Jan 15:04 UTC"), until)
	}
	if len(t.Violations) == 0 {
		fmt.Fprintln(&b, "  none of the eight properties was violated")
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

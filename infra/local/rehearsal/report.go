package rehearsal

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

//go:embed report.html
var reportPage string

// WriteReport writes the report page: one HTML file that asks nobody for
// anything, for the administrator and for whoever he reports to. The same
// timeline gives the same bytes.
func (t Timeline) WriteReport(w io.Writer) error {
	page, err := template.New("report").Parse(reportPage)
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	view, err := newReport(t)
	if err != nil {
		return err
	}
	if err := page.Execute(w, view); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// report is what the page shows, in words.
type report struct {
	Timeline
	Zone         string
	Organization string
	Until        string
	Since        string
	Capable      int
	Counted      int
	Sent         int
	Slowest      string // minutes; empty without an alert
	Median       string
	Wide, Narrow template.HTML
	Marks        []markLine
	Points       []pointLine
	WaveLines    []waveLine
	HoldLines    []holdLine
	Gates        []gateLine
	Kinds        []kindLine
	AlertLines   []alertLine
	DrillLines   []drillLine
	ProvenAt     string // empty without a proof
	ProvenCount  string
	ProofLines   []proofLine
	Changed      []changedLine
	LockOutLines []lockOutLine
	HoldoutLines []string
	ClassLines   []classLine
	Parts        []partTable
	Findings     []findingLine
	Changes      []changeLine
	LogHead      string   // where the change log ends
	Told         []string // violations, with names
	FaultLines   []countLine
	FailureLines []countLine

	names map[string]string
	loc   *time.Location
}

func newReport(t Timeline) (*report, error) {
	r := &report{Timeline: t, loc: t.detail.cfg.Location(), names: map[string]string{}}
	r.Zone = r.loc.String()
	r.Organization = t.detail.audit.Organization.DisplayName
	r.Since, r.Until = day(t.From), day(t.From.AddDays(max(t.Days-1, 0)))
	r.nameEverything()
	r.coverage()
	r.waves()
	r.holds()
	r.messages()
	r.alerts()
	r.drills()
	r.proof()
	r.lockOuts()
	r.classes()
	r.parts()
	r.rest()
	var err error
	marks := make([]mark, 0, len(r.Marks))
	for _, m := range r.Marks {
		marks = append(marks, mark{m.Number, m.day})
	}
	if r.Wide, err = coverageChart(t.points, marks, 860); err != nil {
		return nil, err
	}
	r.Narrow, err = coverageChart(t.points, marks, 400)
	return r, err
}

// nameEverything notes how to call what the tenant calls by an id.
func (r *report) nameEverything() {
	d := r.detail
	for id, name := range d.policies {
		if name != "" {
			r.names[strings.ToLower(id)] = `"` + name + `"`
		}
	}
	for _, g := range d.known.Groups {
		if g.ID != "" {
			r.names[strings.ToLower(g.ID)] = "group " + g.Purpose
		}
	}
	for _, p := range d.known.Policies {
		if p.ID != "" {
			r.names[strings.ToLower(p.ID)] = "policy of wave " + p.Wave
		}
	}
	for _, a := range d.accounts {
		if a.DisplayName != "" {
			r.names[strings.ToLower(a.ID)] = a.DisplayName
		}
	}
}

func (r *report) name(id string) string {
	if name, known := r.names[strings.ToLower(id)]; known {
		return name
	}
	return id
}

var objectID = regexp.MustCompile(`(?i)\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)

// idList is two or more ids in a row, as the change log of a group has them.
var idList = regexp.MustCompile(`(?i)\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}([ ,;]+[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})+\b`)

// inWords puts names in place of ids, and a count in place of a long list.
func (r *report) inWords(text string) string {
	text = idList.ReplaceAllStringFunc(text, func(list string) string {
		var names []string
		for _, id := range objectID.FindAllString(list, -1) {
			names = append(names, r.name(id))
		}
		return shortened(names, 3)
	})
	return objectID.ReplaceAllStringFunc(text, r.name)
}

func day(d rollout.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.At(12, 0, time.UTC).Format("2 January 2006")
}

// moment is a time of the tenant's own clock; empty for one that did not come.
func (r *report) moment(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.In(r.loc).Format("Mon 2 Jan, 15:04")
}

// span says how long something took, as people say it.
func span(d time.Duration) string {
	minutes := int(d.Round(time.Minute) / time.Minute)
	switch {
	case minutes < 120:
		return count(minutes, "minute")
	case minutes < 48*60:
		text := count(minutes/60, "hour")
		if minutes%60 > 0 {
			text += " " + count(minutes%60, "minute")
		}
		return text
	}
	return count(minutes/60/24, "day")
}

// count says how many of something there are.
func count(n int, noun string) string {
	switch stem, y := strings.CutSuffix(noun, "y"); {
	case n == 1:
	case y && !strings.HasSuffix(noun, "day"):
		noun = stem + "ies"
	default:
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

func percent(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func (r *report) coverage() {
	r.Capable, r.Counted = r.Final.Capable, r.Final.Counted
	for _, p := range weekly(r.points) {
		c := p.Coverage
		r.Points = append(r.Points, pointLine{day(p.Day), percent(c.Percent()), c.Capable, c.All, c.Weak})
	}
	switched := slices.DeleteFunc(slices.Clone(r.Timeline.Waves), func(w WaveLine) bool { return w.EnforcedAt == nil })
	slices.SortStableFunc(switched, func(a, b WaveLine) int { return a.EnforcedAt.Compare(*b.EnforcedAt) })
	for i, w := range switched {
		at := w.EnforcedAt.In(r.loc)
		r.Marks = append(r.Marks, markLine{i + 1, w.Name, r.moment(w.EnforcedAt), rollout.DateOf(at)})
	}
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"sallyport/shared/config"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

func planVerb() verb {
	return verb{
		name: "plan", operands: "FILE",
		summary: "validate a rollout.yaml and show the days that follow from it",
		about: `Reads a rollout.yaml, names every mistake with its line, and shows the timeline
that follows from the file and the gates that each switch must pass. With a copy
of the tenant it also says whom each wave holds, and what the file names but the
tenant does not have. Nothing is applied. FILE may be - for standard input.`,
		examples: []string{
			"sallyport plan rollout.yaml",
			"sallyport plan rollout.yaml --tenant snapshot/",
			"sallyport plan rollout.yaml --json | jq '.timeline[] | select(.what == \"deadline\")'",
		},
		prepare: func(f *flag.FlagSet) action {
			p := &planner{}
			f.StringVar(&p.tenant, "tenant", "", "a `folder` made by snapshot, to hold the file to")
			f.StringVar(&p.at, "at", "", "judge the tenant as of this `day`, YYYY-MM-DD; empty: today")
			return p.run
		},
	}
}

type planner struct{ tenant, at string }

// planned is what `sallyport plan --json` answers.
type planned struct {
	Tenant   rollout.TenantID `json:"tenant"`
	TimeZone string           `json:"timeZone"`
	Method   rollout.Method   `json:"method"`
	Paused   bool             `json:"paused"`
	Snapshot *plannedTenant   `json:"snapshot"` // null without --tenant
	Timeline []plannedDay     `json:"timeline"`
	Gates    []plannedGate    `json:"gates"`
	Warnings []config.Problem `json:"warnings"`
	// Problems is not empty if and only if the file is not valid; there is no
	// timeline then.
	Problems []config.Problem `json:"problems"`
}

type plannedDay struct {
	rollout.TimelineEntry
	Weekday string `json:"weekday"`
}

type plannedGate struct {
	ID       string          `json:"id"`
	Question string          `json:"question"`
	Remedy   string          `json:"remedy"`
	Waivable bool            `json:"waivable"`
	Waiver   *rollout.Waiver `json:"waiver"` // null: the gate must hold
}

func (p *planner) run(ctx context.Context, s session) error {
	if len(s.operands) != 1 {
		return usageError{fmt.Sprintf("expected one FILE, got %d", len(s.operands))}
	}
	name, data, err := readInput(s.operands[0], s.stdin)
	if err != nil {
		return err
	}
	cfg, warnings, err := config.Parse(name, data, config.Options{Languages: mail.Languages(), Gates: rollout.GateIDs()})
	var invalid *config.InvalidError
	if errors.As(err, &invalid) {
		return showInvalid(s, invalid, warnings)
	}
	if err != nil {
		return err
	}
	var snapshot *plannedTenant
	if p.tenant != "" {
		asked, found, err := p.ask(ctx, s, cfg)
		if err != nil {
			return err
		}
		for _, w := range found {
			w.File = name
			warnings = append(warnings, w)
		}
		snapshot, cfg.Method = asked, asked.Method // the days follow from the method it comes to
	}
	answer := newPlanned(cfg, warnings)
	answer.Snapshot = snapshot
	if s.json {
		return s.writeJSON(answer)
	}
	return writePlan(s.stdout, cfg, answer)
}

// readInput reads a file that the operator named, or standard input for -. Not
// all of an endless one: what is over the limit is only told to be.
func readInput(name string, stdin io.Reader) (string, []byte, error) {
	input := stdin
	if name == "-" {
		name = "standard input"
	} else {
		file, err := os.Open(name)
		if err != nil {
			return "", nil, fmt.Errorf("the file cannot be opened: %w", err)
		}
		defer file.Close()
		input = file
	}
	data, err := io.ReadAll(io.LimitReader(input, config.MaxBytes+1))
	if err != nil {
		return "", nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	return name, data, nil
}

func showInvalid(s session, invalid *config.InvalidError, warnings []config.Problem) error {
	if s.json {
		answer := newPlanned(rollout.Config{}, warnings)
		answer.Timeline, answer.Gates, answer.Problems = []plannedDay{}, []plannedGate{}, invalid.Problems
		if err := s.writeJSON(answer); err != nil {
			return err
		}
		return shownError{invalid}
	}
	for _, w := range warnings {
		fmt.Fprintf(s.stderr, "warning: %s\n", w)
	}
	fmt.Fprintln(s.stderr, invalid)
	return shownError{invalid}
}

func newPlanned(cfg rollout.Config, warnings []config.Problem) planned {
	answer := planned{
		Tenant: cfg.Tenant, TimeZone: cfg.TimeZone, Method: cfg.Method, Paused: cfg.Paused,
		Timeline: []plannedDay{}, Gates: []plannedGate{},
		Warnings: append([]config.Problem{}, warnings...), Problems: []config.Problem{},
	}
	for _, entry := range rollout.Timeline(cfg) {
		answer.Timeline = append(answer.Timeline, plannedDay{entry, entry.Day.Weekday().String()})
	}
	for _, g := range rollout.Gates() {
		gate := plannedGate{ID: g.ID, Question: g.Question, Remedy: g.Remedy, Waivable: g.Waivable}
		if i := slices.IndexFunc(cfg.Waivers, func(w rollout.Waiver) bool { return w.Gate == g.ID }); i >= 0 {
			gate.Waiver = &cfg.Waivers[i]
		}
		answer.Gates = append(answer.Gates, gate)
	}
	return answer
}

// writePlan shows the plan to a person.
func writePlan(out io.Writer, cfg rollout.Config, answer planned) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is valid.\n\n", cfg.Tenant)
	writeSettings(&b, cfg)
	if answer.Snapshot != nil {
		writeTenant(&b, *answer.Snapshot)
	}
	writeTimeline(&b, answer.Timeline)
	writeGates(&b, answer.Gates)
	for _, w := range answer.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

func writeSettings(b *strings.Builder, cfg rollout.Config) {
	method := string(cfg.Method)
	if cfg.Method == rollout.MethodAuto {
		method = "auto: Conditional Access with Entra ID P1, else Security Defaults"
	}
	rows := [][]string{
		{"method", method},
		{"switches", fmt.Sprintf("Monday to Thursday, %d:00 to %d:00 %s, no holidays", cfg.Enforcement.FromHour, cfg.Enforcement.ToHour, cfg.TimeZone)},
		{"messages", "Monday to Friday, no holidays"},
	}
	for _, w := range cfg.Waves {
		who := fmt.Sprintf("%s, switched when %v %% of them can do MFA", w.Members, w.NeededCoverage())
		if w.Members == rollout.MembersCapable {
			who = "each person from the day they can do MFA"
		}
		rows = append(rows, []string{"wave " + w.Name, who})
	}
	if cfg.Paused {
		rows = append(rows, []string{"paused", "nothing is sent or switched until you set paused: false"})
	}
	writeTable(b, "", rows)
}

func writeTimeline(b *strings.Builder, days []plannedDay) {
	var rows [][]string
	for _, d := range days {
		wave := d.Wave
		if wave == "" {
			wave = "-"
		}
		rows = append(rows, []string{d.Weekday[:3] + " " + d.Day.String(), words(d.What), wave, d.Detail})
	}
	writeTable(b, "If every gate holds on its day:", rows)
}

// words say what a milestone means to somebody who sees it for the first time.
func words(what rollout.Milestone) string {
	switch what {
	case rollout.MilestoneAnnouncement:
		return "announcement to everybody"
	case rollout.MilestoneObservation:
		return "observation begins, nobody is stopped"
	case rollout.MilestoneReminder:
		return "reminder to those who still have to act"
	case rollout.MilestoneOpens:
		return "MFA demanded from here on"
	case rollout.MilestoneDeadline:
		return "DEADLINE: MFA demanded"
	case rollout.MilestoneDrill:
		return "drill of an emergency account"
	case rollout.MilestoneInvitation:
		return "invitation to a drill"
	}
	return string(what)
}

func writeGates(b *strings.Builder, gates []plannedGate) {
	var rows [][]string
	for _, g := range gates {
		note := ""
		switch {
		case g.Waiver != nil:
			note = fmt.Sprintf("(waived until %s by %s)", g.Waiver.Until, g.Waiver.Owner)
		case !g.Waivable:
			note = "(can never be waived)"
		}
		rows = append(rows, []string{g.ID, strings.TrimSpace(g.Question + " " + note)})
	}
	writeTable(b, "What must hold before each switch:", rows)
}

// writeTable writes rows in aligned columns under a title, and an empty line.
func writeTable(b *strings.Builder, title string, rows [][]string) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(table, "  %s\n", strings.Join(row, "\t"))
	}
	table.Flush() // a Builder never fails
	if title != "" {
		b.WriteString(title + "\n")
	}
	for line := range strings.Lines(text.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	b.WriteString("\n")
}

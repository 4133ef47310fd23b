package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"sallyport/functions/audit/export"
	"sallyport/shared/rollout"
)

func blastVerb() verb {
	return verb{
		name:    "blast",
		summary: "name whom a wave's switch would stop, why, and whether they were told",
		about: `Joins what the report-only policy saw with who can do MFA, and names every account
that could not sign in after the switch: why, what it was told, and whether that
arrived. Those who still need something done come first. The list is that of the
wave's deadline, or of --on. It names people: keep it as you would the directory.

Next: call them; or accept by name whom you want to be stopped all the same, with
sallyport accept.`,
		examples: []string{
			"sallyport blast --wave everyone --table sallyport",
			"sallyport blast --wave everyone --table sallyport --format csv > blast.csv",
			"sallyport blast --wave everyone --tenant snapshot/ --config rollout.yaml",
		},
		prepare: func(f *flag.FlagSet) action {
			b := &blastCommand{}
			b.from.declare(f)
			f.StringVar(&b.wave, "wave", "", "the wave's `name`")
			f.StringVar(&b.on, "on", "", "as if switched on this `day`, YYYY-MM-DD; empty: the deadline, or today if that is over")
			f.StringVar(&b.format, "format", "", "the `FORMAT`: table, csv or json; empty: table")
			return b.run
		},
	}
}

type blastCommand struct {
	from             gatherer
	wave, on, format string
}

// blastAnswer is what `sallyport blast --json` answers.
type blastAnswer struct {
	Tenant rollout.TenantID `json:"tenant"`
	Wave   string           `json:"wave"`
	Day    rollout.Date     `json:"day"`
	Method rollout.Method   `json:"method"`
	// ToldKnown is false where the table was not read: nobody knows who was told.
	ToldKnown bool            `json:"toldKnown"`
	Stopped   []rollout.Blast `json:"stopped"`
}

func (b *blastCommand) run(ctx context.Context, s session) error {
	if err := b.choose(s); err != nil {
		return err
	}
	all, err := b.from.gather(ctx, s)
	if err != nil {
		return err
	}
	waves, err := all.waves(b.wave)
	if err != nil {
		return err
	}
	day, err := b.day(all, waves[0])
	if err != nil {
		return err
	}
	answer := blastAnswer{
		Tenant: all.cfg.Tenant, Wave: b.wave, Day: day, Method: all.seen.Audit.Method, ToldKnown: b.from.table != "",
		Stopped: append([]rollout.Blast{}, rollout.BlastList(all.cfg, all.seen, all.known, waves[0], day)...),
	}
	switch b.format {
	case "json":
		return s.writeJSON(answer)
	case "csv":
		return export.WriteSheet(s.stdout, blastColumns(), blastRows(answer))
	}
	return writeBlast(s.stdout, answer)
}

func (b *blastCommand) choose(s session) error {
	switch {
	case len(s.operands) > 0:
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	case b.wave == "":
		return usageError{"--wave names no wave: each has a list of its own"}
	case s.json && b.format != "" && b.format != "json":
		return usageError{fmt.Sprintf("--json and --format %s are two formats; choose one", b.format)}
	case s.json:
		b.format = "json"
	case b.format == "":
		b.format = "table"
	}
	if formats := []string{"table", "csv", "json"}; !slices.Contains(formats, b.format) {
		return usageError{fmt.Sprintf("--format %s: expected one of %s", b.format, strings.Join(formats, ", "))}
	}
	return nil
}

func (b *blastCommand) day(all gathered, wave rollout.WaveConfig) (rollout.Date, error) {
	if b.on != "" {
		day, err := rollout.ParseDate(b.on)
		if err != nil {
			return day, usageError{"--on " + err.Error()}
		}
		return day, nil
	}
	today := rollout.DateOf(all.now.In(all.cfg.Location()))
	if wave.Deadline.Before(today) {
		return today, nil
	}
	return wave.Deadline, nil
}

// blastColumns are those of the sheet; a new one goes to the end.
func blastColumns() []string {
	return []string{
		"account", "userPrincipalName", "displayName", "department", "class", "why", "codes", "trial", "trialOn",
		"told", "toldOn", "arrived", "notReached", "inTime", "acceptedBy", "leftOut",
	}
}

func blastRows(answer blastAnswer) [][]string {
	var rows [][]string
	for _, b := range answer.Stopped {
		var codes []string
		for _, r := range b.Reasons {
			codes = append(codes, r.Code)
		}
		rows = append(rows, []string{
			b.Account, b.UserPrincipalName, b.DisplayName, b.Department, string(b.Class), b.Why(), strings.Join(codes, " "), b.Trial, dayCell(b.TrialOn),
			string(b.Told), dayCell(b.ToldOn), string(b.Arrived), b.NotReached, yesNo(&b.InTime), b.AcceptedBy, yesNo(&b.LeftOut),
		})
	}
	return rows
}

func dayCell(d rollout.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func writeBlast(out io.Writer, answer blastAnswer) error {
	var b strings.Builder
	if len(answer.Stopped) == 0 {
		fmt.Fprintf(&b, "Wave %s on %s: nobody is stopped.\n", answer.Wave, answer.Day)
	} else {
		fmt.Fprintf(&b, "Wave %s on %s: %d accounts could not sign in.\n\n", answer.Wave, answer.Day, len(answer.Stopped))
		table := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "ACCOUNT\tCLASS\tTOLD\tWHY")
		for _, x := range answer.Stopped {
			told := "not known from a folder"
			if answer.ToldKnown {
				told = x.Notice()
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", short(printable(x.UserPrincipalName), accountWidth), x.Class, printable(told), printable(x.Why()))
		}
		table.Flush() // a Builder never fails
		b.WriteString("\nNext: call them; or accept by name whom you want to be stopped all the same: sallyport accept --help\n")
	}
	if answer.Method == rollout.MethodSecurityDefaults {
		b.WriteString("\nSecurity Defaults leave nobody out: exempt accounts, service accounts and guests are on the list too.\n")
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	return nil
}

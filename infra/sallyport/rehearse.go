package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/config"
	"sallyport/shared/job"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

func rehearseVerb() verb {
	return verb{
		name:    "rehearse",
		summary: "run the whole rollout against a simulated copy of a tenant",
		about: `Runs every function of Sallyport against a simulated tenant, day by day, at the
speed of the machine: the built-in sample, or a copy of your own that
"sallyport snapshot" made. Nothing leaves this machine. It ends with a report,
every message that would have been sent, and a timeline.

Without --config a plan is proposed for a copy of your own tenant: it starts
tomorrow, and takes as emergency accounts those that can be proven to be some.`,
		examples: []string{
			"sallyport rehearse",
			"sallyport rehearse --faults 0.05 --seed 7",
			"sallyport rehearse --tenant snapshot/ --config rollout.yaml --out out/rehearsal",
		},
		prepare: func(f *flag.FlagSet) action {
			r := &rehearse{}
			f.StringVar(&r.tenant, "tenant", "sample", "`sample`, or a folder made by snapshot")
			f.StringVar(&r.config, "config", "", "a rollout.yaml `FILE`; empty: the sample's, or a proposed one")
			f.IntVar(&r.days, "days", 60, "how many `days`")
			f.Uint64Var(&r.seed, "seed", 1, "the same `seed` gives the same rehearsal")
			f.Float64Var(&r.faults, "faults", 0, "share of remote calls that fail, 0 to 0.5")
			f.StringVar(&r.out, "out", filepath.Join("out", "rehearsal"), "folder for the report, the mail and the timeline")
			f.StringVar(&r.start, "start", "", "first `day` as YYYY-MM-DD; empty: the day before the announcement")
			return r.run
		},
	}
}

type rehearse struct {
	tenant, config, out, start string
	days                       int
	seed                       uint64
	faults                     float64
}

func (r *rehearse) run(ctx context.Context, s session) error {
	switch {
	case len(s.operands) > 0:
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	case r.days < 1 || r.days > 730:
		return usageError{fmt.Sprintf("--days %d: expected 1 to 730", r.days)}
	case r.faults < 0 || r.faults > 0.5:
		return usageError{fmt.Sprintf("--faults %g: expected 0 to 0.5", r.faults)}
	case r.out == "":
		return usageError{"--out names no folder"}
	}
	// A rehearsal makes much garbage and little that lasts: collecting it less
	// often is a third of its time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))

	if err := prepareOut(r.out); err != nil {
		return err
	}
	folder := filepath.Join(r.out, "mail")
	if err := emptyMailbox(folder); err != nil {
		return err
	}
	renderer, err := mail.NewRenderer()
	if err != nil {
		return fmt.Errorf("read the mail templates: %w", err)
	}
	mailbox, err := mail.NewFile(folder)
	if err != nil {
		return err
	}
	options, err := r.options(s, renderer)
	if err != nil {
		return err
	}
	options.Days, options.Faults, options.Mailbox = r.days, r.faults, mailbox
	var progress *rehearsal.Progress
	if !s.json {
		progress = rehearsal.NewProgress(s.stdout, isTerminal(s.stdout))
		options.Progress = progress.Day
	}
	timeline, err := rehearsal.Run(ctx, options)
	if err != nil {
		return err
	}
	if err := mailbox.Close(); err != nil {
		return fmt.Errorf("close the mailbox: %w", err)
	}
	return r.finish(s, timeline)
}

// options are the sample's, or those of a folder.
func (r *rehearse) options(s session, renderer *mail.Renderer) (rehearsal.Options, error) {
	var o rehearsal.Options
	var err error
	if r.tenant == "sample" {
		if o, err = rehearsal.Sample(r.seed, renderer); err != nil {
			return o, err
		}
	} else {
		o = rehearsal.Options{Clock: rehearsal.NewClock(job.Wall{}.Now()), Seed: r.seed, Renderer: renderer, Story: &rehearsal.Story{}}
		if o.Tenant, err = loadTenant(s, r.tenant, r.seed, o.Clock); err != nil {
			return o, err
		}
		o.Config, o.Start = rehearsal.Propose(o.Tenant, rollout.DateOf(job.Wall{}.Now()))
	}
	if r.config != "" {
		if o.Config, err = readConfig(s, r.config); err != nil {
			return o, err
		}
		o.Start = o.Config.Announce.AddDays(-1).At(0, 0, o.Config.Location())
	}
	if r.start != "" {
		day, err := rollout.ParseDate(r.start)
		if err != nil {
			return o, usageError{"--start " + err.Error()}
		}
		o.Start = day.At(0, 0, o.Config.Location())
	}
	o.Clock.Set(o.Start)
	return o, nil
}

// readConfig reads a rollout.yaml that has to be valid; its warnings are shown.
func readConfig(s session, file string) (rollout.Config, error) {
	name, data, err := readInput(file, s.stdin)
	if err != nil {
		return rollout.Config{}, err
	}
	cfg, warnings, err := config.Parse(name, data, config.Options{Languages: mail.Languages(), Gates: rollout.GateIDs()})
	for _, w := range warnings {
		fmt.Fprintf(s.stderr, "warning: %s\n", w)
	}
	return cfg, err
}

// loadTenant reads a folder and names, on standard error, what it lacks and what
// could not be read.
func loadTenant(s session, dir string, seed uint64, clock tenant.Clock) (*tenant.Tenant, error) {
	t, report, err := tenant.Load(dir, seed, clock)
	for _, m := range report.Missing {
		fmt.Fprintf(s.stderr, "missing: %s.json; assumed: %s\n", m.Listing, m.Assumed)
	}
	for _, p := range report.Problems {
		fmt.Fprintf(s.stderr, "problem: %s: %s\n", p.File, p.What)
	}
	if err != nil {
		return nil, fmt.Errorf("--tenant %s: %w", dir, err)
	}
	return t, nil
}

// emptyMailbox removes the messages of an earlier rehearsal, and only those: a
// folder that holds anything else is left alone with an error.
func emptyMailbox(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".eml") && !strings.HasSuffix(e.Name(), ".html") {
			return fmt.Errorf("%s holds %s, which no rehearsal made: choose another --out", dir, e.Name())
		}
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("--out: remove the mail of the last rehearsal: %w", err)
		}
	}
	return nil
}

func (r *rehearse) finish(s session, t rehearsal.Timeline) error {
	paths := rehearsal.Paths{
		Report: filepath.Join(r.out, "report.html"), Mail: filepath.Join(r.out, "mail", "index.html"), Timeline: filepath.Join(r.out, "timeline.json"),
	}
	if err := writeFile(paths.Timeline, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(t)
	}); err != nil {
		return err
	}
	if err := writeFile(paths.Report, t.WriteReport); err != nil {
		return err
	}
	if s.json {
		if err := s.writeJSON(t); err != nil {
			return err
		}
	} else if err := t.WriteSummary(s.stdout, paths); err != nil {
		return err
	}
	if len(t.Violations) > 0 {
		return shownError{fmt.Errorf("%d properties were violated", len(t.Violations))}
	}
	if t.Held() {
		return heldError{"done, but a wave stands held: the report says by which gate and how to mend it"}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	err = write(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// isTerminal reports whether a person watches.
func isTerminal(w io.Writer) bool {
	f, is := w.(*os.File)
	if !is {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sallyport/shared/config"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

func emergencyDocumentVerb() verb {
	return verb{
		name:    "emergency document",
		summary: "write the section about the emergency accounts for the incident response plan",
		about: `Writes, from rollout.yaml, what somebody needs who has to use an emergency account:
which accounts there are, who keeps them, where the passwords and keys lie, when and
how to use them, whom to call, what to do afterwards, and the record of the drills.
Print it: the plan must be at hand when nothing can be signed in to.

With --tenant it also says what each account is called and whether it is proven; with
--table it has the drills, read with your own AWS credentials. What looks like a
password is refused: the document says where, never what.`,
		examples: []string{
			"sallyport emergency document --config rollout.yaml --out break-glass.md",
			"sallyport emergency document --config rollout.yaml --tenant snapshot/ --out break-glass.html",
			"sallyport emergency document --config rollout.yaml --table sallyport --format html > plan.html",
		},
		prepare: func(f *flag.FlagSet) action {
			d := &emergencyDocument{}
			f.StringVar(&d.config, "config", "", "the rollout.yaml `FILE`")
			f.StringVar(&d.source.folder, "tenant", "", "a `folder` made by snapshot; empty: the accounts are not looked at")
			f.StringVar(&d.source.at, "at", "", "write as of this `day`, YYYY-MM-DD; empty: today")
			f.StringVar(&d.table, "table", "", "the `name` of the stack's table; empty: the drills are not known")
			f.StringVar(&d.format, "format", "", "the `FORMAT`: markdown or html; empty: as FILE ends, else markdown")
			f.StringVar(&d.out, "out", "", "write to this `FILE`, once it is whole; empty or -: to stdout")
			return d.run
		},
	}
}

type emergencyDocument struct {
	source                     source
	config, table, format, out string
}

func (d *emergencyDocument) run(ctx context.Context, s session) error {
	if err := d.choose(s); err != nil {
		return err
	}
	cfg, err := readConfig(s, d.config)
	if err != nil {
		return err
	}
	if err := refuseSecrets(cfg); err != nil {
		return err
	}
	facts := planFacts{now: job.Wall{}.Now()}
	if d.source.at != "" {
		day, err := rollout.ParseDate(d.source.at)
		if err != nil {
			return usageError{"--at " + err.Error()}
		}
		facts.now = day.At(2, 0, time.UTC)
	}
	if d.source.folder != "" {
		client, now, err := d.source.open(s)
		if err != nil {
			return err
		}
		seen, err := client.Emergency(ctx, cfg)
		if err != nil {
			return err
		}
		facts.checked = new(checkedOf(cfg, seen, now))
	}
	if d.table != "" {
		table, err := openTable(ctx, d.table)
		if err != nil {
			return err
		}
		facts.drills, err = table.Drills(ctx, cfg.Tenant)
		if err != nil {
			return fmt.Errorf("read the drills from table %s: %w", d.table, err)
		}
		facts.drillsKnown = true
	}
	text := render(planSection(cfg, facts), d.format)
	if d.out == "" {
		if _, err := io.WriteString(s.stdout, text); err != nil {
			return fmt.Errorf("write the document: %w", err)
		}
		return nil
	}
	file, err := newOutFile(d.out)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, text)
	return file.keep(err)
}

// choose holds the flags to each other and settles the format.
func (d *emergencyDocument) choose(s session) error {
	if d.out == "-" {
		d.out = ""
	}
	ending := strings.TrimPrefix(strings.ToLower(filepath.Ext(d.out)), ".")
	switch {
	case len(s.operands) > 0:
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	case d.config == "":
		return usageError{"--config names no file: the document says what rollout.yaml says"}
	case s.json:
		return usageError{"a document for people has no JSON; sallyport emergency check --json has the facts"}
	case d.format == "" && (ending == "html" || ending == "htm"):
		d.format = "html"
	case d.format == "":
		d.format = "markdown"
	case !slices.Contains([]string{"markdown", "html"}, d.format):
		return usageError{fmt.Sprintf("--format %s: expected markdown or html", d.format)}
	}
	return nil
}

// refuseSecrets names the fields that go into the document and hold something like
// a password. The value is never shown: it would stand in a terminal's memory.
func refuseSecrets(cfg rollout.Config) error {
	fields := map[string]string{
		"communication.helpDesk.name": cfg.Communication.HelpDesk.Name, "communication.helpDesk.hours": cfg.Communication.HelpDesk.Hours,
		"communication.helpDesk.phone": cfg.Communication.HelpDesk.Phone, "incidentResponsePlan": cfg.IncidentResponsePlan,
	}
	for i, e := range cfg.EmergencyAccounts {
		fields[fmt.Sprintf("emergencyAccounts[%d].custodian", i)] = e.Custodian
		fields[fmt.Sprintf("emergencyAccounts[%d].passwordLocation", i)] = e.PasswordLocation
	}
	var wrong []string
	if link, err := url.Parse(cfg.IncidentResponsePlan); err == nil && link.User != nil {
		wrong = append(wrong, "incidentResponsePlan")
	}
	for _, name := range sortedKeys(fields) {
		if config.LooksSecret(fields[name]) {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s: this looks like a password. Nothing was written. Say where it lies, not what it is; and if it is one, change it now: the file has been stored", strings.Join(wrong, ", "))
}

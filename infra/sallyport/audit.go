package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sallyport/functions/audit/export"
	"sallyport/infra/local/rehearsal"
	"sallyport/infra/sallyport/sheet"
	"sallyport/shared/rollout"
)

func auditVerb() verb {
	return verb{
		name:    "audit",
		summary: "show what every account of a tenant is, and how many are capable of MFA",
		about: `Judges a folder made by "sallyport snapshot" as the nightly audit would: each
account's class with the rule that gave it, whether it is registered and
capable, and what demands MFA of it today. Nothing is written but --out FILE,
which names people: its owner alone may read it. What stands in each column is
said in infra/docs/audit-export.md.`,
		examples: []string{
			"sallyport audit --tenant snapshot/ --config rollout.yaml",
			"sallyport audit --tenant snapshot/ --format xlsx --out audit.xlsx",
			"sallyport audit --tenant snapshot/ --json | jq '.accounts[] | select(.capable == false)'",
		},
		prepare: func(f *flag.FlagSet) action {
			a := &auditor{}
			f.StringVar(&a.tenant, "tenant", "", "a `folder` made by snapshot")
			f.StringVar(&a.config, "config", "", "a rollout.yaml `FILE`; empty: a proposed one")
			f.StringVar(&a.at, "at", "", "judge as of this `day`, YYYY-MM-DD; empty: today")
			f.StringVar(&a.format, "format", "", "the `FORMAT`: table, csv, json or xlsx; empty: as FILE ends, else table")
			f.StringVar(&a.out, "out", "", "write to this `FILE`, once it is whole; empty or -: to stdout")
			return a.run
		},
	}
}

type auditor struct{ tenant, config, at, format, out string }

// formats are what an audit can be written as.
func formats() []string { return []string{"table", "csv", "json", "xlsx"} }

// choose settles the format: --json is --format json, and without either the end
// of the file's name says it.
func (a *auditor) choose(asJSON bool) error {
	if a.out == "-" {
		a.out = ""
	}
	ending := strings.TrimPrefix(strings.ToLower(filepath.Ext(a.out)), ".")
	switch {
	case asJSON && a.format != "" && a.format != "json":
		return usageError{fmt.Sprintf("--json and --format %s are two formats; choose one", a.format)}
	case asJSON:
		a.format = "json"
	case a.format == "" && slices.Contains(formats(), ending):
		a.format = ending
	case a.format == "":
		a.format = "table"
	case !slices.Contains(formats(), a.format):
		return usageError{fmt.Sprintf("--format %s: expected one of %s", a.format, strings.Join(formats(), ", "))}
	}
	if a.format == "xlsx" && a.out == "" {
		return usageError{"--format xlsx needs a file: a workbook is nothing for a terminal; add --out audit.xlsx"}
	}
	return nil
}

func (a *auditor) run(ctx context.Context, s session) error {
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	}
	if err := a.choose(s.json); err != nil {
		return err
	}
	if a.tenant == "" {
		return usageError{"--tenant names no folder; make one with sallyport snapshot --out DIR"}
	}
	now, err := asOf(a.at)
	if err != nil {
		return err
	}
	if a.out == "" {
		return a.judge(ctx, s, now, s.stdout)
	}
	file, err := newOutFile(a.out)
	if err != nil {
		return err
	}
	return file.keep(a.judge(ctx, s, now, file))
}

// judge reads the tenant, judges it and writes what it found.
func (a *auditor) judge(ctx context.Context, s session, now time.Time, to io.Writer) error {
	clock := rehearsal.NewClock(now)
	t, err := loadTenant(s, a.tenant, 1, clock)
	if err != nil {
		return err
	}
	cfg, _ := rehearsal.Propose(t, rollout.DateOf(now))
	if a.config != "" {
		if cfg, err = readConfig(s, a.config); err != nil {
			return err
		}
	}
	dir, readings, err := rehearsal.Read(ctx, t, clock)
	if err != nil {
		return err
	}
	accounts, findings := rollout.Assess(cfg, dir, readings, now)

	today := rollout.DateOf(now.In(cfg.Location()))
	w := a.writer(to, cfg.Tenant)
	for _, account := range accounts {
		if err := w.Write(export.RowOf(cfg, account, today)); err != nil {
			return err
		}
	}
	return w.Close(export.SummaryOf(rollout.CoverageOf(cfg, accounts, today), findings, dir.Missing))
}

// writer is the one of the chosen format.
func (a *auditor) writer(to io.Writer, tenant rollout.TenantID) export.Writer {
	switch a.format {
	case "csv":
		return export.CSV(to)
	case "json":
		return export.JSON(to, tenant)
	case "xlsx":
		return sheet.XLSX(to)
	}
	return &auditTable{to: to, tenant: tenant}
}

package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/infra/local/rehearsal"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

func auditVerb() verb {
	return verb{
		name:    "audit",
		summary: "show what every account of a tenant is, and how many are capable of MFA",
		about: `Judges a folder made by "sallyport snapshot" as the nightly audit would: each
account's class with the rule that gave it, whether it is registered and
capable, and what demands MFA of it today. Nothing is written.`,
		examples: []string{
			"sallyport audit --tenant snapshot/ --config rollout.yaml",
			"sallyport audit --tenant snapshot/ --json | jq '.accounts[] | select(.capable == false)'",
		},
		prepare: func(f *flag.FlagSet) action {
			a := &auditor{}
			f.StringVar(&a.tenant, "tenant", "", "a `folder` made by snapshot")
			f.StringVar(&a.config, "config", "", "a rollout.yaml `FILE`; empty: a proposed one")
			f.StringVar(&a.at, "at", "", "judge as of this `day`, YYYY-MM-DD; empty: today")
			return a.run
		},
	}
}

type auditor struct{ tenant, config, at string }

// audited is what `sallyport audit --json` answers. A null is not known.
type audited struct {
	Tenant   rollout.TenantID      `json:"tenant"`
	Accounts []auditedAccount      `json:"accounts"`
	Coverage auditedCoverage       `json:"coverage"`
	Findings []rollout.Finding     `json:"findings"`
	Missing  []rollout.MissingData `json:"missing"`
}

type auditedAccount struct {
	ID                string               `json:"id"`
	UserPrincipalName string               `json:"userPrincipalName"`
	Class             rollout.Class        `json:"class"`
	Rule              string               `json:"rule"`
	Evidence          string               `json:"evidence"`
	Counts            bool                 `json:"counts"`
	Registered        *bool                `json:"registered"`
	Capable           *bool                `json:"capable"`
	Weak              *bool                `json:"weak"`
	Enforced          rollout.Demand       `json:"enforced"`
	DemandedBy        []string             `json:"demandedBy"`
	NarrowedBy        []rollout.NarrowedBy `json:"narrowedBy"`
	Methods           []string             `json:"methods"`
}

type auditedCoverage struct {
	Numerator   int                   `json:"numerator"`
	Denominator int                   `json:"denominator"`
	Percent     float64               `json:"percent"`
	PerClass    map[rollout.Class]int `json:"perClass"`
}

func (a *auditor) run(ctx context.Context, s session) error {
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	}
	if a.tenant == "" {
		return usageError{"--tenant names no folder; make one with sallyport snapshot --out DIR"}
	}
	now := job.Wall{}.Now()
	if a.at != "" {
		day, err := rollout.ParseDate(a.at)
		if err != nil {
			return usageError{"--at " + err.Error()}
		}
		now = day.At(2, 0, time.UTC)
	}
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
	answer := newAudited(cfg, accounts, findings, dir.Missing, rollout.DateOf(now.In(cfg.Location())))
	if s.json {
		return s.writeJSON(answer)
	}
	return answer.write(s)
}

func newAudited(cfg rollout.Config, accounts []rollout.Account, findings []rollout.Finding, missing []rollout.MissingData, day rollout.Date) audited {
	c := rollout.CoverageOf(cfg, accounts, day)
	answer := audited{
		Tenant: cfg.Tenant, Accounts: []auditedAccount{}, Findings: rollout.Present(findings), Missing: append([]rollout.MissingData{}, missing...),
		Coverage: auditedCoverage{c.Capable, c.All, c.Percent(), c.Classes},
	}
	for _, x := range accounts {
		row := auditedAccount{
			ID: x.ID, UserPrincipalName: x.UserPrincipalName, Class: x.Class, Rule: x.Rule, Evidence: x.Evidence,
			Counts: rollout.Counts(cfg, x, day), Registered: known(x.Registered), Capable: known(x.Capable),
			Enforced: x.Enforced, DemandedBy: x.DemandedBy, NarrowedBy: x.NarrowedBy, Methods: x.Methods,
		}
		if row.Capable != nil {
			weak := *row.Capable && x.Strength == rollout.StrengthWeak
			row.Weak = &weak
		}
		answer.Accounts = append(answer.Accounts, row)
	}
	return answer
}

// known is a fact as JSON has it: true, false, or null.
func known(f rollout.Fact) *bool {
	if f != rollout.Yes && f != rollout.No {
		return nil
	}
	yes := f == rollout.Yes
	return &yes
}

// write shows the audit to a person.
func (a audited) write(s session) error {
	out := tabwriter.NewWriter(s.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "ACCOUNT\tCLASS\tCOUNTS\tCAPABLE\tENFORCED\tMETHODS")
	for _, x := range a.Accounts {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(x.UserPrincipalName), x.Class, yesNo(&x.Counts), yesNo(x.Capable), x.Enforced, strings.Join(x.Methods, ", "))
	}
	fmt.Fprintf(out, "\n%s: %d of %d who count are capable, %.1f %%\n", a.Tenant, a.Coverage.Numerator, a.Coverage.Denominator, a.Coverage.Percent)
	for _, class := range rollout.Classes() {
		if n := a.Coverage.PerClass[class]; n > 0 {
			fmt.Fprintf(out, "  %s\t%d\n", class, n)
		}
	}
	for _, f := range a.Findings {
		fmt.Fprintf(out, "\n%s: %s\n", f.Severity, f.Text)
		if f.Evidence != "" {
			fmt.Fprintf(out, "  seen: %s\n", printable(f.Evidence))
		}
		fmt.Fprintf(out, "  %s\n", f.Remedy)
	}
	for _, m := range a.Missing {
		fmt.Fprintf(out, "\nnot known: %s (%s): %s\n", m.Listing, m.Reason, m.Consequence)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	return nil
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

// printable keeps what a tenant's names hold from driving the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || slices.Contains([]rune{0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069}, r) {
			return '?'
		}
		return r
	}, s)
}

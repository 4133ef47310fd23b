package main

import (
	"context"
	"flag"
	"fmt"

	"sallyport/shared/rollout"
)

func applyVerb() verb {
	return verb{
		name: "apply", operands: "FILE",
		summary: "put a rollout.yaml into the table, so that the functions go by it",
		about: `Validates a rollout.yaml and puts it into the stack's table, with your own AWS
credentials. The functions go by it from their next run. Without --yes it only
shows what would follow.`,
		examples: []string{
			"sallyport apply rollout.yaml --table sallyport",
			"sallyport apply rollout.yaml --table sallyport --yes",
		},
		prepare: func(f *flag.FlagSet) action {
			a := &apply{}
			tableFlag(f, &a.table)
			f.BoolVar(&a.yes, "yes", false, "do it; otherwise only show")
			return a.run
		},
	}
}

type apply struct {
	table string
	yes   bool
}

// applied is what `sallyport apply --json` answers.
type applied struct {
	Tenant  rollout.TenantID `json:"tenant"`
	Table   string           `json:"table"`
	Applied bool             `json:"applied"`
}

func (a *apply) run(ctx context.Context, s session) error {
	if len(s.operands) != 1 {
		return usageError{fmt.Sprintf("expected one FILE, got %d", len(s.operands))}
	}
	table, err := openTable(ctx, a.table)
	if err != nil {
		return err
	}
	cfg, err := readConfig(s, s.operands[0])
	if err != nil {
		return err
	}
	if a.yes {
		if err := table.PutConfig(ctx, cfg); err != nil {
			return fmt.Errorf("put the plan of %s into table %s: %w", cfg.Tenant, a.table, err)
		}
	}
	if s.json {
		return s.writeJSON(applied{cfg.Tenant, a.table, a.yes})
	}
	if !a.yes {
		if err := writePlan(s.stdout, cfg, newPlanned(cfg, nil)); err != nil {
			return err
		}
		fmt.Fprintf(s.stdout, "\nNothing was changed. With --yes it goes into table %s.\n", a.table)
		return nil
	}
	fmt.Fprintf(s.stdout, "%s is in table %s. The functions go by it from their next run.\n", cfg.Tenant, a.table)
	return nil
}

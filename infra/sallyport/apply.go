package main

import (
	"context"
	"flag"
	"fmt"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
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
			f.StringVar(&a.table, "table", "", "the `name` of the stack's table (output TableName)")
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
	if a.table == "" {
		return usageError{"--table names no table; the stack's output TableName does"}
	}
	cfg, err := readConfig(s, s.operands[0])
	if err != nil {
		return err
	}
	if a.yes {
		aws, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return fmt.Errorf("find your AWS credentials: %w", err)
		}
		table := store.New(store.NewDynamo(dynamodb.NewFromConfig(aws), a.table))
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

package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// tableFlag declares --table, the name of the stack's table.
func tableFlag(f *flag.FlagSet, name *string) {
	f.StringVar(name, "table", "", "the `name` of the stack's table (output TableName)")
}

// openTable is the stack's table, with the operator's own AWS credentials. A
// name that is missing is a [usageError].
func openTable(ctx context.Context, name string) (*store.Store, error) {
	if name == "" {
		return nil, usageError{"--table names no table; the stack's output TableName does"}
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("find your AWS credentials: %w", err)
	}
	return store.New(store.NewDynamo(dynamodb.NewFromConfig(aws), name)), nil
}

// tenantsOf is the tenant that was named, by its initial domain, or all of the
// stack's.
func tenantsOf(ctx context.Context, table *store.Store, tenant string) ([]rollout.TenantID, error) {
	if tenant == "" {
		tenants, err := table.Tenants(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the tenants: %w", err)
		}
		return tenants, nil
	}
	t := rollout.TenantID(strings.ToLower(tenant))
	if _, err := table.Config(ctx, t); err != nil {
		return nil, fmt.Errorf("tenant %s: %w; name it by its initial domain, as in rollout.yaml", t, err)
	}
	return []rollout.TenantID{t}, nil
}

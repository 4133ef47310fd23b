package main

import (
	"context"
	"flag"
	"fmt"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

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

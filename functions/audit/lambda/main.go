// Command lambda wires the audit function.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"sallyport/functions/audit"
	"sallyport/shared/archive"
	"sallyport/shared/config"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	env, err := config.Load[config.Audit]("audit", os.Environ())
	if err != nil {
		return err
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	logger := lambdacontext.NewLogger()
	table := store.New(store.NewDynamo(dynamodb.NewFromConfig(aws), env.TableName))
	app := graph.App{ClientID: env.GraphClientID, AuthorityHost: env.AuthorityHost}
	clients := graph.NewClients(app, env.GraphEndpoint, graph.STSTokens{Client: sts.NewFromConfig(aws)}, job.Wall{}, logger)
	handler := audit.Handler{Tenants: table, Runner: job.New(table, logger, 15*time.Minute), Audit: audit.Audit{
		Graph: func(ctx context.Context, t rollout.TenantID) (audit.Graph, error) { return clients.For(ctx, t) },
		Table: table, Archive: archive.NewS3(s3.NewFromConfig(aws), env.ArchiveBucket), Now: job.Wall{}.Now,
	}}
	lambda.Start(handler.Handle)
	return nil
}

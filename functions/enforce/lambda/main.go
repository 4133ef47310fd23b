// Command lambda wires the enforce function.
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
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"sallyport/functions/enforce"
	"sallyport/shared/config"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	env, err := config.Load[config.Enforce]("enforce", os.Environ())
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
	handler := enforce.Handler{Tenants: table, Runner: job.New(table, logger, 15*time.Minute), Enforce: enforce.Enforce{
		Graph: func(ctx context.Context, t rollout.TenantID) (enforce.Graph, error) { return clients.For(ctx, t) },
		Table: table, Log: logger, Clock: job.Wall{}, Outbox: outbox.Outbox{Table: table, Queue: outbox.SQS{Client: sqs.NewFromConfig(aws), URL: env.MailQueueURL}},
	}}
	lambda.Start(handler.Handle)
	return nil
}

// Command lambda wires the subscriptions function.
package main

import (
	"context"
	"crypto/rand"
	"log"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"sallyport/functions/subscriptions"
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
	env, err := config.Load[config.Subscriptions]("subscriptions", os.Environ())
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
	handler := subscriptions.Handler{Tenants: table, Runner: job.New(table, logger, 6*time.Minute), Subscriptions: subscriptions.Subscriptions{
		Graph: func(ctx context.Context, t rollout.TenantID) (subscriptions.Graph, error) { return clients.For(ctx, t) },
		Table: table, NotificationURL: env.NotificationURL, ClientState: env.ClientState.ClientState.Reveal(), NewProbeID: rand.Text,
	}}
	lambda.Start(handler.Handle)
	return nil
}

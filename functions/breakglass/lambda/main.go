// Command lambda wires the breakglass function.
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
	"github.com/aws/aws-sdk-go-v2/service/ses"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"sallyport/functions/breakglass"
	"sallyport/shared/config"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/mail"
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
	env, err := config.Load[config.BreakGlass]("breakglass", os.Environ())
	if err != nil {
		return err
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	renderer, err := mail.NewRenderer()
	if err != nil {
		return err
	}
	logger := lambdacontext.NewLogger()
	table := store.New(store.NewDynamo(dynamodb.NewFromConfig(aws), env.TableName))
	app := graph.App{ClientID: env.GraphClientID, AuthorityHost: env.AuthorityHost}
	topic := sns.NewFromConfig(aws)
	clients := graph.NewClients(app, env.GraphEndpoint, graph.STSTokens{Client: sts.NewFromConfig(aws)}, job.Wall{}, logger)
	handler := breakglass.Handler{Registry: table, Now: time.Now, Runner: job.New(table, logger, 4*time.Minute), Breakglass: breakglass.Breakglass{
		Graph: func(ctx context.Context, t rollout.TenantID) (breakglass.Graph, error) { return clients.For(ctx, t) },
		Table: table, Log: logger, Outbox: outbox.Outbox{Table: table, Queue: outbox.SQS{Client: sqs.NewFromConfig(aws), URL: env.MailQueueURL}},
		Channels: []breakglass.Channel{
			breakglass.Email{Renderer: renderer, Sender: mail.NewSES(ses.NewFromConfig(aws), env.SESConfigurationSet)},
			breakglass.SNS{Client: topic, TopicARN: env.AlertTopicARN},
			breakglass.SMS{Client: topic},
			breakglass.Outgoing{Client: breakglass.PublicClient()},
		},
		Links:   breakglass.Links{URL: env.AckURL, Secret: env.AckSecret.AckSecret.Reveal(), Table: env.TableName},
		Metrics: os.Stdout,
	}}
	lambda.Start(handler.Handle)
	return nil
}

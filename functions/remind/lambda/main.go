// Command lambda wires the remind function.
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

	"sallyport/functions/remind"
	"sallyport/shared/config"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/store"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	env, err := config.Load[config.Remind]("remind", os.Environ())
	if err != nil {
		return err
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	logger := lambdacontext.NewLogger()
	table := store.New(store.NewDynamo(dynamodb.NewFromConfig(aws), env.TableName))
	handler := remind.Handler{Tenants: table, Runner: job.New(table, logger, 15*time.Minute), Remind: remind.Remind{
		Table: table, Outbox: outbox.Outbox{Table: table, Queue: outbox.SQS{Client: sqs.NewFromConfig(aws), URL: env.MailQueueURL}},
	}}
	lambda.Start(handler.Handle)
	return nil
}

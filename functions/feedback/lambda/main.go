// Command lambda wires the feedback function.
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

	"sallyport/functions/feedback"
	"sallyport/shared/config"
	"sallyport/shared/store"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	env, err := config.Load[config.Feedback]("feedback", os.Environ())
	if err != nil {
		return err
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	handler := feedback.Handler{
		Feedback: feedback.Feedback{Table: store.New(store.NewDynamo(dynamodb.NewFromConfig(aws), env.TableName))},
		Now:      time.Now, Log: lambdacontext.NewLogger(),
	}
	lambda.Start(handler.Handle)
	return nil
}

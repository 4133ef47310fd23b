// Command lambda wires the notify function.
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

	"sallyport/functions/notify"
	"sallyport/shared/config"
	"sallyport/shared/mail"
	"sallyport/shared/store"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	env, err := config.Load[config.Notify]("notify", os.Environ())
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
	handler := notify.Handler{Now: time.Now, Notify: notify.Notify{
		Table:    store.New(store.NewDynamo(dynamodb.NewFromConfig(aws), env.TableName)),
		Renderer: renderer,
		Sender:   mail.NewSES(ses.NewFromConfig(aws), env.SESConfigurationSet),
		Log:      lambdacontext.NewLogger(),
	}}
	lambda.Start(handler.Handle)
	return nil
}

// Command lambda wires the webhook function. Its clients are made before the
// first request and kept.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sallyport/functions/webhook"
	"sallyport/shared/config"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	env, err := config.Load[config.Webhook]("webhook", os.Environ())
	if err != nil {
		return err
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	queue := webhook.SQS{URL: env.EventQueueURL, Client: sqs.NewFromConfig(aws, func(o *sqs.Options) {
		// Graph waits for three seconds: better a 503 in time than a 202 too late.
		o.RetryMaxAttempts = 2
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(time.Second)
	})}
	// Entra's keys come from the address they are at, and soon or not at all.
	entra := &http.Client{Timeout: 2 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	tokens := webhook.NewTokens(env.AuthorityHost, env.AlertTenants, entra)
	receiver := webhook.NewReceiver(env.ClientState.ClientState.Reveal(), env.AlertSecret.Reveal(), tokens, queue)
	receiver.AckSecret = env.AckSecret.AckSecret.Reveal()
	handler := webhook.Handler{
		Receiver: receiver,
		Now:      time.Now, Log: lambdacontext.NewLogger(), Metrics: os.Stdout,
	}
	lambda.Start(handler.Handle)
	return nil
}

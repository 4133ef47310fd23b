// Command echo is a Lambda function that answers its event and one variable of
// its environment, and fails when the event asks for it.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, event map[string]string) (map[string]string, error) {
		if reason := event["fail"]; reason != "" {
			return nil, errors.New(reason)
		}
		event["greeting"] = os.Getenv("GREETING")
		return event, nil
	})
}

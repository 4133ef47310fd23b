package emulator_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sallyport/infra/local/emulator"
)

func TestDynamoDBStartsEmpty(t *testing.T) {
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(emulator.DynamoDB(t)),
		Region:       emulator.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(emulator.Key, emulator.Key, ""),
	})
	got, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.TableNames) != 0 {
		t.Errorf("a new DynamoDB Local has tables: %v", got.TableNames)
	}
}

func TestAWSStartsEmpty(t *testing.T) {
	client := sqs.New(sqs.Options{
		BaseEndpoint: aws.String(emulator.AWS(t)),
		Region:       emulator.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(emulator.Key, emulator.Key, ""),
	})
	got, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.QueueUrls) != 0 {
		t.Errorf("a new moto has queues: %v", got.QueueUrls)
	}
}

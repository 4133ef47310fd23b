package integration_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ses"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sallyport/infra/local/emulator"
	"sallyport/shared/store"
)

const (
	tableName = "rollout"
	bucket    = "sallyport-archive"
)

// cloud is the AWS side: what template.yaml would make.
type cloud struct {
	dynamo, moto, sts string // end points
	table             *store.Store
	queues            *sqs.Client

	mailQueue, eventQueue string // URLs
	alertTopic            string // ARN
	alertQueue            string // URL of a queue that hears the topic
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{dynamo: emulator.DynamoDB(t), moto: emulator.AWS(t), sts: tokenService(t)}
	keys := credentials.NewStaticCredentialsProvider(emulator.Key, emulator.Key, "")
	tables := dynamodb.New(dynamodb.Options{Region: emulator.Region, BaseEndpoint: &c.dynamo, Credentials: keys})
	must(t, store.CreateTable(t.Context(), tables, tableName))
	c.table = store.New(store.NewDynamo(tables, tableName))

	objects := s3.New(s3.Options{Region: emulator.Region, BaseEndpoint: &c.moto, Credentials: keys, UsePathStyle: true})
	_, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: aws.String(bucket), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: emulator.Region},
	})
	must(t, err)

	c.queues = sqs.New(sqs.Options{Region: emulator.Region, BaseEndpoint: &c.moto, Credentials: keys})
	c.mailQueue, c.eventQueue, c.alertQueue = c.newQueue(t, "mail"), c.newQueue(t, "events"), c.newQueue(t, "alerts")

	topics := sns.New(sns.Options{Region: emulator.Region, BaseEndpoint: &c.moto, Credentials: keys})
	topic, err := topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("alerts")})
	must(t, err)
	c.alertTopic = *topic.TopicArn
	about, err := c.queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &c.alertQueue, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	must(t, err)
	_, err = topics.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: &c.alertTopic, Protocol: aws.String("sqs"), Endpoint: aws.String(about.Attributes["QueueArn"]),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	must(t, err)

	mails := ses.New(ses.Options{Region: emulator.Region, BaseEndpoint: &c.moto, Credentials: keys})
	_, err = mails.VerifyDomainIdentity(t.Context(), &ses.VerifyDomainIdentityInput{Domain: aws.String("contoso.com")})
	must(t, err)
	return c
}

func (c *cloud) newQueue(t *testing.T, name string) string {
	t.Helper()
	q, err := c.queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	must(t, err)
	return *q.QueueUrl
}

// take empties a queue, up to a batch of ten, into the event in which Lambda's
// poller hands a batch to a function. The messages are deleted at once: a batch
// that fails fails the test.
func (c *cloud) take(t *testing.T, queue string) events.SQSEvent {
	t.Helper()
	got, err := c.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &queue, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAll},
	})
	must(t, err)
	var batch events.SQSEvent
	for _, m := range got.Messages {
		batch.Records = append(batch.Records, events.SQSMessage{
			MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body, Md5OfBody: aws.ToString(m.MD5OfBody),
			Attributes: m.Attributes, EventSource: "aws:sqs", AWSRegion: emulator.Region,
		})
		_, err := c.queues.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle})
		must(t, err)
	}
	return batch
}

// takeAll is take until the queue is empty.
func (c *cloud) takeAll(t *testing.T, queue string) []events.SQSEvent {
	t.Helper()
	var batches []events.SQSEvent
	for {
		batch := c.take(t, queue)
		if len(batch.Records) == 0 {
			return batches
		}
		batches = append(batches, batch)
	}
}

// letter is a mail that SES has taken.
type letter struct{ To, Subject, Raw string }

// mails are all that SES has ever taken, as moto lists them.
func (c *cloud) mails(t *testing.T) []letter {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.moto+"/moto-api/data.json", nil)
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	var state struct {
		SES struct {
			RawMessage []struct {
				RawData string `json:"raw_data"`
			}
		} `json:"ses"`
	}
	must(t, json.NewDecoder(res.Body).Decode(&state))
	var sent []letter
	for _, m := range state.SES.RawMessage {
		parsed, err := netmail.ReadMessage(strings.NewReader(m.RawData))
		must(t, err)
		to, err := parsed.Header.AddressList("To")
		must(t, err)
		var addresses []string
		for _, a := range to {
			addresses = append(addresses, a.Address)
		}
		sent = append(sent, letter{To: strings.Join(addresses, " "), Subject: parsed.Header.Get("Subject"), Raw: m.RawData})
	}
	return sent
}

// What AWS's STS says of the two roles. Each function is given a key id of its
// role's name.
const (
	stsIssuer = "https://5a11e900-0000-4000-8000-00000000000a.tokens.sts.global.api.aws"
	roleARN   = "arn:aws:iam::111122223333:role/"
	readerKey = "reader"
	writerKey = "writer"
)

// tokenService answers sts:GetWebIdentityToken, which no emulator does (moto
// 5.2.5 knows nothing of it): a token for whoever signed the request, made out
// as AWS documents it. Nobody can check its signature, and the simulated log-in
// does not.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
func tokenService(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("Action") != "GetWebIdentityToken" {
			http.Error(w, "only GetWebIdentityToken is answered here", http.StatusBadRequest)
			return
		}
		_, signed, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ := strings.Cut(signed, "/")
		now := time.Now()
		part := func(claims map[string]any) string {
			b, err := json.Marshal(claims)
			if err != nil {
				t.Errorf("write the token: %v", err)
			}
			return base64.RawURLEncoding.EncodeToString(b)
		}
		token := part(map[string]any{"alg": r.PostForm.Get("SigningAlgorithm"), "typ": "JWT", "kid": "test"}) + "." + part(map[string]any{
			"iss": stsIssuer, "sub": roleARN + key, "aud": r.PostForm.Get("Audience.member.1"), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		}) + "." + base64.RawURLEncoding.EncodeToString([]byte("no signature"))
		type result struct {
			Token      string `xml:"WebIdentityToken"`
			Expiration string
		}
		if err := xml.NewEncoder(w).Encode(struct {
			XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetWebIdentityTokenResponse"`
			Result  result   `xml:"GetWebIdentityTokenResult"`
		}{Result: result{token, now.Add(5 * time.Minute).UTC().Format(time.RFC3339)}}); err != nil {
			t.Errorf("answer for STS: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// door stands where API Gateway would, between whoever calls the notification
// address and the webhook function. Graph's calls in the simulated tenant and
// the test's own come through it.
type door struct {
	webhook *emulator.Function
	sample  events.APIGatewayV2HTTPRequest // of a call to POST /notifications
}

// RoundTrip implements http.RoundTripper.
func (d door) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
	}
	reply, err := d.call(r.Context(), r.URL.RawQuery, string(body))
	if err != nil {
		return nil, err
	}
	res := &http.Response{StatusCode: reply.StatusCode, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(reply.Body)), Request: r}
	for name, value := range reply.Headers {
		res.Header.Set(name, value)
	}
	return res, nil
}

func (d door) call(ctx context.Context, query, body string) (events.APIGatewayV2HTTPResponse, error) {
	request := d.sample
	request.RawQueryString, request.Body = query, body
	var reply events.APIGatewayV2HTTPResponse
	event, err := json.Marshal(request)
	if err != nil {
		return reply, fmt.Errorf("write the event: %w", err)
	}
	answer, err := d.webhook.Invoke(ctx, event)
	if err != nil {
		return reply, err
	}
	if err := json.Unmarshal(answer, &reply); err != nil {
		return reply, fmt.Errorf("read webhook's reply: %w", err)
	}
	return reply, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"sallyport/infra/local/emulator"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// dynamo is DynamoDB Local.
type dynamo struct{ endpoint string }

func (d dynamo) client(options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &d.endpoint,
		Region:       emulator.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(emulator.Key, emulator.Key, ""),
		HTTPClient:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 50}},
	}, options...)
}

// table makes a table of the test's own and returns its name.
func (d dynamo) table(t *testing.T) string {
	t.Helper()
	name := regexp.MustCompile(`[^a-z]+`).ReplaceAllString(t.Name(), "-")
	ok(t, store.CreateTable(t.Context(), d.client(), name))
	return name
}

// interception stands between the SDK's client and DynamoDB Local: it gets each
// call's input and may change it, answer it itself, or pass it on to next.
type interception func(ctx context.Context, input any, next func(any) (any, error)) (any, error)

func between(call interception) func(*dynamodb.Options) {
	step := middleware.InitializeMiddlewareFunc("between", func(ctx context.Context, in middleware.InitializeInput, handler middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		var metadata middleware.Metadata
		result, err := call(ctx, in.Parameters, func(input any) (any, error) {
			out, m, err := handler.HandleInitialize(ctx, middleware.InitializeInput{Parameters: input})
			metadata = m
			return out.Result, err
		})
		return middleware.InitializeOutput{Result: result}, metadata, err
	})
	return func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(step, middleware.After)
		})
	}
}

// store makes a store on a table of its own whose calls go through call and
// which waits no real time; waits collects how long it would have.
func (d dynamo) store(t *testing.T, call interception) (s *store.Store, waits *[]time.Duration) {
	t.Helper()
	table := store.NewDynamo(d.client(between(call)), d.table(t))
	waits = new([]time.Duration)
	table.Sleep = func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	}
	return store.New(table), waits
}

func accounts(n int) []rollout.Account {
	all := make([]rollout.Account, n)
	for i := range all {
		all[i] = rollout.Account{ID: fmt.Sprintf("%04d", i)}
	}
	return all
}

// What DynamoDB leaves over is sent again, and nothing else.
func (d dynamo) unprocessedItemsAreSentAgain(t *testing.T) {
	var sizes []int
	s, waits := d.store(t, func(_ context.Context, input any, next func(any) (any, error)) (any, error) {
		batch, ok := input.(*dynamodb.BatchWriteItemInput)
		if !ok {
			return next(input)
		}
		// At most ten of a batch are taken, as on a throttled table.
		for table, requests := range batch.RequestItems {
			sizes = append(sizes, len(requests))
			taken := min(10, len(requests))
			taking := *batch
			taking.RequestItems = map[string][]types.WriteRequest{table: requests[:taken]}
			out, err := next(&taking)
			if left := requests[taken:]; err == nil && len(left) > 0 {
				out.(*dynamodb.BatchWriteItemOutput).UnprocessedItems = map[string][]types.WriteRequest{table: left}
			}
			return out, err
		}
		return nil, errors.New("empty batch")
	})
	written, _, err := s.SaveAccounts(t.Context(), contoso, accounts(60))
	ok(t, err)
	same(t, 60, written)
	same(t, accounts(60), must(s.Accounts(t.Context(), contoso))(t))
	same(t, []int{25, 15, 5, 25, 15, 5, 10}, sizes)
	ms := time.Millisecond
	same(t, []time.Duration{50 * ms, 100 * ms, 50 * ms, 100 * ms}, *waits)
}

// A table that takes nothing is given up on after a bounded time, with an error.
func (d dynamo) unprocessedItemsForEver(t *testing.T) {
	s, waits := d.store(t, func(_ context.Context, input any, next func(any) (any, error)) (any, error) {
		if batch, ok := input.(*dynamodb.BatchWriteItemInput); ok {
			return &dynamodb.BatchWriteItemOutput{UnprocessedItems: batch.RequestItems}, nil
		}
		return next(input)
	})
	_, _, err := s.SaveAccounts(t.Context(), contoso, accounts(3))
	if err == nil || !strings.Contains(err.Error(), "left 3 items") {
		t.Fatalf("got error %v, want one that says how many are left", err)
	}
	var all time.Duration
	for _, wait := range *waits {
		all += wait
	}
	if all > 20*time.Second || slices.Max(*waits) > 5*time.Second {
		t.Fatalf("waited %v, %v in all", *waits, all)
	}
}

// The run that ends while it waits stops there.
func (d dynamo) unprocessedItemsUntilTheRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	s, _ := d.store(t, func(_ context.Context, input any, next func(any) (any, error)) (any, error) {
		if batch, ok := input.(*dynamodb.BatchWriteItemInput); ok {
			calls++
			cancel()
			return &dynamodb.BatchWriteItemOutput{UnprocessedItems: batch.RequestItems}, nil
		}
		return next(input)
	})
	_, _, err := s.SaveAccounts(ctx, contoso, accounts(3))
	wantErr(t, context.Canceled, err)
	same(t, 1, calls)
}

// What a refused transaction means: only a condition that failed is somebody
// else's success at once; what passes by itself is tried again.
func (d dynamo) cancelledTransactions(t *testing.T) {
	cancelled := func(codes ...string) error {
		reasons := make([]types.CancellationReason, len(codes))
		for i, code := range codes {
			reasons[i].Code = aws.String(code)
		}
		return &types.TransactionCanceledException{CancellationReasons: reasons}
	}
	cases := []struct {
		name     string
		answers  []error // one for each try; afterwards DynamoDB itself answers
		always   error   // or this for ever
		conflict bool
		fails    bool
		tries    int
	}{
		{name: "condition", answers: []error{cancelled("None", "ConditionalCheckFailed")}, conflict: true, tries: 1},
		{name: "condition beside a meeting", answers: []error{cancelled("TransactionConflict", "ConditionalCheckFailed")}, conflict: true, tries: 1},
		{name: "a meeting, then free", answers: []error{cancelled("TransactionConflict", "None"), cancelled("None", "TransactionConflict")}, tries: 3},
		{name: "a meeting, then lost", answers: []error{cancelled("TransactionConflict", "None"), cancelled("ConditionalCheckFailed", "None")}, conflict: true, tries: 2},
		{name: "a meeting for ever", always: cancelled("TransactionConflict", "None"), conflict: true, tries: 10},
		{name: "throttled, then free", answers: []error{cancelled("ThrottlingError", "None")}, tries: 2},
		{name: "throttled for ever", always: cancelled("ProvisionedThroughputExceeded", "None"), fails: true, tries: 10},
		{name: "invalid", answers: []error{cancelled("ValidationError", "None")}, fails: true, tries: 1},
		{name: "invalid beside a meeting", answers: []error{cancelled("ValidationError", "TransactionConflict")}, fails: true, tries: 1},
		{name: "no reason", answers: []error{cancelled()}, fails: true, tries: 1},
		{name: "something else", answers: []error{errors.New("broken pipe")}, fails: true, tries: 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tries := 0
			s, _ := d.store(t, func(_ context.Context, input any, next func(any) (any, error)) (any, error) {
				if _, ok := input.(*dynamodb.TransactWriteItemsInput); !ok {
					return next(input)
				}
				tries++
				switch {
				case c.always != nil:
					return nil, c.always
				case tries <= len(c.answers):
					return nil, c.answers[tries-1]
				}
				return next(input)
			})
			err := s.ClaimMessage(t.Context(), contoso, reminder("1", "ana", rollout.DateOf(noon)))
			if got := errors.Is(err, store.ErrConflict); got != c.conflict {
				t.Errorf("got error %v, is ErrConflict: %v, want %v", err, got, c.conflict)
			}
			if (err != nil) != (c.conflict || c.fails) {
				t.Errorf("got error %v", err)
			}
			same(t, c.tries, tries)
		})
	}
}

// A single write that meets a transaction is tried again as well.
func (d dynamo) writeMeetsTransaction(t *testing.T) {
	tries := 0
	s, _ := d.store(t, func(_ context.Context, input any, next func(any) (any, error)) (any, error) {
		if _, ok := input.(*dynamodb.PutItemInput); ok {
			if tries++; tries == 1 {
				return nil, &types.TransactionConflictException{}
			}
		}
		return next(input)
	})
	ok(t, s.PutWave(t.Context(), contoso, rollout.Wave{Name: "everyone"}))
	same(t, 2, tries)
}

// A listing that breaks off is an error and never a short list, and reads are
// strongly consistent.
func (d dynamo) queryBreaksOff(t *testing.T) {
	broken := errors.New("connection reset")
	pages := 0
	s, _ := d.store(t, func(_ context.Context, input any, next func(any) (any, error)) (any, error) {
		query, ok := input.(*dynamodb.QueryInput)
		if !ok {
			return next(input)
		}
		if !aws.ToBool(query.ConsistentRead) {
			return nil, errors.New("not a consistent read")
		}
		if pages++; pages == 3 {
			return nil, broken
		}
		query.Limit = aws.Int32(2)
		return next(query)
	})
	_, _, err := s.SaveAccounts(t.Context(), contoso, accounts(7))
	ok(t, err)
	pages = 0
	got, err := s.Accounts(t.Context(), contoso)
	wantErr(t, broken, err)
	same(t, 0, len(got))
	// Nothing is written or removed on a listing of what was stored that broke off.
	pages = 0
	written, removed, err := s.SaveAccounts(t.Context(), contoso, accounts(1))
	wantErr(t, broken, err)
	same(t, []int{0, 0}, []int{written, removed})
	pages = 3
	same(t, 7, len(must(s.Accounts(t.Context(), contoso))(t)))
}

// The attributes are those of the schema, and claims carry their expiry.
func (d dynamo) attributes(t *testing.T) {
	client, table := d.client(), d.table(t)
	s := store.New(store.NewDynamo(client, table))
	ok(t, s.ClaimMessage(t.Context(), contoso, reminder("m1", "ana", rollout.DateOf(noon))))
	ok(t, s.ClaimAlert(t.Context(), contoso, rollout.Alert{ID: "a1", SeenAt: noon}))
	ok(t, s.AcquireLease(t.Context(), contoso, "audit", "run 1", noon, ttl))
	ok(t, s.PutWave(t.Context(), contoso, rollout.Wave{Name: "everyone"}))

	got := map[string]string{}
	for _, item := range must(client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table}))(t).Items {
		value := func(name string) string {
			switch v := item[name].(type) {
			case *types.AttributeValueMemberS:
				return v.Value
			case *types.AttributeValueMemberN:
				return v.Value
			}
			return ""
		}
		got[value("pk")+" "+value("sk")] = fmt.Sprint("version ", value("version"), " owner ", value("owner"), " expires ", value("expires"))
	}
	in400Days := noon.AddDate(0, 0, 400).Unix()
	want := map[string]string{
		"contoso.onmicrosoft.com#message m1":             fmt.Sprint("version 1 owner  expires ", in400Days),
		"contoso.onmicrosoft.com#dayLock ana#2026-12-01": fmt.Sprint("version  owner m1 expires ", in400Days),
		"contoso.onmicrosoft.com#alert a1":               fmt.Sprint("version 1 owner  expires ", in400Days),
		"contoso.onmicrosoft.com#lease audit":            fmt.Sprint("version  owner run 1 expires ", noon.Add(ttl).Unix()+1),
		"contoso.onmicrosoft.com#wave everyone":          "version 1 owner  expires ",
	}
	same(t, want, got)

	// The record itself is a map, named by its json tags, dates and times as text.
	item := must(client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "contoso.onmicrosoft.com#message"},
		"sk": &types.AttributeValueMemberS{Value: "m1"},
	}}))(t).Item
	data := item["data"].(*types.AttributeValueMemberM).Value
	same(t, "2026-12-01", data["day"].(*types.AttributeValueMemberS).Value)
	same(t, "2026-12-01T12:00:00.123456789+05:45", data["claimedAt"].(*types.AttributeValueMemberS).Value)

	ttl := must(client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table}))(t)
	same(t, "expires", aws.ToString(ttl.TimeToLiveDescription.AttributeName))
	// Creating it again is harmless.
	ok(t, store.CreateTable(t.Context(), client, table))
}

// The size is counted as DynamoDB counts it: what passes here, DynamoDB takes,
// and of one byte more it says the same.
func (d dynamo) tooLargeIsWhatDynamoDBDoesNotTake(t *testing.T) {
	client, table := d.client(), d.table(t)
	s := store.New(store.NewDynamo(client, table))
	largest := sort.Search(500_000, func(n int) bool {
		err := s.MarkUnreachable(t.Context(), contoso, "ana", strings.Repeat("x", n))
		if err != nil && !errors.Is(err, store.ErrTooLarge) {
			t.Fatalf("%d bytes passed here but DynamoDB says: %v", n, err)
		}
		return err != nil
	}) - 1

	stored := must(client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &table,
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "contoso.onmicrosoft.com#unreachable"},
			"sk": &types.AttributeValueMemberS{Value: "ana"},
		},
		ConsistentRead: aws.Bool(true),
	}))(t).Item
	data := stored["data"].(*types.AttributeValueMemberM).Value
	data["reason"] = &types.AttributeValueMemberS{Value: strings.Repeat("x", largest+1)}
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: stored})
	if err == nil || !strings.Contains(err.Error(), "Item size has exceeded") {
		t.Fatalf("DynamoDB takes %d bytes, here %d are refused: %v", largest+1, largest+1, err)
	}
}

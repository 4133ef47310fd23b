package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DynamoClient lists all that is used of the SDK's client. A function's policy
// needs GetItem, Query, PutItem, DeleteItem and BatchWriteItem on the table: the
// transaction is allowed by what it does.
type DynamoClient interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
}

// Dynamo is a table in Amazon DynamoDB, as [CreateTable] makes it.
type Dynamo struct {
	// Sleep waits before a repetition, until the context ends at the latest.
	// NewDynamo sets one that waits in real time; a test sets its own.
	Sleep func(ctx context.Context, d time.Duration) error

	client DynamoClient
	table  string
}

// NewDynamo returns the table of that name. The client's own retries stay in
// charge of network errors, throttled calls and server errors; what it does not
// know of (a batch that was taken in part, two transactions that met) is
// repeated here.
func NewDynamo(client DynamoClient, table string) *Dynamo {
	return &Dynamo{Sleep: sleep, client: client, table: table}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// maxBatch is how many items one BatchWriteItem takes.
// Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
const maxBatch = 25

// Get implements [Table].
func (d *Dynamo) Get(ctx context.Context, key Key, into any) error {
	out, err := d.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &d.table,
		Key:            keyAttributes(key),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return err
	}
	if len(out.Item) == 0 {
		return ErrNotFound
	}
	return dynamoRow(out.Item).Decode(into)
}

// Query implements [Table].
func (d *Dynamo) Query(ctx context.Context, partition string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		built, err := expression.NewBuilder().
			WithKeyCondition(expression.Key(attrPK).Equal(expression.Value(partition))).Build()
		if err != nil {
			yield(nil, err)
			return
		}
		pages := dynamodb.NewQueryPaginator(d.client, &dynamodb.QueryInput{
			TableName:                 &d.table,
			ConsistentRead:            aws.Bool(true),
			KeyConditionExpression:    built.KeyCondition(),
			ExpressionAttributeNames:  built.Names(),
			ExpressionAttributeValues: built.Values(),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range page.Items {
				if !yield(dynamoRow(item), nil) {
					return
				}
			}
		}
	}
}

// Write implements [Table].
func (d *Dynamo) Write(ctx context.Context, writes ...Write) error {
	requests := make([]types.TransactWriteItem, len(writes))
	for i, w := range writes {
		request, err := d.request(w)
		if err != nil {
			return err
		}
		requests[i] = request
	}
	return d.retry(ctx, func() (again bool, err error) {
		if len(requests) == 1 {
			err = d.single(ctx, requests[0])
		} else {
			_, err = d.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: requests})
		}
		return verdict(err)
	})
}

// single makes one write outside a transaction, at half its price.
func (d *Dynamo) single(ctx context.Context, request types.TransactWriteItem) error {
	if del := request.Delete; del != nil {
		_, err := d.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: del.TableName, Key: del.Key, ConditionExpression: del.ConditionExpression,
			ExpressionAttributeNames: del.ExpressionAttributeNames, ExpressionAttributeValues: del.ExpressionAttributeValues,
		})
		return err
	}
	put := request.Put
	_, err := d.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: put.TableName, Item: put.Item, ConditionExpression: put.ConditionExpression,
		ExpressionAttributeNames: put.ExpressionAttributeNames, ExpressionAttributeValues: put.ExpressionAttributeValues,
	})
	return err
}

// request writes down one write as a transaction wants it.
func (d *Dynamo) request(w Write) (types.TransactWriteItem, error) {
	var built expression.Expression
	if w.If.kind != always {
		var err error
		if built, err = expression.NewBuilder().WithCondition(w.If.expression()).Build(); err != nil {
			return types.TransactWriteItem{}, fmt.Errorf("condition on %s: %w", w.Key, err)
		}
	}
	if w.Delete {
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &d.table, Key: keyAttributes(w.Key), ConditionExpression: built.Condition(),
			ExpressionAttributeNames: built.Names(), ExpressionAttributeValues: built.Values(),
		}}, nil
	}
	item, err := encode(w.Item)
	if err != nil {
		return types.TransactWriteItem{}, err
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &d.table, Item: item, ConditionExpression: built.Condition(),
		ExpressionAttributeNames: built.Names(), ExpressionAttributeValues: built.Values(),
	}}, nil
}

// expression is the condition in DynamoDB's terms; holds is the same for Memory.
func (c Condition) expression() expression.ConditionBuilder {
	free := expression.AttributeNotExists(expression.Name(attrPK))
	switch c.kind {
	case versionIs:
		return expression.Name(attrVersion).Equal(expression.Value(c.version))
	case freeFor:
		return free.
			Or(expression.Name(attrOwner).Equal(expression.Value(c.owner))).
			Or(expression.Name(attrExpires).LessThanEqual(expression.Value(c.now)))
	}
	return free
}

// verdict says what an error of a write means: a condition that did not hold is
// ErrConflict; a meeting with somebody else's transaction says nothing of our
// condition, so the write is made again; what is throttled inside a transaction
// likewise, for the SDK does not look there.
// Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
func verdict(err error) (again bool, _ error) {
	var failed *types.ConditionalCheckFailedException
	var met *types.TransactionConflictException
	var canceled *types.TransactionCanceledException
	switch {
	case errors.As(err, &failed):
		return false, ErrConflict
	case errors.As(err, &met):
		return true, fmt.Errorf("%w: %w", ErrConflict, err)
	case errors.As(err, &canceled):
		return verdictOfReasons(canceled)
	}
	return false, err
}

func verdictOfReasons(canceled *types.TransactionCanceledException) (again bool, _ error) {
	codes := make([]string, 0, len(canceled.CancellationReasons))
	for _, reason := range canceled.CancellationReasons {
		if code := aws.ToString(reason.Code); code != "None" {
			codes = append(codes, code)
		}
	}
	passing := func(code string) bool {
		return slices.Contains([]string{"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}, code)
	}
	switch {
	case slices.Contains(codes, "ConditionalCheckFailed"):
		return false, ErrConflict
	case len(codes) == 0 || slices.ContainsFunc(codes, func(code string) bool { return !passing(code) }):
		return false, fmt.Errorf("transaction cancelled (%s): %w", strings.Join(codes, ", "), canceled)
	case slices.Contains(codes, "TransactionConflict"):
		return true, fmt.Errorf("%w: transaction cancelled (%s)", ErrConflict, strings.Join(codes, ", "))
	}
	return true, fmt.Errorf("transaction cancelled (%s): %w", strings.Join(codes, ", "), canceled)
}

// Batch implements [Table].
func (d *Dynamo) Batch(ctx context.Context, writes []Write) error {
	for chunk := range slices.Chunk(writes, maxBatch) {
		requests := make([]types.WriteRequest, len(chunk))
		for i, w := range chunk {
			if w.Delete {
				requests[i].DeleteRequest = &types.DeleteRequest{Key: keyAttributes(w.Key)}
				continue
			}
			item, err := encode(w.Item)
			if err != nil {
				return err
			}
			requests[i].PutRequest = &types.PutRequest{Item: item}
		}
		if err := d.send(ctx, requests); err != nil {
			return err
		}
	}
	return nil
}

// send writes one batch and sends again what DynamoDB left over, and only that.
func (d *Dynamo) send(ctx context.Context, requests []types.WriteRequest) error {
	return d.retry(ctx, func() (again bool, err error) {
		out, err := d.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{d.table: requests},
		})
		if err != nil {
			return false, err
		}
		requests = out.UnprocessedItems[d.table]
		if len(requests) == 0 {
			return false, nil
		}
		return true, fmt.Errorf("DynamoDB left %d items of a batch unwritten; the table is throttled, the next run writes them", len(requests))
	})
}

// Waits between repetitions: 50 ms, doubled each time up to 5 s, and at most 10
// tries, 18 s together.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 5 * time.Second
	tries     = 10
)

// retry repeats do as long as it says "again", and returns its last error.
func (d *Dynamo) retry(ctx context.Context, do func() (again bool, err error)) error {
	wait := firstWait
	for try := 1; ; try++ {
		again, err := do()
		if !again || try == tries {
			return err
		}
		if stopped := d.Sleep(ctx, wait); stopped != nil {
			return errors.Join(err, stopped)
		}
		wait = min(2*wait, lastWait)
	}
}

// dynamoRow is an item as DynamoDB gives it.
type dynamoRow map[string]types.AttributeValue

// Decode implements [Row].
func (r dynamoRow) Decode(into any) error {
	if err := decode(r[attrData], into); err != nil {
		return fmt.Errorf("attribute %q: %w", attrData, err)
	}
	return nil
}

package store

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The attributes of an item.
const (
	attrPK      = "pk"
	attrSK      = "sk"
	attrVersion = "version"
	attrOwner   = "owner"
	attrExpires = "expires" // the table's time to live
	attrData    = "data"    // the record, a map
)

// What DynamoDB takes at most, in bytes.
// Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxItem         = 400 * 1024
	maxPartitionKey = 2048
	maxSortKey      = 1024
)

// encode makes the attributes of an item, or ErrTooLarge.
func encode(item Item) (map[string]types.AttributeValue, error) {
	data, err := attributevalue.MarshalWithOptions(item.Data, func(o *attributevalue.EncoderOptions) {
		o.TagKey = "json"
		o.UseEncodingMarshalers = true
	})
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written as attributes: %w", item.Key, err)
	}
	attributes := keyAttributes(item.Key)
	attributes[attrData] = data
	if item.Version != 0 {
		attributes[attrVersion] = number(item.Version)
	}
	if item.Owner != "" {
		attributes[attrOwner] = text(item.Owner)
	}
	if item.Expires != 0 {
		attributes[attrExpires] = number(item.Expires)
	}
	if len(item.Key.PK) > maxPartitionKey || len(item.Key.SK) > maxSortKey {
		return nil, fmt.Errorf("%w: the key of %s has %d and %d bytes, at most %d and %d are taken",
			ErrTooLarge, item.Key, len(item.Key.PK), len(item.Key.SK), maxPartitionKey, maxSortKey)
	}
	if n := sizeOfMap(attributes); n > maxItem {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are taken; shorten its lists", ErrTooLarge, item.Key, n, maxItem)
	}
	return attributes, nil
}

// decode reads the data of an item into the pointer.
func decode(data types.AttributeValue, into any) error {
	return attributevalue.UnmarshalWithOptions(data, into, func(o *attributevalue.DecoderOptions) {
		o.TagKey = "json"
		o.UseEncodingUnmarshalers = true
	})
}

func keyAttributes(key Key) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{attrPK: text(key.PK), attrSK: text(key.SK)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// sizeOf is the size that DynamoDB counts, in bytes. Numbers are counted by
// their digits, a little more than DynamoDB does.
// Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func sizeOf(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(v.Value)/2 + 2
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + sizeOfMap(v.Value)
	case *types.AttributeValueMemberL:
		n := 3 + len(v.Value)
		for _, element := range v.Value {
			n += sizeOf(element)
		}
		return n
	}
	return 1 // true, false and null; sets are never written here
}

// sizeOfMap is the size of the names and of the values.
func sizeOfMap(attributes map[string]types.AttributeValue) int {
	n := 0
	for name, value := range attributes {
		n += len(name) + sizeOf(value)
	}
	return n
}

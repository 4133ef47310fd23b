package mail

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// The tags that every message carries through SES. They come back in each of
// its events, and so join the event with the message in the table.
const (
	TagTenant  = "tenant"
	TagMessage = "message"
)

// longestTag is how long a tag's value may be.
const longestTag = 256

// Tag writes an id so that SES takes it as a tag's value: letters, digits and -
// stay, any other byte becomes _ and its two hexadecimal digits
// ("contoso.com" is "contoso_2ecom"). [Untag] reads it back.
// Source: https://docs.aws.amazon.com/ses/latest/APIReference/API_MessageTag.html
func Tag(id string) string { return escaped(id, "") }

// Untag reads what [Tag] wrote. What Tag did not write is an error: the event
// is not one of ours.
func Untag(value string) (string, error) {
	var id strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '_' {
			id.WriteByte(value[i])
			continue
		}
		if i+2 >= len(value) {
			return "", fmt.Errorf("tag value %q ends in the middle of an escape", value)
		}
		b, err := hex.DecodeString(value[i+1 : i+3])
		if err != nil {
			return "", fmt.Errorf("tag value %q: %q is no escape", value, value[i:i+3])
		}
		id.Write(b)
		i += 2
	}
	if Tag(id.String()) != value {
		return "", fmt.Errorf("tag value %q was not written by Tag", value)
	}
	return id.String(), nil
}

// escaped keeps letters, digits, - and the bytes in also; the rest it escapes.
func escaped(s, also string) string {
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', strings.IndexByte(also, c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "_%02x", c)
		}
	}
	return out.String()
}

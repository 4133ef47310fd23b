package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ses"
	"github.com/aws/aws-sdk-go-v2/service/ses/types"
	"github.com/aws/smithy-go"
)

// sesClient is the one call of Amazon SES that is used.
type sesClient interface {
	SendRawEmail(context.Context, *ses.SendRawEmailInput, ...func(*ses.Options)) (*ses.SendRawEmailOutput, error)
}

type sesSender struct {
	client           sesClient
	configurationSet string
}

// NewSES sends through Amazon SES. The configuration set is the one that
// publishes events; empty: none, and then nothing is ever known to be delivered.
func NewSES(client sesClient, configurationSet string) Sender {
	return sesSender{client, configurationSet}
}

// Send implements [Sender]. It calls SES once: the SDK would try again after a
// time-out, and SES sends twice what it is asked for twice.
func (s sesSender) Send(ctx context.Context, e Envelope) (string, error) {
	if err := e.check(); err != nil {
		return "", err
	}
	in := &ses.SendRawEmailInput{
		Source:       aws.String(e.From),
		Destinations: e.To,
		RawMessage:   &types.RawMessage{Data: e.Raw},
		Tags: []types.MessageTag{
			{Name: aws.String(TagTenant), Value: aws.String(Tag(string(e.Tenant)))},
			{Name: aws.String(TagMessage), Value: aws.String(Tag(e.MessageID))},
		},
	}
	if s.configurationSet != "" {
		in.ConfigurationSetName = aws.String(s.configurationSet)
	}
	asked := false
	out, err := s.client.SendRawEmail(ctx, in, func(o *ses.Options) {
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = witness{o.HTTPClient, &asked}
	})
	if err != nil {
		reason := whyRefused(err)
		if !asked {
			reason = ErrNotSent // no time left or no credentials, for example
		}
		if reason != nil {
			return "", fmt.Errorf("send message %s through SES: %w: %w", e.MessageID, reason, err)
		}
		return "", fmt.Errorf("send message %s through SES (it may have left): %w", e.MessageID, err)
	}
	return aws.ToString(out.MessageId), nil
}

// witness knows whether a request was made at all.
type witness struct {
	ses.HTTPClient
	asked *bool
}

func (w witness) Do(r *http.Request) (*http.Response, error) {
	*w.asked = true
	return w.HTTPClient.Do(r)
}

// whyRefused says which of this package's errors an answer of SES means, or nil
// if it does not prove that the message stayed.
//
// SES answers MessageRejected both when our side is not set up (an identity is
// not verified; in the sandbox the recipient's too) and for a message that it
// will not have. Only its words tell the two apart, and words change: whatever
// is not known to be the message's own fault counts as ours, so that nobody is
// given up because of our set-up.
//
// Sources: https://docs.aws.amazon.com/ses/latest/APIReference/API_SendRawEmail.html,
// https://docs.aws.amazon.com/ses/latest/dg/using-ses-api-error-codes.html
func whyRefused(err error) error {
	var connection *net.OpError
	if errors.As(err, &connection) && connection.Op == "dial" {
		return ErrNotSent
	}
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return nil
	}
	words := strings.ToLower(answer.ErrorMessage())
	switch code := answer.ErrorCode(); code {
	case "MessageRejected":
		for _, ownFault := range []string{"blacklisted", "illegal", "virus", "transaction failed"} {
			if strings.Contains(words, ownFault) {
				return ErrRejected
			}
		}
		return ErrNotSetUp
	case "InvalidParameterValue", "ValidationError":
		if strings.Contains(words, "configuration set") {
			return ErrNotSetUp
		}
		return ErrRejected
	case "Throttling", "ThrottlingException", "TooManyRequestsException", "LimitExceeded", "RequestLimitExceeded":
		return ErrThrottled
	case "MailFromDomainNotVerifiedException", "FromEmailAddressNotVerified", "ConfigurationSetDoesNotExist", "ConfigurationSetDoesNotExistException",
		"ConfigurationSetSendingPausedException", "AccountSendingPausedException",
		"AccessDenied", "AccessDeniedException", "OptInRequired",
		"InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException",
		"MissingAuthenticationToken", "IncompleteSignature", "RequestExpired":
		return ErrNotSetUp
	}
	return nil
}

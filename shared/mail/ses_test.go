package mail_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ses"
	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/emulator"
	"sallyport/shared/mail"
)

func sesClient(endpoint string, change ...func(*ses.Options)) *ses.Client {
	return ses.New(ses.Options{
		Region:       emulator.Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(emulator.Key, emulator.Key, ""),
	}, change...)
}

// The SES adapter against an SES that was not written here.
func TestSESSender(t *testing.T) {
	endpoint := emulator.AWS(t)
	client := sesClient(endpoint)
	testSender(t, func(t *testing.T) mailbox {
		request(t, http.MethodPost, endpoint+"/moto-api/reset")
		if _, err := client.VerifyDomainIdentity(t.Context(), &ses.VerifyDomainIdentityInput{Domain: aws.String("contoso.com")}); err != nil {
			t.Fatal(err)
		}
		return mailbox{mail.NewSES(client, "rollout"), func(t *testing.T) []string { return motoSent(t, endpoint) }}
	})

	t.Run("an identity that is not verified", func(t *testing.T) {
		request(t, http.MethodPost, endpoint+"/moto-api/reset")
		_, err := mail.NewSES(client, "").Send(t.Context(), envelope(t))
		if !errors.Is(err, mail.ErrNotSetUp) || errors.Is(err, mail.ErrRejected) {
			t.Errorf("error %v, want ErrNotSetUp alone: it says nothing about the recipient", err)
		}
		if got := motoSent(t, endpoint); len(got) != 0 {
			t.Errorf("sent %d messages, want none", len(got))
		}
	})
}

// motoSent reads moto's own list of what its SES has sent.
func motoSent(t *testing.T, endpoint string) []string {
	t.Helper()
	body := request(t, http.MethodGet, endpoint+"/moto-api/data.json")
	var state struct {
		SES struct {
			RawMessage []struct {
				RawData string `json:"raw_data"`
			}
		} `json:"ses"`
	}
	if err := json.Unmarshal(body, &state); err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, m := range state.SES.RawMessage {
		sent = append(sent, m.RawData)
	}
	return sent
}

func request(t *testing.T, method, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s, error %v", method, url, res.Status, body, err)
	}
	return body
}

// answering is an SES that gives one answer, and keeps what it was asked.
func answering(t *testing.T, status int, body string) (endpoint string, asked *[]url.Values) {
	t.Helper()
	asked = new([]url.Values)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, r.PostForm)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

const accepted = `<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><SendRawEmailResult><MessageId>0102-abc</MessageId></SendRawEmailResult></SendRawEmailResponse>`

// What SES is asked: the tags are what joins its events with the message.
func TestSESRequest(t *testing.T) {
	endpoint, asked := answering(t, http.StatusOK, accepted)
	e := envelope(t)
	id, err := mail.NewSES(sesClient(endpoint), "rollout").Send(t.Context(), e)
	if err != nil || id != "0102-abc" {
		t.Fatalf("id %q, error %v", id, err)
	}
	want := url.Values{
		"Action":                {"SendRawEmail"},
		"Version":               {"2010-12-01"},
		"Source":                {`"Contoso IT" <it@contoso.com>`},
		"Destinations.member.1": {"megan.bowen@contoso.com"},
		"RawMessage.Data":       {base64.StdEncoding.EncodeToString(e.Raw)},
		"ConfigurationSetName":  {"rollout"},
		"Tags.member.1.Name":    {"tenant"},
		"Tags.member.1.Value":   {"contoso_2eonmicrosoft_2ecom"},
		"Tags.member.2.Name":    {"message"},
		"Tags.member.2.Value":   {"reminder-7_2eeveryone_2e5c1a"},
	}
	if diff := cmp.Diff([]url.Values{want}, *asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSESWithoutConfigurationSet(t *testing.T) {
	endpoint, asked := answering(t, http.StatusOK, accepted)
	if _, err := mail.NewSES(sesClient(endpoint), "").Send(t.Context(), envelope(t)); err != nil {
		t.Fatal(err)
	}
	if (*asked)[0].Has("ConfigurationSetName") {
		t.Error("an empty configuration set was named")
	}
}

// Each answer of SES means one of this package's errors, and none of them makes
// a second call: SES would send twice.
func TestSESErrors(t *testing.T) {
	sentinels := []error{mail.ErrRejected, mail.ErrThrottled, mail.ErrNotSetUp, mail.ErrNotSent}
	for _, test := range []struct {
		status     int
		code, says string
		want       error // nil: not known whether it left
	}{
		{400, "MessageRejected", "Email address is not verified. The following identities failed the check in region EU-WEST-1: it@contoso.com", mail.ErrNotSetUp},
		{400, "MessageRejected", "Email address is not verified. The following identities failed the check in region EU-WEST-1: megan.bowen@contoso.com", mail.ErrNotSetUp},
		{400, "MessageRejected", "Sending suspended for this account.", mail.ErrNotSetUp},
		{400, "MessageRejected", "Words that nobody has seen yet", mail.ErrNotSetUp},
		{400, "MessageRejected", "Address blacklisted.", mail.ErrRejected},
		{400, "MessageRejected", "Transaction failed: Illegal filename", mail.ErrRejected},
		{400, "InvalidParameterValue", "Domain contains dot-dot", mail.ErrRejected},
		{400, "InvalidParameterValue", "Invalid configuration set name <x y>", mail.ErrNotSetUp},
		{400, "MailFromDomainNotVerifiedException", "x", mail.ErrNotSetUp},
		{400, "ConfigurationSetDoesNotExist", "Configuration set <rollout> does not exist.", mail.ErrNotSetUp},
		{400, "ConfigurationSetSendingPausedException", "x", mail.ErrNotSetUp},
		{400, "AccountSendingPausedException", "x", mail.ErrNotSetUp},
		{403, "AccessDenied", "User is not authorized to perform ses:SendRawEmail", mail.ErrNotSetUp},
		{403, "InvalidClientTokenId", "The security token included in the request is invalid", mail.ErrNotSetUp},
		{403, "SignatureDoesNotMatch", "x", mail.ErrNotSetUp},
		{403, "ExpiredToken", "x", mail.ErrNotSetUp},
		{400, "Throttling", "Maximum sending rate exceeded.", mail.ErrThrottled},
		{400, "Throttling", "Daily message quota exceeded.", mail.ErrThrottled},
		{400, "ThrottlingException", "Rate exceeded", mail.ErrThrottled},
		{503, "ServiceUnavailable", "x", nil},
		{500, "InternalFailure", "x", nil},
		{400, "SomethingNew", "x", nil},
	} {
		t.Run(test.code+" "+test.says, func(t *testing.T) {
			endpoint, asked := answering(t, test.status, fmt.Sprintf(
				`<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
				test.code, strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(test.says)))
			_, err := mail.NewSES(sesClient(endpoint), "rollout").Send(t.Context(), envelope(t))
			if err == nil {
				t.Fatal("no error")
			}
			for _, sentinel := range sentinels {
				if got, want := errors.Is(err, sentinel), sentinel == test.want; got != want {
					t.Errorf("is it %q: %t, want %t (%v)", sentinel, got, want, err)
				}
			}
			if !strings.Contains(err.Error(), envelope(t).MessageID) {
				t.Errorf("the error does not say which message: %v", err)
			}
			if len(*asked) != 1 {
				t.Errorf("SES was called %d times", len(*asked))
			}
		})
	}
}

// failing is a connection that breaks.
type failing struct{ err error }

func (f failing) Do(*http.Request) (*http.Response, error) { return nil, f.err }

// The two ways in which a connection fails differ: refused is surely not sent,
// cut off after the request may be sent.
func TestSESConnections(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := mail.NewSES(sesClient(server.URL), "").Send(t.Context(), envelope(t))
		if !errors.Is(err, mail.ErrNotSent) {
			t.Errorf("error %v, want ErrNotSent", err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		var calls atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			panic(http.ErrAbortHandler) // net/http's way to close without an answer
		}))
		defer server.Close()
		_, err := mail.NewSES(sesClient(server.URL), "").Send(t.Context(), envelope(t))
		for _, sentinel := range []error{mail.ErrRejected, mail.ErrThrottled, mail.ErrNotSetUp, mail.ErrNotSent} {
			if errors.Is(err, sentinel) {
				t.Errorf("the error claims to know: %v", err)
			}
		}
		if err == nil || calls.Load() != 1 {
			t.Errorf("error %v after %d calls, want an error after one", err, calls.Load())
		}
	})
	t.Run("broken while the answer is read", func(t *testing.T) {
		client := sesClient("http://127.0.0.1:1", func(o *ses.Options) { o.HTTPClient = failing{&net.OpError{Op: "read", Err: io.EOF}} })
		_, err := mail.NewSES(client, "").Send(t.Context(), envelope(t))
		if err == nil || errors.Is(err, mail.ErrNotSent) {
			t.Errorf("error %v: it is not known whether the message left", err)
		}
	})
	t.Run("no credentials", func(t *testing.T) {
		endpoint, asked := answering(t, http.StatusOK, accepted)
		client := sesClient(endpoint, func(o *ses.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, errors.New("the role is gone")
			})
		})
		_, err := mail.NewSES(client, "").Send(t.Context(), envelope(t))
		if !errors.Is(err, mail.ErrNotSent) {
			t.Errorf("error %v, want ErrNotSent", err)
		}
		if len(*asked) != 0 {
			t.Error("SES was called")
		}
	})
}

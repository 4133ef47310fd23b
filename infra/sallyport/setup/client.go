package setup

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	azureauth "github.com/microsoft/kiota-authentication-azure-go"
	kiota "github.com/microsoft/kiota-http-go"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"

	"sallyport/shared/graph"
)

// Scopes are the delegated permissions that the person at the keyboard is asked
// for, and that allow no more than this person's own roles do. host is the one of
// the cloud's Microsoft Graph.
// Source: https://learn.microsoft.com/graph/permissions-reference
func Scopes(host string) []string {
	scopes := []string{
		// what `emergency check` reads
		"Organization.Read.All", "LicenseAssignment.Read.All", "Policy.Read.All", "UserAuthenticationMethod.Read.All",
		// the accounts, and their first password
		"User.ReadWrite.All", "User-PasswordProfile.ReadWrite.All",
		// the group, its members, and the role
		"Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory",
		// the exclusions
		"Policy.ReadWrite.ConditionalAccess",
	}
	for i := range scopes {
		scopes[i] = "https://" + host + "/" + scopes[i]
	}
	return scopes
}

// ErrApplication: the token is an application's. What this package does is for a
// person to do, who is there and has signed in.
var ErrApplication = errors.New("this is the token of an application, and only a person makes emergency accounts: sign in as a Global Administrator")

// Scoped asks for those permissions by name, whatever scope the caller has in mind:
// ".default" would bring whatever somebody once consented to. It lets no token of
// an application through.
func Scoped(inner azcore.TokenCredential, scopes []string) azcore.TokenCredential {
	return scoped{inner, scopes}
}

type scoped struct {
	inner  azcore.TokenCredential
	scopes []string
}

// GetToken implements [azcore.TokenCredential].
func (s scoped) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	o.Scopes = s.scopes
	token, err := s.inner.GetToken(ctx, o)
	if err == nil && !ofPerson(token.Token) {
		return azcore.AccessToken{}, ErrApplication
	}
	return token, err
}

// ofPerson reports whether a token carries scopes, as those of people do. One that
// cannot be read is Graph's to judge.
// Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
func ofPerson(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return true
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct {
		Scopes string `json:"scp"`
	}
	return err != nil || json.Unmarshal(text, &claims) != nil || claims.Scopes != ""
}

// Options is what a [Client] is made of.
type Options struct {
	Endpoint   string // the root of Microsoft Graph; empty: the public cloud
	Credential azcore.TokenCredential
	Clock      Clock
	Transport  http.RoundTripper // nil: a transport of its own
}

// Client makes the few changes that setting up takes. Its last look at every
// request is in guard.go.
type Client struct {
	adapter  *kiota.NetHttpRequestAdapter
	clock    Clock
	endpoint *url.URL
}

// NewClient makes a client. It sends nothing yet.
func NewClient(o Options) (*Client, error) {
	if o.Endpoint == "" {
		o.Endpoint = graph.PublicEndpoint
	}
	endpoint, err := url.Parse(strings.TrimSuffix(o.Endpoint, "/"))
	if err != nil || endpoint.Host == "" {
		return nil, fmt.Errorf("%q is no end point: expected for example %s", o.Endpoint, graph.PublicEndpoint)
	}
	if here := endpoint.Hostname(); endpoint.Scheme != "https" && here != "127.0.0.1" && here != "::1" && here != "localhost" {
		return nil, fmt.Errorf("end point %q: only https carries an access token (http: on this machine alone)", o.Endpoint)
	}
	if o.Transport == nil {
		o.Transport = kiota.GetDefaultTransport()
	}
	tokens, err := azureauth.NewAzureIdentityAccessTokenProviderWithScopesAndValidHosts(o.Credential, Scopes(endpoint.Host), []string{endpoint.Hostname()})
	if err != nil {
		return nil, fmt.Errorf("prepare the access tokens: %w", err)
	}
	client := &http.Client{
		Transport:     kiota.NewCustomTransportWithParentTransport(guarded{o.Transport, endpoint}, kiota.NewParametersNameDecodingHandler()),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	adapter, err := kiota.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		authentication.NewBaseBearerTokenAuthenticationProvider(tokens),
		kiotajson.NewJsonParseNodeFactory(), kiotajson.NewJsonSerializationWriterFactory(), client)
	if err != nil {
		return nil, fmt.Errorf("make the request adapter: %w", err)
	}
	c := &Client{adapter: adapter, clock: o.Clock, endpoint: endpoint}
	adapter.SetBaseUrl(c.base())
	return c, nil
}

func (c *Client) base() string { return c.endpoint.String() + "/v1.0" }

// path starts a request builder of the SDK, which writes into the map.
func (c *Client) path() map[string]string { return map[string]string{"baseurl": c.base()} }

// Error is an answer of Graph that is no success. Microsoft's message stays out: it
// may quote what was sent.
type Error struct {
	Status    int
	Code      string
	RequestID string
}

// Error names the status, the code and Graph's request id.
func (e *Error) Error() string {
	text := fmt.Sprintf("Graph answered %d (%s)", e.Status, e.Code)
	if e.RequestID != "" {
		text += ", request " + e.RequestID
	}
	return text
}

// ErrUnknown: nobody knows whether it was done. Run the command again: it looks
// first.
var ErrUnknown = errors.New("nobody knows whether it was done; run this again, it looks first")

// How often and how long: a person is waiting.
const (
	attempts    = 5
	longestWait = time.Minute
	attemptTime = 100 * time.Second
)

// send sends a request and returns the answer's body. What cannot do anything twice
// is sent again where that helps. A create never is: it comes back as
// [ErrUnknown], and the caller looks.
func (c *Client) send(ctx context.Context, req *abstractions.RequestInformation) ([]byte, error) {
	req.Headers.TryAdd("Prefer", "include-unknown-enum-members")
	for attempt := 1; ; attempt++ {
		body, wait, err := c.attempt(ctx, req)
		var answer *Error
		refused := errors.As(err, &answer)
		again := !refused || answer.Status == http.StatusTooManyRequests || answer.Status >= 500
		switch {
		case err == nil, ctx.Err() != nil, errors.Is(err, errRefused), !again:
			return body, err
		case req.Method == abstractions.POST && (!refused || answer.Status != http.StatusTooManyRequests):
			return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
		case attempt == attempts:
			return nil, fmt.Errorf("gave up after %d attempts: %w", attempt, err)
		}
		if wait == 0 {
			wait = time.Second << (attempt - 1)
		}
		if err := c.clock.Sleep(ctx, min(wait, longestWait)); err != nil {
			return nil, err
		}
	}
}

// attempt sends a request once, and reads the answer to its end. It also says how
// long Graph asks to wait.
func (c *Client) attempt(ctx context.Context, req *abstractions.RequestInformation) (body []byte, wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	native := abstractions.NewRequestHandlerOption()
	native.SetResponseHandler(func(response any, _ abstractions.ErrorMappings) (any, error) {
		res, ok := response.(*http.Response)
		if !ok {
			return nil, fmt.Errorf("the SDK handed over a %T instead of an HTTP response", response)
		}
		var readErr error
		if body, readErr = io.ReadAll(io.LimitReader(res.Body, 64<<20)); readErr != nil {
			return nil, fmt.Errorf("the answer broke off: %w", readErr)
		}
		if res.StatusCode >= 200 && res.StatusCode < 300 {
			return nil, nil
		}
		if seconds, err := strconv.ParseFloat(res.Header.Get("Retry-After"), 64); err == nil && seconds > 0 {
			wait = time.Duration(seconds * float64(time.Second))
		}
		return nil, errorIn(res.StatusCode, res.Header.Get("request-id"), body)
	})
	req.AddRequestOptions([]abstractions.RequestOption{native})
	err = c.adapter.SendNoContent(ctx, req, nil)
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err // the address holds names
	}
	return body, wait, err
}

func errorIn(status int, requestID string, body []byte) error {
	var answer struct {
		Error struct {
			Code  string `json:"code"`
			Inner struct {
				RequestID string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	e := &Error{Status: status, RequestID: requestID, Code: "no error code"}
	if json.Unmarshal(body, &answer) == nil && answer.Error.Code != "" {
		e.Code = answer.Error.Code
		if e.RequestID == "" {
			e.RequestID = answer.Error.Inner.RequestID
		}
	}
	return e
}

// statusOf is the status of Graph's refusal in an error, or 0.
func statusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Advice says what to do about an error, or nothing.
func Advice(err error) string {
	var denied *graph.DeniedError
	if status := statusOf(err); errors.As(err, &denied) || status == http.StatusForbidden || status == http.StatusUnauthorized {
		return "Are you a Global Administrator now? With Privileged Identity Management, activate the role, wait a minute, and run this again. If your organisation decides who may consent to permissions, it must allow those that this command asks for."
	}
	return ""
}

// read gets one address below the version into v.
func (c *Client) read(ctx context.Context, v any, path string, query url.Values) error {
	u := c.endpoint.JoinPath("v1.0", path)
	u.RawQuery = query.Encode()
	req := abstractions.NewRequestInformation()
	req.Method = abstractions.GET
	req.SetUri(*u)
	req.Headers.TryAdd("Accept", "application/json")
	body, err := c.send(ctx, req)
	if err != nil {
		return err
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(v); err != nil {
		return fmt.Errorf("the answer is not what Graph documents: %w", err)
	}
	return nil
}

// Package graph reads a Microsoft 365 tenant through Microsoft Graph and makes
// the few writes of a rollout: a policy created report-only, a policy's state,
// Security Defaults, two groups, and change notifications.
//
// Requests are built and sent by Microsoft's SDK (the sub-packages of
// msgraph-sdk-go, never its root). Answers are read from their JSON and not
// through the SDK's models, for two reasons. A model turns an enum member that
// its version does not know into a known one: ["mfa","riskRemediation"] is read
// as [mfa block], and a rule that saw that would be wrong about a lock-out. And
// a model costs six times as much as encoding/json for a row of the reports.
// A test compares both readings on Microsoft's documented answers.
//
// What holds for every method:
//
//   - Pace and retry are one policy (transport.go, retry.go, pace.go), driven by
//     the Clock that is handed in. Reads and repeatable writes are retried; a
//     create never is, since nobody knows whether it happened: look for the
//     marker first.
//   - A listing is complete or an error, never a short list. Pages are handed
//     over as they come, so memory does not grow with the tenant; act on them
//     only after the method has returned nil.
//   - Every write passes one last guard on its bytes (guard.go), which knows the
//     few writes that Sallyport may make and refuses all others.
//   - Errors name ids, codes and permissions, never people.
package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	azureauth "github.com/microsoft/kiota-authentication-azure-go"
	kiota "github.com/microsoft/kiota-http-go"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
)

// PublicEndpoint is Microsoft Graph of the public cloud. The national clouds
// have their own: https://learn.microsoft.com/graph/deployments
const PublicEndpoint = "https://graph.microsoft.com"

// Clock tells the time and waits. Pace and back-off go through it, so that a
// rehearsal of sixty days waits for nothing.
type Clock interface {
	Now() time.Time
	// Sleep returns early, with the context's error, when ctx is done.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options is what a [Client] is made of.
type Options struct {
	// Endpoint is the root of Microsoft Graph without a version; empty:
	// [PublicEndpoint]. Plain http is accepted for this machine only.
	Endpoint string
	// Credential gives the access tokens; see [NewCredential]. Required.
	Credential azcore.TokenCredential
	// Transport carries the requests; nil: a transport of the client's own.
	Transport http.RoundTripper
	// Clock is required.
	Clock Clock
	// Log hears of retries and waits, with ids only; nil: nobody does.
	Log *slog.Logger
}

// Client speaks to Microsoft Graph for one tenant, the credential's. It is safe
// for concurrent use, and keeps the pace of one app in one tenant: make one per
// tenant and keep it.
type Client struct {
	adapter    *kiota.NetHttpRequestAdapter
	credential azcore.TokenCredential
	clock      Clock
	log        *slog.Logger
	endpoint   *url.URL // without a version and without a trailing slash
	scope      string
}

// New makes a client. It sends nothing yet.
func New(o Options) (*Client, error) {
	if o.Credential == nil {
		return nil, errors.New("graph: no credential: make one with NewCredential")
	}
	if o.Clock == nil {
		return nil, errors.New("graph: no clock: hand in job.Wall or a simulated one")
	}
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	base := o.Transport
	if base == nil {
		base = kiota.GetDefaultTransport()
	}
	scope := scopeFor(endpoint)
	tokens, err := azureauth.NewAzureIdentityAccessTokenProviderWithScopesAndValidHosts(
		o.Credential, []string{scope}, []string{endpoint.Hostname()})
	if err != nil {
		return nil, fmt.Errorf("graph: prepare the access tokens: %w", err)
	}
	// Kiota's own retry, redirect and compression stay out: there is one retry
	// policy, a redirect would take the token elsewhere, and the guard reads
	// plain bytes.
	transport := kiota.NewCustomTransportWithParentTransport(
		&transport{base: base, endpoint: endpoint, clock: o.Clock, pacer: newPacer(o.Clock), log: log},
		kiota.NewParametersNameDecodingHandler())
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	adapter, err := kiota.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		authentication.NewBaseBearerTokenAuthenticationProvider(tokens),
		kiotajson.NewJsonParseNodeFactory(), kiotajson.NewJsonSerializationWriterFactory(), client)
	if err != nil {
		return nil, fmt.Errorf("graph: make the request adapter: %w", err)
	}
	c := &Client{adapter: adapter, credential: o.Credential, clock: o.Clock, log: log, endpoint: endpoint, scope: scope}
	adapter.SetBaseUrl(c.base())
	return c, nil
}

// base is where version 1.0 begins.
func (c *Client) base() string { return c.endpoint.String() + "/v1.0" }

// beta is where Graph keeps what is not in version 1.0 (yet).
func (c *Client) beta() string { return c.endpoint.String() + "/beta" }

// path starts a request builder of the SDK. Each builder gets a map of its own:
// the SDK writes into it.
func (c *Client) path() map[string]string { return map[string]string{"baseurl": c.base()} }

func parseEndpoint(raw string) (*url.URL, error) {
	if raw == "" {
		raw = PublicEndpoint
	}
	u, err := url.Parse(strings.TrimSuffix(raw, "/"))
	if err != nil || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("graph: %q is no end point: expected for example %s", raw, PublicEndpoint)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("graph: end point %q: only https carries an access token (http: on this machine alone)", raw)
	}
	return u, nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// scopeFor names what a token is asked for. A Microsoft end point is its own
// audience; anything else stands in for the public cloud.
func scopeFor(endpoint *url.URL) string {
	switch strings.ToLower(endpoint.Host) {
	case "graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn":
		return "https://" + strings.ToLower(endpoint.Host) + "/.default"
	}
	return PublicEndpoint + "/.default"
}

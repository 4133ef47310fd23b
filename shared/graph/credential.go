package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// assertionAudience is whom an assertion for Entra must be made out to.
// Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation
const assertionAudience = "api://AzureADTokenExchange"

// App is an app registration, as which Sallyport signs in to a tenant.
type App struct {
	Tenant   string // its initial domain or its id
	ClientID string
	// AuthorityHost is AZURE_AUTHORITY_HOST: where tokens are asked for; empty:
	// the public cloud. It must be https.
	AuthorityHost string
	// Transport carries the token requests; nil: the default of Azure's SDK.
	Transport policy.Transporter
}

// TokenSource gives a fresh token that says who this workload is. It is called
// from several goroutines.
type TokenSource interface {
	WebIdentityToken(ctx context.Context) (string, error)
}

// NewCredential signs in with the token of another identity provider, so that
// there is no secret to keep. Access tokens are cached in the credential: make
// one per tenant and keep it.
// Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
func NewCredential(app App, source TokenSource) (azcore.TokenCredential, error) {
	if source == nil {
		return nil, errors.New("graph: no source of web identity tokens")
	}
	inner, err := azidentity.NewClientAssertionCredential(app.Tenant, app.ClientID, source.WebIdentityToken,
		&azidentity.ClientAssertionCredentialOptions{ClientOptions: app.options(), DisableInstanceDiscovery: !app.microsoft()})
	if err != nil {
		return nil, fmt.Errorf("graph: prepare to sign in to %s: %w", app.Tenant, err)
	}
	return &credential{inner: inner, tenant: app.Tenant}, nil
}

// NewCertificateCredential signs in with a certificate and its private key in
// PEM: the fallback for an AWS account that cannot issue web identity tokens.
func NewCertificateCredential(app App, pem []byte) (azcore.TokenCredential, error) {
	certificates, key, err := azidentity.ParseCertificates(pem, nil)
	if err != nil {
		// The cause is left out on purpose: it might quote the key.
		return nil, errors.New("graph: the certificate is no PEM with a certificate and an unencrypted private key")
	}
	inner, err := azidentity.NewClientCertificateCredential(app.Tenant, app.ClientID, certificates, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: app.options(), DisableInstanceDiscovery: !app.microsoft()})
	if err != nil {
		return nil, fmt.Errorf("graph: prepare to sign in to %s: %w", app.Tenant, err)
	}
	return &credential{inner: inner, tenant: app.Tenant}, nil
}

func (a App) options() azcore.ClientOptions {
	options := azcore.ClientOptions{Transport: a.Transport}
	if a.AuthorityHost != "" {
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: a.AuthorityHost}
	}
	return options
}

// microsoft reports whether the authority is one of Microsoft's. Any other is
// not asked for its metadata at Microsoft's: it is unknown there.
func (a App) microsoft() bool {
	if a.AuthorityHost == "" {
		return true
	}
	u, err := url.Parse(a.AuthorityHost)
	return err == nil && slices.Contains([]string{
		"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn",
	}, strings.ToLower(u.Hostname()))
}

// credential explains the refusals that a new installation meets.
type credential struct {
	inner  azcore.TokenCredential
	tenant string
}

// GetToken implements [azcore.TokenCredential].
func (c *credential) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := c.inner.GetToken(ctx, options)
	if err == nil {
		return token, nil
	}
	if advice := adviceFor(codesIn(err)); advice != "" {
		return azcore.AccessToken{}, fmt.Errorf("sign in to %s: %s: %w", c.tenant, advice, err)
	}
	return azcore.AccessToken{}, fmt.Errorf("sign in to %s: %w", c.tenant, err)
}

// adviceFor says what to do about an error code of Entra.
// Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func adviceFor(codes []int) string {
	for _, code := range codes {
		switch code {
		case 70021, 700211, 700212, 700213:
			return "Entra knows no federated credential that matches this token. A new one takes some minutes to " +
				"arrive everywhere: wait and try again. If it persists, issuer, subject (the ARN of the function's role) " +
				"and audience must match to the letter"
		case 700016:
			return "the app registration does not exist in this tenant: create it or give it consent there"
		case 90002:
			return "Entra knows no such tenant: check its name"
		}
	}
	return ""
}

// codesIn returns the error codes in Entra's answer. They are numbers of their
// own there; the text around them is not to be relied on.
func codesIn(err error) []int {
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse == nil || failed.RawResponse.Body == nil {
		return nil
	}
	body, readErr := io.ReadAll(io.LimitReader(failed.RawResponse.Body, 1<<20))
	if readErr != nil {
		return nil
	}
	// Error() prints the body too: leave it readable.
	failed.RawResponse.Body = io.NopCloser(strings.NewReader(string(body)))
	var answer struct {
		Codes []int `json:"error_codes"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	return answer.Codes
}

// webIdentityAPI is what is used of AWS STS.
type webIdentityAPI interface {
	GetWebIdentityToken(ctx context.Context, in *sts.GetWebIdentityTokenInput, opts ...func(*sts.Options)) (*sts.GetWebIdentityTokenOutput, error)
}

// STSTokens is a [TokenSource]: AWS vouches for the function's role. The account
// must have outbound web identity federation enabled, and the client a region
// (the global end point does not serve this call).
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
type STSTokens struct{ Client webIdentityAPI }

// WebIdentityToken asks for a token that is good for five minutes. Entra takes
// RS256 alone.
func (s STSTokens) WebIdentityToken(ctx context.Context) (string, error) {
	out, err := s.Client.GetWebIdentityToken(ctx, &sts.GetWebIdentityTokenInput{
		Audience:         []string{assertionAudience},
		SigningAlgorithm: new("RS256"),
		DurationSeconds:  new(int32(300)),
	})
	if err != nil {
		return "", fmt.Errorf("ask AWS for a web identity token: %w", err)
	}
	if out.WebIdentityToken == nil || *out.WebIdentityToken == "" {
		return "", errors.New("ask AWS for a web identity token: the answer holds none")
	}
	return *out.WebIdentityToken, nil
}

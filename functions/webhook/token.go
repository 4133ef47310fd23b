package webhook

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// azureMonitor is the application id by which Azure Monitor's action groups
	// ("AZNS AAD Webhook") call a secure webhook, the same in every tenant, and
	// monitorRole the role that our app registration gives it.
	//
	// Source: https://learn.microsoft.com/azure/azure-monitor/alerts/action-groups
	azureMonitor = "461e8683-5575-4561-ac7f-899cc907d62a"
	monitorRole  = "ActionGroupsSecureWebhook"

	// maxBearer is the longest Authorization header that is looked at, in bytes.
	// Entra's application tokens have about 1,500.
	maxBearer = 8 << 10
	// clockSkew is how far Entra's clock and ours may differ.
	clockSkew = time.Minute
)

// Why a token proves nothing, in words that hold nothing of the token: they may
// stand in a log. Each is an [ErrForeign].
var (
	errNoBearer    = fmt.Errorf("%w: no bearer token", ErrForeign)
	errLongBearer  = fmt.Errorf("%w: token over the limit", ErrForeign)
	errToken       = fmt.Errorf("%w: not a token as Entra makes them", ErrForeign)
	errAlgorithm   = fmt.Errorf("%w: token not signed with RS256", ErrForeign)
	errSignature   = fmt.Errorf("%w: signature does not match", ErrForeign)
	errUnknownKey  = fmt.Errorf("%w: signed with a key that the tenant does not have", ErrForeign)
	errIssuer      = fmt.Errorf("%w: issuer is none of AlertTenants", ErrForeign)
	errAudience    = fmt.Errorf("%w: made out to another application", ErrForeign)
	errCaller      = fmt.Errorf("%w: caller is not Azure Monitor", ErrForeign)
	errRole        = fmt.Errorf("%w: caller lacks the role "+monitorRole, ErrForeign)
	errExpired     = fmt.Errorf("%w: token expired or never expires", ErrForeign)
	errNotYetValid = fmt.Errorf("%w: token not valid yet", ErrForeign)
)

// ErrUndecided: the sender may be Azure Monitor, but the keys that would say so
// are out of reach. It is asked to come again.
var ErrUndecided = errors.New("keys of the tenant out of reach")

// Tokens proves the bearer tokens of Azure Monitor's secure webhook. Only the
// tenants it was made with can be issuers, each with the one application that it
// calls us by: no token of one tenant is good for another's.
//
// Signature and dates are the matter of golang-jwt, which Azure's own SDK uses
// too, so that the house has one such library. The keys are kept by [keySet]:
// go-oidc's key set asks for them once for each unknown key id, and so would
// make a flood of requests to Entra out of a flood of forged tokens.
type Tokens struct {
	issuers map[string]*issuer // by the claim iss
}

// issuer is a tenant, by one of the two names that its tokens give it.
type issuer struct {
	tenant    string
	audiences []string
	keys      *keySet
}

// claims are those that are looked at. Which version a token has is the app
// registration's choice: version 1 names its caller appid, version 2 azp.
type claims struct {
	jwt.RegisteredClaims
	Tenant string   `json:"tid"`
	AppID  string   `json:"appid"`
	Azp    string   `json:"azp"`
	Roles  []string `json:"roles"`
}

// NewTokens trusts tenants: Entra's tenant id -> the application id of the app
// registration there that Azure Monitor calls. authority is the base of Entra's
// URLs. Without a tenant it is nil: the secure webhook is off.
func NewTokens(authority string, tenants map[string]string, client *http.Client) *Tokens {
	if len(tenants) == 0 {
		return nil
	}
	t := &Tokens{issuers: map[string]*issuer{}}
	for tenant, app := range tenants {
		base := strings.TrimSuffix(authority, "/") + "/" + tenant
		i := &issuer{
			tenant:    tenant,
			audiences: []string{"api://" + app, app}, // version 1, version 2
			keys:      &keySet{url: base + "/discovery/v2.0/keys", issuer: base + "/v2.0", tenant: tenant, client: client},
		}
		t.issuers[version1(authority)+tenant+"/"] = i
		t.issuers[base+"/v2.0"] = i
	}
	return t
}

// version1 is where tokens of version 1 say they come from: a name of its own,
// whatever host they were asked of.
//
// Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
func version1(authority string) string {
	if strings.Contains(authority, ".chinacloudapi.cn") {
		return "https://sts.chinacloudapi.cn/"
	}
	return "https://sts.windows.net/"
}

// prove returns nil for a token by which Azure Monitor called us, an
// [ErrForeign] for any other, and [ErrUndecided] if that cannot be told now.
func (t *Tokens) prove(ctx context.Context, authorization string, now time.Time) error {
	if len(authorization) > maxBearer {
		return errLongBearer
	}
	scheme, raw, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return errNoBearer
	}
	var c claims
	var asked bool
	var refused error
	// The claims are checked where the library asks for the key, so it need not check them again.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithoutClaimsValidation())
	_, err := parser.ParseWithClaims(raw, &c, func(token *jwt.Token) (any, error) {
		asked = true
		key, err := t.key(ctx, token.Header, c, now)
		refused = err
		return key, err
	})
	// The library's own words may quote the token: they go no further.
	switch {
	case err == nil:
		return nil
	case refused != nil:
		return refused
	case !errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errToken
	case !asked:
		return errAlgorithm
	}
	return errSignature
}

// key returns the key that a token must be signed with. What the token says of
// itself is checked first: only one that would be good if it were signed may
// make us ask Entra for keys.
func (t *Tokens) key(ctx context.Context, header map[string]any, c claims, now time.Time) (*rsa.PublicKey, error) {
	if _, critical := header["crit"]; critical {
		return nil, errToken // it says that we must understand what we do not
	}
	kid, _ := header["kid"].(string)
	if kid == "" {
		return nil, errToken
	}
	i := t.issuers[c.Issuer]
	if i == nil || c.Tenant != i.tenant {
		return nil, errIssuer
	}
	if !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(i.audiences, a) }) {
		return nil, errAudience
	}
	for _, caller := range []string{c.AppID, c.Azp} {
		if caller != "" && caller != azureMonitor {
			return nil, errCaller
		}
	}
	if c.AppID == "" && c.Azp == "" {
		return nil, errCaller
	}
	if !slices.Contains(c.Roles, monitorRole) {
		return nil, errRole
	}
	dates := jwt.NewValidator(jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew), jwt.WithTimeFunc(func() time.Time { return now }))
	if err := dates.Validate(c); errors.Is(err, jwt.ErrTokenNotValidYet) {
		return nil, errNotYetValid
	} else if err != nil {
		return nil, errExpired
	}
	return i.keys.key(ctx, kid, now)
}

package tenant

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// App is an application registration with what an admin has consented to.
type App struct {
	ID string
	// Roles are the application permissions; a token carries those of the
	// moment at which it was issued.
	Roles []string
	// Issuer and Subject are those of its federated credential. Empty ones are
	// not looked at.
	Issuer, Subject string
}

// tokensKept is how many tokens are remembered as read: decoding one costs more
// than answering most polls.
const tokensKept = 32

// tokenLife is how long a token is good.
const tokenLife = time.Hour

// PutApp registers an application or replaces what it may do.
func (t *Tenant) PutApp(a App) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a.Roles = slices.Clone(a.Roles)
	t.apps[strings.ToLower(a.ID)] = &a
}

// Token issues an access token to an application, good for an hour of the
// tenant's clock. It is what the log-in end point answers, for callers in the
// same process.
func (t *Tenant) Token(appID string) (token string, expires time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token(appID)
}

func (t *Tenant) token(appID string) (string, time.Time, error) {
	app, ok := t.apps[strings.ToLower(appID)]
	if !ok {
		return "", time.Time{}, fmt.Errorf("token for application %s: %w", appID, ErrUnknown)
	}
	now := t.clock.Now()
	expires := now.Add(tokenLife)
	claims := Object{
		"aud": "https://graph.microsoft.com", "iss": "https://sts.windows.net/" + text(t.organization, "id") + "/", "tid": text(t.organization, "id"),
		"appid": app.ID, "oid": makeID(t.seed, "servicePrincipal "+app.ID, 1), "roles": anyList(app.Roles), "ver": "1.0",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": expires.Unix(),
	}
	return t.sign(claims), expires, nil
}

// sign makes a token of claims.
func (t *Tenant) sign(claims Object) string {
	signed := encodePart(Object{"typ": "JWT", "alg": "HS256"}) + "." + encodePart(claims)
	mac := hmac.New(sha256.New, []byte(fmt.Sprint("tenant ", t.seed)))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encodePart(o Object) string { return base64.RawURLEncoding.EncodeToString(marshal(o)) }

// claimsOf reads a JWT without looking at its signature: the simulation trusts
// whoever can reach it.
func claimsOf(token string) (header, claims Object, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, false
	}
	for i, into := range []*Object{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[i], "="))
		if err != nil || json.Unmarshal(b, into) != nil {
			return nil, nil, false
		}
	}
	return header, claims, claims != nil
}

// authenticate reads the bearer token into the call, or refuses.
func (t *Tenant) authenticate(c *call) answer {
	scheme, token, _ := strings.Cut(c.header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return problem(http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty.")
	}
	claims, known := t.tokens[token]
	if !known {
		_, claims, _ = claimsOf(token)
		if len(t.tokens) >= tokensKept {
			clear(t.tokens)
		}
		t.tokens[token] = claims
	}
	if claims == nil {
		return problem(http.StatusUnauthorized, "InvalidAuthenticationToken", "IDX14100: JWT is not well formed.")
	}
	if exp, has := claims["exp"].(float64); has && !t.clock.Now().Before(time.Unix(int64(exp), 0)) {
		return problem(http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
	}
	c.app, c.roles = text(claims, "appid"), list(claims, "roles")
	if scopes := text(claims, "scp"); scopes != "" {
		c.person, c.roles = text(claims, "oid"), strings.Fields(scopes)
	}
	return answer{}
}

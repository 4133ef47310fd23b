package tenant

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What Entra accepts from a workload of another cloud.
// Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
const (
	exchangeAudience = "api://AzureADTokenExchange"
	assertionType    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Login answers like https://login.microsoftonline.com for this one tenant:
// where its end points are, tokens for client assertions, and device code
// sign-ins. azidentity talks only https to it: see [ServeTLS].
func (t *Tenant) Login() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", t.discover)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/devicecode", t.offerCode)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", t.issue)
	return mux
}

// isHere reports whether a name means this tenant: its id or one of its domains.
func (t *Tenant) isHere(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if strings.EqualFold(name, text(t.organization, "id")) {
		return true
	}
	for _, d := range objects(t.organization, "verifiedDomains") {
		if strings.EqualFold(name, text(d, "name")) {
			return true
		}
	}
	return false
}

func (t *Tenant) discover(w http.ResponseWriter, r *http.Request) {
	if !t.isHere(r.PathValue("tenant")) && !anyOrganisation(r.PathValue("tenant")) {
		write(w, t.refuseLogin(http.StatusBadRequest, "invalid_tenant", 90002, "Tenant '"+r.PathValue("tenant")+"' not found."))
		return
	}
	base := "https://" + r.Host + "/" + r.PathValue("tenant")
	write(w, ok(http.StatusOK, Object{
		"token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
		"issuer": base + "/v2.0", "jwks_uri": base + "/discovery/v2.0/keys", "tenant_region_scope": "EU",
		"token_endpoint_auth_methods_supported": []any{"private_key_jwt"}, "response_types_supported": []any{"token"},
	}))
}

func (t *Tenant) issue(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		write(w, t.refuseLogin(http.StatusBadRequest, "invalid_request", 900144, "The request body cannot be read."))
		return
	}
	form := r.PostForm
	switch {
	case redeems(form.Get("grant_type")):
		write(w, t.admitPerson(r.PathValue("tenant"), form))
	case !t.isHere(r.PathValue("tenant")):
		write(w, t.refuseLogin(http.StatusBadRequest, "invalid_request", 90002, "Tenant not found."))
	case form.Get("grant_type") != "client_credentials":
		write(w, t.refuseLogin(http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."))
	case !strings.HasSuffix(form.Get("scope"), "/.default") && !strings.Contains(form.Get("scope"), "/.default "):
		write(w, t.refuseLogin(http.StatusBadRequest, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid."))
	case form.Get("client_assertion_type") != assertionType:
		write(w, t.refuseLogin(http.StatusUnauthorized, "invalid_client", 7000216, "'client_assertion' is required for the 'client_credentials' grant type."))
	default:
		write(w, t.exchangeAssertion(form.Get("client_id"), form.Get("client_assertion")))
	}
}

// exchangeAssertion gives a token for an assertion of the right shape, issuer
// and subject. The signature is not looked at: there is nobody to ask for keys.
func (t *Tenant) exchangeAssertion(clientID, assertion string) answer {
	header, claims, readable := claimsOf(assertion)
	t.mu.Lock()
	app := t.apps[strings.ToLower(clientID)]
	now := t.clock.Now()
	t.mu.Unlock()
	audience := append(list(claims, "aud"), text(claims, "aud"))
	exp, _ := number(claims["exp"])
	switch {
	case app == nil:
		return t.refuseLogin(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+clientID+"' was not found in the directory.")
	case !readable:
		return t.refuseLogin(http.StatusUnauthorized, "invalid_client", 50027, "JWT token is invalid or malformed.")
	case text(header, "alg") != "RS256":
		return t.refuseLogin(http.StatusUnauthorized, "invalid_client", 5002738, "Invalid JWT token. Only RS256 is supported.")
	case !holds(audience, exchangeAudience):
		return t.refuseLogin(http.StatusUnauthorized, "invalid_client", 700212, "No matching federated identity record found for presented assertion audience.")
	case app.Issuer != "" && app.Issuer != text(claims, "iss"):
		return t.refuseLogin(http.StatusUnauthorized, "invalid_client", 700211, "No matching federated identity record found for presented assertion issuer.")
	case app.Subject != "" && app.Subject != text(claims, "sub"):
		return t.refuseLogin(http.StatusUnauthorized, "invalid_client", 700213, "No matching federated identity record found for presented assertion subject.")
	case exp > 0 && !now.Before(time.Unix(int64(exp), 0)):
		return t.refuseLogin(http.StatusUnauthorized, "invalid_client", 700024, "Client assertion is not within its valid time range.")
	}
	token, _, err := t.Token(clientID)
	if err != nil {
		return t.refuseLogin(http.StatusBadRequest, "unauthorized_client", 700016, err.Error())
	}
	seconds := int(tokenLife / time.Second)
	return ok(http.StatusOK, Object{"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token})
}

// refuseLogin is an error in the shape of the log-in end point.
func (t *Tenant) refuseLogin(status int, code string, number int, description string) answer {
	t.mu.Lock()
	now := t.clock.Now()
	t.mu.Unlock()
	return answer{status: status, body: marshal(Object{
		"error": code, "error_description": fmt.Sprintf("AADSTS%d: %s", number, description), "error_codes": []any{number},
		"timestamp": now.UTC().Format("2006-01-02 15:04:05Z"), "trace_id": makeID(t.seed, "trace", 1), "correlation_id": makeID(t.seed, "trace", 2),
	})}
}

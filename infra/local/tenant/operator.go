package tenant

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// redeems reports whether a person's sign-in is what the token is asked for. The
// short name of the grant is what Microsoft's library sends.
// Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
func redeems(grant string) bool {
	return grant == "urn:ietf:params:oauth:grant-type:device_code" || grant == "device_code" || grant == "refresh_token"
}

// SetOperator says who completes the device code sign-ins at [Tenant.Login], as a
// person does in a browser; empty: nobody does.
func (t *Tenant) SetOperator(userID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.atCode = userID
}

// PersonToken issues the token that a person gets who signs in to an application
// and allows it these scopes, good for an hour of the tenant's clock. What it
// opens is no more than what the person may do.
func (t *Tenant) PersonToken(userID, appID string, scopes ...string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.personToken(userID, appID, scopes)
}

func (t *Tenant) personToken(userID, appID string, scopes []string) string {
	now := t.clock.Now()
	return t.sign(Object{
		"aud": "https://graph.microsoft.com", "iss": "https://sts.windows.net/" + text(t.organization, "id") + "/", "tid": text(t.organization, "id"),
		"appid": appID, "oid": userID, "scp": strings.Join(scopes, " "), "ver": "1.0",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	})
}

// personMay reports whether the person behind a delegated token may do it: a
// scope allows no more than the person's own roles do. Writing here is for Global
// Administrators, and reading for whoever holds any role.
func (t *Tenant) personMay(c *call) bool {
	switch {
	case c.person == "":
		return true
	case c.method == http.MethodGet:
		return t.isAdmin(c.person)
	}
	return t.hasRole(c.person, []string{RoleGlobalAdmin})
}

// anyOrganisation are the names under which a person signs in without saying to
// which tenant.
func anyOrganisation(name string) bool { return name == "organizations" || name == "common" }

// offerCode answers a request for a device code.
func (t *Tenant) offerCode(w http.ResponseWriter, r *http.Request) {
	if !t.isHere(r.PathValue("tenant")) && !anyOrganisation(r.PathValue("tenant")) {
		write(w, t.refuseLogin(http.StatusBadRequest, "invalid_request", 90002, "Tenant not found."))
		return
	}
	const code = "SMPL4EXMP"
	write(w, ok(http.StatusOK, Object{
		"device_code": "device-" + code, "user_code": code, "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900, "interval": 5,
		"message": "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code " + code + " to authenticate.",
	}))
}

// admitPerson gives tokens for a device code that somebody entered, or for a
// refresh token of the same sign-in.
func (t *Tenant) admitPerson(name string, form url.Values) answer {
	if !t.isHere(name) && !anyOrganisation(name) {
		return t.refuseLogin(http.StatusBadRequest, "invalid_request", 90002, "Tenant not found.")
	}
	t.mu.Lock()
	person, known := t.users.get(t.atCode)
	organisation := text(t.organization, "id")
	t.mu.Unlock()
	refresh := "refresh-" + text(person, "id")
	switch {
	case !known:
		return t.refuseLogin(http.StatusBadRequest, "authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
	case form.Get("grant_type") == "refresh_token" && form.Get("refresh_token") != refresh:
		return t.refuseLogin(http.StatusBadRequest, "invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
	}
	var scopes, granted []string
	for _, s := range strings.Fields(form.Get("scope")) {
		granted = append(granted, s)
		if bare, is := strings.CutPrefix(s, "https://graph.microsoft.com/"); is {
			scopes = append(scopes, bare)
		}
	}
	t.mu.Lock()
	token := t.personToken(text(person, "id"), form.Get("client_id"), scopes)
	idToken := t.sign(Object{"aud": form.Get("client_id"), "oid": text(person, "id"), "sub": text(person, "id"), "tid": organisation, "preferred_username": text(person, "userPrincipalName"), "ver": "2.0"})
	t.mu.Unlock()
	seconds := int(tokenLife / time.Second)
	return ok(http.StatusOK, Object{
		"token_type": "Bearer", "scope": strings.Join(granted, " "), "expires_in": seconds, "ext_expires_in": seconds,
		"access_token": token, "refresh_token": refresh, "id_token": idToken,
		"client_info": base64.RawURLEncoding.EncodeToString(marshal(Object{"uid": text(person, "id"), "utid": organisation})),
	})
}

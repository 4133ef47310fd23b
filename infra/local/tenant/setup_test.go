package tenant_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"sallyport/infra/local/tenant"
)

// settingUp are the scopes that setting accounts up takes.
var settingUp = []string{"User.ReadWrite.All", "User-PasswordProfile.ReadWrite.All", "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory", "Policy.Read.All", "Policy.ReadWrite.ConditionalAccess"}

// person is a caller who signed in.
func person(t *testing.T, firm *tenant.Tenant, id string, scopes ...string) caller {
	t.Helper()
	app := call(t, firm)
	app.token = firm.PersonToken(id, "cli", scopes...)
	return app
}

// boss makes somebody Global Administrator and returns them.
func boss(t *testing.T, firm *tenant.Tenant) string {
	t.Helper()
	id := anyone(t, firm, func(u tenant.Object) bool { return !firm.IsAdmin(str(u, "id")) })
	firm.AssignRole(id, tenant.RoleGlobalAdmin, "/")
	return id
}

const newUser = `{"accountEnabled":false,"displayName":"Mia Holt","mailNickname":"u1","userPrincipalName":"mia.holt@` + tenant.SampleDomain + `","passwordProfile":{"password":"aB3aB3aB3","forceChangePasswordNextSignIn":false}}`

// A token with scopes opens no more than the person's own roles do, and no more
// than its scopes.
func TestAPersonMayNoMoreThanTheirRole(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, wall()))
	chief := boss(t, firm)
	anybody := anyone(t, firm, func(u tenant.Object) bool { return !firm.IsAdmin(str(u, "id")) })
	for _, tt := range []struct {
		name   string
		who    string
		scopes []string
		status int
	}{
		{"a member", anybody, settingUp, http.StatusForbidden},
		{"without the scope", chief, []string{"User.Read.All"}, http.StatusForbidden},
		{"Global Administrator", chief, settingUp, http.StatusCreated},
		{"the same name again", chief, settingUp, http.StatusBadRequest},
	} {
		if status, o, _ := person(t, firm, tt.who, tt.scopes...).do(http.MethodPost, "/users", newUser); status != tt.status {
			t.Errorf("%s: %d %v, want %d", tt.name, status, o, tt.status)
		}
	}
}

// What decides about the sign-in of an account that has a role, or stands in a
// group that can carry one, takes a scope that reaches further.
func TestPrivilegedAccountsAreNotTouched(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, wall()))
	app := person(t, firm, boss(t, firm), settingUp...)
	_, made, _ := app.do(http.MethodPost, "/users", newUser)
	id := str(made, "id")
	const enable = `{"accountEnabled":true,"passwordProfile":{"password":"xY4xY4xY4"}}`
	if status, o, _ := app.do(http.MethodPatch, "/users/"+id, enable); status != http.StatusNoContent || firm.Password(id) != "xY4xY4xY4" {
		t.Fatalf("%d %v, %q", status, o, firm.Password(id))
	}
	if status, o, _ := app.do(http.MethodPatch, "/users/"+id, `{"passwordProfile":{"password":"weak"}}`); status != http.StatusBadRequest {
		t.Errorf("a weak password: %d %v", status, o)
	}
	status, group, _ := app.do(http.MethodPost, "/groups", `{"displayName":"G","mailEnabled":false,"mailNickname":"g1","securityEnabled":true,"isAssignableToRole":true}`)
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, group)
	}
	if err := firm.AddMember(str(group, "id"), id); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := app.do(http.MethodPatch, "/users/"+id, enable); status != http.StatusForbidden {
		t.Errorf("a member of a role-assignable group: %d", status)
	}
	if status, _, _ := app.do(http.MethodPatch, "/users/"+id, `{"displayName":"Mia"}`); status != http.StatusNoContent {
		t.Errorf("its name: %d", status)
	}
}

// Groups that can carry roles take a licence and a permission of their own.
func TestAssignableGroups(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, wall()))
	const group = `{"displayName":"G","mailEnabled":false,"mailNickname":"g1","securityEnabled":true,"isAssignableToRole":true}`
	chief := boss(t, firm)
	if status, _, _ := person(t, firm, chief, "Group.ReadWrite.All").do(http.MethodPost, "/groups", group); status != http.StatusForbidden {
		t.Errorf("without the permission: %d", status)
	}
	firm.SetLicenceStatus("Suspended")
	if status, _, _ := person(t, firm, chief, settingUp...).do(http.MethodPost, "/groups", group); status != http.StatusForbidden {
		t.Errorf("without the licence: %d", status)
	}
}

// A role is assigned once, to somebody who exists.
func TestAssignments(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, wall()))
	chief := boss(t, firm)
	app := person(t, firm, chief, settingUp...)
	anybody := anyone(t, firm, func(u tenant.Object) bool { return !firm.IsAdmin(str(u, "id")) })
	body := func(who, role, scope string) string {
		return `{"principalId":"` + who + `","roleDefinitionId":"` + role + `","directoryScopeId":"` + scope + `"}`
	}
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"nobody", body("000000ff-0000-4000-8000-000000000001", tenant.RoleGlobalAdmin, "/"), http.StatusNotFound},
		{"no role", body(anybody, "000000ff-0000-4000-8000-000000000001", "/"), http.StatusNotFound},
		{"no scope", body(anybody, tenant.RoleGlobalAdmin, ""), http.StatusBadRequest},
		{"once", body(anybody, tenant.RoleGlobalAdmin, "/"), http.StatusCreated},
		{"twice", body(anybody, tenant.RoleGlobalAdmin, "/"), http.StatusBadRequest},
	} {
		if status, o, _ := app.do(http.MethodPost, "/roleManagement/directory/roleAssignments", tt.body); status != tt.status {
			t.Errorf("%s: %d %v, want %d", tt.name, status, o, tt.status)
		}
	}
	if !firm.IsAdmin(anybody) {
		t.Error("the role was not given")
	}
}

// Microsoft's own credential signs a person in by a device code, waits until they
// did, and gets further scopes without asking again.
func TestAzidentitySignsAPersonIn(t *testing.T) {
	c := wall()
	firm := tenant.Sample(1, c)
	chief := boss(t, firm)
	server, err := tenant.ServeTLS(firm.Login(), t.TempDir(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	pem, err := os.ReadFile(server.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	asked := 0
	polls := 0
	counted := roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			if polls++; polls == 2 {
				firm.SetOperator(chief) // they needed a moment
			}
		}
		return (&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}).RoundTrip(r)
	})
	credential, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
		TenantID: "organizations", ClientID: "cli", DisableInstanceDiscovery: true,
		UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
			asked++
			if !strings.Contains(m.Message, m.UserCode) {
				t.Errorf("the message does not say the code: %s", m.Message)
			}
			return nil
		},
		ClientOptions: azcore.ClientOptions{
			Transport: &http.Client{Transport: counted}, Retry: policy.RetryOptions{MaxRetries: -1},
			Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: server.URL + "/"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"User.Read.All", "Policy.Read.All"} {
		token, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/" + scope}})
		if err != nil {
			t.Fatal(err)
		}
		path := map[string]string{"User.Read.All": "/users", "Policy.Read.All": "/identity/conditionalAccess/policies"}[scope]
		app := call(t, firm)
		app.token = token.Token
		if status, o, _ := app.do(http.MethodGet, path, ""); status != http.StatusOK {
			t.Errorf("%s opens nothing: %d %v", scope, status, o)
		}
	}
	if asked != 1 || polls < 2 {
		t.Errorf("asked %d times, %d polls", asked, polls)
	}
}

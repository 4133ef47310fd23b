package tenant_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sallyport/infra/local/tenant"
)

const reader = "11111111-aaaa-4aaa-8aaa-000000000001"

// everyRole is what a caller needs who may do anything.
var everyRole = []string{
	"Organization.Read.All", "LicenseAssignment.Read.All", "User.Read.All", "AuditLog.Read.All", "UserAuthenticationMethod.Read.All",
	"UserAuthMethod-TAP.ReadWrite.All", "Policy.Read.All", "Policy.ReadWrite.ConditionalAccess", "Policy.ReadWrite.SecurityDefaults",
	"Policy.ReadWrite.AuthenticationMethod", "MailboxSettings.Read", "RoleManagement.Read.Directory", "Group.Read.All", "Group.Create", "GroupMember.ReadWrite.All",
	"IdentityRiskEvent.Read.All", "IdentityRiskyUser.Read.All",
}

// caller is an application that talks to a tenant.
type caller struct {
	t      *testing.T
	tenant *tenant.Tenant
	app    string
	header http.Header
	token  string // a person's; empty: the application's own
}

// call makes a caller with these application permissions.
func call(t *testing.T, firm *tenant.Tenant, roles ...string) caller {
	t.Helper()
	firm.PutApp(tenant.App{ID: reader, Roles: roles})
	return caller{t: t, tenant: firm, app: reader, header: http.Header{}}
}

// unthrottled is a tenant without limits, for tests of something else.
func unthrottled(firm *tenant.Tenant) *tenant.Tenant {
	b := firm.Behaviour()
	b.Throttle = false
	firm.SetBehaviour(b)
	return firm
}

func (c caller) with(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Set(name, value)
	return c
}

// do sends a request; path begins after the version unless it is a whole URL.
func (c caller) do(method, path, body string) (int, tenant.Object, http.Header) {
	c.t.Helper()
	token, _, err := c.tenant.Token(c.app)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		token = c.token
	}
	if !strings.HasPrefix(path, "http") {
		if !strings.HasPrefix(path, "/beta/") {
			path = "/v1.0" + path
		}
		path = "https://graph.microsoft.com" + path
	}
	u, err := url.Parse(path)
	if err != nil {
		c.t.Fatal(err)
	}
	u.RawQuery = strings.ReplaceAll(u.RawQuery, " ", "%20")
	r, err := http.NewRequestWithContext(c.t.Context(), method, u.String(), strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = c.header.Clone()
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := c.tenant.Transport().RoundTrip(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	var o tenant.Object
	if len(b) > 0 {
		if err := json.Unmarshal(b, &o); err != nil {
			c.t.Fatalf("%s %s answered no JSON: %v: %s", method, path, err, b)
		}
	}
	return res.StatusCode, o, res.Header
}

// get expects 200.
func (c caller) get(path string) tenant.Object {
	c.t.Helper()
	status, o, _ := c.do(http.MethodGet, path, "")
	if status != http.StatusOK {
		c.t.Fatalf("GET %s: %d %v", path, status, o)
	}
	return o
}

// rows follows a listing to its end.
func (c caller) rows(path string) []tenant.Object {
	c.t.Helper()
	var out []tenant.Object
	for path != "" {
		o := c.get(path)
		out = append(out, objectsOf(o["value"])...)
		path = str(o, "@odata.nextLink")
	}
	return out
}

func objectsOf(v any) []tenant.Object {
	var out []tenant.Object
	list, _ := v.([]any)
	for _, e := range list {
		if o, ok := e.(tenant.Object); ok {
			out = append(out, o)
		}
	}
	return out
}

func errorCode(o tenant.Object) string {
	e, _ := o["error"].(tenant.Object)
	return str(e, "code")
}

func errorMessage(o tenant.Object) string {
	e, _ := o["error"].(tenant.Object)
	return str(e, "message")
}

func idOf(t *testing.T, firm *tenant.Tenant, upn string) string {
	t.Helper()
	id, ok := firm.UserID(upn)
	if !ok {
		t.Fatalf("nobody is called %s", upn)
	}
	return id
}

// anyone returns the first enabled member for whom the test holds.
func anyone(t *testing.T, firm *tenant.Tenant, is func(tenant.Object) bool) string {
	t.Helper()
	for _, u := range firm.Users() {
		if u["accountEnabled"] == true && u["userType"] == "Member" && str(u, "department") != "" && is(u) {
			return str(u, "id")
		}
	}
	t.Fatal("nobody in the sample is like that")
	return ""
}

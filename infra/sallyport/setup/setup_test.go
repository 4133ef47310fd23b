package setup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/infra/sallyport/setup"
	"sallyport/shared/graph"
)

const domain = "fabrikam.onmicrosoft.com"

// held is the token of a person who is signed in.
type held string

func (h held) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(h), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// firm is a tenant with one policy that is on and one that is off, and a Global
// Administrator who is signed in.
func firm(t *testing.T, through func(*tenant.Tenant, http.RoundTripper) http.RoundTripper) (*tenant.Tenant, setup.Room) {
	t.Helper()
	clock := rehearsal.NewClock(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC))
	f := tenant.New("Fabrikam", domain, 7, clock)
	f.AddSKU("cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", "SPB", 25, map[string]string{tenant.PlanP1: "AAD_PREMIUM"})
	boss, err := f.AddUser(tenant.Object{"userPrincipalName": "ann@" + domain})
	if err != nil {
		t.Fatal(err)
	}
	f.AssignRole(boss, tenant.RoleGlobalAdmin, "/")
	for id, state := range map[string]string{onID: "enabled", offID: "disabled"} {
		var o tenant.Object
		text := `{"id":"` + id + `","displayName":"` + state + `","state":"` + state + `","conditions":{"users":{"includeUsers":["All"],"excludeRoles":["d29b2b05-8046-44ba-8758-1e26182fcf32"]},` +
			`"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa","riskRemediation"]}}`
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		f.AddPolicy(o)
	}
	scopes := setup.Scopes("graph.microsoft.com")
	for i := range scopes {
		scopes[i] = strings.TrimPrefix(scopes[i], "https://graph.microsoft.com/")
	}
	credential, transport := held(f.PersonToken(boss, "cli", scopes...)), f.Transport()
	if through != nil {
		transport = through(f, transport)
	}
	reader, err := graph.New(graph.Options{Credential: credential, Clock: clock, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := setup.NewClient(setup.Options{Credential: credential, Clock: clock, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return f, setup.Room{Reader: reader, Writer: writer, Random: rand.NewChaCha8([32]byte{6})}
}

const (
	onID  = "000000c0-0000-4000-8000-000000000001"
	offID = "000000c0-0000-4000-8000-000000000002"
)

// made looks and makes, as the verb does.
func made(t *testing.T, r setup.Room) (setup.State, error) {
	t.Helper()
	s, err := r.Look(t.Context(), nil)
	if err == nil {
		err = r.Make(t.Context(), &s, func([]setup.Sealed) error { return nil }, func(string) {})
	}
	return s, err
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// damaging is a Graph that replaces more of a policy than what was sent.
func damaging(f *tenant.Tenant, next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, "conditionalAccess") {
			return next.RoundTrip(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		res, err := next.RoundTrip(r)
		if !bytes.Contains(body, []byte("includeApplications")) {
			err = errors.Join(err, f.EditPolicy(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], func(p tenant.Object) {
				users, _ := p["conditions"].(tenant.Object)["users"].(tenant.Object)
				users["excludeRoles"] = []any{}
			}))
		}
		return res, err
	})
}

// Whether Graph merges a PATCH of nested conditions is not documented. If it does
// not, the first policy shows it, which is one that is off: it is put back, the one
// that is on is not touched, and nobody gets a password or a role.
func TestAPolicyIsPutBack(t *testing.T) {
	f, room := firm(t, damaging)
	before := map[string]string{}
	for _, id := range []string{onID, offID} {
		before[id] = text(t, f, id)
	}
	s, err := made(t, room)
	if err == nil || !strings.Contains(err.Error(), "it is as it was before") {
		t.Fatalf("%v", err)
	}
	for id, want := range before {
		if got := text(t, f, id); got != want {
			t.Errorf("policy %s:\n%s\nwant\n%s", id, got, want)
		}
	}
	for _, w := range f.Writes() {
		if strings.HasSuffix(w.Path, onID) {
			t.Errorf("the policy that is on was written: %s", w.Body)
		}
	}
	if s.Accounts[0].Handed() || s.Accounts[1].Handed() {
		t.Errorf("%+v", s.Accounts)
	}
}

func text(t *testing.T, f *tenant.Tenant, id string) string {
	t.Helper()
	p, err := f.Policy(id)
	if err != nil {
		t.Fatal(err)
	}
	delete(p, "modifiedDateTime")
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// What leaves for a policy is its list of excluded groups and nothing else: the
// control riskRemediation, which this SDK does not know, is neither read nor
// written, and others' exclusions stay.
func TestTheSmallestBody(t *testing.T) {
	f, room := firm(t, nil)
	other := f.AddGroup("Others", nil)
	if err := f.Exclude(onID, "excludeGroups", other); err != nil {
		t.Fatal(err)
	}
	s, err := made(t, room)
	if err != nil || !s.Done() {
		t.Fatalf("%v, %+v", err, s)
	}
	bodies := map[string]string{}
	for _, w := range f.Writes() {
		if w.Method == http.MethodPatch && strings.Contains(w.Path, "conditionalAccess") {
			bodies[w.Path[strings.LastIndex(w.Path, "/")+1:]] = w.Body
		}
	}
	want := map[string]string{
		onID:  `{"conditions":{"users":{"excludeGroups":["` + other + `","` + s.Group.ID + `"]}}}`,
		offID: `{"conditions":{"users":{"excludeGroups":["` + s.Group.ID + `"]}}}`,
	}
	for id, w := range want {
		if bodies[id] != w {
			t.Errorf("policy %s: %s, want %s", id, bodies[id], w)
		}
	}
	if got := text(t, f, onID); !strings.Contains(got, "riskRemediation") || strings.Contains(got, `"block"`) {
		t.Errorf("%s", got)
	}
}

// A policy that somebody changed after the operator saw the list is left alone.
func TestAPolicyThatChangedMeanwhile(t *testing.T) {
	f, room := firm(t, nil)
	s, err := room.Look(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetPolicyState(offID, "enabled"); err != nil {
		t.Fatal(err)
	}
	err = room.Make(t.Context(), &s, func([]setup.Sealed) error { return nil }, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "changed by somebody since it was listed") {
		t.Errorf("%v", err)
	}
}

// What carries our marks and was laid out by somebody else is not used: it would
// be made Global Administrator, or left out of every policy.
func TestStrangers(t *testing.T) {
	for name, lay := range map[string]func(*testing.T, *tenant.Tenant, string) error{
		"a group that anybody can make": func(_ *testing.T, f *tenant.Tenant, tenantID string) error {
			f.AddGroup("Mine", tenant.Object{"mailNickname": setup.Mark(tenantID, "group")})
			return nil
		},
		"two groups": func(_ *testing.T, f *tenant.Tenant, tenantID string) error {
			for range 2 {
				f.AddGroup("Mine", tenant.Object{"mailNickname": setup.Mark(tenantID, "group"), "isAssignableToRole": true})
			}
			return nil
		},
		"somebody else in the group": func(t *testing.T, f *tenant.Tenant, tenantID string) error {
			t.Helper()
			id, err := f.AddUser(tenant.Object{"userPrincipalName": "eve@" + domain})
			f.AddGroup("Ours", tenant.Object{"mailNickname": setup.Mark(tenantID, "group"), "isAssignableToRole": true}, id)
			return err
		},
		"an account with a method": func(_ *testing.T, f *tenant.Tenant, tenantID string) error {
			id, err := f.AddUser(tenant.Object{"userPrincipalName": "eve@" + domain, "mailNickname": setup.Mark(tenantID, "account 1"), "accountEnabled": false})
			return errors.Join(err, f.Register(id, tenant.FIDO2, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)))
		},
		"an account of another domain": func(_ *testing.T, f *tenant.Tenant, tenantID string) error {
			f.AddDomain("fabrikam.example", true)
			_, err := f.AddUser(tenant.Object{"userPrincipalName": "eve@fabrikam.example", "mailNickname": setup.Mark(tenantID, "account 2")})
			return err
		},
		"a synchronised account": func(_ *testing.T, f *tenant.Tenant, tenantID string) error {
			_, err := f.AddUser(tenant.Object{"userPrincipalName": "eve@" + domain, "mailNickname": setup.Mark(tenantID, "account 2"), "onPremisesSyncEnabled": true})
			return err
		},
		"two accounts": func(_ *testing.T, f *tenant.Tenant, tenantID string) error {
			_, one := f.AddUser(tenant.Object{"userPrincipalName": "eve@" + domain, "mailNickname": setup.Mark(tenantID, "account 2")})
			_, two := f.AddUser(tenant.Object{"userPrincipalName": "eva@" + domain, "mailNickname": setup.Mark(tenantID, "account 2")})
			return errors.Join(one, two)
		},
	} {
		f, room := firm(t, nil)
		tenantID, _ := f.Organization()["id"].(string)
		if err := lay(t, f, tenantID); err != nil {
			t.Fatal(err)
		}
		if _, err := made(t, room); err == nil || len(f.Writes()) > 0 {
			t.Errorf("%s: %v, %d writes", name, err, len(f.Writes()))
		}
	}
}

// An enabled account that carries our mark, and neither stands in the group nor
// has the role, may have somebody else's password: it gets a new one.
func TestAnAccountLaidOutGetsANewPassword(t *testing.T) {
	f, room := firm(t, nil)
	tenantID, _ := f.Organization()["id"].(string)
	id, err := f.AddUser(tenant.Object{"userPrincipalName": "eve@" + domain, "mailNickname": setup.Mark(tenantID, "account 1")})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := made(t, room); err != nil || s.Accounts[0].ID != id {
		t.Fatalf("%v, %+v", err, s.Accounts)
	}
	if len(f.Password(id)) != 64 {
		t.Error("it keeps the password that somebody gave it")
	}
}

// A name that is taken is another person's account.
func TestANameThatIsTaken(t *testing.T) {
	f, room := firm(t, nil)
	if _, err := f.AddUser(tenant.Object{"userPrincipalName": "mia.holt@" + domain}); err != nil {
		t.Fatal(err)
	}
	s, err := room.Look(t.Context(), []string{"mia.holt"})
	if err != nil || strings.HasPrefix(s.Accounts[0].UserPrincipalName, "mia.holt@") || strings.HasPrefix(s.Accounts[1].UserPrincipalName, "mia.holt@") {
		t.Errorf("%v, %+v", err, s.Accounts)
	}
}

// Passwords that do not get to a person are not set.
func TestPasswordsThatNobodyGot(t *testing.T) {
	f, room := firm(t, nil)
	s, err := room.Look(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = room.Make(t.Context(), &s, func([]setup.Sealed) error { return errors.New("the paper is out") }, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "none was set") {
		t.Errorf("%v", err)
	}
	for _, a := range s.Accounts {
		u, err := f.User(a.ID)
		if err != nil || u["accountEnabled"] != false || f.IsAdmin(a.ID) {
			t.Errorf("account %v, %v", u, err)
		}
	}
}

// refusing refuses the n-th write that sets a password or gives a right.
type refusing struct {
	nth, writes int
	path        string // of the writes that count begins with it
}

func (r *refusing) Before(c tenant.Call) tenant.Fault {
	if c.Method != http.MethodGet && strings.HasPrefix(c.Path, r.path) {
		if r.writes++; r.writes == r.nth {
			return tenant.Fault{Kind: tenant.Answers, Status: http.StatusForbidden}
		}
	}
	return tenant.Fault{}
}

func (*refusing) After(tenant.Call, int) tenant.Fault { return tenant.Fault{} }

// A run that fails between the first card and the last right says which cards are
// void and which are good, and the next run gives new passwords to those accounts
// alone whose cards were void.
func TestWhichCardsAreVoid(t *testing.T) {
	const users, members, roles = "/v1.0/users/", "/v1.0/groups/", "/v1.0/roleManagement/"
	for name, tt := range map[string]struct {
		fault refusing
		void  []int
	}{
		"the first is not enabled":  {refusing{nth: 1, path: users}, []int{1, 2}},
		"the second is not enabled": {refusing{nth: 2, path: users}, []int{2}},
		"the first is no member":    {refusing{nth: 1, path: members}, []int{1, 2}},
		"the first gets no role":    {refusing{nth: 1, path: roles}, []int{2}},
		"the second gets no role":   {refusing{nth: 2, path: roles}, nil},
	} {
		f, room := firm(t, nil)
		f.SetFaults(&tt.fault)
		handed := map[int]string{}
		hand := func(sealed []setup.Sealed) error {
			for _, s := range sealed {
				handed[s.Slot] = s.Password.Reveal()
			}
			return nil
		}
		s, err := room.Look(t.Context(), nil)
		if err == nil {
			err = room.Make(t.Context(), &s, hand, func(string) {})
		}
		if err == nil {
			t.Fatalf("%s: nothing failed", name)
		}
		var got []int
		if void := (*setup.VoidError)(nil); errors.As(err, &void) {
			got = void.Void
		}
		if !slices.Equal(got, tt.void) {
			t.Errorf("%s: void are %v, want %v: %v", name, got, tt.void, err)
		}
		f.SetFaults(nil)
		first := maps.Clone(handed)
		if s, err = room.Look(t.Context(), nil); err == nil {
			err = room.Make(t.Context(), &s, hand, func(string) {})
		}
		if err != nil || !s.Done() {
			t.Fatalf("%s: the next run: %v", name, err)
		}
		for slot := 1; slot <= 2; slot++ {
			if f.Password(s.Accounts[slot-1].ID) != handed[slot] {
				t.Errorf("%s: the last card of account %d is not its password", name, slot)
			}
			if renewed := handed[slot] != first[slot]; renewed != slices.Contains(tt.void, slot) {
				t.Errorf("%s: account %d got a new password: %t", name, slot, renewed)
			}
		}
	}
}

// The last look before the wire: nothing but what was meant, and of that only the
// kinds that setting up takes.
func TestGuard(t *testing.T) {
	excluded := `{"conditions":{"users":{"excludeGroups":["a"]}}}`
	for name, tt := range map[string]struct{ method, path, body, meant string }{
		"another state":        {http.MethodPatch, "identity/conditionalAccess/policies/x", `{"state":"disabled"}`, excluded},
		"more than was meant":  {http.MethodPatch, "identity/conditionalAccess/policies/x", `{"conditions":{"users":{"excludeGroups":["a"],"includeUsers":["None"]}}}`, excluded},
		"a policy is deleted":  {http.MethodDelete, "identity/conditionalAccess/policies/x", "", ""},
		"a policy is made":     {http.MethodPost, "identity/conditionalAccess/policies", "{}", "{}"},
		"a user is deleted":    {http.MethodDelete, "users/x", "", ""},
		"a member is removed":  {http.MethodDelete, "groups/g/members/x/$ref", "", ""},
		"defaults":             {http.MethodPatch, "policies/identitySecurityDefaultsEnforcementPolicy", `{"isEnabled":false}`, `{"isEnabled":false}`},
		"no JSON":              {http.MethodPost, "users", "x", "x"},
		"a role is taken away": {http.MethodDelete, "roleManagement/directory/roleAssignments/x", "", ""},
	} {
		if setup.Guard(tt.method, tt.path, []byte(tt.body), []byte(tt.meant)) == nil {
			t.Errorf("%s: it would leave", name)
		}
	}
	if err := setup.Guard(http.MethodPatch, "identity/conditionalAccess/policies/x", []byte(excluded), []byte(` {"conditions": {"users":{"excludeGroups":["a"]}}}`)); err != nil {
		t.Error(err)
	}
}

// Two ways in which Graph writes the same policy are no difference; another
// control, person or state is.
func TestMeaning(t *testing.T) {
	const policy = `{"id":"p","state":"enabled","modifiedDateTime":"2026-01-01T00:00:00Z","conditions":{"users":{"includeUsers":["All"],"excludeUsers":["b","a"],"excludeGroups":["x"],"excludeRoles":[]},"platforms":null},"grantControls":{"builtInControls":["mfa","riskRemediation"],"authenticationStrength@odata.context":"y"}}`
	same := []string{
		strings.Replace(policy, `["b","a"]`, `["a","b"]`, 1), strings.Replace(policy, `,"platforms":null`, "", 1), strings.Replace(policy, `,"excludeRoles":[]`, "", 1),
		strings.Replace(policy, "2026-01-01", "2026-02-01", 1), strings.Replace(policy, `["x"]`, `["x","z"]`, 1), strings.Replace(policy, `,"authenticationStrength@odata.context":"y"`, "", 1),
	}
	other := []string{
		strings.Replace(policy, "riskRemediation", "block", 1), strings.Replace(policy, `"b","a"`, `"b"`, 1), strings.Replace(policy, "enabled", "disabled", 1),
		strings.Replace(policy, `"platforms":null`, `"platforms":{"includePlatforms":["all"]}`, 1),
	}
	for _, s := range same {
		if s == policy || setup.Meaning(s) != setup.Meaning(policy) {
			t.Errorf("%s\nis taken for another policy than\n%s", s, policy)
		}
	}
	if i := slices.IndexFunc(other, func(o string) bool { return setup.Meaning(o) == setup.Meaning(policy) }); i >= 0 {
		t.Errorf("%s\nis taken for\n%s", other[i], policy)
	}
}

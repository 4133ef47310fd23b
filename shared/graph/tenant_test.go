package graph_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	simulated "sallyport/infra/local/tenant"
	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// firm is a simulated tenant, the client under test, and their clock.
type firm struct {
	*simulated.Tenant
	client *graph.Client
	clock  *clock
}

const firmApp = "55555555-0000-4000-8000-000000000001"

// issued is a credential whose tokens the simulated tenant gave.
type issued struct{ tenant *simulated.Tenant }

func (c issued) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, expires, err := c.tenant.Token(firmApp)
	return azcore.AccessToken{Token: token, ExpiresOn: expires}, err
}

func permissions() []string {
	return []string{
		"AuditLog.Read.All", "Group.Create", "GroupMember.ReadWrite.All", "GroupMember.Read.All", "LicenseAssignment.Read.All",
		"MailboxSettings.Read", "Organization.Read.All", "Policy.Read.All", "Policy.ReadWrite.ConditionalAccess",
		"Policy.ReadWrite.SecurityDefaults", "RoleManagement.Read.Directory", "User.Read.All", "UserAuthenticationMethod.Read.All",
	}
}

func newFirm(t *testing.T, sample func(uint64, simulated.Clock) *simulated.Tenant, seed uint64) *firm {
	t.Helper()
	f := &firm{clock: &clock{now: start()}}
	f.Tenant = sample(seed, f.clock)
	f.PutApp(simulated.App{ID: firmApp, Roles: permissions()})
	server := httptest.NewServer(f.Tenant)
	t.Cleanup(server.Close)
	client, err := graph.New(graph.Options{Endpoint: server.URL, Credential: issued{f.Tenant}, Clock: f.clock})
	if err != nil {
		t.Fatal(err)
	}
	f.client = client
	return f
}

// throttled are the requests that were refused for coming too fast.
func (f *firm) throttled() []string {
	var out []string
	for _, r := range f.Journal() {
		if r.Status == http.StatusTooManyRequests {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}

func (f *firm) users(t *testing.T, withActivity bool) ([]rollout.User, error) {
	return collect(func(fn func([]rollout.User) error) error { return f.client.Users(t.Context(), withActivity, fn) })
}

func TestTheSimulatedTenantIsReadCompletely(t *testing.T) {
	f := newFirm(t, simulated.Sample, 1)
	b := simulated.Usual()
	b.PageCap = 40 // so that there are pages
	f.SetBehaviour(b)

	users, err := f.users(t, true)
	if err != nil {
		t.Fatal(err)
	}
	truth := f.Users()
	if len(users) != len(truth) {
		t.Fatalf("%d users, there are %d", len(users), len(truth))
	}
	var ids []string
	for i, u := range users {
		if want := truth[i]["id"]; u.ID != want {
			t.Errorf("user %d is %s, want %v", i, u.ID, want)
		}
		if u.AccountEnabled == rollout.Unknown || u.Synced == rollout.Unknown || !u.ActivityKnown || u.Created.IsZero() {
			t.Errorf("user %s: %+v", u.ID, u)
		}
		ids = append(ids, u.ID)
	}

	organization, err := f.client.Organization(t.Context())
	if err != nil || organization.InitialDomain != simulated.SampleDomain {
		t.Errorf("organization %+v, %v", organization, err)
	}
	plans, err := f.client.Plans(t.Context())
	if err != nil || !slices.ContainsFunc(plans, func(p rollout.ServicePlan) bool { return p.ID == rollout.PlanEntraP1 }) {
		t.Errorf("plans %+v, %v", plans, err)
	}

	registrations, err := collect(func(fn func([]rollout.Registration) error) error { return f.client.Registrations(t.Context(), fn) })
	if err != nil || len(registrations) == 0 || len(registrations) >= len(users) {
		t.Errorf("%d registrations of %d users (the disabled have none), %v", len(registrations), len(users), err)
	}
	for _, r := range registrations {
		if r.MFACapable == rollout.Unknown || r.ReportedAt.IsZero() {
			t.Errorf("registration %+v", r)
		}
	}

	assignments, err := f.client.RoleAssignments(t.Context(), true)
	if err != nil && !errors.Is(err, graph.ErrNoLicence) || len(assignments) < len(f.RoleAssignments()) {
		t.Errorf("%d role assignments of %d, %v", len(assignments), len(f.RoleAssignments()), err)
	}

	for _, g := range f.Groups() {
		id, _ := g["id"].(string)
		group, err := f.client.Group(t.Context(), id)
		if err != nil || !group.Opened {
			t.Errorf("group %s: %+v, %v", id, group, err)
		}
		var want []string
		for _, m := range f.TransitiveMembers(id) {
			if _, err := f.User(m); err == nil {
				want = append(want, m)
			}
		}
		slices.Sort(want)
		slices.Sort(group.Members)
		if diff := cmp.Diff(want, group.Members); diff != "" {
			t.Errorf("group %s: %s", id, diff)
		}
	}

	policies, err := f.client.Policies(t.Context())
	if err != nil || len(policies) != len(f.Policies()) {
		t.Errorf("%d policies of %d, %v", len(policies), len(f.Policies()), err)
	}
	if on, err := f.client.SecurityDefaults(t.Context()); err != nil || on != f.SecurityDefaults() {
		t.Errorf("Security Defaults %t, %v", on, err)
	}
	purposes, err := f.client.Purposes(t.Context(), ids)
	if err != nil || len(purposes) == 0 || len(purposes) >= len(ids) {
		t.Errorf("%d purposes of %d users, %v", len(purposes), len(ids), err)
	}
	granted, err := f.client.Granted(t.Context())
	want := permissions()
	slices.Sort(want)
	if diff := cmp.Diff(want, granted); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	// Whoever keeps the pace is not refused.
	if refused := f.throttled(); len(refused) != 0 {
		t.Errorf("refused for coming too fast: %v", refused)
	}
}

func TestTheSimulatedSignInLogIsReadCompletely(t *testing.T) {
	f := newFirm(t, simulated.Sample, 1)
	b := simulated.Usual()
	b.PageCap = 25
	f.SetBehaviour(b)
	var ids []string
	for _, u := range f.Users() {
		id, _ := u["id"].(string)
		ids = append(ids, id)
	}
	for i := range 300 {
		f.clock.now = f.clock.now.Add(time.Minute)
		if _, err := f.SignIn(simulated.Attempt{UserID: ids[i%len(ids)]}); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.now = f.clock.now.Add(4 * time.Hour)
	rows, err := signInsOf(t, f, graph.SignInQuery{From: start(), To: f.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.ID] = true
		for _, a := range r.Applied {
			if a.Result == "" || a.Result == "unknownFutureValue" {
				t.Errorf("sign-in %s: policy %s says %q", r.ID, a.ID, a.Result)
			}
		}
	}
	for _, truth := range f.SignIns(start(), f.clock.now) {
		if id, _ := truth["id"].(string); truth["isInteractive"] == true && !seen[id] {
			t.Errorf("sign-in %s was not read", id)
		}
	}
	if refused := f.throttled(); len(refused) != 0 {
		t.Errorf("refused for coming too fast: %v", refused)
	}
}

func signInsOf(t *testing.T, f *firm, q graph.SignInQuery) ([]rollout.SignIn, error) {
	return collect(func(fn func([]rollout.SignIn) error) error { return f.client.SignIns(t.Context(), q, fn) })
}

func TestThePolicyIsMadeAndSwitchedInTheSimulatedTenant(t *testing.T) {
	f := newFirm(t, simulated.Sample, 1)
	ctx := t.Context()
	emergency := make([]string, 2)
	for i, upn := range []string{simulated.SampleEmergencyOne, simulated.SampleEmergencyTwo} {
		emergency[i], _ = f.UserID(upn)
	}

	group, err := f.client.CreateGroup(ctx, "Sallyport: ready", "[sallyport:contoso.onmicrosoft.com:ready]")
	if err != nil {
		t.Fatal(err)
	}
	if id, found, err := f.client.FindGroup(ctx, "[sallyport:contoso.onmicrosoft.com:ready]"); err != nil || !found || id != group {
		t.Errorf("found %s, %t, %v", id, found, err)
	}
	owned := []rollout.OwnedGroup{{ID: group}}
	var people []string
	for _, u := range f.Users()[:50] {
		id, _ := u["id"].(string)
		people = append(people, id)
	}
	for _, add := range [][]string{people[:30], people} { // the second time thirty are there already
		if err := f.client.AddMembers(ctx, owned, group, add); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := f.client.RemoveMember(ctx, owned, group, people[3]); err != nil {
			t.Fatal(err)
		}
	}
	members, err := f.client.GroupMembers(ctx, group)
	want := slices.Delete(slices.Clone(people), 3, 4)
	slices.Sort(want)
	slices.Sort(members)
	if diff := cmp.Diff(want, members); err != nil || diff != "" {
		t.Errorf("members: %v %s", err, diff)
	}

	made, err := f.client.CreatePolicy(ctx, rollout.PolicyDraft{
		Wave: "everyone", Marker: "[sallyport:contoso.onmicrosoft.com:everyone]", DisplayName: "Sallyport: require MFA - everyone",
		IncludeUsers: []string{"All"}, ExcludeUsers: append(emergency, "GuestsOrExternalUsers"), ExcludeGroups: []string{group},
	}, emergency)
	if err != nil || made.State != rollout.StateReportOnly {
		t.Fatalf("made %+v, %v", made, err)
	}
	ours := []rollout.OwnedPolicy{{ID: made.ID}}
	f.SetSecurityDefaults(true)
	if err := f.client.SetPolicyState(ctx, ours, made.ID, rollout.StateEnabled); !errors.Is(err, graph.ErrSecurityDefaultsOn) {
		t.Errorf("enabling under Security Defaults: %v", err)
	}
	if err := f.client.SetSecurityDefaults(ctx, false); err != nil || f.SecurityDefaults() {
		t.Fatalf("switching Security Defaults off: %v", err)
	}
	if err := f.client.SetPolicyState(ctx, ours, made.ID, rollout.StateEnabled); err != nil {
		t.Fatal(err)
	}
	live, err := f.client.Policy(ctx, made.ID)
	if err != nil || live.State != rollout.StateEnabled {
		t.Errorf("read back %+v, %v", live, err)
	}
	made.State, made.Modified, live.Modified = rollout.StateEnabled, time.Time{}, time.Time{}
	if diff := cmp.Diff(made, live); diff != "" {
		t.Errorf("switching changed more than the state: %s", diff)
	}
	for _, id := range emergency {
		if f.Addresses(made.ID, id) {
			t.Errorf("the policy addresses the emergency account %s", id)
		}
	}
}

// hook answers the handshake of a subscription.
type hook struct{}

func (hook) RoundTrip(r *http.Request) (*http.Response, error) {
	token := r.URL.Query().Get("validationToken")
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(bytes.NewReader([]byte(token))), Request: r,
	}, nil
}

func TestSubscriptionsInTheSimulatedTenant(t *testing.T) {
	f := newFirm(t, simulated.Sample, 1)
	f.SetCallBack(hook{})
	ctx := t.Context()
	made, err := f.client.CreateSubscription(ctx, "/users", "updated,deleted", "https://hook.example.com/graph", "state", start().AddDate(0, 0, 28))
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := f.client.RenewSubscription(ctx, made.ID, start().AddDate(0, 0, 20))
	if err != nil || !renewed.ExpiresAt.Equal(start().AddDate(0, 0, 20)) {
		t.Errorf("renewed %+v, %v", renewed, err)
	}
	list, err := f.client.Subscriptions(ctx)
	if err != nil || len(list) != 1 || list[0].ID != made.ID {
		t.Errorf("listed %+v, %v", list, err)
	}
	f.DropSubscription(made.ID)
	if _, err := f.client.RenewSubscription(ctx, made.ID, start().AddDate(0, 0, 20)); !errors.Is(err, graph.ErrNotFound) {
		t.Errorf("a lost one: %v", err)
	}
}

func TestAFreeTenantIsReadWithoutItsReports(t *testing.T) {
	f := newFirm(t, simulated.SampleFree, 1)
	if _, err := f.users(t, true); !errors.Is(err, graph.ErrNoLicence) {
		t.Errorf("last sign-ins: %v", err)
	}
	if err := f.client.Registrations(t.Context(), func([]rollout.Registration) error { return nil }); !errors.Is(err, graph.ErrNoLicence) {
		t.Errorf("registrations: %v", err)
	}
	if _, err := signInsOf(t, f, graph.SignInQuery{}); !errors.Is(err, graph.ErrNoLicence) {
		t.Errorf("sign-ins: %v", err)
	}
	if got, err := f.client.RoleAssignments(t.Context(), true); !errors.Is(err, graph.ErrNoLicence) || len(got) == 0 {
		t.Errorf("roles: %d, %v", len(got), err)
	}
	users, err := f.users(t, false)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	methods, err := f.client.BatchMethods(t.Context(), ids)
	if err != nil || len(methods) != len(ids) {
		t.Fatalf("methods of %d of %d, %v", len(methods), len(ids), err)
	}
	for id, got := range methods {
		one, err := f.client.Methods(t.Context(), id)
		if diff := cmp.Diff(one, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", id, err, diff)
		}
	}
}

// Whatever befalls the requests: what is returned without an error is the truth.
func TestFaultsNeverMakeAShortList(t *testing.T) {
	whole, broken := 0, 0
	for seed := range uint64(30) {
		f := newFirm(t, simulated.Sample, 1)
		b := simulated.Usual()
		b.PageCap = 30
		f.SetBehaviour(b)
		f.SetFaults(simulated.NewSeededFaults(seed, 0.2))
		f.quick(t)
		users, err := f.users(t, false)
		if err != nil {
			var partial *graph.PartialError
			if !errors.As(err, &partial) {
				t.Errorf("seed %d: %v", seed, err)
			}
			broken++
			continue
		}
		whole++
		if len(users) != 250 {
			t.Errorf("seed %d: %d users without an error, there are 250", seed, len(users))
		}
	}
	if whole == 0 || broken == 0 {
		t.Errorf("%d whole, %d broken: want both", whole, broken)
	}
}

// quick reaches the tenant in process, where a time-out takes no time.
func (f *firm) quick(t *testing.T) {
	t.Helper()
	client, err := graph.New(graph.Options{Credential: issued{f.Tenant}, Clock: f.clock, Transport: f.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	f.client = client
}

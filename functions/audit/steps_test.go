package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/functions/audit"
	"sallyport/shared/archive"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// firm is a Graph of a few accounts, each answer of which a test can change.
type firm struct {
	plans    []rollout.ServicePlan
	users    []rollout.User
	rows     []rollout.Registration
	policies []rollout.Policy
	groups   map[string][]string // id -> members
	hidden   map[string]bool
	managers func() (graph.Page[graph.Manager], error)
	bulk     func() (graph.Page[graph.MFAState], error)
	mfa      func(ids []string) (map[string]string, error)
	purposes func(ids []string) (map[string]string, error)
	signIns  func(q graph.SignInQuery, cursor string) (graph.Page[rollout.SignIn], error)
	policy   error // of the authentication methods
}

func (f *firm) Granted(context.Context) ([]string, error) { return rollout.ReaderPermissions(), nil }

func (f *firm) Organization(context.Context) (rollout.Organization, error) {
	return rollout.Organization{ID: "org"}, nil
}
func (f *firm) Plans(context.Context) ([]rollout.ServicePlan, error) { return f.plans, nil }
func (f *firm) RoleAssignments(context.Context, bool) ([]rollout.RoleAssignment, error) {
	return []rollout.RoleAssignment{{PrincipalID: "a", RoleDefinitionID: rollout.RoleGlobalAdministrator, DirectoryScopeID: "/"}}, nil
}

func (f *firm) RoleDefinitions(context.Context) (map[string]rollout.RoleDefinition, error) {
	return nil, nil
}
func (f *firm) Policies(context.Context) ([]rollout.Policy, error) { return f.policies, nil }
func (f *firm) MethodsPolicy(context.Context) (rollout.MethodsPolicy, error) {
	return rollout.MethodsPolicy{}, f.policy
}
func (f *firm) SecurityDefaults(context.Context) (bool, error) { return false, nil }
func (f *firm) DefaultsUpsell(context.Context) (rollout.DefaultsUpsell, error) {
	return rollout.DefaultsUpsell{}, nil
}

func (f *firm) GroupFacts(_ context.Context, id string) (rollout.GroupFacts, bool, error) {
	_, there := f.groups[id]
	return rollout.GroupFacts{ID: id, DisplayName: id, Opened: there}, f.hidden[id], nil
}

func (f *firm) UsersPage(context.Context, bool, string) (graph.Page[rollout.User], error) {
	return graph.Page[rollout.User]{Rows: f.users}, nil
}

func (f *firm) RegistrationsPage(context.Context, string) (graph.Page[rollout.Registration], error) {
	return graph.Page[rollout.Registration]{Rows: f.rows}, nil
}

func (f *firm) ManagersPage(context.Context, string) (graph.Page[graph.Manager], error) {
	return f.managers()
}

func (f *firm) MembersPage(_ context.Context, id, cursor string) (graph.Page[string], error) {
	members := f.groups[id]
	if cursor == "" && len(members) > 1 { // one member on the first page, the others on the second
		return graph.Page[string]{Rows: members[:1], Next: "more of " + id}, nil
	}
	if cursor != "" {
		members = members[1:]
	}
	return graph.Page[string]{Rows: members}, nil
}

func (f *firm) SignInsPage(_ context.Context, q graph.SignInQuery, cursor string) (graph.Page[rollout.SignIn], error) {
	return f.signIns(q, cursor)
}

func (f *firm) PerUserMFAPage(context.Context, string) (graph.Page[graph.MFAState], error) {
	return f.bulk()
}

func (f *firm) BatchMethods(context.Context, []string) (map[string][]string, error) {
	return map[string][]string{"a": {"microsoftAuthenticatorAuthenticationMethod"}}, nil
}

func (f *firm) Purposes(_ context.Context, ids []string) (map[string]string, error) {
	return f.purposes(ids)
}

func (f *firm) PerUserMFA(_ context.Context, ids []string) (map[string]string, error) {
	return f.mfa(ids)
}

func person(id string) rollout.User {
	return rollout.User{
		ID: id, Mail: id + "@contoso.com", UserPrincipalName: id + "@contoso.com", UserType: "Member", AccountEnabled: rollout.Yes,
		Licensed: true, ActivityKnown: true, LastSignIn: firmNight.Add(-time.Hour),
	}
}

var firmNight = time.Date(2026, time.December, 1, 2, 0, 0, 0, time.UTC)

// newFirm has the accounts a (its administrator), b and c, all of them capable.
func newFirm() *firm {
	f := &firm{
		plans: []rollout.ServicePlan{{ID: rollout.PlanEntraP1}}, users: []rollout.User{person("c"), person("a"), person("b")},
		groups: map[string][]string{}, hidden: map[string]bool{},
		managers: func() (graph.Page[graph.Manager], error) {
			return graph.Page[graph.Manager]{Rows: []graph.Manager{{UserID: "a"}, {UserID: "b", ManagerID: "a"}, {UserID: "c", ManagerID: "a"}}}, nil
		},
		bulk:     func() (graph.Page[graph.MFAState], error) { return graph.Page[graph.MFAState]{}, graph.ErrNotOffered },
		mfa:      func([]string) (map[string]string, error) { return map[string]string{}, nil },
		purposes: func([]string) (map[string]string, error) { return map[string]string{}, nil },
		signIns: func(graph.SignInQuery, string) (graph.Page[rollout.SignIn], error) {
			return graph.Page[rollout.SignIn]{}, nil
		},
	}
	for _, u := range f.users {
		f.rows = append(f.rows, rollout.Registration{UserID: u.ID, MFARegistered: rollout.Yes, MFACapable: rollout.Yes, Methods: []string{"microsoftAuthenticatorPush"}})
	}
	return f
}

// books are a table and an archive of one firm, audited night by night.
type books struct {
	audit audit.Audit
	table *store.Store
}

func newBooks(t *testing.T, f *firm) *books {
	t.Helper()
	table := store.New(store.NewMemory())
	if err := table.PutConfig(t.Context(), rollout.Config{Tenant: "contoso.onmicrosoft.com", TimeZone: "UTC", GraceDays: 14}); err != nil {
		t.Fatal(err)
	}
	return &books{table: table, audit: audit.Audit{
		Graph: func(context.Context, rollout.TenantID) (audit.Graph, error) { return f, nil },
		Table: table, Archive: archive.NewMemory(), Now: func() time.Time { return firmNight },
	}}
}

func (b *books) night(t *testing.T, n int) (rollout.AuditRun, map[string]rollout.Account) {
	t.Helper()
	if err := b.audit.Run(t.Context(), "contoso.onmicrosoft.com", firmNight.AddDate(0, 0, n), &job.Summary{}); err != nil {
		t.Fatal(err)
	}
	run, err := b.table.Audit(t.Context(), "contoso.onmicrosoft.com")
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := b.table.Accounts(t.Context(), "contoso.onmicrosoft.com")
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]rollout.Account{}
	for _, a := range accounts {
		by[a.ID] = a
	}
	return run, by
}

func missing(run rollout.AuditRun) string {
	var list []string
	for _, m := range run.Missing {
		list = append(list, m.Listing+": "+m.Reason)
	}
	return strings.Join(list, "; ")
}

// Per-user MFA comes from the bulk listing if there is one; else it is asked, and
// what is not asked tonight stays as it was known.
func TestPerUserMFA(t *testing.T) {
	f := newFirm()
	var asked []string
	f.mfa = func(ids []string) (map[string]string, error) {
		asked = append(asked, ids...)
		return map[string]string{"a": "enforced", "b": "disabled"}, nil
	}
	b := newBooks(t, f)
	_, accounts := b.night(t, 0)
	if len(asked) != 3 || accounts["a"].PerUserMFA != "enforced" || accounts["b"].PerUserMFA != "disabled" || accounts["c"].PerUserMFA != "" {
		t.Errorf("asked about %v, and know a %q, b %q, c %q", asked, accounts["a"].PerUserMFA, accounts["b"].PerUserMFA, accounts["c"].PerUserMFA)
	}
	for n := 1; n <= 7; n++ {
		asked = nil
		_, accounts = b.night(t, n)
		if !slices.Contains(asked, "a") || !slices.Contains(asked, "c") || accounts["b"].PerUserMFA != "disabled" {
			t.Errorf("night %d: asked about %v, and b is %q", n, asked, accounts["b"].PerUserMFA)
		}
	}
	f.bulk = func() (graph.Page[graph.MFAState], error) {
		return graph.Page[graph.MFAState]{Rows: []graph.MFAState{{UserID: "a", State: "disabled"}, {UserID: "b", State: "enabled"}, {UserID: "c", State: "disabled"}}}, nil
	}
	asked = nil
	run, accounts := b.night(t, 8)
	if len(asked) > 0 || accounts["a"].PerUserMFA != "disabled" || accounts["b"].PerUserMFA != "enabled" || missing(run) != "" {
		t.Errorf("with the bulk listing: asked about %v, a %q, b %q, missing %q", asked, accounts["a"].PerUserMFA, accounts["b"].PerUserMFA, missing(run))
	}
	f.bulk = func() (graph.Page[graph.MFAState], error) { return graph.Page[graph.MFAState]{}, graph.ErrNotOffered }
	f.mfa = func([]string) (map[string]string, error) {
		return nil, &graph.DeniedError{Permission: "Policy.Read.All", Answer: &graph.Error{Status: 403}}
	}
	run, accounts = b.night(t, 9)
	if !strings.Contains(missing(run), "the app may lack the permission Policy.Read.All") || accounts["b"].PerUserMFA != "enabled" {
		t.Errorf("refused: missing %q, b %q", missing(run), accounts["b"].PerUserMFA)
	}
}

// A room with a licence of its own is found because it never registers, and is
// remembered on the nights on which it is not asked about.
func TestPurposes(t *testing.T) {
	f := newFirm()
	f.rows[0].MFACapable = rollout.No // c
	var asked []string
	f.purposes = func(ids []string) (map[string]string, error) {
		asked = append(asked, ids...)
		return map[string]string{"c": "room"}, nil
	}
	b := newBooks(t, f)
	if _, accounts := b.night(t, 0); !slices.Equal(asked, []string{"c"}) || accounts["c"].Class != rollout.ClassRoom || accounts["a"].Class != rollout.ClassAdmin {
		t.Errorf("asked about %v; c is %q, a %q", asked, accounts["c"].Class, accounts["a"].Class)
	}
	f.purposes = func(ids []string) (map[string]string, error) { return map[string]string{}, nil }
	if _, accounts := b.night(t, 1); accounts["c"].Class != rollout.ClassRoom {
		t.Errorf("without an answer, c is %q: what was known is lost", accounts["c"].Class)
	}
	f.purposes = func(ids []string) (map[string]string, error) { return map[string]string{"c": "user"}, nil }
	if _, accounts := b.night(t, 2); accounts["c"].Class != rollout.ClassMember {
		t.Errorf("turned into a person's, c is %q", accounts["c"].Class)
	}
}

// Accounts without a mailbox are refused like those that the app may not ask
// about. A question of which all are refused proves nothing, unless nobody at all
// is answered.
func TestPurposesDenied(t *testing.T) {
	f := newFirm()
	for n := range 150 { // two questions
		id := fmt.Sprintf("m%03d", n)
		u := person(id)
		u.Licensed = false
		f.users = append(f.users, u)
	}
	denied := &graph.DeniedError{Permission: "MailboxSettings.Read", Answer: &graph.Error{Status: 403}}
	f.purposes = func(ids []string) (map[string]string, error) {
		if slices.Contains(ids, "m149") {
			return nil, denied
		}
		return map[string]string{"m000": "shared"}, nil
	}
	b := newBooks(t, f)
	if run, accounts := b.night(t, 0); accounts["m000"].Class != rollout.ClassSharedMailbox || strings.Contains(missing(run), "purposes") {
		t.Errorf("m000 is %q, missing %q", accounts["m000"].Class, missing(run))
	}
	f.purposes = func([]string) (map[string]string, error) { return nil, denied }
	if run, accounts := b.night(t, 1); accounts["m000"].Class != rollout.ClassSharedMailbox || !strings.Contains(missing(run), "the app may lack the permission MailboxSettings.Read") {
		t.Errorf("m000 is %q, missing %q", accounts["m000"].Class, missing(run))
	}
}

// A method that nobody has documented is kept, and named in the line of the run.
func TestUnknownMethodIsLogged(t *testing.T) {
	f := newFirm()
	f.rows[1].Methods = []string{"telepathy"}
	b := newBooks(t, f)
	var log bytes.Buffer
	runner := job.Runner{
		Leases: b.table, Clock: wallAt{}, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: io.Discard, TTL: time.Hour, Bound: job.Unbounded,
		Owner: func() string { return "the test" },
	}
	h := audit.Handler{Audit: b.audit, Tenants: b.table, Runner: runner}
	if err := h.Handle(t.Context(), audit.Event{ScheduledEvent: job.ScheduledEvent{Time: firmNight}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "telepathy") || strings.Contains(log.String(), "@contoso.com") {
		t.Errorf("the line of the run names no unknown method, or somebody's address:\n%s", &log)
	}
}

// wallAt is a clock that stands at the firm's night.
type wallAt struct{}

func (wallAt) Now() time.Time                                   { return firmNight }
func (wallAt) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// Managers are named where all were listed, and missing where not.
func TestManagers(t *testing.T) {
	f := newFirm()
	b := newBooks(t, f)
	if run, accounts := b.night(t, 0); accounts["b"].Manager != "a" || accounts["a"].Manager != "" || missing(run) != "" {
		t.Errorf("b reports to %q, missing %q", accounts["b"].Manager, missing(run))
	}
	for want, page := range map[string]func() (graph.Page[graph.Manager], error){
		"managers: Graph listed 1 of 3 accounts": func() (graph.Page[graph.Manager], error) {
			return graph.Page[graph.Manager]{Rows: []graph.Manager{{UserID: "b", ManagerID: "a"}}}, nil
		},
		"managers: Graph answers it with 400": func() (graph.Page[graph.Manager], error) {
			return graph.Page[graph.Manager]{}, &graph.Error{Status: 400}
		},
	} {
		f.managers = page
		if run, _ := b.night(t, 1); !strings.Contains(missing(run), want) {
			t.Errorf("missing %q, want %q", missing(run), want)
		}
	}
	f.managers = func() (graph.Page[graph.Manager], error) { return graph.Page[graph.Manager]{}, io.ErrUnexpectedEOF }
	if err := b.audit.Run(t.Context(), "contoso.onmicrosoft.com", firmNight.AddDate(0, 0, 2), &job.Summary{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a listing that broke off: %v", err)
	}
}

// Who is in a group is read to the last page; a group that hides its members, or
// is gone, proves nothing.
func TestMemberships(t *testing.T) {
	f := newFirm()
	f.policies = []rollout.Policy{{
		ID: "p", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, ExcludeGroups: []string{"outside", "veiled", "gone"},
		IncludeApplications: []string{"All"}, GrantControls: []string{"mfa"},
	}}
	f.groups = map[string][]string{"outside": {"a", "x", "b"}, "veiled": {}}
	f.hidden["veiled"] = true
	b := newBooks(t, f)
	_, accounts := b.night(t, 0)
	if accounts["a"].Enforced != rollout.DemandNo || accounts["b"].Enforced != rollout.DemandNo {
		t.Errorf("a and b are in the excluded group; of them is demanded: %s, %s", accounts["a"].Enforced, accounts["b"].Enforced)
	}
	if c := accounts["c"]; c.Enforced != rollout.DemandPartly || len(c.NarrowedBy) == 0 {
		t.Errorf("c may be in a group that nobody could open; of it is demanded: %s by %v", c.Enforced, c.NarrowedBy)
	}
	f.groups["gone"] = []string{}
	if _, accounts := b.night(t, 1); accounts["c"].Enforced != rollout.DemandPartly {
		t.Errorf("one group hides whoever is in it; of c is demanded: %s by %v", accounts["c"].Enforced, accounts["c"].NarrowedBy)
	}
	f.hidden["veiled"] = false
	if _, accounts := b.night(t, 2); accounts["c"].Enforced != rollout.DemandAlways {
		t.Errorf("both groups are open and empty; of c is demanded: %s by %v", accounts["c"].Enforced, accounts["c"].NarrowedBy)
	}
}

// An account that was disabled and is enabled again is in its grace.
func TestReactivated(t *testing.T) {
	f := newFirm()
	f.users[2].AccountEnabled = rollout.No // b
	b := newBooks(t, f)
	b.night(t, 0)
	f.users[2].AccountEnabled = rollout.Yes
	run, accounts := b.night(t, 1)
	if !accounts["b"].Reactivated || !accounts["b"].EnabledSince.Equal(firmNight.AddDate(0, 0, 1)) || run.Coverage.All != 2 {
		t.Errorf("b: reactivated %v since %s; %d count", accounts["b"].Reactivated, accounts["b"].EnabledSince, run.Coverage.All)
	}
	if run, accounts := b.night(t, 20); accounts["b"].Reactivated || run.Coverage.All != 3 {
		t.Errorf("after the grace: reactivated %v; %d count", accounts["b"].Reactivated, run.Coverage.All)
	}
}

// The sign-in log is taken up again where Graph forgot it; if its rows do not
// come newest first, from its beginning.
func TestSignInsAreTakenUpAgain(t *testing.T) {
	row := func(hoursAgo int, client string) rollout.SignIn {
		return rollout.SignIn{ID: client, UserID: "b", ClientAppUsed: client, CreatedAt: firmNight.Add(-time.Duration(hoursAgo) * time.Hour)}
	}
	for name, disordered := range map[string]bool{"in order": false, "disordered": true} {
		t.Run(name, func(t *testing.T) {
			f := newFirm()
			expired := false
			var queries []graph.SignInQuery
			f.signIns = func(q graph.SignInQuery, cursor string) (graph.Page[rollout.SignIn], error) {
				switch {
				case cursor == "" && !expired:
					rows := []rollout.SignIn{row(1, "IMAP4"), row(2, "Browser")}
					if disordered {
						slices.Reverse(rows)
					}
					return graph.Page[rollout.SignIn]{Rows: rows, Next: "second"}, nil
				case cursor == "second" && !expired:
					expired = true
					return graph.Page[rollout.SignIn]{}, graph.ErrCursorExpired
				}
				queries = append(queries, q)
				return graph.Page[rollout.SignIn]{Rows: []rollout.SignIn{row(3, "POP3")}}, nil
			}
			run, accounts := newBooks(t, f).night(t, 0)
			wantTo, wantClients := firmNight.Add(-2*time.Hour), []string{"IMAP4", "POP3"}
			if disordered {
				wantTo, wantClients = firmNight, []string{"POP3"}
			}
			if len(queries) != 1 || !queries[0].To.Equal(wantTo) {
				t.Errorf("taken up again with %+v, want one query to %s", queries, wantTo)
			}
			if got := accounts["b"].LegacyClients; !slices.Equal(got, wantClients) || len(run.Legacy) != len(wantClients) {
				t.Errorf("legacy clients %v (%d in the record), want %v", got, len(run.Legacy), wantClients)
			}
		})
	}
}

// A tenant without accounts does not exist, on its first night either.
func TestNoAccounts(t *testing.T) {
	f := newFirm()
	f.users = nil
	b := newBooks(t, f)
	err := b.audit.Run(t.Context(), "contoso.onmicrosoft.com", firmNight, &job.Summary{})
	if err == nil || !strings.Contains(err.Error(), "the listing is empty") {
		t.Errorf("run answered %v", err)
	}
}

// A report without a row, although there are accounts, was not read.
func TestEmptyReport(t *testing.T) {
	f := newFirm()
	f.rows = nil
	b := newBooks(t, f)
	err := b.audit.Run(t.Context(), "contoso.onmicrosoft.com", firmNight, &job.Summary{})
	if err == nil || !strings.Contains(err.Error(), "registration report is empty") {
		t.Errorf("run answered %v", err)
	}
	// It goes on by itself, after a while; one that is asked for, at once.
	for after, want := range map[time.Duration]bool{29 * time.Minute: false, 31 * time.Minute: true} {
		if got, err := b.audit.Continues(t.Context(), "contoso.onmicrosoft.com", firmNight.Add(after)); got != want || err != nil {
			t.Errorf("continues after %s: %v, %v", after, got, err)
		}
	}
	f.rows = newFirm().rows
	if run, _ := b.night(t, 0); run.Failed != "" || run.Coverage.All != 3 {
		t.Errorf("asked for at once: failed %q, %d count", run.Failed, run.Coverage.All)
	}
}

// What cannot be read of the methods policy is named, and fails nothing.
func TestMethodsPolicyDenied(t *testing.T) {
	f := newFirm()
	f.policy = &graph.DeniedError{Permission: "Policy.Read.AuthenticationMethod", Answer: &graph.Error{Status: 403}}
	if run, _ := newBooks(t, f).night(t, 0); !strings.Contains(missing(run), "authenticationMethodsPolicy: the permission Policy.Read.AuthenticationMethod lacks") {
		t.Errorf("missing %q", missing(run))
	}
}

// Who is in the tenant no more is removed, wherever it stood in the order.
func TestGone(t *testing.T) {
	f := newFirm()
	all := f.users
	b := newBooks(t, f)
	b.night(t, 0)
	for n, gone := range []string{"a", "b", "c"} {
		f.users = slices.DeleteFunc(slices.Clone(all), func(u rollout.User) bool { return u.ID == gone })
		_, accounts := b.night(t, 2*n+1)
		if _, there := accounts[gone]; there || len(accounts) != 2 {
			t.Errorf("%s is gone; the table holds %d accounts, it among them: %v", gone, len(accounts), there)
		}
		f.users = all
		b.night(t, 2*n+2)
	}
}

// What report-only policies said is kept where it is news, and only then.
func TestObservations(t *testing.T) {
	f := newFirm()
	verdict, at := "reportOnlyInterrupted", firmNight.Add(-time.Hour)
	f.signIns = func(graph.SignInQuery, string) (graph.Page[rollout.SignIn], error) {
		return graph.Page[rollout.SignIn]{Rows: []rollout.SignIn{{
			ID: "s", UserID: "b", CreatedAt: at, Applied: []rollout.AppliedPolicy{{ID: "ours", Result: verdict}, {ID: "theirs", Result: verdict}},
		}}}, nil
	}
	b := newBooks(t, f)
	counting := &writes{Table: store.NewMemory()}
	b.table = store.New(counting)
	b.audit.Table = b.table
	err := errors.Join(
		b.table.PutConfig(t.Context(), rollout.Config{Tenant: "contoso.onmicrosoft.com", TimeZone: "UTC"}),
		b.table.PutPolicy(t.Context(), "contoso.onmicrosoft.com", rollout.OwnedPolicy{Marker: "m", ID: "ours"}))
	if err != nil {
		t.Fatal(err)
	}
	seen := func() []rollout.Observation {
		list, err := b.table.Observations(t.Context(), "contoso.onmicrosoft.com")
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	b.night(t, 0)
	want := rollout.Observation{Account: "b", Policy: "ours", Result: verdict, LastAt: at}
	if got := seen(); len(got) != 1 || got[0] != want {
		t.Fatalf("observations %+v, want %+v", got, want)
	}
	counting.items = 0
	b.night(t, 1)
	if counting.items != 2 {
		t.Errorf("the same rows again: %d items were written, want 2", counting.items)
	}
	verdict, at = "reportOnlySuccess", at.Add(time.Minute)
	b.night(t, 2)
	if got := seen(); len(got) != 1 || got[0].Result != verdict {
		t.Errorf("observations %+v, want the later one", got)
	}
}

// What was read and cannot be right is thrown away: the next run begins anew.
func TestOverlapIsNotKept(t *testing.T) {
	f := newFirm()
	good := f.users
	f.users = append(slices.Clone(good), good[0])
	b := newBooks(t, f)
	err := b.audit.Run(t.Context(), "contoso.onmicrosoft.com", firmNight, &job.Summary{})
	if err == nil || !strings.Contains(err.Error(), "account c came twice") {
		t.Fatalf("run answered %v", err)
	}
	f.users = good
	if run, _ := b.night(t, 0); run.Accounts != 3 {
		t.Errorf("%d accounts", run.Accounts)
	}
}

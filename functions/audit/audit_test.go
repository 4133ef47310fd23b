package audit_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"sallyport/functions/audit"
	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// token is the simulated tenant's.
type token struct{ tenant *tenant.Tenant }

const reader = "5a11e900-0000-4000-8000-000000000001"

func (k token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	text, expires, err := k.tenant.Token(reader)
	return azcore.AccessToken{Token: text, ExpiresOn: expires}, err
}

// bench is an audit of the sample tenant through the real adapter.
type bench struct {
	audit  audit.Audit
	table  *store.Store
	tenant *tenant.Tenant
	clock  *rehearsal.Clock
	cfg    rollout.Config
	graph  audit.Graph // put something in between to make it lie
}

func newBench(t *testing.T) *bench {
	t.Helper()
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	o, err := rehearsal.Sample(1, renderer)
	if err != nil {
		t.Fatal(err)
	}
	o.Tenant.PutApp(tenant.App{ID: reader, Roles: rollout.ReaderPermissions()})
	client, err := graph.New(graph.Options{Credential: token{o.Tenant}, Clock: o.Clock, Transport: o.Tenant.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{table: store.New(store.NewMemory()), tenant: o.Tenant, clock: o.Clock, cfg: o.Config, graph: client}
	b.audit = audit.Audit{
		Table: b.table, Log: slog.New(slog.DiscardHandler),
		Graph: func(context.Context, rollout.TenantID) (audit.Graph, error) { return b.graph, nil },
	}
	if err := b.table.PutConfig(context.Background(), o.Config); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) run() error {
	return b.audit.Run(context.Background(), b.cfg.Tenant, b.clock.Now(), &job.Summary{})
}

func TestAuditRecordsTheTenant(t *testing.T) {
	b := newBench(t)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	got, err := b.table.Audit(context.Background(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	if got.Accounts != len(b.tenant.Users()) || got.Coverage.Percent() != 40 || got.Method != rollout.MethodConditionalAccess {
		t.Errorf("audit saw %d accounts, %.1f %%, %s; the tenant has %d, 40 %% and P1", got.Accounts, got.Coverage.Percent(), got.Method, len(b.tenant.Users()))
	}
	// An unchanged tenant costs no writes of accounts.
	accounts, err := b.table.Accounts(context.Background(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	if written, removed, err := b.table.SaveAccounts(context.Background(), b.cfg.Tenant, accounts); written+removed != 0 || err != nil {
		t.Errorf("saving what is there wrote %d and removed %d, %v", written, removed, err)
	}
}

// liar answers a listing wrongly.
type liar struct {
	audit.Graph
	users func(func([]rollout.User) error) error
}

func (l liar) Users(_ context.Context, _ bool, page func([]rollout.User) error) error {
	return l.users(page)
}

// An empty or a partial listing changes nothing: the last good audit stays, and
// says since when it is stale.
func TestBadListingChangesNothing(t *testing.T) {
	for name, users := range map[string]func(func([]rollout.User) error) error{
		"empty": func(func([]rollout.User) error) error { return nil },
		"cut off": func(page func([]rollout.User) error) error {
			return errors.Join(page([]rollout.User{{ID: "a"}}), &graph.PartialError{Listing: "the users", Rows: 1, Err: io.ErrUnexpectedEOF})
		},
		"most of it gone": func(page func([]rollout.User) error) error { return page([]rollout.User{{ID: "a"}, {ID: "b"}}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if err := b.run(); err != nil {
				t.Fatal(err)
			}
			good, err := b.table.Audit(context.Background(), b.cfg.Tenant)
			if err != nil {
				t.Fatal(err)
			}
			b.clock.Set(b.clock.Now().Add(24 * time.Hour))
			b.graph = liar{b.graph, users}
			at := b.clock.Now()
			failed := b.run()
			if failed == nil {
				t.Fatal("no error")
			}
			after, err := b.table.Audit(context.Background(), b.cfg.Tenant)
			if err != nil {
				t.Fatal(err)
			}
			accounts, err := b.table.Accounts(context.Background(), b.cfg.Tenant)
			if err != nil {
				t.Fatal(err)
			}
			if len(accounts) != good.Accounts || !after.At.Equal(good.At) || !after.FailedAt.Equal(at) || after.Failed != failed.Error() {
				t.Errorf("the table holds %d accounts of %d, audit of %s failed %s %q", len(accounts), good.Accounts, after.At, after.FailedAt, after.Failed)
			}
		})
	}
}

// Without P1 there is no report: methods are read per account, and what cannot
// be known is named.
func TestAuditWithoutLicence(t *testing.T) {
	clock := rehearsal.NewClock(time.Date(2026, 10, 5, 2, 0, 0, 0, time.UTC))
	free := tenant.SampleFree(1, clock)
	dir, readings, err := rehearsal.Read(context.Background(), free, clock)
	if err != nil {
		t.Fatal(err)
	}
	cfg, _ := rehearsal.Propose(free, rollout.DateOf(clock.Now()))
	accounts, _ := rollout.Assess(cfg, dir, readings, clock.Now())
	capable := 0
	for _, a := range accounts {
		if a.Capable == rollout.Yes {
			capable++
			if !free.IsCapable(a.ID) {
				t.Errorf("account %s looks capable and is not", a.ID)
			}
		}
	}
	if capable == 0 {
		t.Error("nobody is capable: the methods were not read")
	}
	var missing []string
	for _, m := range dir.Missing {
		missing = append(missing, m.Listing)
	}
	if all := strings.Join(missing, " "); !strings.Contains(all, "userRegistrationDetails") || !strings.Contains(all, "signInActivity") {
		t.Errorf("missing = %q, want the report and the activity named", all)
	}
}

package audit_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"sallyport/functions/audit"
	"sallyport/functions/audit/export"
	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/archive"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// bench is an audit of the sample tenant through the real adapter.
type bench struct {
	audit   audit.Audit
	table   *store.Store
	archive archive.Archive
	tenant  *tenant.Tenant
	clock   *rehearsal.Clock
	cfg     rollout.Config
	owners  int
	graph   audit.Graph // put something in between to make it lie
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
	client, err := rehearsal.Reader(o.Tenant, o.Clock)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{table: store.New(store.NewMemory()), archive: archive.NewMemory(), tenant: o.Tenant, clock: o.Clock, cfg: o.Config, graph: client}
	b.audit = audit.Audit{
		Table: b.table, Archive: b.archive, Now: o.Clock.Now,
		Graph: func(context.Context, rollout.TenantID) (audit.Graph, error) { return b.graph, nil },
	}
	if err := b.table.PutConfig(context.Background(), o.Config); err != nil {
		t.Fatal(err)
	}
	return b
}

func pages(t rollout.TenantID) string { return archive.Prefix(t, archive.KindPage) }

func (b *bench) runner() job.Runner {
	return job.Runner{
		Leases: b.table, Clock: b.clock, Log: slog.New(slog.DiscardHandler), Metrics: io.Discard, TTL: 15 * time.Minute, Bound: job.Unbounded,
		Owner: func() string { b.owners++; return fmt.Sprint("run ", b.owners) },
	}
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

// The second night says since when a finding lasts, and what is gone is marked
// and not forgotten.
func TestFindingsAreCarriedOn(t *testing.T) {
	b := newBench(t)
	night := func(at time.Time) rollout.AuditRun {
		b.clock.Set(at)
		if err := b.run(); err != nil {
			t.Fatal(err)
		}
		got, err := b.table.Audit(context.Background(), b.cfg.Tenant)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := b.clock.Now()
	second := first.Add(24 * time.Hour)
	run := night(first)
	found := len(run.Findings)
	run.Findings = append(run.Findings, rollout.Finding{ID: "mended", FirstSeen: first, LastSeen: first})
	if err := b.table.PutAudit(context.Background(), b.cfg.Tenant, run); err != nil {
		t.Fatal(err)
	}
	again := night(second)
	if found == 0 || len(again.Findings) != found+1 || again.MethodAdvice == "" {
		t.Fatalf("%d findings, then %d; advice %q", found, len(again.Findings), again.MethodAdvice)
	}
	for _, f := range again.Findings {
		want := rollout.Finding{FirstSeen: first, LastSeen: second}
		if f.ID == "mended" {
			want = rollout.Finding{FirstSeen: first, LastSeen: first, GoneAt: second}
		}
		if !f.FirstSeen.Equal(want.FirstSeen) || !f.LastSeen.Equal(want.LastSeen) || !f.GoneAt.Equal(want.GoneAt) {
			t.Errorf("%s: first seen %s, last seen %s, gone %s", f.ID, f.FirstSeen, f.LastSeen, f.GoneAt)
		}
	}
}

// liar answers the listing of users wrongly.
type liar struct {
	audit.Graph
	users func(cursor string) (graph.Page[rollout.User], error)
}

func (l liar) UsersPage(_ context.Context, _ bool, cursor string) (graph.Page[rollout.User], error) {
	return l.users(cursor)
}

func many(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08d", i)
	}
	return ids
}

func page(next string, ids ...string) graph.Page[rollout.User] {
	p := graph.Page[rollout.User]{Next: next}
	for _, id := range ids {
		p.Rows = append(p.Rows, rollout.User{ID: id})
	}
	return p
}

// An empty or a partial listing changes nothing: the last good audit stays, and
// says since when it is stale.
func TestBadListingChangesNothing(t *testing.T) {
	for name, users := range map[string]func(cursor string) (graph.Page[rollout.User], error){
		"empty": func(string) (graph.Page[rollout.User], error) { return page(""), nil },
		"cut off": func(cursor string) (graph.Page[rollout.User], error) {
			if cursor == "" {
				return page("more", "a"), nil
			}
			return graph.Page[rollout.User]{}, io.ErrUnexpectedEOF
		},
		"most of it gone":          func(string) (graph.Page[rollout.User], error) { return page("", "a", "b"), nil },
		"an account without an id": func(string) (graph.Page[rollout.User], error) { return page("", append(many(200), "")...), nil },
		"an account on two pages": func(cursor string) (graph.Page[rollout.User], error) {
			if cursor == "" {
				return page("more", many(200)...), nil
			}
			return page("", many(1)...), nil
		},
		"pages that go round": func(cursor string) (graph.Page[rollout.User], error) {
			n, _ := strconv.Atoi(cursor)
			return page(strconv.Itoa(1+n%7), strconv.Itoa(n)), nil
		},
		"a cursor that always expires": func(cursor string) (graph.Page[rollout.User], error) {
			if cursor == "" {
				return page("more", "a"), nil
			}
			return graph.Page[rollout.User]{}, graph.ErrCursorExpired
		},
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

// The night's export is kept: a line for every account, under its day.
func TestExportIsKept(t *testing.T) {
	b := newBench(t)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	day := rollout.DateOf(b.clock.Now().In(b.cfg.Location()))
	source, err := b.archive.Open(t.Context(), archive.Name(b.cfg.Tenant, archive.KindExport, day.String()+".csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(source)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(unpacked).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	_, accounts := b.outcome(t)
	if len(rows) != len(accounts)+1 || len(rows[0]) != len(export.Columns()) {
		t.Fatalf("%d lines of %d columns, want %d of %d", len(rows), len(rows[0]), len(accounts)+1, len(export.Columns()))
	}
	for i, a := range accounts {
		if rows[i+1][0] != a.ID {
			t.Fatalf("line %d is about %s, want %s", i+1, rows[i+1][0], a.ID)
		}
	}
}

// writes counts what is written to the table.
type writes struct {
	store.Table
	items int
}

func (w *writes) Write(ctx context.Context, items ...store.Write) error {
	w.items += len(items)
	return w.Table.Write(ctx, items...)
}

func (w *writes) Batch(ctx context.Context, items []store.Write) error {
	w.items += len(items)
	return w.Table.Batch(ctx, items)
}

// A second audit of a tenant in which nothing happened writes as many items as
// it would of any other.
func TestUnchangedTenantCostsNoWrites(t *testing.T) {
	b := newBench(t)
	counting := &writes{Table: store.NewMemory()}
	b.table = store.New(counting)
	b.audit.Table = b.table
	if err := b.table.PutConfig(t.Context(), b.cfg); err != nil {
		t.Fatal(err)
	}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if n := len(b.tenant.Users()); counting.items < n {
		t.Fatalf("the first audit wrote %d items of %d accounts", counting.items, n)
	}
	counting.items = 0
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if counting.items != 2 { // the coverage of the day, and the audit itself
		t.Errorf("the second audit wrote %d items, want 2", counting.items)
	}
}

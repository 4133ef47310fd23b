package enforce_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"sallyport/functions/enforce"
	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/mail"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const writer = "5a11e900-0000-4000-8000-000000000002"

// token is the simulated tenant's.
type token struct{ tenant *tenant.Tenant }

func (k token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	text, expires, err := k.tenant.Token(writer)
	return azcore.AccessToken{Token: text, ExpiresOn: expires}, err
}

type queue struct{ items []string }

func (q *queue) Put(_ context.Context, item outbox.Item) error {
	q.items = append(q.items, item.MessageID)
	return nil
}

// bench is enforce on the sample tenant through the real adapter, with the
// records of a wave that is ready to be switched.
type bench struct {
	enforce enforce.Enforce
	table   *store.Store
	memory  *store.Memory // what table is on
	tenant  *tenant.Tenant
	clock   *rehearsal.Clock
	cfg     rollout.Config
	queue   *queue
	graph   enforce.Graph // put something in between to interfere
}

// deadlineDay is the sample's deadline for everyone, in the window.
var deadlineDay = time.Date(2026, 11, 11, 10, 10, 0, 0, time.UTC)

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
	o.Tenant.PutApp(tenant.App{ID: writer, Roles: rollout.WriterPermissions()})
	client, err := graph.New(graph.Options{Credential: token{o.Tenant}, Clock: o.Clock, Transport: o.Tenant.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	memory := store.NewMemory()
	b := &bench{table: store.New(memory), memory: memory, tenant: o.Tenant, clock: o.Clock, cfg: o.Config, queue: &queue{}, graph: client}
	b.cfg.Waves = slices.DeleteFunc(b.cfg.Waves, func(w rollout.WaveConfig) bool { return w.Name != "everyone" })
	b.enforce = enforce.Enforce{
		Table: b.table, Clock: b.clock, Outbox: outbox.Outbox{Table: b.table, Queue: b.queue}, Log: slog.New(slog.DiscardHandler),
		Graph: func(context.Context, rollout.TenantID) (enforce.Graph, error) { return b.graph, nil },
	}
	b.audit(t)
	return b
}

// audit leaves what a complete audit of today would: everybody capable.
func (b *bench) audit(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	dir, readings, err := rehearsal.Read(ctx, b.tenant, b.clock)
	if err != nil {
		t.Fatal(err)
	}
	accounts, _ := rollout.Assess(b.cfg, dir, readings, b.clock.Now())
	for i := range accounts {
		if rollout.IsPerson(b.cfg, accounts[i]) {
			accounts[i].Capable = rollout.Yes
		}
	}
	_, _, err = b.table.SaveAccounts(ctx, b.cfg.Tenant, accounts)
	err = errors.Join(err, b.table.PutConfig(ctx, b.cfg), b.table.PutAudit(ctx, b.cfg.Tenant, rollout.AuditRun{
		At: b.clock.Now(), Accounts: len(accounts), Organization: dir.Organization, Plans: dir.Plans,
		Method: rollout.MethodConditionalAccess, Granted: rollout.ReaderPermissions(),
	}))
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) run() error {
	return b.enforce.Run(context.Background(), b.cfg.Tenant, b.clock.Now(), &job.Summary{})
}

func (b *bench) mustRun(t *testing.T, times int) {
	t.Helper()
	for range times {
		if err := b.run(); err != nil {
			t.Fatal(err)
		}
		b.clock.Set(b.clock.Now().Add(time.Hour))
	}
}

// ready brings the wave to its deadline: prepared, observed, drilled.
func (b *bench) ready(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	b.clock.Set(b.cfg.Announce.At(8, 0, time.UTC))
	b.audit(t)
	b.mustRun(t, 5)
	b.clock.Set(deadlineDay)
	b.audit(t)
	id := b.policy(t)
	err := b.table.SaveObservations(ctx, b.cfg.Tenant, []rollout.Observation{{Account: "a", Policy: id, Result: "reportOnlySuccess", LastAt: deadlineDay.Add(-time.Hour)}})
	for _, e := range b.cfg.EmergencyAccounts {
		err = errors.Join(err, b.table.PutDrill(ctx, b.cfg.Tenant, rollout.Drill{ID: "d" + e.ID, Account: e.ID, Custodian: e.Custodian, PassedAt: deadlineDay.AddDate(0, 0, -30)}))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// policy is the id of the wave's policy.
func (b *bench) policy(t *testing.T) string {
	t.Helper()
	return b.policyOf(t, "everyone")
}

func (b *bench) policyOf(t *testing.T, wave string) string {
	t.Helper()
	policies, err := b.table.Policies(context.Background(), b.cfg.Tenant)
	policies = slices.DeleteFunc(policies, func(p rollout.OwnedPolicy) bool { return p.Wave != wave })
	if err != nil || len(policies) != 1 || policies[0].ID == "" {
		t.Fatalf("recorded policies of wave %s %+v, %v; want one with its id", wave, policies, err)
	}
	return policies[0].ID
}

func (b *bench) state(t *testing.T) (wave rollout.WaveState, policy string) {
	t.Helper()
	w, err := b.table.Wave(context.Background(), b.cfg.Tenant, "everyone")
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.tenant.Policy(b.policy(t))
	if err != nil {
		t.Fatal(err)
	}
	policy, _ = p["state"].(string)
	return w.State, policy
}

func (b *bench) expect(t *testing.T, wave rollout.WaveState, policy string) {
	t.Helper()
	if gotWave, gotPolicy := b.state(t); gotWave != wave || gotPolicy != policy {
		t.Errorf("wave %s, policy %s; want %s, %s", gotWave, gotPolicy, wave, policy)
	}
}

func TestSwitch(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.expect(t, rollout.WaveObserving, rollout.StateReportOnly)
	b.mustRun(t, 2)
	b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)
	if !slices.ContainsFunc(b.queue.items, func(id string) bool { return strings.HasPrefix(id, "switched.everyone") }) {
		t.Errorf("the operator was not told: %v", b.queue.items)
	}
	changes, err := b.table.Changes(context.Background(), b.cfg.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range rollout.WritesOf(changes) {
		if w.Result.Result != rollout.ResultDone {
			t.Errorf("change %d: %q", w.Intent.Seq, w.Result.Result)
		}
	}
	if !slices.ContainsFunc(changes, func(c rollout.Change) bool { return c.What == "setPolicyState" && c.Before == rollout.StateReportOnly }) {
		t.Errorf("the switch is not in the change log: %+v", changes)
	}
}

// timeout lets one kind of request happen and its answer get lost.
type timeout struct{ method, path string }

func (timeout) Before(tenant.Call) tenant.Fault { return tenant.Fault{} }

func (l timeout) After(c tenant.Call, _ int) tenant.Fault {
	if c.Method == l.method && strings.Contains(c.Path, l.path) {
		return tenant.Fault{Kind: tenant.TimesOut}
	}
	return tenant.Fault{}
}

// A create that happened and timed out is found by its marker: there is never a
// second policy or group.
func TestCreateThatTimedOutHappensOnce(t *testing.T) {
	b := newBench(t)
	b.clock.Set(b.cfg.Announce.At(8, 0, time.UTC))
	b.audit(t)
	policies, groups := len(b.tenant.Policies()), len(b.tenant.Groups())
	for _, lost := range []timeout{{"POST", "/groups"}, {"POST", "/conditionalAccess/policies"}} {
		b.tenant.SetFaults(lost)
		failed := false
		for range 3 {
			failed = b.run() != nil || failed
			b.clock.Set(b.clock.Now().Add(time.Hour))
		}
		if !failed {
			t.Errorf("%s %s: no run met the time-out", lost.method, lost.path)
		}
	}
	b.tenant.SetFaults(nil)
	b.mustRun(t, 3)
	if p, g := len(b.tenant.Policies())-policies, len(b.tenant.Groups())-groups; p != 1 || g != 1 {
		t.Errorf("%d policies and %d groups were made, want one each", p, g)
	}
	b.expect(t, rollout.WaveObserving, rollout.StateReportOnly)
}

// A patch that happened and timed out is found by the next run.
func TestSwitchThatTimedOutIsRecorded(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.tenant.SetFaults(timeout{"PATCH", "/conditionalAccess/policies"})
	if err := b.run(); err == nil {
		t.Error("no error for the time-out")
	}
	b.expect(t, rollout.WaveObserving, rollout.StateEnabled)
	b.tenant.SetFaults(nil)
	b.mustRun(t, 1)
	b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)
}

// meddler changes the tenant between the reading and the write: the second time
// that a policy is read.
type meddler struct {
	enforce.Graph
	meddle func()
	writes *int
}

func (m meddler) PolicyCopy(ctx context.Context, id string) (rollout.Policy, string, error) {
	m.meddle()
	return m.Graph.PolicyCopy(ctx, id)
}

func (m meddler) SetPolicyState(ctx context.Context, owned []rollout.OwnedPolicy, id, state string) error {
	*m.writes++
	return m.Graph.SetPolicyState(ctx, owned, id, state)
}

// Somebody takes an emergency account out, or narrows the policy, after the
// gates were asked and before the write: the last look sees it.
func TestDriftAtTheWorstMoment(t *testing.T) {
	for name, meddle := range map[string]func(b *bench, id string) error{
		"emergency account": func(b *bench, id string) error { return b.tenant.Unexclude(id, b.cfg.EmergencyAccounts[0].ID) },
		"narrowed": func(b *bench, id string) error {
			return b.tenant.EditPolicy(id, func(p tenant.Object) {
				p["conditions"].(tenant.Object)["platforms"] = tenant.Object{"includePlatforms": []any{"iOS"}}
			})
		},
		"block": func(b *bench, id string) error {
			return b.tenant.EditPolicy(id, func(p tenant.Object) {
				p["grantControls"] = tenant.Object{"operator": "OR", "builtInControls": []any{"block"}}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.ready(t)
			id, writes := b.policy(t), 0
			b.graph = meddler{b.graph, func() {
				if err := meddle(b, id); err != nil {
					t.Fatal(err)
				}
			}, &writes}
			if err := b.run(); err == nil {
				t.Error("no error")
			}
			if writes > 0 {
				t.Errorf("%d writes after the policy had changed", writes)
			}
			b.expect(t, rollout.WaveObserving, rollout.StateReportOnly)
		})
	}
}

// deaf refuses to take a change into the log.
type deaf struct{ *store.Store }

func (deaf) AppendChange(context.Context, rollout.TenantID, rollout.Change) (rollout.Change, error) {
	return rollout.Change{}, errors.New("table down")
}

// What cannot be recorded before is not done.
func TestNoIntentNoWrite(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.enforce.Table = deaf{b.table}
	if err := b.run(); err == nil {
		t.Error("no error")
	}
	b.expect(t, rollout.WaveObserving, rollout.StateReportOnly)
}

// An emergency account inside the policy holds the wave, and the operator is
// told once a day.
func TestHeldAndTold(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	if err := b.tenant.Unexclude(b.policy(t), b.cfg.EmergencyAccounts[0].ID); err != nil {
		t.Fatal(err)
	}
	b.mustRun(t, 3)
	b.expect(t, rollout.WaveHeld, rollout.StateReportOnly)
	holds := slices.DeleteFunc(slices.Clone(b.queue.items), func(id string) bool { return !strings.HasPrefix(id, "hold.") })
	if len(holds) != 1 {
		t.Errorf("told %v, want once on one day", holds)
	}
}

// What the breaker decided is carried out; there is no second attempt.
func TestRollBack(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	ctx := context.Background()
	w, err := b.table.Wave(ctx, b.cfg.Tenant, "everyone")
	if err != nil {
		t.Fatal(err)
	}
	w.BreakerTripped = "5 of 200 people were locked out"
	if err := b.table.PutWave(ctx, b.cfg.Tenant, w); err != nil {
		t.Fatal(err)
	}
	b.mustRun(t, 4)
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
	if !slices.ContainsFunc(b.queue.items, func(id string) bool { return strings.HasPrefix(id, "rollback.everyone") }) {
		t.Errorf("the operator was not told: %v", b.queue.items)
	}
}

// A paused rollout writes nothing.
func TestPaused(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.cfg.Paused = true
	if err := b.table.PutConfig(context.Background(), b.cfg); err != nil {
		t.Fatal(err)
	}
	b.mustRun(t, 2)
	b.expect(t, rollout.WaveObserving, rollout.StateReportOnly)
}

package breakglass_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	contoso = rollout.TenantID("contoso.onmicrosoft.com")
	one     = "e0000000-0000-4000-8000-000000000001"
	two     = "e0000000-0000-4000-8000-000000000002"
)

var night = time.Date(2026, 11, 21, 3, 7, 0, 0, time.UTC)

// directory is the part of a tenant that breakglass sees.
type directory struct {
	users map[string]rollout.User
	rows  []rollout.SignIn
	// What the accounts are proven by, and how often that was read.
	held     map[string][]string
	policies []rollout.Policy
	groups   map[string]rollout.Group
	unread   string    // whose methods cannot be read
	at       time.Time // of the reading
	read     int
	err      error
	asked    func(graph.SignInQuery) error // of a test that fails some queries
}

func (d *directory) Emergency(_ context.Context, cfg rollout.Config) (rollout.EmergencyReading, error) {
	d.read++
	seen := rollout.EmergencyReading{At: d.at, Policies: slices.Clone(d.policies), Groups: maps.Clone(d.groups)}
	seen.Organization.InitialDomain = "contoso.onmicrosoft.com"
	for _, e := range cfg.EmergencyAccounts {
		f := rollout.EmergencyFacts{Account: e.ID}
		if u, ok := d.users[e.ID]; ok {
			f.User, f.MethodsRead, f.Held = &u, e.ID != d.unread, d.held[e.ID]
		}
		seen.Facts = append(seen.Facts, f)
		seen.Assignments = append(seen.Assignments, rollout.RoleAssignment{PrincipalID: e.ID, RoleDefinitionID: rollout.RoleGlobalAdministrator, DirectoryScopeID: "/"})
	}
	return seen, d.err
}

func (d *directory) SignIns(_ context.Context, q graph.SignInQuery, page func([]rollout.SignIn) error) error {
	if d.err != nil {
		return d.err
	}
	if d.asked != nil {
		if err := d.asked(q); err != nil {
			return err
		}
	}
	var rows []rollout.SignIn
	for _, r := range d.rows {
		if r.UserID == q.UserID && r.Interactive == !q.NonInteractive && !r.CreatedAt.Before(q.From) && !r.CreatedAt.After(q.To) {
			rows = append(rows, r)
		}
	}
	return page(rows)
}

// channel keeps what it delivered, unless it is down.
type channel struct {
	name  string
	sent  []string
	tried int
	down  bool
}

func (c *channel) Name() string { return c.name }

func (c *channel) Alert(_ context.Context, w breakglass.Warning) error {
	c.tried++
	if c.down {
		return errors.New("channel down")
	}
	c.sent = append(c.sent, w.Alert.ID)
	return nil
}

type queue struct{ items []string }

func (q *queue) Put(_ context.Context, item outbox.Item) error {
	q.items = append(q.items, item.MessageID)
	return nil
}

type bench struct {
	b          breakglass.Breakglass
	table      *store.Store
	directory  *directory
	email, sns *channel
	queue      *queue
}

func newBench(t failer) *bench {
	t.Helper()
	n := &bench{
		table: store.New(store.NewMemory()), email: &channel{name: "email"}, sns: &channel{name: "sns"}, queue: &queue{},
		directory: &directory{users: map[string]rollout.User{
			one: {ID: one, UserPrincipalName: "emergency1@contoso.onmicrosoft.com", AccountEnabled: rollout.Yes, Synced: rollout.No},
			two: {ID: two, UserPrincipalName: "emergency2@contoso.onmicrosoft.com", AccountEnabled: rollout.Yes, Synced: rollout.No},
		}},
	}
	n.b = breakglass.Breakglass{
		Table: n.table, Outbox: outbox.Outbox{Table: n.table, Queue: n.queue}, Log: slog.New(slog.DiscardHandler),
		Channels: []breakglass.Channel{n.email, n.sns},
		Graph:    func(context.Context, rollout.TenantID) (breakglass.Graph, error) { return n.directory, nil },
	}
	cfg := rollout.Config{Tenant: contoso, TimeZone: "UTC", EmergencyAccounts: []rollout.EmergencyAccount{{ID: one}, {ID: two}}}
	if err := n.table.PutConfig(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *bench) poll(at time.Time) error {
	return n.b.Run(context.Background(), contoso, at, &job.Summary{})
}

func row(id, user string, at time.Time, code int) rollout.SignIn {
	return rollout.SignIn{ID: id, UserID: user, CreatedAt: at, ErrorCode: code, Interactive: true}
}

// Rows come late, twice and out of order: each sign-in alerts once, failed ones
// too, and nobody else's.
func TestEachSignInAlertsOnce(t *testing.T) {
	n := newBench(t)
	n.directory.rows = []rollout.SignIn{row("s2", two, night.Add(time.Minute), 50126), row("s1", one, night, 0), row("s1", one, night, 0), row("x", "somebody", night, 0)}
	for i := range 3 {
		if i == 2 { // two hours late, and older than what was seen
			n.directory.rows = append(n.directory.rows, row("s0", one, night.Add(-time.Minute), 0))
		}
		if err := n.poll(night.Add(time.Duration(5*(i+1)) * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"signin-s1", "signin-s2", "signin-s0"}
	for _, c := range []*channel{n.email, n.sns} {
		if diff := cmp.Diff(want, c.sent); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A channel that is down stops no other, and gets the alert when it is up again,
// even while Graph is down.
func TestChannelsAreIndependent(t *testing.T) {
	n := newBench(t)
	n.directory.rows, n.email.down = []rollout.SignIn{row("s1", one, night, 0)}, true
	if err := n.poll(night.Add(5 * time.Minute)); err == nil {
		t.Error("no error for the channel that is down")
	}
	if len(n.sns.sent) != 1 || len(n.email.sent) != 0 {
		t.Fatalf("sns %v, email %v", n.sns.sent, n.email.sent)
	}
	n.email.down, n.directory.err = false, errors.New("graph down")
	if err := n.poll(night.Add(10 * time.Minute)); err == nil {
		t.Error("no error for Graph")
	}
	if len(n.sns.sent) != 1 || len(n.email.sent) != 1 {
		t.Errorf("sns %v, email %v, want the alert once each", n.sns.sent, n.email.sent)
	}
}

// A touch of an emergency account alerts if it is no longer what it must be.
func TestTampering(t *testing.T) {
	for name, change := range map[string]func(*directory){
		"deleted":  func(d *directory) { delete(d.users, one) },
		"disabled": func(d *directory) { u := d.users[one]; u.AccountEnabled = rollout.No; d.users[one] = u },
		"unknown":  func(d *directory) { u := d.users[one]; u.AccountEnabled = rollout.Unknown; d.users[one] = u },
		"synced":   func(d *directory) { u := d.users[one]; u.Synced = rollout.Yes; d.users[one] = u },
		"whole":    func(*directory) {},
	} {
		t.Run(name, func(t *testing.T) {
			n := newBench(t)
			change(n.directory)
			for range 2 { // notifications come twice
				e := touch.Event{Source: touch.SourceNotification, Account: one}
				if err := n.b.Look(context.Background(), contoso, e, night, &job.Summary{}); err != nil {
					t.Fatal(err)
				}
			}
			if want := map[bool]int{true: 0, false: 1}[name == "whole"]; len(n.email.sent) != want {
				t.Errorf("alerts %v, want %d", n.email.sent, want)
			}
		})
	}
}

// Azure Monitor is faster than the log: its word alerts, unless the row is there.
func TestAzureMonitor(t *testing.T) {
	fired := touch.Event{Source: touch.SourceAzureMonitor, Condition: touch.ConditionFired, AlertID: "a1", FiredAt: night, Accounts: []string{one, "somebody"}}
	n := newBench(t)
	for range 2 {
		if err := n.b.Look(context.Background(), contoso, fired, night, &job.Summary{}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"azureMonitor-a1-" + one}, n.email.sent); diff != "" {
		t.Errorf("without the row (-want +got):\n%s", diff)
	}
	n = newBench(t)
	n.directory.rows = []rollout.SignIn{row("s1", one, night.Add(-5*time.Minute), 0)}
	if err := n.b.Look(context.Background(), contoso, fired, night, &job.Summary{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"signin-s1"}, n.email.sent); diff != "" {
		t.Errorf("with the row (-want +got):\n%s", diff)
	}
}

// The queue gets back only what failed; a foreign subscription is no failure.
func TestQueueGetsBackWhatFailed(t *testing.T) {
	n := newBench(t)
	h := breakglass.Handler{Breakglass: n.b, Registry: n.table, Now: func() time.Time { return night }}
	body := func(e touch.Event) string {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	batch := events.SQSEvent{Records: []events.SQSMessage{
		{MessageId: "1", Body: body(touch.Event{Source: touch.SourceNotification, SubscriptionID: "foreign", Account: one})},
		{MessageId: "2", Body: "no JSON"},
		{MessageId: "3", Body: body(touch.Event{Source: touch.SourceAzureMonitor, Condition: touch.ConditionFired, AlertID: "a", FiredAt: night, Accounts: []string{one}})},
	}}
	raw, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := h.Handle(context.Background(), raw)
	if err != nil {
		t.Fatal(err)
	}
	want := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{{ItemIdentifier: "2"}}}
	if diff := cmp.Diff(any(want), reply); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
	if len(n.email.sent) != 1 {
		t.Errorf("alerts %v, want the one of Azure Monitor", n.email.sent)
	}
}

// first are the alerts that were sent, without the calls that repeat them.
func (c *channel) first() []string {
	return slices.DeleteFunc(slices.Clone(c.sent), func(id string) bool { return strings.HasPrefix(id, "repeat-") })
}

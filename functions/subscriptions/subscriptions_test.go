package subscriptions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/subscriptions"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	contoso  = rollout.TenantID("contoso.onmicrosoft.com")
	fabrikam = rollout.TenantID("fabrikam.onmicrosoft.com")
	first    = "6B0F0000-0000-4000-8000-000000000001"
	second   = "6b0f0000-0000-4000-8000-000000000002"
	secret   = "an-invented-client-state"
	address  = "https://hooks.example.com/notifications"
)

var now = time.Date(2026, 12, 1, 4, 0, 0, 0, time.UTC)

// tenant is Graph as far as it keeps subscriptions: it writes resources its own
// way, never tells the client state, and refuses a second of the same.
type tenant struct {
	live    []rollout.Subscription
	calls   []string
	probes  []string // addresses of self-tests
	denied  bool     // no notifications of groups
	refuses error    // of a self-test
	made    int
	silent  bool  // says "created" and creates nothing
	listErr error // of the next listing
	renew   error
}

func (g *tenant) Subscriptions(context.Context) ([]rollout.Subscription, error) {
	if err := g.listErr; err != nil {
		g.listErr = nil
		return nil, err
	}
	return slices.Clone(g.live), nil
}

func (g *tenant) CreateSubscription(_ context.Context, resource, changeType, notificationURL, clientState string, expires time.Time) (rollout.Subscription, error) {
	if changeType == "deleted" {
		g.probes = append(g.probes, notificationURL)
		if g.refuses == nil {
			g.live = append(g.live, rollout.Subscription{ID: fmt.Sprintf("probe-%d", len(g.probes)), Resource: strings.Trim(resource, "/"), ChangeType: changeType, ExpiresAt: expires})
		}
		return rollout.Subscription{ID: "probe"}, g.refuses
	}
	g.calls = append(g.calls, fmt.Sprintf("create %s %s %s %s %s", resource, changeType, notificationURL, clientState, expires.Sub(now)))
	trimmed := strings.ToLower(strings.Trim(resource, "/"))
	if slices.ContainsFunc(g.live, func(s rollout.Subscription) bool { return s.Resource == trimmed && s.ChangeType == changeType }) {
		return rollout.Subscription{}, errors.New("409: it exists")
	}
	if g.denied && strings.HasPrefix(trimmed, "groups/") {
		return rollout.Subscription{}, fmt.Errorf("create: %w", &graph.DeniedError{Permission: "Group.Read.All"})
	}
	g.made++
	s := rollout.Subscription{ID: fmt.Sprintf("made-%d", g.made), Resource: trimmed, ChangeType: changeType, ExpiresAt: expires}
	if !g.silent {
		g.live = append(g.live, s)
	}
	s.ClientState = clientState
	return s, nil
}

func (g *tenant) RenewSubscription(_ context.Context, id string, expires time.Time) (rollout.Subscription, error) {
	g.calls = append(g.calls, fmt.Sprintf("renew %s %s", id, expires.Sub(now)))
	if g.renew != nil {
		g.live = slices.DeleteFunc(g.live, func(s rollout.Subscription) bool { return errors.Is(g.renew, graph.ErrNotFound) && s.ID == id })
		return rollout.Subscription{}, g.renew
	}
	i := slices.IndexFunc(g.live, func(s rollout.Subscription) bool { return s.ID == id })
	g.live[i].ExpiresAt = expires
	return g.live[i], nil
}

type world struct {
	store *store.Store
	graph *tenant
	job   subscriptions.Subscriptions
	sum   job.Summary
	ids   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: store.New(store.NewMemory()), graph: &tenant{}}
	w.job = subscriptions.Subscriptions{
		Graph:           func(context.Context, rollout.TenantID) (subscriptions.Graph, error) { return w.graph, nil },
		Table:           w.store,
		NotificationURL: address,
		ClientState:     secret,
		NewProbeID:      func() string { w.ids++; return fmt.Sprintf("id%d", w.ids) },
	}
	cfg := rollout.Config{Tenant: contoso, EmergencyAccounts: []rollout.EmergencyAccount{{ID: first}, {ID: second}}}
	if err := w.store.PutConfig(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// run runs the job and returns what it asked Graph to do.
func (w *world) run(t *testing.T, at time.Time) ([]string, error) {
	t.Helper()
	w.graph.calls = nil
	w.graph.live = slices.DeleteFunc(w.graph.live, func(s rollout.Subscription) bool { return s.ChangeType == "deleted" && !s.ExpiresAt.After(at) })
	w.sum = job.Summary{}
	err := w.job.Run(context.Background(), contoso, at, &w.sum)
	return w.graph.calls, err
}

func (w *world) mustRun(t *testing.T, at time.Time) []string {
	t.Helper()
	calls, err := w.run(t, at)
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

func (w *world) records(t *testing.T) map[string]time.Time {
	t.Helper()
	list, err := w.store.Subscriptions(context.Background(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]time.Time{}
	for _, s := range list {
		ids[s.ID] = s.ExpiresAt
		if strings.Contains(s.ClientState, secret) {
			t.Errorf("the table holds the secret of %s", s.ID)
		}
	}
	return ids
}

func TestFirstRunSubscribesToEachAccount(t *testing.T) {
	w := newWorld(t)
	want := []string{
		"create /users/" + first + " updated,deleted " + address + " " + secret + " 672h0m0s",
		"create /users/" + second + " updated,deleted " + address + " " + secret + " 672h0m0s",
	}
	if diff := cmp.Diff(want, w.mustRun(t, now)); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	end := now.Add(28 * 24 * time.Hour)
	if diff := cmp.Diff(map[string]time.Time{"made-1": end, "made-2": end}, w.records(t)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	for _, id := range []string{"made-1", "made-2"} {
		owner, err := w.store.TenantOfSubscription(context.Background(), id)
		if err != nil || owner != contoso {
			t.Errorf("a notification of %s leads to %q, %v; want %s", id, owner, err, contoso)
		}
	}
	if got := w.sum.String(); got != "created 2, probes 1" {
		t.Errorf("summary %q, want created 2", got)
	}
}

// Day after day nothing is asked until three days before the end.
func TestRenewedInTime(t *testing.T) {
	w := newWorld(t)
	w.mustRun(t, now)
	for day := 1; day <= 60; day++ {
		at := now.AddDate(0, 0, day)
		calls := w.mustRun(t, at)
		for id, ends := range w.records(t) {
			if left := ends.Sub(at); left < 3*24*time.Hour || left >= 41760*time.Minute {
				t.Fatalf("day %d: %s ends in %s", day, id, left)
			}
		}
		if renewed := len(calls) > 0; renewed != (day == 26 || day == 52) {
			t.Fatalf("day %d: asked %v", day, calls)
		}
	}
	if diff := cmp.Diff([]string{"made-1", "made-2"}, []string{w.graph.live[0].ID, w.graph.live[1].ID}); diff != "" {
		t.Errorf("subscriptions in the end (-want +got):\n%s", diff)
	}
}

// Graph says nothing when one is lost.
func TestLostOneIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.mustRun(t, now)
	w.graph.live = w.graph.live[1:]
	w.mustRun(t, now.AddDate(0, 0, 1))
	if got := w.sum.String(); got != "created 1, lost 1, probes 1" {
		t.Errorf("summary %q, want created 1, lost 1", got)
	}
	records := w.records(t)
	if _, kept := records["made-1"]; kept || len(records) != 2 || records["made-3"].IsZero() {
		t.Errorf("records %v, want made-2 and made-3", records)
	}
	if owner, err := w.store.TenantOfSubscription(context.Background(), "made-1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the lost one still leads to %q (%v)", owner, err)
	}
}

func TestOneThatEndsWhileItIsRenewedIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.mustRun(t, now)
	w.graph.renew = fmt.Errorf("renew: %w", graph.ErrNotFound)
	w.mustRun(t, now.AddDate(0, 0, 26))
	records := w.records(t)
	if len(records) != 2 || records["made-3"].IsZero() || records["made-4"].IsZero() {
		t.Errorf("records %v, want made-3 and made-4", records)
	}
}

// A listing that fails, or that is empty by mistake, removes nothing.
func TestPartialListingChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.mustRun(t, now)
	before := w.records(t)

	w.graph.listErr = &graph.PartialError{}
	calls, err := w.run(t, now.AddDate(0, 0, 1))
	if err == nil || len(calls) != 0 {
		t.Errorf("error %v, asked %v; want an error and nothing asked", err, calls)
	}
	if diff := cmp.Diff(before, w.records(t)); diff != "" {
		t.Errorf("records (-before +after):\n%s", diff)
	}

	// Empty, and what is created is not listed either.
	w.graph.live, w.graph.silent = nil, true
	if _, err := w.run(t, now.AddDate(0, 0, 2)); err == nil {
		t.Error("no error although Graph lists nothing")
	}
	for id := range before {
		if _, kept := w.records(t)[id]; !kept {
			t.Errorf("the record of %s was removed on the word of an empty listing", id)
		}
	}
}

// A created subscription proves nothing until it is listed.
func TestCreatedOneMustBeListed(t *testing.T) {
	w := newWorld(t)
	w.graph.silent = true
	_, err := w.run(t, now)
	if err == nil || !strings.Contains(err.Error(), first) || !strings.Contains(err.Error(), second) {
		t.Errorf("error %v, want one that names both accounts", err)
	}
}

// A run that died after creating is made whole: the record is found missing.
func TestRecordThatWasNotWrittenIsWritten(t *testing.T) {
	w := newWorld(t)
	w.graph.live = []rollout.Subscription{{ID: "made-0", Resource: "Users/" + strings.ToLower(first), ExpiresAt: now.AddDate(0, 0, 20)}}
	if calls := w.mustRun(t, now); len(calls) != 1 {
		t.Errorf("asked %v, want one subscription for the other account", calls)
	}
	if _, recorded := w.records(t)["made-0"]; !recorded {
		t.Errorf("records %v, want made-0 among them", w.records(t))
	}
}

// Of two to the same account, the one that lasts is enough.
func TestTheOneThatEndsLastCounts(t *testing.T) {
	w := newWorld(t)
	w.mustRun(t, now)
	w.graph.live = append([]rollout.Subscription{{ID: "made-0", Resource: w.graph.live[0].Resource, ExpiresAt: now.AddDate(0, 0, 2)}}, w.graph.live...)
	if calls := w.mustRun(t, now.AddDate(0, 0, 1)); len(calls) != 0 {
		t.Errorf("asked %v, want nothing", calls)
	}
}

// An account that is no longer configured is left to end.
func TestUnwantedOneEndsByItself(t *testing.T) {
	w := newWorld(t)
	w.mustRun(t, now)
	if err := w.store.PutConfig(context.Background(), rollout.Config{Tenant: contoso, EmergencyAccounts: []rollout.EmergencyAccount{{ID: second}}}); err != nil {
		t.Fatal(err)
	}
	if calls := w.mustRun(t, now.AddDate(0, 0, 26)); !cmp.Equal(calls, []string{"renew made-2 1296h0m0s"}) {
		t.Errorf("asked %v, want the wanted one renewed", calls)
	}
	w.graph.live = w.graph.live[1:]
	w.mustRun(t, now.AddDate(0, 0, 29))
	if got := w.sum.String(); got != "ended 1, probes 1" {
		t.Errorf("summary %q, want ended 1", got)
	}
}

// Webhook would refuse what it sends: say so, and let it end.
func TestChangedSecretOrAddressIsToldAndReplaced(t *testing.T) {
	for name, change := range map[string]func(*subscriptions.Subscriptions){
		"secret":  func(s *subscriptions.Subscriptions) { s.ClientState = "another" },
		"address": func(s *subscriptions.Subscriptions) { s.NotificationURL = "https://hooks.example.com/moved" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustRun(t, now)
			change(&w.job)
			calls, err := w.run(t, now.AddDate(0, 0, 26))
			if err == nil || !strings.Contains(err.Error(), "made-1") || len(calls) != 0 {
				t.Errorf("error %v, asked %v; want an error that names made-1, and nothing asked", err, calls)
			}
			w.graph.live = nil
			w.mustRun(t, now.AddDate(0, 0, 28))
			if records := w.records(t); len(records) != 2 || records["made-3"].IsZero() {
				t.Errorf("records %v, want the two new ones", records)
			}
		})
	}
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t)
	w.mustRun(t, now)
	w.graph.live = w.graph.live[:1]
	w.graph.renew = errors.New("503")
	calls, err := w.run(t, now.AddDate(0, 0, 26))
	if err == nil || len(calls) != 2 || !strings.HasPrefix(calls[1], "create") {
		t.Errorf("error %v, asked %v; want the second created although the first failed", err, calls)
	}
}

// The handler runs each tenant by itself, for the schedule's own time.
func TestHandlerRunsEachTenant(t *testing.T) {
	raw, err := os.ReadFile("../../events/subscriptions-schedule.json")
	if err != nil {
		t.Fatal(err)
	}
	var event job.ScheduledEvent
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if err := w.store.PutConfig(context.Background(), rollout.Config{Tenant: fabrikam, EmergencyAccounts: []rollout.EmergencyAccount{{ID: "f1"}}}); err != nil {
		t.Fatal(err)
	}
	tenants := map[rollout.TenantID]*tenant{contoso: {listErr: errors.New("down")}, fabrikam: {}}
	w.job.Graph = func(_ context.Context, t rollout.TenantID) (subscriptions.Graph, error) { return tenants[t], nil }
	var log bytes.Buffer
	runner := job.New(w.store, slog.New(slog.NewJSONHandler(&log, nil)), 15*time.Minute)
	runner.Metrics = io.Discard
	handler := subscriptions.Handler{Subscriptions: w.job, Tenants: w.store, Runner: runner}

	if err := handler.Handle(context.Background(), event); err == nil || !strings.Contains(err.Error(), string(contoso)) {
		t.Errorf("error %v, want one that names the tenant that failed", err)
	}
	if len(tenants[fabrikam].live) != 2 || !tenants[fabrikam].live[0].ExpiresAt.Equal(event.Time.Add(28*24*time.Hour)) {
		t.Errorf("fabrikam has %v, want one for 28 days, and the self-test's, from the schedule's time", tenants[fabrikam].live)
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log shows the secret:\n%s", log.String())
	}
}

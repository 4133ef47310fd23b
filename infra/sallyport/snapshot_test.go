package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// sampleAnswers serves the sample tenant over a socket and returns it with the
// environment of somebody who may read it.
func sampleAnswers(t *testing.T) (rehearsal.Options, []string) {
	t.Helper()
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	o, err := rehearsal.Sample(1, renderer)
	if err != nil {
		t.Fatal(err)
	}
	const operator = "5a11e900-0000-4000-8000-0000000000ff"
	o.Tenant.PutApp(tenant.App{ID: operator, Roles: append(rollout.ReaderPermissions(), "IdentityRiskEvent.Read.All", "IdentityRiskyUser.Read.All")})
	token, _, err := o.Tenant.Token(operator)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(o.Tenant)
	t.Cleanup(server.Close)
	return o, []string{"GRAPH_ENDPOINT=" + server.URL, "GRAPH_TOKEN=" + token}
}

// judged is what an audit says of a tenant.
func judged(t *testing.T, cfg rollout.Config, of *tenant.Tenant, clock *rehearsal.Clock) ([]rollout.Account, rollout.Coverage) {
	t.Helper()
	dir, readings, err := rehearsal.Read(context.Background(), of, clock)
	if err != nil {
		t.Fatal(err)
	}
	accounts, _ := rollout.Assess(cfg, dir, readings, clock.Now())
	return accounts, rollout.CoverageOf(cfg, accounts, rollout.DateOf(clock.Now()))
}

// A snapshot of a tenant is that tenant: the same accounts, classes, facts and
// coverage.
func TestSnapshotIsTheTenant(t *testing.T) {
	o, env := sampleAnswers(t)
	folder := filepath.Join(t.TempDir(), "snapshot")
	var out, problems bytes.Buffer
	n := &snapshot{out: folder, days: 7, clock: o.Clock}
	if err := n.run(context.Background(), session{stdout: &out, stderr: &problems, env: env}); err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	clock := rehearsal.NewClock(o.Clock.Now())
	copied, err := loadTenant(session{stderr: &problems}, folder, 1, clock)
	if err != nil {
		t.Fatalf("load the snapshot: %v", err)
	}
	if problems.Len() > 0 {
		t.Errorf("a snapshot of our own lacks something:\n%s", &problems)
	}
	want, wantCoverage := judged(t, o.Config, o.Tenant, o.Clock)
	got, gotCoverage := judged(t, o.Config, copied, clock)
	if diff := cmp.Diff(wantCoverage, gotCoverage); diff != "" {
		t.Errorf("coverage (-tenant +snapshot):\n%s", diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accounts (-tenant +snapshot):\n%s", diff)
	}
	// No question more than the audit's: in a large tenant they take hours.
	raw, err := os.ReadFile(filepath.Join(folder, "userPurpose.json"))
	if err != nil {
		t.Fatal(err)
	}
	purposes, known := map[string]string{}, map[string]string{}
	if err := json.Unmarshal(raw, &purposes); err != nil {
		t.Fatal(err)
	}
	for _, a := range want {
		if a.Purpose != "" {
			known[a.ID] = a.Purpose
		}
	}
	if diff := cmp.Diff(known, purposes); diff != "" {
		t.Errorf("kinds of mailbox (-audit +snapshot):\n%s", diff)
	}
	if len(want) < 200 || wantCoverage.All == 0 {
		t.Errorf("the sample is too small to prove anything: %d accounts, %d counted", len(want), wantCoverage.All)
	}
}

// What a tenant refuses and an audit can do without is named, and its file is
// not there; the rest is.
func TestSnapshotNamesWhatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		refused func(*http.Request) bool
		listing string
	}{
		"managers": {func(r *http.Request) bool { return r.URL.Query().Has("$expand") }, "managers"},
		"per-user MFA": {func(r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/beta/") || strings.Contains(r.URL.Query().Get("$select"), "perUserMfaState")
		}, "perUserMfa"},
	} {
		t.Run(name, func(t *testing.T) {
			o, env := sampleAnswers(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.refused(r) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(http.StatusForbidden)
					_, _ = w.Write([]byte(`{"error":{"code":"Authorization_RequestDenied","message":"no"}}`))
					return
				}
				o.Tenant.ServeHTTP(w, r)
			}))
			defer server.Close()
			folder := filepath.Join(t.TempDir(), "snapshot")
			var out bytes.Buffer
			n := &snapshot{out: folder, days: 7, clock: o.Clock}
			if err := n.run(context.Background(), session{stdout: &out, stderr: &bytes.Buffer{}, env: append([]string{"GRAPH_ENDPOINT=" + server.URL}, env[1:]...), json: true}); err != nil {
				t.Fatalf("snapshot: %v", err)
			}
			var answer snapped
			if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if len(answer.Missing) != 1 || answer.Missing[0].Listing != c.listing || answer.Missing[0].Reason == "" {
				t.Errorf("missing %+v, want %s with a reason", answer.Missing, c.listing)
			}
			if _, err := os.Stat(filepath.Join(folder, c.listing+".json")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s.json is there: %v", c.listing, err)
			}
			var problems bytes.Buffer
			if _, err := loadTenant(session{stderr: &problems}, folder, 1, rehearsal.NewClock(o.Clock.Now())); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(problems.String(), c.listing) {
				t.Errorf("whoever uses the folder is not told: %q", &problems)
			}
		})
	}
}

// Where Graph lists the per-user MFA of all, nobody is asked one by one.
func TestSnapshotTriesPerUserMFAInBulk(t *testing.T) {
	o, env := sampleAnswers(t)
	b := o.Tenant.Behaviour()
	b.BulkPerUserMFA = true
	o.Tenant.SetBehaviour(b)
	single := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/beta/") {
			single++
		}
		o.Tenant.ServeHTTP(w, r)
	}))
	defer server.Close()
	n := &snapshot{out: filepath.Join(t.TempDir(), "snapshot"), days: 7, clock: o.Clock}
	if err := n.run(context.Background(), session{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, env: append([]string{"GRAPH_ENDPOINT=" + server.URL}, env[1:]...)}); err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(n.out, "perUserMfa.json"))
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	if err := json.Unmarshal(raw, &states); err != nil {
		t.Fatal(err)
	}
	if len(states) != len(o.Tenant.Users()) || single > 0 {
		t.Errorf("%d states of %d accounts, by %d single questions", len(states), len(o.Tenant.Users()), single)
	}
}

// A folder can be read and written anew: the tenant stays the same.
func TestSnapshotOfAFolder(t *testing.T) {
	o, _ := sampleAnswers(t)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	if err := o.Tenant.Save(first); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	if code := run(context.Background(), []string{"snapshot", "--tenant", first, "--out", second, "--json"}, nil, &out, &problems, nil); code != exitDone {
		t.Fatalf("exit code %d\n%s\n%s", code, &out, &problems)
	}
	clock := rehearsal.NewClock(o.Clock.Now())
	copied, err := loadTenant(session{stderr: &problems}, second, 1, clock)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := judged(t, o.Config, o.Tenant, o.Clock)
	got, _ := judged(t, o.Config, copied, clock)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accounts (-tenant +folder):\n%s", diff)
	}
}

// A rehearsal of the snapshot runs, and begins where the tenant is.
func TestRehearseASnapshot(t *testing.T) {
	o, env := sampleAnswers(t)
	dir := t.TempDir()
	n := &snapshot{out: filepath.Join(dir, "snapshot"), days: 7, clock: o.Clock}
	if err := n.run(context.Background(), session{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, env: env}); err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	text, err := rehearsal.SampleYAML(o.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	plan := filepath.Join(dir, "rollout.yaml")
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	code := run(context.Background(), []string{"rehearse", "--tenant", n.out, "--config", plan, "--days", "3", "--out", filepath.Join(dir, "out")}, nil, &out, &problems, nil)
	if code != exitDone {
		t.Fatalf("exit code %d\n%s\n%s", code, &out, &problems)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "out", "timeline.json"))
	if err != nil {
		t.Fatal(err)
	}
	var timeline rehearsal.Timeline
	if err := json.Unmarshal(raw, &timeline); err != nil {
		t.Fatal(err)
	}
	if timeline.Coverage.Start != 40 || len(timeline.Violations) > 0 {
		t.Errorf("the rehearsal begins at %.1f %% and violates %q; the sample begins at 40 %%", timeline.Coverage.Start, timeline.Violations)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	if len(want) < 200 || wantCoverage.All == 0 {
		t.Errorf("the sample is too small to prove anything: %d accounts, %d counted", len(want), wantCoverage.All)
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

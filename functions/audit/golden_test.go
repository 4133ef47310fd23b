package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/audit/export"
	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

var update = flag.Bool("update", false, "write the goldens anew; read every line of what changed")

// TestGoldens audits small tenants with awkward truths. Each is a folder of plain
// Graph answers with a README that says what is awkward; audit.json is what an
// auditor would be given.
func TestGoldens(t *testing.T) {
	folders, err := filepath.Glob("testdata/tenants/*")
	if err != nil || len(folders) < 8 {
		t.Fatalf("%d tenants in testdata, %v", len(folders), err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			got := audited(t, folder)
			golden := filepath.Join(folder, "audit.golden")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got (go test ./functions/audit -run TestGoldens -update writes it anew):\n%s", diff)
			}
		})
	}
}

// audited is the audit of a folder as JSON, or why there is none.
func audited(t *testing.T, folder string) []byte {
	t.Helper()
	clock := rehearsal.NewClock(time.Date(2026, time.December, 1, 2, 0, 0, 0, time.UTC))
	firm, _, err := tenant.Load(folder, 1, clock)
	if err != nil {
		return []byte("cannot be loaded: " + err.Error() + "\n")
	}
	begun := clock.Now()
	dir, readings, err := rehearsal.Read(context.Background(), firm, clock)
	if err != nil {
		return []byte("cannot be audited: " + err.Error() + "\n")
	}
	cfg := rollout.Config{
		Tenant: "fabrikam.onmicrosoft.com", TimeZone: "Europe/London", GraceDays: 14, Communication: rollout.Communication{Languages: []string{"en"}},
		EmergencyAccounts: []rollout.EmergencyAccount{{ID: "000000a0-0000-4000-8000-0000000000e1"}},
	}
	if filepath.Base(folder) == "synced-emergency" {
		cfg.EmergencyAccounts = []rollout.EmergencyAccount{{ID: "000000a0-0000-4000-8000-000000000002"}, {ID: "000000a0-0000-4000-8000-000000000003"}}
	}
	accounts, findings := rollout.Assess(cfg, dir, readings, begun)
	day := rollout.DateOf(begun.In(cfg.Location()))
	var out bytes.Buffer
	w := export.JSON(&out, cfg.Tenant)
	for _, a := range accounts {
		if err := w.Write(export.RowOf(cfg, a, day)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(export.SummaryOf(rollout.CoverageOf(cfg, accounts, day), findings, dir.Missing)); err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, out.Bytes(), "", " "); err != nil {
		t.Fatalf("the export is no JSON: %v", err)
	}
	indented.WriteByte('\n')
	return indented.Bytes()
}

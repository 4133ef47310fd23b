package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

var update = flag.Bool("update", false, "write the goldens anew; read every line of what changed")

// The accounts of the tenants in testdata/emergency.
const northGate, southGate = "000000e0-0000-4000-8000-000000000001", "000000e0-0000-4000-8000-000000000002"

func emergencyRun(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"emergency"}, args...), strings.NewReader(""), &out, &errs, env)
	return code, out.String(), errs.String()
}

// proven says of each tenant in testdata how many of its accounts are proven. The
// goldens say why; this is here so that nobody can update it away.
var proven = map[string]int{
	"as-it-should-be": 2, "nested-group": 2, "through-a-role": 2,
	"emptied-group": 0, "microsoft-policy": 0, "weak-exclusion": 0, "weak-inner-group": 0, "role-through-group": 0, "closed-group": 0,
	"eligible-not-active": 1, "synced": 1, "second-disabled": 1, "id-gone": 1,
}

// TestEmergencyTenants checks tenants that are easily judged wrongly. Each is a
// folder of plain Graph answers with a README that says what is awkward.
func TestEmergencyTenants(t *testing.T) {
	folders, err := filepath.Glob("testdata/emergency/*")
	if err != nil || len(folders) != len(proven) {
		t.Fatalf("%d tenants in testdata, %v; want %d", len(folders), err, len(proven))
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			args := []string{"check", "--tenant", folder, "--at", "2026-12-01", "--account", northGate, "--account", southGate}
			for golden, args := range map[string][]string{"check.golden": args, "check.json.golden": append(args, "--json")} {
				code, got, errs := emergencyRun(t, nil, args...)
				if want := exitHeld; (proven[filepath.Base(folder)] == 2) != (code == exitDone) || (code != exitDone && code != want) {
					t.Errorf("%s: exit code %d\n%s", golden, code, errs)
				}
				for line := range strings.Lines(got) {
					if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); golden == "check.golden" && n > tableWidth {
						t.Errorf("a line of %d columns: %s", n, line)
					}
				}
				compareGolden(t, filepath.Join(folder, golden), got)
			}
			var answer checked
			_, out, _ := emergencyRun(t, nil, append(args, "--json")...)
			if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Proven != proven[filepath.Base(folder)] {
				t.Errorf("%d proven, %v; want %d", answer.Proven, err, proven[filepath.Base(folder)])
			}
		})
	}
}

func compareGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got (go test ./infra/sallyport -run TestEmergency -update writes it anew):\n%s", diff)
	}
}

// Wrong usage is 2, and nothing is asked of anybody.
func TestEmergencyCheckUsage(t *testing.T) {
	folder := "testdata/emergency/as-it-should-be"
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"no second word":     {nil, "emergency what? expected check or create or document"},
		"another one":        {[]string{"chek"}, "emergency what? expected check or create or document"},
		"nobody to check":    {[]string{"check", "--tenant", folder}, "nothing says which accounts"},
		"a name is no id":    {[]string{"check", "--tenant", folder, "--account", "north@fabrikam.onmicrosoft.com"}, "expected an object id"},
		"an operand":         {[]string{"check", "--account", northGate, folder}, "unexpected"},
		"a day that is none": {[]string{"check", "--tenant", folder, "--account", northGate, "--at", "soon"}, "--at"},
		"a day of the past, of the tenant itself": {[]string{"check", "--account", northGate, "--at", "2026-12-01"}, "--at is for a folder"},
	} {
		code, out, errs := emergencyRun(t, nil, tt.args...)
		if code != exitUsage || out != "" || !strings.Contains(errs, tt.says) {
			t.Errorf("%s: code %d, %q, %q; want 2 and %q", name, code, out, errs, tt.says)
		}
	}
}

// One account is never enough, however good, nor is the same one named twice.
func TestEmergencyCheckOfOneAccount(t *testing.T) {
	for _, ids := range [][]string{{northGate}, {northGate, strings.ToUpper(northGate)}} {
		args := []string{"check", "--tenant", "testdata/emergency/as-it-should-be"}
		for _, id := range ids {
			args = append(args, "--account", id)
		}
		if code, _, errs := emergencyRun(t, nil, args...); code != exitHeld || !strings.Contains(errs, "1 of 1 emergency accounts proven") {
			t.Errorf("%v: code %d, %s", ids, code, errs)
		}
	}
}

// servedTenant serves a folder over a socket and returns the environment of
// somebody who may read it. What refused names is not shown to them: it answers as
// a tenant does that says it lacks a licence.
func servedTenant(t *testing.T, folder string, refused ...string) []string {
	t.Helper()
	firm, report, err := tenant.Load(folder, 1, job.Wall{})
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("%v, %v", err, report.Problems)
	}
	const operator = "5a11e900-0000-4000-8000-0000000000ff"
	firm.PutApp(tenant.App{ID: operator, Roles: rollout.ReaderPermissions()})
	token, _, err := firm.Token(operator)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, id := range refused {
			if strings.HasSuffix(r.URL.Path, "/"+id) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, `{"error":{"code":"AadPremiumLicenseRequired","message":"This needs a licence."}}`)
				return
			}
		}
		firm.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return []string{"GRAPH_ENDPOINT=" + server.URL, "GRAPH_TOKEN=" + token}
}

// The tenant itself is read the same way, over HTTP.
func TestEmergencyCheckOfTheTenantItself(t *testing.T) {
	const folder = "testdata/emergency/nested-group"
	args := []string{"check", "--json", "--account", northGate, "--account", southGate}
	code, live, errs := emergencyRun(t, servedTenant(t, folder), args...)
	_, offline, _ := emergencyRun(t, nil, append(args, "--tenant", folder)...)
	if diff := cmp.Diff(offline, live); code != exitDone || diff != "" {
		t.Errorf("code %d, %s -folder +live:\n%s", code, errs, diff)
	}
}

// An account that cannot be read is not proven, and the other one is still judged.
func TestEmergencyCheckOfWhatCannotBeRead(t *testing.T) {
	env := servedTenant(t, "testdata/emergency/as-it-should-be", southGate)
	code, out, errs := emergencyRun(t, env, "check", "--json", "--account", northGate, "--account", southGate)
	var answer checked
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != exitHeld {
		t.Fatalf("code %d, %v\n%s", code, err, errs)
	}
	if answer.Proven != 1 || len(answer.Findings) != 1 || answer.Findings[0].ID != "not-read" || !answer.Accounts[0].OK || answer.Accounts[1].OK {
		t.Errorf("%d proven, findings %+v", answer.Proven, answer.Findings)
	}
}

// A refusal of the policies is no "there are none", except where no licence has
// any.
func TestEmergencyCheckWithoutPolicies(t *testing.T) {
	args := []string{"check", "--json", "--account", northGate, "--account", southGate}
	env := servedTenant(t, "testdata/emergency/as-it-should-be", "conditionalAccess/policies")
	if code, out, _ := emergencyRun(t, env, args...); code != exitFailed || !strings.Contains(out, "read the Conditional Access policies") {
		t.Errorf("refused: code %d, %s", code, out)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/emergency/as-it-should-be")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"subscribedSkus": `{"value":[]}`, "conditionalAccessPolicies": `{"value":[]}`} {
		if err := os.WriteFile(filepath.Join(folder, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, errs := emergencyRun(t, nil, append(args, "--tenant", folder)...); code != exitDone {
		t.Errorf("a tenant without a licence: code %d, %s%s", code, out, errs)
	}
}

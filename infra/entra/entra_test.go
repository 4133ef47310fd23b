// Package entra holds the Azure side of the set-up as Bicep, and the test that it
// fits the rest: Azure's own compiler checks it where it is installed.
package entra_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBicep asks Microsoft's compiler, with every warning an error. It comes from no
// package registry that `make test` uses: whoever has it, has it in the PATH.
// Source: https://learn.microsoft.com/azure/azure-resource-manager/bicep/install
func TestBicep(t *testing.T) {
	bicep, err := exec.LookPath("bicep")
	if err != nil {
		t.Skip("NOT LINTED: the Bicep CLI is not installed, so alerts.bicep and logs.bicep were not compiled. Install it (az bicep install, or learn.microsoft.com/azure/azure-resource-manager/bicep/install), put it into the PATH, and run this again")
	}
	for _, file := range []string{"alerts.bicep", "logs.bicep"} {
		for _, args := range [][]string{{"build", "--stdout", file}, {"lint", file}} {
			cmd := exec.CommandContext(t.Context(), bicep, args...)
			var said bytes.Buffer
			cmd.Stderr = &said
			if err := cmd.Run(); err != nil || said.Len() > 0 {
				t.Errorf("bicep %s: %v\n%s", strings.Join(args, " "), err, said.Bytes())
			}
		}
	}
}

// The versions are those whose properties were read in Microsoft's references.
// Source: https://learn.microsoft.com/azure/templates/
func TestResources(t *testing.T) {
	got := map[string][]string{}
	for _, file := range []string{"alerts.bicep", "logs.bicep"} {
		for _, m := range regexp.MustCompile(`(?m)^resource \w+ '([^']+)'`).FindAllStringSubmatch(read(t, file), -1) {
			got[file] = append(got[file], m[1])
		}
	}
	want := map[string][]string{
		"alerts.bicep": {"Microsoft.OperationalInsights/workspaces@2022-10-01", "Microsoft.Insights/actionGroups@2023-01-01", "Microsoft.Insights/scheduledQueryRules@2021-08-01"},
		"logs.bicep":   {"microsoft.aadiam/diagnosticSettings@2017-04-01"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What the end point checks (infra/docs/secure-webhook.md) is what the action group
// sends: a token for that application and the common schema. A plain webhook would
// have its secret in the address.
func TestTheActionGroupProvesItself(t *testing.T) {
	text := read(t, "alerts.bicep")
	for _, line := range []string{"useAadAuth: true", "objectId: alertAppObjectId", "identifierUri: 'api://${alertAppId}'", "tenantId: tenant().tenantId", "useCommonAlertSchema: true", "serviceUri: secureAlertUrl"} {
		if n := strings.Count(text, line+"\n"); n != 1 {
			t.Errorf("%d times %q, want it once", n, line)
		}
	}
	if n := strings.Count(text, "serviceUri:"); n != 1 {
		t.Errorf("%d webhooks, want one", n)
	}
}

// A rule fires for one account by its object id, on each sign-in, and tells its id
// in the one way in which the function webhook reads it.
func TestTheRules(t *testing.T) {
	text := read(t, "alerts.bicep")
	for _, line := range []string{
		"for account in emergencyAccounts: {", `where UserId == "${account}"`, "name: 'UserId'", "operator: 'Include'", "severity: 0",
		"autoMitigate: false", "threshold: 0", "evaluationFrequency: 'PT5M'", "SigninLogs, AADNonInteractiveUserSignInLogs", "@minLength(2)",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q", line)
		}
	}
	if parse := read(t, "../../functions/webhook/parse.go"); !strings.Contains(parse, `strings.EqualFold(d.Name, "UserId")`) {
		t.Error("the function webhook reads another dimension")
	}
	categories := regexp.MustCompile(`category: '(\w+)'\n\s+enabled: true`).FindAllStringSubmatch(read(t, "logs.bicep"), -1)
	got := []string{}
	for _, c := range categories {
		got = append(got, c[1])
	}
	if want := []string{"SignInLogs", "NonInteractiveUserSignInLogs", "AuditLogs"}; !slices.Equal(got, want) {
		t.Errorf("the logs %v, want %v", got, want)
	}
}

// The steps in the documents name every parameter that must be given, and the
// outputs that they come from exist.
func TestTheStepsFit(t *testing.T) {
	steps := read(t, "../docs/emergency-accounts.md")
	for _, file := range []string{"alerts.bicep", "logs.bicep"} {
		if !strings.Contains(steps, "--template-file infra/entra/"+file) {
			t.Errorf("no step deploys %s", file)
		}
		for _, p := range regexp.MustCompile(`(?m)^param (\w+) \S+$`).FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(steps, p[1]+"=") {
				t.Errorf("no step gives %s its %s", file, p[1])
			}
		}
	}
	for name, in := range map[string]string{"SecureAlertUrl": "template.yaml", "AlertTenants": "template.yaml", "workspaceId": "infra/entra/alerts.bicep"} {
		text := read(t, "../../"+in)
		if !regexp.MustCompile(`(?m)^(  ` + name + `:|output ` + name + ` )`).MatchString(text) {
			t.Errorf("%s has no %s", in, name)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
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

// sampleFolder saves the sample tenant and its rollout.yaml, both changed as
// asked, and returns the arguments of a plan that is held to it.
func sampleFolder(t *testing.T, change func(*tenant.Tenant), replace ...string) []string {
	t.Helper()
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	o, err := rehearsal.Sample(1, renderer)
	if err != nil {
		t.Fatal(err)
	}
	text, err := rehearsal.SampleYAML(o.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	change(o.Tenant)
	dir := t.TempDir()
	if err := o.Tenant.Save(filepath.Join(dir, "tenant")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "rollout.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(replace...).Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"plan", file, "--tenant", filepath.Join(dir, "tenant"), "--at", rollout.DateOf(o.Clock.Now()).String()}
}

func planJSON(t *testing.T, args []string) (int, planned) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), append(args, "--json"), strings.NewReader(""), &out, &errs, nil)
	var answer planned
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		t.Fatalf("code %d, no JSON: %v\n%s%s", code, err, &out, &errs)
	}
	return code, answer
}

// A plan held to its tenant says what method it comes to and whom the waves
// hold; and of the sample nothing but what its story wants is missing.
func TestPlanHeldToTheTenant(t *testing.T) {
	code, answer := planJSON(t, sampleFolder(t, func(*tenant.Tenant) {}))
	if code != exitDone || answer.Snapshot == nil {
		t.Fatalf("code %d, answer %+v", code, answer)
	}
	got := answer.Snapshot
	if got.Method != rollout.MethodConditionalAccess || got.MethodReason == "" || !strings.Contains(got.MethodAdvice, got.MethodReason) || got.Coverage != 40 {
		t.Errorf("method %s (%s), coverage %v; want Conditional Access with a reason, 40", got.Method, got.MethodReason, got.Coverage)
	}
	people := map[string]int{}
	for _, w := range got.Waves {
		people[w.Name] = w.People
		if stopped := w.Stopped; stopped > w.People || (w.Name == "ready") != (stopped == 0) {
			t.Errorf("wave %s: %d of %d stopped", w.Name, stopped, w.People)
		}
	}
	if people["administrators"] == 0 || people["ready"] == 0 || people["everyone"] <= people["ready"] {
		t.Errorf("people = %v", people)
	}
	for _, w := range answer.Warnings {
		if strings.Contains(w.What, "no account") || strings.HasPrefix(w.Path, "emergencyAccounts") {
			t.Errorf("warning about the sample: %s", w)
		}
	}
}

// What the file names and the tenant does not have, or not as it should be, is
// said before anything depends on it.
func TestPlanFindsStrangers(t *testing.T) {
	args := sampleFolder(t, func(tn *tenant.Tenant) {
		id, ok := tn.UserID("svc-backup@contoso.com")
		if !ok {
			t.Fatal("the sample has no svc-backup@contoso.com")
		}
		if err := tn.DeleteUser(id); err != nil {
			t.Fatal(err)
		}
		for _, a := range tn.RoleAssignments() {
			if principal, _ := a["principalId"].(string); a["roleDefinitionId"] == rollout.RoleGlobalAdministrator {
				if upn, _ := user(t, tn, principal)["userPrincipalName"].(string); strings.HasSuffix(upn, "onmicrosoft.com") {
					if err := tn.SetEnabled(principal, false); err != nil {
						t.Fatal(err)
					}
					return
				}
			}
		}
		t.Fatal("the sample has no emergency account")
	}, "\nexemptions:", "\naccounts:\n  - {account: nobody@contoso.com, class: member, reason: mistyped}\nexemptions:")
	_, answer := planJSON(t, args)
	var got []string
	for _, w := range answer.Warnings {
		got = append(got, w.Path[:strings.IndexByte(w.Path+"[", '[')]+": "+w.What)
	}
	want := []string{
		"emergencyAccounts: The account is disabled. Enable the account, and find out who disabled it.",
		"exemptions: the tenant has no account svc-backup@contoso.com",
		"accounts: the tenant has no account nobody@contoso.com",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func user(t *testing.T, tn *tenant.Tenant, id string) tenant.Object {
	t.Helper()
	u, err := tn.User(id)
	if err != nil {
		return nil // a group or a service principal
	}
	return u
}

// A file for another tenant is never judged by this one.
func TestPlanRefusesTheWrongTenant(t *testing.T) {
	args := sampleFolder(t, func(*tenant.Tenant) {}, "tenant: contoso.onmicrosoft.com", "tenant: fabrikam.onmicrosoft.com")
	var out, errs bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(""), &out, &errs, nil)
	if code != exitFailed || out.Len() > 0 || !strings.Contains(errs.String(), "the file is for fabrikam.onmicrosoft.com") {
		t.Errorf("code %d, stdout %q, stderr %q", code, &out, &errs)
	}
}

// The text says the same as the JSON.
func TestPlanHeldToTheTenantAsText(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(context.Background(), sampleFolder(t, func(*tenant.Tenant) {}), strings.NewReader(""), &out, &errs, nil)
	if code != exitDone || !strings.Contains(out.String(), "In the tenant as it is:") || !strings.Contains(out.String(), "could not sign in if it were switched now") {
		t.Errorf("code %d, stderr %q\n%s", code, &errs, &out)
	}
}

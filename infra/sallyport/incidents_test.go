package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func TestIncidents(t *testing.T) {
	table, ctx := store.New(store.NewMemory()), t.Context()
	at := time.Date(2026, 11, 12, 9, 0, 0, 0, time.UTC)
	const contoso, fabrikam = rollout.TenantID("contoso.onmicrosoft.com"), rollout.TenantID("fabrikam.onmicrosoft.com")
	for tenant, list := range map[rollout.TenantID][]rollout.LockOut{
		contoso: {
			{Account: "ana", Cause: "blocked by a Conditional Access policy", Policies: []string{"Block \x1b[31mcountries"}, Advice: "Ask its owner.", Attempts: 3, Codes: []int{53003}, OpenedAt: at.Add(time.Hour), LastAt: at.Add(2 * time.Hour)},
			{Account: "ben", Cause: "not registered and stopped", Advice: "Register together.", Attempts: 1, OpenedAt: at, ClosedAt: at.Add(time.Hour), ClosedBy: rollout.ClosedBySignIn},
		},
		fabrikam: {{Account: "left", Cause: "not registered and stopped", Advice: "Register together.", Attempts: 2, OpenedAt: at.Add(30 * time.Minute)}},
	} {
		if err := table.PutConfig(ctx, rollout.Config{Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			if err := table.PutLockOut(ctx, tenant, l); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, _, err := table.SaveAccounts(ctx, contoso, []rollout.Account{{ID: "ana", UserPrincipalName: "ana@contoso.com", DisplayName: "Ana", Manager: "boss"}, {ID: "ben", UserPrincipalName: "ben@contoso.com"}}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		tenant string
		all    bool
		want   string
	}{
		"who is outside":  {"", false, "left ana@contoso.com"},
		"one tenant":      {"Contoso.onmicrosoft.com", false, "ana@contoso.com"},
		"also who is not": {"", true, "left ana@contoso.com ben@contoso.com"},
	} {
		list, err := listIncidents(ctx, table, tt.tenant, tt.all)
		if err != nil {
			t.Fatal(err)
		}
		var users []string
		for _, i := range list {
			users = append(users, i.User)
		}
		if got := strings.Join(users, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if _, err := listIncidents(ctx, table, "contosso.onmicrosoft.com", false); err == nil || !strings.Contains(err.Error(), "initial domain") {
		t.Errorf("a tenant that is not there: %v", err)
	}
	list, err := listIncidents(ctx, table, "", true)
	if err != nil {
		t.Fatal(err)
	}
	if list[1].Manager != "boss" || list[1].Name != "Ana" {
		t.Errorf("whom to ask is not said: %+v", list[1])
	}
	var out bytes.Buffer
	if err := writeIncidents(&out, list); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"12 Nov 10:00", "countries", "Ask its owner.", "12 Nov 10:00 signed in", "Register together."} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("a policy's name steers the terminal: %q", text)
	}
	if strings.Count(text, "Register together.") != 1 {
		t.Errorf("the same advice twice:\n%s", text)
	}
}

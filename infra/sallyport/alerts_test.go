package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// withAlerts is a table of two tenants: Contoso has a pair, an attempt in a drill
// and a call about them, Fabrikam one alert and a call of the same name.
func withAlerts(t *testing.T) *store.Store {
	t.Helper()
	table, ctx := store.New(store.NewMemory()), context.Background()
	at := time.Date(2026, 11, 21, 3, 7, 0, 0, time.UTC)
	for tenant, alerts := range map[rollout.TenantID][]rollout.Alert{
		"contoso.onmicrosoft.com": {
			{ID: "azureMonitor-a1", Kind: rollout.AlertMonitor, Account: "e1", Pair: "signin-s1", OccurredAt: at, SeenAt: at},
			{ID: "signin-s1", Kind: rollout.AlertSignIn, Account: "e1", Pair: "azureMonitor-a1", SignIn: rollout.SignIn{ID: "s1"}, OccurredAt: at, SeenAt: at, AlertedAt: at},
			{ID: "signin-s2", Kind: rollout.AlertSignIn, Account: "e2", Drill: "d", SignIn: rollout.SignIn{ID: "s2", ErrorCode: 50126, FailureReason: "Wrong password."}, OccurredAt: at.Add(time.Minute), SeenAt: at.Add(time.Minute)},
			{ID: "repeat-1", Kind: rollout.AlertRepetition, Account: "e2", Contact: "Ana", Repeats: 2, OccurredAt: at, SeenAt: at.Add(15 * time.Minute)},
		},
		"fabrikam.onmicrosoft.com": {
			{ID: "signin-f1", Kind: rollout.AlertSignIn, Account: "f1", SignIn: rollout.SignIn{ID: "f1"}, OccurredAt: at.Add(time.Hour), SeenAt: at.Add(time.Hour)},
			{ID: "repeat-1", Kind: rollout.AlertRepetition, Account: "f1", Repeats: 1, OccurredAt: at.Add(time.Hour), SeenAt: at.Add(2 * time.Hour)},
		},
	} {
		if err := table.PutConfig(ctx, rollout.Config{Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			if err := table.ClaimAlert(ctx, tenant, a); err != nil {
				t.Fatal(err)
			}
		}
	}
	return table
}

func TestAlertsList(t *testing.T) {
	table := withAlerts(t)
	for name, tt := range map[string]struct {
		tenant string
		all    bool
		want   []string
	}{
		"open":       {"", false, []string{"signin-f1", "signin-s2", "signin-s1"}},
		"one tenant": {"Contoso.onmicrosoft.com", false, []string{"signin-s2", "signin-s1"}},
		"all":        {"contoso.onmicrosoft.com", true, []string{"signin-s2", "azureMonitor-a1", "repeat-1", "signin-s1"}},
	} {
		lines, err := listAlerts(t.Context(), table, tt.tenant, tt.all)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, l.ID)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := listAlerts(t.Context(), table, "nobody.onmicrosoft.com", false); err == nil || !strings.Contains(err.Error(), "nobody.onmicrosoft.com") {
		t.Errorf("error %v for a tenant that is not there", err)
	}
	lines, err := listAlerts(t.Context(), table, "contoso.onmicrosoft.com", true)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := writeAlerts(&out, lines, "sallyport"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"was tried, and it failed: Wrong password. (drill open)", "Ana was called about 2 alerts", "sallyport alerts ack ID --table sallyport"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the list does not say %q:\n%s", want, out.String())
		}
	}
}

// One alert, its pair with it; a call and all that it was about; everything. The
// second time nothing is changed, and who came first stays.
func TestAlertsAck(t *testing.T) {
	at := time.Date(2026, 11, 21, 3, 30, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		tenant, id string
		want       []string
		says       string
	}{
		"one of a pair":     {"", "signin-s1", []string{"azureMonitor-a1", "signin-s1"}, ""},
		"a call":            {"contoso.onmicrosoft.com", "repeat-1", []string{"azureMonitor-a1", "repeat-1", "signin-s1", "signin-s2"}, ""},
		"a call of two":     {"", "repeat-1", nil, "name one with --tenant"},
		"nobody's":          {"", "signin-x", nil, "no alert signin-x"},
		"of another tenant": {"contoso.onmicrosoft.com", "signin-f1", nil, "no alert signin-f1"},
		"all of a tenant":   {"fabrikam.onmicrosoft.com", "", []string{"repeat-1", "signin-f1"}, ""},
		"all":               {"", "", []string{"azureMonitor-a1", "repeat-1", "signin-s1", "signin-s2", "repeat-1", "signin-f1"}, ""},
	} {
		table := withAlerts(t)
		for i, who := range []string{"Alex", "Somebody else"} {
			acked, err := ackAlerts(t.Context(), table, tt.tenant, tt.id, who, at)
			if (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: error %v, want %q", name, err, tt.says)
			}
			want := tt.want
			if i > 0 {
				want = nil
			}
			var got []string
			for _, a := range acked {
				got = append(got, a.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, who, diff)
			}
		}
		lines, err := listAlerts(t.Context(), table, "", true)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if l.AckedBy != "" && (l.AckedBy != "Alex" || !l.AckedAt.Equal(at)) {
				t.Errorf("%s: %s is acknowledged by %s", name, l.ID, l.AckedBy)
			}
		}
	}
}

func TestAlertsUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"expected one ID":        {"alerts", "ack", "--table", "x"},
		"not both":               {"alerts", "ack", "a", "--all", "--table", "x"},
		"--table names no table": {"alerts", "ack", "a"},
		"stands where nothing":   {"alerts", "list", "a"},
		"alerts what? expected":  {"alerts"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs, nil); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: code %d, %q does not say %q", args, code, errs.String(), want)
		}
	}
	for want, a := range map[string]*alertsAck{"Alex": {by: "Alex"}, "megan": {}} {
		if got := a.who([]string{"HOME=/", "USER=megan"}); got != want {
			t.Errorf("who %q, want %q", got, want)
		}
	}
	if got := fmt.Sprint((&alertsAck{}).who(nil)); got != "by command" {
		t.Errorf("who %q", got)
	}
}

package rollout_test

import (
	"testing"
	"time"

	"sallyport/shared/rollout"
)

func TestManagedByMicrosoft(t *testing.T) {
	for _, tt := range []struct {
		name, template string
		want           bool
	}{
		{"Microsoft-managed: Multifactor authentication for all users", "", true},
		{" MICROSOFT-MANAGED: x", "", true},
		{"Multifactor authentication for Microsoft partners and vendors", "4200930C-0da2-4e33-ca02-000000000004", true},
		{"Microsoft-managed: x", "4200930c-0da2-4e33-ca01-000000000007", true},
		{"Copy of Microsoft-managed: x", "", false},
		{"Microsoft-managed devices", "", false},
		{"Require MFA for admins", "c7503427-338e-4c5e-902d-abe252abfb43", false}, // a published template
		{"Baseline Security Mode: x", "4200930c-0da2-4e33-ca01-300000000011", false},
		{"", "4200930c-0da2-4e33-ca01", false},
		{"", "4200930c-0da2-4e33-cafe-000000000004", false},
		{"", "", false},
	} {
		if got := rollout.ManagedByMicrosoft(rollout.Policy{DisplayName: tt.name, TemplateID: tt.template}); got != tt.want {
			t.Errorf("%q of template %q: %v, want %v", tt.name, tt.template, got, tt.want)
		}
	}
}

func TestTurnsOn(t *testing.T) {
	created := at(t, "UTC", "2026-12-20 08:00")
	managed := rollout.Policy{DisplayName: "Microsoft-managed: x", State: rollout.StateReportOnly, Created: created}
	own, off, on, undated := managed, managed, managed, managed
	own.DisplayName, off.State, on.State, undated.Created = "x", rollout.StateDisabled, rollout.StateEnabled, time.Time{}
	for name, tt := range map[string]struct {
		policy rollout.Policy
		from   string
		want   bool
	}{
		"45 days later": {managed, "2027-02-03", true},
		"of the house":  {own, "", false}, "set to off": {off, "", false}, "on already": {on, "", false},
		"nobody knows since when": {undated, "", true},
	} {
		if from, ok := rollout.TurnsOn(tt.policy); from.String() != tt.from || ok != tt.want {
			t.Errorf("%s: %q, %v, want %q, %v", name, from, ok, tt.from, tt.want)
		}
	}
}

package rollout_test

import (
	"strings"
	"testing"

	"sallyport/shared/rollout"
)

func TestChooseMethod(t *testing.T) {
	licensed := []rollout.ServicePlan{{ID: rollout.PlanEntraP2}}
	const ca, defaults = rollout.MethodConditionalAccess, rollout.MethodSecurityDefaults
	tests := []struct {
		name               string
		configured, before rollout.Method
		plans              []rollout.ServicePlan
		want               rollout.Method
	}{
		{"licensed", rollout.MethodAuto, "", licensed, ca},
		{"not licensed", rollout.MethodAuto, "", nil, defaults},
		{"another plan", rollout.MethodAuto, "", []rollout.ServicePlan{{ID: "exchange"}}, defaults},
		{"the licence went after the announcement", rollout.MethodAuto, ca, nil, ca},
		{"the licence came after the announcement", rollout.MethodAuto, defaults, licensed, defaults},
		{"the operator knows better", defaults, ca, licensed, defaults},
	}
	for _, tt := range tests {
		got := rollout.ChooseMethod(rollout.Config{Method: tt.configured}, tt.before, tt.plans, rollout.Coverage{}, rollout.Date{})
		if got.Method != tt.want || got.Reason == "" || !strings.Contains(got.Advice, got.Reason) {
			t.Errorf("%s: %s (%s), want %s\n%s", tt.name, got.Method, got.Reason, tt.want, got.Advice)
		}
	}
}

// TestMethodAdvice: the paragraph says what was found, how large the tenant is,
// whom the method leaves out, and what it costs and cannot do.
func TestMethodAdvice(t *testing.T) {
	today := day(t, "2026-12-01")
	cfg := rollout.Config{
		Method: rollout.MethodAuto, Waves: make([]rollout.WaveConfig, 3), EmergencyAccounts: make([]rollout.EmergencyAccount, 2),
		Exemptions: []rollout.Exemption{{Account: "a", Expires: today}, {Account: "b", Expires: today.AddDays(-1)}},
	}
	coverage := rollout.Coverage{All: 380, Classes: map[rollout.Class]int{rollout.ClassMember: 380, rollout.ClassService: 7, rollout.ClassDisabled: 25}}
	p1, p2 := []rollout.ServicePlan{{ID: rollout.PlanEntraP1}}, []rollout.ServicePlan{{ID: strings.ToUpper(rollout.PlanEntraP2)}}
	tests := []struct {
		name        string
		method      rollout.Method
		plans       []rollout.ServicePlan
		want, never []string
	}{
		{
			"licensed", rollout.MethodAuto, p1,
			[]string{"Conditional Access: ", rollout.PlanEntraP1, "412 accounts", "380 are people", "plans 3", "2 emergency accounts", "1 exemption ", "(7 found)", "not how many", "custom roles"},
			[]string{"every wave is held", "registration report"},
		},
		{"P2 contains P1", rollout.MethodAuto, p2, []string{rollout.PlanEntraP2, "contains P1"}, []string{"No service plan"}},
		{
			"free", rollout.MethodAuto, nil,
			[]string{"Security Defaults: ", "No service plan", "412 accounts", "waves cannot be switched one after the other (rollout.yaml plans 3)", "2 emergency accounts must answer", "1 exemption of", "cannot be kept", "(7 found) would be stopped", "no registration report", "cost nothing"},
			[]string{"pays for"},
		},
		{"policies without the licence", rollout.MethodConditionalAccess, nil, []string{"every wave is held"}, nil},
		{"defaults beside the licence", rollout.MethodSecurityDefaults, p1, []string{"The tenant pays for Entra ID P1"}, []string{"no registration report"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg.Method = tt.method
			advice := rollout.ChooseMethod(cfg, "", tt.plans, coverage, today).Advice
			for _, w := range tt.want {
				if !strings.Contains(advice, w) {
					t.Errorf("%q is missing", w)
				}
			}
			for _, w := range tt.never {
				if strings.Contains(advice, w) {
					t.Errorf("%q has no place here", w)
				}
			}
			if t.Failed() {
				t.Log(advice)
			}
		})
	}
}

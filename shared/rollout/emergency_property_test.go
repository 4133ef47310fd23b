package rollout_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// TestEveryExposureHasOneCause: whatever the policies and groups, each policy that
// could stop an account stands in exactly one of the account's findings, and none
// that could not.
func TestEveryExposureHasOneCause(t *testing.T) {
	seen := map[string]int{}
	cfg := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: "u1"}, {ID: "U2"}}}
	check := func(t *rapid.T) {
		var policies []rollout.Policy
		for n := range rapid.IntRange(0, 6).Draw(t, "policies") {
			p := drawPolicy(t)
			p.ID = fmt.Sprintf("p%d", n)
			policies = append(policies, p)
		}
		groups := map[string]rollout.Group{}
		for _, id := range []string{"g1", "g2"} { // g3 was never read
			groups[id] = rollout.Group{
				Opened: rapid.Bool().Draw(t, id+" opened"), Members: few(t, id+" members", "u1", "u2", "u9"),
				Dynamic: rollout.No, RoleAssignable: rapid.SampledFrom([]rollout.Fact{rollout.Yes, rollout.No}).Draw(t, id+" protected"), Restricted: rollout.No,
			}
		}
		facts := []rollout.EmergencyFacts{{Account: "u1", User: &rollout.User{ID: "u1"}}, {Account: "u2", User: &rollout.User{ID: "u2"}}}
		proofs := rollout.ProveEmergency(cfg, "", facts, nil, policies, groups)
		for i, a := range rollout.JudgeEmergency(cfg, proofs, policies).Accounts {
			want, got := map[string]int{}, map[string]int{}
			for _, v := range proofs[i].Exposed(policies) {
				want[v.ID] = 1
			}
			for _, f := range a.Findings {
				seen[f.ID]++
				if f.ID == "exclusion-group-unprotected" || f.ID == "in-broad-group" {
					continue
				}
				for _, id := range f.Policies {
					got[id]++
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("account %s, policies in how many findings (-want +got):\n%s", a.Account, diff)
			}
		}
	}
	all := []string{"exclusion-group", "exclusion-group-unprotected", "inside-policy", "inside-microsoft-policy", "outside-by-membership", "unresolvable-policy"}
	for range 30 { // some are rare
		rapid.Check(t, check)
		if !slices.ContainsFunc(all, func(id string) bool { return seen[id] == 0 }) {
			return
		}
	}
	t.Errorf("not all of %v were found, so nothing was proven of them: %v", all, seen)
}

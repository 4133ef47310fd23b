package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

// watched is a tenant of two emergency accounts that are as they should be,
// excluded from two policies through a protected group. Tests spoil one thing.
type watched struct {
	cfg         rollout.Config
	facts       []rollout.EmergencyFacts
	assignments []rollout.RoleAssignment
	policies    []rollout.Policy
	groups      map[string]rollout.Group
}

func newWatched() *watched {
	w := &watched{groups: map[string]rollout.Group{
		"eg": {ID: "eg", DisplayName: "Emergency", Opened: true, Members: []string{em1, em2}, Dynamic: rollout.No, RoleAssignable: rollout.Yes},
	}}
	for _, id := range []string{em1, em2} {
		w.cfg.EmergencyAccounts = append(w.cfg.EmergencyAccounts, rollout.EmergencyAccount{ID: id, Custodian: "Custodian of " + id, PasswordLocation: "Safe of " + id})
		w.assignments = append(w.assignments, rollout.RoleAssignment{PrincipalID: id, RoleDefinitionID: rollout.RoleGlobalAdministrator, DirectoryScopeID: "/"})
		w.facts = append(w.facts, rollout.EmergencyFacts{
			Account: id, MethodsRead: true, Methods: []string{"passwordAuthenticationMethod", "fido2AuthenticationMethod"},
			User: &rollout.User{ID: id, UserPrincipalName: id + "@contoso.onmicrosoft.com", AccountEnabled: rollout.Yes, Synced: rollout.No, PasswordChanged: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
		})
	}
	for _, id := range []string{"p1", "p2"} {
		w.policies = append(w.policies, rollout.Policy{ID: id, DisplayName: strings.ToUpper(id), State: rollout.StateEnabled, IncludeUsers: []string{"All"}, ExcludeGroups: []string{"eg"}, GrantControls: []string{"mfa"}})
	}
	return w
}

func (w *watched) judge() (rollout.JudgedEmergency, []rollout.EmergencyProof) {
	proofs := rollout.ProveEmergency(w.cfg, "contoso.onmicrosoft.com", w.facts, w.assignments, w.policies, w.groups)
	return rollout.JudgeEmergency(w.cfg, proofs, w.policies), proofs
}

func (w *watched) group(id string, change func(*rollout.Group)) {
	g := w.groups[id]
	change(&g)
	w.groups[id] = g
}

// nest puts another group into the exclusion group, and the accounts into that.
func nest(w *watched, inner rollout.Group) {
	inner.Opened, inner.Members, inner.Direct, inner.DirectRead = true, []string{em1, em2}, []string{em1, em2}, true
	w.groups["gb"] = inner
	w.group("eg", func(g *rollout.Group) { g.Direct, g.DirectRead, g.Groups = []string{"gb"}, true, []string{"gb"} })
}

// TestJudgeEmergency: each cause is one finding, however many accounts and
// policies it concerns.
func TestJudgeEmergency(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *watched)
		proven int
		want   string // id [accounts] group [policies], one a line
	}{
		{"as it should be", func(*watched) {}, 2, ""},
		{"one is gone", func(w *watched) { w.facts[1].User, w.facts[1].MethodsRead = nil, false }, 1, "missing [em2]  []"},
		{"one could not be read", func(w *watched) { w.facts[1].ReadError = "503" }, 1, "not-read [em2]  []"},
		{"one was not looked at", func(w *watched) { w.facts = w.facts[:1] }, 1, "not-read [em2]  []"},
		{"one answers under another id", func(w *watched) { w.facts[1].User.ID = "u9" }, 1, "missing [em2]  []"},
		{"one is disabled", func(w *watched) { w.facts[1].User.AccountEnabled = rollout.No }, 1, "disabled [em2]  []"},
		{"both are synced", func(w *watched) { w.facts[0].User.Synced, w.facts[1].User.Synced = rollout.Yes, rollout.Yes }, 0, "synced [em1 em2]  []"},
		{"no key: one cause", func(w *watched) { w.facts[0].MethodsRead = false }, 1, "no-strong-method [em1]  []"},
		{"a phone", func(w *watched) { w.facts[0].Methods = append(w.facts[0].Methods, "phoneAuthenticationMethod") }, 1, "personal-method [em1]  []"},
		{"the same account twice is one", func(w *watched) {
			w.cfg.EmergencyAccounts[1] = w.cfg.EmergencyAccounts[0]
			w.cfg.EmergencyAccounts[1].Custodian, w.cfg.EmergencyAccounts[1].PasswordLocation = "x", "y"
		}, 1, ""},

		{"the group was emptied: one finding", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Members = nil }) }, 0, "exclusion-group [em1 em2] eg [p1 p2]"},
		{"the group is gone", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Opened, g.Members = false, nil }) }, 0, "exclusion-group [em1 em2] eg [p1 p2]"},
		{"one was taken out of the group", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Members = []string{em1} }) }, 1, "exclusion-group [em2] eg [p1 p2]"},
		{"taken out of the group, and out of one policy by id", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.Members = []string{em1} })
			w.policies[0].ExcludeUsers = []string{em2}
		}, 1, "exclusion-group [em2] eg [p2]"},
		{"the group was replaced by another", func(w *watched) {
			w.groups["other"] = rollout.Group{Opened: true, Members: []string{"u9"}, Dynamic: rollout.No}
			for i := range w.policies {
				w.policies[i].ExcludeGroups = []string{"other"}
			}
		}, 0, "exclusion-group [em1 em2] other [p1 p2]"},
		{"an excluded group that never was for them is not the cause", func(w *watched) {
			w.groups["scanners"] = rollout.Group{Opened: true, Dynamic: rollout.No}
			w.policies[0].ExcludeGroups = []string{"eg", "scanners"}
			w.policies[1].ExcludeGroups = []string{"scanners"}
		}, 0, "inside-policy [em1 em2]  [p2]"},
		{"not role-assignable and not restricted", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.RoleAssignable, g.Restricted = rollout.No, rollout.No })
		}, 0, "exclusion-group-unprotected [em1 em2] eg [p1 p2]"},
		{"whether it is protected was not said", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.RoleAssignable = "" }) }, 0, "exclusion-group-unprotected [em1 em2] eg [p1 p2]"},
		{"in a restricted unit", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.RoleAssignable, g.Restricted = rollout.No, rollout.Yes })
		}, 2, ""},
		{"filled by a rule", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.Dynamic, g.Restricted = rollout.Yes, rollout.Yes })
		}, 0, "exclusion-group-unprotected [em1 em2] eg [p1 p2]"},
		{"protected, but not the one inside it that holds them", func(w *watched) {
			nest(w, rollout.Group{Dynamic: rollout.No, RoleAssignable: rollout.No, Restricted: rollout.No})
		}, 0, "exclusion-group-unprotected [em1 em2] eg [p1 p2]"},
		{"so is the one inside it", func(w *watched) {
			nest(w, rollout.Group{Dynamic: rollout.No, RoleAssignable: rollout.Yes})
		}, 2, ""},
		{"one inside that is not protected, and one that is", func(w *watched) {
			nest(w, rollout.Group{Dynamic: rollout.No, RoleAssignable: rollout.No, Restricted: rollout.No})
			g := w.groups["gb"]
			g.Restricted = rollout.Yes
			w.groups["gc"] = g
			w.group("eg", func(g *rollout.Group) { g.Direct = []string{"gb", "gc"} })
		}, 2, ""},
		{"holds groups, and nobody read which", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.Groups = []string{"gb"} })
		}, 0, "exclusion-group-unprotected [em1 em2] eg [p1 p2]"},
		{"the one inside was not read", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.Direct, g.DirectRead, g.Groups = []string{"gb"}, true, []string{"gb"} })
		}, 0, "exclusion-group-unprotected [em1 em2] eg [p1 p2]"},
		{"an unprotected group beside the ids", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.RoleAssignable, g.Restricted = rollout.No, rollout.No })
			for i := range w.policies {
				w.policies[i].ExcludeUsers = []string{em1, em2}
			}
		}, 2, ""},
		{"an unprotected group beside a protected one", func(w *watched) {
			w.groups["a"] = rollout.Group{Opened: true, Members: []string{em1, em2}, Dynamic: rollout.No, RoleAssignable: rollout.No, Restricted: rollout.No}
			for i := range w.policies {
				w.policies[i].ExcludeGroups = []string{"a", "eg"}
			}
		}, 2, ""},

		{"Microsoft's own policy", func(w *watched) {
			w.policies = append(w.policies, rollout.Policy{ID: "m", DisplayName: "Microsoft-managed: x", State: rollout.StateReportOnly, IncludeUsers: []string{"All"}, GrantControls: []string{"mfa"}})
		}, 0, "inside-microsoft-policy [em1 em2]  [m]"},
		{"a policy by sign-in risk", func(w *watched) {
			w.policies = append(w.policies, rollout.Policy{ID: "r", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, GrantControls: []string{"block"}, Narrowing: []string{"signInRiskLevels"}})
		}, 0, "inside-policy [em1 em2]  [r]"},
		{"a policy for sessions", func(w *watched) {
			w.policies = append(w.policies, rollout.Policy{ID: "s", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, SessionControls: []string{"signInFrequency"}})
		}, 0, "inside-policy [em1 em2]  [s]"},
		{"outside by membership", func(w *watched) {
			w.groups["staff"] = rollout.Group{Opened: true, Members: []string{"u1"}}
			w.policies = append(w.policies, rollout.Policy{ID: "d", State: rollout.StateEnabled, IncludeGroups: []string{"staff"}, GrantControls: []string{"mfa"}})
		}, 0, "outside-by-membership [em1 em2]  [d]"},
		{"an included group that is closed: one finding", func(w *watched) {
			for _, id := range []string{"c1", "c2"} {
				w.policies = append(w.policies, rollout.Policy{ID: id, State: rollout.StateEnabled, IncludeGroups: []string{"closed"}, GrantControls: []string{"mfa"}})
			}
		}, 0, "unresolvable-policy [em1 em2] closed [c1 c2]"},
		{"in a dynamic group that a policy includes", func(w *watched) {
			w.groups["staff"] = rollout.Group{Opened: true, Members: []string{em1}, Dynamic: rollout.Yes}
			w.policies[0].IncludeGroups = []string{"staff"}
		}, 2, "in-broad-group [em1] staff [p1]"},
		{"in a small group that a policy includes", func(w *watched) {
			w.groups["staff"] = rollout.Group{Opened: true, Members: []string{em1}, Dynamic: rollout.No}
			w.policies[0].IncludeGroups = []string{"staff"}
		}, 2, ""},
		{"in a broad one", func(w *watched) {
			w.groups["staff"] = rollout.Group{Opened: true, Members: append(strings.Fields("1 2 3 4 5 6 7 8 9"), em1), Dynamic: rollout.No}
			w.policies[0].IncludeGroups = []string{"staff"}
		}, 2, "in-broad-group [em1] staff [p1]"},

		{"one custodian for both", func(w *watched) { w.cfg.EmergencyAccounts[0].Custodian = "custodian, of EM2" }, 0, "shared-custodian [em1 em2]  []"},
		{"one place for both", func(w *watched) { w.cfg.EmergencyAccounts[0].PasswordLocation = "Safe of em2!" }, 0, "shared-place [em1 em2]  []"},
		{"nobody said who and where", func(w *watched) {
			for i := range w.cfg.EmergencyAccounts {
				w.cfg.EmergencyAccounts[i] = rollout.EmergencyAccount{ID: w.cfg.EmergencyAccounts[i].ID}
			}
		}, 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWatched()
			tt.change(w)
			got, proofs := w.judge()
			var lines []string
			for _, f := range got.Findings {
				lines = append(lines, fmt.Sprint(f.ID, " ", f.Accounts, " ", f.Group, " ", f.Policies))
				if f.Text == "" || f.Remedy == "" {
					t.Errorf("%s says nothing", f.ID)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(lines, "\n")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if got.Proven != tt.proven || got.OK != (tt.proven >= 2) {
				t.Errorf("%d proven, ok %v; want %d", got.Proven, got.OK, tt.proven)
			}
			// The finding about policies says what Exposed says, no more and no less.
			for i, p := range proofs {
				if p.Exists != rollout.Yes {
					continue
				}
				exposed, named := map[string]bool{}, map[string]bool{}
				for _, v := range p.Exposed(w.policies) {
					exposed[v.ID] = true
				}
				for _, f := range got.Accounts[i].Findings {
					if f.ID != "exclusion-group-unprotected" && f.ID != "in-broad-group" {
						for _, id := range f.Policies {
							named[id] = true
						}
					}
				}
				if diff := cmp.Diff(exposed, named); diff != "" {
					t.Errorf("%s: exposed to (-) and found (+):\n%s", p.Account, diff)
				}
			}
		})
	}
}

// TestFindingsSayWhatAPolicyAsks: a responder sees at once what would happen.
func TestFindingsSayWhatAPolicyAsks(t *testing.T) {
	w := newWatched()
	w.policies = append(w.policies,
		rollout.Policy{ID: "r", DisplayName: "Risk", State: rollout.StateReportOnly, IncludeUsers: []string{"All"}, GrantControls: []string{"block"}, Narrowing: []string{"locations", "signInRiskLevels"}},
		rollout.Policy{ID: "s", DisplayName: "Sessions", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, AuthenticationStrength: "x", SessionControls: []string{"signInFrequency"}})
	got, _ := w.judge()
	const want = `The account is inside policy "Risk" (report-only, blocks, by signInRiskLevels), policy "Sessions" (enabled, asks for an authentication strength and limits sessions by signInFrequency).`
	if diff := cmp.Diff(want, got.Findings[0].Text); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWayThroughGroups: the evidence names every group on the way, and none that
// was not read.
func TestWayThroughGroups(t *testing.T) {
	inner := func(change func(*rollout.Group)) func(w *watched) {
		return func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.Direct, g.DirectRead = []string{"gb", "u9"}, true })
			b := rollout.Group{DisplayName: "B", Opened: true, Members: []string{em1}, Direct: []string{em1}, DirectRead: true}
			change(&b)
			w.groups["gb"] = b
		}
	}
	tests := []struct {
		name   string
		change func(w *watched)
		want   string
	}{
		{"nobody asked who stands in it directly", func(*watched) {}, "excluded through group Emergency"},
		{"directly", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.Direct, g.DirectRead = []string{"EM1"}, true })
		}, "excluded through group Emergency"},
		{"through one more", inner(func(*rollout.Group) {}), "excluded through group Emergency > B"},
		{"the inner one was not read", inner(func(g *rollout.Group) { g.DirectRead = false }), "excluded through group Emergency (nested)"},
		{"the inner one does not hold it", inner(func(g *rollout.Group) { g.Direct = nil }), "excluded through group Emergency (nested)"},
		{"in a circle, and longer", func(w *watched) {
			inner(func(g *rollout.Group) { g.Direct = []string{"eg", "gc"} })(w)
			w.groups["gc"] = rollout.Group{Opened: true, Members: []string{em1}, Direct: []string{em1}, DirectRead: true}
		}, "excluded through group Emergency > B > gc"},
	}
	for _, tt := range tests {
		w := newWatched()
		tt.change(w)
		_, proofs := w.judge()
		if got := strings.Join(proofs[0].Policies[0].Path, "; "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestPasswordAge: the proof shows when the password was set.
func TestPasswordAge(t *testing.T) {
	_, proofs := newWatched().judge()
	if i := slices.IndexFunc(proofs, func(p rollout.EmergencyProof) bool { return p.PasswordChanged.Year() != 2026 }); i >= 0 {
		t.Errorf("account %s: password of %s", proofs[i].Account, proofs[i].PasswordChanged)
	}
}

package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// readingOf is what would be read of the tenant at that moment.
func (w *watched) readingOf(at time.Time) rollout.EmergencyReading {
	r := rollout.EmergencyReading{At: at, Assignments: w.assignments, Policies: w.policies, Groups: w.groups, SecurityDefaults: rollout.No}
	r.Organization.InitialDomain = "contoso.onmicrosoft.com"
	r.Facts = w.facts
	return r
}

// withHeld gives each account the methods that a reading lists one by one.
func (w *watched) withHeld() *watched {
	for i := range w.facts {
		w.facts[i].Held = []string{"fido2AuthenticationMethod k1", "passwordAuthenticationMethod p"}
		w.facts[i].PerUserMFA = "disabled"
	}
	w.group("eg", func(g *rollout.Group) {
		g.Owners, g.OwnersRead, g.Direct, g.DirectRead = []string{"u1"}, true, g.Members, true
	})
	return w
}

func (w *watched) hold(account int, methods ...string) {
	w.facts[account].Held, w.facts[account].Methods = nil, nil
	for _, m := range methods {
		kind, _, _ := strings.Cut(m, " ")
		w.facts[account].Held, w.facts[account].Methods = append(w.facts[account].Held, m), append(w.facts[account].Methods, kind)
	}
}

func shown(changes []rollout.EmergencyChange) string {
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("%s %s %v %s %v", c.Severity, c.Kind, c.Accounts, c.Group, c.Policies))
	}
	return strings.Join(lines, "\n")
}

// TestTampered: each cause is one change, however many accounts and policies it
// concerns, and what does not matter is none.
func TestTampered(t *testing.T) {
	role := func(w *watched, scope string, eligible bool) {
		w.assignments[0].DirectoryScopeID, w.assignments[0].Eligible = scope, eligible
	}
	tests := []struct {
		name   string
		change func(w *watched)
		want   string // severity kind [accounts] group [policies], one a line
	}{
		{"nothing", func(*watched) {}, ""},
		{"deleted: nothing else is told of it", func(w *watched) { w.facts[0].User, w.facts[0].MethodsRead = nil, false }, "critical deleted [em1]  []"},
		{"disabled", func(w *watched) { w.facts[0].User.AccountEnabled = rollout.No }, "critical disabled [em1]  []"},
		{"not said any more", func(w *watched) { w.facts[0].User.AccountEnabled = rollout.Unknown }, "critical disabled [em1]  []"},
		{"joined to on-premises", func(w *watched) { w.facts[0].User.Synced = rollout.Yes }, "critical synced [em1]  []"},
		{"renamed", func(w *watched) { w.facts[0].User.UserPrincipalName = "x@contoso.com" }, "critical renamed [em1]  []"},
		{"written in capitals is not renamed", func(w *watched) {
			w.facts[0].User.UserPrincipalName = strings.ToUpper(w.facts[0].User.UserPrincipalName)
		}, ""},
		{"password changed", func(w *watched) { w.facts[1].User.PasswordChanged = w.facts[1].User.PasswordChanged.Add(time.Second) }, "critical password [em2]  []"},
		{"role taken", func(w *watched) { w.assignments = w.assignments[1:] }, "critical role [em1]  []"},
		{"role confined", func(w *watched) { role(w, "/administrativeUnits/a", false) }, "critical role [em1]  []"},
		{"role made eligible", func(w *watched) { role(w, "/", true) }, "critical role [em1]  []"},
		{"eligible beside active", func(w *watched) {
			w.assignments = append(w.assignments, rollout.RoleAssignment{PrincipalID: em1, RoleDefinitionID: rollout.RoleGlobalAdministrator, DirectoryScopeID: "/", Eligible: true})
		}, "critical role [em1]  []"},
		{"a second key", func(w *watched) {
			w.hold(0, "fido2AuthenticationMethod k1", "fido2AuthenticationMethod k2", "passwordAuthenticationMethod p")
		}, "critical method-added [em1]  []"},
		{"a key for another", func(w *watched) {
			w.hold(0, "fido2AuthenticationMethod k2", "passwordAuthenticationMethod p")
		}, "critical method-added [em1]  []\ncritical method-removed [em1]  []"},
		{"the key is gone", func(w *watched) { w.hold(0, "passwordAuthenticationMethod p") }, "critical method-removed [em1]  []"},
		{"a pass", func(w *watched) {
			w.hold(0, "fido2AuthenticationMethod k1", "passwordAuthenticationMethod p", "temporaryAccessPassAuthenticationMethod t")
		}, "critical method-added [em1]  []"},
		{"per-user MFA", func(w *watched) { w.facts[0].PerUserMFA = "enforced" }, "warning per-user-mfa [em1]  []"},

		{"the group was emptied: one change", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Members, g.Direct = nil, nil }) }, "critical exclusion-group [em1 em2] eg [p1 p2]"},
		{"emptied, and unprotected before that: one cause", func(w *watched) {
			w.group("eg", func(g *rollout.Group) {
				g.Members, g.Direct, g.RoleAssignable, g.Restricted = nil, nil, rollout.No, rollout.No
			})
		}, "critical exclusion-group [em1 em2] eg [p1 p2]"},
		{"the group was deleted", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Opened, g.Members = false, nil }) }, "critical exclusion-group [em1 em2] eg [p1 p2]"},
		{"the group was replaced: one change that names it", func(w *watched) {
			w.groups["other"] = rollout.Group{Opened: true, Members: []string{"u9"}, Dynamic: rollout.No}
			for i := range w.policies {
				w.policies[i].ExcludeGroups = []string{"other"}
			}
		}, "critical exclusion-group [em1 em2] eg [p1 p2]"},
		{"one was taken out of the group", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Members = []string{em1} }) }, "critical exclusion-group [em2] eg [p1 p2]"},
		{"one policy excludes it no more", func(w *watched) { w.policies[1].ExcludeGroups = nil }, "critical exclusion-group [em1 em2] eg [p2]"},
		{"the group is protected no more", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.RoleAssignable, g.Restricted = rollout.No, rollout.No })
		}, "critical group-unprotected [em1 em2] eg []"},
		{"an owner", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Owners = []string{"u1", "u2"} }) }, "critical group-owner-added [em1 em2] eg []"},
		{"an owner less", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Owners = nil }) }, "note group-owner-removed [em1 em2] eg []"},
		{"owners that are not shown any more", func(w *watched) {
			w.group("eg", func(g *rollout.Group) { g.Owners, g.OwnersRead = nil, false })
		}, ""},
		{"somebody else in the group", func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Members = []string{em1, em2, "u5"} }) }, "critical group-member-added [em1 em2] eg []"},

		{"a new policy for all", func(w *watched) {
			w.policies = append(w.policies, rollout.Policy{ID: "p3", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, GrantControls: []string{"block"}})
		}, "critical inside-policy [em1 em2]  [p3]"},
		{"report-only for now", func(w *watched) {
			w.policies = append(w.policies, rollout.Policy{ID: "p3", State: rollout.StateReportOnly, IncludeUsers: []string{"All"}, GrantControls: []string{"mfa"}})
		}, "warning inside-policy [em1 em2]  [p3]"},
		{"a new policy for some group: no harm yet", func(w *watched) {
			w.groups["some"] = rollout.Group{Opened: true, Members: []string{"u9"}, Dynamic: rollout.No}
			w.policies = append(w.policies, rollout.Policy{ID: "p3", State: rollout.StateEnabled, IncludeGroups: []string{"some"}, GrantControls: []string{"mfa"}})
		}, "note inside-policy [em1 em2]  [p3]"},
		{"a policy that is off", func(w *watched) {
			w.policies = append(w.policies, rollout.Policy{ID: "p3", State: rollout.StateDisabled, IncludeUsers: []string{"All"}, GrantControls: []string{"block"}})
		}, ""},
		{"a new policy with the exclusion", func(w *watched) {
			w.policies = append(w.policies, rollout.Policy{ID: "p3", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, ExcludeGroups: []string{"eg"}, GrantControls: []string{"mfa"}})
		}, ""},
		{"two causes are two", func(w *watched) {
			w.facts[0].User.AccountEnabled = rollout.No
			w.group("eg", func(g *rollout.Group) { g.Members, g.Direct = nil, nil })
		}, "critical disabled [em1]  []\ncritical exclusion-group [em1 em2] eg [p1 p2]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after := newWatched().withHeld(), newWatched().withHeld()
			tt.change(after)
			was, now := before.readingOf(noon).Prove(before.cfg), after.readingOf(noon).Prove(after.cfg)
			if diff := cmp.Diff(tt.want, shown(rollout.Tampered(was, now))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			// The way back mends, and is told to nobody at night; but a password or a name
			// that is as it was before is one more change.
			for _, c := range rollout.Tampered(now, was) {
				if c.Alerts() && !slices.Contains([]string{"password", "renamed", "method-added", "method-removed", "group-owner-added"}, c.Kind) {
					t.Errorf("the way back alerts: %s", shown([]rollout.EmergencyChange{c}))
				}
			}
		})
	}
}

// An exclusion by a role falls with the role: that is the cause.
func TestTamperedRoleThatExcludes(t *testing.T) {
	before, after := newWatched(), newWatched()
	for _, w := range []*watched{before, after} {
		for i := range w.policies {
			w.policies[i].ExcludeGroups, w.policies[i].ExcludeRoles = nil, []string{rollout.RoleGlobalAdministrator}
		}
	}
	after.assignments = after.assignments[1:]
	got := shown(rollout.Tampered(before.readingOf(noon).Prove(before.cfg), after.readingOf(noon).Prove(after.cfg)))
	if want := "critical role [em1]  [p1 p2]"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A policy that was tried in report-only and is switched on is one more step.
func TestTamperedPolicySwitchedOn(t *testing.T) {
	before, after := newWatched(), newWatched()
	add := func(w *watched, state string) {
		w.policies = append(w.policies, rollout.Policy{ID: "p3", State: state, IncludeUsers: []string{"All"}, GrantControls: []string{"mfa"}})
	}
	add(before, rollout.StateReportOnly)
	add(after, rollout.StateEnabled)
	got := shown(rollout.Tampered(before.readingOf(noon).Prove(before.cfg), after.readingOf(noon).Prove(after.cfg)))
	if want := "critical policy-switched [em1 em2]  [p3]"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Without an earlier proof, an account is held to the least.
func TestTamperedWithoutAnEarlierProof(t *testing.T) {
	w := newWatched().withHeld()
	w.facts[0].User.AccountEnabled = rollout.No
	w.policies[0].ExcludeGroups = nil
	got := shown(rollout.Tampered(nil, w.readingOf(noon).Prove(w.cfg)))
	if want := "critical disabled [em1]  []"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Half a reading is none, and an old one says nothing new.
func TestNextProof(t *testing.T) {
	w := newWatched().withHeld()
	var none rollout.ProvenEmergency
	first, newer := none.Next(w.cfg, w.readingOf(noon), noon)
	if !newer || !first.OK || len(first.Changes) != 0 {
		t.Fatalf("first proof %+v, %v", first, newer)
	}
	first.Version = 1 // as kept
	if _, newer := first.Next(w.cfg, w.readingOf(noon.Add(-time.Second)), noon); newer {
		t.Error("a reading from before the proof replaces it")
	}
	for what, spoil := range map[string]func(*rollout.EmergencyReading){
		"account":  func(r *rollout.EmergencyReading) { r.Facts[0].ReadError = "503" },
		"methods":  func(r *rollout.EmergencyReading) { r.Facts[0].MethodsRead = false },
		"nobody":   func(r *rollout.EmergencyReading) { r.Facts = nil },
		"of whole": func(*rollout.EmergencyReading) {},
	} {
		r := newWatched().withHeld().readingOf(noon)
		spoil(&r)
		if err := r.Complete(w.cfg); (err == nil) != (what == "of whole") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Mended and done again is another change; kept 90 days.
	w.facts[0].User.AccountEnabled = rollout.No
	second, _ := first.Next(w.cfg, w.readingOf(noon.Add(time.Hour)), noon)
	second.Version = 2
	w.facts[0].User.AccountEnabled = rollout.Yes
	third, _ := second.Next(w.cfg, w.readingOf(noon.Add(2*time.Hour)), noon)
	third.Version = 3
	w.facts[0].User.AccountEnabled = rollout.No
	fourth, _ := third.Next(w.cfg, w.readingOf(noon.Add(3*time.Hour)), noon)
	var ids []string
	for _, c := range fourth.Changes {
		ids = append(ids, c.ID)
	}
	want := []string{"tampering-disabled-" + em1 + "-1", "tampering-disabled-mended-" + em1 + "-2", "tampering-disabled-" + em1 + "-3"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if last, _ := fourth.Next(w.cfg, w.readingOf(noon.Add(91*24*time.Hour)), noon.Add(91*24*time.Hour)); len(last.Changes) != 0 {
		t.Errorf("after 91 days: %v", last.Changes)
	}
}

// TestProofDue: once a night, from one o'clock on, tenants in turns.
func TestProofDue(t *testing.T) {
	cfg := rollout.Config{Tenant: "contoso.onmicrosoft.com", TimeZone: "Europe/London"}
	day := func(d, hour, minute int) time.Time { return time.Date(2026, 12, d, hour, minute, 0, 0, time.UTC) }
	for name, tt := range map[string]struct {
		last, now time.Time
		want      bool
	}{
		"never":                      {time.Time{}, day(2, 12, 0), true},
		"this night":                 {day(2, 1, 46), day(2, 23, 0), false},
		"yesterday, before one":      {day(1, 1, 46), day(2, 0, 59), false},
		"yesterday, the hour is due": {day(1, 1, 46), day(2, 1, 46), true},
		"the night before last":      {day(1, 0, 10), day(2, 0, 59), true},
	} {
		if got := rollout.ProofDue(cfg, tt.last, tt.now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	turns := map[int]bool{}
	for i := range 200 {
		cfg.Tenant = rollout.TenantID(fmt.Sprintf("firm%d.onmicrosoft.com", i))
		for m := range 60 {
			if rollout.ProofDue(cfg, day(1, 12, 0), day(2, 1, m)) {
				turns[m] = true
				break
			}
		}
	}
	if len(turns) < 30 || turns[45] {
		t.Errorf("200 tenants begin in %d different minutes", len(turns))
	}
}

// A group that a policy excludes is watched if it holds an emergency account, and
// so are those inside it on the way.
func TestWatchedGroups(t *testing.T) {
	w := newWatched()
	nest(w, rollout.Group{Dynamic: rollout.No, RoleAssignable: rollout.Yes})
	w.groups["scanners"] = rollout.Group{Opened: true, Members: []string{"u9"}, Dynamic: rollout.No}
	w.policies[0].ExcludeGroups = []string{"eg", "scanners"}
	p, _ := rollout.ProvenEmergency{}.Next(w.cfg, w.readingOf(noon), noon)
	if diff := cmp.Diff([]string{"eg", "gb"}, p.WatchedGroups()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Whatever is done to the tenant, and however often it is read in between: what
// was proven at first and no longer holds has been told, and a second reading of
// the same tells nothing.
func TestTamperedProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWatched().withHeld()
		var p rollout.ProvenEmergency
		at := noon
		read := func() []rollout.EmergencyChange {
			at = at.Add(time.Minute)
			n := len(p.Changes)
			next, newer := p.Next(w.cfg, w.readingOf(at), at)
			if !newer {
				t.Fatal("a later reading is refused")
			}
			next.Version++
			p = next
			return p.Changes[n:]
		}
		read()
		deeds := map[string]func(){
			"disabled":        func() { w.facts[0].User.AccountEnabled = rollout.No },
			"synced":          func() { w.facts[1].User.Synced = rollout.Yes },
			"password":        func() { w.facts[0].User.PasswordChanged = at },
			"method-added":    func() { w.facts[1].Held = append(w.facts[1].Held, "fido2AuthenticationMethod k9") },
			"role":            func() { w.assignments[1].DirectoryScopeID = "/administrativeUnits/a" },
			"exclusion-group": func() { w.group("eg", func(g *rollout.Group) { g.Members = []string{em2} }) },
			"group-owner-added": func() {
				w.group("eg", func(g *rollout.Group) { g.Owners = append(slices.Clone(g.Owners), "u7") })
			},
		}
		kinds := rapid.Permutation(slices.Sorted(func(yield func(string) bool) {
			for k := range deeds {
				if !yield(k) {
					return
				}
			}
		})).Draw(t, "order")
		kinds = kinds[:rapid.IntRange(0, len(kinds)).Draw(t, "deeds")]
		told := map[string]int{}
		note := func(changes []rollout.EmergencyChange) {
			for _, c := range changes {
				told[c.Kind]++
			}
		}
		for _, kind := range kinds {
			deeds[kind]()
			for range rapid.IntRange(0, 2).Draw(t, "readings") {
				note(read())
			}
		}
		note(read())
		if more := read(); len(more) > 0 {
			t.Fatalf("read again, it tells %s", shown(more))
		}
		want := map[string]int{}
		for _, kind := range kinds {
			want[kind] = 1
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Fatalf("told (-want +got):\n%s", diff)
		}
	})
}

package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

// The proof's findings stand among the audit's, each cause once, and what the
// watch lacks beside them.
func TestFindingsOfTheWatch(t *testing.T) {
	proven := func(spoil func(*watched)) rollout.ProvenEmergency {
		w := newWatched().withHeld()
		spoil(w)
		p, _ := rollout.ProvenEmergency{}.Next(w.cfg, w.readingOf(noon), noon)
		p.Version = 1
		return p
	}
	whole := proven(func(*watched) {})
	to := func(resource string) rollout.Subscription { return rollout.Subscription{Resource: resource} }
	for name, tt := range map[string]struct {
		watch rollout.EmergencyWatch
		want  string // id severity count, one a line
	}{
		"as it should be": {rollout.EmergencyWatch{Proof: whole, Probe: rollout.Probe{Version: 1, SentAt: noon, HeardAt: noon}, Subscriptions: []rollout.Subscription{to("groups/EG")}}, ""},
		"no proof":        {rollout.EmergencyWatch{}, "emergency-proof-missing critical 0"},
		"an emptied group": {
			rollout.EmergencyWatch{Proof: proven(func(w *watched) { w.group("eg", func(g *rollout.Group) { g.Members, g.Direct = nil, nil }) })},
			"emergency-exclusion-group-eg critical 2",
		},
		"per-user MFA": {rollout.EmergencyWatch{Proof: proven(func(w *watched) { w.facts[0].PerUserMFA = "enforced" })}, "emergency-per-user-mfa critical 1"},
		"a pass": {rollout.EmergencyWatch{Proof: proven(func(w *watched) {
			w.hold(0, "fido2AuthenticationMethod k1", "temporaryAccessPassAuthenticationMethod t")
		})}, "emergency-temporary-access-pass warning 1"},
		"not said":  {rollout.EmergencyWatch{Proof: proven(func(w *watched) { w.facts[0].PerUserMFA = "" })}, "emergency-per-user-mfa-unknown note 1"},
		"silent":    {rollout.EmergencyWatch{Proof: whole, Probe: rollout.Probe{Version: 1, SentAt: noon.Add(-time.Hour)}}, "notifications-silent critical 0"},
		"unwatched": {rollout.EmergencyWatch{Proof: whole, Subscriptions: []rollout.Subscription{to("users/" + em1)}}, "exclusion-group-unwatched note 0"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newWatched().cfg
			tally := rollout.NewTally(cfg, rollout.Directory{}, noon)
			tally.Watched(tt.watch)
			var lines []string
			for _, f := range tally.Findings(nil) {
				if strings.HasPrefix(f.ID, "emergency-") || strings.Contains(f.ID, "silent") || strings.Contains(f.ID, "unwatched") {
					lines = append(lines, fmt.Sprintf("%s %s %d", f.ID, f.Severity, f.Count))
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(lines, "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Security Defaults exclude nobody, and what cannot be read is said.
func TestSecurityDefaultsAndTheAccounts(t *testing.T) {
	for state, want := range map[rollout.Fact]string{rollout.Yes: "security-defaults warning", rollout.No: "", rollout.Unknown: "security-defaults-unknown note"} {
		w := newWatched().withHeld()
		r := w.readingOf(noon)
		r.SecurityDefaults = state
		judged := r.Judge(w.cfg, r.Prove(w.cfg))
		got := ""
		for _, f := range judged.Findings {
			got += f.ID + " " + f.Severity
		}
		if got != want || judged.Proven != 2 {
			t.Errorf("Security Defaults %s: %q, %d proven; want %q and 2", state, got, judged.Proven, want)
		}
	}
}

// The audit's own coarser word for a policy stands back behind a fresh proof.
func TestOneCauseOneFinding(t *testing.T) {
	cfg := newWatched().cfg
	for name, tt := range map[string]struct {
		proof rollout.ProvenEmergency
		want  bool
	}{
		"fresh":        {rollout.ProvenEmergency{Version: 1, ReadAt: noon}, false},
		"of last week": {rollout.ProvenEmergency{Version: 1, ReadAt: noon.Add(-7 * 24 * time.Hour)}, true},
		"none":         {rollout.ProvenEmergency{}, true},
	} {
		tally := rollout.NewTally(cfg, rollout.Directory{}, noon)
		tally.Add(rollout.Account{ID: em1, Class: rollout.ClassEmergency, StoppedBy: []string{"p1"}})
		tally.Watched(rollout.EmergencyWatch{Proof: tt.proof})
		found := false
		for _, f := range tally.Findings(nil) {
			found = found || f.ID == "policy-would-stop-emergency"
		}
		if found != tt.want {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

package rollout_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

func TestDraft(t *testing.T) {
	cfg := rollout.Config{Tenant: "contoso.onmicrosoft.com", EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1}, {ID: em2}}}
	ids := map[string]string{rollout.GroupExempt: groupExempt, rollout.GroupReady: groupReady}
	got := rollout.Draft(cfg, rollout.WaveConfig{Name: "everyone", Members: rollout.MembersAll}, ids)
	want := rollout.PolicyDraft{
		Wave: "everyone", Marker: "[sallyport:contoso.onmicrosoft.com:everyone]", DisplayName: "Sallyport: require MFA - everyone",
		Description:  "Made and watched by Sallyport. Emergency accounts stay excluded; do not rename. [sallyport:contoso.onmicrosoft.com:everyone]",
		IncludeUsers: []string{"All"}, ExcludeUsers: []string{em1, em2, "GuestsOrExternalUsers"},
		ExcludeGroups: []string{groupExempt}, ExcludeRoles: []string{rollout.RoleDirectorySync},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("draft for everyone (-want +got):\n%s", diff)
	}
	if got := rollout.Draft(cfg, rollout.WaveConfig{Members: rollout.MembersAdmins}, ids); !slices.Equal(got.IncludeRoles, rollout.AdminRoles()) || got.IncludeUsers != nil {
		t.Errorf("draft for administrators addresses %v, %v", got.IncludeRoles, got.IncludeUsers)
	}
	if got := rollout.Draft(cfg, rollout.WaveConfig{Members: rollout.MembersCapable}, ids); !slices.Equal(got.IncludeGroups, []string{groupReady}) || got.IncludeUsers != nil {
		t.Errorf("draft for the capable addresses %v, %v", got.IncludeGroups, got.IncludeUsers)
	}
	cfg.CountGuests = true
	if got := rollout.Draft(cfg, rollout.WaveConfig{Members: rollout.MembersAll}, ids); slices.Contains(got.ExcludeUsers, "GuestsOrExternalUsers") {
		t.Error("guests count, and are excluded")
	}
}

// TestDraftKnowsNoControl: the adapter writes the one control that there is. A
// draft that could carry one could carry block.
func TestDraftKnowsNoControl(t *testing.T) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[rollout.PolicyDraft]()) {
		name := strings.ToLower(f.Name)
		for _, dangerous := range []string{"grant", "control", "session", "block", "strength", "state", "condition"} {
			if strings.Contains(name, dangerous) {
				t.Errorf("PolicyDraft.%s: a draft says whom, never what", f.Name)
			}
		}
	}
}

// TestDrift: each change that makes the policy stop others, or otherwise.
func TestDrift(t *testing.T) {
	cfg := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1}, {ID: em2}}}
	tests := []struct {
		name   string
		change func(p *rollout.Policy)
		want   string // empty: no drift
	}{
		{"as created", func(*rollout.Policy) {}, ""},
		{"reordered, in capitals, AND for OR", func(p *rollout.Policy) {
			slices.Reverse(p.ExcludeUsers)
			p.ExcludeUsers[0] = strings.ToUpper(p.ExcludeUsers[0])
			p.GrantOperator, p.IncludeGroups, p.Narrowing = "AND", []string{}, []string{}
		}, ""},
		{"renamed", func(p *rollout.Policy) { p.DisplayName = "MFA" }, ""},
		{"others excluded somebody", func(p *rollout.Policy) { p.ExcludeUsers = append(p.ExcludeUsers, "m07") }, ""},
		{"others excluded a group", func(p *rollout.Policy) { p.ExcludeGroups = append(p.ExcludeGroups, "board") }, ""},
		{"an emergency account: another gate's", func(p *rollout.Policy) { p.ExcludeUsers = []string{em1, "GuestsOrExternalUsers"} }, ""},
		{"our exclusion of guests", func(p *rollout.Policy) { p.ExcludeUsers = []string{em1, em2} }, "excluded user GuestsOrExternalUsers was taken out"},
		{"the exempted", func(p *rollout.Policy) { p.ExcludeGroups = nil }, "excluded group group-exempt was taken out"},
		{"the sync account's role", func(p *rollout.Policy) { p.ExcludeRoles = nil }, "excluded role " + rollout.RoleDirectorySync + " was taken out"},
		{"a role excluded: nobody was named", func(p *rollout.Policy) { p.ExcludeRoles = append(p.ExcludeRoles, "r1") }, "excluded role r1 was added"},
		{"fewer people", func(p *rollout.Policy) { p.IncludeUsers = []string{"m01"} }, "included user All was taken out; included user m01 was added"},
		{"a group more", func(p *rollout.Policy) { p.IncludeGroups = []string{"board"} }, "included group board was added"},
		{"guests more", func(p *rollout.Policy) { p.IncludeGuests = []string{"serviceProvider"} }, "guests were included: serviceProvider"},
		{"block", func(p *rollout.Policy) { p.GrantControls = []string{"block"} }, "it no longer asks for MFA; the control block was added"},
		{"a control that nobody knows", func(p *rollout.Policy) { p.GrantControls = append(p.GrantControls, "riskRemediation") }, "it is narrowed by or riskRemediation; the control riskRemediation was added"},
		{"terms of use", func(p *rollout.Policy) { p.GrantOperator, p.OtherGrants = "AND", []string{"termsOfUse"} }, "the control termsOfUse was added"},
		{"a session control", func(p *rollout.Policy) { p.SessionControls = []string{"signInFrequency"} }, "the control signInFrequency was added"},
		{"a strength that capable people may lack", func(p *rollout.Policy) { p.AuthenticationStrength = "phishing-resistant" }, "the authentication strength phishing-resistant was added"},
		{"a condition", func(p *rollout.Policy) { p.Narrowing = []string{"locations"} }, "it is narrowed by locations"},
		{"one application", func(p *rollout.Policy) { p.IncludeApplications = []string{"Office365"} }, "it is narrowed by applications"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ids := map[string]string{rollout.GroupExempt: groupExempt}
			wave := rollout.WaveConfig{Name: "everyone", Members: rollout.MembersAll}
			live := policyOf("p", rollout.StateReportOnly, rollout.Draft(cfg, wave, ids))
			tt.change(&live)
			if got := strings.Join(rollout.Drift(cfg, rollout.Draft(cfg, wave, ids), live), "; "); got != tt.want {
				t.Errorf("drift %q, want %q", got, tt.want)
			}
		})
	}
}

// TestAddedExclusionsAreWelcome: whomever others exclude, by id or by group, is
// no drift, and is named.
func TestAddedExclusionsAreWelcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		wave := rapid.SampledFrom(cfg.Waves).Draw(t, "wave")
		draft := rollout.Draft(cfg, wave, map[string]string{rollout.GroupExempt: groupExempt, rollout.GroupReady: groupReady})
		live := policyOf("p", rollout.StateReportOnly, draft)
		others := rapid.SliceOfNDistinct(rapid.StringMatching(`other-[a-z]{3}`), 1, 4, rapid.ID[string]).Draw(t, "others")
		half := rapid.IntRange(0, len(others)).Draw(t, "half")
		live.ExcludeUsers = slices.Concat(others[:half], live.ExcludeUsers)
		live.ExcludeGroups = slices.Concat(live.ExcludeGroups, others[half:])
		if drift := rollout.Drift(cfg, draft, live); len(drift) > 0 {
			t.Fatalf("drift %v", drift)
		}
		if diff := cmp.Diff(others, rollout.AddedExclusions(draft, live)); diff != "" {
			t.Fatalf("added exclusions (-want +got):\n%s", diff)
		}
	})
}

func TestOwnedNeedsAnID(t *testing.T) {
	k := rollout.Known{Policies: []rollout.OwnedPolicy{{Wave: "everyone", Marker: "m"}}}
	if p, ok := k.Owned("everyone"); ok {
		t.Errorf("a create that was never confirmed counts as %+v", p)
	}
}

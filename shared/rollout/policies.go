package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// Marker is the text in the description of everything Sallyport creates. After
// a create that timed out it tells whether it happened.
func Marker(tenant TenantID, what string) string {
	return fmt.Sprintf("[sallyport:%s:%s]", tenant, what)
}

// Draft is the policy that a wave needs: whom it addresses, emergency accounts
// and the group of exempted accounts always excluded. groups holds the ids of
// Sallyport's own groups by purpose.
func Draft(cfg Config, w WaveConfig, groups map[string]string) PolicyDraft {
	marker := Marker(cfg.Tenant, w.Name)
	d := PolicyDraft{
		Wave: w.Name, Marker: marker,
		DisplayName: "Sallyport: require MFA - " + w.Name,
		Description: "Made and watched by Sallyport. Emergency accounts stay excluded; do not rename. " + marker,
	}
	for _, e := range cfg.EmergencyAccounts {
		d.ExcludeUsers = append(d.ExcludeUsers, e.ID)
	}
	if id := groups[GroupExempt]; id != "" {
		d.ExcludeGroups = []string{id}
	}
	switch w.Members {
	case MembersAdmins:
		d.IncludeRoles = AdminRoles()
	case MembersCapable:
		d.IncludeGroups = []string{groups[GroupReady]}
	case MembersAll:
		d.IncludeUsers = []string{"All"}
		d.ExcludeRoles = []string{RoleDirectorySync}
	}
	if !cfg.CountGuests {
		d.ExcludeUsers = append(d.ExcludeUsers, "GuestsOrExternalUsers")
	}
	return d
}

// Drift compares a live policy with what was announced, by meaning: order and
// empty lists are no drift, accounts and groups that others excluded are
// welcome and stay. Emergency accounts have a gate of their own. What is
// returned changes whom or how the policy stops.
func Drift(cfg Config, announced PolicyDraft, live Policy) []string {
	var drift []string
	missing := func(what string, want, have []string) {
		for _, x := range want {
			if !containsFold(have, x) && !cfg.IsEmergency(x) {
				drift = append(drift, fmt.Sprintf("%s %s was taken out", what, x))
			}
		}
	}
	added := func(what string, want, have []string) {
		for _, x := range have {
			if !containsFold(want, x) {
				drift = append(drift, fmt.Sprintf("%s %s was added", what, x))
			}
		}
	}
	missing("included user", announced.IncludeUsers, live.IncludeUsers)
	missing("included group", announced.IncludeGroups, live.IncludeGroups)
	missing("included role", announced.IncludeRoles, live.IncludeRoles)
	added("included user", announced.IncludeUsers, live.IncludeUsers)
	added("included group", announced.IncludeGroups, live.IncludeGroups)
	added("included role", announced.IncludeRoles, live.IncludeRoles)
	missing("excluded user", announced.ExcludeUsers, live.ExcludeUsers)
	missing("excluded group", announced.ExcludeGroups, live.ExcludeGroups)
	missing("excluded role", announced.ExcludeRoles, live.ExcludeRoles)
	added("excluded role", announced.ExcludeRoles, live.ExcludeRoles)
	if demands, narrowed := DemandsMFA(live); !demands {
		drift = append(drift, "it no longer asks for MFA")
	} else if len(narrowed) > 0 {
		drift = append(drift, "it is narrowed by "+strings.Join(narrowed, ", "))
	}
	if len(live.IncludeGuests) > 0 {
		drift = append(drift, "guests were included: "+strings.Join(live.IncludeGuests, ", "))
	}
	// A capable person can fail each of these.
	for _, c := range slices.Concat(live.GrantControls, live.OtherGrants, live.SessionControls) {
		if !strings.EqualFold(c, "mfa") {
			drift = append(drift, "the control "+c+" was added")
		}
	}
	if live.AuthenticationStrength != "" {
		drift = append(drift, "the authentication strength "+live.AuthenticationStrength+" was added")
	}
	return drift
}

// AddedExclusions are the users and groups that others excluded from one of
// Sallyport's policies. They stay; the operator is shown them.
func AddedExclusions(announced PolicyDraft, live Policy) []string {
	var added []string
	for _, x := range slices.Concat(live.ExcludeUsers, live.ExcludeGroups) {
		if !containsFold(announced.ExcludeUsers, x) && !containsFold(announced.ExcludeGroups, x) {
			added = append(added, x)
		}
	}
	return added
}

// Owned returns the record of the wave's policy, if its create was confirmed.
func (k Known) Owned(wave string) (OwnedPolicy, bool) {
	i := slices.IndexFunc(k.Policies, func(p OwnedPolicy) bool { return p.Wave == wave && p.ID != "" })
	if i < 0 {
		return OwnedPolicy{}, false
	}
	return k.Policies[i], true
}

// groupIDs are the ids of Sallyport's own groups by purpose.
func (k Known) groupIDs() map[string]string {
	ids := map[string]string{}
	for _, g := range k.Groups {
		if g.ID != "" {
			ids[g.Purpose] = g.ID
		}
	}
	return ids
}

// Policy returns the live policy of that id.
func (l Live) Policy(id string) (Policy, bool) {
	i := slices.IndexFunc(l.Policies, func(p Policy) bool { return p.ID == id })
	if i < 0 {
		return Policy{}, false
	}
	return l.Policies[i], true
}

package rollout

import (
	"slices"
	"strings"
	"time"
)

// tenantFindings are those about the tenant as a whole.
func tenantFindings(d Directory) []Finding {
	var list []Finding
	if d.SecurityDefaults && HoldsPlan(d.Plans, PlanEntraP1, PlanEntraP2) {
		list = append(list, Finding{
			ID: "defaults-with-licence", Severity: SeverityNote,
			Text:   "Security Defaults are on although the licences allow Conditional Access",
			Remedy: "Keep them, or plan the change to Conditional Access: the two cannot be on together.",
		})
	}
	if d.Upsell.Action != "" && !d.SecurityDefaults {
		list = append(list, Finding{
			ID: "defaults-upsell", Severity: SeverityWarning,
			Text:     "Microsoft is about to switch on Security Defaults by itself",
			Evidence: cut(d.Upsell.Action, evidenceWidth) + upsellDay(d.Upsell.Due),
			Remedy:   "Security Defaults leave nobody out, emergency accounts included. Let the waves begin before, or tell Microsoft not to in the Entra admin centre.",
		})
	}
	if forbidden := d.MethodsPolicy.forbids(announcedMethod); len(forbidden) > 0 {
		list = append(list, Finding{
			ID: "methods-policy-forbids", Severity: SeverityWarning,
			Text:     "The methods policy does not let everybody use Microsoft Authenticator, which the announcement asks for",
			Evidence: cut(strings.Join(forbidden, "; "), mostEvidence*evidenceWidth),
			Remedy:   "Enable Microsoft Authenticator for all users in the authentication methods policy before the announcement.",
		})
	}
	if odd := d.MethodsPolicy.oddCampaign(); len(odd) > 0 {
		list = append(list, Finding{
			ID: "campaign-odd", Severity: SeverityNote,
			Text:     "The registration campaign does not help people to a method they may use",
			Evidence: cut(strings.Join(odd, "; "), mostEvidence*evidenceWidth),
			Remedy:   "Set the campaign to Microsoft managed, or to a method that the methods policy enables: it moves people away from SMS and voice.",
		})
	}
	return list
}

func upsellDay(due time.Time) string {
	if due.IsZero() {
		return ", day not known"
	}
	return ", due " + DateOf(due.UTC()).String()
}

// announcedMethod is what the announcement asks people to register.
const announcedMethod = "MicrosoftAuthenticator"

// allUsers is the target that stands for everybody.
const allUsers = "all_users"

// forbids says in which ways the policy keeps people from the method. A policy
// that was not read says nothing; one that does not list the method does.
func (p MethodsPolicy) forbids(method string) []string {
	if !p.Read {
		return nil
	}
	i := slices.IndexFunc(p.Methods, func(m MethodConfiguration) bool { return strings.EqualFold(m.ID, method) })
	if i < 0 {
		return []string{method + " is not listed"}
	}
	m := p.Methods[i]
	if !strings.EqualFold(m.State, StateEnabled) {
		why := method + " is " + nameOr(m.State, "in no known state")
		if !strings.EqualFold(p.MigrationState, "migrationComplete") {
			why += "; the older MFA settings may still allow it, migration is " + nameOr(p.MigrationState, "not known")
		}
		return []string{why}
	}
	var why []string
	if !containsFold(m.Include, allUsers) {
		why = append(why, method+" is only for "+nameOr(someOf(m.Include), "nobody"))
	}
	if len(m.Exclude) > 0 {
		why = append(why, method+" is not for "+someOf(m.Exclude))
	}
	return why
}

// oddCampaign says why the registration campaign helps nobody. A state that
// nobody knows says nothing.
func (p MethodsPolicy) oddCampaign() []string {
	switch {
	case !p.Read:
		return nil
	case strings.EqualFold(p.Campaign.State, StateDisabled):
		return []string{"the campaign is disabled"}
	}
	var odd []string
	for _, target := range p.Campaign.Methods {
		i := slices.IndexFunc(p.Methods, func(m MethodConfiguration) bool { return strings.EqualFold(m.ID, target) })
		if i < 0 || !strings.EqualFold(p.Methods[i].State, StateEnabled) {
			odd = append(odd, "it asks for "+target+", which is not enabled")
		}
	}
	return odd
}

// someOf names a few of the ids.
func someOf(ids []string) string {
	l := least{limit: mostEvidence}
	for _, id := range ids {
		l.add(id)
	}
	if l.more {
		return strings.Join(l.list, ", ") + " and more"
	}
	return strings.Join(l.list, ", ")
}

// demandsAnything reports whether a policy that is enabled, or Security Defaults,
// demand MFA of anybody.
func demandsAnything(d Directory) bool {
	return d.SecurityDefaults || slices.ContainsFunc(d.Policies, func(p Policy) bool {
		demands, _ := DemandsMFA(p)
		return p.State == StateEnabled && demands
	})
}

func unknownMethods(a Account) []string {
	return slices.DeleteFunc(slices.Clone(a.Methods), func(m string) bool { return methodStrength(m) != StrengthUnknown })
}

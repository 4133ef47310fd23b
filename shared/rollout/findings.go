package rollout

import (
	"fmt"
	"time"
)

// findings names what somebody should know of. Each is one cause with the
// accounts concerned, not one finding per account.
func findings(cfg Config, d Directory, accounts []Account, now time.Time) []Finding {
	day := DateOf(now.In(cfg.Location()))
	list := []Finding{}
	note := func(id, severity, text, remedy string, concerned func(Account) bool) {
		var ids []string
		for _, a := range accounts {
			if concerned(a) {
				ids = append(ids, a.ID)
			}
		}
		if len(ids) > 0 {
			list = append(list, Finding{ID: id, Severity: severity, Text: fmt.Sprintf(text, len(ids)), Accounts: ids, Remedy: remedy})
		}
	}

	note("admin-not-capable", "critical", "%d administrators have no usable MFA method",
		"Ask them to register at https://aka.ms/mysecurityinfo today.",
		func(a Account) bool { return a.Class == ClassAdmin && a.Capable != Yes })
	note("weak-only", "warning", "%d people have SMS or voice as their only method; Microsoft switches these off on 2027-02-01",
		"Ask them to add Microsoft Authenticator or a passkey.",
		func(a Account) bool { return Counts(cfg, a, day) && a.Capable == Yes && a.Strength == StrengthWeak })
	note("unknown-method", "note", "%d accounts have a method that Sallyport does not know",
		"Look at the method's name in the audit; it counts neither as strong nor as none.",
		func(a Account) bool { return hasUnknownMethod(a.Methods) })
	note("service-without-exemption", "warning", "%d service accounts have neither an alternative nor an exemption",
		"Replace each by a managed identity or a service principal, or list it under exemptions with an owner and an expiry.",
		func(a Account) bool {
			_, exempt := cfg.Exemption(a, day)
			return a.Class == ClassService && a.Enabled && !exempt
		})
	note("mailbox-can-sign-in", "warning", "%d shared mailboxes or rooms can sign in",
		"Disable sign-in for the account; the mailbox goes on working.",
		func(a Account) bool { return (a.Class == ClassSharedMailbox || a.Class == ClassRoom) && a.Enabled })
	note("guest-admin", "warning", "%d guests hold administrator roles and stand outside every wave",
		"Set countGuests: true, or demand MFA of them by a policy of your own.",
		func(a Account) bool {
			return a.Class == ClassGuest && a.Enabled && !cfg.CountGuests && len(intersection(a.Roles, AdminRoles())) > 0
		})
	note("not-reachable", "warning", "%d people have no mail address and cannot be told",
		"Give them an alternate address, or tell them in person and list them under accepted.",
		func(a Account) bool { return IsPerson(cfg, a) && a.Mail == "" })
	if d.SecurityDefaults && HoldsPlan(d.Plans, PlanEntraP1, PlanEntraP2) {
		list = append(list, Finding{
			ID: "defaults-with-licence", Severity: "note",
			Text:   "Security Defaults are on although the licences allow Conditional Access",
			Remedy: "Keep them, or plan the change to Conditional Access: the two cannot be on together.",
		})
	}
	return list
}

func hasUnknownMethod(methods []string) bool {
	for _, m := range methods {
		if methodStrength(m) == StrengthUnknown {
			return true
		}
	}
	return false
}

// HoldsPlan reports whether one of the service plans is in force.
func HoldsPlan(plans []ServicePlan, ids ...string) bool {
	for _, p := range plans {
		if containsFold(ids, p.ID) {
			return true
		}
	}
	return false
}

// ChooseMethod resolves the configured method: what the operator wrote, what
// was already announced (before; empty if nothing was), or what the licences
// allow, with a reason an admin can forward. A licence that comes or goes in
// the middle does not change what people were told.
func ChooseMethod(configured, before Method, plans []ServicePlan) (Method, string) {
	switch {
	case configured == MethodConditionalAccess || configured == MethodSecurityDefaults:
		return configured, "chosen by the operator in rollout.yaml"
	case before != "":
		return before, "announced already; set method in rollout.yaml to change it"
	case HoldsPlan(plans, PlanEntraP1, PlanEntraP2):
		return MethodConditionalAccess, "the tenant holds Entra ID P1, so emergency accounts can be excluded, people can be observed before the switch, and waves are possible"
	}
	return MethodSecurityDefaults, "the tenant holds no Entra ID P1, which Conditional Access needs; Security Defaults are free, know no exclusions and no report-only"
}

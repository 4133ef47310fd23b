package rollout

// findingRule is one kind of finding about accounts: one cause, with the accounts
// concerned, and not one finding per account.
type findingRule struct {
	id, severity string
	text         string // with %d for the number of accounts
	remedy       string
	concerned    func(a Account) bool
}

func findingRules(cfg Config, day Date) []findingRule {
	return []findingRule{
		{
			"admin-not-capable", "critical", "%d administrators have no usable MFA method",
			"Ask them to register at https://aka.ms/mysecurityinfo today.",
			func(a Account) bool { return a.Class == ClassAdmin && a.Capable != Yes },
		},
		{
			"weak-only", "warning", "%d people have SMS or voice as their only method; Microsoft switches these off on 2027-02-01",
			"Ask them to add Microsoft Authenticator or a passkey.",
			func(a Account) bool { return Counts(cfg, a, day) && a.Capable == Yes && a.Strength == StrengthWeak },
		},
		{
			"unknown-method", "note", "%d accounts have a method that Sallyport does not know",
			"Look at the method's name in the audit; it counts neither as strong nor as none.",
			func(a Account) bool { return hasUnknownMethod(a.Methods) },
		},
		{
			"service-without-exemption", "warning", "%d service accounts have neither an alternative nor an exemption",
			"Replace each by a managed identity or a service principal, or list it under exemptions with an owner and an expiry.",
			func(a Account) bool {
				_, exempt := cfg.Exemption(a, day)
				return a.Class == ClassService && a.Enabled && !exempt
			},
		},
		{
			"mailbox-can-sign-in", "warning", "%d shared mailboxes or rooms can sign in",
			"Disable sign-in for the account; the mailbox goes on working.",
			func(a Account) bool { return (a.Class == ClassSharedMailbox || a.Class == ClassRoom) && a.Enabled },
		},
		{
			"guest-admin", "warning", "%d guests hold administrator roles and stand outside every wave",
			"Set countGuests: true, or demand MFA of them by a policy of your own.",
			func(a Account) bool {
				return a.Class == ClassGuest && a.Enabled && !cfg.CountGuests && len(intersection(a.Roles, AdminRoles())) > 0
			},
		},
		{
			"not-reachable", "warning", "%d people have no mail address and cannot be told",
			"Give them an alternate address, or tell them in person and list them under accepted.",
			func(a Account) bool { return IsPerson(cfg, a) && a.Mail == "" },
		},
	}
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

package rollout

import (
	"slices"
	"strings"
	"time"
)

// How grave a finding is.
const (
	SeverityCritical = "critical"
	SeverityWarning  = "warning"
	SeverityNote     = "note"
)

// FindingUnknownMethod is the id of the finding whose evidence are method names
// that nobody has documented: the audit logs them.
const FindingUnknownMethod = "unknown-method"

// findingWouldStop is the audit's own word for what the proof says more exactly.
const findingWouldStop = "policy-would-stop-emergency"

// findingRule is one kind of finding about accounts: one cause, with the accounts
// concerned, and not one finding per account.
type findingRule struct {
	id, severity string
	one, many    string // many with %d for the number of accounts
	remedy       string
	concerned    func(a Account) bool
	// evidence says what was seen of an account that is concerned: ids and words
	// of Microsoft's, no names. It may be nil.
	evidence func(a Account) []string
}

func findingRules(cfg Config, dir Directory, day Date, now time.Time) []findingRule {
	return slices.Concat(
		emergencyRules(), adminRules(cfg), methodRules(cfg, day), protectionRules(cfg, dir, day), serviceRules(cfg, day, now), overrideRules(cfg),
	)
}

func emergencyRules() []findingRule {
	return []findingRule{{
		findingWouldStop, SeverityCritical,
		"An emergency account is not proven to stand outside every policy", "%d emergency accounts are not proven to stand outside every policy",
		"Exclude each emergency account by its id from every policy that the evidence names, report-only and Microsoft's own included.",
		func(a Account) bool { return a.Class == ClassEmergency && len(a.StoppedBy) > 0 },
		func(a Account) []string { return prefixed("policy ", a.StoppedBy) },
	}}
}

func adminRules(cfg Config) []findingRule {
	return []findingRule{
		{
			"admin-not-capable", SeverityCritical,
			"An administrator has no usable MFA method", "%d administrators have no usable MFA method",
			"Ask them to register at https://aka.ms/mysecurityinfo today.",
			func(a Account) bool { return a.Class == ClassAdmin && a.Capable != Yes }, nil,
		},
		{
			"admin-not-enforced", SeverityWarning,
			"An administrator can do MFA, but nothing demands it every time", "%d administrators can do MFA, but nothing demands it of them every time",
			"Let the administrators' wave be switched, or demand MFA of these roles for all applications, without conditions.",
			func(a Account) bool { return a.Class == ClassAdmin && a.Capable == Yes && a.Enforced != DemandAlways },
			func(a Account) []string {
				var seen []string
				for _, n := range a.NarrowedBy {
					seen = append(seen, "policy "+n.Policy+" is narrowed: "+n.By)
				}
				return seen
			},
		},
		{
			"admin-unseen", SeverityWarning,
			"An account holds roles that no Conditional Access role condition sees", "%d accounts hold roles that no Conditional Access role condition sees",
			"Custom roles, and roles confined to an administrative unit, do not make an account an administrator to a policy: demand MFA of these accounts by name or by group.",
			func(a Account) bool { return len(a.OtherRoles) > 0 && a.Class != ClassAdmin && a.Enabled },
			func(a Account) []string { return a.OtherRoles },
		},
		{
			"guest-admin", SeverityWarning,
			"A guest holds an administrator role and stands outside every wave", "%d guests hold administrator roles and stand outside every wave",
			"Set countGuests: true, or demand MFA of them by a policy of your own.",
			func(a Account) bool { return a.Class == ClassGuest && a.Enabled && !cfg.CountGuests && administers(a) }, nil,
		},
		{
			"service-admin", SeverityWarning,
			"An account that is no person holds an administrator role", "%d accounts that are no persons hold administrator roles",
			"Take the roles away, or give them to a managed identity; who knows the password is an administrator.",
			func(a Account) bool { return notAPerson(a) && a.Enabled && administers(a) }, nil,
		},
	}
}

func methodRules(cfg Config, day Date) []findingRule {
	return []findingRule{
		{
			"weak-only", SeverityWarning,
			"One person has SMS or voice as their only method; Microsoft switches these off on " + SmsVoiceEnds().String(),
			"%d people have SMS or voice as their only method; Microsoft switches these off on " + SmsVoiceEnds().String(),
			"Ask them to add Microsoft Authenticator or a passkey.",
			func(a Account) bool { return Counts(cfg, a, day) && a.Capable == Yes && a.Strength == StrengthWeak }, nil,
		},
		{
			FindingUnknownMethod, SeverityNote,
			"An account has a method that Sallyport does not know", "%d accounts have a method that Sallyport does not know",
			"Look at what the evidence names; it counts neither as strong nor as none.",
			func(a Account) bool { return len(unknownMethods(a)) > 0 },
			unknownMethods,
		},
		{
			"not-reachable", SeverityWarning,
			"One person has no mail address and cannot be told", "%d people have no mail address and cannot be told",
			"Give them an alternate address, or tell them in person and list them under accepted.",
			func(a Account) bool { return IsPerson(cfg, a) && a.Mail == "" }, nil,
		},
	}
}

func protectionRules(cfg Config, dir Directory, day Date) []findingRule {
	mixed := demandsAnything(dir)
	return []findingRule{
		{
			"outside-every-policy", SeverityNote,
			"Nothing demands MFA of one person who can sign in", "Nothing demands MFA of %d people who can sign in",
			"Before a wave's switch this is as it should be; after it, look for a policy's exclusions.",
			func(a Account) bool {
				_, exempt := cfg.Exemption(a, day)
				return IsPerson(cfg, a) && !exempt && a.Enforced != DemandAlways && a.Enforced != DemandPartly
			}, nil,
		},
		{
			"per-user-mfa-left", SeverityWarning,
			"Per-user MFA is left on for one account beside what demands MFA today", "Per-user MFA is left on for %d accounts beside what demands MFA today",
			"Set it to disabled once a policy or Security Defaults demand MFA of them: mixed, people are asked twice and nobody can say by what.",
			func(a Account) bool {
				return mixed && (strings.EqualFold(a.PerUserMFA, "enabled") || strings.EqualFold(a.PerUserMFA, "enforced"))
			},
			func(a Account) []string { return []string{strings.ToLower(a.PerUserMFA)} },
		},
		{
			"legacy-in-use", SeverityWarning,
			"One account signs in by a protocol that cannot do MFA", "%d accounts sign in by protocols that cannot do MFA",
			"Move each client to modern authentication before the switch; it will stop working.",
			func(a Account) bool { return len(a.LegacyClients) > 0 && a.Class != ClassDisabled },
			func(a Account) []string { return a.LegacyClients },
		},
		{
			"managed-policy-upcoming", SeverityWarning,
			"A policy of Microsoft's will switch itself on for one account", "Policies of Microsoft's will switch themselves on for %d accounts",
			"Exclude the emergency accounts from it now. To choose the day yourself, set its state before.",
			func(a Account) bool { return len(a.Upcoming) > 0 },
			func(a Account) []string {
				var seen []string
				for _, u := range a.Upcoming {
					from := "a day not known"
					if !u.From.IsZero() {
						from = u.From.String() + " at the earliest"
					}
					seen = append(seen, "policy "+u.Policy+" from "+from)
				}
				return seen
			},
		},
	}
}

// interactiveLately is how recent an attempt to sign in by hand is news.
const interactiveLately = 30 * 24 * time.Hour

func serviceRules(cfg Config, day Date, now time.Time) []findingRule {
	return []findingRule{
		{
			"service-interactive", SeverityWarning,
			"Somebody signed in to a service account by hand in the last 30 days, or tried to", "Somebody signed in to %d service accounts by hand in the last 30 days, or tried to",
			"Find out who: a person needs an account of their own, and an attack needs a new password.",
			func(a Account) bool {
				return a.Class == ClassService && a.Enabled && !a.LastInteractive.IsZero() && now.Sub(a.LastInteractive) < interactiveLately
			}, nil,
		},
		{
			"service-without-exemption", SeverityWarning,
			"A service account has neither an alternative nor an exemption", "%d service accounts have neither an alternative nor an exemption",
			"Replace each by a managed identity or a service principal, or list it under exemptions with an owner and an expiry.",
			func(a Account) bool {
				_, exempt := cfg.Exemption(a, day)
				return a.Class == ClassService && a.Enabled && !exempt
			}, nil,
		},
		{
			"mailbox-can-sign-in", SeverityWarning,
			"A shared mailbox or room can sign in", "%d shared mailboxes or rooms can sign in",
			"Disable sign-in for the account; the mailbox goes on working.",
			func(a Account) bool { return (a.Class == ClassSharedMailbox || a.Class == ClassRoom) && a.Enabled }, nil,
		},
	}
}

func overrideRules(cfg Config) []findingRule {
	return []findingRule{
		{
			"override-without-effect", SeverityWarning,
			"The class that rollout.yaml gives an account cannot hold", "The class that rollout.yaml gives %d accounts cannot hold",
			"Take it out of accounts. Emergency accounts, administrators, guests, disabled and synchronising accounts stay what Microsoft takes them to be.",
			func(a Account) bool {
				_, given := cfg.Override(a)
				return given && a.Rule != RuleOverride
			},
			func(a Account) []string {
				o, _ := cfg.Override(a)
				return []string{a.ID + " is " + string(a.Class) + ", not " + string(o.Class)}
			},
		},
		{
			"override-in-force", SeverityNote,
			"One account has its class from rollout.yaml", "%d accounts have their class from rollout.yaml",
			"Look through them now and then: each says of an account what the audit does not see.",
			func(a Account) bool { return a.Rule == RuleOverride },
			func(a Account) []string { return []string{a.ID + " is " + string(a.Class)} },
		},
	}
}

func administers(a Account) bool {
	return len(a.Roles) > 0 && len(intersection(a.Roles, AdminRoles())) > 0
}

func notAPerson(a Account) bool {
	return a.Class == ClassService || a.Class == ClassSharedMailbox || a.Class == ClassRoom
}

func prefixed(prefix string, list []string) []string {
	words := make([]string, 0, len(list))
	for _, s := range list {
		words = append(words, prefix+s)
	}
	return words
}

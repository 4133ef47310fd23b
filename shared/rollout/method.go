package rollout

import (
	"fmt"
	"strings"
)

// HoldsPlan reports whether one of the service plans is in force.
func HoldsPlan(plans []ServicePlan, ids ...string) bool {
	for _, p := range plans {
		if containsFold(ids, p.ID) {
			return true
		}
	}
	return false
}

// MethodChoice is how MFA is demanded of people, and why.
type MethodChoice struct {
	Method Method
	Reason string // one sentence
	Advice string // one paragraph that an admin can forward
}

// ChooseMethod resolves the configured method: what the operator wrote, what
// was already announced (before; empty if nothing was), or what the licences
// allow. A licence that comes or goes in the middle does not change what people
// were told. The advice weighs it for this tenant: its size, whom it has to
// leave out, what the method costs and cannot do.
// Sources: https://learn.microsoft.com/entra/fundamentals/security-defaults and
// https://learn.microsoft.com/entra/identity/conditional-access/overview
func ChooseMethod(cfg Config, before Method, plans []ServicePlan, c Coverage, day Date) MethodChoice {
	choice := choose(cfg.Method, before, plans)
	f := methodFacts{cfg: cfg, plans: plans, coverage: c, day: day}
	if choice.Method == MethodConditionalAccess {
		choice.Advice = f.paragraph("Conditional Access", choice.Reason, f.conditionalAccess())
	} else {
		choice.Advice = f.paragraph("Security Defaults", choice.Reason, f.securityDefaults())
	}
	return choice
}

func choose(configured, before Method, plans []ServicePlan) MethodChoice {
	switch {
	case configured == MethodConditionalAccess || configured == MethodSecurityDefaults:
		return MethodChoice{Method: configured, Reason: "chosen by the operator in rollout.yaml"}
	case before != "":
		return MethodChoice{Method: before, Reason: "announced already; set method in rollout.yaml to change it"}
	case HoldsPlan(plans, PlanEntraP1, PlanEntraP2):
		return MethodChoice{
			Method: MethodConditionalAccess,
			Reason: "the tenant holds Entra ID P1, so emergency accounts can be excluded, people can be observed before the switch, and waves are possible",
		}
	}
	return MethodChoice{
		Method: MethodSecurityDefaults,
		Reason: "the tenant holds no Entra ID P1, which Conditional Access needs; Security Defaults are free, know no exclusions and no report-only",
	}
}

// methodFacts is what the advice is made of.
type methodFacts struct {
	cfg      Config
	plans    []ServicePlan
	coverage Coverage
	day      Date
}

func (f methodFacts) licensed() bool { return HoldsPlan(f.plans, PlanEntraP1, PlanEntraP2) }

func (f methodFacts) paragraph(method, reason string, sentences []string) string {
	accounts := 0
	for _, n := range f.coverage.Classes {
		accounts += n
	}
	licence := "No service plan of Entra ID P1 or P2 is in force."
	switch {
	case HoldsPlan(f.plans, PlanEntraP2):
		licence = "Entra ID P2, which contains P1, is in force (service plan " + PlanEntraP2 + ")."
	case HoldsPlan(f.plans, PlanEntraP1):
		licence = "Entra ID P1 is in force (service plan " + PlanEntraP1 + ")."
	}
	return strings.Join(append([]string{
		fmt.Sprintf("MFA is demanded by %s: %s.", method, reason), licence,
		fmt.Sprintf("The tenant has %s, of which %s.", counted(accounts, "account"), people(f.coverage.All)),
	}, sentences...), " ")
}

func (f methodFacts) conditionalAccess() []string {
	list := []string{
		fmt.Sprintf("Conditional Access can switch waves one after the other (rollout.yaml plans %d), each for a group or for roles of its own, and shows for %d days whom it would stop before it stops anybody.",
			len(f.cfg.Waves), ObserveDays),
		fmt.Sprintf("It leaves out the %s and the %s of rollout.yaml. Each service account (%d found) needs an alternative or an exemption before the switch.",
			counted(len(f.cfg.EmergencyAccounts), "emergency account"), counted(f.exemptions(), "exemption"), f.coverage.Classes[ClassService]),
		"It costs an Entra ID P1 licence for every person whom a policy addresses: a service plan says that there are licences, not how many.",
		"It cannot see custom roles or roles confined to an administrative unit, takes up to a day to reach everybody after a change, and cannot be on together with Security Defaults.",
	}
	if !f.licensed() {
		list = append(list, "Without the licence no policy can demand anything, and every wave is held: buy it, or set method: securityDefaults.")
	}
	return list
}

func (f methodFacts) securityDefaults() []string {
	list := []string{
		fmt.Sprintf("Security Defaults cost nothing and are one switch for everybody, guests included: waves cannot be switched one after the other (rollout.yaml plans %d), and nobody is observed before.",
			len(f.cfg.Waves)),
		fmt.Sprintf("They leave nobody out: the %s must answer MFA as well, the %s of rollout.yaml cannot be kept, and each service account (%d found) would be stopped and needs a managed identity first.",
			counted(len(f.cfg.EmergencyAccounts), "emergency account"), counted(f.exemptions(), "exemption"), f.coverage.Classes[ClassService]),
		"They take Microsoft Authenticator or a one-time code, no SMS and no voice, and block every client that cannot do MFA.",
	}
	if f.licensed() {
		return append(list, "The tenant pays for Entra ID P1 and could leave accounts out, observe, and use waves with Conditional Access instead.")
	}
	return append(list, "Without P1 there is no registration report and no sign-in log: methods are read account by account, and nobody can see before the switch who uses an old client, or after it who was locked out.")
}

// exemptions are those in force.
func (f methodFacts) exemptions() int {
	n := 0
	for _, e := range f.cfg.Exemptions {
		if !e.Expires.Before(f.day) {
			n++
		}
	}
	return n
}

func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func people(n int) string {
	if n == 1 {
		return "1 is a person who counts"
	}
	return fmt.Sprintf("%d are people who count", n)
}

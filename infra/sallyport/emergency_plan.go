package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/infra/sallyport/setup"
	"sallyport/shared/rollout"
)

// planFacts is what is known beside rollout.yaml.
type planFacts struct {
	now         time.Time
	checked     *checked // nil: nobody looked
	drills      []rollout.Drill
	drillsKnown bool
}

// document is a text for people, before it is Markdown or HTML.
type document struct {
	title string
	parts []part
}

// part is a section: sentences, then steps, then a table. Each may be missing.
type part struct {
	title  string
	says   []string
	steps  []string
	header []string
	rows   [][]string
}

// planSection is the section of the incident response plan.
// Source: https://learn.microsoft.com/entra/identity/role-based-access-control/security-emergency-access
func planSection(cfg rollout.Config, facts planFacts) document {
	day := rollout.DateOf(facts.now.In(cfg.Location()))
	return document{
		title: fmt.Sprintf("Emergency accounts of %s", cfg.Tenant),
		parts: []part{
			{title: "Read this first", says: []string{
				fmt.Sprintf("This is the state of %s, written by Sallyport from the tenant's rollout.yaml. Keep a printed copy with the plan: it must be at hand when nobody can sign in.", day),
				"It says where the passwords and keys lie. It never holds a password, and nobody should write one into it.",
				"Sallyport alerts the security team to every sign-in with these accounts, also to a failed one.",
			}},
			planAccounts(cfg, facts),
			{title: "When to use them", says: []string{"Use an emergency account only if one of these is true and no other administrator can sign in or mend it:"}, steps: []string{
				"A Conditional Access policy, or the switch to two factors, locks the administrators out.",
				"The service that the administrators' second factor or federation depends on is down.",
				"The last administrator has left, or every administrator's account is lost or in an attacker's hands.",
				"A drill is open: you were asked to sign in, by name and for a date.",
			}},
			planUse(cfg),
			planCalls(cfg),
			{title: "What to do afterwards", steps: []string{
				"Sign out everywhere, and note who used the account, when, why and what was changed.",
				"Acknowledge the alert, and tell the security team that it was you.",
				"Change the password of the account that was used. Seal the new one, sign over the seal, and put it back to where it lay.",
				"Put the key back. If a key was lost, remove it from the account and register another one.",
				"Undo what was changed in haste, and see that every policy excludes both accounts: sallyport emergency check.",
				"Hold a review within a week: why the account was needed, and what will make it unneeded next time.",
			}},
			planDrills(cfg, facts),
		},
	}
}

func planAccounts(cfg rollout.Config, facts planFacts) part {
	p := part{
		title:  "The accounts",
		header: []string{"Account", "Object id", "Custodian", "Where the password and keys lie", "State"},
	}
	if facts.checked == nil {
		p.says = []string{"What the accounts are called, and whether they work, is not known: the tenant was not looked at."}
	}
	for i, e := range cfg.EmergencyAccounts {
		row := []string{"not known", e.ID, e.Custodian, e.PasswordLocation, "not known"}
		if facts.checked != nil {
			a := facts.checked.Accounts[i]
			if a.UserPrincipalName != "" {
				row[0] = a.UserPrincipalName
			}
			row[4] = planState(a)
		}
		p.rows = append(p.rows, row)
	}
	if facts.checked != nil {
		p.says = append(p.says, planGroups(*facts.checked)...)
	}
	return p
}

// planGroups says what keeps the accounts out of the policies, and what lies in the
// envelopes of accounts that `emergency create` made.
func planGroups(answer checked) []string {
	var says []string
	for _, g := range answer.Groups {
		says = append(says, fmt.Sprintf("The group %s (%s) keeps accounts out of %d policies. Do not delete it, and add nobody.", g.Name, g.ID, len(g.Policies)))
		if g.Name == setup.GroupName {
			says = append(says, "The accounts were made with sallyport emergency create. The sheet in each envelope has the account's name and its password: one word of 64 letters and digits in four rows, typed without the gaps.")
		}
	}
	return says
}

func planState(a checkedAccount) string {
	state := "NOT PROVEN: run sallyport emergency check"
	if a.OK {
		state = "proven"
	}
	if a.PasswordChanged == nil {
		return state + "; age of the password not known"
	}
	return fmt.Sprintf("%s; password of %s", state, a.PasswordChanged.Format(time.DateOnly))
}

func planUse(cfg rollout.Config) part {
	plan := "the incident response plan"
	if cfg.IncidentResponsePlan != "" {
		plan += " (" + cfg.IncidentResponsePlan + ")"
	}
	return part{title: "How to use them", steps: []string{
		"Two people together: one acts, one watches and writes down what is done and when.",
		"Call the custodian of one account. If you cannot reach that person within 15 minutes, take the other account.",
		"Take the sealed envelope and a security key of that account from where they lie. Note that the seal was whole.",
		"On a computer that you trust, open a private window at https://entra.microsoft.com, and sign in with the account's name, the password, and the key: Microsoft asks for the key too, whatever policy excludes the account.",
		"Call the security team before the first change, and follow " + plan + ".",
		"Do only what gives the administrators their access back. Then stop.",
	}}
}

func planCalls(cfg rollout.Config) part {
	p := part{title: "Whom to call", header: []string{"Whom", "Name, or how to reach them"}}
	for _, e := range cfg.EmergencyAccounts {
		p.rows = append(p.rows, []string{"Custodian of " + e.ID, joined(e.Custodian, e.CustodianEmail)})
	}
	desk := cfg.Communication.HelpDesk
	if desk.Name != "" {
		p.rows = append(p.rows, []string{desk.Name, joined(desk.Phone, desk.Email, desk.Hours)})
	}
	if alerted := joined(slices.Concat(cfg.Alerts.Email, cfg.Alerts.SMS)...); alerted != "" {
		p.rows = append(p.rows, []string{"Security team, who hear the alerts", alerted})
	}
	return p
}

// joined are the texts that are not empty.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s == "" }), ", ")
}

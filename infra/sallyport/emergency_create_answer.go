package main

import (
	"fmt"
	"io"
	"strings"

	"sallyport/infra/sallyport/setup"
	"sallyport/shared/rollout"
)

// created is what `sallyport emergency create --json` answers. It holds no password.
type created struct {
	Tenant   string           `json:"tenant"`
	TenantID string           `json:"tenantId"`
	Applied  bool             `json:"applied"`
	Group    *createdGroup    `json:"group"` // null: the licence allows none, and no policies either
	Accounts []createdAccount `json:"accounts"`
	Policies []createdPolicy  `json:"policies"`
	Config   string           `json:"config"` // for rollout.yaml; empty before the accounts are made
	Cards    string           `json:"cards"`  // the file that was asked for
	Next     []string         `json:"next"`   // what only a person can do
	Check    *checked         `json:"check"`  // as of emergency check; null before
}

type createdGroup struct {
	ID string `json:"id"` // empty: to be made
}

type createdAccount struct {
	ID                string `json:"id"` // empty: to be made
	UserPrincipalName string `json:"userPrincipalName"`
	Password          string `json:"password"` // where it is, never what it is
	Member            bool   `json:"member"`
	Administrator     bool   `json:"administrator"`
}

type createdPolicy struct {
	ID     string       `json:"id"`
	Name   string       `json:"name"`
	State  string       `json:"state"`
	Change setup.Change `json:"change"`
	Why    string       `json:"why"`
	Before []string     `json:"before"` // the groups that it excludes
	After  []string     `json:"after"`
}

// newGroup stands for the id of the group that is to be made.
const newGroup = "the new group"

func createdOf(s setup.State, applied bool, cards string) created {
	answer := created{Tenant: s.Domain, TenantID: s.TenantID, Applied: applied, Accounts: []createdAccount{}, Policies: []createdPolicy{}, Next: []string{}}
	group := s.Group.ID
	if s.Grouped {
		answer.Group = &createdGroup{group}
		if group == "" {
			group = newGroup
		}
	}
	for _, a := range s.Accounts {
		answer.Accounts = append(answer.Accounts, createdAccount{a.ID, a.UserPrincipalName, passwordOf(a), a.Member, a.Administrator})
	}
	for _, p := range s.Policies {
		row := createdPolicy{ID: p.ID, Name: p.Name, State: p.State, Change: p.Change, Why: p.Why, Before: append([]string{}, p.Excluded...)}
		row.After = row.Before
		if p.Change == setup.Exclude {
			row.After = append(append([]string{}, p.Excluded...), group)
		}
		answer.Policies = append(answer.Policies, row)
	}
	if applied {
		answer.Config, answer.Cards = configOf(s), cards
		answer.Next = nextSteps(cards)
	}
	return answer
}

func passwordOf(a setup.Account) string {
	switch {
	case a.Handed():
		return "handed over"
	case a.ID == "":
		return "to be handed over"
	}
	return "to be handed over anew: a run ended before this account was finished, so destroy any card that it left"
}

// configOf is the section of rollout.yaml.
func configOf(s setup.State) string {
	var b strings.Builder
	b.WriteString("emergencyAccounts:\n")
	for i, a := range s.Accounts {
		fmt.Fprintf(&b, "  - id: %s   # account %d\n    passwordLocation: \"\"   # where the envelope and the keys lie, never the password\n    custodian: \"\"          # who keeps them; another person for each account\n", a.ID, i+1)
	}
	return b.String()
}

// nextSteps are what no command can do.
func nextSteps(cards string) []string {
	envelopes := "Write each password onto a sheet of its own, seal it in an envelope and sign over the seal."
	if cards != "" {
		envelopes = "Print " + cards + ", fold and seal a sheet for each account, and delete the file."
	}
	return []string{
		envelopes,
		"Register two FIDO2 security keys for each account: sign in as it in a private window, at https://mysignins.microsoft.com/security-info. Without a key it cannot enter Microsoft's admin portals. Register no phone and nobody's Authenticator.",
		"Put each account's envelope and keys into a safe, the two accounts in two places, with two custodians.",
		"Put the section emergencyAccounts into rollout.yaml, with the places and the custodians, and run sallyport apply.",
		"Run sallyport emergency check. It must say that both accounts are proven. What you just made may take some minutes to show.",
		"Run sallyport emergency document, and put what it writes into the incident response plan.",
	}
}

// show ends a run that changes nothing.
func (c *emergencyCreate) show(s session, state setup.State) error {
	if s.json {
		return s.writeJSON(createdOf(state, false, ""))
	}
	if err := writeState(s.stdout, state); err != nil {
		return err
	}
	end := "Nothing was changed. With --apply it is done, after you typed the tenant's name. Names that\nwere not given with --name are drawn anew.\n"
	if state.Done() {
		end = "Everything is there. Nothing was changed. Next: sallyport emergency check.\n"
	}
	_, err := io.WriteString(s.stdout, "\n"+end)
	return err
}

// writeState shows a person what is there and what would be made.
func writeState(to io.Writer, s setup.State) error {
	var b strings.Builder
	answer := createdOf(s, false, "")
	fmt.Fprintf(&b, "Tenant %s (%s)\n\n", answer.Tenant, answer.TenantID)
	switch {
	case answer.Group == nil:
		b.WriteString("Group      none: without Entra ID P1 there are no policies to be left out of\n")
	case answer.Group.ID == "":
		b.WriteString("Group      to be made, protected: only the highest administrators can change who is in it\n")
	default:
		fmt.Fprintf(&b, "Group      %s\n", answer.Group.ID)
	}
	for i, a := range answer.Accounts {
		what := "to be made"
		if a.ID != "" {
			what = a.ID
		}
		b.WriteString(wrapped(fmt.Sprintf("Account %d  ", i+1), "           ", fmt.Sprintf("%s, %s; password %s; Global Administrator: %s", printable(a.UserPrincipalName), what, a.Password, madeYet(a.Administrator))))
	}
	if answer.Group != nil {
		fmt.Fprintf(&b, "\n%d policies. Nothing of them is changed but the groups that they exclude.\n", len(answer.Policies))
	}
	for _, p := range answer.Policies {
		b.WriteString("\n" + wrapped("", "    ", fmt.Sprintf("%s (%s), %s", printable(p.Name), p.ID, stateOf(p.State))))
		switch p.Change {
		case setup.Exclude:
			b.WriteString(wrapped("    excludes now     ", "                     ", idWords(p.Before)))
			fmt.Fprintf(&b, "    would be added   %s\n", p.After[len(p.After)-1])
		case setup.Already:
			b.WriteString("    excludes the group already\n")
		default:
			b.WriteString(wrapped("    ", "    ", "is left alone: "+p.Why))
		}
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func stateOf(state string) string {
	switch state {
	case rollout.StateEnabled:
		return "on"
	case rollout.StateReportOnly:
		return "report-only"
	case rollout.StateDisabled:
		return "off"
	}
	return printable(state)
}

func madeYet(is bool) string {
	if is {
		return "yes"
	}
	return "not yet"
}

// writeCreated shows a person the end of a run.
func writeCreated(to io.Writer, answer created) error {
	var b strings.Builder
	b.WriteString("\nThe proof, as sallyport emergency check has it:\n\n")
	if err := writeChecked(&b, *answer.Check); err != nil {
		return err
	}
	b.WriteString("\nWhat only a person can do:\n\n")
	for i, step := range answer.Next {
		b.WriteString(wrapped(fmt.Sprintf("%d. ", i+1), "   ", step))
	}
	fmt.Fprintf(&b, "\nFor rollout.yaml:\n\n%s", answer.Config)
	_, err := io.WriteString(to, b.String())
	return err
}

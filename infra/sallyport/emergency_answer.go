package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/shared/rollout"
)

// checked is what `sallyport emergency check --json` answers.
type checked struct {
	OK       bool                       `json:"ok"` // at least two accounts are proven
	Proven   int                        `json:"proven"`
	Accounts []checkedAccount           `json:"accounts"`
	Findings []rollout.EmergencyFinding `json:"findings"` // of all accounts, each cause once
	Groups   []checkedGroup             `json:"groups"`   // those that keep the accounts out
	Last     *checkedProof              `json:"lastProof,omitempty"`
}

type checkedAccount struct {
	ID                string                     `json:"id"`
	UserPrincipalName string                     `json:"userPrincipalName"` // empty: not read
	OK                bool                       `json:"ok"`
	PasswordChanged   *time.Time                 `json:"passwordChanged"` // null: not known
	PasswordDays      *int                       `json:"passwordDays"`
	Methods           []string                   `json:"methods"` // null: not read
	Findings          []rollout.EmergencyFinding `json:"findings"`
	Policies          []checkedPolicy            `json:"policies"`
}

type checkedPolicy struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	State   string          `json:"state"`
	Verdict rollout.Verdict `json:"verdict"`
	Path    []string        `json:"path"`
}

type checkedGroup struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	Protected rollout.Fact `json:"protected"`
	Owners    []string     `json:"owners"`  // ids, without applications; null: not shown
	Members   []string     `json:"members"` // ids, transitively; null: not shown
	Policies  []string     `json:"policies"`
}

func checkedOf(cfg rollout.Config, seen rollout.EmergencyReading, now time.Time) checked {
	proofs := seen.Prove(cfg)
	judged := seen.Judge(cfg, proofs)
	answer := checked{OK: judged.OK, Proven: judged.Proven, Accounts: []checkedAccount{}, Findings: whole(judged.Findings), Groups: []checkedGroup{}}
	for i, p := range proofs {
		a := checkedAccount{ID: p.Account, OK: judged.Accounts[i].OK, Findings: whole(judged.Accounts[i].Findings), Policies: []checkedPolicy{}}
		if f := seen.Facts[i]; f.User != nil {
			a.UserPrincipalName = f.User.UserPrincipalName
			if f.MethodsRead {
				a.Methods = append([]string{}, f.Methods...)
			}
		}
		if !p.PasswordChanged.IsZero() {
			a.PasswordChanged, a.PasswordDays = &p.PasswordChanged, new(int(now.Sub(p.PasswordChanged).Hours()/24))
		}
		for _, v := range p.Policies {
			a.Policies = append(a.Policies, checkedPolicy{v.ID, v.Name, v.State, v.Verdict, append([]string{}, v.Path...)})
		}
		answer.Accounts = append(answer.Accounts, a)
		for _, g := range p.Excluding {
			named := slices.ContainsFunc(answer.Groups, func(have checkedGroup) bool { return have.ID == g.ID })
			if (g.Holds || g.HoldsOthers) && !named {
				answer.Groups = append(answer.Groups, groupAnswer(g, seen.Groups[g.ID]))
			}
		}
	}
	return answer
}

func groupAnswer(g rollout.PolicyGroup, read rollout.Group) checkedGroup {
	answer := checkedGroup{ID: g.ID, Name: g.DisplayName, Protected: g.Protected, Policies: g.Policies}
	if read.OwnersRead {
		answer.Owners = append([]string{}, read.Owners...)
	}
	if read.Opened {
		answer.Members = append([]string{}, read.Members...)
	}
	return answer
}

// whole are the findings with empty lists for those that are not there, as JSON's
// readers like them.
func whole(found []rollout.EmergencyFinding) []rollout.EmergencyFinding {
	out := make([]rollout.EmergencyFinding, len(found))
	for i, f := range found {
		f.Accounts, f.Policies = append([]string{}, f.Accounts...), append([]string{}, f.Policies...)
		out[i] = f
	}
	return out
}

// writeChecked shows the answer to a person, in 100 columns.
func writeChecked(to io.Writer, answer checked) error {
	var b strings.Builder
	for _, a := range answer.Accounts {
		verdict := "NOT PROVEN"
		if a.OK {
			verdict = "proven"
		}
		fmt.Fprintf(&b, "%s  %s\n", a.ID, verdict)
		if a.UserPrincipalName != "" {
			b.WriteString(wrapped("  ", "  ", strings.Join([]string{a.UserPrincipalName, passwordWords(a), methodWords(a)}, "; ")))
		}
		b.WriteString(policyTable(a.Policies))
		b.WriteString("\n")
	}
	for _, g := range answer.Groups {
		b.WriteString(wrapped("", "", fmt.Sprintf("Group %s (%s) keeps accounts out of %d policies. Protected: %s.", g.Name, g.ID, len(g.Policies), g.Protected)))
		b.WriteString(wrapped("  ", "  ", "owners, apart from applications: "+idWords(g.Owners)))
		b.WriteString(wrapped("  ", "  ", "members: "+idWords(g.Members)))
		b.WriteString("\n")
	}
	for _, f := range answer.Findings {
		b.WriteString(wrapped("", "", f.Severity+": "+f.Text))
		b.WriteString(wrapped("  ", "  ", "accounts: "+strings.Join(f.Accounts, ", ")))
		b.WriteString(wrapped("  ", "  ", f.Remedy) + "\n")
	}
	if answer.Last != nil {
		b.WriteString(answer.Last.words())
	}
	fmt.Fprintf(&b, "%d of %d accounts proven; at least two are needed.\n", answer.Proven, len(answer.Accounts))
	if _, err := io.WriteString(to, b.String()); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// The widest that a policy's name and state are shown.
const policyWidth, stateWidth = 30, 11

func policyTable(policies []checkedPolicy) string {
	if len(policies) == 0 {
		return "  no Conditional Access policy\n"
	}
	rows := [][]string{{"POLICY", "STATE", "VERDICT", "EVIDENCE"}}
	for _, p := range policies {
		state := p.State
		if state == rollout.StateReportOnly {
			state = "report-only"
		}
		name := p.Name
		if name == "" {
			name = p.ID
		}
		evidence := strings.TrimPrefix(strings.Join(p.Path, ", "), string(p.Verdict)+" ")
		rows = append(rows, []string{short(printable(name), policyWidth), short(printable(state), stateWidth), string(p.Verdict), evidence})
	}
	left := tableWidth - len("  ")
	for column := range 3 {
		widest := 0
		for _, row := range rows {
			widest = max(widest, len([]rune(row[column])))
		}
		left -= widest + len("  ")
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		lines := folded(row[3], left)
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", row[0], row[1], row[2], lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(table, "  \t\t\t%s\n", line)
		}
	}
	table.Flush() // a Builder never fails
	return b.String()
}

// folded is the text in lines of so many characters, broken between words; a
// longer word is cut.
func folded(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(printable(text)) {
		last := &lines[len(lines)-1]
		word = short(word, width)
		switch {
		case *last == "":
			*last = word
		case len([]rune(*last))+1+len([]rune(word)) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

func passwordWords(a checkedAccount) string {
	if a.PasswordChanged == nil {
		return "when its password was set is not known"
	}
	return fmt.Sprintf("password of %s, %d days old", a.PasswordChanged.Format(time.DateOnly), *a.PasswordDays)
}

func methodWords(a checkedAccount) string {
	if a.Methods == nil {
		return "its methods were not read"
	}
	words := make([]string, len(a.Methods))
	for i, m := range a.Methods {
		words[i] = strings.TrimSuffix(m, "AuthenticationMethod")
	}
	return "methods: " + strings.Join(words, ", ")
}

// idWords lists ids, and says it when they are not known.
func idWords(ids []string) string {
	const most = 20
	switch {
	case ids == nil:
		return "not shown"
	case len(ids) == 0:
		return "none"
	case len(ids) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], ", "), len(ids)-most)
	}
	return strings.Join(ids, ", ")
}

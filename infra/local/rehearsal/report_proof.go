package rehearsal

import (
	"fmt"
	"strings"

	"sallyport/shared/rollout"
)

// proofLine is one account of the last proof.
type proofLine struct {
	Who      string
	OK       bool
	Findings []string
	Policies []verdictLine
}

type verdictLine struct {
	Policy, State, Verdict, Evidence string
}

// changedLine is what a proof found changed.
type changedLine struct {
	When, What, Who string
	Alerted         bool
}

// proof shows the last proof of the emergency accounts, and what changed since the
// first.
func (r *report) proof() {
	p := r.detail.proof
	if p.Version == 0 {
		return
	}
	r.ProvenAt = r.moment(&p.ReadAt)
	for _, account := range p.Proofs {
		line := proofLine{Who: r.name(account.Account), OK: true}
		for _, f := range p.Findings {
			if contains(f.Accounts, account.Account) {
				line.OK = line.OK && f.Severity != rollout.SeverityCritical
				line.Findings = append(line.Findings, r.inWords(f.Text)+" "+f.Remedy)
			}
		}
		for _, v := range account.Policies {
			state := v.State
			if state == rollout.StateReportOnly {
				state = "report-only"
			}
			name := v.Name
			if name == "" {
				name = v.ID
			}
			line.Policies = append(line.Policies, verdictLine{name, state, string(v.Verdict), r.inWords(strings.Join(v.Path, ", "))})
		}
		r.ProofLines = append(r.ProofLines, line)
	}
	for _, c := range p.Since(p.ReadAt.AddDate(0, 0, -90)) {
		who := make([]string, len(c.Accounts))
		for i, id := range c.Accounts {
			who[i] = r.name(id)
		}
		r.Changed = append(r.Changed, changedLine{r.moment(&c.SeenAt), r.inWords(c.Text), strings.Join(who, ", "), c.Alerts()})
	}
	r.ProvenCount = fmt.Sprintf("%d of %d", p.Proven, len(p.Accounts))
}

func contains(ids []string, id string) bool {
	for _, have := range ids {
		if strings.EqualFold(have, id) {
			return true
		}
	}
	return false
}

package main

import (
	"fmt"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

// checkedProof is the nightly proof beside a check.
type checkedProof struct {
	ReadAt  *time.Time      `json:"readAt"` // null: there is none yet
	Proven  int             `json:"proven"`
	Changes []checkedChange `json:"changes"` // that proofs found, the newest first
	Since   []checkedChange `json:"since"`   // between the last proof and this check
}

type checkedChange struct {
	At       *time.Time `json:"at"` // when it was seen; null: by this check
	Severity string     `json:"severity"`
	Text     string     `json:"text"`
	Accounts []string   `json:"accounts"`
	Group    string     `json:"group"`
	Policies []string   `json:"policies"`
}

// lastProofOf says what the nightly proof found, and what is otherwise now.
func lastProofOf(last rollout.ProvenEmergency, now []rollout.EmergencyProof) *checkedProof {
	answer := &checkedProof{Changes: []checkedChange{}, Since: []checkedChange{}}
	if last.Version == 0 {
		return answer
	}
	answer.ReadAt, answer.Proven = &last.ReadAt, last.Proven
	for _, c := range last.Since(time.Time{}) {
		answer.Changes = append(answer.Changes, changeAnswer(c, &c.SeenAt))
	}
	var known []rollout.EmergencyProof // an account that is only asked about now has not changed
	for _, p := range now {
		for _, before := range last.Proofs {
			if strings.EqualFold(before.Account, p.Account) {
				known = append(known, p)
			}
		}
	}
	for _, c := range rollout.Tampered(last.Proofs, known) {
		answer.Since = append(answer.Since, changeAnswer(c, nil))
	}
	return answer
}

func changeAnswer(c rollout.EmergencyChange, at *time.Time) checkedChange {
	return checkedChange{at, c.Severity, c.Text, append([]string{}, c.Accounts...), c.Group, append([]string{}, c.Policies...)}
}

// words show it to a person.
func (p checkedProof) words() string {
	if p.ReadAt == nil {
		return "The stack has made no nightly proof yet.\n\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Last nightly proof: %s, %d proven.\n", p.ReadAt.UTC().Format("2006-01-02 15:04 UTC"), p.Proven)
	for _, c := range p.Since {
		b.WriteString(wrapped("  ", "    ", "since then, "+c.Severity+": "+c.Text+" "+strings.Join(c.Accounts, ", ")))
	}
	if len(p.Since) == 0 {
		b.WriteString("  Nothing changed since.\n")
	}
	for _, c := range p.Changes {
		b.WriteString(wrapped("  ", "    ", c.At.UTC().Format("2006-01-02 15:04")+" "+c.Severity+": "+c.Text+" "+strings.Join(c.Accounts, ", ")))
	}
	return b.String() + "\n"
}

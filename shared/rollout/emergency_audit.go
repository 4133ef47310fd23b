package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// proofGrowsOld is after what time a nightly proof is missed.
const proofGrowsOld = 30 * time.Hour

// EmergencyWatch is what the nightly audit takes from those who watch the emergency
// accounts.
type EmergencyWatch struct {
	Proof         ProvenEmergency // of version 0 before the first
	Probe         Probe           // of version 0 before the first
	Subscriptions []Subscription
}

// findings are those of the proof, each cause once, and what the watch lacks.
func (w EmergencyWatch) findings(cfg Config, now time.Time) []Finding {
	if len(cfg.EmergencyAccounts) == 0 {
		return nil
	}
	var list []Finding
	if age := now.Sub(w.Proof.ReadAt); w.Proof.Version == 0 || age > proofGrowsOld {
		evidence := "no proof yet"
		if w.Proof.Version > 0 {
			evidence = "last proof of " + w.Proof.ReadAt.UTC().Format(time.RFC3339)
		}
		list = append(list, Finding{
			ID: "emergency-proof-missing", Severity: SeverityCritical, Text: "The emergency accounts were not proven this night", Evidence: evidence,
			Remedy: "Look at the log of breakglass for what it could not read, and run sallyport emergency check.",
		})
	}
	for _, f := range w.Proof.Findings {
		list = addFinding(list, f)
	}
	if silent := w.Probe.Silent(now); w.Probe.Version > 0 && silent != "" {
		list = append(list, Finding{
			ID: "notifications-silent", Severity: SeverityCritical, Text: "Graph's notifications may not reach Sallyport", Evidence: silent,
			Remedy: "Look at the alarms of webhook and subscriptions, and run subscriptions again.",
		})
	}
	var unwatched []string
	for _, id := range w.Proof.WatchedGroups() {
		to := func(s Subscription) bool { return strings.EqualFold(strings.Trim(s.Resource, "/"), "groups/"+id) }
		if len(w.Subscriptions) > 0 && !slices.ContainsFunc(w.Subscriptions, to) {
			unwatched = append(unwatched, "group "+id)
		}
	}
	if len(unwatched) > 0 {
		list = append(list, Finding{
			ID: "exclusion-group-unwatched", Severity: SeverityNote, Evidence: strings.Join(unwatched, ", "),
			Text:   "A change of a group that keeps emergency accounts out of policies is seen at night only",
			Remedy: "Grant the reader Group.Read.All, which lets it read what stands in every group's mailbox and files as well; or exclude the accounts by id.",
		})
	}
	return list
}

// addFinding adds one of the proof's to the audit's, which tell theirs apart by id:
// of one kind and about one group there is one.
func addFinding(list []Finding, f EmergencyFinding) []Finding {
	id := "emergency-" + f.ID
	if f.Group != "" {
		id += "-" + strings.ToLower(f.Group)
	}
	var evidence []string
	for _, p := range f.Policies {
		evidence = append(evidence, "policy "+p)
	}
	seen := strings.Join(evidence[:min(len(evidence), mostListed)], ", ")
	if more := len(evidence) - mostListed; more > 0 {
		seen += fmt.Sprintf(", %d more", more)
	}
	i := slices.IndexFunc(list, func(have Finding) bool { return have.ID == id })
	if i < 0 {
		return append(list, Finding{ID: id, Severity: f.Severity, Text: f.Text, Evidence: seen, Remedy: f.Remedy, Accounts: slices.Clone(f.Accounts), Count: len(f.Accounts)})
	}
	have := &list[i]
	have.Text += " " + f.Text
	if seen != "" {
		have.Evidence = strings.TrimPrefix(have.Evidence+"; "+seen, "; ")
	}
	for _, account := range f.Accounts {
		if !containsFold(have.Accounts, account) {
			have.Accounts, have.Count = append(have.Accounts, account), have.Count+1
		}
	}
	return list
}

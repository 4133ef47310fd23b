package rollout

import (
	"fmt"
	"strings"
	"time"
)

func gatePoliciesUnchanged(in gateInput) (bool, string) {
	if !in.conditionalAccess() {
		return true, "Security Defaults have nothing to change"
	}
	if in.seen.Live == nil {
		return false, "the policies were not read in this run"
	}
	owned, ok := in.known.Owned(in.wave.Name)
	if !ok {
		return false, "the wave's policy was not created yet"
	}
	live, found := in.live().Policy(owned.ID)
	if !found {
		return false, "policy " + owned.ID + " is gone"
	}
	if live.State != StateReportOnly && live.State != StateEnabled {
		return false, fmt.Sprintf("somebody set policy %s to %q", owned.ID, live.State)
	}
	if drift := Drift(in.cfg, owned.Draft, live); len(drift) > 0 {
		return false, strings.Join(drift, "; ") + changedAt(live, in.cfg.Location())
	}
	// Whom the gates ask about follows from rollout.yaml as it is now.
	if drift := Drift(in.cfg, Draft(in.cfg, in.wave, in.known.groupIDs()), live); len(drift) > 0 {
		return false, "rollout.yaml asks for another policy than the one announced: " + strings.Join(drift, "; ")
	}
	share := shareOf(in.cfg, in.seen, in.wave, owned.Draft, live, in.day)
	switch {
	case len(share.Added) == 0:
		return true, "as announced"
	case share.Large():
		return false, "the policy no longer reaches whom it was announced to: " + share.String()
	}
	return true, "as announced; " + share.String() + ": that stays"
}

func gateObserved(in gateInput) (bool, string) {
	if !in.conditionalAccess() {
		return true, "Security Defaults know no report-only"
	}
	record := in.known.Wave(in.wave.Name)
	if record.ObservedFrom.IsZero() {
		return false, "observation has not begun"
	}
	if days := in.now.Sub(record.ObservedFrom).Hours() / 24; days < ObserveDays {
		return false, fmt.Sprintf("observed for %.1f of %d days", days, ObserveDays)
	}
	owned, ok := in.known.Owned(in.wave.Name)
	if !ok {
		return false, "the wave's policy was not created yet"
	}
	people, recent := 0, false
	for _, o := range in.seen.Observations {
		if o.Policy != owned.ID || in.now.Sub(o.LastAt) > ObserveDays*24*time.Hour {
			continue // somebody who has left must not speak for ever
		}
		if !knownReportOnly(o.Result) {
			return false, fmt.Sprintf("the sign-in log answered %q for account %s: missing data", o.Result, o.Account)
		}
		people++
		recent = recent || in.now.Sub(o.LastAt) < 4*24*time.Hour
	}
	if people == 0 || !recent {
		return false, "the sign-in log shows no verdict of the policy in the last four days"
	}
	return true, fmt.Sprintf("since %s, verdicts on %d people", DateOf(record.ObservedFrom.In(in.cfg.Location())), people)
}

// knownReportOnly: unknownFutureValue and the like are missing data.
// Source: https://learn.microsoft.com/graph/api/resources/appliedconditionalaccesspolicy
func knownReportOnly(result string) bool {
	switch strings.ToLower(result) {
	case "reportonlysuccess", "reportonlyfailure", "reportonlynotapplied", "reportonlyinterrupted":
		return true
	}
	return false
}

// changedAt says when somebody last changed the policy, and where it stands who
// that was: the policy itself does not say.
// Source: https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
func changedAt(p Policy, loc *time.Location) string {
	if p.Modified.IsZero() {
		return ""
	}
	return "; last changed " + p.Modified.In(loc).Format("2006-01-02 15:04") + ", by whom says the directory audit log of that minute"
}

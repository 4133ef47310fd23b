package rollout

import (
	"fmt"
	"slices"
	"strings"
)

func gateEmergencyAccounts(in gateInput) (bool, string) {
	if in.seen.Live == nil {
		return false, "the emergency accounts were not read in this run"
	}
	// Counted by id: the same account twice is one.
	good, wrong := map[string]bool{}, []string{}
	for _, e := range in.cfg.EmergencyAccounts {
		p, looked := in.live().proof(e.ID)
		switch s := p.Shortcomings(); {
		case !looked:
			wrong = append(wrong, e.ID+": not looked at")
		case len(s) > 0:
			wrong = append(wrong, e.ID+": "+strings.Join(s, "; "))
		default:
			good[strings.ToLower(e.ID)] = true
		}
	}
	if len(wrong) > 0 || len(good) < 2 {
		return false, fmt.Sprintf("%d of %d accounts proven, two are needed and none may be wrong. %s", len(good), len(in.cfg.EmergencyAccounts), strings.Join(wrong, ". "))
	}
	return true, fmt.Sprintf("%d accounts proven", len(good))
}

// proof returns what was seen of an emergency account.
func (l Live) proof(account string) (EmergencyProof, bool) {
	i := slices.IndexFunc(l.Emergency, func(p EmergencyProof) bool { return strings.EqualFold(p.Account, account) })
	if i < 0 {
		return EmergencyProof{}, false
	}
	return l.Emergency[i], true
}

func gateEmergencyExcluded(in gateInput) (bool, string) {
	if in.seen.Live == nil {
		return false, "the policies were not read in this run"
	}
	if in.conditionalAccess() {
		// A listing without the policy that is about to be switched proves nothing.
		owned, created := in.known.Owned(in.wave.Name)
		if _, read := in.live().Policy(owned.ID); !created || !read {
			return false, "the wave's own policy is not among the policies that were read"
		}
	}
	if len(in.cfg.EmergencyAccounts) == 0 {
		return false, "there is no emergency account"
	}
	var wrong []string
	var found []EmergencyFinding
	for _, e := range in.cfg.EmergencyAccounts {
		proof, looked := in.live().proof(e.ID)
		if !looked {
			wrong = append(wrong, "account "+e.ID+" was not looked at")
			continue
		}
		found = append(found, proof.policyFindings(in.live().Policies)...)
	}
	for _, f := range merged(found) {
		if f.Severity == SeverityCritical {
			wrong = append(wrong, strings.Join(f.Accounts, ", ")+": "+f.Text)
		}
	}
	if len(wrong) > 0 {
		return false, strings.Join(wrong, "; ")
	}
	return true, fmt.Sprintf("outside all %d policies", len(in.live().Policies))
}

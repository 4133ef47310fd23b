package rollout

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// EmergencyReading is all that the proof of the emergency accounts is made of,
// read of the tenant at one time.
type EmergencyReading struct {
	At           time.Time // when the reading began
	Organization Organization
	Facts        []EmergencyFacts
	Assignments  []RoleAssignment
	Policies     []Policy
	Groups       map[string]Group
	// SecurityDefaults is Unknown where that could not be read.
	SecurityDefaults Fact
}

// Prove turns the reading into a proof per configured account.
func (r EmergencyReading) Prove(cfg Config) []EmergencyProof {
	return ProveEmergency(cfg, r.Organization.InitialDomain, r.Facts, r.Assignments, r.Policies, r.Groups)
}

// Judge says what the reading comes to: what is wrong with each account, and what
// the tenant does to them all.
func (r EmergencyReading) Judge(cfg Config, proofs []EmergencyProof) JudgedEmergency {
	return judgeEmergency(cfg, proofs, r.Policies, tenantEmergency(proofs, r.SecurityDefaults))
}

// Complete is nil if every account was read, to its last method. What is not
// complete is not kept and is compared with nothing: a reading that failed is not
// an account that changed, and not one that did not.
func (r EmergencyReading) Complete(cfg Config) error {
	var missing []error
	for _, e := range cfg.EmergencyAccounts {
		i := slices.IndexFunc(r.Facts, func(f EmergencyFacts) bool { return strings.EqualFold(f.Account, e.ID) })
		switch {
		case i < 0:
			missing = append(missing, fmt.Errorf("emergency account %s: nobody looked at it", e.ID))
		case r.Facts[i].ReadError != "":
			missing = append(missing, fmt.Errorf("emergency account %s: %s", e.ID, r.Facts[i].ReadError))
		case r.Facts[i].User != nil && !r.Facts[i].MethodsRead:
			missing = append(missing, fmt.Errorf("emergency account %s: its methods could not be read", e.ID))
		}
	}
	return errors.Join(missing...)
}

// ProvenEmergency is the last proof of a tenant's emergency accounts, as it is
// kept: what later readings are compared with.
type ProvenEmergency struct {
	ReadAt   time.Time          `json:"readAt"` // when its reading began
	OK       bool               `json:"ok"`     // two accounts or more are proven
	Proven   int                `json:"proven"`
	Accounts []string           `json:"accounts"` // ids
	Findings []EmergencyFinding `json:"findings"`
	// Changes are what readings found changed, the newest last, for 90 days.
	Changes []EmergencyChange `json:"changes"`
	// Proofs are kept beside this record, one for each account.
	Proofs  []EmergencyProof `json:"-"`
	Version int64            `json:"version"`
}

// How long, and how many, changes are kept.
const (
	changesKept = 90 * 24 * time.Hour
	mostChanges = 100
)

// Next is what a complete reading makes of the proof before it: the new proof,
// with what changed added to what changed earlier. A reading that is older than
// the proof says nothing new: false.
func (b ProvenEmergency) Next(cfg Config, r EmergencyReading, now time.Time) (ProvenEmergency, bool) {
	if b.Version > 0 && r.At.Before(b.ReadAt) {
		return b, false
	}
	proofs := r.Prove(cfg)
	judged := r.Judge(cfg, proofs)
	next := ProvenEmergency{ReadAt: r.At, OK: judged.OK, Proven: judged.Proven, Findings: judged.Findings, Proofs: proofs, Version: b.Version}
	for _, p := range proofs {
		next.Accounts = append(next.Accounts, p.Account)
	}
	for _, c := range b.Changes {
		if now.Sub(c.SeenAt) < changesKept {
			next.Changes = append(next.Changes, c)
		}
	}
	for _, c := range Tampered(b.Proofs, proofs) {
		// The version of the proof that it departs from: who compares with the same
		// proof finds the same change, and one that comes again later is another.
		c.ID = fmt.Sprintf("%s-%d", c.ID, b.Version)
		c.SeenAt, c.Since = now, b.ReadAt
		next.Changes = append(next.Changes, c)
	}
	next.Changes = next.Changes[max(0, len(next.Changes)-mostChanges):]
	return next, true
}

// Since are the changes of the last days, the newest first.
func (b ProvenEmergency) Since(from time.Time) []EmergencyChange {
	var list []EmergencyChange
	for _, c := range slices.Backward(b.Changes) {
		if !c.SeenAt.Before(from) {
			list = append(list, c)
		}
	}
	return list
}

// WatchedGroups are the ids of the groups that keep an emergency account out of a
// policy, those inside them on the way included: who changes one of them changes
// who is outside.
func (b ProvenEmergency) WatchedGroups() []string {
	var ids []string
	for _, p := range b.Proofs {
		for _, g := range p.Excluding {
			if g.Holds || g.HoldsOthers {
				ids = append(append(ids, g.ID), g.Within...)
			}
		}
	}
	return sortedFold(ids)
}

// proofHour is when the nightly proof is due in the tenant's own time, an hour
// before the audit, which shows it.
const proofHour = 1

// ProofDue reports whether the proof of this night is still to be made. Tenants
// take turns within the first three quarters of the hour: each by a minute of its
// own, so that eighty of them do not keep one another waiting.
func ProofDue(cfg Config, last, now time.Time) bool {
	h := fnv.New32a()
	h.Write([]byte(cfg.Tenant)) // it never fails
	local := now.In(cfg.Location())
	due := DateOf(local).At(proofHour, int(h.Sum32()%45), cfg.Location())
	if due.After(now) {
		due = DateOf(local).AddDays(-1).At(proofHour, int(h.Sum32()%45), cfg.Location())
	}
	return last.Before(due)
}

package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// mostNamed is how many accounts a finding names; it counts them all. Its
// evidence names so many things, by so many letters each: the record of an audit
// has to fit the table however large the tenant is.
const (
	mostNamed     = 100
	mostEvidence  = 20
	evidenceWidth = 160
)

// Tally adds up accounts one by one, in any order, to the coverage and the
// findings of a tenant. Its memory does not grow with them.
type Tally struct {
	cfg      Config
	dir      Directory
	now      time.Time
	coverage *counter
	rules    []findingRule
	found    []sighting // one for each rule
	drills   []Finding
	watched  *EmergencyWatch
}

// sighting is what a rule has found so far.
type sighting struct {
	count              int
	accounts, evidence least
}

// NewTally begins with no account.
func NewTally(cfg Config, d Directory, now time.Time) *Tally {
	day := DateOf(now.In(cfg.Location()))
	rules := findingRules(cfg, d, day, now)
	t := &Tally{cfg: cfg, dir: d, now: now, coverage: newCounter(cfg, day), rules: rules, found: make([]sighting, len(rules))}
	for i := range t.found {
		t.found[i].accounts.limit, t.found[i].evidence.limit = mostNamed, mostEvidence
	}
	return t
}

// Add adds one account.
func (t *Tally) Add(a Account) {
	t.coverage.add(a)
	for i, r := range t.rules {
		if !r.concerned(a) {
			continue
		}
		f := &t.found[i]
		f.count++
		f.accounts.add(a.ID)
		if r.evidence != nil {
			for _, seen := range r.evidence(a) {
				f.evidence.add(cut(seen, evidenceWidth))
			}
		}
	}
}

// Watched adds what those who watch the emergency accounts know.
func (t *Tally) Watched(w EmergencyWatch) { t.watched = &w }

// Coverage is that of the accounts added so far.
func (t *Tally) Coverage() Coverage { return t.coverage.result() }

// AddDrills takes in how the drills of the emergency accounts stand.
func (t *Tally) AddDrills(drills []Drill) { t.drills = DrillFindings(t.cfg, drills, t.now) }

// Findings are what was found, in the order of severity, those of the audit
// before carried on: when each was first seen, and what is gone since. also are
// those that others found.
func (t *Tally) Findings(before []Finding, also ...Finding) []Finding {
	var list []Finding
	for i, r := range t.rules {
		f := &t.found[i]
		if f.count == 0 {
			continue
		}
		list = append(list, Finding{
			ID: r.id, Severity: r.severity, Text: r.words(f.count), Remedy: r.remedy,
			Evidence: f.evidence.String(), Accounts: slices.Clone(f.accounts.list), Count: f.count,
		})
	}
	if t.watched != nil {
		if t.watched.Proof.Version > 0 && t.now.Sub(t.watched.Proof.ReadAt) <= proofGrowsOld {
			// The proof says it better, and once.
			list = slices.DeleteFunc(list, func(f Finding) bool { return f.ID == findingWouldStop })
		}
		list = append(list, t.watched.findings(t.cfg, t.now)...)
	}
	return CarryOn(slices.Concat(list, t.drills, tenantFindings(t.dir), also), before, t.now)
}

// least keeps the first of many strings in their order, whatever the order in
// which they come.
type least struct {
	limit int
	list  []string
	more  bool // something was left out
}

func (l *least) add(s string) {
	i, held := slices.BinarySearch(l.list, s)
	if held {
		return
	}
	if i < l.limit {
		l.list = slices.Insert(l.list, i, s)
	}
	if len(l.list) > l.limit || i >= l.limit {
		l.list, l.more = l.list[:l.limit], true
	}
}

func (l *least) String() string {
	text := strings.Join(l.list, "; ")
	if l.more {
		return text + "; and more"
	}
	return text
}

// words are the rule's text for a number of accounts.
func (r findingRule) words(n int) string {
	if n == 1 {
		return r.one
	}
	return fmt.Sprintf(r.many, n)
}

package rollout

import (
	"fmt"
	"time"
)

// mostNamed is how many accounts a finding names; it counts them all.
const mostNamed = 100

// Tally adds up accounts one by one, in any order, to the coverage and the
// findings of a tenant. Its memory does not grow with them.
type Tally struct {
	cfg      Config
	dir      Directory
	now      time.Time
	day      Date
	coverage Coverage
	rules    []findingRule
	found    []Finding // one for each rule
}

// NewTally begins with no account.
func NewTally(cfg Config, d Directory, now time.Time) *Tally {
	day := DateOf(now.In(cfg.Location()))
	rules := findingRules(cfg, day)
	return &Tally{
		cfg: cfg, dir: d, now: now, day: day, coverage: Coverage{Classes: map[Class]int{}},
		rules: rules, found: make([]Finding, len(rules)),
	}
}

// Add adds one account.
func (t *Tally) Add(a Account) {
	t.coverage.add(t.cfg, a, t.day)
	for i, r := range t.rules {
		if r.concerned(a) {
			f := &t.found[i]
			f.Count++
			if len(f.Accounts) < mostNamed {
				f.Accounts = append(f.Accounts, a.ID)
			}
		}
	}
}

// Coverage is that of the accounts added so far.
func (t *Tally) Coverage() Coverage { return t.coverage }

// Findings are what was found, in the order of severity, those of the audit
// before carried on: when each was first seen, and what is gone since.
func (t *Tally) Findings(before []Finding) []Finding {
	list := []Finding{}
	for i, r := range t.rules {
		if f := t.found[i]; f.Count > 0 {
			f.ID, f.Severity, f.Text, f.Remedy = r.id, r.severity, fmt.Sprintf(r.text, f.Count), r.remedy
			list = append(list, f)
		}
	}
	if t.dir.SecurityDefaults && HoldsPlan(t.dir.Plans, PlanEntraP1, PlanEntraP2) {
		list = append(list, Finding{
			ID: "defaults-with-licence", Severity: "note",
			Text:   "Security Defaults are on although the licences allow Conditional Access",
			Remedy: "Keep them, or plan the change to Conditional Access: the two cannot be on together.",
		})
	}
	return list
}

// CoverageOf counts the accounts.
func CoverageOf(cfg Config, accounts []Account, day Date) Coverage {
	c := Coverage{Classes: map[Class]int{}}
	for _, a := range accounts {
		c.add(cfg, a, day)
	}
	return c
}

func (c *Coverage) add(cfg Config, a Account, day Date) {
	c.Classes[a.Class]++
	if a.New && IsPerson(cfg, a) {
		c.New++
	}
	if !Counts(cfg, a, day) {
		return
	}
	c.All++
	switch a.Capable {
	case Yes:
		c.Capable++
		if a.Strength == StrengthWeak {
			c.Weak++
		}
	case No:
	default:
		c.Unknown++
	}
}

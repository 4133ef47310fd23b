package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

// planDrills is the record of the drills, newest first: what was passed with its
// evidence, what failed, and what is to come.
func planDrills(cfg rollout.Config, facts planFacts) part {
	p := part{title: "Drills"}
	p.says = []string{fmt.Sprintf("Each account is tried at least every %d days, and after a custodian changes. A drill is passed by a sign-in with the key whose alert arrived.", rollout.DrillDays)}
	if !facts.drillsKnown {
		p.says = append(p.says, "The record of the drills is not known here: this was written without the stack's table (--table).")
		return p
	}
	for _, t := range rollout.DrillTroubles(cfg, facts.drills, facts.now) {
		p.says = append(p.says, fmt.Sprintf("NOT PROVEN: account %s: %s; %s.", t.Account, t.Text, t.Next))
	}
	drills := slices.Clone(facts.drills)
	slices.SortStableFunc(drills, func(a, b rollout.Drill) int {
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(a.Account, b.Account))
	})
	for _, d := range drills {
		p.rows = append(p.rows, drillRow(cfg.Location(), d, facts.now))
	}
	if len(p.rows) == 0 {
		p.says = append(p.says, "No drill was ever opened.")
		return p
	}
	p.header = []string{"Account", "Window", "Custodian", "Result", "Alert out after", "Seen by", "Signed in with"}
	return p
}

func drillRow(loc *time.Location, d rollout.Drill, now time.Time) []string {
	day := func(at time.Time) string { return at.In(loc).Format(time.DateOnly) }
	row := []string{d.Account, day(d.OpenedAt) + " to " + day(d.ClosesAt), cmp.Or(d.Custodian, "not recorded"), drillState(loc, d, now), "", "", ""}
	if d.PassedAt.IsZero() {
		return row
	}
	row[4], row[5], row[6] = "not recorded", cmp.Or(strings.Join(d.Ways, ", "), "not recorded"), cmp.Or(strings.Join(d.Methods, ", "), "the sign-in log did not say")
	if !d.SignedInAt.IsZero() {
		row[4] = fmt.Sprintf("%d s", int(d.PassedAt.Sub(d.SignedInAt).Seconds()))
	}
	return row
}

func drillState(loc *time.Location, d rollout.Drill, now time.Time) string {
	switch {
	case !d.PassedAt.IsZero():
		at := d.SignedInAt
		if at.IsZero() {
			at = d.PassedAt
		}
		return "passed " + at.In(loc).Format("2006-01-02 15:04 MST")
	case !d.FailedAt.IsZero():
		return "FAILED: " + d.Why
	case !d.CancelledAt.IsZero():
		return "cancelled: " + d.Why
	case now.Before(d.OpenedAt):
		return "planned"
	case now.Before(d.ClosesAt):
		return "open"
	}
	return "FAILED: nobody signed in, or no alert left"
}

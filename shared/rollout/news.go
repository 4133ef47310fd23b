package rollout

import (
	"cmp"
	"slices"
	"time"
)

// keptGone is how long a finding that is gone is still shown as gone.
const keptGone = 30 * 24 * time.Hour

// Gone reports whether the finding lasts no more.
func (f Finding) Gone() bool { return !f.GoneAt.IsZero() }

// CarryOn lays what is found now over the findings of the audit before, and
// returns both: what lasts keeps the day on which it was first seen, what is
// found no more is marked as gone and kept for 30 days, and what comes back
// starts anew. The gravest come first, what is gone last.
func CarryOn(found, before []Finding, now time.Time) []Finding {
	list := make([]Finding, 0, len(found)+len(before))
	for _, f := range found {
		f.FirstSeen, f.LastSeen = now, now
		if old, held := findingOf(before, f.ID); held && !old.Gone() && !old.FirstSeen.IsZero() {
			f.FirstSeen = old.FirstSeen
		}
		list = append(list, f)
	}
	for _, old := range before {
		if _, lasts := findingOf(found, old.ID); lasts {
			continue
		}
		if !old.Gone() {
			old.GoneAt = now
		}
		if now.Sub(old.GoneAt) < keptGone {
			list = append(list, old)
		}
	}
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(a.rank(), b.rank()) })
	return list
}

func findingOf(list []Finding, id string) (Finding, bool) {
	i := slices.IndexFunc(list, func(f Finding) bool { return f.ID == id })
	if i < 0 {
		return Finding{}, false
	}
	return list[i], true
}

func (f Finding) rank() int {
	switch {
	case f.Gone():
		return 3
	case f.Severity == SeverityCritical:
		return 0
	case f.Severity == SeverityWarning:
		return 1
	}
	return 2
}

// FindingNews is what changed between two audits.
type FindingNews struct {
	New     []Finding
	Gone    []Finding // as they were last seen
	Changed []FindingChange
	Same    int // findings that last and say what they said
}

// FindingChange is a finding that lasts and says something else.
type FindingChange struct {
	Finding
	Was int // its Count before
}

// Quiet reports whether nothing changed.
func (n FindingNews) Quiet() bool { return len(n.New)+len(n.Gone)+len(n.Changed) == 0 }

// News compares the findings of two audits. Only what changed is news, the rest
// is a count: what is new, what is gone, and what concerns other accounts or
// shows other evidence than before.
func News(before, after []Finding) FindingNews {
	var n FindingNews
	for _, f := range after {
		old, held := findingOf(before, f.ID)
		lasted := held && !old.Gone()
		switch {
		case f.Gone() && lasted:
			n.Gone = append(n.Gone, f)
		case f.Gone():
		case !lasted:
			n.New = append(n.New, f)
		case f.Count != old.Count || f.Evidence != old.Evidence || !slices.Equal(f.Accounts, old.Accounts):
			n.Changed = append(n.Changed, FindingChange{f, old.Count})
		default:
			n.Same++
		}
	}
	return n
}

// Present are the findings that last.
func Present(list []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(list), Finding.Gone)
}

package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

// TestLifeOfAFinding walks one finding through the nights: it lasts, goes, is
// shown as gone for 30 days, is forgotten, and comes back as a new one.
func TestLifeOfAFinding(t *testing.T) {
	begin := at(t, "UTC", "2027-01-01 02:00")
	night := func(n int) time.Time { return begin.Add(time.Duration(n) * 24 * time.Hour) }
	var record []rollout.Finding
	for _, tt := range []struct {
		night       int
		there       bool
		first, last int // nights; -1: the finding is not in the record
		gone        int // night; -1: it lasts
	}{
		{0, true, 0, 0, -1},
		{1, true, 0, 1, -1},
		{2, false, 0, 1, 2},
		{3, false, 0, 1, 2},
		{4, true, 4, 4, -1}, // back: a new one
		{5, false, 4, 4, 5},
		{34, false, 4, 4, 5},
		{35, false, -1, -1, -1},
		{36, true, 36, 36, -1},
	} {
		var found []rollout.Finding
		if tt.there {
			found = []rollout.Finding{{ID: "weak-only", Severity: "warning", Count: tt.night}}
		}
		record = rollout.CarryOn(found, record, night(tt.night))
		if tt.first < 0 {
			if len(record) != 0 {
				t.Errorf("night %d: it is still there: %+v", tt.night, record)
			}
			continue
		}
		if len(record) != 1 {
			t.Fatalf("night %d: %d findings", tt.night, len(record))
		}
		f := record[0]
		gone := time.Time{}
		if tt.gone >= 0 {
			gone = night(tt.gone)
		}
		if !f.FirstSeen.Equal(night(tt.first)) || !f.LastSeen.Equal(night(tt.last)) || !f.GoneAt.Equal(gone) || f.Gone() != (tt.gone >= 0) || f.Count != tt.last {
			t.Errorf("night %d: %+v", tt.night, f)
		}
		if got := len(rollout.Present(record)); got != map[bool]int{true: 1}[tt.there] {
			t.Errorf("night %d: %d present", tt.night, got)
		}
	}
}

// TestCarryOnTwice: to lay the same findings over the same record again changes
// nothing, and the record that was handed in stays as it was.
func TestCarryOnTwice(t *testing.T) {
	begin := at(t, "UTC", "2027-01-01 02:00")
	before := rollout.CarryOn([]rollout.Finding{{ID: "a", Severity: "note"}, {ID: "b", Severity: "critical"}, {ID: "c", Severity: "warning"}}, nil, begin)
	kept := slices.Clone(before)
	found := []rollout.Finding{{ID: "a", Severity: "note"}, {ID: "c", Severity: "warning"}}
	once := rollout.CarryOn(found, before, begin.Add(24*time.Hour))
	twice := rollout.CarryOn(rollout.Present(once), before, begin.Add(24*time.Hour))
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Errorf("again (-once +twice):\n%s", diff)
	}
	if diff := cmp.Diff(kept, before); diff != "" {
		t.Errorf("the record before (-was +is):\n%s", diff)
	}
	var order []string
	for _, f := range once {
		order = append(order, f.ID)
	}
	if !slices.Equal(order, []string{"c", "a", "b"}) {
		t.Errorf("order %v, want the gravest first and what is gone last", order)
	}
}

// TestNews: only what changed is news.
func TestNews(t *testing.T) {
	gone := at(t, "UTC", "2027-01-01 02:00")
	f := func(id string, count int, accounts ...string) rollout.Finding {
		return rollout.Finding{ID: id, Count: count, Accounts: accounts}
	}
	was := func(f rollout.Finding) rollout.Finding { f.GoneAt = gone; return f }
	seen := func(f rollout.Finding, evidence string) rollout.Finding { f.Evidence = evidence; return f }
	before := []rollout.Finding{
		f("same", 1, "a"), f("more", 1, "a"), f("others", 1, "a"), seen(f("shows more", 1, "a"), "p1"), f("goes", 2), was(f("long gone", 1)), was(f("back", 1)),
	}
	after := []rollout.Finding{
		f("same", 1, "a"), f("more", 2, "a", "b"), f("others", 1, "b"), seen(f("shows more", 1, "a"), "p1; p2"), was(f("goes", 2)), was(f("long gone", 1)), f("back", 1), f("new", 3),
	}
	want := rollout.FindingNews{
		New:  []rollout.Finding{f("back", 1), f("new", 3)},
		Gone: []rollout.Finding{was(f("goes", 2))},
		Changed: []rollout.FindingChange{
			{Finding: f("more", 2, "a", "b"), Was: 1}, {Finding: f("others", 1, "b"), Was: 1}, {Finding: seen(f("shows more", 1, "a"), "p1; p2"), Was: 1},
		},
		Same: 1,
	}
	got := rollout.News(before, after)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("news (-want +got):\n%s", diff)
	}
	if got.Quiet() || !rollout.News(after, after).Quiet() {
		t.Error("nothing changed is quiet, and nothing else is")
	}
}

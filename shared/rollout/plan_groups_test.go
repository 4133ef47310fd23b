package rollout_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// tasks are what waits for the operator, by message id.
func tasks(t testing.TB, actions []rollout.Action) map[string]rollout.Task {
	t.Helper()
	by := map[string]rollout.Task{}
	for _, a := range actions {
		send, is := a.(rollout.Send)
		if !is || send.Message.Kind != rollout.MessageTask {
			continue
		}
		var task rollout.Task
		if err := json.Unmarshal([]byte(send.Message.Details[rollout.DetailTask]), &task); err != nil {
			t.Fatal(err)
		}
		by[send.Message.ID] = task
	}
	return by
}

func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("x%03d", i))
	}
	return ids
}

// TestAskBeforeTooMuch: more than a run may change is left as it is, and the
// operator is asked once a day.
func TestAskBeforeTooMuch(t *testing.T) {
	const asked = "task..cap-exempt-2027-01-12"
	exemptAll := func(s *scene, n int) {
		for _, id := range numbered(n) {
			s.joins(person(id, rollout.Yes))
			s.cfg.Exemptions = append(s.cfg.Exemptions, rollout.Exemption{Account: id, Expires: rollout.DateOf(s.now).AddDays(90)})
		}
	}
	holds := func(s *scene, ids ...string) {
		s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: ids}
	}
	tests := []struct {
		name   string
		change func(t *testing.T, s *scene)
		asks   bool
		fills  string // the additions and removals of the group of those who are left out
	}{
		{"fifty join", func(_ *testing.T, s *scene) { exemptAll(s, 50) }, false, "50 0"},
		{"fifty-one", func(_ *testing.T, s *scene) { exemptAll(s, 51) }, true, "0 0"},
		{"fifty-one, and the operator said yes", func(_ *testing.T, s *scene) { exemptAll(s, 51); s.cfg.GroupChanges = 51 }, false, "51 0"},
		{"two, and the operator allows one", func(_ *testing.T, s *scene) { exemptAll(s, 2); s.cfg.GroupChanges = 1 }, true, "0 0"},
		{"sixty of twelve hundred accounts", func(_ *testing.T, s *scene) {
			for n := range 1200 {
				s.joins(person(fmt.Sprintf("y%04d", n), rollout.No))
			}
			exemptAll(s, 60)
		}, false, "60 0"},
		{"fifty-one leave", func(_ *testing.T, s *scene) { holds(s, numbered(51)...) }, true, "0 0"},
		{"fifty-one leave, one joins", func(_ *testing.T, s *scene) {
			holds(s, numbered(51)...)
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m01", Expires: rollout.DateOf(s.now)}}
		}, true, "1 0"},
		{"fifty join, and one leaves: the next run", func(_ *testing.T, s *scene) { holds(s, "m01"); exemptAll(s, 50) }, false, "50 0"},
		{"forty-nine join, and one leaves", func(_ *testing.T, s *scene) { holds(s, "m01"); exemptAll(s, 49) }, false, "49 1"},
		{"at night nobody is asked", func(t *testing.T, s *scene) {
			s.now = at(t, "Europe/London", "2027-01-12 08:59")
			exemptAll(s, 51)
		}, false, "0 0"},
		{"asked today", func(_ *testing.T, s *scene) {
			exemptAll(s, 51)
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: asked})
		}, false, "0 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			tt.change(t, s)
			actions := s.planSwitch()
			add, remove := 0, 0
			for _, a := range actions {
				if fill, is := a.(rollout.FillGroup); is && fill.Purpose == rollout.GroupExempt {
					add, remove = len(fill.Add), len(fill.Remove)
				}
			}
			task, asks := tasks(t, actions)[asked]
			if got := fmt.Sprint(add, " ", remove); got != tt.fills || asks != tt.asks {
				t.Errorf("asked %v, changed %s; want %v, %s", asks, got, tt.asks, tt.fills)
			}
			if asks && !strings.Contains(task.Remedy, fmt.Sprintf("groupChanges: %d", task.Count)) {
				t.Errorf("the remedy %q does not say what to write for %d", task.Remedy, task.Count)
			}
		})
	}
}

// TestNoRunChangesMoreThanTheCap over all groups together, and the group of capable
// people fills up in portions.
func TestNoRunChangesMoreThanTheCap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := sample(t)
		for n := range rapid.IntRange(0, 120).Draw(rt, "capable people to come") {
			s.joins(person(fmt.Sprintf("n%03d", n), rollout.Yes))
		}
		for _, id := range numbered(rapid.IntRange(0, 60).Draw(rt, "exemptions to come")) {
			s.joins(person(id, rollout.No))
			s.cfg.Exemptions = append(s.cfg.Exemptions, rollout.Exemption{Account: id, Expires: rollout.DateOf(s.now)})
		}
		s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: numbered(200)[100 : 100+rapid.IntRange(0, 60).Draw(rt, "to leave")]}
		s.cfg.GroupChanges = rapid.SampledFrom([]int{0, 1, 10, 80}).Draw(rt, "groupChanges")
		limit, changed := max(50, len(s.seen.Accounts)/20), 0
		if s.cfg.GroupChanges > 0 {
			limit = s.cfg.GroupChanges
		}
		for _, a := range s.planSwitch() {
			if fill, is := a.(rollout.FillGroup); is {
				changed += len(fill.Add) + len(fill.Remove)
			}
		}
		if changed > limit {
			rt.Fatalf("%d changes in one run, at most %d are allowed", changed, limit)
		}
	})
}

// TestStrangersInTheGroup: whom somebody else put among those who are left out is
// taken out again, and the operator hears of it.
func TestStrangersInTheGroup(t *testing.T) {
	const id = "task..strangers-2027-01-12"
	tests := []struct {
		name   string
		change func(t *testing.T, s *scene)
		want   bool
	}{
		{"a person who was told long ago", func(t *testing.T, s *scene) {
			s.known.Messages = append(s.known.Messages, told("m03", day(t, "2026-12-01"), s.cfg))
		}, true},
		{"told four weeks ago: left out by Sallyport until then", func(t *testing.T, s *scene) {
			s.known.Messages = append(s.known.Messages, told("m03", day(t, "2026-12-15"), s.cfg))
		}, false},
		{"told a day before that", func(t *testing.T, s *scene) {
			s.known.Messages = append(s.known.Messages, told("m03", day(t, "2026-12-14"), s.cfg))
		}, true},
		{"never told: may have been left out for that", func(*testing.T, *scene) {}, false},
		{"no person", func(_ *testing.T, s *scene) { s.account("m03").Class = rollout.ClassService }, true},
		{"an account that is gone", func(_ *testing.T, s *scene) {
			s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{"gone"}}
		}, true},
		{"an exemption that has ended", func(t *testing.T, s *scene) {
			s.account("m03").Class = rollout.ClassService
			s.cfg.Exemptions = []rollout.Exemption{{Account: "m03", Expires: day(t, "2027-01-11")}}
		}, false},
		{"an extension that has ended", func(t *testing.T, s *scene) {
			s.known.Messages = append(s.known.Messages, told("m03", day(t, "2026-12-01"), s.cfg))
			s.cfg.Extensions = []rollout.Extension{{Account: "m03", Until: day(t, "2027-01-11")}}
		}, false},
		{"an emergency account stays, and is no stranger", func(_ *testing.T, s *scene) {
			s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{em1}}
		}, false},
		{"told of it today", func(t *testing.T, s *scene) {
			s.account("m03").Class = rollout.ClassService
			s.known.Messages = append(s.known.Messages, rollout.Message{ID: id})
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{"m03"}}
			tt.change(t, s)
			task, got := tasks(t, s.planSwitch())[id]
			if got != tt.want || got && len(task.Accounts) != 1 {
				t.Errorf("told %v (%v), want %v", got, task.Accounts, tt.want)
			}
		})
	}
}

// TestExpiryIsTold 30, 7 and 1 days before an exemption ends, to its owner too.
func TestExpiryIsTold(t *testing.T) {
	for left, want := range map[int]string{
		31: "", 30: "30", 8: "30", 7: "7", 2: "7", 1: "1", 0: "", -1: "",
	} {
		s := sample(t)
		expires := rollout.DateOf(s.now).AddDays(left)
		s.cfg.Exemptions = []rollout.Exemption{
			{Account: "m03@contoso.com", Owner: "facilities@contoso.com", Alternative: "certificate", Expires: expires},
			{Account: "gone", Owner: "nobody", Expires: expires},
		}
		if want != "" {
			want = fmt.Sprintf("task..exemption-m03-%s-%s", want, expires)
		}
		var got, owner string
		for _, a := range s.planSwitch() {
			if send, is := a.(rollout.Send); is && strings.Contains(send.Message.ID, "exemption") {
				got, owner = got+send.Message.ID, send.Message.Details[rollout.DetailOwner]
			}
		}
		if got != want || want != "" && owner != "facilities@contoso.com" {
			t.Errorf("%d days before the end: %q to %q, want %q", left, got, owner, want)
		}
	}
	s := sample(t)
	s.cfg.Exemptions = []rollout.Exemption{{Account: "m03", Expires: rollout.DateOf(s.now).AddDays(7)}}
	s.seen.Audit.At = s.now.Add(-37 * time.Hour)
	if got := tasks(t, s.planSwitch()); len(got) != 0 {
		t.Errorf("on an old audit: %v", got)
	}
	s = sample(t)
	s.cfg.Exemptions = []rollout.Exemption{{Account: "m03", Expires: rollout.DateOf(s.now).AddDays(7)}}
	s.now = at(t, "Europe/London", "2027-01-12 09:00")
	slices.SortStableFunc(s.seen.Accounts, func(a, b rollout.Account) int { return cmp.Compare(order(a), order(b)) })
	for _, task := range tasks(t, s.planSwitch()) {
		if len(task.Accounts) != 1 || task.Accounts[0] != "m03" || task.Count != 1 {
			t.Errorf("the task is about %v (%d), want m03 alone", task.Accounts, task.Count)
		}
	}
	if got := tasks(t, s.planSwitch()); len(got) != 1 {
		t.Errorf("as soon as it is morning, of the first account of all: %v", got)
	}
	s.now = at(t, "Europe/London", "2027-01-12 08:59")
	if got := tasks(t, s.planSwitch()); len(got) != 0 {
		t.Errorf("before the morning: %v", got)
	}
}

// order puts m03 before everybody else.
func order(a rollout.Account) int {
	if a.ID == "m03" {
		return 0
	}
	return 1
}

// TestExpiryIsToldOnce is a property: late and skipped runs tell of each window at
// most once, and of the nearest one that is left.
func TestExpiryIsToldOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := sample(t)
		expires := rollout.DateOf(s.now).AddDays(40)
		s.cfg.Exemptions = []rollout.Exemption{{Account: "m03", Expires: expires}}
		start, count, due := s.now, map[string]int{}, map[string]bool{}
		for _, d := range slices.Sorted(slices.Values(rapid.SliceOfN(rapid.IntRange(0, 45), 0, 30).Draw(rt, "days with a run"))) {
			s.now = start.Add(time.Duration(d) * 24 * time.Hour)
			s.seen.Audit.At = s.now.Add(-time.Hour)
			switch left := 40 - d; {
			case left == 1:
				due["1"] = true
			case left >= 2 && left <= 7:
				due["7"] = true
			case left >= 8 && left <= 30:
				due["30"] = true
			}
			for _, a := range s.planSwitch() {
				if send, is := a.(rollout.Send); is {
					s.known.Messages = append(s.known.Messages, send.Message)
					if strings.HasPrefix(send.Message.ID, "task..exemption-") {
						count[send.Message.ID]++
					}
				}
			}
		}
		if len(count) != len(due) {
			rt.Fatalf("told %v, due were %v", count, due)
		}
		for id, n := range count {
			if n != 1 {
				rt.Fatalf("%s was sent %d times", id, n)
			}
		}
	})
}

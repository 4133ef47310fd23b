package rehearsal

import (
	"container/heap"
	"time"
)

// agenda is what is going to happen, in order of time and, at the same time, in
// the order in which it was put down: so that a run is the same every time.
type agenda struct {
	entries entries
	next    int
}

type entry struct {
	at time.Time
	n  int
	do func()
}

// put puts something down for a time.
func (a *agenda) put(at time.Time, do func()) {
	heap.Push(&a.entries, entry{at: at, n: a.next, do: do})
	a.next++
}

// every repeats something: next says when it is due after a time.
func (a *agenda) every(first time.Time, next func(time.Time) time.Time, do func(at time.Time)) {
	a.put(first, func() {
		do(first)
		a.every(next(first), next, do)
	})
}

// run works the agenda off until the end, setting the clock before each entry.
func (a *agenda) run(clock *Clock, end time.Time) {
	for len(a.entries) > 0 && a.entries[0].at.Before(end) {
		e := heap.Pop(&a.entries).(entry)
		clock.advance(e.at)
		e.do()
	}
}

type entries []entry

func (e entries) Len() int { return len(e) }
func (e entries) Less(i, j int) bool {
	if !e[i].at.Equal(e[j].at) {
		return e[i].at.Before(e[j].at)
	}
	return e[i].n < e[j].n
}
func (e entries) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *entries) Push(x any)   { *e = append(*e, x.(entry)) }
func (e *entries) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// daily returns when hour:minute in loc comes next after a time.
func daily(hour, minute int, loc *time.Location) func(time.Time) time.Time {
	return func(after time.Time) time.Time {
		local := after.In(loc)
		t := time.Date(local.Year(), local.Month(), local.Day(), hour, minute, 0, 0, loc)
		if !t.After(after) {
			t = time.Date(local.Year(), local.Month(), local.Day()+1, hour, minute, 0, 0, loc)
		}
		return t
	}
}

// hourly returns when the minute comes next after a time.
func hourly(minute int) func(time.Time) time.Time {
	return func(after time.Time) time.Time {
		t := after.Truncate(time.Hour).Add(time.Duration(minute) * time.Minute)
		if !t.After(after) {
			t = t.Add(time.Hour)
		}
		return t
	}
}

func each(d time.Duration) func(time.Time) time.Time {
	return func(after time.Time) time.Time { return after.Add(d) }
}

package graph_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// until is a context with a deadline on the test's own clock, as an invocation
// has one on the wall's.
type until struct {
	context.Context
	deadline time.Time
}

func (u until) Deadline() (time.Time, bool) { return u.deadline, true }

func TestAWaitPastTheDeadlineIsNotBegun(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		left   time.Duration // of the invocation; 0: no end
		later  time.Duration // 0: it is waited for
	}{
		"time enough":                      {failure(429, "TooManyRequests", "Retry-After", "30"), time.Minute, 0},
		"just enough":                      {failure(429, "TooManyRequests", "Retry-After", "50"), time.Minute, 0},
		"nothing left to go on with":       {failure(429, "TooManyRequests", "Retry-After", "51"), time.Minute, 51 * time.Second},
		"past the deadline":                {failure(503, "serviceNotAvailable", "Retry-After", "120"), time.Minute, 2 * time.Minute},
		"our own back-off, past it":        {failure(504, "timeout"), 5 * time.Second, -1},
		"forty minutes":                    {failure(429, "TooManyRequests", "Retry-After", "2400"), time.Hour, 40 * time.Minute},
		"forty minutes, and no deadline":   {failure(429, "TooManyRequests", "Retry-After", "2400"), 0, 40 * time.Minute},
		"eight minutes, and no deadline":   {failure(429, "TooManyRequests", "Retry-After", "480"), 0, 0},
		"a date, past the deadline":        {failure(503, "x", "Retry-After", start().Add(time.Hour).Format(http.TimeFormat), "Date", start().Format(http.TimeFormat)), time.Minute, time.Hour},
		"no answer at all, and no time":    {breaks, time.Second, 0},
		"no answer at all, but time left ": {breaks, time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, answers(c.answer, ok(`{"isEnabled":true}`)))
			ctx := t.Context()
			if c.left > 0 {
				ctx = until{ctx, start().Add(c.left)}
			}
			_, err := tn.SecurityDefaults(ctx)
			var later *graph.LaterError
			if asked := errors.As(err, &later); asked != (c.later != 0) {
				t.Fatalf("error %v, waits %v", err, tn.clock.sleeps)
			}
			if later == nil {
				if waited, in := tn.clock.Now(), start().Add(c.left); c.left > 0 && waited.After(in) {
					t.Errorf("waited until %s, past the deadline", waited)
				}
				return
			}
			if len(tn.clock.sleeps) != 0 || len(tn.calls()) != 1 {
				t.Errorf("%d requests and waits %v, want one and none", len(tn.calls()), tn.clock.sleeps)
			}
			if c.later > 0 && !later.At.Equal(start().Add(c.later)) {
				t.Errorf("not before %s, want %s", later.At, start().Add(c.later))
			}
			var answer *graph.Error
			if !errors.As(err, &answer) || answer.Status < 429 {
				t.Errorf("error %v hides Graph's answer", err)
			}
		})
	}
}

// Graph asked twice for six minutes: the first was waited for, the second would
// be too much.
func TestTheWaitsOfARequestAreCountedTogether(t *testing.T) {
	tn := newTenant(t, failure(429, "TooManyRequests", "Retry-After", "360"))
	_, err := tn.SecurityDefaults(t.Context())
	var later *graph.LaterError
	if !errors.As(err, &later) || !later.At.Equal(start().Add(12*time.Minute)) {
		t.Errorf("error %v, want: not before 09:12", err)
	}
	if len(tn.clock.sleeps) != 1 {
		t.Errorf("waits %v, want one", tn.clock.sleeps)
	}
}

func TestAListingThatMustWaitSaysWhenToGoOn(t *testing.T) {
	for name, l := range resumable() {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, failure(429, "TooManyRequests", "Retry-After", "2400"))
			for _, cursor := range []string{"", tn.server.URL + l.path + "?$skiptoken=a"} {
				_, _, err := l.read(tn, t.Context(), cursor)
				var later *graph.LaterError
				if !errors.As(err, &later) || later.At.Before(start().Add(40*time.Minute)) {
					t.Errorf("cursor %q: error %v, want a LaterError", cursor, err)
				}
			}
		})
	}
}

func TestABatchThatMustWaitSaysWhenToGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		after string
		left  time.Duration
		later time.Duration
	}{
		"forty minutes":      {"2400", 0, 40 * time.Minute},
		"past the deadline":  {"120", time.Minute, 2 * time.Minute},
		"within the time":    {"20", time.Hour, 0},
		"a little, no limit": {"20", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			refused := map[string]bool{}
			tn := newTenant(t, batchServer(t, func(s sub) subAnswer {
				if !refused[s.URL] {
					refused[s.URL] = true
					return subAnswer{Status: 429, Headers: map[string]string{"Retry-After": c.after}, Body: odata("TooManyRequests")}
				}
				return subAnswer{Status: 200, Body: methodsOf("fido2AuthenticationMethod")}
			}))
			ctx := t.Context()
			if c.left > 0 {
				ctx = until{ctx, start().Add(c.left)}
			}
			_, err := tn.BatchMethods(ctx, ids(1))
			var later *graph.LaterError
			if errors.As(err, &later) != (c.later > 0) {
				t.Fatalf("error %v", err)
			}
			if later == nil {
				return
			}
			var answer *graph.Error
			if !later.At.Equal(start().Add(c.later)) || !errors.As(err, &answer) || answer.Status != 429 {
				t.Errorf("error %v", err)
			}
			if len(tn.clock.sleeps) != 0 {
				t.Errorf("waits %v, want none", tn.clock.sleeps)
			}
		})
	}
}

// Our own pace is a wait like any other. A request that did not go out does not
// count: after the deadline's invocation the next one begins at once.
func TestThePaceIsNotSleptPastTheDeadline(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[{"id":"a"}]}`))
	ctx := until{t.Context(), start().Add(12 * time.Second)}
	read := func(ctx context.Context) error {
		return tn.Users(ctx, true, func([]rollout.User) error { return nil })
	}
	if err := read(ctx); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := read(ctx) // six seconds on: four are left
		var later *graph.LaterError
		if !errors.As(err, &later) || !later.At.Equal(start().Add(6*time.Second)) || later.Err != nil {
			t.Fatalf("error %v, want: not before 09:00:06", err)
		}
	}
	if len(tn.calls()) != 1 || len(tn.clock.sleeps) != 0 {
		t.Fatalf("%d requests, waits %v", len(tn.calls()), tn.clock.sleeps)
	}
	if err := read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := tn.last().at; !got.Equal(start().Add(6 * time.Second)) {
		t.Errorf("the next one went out at %s, want 09:00:06", got)
	}
}

package graph_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

func TestRetryHonoursWhatGraphAsks(t *testing.T) {
	date := start().Add(7 * time.Second)
	fast := start().Add(time.Hour) // what a server shows whose clock, or ours, is wrong
	for name, c := range map[string]struct {
		first http.HandlerFunc
		want  time.Duration
	}{
		"seconds":               {failure(429, "TooManyRequests", "Retry-After", "11"), 11 * time.Second},
		"decimal":               {failure(429, "TooManyRequests", "Retry-After", "2.128"), 2128 * time.Millisecond},
		"date":                  {failure(503, "serviceNotAvailable", "Retry-After", date.Format(http.TimeFormat), "Date", start().Format(http.TimeFormat)), 7 * time.Second},
		"date of another clock": {failure(503, "serviceNotAvailable", "Retry-After", fast.Add(9*time.Second).Format(http.TimeFormat), "Date", fast.Format(http.TimeFormat)), 9 * time.Second},
		"zero":                  {failure(504, "timeout", "Retry-After", "0"), 0},
		"absent":                {failure(429, "TooManyRequests"), -1},
		"nonsense":              {failure(429, "TooManyRequests", "Retry-After", "soon"), -1},
		"negative":              {failure(429, "TooManyRequests", "Retry-After", "-5"), -1},
		"not a number":          {failure(429, "TooManyRequests", "Retry-After", "NaN"), -1},
		"an answer in HTML":     {status(502, "<html>bad gateway</html>", "Content-Type", "text/html"), -1},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, answers(c.first, ok(`{"isEnabled":false}`)))
			if _, err := tn.SecurityDefaults(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(tn.calls()) != 2 || len(tn.clock.sleeps) != 1 {
				t.Fatalf("%d requests, waits %v: want two requests and a wait", len(tn.calls()), tn.clock.sleeps)
			}
			got := tn.clock.sleeps[0]
			if c.want >= 0 && got != c.want {
				t.Errorf("waited %s, want %s", got, c.want)
			}
			if c.want < 0 && (got < time.Second || got > 1500*time.Millisecond) {
				t.Errorf("waited %s, want the first back-off (1 s to 1.5 s)", got)
			}
		})
	}
}

func TestBackoffDoublesAndIsTheSameEveryTime(t *testing.T) {
	run := func() []time.Duration {
		tn := newTenant(t, failure(429, "TooManyRequests"))
		_, err := tn.Policies(t.Context())
		var answer *graph.Error
		if !errors.As(err, &answer) || answer.Status != 429 {
			t.Fatalf("error %v, want Graph's 429", err)
		}
		if n := len(tn.calls()); n != 8 {
			t.Errorf("%d attempts, want 8", n)
		}
		return tn.clock.sleeps
	}
	first := run()
	for i, seconds := range []int{1, 2, 4, 8, 16, 32, 60} {
		base := time.Duration(seconds) * time.Second
		if first[i] < base || first[i] > base+base/2 {
			t.Errorf("wait %d is %s, want %s to %s", i+1, first[i], base, base+base/2)
		}
	}
	if diff := cmp.Diff(first, run()); diff != "" {
		t.Errorf("the second run waited differently:\n%s", diff)
	}
	if graph.Backoff("GET", "/a", 1) == graph.Backoff("GET", "/b", 1) {
		t.Error("two requests come back at the same moment")
	}
}

func TestAnAskForTooLongIsNotWaitedFor(t *testing.T) {
	tn := newTenant(t, failure(429, "TooManyRequests", "Retry-After", "3600"))
	if _, err := tn.SecurityDefaults(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if len(tn.calls()) != 1 || len(tn.clock.sleeps) != 0 {
		t.Errorf("%d requests and waits %v, want one and none", len(tn.calls()), tn.clock.sleeps)
	}
}

// breaks closes the connection in the middle of the answer.
func breaks(w http.ResponseWriter, _ *http.Request) {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"value\":[{\"id\":\"")
	buffer.Flush()
}

func TestAConnectionThatBreaksIsTriedAgain(t *testing.T) {
	tn := newTenant(t, answers(breaks, breaks, ok(`{"isEnabled":true}`)))
	on, err := tn.SecurityDefaults(t.Context())
	if err != nil || !on {
		t.Fatalf("got %v, %v", on, err)
	}
	if len(tn.clock.sleeps) != 2 {
		t.Errorf("waits %v, want two", tn.clock.sleeps)
	}
}

func TestRepeatableWritesAreTriedAgain(t *testing.T) {
	owned := []rollout.OwnedPolicy{{ID: policyID}}
	tn := newTenant(t, answers(failure(429, "TooManyRequests"), breaks, status(204, "")))
	if err := tn.SetPolicyState(t.Context(), owned, policyID, rollout.StateEnabled); err != nil {
		t.Fatal(err)
	}
	bodies := []string{tn.seen[0].body, tn.seen[1].body, tn.seen[2].body}
	if want := slices.Repeat([]string{`{"state":"enabled"}`}, 3); !slices.Equal(bodies, want) {
		t.Errorf("bodies %q, want the same three times", bodies)
	}
}

// Whoever created something twice, created two: Graph takes the same name again.
func TestACreateIsNeverSentTwice(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"throttled": failure(429, "TooManyRequests", "Retry-After", "1"), "unavailable": failure(503, "x"),
		"timed out": failure(504, "x"), "broken": breaks,
	} {
		t.Run(name, func(t *testing.T) {
			for what, create := range map[string]func(*graph.Client) error{
				"policy": func(c *graph.Client) error {
					_, err := c.CreatePolicy(t.Context(), draft(), []string{userID})
					return err
				},
				"group": func(c *graph.Client) error {
					_, err := c.CreateGroup(t.Context(), "Sallyport ready", "sallyport:ready")
					return err
				},
				"subscription": func(c *graph.Client) error {
					_, err := c.CreateSubscription(t.Context(), "/users", "updated", "https://hook.example.com/", "state", start())
					return err
				},
			} {
				tn := newTenant(t, answer)
				if err := create(tn.Client); err == nil {
					t.Errorf("%s: no error", what)
				}
				if n := len(tn.calls()); n != 1 {
					t.Errorf("%s: sent %d times", what, n)
				}
			}
		})
	}
}

func TestAnEndedContextEndsTheWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		failure(429, "TooManyRequests")(w, r)
	})
	if _, err := tn.SecurityDefaults(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if n := len(tn.calls()); n != 1 {
		t.Errorf("%d requests after the end", n-1)
	}
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request reached another host")
	}))
	defer elsewhere.Close()

	t.Run("by a raw address", func(t *testing.T) {
		tn := newTenant(t, ok(`{}`))
		if err := tn.SendRaw(t.Context(), "GET", elsewhere.URL+"/v1.0/users", ""); !errors.Is(err, graph.ErrRefused) {
			t.Errorf("error %v, want ErrRefused", err)
		}
	})
	t.Run("by a redirect", func(t *testing.T) {
		tn := newTenant(t, status(302, `{"isEnabled":true}`, "Location", elsewhere.URL+"/v1.0/users"))
		if _, err := tn.SecurityDefaults(t.Context()); err == nil {
			t.Error("a redirect counts as an answer")
		}
	})
	t.Run("by a link to the next page", func(t *testing.T) {
		tn := newTenant(t, ok(`{"value":[{"id":"a"}],"@odata.nextLink":"`+elsewhere.URL+`/v1.0/users?$skiptoken=2"}`))
		_, err := collect(func(f func([]rollout.User) error) error { return tn.Users(t.Context(), false, f) })
		var partial *graph.PartialError
		if !errors.As(err, &partial) || partial.Rows != 1 {
			t.Errorf("error %v, want a PartialError after one row", err)
		}
		if err != nil && !strings.Contains(err.Error(), "not the end point") {
			t.Errorf("error %q does not say what was wrong", err)
		}
	})
}

func TestPaceKeepsToMicrosoftsLimits(t *testing.T) {
	rows := func(r *http.Request) string {
		// Twelve pages: an id each, so that no listing is cut short.
		page := r.URL.Query().Get("$skiptoken")
		if len(page) == 12 {
			return `{"value":[{"id":"` + page + `"}]}`
		}
		return `{"value":[{"id":"p` + page + `"}],"@odata.nextLink":"http://` + r.Host + r.URL.Path + `?$skiptoken=` + page + `x"}`
	}
	for name, c := range map[string]struct {
		read   func(*tenant) error
		most   int
		window time.Duration
	}{
		"reports": {func(tn *tenant) error {
			return tn.Registrations(t.Context(), func([]rollout.Registration) error { return nil })
		}, 5, 10 * time.Second},
		"last sign-ins": {func(tn *tenant) error {
			return tn.Users(t.Context(), true, func([]rollout.User) error { return nil })
		}, 10, time.Minute},
		"Conditional Access": {func(tn *tenant) error {
			for range 12 {
				if err := tn.SetPolicyState(t.Context(), []rollout.OwnedPolicy{{ID: policyID}}, policyID, rollout.StateReportOnly); err != nil {
					return err
				}
			}
			return nil
		}, 1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) { ok(rows(r))(w, r) })
			if err := c.read(tn); err != nil {
				t.Fatal(err)
			}
			if len(tn.seen) < 12 {
				t.Fatalf("only %d requests", len(tn.seen))
			}
			for i := range tn.seen {
				in := 0
				for _, s := range tn.seen[i:] {
					if s.at.Sub(tn.seen[i].at) < c.window {
						in++
					}
				}
				if in > c.most {
					t.Fatalf("%d requests within %s of request %d, the limit is %d", in, c.window, i, c.most)
				}
			}
			// And no slower than it must be.
			if took, most := tn.seen[len(tn.seen)-1].at.Sub(start()), c.window*time.Duration(len(tn.seen))/time.Duration(c.most); took > most {
				t.Errorf("took %s, %s would do", took, most)
			}
		})
	}
}

package tenant

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Microsoft's limits, by the tenant's clock.
// Source: https://learn.microsoft.com/graph/throttling-limits

// window counts what was asked for in the last while. What was refused counts
// too: asking again too early keeps the door shut.
type window struct {
	at    []time.Time
	costs []int
	sum   int
}

// take asks for room: limit units in each span of time. If there is none it
// returns how long to wait.
func (w *window) take(now time.Time, cost, limit int, per time.Duration) (wait time.Duration, ok bool) {
	gone := 0
	for gone < len(w.at) && !w.at[gone].After(now.Add(-per)) {
		w.sum -= w.costs[gone]
		gone++
	}
	w.at, w.costs = append(w.at[gone:], now), append(w.costs[gone:], cost)
	w.sum += cost
	if w.sum <= limit {
		return 0, true
	}
	left := w.sum
	for i, at := range w.at {
		left -= w.costs[i]
		if left+cost <= limit {
			return at.Add(per).Sub(now), false
		}
	}
	return per, false
}

// throttle refuses a call that has no room under the limits of its family.
func (t *Tenant) throttle(c *call, r route) answer {
	if !t.behave.Throttle || r.pattern == "$batch" {
		return answer{}
	}
	write := c.method != http.MethodGet
	switch r.family {
	case reports:
		return t.limit(c, "reports "+c.app, 1, 5, 10*time.Second, true)
	case access:
		// One request a second for the whole tenant, and no word of when to return.
		return t.limit(c, "conditional access", 1, 1, time.Second, false)
	case subscribing:
		if write {
			if a := t.limit(c, "subscription writes "+c.app, 1, 1000, 20*time.Second, true); a.status != 0 {
				return a
			}
		}
		return t.limit(c, "subscriptions "+c.app, 1, 5000, 20*time.Second, true)
	case mailbox:
		return t.limit(c, "mailbox "+c.app+c.vars["user"], 1, 10000, 10*time.Minute, true)
	default:
		return t.throttleDirectory(c, r, write)
	}
}

func (t *Tenant) throttleDirectory(c *call, r route, write bool) answer {
	if write {
		return t.limit(c, "directory writes "+c.app, 1, 3000, 150*time.Second, true)
	}
	selected := c.query.Get("$select")
	if r.pattern == "users" && strings.Contains(selected, "signInActivity") {
		if a := t.limit(c, "signInActivity "+c.app, 1, 10, time.Minute, true); a.status != 0 {
			return a
		}
	}
	cost := max(r.cost, 1)
	if selected != "" {
		cost--
	}
	if c.query.Has("$expand") {
		cost++
	}
	if top := c.query.Get("$top"); top != "" && len(top) <= 2 && top < "20" {
		cost--
	}
	units := 8000
	switch n := t.users.len(); {
	case n < 50:
		units = 3500
	case n <= 500:
		units = 5000
	}
	return t.limit(c, "directory "+c.app, max(cost, 1), units, 10*time.Second, true)
}

// limit refuses with 429 if there is no room; say tells the caller when to
// return, in decimals as Microsoft's own sample does.
func (t *Tenant) limit(c *call, name string, cost, limit int, per time.Duration, say bool) answer {
	w := t.limits[name]
	if w == nil {
		w = &window{}
		t.limits[name] = w
	}
	wait, has := w.take(c.at, cost, limit, per)
	if has {
		return answer{}
	}
	return tooMany(wait, say)
}

func tooMany(wait time.Duration, say bool) answer {
	a := answer{status: http.StatusTooManyRequests, body: marshal(Object{"error": Object{
		"code": "TooManyRequests", "message": "Please retry again later.",
		"innerError": Object{"code": "429", "message": "Please retry after", "status": "429"},
	}})}
	if say {
		a.header = map[string]string{"Retry-After": fmt.Sprintf("%.3f", wait.Seconds())}
	}
	return a
}

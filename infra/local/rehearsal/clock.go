package rehearsal

import (
	"context"
	"time"
)

// Clock is the simulated clock. It moves when the agenda reaches its next entry
// and when somebody sleeps; never by itself.
type Clock struct{ now time.Time }

// NewClock starts a clock.
func NewClock(start time.Time) *Clock { return &Clock{now: start.UTC()} }

// Now returns the simulated time, in UTC.
func (c *Clock) Now() time.Time { return c.now }

// Sleep moves the clock on. A sleeper never waits in real time.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d > 0 {
		c.now = c.now.Add(d)
	}
	return nil
}

// advance moves the clock to t, never back.
func (c *Clock) advance(t time.Time) {
	if t.After(c.now) {
		c.now = t.UTC()
	}
}

// Set sets the clock before a rehearsal begins.
func (c *Clock) Set(t time.Time) { c.now = t.UTC() }

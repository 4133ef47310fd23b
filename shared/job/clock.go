package job

import (
	"context"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx ends and answers its error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Wall is the real clock, in UTC.
type Wall struct{}

// Now implements [Clock].
func (Wall) Now() time.Time { return time.Now().UTC() }

// Sleep implements [Clock].
func (Wall) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

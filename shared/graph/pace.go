package graph

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// pace names a limit that requests share.
type pace int

// The paces. Limits: https://learn.microsoft.com/graph/throttling-limits
const (
	paceDirectory         pace = iota // resource units; far above what one reader asks for
	paceReports                       // reports, sign-ins, methods: 5 in 10 seconds
	paceActivity                      // signInActivity: 10 in a minute
	paceConditionalAccess             // 1 a second in the tenant, over all its apps
)

// pacer spaces requests out so that Graph need not refuse them. The reports'
// limits allow no bursts here: five at once and five in the next ten seconds
// would be ten in some ten seconds.
type pacer struct {
	clock    Clock
	limiters map[pace]*rate.Limiter
}

func newPacer(clock Clock) *pacer {
	return &pacer{clock: clock, limiters: map[pace]*rate.Limiter{
		paceDirectory:         rate.NewLimiter(50, 20),
		paceReports:           rate.NewLimiter(rate.Every(2*time.Second), 1),
		paceActivity:          rate.NewLimiter(rate.Every(6*time.Second), 1),
		paceConditionalAccess: rate.NewLimiter(rate.Every(time.Second), 1),
	}}
}

// wait returns when a request that counts as n may go out. rate.Limiter's own
// Wait would look at the wall clock.
func (p *pacer) wait(ctx context.Context, kind pace, n int) error {
	limiter, now := p.limiters[kind], p.clock.Now()
	var last *rate.Reservation
	for range max(n, 1) {
		last = limiter.ReserveN(now, 1)
	}
	if d := last.DelayFrom(now); d > 0 {
		return p.clock.Sleep(ctx, d)
	}
	return ctx.Err()
}

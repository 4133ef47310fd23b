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

// wait returns when a request that counts as n may go out, or at once with a
// [LaterError] where that leaves the caller no time. rate.Limiter's own Wait
// would look at the wall clock.
func (p *pacer) wait(ctx context.Context, about api, n int) error {
	limiter, now := p.limiters[about.pace], p.clock.Now()
	reserved := make([]*rate.Reservation, max(n, 1))
	for i := range reserved {
		reserved[i] = limiter.ReserveN(now, 1)
	}
	d := reserved[len(reserved)-1].DelayFrom(now)
	if d <= 0 {
		return ctx.Err()
	}
	if then := now.Add(d); !inTime(ctx, then) {
		// Given back, newest first: the request does not go out.
		for i := range reserved {
			reserved[len(reserved)-1-i].CancelAt(now)
		}
		return &LaterError{At: then, API: about.name}
	}
	return p.clock.Sleep(ctx, d)
}

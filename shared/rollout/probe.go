package rollout

import (
	"fmt"
	"time"
)

// Probe is a self-test of the way in by which Graph's notifications reach us. Graph
// says nothing when it stops to notify, so once a day a subscription is made for
// the sake of its handshake alone: if breakglass hears of that, then Graph, the
// door, webhook and the queue work.
type Probe struct {
	ID      string    `json:"id"`
	SentAt  time.Time `json:"sentAt"`
	HeardAt time.Time `json:"heardAt"` // zero: not yet
	Version int64     `json:"version"`
}

// probeWithin is how long a handshake may take from Graph to breakglass: seconds,
// and the queue brings again what failed once.
const probeWithin = 15 * time.Minute

// probeEvery is within what time there must be a new probe: a day, and some hours
// for a run that failed.
const probeEvery = 30 * time.Hour

// Silent says why the way in of notifications is not proven; empty: it is, or there
// is still time.
func (p Probe) Silent(now time.Time) string {
	switch {
	case p.HeardAt.IsZero() && now.Sub(p.SentAt) > probeWithin:
		return fmt.Sprintf("The self-test of %s never arrived: Graph was asked to call, and nothing came out of the event queue. Nobody would hear at once of a change to an emergency account.", p.SentAt.UTC().Format("2 January 15:04 UTC"))
	case now.Sub(p.SentAt) > probeEvery:
		return fmt.Sprintf("The last self-test of the notifications is of %s. Nobody knows whether Graph still reaches us.", p.SentAt.UTC().Format("2 January 15:04 UTC"))
	}
	return ""
}

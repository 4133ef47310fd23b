package rollout

import (
	"fmt"
	"slices"
	"time"
)

// Pause is the operator's hand on the whole of a tenant's rollout: while it
// holds, Sallyport writes nothing and mails nobody. It stands beside what
// rollout.yaml says.
type Pause struct {
	Paused  bool      `json:"paused"`
	By      string    `json:"by"` // the ARN of who asked
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	Version int64     `json:"version"`
}

// OrderKind is what an operator may order.
type OrderKind string

// The orders. Each is carried out by enforce, which alone may write to a tenant.
const (
	OrderRollback OrderKind = "rollback" // put a wave back to report-only
	OrderResume   OrderKind = "resume"   // let a wave that was rolled back be observed anew
	OrderUndo     OrderKind = "undo"     // put back what one change did
)

// OrderState is how far an order has come.
type OrderState string

// The states of an order. An open one is tried again by every run.
const (
	OrderOpen    OrderState = "open"
	OrderDone    OrderState = "done"
	OrderRefused OrderState = "refused"
)

// Order is one thing that an operator asked for by hand.
type Order struct {
	ID     string     `json:"id"`
	Kind   OrderKind  `json:"kind"`
	Wave   string     `json:"wave"`   // of a rollback or a resume
	Change int64      `json:"change"` // of an undo
	By     string     `json:"by"`     // the ARN of who asked
	Reason string     `json:"reason"`
	At     time.Time  `json:"at"`
	State  OrderState `json:"state"`
	// Outcome says what came of it.
	Outcome   string    `json:"outcome"`
	OutcomeAt time.Time `json:"outcomeAt"`
	Version   int64     `json:"version"`
}

// OrderMaxAge is how long an order may wait. One that was not carried out by then
// was meant for a world that is gone.
const OrderMaxAge = 24 * time.Hour

// CheckRollback says whether a wave can be rolled back; settled reports that it
// already is.
func CheckRollback(w Wave) (settled bool, err error) {
	switch w.State {
	case WaveRolledBack:
		return true, nil
	case WaveEnforced, WaveSettled:
		return false, nil
	}
	return false, fmt.Errorf("wave %s is %s: nothing of it is switched on that could be rolled back; to stop it from being switched: sallyport pause", w.Name, w.State)
}

// CheckResume says whether a wave can be let on again; settled reports that it was
// since then.
func CheckResume(w Wave, since time.Time) (settled bool, err error) {
	if w.State == WaveRolledBack {
		return false, nil
	}
	if slices.ContainsFunc(w.History, func(m Move) bool { return m.From == WaveRolledBack && !m.At.Before(since) }) {
		return true, nil
	}
	return false, fmt.Errorf("wave %s is %s, not rolled back: there is nothing to resume", w.Name, w.State)
}

package breakglass

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// channelTime is how long one channel may take for one alert. The others do not
// wait for it.
const channelTime = 10 * time.Second

// deliver sends every alert, those before the index left out, by every channel
// that has not taken it yet. One channel's failure never stops another; the next
// run tries again.
func (w *watch) deliver(ctx context.Context, first int, sum *job.Summary) error {
	var failed error
	for i := first; i < len(w.alerts); i++ {
		if w.toSend(w.alerts[i]) {
			failed = errors.Join(failed, w.send(ctx, &w.alerts[i], sum))
		}
	}
	return failed
}

// toSend reports whether an alert has anything left to say.
func (w *watch) toSend(a rollout.Alert) bool {
	switch {
	case w.now.Sub(a.SeenAt) > rollout.DeliverFor:
		return false // what is not acknowledged stands in the repetitions
	case a.Kind == rollout.AlertMonitor && a.Pair != "":
		return false // the row says it, and more
	case a.Kind == rollout.AlertRepetition:
		newer := slices.ContainsFunc(w.alerts, func(b rollout.Alert) bool { return b.Kind == a.Kind && b.SeenAt.After(a.SeenAt) })
		return !newer && len(w.calledAbout(a)) > 0
	}
	// The row of an alert that somebody looks after is what they wait for.
	return a.AckedAt.IsZero() || a.Pair != ""
}

// send hands one alert to the channels that are left, all at the same time, and
// records which took it.
func (w *watch) send(ctx context.Context, a *rollout.Alert, sum *job.Summary) error {
	warning := w.warn(*a)
	delivered := map[string]time.Time{}
	var left []Channel
	for _, channel := range w.channels(warning) {
		switch {
		case !a.Delivered[channel.Name()].IsZero():
		case warning.Fired != nil && wakes(channel) && !warning.Fired.Delivered[channel.Name()].IsZero():
			// It woke people for this very sign-in already.
			delivered[channel.Name()] = warning.Fired.Delivered[channel.Name()]
		default:
			left = append(left, channel)
		}
	}
	if len(left) == 0 && len(delivered) == 0 {
		return nil
	}
	w.tellAbout(ctx, &warning)
	var failed error
	for i, err := range tell(ctx, left, warning) {
		name := left[i].Name()
		if err != nil {
			w.countFailure(ctx, name)
			failed = errors.Join(failed, fmt.Errorf("alert %s by %s, tried again in 5 minutes: %w", a.ID, name, err))
			continue
		}
		delivered[name] = w.now
		sum.Count("delivered", 1)
	}
	if len(delivered) == 0 {
		return failed
	}
	return errors.Join(failed, w.recordDelivery(ctx, a, delivered))
}

// tell tries every channel once. The first is tried here, the others beside it.
func tell(ctx context.Context, channels []Channel, warning Warning) []error {
	errs := make([]error, len(channels))
	try := func(i int) {
		ctx, cancel := context.WithTimeout(ctx, channelTime)
		defer cancel()
		errs[i] = channels[i].Alert(ctx, warning)
	}
	var others sync.WaitGroup
	defer others.Wait()
	for i := 1; i < len(channels); i++ {
		others.Go(func() { try(i) })
	}
	if len(channels) > 0 {
		try(0)
	}
	return errs
}

func (w *watch) recordDelivery(ctx context.Context, a *rollout.Alert, delivered map[string]time.Time) error {
	for name, at := range a.Delivered {
		delivered[name] = at
	}
	a.Delivered = delivered
	if a.AlertedAt.IsZero() {
		a.AlertedAt = w.now
	}
	err := w.Table.PutAlert(ctx, w.cfg.Tenant, *a)
	if err == nil {
		a.Version++
	}
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("alert %s was sent, and will be again, since that could not be recorded: %w", a.ID, err)
	}
	return nil
}

// channels are those that an alert goes by.
func (w *watch) channels(warning Warning) []Channel {
	var all []Channel
	for _, c := range w.Channels {
		if r, is := c.(router); is {
			all = append(all, r.Route(warning)...)
			continue
		}
		all = append(all, c)
	}
	return all
}

// router is a channel that depends on the alert and on rollout.yaml: it may be
// none, or one for each number, each delivered and tried again on its own.
type router interface {
	Route(w Warning) []Channel
}

// wakes reports whether a channel rings: an update by it would be a second alarm.
func wakes(c Channel) bool {
	ringing, is := c.(interface{ Wakes() bool })
	return is && ringing.Wakes()
}

// warn puts beside an alert what is at hand.
func (w *watch) warn(a rollout.Alert) Warning {
	warning := Warning{
		Config: w.cfg, Alert: a, Account: rollout.Account{ID: a.Account}, Now: w.now, Lately: rollout.LatelyOf(w.alerts, a), Links: w.Links,
	}
	if i := slices.IndexFunc(w.drills, func(d rollout.Drill) bool { return d.ID == a.Drill }); i >= 0 {
		warning.Drill = &w.drills[i]
	}
	if a.Kind == rollout.AlertRepetition {
		warning.Open = w.calledAbout(a)
	}
	i := slices.IndexFunc(w.alerts, func(b rollout.Alert) bool { return b.ID == a.Pair && b.Kind == rollout.AlertMonitor })
	if i >= 0 && !w.alerts[i].AlertedAt.IsZero() {
		warning.Fired = &w.alerts[i]
	}
	return warning
}

// tellAbout reads what helps the reader; the alert leaves without it too.
func (w *watch) tellAbout(ctx context.Context, warning *Warning) {
	if account, err := w.Table.Account(ctx, w.cfg.Tenant, warning.Alert.Account); err == nil {
		warning.Account = account
	}
	if audit, err := w.Table.Audit(ctx, w.cfg.Tenant); err == nil {
		warning.Audit = audit
	}
	warning.Names = map[string]string{}
	for _, a := range warning.Open {
		if _, known := warning.Names[a.Account]; known {
			continue
		}
		warning.Names[a.Account] = a.Account
		if account, err := w.Table.Account(ctx, w.cfg.Tenant, a.Account); err == nil && account.DisplayName != "" {
			warning.Names[a.Account] = account.DisplayName
		}
	}
}

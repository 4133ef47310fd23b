package breakglass

import (
	"context"
	"errors"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// repeat calls the next contact if alerts are not acknowledged. The call is
// claimed as an alert of its own before it is sent: whoever claims it first calls,
// a run that dies after it leaves the call to the next, and the record says who
// was called, when, and by which channels.
func (w *watch) repeat(ctx context.Context, sum *job.Summary) error {
	due, is := rollout.RepetitionDue(w.cfg.Alerts.Contacts, w.alerts, w.now)
	if !is {
		return nil
	}
	seen := len(w.alerts)
	failed := w.claim(ctx, due, sum)
	return errors.Join(failed, w.deliver(ctx, seen, sum))
}

// calledAbout are the alerts that a repetition is about and that are not
// acknowledged meanwhile, the newest first.
func (w *watch) calledAbout(repetition rollout.Alert) []rollout.Alert {
	var open []rollout.Alert
	for _, a := range rollout.Unacknowledged(w.alerts) {
		if !a.SeenAt.After(repetition.SeenAt) {
			open = append([]rollout.Alert{a}, open...)
		}
	}
	return open
}

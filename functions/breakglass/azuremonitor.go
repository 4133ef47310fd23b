package breakglass

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// rowBefore is how long before Azure Monitor fired the row that made it fire may
// lie: the rule's window and the log's delay.
const rowBefore = time.Hour

// monitorFired alerts on Azure Monitor's word for an account whose row the
// sign-in log does not show yet; the row's own alert follows when it arrives.
func (w *watch) monitorFired(ctx context.Context, e touch.Event) error {
	var failed error
	for _, id := range e.Accounts {
		if !w.cfg.IsEmergency(id) || slices.ContainsFunc(w.alerts, func(a rollout.Alert) bool {
			return strings.EqualFold(a.Account, id) && a.Kind == rollout.AlertSignIn && e.FiredAt.Sub(a.OccurredAt) < rowBefore
		}) {
			continue
		}
		failed = errors.Join(failed, w.claim(ctx, rollout.Alert{
			ID: "azureMonitor-" + e.AlertID + "-" + id, Kind: rollout.AlertMonitor, Account: id, Source: touch.SourceAzureMonitor,
			Text: "Azure Monitor saw a sign-in; the log's row is not here yet.", OccurredAt: e.FiredAt, SeenAt: w.now,
		}, &job.Summary{}))
	}
	return failed
}

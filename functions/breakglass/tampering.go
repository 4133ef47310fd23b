package breakglass

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// tampering reads an account that was touched and alerts if it is no longer
// what an emergency account must be.
func (w *watch) tampering(ctx context.Context, id string) error {
	g, err := w.Graph(ctx, w.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("connect to Graph: %w", err)
	}
	user, err := g.User(ctx, id)
	var what string
	switch {
	case errors.Is(err, graph.ErrNotFound):
		what = "deleted"
	case err != nil:
		return fmt.Errorf("read emergency account %s: %w", id, err)
	case user.AccountEnabled != rollout.Yes:
		what = "disabled"
	case user.Synced == rollout.Yes:
		what = "synchronized from on-premises"
	case w.renamed(ctx, id, user.UserPrincipalName):
		what = "renamed"
	default:
		return nil // touched, and still whole
	}
	day := rollout.DateOf(w.now.In(w.cfg.Location()))
	return w.claim(ctx, rollout.Alert{
		ID: strings.Join([]string{"tampering", id, what, day.String()}, "-"), Kind: rollout.AlertTampering, Account: id,
		Source: touch.SourceNotification, Text: "The emergency account was " + what + ".", OccurredAt: w.now, SeenAt: w.now,
	}, &job.Summary{})
}

func (w *watch) renamed(ctx context.Context, id, now string) bool {
	before, err := w.Table.Account(ctx, w.cfg.Tenant, id)
	return err == nil && !strings.EqualFold(before.UserPrincipalName, now)
}

package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	// probeType makes a probe another subscription than the one that watches the
	// same account: Graph refuses two of the same change type and resource.
	probeType = "deleted"
	// probeLife is when a probe ends, by itself: the guard of the Graph adapter lets
	// no subscription be ended, so that no mistake can end the watch.
	probeLife = time.Hour
)

// probe tests the way in: it makes a subscription for the sake of its handshake.
// Graph calls the address before it answers; webhook puts what it
// heard on the event queue, and breakglass notes that it arrived, or alerts that it
// did not. That needs no right but the reader's, and changes nothing in the tenant.
//
// It proves all of the way but one thing: that Graph goes on to notify of a
// subscription that it lists. Nobody can prove that without changing something.
func (r run) probe(ctx context.Context, accounts []rollout.EmergencyAccount, live []rollout.Subscription) error {
	if len(accounts) == 0 {
		return nil
	}
	resource := "/users/" + accounts[0].ID
	if slices.ContainsFunc(live, func(s rollout.Subscription) bool {
		return isTo(s, resource) && strings.EqualFold(s.ChangeType, probeType)
	}) {
		return nil // one of this very hour: the run was started again
	}
	last, err := r.Table.Probe(ctx, r.tenant)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the last self-test of the notifications: %w", err)
	}
	id := r.NewProbeID()
	address, err := url.Parse(r.NotificationURL)
	if err != nil {
		return fmt.Errorf("the address of webhook: %w", err)
	}
	query := address.Query()
	query.Set(touch.ProbeParameter, touch.NewProbe(string(r.tenant), id, r.ClientState, r.now))
	address.RawQuery = query.Encode()
	// Recorded before it is sent: what comes is compared with it, and what does not
	// come is missed.
	next := rollout.Probe{ID: id, SentAt: r.now, Version: last.Version}
	if err := r.Table.PutProbe(ctx, r.tenant, next); err != nil {
		return fmt.Errorf("record the self-test of the notifications: %w", err)
	}
	if _, err := r.graph.CreateSubscription(ctx, resource, probeType, address.String(), r.ClientState, r.now.Add(probeLife)); err != nil {
		return fmt.Errorf("test the way in of notifications: %w", err)
	}
	r.sum.Count("probes", 1)
	return nil
}

// Package subscriptions keeps Graph's change notifications alive: one for each
// emergency account, and for each group that the last proof found to keep one out
// of policies, so that whoever touches them is seen within seconds. Graph says
// nothing when a subscription to a user or a group is lost, so once a day
// everything is listed, renewed and repaired, and the way in is tested (probe.go).
// That goes on while a rollout is paused: it changes nothing in the tenant, and
// the watch must not end.
//
// Invariant: a record is removed only against a complete listing that was read
// in this run and is not empty. Graph's refusal of a second subscription to the
// same thing makes creating harmless, so an empty listing may lead to that.
//
// Source: https://learn.microsoft.com/graph/change-notifications-lifecycle-events
package subscriptions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	// lifetime is how long a subscription is asked for: Graph allows less than
	// 41,760 minutes (29 days) for users and groups.
	lifetime = 28 * 24 * time.Hour
	// renewBefore is how long before its end a subscription is renewed: three
	// runs may fail before it is lost.
	renewBefore = 3 * 24 * time.Hour
	// changeTypes are what is notified of. Creation is an update, too.
	changeTypes = "updated,deleted"
)

// Graph is what is used of a tenant.
type Graph interface {
	Subscriptions(ctx context.Context) ([]rollout.Subscription, error)
	CreateSubscription(ctx context.Context, resource, changeType, notificationURL, clientState string, expires time.Time) (rollout.Subscription, error)
	RenewSubscription(ctx context.Context, id string, expires time.Time) (rollout.Subscription, error)
}

// Table is what is used of the table. The record of a subscription is also the
// pointer by which a notification finds its tenant.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Subscriptions(ctx context.Context, t rollout.TenantID) ([]rollout.Subscription, error)
	PutSubscription(ctx context.Context, t rollout.TenantID, s rollout.Subscription) error
	DeleteSubscription(ctx context.Context, t rollout.TenantID, id string) error
	Emergency(ctx context.Context, t rollout.TenantID) (rollout.ProvenEmergency, error)
	Probe(ctx context.Context, t rollout.TenantID) (rollout.Probe, error)
	PutProbe(ctx context.Context, t rollout.TenantID, p rollout.Probe) error
}

// Subscriptions keeps the subscriptions of tenants.
type Subscriptions struct {
	Graph func(ctx context.Context, t rollout.TenantID) (Graph, error)
	Table Table
	// NotificationURL is webhook's address, and ClientState the secret by which
	// webhook knows Graph.
	NotificationURL string
	ClientState     string
	// NewProbeID makes the id of a self-test, another each time.
	NewProbeID func() string
}

// target is something that is watched.
type target struct {
	resource string // users/{id} or groups/{id}
	name     string // in errors
	// may is true for what the app may lack the permission for: Graph wants
	// Group.Read.All for notifications of groups, which lets an app read what stands
	// in every group's mailbox and files. So it is asked for, and done without.
	// Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
	may bool
}

// targets are the emergency accounts and the groups that keep them out of
// policies. A notification of a group tells of its members and owners as well.
func (s Subscriptions) targets(ctx context.Context, cfg rollout.Config) ([]target, error) {
	var list []target
	for _, account := range cfg.EmergencyAccounts {
		list = append(list, target{resource: "/users/" + account.ID, name: "emergency account " + account.ID})
	}
	proof, err := s.Table.Emergency(ctx, cfg.Tenant)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // before the first there are none
		return nil, fmt.Errorf("read the last proof of the emergency accounts: %w", err)
	}
	for _, id := range proof.WatchedGroups() {
		list = append(list, target{resource: "/groups/" + id, name: "exclusion group " + id, may: true})
	}
	return list, nil
}

// Run looks after one tenant. A subscription that fails does not stop the
// others; the next run tries again.
func (s Subscriptions) Run(ctx context.Context, t rollout.TenantID, now time.Time, sum *job.Summary) error {
	cfg, err := s.Table.Config(ctx, t)
	if err != nil {
		return fmt.Errorf("read rollout.yaml of the tenant: %w", err)
	}
	g, err := s.Graph(ctx, t)
	if err != nil {
		return fmt.Errorf("connect to Graph: %w", err)
	}
	live, err := g.Subscriptions(ctx)
	if err != nil {
		return fmt.Errorf("list the subscriptions (nothing was changed): %w", err)
	}
	records, err := s.Table.Subscriptions(ctx, t)
	if err != nil {
		return fmt.Errorf("read the records of subscriptions: %w", err)
	}
	targets, err := s.targets(ctx, cfg)
	if err != nil {
		return err
	}
	r := run{Subscriptions: s, graph: g, tenant: t, now: now, sum: sum, refused: map[string]bool{}}
	created, failed := r.keep(ctx, targets, live, records)
	if created > 0 {
		// Graph has answered "created" for what it did not create.
		if live, err = g.Subscriptions(ctx); err != nil {
			return errors.Join(failed, fmt.Errorf("list the subscriptions again, to see those that were created: %w", err))
		}
		failed = errors.Join(failed, r.confirm(targets, live))
	}
	failed = errors.Join(failed, r.forget(ctx, targets, live, records))
	return errors.Join(failed, r.probe(ctx, cfg.EmergencyAccounts, live))
}

// run is one tenant's run.
type run struct {
	Subscriptions
	graph  Graph
	tenant rollout.TenantID
	now    time.Time
	sum    *job.Summary
	// refused are the resources that the app may not subscribe to.
	refused map[string]bool
}

// keep sees to it that each target has a subscription that will not end soon, and
// a record of it.
func (r run) keep(ctx context.Context, targets []target, live, records []rollout.Subscription) (created int, failed error) {
	for _, t := range targets {
		made, err := r.keepOne(ctx, t.resource, live, records)
		if made && err == nil {
			created++
		}
		var denied *graph.DeniedError
		if t.may && errors.As(err, &denied) {
			r.refused[t.resource] = true
			r.sum.Count("groupsUnwatched", 1)
			continue
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("subscription to %s: %w", t.name, err))
		}
	}
	if len(r.refused) > 0 {
		r.sum.Note("groupsUnwatched", "the app lacks Group.Read.All: a change of these groups is seen by the nightly proof, not within seconds")
	}
	return created, failed
}

func (r run) keepOne(ctx context.Context, resource string, live, records []rollout.Subscription) (created bool, err error) {
	have, found := newest(live, resource)
	if found && r.outdated(have.ID, records) {
		return false, fmt.Errorf("%s was made for another address or with another secret, so webhook refuses what it sends; "+
			"it is left to end on %s and then replaced, delete it to have that sooner", have.ID, have.ExpiresAt.UTC().Format(time.DateOnly))
	}
	if found && have.ExpiresAt.Sub(r.now) < renewBefore {
		have, err = r.renew(ctx, have)
		if errors.Is(err, graph.ErrNotFound) { // it ended since it was listed
			found, err = false, nil
		}
		if err != nil {
			return false, err
		}
	}
	if !found {
		if have, err = r.create(ctx, resource); err != nil {
			return false, err
		}
	}
	have.ClientState = r.fingerprint()
	return !found, r.Table.PutSubscription(ctx, r.tenant, have)
}

// fingerprint stands in the record for the secret, which the table need not
// know, and for the address: it shows that either was changed since.
func (r run) fingerprint() string {
	digest := sha256.Sum256([]byte(r.ClientState + "\n" + r.NotificationURL))
	return hex.EncodeToString(digest[:8])
}

func (r run) outdated(id string, records []rollout.Subscription) bool {
	return slices.ContainsFunc(records, func(s rollout.Subscription) bool { return s.ID == id && s.ClientState != r.fingerprint() })
}

func (r run) create(ctx context.Context, resource string) (rollout.Subscription, error) {
	made, err := r.graph.CreateSubscription(ctx, resource, changeTypes, r.NotificationURL, r.ClientState, r.now.Add(lifetime))
	if err != nil {
		return made, err
	}
	r.sum.Count("created", 1)
	r.sum.Note("created", made.ID)
	return made, nil
}

func (r run) renew(ctx context.Context, old rollout.Subscription) (rollout.Subscription, error) {
	renewed, err := r.graph.RenewSubscription(ctx, old.ID, r.now.Add(lifetime))
	if err != nil {
		return renewed, err
	}
	r.sum.Count("renewed", 1)
	return renewed, nil
}

// confirm fails for targets whose subscription Graph does not list.
func (r run) confirm(targets []target, live []rollout.Subscription) error {
	var failed error
	for _, t := range targets {
		if _, found := newest(live, t.resource); !found && !r.refused[t.resource] {
			failed = errors.Join(failed, fmt.Errorf("%s: Graph lists no subscription to it after creating one; nobody hears when it is touched", t.name))
		}
	}
	return failed
}

// forget removes the records of subscriptions that have ended. One that is still
// wanted was lost, without a word from Graph: until today's run nobody would
// have heard of a touch.
func (r run) forget(ctx context.Context, targets []target, live, records []rollout.Subscription) error {
	if len(live) == 0 {
		return nil
	}
	var failed error
	for _, record := range records {
		if slices.ContainsFunc(live, func(s rollout.Subscription) bool { return s.ID == record.ID }) {
			continue
		}
		if err := r.Table.DeleteSubscription(ctx, r.tenant, record.ID); err != nil {
			failed = errors.Join(failed, fmt.Errorf("remove the record of subscription %s, which has ended: %w", record.ID, err))
			continue
		}
		what := "ended"
		if slices.ContainsFunc(targets, func(t target) bool { return isTo(record, t.resource) }) {
			what = "lost"
		}
		r.sum.Count(what, 1)
		r.sum.Note(what, record.ID)
	}
	return failed
}

// isTo reports whether a subscription is to that resource. Graph writes the
// resource with or without its first slash, and ids in either case.
func isTo(s rollout.Subscription, resource string) bool {
	return strings.EqualFold(strings.Trim(s.Resource, "/"), strings.Trim(resource, "/"))
}

// newest finds the subscription to a resource that ends last. A self-test's
// tells of deletions alone and is none.
func newest(list []rollout.Subscription, resource string) (rollout.Subscription, bool) {
	var best rollout.Subscription
	for _, s := range list {
		if isTo(s, resource) && !strings.EqualFold(s.ChangeType, probeType) && (best.ID == "" || s.ExpiresAt.After(best.ExpiresAt)) {
			best = s
		}
	}
	return best, best.ID != ""
}

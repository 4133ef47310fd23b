package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Ids that begin alike, and ids that hold what keys are made of.
var alike = []rollout.TenantID{
	"contoso.onmicrosoft.com", "contoso.onmicrosoft.com.au",
	"a", "ab", "a#wave", "a%23wave", "#a", "#tenants", "#subscriptions",
}

// Whatever is written or deleted for one tenant, nothing that is read of another
// changes.
func noOperationTouchesAnotherTenant(t *testing.T, s *store.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		tenants := rapid.Permutation(alike).Draw(rt, "tenants")
		mine, other := tenants[0], tenants[1]
		before := everythingOf(t.Context(), rt, s, other)
		for range rapid.IntRange(1, 6).Draw(rt, "operations") {
			name := rapid.SampledFrom(operationNames).Draw(rt, "operation")
			id := rapid.SampledFrom([]string{"wave", "a", "ab", "b#wave", "#", "current"}).Draw(rt, "id")
			err := operations[name](t.Context(), s, mine, id)
			if err != nil && !errors.Is(err, store.ErrConflict) {
				rt.Fatalf("%s: %v", name, err)
			}
		}
		if diff := cmp.Diff(before, everythingOf(t.Context(), rt, s, other)); diff != "" {
			rt.Fatalf("operations of %q changed %q:\n%s", mine, other, diff)
		}
	})
}

// Different ids of one tenant are different records, whatever is in them.
func noRecordTakesThePlaceOfAnother(t *testing.T, s *store.Store) {
	pairs := [][2]string{{"a", "b#c"}, {"a#b", "c"}, {"a%23b", "c"}, {"a", "b%23c"}, {"a%2523b", "c"}}
	var all []rollout.Observation
	for _, p := range pairs {
		all = append(all, rollout.Observation{Account: p[0], Policy: p[1], LastAt: noon})
	}
	ok(t, s.SaveObservations(t.Context(), contoso, all))
	same(t, len(pairs), len(must(s.Observations(t.Context(), contoso))(t)))
}

func recordsWithoutTenantOrIDAreRefused(t *testing.T, s *store.Store) {
	for name, operation := range operations {
		if err := operation(t.Context(), s, "", "id"); err == nil || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s without a tenant: got error %v", name, err)
		}
		if name == "PutConfig" || name == "PutAudit" || name == "PutCoverage" || name == "PutGroup" || name == "PutPause" {
			continue // these have no free id
		}
		if err := operation(t.Context(), s, contoso, ""); err == nil || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s without an id: got error %v", name, err)
		}
	}
	if _, err := s.Waves(t.Context(), ""); err == nil {
		t.Error("a list without a tenant was read")
	}
	if _, err := s.Wave(t.Context(), contoso, ""); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("a record without an id was looked for: got error %v", err)
	}
}

// operations are all the methods that write, each for any tenant and id.
var operations = map[string]func(context.Context, *store.Store, rollout.TenantID, string) error{
	"PutConfig": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutConfig(ctx, rollout.Config{Tenant: t, TimeZone: id})
	},
	"SaveAccounts": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		_, _, err := s.SaveAccounts(ctx, t, []rollout.Account{{ID: id}})
		return err
	},
	"PutAudit": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutAudit(ctx, t, rollout.AuditRun{MethodReason: id})
	},
	"PutCoverage": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutCoverage(ctx, t, rollout.CoveragePoint{Day: rollout.DateOf(noon).AddDays(len(id))})
	},
	"SaveObservations": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.SaveObservations(ctx, t, []rollout.Observation{{Account: id, Policy: "p", LastAt: noon}})
	},
	"PutWave": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutWave(ctx, t, rollout.Wave{Name: id})
	},
	"PutPolicy": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutPolicy(ctx, t, rollout.OwnedPolicy{Marker: id})
	},
	"PutGroup": func(ctx context.Context, s *store.Store, t rollout.TenantID, _ string) error {
		return s.PutGroup(ctx, t, rollout.OwnedGroup{Purpose: rollout.GroupReady})
	},
	"ClaimMessage": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.ClaimMessage(ctx, t, reminder(id, "ana", rollout.DateOf(noon)))
	},
	"PutMessage": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		m := reminder(id, "ana", rollout.DateOf(noon))
		m.Version = 1
		return s.PutMessage(ctx, t, m)
	},
	"MarkUnreachable": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.MarkUnreachable(ctx, t, id, "bounced")
	},
	"ClaimAlert": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.ClaimAlert(ctx, t, rollout.Alert{ID: id})
	},
	"PutAlert": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutAlert(ctx, t, rollout.Alert{ID: id, Version: 1})
	},
	"PutDrill": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutDrill(ctx, t, rollout.Drill{ID: id})
	},
	"AppendChange": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		_, err := s.AppendChange(ctx, t, rollout.Change{Kind: rollout.ChangeIntent, What: id})
		return err
	},
	"PutOrder": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutOrder(ctx, t, rollout.Order{ID: id})
	},
	"PutPause": func(ctx context.Context, s *store.Store, t rollout.TenantID, _ string) error {
		return s.PutPause(ctx, t, rollout.Pause{Paused: true})
	},
	"PutLockOut": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutLockOut(ctx, t, rollout.LockOut{Account: id})
	},
	"ChangeLockOut": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.ChangeLockOut(ctx, t, rollout.LockOutChange{After: &rollout.LockOut{Account: id}})
	},
	"PutAcceptance": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutAcceptance(ctx, t, rollout.NamedAcceptance{Wave: "everyone", Account: id})
	},
	"PutSubscription": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.PutSubscription(ctx, t, rollout.Subscription{ID: id})
	},
	"DeleteSubscription": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.DeleteSubscription(ctx, t, id)
	},
	"AcquireLease": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.AcquireLease(ctx, t, id, "owner", noon, time.Hour)
	},
	"ReleaseLease": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.ReleaseLease(ctx, t, id, "owner")
	},
	"MarkRun": func(ctx context.Context, s *store.Store, t rollout.TenantID, id string) error {
		return s.MarkRun(ctx, t, id, noon, "done")
	},
}

var operationNames = slices.Sorted(maps.Keys(operations))

// everythingOf reads all that can be read of a tenant.
func everythingOf(ctx context.Context, t rapid.TB, s *store.Store, tenant rollout.TenantID) map[string]any {
	all := map[string]any{}
	read := func(name string, value any, err error) {
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%s of %q: %v", name, tenant, err)
		}
		all[name] = value
	}
	config, err := s.Config(ctx, tenant)
	read("config", config, err)
	accounts, err := s.Accounts(ctx, tenant)
	read("accounts", accounts, err)
	audit, err := s.Audit(ctx, tenant)
	read("audit", audit, err)
	coverage, err := s.Coverage(ctx, tenant)
	read("coverage", coverage, err)
	observations, err := s.Observations(ctx, tenant)
	read("observations", observations, err)
	waves, err := s.Waves(ctx, tenant)
	read("waves", waves, err)
	policies, err := s.Policies(ctx, tenant)
	read("policies", policies, err)
	groups, err := s.Groups(ctx, tenant)
	read("groups", groups, err)
	messages, err := s.Messages(ctx, tenant)
	read("messages", messages, err)
	unreachable, err := s.Unreachable(ctx, tenant)
	read("unreachable", unreachable, err)
	alerts, err := s.Alerts(ctx, tenant)
	read("alerts", alerts, err)
	drills, err := s.Drills(ctx, tenant)
	read("drills", drills, err)
	changes, err := s.Changes(ctx, tenant)
	read("changes", changes, err)
	head, err := s.ChangeHead(ctx, tenant)
	read("head of the changes", head, err)
	orders, err := s.Orders(ctx, tenant)
	read("orders", orders, err)
	pause, err := s.Pause(ctx, tenant)
	read("pause", pause, err)
	lockOuts, err := s.LockOuts(ctx, tenant)
	read("lock-outs", lockOuts, err)
	acceptances, err := s.Acceptances(ctx, tenant)
	read("acceptances", acceptances, err)
	subscriptions, err := s.Subscriptions(ctx, tenant)
	read("subscriptions", subscriptions, err)
	for _, sub := range subscriptions {
		owner, err := s.TenantOfSubscription(ctx, sub.ID)
		read(fmt.Sprint("owner of ", sub.ID), owner, err)
	}
	runs, err := s.Runs(ctx, tenant)
	read("runs", runs, err)
	return all
}

package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// A list is read to its end: these are more than the 1 MB that DynamoDB gives at
// once. And it is sorted.
func listsFollowAllPages(t *testing.T, s *store.Store) {
	const n, size = 60, 40_000 // 2.4 MB: three pages, three batches
	var want []rollout.Account
	for i := range n {
		want = append(want, rollout.Account{ID: fmt.Sprintf("%04d", i), Evidence: strings.Repeat("e", size)})
	}
	shuffled := slices.Clone(want)
	slices.Reverse(shuffled)
	written, removed, err := s.SaveAccounts(t.Context(), contoso, shuffled)
	ok(t, err)
	same(t, []int{n, 0}, []int{written, removed})
	same(t, want, must(s.Accounts(t.Context(), contoso))(t))
}

func saveAccountsWritesOnlyWhatChanged(t *testing.T, s *store.Store) {
	account := func(id, department string) rollout.Account {
		// The same instant in the same zone, as another reading makes it.
		created := time.Date(2026, time.March, 1, 9, 0, 0, 5, time.FixedZone("", 3600))
		return rollout.Account{ID: id, Department: department, Created: created, Methods: []string{"fido2"}, Roles: nil}
	}
	steps := []struct {
		name             string
		want             []rollout.Account
		written, removed int
	}{
		{"first", []rollout.Account{account("a", "1"), account("b", "1"), account("c", "1")}, 3, 0},
		{"nothing changed", []rollout.Account{account("c", "1"), account("b", "1"), account("a", "1")}, 0, 0},
		{"one changed, one new", []rollout.Account{account("a", "1"), account("b", "2"), account("c", "1"), account("d", "1")}, 2, 0},
		{"two gone", []rollout.Account{account("a", "1"), account("d", "1")}, 0, 2},
		{"one twice: the later counts", []rollout.Account{account("a", "0"), account("d", "1"), account("a", "3")}, 1, 0},
	}
	for _, step := range steps {
		written, removed, err := s.SaveAccounts(t.Context(), contoso, step.want)
		ok(t, err)
		if written != step.written || removed != step.removed {
			t.Fatalf("%s: %d written and %d removed, want %d and %d", step.name, written, removed, step.written, step.removed)
		}
	}
	same(t, []rollout.Account{account("a", "3"), account("d", "1")}, must(s.Accounts(t.Context(), contoso))(t))
}

// An empty listing never changes anything.
func saveAccountsRefusesAnEmptyList(t *testing.T, s *store.Store) {
	ok(t, saveAccount(s)(t.Context(), contoso, rollout.Account{ID: "a"}))
	for _, none := range [][]rollout.Account{nil, {}} {
		if _, _, err := s.SaveAccounts(t.Context(), contoso, none); err == nil {
			t.Error("an empty list was taken for an empty tenant")
		}
	}
	same(t, 1, len(must(s.Accounts(t.Context(), contoso))(t)))
}

func saveObservationsKeepsTheLatest(t *testing.T, s *store.Store) {
	seen := func(account, result string, at time.Duration) rollout.Observation {
		return rollout.Observation{Account: account, Policy: "p", Result: result, LastAt: noon.Add(at)}
	}
	save := func(observations ...rollout.Observation) {
		t.Helper()
		ok(t, s.SaveObservations(t.Context(), contoso, observations))
	}
	save(seen("a", "second", 2), seen("b", "first", 1), seen("a", "first", 1))
	save(seen("a", "first", 1)) // the log brings it again
	save(seen("b", "second", 2), seen("b", "third", 3))
	save()
	same(t, []rollout.Observation{seen("a", "second", 2), seen("b", "third", 3)},
		must(s.Observations(t.Context(), contoso))(t))
}

func listsAreSorted(t *testing.T, s *store.Store) {
	day, second := rollout.DateOf(noon), noon.Truncate(time.Second)
	for _, n := range []int{3, 0, 40, 11} {
		ok(t, s.PutCoverage(t.Context(), contoso, rollout.CoveragePoint{Day: day.AddDays(n)}))
		ok(t, s.PutLockOut(t.Context(), contoso, rollout.LockOut{Account: "ana", OpenedAt: second.Add(time.Duration(n) * 1e8)}))
	}
	var days []int
	for _, p := range must(s.Coverage(t.Context(), contoso))(t) {
		days = append(days, day.DaysUntil(p.Day))
	}
	same(t, []int{0, 3, 11, 40}, days)

	var opened []time.Duration
	for _, l := range must(s.LockOuts(t.Context(), contoso))(t) {
		opened = append(opened, l.OpenedAt.Sub(second)/1e8)
	}
	same(t, []time.Duration{0, 3, 11, 40}, opened)
}

func tenantsAreThoseWithAConfig(t *testing.T, s *store.Store) {
	same(t, 0, len(must(s.Tenants(t.Context()))(t)))
	for _, tenant := range []rollout.TenantID{fabrikam, contoso, fabrikam} {
		ok(t, s.PutConfig(t.Context(), rollout.Config{Tenant: tenant}))
	}
	ok(t, s.PutWave(t.Context(), "other.onmicrosoft.com", rollout.Wave{Name: "everyone"}))
	same(t, []rollout.TenantID{contoso, fabrikam}, must(s.Tenants(t.Context()))(t))
}

func subscriptionPointsToItsTenant(t *testing.T, s *store.Store) {
	first := rollout.Subscription{ID: "s1", Resource: "/auditLogs/signIns", ExpiresAt: noon}
	ok(t, s.PutSubscription(t.Context(), contoso, first))
	renewed := first
	renewed.ExpiresAt = noon.Add(time.Hour)
	ok(t, s.PutSubscription(t.Context(), contoso, renewed))
	same(t, contoso, must(s.TenantOfSubscription(t.Context(), "s1"))(t))
	same(t, []rollout.Subscription{renewed}, must(s.Subscriptions(t.Context(), contoso))(t))

	// Another tenant can neither take it over nor take it away.
	wantErr(t, store.ErrConflict, s.PutSubscription(t.Context(), fabrikam, first))
	wantErr(t, store.ErrConflict, s.DeleteSubscription(t.Context(), fabrikam, "s1"))
	same(t, 0, len(must(s.Subscriptions(t.Context(), fabrikam))(t)))
	same(t, contoso, must(s.TenantOfSubscription(t.Context(), "s1"))(t))

	ok(t, s.DeleteSubscription(t.Context(), contoso, "s1"))
	ok(t, s.DeleteSubscription(t.Context(), contoso, "s1"))
	_, err := s.TenantOfSubscription(t.Context(), "s1")
	wantErr(t, store.ErrNotFound, err)
	same(t, 0, len(must(s.Subscriptions(t.Context(), contoso))(t)))
}

func unreachableKeepsTheLastReason(t *testing.T, s *store.Store) {
	same(t, map[string]string{}, must(s.Unreachable(t.Context(), contoso))(t))
	ok(t, s.MarkUnreachable(t.Context(), contoso, "ana", "mailbox full"))
	ok(t, s.MarkUnreachable(t.Context(), contoso, "ben", ""))
	ok(t, s.MarkUnreachable(t.Context(), contoso, "ana", "no such mailbox"))
	same(t, map[string]string{"ana": "no such mailbox", "ben": ""}, must(s.Unreachable(t.Context(), contoso))(t))
}

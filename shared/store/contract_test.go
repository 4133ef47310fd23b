package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/emulator"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	contoso  = rollout.TenantID("contoso.onmicrosoft.com")
	fabrikam = rollout.TenantID("fabrikam.onmicrosoft.com")
)

// noon is a moment with a zone and nanoseconds, as a table must keep it.
var noon = time.Date(2026, time.December, 1, 12, 0, 0, 123456789, time.FixedZone("", 5*3600+45*60))

// contract is what must hold of a store, whatever its table. Each test gets an
// empty one.
var contract = map[string]func(*testing.T, *store.Store){
	"lock-outs change":                           lockOutsChange,
	"records read back as written":               recordsReadBackAsWritten,
	"records are copies":                         recordsAreCopies,
	"one winner of fifty":                        oneWinnerOfFifty,
	"a message once per person and day":          claimMessageOncePerPersonAndDay,
	"a late message takes the day it is sent on": putMessageTakesTheDayItIsSentOn,
	"no message without a claim":                 putMessageWithoutClaimIsRefused,
	"optimistic writes":                          optimisticWrites,
	"leases":                                     leases,
	"lists follow all pages":                     listsFollowAllPages,
	"lists are sorted":                           listsAreSorted,
	"accounts: only what changed is written":     saveAccountsWritesOnlyWhatChanged,
	"accounts: an empty list is refused":         saveAccountsRefusesAnEmptyList,
	"observations: the latest is kept":           saveObservationsKeepsTheLatest,
	"paused in the file or by hand":              pausedInTheFileOrByHand,
	"tenants are those with a config":            tenantsAreThoseWithAConfig,
	"a subscription points to its tenant":        subscriptionPointsToItsTenant,
	"unreachable: the last reason is kept":       unreachableKeepsTheLastReason,
	"no operation touches another tenant":        noOperationTouchesAnotherTenant,
	"no record takes the place of another":       noRecordTakesThePlaceOfAnother,
	"no record without tenant or id":             recordsWithoutTenantOrIDAreRefused,
	"large records fit":                          largeRecordsFit,
	"too large is refused by name":               tooLargeIsRefusedByName,
	"cancelled":                                  cancelled,
}

func TestMemory(t *testing.T) {
	for name, test := range changeLog {
		t.Run("change log: "+name, func(t *testing.T) { test(t, store.NewMemory()) })
	}
	for name, test := range contract {
		t.Run(name, func(t *testing.T) { test(t, store.New(store.NewMemory())) })
	}
}

// TestDynamoDB runs the contract, and what only DynamoDB can do, against one
// DynamoDB Local.
func TestDynamoDB(t *testing.T) {
	d := dynamo{endpoint: emulator.DynamoDB(t)}
	for name, test := range changeLog {
		t.Run("change log: "+name, func(t *testing.T) { test(t, store.NewDynamo(d.client(), d.table(t))) })
	}
	for name, test := range contract {
		t.Run(name, func(t *testing.T) { test(t, store.New(store.NewDynamo(d.client(), d.table(t)))) })
	}
	for name, test := range map[string]func(*testing.T){
		"unprocessed items are sent again":         d.unprocessedItemsAreSentAgain,
		"unprocessed items for ever":               d.unprocessedItemsForEver,
		"unprocessed items until the run ends":     d.unprocessedItemsUntilTheRunEnds,
		"cancelled transactions":                   d.cancelledTransactions,
		"a write meets a transaction":              d.writeMeetsTransaction,
		"a query breaks off":                       d.queryBreaksOff,
		"attributes":                               d.attributes,
		"too large is what DynamoDB does not take": d.tooLargeIsWhatDynamoDBDoesNotTake,
	} {
		t.Run(name, test)
	}
}

// must returns the value of a call that may not fail.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same fails unless both are equal, times to the nanosecond and the offset, and
// nil lists apart from empty ones.
func same(t testing.TB, want, got any) {
	t.Helper()
	sameTime := cmp.Comparer(func(a, b time.Time) bool {
		return a.Format(time.RFC3339Nano) == b.Format(time.RFC3339Nano)
	})
	if diff := cmp.Diff(want, got, sameTime); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

// atOnce runs n calls at the same moment and returns their errors.
func atOnce(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	calls.Wait()
	return errs
}

func wantErr(t testing.TB, want, got error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

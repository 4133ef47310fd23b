package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// One tenant's failure never stops another's, and every failure is named.
func TestEachTenantGoesOnAfterAFailure(t *testing.T) {
	b := newBench()
	for _, tenant := range []rollout.TenantID{"a.onmicrosoft.com", contoso, fabrikam} {
		if err := b.table.PutConfig(t.Context(), rollout.Config{Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	var visited []rollout.TenantID
	err := b.EachTenant(t.Context(), b.table, "audit", noon,
		func(_ context.Context, tenant rollout.TenantID, now time.Time, sum *job.Summary) error {
			visited = append(visited, tenant)
			sum.Count("accounts", 1)
			same(t, noon, now)
			if tenant == contoso {
				return errIt
			}
			return nil
		})
	same(t, []rollout.TenantID{"a.onmicrosoft.com", contoso, fabrikam}, visited)
	if !errors.Is(err, errIt) || err.Error() != "audit of contoso.onmicrosoft.com: it does not work" {
		t.Fatalf("got error %v, want Contoso's alone", err)
	}
	var outcomes []any
	for _, line := range lines(t, b.log) {
		outcomes = append(outcomes, line["outcome"])
	}
	same(t, []any{"done", "failed", "done"}, outcomes)
	same(t, 2, strings.Count(b.metrics.String(), `"JobSuccess":1`))
	same(t, 0, strings.Count(b.metrics.String(), "contoso"))
}

func TestEachTenantWithoutAList(t *testing.T) {
	b := newBench()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.EachTenant(ctx, b.table, "audit", noon,
		func(context.Context, rollout.TenantID, time.Time, *job.Summary) error { return nil })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "list the tenants") {
		t.Fatalf("got error %v", err)
	}
}

// An event sent by hand has no time: then it is now.
func TestEventWithoutTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		`{}`: noon.Add(time.Minute),
		`{"id": "1", "time": "2026-12-01T02:00:00Z"}`: noon.Add(-10 * time.Hour),
	} {
		var event job.ScheduledEvent
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			t.Fatal(err)
		}
		b := newBench()
		b.clock.now = noon.Add(time.Minute)
		if err := b.table.PutConfig(t.Context(), rollout.Config{Tenant: contoso}); err != nil {
			t.Fatal(err)
		}
		var got time.Time
		err := b.EachTenant(t.Context(), b.table, "audit", event.Time,
			func(_ context.Context, _ rollout.TenantID, now time.Time, _ *job.Summary) error {
				got = now
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		same(t, want, got)
	}
}

func TestForEachTenantStopsWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var visited []rollout.TenantID
	err := job.ForEachTenant(ctx, []rollout.TenantID{"a", "b", "c", "d"}, func(_ context.Context, tenant rollout.TenantID) error {
		visited = append(visited, tenant)
		if tenant == "b" {
			cancel()
			return errIt
		}
		return nil
	})
	same(t, []rollout.TenantID{"a", "b"}, visited)
	if !errors.Is(err, errIt) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "2 of 4 tenants not begun, c the first") {
		t.Fatalf("got error %v", err)
	}
}

func TestSummaryCapsItsIDs(t *testing.T) {
	b := newBench()
	err := b.run(t, func(_ context.Context, sum *job.Summary) error {
		for i := range 103 {
			sum.Note("changed", fmt.Sprint(i))
		}
		sum.Note("other", "x")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := lines(t, b.log)[0]["ids"].(map[string]any)
	changed := ids["changed"].([]any)
	same(t, []any{101, "99", "and 3 more"}, []any{len(changed), changed[99], changed[100]})
	same(t, []any{"x"}, ids["other"])
}

func TestWall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (job.Wall{}).Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want context.Canceled", err)
	}
	if zone := (job.Wall{}).Now().Location(); zone != time.UTC {
		t.Fatalf("the time is that of %s, want UTC", zone)
	}
}

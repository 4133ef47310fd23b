package audit_test

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/functions/audit"
	"sallyport/shared/archive"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Every night the change log is recomputed, and compared with where it ended the
// night before: what was changed or dropped meanwhile is a finding, until it is
// mended.
func TestChangeLogIsVerified(t *testing.T) {
	const tenant = rollout.TenantID("contoso.onmicrosoft.com")
	table := store.NewMemory()
	b := newBooks(t, newFirm())
	b.table = store.New(table)
	b.audit.Table = b.table
	if err := b.table.PutConfig(t.Context(), rollout.Config{Tenant: tenant, TimeZone: "UTC", GraceDays: 14}); err != nil {
		t.Fatal(err)
	}
	add := func() rollout.Change {
		c, err := b.table.AppendChange(t.Context(), tenant, rollout.Change{Kind: rollout.ChangeNote, What: "pause", At: firmNight})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	broken := func(night int) bool {
		run, _ := b.night(t, night)
		return slices.ContainsFunc(rollout.Present(run.Findings), func(f rollout.Finding) bool {
			return f.ID == rollout.FindingBrokenLog && f.Severity == rollout.SeverityCritical
		})
	}
	write := func(kind, id string, version int64, data any) {
		w := store.Write{Item: store.Item{Key: store.Key{PK: string(tenant) + "#" + kind, SK: id}, Version: version, Data: data}, Delete: data == nil}
		if err := table.Write(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	if broken(0) {
		t.Error("an empty log was found broken")
	}
	first, last := add(), add()
	head, err := b.table.ChangeHead(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	if broken(1) {
		t.Error("a log that holds was found broken")
	}

	changed := first
	changed.Reason = "another"
	write("changes", "000000000002", 0, changed)
	if !broken(2) {
		t.Error("a changed entry was not found")
	}
	write("changes", "000000000002", 0, first)
	if broken(3) {
		t.Error("the entry is as it was, and is still found broken")
	}

	// The newest entry is dropped and the head set back: only the archive knows.
	write("changes", "000000000003", 0, nil)
	write("changeHead", "current", 2, rollout.ChangeHead{Seq: 2, Hash: first.Hash, Version: 2})
	for _, night := range []int{4, 5} {
		if !broken(night) {
			t.Errorf("night %d: the dropped entry was not found", night)
		}
	}
	write("changes", "000000000003", 0, last)
	write("changeHead", "current", 3, head)
	if broken(6) {
		t.Error("the log is as it was, and is still found broken")
	}

	name := archive.Name(tenant, archive.KindLogHead, "2099-01-01")
	if err := b.audit.Archive.Put(t.Context(), name, strings.NewReader("nonsense")); err != nil {
		t.Fatal(err)
	}
	if !broken(7) {
		t.Error("an unreadable copy of the log's end was taken for none")
	}
}

// The line of the run says where the log ends: it lies outside the table.
func TestChangeLogEndIsInTheLine(t *testing.T) {
	const tenant = rollout.TenantID("contoso.onmicrosoft.com")
	b := newBooks(t, newFirm())
	c, err := b.table.AppendChange(t.Context(), tenant, rollout.Change{Kind: rollout.ChangeNote, What: "pause", At: firmNight})
	if err != nil {
		t.Fatal(err)
	}
	var line strings.Builder
	runner := job.Runner{Leases: b.table, Clock: wallAt{}, Log: slog.New(slog.NewTextHandler(&line, nil)), Metrics: io.Discard, TTL: time.Hour, Bound: job.Unbounded, Owner: func() string { return "x" }}
	handler := audit.Handler{Audit: b.audit, Tenants: b.table, Runner: runner}
	if err := handler.Handle(t.Context(), audit.Event{ScheduledEvent: job.ScheduledEvent{Time: firmNight}}); err != nil {
		t.Fatal(err)
	}
	want := (rollout.ChangeHead{Seq: c.Seq, Hash: c.Hash}).String()
	if !strings.Contains(line.String(), want) {
		t.Errorf("the line does not say %s: %s", want, line.String())
	}
}

package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// changeLog is what must hold of the change log, whatever its table.
var changeLog = map[string]func(*testing.T, store.Table){
	"a chain of entries":           changesAreAChain,
	"concurrent writers no fork":   changesNeverFork,
	"tampering is named":           tamperingIsNamed,
	"dropping the end is named":    droppingTheEndIsNamed,
	"a fork is refused":            forkIsRefused,
	"older lines are hashed":       olderLinesAreHashed,
	"no entry is none of its kind": uselessEntriesAreRefused,
}

func entryKey(seq int64) store.Key {
	return store.Key{PK: string(contoso) + "#changes", SK: fmt.Sprintf("%012d", seq)}
}

var headKey = store.Key{PK: string(contoso) + "#changeHead", SK: "current"}

// filled is an intent with everything in it, and its result.
func filled(t *testing.T, s *store.Store) (intent, result rollout.Change) {
	t.Helper()
	var c rollout.Change
	fill(reflect.ValueOf(&c).Elem(), 1)
	c.Kind = rollout.ChangeIntent
	intent = must(s.AppendChange(t.Context(), contoso, c))(t)
	result = must(s.AppendChange(t.Context(), contoso, rollout.Change{Kind: rollout.ChangeResult, What: "x", Of: intent.Seq, Result: "done", At: noon}))(t)
	return intent, result
}

// broken fails unless the log is found broken at that entry.
func broken(t *testing.T, seq int64, err error) {
	t.Helper()
	var found *rollout.BrokenChainError
	if !errors.As(err, &found) || found.Seq != seq {
		t.Fatalf("got error %v, want the log broken at entry %d", err, seq)
	}
}

// Entries read back as they were written: numbered, bound to one another, and
// after the genesis.
func changesAreAChain(t *testing.T, table store.Table) {
	s := store.New(table)
	same(t, rollout.ChangeHead{}, must(s.VerifyChanges(t.Context(), contoso))(t))
	intent, result := filled(t, s)
	changes := must(s.Changes(t.Context(), contoso))(t)
	same(t, 3, len(changes))
	same(t, []rollout.Change{intent, result}, changes[1:])
	same(t, intent, must(s.Change(t.Context(), contoso, 2))(t))
	same(t, []any{int64(1), rollout.ChangeGenesis, string(contoso), ""}, []any{changes[0].Seq, changes[0].Kind, changes[0].Target, changes[0].Prev})
	same(t, []string{changes[0].Hash, intent.Hash}, []string{intent.Prev, result.Prev})

	head := must(s.ChangeHead(t.Context(), contoso))(t)
	same(t, []any{int64(3), result.Hash, 0}, []any{head.Seq, head.Hash, len(head.Open)})
	open := must(s.AppendChange(t.Context(), contoso, rollout.Change{Kind: rollout.ChangeIntent, What: "x", At: noon}))(t)
	unsure := rollout.Change{Kind: rollout.ChangeResult, What: "x", Of: open.Seq, Result: "no answer", At: noon}
	must(s.AppendChange(t.Context(), contoso, unsure))(t)
	same(t, []int64{open.Seq}, must(s.ChangeHead(t.Context(), contoso))(t).Open)
	same(t, int64(5), must(s.VerifyChanges(t.Context(), contoso, rollout.ChangeHead{Seq: 2, Hash: intent.Hash}))(t).Seq)
}

// However many write at once, there is one log without a gap.
func changesNeverFork(t *testing.T, table store.Table) {
	s := store.New(table)
	const writers = 20
	for _, err := range atOnce(writers, func(i int) error {
		_, err := s.AppendChange(t.Context(), contoso, rollout.Change{Kind: rollout.ChangeIntent, What: fmt.Sprint("write ", i), At: noon})
		return err
	}) {
		ok(t, err)
	}
	head := must(s.VerifyChanges(t.Context(), contoso))(t)
	same(t, int64(writers+1), head.Seq)
	seen := map[string]bool{}
	for _, c := range must(s.Changes(t.Context(), contoso))(t)[1:] {
		seen[c.What] = true
	}
	same(t, writers, len(seen))
}

// Each field of each entry that is changed by hand is noticed, and the entry is
// named.
func tamperingIsNamed(t *testing.T, table store.Table) {
	s := store.New(table)
	filled(t, s)
	entries := must(s.Changes(t.Context(), contoso))(t)
	put := func(c rollout.Change, seq int64) {
		ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: entryKey(seq), Data: c}}))
	}
	for _, entry := range entries {
		for i := range reflect.TypeFor[rollout.Change]().NumField() {
			changed := entry
			spoilField(reflect.ValueOf(&changed).Elem().Field(i))
			put(changed, entry.Seq)
			want := entry.Seq
			if reflect.TypeFor[rollout.Change]().Field(i).Name == "Seq" {
				want = min(entry.Seq, changed.Seq)
			}
			_, err := s.VerifyChanges(t.Context(), contoso)
			broken(t, want, err)
			put(entry, entry.Seq)
		}
	}
	must(s.VerifyChanges(t.Context(), contoso))(t)

	// Taken out, put in, exchanged.
	for _, entry := range entries[:2] {
		ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: entryKey(entry.Seq)}, Delete: true}))
		_, err := s.VerifyChanges(t.Context(), contoso)
		broken(t, entry.Seq, err)
		put(entry, entry.Seq)
	}
	put(entries[1], 3)
	put(entries[2], 2)
	_, err := s.VerifyChanges(t.Context(), contoso)
	broken(t, 2, err)
	put(entries[1], 2)
	put(entries[2], 3)
	more, _ := rollout.Seal(rollout.Change{Kind: rollout.ChangeNote, What: "put in by hand", At: noon}, must(s.ChangeHead(t.Context(), contoso))(t))
	put(more, 4)
	_, err = s.VerifyChanges(t.Context(), contoso)
	broken(t, 4, err)
}

// spoilField gives a field another value.
func spoilField(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Slice:
		v.Set(reflect.ValueOf([]string{"somebody else"}))
	default:
		v.Set(reflect.ValueOf(noon.Add(time.Hour)))
	}
}

// The newest entries cannot be dropped: the head knows of them; and with the head
// set back or gone, whoever wrote it down elsewhere does.
func droppingTheEndIsNamed(t *testing.T, table store.Table) {
	s := store.New(table)
	filled(t, s)
	head := must(s.ChangeHead(t.Context(), contoso))(t)
	drop := func(key store.Key) {
		ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: key}, Delete: true}))
	}
	last := must(s.Change(t.Context(), contoso, 3))(t)
	drop(entryKey(3))
	_, err := s.VerifyChanges(t.Context(), contoso)
	broken(t, 3, err)

	intent := must(s.Change(t.Context(), contoso, 2))(t)
	set := rollout.ChangeHead{Seq: 2, Hash: intent.Hash, Open: []int64{2}, Version: 2}
	ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: headKey, Version: 2, Data: set}}))
	must(s.VerifyChanges(t.Context(), contoso))(t) // the table alone does not show it
	_, err = s.VerifyChanges(t.Context(), contoso, head)
	broken(t, 3, err)

	// The log goes on from there: what was written down still shows it.
	must(s.AppendChange(t.Context(), contoso, rollout.Change{Kind: rollout.ChangeNote, What: "another history", At: noon}))(t)
	_, err = s.VerifyChanges(t.Context(), contoso, head)
	broken(t, 3, err)

	drop(headKey)
	_, err = s.VerifyChanges(t.Context(), contoso)
	broken(t, 1, err)
	ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: entryKey(3), Data: last}}))
	set = head
	set.Hash = strings.Repeat("0", 64)
	ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: headKey, Version: 2, Data: set}}))
	_, err = s.VerifyChanges(t.Context(), contoso)
	broken(t, 3, err)
	set = head
	set.Open = []int64{2}
	ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: headKey, Version: 2, Data: set}}))
	_, err = s.VerifyChanges(t.Context(), contoso)
	broken(t, 3, err)
	ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: headKey, Version: 2, Data: head}}))
	must(s.VerifyChanges(t.Context(), contoso, head))(t)
}

// A head that was set back by hand leads to no second entry of a number.
func forkIsRefused(t *testing.T, table store.Table) {
	s := store.New(table)
	filled(t, s)
	before := must(s.Changes(t.Context(), contoso))(t)
	set := rollout.ChangeHead{Seq: 2, Hash: before[1].Hash, Version: 9}
	ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: headKey, Version: 9, Data: set}}))
	_, err := s.AppendChange(t.Context(), contoso, rollout.Change{Kind: rollout.ChangeNote, What: "x", At: noon})
	wantErr(t, store.ErrLogForked, err)
	same(t, before, must(s.Changes(t.Context(), contoso))(t))
}

// The genesis holds on to what was logged before there was a chain.
func olderLinesAreHashed(t *testing.T, table store.Table) {
	s := store.New(table)
	for _, id := range []string{"a", "b"} {
		line := map[string]any{"id": id, "what": "createGroup", "version": 2}
		ok(t, table.Write(t.Context(), store.Write{Item: store.Item{Key: store.Key{PK: string(contoso) + "#change", SK: id}, Version: 2, Data: line}}))
	}
	filled(t, s)
	genesis := must(s.Change(t.Context(), contoso, 1))(t)
	// printf '{"id":"a","version":2,"what":"createGroup"}\n{"id":"b","version":2,"what":"createGroup"}\n' | sha256sum
	same(t, "2 earlier lines, sha256 319ca8043d0a985452e21e97fac48f16f19a7fdad0ea3676b54ec63a1c709d12", genesis.Before)
	same(t, 3, len(must(s.Changes(t.Context(), contoso))(t)))
	same(t, false, slices.ContainsFunc(must(s.Changes(t.Context(), fabrikam))(t), func(rollout.Change) bool { return true }))
}

func uselessEntriesAreRefused(t *testing.T, table store.Table) {
	s := store.New(table)
	for _, c := range []rollout.Change{{What: "x"}, {Kind: rollout.ChangeNote}, {Kind: rollout.ChangeGenesis, What: "begin"}} {
		if _, err := s.AppendChange(t.Context(), contoso, c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	same(t, 0, len(must(s.Changes(t.Context(), contoso))(t)))
}

// Whoever goes by the config is paused by the file and by hand alike.
func pausedInTheFileOrByHand(t *testing.T, s *store.Store) {
	for i, tt := range []struct{ file, hand, want bool }{{false, false, false}, {true, false, true}, {false, true, true}, {true, true, true}} {
		tenant := rollout.TenantID(fmt.Sprintf("paused%d.onmicrosoft.com", i))
		ok(t, s.PutConfig(t.Context(), rollout.Config{Tenant: tenant, Paused: tt.file}))
		ok(t, s.PutPause(t.Context(), tenant, rollout.Pause{Paused: tt.hand, By: "an operator"}))
		same(t, tt.want, must(s.Config(t.Context(), tenant))(t).Paused)
	}
	ok(t, s.PutPause(t.Context(), "paused2.onmicrosoft.com", rollout.Pause{Version: 1}))
	same(t, false, must(s.Config(t.Context(), "paused2.onmicrosoft.com"))(t).Paused)
}

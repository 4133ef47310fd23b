package rollout_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

var logTime = time.Date(2026, time.November, 11, 11, 10, 0, 500, time.FixedZone("", 3600))

// chained seals entries one after the other.
func chained(entries ...rollout.Change) ([]rollout.Change, rollout.ChangeHead) {
	var log []rollout.Change
	var head rollout.ChangeHead
	for _, c := range append([]rollout.Change{rollout.Genesis("contoso.onmicrosoft.com", "", logTime)}, entries...) {
		if c.At.IsZero() {
			c.At = logTime
		}
		c, head = rollout.Seal(c, head)
		log = append(log, c)
	}
	return log, head
}

func intent(what, target, before, after string) rollout.Change {
	return rollout.Change{Kind: rollout.ChangeIntent, What: what, Target: target, Before: before, After: after}
}

func result(of int64, text string) rollout.Change {
	return rollout.Change{Kind: rollout.ChangeResult, Of: of, What: "x", Result: text}
}

// check recomputes a log.
func check(log []rollout.Change, head rollout.ChangeHead, known ...rollout.ChangeHead) error {
	k := rollout.ChainCheck{Tenant: "contoso.onmicrosoft.com"}
	for _, h := range known {
		k.Expect(h)
	}
	for _, c := range log {
		if err := k.Add(c); err != nil {
			return err
		}
	}
	return k.End(head)
}

func wantBroken(t *testing.T, what string, err error, seq int64) {
	t.Helper()
	var broken *rollout.BrokenChainError
	if !errors.As(err, &broken) || broken.Seq != seq {
		t.Errorf("%s: got %v, want the log broken at entry %d", what, err, seq)
	}
}

// The form that is hashed is written out here once: it may never change, since
// every hash would.
func TestCanonical(t *testing.T) {
	c := rollout.Change{
		Seq: 7, Kind: rollout.ChangeIntent, At: logTime, By: "enforce", Run: "r", Order: "o", Of: 1, Undoes: 2, What: "w",
		Target: "Zoë <&>", Before: "a\"b\\c", After: "\b\t\n\f\r\x01\u2028", Added: []string{"x", "y"}, Copy: `{"a":1}`, Prev: "p", Hash: "not part of it",
	}
	want := `{"added":["x","y"],"after":"\b\t\n\f\r\u0001` + "\u2028" + `","at":"2026-11-11T10:10:00.0000005Z","before":"a\"b\\c","by":"enforce","copy":"{\"a\":1}",` +
		`"kind":"intent","of":1,"order":"o","prev":"p","reason":"","removed":null,"result":"","run":"r","seq":7,"target":"Zoë <&>","undoes":2,"what":"w"}`
	if got := string(rollout.Canonical(c)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	sum := sha256.Sum256([]byte(want))
	if got := rollout.HashOf(c); got != hex.EncodeToString(sum[:]) {
		t.Errorf("hash %s, want %x", got, sum)
	}
}

// Whoever takes "hash" out of an exported line and writes the rest with sorted
// names gets what was hashed, whatever stands in it.
func TestCanonicalIsTheExportSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("\"\\/<>&\x00\x1f\x7f\u2028\u2029é𝄞"))))
		c, _ := rollout.Seal(rollout.Change{
			Kind: rollout.ChangeNote, At: logTime, What: text.Draw(t, "what"), Reason: text.Draw(t, "reason"), Copy: text.Draw(t, "copy"),
			Added: rapid.SliceOf(text).Draw(t, "added"), Of: rapid.Int64Range(0, 1<<53-1).Draw(t, "of"),
		}, rollout.ChangeHead{})
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		members := map[string]json.RawMessage{}
		if err := json.Unmarshal(line, &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "hash")
		var back, canonical any
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(members)) {
			parts = append(parts, fmt.Sprintf("%q:%s", name, members[name]))
		}
		joined := "{" + strings.Join(parts, ",") + "}"
		if err := errors.Join(json.Unmarshal([]byte(joined), &back), json.Unmarshal(rollout.Canonical(c), &canonical)); err != nil {
			t.Fatalf("no JSON: %v", err)
		}
		if !reflect.DeepEqual(back, canonical) {
			t.Fatalf("the export says\n%s\nthe canonical form\n%s", joined, rollout.Canonical(c))
		}
		var again rollout.Change
		if err := json.Unmarshal(line, &again); err != nil || rollout.HashOf(again) != c.Hash {
			t.Fatalf("an exported entry has another hash: %v", err)
		}
	})
}

func TestChainHolds(t *testing.T) {
	log, head := chained(intent("a", "", "", ""), result(2, "no answer"), result(2, rollout.ResultFoundDone), intent("b", "", "", ""))
	if err := check(log, head, rollout.ChangeHead{Seq: 3, Hash: log[2].Hash}, head); err != nil {
		t.Error(err)
	}
	if head.Seq != 5 || !slices.Equal(head.Open, []int64{5}) {
		t.Errorf("head %+v, want 5 entries and the last one open", head)
	}
	if err := check(nil, rollout.ChangeHead{}); err != nil {
		t.Errorf("an empty log: %v", err)
	}
	// The chain is not broken by bytes that are no text.
	odd, _ := rollout.Seal(rollout.Change{Kind: rollout.ChangeNote, What: "x", Reason: "a\xffb", Added: []string{"\xfe"}}, rollout.ChangeHead{})
	if odd.Reason != "a\uFFFDb" || odd.Added[0] != "\uFFFD" {
		t.Errorf("kept %q and %q, which JSON cannot", odd.Reason, odd.Added)
	}
}

// Every way of changing a log by hand is noticed, and the entry named.
func TestChainBreaks(t *testing.T) {
	fresh := func() ([]rollout.Change, rollout.ChangeHead) {
		return chained(intent("a", "", "", ""), result(2, "done"), intent("b", "", "", ""), result(4, "done"))
	}
	// rewritten seals entries anew from an index on, as somebody who knows how.
	rewritten := func(log []rollout.Change, from int) ([]rollout.Change, rollout.ChangeHead) {
		var head rollout.ChangeHead
		for i, c := range log {
			if i >= from {
				c, head = rollout.Seal(c, head)
				log[i] = c
				continue
			}
			_, head = rollout.Seal(c, head)
		}
		return log, head
	}
	for name, tt := range map[string]struct {
		change func(log []rollout.Change, head rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead)
		at     int64
	}{
		"a field": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l[2].Result = "it failed"
			return l, h
		}, 3},
		"a field and its hash": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l[2].Result = "it failed"
			l[2].Hash = rollout.HashOf(l[2])
			return l, h
		}, 4},
		"the last entry and its hash": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l[4].Reason = "another"
			l[4].Hash = rollout.HashOf(l[4])
			return l, h
		}, 5},
		"removed": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			return slices.Delete(l, 1, 2), h
		}, 2},
		"the first removed": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			return l[1:], h
		}, 1},
		"truncated": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			return l[:3], h
		}, 4},
		"all gone": {func(_ []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			return nil, h
		}, 1},
		"exchanged": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l[1], l[2] = l[2], l[1]
			return l, h
		}, 2},
		"twice": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			return slices.Insert(l, 2, l[1]), h
		}, 2},
		"put in": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			more, _ := rollout.Seal(rollout.Change{Kind: rollout.ChangeNote, What: "x"}, rollout.ChangeHead{Seq: 5, Hash: l[4].Hash})
			return append(l, more), h
		}, 6},
		"the head set back by two": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			h.Seq, h.Hash = 3, l[2].Hash
			return l, h
		}, 4},
		"numbered anew": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l = slices.Delete(l, 1, 3)
			l[1].Seq, l[2].Seq = 2, 3
			return l, h
		}, 2},
		"a second genesis": {func(l []rollout.Change, _ rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l[3].Kind = rollout.ChangeGenesis
			return rewritten(l, 3)
		}, 4},
		"no genesis": {func(l []rollout.Change, _ rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l[0].Kind = rollout.ChangeNote
			return rewritten(l, 0)
		}, 1},
		"another tenant's": {func(l []rollout.Change, _ rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l[0].Target = "fabrikam.onmicrosoft.com"
			return rewritten(l, 0)
		}, 1},
		"a result before its intent": {func(l []rollout.Change, _ rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			l[2].Of = 4
			return rewritten(l, 2)
		}, 3},
		"the head's hash": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			h.Hash = l[3].Hash
			return l, h
		}, 5},
		"the head's open intents": {func(l []rollout.Change, h rollout.ChangeHead) ([]rollout.Change, rollout.ChangeHead) {
			h.Open = []int64{2}
			return l, h
		}, 5},
	} {
		log, head := fresh()
		if err := check(log, head); err != nil {
			t.Fatal(err)
		}
		log, changed := tt.change(log, head)
		wantBroken(t, name, check(log, changed), tt.at)
	}

	// Written anew from an entry on, with a head that fits: only who has written
	// the old head down knows.
	log, head := fresh()
	log[2].Result = "it failed"
	log, anew := rewritten(log, 2)
	if err := check(log, anew); err != nil {
		t.Errorf("a log that was written anew with care holds by itself: %v", err)
	}
	wantBroken(t, "written anew", check(log, anew, head), 5)
	log, head = fresh()
	wantBroken(t, "cut short with its head", check(log[:3], rollout.ChangeHead{Seq: 3, Hash: log[2].Hash}, head), 4)

	// What is broken once stays so.
	var k rollout.ChainCheck
	wantBroken(t, "first", k.Add(log[1]), 1)
	wantBroken(t, "afterwards", k.Add(log[0]), 1)
	wantBroken(t, "at the end", k.EndOfExport(), 1)
}

func TestParseHead(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	if h, err := rollout.ParseHead(" 41:" + strings.ToUpper(hash) + "\n"); err != nil || h.String() != "41:"+hash {
		t.Errorf("got %v, %v", h, err)
	}
	for _, bad := range []string{"", "41", hash, ":" + hash, "0:" + hash, "-1:" + hash, "x:" + hash, "41:" + hash[2:], "41:" + hash[1:] + "z", "41:" + hash + "00"} {
		if h, err := rollout.ParseHead(bad); err == nil {
			t.Errorf("%q was read as %v", bad, h)
		}
	}
}

func TestBrokenLogIsAFinding(t *testing.T) {
	if found := rollout.BrokenLog(nil); len(found) != 0 {
		t.Errorf("found %v in a log that holds", found)
	}
	found := rollout.BrokenLog(&rollout.BrokenChainError{Seq: 17, Why: "it was changed"})
	if len(found) != 1 || found[0].Severity != rollout.SeverityCritical || !strings.Contains(found[0].Evidence, "entry 17: it was changed") || found[0].Remedy == "" {
		t.Errorf("found %+v", found)
	}
}

package store_test

import (
	"errors"
	"fmt"
	"testing"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func reminder(id, account string, day rollout.Date) rollout.Message {
	return rollout.Message{
		ID: id, Kind: rollout.MessageReminder, Account: account, Day: day,
		State: rollout.MessageClaimed, ClaimedAt: noon,
	}
}

// Of fifty who claim the same message, alert, wave, policy, group, drill, change,
// lock-out or lease at once, one gets it.
func oneWinnerOfFifty(t *testing.T, s *store.Store) {
	const contenders = 50
	day := rollout.DateOf(noon)
	claims := map[string]func(i int) error{
		"message": func(int) error {
			return s.ClaimMessage(t.Context(), contoso, reminder("the one", "ana", day))
		},
		"operator's message": func(int) error {
			return s.ClaimMessage(t.Context(), contoso, rollout.Message{ID: "hold", Kind: rollout.MessageHold})
		},
		"day of a person": func(i int) error {
			return s.ClaimMessage(t.Context(), contoso, reminder(fmt.Sprint("one of many ", i), "ben", day))
		},
		"alert": func(int) error { return s.ClaimAlert(t.Context(), contoso, rollout.Alert{ID: "signIn"}) },
		"wave":  func(int) error { return s.PutWave(t.Context(), contoso, rollout.Wave{Name: "everyone"}) },
		"policy": func(int) error {
			return s.PutPolicy(t.Context(), contoso, rollout.OwnedPolicy{Marker: "marker"})
		},
		"group": func(int) error {
			return s.PutGroup(t.Context(), contoso, rollout.OwnedGroup{Purpose: rollout.GroupReady})
		},
		"drill": func(int) error { return s.PutDrill(t.Context(), contoso, rollout.Drill{ID: "drill"}) },
		"order": func(int) error { return s.PutOrder(t.Context(), contoso, rollout.Order{ID: "order"}) },
		"pause": func(int) error { return s.PutPause(t.Context(), contoso, rollout.Pause{Paused: true}) },
		"lock-out": func(int) error {
			return s.PutLockOut(t.Context(), contoso, rollout.LockOut{Account: "ana", OpenedAt: noon})
		},
		"lease": func(i int) error {
			return s.AcquireLease(t.Context(), contoso, "audit", fmt.Sprint("run ", i), noon, ttl)
		},
	}
	for name, claim := range claims {
		t.Run(name, func(t *testing.T) {
			won := 0
			for _, err := range atOnce(contenders, claim) {
				switch {
				case err == nil:
					won++
				case !errors.Is(err, store.ErrConflict):
					t.Fatalf("got error %v, want ErrConflict", err)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d won, want one", won, contenders)
			}
		})
	}
}

// A person gets one message a day; the operator's addresses any number.
func claimMessageOncePerPersonAndDay(t *testing.T, s *store.Store) {
	today := rollout.DateOf(noon)
	announcement := func(id, account string, day rollout.Date) rollout.Message {
		m := reminder(id, account, day)
		m.Kind = rollout.MessageAnnouncement
		return m
	}
	dropped := reminder("no address", "cem", today)
	dropped.State = rollout.MessageDropped
	hold := rollout.Message{ID: "hold", Kind: rollout.MessageHold, Day: today}
	otherHold := rollout.Message{ID: "other hold", Kind: rollout.MessageHold, Day: today}

	steps := []struct {
		name    string
		message rollout.Message
		want    error
	}{
		{"first of the day", reminder("1", "ana", today), nil},
		{"the same again", reminder("1", "ana", today), store.ErrConflict},
		{"the same on another day", reminder("1", "ana", today.AddDays(1)), store.ErrConflict},
		{"another of the same day", announcement("2", "ana", today), store.ErrConflict},
		{"another of the next day", announcement("2", "ana", today.AddDays(1)), nil},
		{"another person's of the same day", reminder("3", "ben", today), nil},
		{"the operator's", hold, nil},
		{"the operator's second of the day", otherHold, nil},
		{"noted, but not to be sent", dropped, nil},
		{"takes no day", reminder("4", "cem", today), nil},
	}
	for _, step := range steps {
		if err := s.ClaimMessage(t.Context(), contoso, step.message); !errors.Is(err, step.want) {
			t.Fatalf("%s: got error %v, want %v", step.name, err, step.want)
		}
	}
	// What was refused left nothing behind.
	same(t, 7, len(must(s.Messages(t.Context(), contoso))(t)))
	same(t, rollout.MessageAnnouncement, must(s.Message(t.Context(), contoso, "2"))(t).Kind)
}

// A message that is claimed anew for a later day needs that day too.
func putMessageTakesTheDayItIsSentOn(t *testing.T, s *store.Store) {
	today := rollout.DateOf(noon)
	tomorrow := today.AddDays(1)
	ok(t, s.ClaimMessage(t.Context(), contoso, reminder("1", "ana", today)))
	ok(t, s.ClaimMessage(t.Context(), contoso, reminder("2", "ana", tomorrow)))

	late := must(s.Message(t.Context(), contoso, "1"))(t)
	late.Day = tomorrow
	if err := s.PutMessage(t.Context(), contoso, late); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("on a day that another message has: got error %v, want ErrConflict", err)
	}
	late.Day = tomorrow.AddDays(1)
	ok(t, s.PutMessage(t.Context(), contoso, late))
	if err := s.ClaimMessage(t.Context(), contoso, reminder("3", "ana", late.Day)); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("a third message on the day of the late one: got error %v, want ErrConflict", err)
	}
	// What is sent already may be confirmed whatever the day.
	sent := must(s.Message(t.Context(), contoso, "1"))(t)
	sent.State, sent.Day = rollout.MessageSent, tomorrow
	ok(t, s.PutMessage(t.Context(), contoso, sent))
}

func putMessageWithoutClaimIsRefused(t *testing.T, s *store.Store) {
	err := s.PutMessage(t.Context(), contoso, reminder("1", "ana", rollout.DateOf(noon)))
	if err == nil || errors.Is(err, store.ErrConflict) {
		t.Fatalf("got error %v: the caller would think that somebody else has moved it on", err)
	}
	same(t, 0, len(must(s.Messages(t.Context(), contoso))(t)))
}

// A write with the version that was read wins; one with an older version, or of
// a record that is not there, writes nothing.
func optimisticWrites(t *testing.T, s *store.Store) {
	versions := map[string]func(version int64) error{
		"wave": func(v int64) error {
			return s.PutWave(t.Context(), contoso, rollout.Wave{Name: "everyone", Version: v})
		},
		"policy": func(v int64) error {
			return s.PutPolicy(t.Context(), contoso, rollout.OwnedPolicy{Marker: "marker", Version: v})
		},
		"group": func(v int64) error {
			return s.PutGroup(t.Context(), contoso, rollout.OwnedGroup{Purpose: rollout.GroupReady, Version: v})
		},
		"message": func(v int64) error {
			m := reminder("1", "ana", rollout.DateOf(noon))
			if v == 0 {
				return s.ClaimMessage(t.Context(), contoso, m)
			}
			m.Version = v
			return s.PutMessage(t.Context(), contoso, m)
		},
		"alert": func(v int64) error { return s.PutAlert(t.Context(), contoso, rollout.Alert{ID: "id", Version: v}) },
		"drill": func(v int64) error { return s.PutDrill(t.Context(), contoso, rollout.Drill{ID: "id", Version: v}) },
		"order": func(v int64) error { return s.PutOrder(t.Context(), contoso, rollout.Order{ID: "id", Version: v}) },
		"pause": func(v int64) error { return s.PutPause(t.Context(), contoso, rollout.Pause{Version: v}) },
		"lock-out": func(v int64) error {
			return s.PutLockOut(t.Context(), contoso, rollout.LockOut{Account: "ana", Version: v})
		},
		"acceptance": func(v int64) error {
			return s.PutAcceptance(t.Context(), contoso, rollout.NamedAcceptance{Wave: "everyone", Account: "ana", Version: v})
		},
	}
	steps := []struct {
		version int64
		want    error
	}{
		{1, store.ErrConflict}, // there is none yet
		{0, nil},
		{0, store.ErrConflict}, // there is one now
		{1, nil},
		{1, store.ErrConflict}, // it is at 2
		{3, store.ErrConflict},
		{2, nil},
	}
	for kind, put := range versions {
		for i, step := range steps {
			if err := put(step.version); !errors.Is(err, step.want) {
				t.Errorf("%s, step %d, version %d: got error %v, want %v", kind, i, step.version, err, step.want)
			}
		}
	}
	same(t, int64(3), must(s.Wave(t.Context(), contoso, "everyone"))(t).Version)
}

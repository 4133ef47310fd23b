package store_test

import (
	"errors"
	"testing"
	"time"

	"sallyport/shared/store"
)

const ttl = 10 * time.Minute

func leases(t *testing.T, s *store.Store) {
	type step struct {
		name  string
		owner string
		after time.Duration // since the first step; a release has none
		free  bool          // give it back instead of taking it
		want  error
	}
	cases := map[string][]step{
		"free": {
			{"first", "a", 0, false, nil},
		},
		"held": {
			{"first", "a", 0, false, nil},
			{"another", "b", time.Minute, false, store.ErrConflict},
			{"just before the end", "b", ttl - time.Nanosecond, false, store.ErrConflict},
		},
		"expired": {
			{"first", "a", 0, false, nil},
			{"another after the end", "b", ttl + time.Second, false, nil},
			{"the first is too late", "a", ttl + time.Minute, false, store.ErrConflict},
		},
		"released": {
			{"first", "a", 0, false, nil},
			{"given back", "a", 0, true, nil},
			{"another", "b", time.Second, false, nil},
		},
		"prolonged": {
			{"first", "a", 0, false, nil},
			{"the same owner", "a", ttl - time.Minute, false, nil},
			{"another after the first end", "b", ttl + time.Minute, false, store.ErrConflict},
		},
		"released by somebody else": {
			{"first", "a", 0, false, nil},
			{"not his to give", "b", 0, true, store.ErrConflict},
			{"still held", "c", time.Minute, false, store.ErrConflict},
		},
		"released after it was lost": {
			{"first", "a", 0, false, nil},
			{"another after the end", "b", ttl + time.Second, false, nil},
			{"the first gives it back", "a", 0, true, store.ErrConflict},
			{"the other still holds it", "c", ttl + time.Minute, false, store.ErrConflict},
		},
		"released twice": {
			{"first", "a", 0, false, nil},
			{"given back", "a", 0, true, nil},
			{"given back again", "a", 0, true, nil},
		},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			for _, step := range steps {
				var err error
				if step.free {
					err = s.ReleaseLease(t.Context(), contoso, name, step.owner)
				} else {
					err = s.AcquireLease(t.Context(), contoso, name, step.owner, noon.Add(step.after), ttl)
				}
				if !errors.Is(err, step.want) {
					t.Fatalf("%s: got error %v, want %v", step.name, err, step.want)
				}
			}
		})
	}
	t.Run("of another job and another tenant", func(t *testing.T) {
		ok(t, s.AcquireLease(t.Context(), contoso, "audit", "a", noon, ttl))
		ok(t, s.AcquireLease(t.Context(), contoso, "enforce", "b", noon, ttl))
		ok(t, s.AcquireLease(t.Context(), fabrikam, "audit", "c", noon, ttl))
	})
	t.Run("without an owner", func(t *testing.T) {
		if err := s.AcquireLease(t.Context(), contoso, "monitor", "", noon, ttl); err == nil {
			t.Fatal("a lease that nobody could give back was taken")
		}
	})
}

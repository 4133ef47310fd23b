package store

import (
	"context"
	"iter"

	"sallyport/shared/rollout"
)

// SaveObservations keeps for each account and policy what was seen last: an
// observation is written if it is later than the stored one, whatever order and
// however often the log brings them. An empty list changes nothing.
func (s *Store) SaveObservations(ctx context.Context, t rollout.TenantID, seen []rollout.Observation) error {
	if len(seen) == 0 {
		return nil
	}
	latest := map[Key]rollout.Observation{}
	for o, err := range s.EachObservation(ctx, t) {
		if err != nil {
			return err
		}
		latest[observationKey(t, o)] = o
	}
	var writes []Write
	at := map[Key]int{} // index in writes
	for _, o := range seen {
		key := observationKey(t, o)
		if known, ok := latest[key]; ok && !o.LastAt.After(known.LastAt) {
			continue
		}
		latest[key] = o
		w := Write{Item: Item{Key: key, Data: o}}
		if i, ok := at[key]; ok {
			writes[i] = w
			continue
		}
		at[key] = len(writes)
		writes = append(writes, w)
	}
	return s.batch(ctx, writes)
}

// Observations lists what every report-only policy last said of every account.
func (s *Store) Observations(ctx context.Context, t rollout.TenantID) ([]rollout.Observation, error) {
	return list[rollout.Observation](ctx, s, t, kindObservation)
}

// EachObservation yields them one at a time, by account and policy. After an
// error it yields no more.
func (s *Store) EachObservation(ctx context.Context, t rollout.TenantID) iter.Seq2[rollout.Observation, error] {
	return each[rollout.Observation](ctx, s, partition(t, kindObservation))
}

// PutObservations writes observations in place of what was there of the same
// accounts and policies; the caller has seen that they are later.
func (s *Store) PutObservations(ctx context.Context, t rollout.TenantID, later []rollout.Observation) error {
	writes := make([]Write, 0, len(later))
	for _, o := range later {
		writes = append(writes, Write{Item: Item{Key: observationKey(t, o), Data: o}})
	}
	return s.batch(ctx, writes)
}

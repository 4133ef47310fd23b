package store

import (
	"context"

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
	err := each(ctx, s, partition(t, kindObservation), func(o rollout.Observation) {
		latest[observationKey(t, o)] = o
	})
	if err != nil {
		return err
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

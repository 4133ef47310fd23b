package store

import (
	"context"

	"sallyport/shared/rollout"
)

// Known reads everything that the table remembers of a rollout, as the rules
// take it.
func (s *Store) Known(ctx context.Context, t rollout.TenantID) (rollout.Known, error) {
	var k rollout.Known
	for _, read := range []func() error{
		func() (err error) { k.Waves, err = s.Waves(ctx, t); return },
		func() (err error) { k.Policies, err = s.Policies(ctx, t); return },
		func() (err error) { k.Groups, err = s.Groups(ctx, t); return },
		func() (err error) { k.Messages, err = s.Messages(ctx, t); return },
		func() (err error) { k.Drills, err = s.Drills(ctx, t); return },
		func() (err error) { k.LockOuts, err = s.LockOuts(ctx, t); return },
		func() (err error) { k.ChangeOver, err = s.ChangeOver(ctx, t); return },
		func() (err error) { k.Unreachable, err = s.Unreachable(ctx, t); return },
		func() (err error) { k.Accepted, err = s.Acceptances(ctx, t); return },
	} {
		if err := read(); err != nil {
			return rollout.Known{}, err
		}
	}
	return k, nil
}

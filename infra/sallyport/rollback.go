package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func rollbackVerb() verb {
	return verb{
		name:    "rollback",
		summary: "put a wave that was switched on back to report-only",
		about: `Puts a wave's policy back to report-only, or Security Defaults off. Nobody is
stopped by it any more, once the change has reached all of Microsoft's servers
(up to a day, mostly minutes). The operators named in rollout.yaml are told. The
wave stays rolled back until you say: sallyport resume --wave NAME. It is carried
out also while the tenant is paused. Without --yes it only shows what would follow.`,
		examples: []string{
			`sallyport rollback --wave everyone --table sallyport --reason "the tills cannot sign in" --yes --wait`,
		},
		prepare: func(f *flag.FlagSet) action {
			h := newHand()
			h.act(f)
			h.waits(f)
			wave := f.String("wave", "", "the `name` of the wave, as in rollout.yaml")
			return func(ctx context.Context, s session) error { return h.rollback(ctx, s, *wave) }
		},
	}
}

func (h *hand) rollback(ctx context.Context, s session, wave string) error {
	switch {
	case len(s.operands) > 0:
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	case wave == "":
		return usageError{"--wave names no wave; which one is to be put back?"}
	}
	table, t, err := h.reach(ctx)
	if err != nil {
		return err
	}
	record, err := waveOf(ctx, table, t, wave)
	if err != nil {
		return err
	}
	already, err := rollout.CheckRollback(record)
	if err != nil {
		return err
	}
	if already {
		return fmt.Errorf("wave %s is rolled back already; to let it go on: sallyport resume --wave %[1]s", wave)
	}
	return h.give(ctx, s, table, t, rollout.Order{Kind: rollout.OrderRollback, Wave: wave},
		fmt.Sprintf("Wave %s of %s, switched on %s, is put back: MFA is no longer demanded by it. It stays so until: sallyport resume --wave %[1]s",
			wave, t, record.EnforcedAt.Format("2006-01-02 15:04 MST")))
}

// waveOf reads the record of a wave that rollout.yaml names.
func waveOf(ctx context.Context, table *store.Store, t rollout.TenantID, name string) (rollout.Wave, error) {
	cfg, err := table.Config(ctx, t)
	if err != nil {
		return rollout.Wave{}, fmt.Errorf("read rollout.yaml of %s: %w", t, err)
	}
	if _, known := cfg.Wave(name); !known {
		var names []string
		for _, w := range cfg.Waves {
			names = append(names, w.Name)
		}
		return rollout.Wave{}, usageError{fmt.Sprintf("there is no wave %q; rollout.yaml has: %s", name, strings.Join(names, ", "))}
	}
	record, err := table.Wave(ctx, t, name)
	if errors.Is(err, store.ErrNotFound) {
		return rollout.Wave{Name: name, State: rollout.WavePlanned}, nil
	}
	if err != nil {
		return record, fmt.Errorf("read wave %s: %w", name, err)
	}
	return record, nil
}

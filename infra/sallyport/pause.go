package main

import (
	"context"
	"flag"
	"fmt"

	"sallyport/shared/rollout"
)

func pauseVerb() verb {
	return verb{
		name:    "pause",
		summary: "stop every write to a tenant and every mail, at once",
		about: `Pauses the rollout of a tenant. It holds at once: a function that is under way
stops before its next write, and no mail leaves. Nobody is watched for lock-outs
meanwhile, and nothing is rolled back by itself. What is switched on stays on: see
rollback. Alerts about emergency accounts go on. Without --yes it only shows what
would follow.`,
		examples: []string{
			`sallyport pause --table sallyport --reason "phones are down" --yes`,
			"sallyport pause --table sallyport --tenant contoso.onmicrosoft.com --yes",
		},
		prepare: func(f *flag.FlagSet) action {
			h := newHand()
			h.act(f)
			return h.pause
		},
	}
}

func resumeVerb() verb {
	return verb{
		name:    "resume",
		summary: "let a paused tenant go on, or a wave that was rolled back",
		about: `Lets a tenant go on that was paused. With --wave it lets a wave go on that was
rolled back: it is observed anew, report-only, for 7 days, and then the gates
decide as before; Security Defaults, which know no report-only, are switched on as
soon as the gates hold. Without --yes it only shows what would follow.`,
		examples: []string{
			"sallyport resume --table sallyport --yes",
			`sallyport resume --table sallyport --wave everyone --reason "the proxy is mended" --yes`,
		},
		prepare: func(f *flag.FlagSet) action {
			h := newHand()
			h.act(f)
			h.waits(f)
			wave := f.String("wave", "", "the `name` of a wave that was rolled back; empty: the whole tenant")
			return func(ctx context.Context, s session) error { return h.resume(ctx, s, *wave) }
		},
	}
}

// paused is what pause and resume answer with --json.
type paused struct {
	Tenant  rollout.TenantID `json:"tenant"`
	Paused  bool             `json:"paused"`  // as it is now, the file included
	Changed bool             `json:"changed"` // by this command
	InFile  bool             `json:"inFile"`  // rollout.yaml says so, whatever is done by hand
}

func (h *hand) pause(ctx context.Context, s session) error {
	return h.set(ctx, s, true, "Sallyport writes nothing to %s and mails nobody until you say: sallyport resume --table %s --tenant %[1]s --yes")
}

func (h *hand) resume(ctx context.Context, s session, wave string) error {
	if wave == "" {
		if h.wait {
			return usageError{"--wait is for --wave: the tenant goes on at once"}
		}
		return h.set(ctx, s, false, "Sallyport goes on with %s, in table %s, from the next run of each function.")
	}
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	}
	table, t, err := h.reach(ctx)
	if err != nil {
		return err
	}
	record, err := waveOf(ctx, table, t, wave)
	if err != nil {
		return err
	}
	if _, err := rollout.CheckResume(record, h.clock.Now()); err != nil {
		return err
	}
	return h.give(ctx, s, table, t, rollout.Order{Kind: rollout.OrderResume, Wave: wave},
		fmt.Sprintf("Wave %s of %s is observed anew. When the gates hold it is switched on again.", wave, t))
}

// set pauses a tenant or lets it go on. The pause comes before its entry in the
// log: it is the more urgent of the two.
func (h *hand) set(ctx context.Context, s session, pause bool, follows string) error {
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	}
	table, t, err := h.reach(ctx)
	if err != nil {
		return err
	}
	now, err := table.Pause(ctx, t)
	if err != nil {
		return fmt.Errorf("read whether %s is paused: %w", t, err)
	}
	answer := paused{Tenant: t}
	if h.yes && now.Paused != pause {
		who, err := h.who(ctx)
		if err != nil {
			return err
		}
		at, what := h.clock.Now().UTC(), "resume"
		if pause {
			what = "pause"
		}
		if err := table.PutPause(ctx, t, rollout.Pause{Paused: pause, By: who, Reason: h.reason, At: at, Version: now.Version}); err != nil {
			return fmt.Errorf("%s %s: %w", what, t, err)
		}
		if _, err := table.AppendChange(ctx, t, rollout.Change{Kind: rollout.ChangeNote, What: what, Target: string(t), Reason: h.reason, At: at, By: who, Run: "sallyport " + what}); err != nil {
			return fmt.Errorf("%s holds, but is not in the change log: %w", what, err)
		}
		answer.Changed = true
	}
	cfg, err := table.Config(ctx, t)
	if err != nil {
		return fmt.Errorf("read whether %s is paused now: %w", t, err)
	}
	byHand := now.Paused
	if answer.Changed {
		byHand = pause
	}
	answer.Paused, answer.InFile = cfg.Paused, cfg.Paused && !byHand
	if s.json {
		return s.writeJSON(answer)
	}
	h.sayPause(s, answer, pause, now, follows)
	return nil
}

func (h *hand) sayPause(s session, answer paused, pause bool, before rollout.Pause, follows string) {
	follows = fmt.Sprintf(follows, answer.Tenant, h.table)
	switch {
	case before.Paused == pause && pause:
		fmt.Fprintf(s.stdout, "%s is paused already, since %s by %s. Nothing was changed.\n", answer.Tenant, before.At.Format("2006-01-02 15:04 MST"), before.By)
	case before.Paused == pause:
		fmt.Fprintf(s.stdout, "%s was not paused by hand. Nothing was changed.\n", answer.Tenant)
	case !answer.Changed:
		fmt.Fprintf(s.stdout, "%s\n\nNothing was changed. With --yes it is.\n", follows)
	default:
		fmt.Fprintln(s.stdout, follows)
	}
	if answer.InFile && !pause {
		fmt.Fprintf(s.stdout, "Its rollout.yaml says paused: true, and that holds. Next: take the line out, then sallyport apply.\n")
	}
}

package enforce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// left is what a write left: a policy's bytes, or who was moved.
type left struct {
	copy           string
	added, removed []string
}

// change writes the intent to the log, acts, and adds the result. w says what is
// about to be done. An intent without a certain result is one of a run that ended
// in between, or whose answer was lost: the next run looks ([run.settle]).
func (r run) change(ctx context.Context, w rollout.Change, act func() (left, error)) error {
	if err := r.mayGoOn(ctx); err != nil {
		return err
	}
	w.Kind = rollout.ChangeIntent
	intent, err := r.log(ctx, w)
	if err != nil && r.unrecorded {
		_, err := act()
		return err
	}
	if err != nil {
		return fmt.Errorf("record the intent, without which nothing is written: %w", err)
	}
	now, actErr := act()
	result := rollout.ResultDone
	if actErr != nil {
		result = actErr.Error()
	}
	// From here the log must follow what happened, even at the run's end.
	if err := r.result(context.WithoutCancel(ctx), intent, result, now); err != nil {
		return errors.Join(actErr, err)
	}
	return actErr
}

func (r run) result(ctx context.Context, intent rollout.Change, result string, now left) error {
	_, err := r.log(ctx, rollout.Change{
		Kind: rollout.ChangeResult, Of: intent.Seq, Undoes: intent.Undoes, What: intent.What, Target: intent.Target,
		Result: result, Copy: now.copy, Added: now.added, Removed: now.removed,
	})
	if err != nil {
		return fmt.Errorf("record the result of change %d, which the next run looks up: %w", intent.Seq, err)
	}
	return nil
}

// mostCopied is how many bytes of a policy an entry keeps: more would not fit the
// table. A larger one is still written; its state before is recorded.
const mostCopied = 250_000

// log adds an entry to the change log, with who asked for it and in which run.
func (r run) log(ctx context.Context, c rollout.Change) (rollout.Change, error) {
	c.At, c.By, c.Run, c.Order = r.now, r.by, "enforce "+r.now.UTC().Format(time.RFC3339), r.order.ID
	if len(c.Copy) > mostCopied {
		c.Copy = ""
	}
	return r.Table.AppendChange(ctx, r.cfg.Tenant, c)
}

// settle looks what became of the intents without a certain result, and adds it.
// It only reads the tenant.
func (r run) settle(ctx context.Context, open []int64) error {
	var failed error
	for _, seq := range open {
		intent, err := r.Table.Change(ctx, r.cfg.Tenant, seq)
		if err == nil {
			err = r.settleOne(ctx, intent)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("look what became of change %d: %w", seq, err))
		}
	}
	return failed
}

func (r run) settleOne(ctx context.Context, intent rollout.Change) error {
	happened, now, err := r.look(ctx, intent)
	if err != nil {
		return err
	}
	result := rollout.ResultFoundNotDone
	if happened {
		result = rollout.ResultFoundDone
	}
	return r.result(ctx, intent, result, now)
}

// look reads whether the tenant is as an intent wanted it.
func (r run) look(ctx context.Context, intent rollout.Change) (happened bool, now left, err error) {
	switch intent.What {
	case rollout.ChangePolicyState:
		policy, text, err := r.graph.PolicyCopy(ctx, intent.Target)
		if errors.Is(err, graph.ErrNotFound) {
			return false, left{}, nil
		}
		return err == nil && policy.State == intent.After, left{copy: text}, err
	case rollout.ChangeDefaults:
		on, err := r.graph.SecurityDefaults(ctx)
		return err == nil && fmt.Sprint(on) == intent.After, left{}, err
	case rollout.ChangeCreatePolicy:
		return r.lookForPolicy(ctx, intent.Target)
	case rollout.ChangeCreateGroup:
		_, found, err := r.graph.FindGroup(ctx, rollout.Marker(r.cfg.Tenant, intent.Target))
		return found, left{}, err
	case rollout.ChangeGroupMembers:
		groups, err := r.graph.Groups(ctx, []string{intent.Target})
		if err != nil {
			return false, left{}, err
		}
		group, read := groups[intent.Target]
		if !read || !group.Opened {
			return false, left{}, fmt.Errorf("the members of group %s cannot be read", intent.Target)
		}
		now.added, now.removed = rollout.FoundMembers(intent, group.Members)
		return len(now.added) == len(intent.Added) && len(now.removed) == len(intent.Removed), now, nil
	}
	return false, left{}, fmt.Errorf("nobody told enforce how to look for %s", intent.What)
}

func (r run) lookForPolicy(ctx context.Context, wave string) (happened bool, now left, err error) {
	owned, err := r.Table.Policies(ctx, r.cfg.Tenant)
	if err != nil {
		return false, left{}, fmt.Errorf("read the recorded policies: %w", err)
	}
	i := slices.IndexFunc(owned, func(p rollout.OwnedPolicy) bool { return p.Wave == wave })
	if i < 0 {
		return false, left{}, nil
	}
	policy, found, err := r.marked(ctx, owned[i].Marker)
	if err != nil || !found {
		return false, left{}, err
	}
	_, text, err := r.graph.PolicyCopy(ctx, policy.ID)
	return err == nil, left{copy: text}, err
}

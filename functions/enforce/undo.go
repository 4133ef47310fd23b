package enforce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// orderedUndo puts back what one change did, if what it left is still there.
func (r run) orderedUndo(ctx context.Context, o rollout.Order) (outcome string, err error) {
	log, err := r.Table.Changes(ctx, r.cfg.Tenant)
	if err != nil {
		return "", fmt.Errorf("read the change log: %w", err)
	}
	for _, w := range rollout.WritesOf(log) {
		if w.Intent.Order == o.ID && w.Result.Happened() {
			return r.undone(ctx, w.Intent.Target, o) // an earlier run ended before it could say
		}
	}
	u, err := rollout.PlanUndo(log, o.Change)
	if err != nil {
		return "", refuse("%v", err)
	}
	but := ""
	switch u.What {
	case rollout.ChangePolicyState:
		but, err = r.undoState(ctx, u, why(o))
	case rollout.ChangeDefaults:
		err = r.undoDefaults(ctx, u, why(o))
	case rollout.ChangeGroupMembers:
		err = r.undoMembers(ctx, u, why(o))
	}
	if err != nil {
		return "", err
	}
	outcome, err = r.undone(ctx, u.Target, o)
	return outcome + but, err
}

// undone moves the wave whose switch was taken back: it is not enforced any more.
func (r run) undone(ctx context.Context, target string, o rollout.Order) (string, error) {
	outcome := fmt.Sprintf("change %d is undone", o.Change)
	policies, err := r.Table.Policies(ctx, r.cfg.Tenant)
	if err != nil {
		return "", fmt.Errorf("read the recorded policies: %w", err)
	}
	for _, c := range r.cfg.Waves {
		owned, _ := rollout.Known{Policies: policies}.Owned(c.Name)
		if target != "securityDefaults" && (target == "" || owned.ID != target) {
			continue
		}
		wave, err := r.wave(ctx, c.Name)
		if err != nil {
			return "", err
		}
		if settled, err := rollout.CheckRollback(wave); settled || err != nil {
			continue // it was never switched, or is rolled back already
		}
		if err := r.move(ctx, c.Name, rollout.WaveRolledBack, why(o)); err != nil {
			return "", err
		}
		outcome += "; wave " + c.Name + " is rolled back"
	}
	return outcome, nil
}

// undoState sets a policy's state to what it was. but says what else is not as it
// was before the change, which only somebody else can have done.
func (r run) undoState(ctx context.Context, u rollout.Undo, reason string) (but string, err error) {
	policies, err := r.Table.Policies(ctx, r.cfg.Tenant)
	if err != nil {
		return "", fmt.Errorf("read the recorded policies: %w", err)
	}
	i := slices.IndexFunc(policies, func(p rollout.OwnedPolicy) bool { return p.ID == u.Target })
	if i < 0 || u.To == rollout.StateEnabled {
		return "", refuse("policy %s is not recorded as Sallyport's own, or would be switched on", u.Target)
	}
	live, text, err := r.graph.PolicyCopy(ctx, u.Target)
	if errors.Is(err, graph.ErrNotFound) {
		return "", refuse("policy %s is gone: there is nothing to put back into", u.Target)
	}
	if err != nil {
		return "", fmt.Errorf("read policy %s before it is put back: %w", u.Target, err)
	}
	if live.State != u.From {
		return "", refuse("policy %s is %q now, and change %d left it %q: somebody changed it since", u.Target, live.State, u.Seq, u.From)
	}
	if differs, err := differences(u.Left, text); err != nil || differs != "" {
		return "", cmp.Or(err, refuse("policy %s is no longer what change %d left: %s", u.Target, u.Seq, differs))
	}
	w := rollout.Change{Before: live.State, Copy: text, After: u.To, Reason: reason, Undoes: u.Seq}
	if text, err = r.setState(ctx, policies[i], policies, w); err != nil {
		return "", err
	}
	if differs, err := differences(u.Was, text); err != nil || differs != "" {
		return "; beside its state the policy is not what it was before that change: " + differs, err
	}
	return "", nil
}

// differences are those between two copies in one line; none where there is no
// first one.
func differences(was, now string) (string, error) {
	if was == "" {
		return "", nil
	}
	differs, err := rollout.CopyDifference(was, now)
	return strings.Join(differs, "; "), err
}

func (r run) undoDefaults(ctx context.Context, u rollout.Undo, reason string) error {
	on, err := r.graph.SecurityDefaults(ctx)
	if err != nil {
		return fmt.Errorf("read Security Defaults before they are put back: %w", err)
	}
	if now := fmt.Sprint(on); now != u.From || u.To != "false" {
		return refuse("Security Defaults are %s now, and change %d left them %s: somebody changed them since", now, u.Seq, u.From)
	}
	return r.switchDefaults(ctx, false, reason, u.Seq)
}

// undoMembers moves back whom a change moved and nobody has moved since.
func (r run) undoMembers(ctx context.Context, u rollout.Undo, reason string) error {
	groups, err := r.Table.Groups(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the recorded groups: %w", err)
	}
	i := slices.IndexFunc(groups, func(g rollout.OwnedGroup) bool { return g.ID == u.Target })
	if i < 0 {
		return refuse("group %s is not recorded as Sallyport's own", u.Target)
	}
	read, err := r.graph.Groups(ctx, []string{u.Target})
	if err != nil {
		return fmt.Errorf("read group %s before it is put back: %w", u.Target, err)
	}
	if !read[u.Target].Opened {
		return fmt.Errorf("the members of group %s cannot be read", u.Target)
	}
	add, remove := u.Members(read[u.Target].Members)
	switch {
	case len(add)+len(remove) == 0:
		return refuse("of those whom change %d moved, nobody is where it left them", u.Seq)
	case slices.ContainsFunc(slices.Concat(add, remove), r.cfg.IsEmergency):
		return refuse("it would move an emergency account")
	}
	if err := r.wouldEnforce(ctx, groups[i].Purpose, add, remove); err != nil {
		return err
	}
	return r.moveMembers(ctx, groups, groups[i], add, remove, reason, u.Seq)
}

// wouldEnforce refuses to bring people under a policy that is on: the gates are
// the only way there, for one person as for all.
func (r run) wouldEnforce(ctx context.Context, purpose string, add, remove []string) error {
	people := add
	if purpose == rollout.GroupExempt {
		people = remove
	}
	if len(people) == 0 {
		return nil
	}
	owned, err := r.Table.Policies(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the recorded policies: %w", err)
	}
	for _, p := range owned {
		if p.ID == "" {
			continue
		}
		live, _, err := r.graph.PolicyCopy(ctx, p.ID)
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return fmt.Errorf("read policy %s: %w", p.ID, err)
		}
		if err == nil && live.State == rollout.StateEnabled {
			return refuse("it would bring %d people under policy %s, which is on; change rollout.yaml instead, and the next run does what is due", len(people), p.ID)
		}
	}
	return nil
}

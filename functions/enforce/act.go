package enforce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// createGroup makes one of Sallyport's groups, once: the intent is recorded, a
// group with the marker is looked for, and only then one is created.
func (r run) createGroup(ctx context.Context, a rollout.CreateGroup) error {
	groups, err := r.Table.Groups(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the recorded groups: %w", err)
	}
	record := rollout.OwnedGroup{Purpose: a.Purpose, Marker: a.Marker, At: r.now}
	if i := slices.IndexFunc(groups, func(g rollout.OwnedGroup) bool { return g.Purpose == a.Purpose }); i >= 0 {
		record = groups[i]
	}
	if record.ID != "" {
		return nil
	}
	if record.Version == 0 {
		if err := r.Table.PutGroup(ctx, r.cfg.Tenant, record); err != nil {
			return fmt.Errorf("record the intent to create group %s: %w", a.Purpose, err)
		}
		record.Version++
	}
	w := rollout.Change{What: rollout.ChangeCreateGroup, Target: a.Purpose, After: a.Name, Reason: a.Reason}
	return r.change(ctx, w, func() (left, error) {
		id, found, err := r.graph.FindGroup(ctx, record.Marker)
		if err != nil {
			return left{}, fmt.Errorf("look for group %s: %w", a.Purpose, err)
		}
		if !found {
			if id, err = r.graph.CreateGroup(ctx, a.Name, record.Marker); err != nil {
				return left{}, fmt.Errorf("create group %s: %w", a.Purpose, err)
			}
		}
		record.ID = id
		return left{}, r.Table.PutGroup(ctx, r.cfg.Tenant, record)
	})
}

// membersPerPatch is how many members one PATCH of a group may add.
// Source: https://learn.microsoft.com/graph/api/group-post-members
const membersPerPatch = 20

func (r run) fillGroup(ctx context.Context, a rollout.FillGroup) error {
	for _, id := range a.Add {
		if r.cfg.IsEmergency(id) {
			return fmt.Errorf("refused to add emergency account %s to group %s", id, a.Purpose)
		}
	}
	groups, err := r.Table.Groups(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the recorded groups: %w", err)
	}
	i := slices.IndexFunc(groups, func(g rollout.OwnedGroup) bool { return g.Purpose == a.Purpose && g.ID != "" })
	if i < 0 {
		return fmt.Errorf("group %s is not recorded as ours", a.Purpose)
	}
	return r.moveMembers(ctx, groups, groups[i], a.Add, a.Remove, a.Reason, 0)
}

// membersPerChange is how many members one change moves: its entry in the log
// names them all, and has to fit the table.
const membersPerChange = 1000

// moveMembers adds people to a group and takes others out, recorded in pieces.
func (r run) moveMembers(ctx context.Context, groups []rollout.OwnedGroup, group rollout.OwnedGroup, add, remove []string, reason string, undoes int64) error {
	pieces := []rollout.Change{}
	for piece := range slices.Chunk(add, membersPerChange) {
		pieces = append(pieces, rollout.Change{Added: piece})
	}
	for piece := range slices.Chunk(remove, membersPerChange) {
		if n := len(pieces); n > 0 && len(pieces[n-1].Added)+len(piece) <= membersPerChange && len(pieces[n-1].Removed) == 0 {
			pieces[n-1].Removed = piece
			continue
		}
		pieces = append(pieces, rollout.Change{Removed: piece})
	}
	for _, w := range pieces {
		w.What, w.Target, w.Reason, w.Undoes = rollout.ChangeGroupMembers, group.ID, reason, undoes
		if err := r.change(ctx, w, func() (left, error) { return r.moveSome(ctx, groups, group, w) }); err != nil {
			return err
		}
	}
	return nil
}

// moveSome says who was moved, also when not all were.
func (r run) moveSome(ctx context.Context, groups []rollout.OwnedGroup, group rollout.OwnedGroup, w rollout.Change) (left, error) {
	var moved left
	for chunk := range slices.Chunk(w.Added, membersPerPatch) {
		if err := r.graph.AddMembers(ctx, groups, group.ID, chunk); err != nil {
			return moved, fmt.Errorf("add %d members to group %s: %w", len(chunk), group.Purpose, err)
		}
		moved.added = append(moved.added, chunk...)
	}
	for _, member := range w.Removed {
		if err := r.graph.RemoveMember(ctx, groups, group.ID, member); err != nil {
			return moved, fmt.Errorf("remove %s from group %s: %w", member, group.Purpose, err)
		}
		moved.removed = append(moved.removed, member)
	}
	return moved, nil
}

// createPolicy makes a wave's policy, report-only, once: the intent is
// recorded, then a policy with the marker is looked for, since a create that
// timed out may have happened and Microsoft allows two of the same name.
func (r run) createPolicy(ctx context.Context, a rollout.CreatePolicy) error {
	owned, err := r.Table.Policies(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the recorded policies: %w", err)
	}
	record := rollout.OwnedPolicy{Wave: a.Draft.Wave, Marker: a.Draft.Marker, Draft: a.Draft, At: r.now}
	if i := slices.IndexFunc(owned, func(p rollout.OwnedPolicy) bool { return p.Wave == a.Draft.Wave }); i >= 0 {
		record = owned[i]
	}
	if record.ID != "" {
		return nil
	}
	record.Draft = a.Draft
	if err := r.Table.PutPolicy(ctx, r.cfg.Tenant, record); err != nil {
		return fmt.Errorf("record the intent to create the policy of %s: %w", a.Draft.Wave, err)
	}
	record.Version++
	w := rollout.Change{What: rollout.ChangeCreatePolicy, Target: a.Draft.Wave, After: rollout.StateReportOnly, Reason: a.Reason}
	return r.change(ctx, w, func() (left, error) {
		policy, found, err := r.marked(ctx, record.Marker)
		if err != nil {
			return left{}, err
		}
		if !found {
			if policy, err = r.graph.CreatePolicy(ctx, a.Draft, r.cfg.EmergencyIDs()); err != nil {
				return left{}, fmt.Errorf("create the policy of %s: %w", a.Draft.Wave, err)
			}
		}
		// What is posted is not always what is kept: believe the reading alone.
		policy, text, err := r.graph.PolicyCopy(ctx, policy.ID)
		if err != nil {
			return left{}, fmt.Errorf("read back the policy of %s: %w", a.Draft.Wave, err)
		}
		if err := r.check(a.Draft, policy, rollout.StateReportOnly); err != nil {
			return left{copy: text}, err
		}
		record.ID, record.State = policy.ID, policy.State
		return left{copy: text}, r.Table.PutPolicy(ctx, r.cfg.Tenant, record)
	})
}

func (r run) marked(ctx context.Context, marker string) (rollout.Policy, bool, error) {
	policies, err := r.graph.Policies(ctx)
	if err != nil {
		return rollout.Policy{}, false, fmt.Errorf("look for a policy that an earlier run created: %w", err)
	}
	i := slices.IndexFunc(policies, func(p rollout.Policy) bool { return strings.Contains(p.Description, marker) })
	if i < 0 {
		return rollout.Policy{}, false, nil
	}
	return policies[i], true, nil
}

// check compares a policy that was just read with what it must be: the last
// look before and after a write.
func (r run) check(draft rollout.PolicyDraft, policy rollout.Policy, state string) error {
	if policy.State != state {
		return fmt.Errorf("policy %s is %q, expected %q", policy.ID, policy.State, state)
	}
	if drift := rollout.Drift(r.cfg, draft, policy); len(drift) > 0 {
		return fmt.Errorf("policy %s is not what was announced: %s", policy.ID, strings.Join(drift, "; "))
	}
	for _, e := range r.cfg.EmergencyAccounts {
		if v := rollout.Reach(policy, rollout.Subject{ID: e.ID}, nil); v.Verdict != rollout.VerdictExcluded {
			return fmt.Errorf("policy %s does not exclude emergency account %s by id", policy.ID, e.ID)
		}
	}
	return nil
}

// switchOn is the switch. The policy is read once more, patched in its state
// alone, and read back; only then is the wave enforced.
func (r run) switchOn(ctx context.Context, a rollout.SwitchOn) error {
	if failing := rollout.Failing(a.Gates); len(failing) > 0 || len(a.Gates) == 0 {
		return fmt.Errorf("refused: %d of %d gates do not hold", len(failing), len(a.Gates))
	}
	if a.Method == rollout.MethodSecurityDefaults {
		return r.setDefaults(ctx, a.Wave, true, rollout.WaveEnforced, a.Reason)
	}
	record, policies, err := r.owned(ctx, a.Wave, a.PolicyID)
	if err != nil {
		return err
	}
	before, text, err := r.graph.PolicyCopy(ctx, record.ID)
	if err != nil {
		return fmt.Errorf("read policy %s before the switch: %w", record.ID, err)
	}
	if err := r.check(record.Draft, before, rollout.StateReportOnly); err != nil {
		return fmt.Errorf("not switched: %w", err)
	}
	w := rollout.Change{Before: before.State, Copy: text, After: rollout.StateEnabled, Reason: a.Reason}
	if _, err := r.setState(ctx, record, policies, w); err != nil {
		return err
	}
	return r.move(ctx, a.Wave, rollout.WaveEnforced, a.Reason)
}

// rollBack puts a wave back to report-only. A policy that somebody else has
// taken back already is left as it is.
func (r run) rollBack(ctx context.Context, a rollout.RollBack) error {
	if a.Method == rollout.MethodSecurityDefaults {
		return r.setDefaults(ctx, a.Wave, false, rollout.WaveRolledBack, a.Reason)
	}
	record, policies, err := r.owned(ctx, a.Wave, a.PolicyID)
	if err != nil {
		return err
	}
	before, text, err := r.graph.PolicyCopy(ctx, record.ID)
	if err != nil {
		return fmt.Errorf("read policy %s before it is put back: %w", record.ID, err)
	}
	if before.State == rollout.StateEnabled {
		w := rollout.Change{Before: before.State, Copy: text, After: rollout.StateReportOnly, Reason: a.Reason}
		if _, err := r.setState(ctx, record, policies, w); err != nil {
			return err
		}
	}
	return r.move(ctx, a.Wave, rollout.WaveRolledBack, a.Reason)
}

func (r run) owned(ctx context.Context, wave, id string) (rollout.OwnedPolicy, []rollout.OwnedPolicy, error) {
	policies, err := r.Table.Policies(ctx, r.cfg.Tenant)
	if err != nil {
		return rollout.OwnedPolicy{}, nil, fmt.Errorf("read the recorded policies: %w", err)
	}
	i := slices.IndexFunc(policies, func(p rollout.OwnedPolicy) bool { return p.Wave == wave && p.ID == id && id != "" })
	if i < 0 {
		return rollout.OwnedPolicy{}, nil, fmt.Errorf("policy %q is not recorded as Sallyport's own for wave %s: not written", id, wave)
	}
	return policies[i], policies, nil
}

// setState sets the state of a policy of Sallyport's, and returns what it then
// is, byte for byte. w says what was there and what is to be.
func (r run) setState(ctx context.Context, record rollout.OwnedPolicy, policies []rollout.OwnedPolicy, w rollout.Change) (text string, err error) {
	w.What, w.Target = rollout.ChangePolicyState, record.ID
	err = r.change(ctx, w, func() (left, error) {
		if err := r.graph.SetPolicyState(ctx, policies, record.ID, w.After); err != nil {
			return left{}, fmt.Errorf("set policy %s to %s: %w", record.ID, w.After, err)
		}
		live, now, err := r.graph.PolicyCopy(ctx, record.ID)
		if err != nil {
			return left{}, fmt.Errorf("read back policy %s: %w", record.ID, err)
		}
		if live.State != w.After {
			return left{copy: now}, fmt.Errorf("policy %s reads %q after it was set to %q", record.ID, live.State, w.After)
		}
		text = now
		return left{copy: now}, nil
	})
	if err != nil {
		return "", err
	}
	record.State = w.After
	if err := r.Table.PutPolicy(ctx, r.cfg.Tenant, record); err != nil && !errors.Is(err, store.ErrConflict) {
		return text, fmt.Errorf("record the state of policy %s: %w", record.ID, err)
	}
	return text, nil
}

func (r run) setDefaults(ctx context.Context, wave string, on bool, to rollout.WaveState, reason string) error {
	if err := r.switchDefaults(ctx, on, reason, 0); err != nil {
		return err
	}
	return r.move(ctx, wave, to, reason)
}

// switchDefaults switches Security Defaults, if they are not so already.
func (r run) switchDefaults(ctx context.Context, on bool, reason string, undoes int64) error {
	before, err := r.graph.SecurityDefaults(ctx)
	if err != nil {
		return fmt.Errorf("read Security Defaults before they are set: %w", err)
	}
	if before == on {
		return nil
	}
	w := rollout.Change{
		What: rollout.ChangeDefaults, Target: "securityDefaults", Before: fmt.Sprint(before), After: fmt.Sprint(on), Reason: reason, Undoes: undoes,
	}
	return r.change(ctx, w, func() (left, error) {
		if err := r.graph.SetSecurityDefaults(ctx, on); err != nil {
			return left{}, fmt.Errorf("set Security Defaults to %t: %w", on, err)
		}
		live, err := r.graph.SecurityDefaults(ctx)
		if err != nil {
			return left{}, fmt.Errorf("read back Security Defaults: %w", err)
		}
		if live != on {
			return left{}, fmt.Errorf("Security Defaults read %t after they were set to %t", live, on)
		}
		return left{}, nil
	})
}

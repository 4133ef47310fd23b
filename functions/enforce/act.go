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
	return r.change(ctx, "createGroup", a.Purpose, "", a.Name, a.Reason, func() error {
		id, found, err := r.graph.FindGroup(ctx, record.Marker)
		if err != nil {
			return fmt.Errorf("look for group %s: %w", a.Purpose, err)
		}
		if !found {
			if id, err = r.graph.CreateGroup(ctx, a.Name, record.Marker); err != nil {
				return fmt.Errorf("create group %s: %w", a.Purpose, err)
			}
		}
		record.ID = id
		return r.Table.PutGroup(ctx, r.cfg.Tenant, record)
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
	id := groups[i].ID
	describe := fmt.Sprintf("add %s; remove %s", strings.Join(a.Add, " "), strings.Join(a.Remove, " "))
	return r.change(ctx, "fillGroup", id, "", describe, a.Reason, func() error {
		for chunk := range slices.Chunk(a.Add, membersPerPatch) {
			if err := r.graph.AddMembers(ctx, groups, id, chunk); err != nil {
				return fmt.Errorf("add %d members to group %s: %w", len(chunk), a.Purpose, err)
			}
		}
		for _, member := range a.Remove {
			if err := r.graph.RemoveMember(ctx, groups, id, member); err != nil {
				return fmt.Errorf("remove %s from group %s: %w", member, a.Purpose, err)
			}
		}
		return nil
	})
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
	return r.change(ctx, "createPolicy", a.Draft.Wave, "", rollout.StateReportOnly, a.Reason, func() error {
		policy, found, err := r.marked(ctx, record.Marker)
		if err != nil {
			return err
		}
		if !found {
			if policy, err = r.graph.CreatePolicy(ctx, a.Draft); err != nil {
				return fmt.Errorf("create the policy of %s: %w", a.Draft.Wave, err)
			}
		}
		// What is posted is not always what is kept: believe the reading alone.
		if policy, err = r.graph.Policy(ctx, policy.ID); err != nil {
			return fmt.Errorf("read back the policy of %s: %w", a.Draft.Wave, err)
		}
		if err := r.check(a.Draft, policy, rollout.StateReportOnly); err != nil {
			return err
		}
		record.ID, record.State = policy.ID, policy.State
		return r.Table.PutPolicy(ctx, r.cfg.Tenant, record)
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
	before, err := r.graph.Policy(ctx, record.ID)
	if err != nil {
		return fmt.Errorf("read policy %s before the switch: %w", record.ID, err)
	}
	if err := r.check(record.Draft, before, rollout.StateReportOnly); err != nil {
		return fmt.Errorf("not switched: %w", err)
	}
	if err := r.setState(ctx, record, policies, before.State, rollout.StateEnabled, a.Reason); err != nil {
		return err
	}
	return r.move(ctx, a.Wave, rollout.WaveEnforced, a.Reason)
}

// rollBack puts a wave back to report-only.
func (r run) rollBack(ctx context.Context, a rollout.RollBack) error {
	if a.Method == rollout.MethodSecurityDefaults {
		return r.setDefaults(ctx, a.Wave, false, rollout.WaveRolledBack, a.Reason)
	}
	record, policies, err := r.owned(ctx, a.Wave, a.PolicyID)
	if err != nil {
		return err
	}
	if err := r.setState(ctx, record, policies, rollout.StateEnabled, rollout.StateReportOnly, a.Reason); err != nil {
		return err
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

func (r run) setState(ctx context.Context, record rollout.OwnedPolicy, policies []rollout.OwnedPolicy, before, after, reason string) error {
	err := r.change(ctx, "setPolicyState", record.ID, before, after, reason, func() error {
		if err := r.graph.SetPolicyState(ctx, policies, record.ID, after); err != nil {
			return fmt.Errorf("set policy %s to %s: %w", record.ID, after, err)
		}
		live, err := r.graph.Policy(ctx, record.ID)
		if err != nil {
			return fmt.Errorf("read back policy %s: %w", record.ID, err)
		}
		if live.State != after {
			return fmt.Errorf("policy %s reads %q after it was set to %q", record.ID, live.State, after)
		}
		return nil
	})
	if err != nil {
		return err
	}
	record.State = after
	if err := r.Table.PutPolicy(ctx, r.cfg.Tenant, record); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("record the state of policy %s: %w", record.ID, err)
	}
	return nil
}

func (r run) setDefaults(ctx context.Context, wave string, on bool, to rollout.WaveState, reason string) error {
	err := r.change(ctx, "setSecurityDefaults", "securityDefaults", fmt.Sprint(!on), fmt.Sprint(on), reason, func() error { return r.defaults(ctx, on) })
	if err != nil {
		return err
	}
	return r.move(ctx, wave, to, reason)
}

// defaults switches Security Defaults and reads them back.
func (r run) defaults(ctx context.Context, on bool) error {
	if err := r.graph.SetSecurityDefaults(ctx, on); err != nil {
		return fmt.Errorf("set Security Defaults to %t: %w", on, err)
	}
	live, err := r.graph.SecurityDefaults(ctx)
	if err != nil {
		return fmt.Errorf("read back Security Defaults: %w", err)
	}
	if live != on {
		return fmt.Errorf("Security Defaults read %t after they were set to %t", live, on)
	}
	return nil
}

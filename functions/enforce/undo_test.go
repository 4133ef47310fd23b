package enforce_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

// meddle puts a control into the wave's policy that nobody here knows, as another
// administrator could.
func (b *bench) meddle(t *testing.T, control string) {
	t.Helper()
	if err := b.tenant.EditPolicy(b.policy(t), func(p tenant.Object) {
		grant, _ := p["grantControls"].(tenant.Object)
		grant["builtInControls"] = []any{"mfa", control}
	}); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) undo(seq int64) rollout.Order {
	return rollout.Order{Kind: rollout.OrderUndo, Change: seq}
}

// sameBytes wants the policy to be what it was, member by member.
func (b *bench) sameBytes(t *testing.T, before string) {
	t.Helper()
	differs, err := rollout.CopyDifference(before, b.copyOf(t, b.policy(t)))
	if err != nil || len(differs) > 0 {
		t.Errorf("the policy is not what it was: %q, %v", differs, err)
	}
}

// The undo of a switch puts the very policy back that was there, with what others
// had added and what nobody here knows; the wave is rolled back with it.
func TestUndoOfASwitch(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	id := b.policy(t)
	if err := b.tenant.EditPolicy(id, func(p tenant.Object) {
		p["remediationPreview"] = tenant.Object{"riskRemediation": true, "levels": []any{"high", "medium"}}
	}); err != nil {
		t.Fatal(err)
	}
	stranger, _ := b.tenant.Users()[0]["id"].(string)
	if err := b.tenant.Exclude(id, "excludeUsers", stranger); err != nil {
		t.Fatal(err)
	}
	before := b.copyOf(t, id)
	b.mustRun(t, 1)
	b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)
	seq := b.last(t, rollout.ChangePolicyState).Intent.Seq
	b.done(t, b.undo(seq))
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
	b.sameBytes(t, before)
	undo := b.last(t, rollout.ChangePolicyState)
	if undo.Intent.Undoes != seq || undo.Result.Undoes != seq || undo.Intent.By != operator {
		t.Errorf("the log does not say what was undone and by whom: %+v", undo.Intent)
	}
	// The undo of that would switch the wave on.
	b.refused(t, b.undo(undo.Intent.Seq), "only the gates may lead there")
	b.refused(t, b.undo(seq), "somebody changed it since")
	b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
}

// What is there is not what the change left: it is refused, with the difference.
func TestUndoRefusesWhatOthersChanged(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	b.meddle(t, "riskRemediation")
	seq := b.last(t, rollout.ChangePolicyState).Intent.Seq
	b.refused(t, b.undo(seq), `grantControls.builtInControls was ["mfa"], is ["mfa","riskRemediation"]`)
	b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)

	if err := b.tenant.DeletePolicy(b.policy(t)); err != nil {
		t.Fatal(err)
	}
	b.pauseByHand(t)
	b.refused(t, b.undo(seq), "is gone")
}

// A policy that was made is disabled and not deleted; the undo of that makes it
// report-only again.
func TestUndoOfACreation(t *testing.T) {
	b := newBench(t)
	b.clock.Set(b.cfg.Announce.At(8, 0, time.UTC))
	b.audit(t)
	b.mustRun(t, 5)
	made := b.last(t, rollout.ChangeCreatePolicy)
	before := b.copyOf(t, b.policy(t))
	b.done(t, b.undo(made.Intent.Seq))
	b.expect(t, rollout.WaveObserving, rollout.StateDisabled)
	b.done(t, b.undo(b.last(t, rollout.ChangePolicyState).Intent.Seq))
	b.expect(t, rollout.WaveObserving, rollout.StateReportOnly)
	b.sameBytes(t, before)

	b.refused(t, b.undo(b.last(t, rollout.ChangeCreateGroup).Intent.Seq), "is ever deleted")
	b.refused(t, b.undo(made.Result.Seq), "it is the result of change")
	b.refused(t, b.undo(1), "wrote nothing to the tenant")
	b.refused(t, b.undo(4000), "no entry of that number")
}

// members are those of the exemption group.
func (b *bench) members(t *testing.T) (id string, members []string) {
	t.Helper()
	groups, err := b.table.Groups(context.Background(), b.cfg.Tenant)
	if err != nil || len(groups) == 0 {
		t.Fatalf("groups %v, %v", groups, err)
	}
	return groups[0].ID, b.tenant.TransitiveMembers(groups[0].ID)
}

// Those whom a change added are taken out, and whom others have moved since stay
// where they are. The undo of the undo adds them again.
func TestUndoOfMembers(t *testing.T) {
	b := newBench(t)
	b.clock.Set(b.cfg.Announce.At(8, 0, time.UTC))
	b.audit(t)
	b.mustRun(t, 5)
	group, before := b.members(t)
	filled := b.last(t, rollout.ChangeGroupMembers)
	slices.Sort(before)
	slices.Sort(filled.Added)
	if !slices.Equal(before, filled.Added) || len(before) < 2 {
		t.Fatalf("the group holds %v, the log says %v; want two or more", before, filled.Added)
	}
	b.pauseByHand(t) // else the next run fills it again
	stranger, _ := b.tenant.Users()[len(b.tenant.Users())-1]["id"].(string)
	if err := b.tenant.AddMember(group, stranger); err != nil {
		t.Fatal(err)
	}
	if err := b.tenant.RemoveMember(group, before[0]); err != nil {
		t.Fatal(err)
	}
	b.done(t, b.undo(filled.Intent.Seq))
	if _, now := b.members(t); !slices.Equal(now, []string{stranger}) {
		t.Errorf("the group holds %v, want whom somebody else added alone", now)
	}
	undone := b.last(t, rollout.ChangeGroupMembers)
	slices.Sort(undone.Removed)
	if !slices.Equal(undone.Removed, before[1:]) {
		t.Errorf("the log says that %v were taken out, want %v", undone.Removed, before[1:])
	}
	b.refused(t, b.undo(filled.Intent.Seq), "nobody is where it left them")
	b.done(t, b.undo(undone.Intent.Seq))
	_, now := b.members(t)
	slices.Sort(now)
	want := append([]string{stranger}, before[1:]...)
	slices.Sort(want)
	if !slices.Equal(now, want) {
		t.Errorf("after the undo of the undo the group holds %v, want %v", now, want)
	}
}

// Taking people out of the exemption while a policy is on would stop them: only
// rollout.yaml and the rules do that.
func TestUndoOfMembersNeverEnforces(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	b.mustRun(t, 1)
	b.expect(t, rollout.WaveEnforced, rollout.StateEnabled)
	_, before := b.members(t)
	b.refused(t, b.undo(b.last(t, rollout.ChangeGroupMembers).Intent.Seq), "under policy")
	if _, now := b.members(t); !slices.Equal(before, now) {
		t.Errorf("the group held %v, now %v", before, now)
	}
}

// Security Defaults that were switched on go off, their wave with them; never the
// other way.
func TestUndoOfSecurityDefaults(t *testing.T) {
	b := newBench(t)
	b.ready(t)
	ctx := context.Background()
	w := b.wave(t)
	w, err := rollout.Transition(w, rollout.WaveEnforced, b.clock.Now(), "switched")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.table.PutWave(ctx, b.cfg.Tenant, w); err != nil {
		t.Fatal(err)
	}
	b.tenant.SetSecurityDefaults(true)
	b.pauseByHand(t)
	logged := func(before, after string) int64 {
		c, err := b.table.AppendChange(ctx, b.cfg.Tenant, rollout.Change{Kind: rollout.ChangeIntent, What: rollout.ChangeDefaults, Target: "securityDefaults", Before: before, After: after, At: b.clock.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.table.AppendChange(ctx, b.cfg.Tenant, rollout.Change{Kind: rollout.ChangeResult, Of: c.Seq, What: rollout.ChangeDefaults, Result: rollout.ResultDone, At: b.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		return c.Seq
	}
	b.refused(t, b.undo(logged("true", "false")), "only the gates may lead there")
	on := logged("false", "true")
	b.done(t, b.undo(on))
	if b.tenant.SecurityDefaults() {
		t.Error("Security Defaults are still on")
	}
	if w := b.wave(t); w.State != rollout.WaveRolledBack {
		t.Errorf("the wave is %s", w.State)
	}
	b.refused(t, b.undo(on), "somebody changed them since")
	b.refused(t, b.undo(b.last(t, rollout.ChangeDefaults).Intent.Seq), "only the gates may lead there")
}

// Wherever an undo ends, the next run ends in the same state.
func TestUndoMayEndAnywhere(t *testing.T) {
	everyDeath(t, func(t *testing.T, n int) bool {
		b := newBench(t)
		b.ready(t)
		before := b.copyOf(t, b.policy(t))
		b.mustRun(t, 1)
		b.pauseByHand(t)
		id := b.give(t, b.undo(b.last(t, rollout.ChangePolicyState).Intent.Seq))
		survived := b.dieAfter(n)
		b.clock.Set(b.clock.Now().Add(time.Hour))
		b.mustRun(t, 2)
		b.expect(t, rollout.WaveRolledBack, rollout.StateReportOnly)
		b.sameBytes(t, before)
		if o := b.outcome(t, id); o.State != rollout.OrderDone {
			t.Errorf("the order is %s: %s", o.State, o.Outcome)
		}
		return survived
	})
}

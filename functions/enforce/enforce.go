// Package enforce moves waves on. Each hour it reads the tenant's security
// configuration live, asks the rules what is due, and carries it out: each
// action conditional, capped, recorded before and after, and read back. It is
// the only part of Sallyport that can change a tenant.
package enforce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Graph is what enforce reads and writes of a tenant.
type Graph interface {
	Granted(ctx context.Context) ([]string, error)
	User(ctx context.Context, id string) (rollout.User, error)
	Methods(ctx context.Context, userID string) ([]string, error)
	RoleAssignments(ctx context.Context, withEligible bool) ([]rollout.RoleAssignment, error)
	Groups(ctx context.Context, ids []string) (map[string]rollout.Group, error)
	ReadWays(ctx context.Context, groups map[string]rollout.Group, accounts []string) error
	Policies(ctx context.Context) ([]rollout.Policy, error)
	PolicyCopy(ctx context.Context, id string) (rollout.Policy, string, error)
	SecurityDefaults(ctx context.Context) (bool, error)

	CreatePolicy(ctx context.Context, d rollout.PolicyDraft, emergency []string) (rollout.Policy, error)
	SetPolicyState(ctx context.Context, owned []rollout.OwnedPolicy, id, state string) error
	SetSecurityDefaults(ctx context.Context, on bool) error
	FindGroup(ctx context.Context, marker string) (id string, found bool, err error)
	CreateGroup(ctx context.Context, displayName, marker string) (id string, err error)
	AddMembers(ctx context.Context, owned []rollout.OwnedGroup, id string, members []string) error
	RemoveMember(ctx context.Context, owned []rollout.OwnedGroup, id, member string) error
}

// Table is what enforce reads and writes of the table.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error)
	Accounts(ctx context.Context, t rollout.TenantID) ([]rollout.Account, error)
	Observations(ctx context.Context, t rollout.TenantID) ([]rollout.Observation, error)
	Known(ctx context.Context, t rollout.TenantID) (rollout.Known, error)
	Waves(ctx context.Context, t rollout.TenantID) ([]rollout.Wave, error)
	Wave(ctx context.Context, t rollout.TenantID, name string) (rollout.Wave, error)
	PutWave(ctx context.Context, t rollout.TenantID, w rollout.Wave) error
	Policies(ctx context.Context, t rollout.TenantID) ([]rollout.OwnedPolicy, error)
	PutPolicy(ctx context.Context, t rollout.TenantID, p rollout.OwnedPolicy) error
	Groups(ctx context.Context, t rollout.TenantID) ([]rollout.OwnedGroup, error)
	PutGroup(ctx context.Context, t rollout.TenantID, g rollout.OwnedGroup) error
	ChangeOver(ctx context.Context, t rollout.TenantID) (rollout.ChangeOver, error)
	PutChangeOver(ctx context.Context, t rollout.TenantID, c rollout.ChangeOver) error
	Pause(ctx context.Context, t rollout.TenantID) (rollout.Pause, error)
	Orders(ctx context.Context, t rollout.TenantID) ([]rollout.Order, error)
	PutOrder(ctx context.Context, t rollout.TenantID, o rollout.Order) error

	AppendChange(ctx context.Context, t rollout.TenantID, c rollout.Change) (rollout.Change, error)
	ChangeHead(ctx context.Context, t rollout.TenantID) (rollout.ChangeHead, error)
	Change(ctx context.Context, t rollout.TenantID, seq int64) (rollout.Change, error)
	Changes(ctx context.Context, t rollout.TenantID) ([]rollout.Change, error)
}

// Enforce moves the waves of tenants.
type Enforce struct {
	Graph  func(ctx context.Context, t rollout.TenantID) (Graph, error)
	Table  Table
	Outbox outbox.Outbox
	// Clock measures how long a change-over takes, and waits between its tries.
	Clock job.Clock
	Log   *slog.Logger
}

// Run does what is due in one tenant. What an earlier run left in doubt and what
// the operator ordered come first, also while the rollout is paused. An action
// that fails never stops those of other waves; the next run finds what is left.
func (e Enforce) Run(ctx context.Context, t rollout.TenantID, now time.Time, sum *job.Summary) error {
	cfg, err := e.Table.Config(ctx, t)
	if err != nil {
		return fmt.Errorf("read rollout.yaml of the tenant: %w", err)
	}
	r := run{Enforce: e, cfg: cfg, now: now, by: "enforce"}
	failed := r.first(ctx, sum)
	changing, err := e.Table.ChangeOver(ctx, t)
	if err != nil {
		return errors.Join(failed, fmt.Errorf("read the record of the change-over: %w", err))
	}
	if cfg.Paused && !changing.Open() {
		sum.Note("paused", "true")
		return failed
	}
	err = r.due(ctx, sum)
	return errors.Join(failed, err, r.warnIfOpen(ctx, err))
}

// due does what the rules say is due now.
func (r run) due(ctx context.Context, sum *job.Summary) error {
	seen, err := r.known(ctx, r.cfg.Tenant)
	if errors.Is(err, store.ErrNotFound) {
		sum.Note("waiting", "first audit")
		return nil
	}
	if err != nil {
		return err
	}
	known, err := r.Table.Known(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read what is known of the rollout: %w", err)
	}
	if r, err = r.connected(ctx); err != nil {
		return err
	}
	if seen.Live, err = Look(ctx, r.graph, r.cfg, seen.Audit, known); err != nil {
		return fmt.Errorf("read the tenant before any write: %w", err)
	}
	r.ending = known.ChangeOver.Open()
	var failed error
	for _, action := range rollout.PlanSwitch(r.cfg, seen, known, r.now) {
		if ctx.Err() != nil {
			return errors.Join(failed, fmt.Errorf("stopped with actions left; the next run goes on: %w", ctx.Err()))
		}
		err := r.mayGoOn(ctx)
		if err == nil {
			err = r.carryOut(ctx, action)
		}
		if errors.Is(err, errPaused) {
			sum.Note("paused", "true")
			return failed // the operator's wish, no failure
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%T: %w", action, err))
			continue
		}
		sum.Count(fmt.Sprintf("%T", action), 1)
	}
	return failed
}

// connected is the run with a client for the tenant.
func (r run) connected(ctx context.Context) (run, error) {
	g, err := r.Graph(ctx, r.cfg.Tenant)
	if err != nil {
		return r, fmt.Errorf("connect to Graph: %w", err)
	}
	r.graph = g
	return r, nil
}

// errPaused says that the operator paused the tenant while the run was under way.
var errPaused = errors.New("paused by the operator")

// mayGoOn looks once more whether the operator paused: nothing is begun after
// that. What the operator orders by hand is not held up by it.
func (r run) mayGoOn(ctx context.Context) error {
	if r.order.ID != "" || r.ending {
		return nil
	}
	pause, err := r.Table.Pause(ctx, r.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("look whether the operator paused: %w", err)
	}
	if pause.Paused {
		return errPaused
	}
	return nil
}

// known reads what the audit left in the table.
func (e Enforce) known(ctx context.Context, t rollout.TenantID) (rollout.Seen, error) {
	var seen rollout.Seen
	var err error
	if seen.Audit, err = e.Table.Audit(ctx, t); err != nil {
		return seen, fmt.Errorf("read the audit: %w", err)
	}
	if seen.Accounts, err = e.Table.Accounts(ctx, t); err != nil {
		return seen, fmt.Errorf("read the accounts: %w", err)
	}
	if seen.Observations, err = e.Table.Observations(ctx, t); err != nil {
		return seen, fmt.Errorf("read what report-only policies said: %w", err)
	}
	return seen, nil
}

// Look reads the tenant's security configuration now: every policy, every group
// that a policy names, the emergency accounts, Sallyport's own groups. What
// cannot be read is an error or an unknown fact, never a pass.
func Look(ctx context.Context, g Graph, cfg rollout.Config, last rollout.AuditRun, known rollout.Known) (*rollout.Live, error) {
	live := &rollout.Live{Groups: map[string]rollout.Group{}}
	var err error
	if live.Granted, err = g.Granted(ctx); err != nil {
		return nil, fmt.Errorf("granted permissions: %w", err)
	}
	if live.Policies, err = g.Policies(ctx); errors.Is(err, graph.ErrNoLicence) && last.Method == rollout.MethodSecurityDefaults {
		live.Policies = nil // without a licence there are none
	} else if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	on, err := g.SecurityDefaults(ctx)
	if err != nil {
		return nil, fmt.Errorf("Security Defaults: %w", err)
	}
	live.SecurityDefaults = rollout.FactOf(on)
	assignments, err := g.RoleAssignments(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("role assignments: %w", err)
	}
	named := map[string]bool{}
	for _, p := range live.Policies {
		for _, id := range slices.Concat(p.IncludeGroups, p.ExcludeGroups) {
			named[id] = true
		}
	}
	for _, own := range known.Groups {
		if own.ID != "" {
			named[own.ID] = true
		}
	}
	groups, err := g.Groups(ctx, slices.Sorted(maps.Keys(named)))
	if err != nil {
		return nil, fmt.Errorf("groups that policies name: %w", err)
	}
	for _, own := range known.Groups {
		if own.ID != "" {
			live.Groups[own.Purpose] = groups[own.ID]
		}
	}
	live.Named = groups
	facts := make([]rollout.EmergencyFacts, 0, len(cfg.EmergencyAccounts))
	ids := make([]string, 0, len(cfg.EmergencyAccounts))
	for _, account := range cfg.EmergencyAccounts {
		ids = append(ids, account.ID)
		f, err := lookAtEmergencyAccount(ctx, g, account.ID)
		if err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	// An exclusion through nested groups is as strong as the weakest of them.
	if err := g.ReadWays(ctx, groups, ids); err != nil {
		return nil, fmt.Errorf("groups that hold emergency accounts: %w", err)
	}
	live.Emergency = rollout.ProveEmergency(cfg, last.Organization.InitialDomain, facts, assignments, live.Policies, groups)
	return live, nil
}

func lookAtEmergencyAccount(ctx context.Context, g Graph, id string) (rollout.EmergencyFacts, error) {
	f := rollout.EmergencyFacts{Account: id}
	user, err := g.User(ctx, id)
	if errors.Is(err, graph.ErrNotFound) {
		return f, nil // it does not exist: a proof, of the wrong kind
	}
	if err != nil {
		return f, fmt.Errorf("emergency account %s: %w", id, err)
	}
	f.User = &user
	if f.Methods, err = g.Methods(ctx, id); err != nil {
		return f, fmt.Errorf("methods of emergency account %s: %w", id, err)
	}
	f.MethodsRead = true
	return f, nil
}

// run carries out the actions of one run in one tenant.
type run struct {
	Enforce
	graph Graph
	cfg   rollout.Config
	now   time.Time
	by    string        // who or what asked for what is being done
	order rollout.Order // that it is done for, or none
	// ending: a change-over is open, and no pause stops what ends it.
	ending bool
	// unrecorded: a log that cannot be written stops nothing. It is set on the way
	// back of a change-over alone, whose record is the intent.
	unrecorded bool
}

func (r run) carryOut(ctx context.Context, action rollout.Action) error {
	switch a := action.(type) {
	case rollout.MoveWave:
		return r.move(ctx, a.Wave, a.To, a.Reason, a.Gates...)
	case rollout.CreateGroup:
		return r.createGroup(ctx, a)
	case rollout.FillGroup:
		return r.fillGroup(ctx, a)
	case rollout.CreatePolicy:
		return r.createPolicy(ctx, a)
	case rollout.SwitchOn:
		return r.switchOn(ctx, a)
	case rollout.RollBack:
		return r.rollBack(ctx, a)
	case rollout.ChangeOverDefaults:
		return r.changeOver(ctx, a)
	case rollout.Send:
		_, err := r.Outbox.Post(ctx, r.cfg.Tenant, a.Message)
		return err
	}
	return fmt.Errorf("nobody told enforce how to carry out %T", action)
}

// move changes the state of a wave. It reads the record again: the condition is
// on the version of this very reading.
func (r run) move(ctx context.Context, name string, to rollout.WaveState, reason string, gates ...string) error {
	wave, err := r.Table.Wave(ctx, r.cfg.Tenant, name)
	if errors.Is(err, store.ErrNotFound) {
		wave, err = rollout.Wave{Name: name, State: rollout.WavePlanned}, nil
	}
	if err != nil {
		return fmt.Errorf("read wave %s: %w", name, err)
	}
	if wave.State == to {
		return nil
	}
	wave, err = rollout.Transition(wave, to, r.now, reason, gates...)
	if err != nil {
		return err
	}
	if to == rollout.WaveRolledBack {
		wave.BreakerTripped = ""
	}
	if err := r.Table.PutWave(ctx, r.cfg.Tenant, wave); err != nil {
		return fmt.Errorf("record that wave %s is %s: %w", name, to, err)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/functions/enforce"
	"sallyport/infra/local/rehearsal"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// gathered is all that the rules are given, wherever it came from.
type gathered struct {
	cfg   rollout.Config
	seen  rollout.Seen
	known rollout.Known
	now   time.Time
	// unknown says, by gate, why this command cannot know what the gate asks.
	unknown map[string]gap
}

// gap is something that cannot be known from where the command looks.
type gap struct{ why, remedy string }

// gatherer reads it: from a folder that holds a copy of the tenant, or from the
// stack's table, and then from the tenant itself if the operator signs in.
type gatherer struct {
	folder, config, asOf string
	table, tenant        string
	live                 bool
	signIn               source // its sign-in, nothing else of it
}

func (g *gatherer) declare(f *flag.FlagSet) {
	f.StringVar(&g.folder, "tenant", "", "a `folder` made by snapshot")
	f.StringVar(&g.config, "config", "", "a rollout.yaml `FILE`; with --table it is judged instead of the one in the table")
	f.StringVar(&g.asOf, "as-of", "", "judge a folder as of this `day`, YYYY-MM-DD; empty: today")
	tableFlag(f, &g.table)
	f.StringVar(&g.tenant, "of", "", "the `tenant` in the table, as contoso.onmicrosoft.com; empty: the only one")
	f.BoolVar(&g.live, "live", false, "with --table: read the tenant's policies and emergency accounts now; you sign in")
	f.StringVar(&g.signIn.signIn.tenantID, "tenant-id", "organizations", "the tenant's `domain` or id, for the device code sign-in")
	f.StringVar(&g.signIn.signIn.clientID, "client-id", graphCommandLineTools, "the public client `id` to sign in with")
}

func (g *gatherer) gather(ctx context.Context, s session) (gathered, error) {
	switch {
	case g.folder == "" && g.table == "":
		return gathered{}, usageError{"nothing says what to look at: add --table NAME (the stack's output TableName), or --tenant DIR with --config FILE"}
	case g.folder != "" && g.table != "":
		return gathered{}, usageError{"--tenant and --table are two places to look at; choose one"}
	case g.folder != "" && g.config == "":
		return gathered{}, usageError{"--config names no file: the gates are those of a rollout.yaml"}
	case g.folder != "" && (g.live || g.tenant != ""):
		return gathered{}, usageError{"--live and --of belong to --table: a folder is one tenant as it was"}
	case g.table != "" && g.asOf != "":
		return gathered{}, usageError{"--as-of is for a folder: the table is as it is now"}
	case g.folder != "":
		return g.fromFolder(ctx, s)
	}
	return g.fromTable(ctx, s)
}

// fromFolder judges a copy of a tenant. What stands in the table is not known
// from it, and what is not known never passes.
func (g *gatherer) fromFolder(ctx context.Context, s session) (gathered, error) {
	all := gathered{unknown: map[string]gap{}}
	for gate, why := range map[string]string{
		"audit-fresh": "when the nightly audit last ran", "permissions": "what the functions' own tokens may do",
		"alert-path": "which drills were passed", "emergency-excluded": "which policy is the wave's own", "policies-unchanged": "what was announced",
		"observed": "since when the policy was observed", "notice-given": "who was told",
	} {
		all.unknown[gate] = gap{"not known from a folder: " + why, "Look into the table, where it stands: --table NAME instead of --tenant and --config."}
	}
	var err error
	if all.now, err = asOf(g.asOf); err != nil {
		return all, err
	}
	if all.cfg, err = readConfig(s, g.config); err != nil {
		return all, err
	}
	clock := rehearsal.NewClock(all.now)
	t, err := loadTenant(s, g.folder, 1, clock)
	if err != nil {
		return all, err
	}
	if initial := rollout.TenantID(strings.ToLower(t.InitialDomain())); initial != all.cfg.Tenant {
		return all, fmt.Errorf("the file is for %s, but --tenant %s is a copy of %s: choose the one that belongs to the other", all.cfg.Tenant, g.folder, initial)
	}
	dir, readings, err := rehearsal.Read(ctx, t, clock)
	if err != nil {
		return all, err
	}
	all.seen.Accounts, _ = rollout.Assess(all.cfg, dir, readings, all.now)
	day := rollout.DateOf(all.now.In(all.cfg.Location()))
	choice := rollout.ChooseMethod(all.cfg, "", dir.Plans, rollout.CoverageOf(all.cfg, all.seen.Accounts, day), day)
	// Without a moment and a count: a copy is no audit.
	all.seen.Audit = rollout.AuditRun{Organization: dir.Organization, Plans: dir.Plans, Method: choice.Method, Legacy: legacyIn(readings, all.now)}
	reader, err := rehearsal.Reader(t, clock)
	if err != nil {
		return all, err
	}
	return all, all.look(ctx, reader)
}

// legacyIn are the sign-ins of the last days by clients that cannot do MFA.
func legacyIn(readings []rollout.Reading, now time.Time) []rollout.LegacyUse {
	var uses []rollout.LegacyUse
	for _, r := range readings {
		for _, client := range r.LegacyClients {
			uses = append(uses, rollout.LegacyUse{Account: r.User.ID, Client: client, LastAt: now})
		}
	}
	return uses
}

// look reads policies, groups and emergency accounts, as enforce does before
// every write. What a token may do is the functions' own affair.
func (a *gathered) look(ctx context.Context, reader *graph.Client) error {
	live, err := enforce.Look(ctx, reader, a.cfg, a.seen.Audit, a.known)
	if err != nil {
		return fmt.Errorf("read the policies and the emergency accounts: %w", err)
	}
	live.Granted = nil
	a.seen.Live = live
	return nil
}

// fromTable reads what the functions left in the table.
func (g *gatherer) fromTable(ctx context.Context, s session) (gathered, error) {
	all := gathered{now: job.Wall{}.Now(), unknown: map[string]gap{
		"permissions": {"not known from here: the functions' own tokens show it", "Nothing: enforce looks every hour, and the message of a hold names what is wrong."},
	}}
	table, err := openTable(ctx, g.table)
	if err != nil {
		return all, err
	}
	if err := g.read(ctx, s, table, &all); err != nil {
		return all, err
	}
	if !g.live {
		for _, gate := range []string{"emergency-accounts", "emergency-excluded", "defaults-off", "policies-unchanged"} {
			all.unknown[gate] = gap{"not known from the table: it is read from the tenant", "Add --live and sign in."}
		}
		return all, nil
	}
	client, _, err := g.signIn.open(s)
	if err != nil {
		return all, err
	}
	return all, all.look(ctx, client)
}

func (g *gatherer) read(ctx context.Context, s session, table *store.Store, all *gathered) error {
	tenant, err := chooseTenant(ctx, table, g.table, g.tenant)
	if err != nil {
		return err
	}
	if g.config != "" {
		all.cfg, err = readConfig(s, g.config)
		if err == nil && g.tenant != "" && all.cfg.Tenant != tenant {
			err = fmt.Errorf("--config %s is for %s, not for %s", g.config, all.cfg.Tenant, tenant)
		}
		tenant = all.cfg.Tenant
	} else {
		all.cfg, err = table.Config(ctx, tenant)
	}
	if err != nil {
		return fmt.Errorf("read the plan of %s: %w", tenant, err)
	}
	if all.known, err = table.Known(ctx, tenant); err != nil {
		return fmt.Errorf("read what table %s knows of %s: %w", g.table, tenant, err)
	}
	if all.seen.Audit, err = table.Audit(ctx, tenant); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the newest audit of %s: %w", tenant, err)
	}
	if all.seen.Accounts, err = table.Accounts(ctx, tenant); err != nil {
		return fmt.Errorf("read the accounts of %s: %w", tenant, err)
	}
	if all.seen.Observations, err = table.Observations(ctx, tenant); err != nil {
		return fmt.Errorf("read what report-only policies of %s said: %w", tenant, err)
	}
	return nil
}

// chooseTenant is the tenant that was asked for, or the only one of the table.
func chooseTenant(ctx context.Context, table *store.Store, name, asked string) (rollout.TenantID, error) {
	tenants, err := table.Tenants(ctx)
	if err != nil {
		return "", fmt.Errorf("list the tenants of table %s: %w", name, err)
	}
	wanted := rollout.TenantID(strings.ToLower(asked))
	switch {
	case asked != "" && slices.Contains(tenants, wanted):
		return wanted, nil
	case asked != "":
		return "", fmt.Errorf("table %s has no tenant %s: sallyport apply puts one in", name, asked)
	case len(tenants) == 1:
		return tenants[0], nil
	case len(tenants) == 0:
		return "", fmt.Errorf("table %s has no tenant: sallyport apply puts one in", name)
	}
	return "", usageError{fmt.Sprintf("table %s has %d tenants; say which with --of, for example --of %s", name, len(tenants), tenants[0])}
}

// waves are those that were asked for: one by its name, or all.
func (a gathered) waves(name string) ([]rollout.WaveConfig, error) {
	if name == "" {
		return a.cfg.Waves, nil
	}
	wave, found := a.cfg.Wave(name)
	if !found {
		var names []string
		for _, w := range a.cfg.Waves {
			names = append(names, w.Name)
		}
		return nil, usageError{fmt.Sprintf("--wave %s: the plan has no such wave; it has %s", name, strings.Join(names, ", "))}
	}
	return []rollout.WaveConfig{wave}, nil
}

package graph

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sallyport/shared/rollout"
)

// Emergency reads all that the proof of the configured emergency accounts is made
// of. An account that cannot be read is named in its facts; a listing that cannot
// be read to its end is an error: nothing is proven by half of it. What the
// accounts can be proven without, and was refused, stays unknown.
func (c *Client) Emergency(ctx context.Context, cfg rollout.Config) (rollout.EmergencyReading, error) {
	seen := rollout.EmergencyReading{At: c.clock.Now(), SecurityDefaults: rollout.Unknown}
	var err error
	if seen.Organization, err = c.Organization(ctx); err != nil {
		return seen, fmt.Errorf("read the organization: %w", err)
	}
	if initial := rollout.TenantID(strings.ToLower(seen.Organization.InitialDomain)); cfg.Tenant != "" && initial != cfg.Tenant {
		return seen, fmt.Errorf("the file is for %s, but what was read is %s: choose the one that belongs to the other", cfg.Tenant, initial)
	}
	plans, err := c.Plans(ctx)
	if err != nil {
		return seen, fmt.Errorf("read the licences: %w", err)
	}
	// Without a licence there are none; with one, a refusal is no answer.
	premium := rollout.HoldsPlan(plans, rollout.PlanEntraP1, rollout.PlanEntraP2)
	if seen.Policies, err = c.Policies(ctx); err != nil && (premium || !errors.Is(err, ErrNoLicence)) {
		return seen, fmt.Errorf("read the Conditional Access policies: %w", err)
	}
	if on, err := c.SecurityDefaults(ctx); err == nil {
		seen.SecurityDefaults = rollout.FactOf(on)
	} else if Refusal(err) == "" {
		return seen, fmt.Errorf("read Security Defaults: %w", err)
	}
	if seen.Assignments, err = c.RoleAssignments(ctx, rollout.HoldsPlan(plans, rollout.PlanEntraP2)); err != nil {
		return seen, fmt.Errorf("read the role assignments: %w", err)
	}
	if seen.Groups, err = c.Groups(ctx, groupsNamedIn(seen, cfg)); err != nil {
		return seen, fmt.Errorf("open the groups that policies and roles name: %w", err)
	}
	ids := []string{}
	for _, e := range cfg.EmergencyAccounts {
		ids = append(ids, e.ID)
		seen.Facts = append(seen.Facts, c.emergencyAccount(ctx, e.ID))
	}
	if err := c.perUserMFAOf(ctx, seen.Facts); err != nil {
		return seen, err
	}
	if err := c.ReadWays(ctx, seen.Groups, ids); err != nil {
		return seen, fmt.Errorf("follow nested groups: %w", err)
	}
	if err := c.readOwners(ctx, cfg, seen); err != nil {
		return seen, err
	}
	return seen, ctx.Err()
}

// groupsNamedIn are the ids of the groups that policies name and of those that
// hold roles. That a principal is a user or an application shows when it is opened.
func groupsNamedIn(seen rollout.EmergencyReading, cfg rollout.Config) []string {
	named := map[string]bool{}
	for _, p := range seen.Policies {
		for _, id := range slices.Concat(p.IncludeGroups, p.ExcludeGroups) {
			named[id] = true
		}
	}
	for _, a := range seen.Assignments {
		if !cfg.IsEmergency(a.PrincipalID) {
			named[a.PrincipalID] = true
		}
	}
	delete(named, "")
	return slices.Sorted(maps.Keys(named))
}

// emergencyAccount reads one account. What fails is said, and then proves nothing.
func (c *Client) emergencyAccount(ctx context.Context, id string) rollout.EmergencyFacts {
	f := rollout.EmergencyFacts{Account: id}
	user, err := c.User(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return f // it does not exist: a proof, of the wrong kind
	case err != nil:
		f.ReadError = err.Error()
		return f
	}
	f.User = &user
	held, err := c.HeldMethods(ctx, id)
	if f.MethodsRead = err == nil; f.MethodsRead {
		f.Held, f.Methods = []string{}, []string{}
		for _, m := range held {
			f.Held, f.Methods = append(f.Held, m.Kind+" "+m.ID), append(f.Methods, m.Kind)
		}
		f.Held, f.Methods = sortedOnce(f.Held), sortedOnce(f.Methods)
	}
	return f
}

// perUserMFAOf reads the legacy state of the accounts that exist, in one batch.
func (c *Client) perUserMFAOf(ctx context.Context, facts []rollout.EmergencyFacts) error {
	var ids []string
	for _, f := range facts {
		if f.User != nil && !slices.Contains(ids, f.User.ID) {
			ids = append(ids, f.User.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	states, err := c.PerUserMFA(ctx, ids)
	if err != nil && Refusal(err) == "" {
		return fmt.Errorf("read the per-user MFA of the emergency accounts: %w", err)
	}
	for i := range facts {
		if facts[i].User != nil {
			facts[i].PerUserMFA = states[facts[i].User.ID]
		}
	}
	return nil
}

// readOwners reads who owns the groups that policies exclude and that hold an
// emergency account. Owners that Graph does not show stay unknown.
func (c *Client) readOwners(ctx context.Context, cfg rollout.Config, seen rollout.EmergencyReading) error {
	for _, p := range seen.Policies {
		for _, id := range p.ExcludeGroups {
			g := seen.Groups[id]
			if g.OwnersRead || !slices.ContainsFunc(g.Members, cfg.IsEmergency) {
				continue
			}
			owners, err := c.Owners(ctx, id)
			if errors.Is(err, ErrMembersHidden) {
				continue
			}
			if err != nil {
				return err
			}
			g.Owners, g.OwnersRead = owners, true
			seen.Groups[id] = g
		}
	}
	return nil
}

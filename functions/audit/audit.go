// Package audit reads the tenant every night and records what every account is,
// whether it can do MFA and what demands it. It only reads the tenant. A listing
// that ends early, or an empty one, records nothing: the last good audit stays,
// with the reason why it grows old.
package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Graph is what the audit reads of a tenant.
type Graph interface {
	Granted(ctx context.Context) ([]string, error)
	Organization(ctx context.Context) (rollout.Organization, error)
	Plans(ctx context.Context) ([]rollout.ServicePlan, error)
	Users(ctx context.Context, withActivity bool, page func([]rollout.User) error) error
	Registrations(ctx context.Context, page func([]rollout.Registration) error) error
	BatchMethods(ctx context.Context, ids []string) (map[string][]string, error)
	Purposes(ctx context.Context, ids []string) (map[string]string, error)
	RoleAssignments(ctx context.Context, withEligible bool) ([]rollout.RoleAssignment, error)
	Groups(ctx context.Context, ids []string) (map[string]rollout.Group, error)
	Policies(ctx context.Context) ([]rollout.Policy, error)
	SecurityDefaults(ctx context.Context) (bool, error)
	SignIns(ctx context.Context, q graph.SignInQuery, page func([]rollout.SignIn) error) error
}

// Table is what the audit reads and writes of the table.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Waves(ctx context.Context, t rollout.TenantID) ([]rollout.Wave, error)
	Policies(ctx context.Context, t rollout.TenantID) ([]rollout.OwnedPolicy, error)
	Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error)
	PutAudit(ctx context.Context, t rollout.TenantID, a rollout.AuditRun) error
	SaveAccounts(ctx context.Context, t rollout.TenantID, want []rollout.Account) (written, removed int, err error)
	SaveObservations(ctx context.Context, t rollout.TenantID, seen []rollout.Observation) error
	PutCoverage(ctx context.Context, t rollout.TenantID, p rollout.CoveragePoint) error
}

// Audit audits tenants.
type Audit struct {
	Graph func(ctx context.Context, t rollout.TenantID) (Graph, error)
	Table Table
	Log   *slog.Logger
}

// signInsBack is how far back each night reads the sign-in log: a day, and two
// hours more because rows arrive late.
const signInsBack = 24*time.Hour + rollout.PollOverlap

// Run audits one tenant. On an error the last good audit stays in force, marked
// with the error and since when.
func (a Audit) Run(ctx context.Context, t rollout.TenantID, now time.Time, sum *job.Summary) error {
	cfg, err := a.Table.Config(ctx, t)
	if err != nil {
		return fmt.Errorf("read rollout.yaml of the tenant: %w", err)
	}
	previous, err := a.Table.Audit(ctx, t)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the last audit: %w", err)
	}
	if err := a.audit(ctx, cfg, previous, now, sum); err != nil {
		previous.Failed, previous.FailedAt = err.Error(), now
		if putErr := a.Table.PutAudit(ctx, t, previous); putErr != nil {
			err = errors.Join(err, fmt.Errorf("record that the audit failed: %w", putErr))
		}
		return err
	}
	return nil
}

func (a Audit) audit(ctx context.Context, cfg rollout.Config, previous rollout.AuditRun, now time.Time, sum *job.Summary) error {
	g, err := a.Graph(ctx, cfg.Tenant)
	if err != nil {
		return fmt.Errorf("connect to Graph: %w", err)
	}
	granted, err := g.Granted(ctx)
	if err != nil {
		return fmt.Errorf("read the granted permissions: %w", err)
	}
	dir, readings, err := Read(ctx, g, now)
	if err != nil {
		return err
	}
	if len(readings)*2 < previous.Accounts {
		return fmt.Errorf("the listing of users holds %d accounts, the last audit %d: refused as incomplete", len(readings), previous.Accounts)
	}
	accounts, findings := rollout.Assess(cfg, dir, readings, now)
	observations, legacy, err := a.signIns(ctx, g, cfg, dir, previous, now)
	if err != nil {
		return err
	}
	method, reason, err := a.method(ctx, cfg, previous, dir)
	if err != nil {
		return err
	}

	written, removed, err := a.Table.SaveAccounts(ctx, cfg.Tenant, accounts)
	if err != nil {
		return fmt.Errorf("save the accounts: %w", err)
	}
	if err := a.Table.SaveObservations(ctx, cfg.Tenant, observations); err != nil {
		return fmt.Errorf("save what report-only policies said: %w", err)
	}
	day := rollout.DateOf(now.In(cfg.Location()))
	run := rollout.AuditRun{
		At: now, Organization: dir.Organization, Plans: dir.Plans, Method: method, MethodReason: reason,
		SecurityDefaults: dir.SecurityDefaults, Coverage: rollout.CoverageOf(cfg, accounts, day), Accounts: len(accounts),
		Findings: findings, Missing: dir.Missing, Granted: granted, Legacy: legacy,
	}
	if err := a.Table.PutCoverage(ctx, cfg.Tenant, rollout.CoveragePoint{Day: day, Coverage: run.Coverage}); err != nil {
		return fmt.Errorf("save the coverage: %w", err)
	}
	// Last, because it is what the gates believe: accounts first, then "complete".
	if err := a.Table.PutAudit(ctx, cfg.Tenant, run); err != nil {
		return fmt.Errorf("save the audit: %w", err)
	}
	sum.Count("accounts", len(accounts))
	sum.Count("written", written)
	sum.Count("removed", removed)
	sum.Count("capable", run.Coverage.Capable)
	sum.Count("counted", run.Coverage.All)
	sum.Count("findings", len(findings))
	return nil
}

// method keeps what was announced: it is free to change only while every wave
// is still planned.
func (a Audit) method(ctx context.Context, cfg rollout.Config, previous rollout.AuditRun, dir rollout.Directory) (rollout.Method, string, error) {
	waves, err := a.Table.Waves(ctx, cfg.Tenant)
	if err != nil {
		return "", "", fmt.Errorf("read the waves: %w", err)
	}
	announced := slices.ContainsFunc(waves, func(w rollout.Wave) bool { return w.State != rollout.WavePlanned })
	before := rollout.Method("")
	if announced {
		before = previous.Method
	}
	method, reason := rollout.ChooseMethod(cfg.Method, before, dir.Plans)
	return method, reason, nil
}

// Read reads a tenant completely, or not at all: any listing that fails or is
// empty where it cannot be is an error. What the licences do not offer is named
// in Missing instead.
func Read(ctx context.Context, g Graph, now time.Time) (rollout.Directory, []rollout.Reading, error) {
	dir := rollout.Directory{ReadAt: now, Groups: map[string]rollout.GroupFacts{}}
	fail := func(what string, err error) (rollout.Directory, []rollout.Reading, error) {
		return rollout.Directory{}, nil, fmt.Errorf("read %s: %w", what, err)
	}
	var err error
	if dir.Organization, err = g.Organization(ctx); err != nil {
		return fail("the organization", err)
	}
	if dir.Plans, err = g.Plans(ctx); err != nil {
		return fail("the licences", err)
	}
	premium := rollout.HoldsPlan(dir.Plans, rollout.PlanEntraP1, rollout.PlanEntraP2)
	var readings []rollout.Reading
	if err := g.Users(ctx, premium, func(page []rollout.User) error {
		for _, u := range page {
			readings = append(readings, rollout.Reading{User: u})
		}
		return nil
	}); err != nil {
		return fail("the users", err)
	}
	if len(readings) == 0 {
		return fail("the users", errors.New("the listing is empty, and a tenant without accounts does not exist"))
	}
	if !premium {
		dir.Missing = append(dir.Missing, rollout.MissingData{Listing: "signInActivity", Reason: "no Entra ID P1", Consequence: "who never signed in, or works without a person, is not known"})
	}
	if err := readRegistrations(ctx, g, &dir, readings, premium); err != nil {
		return fail("who registered for MFA", err)
	}
	// Without Privileged Identity Management the active assignments are all there
	// are, and they come whole beside the error that says so.
	if dir.RoleAssignments, err = g.RoleAssignments(ctx, true); err != nil && (len(dir.RoleAssignments) == 0 || !errors.Is(err, graph.ErrNoLicence)) {
		return fail("the role assignments", err)
	}
	if dir.Policies, err = g.Policies(ctx); errors.Is(err, graph.ErrNoLicence) && !premium {
		dir.Policies = nil
		dir.Missing = append(dir.Missing, rollout.MissingData{Listing: "conditionalAccessPolicies", Reason: "no Entra ID P1", Consequence: "only Security Defaults can demand MFA"})
	} else if err != nil {
		return fail("the Conditional Access policies", err)
	}
	if dir.SecurityDefaults, err = g.SecurityDefaults(ctx); err != nil {
		return fail("Security Defaults", err)
	}
	if err := readGroups(ctx, g, &dir, readings); err != nil {
		return fail("the groups that policies and roles name", err)
	}
	if err := readPurposes(ctx, g, readings); err != nil {
		return fail("the purpose of mailboxes", err)
	}
	return dir, readings, nil
}

func readRegistrations(ctx context.Context, g Graph, dir *rollout.Directory, readings []rollout.Reading, premium bool) error {
	registrations := map[string]rollout.Registration{}
	if premium {
		if err := g.Registrations(ctx, func(page []rollout.Registration) error {
			for _, r := range page {
				registrations[r.UserID] = r
			}
			return nil
		}); err != nil {
			return err
		}
		if len(registrations) == 0 {
			return errors.New("the registration report is empty although there are accounts")
		}
	} else {
		dir.Missing = append(dir.Missing, rollout.MissingData{Listing: "userRegistrationDetails", Reason: "no Entra ID P1", Consequence: "methods are read per account; whether policy allows them is not known"})
		var ids []string
		for _, r := range readings {
			if r.User.AccountEnabled != rollout.No {
				ids = append(ids, r.User.ID)
			}
		}
		methods, err := g.BatchMethods(ctx, ids)
		if err != nil {
			return err
		}
		for id, list := range methods {
			registrations[id] = rollout.RegistrationFromMethods(id, list)
		}
	}
	for i, r := range readings {
		if reg, known := registrations[r.User.ID]; known {
			readings[i].Registration = &reg
		}
	}
	return nil
}

// readGroups opens every group that a policy or a role names. One that is gone
// proves nothing and stays closed.
func readGroups(ctx context.Context, g Graph, dir *rollout.Directory, readings []rollout.Reading) error {
	users := make(map[string]int, len(readings))
	for i, r := range readings {
		users[strings.ToLower(r.User.ID)] = i
	}
	named := map[string]bool{}
	for _, p := range dir.Policies {
		for _, id := range slices.Concat(p.IncludeGroups, p.ExcludeGroups) {
			named[id] = true
		}
	}
	for _, r := range dir.RoleAssignments {
		if _, is := users[strings.ToLower(r.PrincipalID)]; !is {
			named[r.PrincipalID] = true // a group, or a service principal that is not found as one
		}
	}
	groups, err := g.Groups(ctx, slices.Sorted(maps.Keys(named)))
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		group := groups[id]
		dir.Groups[id] = rollout.GroupFacts{ID: id, DisplayName: group.DisplayName, Opened: group.Opened}
		for _, member := range group.Members {
			if i, is := users[strings.ToLower(member)]; is {
				readings[i].Groups = append(readings[i].Groups, id)
			}
		}
	}
	return nil
}

// readPurposes asks for the kind of mailbox where it can matter: shared
// mailboxes and rooms have no licence or cannot sign in. There is no listing of
// it, so the others are not asked.
func readPurposes(ctx context.Context, g Graph, readings []rollout.Reading) error {
	var ids []string
	for _, r := range readings {
		if u := r.User; u.Mail != "" && !strings.EqualFold(u.UserType, "guest") && (!u.Licensed || u.AccountEnabled == rollout.No) {
			ids = append(ids, u.ID)
		}
	}
	purposes, err := g.Purposes(ctx, ids)
	if err != nil {
		return err
	}
	for i := range readings {
		readings[i].User.Purpose = purposes[readings[i].User.ID]
	}
	return nil
}

// signIns reads what the log says of Sallyport's own report-only policies, and
// who still uses protocols that cannot do MFA.
func (a Audit) signIns(ctx context.Context, g Graph, cfg rollout.Config, dir rollout.Directory, previous rollout.AuditRun, now time.Time) ([]rollout.Observation, []rollout.LegacyUse, error) {
	if !rollout.HoldsPlan(dir.Plans, rollout.PlanEntraP1, rollout.PlanEntraP2) {
		return nil, nil, nil // no sign-in log without a licence
	}
	owned, err := a.Table.Policies(ctx, cfg.Tenant)
	if err != nil {
		return nil, nil, fmt.Errorf("read the recorded policies: %w", err)
	}
	ours := map[string]bool{}
	for _, p := range owned {
		ours[p.ID] = p.ID != ""
	}
	log := rollout.NewSignInDigest(ours, previous.Legacy, now)
	if err := g.SignIns(ctx, graph.SignInQuery{From: now.Add(-signInsBack), To: now}, func(page []rollout.SignIn) error {
		log.Add(page)
		return nil
	}); err != nil {
		return nil, nil, fmt.Errorf("read the sign-in log: %w", err)
	}
	return log.Observations(), log.Legacy(), nil
}

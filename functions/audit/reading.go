package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// Graph is what the audit reads of a tenant. Listings that grow with it are read
// page by page, so that a reading can be gone on with in another invocation.
type Graph interface {
	Granted(ctx context.Context) ([]string, error)
	Organization(ctx context.Context) (rollout.Organization, error)
	Plans(ctx context.Context) ([]rollout.ServicePlan, error)
	RoleAssignments(ctx context.Context, withEligible bool) ([]rollout.RoleAssignment, error)
	RoleDefinitions(ctx context.Context) (map[string]rollout.RoleDefinition, error)
	Policies(ctx context.Context) ([]rollout.Policy, error)
	MethodsPolicy(ctx context.Context) (rollout.MethodsPolicy, error)
	SecurityDefaults(ctx context.Context) (bool, error)
	DefaultsUpsell(ctx context.Context) (rollout.DefaultsUpsell, error)
	GroupFacts(ctx context.Context, id string) (facts rollout.GroupFacts, hidden bool, err error)

	UsersPage(ctx context.Context, withActivity bool, cursor string) (graph.Page[rollout.User], error)
	RegistrationsPage(ctx context.Context, cursor string) (graph.Page[rollout.Registration], error)
	ManagersPage(ctx context.Context, cursor string) (graph.Page[graph.Manager], error)
	MembersPage(ctx context.Context, group, cursor string) (graph.Page[string], error)
	SignInsPage(ctx context.Context, q graph.SignInQuery, cursor string) (graph.Page[rollout.SignIn], error)
	PerUserMFAPage(ctx context.Context, cursor string) (graph.Page[graph.MFAState], error)

	BatchMethods(ctx context.Context, ids []string) (map[string][]string, error)
	Purposes(ctx context.Context, ids []string) (map[string]string, error)
	PerUserMFA(ctx context.Context, ids []string) (map[string]string, error)
}

// The listings, as their sheets are named.
const (
	listStored        = "stored" // what the table holds of earlier audits
	listUsers         = "users"
	listRegistrations = "registrations" // of the report, or made of each account's methods
	listManagers      = "managers"
	listMemberships   = "memberships"
	listPurposes      = "purposes"
	listMFABulk       = "per-user-mfa-bulk"
	listMFA           = "per-user-mfa"
	listSignIns       = "sign-ins"
)

// step reads one listing, a piece at a time, beginning at l.Cursor. next is where
// the piece after it begins, empty after the last. A [refused] error says that
// the tenant does not offer the listing and that the audit can do without.
type step struct {
	listing string
	piece   func(ctx context.Context, r *reading, l *listed) (rows []record, next string, err error)
}

// steps are all listings that a tenant of these licences has, in the order in
// which they are read: each may look into those before it.
func steps(premium bool) []step {
	list := []step{{listStored, stored}, {listUsers, users(premium)}}
	if premium {
		list = append(list, step{listRegistrations, registrations})
	} else {
		list = append(list, step{listRegistrations, methods})
	}
	list = append(list,
		step{listManagers, managers}, step{listMemberships, memberships}, step{listPurposes, purposes},
		step{listMFABulk, perUserMFABulk}, step{listMFA, perUserMFA})
	if premium {
		list = append(list, step{listSignIns, signIns})
	}
	return list
}

// reading is one invocation's share of reading a tenant.
type reading struct {
	graph    Graph
	space    workspace
	progress *progress
	dir      rollout.Directory
	known    known
	ours     map[string]bool // policies that Sallyport recorded as its own
	// since is how far back the sign-in log is read.
	since time.Duration
	// left is how much time there is until this invocation has to end.
	left  func(ctx context.Context) time.Duration
	walks map[string]*walk // by listing
}

// known is what the table remembers of earlier audits.
type known struct {
	accounts     func(context.Context) iter.Seq2[rollout.Account, error]     // by id
	observations func(context.Context) iter.Seq2[rollout.Observation, error] // by account
	legacy       []rollout.LegacyUse
}

// newReading begins a reading that is limited by nothing, and reads the sign-ins
// of a week.
func newReading(g Graph, space workspace, p *progress, k known) *reading {
	return &reading{
		graph: g, space: space, progress: p, known: k, walks: map[string]*walk{}, since: 7 * 24 * time.Hour,
		left: func(context.Context) time.Duration { return time.Hour },
	}
}

// enough is the time that must be left to begin a page: the slowest pace is one
// request in six seconds, and an answer may take as long as it is waited for.
const enough = 45 * time.Second

// mostRestarts bounds how often one listing is begun again because Graph forgot
// its cursor.
const mostRestarts = 5

// run reads all listings to their ends. [job.ErrContinues] says that there was
// not the time, or that Graph asked for a pause.
func (r *reading) run(ctx context.Context) error {
	err := r.listings(ctx)
	var later *graph.LaterError
	if !errors.As(err, &later) {
		return err
	}
	r.progress.NotBefore = later.At
	if err := r.space.save(ctx, progressName, r.progress); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", job.ErrContinues, err)
}

func (r *reading) listings(ctx context.Context) error {
	defer func() {
		for _, w := range r.walks {
			w.stop()
		}
	}()
	if err := r.directory(ctx); err != nil {
		return err
	}
	for _, s := range steps(premium(r.dir)) {
		l := r.progress.of(s.listing)
		for !l.Complete {
			if left := r.left(ctx); left < enough {
				return fmt.Errorf("%w: %s are left, and %s are not read to their end (%d pages)", job.ErrContinues, left.Round(time.Second), s.listing, l.Pages)
			}
			if err := r.piece(ctx, s, l); err != nil {
				return err
			}
			if err := r.space.save(ctx, progressName, r.progress); err != nil {
				return err
			}
		}
	}
	return nil
}

// directory reads what there is beside the accounts, or takes what was read.
func (r *reading) directory(ctx context.Context) error {
	if r.progress.Directory {
		return r.space.load(ctx, directoryName, &r.dir)
	}
	var err error
	if r.dir, err = readDirectory(ctx, r.graph, r.progress.Begun); err != nil {
		return err
	}
	if err := r.space.save(ctx, directoryName, r.dir); err != nil {
		return err
	}
	r.progress.Directory = true
	return r.space.save(ctx, progressName, r.progress)
}

// missing is what the tenant does not offer, and what follows.
func (r *reading) missing() []rollout.MissingData {
	list := slices.Clone(r.dir.Missing)
	why, n := r.progress.of(listManagers).Refused, r.progress.of(listManagers).Rows
	if all := r.progress.of(listUsers).Rows; why == "" && n < all {
		// Graph gives of such a listing what it likes, and does not say so.
		why = fmt.Sprintf("Graph listed %d of %d accounts", n, all)
	}
	if why != "" {
		list = append(list, rollout.MissingData{Listing: listManagers, Reason: why, Consequence: "a holdout's manager is not known"})
	}
	if why := r.progress.of(listPurposes).Refused; why != "" {
		list = append(list, rollout.MissingData{Listing: listPurposes, Reason: why, Consequence: "shared mailboxes and rooms look like people"})
	}
	if why := r.progress.of(listMFA).Refused; why != "" {
		list = append(list, rollout.MissingData{Listing: listMFA, Reason: why, Consequence: "whether the legacy per-user MFA is still on anywhere is not known"})
	}
	return list
}

// pages is how many pieces were read.
func (r *reading) pages() int {
	n := 0
	for _, l := range r.progress.Listings {
		n += l.Pages
	}
	return n
}

// piece reads one piece of a listing and keeps it.
func (r *reading) piece(ctx context.Context, s step, l *listed) error {
	rows, next, err := s.piece(ctx, r, l)
	var no refused
	switch {
	case err == nil:
	case errors.As(err, &no):
		l.Refused, l.Complete = string(no), true
		return nil
	case errors.Is(err, graph.ErrCursorExpired) && l.Restarts < mostRestarts:
		l.again()
		return nil
	default:
		return fmt.Errorf("read %s: %w", s.listing, err)
	}
	if err := r.space.keep(ctx, s.listing, l, rows); err != nil {
		return err
	}
	if err := l.move(next); err != nil {
		return fmt.Errorf("read %s: %w", s.listing, err)
	}
	return nil
}

// rows yields what was read of a listing, in the order of the accounts.
func (r *reading) rows(ctx context.Context, listing string) iter.Seq2[record, error] {
	return r.space.read(ctx, r.progress.of(listing).Sheets)
}

func premium(d rollout.Directory) bool {
	return rollout.HoldsPlan(d.Plans, rollout.PlanEntraP1, rollout.PlanEntraP2)
}

// readDirectory reads what there is of a tenant beside its accounts: everything
// that does not grow with them.
func readDirectory(ctx context.Context, g Graph, now time.Time) (rollout.Directory, error) {
	dir := rollout.Directory{ReadAt: now, Groups: map[string]rollout.GroupFacts{}}
	fail := func(what string, err error) (rollout.Directory, error) {
		return rollout.Directory{}, fmt.Errorf("read %s: %w", what, err)
	}
	miss := func(listing, reason, consequence string) {
		dir.Missing = append(dir.Missing, rollout.MissingData{Listing: listing, Reason: reason, Consequence: consequence})
	}
	var err error
	if dir.Organization, err = g.Organization(ctx); err != nil {
		return fail("the organization", err)
	}
	if dir.Plans, err = g.Plans(ctx); err != nil {
		return fail("the licences", err)
	}
	const noP1 = "no Entra ID P1"
	if !premium(dir) {
		miss("signInActivity", noP1, "who never signed in, or works without a person, is not known")
		miss("userRegistrationDetails", noP1, "methods are read per account; whether policy allows them is not known")
		miss("signIns", noP1, "who uses a protocol that cannot do MFA is not known")
	}
	// Without Privileged Identity Management the active assignments are all there
	// are, and they come whole beside the error that says so.
	if dir.RoleAssignments, err = g.RoleAssignments(ctx, true); err != nil && (len(dir.RoleAssignments) == 0 || !errors.Is(err, graph.ErrNoLicence)) {
		return fail("the role assignments", err)
	} else if err != nil {
		miss("roleEligibilityScheduleInstances", "no Privileged Identity Management", "who may become an administrator on request is not known")
	}
	if dir.RoleDefinitions, err = g.RoleDefinitions(ctx); err != nil {
		return fail("the role definitions", err)
	}
	if dir.Policies, err = g.Policies(ctx); errors.Is(err, graph.ErrNoLicence) && !premium(dir) {
		dir.Policies = nil
		miss("conditionalAccessPolicies", noP1, "only Security Defaults can demand MFA")
	} else if err != nil {
		return fail("the Conditional Access policies", err)
	}
	if dir.SecurityDefaults, err = g.SecurityDefaults(ctx); err != nil {
		return fail("Security Defaults", err)
	}
	// These two say nothing of any account; without them some findings lack.
	var denied *graph.DeniedError
	if dir.Upsell, err = g.DefaultsUpsell(ctx); errors.As(err, &denied) {
		miss("securityDefaultsUpsell", "the permission "+denied.Permission+" lacks", "whether Microsoft is about to switch Security Defaults on is not known")
	} else if err != nil {
		return fail("what Microsoft plans with Security Defaults", err)
	}
	if dir.MethodsPolicy, err = g.MethodsPolicy(ctx); errors.As(err, &denied) {
		miss("authenticationMethodsPolicy", "the permission "+denied.Permission+" lacks", "whether the methods that people are asked to register are allowed is not known")
	} else if err != nil {
		return fail("the policy of authentication methods", err)
	}
	return dir, nil
}

// namedGroups are the groups that policies name and the principals of roles that
// are no user, in the order of their ids: groups, or service principals that are
// not found as one.
func (r *reading) namedGroups(ctx context.Context) ([]string, error) {
	principals := map[string]string{}
	for _, a := range r.dir.RoleAssignments {
		principals[lower(a.PrincipalID)] = a.PrincipalID
	}
	for row, err := range r.rows(ctx, listUsers) {
		if err != nil {
			return nil, err
		}
		delete(principals, row.key)
	}
	for _, p := range r.dir.Policies {
		for _, id := range slices.Concat(p.IncludeGroups, p.ExcludeGroups) {
			principals[lower(id)] = id
		}
	}
	ids := make([]string, 0, len(principals))
	for _, id := range principals {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// Package setup makes a tenant's emergency accounts, with the rights of the person
// at the keyboard and never with those of an application: nothing that could make
// an account or give a role may be linked into a Lambda function, and a test of the
// house says so.
//
// What exists is found by marks that follow from the tenant's id, so that a run
// that died is continued and nothing is made twice. An account is made disabled and
// with a password that nobody ever sees. Its real password is handed over first,
// then set in the same request that enables the account, and only then is the
// account put into the group and given its role. So an account that is in neither
// was perhaps never handed over: it gets a new password from the next run, and no
// Global Administrator exists whose password is lost, or known to somebody else.
//
// Start reading at [Room.Look] and [Room.Make].
package setup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// Slots is how many emergency accounts a tenant gets.
// Source: https://learn.microsoft.com/entra/identity/role-based-access-control/security-emergency-access
const Slots = 2

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Room is what setting up is done with.
type Room struct {
	Reader *graph.Client // reads what Sallyport always reads
	Writer *Client       // makes and changes, and reads what only this package needs
	Random io.Reader     // crypto/rand.Reader, but for tests
}

// State is what a tenant has of its emergency accounts.
type State struct {
	TenantID string
	Domain   string // initial, *.onmicrosoft.com
	// Grouped: the tenant's licence allows a protected group and Conditional
	// Access policies. Without it (no Entra ID P1) there is nothing to exclude
	// accounts from.
	Grouped  bool
	Group    Group
	Accounts [Slots]Account
	Policies []Policy // in the order in which they are changed
}

// Group is the protected group that every policy excludes.
type Group struct {
	ID string // empty: to be made
}

// Account is one emergency account. Without an ID it is to be made.
type Account struct {
	ID                string
	DisplayName       string
	UserPrincipalName string
	Enabled           bool
	Member            bool // of the group
	Administrator     bool // Global Administrator, for good, at "/"
}

// Handed reports whether the account's password is with somebody. Nobody but the
// highest administrators can put it into the group or give it the role, and here
// both come after the password.
func (a Account) Handed() bool { return a.ID != "" && (a.Member || a.Administrator) }

// Done reports whether nothing is left to make.
func (s State) Done() bool {
	for _, a := range s.Accounts {
		if !a.Handed() || !a.Administrator || s.Grouped && !a.Member {
			return false
		}
	}
	for _, p := range s.Policies {
		if p.Change == Exclude {
			return false
		}
	}
	return true
}

// ErrStranger: something carries our mark or name and is not ours to use.
var ErrStranger = errors.New("not made by this command, or changed since")

// Look reads the tenant and finds what earlier runs made. names are the local
// parts that accounts yet to be made shall have; those that are missing are drawn.
// Nothing is changed.
func (r Room) Look(ctx context.Context, names []string) (State, error) {
	organization, err := r.Reader.Organization(ctx)
	if err != nil {
		return State{}, fmt.Errorf("read the organization: %w", err)
	}
	if organization.ID == "" || organization.InitialDomain == "" {
		return State{}, errors.New("read the organization: it names no id or no initial domain")
	}
	plans, err := r.Reader.Plans(ctx)
	if err != nil {
		return State{}, fmt.Errorf("read the licences: %w", err)
	}
	s := State{
		TenantID: organization.ID, Domain: organization.InitialDomain,
		Grouped: rollout.HoldsPlan(plans, rollout.PlanEntraP1, rollout.PlanEntraP2),
	}
	var members []string
	if s.Grouped {
		if s.Group, members, err = r.lookForGroup(ctx, s.TenantID); err != nil {
			return State{}, err
		}
	}
	if err := r.lookForAccounts(ctx, &s, members, names); err != nil {
		return State{}, err
	}
	if s.Grouped {
		if s.Policies, err = r.lookAtPolicies(ctx, s.Group.ID); err != nil {
			return State{}, err
		}
	}
	return s, ctx.Err()
}

// lookForGroup finds the group and its members.
func (r Room) lookForGroup(ctx context.Context, tenantID string) (Group, []string, error) {
	found, err := r.Writer.groupsMarked(ctx, mark(tenantID, "group"))
	if err != nil {
		return Group{}, nil, err
	}
	switch {
	case len(found) == 0:
		return Group{}, nil, nil
	case len(found) > 1:
		return Group{}, nil, fmt.Errorf("groups %s and %s both carry the mark of the group of emergency accounts: see which one the policies exclude, delete the other, and run this again", found[0].ID, found[1].ID)
	case !found[0].IsAssignableToRole:
		// Anybody may make a group, with any nickname. Nobody but the highest
		// administrators may make one that can carry roles, or change its members.
		return Group{}, nil, fmt.Errorf("group %s carries the mark of the group of emergency accounts, and lesser administrators can change who is in it: %w. Delete it and run this again", found[0].ID, ErrStranger)
	}
	members, err := r.Writer.members(ctx, found[0].ID)
	return Group{ID: found[0].ID}, members, err
}

// lookForAccounts finds the accounts, and names those that are to be made.
func (r Room) lookForAccounts(ctx context.Context, s *State, members, names []string) error {
	assignments, err := r.Reader.RoleAssignments(ctx, false)
	if err != nil {
		return fmt.Errorf("read the role assignments: %w", err)
	}
	for i := range s.Accounts {
		found, err := r.Writer.usersMarked(ctx, mark(s.TenantID, fmt.Sprint("account ", i+1)))
		if err != nil {
			return err
		}
		if len(found) > 1 {
			return fmt.Errorf("accounts %s and %s both carry the mark of emergency account %d: see which one is in use, delete the other, and run this again", found[0].ID, found[1].ID, i+1)
		}
		if len(found) == 0 {
			continue
		}
		a := found[0].account()
		a.Member = holds(members, a.ID)
		a.Administrator = hasRole(assignments, a.ID)
		if err := r.ours(ctx, *s, a, found[0]); err != nil {
			return err
		}
		s.Accounts[i] = a
	}
	for _, m := range members {
		if m != s.Accounts[0].ID && m != s.Accounts[1].ID {
			return fmt.Errorf("%s is a member of group %s, which holds the emergency accounts alone: %w. Every policy would leave it out. Take it out of the group, find out who put it there, and run this again", m, s.Group.ID, ErrStranger)
		}
	}
	return r.nameAccounts(ctx, s, names)
}

// ours refuses an account that carries the mark but that an earlier run cannot have
// left like this: whoever may make accounts could lay one out for us to promote.
func (r Room) ours(ctx context.Context, s State, a Account, row userRow) error {
	_, domain, _ := strings.Cut(a.UserPrincipalName, "@")
	switch {
	case !strings.EqualFold(domain, s.Domain):
		return fmt.Errorf("account %s carries the mark of an emergency account and is not on %s: %w", a.ID, s.Domain, ErrStranger)
	case row.Synced:
		return fmt.Errorf("account %s carries the mark of an emergency account and comes from another directory: %w", a.ID, ErrStranger)
	case a.Handed():
		return nil
	}
	methods, err := r.Reader.Methods(ctx, a.ID)
	if err != nil {
		return fmt.Errorf("see what account %s can sign in with: %w", a.ID, err)
	}
	methods = slices.DeleteFunc(methods, func(m string) bool { return m == "passwordAuthenticationMethod" }) // every account has that one
	if len(methods) > 0 {
		return fmt.Errorf("account %s carries the mark of an emergency account, was never handed over, and somebody registered a method for it (%s): %w. Find out who, delete the account, and run this again", a.ID, strings.Join(methods, ", "), ErrStranger)
	}
	return nil
}

// nameAccounts gives a name to each account that is to be made.
func (r Room) nameAccounts(ctx context.Context, s *State, names []string) error {
	for i := range s.Accounts {
		a := &s.Accounts[i]
		for tries := 0; a.UserPrincipalName == ""; tries++ {
			var local string
			if len(names) > 0 {
				local, names = names[0], names[1:]
			} else {
				var err error
				if local, err = drawName(r.Random); err != nil {
					return err
				}
			}
			taken, err := r.Writer.taken(ctx, local+"@"+s.Domain)
			if err != nil {
				return err
			}
			for _, other := range s.Accounts {
				taken = taken || strings.EqualFold(other.UserPrincipalName, local+"@"+s.Domain)
			}
			switch {
			case !taken:
				a.UserPrincipalName, a.DisplayName = local+"@"+s.Domain, displayName(local)
			case tries >= 20:
				return errors.New("every name that was drawn is taken: choose two with --name")
			}
		}
	}
	return nil
}

// mark is the mail nickname by which something is found again. It follows from the
// tenant, says nothing to whoever reads it in a list, and signs nobody in.
func mark(tenantID, what string) string {
	sum := sha256.Sum256([]byte("sallyport emergency\x00" + strings.ToLower(tenantID) + "\x00" + what))
	return "u" + hex.EncodeToString(sum[:])[:15]
}

func hasRole(assignments []rollout.RoleAssignment, id string) bool {
	for _, a := range assignments {
		if strings.EqualFold(a.PrincipalID, id) && strings.EqualFold(a.RoleDefinitionID, globalAdministrator) && a.DirectoryScopeID == "/" && !a.Eligible {
			return true
		}
	}
	return false
}

func holds(ids []string, id string) bool {
	for _, have := range ids {
		if strings.EqualFold(have, id) {
			return true
		}
	}
	return false
}

package tenant

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ErrUnknown is the error of every method that is given an id that the tenant
// does not have.
var ErrUnknown = errors.New("the tenant has no such thing")

// person is what belongs to an account beyond its row in /users.
type person struct {
	methods []Object // as /users/{id}/authentication/methods lists them
	purpose string   // mailboxSettings/userPurpose; empty: no mailbox
	perUser string   // per-user MFA: disabled, enabled, enforced
	manager string   // id of whom the account reports to; empty: nobody

	password string // as last set through Graph; empty: another way

	// given is the report row that a loaded folder brought. It holds, in the
	// listing and as the truth, until the person's methods change.
	given Object
	// reported is the report row as last refreshed, nil where there is none.
	reported   Object
	reportedAt time.Time

	activity Object // signInActivity as it is
	shown    Object // signInActivity as last refreshed
	shownAt  time.Time
}

// AddUser adds an account, given in Graph's shape; what is missing of id,
// createdDateTime, accountEnabled and userType is filled in. It returns the id.
// The account has a password, and no row in the report until the next refresh.
func (t *Tenant) AddUser(u Object) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text(u, "userPrincipalName") == "" {
		return "", errors.New("a user needs a userPrincipalName")
	}
	u = cloneObject(u)
	now := t.clock.Now()
	defaults := Object{
		"createdDateTime": stamp(now), "lastPasswordChangeDateTime": stamp(now), "accountEnabled": true, "userType": "Member",
		"businessPhones": []any{}, "assignedLicenses": []any{}, "otherMails": []any{},
	}
	for k, v := range defaults {
		if _, has := u[k]; !has {
			u[k] = v
		}
	}
	if text(u, "id") == "" {
		u["id"] = t.newID("user")
	}
	id := text(u, "id")
	if _, taken := t.users.get(id); taken {
		return "", fmt.Errorf("user %s is already there", id)
	}
	t.putUser(u)
	p := t.person(id)
	p.reportedAt, p.shownAt = now, now
	p.methods = []Object{newMethod(Password, id, now)}
	t.notify("users", id, "created")
	t.record("Add user", "UserManagement", target("User", u, nil))
	return id, nil
}

// putUser stores a row and makes sure that there is a person to it.
func (t *Tenant) putUser(u Object) {
	id := strings.ToLower(text(u, "id"))
	t.users.put(id, u)
	if t.people[id] == nil {
		t.people[id] = &person{perUser: "disabled"}
	}
}

// person returns what belongs to a user; the user exists.
func (t *Tenant) person(id string) *person { return t.people[strings.ToLower(id)] }

// UserID finds an account by userPrincipalName, without regard to case.
func (t *Tenant) UserID(userPrincipalName string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.userID(userPrincipalName)
}

func (t *Tenant) userID(upn string) (string, bool) {
	for _, u := range t.users.all() {
		if strings.EqualFold(text(u, "userPrincipalName"), upn) {
			return text(u, "id"), true
		}
	}
	return "", false
}

// User returns the account as it truly is, signInActivity included.
func (t *Tenant) User(id string) (Object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u, ok := t.users.get(id)
	if !ok {
		return nil, fmt.Errorf("user %s: %w", id, ErrUnknown)
	}
	return t.whole(u), nil
}

// Users returns every account as it truly is, in the order of their coming.
func (t *Tenant) Users() []Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Object, 0, t.users.len())
	for _, u := range t.users.all() {
		out = append(out, t.whole(u))
	}
	return out
}

func (t *Tenant) whole(u Object) Object {
	c := cloneObject(u)
	if a := t.person(text(u, "id")).activity; a != nil {
		c["signInActivity"] = cloneObject(a)
	}
	return c
}

// UpdateUser sets properties of an account.
func (t *Tenant) UpdateUser(id string, set Object) error {
	return t.changeUser(id, "Update user", func(u Object, _ *person) { maps.Copy(u, cloneObject(set)) })
}

// SetEnabled lets an account sign in, or no longer.
func (t *Tenant) SetEnabled(id string, enabled bool) error {
	name := "Disable account"
	if enabled {
		name = "Enable account"
	}
	return t.changeUser(id, name, func(u Object, _ *person) { u["accountEnabled"] = enabled })
}

// SetPurpose sets the kind of mailbox: user, shared, room, equipment, linked,
// others; empty for no mailbox.
func (t *Tenant) SetPurpose(id, purpose string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.users.get(id); !ok {
		return fmt.Errorf("set purpose of user %s: %w", id, ErrUnknown)
	}
	t.person(id).purpose = purpose
	return nil
}

// SetPerUserMFA sets the legacy per-user state: disabled, enabled or enforced.
func (t *Tenant) SetPerUserMFA(id, state string) error {
	return t.changeUser(id, "Update user", func(_ Object, p *person) { p.perUser = state })
}

// SetManager says to whom an account reports; empty: to nobody.
func (t *Tenant) SetManager(id, manager string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.users.get(id); !ok {
		return fmt.Errorf("set the manager of user %s: %w", id, ErrUnknown)
	}
	if _, ok := t.users.get(manager); manager != "" && !ok {
		return fmt.Errorf("make %s the manager of user %s: %w", manager, id, ErrUnknown)
	}
	t.person(id).manager = manager
	return nil
}

// DeleteUser removes an account, its roles and its memberships.
func (t *Tenant) DeleteUser(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	u, ok := t.users.get(id)
	if !ok {
		return fmt.Errorf("delete user %s: %w", id, ErrUnknown)
	}
	t.users.remove(id)
	delete(t.people, strings.ToLower(id))
	for g, members := range t.members {
		t.members[g] = slices.DeleteFunc(members, func(m string) bool { return strings.EqualFold(m, id) })
	}
	t.closures = nil
	for _, roles := range []*table{t.assignments, t.eligibility} {
		for _, a := range roles.all() {
			if strings.EqualFold(text(a, "principalId"), id) {
				roles.remove(text(a, "id"))
			}
		}
	}
	t.notify("users", id, "deleted")
	t.record("Delete user", "UserManagement", target("User", u, nil))
	return nil
}

// changeUser refreshes what lags behind, so that the report and the activity
// still show what was, and then makes the change.
func (t *Tenant) changeUser(id, activity string, change func(Object, *person)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	u, ok := t.users.get(id)
	if !ok {
		return fmt.Errorf("%s %s: %w", strings.ToLower(activity), id, ErrUnknown)
	}
	t.refresh(id)
	change(u, t.person(id))
	t.notify("users", id, "updated")
	t.record(activity, "UserManagement", target("User", u, nil))
	return nil
}

// Register gives a person a method at an instant that is not after now.
func (t *Tenant) Register(id string, kind MethodKind, when time.Time) error {
	if _, ok := methodKinds[kind]; !ok {
		return fmt.Errorf("register %q for user %s: no such kind of method", kind, id)
	}
	return t.changeUser(id, "User registered security info", func(_ Object, p *person) {
		p.methods = append(p.methods, newMethod(kind, fmt.Sprint(id, kind, len(p.methods)), when))
		p.given = nil // the methods are the truth from now on
	})
}

// Unregister takes every method of a kind away from a person.
func (t *Tenant) Unregister(id string, kind MethodKind) error {
	return t.changeUser(id, "User deleted security info", func(_ Object, p *person) {
		p.methods = slices.DeleteFunc(p.methods, func(m Object) bool { return kindOf(m) == kind })
		p.given = nil // the methods are the truth from now on
	})
}

// Methods returns a person's methods as /authentication/methods lists them.
func (t *Tenant) Methods(id string) ([]Object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.users.get(id); !ok {
		return nil, fmt.Errorf("methods of user %s: %w", id, ErrUnknown)
	}
	return cloneAll(t.person(id).methods), nil
}

// refresh brings the report row and the activity of one account to the newest
// moment at which Microsoft would have looked.
func (t *Tenant) refresh(id string) {
	p := t.person(id)
	key := strings.ToLower(id)
	now := t.clock.Now()
	if b := lastRefresh(now, t.behave.ReportEvery, t.seed, "report", key); b.After(p.reportedAt) {
		p.reported, p.reportedAt = t.registration(key, b), b
	}
	if b := lastRefresh(now, t.behave.ActivityEvery, t.seed, "activity", key); b.After(p.shownAt) {
		p.shown, p.shownAt = cloneObject(p.activity), b
	}
}

func (t *Tenant) refreshAll() {
	for _, id := range t.users.ids {
		t.refresh(id)
	}
}

// settle makes everything that is true now visible now: the start of a tenant.
func (t *Tenant) settle() {
	for _, p := range t.people {
		p.reportedAt, p.shownAt = time.Time{}, time.Time{}
	}
	t.refreshAll()
	t.audits, t.notifications = nil, nil
}

// lastRefresh is the newest moment, not after now, of a rhythm that each
// account has at its own offset.
func lastRefresh(now time.Time, every time.Duration, seed uint64, what, id string) time.Time {
	if every <= 0 {
		return now
	}
	offset := part(every, seed, what, id)
	return now.Add(-offset).Truncate(every).Add(offset)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

package rollout

import (
	"slices"
	"strings"
	"time"
)

// Assess judges a tenant whose accounts are all at hand: its accounts, in the
// order of their ids, and its findings. The nightly audit, which holds one
// account at a time, uses [Assessor] and [Tally] in the same way.
func Assess(cfg Config, d Directory, readings []Reading, now time.Time) ([]Account, []Finding) {
	assessor, tally := NewAssessor(cfg, d, now), NewTally(cfg, d, now)
	accounts := make([]Account, 0, len(readings))
	for _, r := range readings {
		accounts = append(accounts, assessor.Assess(r))
	}
	slices.SortFunc(accounts, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	// A directory that changes between two pages can name an account on both.
	accounts = slices.CompactFunc(accounts, func(a, b Account) bool { return a.ID == b.ID })
	for _, a := range accounts {
		tally.Add(a)
	}
	return accounts, tally.Findings(nil)
}

// Assessor turns what was read of one account into an [Account]. It is made once
// for a tenant and knows no account but the one it is asked about.
type Assessor struct {
	cfg   Config
	dir   Directory
	now   time.Time
	roles rolesByPrincipal
	book  roleBook
	// enforced works out what the policies demand.
	enforced *Evaluator
}

// NewAssessor prepares the judgement of a tenant's accounts.
func NewAssessor(cfg Config, d Directory, now time.Time) *Assessor {
	return &Assessor{
		cfg: cfg, dir: d, now: now, roles: newRolesByPrincipal(d.RoleAssignments), book: d.RoleDefinitions,
		enforced: NewEvaluator(d.Policies, d.Groups, d.SecurityDefaults),
	}
}

// Assess is the whole of the audit's judgement of one account.
func (x *Assessor) Assess(r Reading) Account {
	u, d := r.User, x.dir
	held := x.roles.of(u.ID, r.Groups)
	a := Account{
		ID: u.ID, UserPrincipalName: u.UserPrincipalName, DisplayName: u.DisplayName,
		Mail: address(u), Country: firstOf(u.UsageLocation, d.Organization.CountryLetterCode), Department: u.Department,
		Enabled: u.AccountEnabled != No, New: inGrace(x.cfg, u.Created, x.now),
		Registered: Unknown, Capable: Unknown, Methods: []string{}, Strength: StrengthUnknown,
		Roles: x.book.seen(held), OtherRoles: x.book.unseen(held), PerUserMFA: u.PerUserMFA, Purpose: u.Purpose, Manager: u.Manager, LegacyClients: r.LegacyClients,
		Created: u.Created, LastSignIn: latest(u.LastSignIn, u.LastSuccessfulSignIn, u.LastNonInteractive), LastInteractive: u.LastSignIn,
	}
	a.EnabledSince = enabledSince(u, r.Before, x.now)
	a.Reactivated = inGrace(x.cfg, a.EnabledSince, x.now)
	a.Language, a.LanguageFrom = x.language(u)
	j := classify(x.cfg, u, held, x.book, x.now)
	a.Class, a.Rule, a.Evidence = j.class, j.rule, j.evidence
	if reg := r.Registration; reg != nil {
		a.Registered, a.Capable = reg.MFARegistered, reg.MFACapable
		a.Methods = append(a.Methods, reg.Methods...)
		slices.Sort(a.Methods)
		a.Strength = StrengthOf(reg.Methods)
	}
	subject := Subject{ID: u.ID, Guest: GuestKinds(u), ActiveRoles: held.active, EligibleRoles: held.eligible, Groups: r.Groups}
	e := x.enforced.Evaluate(subject)
	a.Enforced, a.DemandedBy, a.NarrowedBy, a.Upcoming = e.Demand, e.DemandedBy, e.NarrowedBy, e.Upcoming
	if a.Class == ClassEmergency {
		a.StoppedBy = couldStop(subject, d.Policies, d.Groups)
	}
	return a
}

// language is the one that the person is written to in, and whose choice it is.
func (x *Assessor) language(u User) (language, from string) {
	if u.PreferredLanguage != "" {
		return u.PreferredLanguage, "preferredLanguage"
	}
	if l := x.dir.Organization.PreferredLanguage; l != "" {
		return l, "organization"
	}
	if l := firstOf(x.cfg.Communication.Languages...); l != "" {
		return l, "configured"
	}
	return "", ""
}

// address is where a person reads mail: the mailbox, else another address.
func address(u User) string { return firstOf(append([]string{u.Mail}, u.OtherMails...)...) }

func firstOf(candidates ...string) string {
	for _, c := range candidates {
		if c != "" {
			return c
		}
	}
	return ""
}

func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

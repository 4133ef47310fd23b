// Package export writes an audit for whoever reads it next: a spreadsheet, a
// program, an auditor. One line per account, the same columns whatever the
// format; infra/docs/audit-export.md says what stands in each, and a test holds
// the two equal.
//
// Rows are written as they come and nothing is kept, so that 200,000 accounts
// need no more memory than one. What is said of all accounts together comes
// last. An export whose Close was not called, or failed, is not whole.
package export

import (
	"cmp"
	"slices"
	"time"

	"sallyport/shared/rollout"
)

// Writer writes one export. The format decides how much of the summary has a
// place in it.
type Writer interface {
	Write(Row) error
	// Close writes what follows the accounts. It does not close what lies below.
	Close(Summary) error
}

// Row is what an export says of one account. A null is not known, or does not
// exist; a list is never null unless it says so.
type Row struct {
	ID                string        `json:"id"`
	UserPrincipalName string        `json:"userPrincipalName"`
	DisplayName       string        `json:"displayName"`
	Class             rollout.Class `json:"class"`
	Rule              string        `json:"rule"`
	Evidence          string        `json:"evidence"`
	Counts            bool          `json:"counts"` // in coverage, on the day of the audit
	Enabled           bool          `json:"enabled"`

	Registered *bool                `json:"registered"`
	Capable    *bool                `json:"capable"`
	Weak       *bool                `json:"weak"`     // capable, but only through SMS or voice
	WeakEnds   *rollout.Date        `json:"weakEnds"` // the day on which that stops working
	Strength   *rollout.Strength    `json:"strength"`
	Methods    []string             `json:"methods"` // null where nobody could read them
	Enforced   *rollout.Demand      `json:"enforced"`
	DemandedBy []string             `json:"demandedBy"`
	NarrowedBy []rollout.NarrowedBy `json:"narrowedBy"`
	Upcoming   []rollout.Upcoming   `json:"upcoming"`
	PerUserMFA *string              `json:"perUserMfa"`
	Roles      []string             `json:"roles"`
	OtherRoles []string             `json:"otherRoles"`

	Reachable    bool    `json:"reachable"` // there is an address to write to
	Language     *string `json:"language"`
	LanguageFrom *string `json:"languageFrom"`
	Manager      *string `json:"manager"`
	Department   *string `json:"department"`
	Country      *string `json:"country"`

	Created       *time.Time `json:"created"`
	LastSignIn    *time.Time `json:"lastSignIn"`
	LegacyClients []string   `json:"legacyClients"`
	New           bool       `json:"new"`
	Reactivated   bool       `json:"reactivated"`
	EnabledSince  *time.Time `json:"enabledSince"`
}

// Summary is what an export says of all accounts together.
type Summary struct {
	Coverage Coverage              `json:"coverage"`
	Findings []Finding             `json:"findings"` // the worst first
	Missing  []rollout.MissingData `json:"missing"`  // why a null is one
}

// Coverage is capable / all, over the accounts that count.
type Coverage struct {
	Numerator   int                   `json:"numerator"`
	Denominator int                   `json:"denominator"`
	Percent     float64               `json:"percent"`
	PerClass    map[rollout.Class]int `json:"perClass"`
}

// Finding is a finding with null for an audit that nobody remembers: one that
// stands alone knows neither the first nor the last to have seen it.
type Finding struct {
	rollout.Finding
	Accounts  []string   `json:"accounts"`
	FirstSeen *time.Time `json:"firstSeen"`
	LastSeen  *time.Time `json:"lastSeen"`
	GoneAt    *time.Time `json:"goneAt"`
}

// RowOf is the line of an account, as of that day.
func RowOf(cfg rollout.Config, a rollout.Account, day rollout.Date) Row {
	r := Row{
		ID: a.ID, UserPrincipalName: a.UserPrincipalName, DisplayName: a.DisplayName,
		Class: a.Class, Rule: a.Rule, Evidence: a.Evidence, Counts: rollout.Counts(cfg, a, day), Enabled: a.Enabled,
		Registered: known(a.Registered), Capable: known(a.Capable), Strength: given(a.Strength), Methods: list(a.Methods),
		Enforced: given(a.Enforced), DemandedBy: list(a.DemandedBy), NarrowedBy: list(a.NarrowedBy), Upcoming: list(a.Upcoming),
		PerUserMFA: given(a.PerUserMFA), Roles: list(a.Roles), OtherRoles: list(a.OtherRoles),
		Reachable: a.Mail != "", Language: given(a.Language), LanguageFrom: given(a.LanguageFrom),
		Manager: given(a.Manager), Department: given(a.Department), Country: given(a.Country),
		Created: moment(a.Created), LastSignIn: moment(a.LastSignIn), LegacyClients: list(a.LegacyClients),
		New: a.New, Reactivated: a.Reactivated, EnabledSince: moment(a.EnabledSince),
	}
	if r.Registered == nil && len(r.Methods) == 0 {
		r.Methods = nil
	}
	if r.Capable != nil {
		weak := *r.Capable && a.Strength == rollout.StrengthWeak
		r.Weak = &weak
		if weak {
			ends := rollout.SmsVoiceEnds()
			r.WeakEnds = &ends
		}
	}
	return r
}

// SummaryOf is what stands at the end. The coverage is that of the same day as
// the rows' Counts.
func SummaryOf(c rollout.Coverage, findings []rollout.Finding, missing []rollout.MissingData) Summary {
	worst := []string{"critical", "warning", "note"}
	s := Summary{Coverage: Coverage{c.Capable, c.All, c.Percent(), c.Classes}, Findings: []Finding{}, Missing: list(missing)}
	for _, f := range findings {
		s.Findings = append(s.Findings, Finding{f, list(f.Accounts), moment(f.FirstSeen), moment(f.LastSeen), moment(f.GoneAt)})
	}
	if s.Coverage.PerClass == nil {
		s.Coverage.PerClass = map[rollout.Class]int{}
	}
	slices.SortStableFunc(s.Findings, func(a, b Finding) int {
		rank := func(f Finding) int {
			if i := slices.Index(worst, f.Severity); i >= 0 {
				return i
			}
			return len(worst)
		}
		return cmp.Compare(rank(a), rank(b))
	})
	return s
}

// known is a fact as an export has it: true, false, or null.
func known(f rollout.Fact) *bool {
	if f != rollout.Yes && f != rollout.No {
		return nil
	}
	yes := f == rollout.Yes
	return &yes
}

// given is a text, or null for an empty one.
func given[T ~string](text T) *T {
	if text == "" {
		return nil
	}
	return &text
}

// moment is a time in UTC, or null for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// list is never null: an account without roles has none, which is known.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

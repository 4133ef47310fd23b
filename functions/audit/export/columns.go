package export

import (
	"strings"
	"time"

	"sallyport/shared/rollout"
)

// column is one cell of every line, in a sheet.
type column struct {
	name string // that of the JSON
	cell func(Row) string
}

// columns are all of them, in their order, which is kept: a new one goes to the
// end. A name here is a line of infra/docs/audit-export.md.
func columns() []column {
	return []column{
		{"id", func(r Row) string { return r.ID }},
		{"userPrincipalName", func(r Row) string { return r.UserPrincipalName }},
		{"displayName", func(r Row) string { return r.DisplayName }},
		{"class", func(r Row) string { return string(r.Class) }},
		{"rule", func(r Row) string { return r.Rule }},
		{"evidence", func(r Row) string { return r.Evidence }},
		{"counts", func(r Row) string { return yesNo(&r.Counts) }},
		{"enabled", func(r Row) string { return yesNo(&r.Enabled) }},
		{"registered", func(r Row) string { return yesNo(r.Registered) }},
		{"capable", func(r Row) string { return yesNo(r.Capable) }},
		{"weak", func(r Row) string { return yesNo(r.Weak) }},
		{"weakEnds", func(r Row) string { return day(r.WeakEnds) }},
		{"strength", func(r Row) string { return text(r.Strength) }},
		{"methods", func(r Row) string { return joined(r.Methods) }},
		{"enforced", func(r Row) string { return text(r.Enforced) }},
		{"demandedBy", func(r Row) string { return joined(r.DemandedBy) }},
		{"narrowedBy", func(r Row) string { return joined(narrowed(r.NarrowedBy)) }},
		{"upcoming", func(r Row) string { return joined(upcoming(r.Upcoming)) }},
		{"perUserMfa", func(r Row) string { return text(r.PerUserMFA) }},
		{"roles", func(r Row) string { return joined(r.Roles) }},
		{"otherRoles", func(r Row) string { return joined(r.OtherRoles) }},
		{"reachable", func(r Row) string { return yesNo(&r.Reachable) }},
		{"language", func(r Row) string { return text(r.Language) }},
		{"languageFrom", func(r Row) string { return text(r.LanguageFrom) }},
		{"manager", func(r Row) string { return text(r.Manager) }},
		{"department", func(r Row) string { return text(r.Department) }},
		{"country", func(r Row) string { return text(r.Country) }},
		{"created", func(r Row) string { return at(r.Created) }},
		{"lastSignIn", func(r Row) string { return at(r.LastSignIn) }},
		{"legacyClients", func(r Row) string { return joined(r.LegacyClients) }},
		{"new", func(r Row) string { return yesNo(&r.New) }},
		{"reactivated", func(r Row) string { return yesNo(&r.Reactivated) }},
		{"enabledSince", func(r Row) string { return at(r.EnabledSince) }},
	}
}

// Columns are the names of the columns of every sheet, in their order.
func Columns() []string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return names
}

// Cells are an account's cells, one for each of [Columns]: empty for what is not
// known, whole and as they are. Whoever writes them says how they are kept from
// being formulas.
func (r Row) Cells() []string {
	all := columns()
	cells := make([]string, len(all))
	for i, c := range all {
		cells[i] = c.cell(r)
	}
	return cells
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "yes"
	}
	return "no"
}

func text[T ~string](s *T) string {
	if s == nil {
		return ""
	}
	return string(*s)
}

func day(d *rollout.Date) string {
	if d == nil {
		return ""
	}
	return d.String()
}

func at(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339)
}

// joined is a list in one cell, for people: what takes lists apart reads JSON.
func joined(items []string) string { return strings.Join(items, "; ") }

func narrowed(all []rollout.NarrowedBy) (cells []string) {
	for _, n := range all {
		cells = append(cells, n.Policy+": "+n.By)
	}
	return cells
}

func upcoming(all []rollout.Upcoming) (cells []string) {
	for _, u := range all {
		cells = append(cells, u.Policy+": "+u.From.String())
	}
	return cells
}

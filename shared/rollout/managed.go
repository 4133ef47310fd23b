package rollout

import "strings"

// ManagedByMicrosoft reports whether Microsoft made the policy and switches it on
// by itself.
//
// No field of Graph says so. A managed policy cannot be renamed, and Microsoft's
// begin with "Microsoft-managed:" in tenants of all languages seen so far; a few
// have another name, but like the others a template of Microsoft's own series,
// which no published template belongs to. Both are what others saw on live
// tenants, not what Microsoft documents: an admin may give a policy such a name,
// and the next managed policy may have neither mark.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/managed-policies
func ManagedByMicrosoft(p Policy) bool {
	const name = "microsoft-managed:"
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(p.DisplayName)), name) {
		return true
	}
	// 4200930c-0da2-4e33-ca01-000000000007, ...-ca02-000000000004. Those of Baseline
	// Security Mode, ...-ca01-300000000011, are made when an admin asks for them.
	series, number, found := strings.Cut(strings.ToLower(p.TemplateID), "-ca")
	return found && series == "4200930c-0da2-4e33" && len(number) == 15 && number[0] == '0' && strings.HasPrefix(number[2:], "-0000000000")
}

// managedRest is how long a managed policy stays report-only at least.
const managedRest = 45

// TurnsOn says from which day on Microsoft may enable the policy by itself: one
// that it manages and that is report-only, no less than 45 days after it came.
// The day is zero where Graph does not say when that was.
//
// It is the earliest day, not the day: Microsoft takes longer for most tenants,
// says the day 28 days before in the Message center, and allows itself to be
// faster if it says so there. It lets the policy rest once an admin has set it
// to on or off.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/managed-policies
func TurnsOn(p Policy) (Date, bool) {
	if !ManagedByMicrosoft(p) || p.State != StateReportOnly {
		return Date{}, false
	}
	if p.Created.IsZero() {
		return Date{}, true
	}
	return DateOf(p.Created).AddDays(managedRest), true
}

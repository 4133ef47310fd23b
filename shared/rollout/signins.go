package rollout

import (
	"cmp"
	"slices"
	"time"
)

// SignInDigest boils a night's sign-in log down to what the gates ask: the
// newest verdict of each of Sallyport's report-only policies on each account,
// and who uses protocols that cannot do MFA. Its memory grows with accounts,
// not with rows, and it does not matter how often or in what order rows come.
type SignInDigest struct {
	ours     map[string]bool
	observed map[[2]string]Observation
	legacy   map[[2]string]LegacyUse
}

// NewSignInDigest begins a digest. before is what earlier nights saw of legacy
// protocols; it is forgotten after seven days.
func NewSignInDigest(ours map[string]bool, before []LegacyUse, now time.Time) *SignInDigest {
	d := &SignInDigest{ours: ours, observed: map[[2]string]Observation{}, legacy: map[[2]string]LegacyUse{}}
	for _, l := range before {
		if now.Sub(l.LastAt) < 7*24*time.Hour {
			d.legacy[[2]string{l.Account, l.Client}] = l
		}
	}
	return d
}

// Add takes in rows of the log.
func (d *SignInDigest) Add(rows []SignIn) {
	for _, r := range rows {
		for _, p := range r.Applied {
			key := [2]string{r.UserID, p.ID}
			if d.ours[p.ID] && !enforcedResult(p.Result) && r.CreatedAt.After(d.observed[key].LastAt) {
				d.observed[key] = Observation{Account: r.UserID, Policy: p.ID, Result: p.Result, LastAt: r.CreatedAt}
			}
		}
		key := [2]string{r.UserID, r.ClientAppUsed}
		if r.ErrorCode == 0 && LegacyClient(r.ClientAppUsed) && r.CreatedAt.After(d.legacy[key].LastAt) {
			d.legacy[key] = LegacyUse{Account: r.UserID, Client: r.ClientAppUsed, LastAt: r.CreatedAt}
		}
	}
}

// enforcedResult: what a policy says that is on or off, and not report-only.
// Anything else is kept, known or not: unknown is missing data to the gate.
func enforcedResult(result string) bool {
	switch result {
	case "success", "failure", "notApplied", "notEnabled":
		return true
	}
	return false
}

// Observations are the newest verdicts, in a stable order.
func (d *SignInDigest) Observations() []Observation {
	list := make([]Observation, 0, len(d.observed))
	for _, o := range d.observed {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b Observation) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Policy, b.Policy))
	})
	return list
}

// mostLegacy is how many uses are kept: one is enough for the gate, and the
// record of an audit has to fit the table.
const mostLegacy = 500

// Legacy are the uses of legacy protocols in the last seven days, in a stable
// order, the first few hundred of them.
func (d *SignInDigest) Legacy() []LegacyUse {
	list := make([]LegacyUse, 0, len(d.legacy))
	for _, l := range d.legacy {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b LegacyUse) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Client, b.Client))
	})
	return list[:min(len(list), mostLegacy)]
}

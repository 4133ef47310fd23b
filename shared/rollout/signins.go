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
			d.observe(Observation{Account: r.UserID, Policy: p.ID, Result: p.Result, LastAt: r.CreatedAt})
		}
		if r.ErrorCode == 0 && LegacyClient(r.ClientAppUsed) {
			d.use(LegacyUse{Account: r.UserID, Client: r.ClientAppUsed, LastAt: r.CreatedAt})
		}
	}
}

// Merge takes in what another digest made of a part of the log. Either may be nil.
func (d *SignInDigest) Merge(o *Observation, u *LegacyUse) {
	if o != nil {
		d.observe(*o)
	}
	if u != nil {
		d.use(*u)
	}
}

func (d *SignInDigest) observe(o Observation) {
	key := [2]string{o.Account, o.Policy}
	if d.ours[o.Policy] && !enforcedResult(o.Result) && o.LastAt.After(d.observed[key].LastAt) {
		d.observed[key] = o
	}
}

func (d *SignInDigest) use(u LegacyUse) {
	key := [2]string{u.Account, u.Client}
	if u.LastAt.After(d.legacy[key].LastAt) {
		d.legacy[key] = u
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

// MostLegacy is how many uses are kept: one is enough for the gate, and the
// record of an audit has to fit the table.
const MostLegacy = 500

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
	return list[:min(len(list), MostLegacy)]
}

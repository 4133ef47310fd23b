package rollout

import "slices"

// ExtensionDays is how long one person may be left out after the wave's deadline.
// There is one extension each, and no second one: whoever needs longer needs an
// exemption, with an alternative protection and an owner.
const ExtensionDays = 7

// Extension gives one person some more days after the deadline.
type Extension struct {
	Account string `json:"account"` // object id or userPrincipalName
	Until   Date   `json:"until"`   // the last day on which the person is left out
	Reason  string `json:"reason"`
	By      string `json:"by"` // who granted it
}

// Extension returns the extension of an account that is in force on the day. It
// never reaches further than seven days after the deadline of the person's wave,
// whatever rollout.yaml says, and it ends on the day the person is capable: then
// nothing stops them any more.
func (c Config) Extension(a Account, day Date) (Extension, bool) {
	i := slices.IndexFunc(c.Extensions, func(e Extension) bool { return names(e.Account, a) })
	if i < 0 || CapableOn(a, day) == Yes || !IsPerson(c, a) || c.IsEmergency(a.ID) {
		return Extension{}, false
	}
	wave, held := WaveOf(c, a, day)
	if !held {
		return Extension{}, false
	}
	e := c.Extensions[i]
	if most := wave.Deadline.AddDays(ExtensionDays); most.Before(e.Until) {
		e.Until = most
	}
	if e.Until.Before(day) || !wave.Deadline.Before(e.Until.AddDays(1)) {
		return Extension{}, false
	}
	return e, true
}

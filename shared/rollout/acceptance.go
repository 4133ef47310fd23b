package rollout

import (
	"slices"
	"strings"
	"time"
)

// NamedAcceptance is an operator's word, given to `sallyport accept` before a
// switch, that a person of the wave may be stopped. It stands in the table
// beside what rollout.yaml accepts, holds for the one wave, and is not taken
// back by another rollout.yaml.
type NamedAcceptance struct {
	Wave    string    `json:"wave"`
	Account string    `json:"account"` // object id
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	Version int64     `json:"version"`
}

// acceptanceOf is who accepted by name that the wave stops the account: in
// rollout.yaml, or before the switch by `sallyport accept`. It is the one place
// where the two are put together. An entry that says nobody accepts nobody.
func acceptanceOf(cfg Config, known Known, wave WaveConfig, a Account) (Acceptance, bool) {
	if i := slices.IndexFunc(cfg.Accepted, func(x Acceptance) bool { return x.By != "" && names(x.Account, a) }); i >= 0 {
		return cfg.Accepted[i], true
	}
	i := slices.IndexFunc(known.Accepted, func(x NamedAcceptance) bool {
		return x.By != "" && x.Account != "" && x.Wave == wave.Name && strings.EqualFold(x.Account, a.ID)
	})
	if i < 0 {
		return Acceptance{}, false
	}
	x := known.Accepted[i]
	return Acceptance{Account: x.Account, By: x.By, Reason: x.Reason}, true
}

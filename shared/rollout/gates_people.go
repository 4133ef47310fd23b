package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func gateNoticeGiven(in gateInput) (bool, string) {
	if _, read := in.live().Groups[GroupReady]; in.wave.Members == MembersCapable && in.conditionalAccess() && !read {
		return false, "the members of the wave's group were not read in this run"
	}
	if len(in.seen.Accounts) == 0 {
		return false, noAccounts
	}
	untold := untold(in.cfg, in.known, in.wave, in.blast, in.day)
	spared := in.spared()
	if late := in.exemptedButInside(spared); len(late) > 0 {
		return false, "exempted or extended, but not yet left out by the policy: " + strings.Join(late, ", ")
	}
	var open []string
	for _, a := range untold {
		if !containsFold(spared, a.ID) {
			open = append(open, a.ID)
		}
	}
	if len(open) > 0 {
		return false, fmt.Sprintf("%d of %d people who would be stopped were not provably told %d days ago: %s", len(open), len(in.blast), NoticeDays, strings.Join(open, ", "))
	}
	return true, fmt.Sprintf("%d people would be stopped: told, or accepted by name; %d whose notice still runs are left out until it has", len(in.blast)-len(untold), len(untold))
}

// exemptedButInside are the accounts that rollout.yaml leaves out and the policy
// does not: an exemption counts once Sallyport's group holds the account.
func (in gateInput) exemptedButInside(spared []string) []string {
	if !in.conditionalAccess() {
		return nil
	}
	nobodyExempt := in.cfg
	nobodyExempt.Exemptions = nil
	var ids []string
	for _, a := range addressed(nobodyExempt, in.seen, in.wave, in.day) {
		_, exempt := in.cfg.Exemption(a, in.day)
		_, extended := in.cfg.Extension(a, in.day)
		if (exempt || extended) && !containsFold(spared, a.ID) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

const noAccounts = "no account was read"

// spared are the accounts that the live policy leaves out through Sallyport's
// group. Security Defaults leave nobody out.
func (in gateInput) spared() []string {
	owned, created := in.known.Owned(in.wave.Name)
	policy, _ := in.live().Policy(owned.ID) // one that was not read excludes nobody
	group := in.live().Groups[GroupExempt]
	if !in.conditionalAccess() || !created || !group.Opened || !containsFold(policy.ExcludeGroups, in.known.groupIDs()[GroupExempt]) {
		return nil
	}
	return group.Members
}

// stopped are the people whom the wave's switch would stop.
func stopped(cfg Config, seen Seen, wave WaveConfig, day Date) []Account {
	return slices.DeleteFunc(addressed(cfg, seen, wave, day), func(a Account) bool { return !IsPerson(cfg, a) || CapableOn(a, day) == Yes })
}

// addressed are the accounts that the wave's policy holds. That of capable
// people holds a group, and with it those who are capable no longer.
func addressed(cfg Config, seen Seen, wave WaveConfig, day Date) []Account {
	inside := func(Account) bool { return true }
	if wave.Members == MembersCapable {
		wave.Members = MembersAll
		members := map[string]bool{}
		if seen.Live != nil {
			for _, id := range seen.Live.Groups[GroupReady].Members {
				members[strings.ToLower(id)] = true
			}
		}
		inside = func(a Account) bool { return members[strings.ToLower(a.ID)] }
	}
	var list []Account
	for _, a := range seen.Accounts {
		if wave.Holds(cfg, a, day) && inside(a) {
			list = append(list, a)
		}
	}
	return list
}

// untold are those of the people who were neither provably told in time nor
// accepted by name.
func untold(cfg Config, known Known, wave WaveConfig, people []Account, day Date) []Account {
	sent, loc := messagesByAccount(known.Messages), cfg.Location()
	return slices.DeleteFunc(slices.Clone(people), func(a Account) bool {
		_, accepted := acceptanceOf(cfg, known, wave, a)
		return accepted || toldInTime(loc, sent[a.ID], day)
	})
}

// toldInTime: a notice reached the person, it has run out, and the date that it
// named has come.
func toldInTime(loc *time.Location, sent []Message, day Date) bool {
	return slices.ContainsFunc(sent, func(m Message) bool {
		return m.Kind.IsNotice() && m.State == MessageDelivered && !m.Redirected() && !m.DeliveredAt.IsZero() &&
			DateOf(m.DeliveredAt.In(loc)).DaysUntil(day) >= NoticeDays && !day.Before(m.Deadline)
	})
}

func gateCoverage(in gateInput) (bool, string) {
	capable, all := 0, 0
	for _, a := range in.seen.Accounts {
		if in.wave.Holds(in.cfg, a, in.day) && Counts(in.cfg, a, in.day) {
			all++
			if CapableOn(a, in.day) == Yes {
				capable++
			}
		}
	}
	if all == 0 {
		return in.wave.Members == MembersCapable, "the wave holds nobody yet"
	}
	percent := float64(capable*1000/all) / 10
	return percent >= in.wave.NeededCoverage(), fmt.Sprintf("%d of %d capable, %.1f %%; %.0f %% are needed", capable, all, percent, in.wave.NeededCoverage())
}

func gateServiceAccounts(in gateInput) (bool, string) {
	if len(in.seen.Accounts) == 0 {
		return false, noAccounts
	}
	var open []string
	for _, a := range in.seen.Accounts {
		if in.wave.Holds(in.cfg, a, in.day) && (a.Class == ClassService || a.Class == ClassSharedMailbox || a.Class == ClassRoom) {
			open = append(open, a.ID)
		}
	}
	if len(open) > 0 {
		return false, "neither alternative nor exemption: " + strings.Join(open, ", ")
	}
	return true, "none is left without one"
}

func gateLegacy(in gateInput) (bool, string) {
	if len(in.seen.Accounts) == 0 {
		return false, noAccounts
	}
	if !HoldsPlan(in.seen.Audit.Plans, PlanEntraP1, PlanEntraP2) {
		return false, "without Entra ID P1 there is no sign-in log, so nobody knows; ask, and waive the gate"
	}
	byID := map[string]Account{}
	for _, a := range in.seen.Accounts {
		byID[a.ID] = a
	}
	var left []string
	for _, l := range in.seen.Audit.Legacy {
		if a, ok := byID[l.Account]; ok && in.wave.Holds(in.cfg, a, in.day) && in.now.Sub(l.LastAt) < 7*24*time.Hour {
			left = append(left, l.Account+" by "+l.Client)
		}
	}
	if len(left) > 0 {
		return false, strings.Join(left, ", ")
	}
	return true, "none seen in the last 7 days"
}

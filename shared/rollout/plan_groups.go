package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// groupCap is how many memberships one run may change: what the operator set,
// else max(50, 5 % of the tenant).
func (p *switchPlan) groupCap() int {
	if p.cfg.GroupChanges > 0 {
		return p.cfg.GroupChanges
	}
	return max(50, len(p.seen.Accounts)/20)
}

// fillGroups reconciles Sallyport's own groups with who belongs there today. It
// needs the whole tenant: who is missing from a partial reading would be taken
// out, and stopped.
//
// No run changes more memberships than the cap, over all groups. Who became
// capable joins in portions; every other change that is larger at once is more
// likely a mistake than a wish: nothing of it is done, and the operator is asked.
func (p *switchPlan) fillGroups() {
	if complete, _ := auditComplete(p.cfg, p.seen, p.now); !complete {
		return
	}
	// Who has to be left out goes before who may come in.
	groups := slices.Clone(p.known.Groups)
	slices.SortStableFunc(groups, func(a, b OwnedGroup) int { return cmp.Compare(a.Purpose, b.Purpose) })
	left := p.groupCap()
	for _, g := range groups {
		have, read := p.seen.Live.Groups[g.Purpose]
		if g.ID == "" || !read || !have.Opened {
			continue
		}
		add, remove := p.groupChanges(g.Purpose, have)
		tooMany := p.tooMany(g, &add, &remove)
		if g.Purpose == GroupReady {
			add = add[:min(len(add), max(0, left-len(remove)))]
		}
		add, remove = fitting(add, &left), fitting(remove, &left)
		// Said before it is done: a run that ends in between says it all the same.
		if tooMany != nil && p.morning() {
			p.tell(*tooMany, "group "+g.Purpose+" would change by more members than one run may")
		}
		if g.Purpose == GroupExempt {
			p.tellStrangers(remove)
		}
		if len(add)+len(remove) > 0 {
			p.do(FillGroup{Purpose: g.Purpose, Add: add, Remove: remove, Reason: fmt.Sprintf("%d to add, %d to remove", len(add), len(remove))})
		}
	}
}

// fitting is the list if one run has room left for all of it, and nobody if not:
// the next run has.
func fitting(ids []string, left *int) []string {
	if len(ids) > *left {
		return nil
	}
	*left -= len(ids)
	return ids
}

// groupChanges is who has to join and to leave one of Sallyport's own groups.
func (p *switchPlan) groupChanges(purpose string, have Group) (add, remove []string) {
	want := p.members(purpose)
	add, remove = difference(want, have.Members), difference(have.Members, want)
	if purpose == GroupReady {
		// Who is capable once stays: taking people out would un-protect them
		// whenever a report lags. Only who would be stopped untold leaves.
		remove = intersection(remove, p.untoldReady())
	}
	// Others may lean on our group to leave an emergency account out.
	return add, slices.DeleteFunc(remove, p.cfg.IsEmergency)
}

// members is who belongs in one of Sallyport's own groups today.
func (p *switchPlan) members(purpose string) []string {
	sparing := map[string]bool{}
	if purpose == GroupExempt {
		sparing = p.noticeRunning()
	}
	var want []string
	for _, a := range p.seen.Accounts {
		_, exempt := p.cfg.Exemption(a, p.day)
		_, extended := p.cfg.Extension(a, p.day)
		belongs := exempt || extended || sparing[a.ID]
		if purpose == GroupReady {
			belongs = !exempt && IsPerson(p.cfg, a) && a.Capable == Yes
		}
		if belongs && !p.cfg.IsEmergency(a.ID) {
			want = append(want, a.ID)
		}
	}
	return want
}

// tooMany empties the lists that are larger than a run may carry out at once, and
// says so. Additions are judged apart from removals: a person who has just been
// exempted does not wait until somebody has looked at the rest. The group of
// capable people may grow by any number: it does in portions.
func (p *switchPlan) tooMany(g OwnedGroup, add, remove *[]string) *Message {
	in, out := len(*add), len(*remove)
	var stopped []string
	if in > p.groupCap() && g.Purpose != GroupReady {
		stopped, *add = append(stopped, *add...), nil
	}
	if out > p.groupCap() {
		stopped, *remove = append(stopped, *remove...), nil
	}
	if len(stopped) == 0 {
		return nil
	}
	m := task("cap-"+g.Purpose+"-"+p.day.String(), "", "", Task{
		Title: fmt.Sprintf("Sallyport's group %q would change by %d members at once", g.Purpose, len(stopped)),
		Text: fmt.Sprintf("%d accounts would join the group (%s) and %d would leave it. One run changes at most %d, and so these were left as they are: a change of this size is more often a mistake than a wish.",
			in, g.ID, out, p.groupCap()),
		Remedy:   fmt.Sprintf("Look through exemptions, extensions and the newest audit. If it is meant, set groupChanges: %d in rollout.yaml and apply it; take the line out again afterwards.", len(stopped)),
		Accounts: stopped, Count: len(stopped),
	}, p.day, p.now)
	return &m
}

// tellStrangers names the accounts that stand in the group of those who are left
// out for no reason that rollout.yaml or a running notice gives: somebody else put
// them there. They are taken out all the same; the operator is told once a day.
func (p *switchPlan) tellStrangers(removed []string) {
	if len(removed) == 0 {
		return
	}
	sent := messagesByAccount(p.known.Messages)
	byID := map[string]Account{}
	for _, a := range p.seen.Accounts {
		byID[strings.ToLower(a.ID)] = a
	}
	strangers := slices.DeleteFunc(slices.Clone(removed), func(id string) bool {
		a, there := byID[strings.ToLower(id)]
		return there && (p.named(a) || leftOutForNow(p.cfg, a, sent[a.ID], p.day))
	})
	if len(strangers) == 0 {
		return
	}
	p.tell(task("strangers-"+p.day.String(), "", "", Task{
		Title:    "Accounts stood in Sallyport's group of those who are left out, for no known reason",
		Text:     "Neither an exemption nor an extension in rollout.yaml names the accounts below, and no notice to them is running. They were taken out of the group: the policies reach them again.",
		Remedy:   "If you took an exemption out of rollout.yaml today, there is nothing to do. Otherwise find out in the directory audit log who added them, and write an exemption for whom it was meant.",
		Accounts: strangers, Count: len(strangers),
	}, p.day, p.now), fmt.Sprintf("%d accounts stood in the group without a reason", len(strangers)))
}

// named reports whether rollout.yaml names the account to be left out, or did
// until a day that is over.
func (p *switchPlan) named(a Account) bool {
	return slices.ContainsFunc(p.cfg.Exemptions, func(e Exemption) bool { return names(e.Account, a) }) ||
		slices.ContainsFunc(p.cfg.Extensions, func(e Extension) bool { return names(e.Account, a) })
}

// leftOutForNow reports whether the person may have been left out by Sallyport:
// who was told late, or could not be told at all, is until the notice has run.
func leftOutForNow(cfg Config, a Account, sent []Message, day Date) bool {
	told, notice := noticeOf(sent)
	return IsPerson(cfg, a) && (!told || notice.Day.DaysUntil(day) <= 2*NoticeDays)
}

// morning: what the operator hears once a day waits for it.
func (p *switchPlan) morning() bool {
	return p.now.In(p.cfg.Location()).Hour() >= p.cfg.Enforcement.FromHour
}

// expiryWindows are the days before the end of an exemption from which on its
// owner is told, the farthest first.
func expiryWindows() []int { return []int{30, 7, 1} }

// tellExpiries tells the owner of an exemption 30, 7 and 1 days before it ends: from
// the day after, the account is in the rollout again by itself.
func (p *switchPlan) tellExpiries() {
	if complete, _ := auditComplete(p.cfg, p.seen, p.now); !complete || !p.morning() {
		return
	}
	for _, e := range p.cfg.Exemptions {
		window, due := reminderWindow(expiryWindows(), p.day.DaysUntil(e.Expires))
		i := slices.IndexFunc(p.seen.Accounts, func(a Account) bool { return names(e.Account, a) })
		if !due || i < 0 {
			continue // an account that is gone needs no word
		}
		id := p.seen.Accounts[i].ID
		p.tell(task(fmt.Sprintf("exemption-%s-%d-%s", id, window, e.Expires), "", e.Owner, Task{
			Title:    fmt.Sprintf("An exemption ends on %s", e.Expires),
			Text:     fmt.Sprintf("The account below is left out until the end of %s (%s; %s answers for it: %s). From the day after it is in the rollout again, by itself, and stopped if it cannot do MFA.", e.Expires, e.Alternative, e.Owner, e.Reason),
			Remedy:   "See that the account can do MFA or signs in another way by then. If it needs longer, write a later day and why into rollout.yaml, and apply it.",
			Accounts: []string{id}, Count: 1,
		}, p.day, p.now), fmt.Sprintf("the exemption of %s ends on %s", id, e.Expires))
	}
}

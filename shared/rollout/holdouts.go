package rollout

import (
	"fmt"
	"strconv"
	"strings"
)

// How many days after a switch others than the holdout hear of it.
const (
	// ManagerAfter: the manager, in one message about all of theirs.
	ManagerAfter = 3
	// OperatorAfter: the operator, in one message about all of the wave's.
	OperatorAfter = 7
)

// mostHoldouts is how many people one message names: nobody works through more of
// them in a mail, and the table keeps the list.
const mostHoldouts = 100

// What a message about holdouts remembers: ids, parted by spaces, and how many
// it leaves out.
const (
	detailPeople = "people"
	detailMore   = "more"
)

// HoldoutsOf reads whom a message of kind [MessageTeam] or [MessageHoldouts] is
// about, and how many more there are.
func HoldoutsOf(m Message) (accounts []string, more int) {
	more, _ = strconv.Atoi(m.Details[detailMore]) // written by named below
	return strings.Fields(m.Details[detailPeople]), more
}

func named(ids []string) map[string]string {
	shown := ids[:min(len(ids), mostHoldouts)]
	return map[string]string{detailPeople: strings.Join(shown, " "), detailMore: strconv.Itoa(len(ids) - len(shown))}
}

// holdout is a person who is stopped, and for how many days.
type holdout struct {
	Account
	wave string
	days int
}

// toManagers tells each manager of those of theirs who are stopped: one message
// for all of them, on the third day of the first, then once a week. It is that
// manager's message of the day, and waits if their mailbox is due another.
func (d *desk) toManagers() []Send {
	teams := map[string][]string{}
	for _, h := range d.holdouts {
		if h.days >= ManagerAfter && h.Manager != "" && h.Manager != h.ID {
			teams[h.Manager] = append(teams[h.Manager], h.ID)
		}
	}
	if len(teams) == 0 {
		return nil
	}
	var digests []Send
	for _, manager := range d.people {
		team := teams[manager.ID]
		count, last := countOf(d.sent[manager.ID], MessageTeam)
		if len(team) == 0 || !d.reachable(manager) || count > 0 && last.DaysUntil(d.day) < HoldoutEvery {
			continue
		}
		digests = append(digests, Send{
			Reason: fmt.Sprintf("%d of their people are stopped for %d days or more", len(team), ManagerAfter),
			Message: Message{
				ID: fmt.Sprintf("team-%d.%s", count+1, manager.ID), Kind: MessageTeam, Account: manager.ID,
				Day: d.day, State: MessageClaimed, ClaimedAt: d.now, Details: named(team),
			},
		})
	}
	return digests
}

// toOperator tells the operator, once a week for each wave, by name, who is
// stopped for seven days or more. It is no alert: it comes on a working day.
func (d *desk) toOperator() []Action {
	waves := map[string][]string{}
	for _, h := range d.holdouts {
		if h.days >= OperatorAfter {
			waves[h.wave] = append(waves[h.wave], h.ID)
		}
	}
	if !d.cfg.mayWrite(d.loc, d.now) {
		return nil
	}
	var actions []Action
	for _, w := range d.cfg.Waves {
		people := waves[w.Name]
		if len(people) == 0 {
			continue
		}
		week := DateOf(d.known.Wave(w.Name).EnforcedAt.In(d.loc)).DaysUntil(d.day) / OperatorAfter
		id := fmt.Sprintf("week-%d", week)
		m := notice(MessageHoldouts, w.Name, id, "", d.day, d.now, named(people))
		if d.posted(m.ID) {
			continue
		}
		actions = append(actions, Send{Message: m, Reason: fmt.Sprintf("%d people are stopped for %d days or more", len(people), OperatorAfter)})
	}
	return actions
}

func (d *desk) posted(id string) bool {
	for _, m := range d.known.Messages {
		if m.ID == id {
			return true
		}
	}
	return false
}

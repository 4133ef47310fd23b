package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DrillDo is what is to be done about a drill.
type DrillDo string

// What can be done. A step that invites makes a new drill; the others change one.
const (
	DrillInvite DrillDo = "invite"
	DrillMove   DrillDo = "move"
	DrillCancel DrillDo = "cancel"
	DrillFail   DrillDo = "fail"
)

// DrillStep is one thing to do: the drill as it is to be recorded, with the
// version that was read. Whoever records it first has done it.
type DrillStep struct {
	Do    DrillDo
	Drill Drill
}

// PlanDrills says what is to be done about drills: at most one step for each,
// and never a second drill for an account that has one which has not ended.
//
// A routine drill opens so early that a second window fits before the last one
// is 90 days old, on a working day, and its custodian is asked some days before.
// Windows of two accounts do not overlap where it can be helped: never are both
// keys out of their safes. What is not proven now (the first drill, one after a
// failure, one for a new custodian) opens at once and does not wait.
func PlanDrills(cfg Config, drills []Drill, alerts []Alert, now time.Time) []DrillStep {
	b := drillBook{cfg: cfg, loc: cfg.Location(), plan: cfg.drillPlan(), drills: drills, now: now}
	var steps []DrillStep
	for _, d := range drills {
		if d.Ended() {
			continue
		}
		if step, due := b.change(d, alerts); due {
			steps = append(steps, step)
		}
	}
	// An account whose drill ends only now gets the next one from the next run: this
	// one may have read it long ago, and not be the one that ends it.
	windows := b.windows()
	for _, e := range cfg.EmergencyAccounts {
		w, free := windows[strings.ToLower(e.ID)]
		if !free || now.Before(w.opens.AddDate(0, 0, -b.plan.InviteDays)) {
			continue
		}
		delete(windows, strings.ToLower(e.ID)) // the same account twice has one drill
		steps = append(steps, DrillStep{DrillInvite, Drill{
			ID: b.nextID(e.ID), Account: e.ID, Cause: w.cause, Custodian: e.Custodian, Invitee: e.CustodianEmail,
			InvitedAt: now, OpenedAt: w.opens, ClosesAt: w.closes,
		}})
	}
	return steps
}

// DrillWindow is when an account's next drill will be, as far as it can be told.
type DrillWindow struct {
	Account, Custodian     string
	Invites, Opens, Closes time.Time
}

// NextDrills are the windows that will be opened if nothing changes: of every
// account that has no drill under way.
func NextDrills(cfg Config, drills []Drill, now time.Time) []DrillWindow {
	b := drillBook{cfg: cfg, loc: cfg.Location(), plan: cfg.drillPlan(), drills: drills, now: now}
	windows := b.windows()
	var list []DrillWindow
	for _, e := range cfg.EmergencyAccounts {
		if w, free := windows[strings.ToLower(e.ID)]; free {
			list = append(list, DrillWindow{e.ID, e.Custodian, latest(now, w.opens.AddDate(0, 0, -b.plan.InviteDays)), w.opens, w.closes})
		}
	}
	return list
}

// drillBook is what the schedule is made from.
type drillBook struct {
	cfg    Config
	loc    *time.Location
	plan   DrillPlan
	drills []Drill
	now    time.Time
}

type drillSlot struct {
	opens, closes time.Time
	cause         DrillCause
}

func (s drillSlot) overlaps(o drillSlot) bool {
	return s.opens.Before(o.closes) && o.opens.Before(s.closes)
}

// change is what became of a drill that has not ended.
func (b drillBook) change(d Drill, alerts []Alert) (DrillStep, bool) {
	i := slices.IndexFunc(b.cfg.EmergencyAccounts, func(e EmergencyAccount) bool { return strings.EqualFold(e.ID, d.Account) })
	cancel := func(why string) (DrillStep, bool) {
		d.CancelledAt, d.Why = b.now, why
		return DrillStep{DrillCancel, d}, true
	}
	switch {
	case i < 0:
		return cancel("the account is no longer an emergency account")
	case !b.now.Before(d.ClosesAt.Add(DrillGrace)):
		d.FailedAt, d.Why = b.now, d.whyFailed(alerts)
		return DrillStep{DrillFail, d}, true
	case !b.now.Before(d.ClosesAt):
		return DrillStep{}, false // a row may still come
	case !sameCustodian(d.Custodian, b.cfg.EmergencyAccounts[i].Custodian):
		return cancel("the account has another custodian now")
	}
	due := b.due(b.cfg.EmergencyAccounts[i])
	switch {
	case d.Cause == DrillCustodian && due.cause == DrillRoutine:
		return cancel("the account is back with the custodian who tried it last")
	case !b.now.Before(d.OpenedAt):
		return DrillStep{}, false
	case due.opens.Before(d.OpenedAt) || !b.cfg.Enforcement.WorkingDay(DateOf(d.OpenedAt.In(b.loc))):
		// A promise of a later day does not bind, nor does one of a holiday.
		if due.opens.Before(b.now) {
			due = b.slot(b.now, due.cause)
		}
		if due.opens.Equal(d.OpenedAt) {
			return DrillStep{}, false
		}
		d.OpenedAt, d.ClosesAt, d.InvitedAt, d.Sequence = due.opens, due.closes, b.now, d.Sequence+1
		return DrillStep{DrillMove, d}, true
	}
	return DrillStep{}, false
}

// due is the latest window of the account's next drill, whatever the others do.
func (b drillBook) due(e EmergencyAccount) drillSlot {
	// A run that is late knows what a later one has done: no drill was passed in
	// its future only because its own time is behind.
	now := b.now.Add(24 * time.Hour)
	pass, passed := lastPass(b.drills, e.ID, now)
	_, failed := lastFailure(b.drills, e.ID, now)
	switch {
	case failed:
		return b.slot(b.now, DrillAgain)
	case !passed:
		return b.slot(b.now, DrillFirst)
	case !sameCustodian(pass.Custodian, e.Custodian):
		return b.slot(b.now, DrillCustodian)
	}
	day := b.workingDay(DateOf(pass.PassedAt.In(b.loc)).AddDays(b.plan.EveryDays - 2*b.plan.WindowDays - 1))
	return b.slot(day.At(b.cfg.Enforcement.FromHour, 0, b.loc), DrillRoutine)
}

// slot is a window that opens at a moment: whole days of the tenant's calendar,
// whatever its clocks do meanwhile.
func (b drillBook) slot(opens time.Time, cause DrillCause) drillSlot {
	return drillSlot{opens, opens.In(b.loc).AddDate(0, 0, b.plan.WindowDays), cause}
}

// workingDay is the last working day up to the day. A calendar without any in
// four weeks has none to offer.
func (b drillBook) workingDay(day Date) Date {
	for n := range 28 {
		if earlier := day.AddDays(-n); b.cfg.Enforcement.WorkingDay(earlier) {
			return earlier
		}
	}
	return day
}

// windows are the next windows of the accounts without a drill under way, by id
// in lower case. The latest stays where it is, and the others make room before it.
func (b drillBook) windows() map[string]drillSlot {
	type wish struct {
		account  string
		slot     drillSlot
		earliest Date
	}
	var wishes []wish
	var taken []drillSlot
	for _, d := range b.drills {
		if !d.Ended() {
			taken = append(taken, drillSlot{opens: d.OpenedAt, closes: d.ClosesAt})
		}
	}
	slots := map[string]drillSlot{}
	for _, e := range b.cfg.EmergencyAccounts {
		if slices.ContainsFunc(b.drills, func(d Drill) bool { return !d.Ended() && strings.EqualFold(d.Account, e.ID) }) {
			continue
		}
		w := wish{account: strings.ToLower(e.ID), slot: b.due(e), earliest: DateOf(b.now.In(b.loc)).AddDays(b.plan.InviteDays)}
		if w.slot.cause != DrillRoutine {
			slots[w.account] = w.slot
			continue
		}
		wishes = append(wishes, w)
	}
	slices.Reverse(wishes)
	slices.SortStableFunc(wishes, func(a, c wish) int { return cmp.Compare(0, a.slot.opens.Compare(c.slot.opens)) })
	for _, w := range wishes {
		w.slot = b.apart(w.slot, taken, w.earliest)
		taken = append(taken, w.slot)
		if w.slot.opens.Before(b.now) {
			w.slot = b.slot(b.now, w.slot.cause) // the runs of that day did not happen
		}
		slots[w.account] = w.slot
	}
	return slots
}

// apart moves a window before those that it overlaps, unless its custodian would
// then be asked too late: two windows at once are better than one that is missed.
func (b drillBook) apart(wanted drillSlot, taken []drillSlot, earliest Date) drillSlot {
	s := wanted
	for {
		i := slices.IndexFunc(taken, s.overlaps)
		if i < 0 {
			return s
		}
		day := b.workingDay(DateOf(taken[i].opens.In(b.loc)).AddDays(-b.plan.WindowDays))
		s = b.slot(day.At(b.cfg.Enforcement.FromHour, 0, b.loc), s.cause)
		if s.overlaps(taken[i]) { // it opens later in the day than the other does
			day = b.workingDay(day.AddDays(-1))
			s = b.slot(day.At(b.cfg.Enforcement.FromHour, 0, b.loc), s.cause)
		}
		if day.Before(earliest) {
			return wanted
		}
	}
}

// nextID counts the account's drills: two runs that know the same drills give the
// next one the same id, whatever their clocks say, and only one can record it.
func (b drillBook) nextID(account string) string {
	n := 1
	for _, d := range b.drills {
		if strings.EqualFold(d.Account, account) {
			n++
		}
	}
	return fmt.Sprintf("drill-%s-%03d", strings.ToLower(account), n)
}

// The notices of a drill.
const (
	NoticeInvitation = "invitation"
	NoticeOpen       = "open"
	NoticeCancelled  = "cancelled"
)

// DueDrillNotice is the message about the drill that was not sent yet, if there
// is one. A drill that opened with its invitation needs no second word.
func DueDrillNotice(cfg Config, d Drill, now time.Time) (Message, bool) {
	notice, name := NoticeInvitation, fmt.Sprintf("%s-%d", NoticeInvitation, d.Sequence)
	switch {
	case !d.PassedAt.IsZero() || !d.FailedAt.IsZero():
		return Message{}, false
	case !d.CancelledAt.IsZero():
		notice, name = NoticeCancelled, NoticeCancelled
	case !now.Before(d.ClosesAt):
		return Message{}, false
	case !now.Before(d.OpenedAt) && d.InvitedAt.Before(d.OpenedAt):
		notice, name = NoticeOpen, fmt.Sprintf("%s-%d", NoticeOpen, d.Sequence)
	}
	if name == d.Told || notice == NoticeCancelled && d.Told == "" {
		return Message{}, false
	}
	instant := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	return Message{
		ID: "drill.." + d.ID + "." + name, Kind: MessageDrill, Subject: name, Day: DateOf(now.In(cfg.Location())),
		State: MessageClaimed, ClaimedAt: now,
		Details: map[string]string{
			"account": d.Account, "notice": notice, "drill": d.ID, "sequence": strconv.Itoa(d.Sequence),
			"opens": instant(d.OpenedAt), "closes": instant(d.ClosesAt), "invited": instant(d.InvitedAt),
			"custodian": d.Custodian, "invitee": d.Invitee, "cause": string(d.Cause), "why": d.Why,
		},
	}, true
}

// drillEntries are the drills on the timeline: the first one of each account,
// open from Sallyport's first run and due before the first switch, and the next
// if that is passed on the day of the announcement.
func drillEntries(cfg Config, announced Date) []TimelineEntry {
	at := announced.At(12, 0, cfg.Location())
	var entries []TimelineEntry
	var passed []Drill
	for _, e := range cfg.EmergencyAccounts {
		entries = append(entries, TimelineEntry{
			Day: announced, What: MilestoneDrill,
			Detail: fmt.Sprintf("%s tries %s, due before the first switch", nameOr(e.Custodian, "the custodian"), e.ID),
		})
		passed = append(passed, Drill{Account: e.ID, Custodian: e.Custodian, PassedAt: at})
	}
	for _, w := range NextDrills(cfg, passed, at) {
		entries = append(entries,
			TimelineEntry{Day: DateOf(w.Invites.In(cfg.Location())), What: MilestoneInvitation, Detail: fmt.Sprintf("%s is asked to try %s", nameOr(w.Custodian, "the custodian"), w.Account)},
			TimelineEntry{Day: DateOf(w.Opens.In(cfg.Location())), What: MilestoneDrill, Detail: fmt.Sprintf("%s tries %s, until %s", nameOr(w.Custodian, "the custodian"), w.Account, DateOf(w.Closes.In(cfg.Location())))})
	}
	return entries
}

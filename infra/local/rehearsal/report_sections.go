package rehearsal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sallyport/shared/rollout"
)

type pointLine struct {
	Day, Percent       string
	Capable, All, Weak int
}

type markLine struct {
	Number   int
	Wave, At string
	day      rollout.Date
}

type waveLine struct {
	Name, Who, State, Deadline             string
	Announced, Observed, Enforced, Settled string
	Good, Bad                              bool
}

func (r *report) waves() {
	for _, w := range r.Timeline.Waves {
		line := waveLine{
			Name: w.Name, State: string(w.State), Deadline: day(w.Deadline),
			Announced: r.moment(w.AnnouncedAt), Observed: r.moment(w.ObservedFrom), Enforced: r.moment(w.EnforcedAt), Settled: r.moment(w.SettledAt),
			Good: w.State == rollout.WaveEnforced || w.State == rollout.WaveSettled,
			Bad:  w.State == rollout.WaveHeld || w.State == rollout.WaveRolledBack || w.State == rollout.WavePaused,
		}
		if line.Deadline == "" {
			line.Deadline = "the day somebody is ready"
		}
		if wave, found := r.detail.cfg.Wave(w.Name); found {
			line.Who = map[rollout.Members]string{
				rollout.MembersAdmins: "administrators", rollout.MembersCapable: "everybody already able to use MFA", rollout.MembersAll: "everybody",
			}[wave.Members]
		}
		r.WaveLines = append(r.WaveLines, line)
	}
}

type holdLine struct {
	Wave, From, To, Long, Reason string
	Gates                        []gateLine
}

type gateLine struct {
	ID, Question, Remedy string
	Waivable             bool
	Held                 int // how many times it held a wave
}

// holds joins the gates that held the same wave at the same moment.
func (r *report) holds() {
	held := map[string]int{}
	index := map[string]gateLine{}
	for _, g := range rollout.Gates() {
		index[g.ID] = gateLine{ID: g.ID, Question: g.Question, Remedy: g.Remedy, Waivable: g.Waivable}
	}
	var last *Hold
	for _, h := range r.Timeline.Holds {
		held[h.Gate]++
		gate, known := index[h.Gate]
		if !known {
			gate = gateLine{ID: h.Gate}
		}
		if last == nil || last.Wave != h.Wave || !last.From.Equal(h.From) {
			line := holdLine{Wave: h.Wave, From: r.moment(&h.From), To: r.moment(h.To), Reason: r.inWords(reasonOf(r.detail.known, h))}
			if h.To != nil {
				line.Long = span(h.To.Sub(h.From))
			}
			r.HoldLines = append(r.HoldLines, line)
		}
		current := &r.HoldLines[len(r.HoldLines)-1]
		current.Gates = append(current.Gates, gate)
		last = &h
	}
	for _, g := range rollout.Gates() {
		line := index[g.ID]
		line.Held = held[g.ID]
		r.Gates = append(r.Gates, line)
	}
}

// reasonOf is what the wave's record says of a hold.
func reasonOf(known rollout.Known, h Hold) string {
	for _, m := range known.Wave(h.Wave).History {
		if m.To == rollout.WaveHeld && m.At.Equal(h.From) {
			return m.Reason
		}
	}
	return ""
}

type kindLine struct {
	Words, To string
	Count     int
	Width     int // of its bar, percent of the longest
}

// kindWords are the kinds of message in the order in which a rollout sends them.
var kindWords = []struct {
	kind           rollout.MessageKind
	words, one, to string // in the report's table; one of them, in a sentence
}{
	{rollout.MessageAnnouncement, "announcement", "announcement", "each person who has to act"},
	{rollout.MessageReady, "nothing to do", "nothing-to-do note", "each person who is ready already"},
	{rollout.MessageReminder, "reminder", "reminder", "only those who still have to act"},
	{rollout.MessageTraining, "training", "training invitation", "each person who has to act"},
	{rollout.MessageToday, "today", "note on the day", "those not registered on the morning of the switch"},
	{rollout.MessageHoldout, "how to get in", "holdout note", "people not registered after their date"},
	{rollout.MessageTeam, "who of a team is stopped", "note to a manager", "managers, once for all of theirs"},
	{rollout.MessageColleague, "welcome", "welcome note", "people who join after the switch"},
	{rollout.MessageBetter, "a better method", "better-method note", "those with SMS or voice alone"},
	{rollout.MessageDone, "all is done", "note that all is done", "people who have just registered"},
	{rollout.MessageHoldouts, "who is stopped since a week", "list of holdouts", "operator"},
	{rollout.MessageDrill, "drill is due", "drill notice", "security"},
	{rollout.MessageBlast, "whom the switch stops", "blast list", "operator"},
	{rollout.MessageTask, "a decision waits", "task", "operator"},
	{rollout.MessageHold, "a wave is held", "hold notice", "operator"},
	{rollout.MessageSwitched, "a wave was switched", "switch notice", "operator"},
	{rollout.MessageRollback, "a wave was put back", "roll-back notice", "operator"},
	{rollout.MessageLockOut, "somebody is locked out", "lock-out notice", "help desk"},
	{rollout.MessageAlert, "emergency account used", "alert", "security"},
	{rollout.MessageClosing, "closing summary", "closing summary", "operator"},
}

func (r *report) messages() {
	left, most := maps.Clone(r.Timeline.Messages), 0
	for _, n := range r.Timeline.Messages {
		r.Sent += n
		most = max(most, n)
	}
	add := func(words, to string, n int) {
		if n > 0 {
			r.Kinds = append(r.Kinds, kindLine{words, to, n, max(1, n*100/most)})
		}
	}
	for _, k := range kindWords {
		add(k.words, k.to, left[k.kind])
		delete(left, k.kind)
	}
	for _, kind := range sortedKeys(left) {
		add(string(kind), "", left[kind])
	}
}

type alertLine struct {
	Who, What, When, After, From, App string
	Acked                             string // how long after the sign-in, by whom, after how many calls
	Drill, Missing                    bool
	Width                             int
}

func (r *report) alerts() {
	slowest, found := r.SlowestAlert()
	if found {
		r.Slowest = span(slowest)
	}
	if median, found := r.MedianAlert(); found {
		r.Median = span(median)
	}
	records := map[string]rollout.Alert{}
	for _, a := range r.detail.alerts {
		records[a.SignIn.ID+" "+a.Kind] = a
	}
	for _, a := range r.Timeline.Alerts {
		line := alertLine{Who: r.name(a.Account), When: r.moment(&a.OccurredAt), Drill: a.Drill, Missing: a.AlertedAt == nil}
		record := records[a.SignInID+" "+a.Kind]
		switch s := record.SignIn; {
		case a.Kind == rollout.AlertTampering:
			line.What = "the account or its exclusion was touched"
		case a.Kind == rollout.AlertDrill:
			line.What = "drill failed"
		case a.Kind == rollout.AlertMonitor:
			line.What = "Azure Monitor raised it"
		case s.ErrorCode != 0:
			line.What = "failed sign-in"
		default:
			line.What = "sign-in"
		}
		line.App = record.SignIn.AppDisplayName
		place := []string{record.SignIn.City, record.SignIn.Country, record.SignIn.IPAddress}
		line.From = strings.Join(slices.DeleteFunc(place, func(s string) bool { return s == "" }), ", ")
		if a.AlertedAt != nil {
			late := a.AlertedAt.Sub(a.OccurredAt)
			line.After = span(late)
			if slowest > 0 {
				line.Width = max(1, int(late*100/slowest))
			}
		}
		line.Acked = "not acknowledged"
		if a.AckedAt != nil {
			line.Acked = span(a.AckedAt.Sub(a.OccurredAt)) + ", " + a.AckedBy
		}
		if a.Calls > 0 {
			line.Acked += ", after " + count(a.Calls, "call")
		}
		r.AlertLines = append(r.AlertLines, line)
	}
}

type drillLine struct {
	Who, Custodian, Window, Result, When, After, Ways, Method string
	Good, Bad                                                 bool
}

// drills is the history of the drills, oldest first.
func (r *report) drills() {
	drills := slices.Clone(r.detail.known.Drills)
	slices.SortStableFunc(drills, func(a, b rollout.Drill) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.Account, b.Account))
	})
	for _, d := range drills {
		line := drillLine{
			Who: r.name(d.Account), Custodian: d.Custodian, Window: r.moment(&d.OpenedAt) + " to " + r.moment(&d.ClosesAt),
			Result: "not over", Good: !d.PassedAt.IsZero(), Bad: !d.FailedAt.IsZero(),
		}
		switch {
		case line.Good:
			line.Result, line.When, line.After = "passed", r.moment(&d.SignedInAt), span(d.PassedAt.Sub(d.SignedInAt))
			line.Ways, line.Method = strings.Join(d.Ways, ", "), cmp.Or(strings.Join(d.Methods, ", "), "not said by the log")
		case line.Bad:
			line.Result, line.When = "failed", d.Why
		case !d.CancelledAt.IsZero():
			line.Result, line.When = "cancelled", d.Why
		}
		r.DrillLines = append(r.DrillLines, line)
	}
}

type lockOutLine struct {
	Who, Cause, Opened, Closed, By, Long string
}

func (r *report) lockOuts() {
	for _, l := range r.Timeline.LockOuts {
		line := lockOutLine{Who: r.name(l.Account), Cause: l.Cause, Opened: r.moment(&l.OpenedAt), Closed: r.moment(l.ClosedAt), By: l.ClosedBy}
		if l.ClosedAt != nil {
			line.Long = span(l.ClosedAt.Sub(l.OpenedAt))
		}
		r.LockOutLines = append(r.LockOutLines, line)
	}
	for _, id := range r.Timeline.Holdouts {
		r.HoldoutLines = append(r.HoldoutLines, r.name(id))
	}
	slices.Sort(r.HoldoutLines)
}

type classLine struct {
	Class, Why       string
	Count            int
	Counts, Capable  int
	Width, FillWidth int // of the bars, in percent: of the largest class, and of this one those that count
}

// whyNot says why a class stands outside coverage, and what protects it instead.
var whyNot = map[rollout.Class]string{
	rollout.ClassEmergency:     "outside every policy on purpose; each use raises an alert",
	rollout.ClassSync:          "synchronises the directory; no person signs in with it",
	rollout.ClassRoom:          "no person signs in with it; its sign-in should be blocked",
	rollout.ClassSharedMailbox: "reached through people's own accounts; its sign-in should be blocked",
	rollout.ClassDisabled:      "cannot sign in",
	rollout.ClassService:       "a program, listed by name under exemptions",
	rollout.ClassGuest:         "people of another organisation; counted if rollout.yaml says so",
	rollout.ClassNeverSignedIn: "told and protected, counted from the first sign-in on",
}

func (r *report) classes() {
	cfg := r.detail.cfg
	today := rollout.DateOf(r.detail.audit.At.In(r.loc))
	counts, capable, apart := map[rollout.Class]int{}, map[rollout.Class]int{}, map[rollout.Class]int{}
	for _, a := range r.detail.accounts {
		switch {
		case !rollout.Counts(cfg, a, today):
			apart[a.Class]++
		case a.Capable == rollout.Yes:
			capable[a.Class]++
			counts[a.Class]++
		default:
			counts[a.Class]++
		}
	}
	most := 0
	for _, n := range r.Timeline.Classes {
		most = max(most, n)
	}
	for _, c := range rollout.Classes() {
		n := r.Timeline.Classes[c]
		if n == 0 {
			continue
		}
		line := classLine{Class: string(c), Count: n, Counts: counts[c], Capable: capable[c], Width: max(1, n*100/most), FillWidth: counts[c] * 100 / n}
		switch {
		case counts[c] == 0:
			line.Why = whyNot[c]
		case apart[c] > 0:
			line.Why = fmt.Sprintf("%d apart: new or enabled again and within their grace, or exempted", apart[c])
		}
		r.ClassLines = append(r.ClassLines, line)
	}
	slices.SortStableFunc(r.ClassLines, func(a, b classLine) int {
		return cmp.Or(cmp.Compare(b.Counts, a.Counts), cmp.Compare(b.Count, a.Count))
	})
}

type findingLine struct {
	Severity, Text, Evidence, Remedy, Who string
}

type changeLine struct {
	Seq int64

	At, What, Target, Intent, Reason, Result string
	Failed                                   bool
}

type countLine struct {
	What string
	N    int
}

// changeWords say what a write did.
var changeWords = map[string]string{
	"createPolicy": "create policy", "setPolicyState": "set state", "setSecurityDefaults": "set Security Defaults",
	"createGroup": "create group", "fillGroup": "change members",
}

func (r *report) rest() {
	findings := rollout.Present(r.detail.audit.Findings)
	gravest := []string{rollout.SeverityCritical, rollout.SeverityWarning, rollout.SeverityNote}
	slices.SortStableFunc(findings, func(a, b rollout.Finding) int {
		return cmp.Compare(slices.Index(gravest, a.Severity), slices.Index(gravest, b.Severity))
	})
	for _, f := range findings {
		who := make([]string, 0, len(f.Accounts))
		for _, id := range f.Accounts {
			who = append(who, r.name(id))
		}
		r.Findings = append(r.Findings, findingLine{f.Severity, r.inWords(f.Text), r.inWords(f.Evidence), f.Remedy, shortened(who, 12)})
	}
	if n := len(r.detail.changes); n > 0 {
		last := r.detail.changes[n-1]
		r.LogHead = rollout.ChangeHead{Seq: last.Seq, Hash: last.Hash}.String()
	}
	for _, w := range rollout.WritesOf(r.detail.changes) {
		c := w.Intent
		line := changeLine{
			Seq: c.Seq, At: c.At.In(r.loc).Format("Mon 2 Jan, 15:04"), What: cmp.Or(changeWords[c.What], c.What), Target: r.name(c.Target),
			Intent: r.intent(c), Reason: r.inWords(c.Reason), Result: r.inWords(w.Result.Result), Failed: !w.Result.Happened(),
		}
		if w.Result.Seq == 0 {
			line.Result = "unknown: the run ended before it could say"
		}
		r.Changes = append(r.Changes, line)
	}
	for _, v := range r.Timeline.Violations {
		r.Told = append(r.Told, r.inWords(v))
	}
	r.FaultLines, r.FailureLines = countLines(r.Faults), countLines(r.Failures)
}

// intent is what a write was to do, in the words of this page.
func (r *report) intent(c rollout.Change) string {
	if c.What == rollout.ChangeGroupMembers {
		var parts []string
		for _, part := range []struct {
			verb string
			ids  []string
		}{{"add ", c.Added}, {"remove ", c.Removed}} {
			if len(part.ids) > 0 {
				parts = append(parts, part.verb+r.inWords(strings.Join(part.ids, " ")))
			}
		}
		return strings.Join(parts, "; ")
	}
	state := func(s string) string {
		if s == rollout.StateReportOnly {
			return "report-only"
		}
		return r.inWords(s)
	}
	if c.Before == "" {
		return state(c.After)
	}
	return state(c.Before) + " → " + state(c.After)
}

func countLines(counts map[string]int) []countLine {
	var lines []countLine
	for _, what := range sortedKeys(counts) {
		lines = append(lines, countLine{what, counts[what]})
	}
	return lines
}

// shortened names at most n.
func shortened(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

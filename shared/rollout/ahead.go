package rollout

import (
	"fmt"
	"strings"
	"time"
)

// What the operator is told ahead of a switch, and what waits for a decision.

// The details of messages that hold more than a word, as JSON.
const (
	DetailBlast = "blast" // a [BlastNotice]
	DetailTask  = "task"  // a [Task]
	DetailOwner = "owner" // an address that gets the message beside the operator's own
)

// mostTold is how many accounts a message lists; the command shows them all.
const mostTold = 100

// blastWindows are the days before a switch from which on the operator is sent
// the list, the nearest first. A run that is late sends the one of its day.
func blastWindows() []int { return []int{1, 3} }

// BlastNotice is what a message of kind [MessageBlast] says: ids and no names.
type BlastNotice struct {
	Deadline Date    `json:"deadline"`
	Count    int     `json:"count"`
	Open     int     `json:"open"` // neither told in time, nor accepted, nor left out
	Rows     []Blast `json:"rows"` // the first hundred
}

// Why is all reasons in one sentence.
func (b Blast) Why() string {
	var parts []string
	for _, r := range b.Reasons {
		parts = append(parts, r.Text)
	}
	return strings.Join(parts, "; ")
}

// Notice says what the account was told, whether that arrived, and what follows.
func (b Blast) Notice() string {
	text := "nothing"
	if b.Told != "" {
		text = fmt.Sprintf("%s of %s", b.Told, b.ToldOn)
		switch {
		case b.InTime:
			text += ", delivered in time"
		case b.Arrived == Yes:
			text += ", delivered, but the notice still runs"
		case b.Arrived == No:
			text += ", bounced"
		default:
			text += ", not known whether it arrived"
		}
	}
	if b.NotReached != "" {
		text += "; not reachable: " + b.NotReached
	}
	if b.AcceptedBy != "" {
		text += "; accepted by " + b.AcceptedBy
	}
	if b.LeftOut {
		text += "; left out for now"
	}
	return text
}

// foretell sends the operator the list of those whom the wave's switch would
// stop, three days and one day ahead. It waits for a whole audit, and for the
// morning: by then the night's audit has seen who registered last.
func (p *switchPlan) foretell(wave WaveConfig) {
	left := p.day.DaysUntil(wave.Deadline)
	window, in := reminderWindow(blastWindows(), left)
	complete, _ := auditComplete(p.cfg, p.seen, p.now)
	local := p.now.In(p.cfg.Location())
	if wave.Deadline.IsZero() || !in || !complete || local.Hour() < p.cfg.Enforcement.FromHour ||
		p.seen.Audit.Method == MethodSecurityDefaults && wave.Members != MembersAll {
		return
	}
	id := fmt.Sprintf("%d-%s", window, wave.Deadline)
	if p.told(noticeID(MessageBlast, wave.Name, id)) {
		return // the list is long to make
	}
	list := BlastList(p.cfg, p.seen, p.known, wave, wave.Deadline)
	say := BlastNotice{Deadline: wave.Deadline, Count: len(list), Rows: []Blast{}}
	for _, b := range list {
		if b.settled() == 0 {
			say.Open++
		}
		if len(say.Rows) < mostTold {
			b.UserPrincipalName, b.DisplayName, b.Department = "", "", "" // looked up when it is sent
			say.Rows = append(say.Rows, b)
		}
	}
	p.tell(notice(MessageBlast, wave.Name, id, "Before the switch: "+wave.Name, p.day, p.now, map[string]string{DetailBlast: asJSON(say)}),
		fmt.Sprintf("%d days before the switch, which would stop %d accounts", left, len(list)))
}

// Task is what a message of kind [MessageTask] says: something waits for the
// operator. It names accounts by id.
type Task struct {
	Title    string   `json:"title"`
	Text     string   `json:"text"`
	Remedy   string   `json:"remedy"`
	Accounts []string `json:"accounts"` // the first hundred
	Count    int      `json:"count"`
}

// task is the message for it; the id makes it once per subject.
func task(id, wave, owner string, t Task, day Date, now time.Time) Message {
	t.Accounts = append([]string{}, t.Accounts[:min(len(t.Accounts), mostTold)]...)
	details := map[string]string{DetailTask: asJSON(t)}
	if owner != "" {
		details[DetailOwner] = owner
	}
	return notice(MessageTask, wave, id, t.Title, day, now, details)
}

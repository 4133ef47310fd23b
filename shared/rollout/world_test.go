package rollout_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// world is a tenant and a table so small that they can be walked through months
// in milliseconds. It does what the rules say, one step at a time, and refuses
// what the store would refuse.
type world struct {
	T      *rapid.T `json:"-"`
	Cfg    rollout.Config
	Now    time.Time
	People []someone

	// The tenant: policies, groups by id, and the ids of what was created by marker.
	Policies []rollout.Policy
	Groups   map[string][]string
	ByMarker map[string]string

	// The table.
	Known        rollout.Known
	Audit        rollout.AuditRun
	Accounts     []rollout.Account
	Observations []rollout.Observation
}

// someone is an account and what happens to it on which day; a zero day never comes.
type someone struct {
	Account                             rollout.Account
	Joins, Registers, Loses, Administer rollout.Date
	Bounces                             bool
}

func (w *world) today() rollout.Date { return rollout.DateOf(w.Now.In(w.Cfg.Location())) }

func (w *world) clock(d rollout.Date, hour, minute int) {
	w.Now = d.At(hour, minute, w.Cfg.Location()).UTC()
}

// see is what enforce would read now.
func (w *world) see() *scene {
	live := &rollout.Live{SecurityDefaults: rollout.No, Granted: rollout.WriterPermissions(), Policies: slices.Clone(w.Policies), Groups: map[string]rollout.Group{}}
	for _, g := range w.Known.Groups {
		if g.ID != "" {
			live.Groups[g.Purpose] = rollout.Group{ID: g.ID, Opened: true, Members: slices.Clone(w.Groups[g.ID])}
		}
	}
	s := &scene{cfg: w.Cfg, now: w.Now, known: w.Known, seen: rollout.Seen{Audit: w.Audit, Accounts: w.Accounts, Observations: w.Observations, Live: live}}
	for _, e := range w.Cfg.EmergencyAccounts {
		s.assignments = append(s.assignments, rollout.RoleAssignment{PrincipalID: e.ID, RoleDefinitionID: rollout.RoleGlobalAdministrator, DirectoryScopeID: "/"})
	}
	s.prove()
	return s
}

// audit reads the tenant and its sign-in log, and passes the drills that are due.
func (w *world) audit() {
	w.Accounts, w.Observations = nil, nil
	for _, p := range w.People {
		if today := w.today(); !today.Before(p.Joins) {
			w.Accounts = append(w.Accounts, p.on(today))
		}
	}
	for _, p := range w.Policies {
		w.Observations = append(w.Observations, rollout.Observation{Account: w.Accounts[0].ID, Policy: p.ID, Result: "reportOnlySuccess", LastAt: w.Now})
	}
	w.Audit = rollout.AuditRun{
		At: w.Now, Method: rollout.MethodConditionalAccess, Plans: []rollout.ServicePlan{{ID: rollout.PlanEntraP1}},
		Granted: rollout.ReaderPermissions(), Accounts: len(w.Accounts),
	}
	w.Known.Drills = nil
	for _, e := range w.Cfg.EmergencyAccounts {
		w.Known.Drills = append(w.Known.Drills, rollout.Drill{Account: e.ID, PassedAt: w.Now})
	}
}

// on is the account as it is on a day.
func (p someone) on(today rollout.Date) rollout.Account {
	come := func(d rollout.Date) bool { return !d.IsZero() && !today.Before(d) }
	a := p.Account
	if come(p.Registers) && !come(p.Loses) {
		a.Capable = rollout.Yes
	}
	if come(p.Administer) {
		a.Class, a.Roles = rollout.ClassAdmin, []string{rollout.RoleGlobalAdministrator}
	}
	return a
}

// steps are the single acts of which an action is made: a run may end between
// any two of them.
func (w *world) steps(action rollout.Action) []func() {
	switch a := action.(type) {
	case rollout.Send:
		return []func(){func() { w.claim(a.Message) }}
	case rollout.MoveWave:
		return []func(){func() { w.move(a.Wave, a.To, a.Reason) }}
	case rollout.CreateGroup:
		id := "group-" + a.Purpose
		return []func(){
			func() { w.ByMarker[a.Marker] = id },
			func() {
				w.Known.Groups = append(w.Known.Groups, rollout.OwnedGroup{Purpose: a.Purpose, ID: id, Marker: a.Marker})
			},
		}
	case rollout.CreatePolicy:
		id := "policy-" + a.Draft.Wave
		return []func(){
			func() {
				if w.ByMarker[a.Draft.Marker] == "" {
					w.ByMarker[a.Draft.Marker] = id
					w.Policies = append(w.Policies, policyOf(id, rollout.StateReportOnly, a.Draft))
				}
			},
			func() {
				w.Known.Policies = append(w.Known.Policies, rollout.OwnedPolicy{Wave: a.Draft.Wave, ID: id, Marker: a.Draft.Marker, Draft: a.Draft})
			},
		}
	case rollout.FillGroup:
		var steps []func()
		id := "group-" + a.Purpose
		for _, member := range a.Add {
			steps = append(steps, func() { w.Groups[id] = append(w.Groups[id], member) })
		}
		for _, member := range a.Remove {
			steps = append(steps, func() {
				w.Groups[id] = slices.DeleteFunc(w.Groups[id], func(m string) bool { return m == member })
			})
		}
		return steps
	case rollout.SwitchOn:
		return []func(){
			func() { w.patch(a.PolicyID, rollout.StateEnabled) },
			func() { w.move(a.Wave, rollout.WaveEnforced, a.Reason) },
		}
	case rollout.RollBack:
		return []func(){
			func() { w.patch(a.PolicyID, rollout.StateReportOnly) },
			func() { w.move(a.Wave, rollout.WaveRolledBack, a.Reason) },
		}
	}
	w.T.Fatalf("nobody told the world how to carry out %T", action)
	return nil
}

func (w *world) carryOut(actions []rollout.Action) {
	for _, a := range actions {
		for _, step := range w.steps(a) {
			step()
		}
	}
}

// claim is refused, as the store would, if the message or the person's day is taken.
func (w *world) claim(m rollout.Message) {
	for _, k := range w.Known.Messages {
		if k.ID == m.ID || (m.Kind.ToPerson() && k.Account == m.Account && k.Day == m.Day) {
			return
		}
	}
	m.State, m.DeliveredAt = rollout.MessageDelivered, w.Now
	if i := slices.IndexFunc(w.People, func(p someone) bool { return p.Account.ID == m.Account }); i >= 0 && w.People[i].Bounces {
		m.State, m.DeliveredAt = rollout.MessageBounced, time.Time{}
		w.Known.Unreachable[m.Account] = "550 no such user"
	}
	w.Known.Messages = append(w.Known.Messages, m)
}

func (w *world) move(name string, to rollout.WaveState, reason string) {
	moved, err := rollout.Transition(w.Known.Wave(name), to, w.Now, reason)
	if err != nil {
		w.T.Fatal(err)
	}
	w.Known.Waves = append(slices.DeleteFunc(slices.Clone(w.Known.Waves), func(x rollout.Wave) bool { return x.Name == name }), moved)
}

func (w *world) patch(id, state string) {
	for i := range w.Policies {
		if w.Policies[i].ID == id {
			w.Policies[i].State = state
			return
		}
	}
	w.T.Fatalf("there is no policy %q to set to %s", id, state)
}

// day runs everything that runs on a day: the audit at two, remind at nine,
// enforce at nine and at ten, monitor at eleven.
func (w *world) day(d rollout.Date) {
	w.clock(d, 2, 0)
	w.audit()
	w.remind(d, 9)
	w.enforce(d, 9)
	w.enforce(d, 10)
	w.clock(d, 11, 0)
	w.carryOut(rollout.PlanWatch(w.Cfg, rollout.Seen{Audit: w.Audit, Accounts: w.Accounts}, w.Known, w.Now))
}

func (w *world) remind(d rollout.Date, hour int) []rollout.Action {
	w.clock(d, hour, 0)
	actions := rollout.PlanMessages(w.Cfg, rollout.Seen{Audit: w.Audit, Accounts: w.Accounts}, w.Known, w.Now)
	w.carryOut(actions)
	return actions
}

func (w *world) enforce(d rollout.Date, hour int) {
	w.clock(d, hour, 10)
	w.carryOut(w.see().planSwitch())
}

// rest runs enforce again and again at the same moment until nothing is left to
// do, as the hours would.
func (w *world) rest() {
	for range 20 {
		actions := w.see().planSwitch()
		if len(actions) == 0 {
			return
		}
		w.carryOut(actions)
	}
	w.T.Fatalf("enforce comes to no rest: %s", list(w.see().planSwitch()))
}

// copy is a world of its own.
func (w *world) copy() *world {
	text, err := json.Marshal(w)
	if err != nil {
		w.T.Fatal(err)
	}
	c := &world{T: w.T}
	if err := json.Unmarshal(text, c); err != nil {
		w.T.Fatal(err)
	}
	return c
}

// state is where the world stands, in words: what every run must agree on.
func (w *world) state() string {
	var text string
	for _, wave := range w.Cfg.Waves {
		text += fmt.Sprintf("wave %s is %s\n", wave.Name, w.Known.Wave(wave.Name).State)
	}
	for _, p := range w.Policies {
		text += fmt.Sprintf("policy %s is %s\n", p.ID, p.State)
	}
	for _, id := range slices.Sorted(maps.Values(w.ByMarker)) {
		text += fmt.Sprintf("%s holds %v\n", id, slices.Sorted(slices.Values(w.Groups[id])))
	}
	var ids []string
	for _, m := range w.Known.Messages {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return text + fmt.Sprintf("messages %v\n", ids)
}

// drawWorld draws a firm of a few people, each with a life of their own.
func drawWorld(t *rapid.T) *world {
	w := &world{T: t, Cfg: drawConfig(t), Groups: map[string][]string{}, ByMarker: map[string]string{}}
	w.Known.Unreachable = map[string]string{}
	for _, e := range w.Cfg.EmergencyAccounts {
		w.People = append(w.People, someone{Account: rollout.Account{ID: e.ID, Class: rollout.ClassEmergency, Enabled: true}})
	}
	always := w.Cfg.Announce.AddDays(-30)
	w.People = append(w.People, someone{Account: person("boss", rollout.No), Registers: always, Administer: always})
	sometime := func(label string) rollout.Date {
		if rapid.IntRange(0, 2).Draw(t, label+"?") == 0 {
			return rollout.Date{}
		}
		return w.Cfg.Announce.AddDays(rapid.IntRange(-2, 50).Draw(t, label))
	}
	for n := range rapid.IntRange(1, 8).Draw(t, "people") {
		p := someone{Account: person(fmt.Sprintf("m%d", n+1), rollout.No), Registers: always}
		// Most of them are ordinary: registered before it begins.
		if rapid.Bool().Draw(t, "extraordinary") {
			p.Joins, p.Registers, p.Loses, p.Administer = sometime("joins"), sometime("registers"), sometime("loses"), sometime("administer")
			p.Bounces = rapid.IntRange(0, 5).Draw(t, "bounces") == 0
			if rapid.IntRange(0, 5).Draw(t, "exempted") == 0 {
				w.Cfg.Exemptions = append(w.Cfg.Exemptions, rollout.Exemption{Account: p.Account.ID, Expires: w.Cfg.Announce.AddDays(rapid.IntRange(0, 50).Draw(t, "until"))})
			}
		}
		w.People = append(w.People, p)
	}
	return w
}

// days are those from the eve of the announcement to some weeks after the last
// deadline.
func (w *world) days() (days []rollout.Date) {
	last := w.Cfg.Waves[len(w.Cfg.Waves)-1].Deadline.AddDays(18)
	for d := w.Cfg.Announce.AddDays(-1); d.Before(last); d = d.AddDays(1) {
		days = append(days, d)
	}
	return days
}

package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

// witness watches a rehearsal and holds it to the eight properties of the
// design. It looks at the simulated tenant's own truth and at the mailbox, not
// at what Sallyport believes; only where a property speaks of what is "known"
// does it read the table.
type witness struct {
	world      *world
	violations []string

	created []string
	born    map[string]time.Time // when Sallyport created each policy
	on      map[string]time.Time // when Sallyport switched each on
	groups  map[string]bool

	sent       map[string]letter          // by message id: nobody gets one twice
	days       map[string]string          // person and day -> message id
	told       map[string]time.Time       // person -> first notice that arrived
	stopped    map[string]bool            // people judged already
	emergency  []emergencyUse             //
	strangers  map[string]map[string]bool // exclusions that others added, by policy
	moved      map[string]int             // how many moves of each wave were told
	population int                        // accounts at the last look
	audited    time.Time                  // the audit that was looked at last
	accounts   map[string]rollout.Account // as last audited
	missing    map[string]bool            // who counts and is not capable: shrinks between two audits
	drilling   map[string]bool            // emergency accounts whose drill is under way
}

type emergencyUse struct {
	account, signInID string
	at                time.Time
}

func newWitness(w *world) *witness {
	return &witness{
		world: w, born: map[string]time.Time{}, on: map[string]time.Time{}, groups: map[string]bool{},
		sent: map[string]letter{}, days: map[string]string{}, told: map[string]time.Time{}, stopped: map[string]bool{},
		moved: map[string]int{}, strangers: map[string]map[string]bool{}, drilling: map[string]bool{},
	}
}

func (v *witness) violate(format string, args ...any) {
	text := v.world.clock.Now().Format("2006-01-02 15:04 ") + fmt.Sprintf(format, args...)
	v.violations = append(v.violations, text)
	v.world.say("VIOLATED: %s", text)
}

// afterJob looks at what a job did to the tenant.
func (v *witness) afterJob(name string) {
	switch name {
	case "enforce", "enforce what waits":
		v.writes()
		v.moves()
	case "monitor":
		v.moves()
	case "audit":
		v.listing()
	case "audit continues":
		if audit, err := v.world.truth.Audit(context.Background(), v.world.cfg.Tenant); err == nil && audit.At.After(v.audited) {
			v.listing()
		}
	case "breakglass":
		v.drills()
	}
}

// moves tells the progress line what became of the waves.
func (v *witness) moves() {
	w := v.world
	waves, err := w.truth.Waves(context.Background(), w.cfg.Tenant)
	if err != nil {
		v.violate("the witness could not read the waves: %v", err)
		return
	}
	var order []rollout.WaveState
	together := map[rollout.WaveState][]string{}
	for _, wave := range waves {
		for _, m := range wave.History[v.moved[wave.Name]:] {
			if m.To == rollout.WaveHeld {
				w.say("wave %s is HELD at a gate: %s", wave.Name, w.inWords(m.Reason))
				continue
			}
			if together[m.To] == nil {
				order = append(order, m.To)
			}
			together[m.To] = append(together[m.To], wave.Name)
		}
		v.moved[wave.Name] = len(wave.History)
	}
	for _, to := range order {
		noun := "wave"
		if len(together[to]) > 1 {
			noun = "waves"
		}
		w.say("%s %s: %s", noun, strings.Join(together[to], ", "), moveWords(to))
	}
}

func moveWords(to rollout.WaveState) string {
	switch to {
	case rollout.WaveEnforced:
		return "SWITCHED, from now on MFA is demanded"
	case rollout.WaveObserving:
		return "observing, the policy only reports whom it would stop"
	case rollout.WaveSettled:
		return "settled, watched for two weeks and nobody is locked out"
	}
	return string(to)
}

// drills tells the progress line which drills were passed.
func (v *witness) drills() {
	if len(v.drilling) == 0 {
		return
	}
	w := v.world
	drills, err := w.truth.Drills(context.Background(), w.cfg.Tenant)
	if err != nil {
		v.violate("the witness could not read the drills: %v", err)
		return
	}
	for _, d := range drills {
		if v.drilling[d.Account] && !d.PassedAt.IsZero() {
			delete(v.drilling, d.Account)
			w.say("drill of %s passed", w.nameOf(d.Account))
		}
	}
}

// alerted tells the progress line of an alert.
func (v *witness) alerted(id string) {
	w := v.world
	a, err := w.truth.Alert(context.Background(), w.cfg.Tenant, id)
	if err != nil {
		return // only the line is lost: end judges the alerts themselves
	}
	if a.Kind == rollout.AlertRepetition {
		who := "everybody"
		if a.Contact != "" {
			who = a.Contact
		}
		w.say("nobody has acknowledged %s: %s is called", count(a.Repeats, "alert"), who)
		return
	}
	w.say("ALERT to the security team: %s was used %s ago", w.nameOf(a.Account), span(w.clock.Now().Sub(a.OccurredAt)))
}

// registered tells the progress line of the last one.
func (v *witness) registered(id string) {
	if !v.missing[id] {
		return
	}
	if delete(v.missing, id); len(v.missing) == 0 {
		v.world.say("%s registers, the last one: everybody who counts is now able to use MFA", v.world.nameOf(id))
	}
}

// writes judges each write of Sallyport that the tenant carried out: properties
// 1, 2 and 6.
func (v *witness) writes() {
	t := v.world.tenant
	writes := t.Writes()
	t.ForgetJournal()
	for _, r := range writes {
		if r.Status < 200 || r.Status > 299 || strings.HasSuffix(r.Path, "/$batch") {
			continue
		}
		var body map[string]any
		if r.Body != "" {
			if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
				v.violate("property 6: %s %s carried no JSON object", r.Method, r.Path)
				continue
			}
		}
		v.write(r, body)
	}
}

func (v *witness) write(r tenant.Request, body map[string]any) {
	path := strings.Split(strings.Trim(r.Path, "/"), "/")[1:] // without the version
	at := strings.Join(path, "/")
	switch {
	case at == "identity/conditionalAccess/policies" && r.Method == "POST":
		if state := body["state"]; state != rollout.StateReportOnly {
			v.violate("property 6: a policy was created %v and not report-only", state)
		}
		for _, p := range v.world.tenant.Policies() {
			if id, _ := p["id"].(string); p["displayName"] == body["displayName"] && !slices.Contains(v.created, id) {
				v.created = append(v.created, id)
				v.born[id] = r.At
			}
		}
	case len(path) == 4 && path[1] == "conditionalAccess":
		v.policyWrite(r, path[3], body)
	case at == "policies/identitySecurityDefaultsEnforcementPolicy":
		if body["isEnabled"] == true {
			v.switched("securityDefaults", r.At)
		}
	case at == "groups" && r.Method == "POST":
		for _, g := range v.world.tenant.Groups() {
			if id, _ := g["id"].(string); g["displayName"] == body["displayName"] {
				v.groups[id] = true
			}
		}
	case path[0] == "groups" && len(path) > 1:
		if !v.groups[path[1]] {
			v.violate("property 6: group %s was written and is not Sallyport's", path[1])
		}
	case path[0] == "subscriptions":
	default:
		v.violate("property 6: %s %s is no write of a rollout", r.Method, r.Path)
	}
}

func (v *witness) policyWrite(r tenant.Request, id string, body map[string]any) {
	if !slices.Contains(v.created, id) {
		v.violate("property 6: policy %s was written and is not Sallyport's", id)
	}
	if keys := sortedKeys(body); r.Method != "PATCH" || len(keys) != 1 || keys[0] != "state" {
		v.violate("property 6: a write of policy %s was %s with %v, and may only carry its state", id, r.Method, keys)
	}
	if body["state"] == rollout.StateEnabled {
		v.switched(id, r.At)
	}
	for _, stranger := range sortedKeys(v.strangers[id]) {
		if v.world.tenant.Addresses(id, stranger) {
			v.violate("property 6: the exclusion of %s, which others added to policy %s, is gone", stranger, id)
		}
	}
}

// switched judges a switch by the truth at its moment: properties 1 and 2.
func (v *witness) switched(id string, at time.Time) {
	w := v.world
	v.on[id] = at
	local := at.In(w.cfg.Location())
	if !w.cfg.InWindow(at) {
		v.violate("property 1: switched on %s, outside the window", local.Format("Monday 15:04"))
	}
	if id != "securityDefaults" {
		if at.Sub(v.born[id]) < rollout.ObserveDays*24*time.Hour {
			v.violate("property 1: policy %s was switched %s after it was created", id, at.Sub(v.born[id]))
		}
		for _, e := range w.cfg.EmergencyAccounts {
			if w.tenant.Addresses(id, e.ID) {
				v.violate("properties 1 and 2: emergency account %s is inside policy %s", e.ID, id)
			}
		}
	}
	capable := 0
	for _, a := range v.accounts {
		if a.Class == rollout.ClassAdmin && w.tenant.IsCapable(a.ID) {
			capable++
		}
	}
	if capable == 0 {
		v.violate("property 1: switched without a capable administrator")
	}
	for _, e := range w.cfg.EmergencyAccounts {
		if !v.drilled(e.ID, at) && !v.waived("alert-path", at) {
			v.violate("property 1: switched without a drill of emergency account %s", e.ID)
		}
	}
}

func (v *witness) drilled(account string, at time.Time) bool {
	return slices.ContainsFunc(v.emergency, func(u emergencyUse) bool {
		return u.account == account && at.Sub(u.at) < rollout.DrillDays*24*time.Hour
	})
}

// waived: an owner lifted the gate for that day.
func (v *witness) waived(gate string, at time.Time) bool {
	day := rollout.DateOf(at.In(v.world.cfg.Location()))
	return slices.ContainsFunc(v.world.cfg.Waivers, func(x rollout.Waiver) bool { return x.Gate == gate && !x.Until.Before(day) })
}

// mailed judges each message that leaves: property 3.
func (v *witness) mailed(l letter) {
	w := v.world
	w.mailed[l.Kind]++
	if l.Kind == rollout.MessageAlert {
		v.alerted(l.ID)
		return // at least once, and more than once after a crash
	}
	if before, again := v.sent[l.ID]; again {
		v.violate("property 3: message %s left twice, first at %s", l.ID, before.At.Format(time.DateTime))
	}
	v.sent[l.ID] = l
	if !l.Kind.ToPerson() {
		return
	}
	day := rollout.DateOf(l.At.In(w.cfg.Location())).String()
	for _, to := range l.To {
		key := strings.ToLower(to) + " " + day
		if v.days[key] != "" {
			v.violate("property 3: somebody got %s and %s on %s", v.days[key], l.ID, day)
		}
		v.days[key] = l.ID
		s := w.people.byMail[strings.ToLower(to)]
		if s == nil {
			continue
		}
		if a, err := w.truth.Account(context.Background(), w.cfg.Tenant, s.id); err == nil && a.Capable == rollout.Yes && (l.Kind == rollout.MessageReminder || l.Kind == rollout.MessageToday) {
			v.violate("property 3: %s was reminded and is known to be capable", s.id)
		}
		if l.Kind.IsNotice() && !w.mailbox.bounces[strings.ToLower(to)] && v.told[s.id].IsZero() {
			v.told[s.id] = l.At
		}
	}
}

// signedIn judges whoever is stopped by a policy of Sallyport: property 4.
func (v *witness) signedIn(account string, out tenant.Outcome) {
	w := v.world
	ours := slices.ContainsFunc(out.Failed, func(id string) bool { return slices.Contains(v.created, id) || id == "securityDefaults" })
	if !out.Stopped() || !ours || v.stopped[account] {
		return
	}
	v.stopped[account] = true
	// The operator named them: accepted, or exempted where no exclusion exists.
	_, exempted := w.cfg.Exemption(v.accounts[account], rollout.DateOf(w.clock.Now().In(w.cfg.Location())))
	accepted := exempted || slices.ContainsFunc(w.cfg.Accepted, func(a rollout.Acceptance) bool { return strings.EqualFold(a.Account, account) })
	told := v.told[account]
	enough := !told.IsZero() && rollout.DateOf(told.In(w.cfg.Location())).DaysUntil(rollout.DateOf(w.clock.Now().In(w.cfg.Location()))) >= rollout.NoticeDays
	if !enough && !accepted {
		v.violate("property 4: %s was stopped, told %s", account, told.Format(time.DateTime))
	}
	w.say("%s was stopped at the sign-in", w.nameOf(account))
}

// listing judges what an audit left in the table: property 8.
func (v *witness) listing() {
	w := v.world
	accounts, err := w.truth.Accounts(context.Background(), w.cfg.Tenant)
	if err != nil {
		v.violate("the witness could not read the accounts: %v", err)
		return
	}
	there := len(w.tenant.Users())
	if len(accounts) > 0 && len(accounts) < min(v.population, there) {
		v.violate("property 8: the table holds %d accounts, the tenant %d", len(accounts), there)
	}
	if audit, err := w.truth.Audit(context.Background(), w.cfg.Tenant); err == nil {
		v.audited = audit.At
	}
	first := v.population == 0 && len(accounts) > 0
	v.population = len(accounts)
	v.accounts, v.missing = map[string]rollout.Account{}, map[string]bool{}
	day := rollout.DateOf(w.clock.Now().In(w.cfg.Location()))
	for _, a := range accounts {
		v.accounts[a.ID] = a
		if rollout.Counts(w.cfg, a, day) && !w.tenant.IsCapable(a.ID) {
			v.missing[a.ID] = true
		}
	}
	if first {
		c := rollout.CoverageOf(w.cfg, accounts, day)
		w.say("first audit: %d accounts, %d of them people who count, %d of those able to use MFA", len(accounts), c.All, c.Capable)
	}
}

// alertWithin is how long an alert may take: the log's own delay, a poll, and
// with faults some polls more.
func (v *witness) alertWithin() time.Duration {
	within := v.world.tenant.Behaviour().SignInsTo + 6*time.Minute
	if v.world.faults.rate > 0 {
		within += time.Hour
	}
	return within
}

// end judges what can only be judged at the end: property 5, and that every
// sign-in raised one alert.
func (v *witness) end(alerts []rollout.Alert) {
	w := v.world
	if !w.tenant.HasSignInLog() {
		return // without a licence there is nothing that could be watched
	}
	v.unanswered(alerts)
	for _, use := range v.emergency {
		var found []rollout.Alert
		for _, a := range alerts {
			if a.SignIn.ID == use.signInID {
				found = append(found, a)
			}
		}
		if len(found) == 0 && w.clock.Now().Sub(use.at) < v.alertWithin() {
			continue // there is time left
		}
		if len(found) != 1 {
			v.violate("property 5: sign-in %s of emergency account %s has %d alerts", use.signInID, use.account, len(found))
			continue
		}
		if late := found[0].AlertedAt.Sub(use.at); found[0].AlertedAt.IsZero() || late > v.alertWithin() {
			v.violate("property 5: the alert of sign-in %s left after %s", use.signInID, late)
		}
		arrived := slices.ContainsFunc(w.mailbox.received, func(l letter) bool { return l.ID == found[0].ID && l.Kind == rollout.MessageAlert })
		if !arrived {
			v.violate("property 5: the alert of sign-in %s reached nobody", use.signInID)
		}
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

package rehearsal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

// habit is how somebody comes to register.
type habit string

const (
	atOnce      habit = "at once"         // after the announcement
	onReminder1 habit = "first reminder"  //
	onReminder2 habit = "second reminder" //
	onReminder3 habit = "third reminder"  //
	whenStopped habit = "when stopped"    // registers when the sign-in asks for it
	needsHelp   habit = "needs help"      // cannot, until the help desk helps
	byPhone     habit = "by phone"        // reads no mail; somebody calls
)

// people are the firm's accounts, behaving. Each decision comes from the seed
// and the person alone, never from what happened before it: so that a fault in
// the machinery changes nothing about the people.
type people struct {
	world   *world
	known   map[string]*someone
	byMail  map[string]*someone
	waiting map[string]bool // locked out, waiting for the help desk
}

type someone struct {
	id, mail, country string
	class             rollout.Class
	habit             habit
	reminders         int
	registered        bool // or about to
}

func newPeople(w *world) *people {
	return &people{world: w, known: map[string]*someone{}, byMail: map[string]*someone{}, waiting: map[string]bool{}}
}

// share is a part of d that depends on the seed and the words alone.
func (p *people) share(d time.Duration, words ...string) time.Duration {
	return time.Duration(float64(d) * p.chance(words...))
}

func (p *people) chance(words ...string) float64 {
	sum := sha256.Sum256([]byte(fmt.Sprint(p.world.options.Seed, "\x00", strings.Join(words, "\x00"))))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// meet gets to know accounts that the audit has classed and gives each a habit
// by its share of those who still have to register.
func (p *people) meet(ctx context.Context) error {
	w := p.world
	accounts, err := w.truth.Accounts(ctx, w.cfg.Tenant)
	if err != nil {
		return fmt.Errorf("meet the people: %w", err)
	}
	var fresh, unready []*someone
	for _, a := range accounts {
		if p.known[a.ID] != nil {
			continue
		}
		s := &someone{id: a.ID, mail: strings.ToLower(a.Mail), country: a.Country, class: a.Class, habit: atOnce}
		if a.New && a.Class == rollout.ClassNeverSignedIn {
			s.class = rollout.ClassMember // a new colleague, who is about to
		}
		p.known[a.ID] = s
		if s.mail != "" {
			p.byMail[s.mail] = s
		}
		fresh = append(fresh, s)
		if rollout.IsPerson(w.cfg, a) && !w.tenant.IsCapable(a.ID) {
			unready = append(unready, s)
		}
	}
	if len(p.known) == len(fresh) {
		p.giveHabits(unready)
	} else {
		// Whoever joins later takes their time: they were promised two weeks, and
		// must not be stopped before.
		for _, s := range unready {
			s.habit = onReminder3
		}
	}
	for _, s := range fresh {
		p.beginDays(s)
	}
	return nil
}

func (p *people) giveHabits(unready []*someone) {
	slices.SortFunc(unready, func(a, b *someone) int {
		x, y := p.chance("habit", a.id), p.chance("habit", b.id)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return strings.Compare(a.id, b.id)
	})
	ordinary := slices.DeleteFunc(slices.Clone(unready), func(s *someone) bool { return s.class == rollout.ClassAdmin })
	share := func(n float64) int { return int(float64(len(ordinary)) * n) }
	shares := []struct {
		habit habit
		upTo  int
	}{
		{needsHelp, min(2, len(ordinary))},
		{whenStopped, 2 + share(0.03)},
		{onReminder3, 2 + share(0.14)},
		{onReminder2, 2 + share(0.30)},
		{onReminder1, 2 + share(0.52)},
		{atOnce, len(ordinary)},
	}
	for i, s := range ordinary {
		for _, part := range shares {
			if i < part.upTo {
				s.habit = part.habit
				break
			}
		}
		if p.world.mailbox.bounces[s.mail] {
			s.habit = byPhone
			p.later(s, 8*24*time.Hour, "phone")
		}
	}
}

// zones are where people of a country work.
var zones = map[string]string{"GB": "Europe/London", "DE": "Europe/Berlin", "ES": "Europe/Madrid", "FR": "Europe/Paris", "US": "America/New_York", "JP": "Asia/Tokyo"}

func (p *people) zone(s *someone) *time.Location {
	loc, err := time.LoadLocation(zones[s.country])
	if err != nil || zones[s.country] == "" {
		return p.world.cfg.Location()
	}
	return loc
}

// beginDays lets a person sign in each working day, between eight and ten of
// their own morning; a service account every night.
func (p *people) beginDays(s *someone) {
	w := p.world
	switch s.class {
	case rollout.ClassAdmin, rollout.ClassMember:
		minute := int(p.share(120*time.Minute, "morning", s.id) / time.Minute)
		next := daily(8+minute/60, minute%60, p.zone(s))
		w.agenda.every(next(w.clock.Now()), next, func(at time.Time) {
			weekday := at.In(p.zone(s)).Weekday()
			if weekday != time.Saturday && weekday != time.Sunday && p.chance("present", s.id, at.Format(time.DateOnly)) < 0.93 {
				p.signIn(s, 0)
			}
		})
	case rollout.ClassService:
		next := daily(1, 30, w.cfg.Location())
		w.agenda.every(next(w.clock.Now()), next, func(time.Time) {
			p.attempt(tenant.Attempt{UserID: s.id, NonInteractive: true, Client: "Mobile Apps and Desktop clients", IP: "192.0.2.10"})
		})
	}
}

func (p *people) attempt(a tenant.Attempt) tenant.Outcome {
	out, err := p.world.tenant.SignIn(a)
	if err != nil {
		return tenant.Outcome{} // the account was deleted meanwhile
	}
	p.world.witness.signedIn(a.UserID, out)
	return out
}

// signIn is one morning. Whoever is stopped acts after their habit.
func (p *people) signIn(s *someone, try int) {
	w := p.world
	out := p.attempt(tenant.Attempt{UserID: s.id, Country: s.country, IP: "198.51.100.20", Platform: "windows"})
	if !out.Stopped() || p.waiting[s.id] {
		return
	}
	switch {
	case s.habit == needsHelp && try < 2:
		w.agenda.put(w.clock.Now().Add(15*time.Minute), func() { p.signIn(s, try+1) })
	case s.habit == needsHelp:
		p.waiting[s.id] = true
		w.say("%s is locked out", w.nameOf(s.id))
		// Where nobody sees it in a log, the person calls the help desk the next day.
		w.agenda.put(w.clock.Now().Add(26*time.Hour), p.help)
	default:
		// The sign-in itself leads to the registration, and then goes on.
		w.agenda.put(w.clock.Now().Add(4*time.Minute), func() {
			p.register(s)
			p.attempt(tenant.Attempt{UserID: s.id, Country: s.country, IP: "198.51.100.20", Platform: "windows"})
		})
	}
}

// read is what a person does with a message.
func (p *people) read(l letter) {
	w := p.world
	switch l.Kind {
	case rollout.MessageLockOut:
		p.help()
	case rollout.MessageDrill:
		w.options.Story.drill(w, l)
	case rollout.MessageAlert:
		p.alarmed(l)
	case rollout.MessageHold:
		w.options.Story.held(w)
	}
	for _, to := range l.To {
		s := p.byMail[strings.ToLower(to)]
		if s == nil || !l.Kind.ToPerson() {
			continue
		}
		if l.Kind == rollout.MessageReminder {
			s.reminders++
		}
		due := map[habit]bool{
			atOnce: l.Kind.IsNotice(), onReminder1: s.reminders >= 1, onReminder2: s.reminders >= 2, onReminder3: s.reminders >= 3,
		}
		switch {
		case due[s.habit] && s.habit == atOnce:
			// Most of them the same day, some only after two weeks.
			part := p.chance("how soon", s.id)
			p.later(s, 8*time.Hour+time.Duration(part*part*part*14*24*float64(time.Hour)), "registers")
		case due[s.habit], l.Kind == rollout.MessageHoldout && s.habit != needsHelp:
			p.later(s, 30*time.Hour, "registers")
		}
	}
}

// later lets a person register within d.
func (p *people) later(s *someone, d time.Duration, why string) {
	if s.registered || p.world.tenant.IsCapable(s.id) {
		return
	}
	s.registered = true
	p.world.agenda.put(p.world.clock.Now().Add(10*time.Minute+p.share(d, why, s.id)), func() { p.register(s) })
}

func (p *people) register(s *someone) {
	w := p.world
	s.registered = true
	kind := tenant.AuthenticatorPush
	// Security Defaults, all that a tenant without a licence has, take no number.
	if w.tenant.HasSignInLog() && p.chance("method", s.id) < 0.12 {
		kind = tenant.MobilePhone
	}
	if err := w.tenant.Register(s.id, kind, w.clock.Now()); err != nil {
		return // the account was deleted meanwhile
	}
	w.witness.registered(s.id)
}

// help is the help desk: it calls everybody who waits, issues a Temporary
// Access Pass, and they register together.
func (p *people) help() {
	w := p.world
	for _, id := range sortedKeys(p.waiting) {
		s := p.known[id]
		w.agenda.put(w.clock.Now().Add(20*time.Minute+p.share(time.Hour, "help", id)), func() {
			if !p.waiting[id] {
				return
			}
			delete(p.waiting, id)
			s.habit = atOnce
			w.say("the help desk helps %s, who registers and is in again", w.nameOf(id))
			p.register(s)
			p.attempt(tenant.Attempt{UserID: id, Country: s.country, IP: "198.51.100.20", Platform: "windows"})
		})
	}
}

package rehearsal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

// Story is what others do to a tenant during a rehearsal: colleagues who make
// mistakes, strangers, an operator who reads his mail. The zero value is an
// uneventful one in which only drills are answered.
type Story struct {
	// Events happen at their time.
	Events []Event
	// Mends: the operator puts emergency accounts back into the exclusions on the
	// morning after a hold.
	Mends bool

	mending bool
}

// Event is one thing that somebody does.
type Event struct {
	Day    rollout.Date
	Hour   int
	Minute int
	Do     func(w *world) error
}

func (s *Story) start(w *world) {
	for _, e := range s.Events {
		w.agenda.put(e.Day.At(e.Hour, e.Minute, w.cfg.Location()), func() {
			if err := e.Do(w); err != nil {
				w.witness.violate("the story could not go on: %v", err)
			}
		})
	}
}

// drill lets the custodian of an emergency account whose drill is open sign in on
// the next working day at ten. An invitation is only noted.
func (s *Story) drill(w *world, l letter) {
	drills, err := w.truth.Drills(context.Background(), w.cfg.Tenant)
	if err != nil {
		w.witness.violate("the custodians could not read their mail: %v", err)
		return
	}
	for i, e := range w.cfg.EmergencyAccounts {
		d, open := rollout.OpenDrill(drills, e.ID, w.clock.Now())
		if !open || !strings.HasPrefix(l.ID, "drill.."+d.ID+".") {
			continue
		}
		at := nextWorkingDay(w, w.clock.Now()).At(10, 7+13*i, w.cfg.Location())
		w.agenda.put(at, func() {
			w.say("drill: the custodian signs in with %s", w.nameOf(e.ID))
			w.witness.drilling[e.ID] = true
			w.emergencySignIn(tenant.Attempt{UserID: e.ID, AppID: tenant.AppAzurePortal, IP: "198.51.100.7", City: "London", Country: "GB", Platform: "windows", MFAClaim: true})
		})
	}
}

// held is the operator reading why a wave is held.
func (s *Story) held(w *world) {
	if !s.Mends || s.mending {
		return
	}
	s.mending = true
	w.agenda.put(nextWorkingDay(w, w.clock.Now()).At(7, 40, w.cfg.Location()), func() {
		s.mending = false
		if err := putBack(w); err != nil {
			w.witness.violate("the operator could not mend the exclusion: %v", err)
		}
	})
}

// putBack excludes the emergency accounts again, by id, from every policy of
// Sallyport that misses one.
func putBack(w *world) error {
	for _, id := range w.witness.created {
		for _, e := range w.cfg.EmergencyAccounts {
			if !w.tenant.Addresses(id, e.ID) {
				continue
			}
			if err := w.tenant.Exclude(id, "excludeUsers", e.ID); err != nil {
				return fmt.Errorf("exclude %s from %s: %w", e.ID, id, err)
			}
			w.say("the operator put the emergency account back into the exclusion")
		}
	}
	return nil
}

func nextWorkingDay(w *world, after time.Time) rollout.Date {
	day := rollout.DateOf(after.In(w.cfg.Location())).AddDays(1)
	for !w.cfg.Enforcement.WorkingDay(day) {
		day = day.AddDays(1)
	}
	return day
}

// emergencySignIn is a sign-in with an emergency account: the witness waits for
// its alert.
func (w *world) emergencySignIn(a tenant.Attempt) {
	a.At = w.clock.Now()
	out, err := w.tenant.SignIn(a)
	if err != nil {
		w.witness.violate("the story could not sign in: %v", err)
		return
	}
	w.witness.emergency = append(w.witness.emergency, emergencyUse{account: a.UserID, signInID: out.ID, at: a.At})
}

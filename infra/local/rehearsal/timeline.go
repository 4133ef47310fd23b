package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Timeline is what a rehearsal came to: timeline.json. The same tenant, config,
// days, seed and faults give the same bytes.
type Timeline struct {
	Tenant     rollout.TenantID            `json:"tenant"`
	Seed       uint64                      `json:"seed"`
	Days       int                         `json:"days"`
	From       rollout.Date                `json:"from"`
	Coverage   Span                        `json:"coverage"`
	Waves      []WaveLine                  `json:"waves"`
	Messages   map[rollout.MessageKind]int `json:"messages"`
	Alerts     []AlertLine                 `json:"alerts"`
	Holds      []Hold                      `json:"holds"`
	LockOuts   []LockOutLine               `json:"lockOuts"`
	Holdouts   []string                    `json:"holdouts"` // people in a switched wave who are not capable, by id
	Classes    map[rollout.Class]int       `json:"classes"`
	Faults     map[string]int              `json:"faults"`   // what struck, by kind
	Failures   map[string]int              `json:"failures"` // invocations that ended with an error, by function
	Violations []string                    `json:"violations"`
	Final      Final                       `json:"final"`
	points     []rollout.CoveragePoint
	detail     detail
}

// Span is the coverage at the first audit and at the last, in percent.
type Span struct {
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// WaveLine is one wave's course; a time is null until it came.
type WaveLine struct {
	Name         string            `json:"name"`
	State        rollout.WaveState `json:"state"`
	Deadline     rollout.Date      `json:"deadline"`
	AnnouncedAt  *time.Time        `json:"announcedAt"`
	ObservedFrom *time.Time        `json:"observedFrom"`
	EnforcedAt   *time.Time        `json:"enforcedAt"`
	SettledAt    *time.Time        `json:"settledAt"`
}

// AlertLine is one alert.
type AlertLine struct {
	Kind       string     `json:"kind"`
	Account    string     `json:"account"`
	SignInID   string     `json:"signInId"`
	Drill      bool       `json:"drill"`
	OccurredAt time.Time  `json:"occurredAt"`
	AlertedAt  *time.Time `json:"alertedAt"`
	AckedAt    *time.Time `json:"ackedAt"`
	AckedBy    string     `json:"ackedBy"`
	Calls      int        `json:"calls"` // how often somebody was called about it before
}

// Hold is a time during which a gate held a wave; To is null while it lasts.
type Hold struct {
	Wave string     `json:"wave"`
	Gate string     `json:"gate"`
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}

// LockOutLine is one person who was stopped and did not get in by themselves.
type LockOutLine struct {
	Account  string     `json:"account"`
	Cause    string     `json:"cause"`
	OpenedAt time.Time  `json:"openedAt"`
	ClosedAt *time.Time `json:"closedAt"`
	ClosedBy string     `json:"closedBy"`
}

// Final is the state in which a rehearsal ends, without a single time: with and
// without faults it must be the same.
type Final struct {
	Waves    map[string]rollout.WaveState `json:"waves"`
	Policies map[string]string            `json:"policies"` // state of each of Sallyport's policies, by wave
	Capable  int                          `json:"capable"`
	Counted  int                          `json:"counted"`
	Exempt   int                          `json:"exempt"` // members of the exemption group
	Open     int                          `json:"open"`   // lock-outs still open
}

// detail is what the report shows beyond the timeline.
type detail struct {
	cfg      rollout.Config
	audit    rollout.AuditRun
	accounts []rollout.Account
	known    rollout.Known
	alerts   []rollout.Alert
	proof    rollout.ProvenEmergency
	changes  []rollout.Change
	policies map[string]string // display names, by id
}

// timeline reads the end of a rehearsal from the table and the tenant.
func (w *world) timeline(ctx context.Context) (Timeline, error) {
	t := Timeline{
		Tenant: w.cfg.Tenant, Seed: w.options.Seed, Days: w.options.Days, From: rollout.DateOf(w.options.Start.In(w.cfg.Location())),
		Messages: map[rollout.MessageKind]int{}, Classes: map[rollout.Class]int{}, Faults: w.faults.struck, Failures: w.failures,
		Waves: []WaveLine{}, Alerts: []AlertLine{}, Holds: []Hold{}, LockOuts: []LockOutLine{}, Holdouts: []string{},
	}
	d := &t.detail
	d.cfg = w.cfg
	for _, read := range []func() error{
		func() (err error) { d.audit, err = w.truth.Audit(ctx, w.cfg.Tenant); return },
		func() (err error) { d.accounts, err = w.truth.Accounts(ctx, w.cfg.Tenant); return },
		func() (err error) { d.known, err = w.truth.Known(ctx, w.cfg.Tenant); return },
		func() (err error) { d.alerts, err = w.truth.Alerts(ctx, w.cfg.Tenant); return },
		func() (err error) {
			if d.proof, err = w.truth.Emergency(ctx, w.cfg.Tenant); errors.Is(err, store.ErrNotFound) {
				err = nil // Graph was never reached
			}
			return err
		},
		func() (err error) { d.changes, err = w.truth.Changes(ctx, w.cfg.Tenant); return },
		func() (err error) { t.points, err = w.truth.Coverage(ctx, w.cfg.Tenant); return },
	} {
		if err := read(); err != nil {
			return Timeline{}, fmt.Errorf("read the end of the rehearsal: %w", err)
		}
	}
	d.policies = map[string]string{}
	for _, p := range w.options.Tenant.Policies() {
		id, _ := p["id"].(string)
		d.policies[id], _ = p["displayName"].(string)
	}
	w.witness.end(d.alerts)
	if _, err := w.truth.VerifyChanges(ctx, w.cfg.Tenant); err != nil {
		w.witness.violate("property 6: the record of the writes does not hold: %v", err)
	}
	t.Violations = append([]string{}, w.witness.violations...)
	if len(t.points) > 0 {
		t.Coverage = Span{t.points[0].Coverage.Percent(), t.points[len(t.points)-1].Coverage.Percent()}
	}
	for _, a := range d.accounts {
		t.Classes[a.Class]++
	}
	for _, l := range w.witness.sent {
		t.Messages[l.Kind]++
	}
	if n := w.mailbox.alerts; n > 0 {
		t.Messages[rollout.MessageAlert] = n
	}
	t.waves(w.cfg, d.known)
	t.holdouts(w.cfg, d)
	for _, a := range d.alerts {
		if a.Kind == rollout.AlertRepetition {
			continue
		}
		t.Alerts = append(t.Alerts, AlertLine{
			Kind: a.Kind, Account: a.Account, SignInID: a.SignIn.ID, Drill: a.Drill != "", OccurredAt: a.OccurredAt,
			AlertedAt: orNull(a.AlertedAt), AckedAt: orNull(a.AckedAt), AckedBy: a.AckedBy, Calls: callsAbout(d.alerts, a),
		})
	}
	slices.SortFunc(t.Alerts, func(a, b AlertLine) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.SignInID, b.SignInID))
	})
	for _, l := range d.known.LockOuts {
		t.LockOuts = append(t.LockOuts, LockOutLine{l.Account, l.Cause, l.OpenedAt, orNull(l.ClosedAt), l.ClosedBy})
	}
	slices.SortFunc(t.LockOuts, func(a, b LockOutLine) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.Account, b.Account))
	})
	t.final(w)
	return t, nil
}

func (t *Timeline) waves(cfg rollout.Config, known rollout.Known) {
	for _, wave := range cfg.Waves {
		r := known.Wave(wave.Name)
		t.Waves = append(t.Waves, WaveLine{
			Name: wave.Name, State: r.State, Deadline: wave.Deadline, AnnouncedAt: orNull(r.AnnouncedAt),
			ObservedFrom: orNull(r.ObservedFrom), EnforcedAt: orNull(r.EnforcedAt), SettledAt: orNull(r.SettledAt),
		})
		for i, m := range r.History {
			if m.To != rollout.WaveHeld {
				continue
			}
			var to *time.Time
			if i+1 < len(r.History) {
				to = orNull(r.History[i+1].At)
			}
			for _, gate := range m.Gates {
				t.Holds = append(t.Holds, Hold{wave.Name, gate, m.At, to})
			}
		}
	}
}

func (t *Timeline) holdouts(cfg rollout.Config, d *detail) {
	day := rollout.DateOf(d.audit.At.In(cfg.Location()))
	for _, a := range d.accounts {
		wave, ok := rollout.WaveOf(cfg, a, day)
		state := d.known.Wave(wave.Name).State
		if ok && rollout.Counts(cfg, a, day) && a.Capable != rollout.Yes && (state == rollout.WaveEnforced || state == rollout.WaveSettled) {
			t.Holdouts = append(t.Holdouts, a.ID)
		}
	}
}

func (t *Timeline) final(w *world) {
	d := t.detail
	c := rollout.CoverageOf(w.cfg, d.accounts, rollout.DateOf(d.audit.At.In(w.cfg.Location())))
	t.Final = Final{Waves: map[string]rollout.WaveState{}, Policies: map[string]string{}, Capable: c.Capable, Counted: c.All}
	for _, wave := range t.Waves {
		t.Final.Waves[wave.Name] = wave.State
	}
	for _, p := range d.known.Policies {
		if live, err := w.tenant.Policy(p.ID); err == nil {
			t.Final.Policies[p.Wave], _ = live["state"].(string)
		}
	}
	for _, g := range d.known.Groups {
		if g.Purpose == rollout.GroupExempt && g.ID != "" {
			t.Final.Exempt = len(w.tenant.TransitiveMembers(g.ID))
		}
	}
	for _, l := range d.known.LockOuts {
		if l.ClosedAt.IsZero() {
			t.Final.Open++
		}
	}
}

// Held reports whether a wave stands held at the end.
func (t Timeline) Held() bool {
	return slices.ContainsFunc(t.Waves, func(w WaveLine) bool { return w.State == rollout.WaveHeld })
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

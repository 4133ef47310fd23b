// Package rehearsal runs a whole rollout against a simulated tenant, at the
// speed of the machine: all functions in one process, on the in-memory table
// and a mailbox in a folder, driven by a simulated clock and the schedule of
// template.yaml. It is the demonstration, the test of the properties, and a
// product feature: an operator rehearses his own tenant before touching it.
//
// The functions do not know that they are rehearsed. People (people.go), the
// story (story.go) and faults (faults.go) are the world around them; the
// witness (witness.go) judges from the simulation's own truth.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sallyport/functions/breakglass/touch"
	"sallyport/infra/local/tenant"
	"sallyport/shared/archive"
	"sallyport/shared/mail"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Options is what to rehearse.
type Options struct {
	// Tenant is changed by the rehearsal. It must tell the time by Clock.
	Tenant *tenant.Tenant
	Clock  *Clock
	Config rollout.Config
	// Start is the first moment; Days how many days follow.
	Start time.Time
	Days  int
	Seed  uint64
	// Faults is the share of remote calls that fail, 0 to below 1; see faults.go.
	Faults   float64
	Story    *Story
	Renderer *mail.Renderer
	// Mailbox keeps the messages; nil keeps none.
	Mailbox mail.Sender
	// Bounces are addresses that do not exist, in lower case.
	Bounces []string
	// Log takes the functions' own log lines; nil: nobody reads them.
	Log io.Writer
	// Progress hears of each day; Failed of each invocation that failed. Both may
	// be nil.
	Progress func(Day)
	Failed   func(at time.Time, function string, err error)
}

func (o Options) failed(at time.Time, function string, err error) {
	if o.Failed != nil {
		o.Failed(at, function, err)
	}
}

// Day is what one day came to.
type Day struct {
	N        int // from 1
	Of       int
	Date     rollout.Date
	Coverage float64                     // percent, at the last audit
	Mailed   map[rollout.MessageKind]int // messages that left
	Said     []string
}

// Run rehearses. An error means that the simulation itself could not run; what
// Sallyport did wrong stands in the timeline's violations.
func Run(ctx context.Context, o Options) (Timeline, error) {
	w, err := newWorld(ctx, o)
	if err != nil {
		return Timeline{}, err
	}
	w.start()
	if o.Story != nil {
		o.Story.start(w)
	}
	loc := w.cfg.Location()
	w.agenda.every(daily(5, 0, loc)(w.clock.Now()), daily(5, 0, loc), func(time.Time) {
		if err := w.people.meet(ctx); err != nil {
			w.witness.violate("the simulation lost the people: %v", err)
		}
	})
	for n := 1; n <= o.Days; n++ {
		if err := ctx.Err(); err != nil {
			return Timeline{}, fmt.Errorf("rehearsal stopped on day %d: %w", n, err)
		}
		end := o.Start.AddDate(0, 0, n)
		w.agenda.run(w.clock, end)
		w.clock.advance(end)
		w.report(ctx, n)
	}
	return w.timeline(ctx)
}

func newWorld(ctx context.Context, o Options) (*world, error) {
	if o.Days < 1 || o.Faults < 0 || o.Faults >= 1 {
		return nil, errors.New("a rehearsal needs at least one day, and a fault rate from 0 to below 1")
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Story == nil {
		o.Story = &Story{}
	}
	w := &world{
		options: o, cfg: o.Config, clock: o.Clock, agenda: &agenda{}, tenant: o.Tenant,
		archive: archive.NewMemory(), faults: newFaults(o.Seed, o.Faults), failures: map[string]int{}, mailed: map[rollout.MessageKind]int{},
	}
	memory := store.NewMemory()
	w.table, w.truth = store.New(faultyTable{memory, w.faults}), store.New(memory)
	w.mails = newQueue[outbox.Item]("mail", w.clock, w.agenda, w.faults)
	w.events = newQueue[string]("feedback", w.clock, w.agenda, w.faults)
	w.touches = newQueue[touch.Event]("event", w.clock, w.agenda, w.faults)
	w.witness = newWitness(w)
	w.people = newPeople(w)
	w.mailbox = &mailbox{world: w, keep: o.Mailbox, bounces: map[string]bool{}}
	for _, address := range o.Bounces {
		w.mailbox.bounces[strings.ToLower(address)] = true
	}
	o.Tenant.SetFaults(w.faults.seeded(o.Seed))
	o.Tenant.PutApp(tenant.App{ID: readerApp, Roles: rollout.ReaderPermissions()})
	o.Tenant.PutApp(tenant.App{ID: writerApp, Roles: rollout.WriterPermissions()})
	if err := w.truth.PutConfig(ctx, o.Config); err != nil {
		return nil, fmt.Errorf("put the config into the table: %w", err)
	}
	return w, nil
}

func (w *world) report(ctx context.Context, n int) {
	if w.options.Progress == nil {
		w.said = nil
		clear(w.mailed)
		return
	}
	day := Day{N: n, Of: w.options.Days, Date: rollout.DateOf(w.clock.Now().Add(-time.Hour).In(w.cfg.Location())), Said: w.said, Mailed: w.mailed}
	if audit, err := w.truth.Audit(ctx, w.cfg.Tenant); err == nil {
		day.Coverage = audit.Coverage.Percent()
	}
	w.said, w.mailed = nil, map[rollout.MessageKind]int{}
	w.options.Progress(day)
}

// nameOf is how a person is called on the progress line.
func (w *world) nameOf(id string) string {
	if u, err := w.tenant.User(id); err == nil {
		if name, _ := u["displayName"].(string); name != "" {
			return name
		}
	}
	return id
}

// inWords puts people's names in place of ids.
func (w *world) inWords(text string) string { return objectID.ReplaceAllStringFunc(text, w.nameOf) }

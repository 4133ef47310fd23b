package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"

	"sallyport/infra/local/tenant"
	"sallyport/shared/archive"
	"sallyport/shared/mail"
	"sallyport/shared/outbox"
	"sallyport/shared/store"
)

// faults makes remote calls fail, and functions die after any of them, the same
// way for the same seed. With a rate of 0 it does nothing.
//
// The rate is the share of Graph requests that something befalls. The table and
// the queues, whose SDK tries again by itself, fail for a twentieth of it; mail
// is throttled at the rate and left in doubt at a fifth of it; and after one
// call in (25 / rate) the function dies on the spot.
type faults struct {
	rate   float64
	random func() float64 // from 0 to below 1, by the seed
	struck map[string]int
}

func newFaults(seed uint64, rate float64) *faults {
	//nolint:forbidigo // this is where the seed becomes randomness
	return &faults{rate: rate, random: rand.New(rand.NewPCG(seed, 0xfa017)).Float64, struck: map[string]int{}}
}

// crash is what a function dies of: it passes through everything, like the end
// of a process, and only the driver catches it.
type crash struct{ after string }

var errInjected = errors.New("injected fault")

func (f *faults) strikes(what string, share float64) bool {
	if f.rate == 0 || f.random() >= f.rate*share {
		return false
	}
	f.struck[what]++
	return true
}

// tableShare is the part of the rate at which the table and the queues fail.
const tableShare = 1.0 / 20

// fail is asked before a call to the table or a queue.
func (f *faults) fail(what string) error {
	if f.strikes(what, tableShare) {
		return fmt.Errorf("%s: %w", what, errInjected)
	}
	return nil
}

// mayDie is asked after a call that happened.
func (f *faults) mayDie(after string) {
	if f.strikes("crash after "+after, 1.0/25) {
		panic(crash{after}) //nolint:forbidigo // it plays the end of a process
	}
}

// seeded are the tenant's own faults at the rate.
func (f *faults) seeded(seed uint64) tenant.Faults {
	if f.rate == 0 {
		return nil
	}
	return tenant.NewSeededFaults(seed, f.rate)
}

type faultyTransport struct {
	http.RoundTripper
	faults *faults
}

func (t faultyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	t.faults.mayDie("Graph " + r.Method)
	return response, err
}

type faultyTable struct {
	store.Table
	faults *faults
}

func (t faultyTable) Get(ctx context.Context, key store.Key, into any) error {
	if err := t.faults.fail("table read"); err != nil {
		return err
	}
	return t.Table.Get(ctx, key, into)
}

func (t faultyTable) Query(ctx context.Context, partition string) iter.Seq2[store.Row, error] {
	if err := t.faults.fail("table query"); err != nil {
		return func(yield func(store.Row, error) bool) { yield(nil, err) }
	}
	return t.Table.Query(ctx, partition)
}

func (t faultyTable) Write(ctx context.Context, writes ...store.Write) error {
	if err := t.faults.fail("table write"); err != nil {
		return err
	}
	err := t.Table.Write(ctx, writes...)
	if err == nil {
		t.faults.mayDie("table write")
	}
	return err
}

func (t faultyTable) Batch(ctx context.Context, writes []store.Write) error {
	if err := t.faults.fail("table batch"); err != nil {
		return err
	}
	err := t.Table.Batch(ctx, writes)
	if err == nil {
		t.faults.mayDie("table batch")
	}
	return err
}

type faultyArchive struct {
	archive.Archive
	faults *faults
}

func (a faultyArchive) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	if err := a.faults.fail("archive write"); err != nil {
		return err
	}
	err := a.Archive.Put(ctx, name, content)
	if err == nil {
		a.faults.mayDie("archive write")
	}
	return err
}

func (a faultyArchive) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := a.faults.fail("archive read"); err != nil {
		return nil, err
	}
	return a.Archive.Open(ctx, name)
}

func (a faultyArchive) Delete(ctx context.Context, names ...string) error {
	err := a.Archive.Delete(ctx, names...)
	if err == nil {
		a.faults.mayDie("archive delete")
	}
	return err
}

type faultyQueue struct {
	outbox.Queue
	faults *faults
}

func (q faultyQueue) Put(ctx context.Context, item outbox.Item) error {
	if err := q.faults.fail("queue"); err != nil {
		return err
	}
	if err := q.Queue.Put(ctx, item); err != nil {
		return err
	}
	q.faults.mayDie("queue")
	return nil
}

type faultySender struct {
	mail.Sender
	faults *faults
}

func (s faultySender) Send(ctx context.Context, e mail.Envelope) (string, error) {
	if s.faults.strikes("mail throttled", 1) {
		return "", fmt.Errorf("%w: injected", mail.ErrThrottled)
	}
	id, err := s.Sender.Send(ctx, e)
	if err != nil {
		return id, err
	}
	if s.faults.strikes("mail in doubt", 0.2) {
		return "", fmt.Errorf("mail: no answer: %w", errInjected)
	}
	s.faults.mayDie("mail")
	return id, nil
}

// Package notify sends what was claimed: it looks once more whether a message is
// still true, renders it, hands it to the mail provider and records what became
// of it.
//
// Invariant: a message is handed to the provider only by the run that moved it
// from claimed to sending, and goes back to claimed only when the provider
// surely did not take it. So a queue that delivers twice, a rival run, or a
// crash at any point never sends it twice; what is left in doubt (sending) is
// settled by the provider's own events, or released after
// [rollout.ReleaseAfter].
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/smithy-go"

	"sallyport/shared/mail"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Table is what notify reads and writes of the table.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Pause(ctx context.Context, t rollout.TenantID) (rollout.Pause, error)
	Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error)
	Account(ctx context.Context, t rollout.TenantID, id string) (rollout.Account, error)
	Wave(ctx context.Context, t rollout.TenantID, name string) (rollout.Wave, error)
	Known(ctx context.Context, t rollout.TenantID) (rollout.Known, error)
	Coverage(ctx context.Context, t rollout.TenantID) ([]rollout.CoveragePoint, error)

	Message(ctx context.Context, t rollout.TenantID, id string) (rollout.Message, error)
	PutMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error
	MarkUnreachable(ctx context.Context, t rollout.TenantID, account, reason string) error
}

// Notify sends claimed messages.
type Notify struct {
	Table    Table
	Renderer *mail.Renderer
	Sender   mail.Sender
	Log      *slog.Logger
}

// Outcome is what became of one queue item, for counting.
type Outcome string

// The outcomes. Only OutcomeLater asks the queue to bring the item again.
const (
	OutcomeSent      Outcome = "sent"
	OutcomeDropped   Outcome = "dropped"   // no longer true, or nobody to send it to
	OutcomeBounced   Outcome = "bounced"   // the provider will never take it
	OutcomeSkipped   Outcome = "skipped"   // somebody else has it, or its day is taken
	OutcomePaused    Outcome = "paused"    // stays claimed until the operator resumes
	OutcomeQuiet     Outcome = "quiet"     // stays claimed until the reader's morning
	OutcomeUncertain Outcome = "uncertain" // the provider may have it
	OutcomeLater     Outcome = "later"     // the provider surely does not have it yet
)

// ErrBusy says that the provider takes nothing for now: whatever is tried next
// would be refused too.
var ErrBusy = errors.New("mail provider takes nothing for now")

// Run is one batch of the mail queue: what is the same for all of a tenant's
// messages is read once in it.
type Run struct {
	Notify
	now     time.Time
	tenants map[rollout.TenantID]tenant
}

type tenant struct {
	cfg   rollout.Config
	audit rollout.AuditRun // the zero value before the first audit
}

// Begin begins a run. It is not meant to live long: a pause stops the mail of
// the next run.
func (n Notify) Begin(now time.Time) *Run {
	return &Run{Notify: n, now: now, tenants: map[rollout.TenantID]tenant{}}
}

// Send sees to one item. An error comes with OutcomeLater: the item has to come
// again.
func (r *Run) Send(ctx context.Context, item outbox.Item) (Outcome, error) {
	m, err := r.Table.Message(ctx, item.Tenant, item.MessageID)
	if err != nil {
		return OutcomeLater, fmt.Errorf("read the message: %w", err)
	}
	if m.State != rollout.MessageClaimed {
		return OutcomeSkipped, nil
	}
	t, err := r.look(ctx, item.Tenant)
	if err != nil {
		return OutcomeLater, err
	}
	// A pause by hand holds for the very next mail, not only for the next batch.
	pause, err := r.Table.Pause(ctx, item.Tenant)
	if err != nil {
		return OutcomeLater, fmt.Errorf("look whether the operator paused: %w", err)
	}
	if t.cfg.Paused || pause.Paused {
		return OutcomePaused, nil // the sweep after the pause queues it again
	}
	envelope, err := r.prepare(ctx, t, &m)
	var stale staleError
	switch {
	case errors.Is(err, errQuiet):
		return OutcomeQuiet, nil // the sweep queues it again, each hour
	case errors.As(err, &stale):
		m.State, m.Reason = rollout.MessageDropped, stale.Error()
		return r.settle(ctx, item.Tenant, m, OutcomeDropped)
	case errors.Is(err, mail.ErrRejected):
		return r.giveUp(ctx, item.Tenant, m, "the address cannot be written to")
	case err != nil:
		return OutcomeLater, err
	}
	return r.hand(ctx, item.Tenant, m, envelope)
}

func (r *Run) look(ctx context.Context, id rollout.TenantID) (tenant, error) {
	if t, read := r.tenants[id]; read {
		return t, nil
	}
	var t tenant
	var err error
	if t.cfg, err = r.Table.Config(ctx, id); err != nil {
		return t, fmt.Errorf("read rollout.yaml of the tenant: %w", err)
	}
	if t.audit, err = r.Table.Audit(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return t, fmt.Errorf("read the audit: %w", err)
	}
	r.tenants[id] = t
	return t, nil
}

// staleError is why a claimed message is not sent after all.
type staleError string

func (e staleError) Error() string { return string(e) }

// errQuiet: the reader sleeps, or has the day off.
var errQuiet = errors.New("the reader's quiet hours")

// prepare looks once more at the truth and makes the mail of it. The message's
// day and deadline move on if it was claimed on an earlier day.
func (r *Run) prepare(ctx context.Context, t tenant, m *rollout.Message) (mail.Envelope, error) {
	l := letter{Run: r, tenant: t, today: rollout.DateOf(r.now.In(t.cfg.Location()))}
	if m.Kind.ToPerson() {
		account, err := r.Table.Account(ctx, t.cfg.Tenant, m.Account)
		if errors.Is(err, store.ErrNotFound) {
			return mail.Envelope{}, staleError("the account is gone")
		}
		if err != nil {
			return mail.Envelope{}, fmt.Errorf("read the account: %w", err)
		}
		l.account = account
	}
	if due, reason := rollout.StillDue(t.cfg, *m, l.account, r.now); !due {
		return mail.Envelope{}, staleError(reason)
	}
	if m.Kind.ToPerson() && !rollout.MayWrite(t.cfg, l.account, r.now) {
		return mail.Envelope{}, errQuiet
	}
	l.bringUpToDate(m)
	if t.cfg.Communication.Redirect != "" && m.Kind.ToPerson() {
		*m = m.Redirect(t.cfg.Communication.Redirect)
	}
	l.message = *m
	return l.envelope(ctx)
}

// bringUpToDate moves a message to a person that is sent on a later day than it
// was claimed: the table then takes that day's lock for it, since nobody gets
// two messages in a day, and a notice still gives its full time.
func (l letter) bringUpToDate(m *rollout.Message) {
	if !m.Kind.ToPerson() || !m.Day.Before(l.today) {
		return
	}
	m.Day = l.today
	earliest := l.today.AddDays(rollout.NoticeDays)
	if m.Kind.IsNotice() && m.Deadline.Before(earliest) {
		m.Deadline = earliest
	}
}

// hand gives the mail to the provider, between two records of the message.
func (r *Run) hand(ctx context.Context, t rollout.TenantID, m rollout.Message, envelope mail.Envelope) (Outcome, error) {
	m.State, m.SendingAt, m.Reason = rollout.MessageSending, r.now, ""
	err := r.Table.PutMessage(ctx, t, m)
	if errors.Is(err, store.ErrConflict) {
		return OutcomeSkipped, nil
	}
	if err != nil {
		return OutcomeLater, fmt.Errorf("record that the message is being sent: %w", err)
	}
	m.Version++

	_, err = r.Sender.Send(ctx, envelope)
	// From here the record must follow what happened, even at the run's end.
	ctx = context.WithoutCancel(ctx)
	switch {
	case err == nil:
		m.State, m.SentAt = rollout.MessageSent, r.now
		return r.settle(ctx, t, m, OutcomeSent)
	case errors.Is(err, mail.ErrRejected):
		return r.giveUp(ctx, t, m, "rejected by the mail provider")
	case errors.Is(err, mail.ErrThrottled), errors.Is(err, mail.ErrNotSetUp):
		m.State, m.SendingAt = rollout.MessageClaimed, time.Time{}
		outcome, settleErr := r.settle(ctx, t, m, OutcomeLater)
		return outcome, errors.Join(fmt.Errorf("%w: %s", ErrBusy, withoutAddresses(err)), settleErr)
	}
	r.Log.WarnContext(ctx, "not known whether the message left: the provider's events settle it, or it is released",
		"tenant", t, "message", m.ID, "after", rollout.ReleaseAfter.String(), "error", withoutAddresses(err))
	return OutcomeUncertain, nil
}

// giveUp records a message that will never leave. The mark on the person comes
// first: a run that dies in between makes both when the item comes again.
func (r *Run) giveUp(ctx context.Context, t rollout.TenantID, m rollout.Message, reason string) (Outcome, error) {
	if m.Kind.ToPerson() && !m.Redirected() {
		if err := r.Table.MarkUnreachable(ctx, t, m.Account, reason); err != nil {
			return OutcomeLater, fmt.Errorf("mark account %s as unreachable: %w", m.Account, err)
		}
	}
	m.State, m.Reason = rollout.MessageBounced, reason
	return r.settle(ctx, t, m, OutcomeBounced)
}

// settle records where a message has come. Feedback may have been faster, and
// then knows better. Once the provider has it (or will never have it), a record
// that fails is no reason to bring the item again: its events make it good.
func (r *Run) settle(ctx context.Context, t rollout.TenantID, m rollout.Message, outcome Outcome) (Outcome, error) {
	err := r.Table.PutMessage(ctx, t, m)
	if err == nil || errors.Is(err, store.ErrConflict) {
		return outcome, nil
	}
	err = fmt.Errorf("record that the message is %s: %w", m.State, err)
	if outcome != OutcomeSent {
		return OutcomeLater, err
	}
	r.Log.WarnContext(ctx, "sent, but not recorded: the provider's events settle it", "tenant", t, "message", m.ID, "error", err)
	return outcome, nil
}

// withoutAddresses describes a sender's error for the log: of what the provider
// answered only the code, because its words quote addresses.
func withoutAddresses(err error) string {
	words := ""
	for _, known := range []error{mail.ErrRejected, mail.ErrThrottled, mail.ErrNotSetUp} {
		if errors.Is(err, known) {
			words = known.Error() + ": "
		}
	}
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return words + answer.ErrorCode()
	}
	return words + err.Error()
}

package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// letter is one message on its way to words: what is known when it is written.
type letter struct {
	*Run
	tenant
	account rollout.Account // of a message to a person
	message rollout.Message
	today   rollout.Date // in the tenant's time zone
}

// envelope renders the message and addresses it. An address of a person that
// cannot be written to is a [mail.ErrRejected]; one of the operator's own is a
// mistake in rollout.yaml.
func (l letter) envelope(ctx context.Context) (mail.Envelope, error) {
	fail := func(err error) (mail.Envelope, error) {
		return mail.Envelope{}, fmt.Errorf("write message %s: %w", l.message.ID, err)
	}
	from, err := mail.ParseAddress(l.cfg.Communication.From)
	if err != nil {
		return fail(fmt.Errorf("communication.from in rollout.yaml: %v", err)) //nolint:errorlint // an ErrRejected here is not the recipient's
	}
	replyTo := from
	if desk := l.cfg.Communication.HelpDesk; desk.Email != "" {
		if replyTo, err = mail.NewAddress(mail.Name(desk.Name), desk.Email); err != nil {
			return fail(fmt.Errorf("communication.helpDesk.email in rollout.yaml: %v", err)) //nolint:errorlint // as above
		}
	}
	to, err := l.recipients()
	if err != nil {
		return fail(err)
	}
	data, err := l.data(ctx, from)
	if err != nil {
		return fail(err)
	}
	content, err := l.Renderer.RenderAs(mail.BrandOf(l.cfg.Communication.Branding, l.message.Kind, l.language()), l.language(), data)
	if err != nil {
		return fail(err)
	}
	if session, ok := data.(mail.Session); ok {
		invitation := l.invitation(session, replyTo, to[0])
		content.Invitation = &invitation
	}
	if l.message.Redirected() {
		if to, err = l.redirect(&content, to); err != nil {
			return fail(err)
		}
	}
	header := mail.Header{From: from, To: to, ReplyTo: replyTo, MessageID: l.message.ID, Date: l.now}
	if drill, is := data.(mail.Drill); is {
		header.Event = l.event(drill)
	}
	if l.message.Kind.ToPerson() {
		header.Thread = "person." + l.message.Account
	}
	raw, err := mail.Compose(header, content)
	if err != nil {
		return fail(err)
	}
	return mail.Envelope{
		From: from.String(), To: mail.Recipients(to),
		MessageID: l.message.ID, Tenant: l.cfg.Tenant, Raw: raw,
	}, nil
}

// recipients are the person, or all of the operator's addresses in one envelope:
// they share one message. Lock-outs go to the help desk too, which has to act, and
// drills to the custodian who was asked.
func (l letter) recipients() ([]mail.Address, error) {
	if l.message.Kind.ToPerson() {
		to, err := mail.NewAddress(mail.Name(l.account.DisplayName), l.account.Mail)
		return []mail.Address{to}, err
	}
	emails := slices.Clone(l.cfg.Alerts.Email)
	if desk := l.cfg.Communication.HelpDesk.Email; l.message.Kind == rollout.MessageLockOut && desk != "" {
		emails = append(emails, desk)
	}
	if invitee := l.message.Details["invitee"]; l.message.Kind == rollout.MessageDrill && invitee != "" {
		emails = slices.Insert(emails, 0, invitee)
	}
	// An owner is whoever answers for it; not everybody is an address.
	if owner := l.message.Details[rollout.DetailOwner]; l.message.Kind == rollout.MessageTask && owner != "" {
		if _, err := mail.ParseAddress(owner); err == nil {
			emails = append(emails, owner)
		}
	}
	var to []mail.Address
	for _, email := range emails {
		address, err := mail.ParseAddress(email)
		if err != nil {
			return nil, fmt.Errorf("alerts.email or a custodianEmail in rollout.yaml: %v", err) //nolint:errorlint // an ErrRejected here is not a person's
		}
		if !slices.ContainsFunc(to, func(a mail.Address) bool { return strings.EqualFold(a.Email, address.Email) }) {
			to = append(to, address)
		}
	}
	if len(to) == 0 {
		return nil, staleError("rollout.yaml names nobody to tell: see alerts.email")
	}
	return to, nil
}

func (l letter) language() string {
	if !l.message.Kind.ToPerson() {
		return "en" // messages to operators exist in it alone
	}
	return l.Renderer.Language(l.cfg.Communication.Languages, l.account.Language, l.audit.Organization.PreferredLanguage)
}

// data gathers what the message says.
func (l letter) data(ctx context.Context, from mail.Address) (mail.Data, error) {
	m := l.message
	switch m.Kind {
	case rollout.MessageAnnouncement:
		return mail.Announcement{Person: l.person(), Deadline: m.Deadline, From: mail.Line(from.Email), Training: l.training()}, nil
	case rollout.MessageReady:
		ready := mail.Ready{Person: l.person(), Deadline: m.Deadline}
		if l.account.Strength == rollout.StrengthWeak {
			ready.PhoneEnds = rollout.PhoneEnds()
		}
		return ready, nil
	case rollout.MessageReminder:
		return mail.Reminder{Person: l.person(), Today: l.today, Deadline: m.Deadline, Window: m.Window, Windows: l.cfg.ReminderDays}, nil
	case rollout.MessageHoldout:
		return l.holdout(ctx)
	case rollout.MessageToday:
		return mail.Today{Person: l.person(), Deadline: m.Deadline}, nil
	case rollout.MessageColleague:
		return mail.Colleague{Person: l.person(), Deadline: m.Deadline, From: mail.Line(from.Email), Training: l.training()}, nil
	case rollout.MessageTraining:
		return l.session()
	case rollout.MessageBetter:
		return mail.Better{Person: l.person(), Today: l.today, Ends: rollout.PhoneEnds()}, nil
	case rollout.MessageDone:
		return mail.Done{Person: l.person()}, nil
	case rollout.MessageTeam:
		return l.team(ctx)
	case rollout.MessageHoldouts:
		return l.holdouts(ctx)
	case rollout.MessageHold:
		return l.hold()
	case rollout.MessageBlast:
		return l.blast(ctx)
	case rollout.MessageTask:
		return l.task(ctx)
	case rollout.MessageSwitched:
		return l.switched(ctx)
	case rollout.MessageRollback:
		policy, err := l.policy(ctx)
		return mail.RolledBack{Notice: l.notice(), Wave: mail.Name(m.Wave), At: m.ClaimedAt, Policy: policy, Reason: mail.Line(m.Details["reason"])}, err
	case rollout.MessageLockOut:
		return l.lockOuts(ctx)
	case rollout.MessageDrill:
		return l.drill(ctx)
	case rollout.MessageClosing:
		return l.closing(ctx)
	case rollout.MessageAlert:
		return nil, errors.New("alerts do not wait in the mail queue: breakglass sends them")
	}
	return nil, fmt.Errorf("nobody knows how to say a message of kind %q", m.Kind)
}

func (l letter) organization() mail.Name {
	if name := l.audit.Organization.DisplayName; name != "" {
		return mail.Name(name)
	}
	return mail.Name(l.cfg.Tenant)
}

func (l letter) person() mail.Person {
	return mail.Person{
		Name: mail.Name(l.account.DisplayName), Account: mail.Line(l.account.UserPrincipalName),
		Organization: l.organization(), HelpDesk: l.cfg.Communication.HelpDesk,
	}
}

func (l letter) notice() mail.Notice {
	return mail.Notice{Organization: l.organization(), Tenant: l.cfg.Tenant, Zone: l.cfg.Location()}
}

// holdout is true only while the wave is on: after a roll-back nobody is stopped.
func (l letter) holdout(ctx context.Context) (mail.Data, error) {
	wave, err := l.Table.Wave(ctx, l.cfg.Tenant, l.message.Wave)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("read the wave: %w", err)
	}
	if wave.State != rollout.WaveEnforced && wave.State != rollout.WaveSettled {
		return nil, staleError("the wave is no longer on")
	}
	return mail.Holdout{Person: l.person(), Since: rollout.DateOf(wave.EnforcedAt.In(l.cfg.Location()))}, nil
}

// hold reads the details "gates" (JSON, []rollout.GateResult), "deadline" and
// "earliest".
func (l letter) hold() (mail.Data, error) {
	var gates []rollout.GateResult
	if err := json.Unmarshal([]byte(l.message.Details["gates"]), &gates); err != nil {
		return nil, fmt.Errorf("read the gates: %w", err)
	}
	hold := mail.Hold{Notice: l.notice(), Wave: mail.Name(l.message.Wave), Deadline: l.deadline(), Earliest: l.instant("earliest")}
	for _, g := range gates {
		hold.Gates = append(hold.Gates, mail.Gate{ID: mail.Line(g.ID), Question: mail.Line(g.Question), Evidence: mail.Line(g.Evidence), Remedy: mail.Line(g.Remedy)})
	}
	return hold, nil
}

// deadline is the wave's; of a wave without one, the rollout's.
func (l letter) deadline() rollout.Date {
	if day, err := rollout.ParseDate(l.message.Details["deadline"]); err == nil {
		return day
	}
	last := l.message.Day
	for _, w := range l.cfg.Waves {
		if last.Before(w.Deadline) {
			last = w.Deadline
		}
	}
	return last
}

// switched reads the details "at" and "people".
func (l letter) switched(ctx context.Context) (mail.Data, error) {
	people, err := strconv.Atoi(l.message.Details["people"])
	if err != nil {
		return nil, fmt.Errorf("read how many people the wave holds: %w", err)
	}
	at := l.instant("at")
	if at.IsZero() {
		at = l.message.ClaimedAt
	}
	policy, err := l.policy(ctx)
	return mail.Switched{Notice: l.notice(), Wave: mail.Name(l.message.Wave), At: at, Policy: policy, People: people, Exposure: mail.Line(l.message.Details["exposure"])}, err
}

// policy names what the wave's demand stands in.
func (l letter) policy(ctx context.Context) (mail.Line, error) {
	known, err := l.Table.Known(ctx, l.cfg.Tenant)
	if err != nil {
		return "", fmt.Errorf("read what is known of the rollout: %w", err)
	}
	for _, p := range known.Policies {
		if p.Wave == l.message.Wave {
			return mail.Line(p.Draft.DisplayName), nil
		}
	}
	return "Security Defaults", nil
}

// lockOuts reads the detail "lockOuts" (JSON, []rollout.LockOut): ids and
// causes; the names are looked up.
func (l letter) lockOuts(ctx context.Context) (mail.Data, error) {
	var list []rollout.LockOut
	if err := json.Unmarshal([]byte(l.message.Details["lockOuts"]), &list); err != nil {
		return nil, fmt.Errorf("read the lock-outs: %w", err)
	}
	out := mail.LockOuts{Notice: l.notice()}
	for _, lockOut := range list {
		account, err := l.named(ctx, lockOut.Account)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, mail.LockOut{
			Name: mail.Name(account.DisplayName), Account: mail.Line(account.UserPrincipalName),
			Cause: mail.Line(lockOut.Cause), Advice: mail.Line(lockOut.Advice), Attempts: lockOut.Attempts, Since: lockOut.OpenedAt,
		})
	}
	if len(out.Rows) == 0 {
		return nil, staleError("nobody is locked out")
	}
	return out, nil
}

// named is the account, or its id where a name should stand if it is gone.
func (l letter) named(ctx context.Context, id string) (rollout.Account, error) {
	account, err := l.Table.Account(ctx, l.cfg.Tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return rollout.Account{ID: id, DisplayName: id, UserPrincipalName: id}, nil
	}
	if err != nil {
		return account, fmt.Errorf("read account %s: %w", id, err)
	}
	return account, nil
}

// closing looks back on the whole rollout, by what the table holds of it.
func (l letter) closing(ctx context.Context) (mail.Data, error) {
	points, err := l.Table.Coverage(ctx, l.cfg.Tenant)
	if err != nil {
		return nil, fmt.Errorf("read the coverage: %w", err)
	}
	if len(points) == 0 {
		return nil, errors.New("no coverage was ever recorded")
	}
	known, err := l.Table.Known(ctx, l.cfg.Tenant)
	if err != nil {
		return nil, fmt.Errorf("read what is known of the rollout: %w", err)
	}
	closing := mail.Closing{Notice: l.notice(), Start: mail.CoverageOf(points[0]), End: mail.CoverageOf(points[len(points)-1])}
	for _, w := range l.cfg.Waves {
		if at := known.Wave(w.Name).EnforcedAt; !at.IsZero() {
			closing.Waves = append(closing.Waves, mail.ClosedWave{Name: mail.Name(w.Name), Deadline: w.Deadline, Enforced: at})
		}
	}
	sent := map[rollout.MessageKind]int{}
	for _, m := range known.Messages {
		if m.State == rollout.MessageSent || m.State == rollout.MessageDelivered {
			sent[m.Kind]++
		}
	}
	closing.Counts = []mail.Count{
		{What: "announcements", N: sent[rollout.MessageAnnouncement]},
		{What: "people told that they are ready", N: sent[rollout.MessageReady]},
		{What: "reminders", N: sent[rollout.MessageReminder]},
		{What: "people locked out and helped", N: len(known.LockOuts)},
	}
	return closing, nil
}

// instant is a time among the details, zero if there is none.
func (l letter) instant(name string) time.Time {
	t, err := time.Parse(time.RFC3339, l.message.Details[name])
	if err != nil {
		return time.Time{}
	}
	return t
}

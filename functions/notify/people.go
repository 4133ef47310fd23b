package notify

import (
	"context"
	"fmt"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// training is the session, until it is over.
func (l letter) training() *mail.Training {
	start, end, there := l.cfg.Communication.Training.Span(l.cfg.Location())
	if !there || !l.now.Before(end) {
		return nil
	}
	session := l.sessionOf(l.cfg.Communication.Training)
	session.Start = start
	return &session
}

func (l letter) sessionOf(t rollout.Training) mail.Training {
	start, _, _ := t.Span(l.cfg.Location())
	return mail.Training{Title: mail.Line(t.Title), Start: start, Zone: l.cfg.Location(), Minutes: t.Minutes, Join: t.Join, Recording: t.Recording}
}

// session is what the message was claimed with: [rollout.StillDue] has seen that
// it is still so.
func (l letter) session() (mail.Data, error) {
	i := rollout.InvitationOf(l.message)
	if _, _, there := i.Training.Span(l.cfg.Location()); !there {
		return nil, fmt.Errorf("read the training of message %s: it has no title, beginning or length", l.message.ID)
	}
	return mail.Session{
		Person: l.person(), Training: l.sessionOf(i.Training), Deadline: l.message.Deadline, Sequence: i.Sequence, Cancelled: i.Cancelled,
	}, nil
}

// invitation is the appointment of the session. Its id is the person's for good,
// so that what comes later changes it.
func (l letter) invitation(s mail.Session, organizer, attendee mail.Address) mail.Invitation {
	start, end, _ := rollout.InvitationOf(l.message).Training.Span(l.cfg.Location())
	place := s.Join
	if place == "" {
		place = s.Recording
	}
	return mail.Invitation{
		UID: fmt.Sprintf("training.%s@%s", l.account.ID, l.cfg.Tenant), Sequence: s.Sequence, Cancelled: s.Cancelled,
		Title: s.Title, Start: start, End: end, Place: place, Organizer: organizer, Attendees: []mail.Address{attendee},
	}
}

// team names those of a manager's people who are still stopped.
func (l letter) team(ctx context.Context) (mail.Data, error) {
	people, more, err := l.stillStopped(ctx)
	if err != nil {
		return nil, err
	}
	return mail.Team{
		Name: mail.Name(l.account.DisplayName), Organization: l.organization(), HelpDesk: l.cfg.Communication.HelpDesk, People: people, More: more,
	}, nil
}

func (l letter) holdouts(ctx context.Context) (mail.Data, error) {
	people, more, err := l.stillStopped(ctx)
	if err != nil {
		return nil, err
	}
	return mail.Holdouts{Notice: l.notice(), Wave: mail.Name(l.message.Wave), At: l.now, People: people, More: more}, nil
}

// stillStopped leaves out whoever has registered, left or been exempted since the
// message was claimed. With nobody left there is nothing to tell.
func (l letter) stillStopped(ctx context.Context) (people []mail.Member, more int, err error) {
	ids, more := rollout.HoldoutsOf(l.message)
	for _, id := range ids {
		account, err := l.named(ctx, id)
		if err != nil {
			return nil, 0, err
		}
		_, exempt := l.cfg.Exemption(account, l.today)
		if account.Capable == rollout.Yes || exempt || !rollout.IsPerson(l.cfg, account) {
			continue
		}
		people = append(people, mail.Member{Name: mail.Name(account.DisplayName), Account: mail.Line(account.UserPrincipalName)})
	}
	if len(people) == 0 {
		return nil, 0, staleError("none of them is stopped any more")
	}
	return people, more, nil
}

// redirect turns a message to a person round to the address that tries the
// rollout out, marked with whom it was for.
func (l letter) redirect(content *mail.Content, to []mail.Address) ([]mail.Address, error) {
	instead, err := mail.ParseAddress(l.cfg.Communication.Redirect)
	if err != nil {
		return nil, fmt.Errorf("communication.redirect in rollout.yaml: %v", err) //nolint:errorlint // an ErrRejected here is not the recipient's
	}
	*content = content.For(to[0])
	return []mail.Address{instead}, nil
}

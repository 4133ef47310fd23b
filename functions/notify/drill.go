package notify

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// drill reads the details of [rollout.DueDrillNotice]: "account", "opens" and
// "closes" at least.
func (l letter) drill(ctx context.Context) (mail.Data, error) {
	m := l.message
	d := mail.Drill{
		Notice: l.notice(), Opens: l.instant("opens"), Closes: l.instant("closes"), Plan: l.cfg.IncidentResponsePlan, Stage: l.drillStage(),
		Custodian: mail.Name(m.Details["custodian"]), Cause: rollout.DrillCause(m.Details["cause"]), Why: mail.Line(m.Details["why"]),
	}
	id := m.Details["account"]
	i := slices.IndexFunc(l.cfg.EmergencyAccounts, func(e rollout.EmergencyAccount) bool { return strings.EqualFold(e.ID, id) })
	cancelled := d.Stage == mail.DrillCancelled
	switch {
	case i < 0 && !cancelled:
		return nil, staleError("the account is no longer an emergency account")
	case d.Opens.IsZero() || d.Closes.IsZero():
		return nil, errors.New("the drill's window is not given")
	case !l.now.Before(d.Closes) && !cancelled:
		return nil, staleError("the drill's window is over")
	}
	account, err := l.named(ctx, id)
	if err != nil {
		return nil, err
	}
	d.Account = mail.Name(account.DisplayName)
	if i >= 0 {
		emergency := l.cfg.EmergencyAccounts[i]
		d.PasswordLocation = mail.Line(emergency.PasswordLocation)
		if d.Custodian == "" {
			d.Custodian = mail.Name(emergency.Custodian)
		}
	}
	return d, nil
}

// drillStage is what is true of the drill at the moment of writing: an invitation
// that waited until the window opened says that it is open.
func (l letter) drillStage() mail.DrillStage {
	switch {
	case l.message.Details["notice"] == rollout.NoticeCancelled:
		return mail.DrillCancelled
	case !l.now.Before(l.instant("opens")):
		return mail.DrillOpen
	case l.drillSequence() > 0:
		return mail.DrillMoved
	}
	return mail.DrillAhead
}

func (l letter) drillSequence() int {
	n, err := strconv.Atoi(l.message.Details["sequence"])
	if err != nil {
		return 0
	}
	return n
}

// event is the drill in its readers' calendars. The reminder of a drill carries
// the same version as its invitation, and changes nothing there; a cancellation
// is a version of its own.
func (l letter) event(d mail.Drill) *mail.Event {
	stamp := l.instant("invited")
	if stamp.IsZero() {
		stamp = l.message.ClaimedAt
	}
	sequence := l.drillSequence()
	if d.Stage == mail.DrillCancelled {
		sequence, stamp = sequence+1, l.message.ClaimedAt
	}
	uid := l.message.Details["drill"]
	if uid == "" {
		uid = l.message.ID
	}
	return d.Event(uid, sequence, stamp)
}

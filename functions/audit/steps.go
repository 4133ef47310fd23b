package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

func lower(id string) string { return strings.ToLower(id) }

// piece is what a step's piece function does.
type piece = func(ctx context.Context, r *reading, l *listed) ([]record, string, error)

// records makes records of rows; about says which account a row is about.
func records[T any](rows []T, about func(T) string) ([]record, error) {
	list := make([]record, 0, len(rows))
	for _, row := range rows {
		one, err := newRecord(about(row), row)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func users(premium bool) piece {
	return func(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
		page, err := r.graph.UsersPage(ctx, premium, l.Cursor)
		if err != nil {
			return nil, "", err
		}
		if page.Next == "" && l.Rows+len(page.Rows) == 0 {
			return nil, "", errors.New("the listing is empty, and a tenant without accounts does not exist")
		}
		rows, err := records(page.Rows, func(u rollout.User) string { return u.ID })
		return rows, page.Next, err
	}
}

func registrations(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	page, err := r.graph.RegistrationsPage(ctx, l.Cursor)
	if err != nil {
		return nil, "", err
	}
	if page.Next == "" && l.Rows+len(page.Rows) == 0 {
		return nil, "", errors.New("the registration report is empty although there are accounts")
	}
	rows, err := records(page.Rows, func(x rollout.Registration) string { return x.UserID })
	return rows, page.Next, err
}

func managers(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	page, err := r.graph.ManagersPage(ctx, l.Cursor)
	if why := graph.Refusal(err); why != "" {
		return nil, "", refused(why)
	}
	if err != nil {
		return nil, "", err
	}
	rows, err := records(page.Rows, func(m graph.Manager) string { return m.UserID })
	return rows, page.Next, err
}

// refused is the answer of a step whose listing the tenant does not offer and
// that the audit can do without. Its text says why.
type refused string

// Error implements error.
func (r refused) Error() string { return string(r) }

// membership is one account in one of the named groups.
type membership struct {
	Account string `json:"account"`
	Group   string `json:"group"`
}

// memberships opens every group that a policy or a role names, one after the
// other. The cursor is the group and, behind a space, the link to its next page.
func memberships(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	named, err := r.groupsInOrder(ctx)
	if err != nil || len(named) == 0 {
		return nil, "", err
	}
	id, link, _ := strings.Cut(l.Cursor, " ")
	if id == "" {
		id = named[0]
	}
	at, found := slices.BinarySearch(named, id)
	if !found {
		return nil, "", fmt.Errorf("group %s, at which the reading is to go on, is none of those named", id)
	}
	rows, link, err := r.members(ctx, id, link)
	if err == nil {
		err = r.space.save(ctx, directoryName, r.dir)
	}
	switch {
	case err != nil:
		return nil, "", err
	case link != "":
		return rows, id + " " + link, nil
	case at+1 < len(named):
		return rows, named[at+1], nil
	}
	return rows, "", nil
}

// groupsInOrder are the named groups. They are found once and kept in the
// Directory, closed until they are read.
func (r *reading) groupsInOrder(ctx context.Context) ([]string, error) {
	if len(r.dir.Groups) == 0 {
		named, err := r.namedGroups(ctx)
		if err != nil {
			return nil, err
		}
		for _, id := range named {
			r.dir.Groups[id] = rollout.GroupFacts{ID: id}
		}
		if err := r.space.save(ctx, directoryName, r.dir); err != nil {
			return nil, err
		}
	}
	ids := make([]string, 0, len(r.dir.Groups))
	for id := range r.dir.Groups {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// members reads one page of a group's members. A group that is gone, or does not
// show its members, stays closed and proves nothing.
func (r *reading) members(ctx context.Context, id, link string) (rows []record, next string, err error) {
	facts := r.dir.Groups[id]
	if link == "" {
		var hides bool
		if facts, hides, err = r.graph.GroupFacts(ctx, id); err != nil {
			return nil, "", err
		}
		if !facts.Opened {
			return nil, "", nil
		}
		facts.Opened = !hides // until it shows somebody
	}
	page, err := r.graph.MembersPage(ctx, id, link)
	if errors.Is(err, graph.ErrMembersHidden) || errors.Is(err, graph.ErrNotFound) {
		facts.Opened = false
		r.dir.Groups[id] = facts
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	facts.Opened = facts.Opened || len(page.Rows) > 0
	r.dir.Groups[id] = facts
	list := make([]membership, len(page.Rows))
	for i, account := range page.Rows {
		list[i] = membership{account, id}
	}
	rows, err = records(list, func(m membership) string { return m.Account })
	return rows, page.Next, err
}

// kindOf is what one account's mailbox is for.
type kindOf struct {
	Account string `json:"account"`
	Purpose string `json:"purpose"`
}

// purposes asks for the kind of mailbox where it can matter. There is no listing
// of it; what is not asked tonight keeps what was known.
func purposes(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	night := rollout.DateOf(r.progress.Begun)
	return r.ask(ctx, listPurposes, l, func(u rollout.User, reg *rollout.Registration, before *rollout.Account) bool {
		return rollout.AsksPurpose(u, reg, before, night)
	}, func(ids []string) ([]record, error) {
		answers, err := r.graph.Purposes(ctx, ids)
		if err != nil {
			return nil, l.unlessAllWereDenied(err)
		}
		var list []kindOf
		for _, id := range ids {
			if purpose, has := answers[id]; has {
				list = append(list, kindOf{id, purpose})
			}
		}
		return records(list, func(k kindOf) string { return k.Account })
	})
}

// methods asks for each account's methods, in a tenant whose licences have no
// registration report.
func methods(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	return r.ask(ctx, listRegistrations, l, func(u rollout.User, _ *rollout.Registration, _ *rollout.Account) bool {
		return u.AccountEnabled != rollout.No
	}, func(ids []string) ([]record, error) {
		answers, err := r.graph.BatchMethods(ctx, ids)
		if err != nil {
			return nil, err
		}
		var list []rollout.Registration
		for _, id := range ids {
			if methods, has := answers[id]; has {
				list = append(list, rollout.RegistrationFromMethods(id, methods))
			}
		}
		return records(list, func(x rollout.Registration) string { return x.UserID })
	})
}

// perUserMFABulk tries the one listing of per-user MFA that there is, which
// Microsoft does not document.
func perUserMFABulk(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	page, err := r.graph.PerUserMFAPage(ctx, l.Cursor)
	if why := graph.Refusal(err); why != "" {
		return nil, "", refused(why)
	}
	if err != nil {
		return nil, "", err
	}
	rows, err := records(page.Rows, func(s graph.MFAState) string { return s.UserID })
	return rows, page.Next, err
}

// mostMFAQuestions bounds how many accounts a night asks about per-user MFA: at
// the pace of the reports, twenty in two seconds.
const mostMFAQuestions = 4000

// perUserMFA asks single accounts where the bulk listing was refused: those of
// which nothing is known or that had it, and of the others a part every night.
// What is not asked tonight keeps what was known.
func perUserMFA(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	if r.progress.of(listMFABulk).Refused == "" || l.Rows >= mostMFAQuestions {
		return nil, "", nil
	}
	night := rollout.DateOf(r.progress.Begun)
	return r.ask(ctx, listMFA, l, func(u rollout.User, _ *rollout.Registration, before *rollout.Account) bool {
		return rollout.AsksPerUserMFA(u, before, night)
	}, func(ids []string) ([]record, error) {
		answers, err := r.graph.PerUserMFA(ctx, ids)
		if err != nil {
			return nil, l.unlessAllWereDenied(err)
		}
		var list []graph.MFAState
		for _, id := range ids {
			if state, has := answers[id]; has {
				list = append(list, graph.MFAState{UserID: id, State: state})
			}
		}
		return records(list, func(s graph.MFAState) string { return s.UserID })
	})
}

// signIns keeps of the sign-in log what the gates ask: the newest verdict of
// each of Sallyport's report-only policies on each account, and who uses
// protocols that cannot do MFA. The log comes newest first: where Graph forgot
// the cursor, it is taken up again at the oldest row.
func signIns(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	q := graph.SignInQuery{From: r.progress.Begun.Add(-r.since), To: r.progress.Begun}
	if !l.From.IsZero() {
		q.To = l.From
	}
	page, err := r.graph.SignInsPage(ctx, q, l.Cursor)
	if errors.Is(err, graph.ErrCursorExpired) && l.Restarts < mostRestarts && !l.Disordered && !l.Oldest.IsZero() {
		l.Restarts++
		l.Cursor, l.From = "", l.Oldest
		return signIns(ctx, r, l)
	}
	if err != nil {
		return nil, "", err
	}
	for _, s := range page.Rows {
		switch {
		case l.Oldest.IsZero() || s.CreatedAt.Before(l.Oldest):
			l.Oldest = s.CreatedAt
		case s.CreatedAt.After(l.Oldest):
			l.Disordered = true
		}
	}
	digest := rollout.NewSignInDigest(r.ours, nil, r.progress.Begun)
	digest.Add(page.Rows)
	var list []trace
	for _, o := range digest.Observations() {
		list = append(list, trace{Account: o.Account, Observed: &o})
	}
	for _, u := range digest.Legacy() {
		list = append(list, trace{Account: u.Account, Legacy: &u})
	}
	rows, err := records(list, func(t trace) string { return t.Account })
	return rows, page.Next, err
}

// trace is what a page of the sign-in log says of one account.
type trace struct {
	Account  string               `json:"account"`
	Observed *rollout.Observation `json:"observed,omitempty"`
	Legacy   *rollout.LegacyUse   `json:"legacy,omitempty"`
}

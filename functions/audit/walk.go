package audit

import (
	"context"
	"errors"
	"iter"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// walk is something long that pieces are taken off, open for as long as the
// invocation lasts.
type walk struct {
	next func() (record, error, bool)
	stop func()
	at   string // the key of the last record handed over
}

// take hands over the next records behind l.Cursor, and where the piece after
// them begins. open yields what lies behind a key, in the order of the keys.
func (r *reading) take(listing string, l *listed, most int, open func(behind string) iter.Seq2[record, error]) (rows []record, next string, err error) {
	w := r.walks[listing]
	if w == nil || w.at != l.Cursor {
		if w != nil {
			w.stop()
		}
		w = &walk{at: l.Cursor}
		w.next, w.stop = iter.Pull2(open(l.Cursor))
		r.walks[listing] = w
	}
	for len(rows) < most {
		row, err, more := w.next()
		if err != nil {
			return nil, "", err
		}
		if !more {
			w.at = ""
			break
		}
		rows = append(rows, row)
		w.at = row.key
	}
	return rows, w.at, nil
}

// storedAtOnce is how many of the table's accounts are kept between two marks of
// progress.
const storedAtOnce = 2000

// stored keeps what the table holds of every account: two later steps need it,
// and a table of 100,000 accounts takes minutes to read.
func stored(ctx context.Context, r *reading, l *listed) ([]record, string, error) {
	return r.take(listStored, l, storedAtOnce, func(behind string) iter.Seq2[record, error] {
		return func(yield func(record, error) bool) {
			for account, err := range r.known.accounts(ctx) {
				var row record
				if err == nil {
					row, err = newRecord(account.ID, account)
				}
				if err == nil && row.key <= behind {
					continue
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	})
}

// chunk is how many accounts are asked about between two marks of progress.
const chunk = 100

// wanted says whether an account is to be asked about. reg is its row of the
// report and before what the last audit made of it; nil if there is none.
type wanted func(u rollout.User, reg *rollout.Registration, before *rollout.Account) bool

// ask asks about the next accounts behind l.Cursor that are wanted. The cursor is
// the last account that was asked about.
func (r *reading) ask(ctx context.Context, listing string, l *listed, want wanted, question func(ids []string) ([]record, error)) ([]record, string, error) {
	asked, next, err := r.take(listing, l, chunk, func(behind string) iter.Seq2[record, error] { return r.wanted(ctx, behind, want) })
	if err != nil || len(asked) == 0 {
		return nil, "", err
	}
	ids := make([]string, 0, len(asked))
	for _, a := range asked {
		ids = append(ids, string(a.value))
	}
	rows, err := question(ids)
	if err == nil && next == "" && l.Denied != "" && l.Rows+len(rows) == 0 {
		return nil, "", refused("Graph refused every account that was asked about: the app may lack the permission " + l.Denied)
	}
	return rows, next, err
}

// unlessAllWereDenied passes over a refusal of all accounts of one question: they
// may have no mailbox, each of them. It is remembered, for the case that nobody
// else is answered either. Where Graph does not know the question, that is all.
func (l *listed) unlessAllWereDenied(err error) error {
	var denied *graph.DeniedError
	if errors.As(err, &denied) {
		l.Denied = denied.Permission
		return nil
	}
	if why := graph.Refusal(err); why != "" {
		return refused(why)
	}
	return err
}

// wanted yields the accounts behind one that are wanted: each under its key, its
// id as Graph writes it.
func (r *reading) wanted(ctx context.Context, behind string, want wanted) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		j, err := r.join(ctx, listStored, listRegistrations)
		if err != nil {
			yield(record{}, err)
			return
		}
		defer j.close()
		for row, err := range r.rows(ctx, listUsers) {
			if err == nil && row.key <= behind {
				continue
			}
			var one joined
			if err == nil {
				one, err = j.account(row, nil)
			}
			if err != nil {
				yield(record{}, err)
				return
			}
			if want(one.User, one.Registration, one.Before) && !yield(record{row.key, []byte(one.User.ID)}, nil) {
				return
			}
		}
	}
}

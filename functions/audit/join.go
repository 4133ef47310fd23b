package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// joined is everything that is known of one account.
type joined struct {
	rollout.Reading
	// Observed is what report-only policies said of it in this night's log, where
	// that is news.
	Observed []rollout.Observation
	Legacy   []rollout.LegacyUse // of the last seven days
}

// join brings the listings together by account: each is read once, in the order
// of the accounts, beside the users.
type join struct {
	reading      *reading
	spooled      map[string]*follower[record]
	observations *follower[rollout.Observation] // nil where nobody asks for them
	legacy       map[string][]rollout.LegacyUse // of earlier nights, by account
}

// beside are the listings that are read beside the users.
var beside = [...]string{listStored, listRegistrations, listManagers, listMemberships, listPurposes, listMFABulk, listMFA, listSignIns}

// join opens the listings, those of beside or only some of them.
func (r *reading) join(ctx context.Context, listings ...string) (*join, error) {
	j := &join{reading: r, spooled: map[string]*follower[record]{}, legacy: map[string][]rollout.LegacyUse{}}
	for _, u := range r.known.legacy {
		j.legacy[lower(u.Account)] = append(j.legacy[lower(u.Account)], u)
	}
	var errs []error
	for _, listing := range listings {
		f, err := follow(r.rows(ctx, listing), func(row record) string { return row.key })
		j.spooled[listing] = f
		errs = append(errs, err)
	}
	if slices.Contains(listings, listSignIns) {
		var err error
		j.observations, err = follow(r.known.observations(ctx), func(o rollout.Observation) string { return lower(o.Account) })
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *join) close() {
	for _, f := range j.spooled {
		f.stop()
	}
	if j.observations != nil {
		j.observations.stop()
	}
}

// readings yields every account with everything that was read of it, in the
// order of their ids. gone, unless nil, hears of the stored accounts that are in
// the tenant no more.
func (r *reading) readings(ctx context.Context, gone func(rollout.Account) error) iter.Seq2[joined, error] {
	return func(yield func(joined, error) bool) {
		j, err := r.join(ctx, beside[:]...)
		if err != nil {
			yield(joined{}, err)
			return
		}
		defer j.close()
		for row, err := range r.rows(ctx, listUsers) {
			var one joined
			if err == nil {
				one, err = j.account(row, gone)
			}
			if err != nil {
				yield(joined{}, err)
				return
			}
			if !yield(one, nil) {
				return
			}
		}
		const last = "\xff" // sorts behind every id: what is left is gone
		if err := j.stored(last, nil, gone); err != nil {
			yield(joined{}, err)
		}
	}
}

// account joins what was read of one account.
func (j *join) account(row record, gone func(rollout.Account) error) (joined, error) {
	var one joined
	if err := json.Unmarshal(row.value, &one.User); err != nil {
		return one, fmt.Errorf("account %s: %w", row.key, err)
	}
	err := j.stored(row.key, func(a rollout.Account) error {
		one.Before = &a
		one.User.PerUserMFA, one.User.Purpose = a.PerUserMFA, a.Purpose // unless asked tonight
		return nil
	}, gone)
	var traces []trace
	err = errors.Join(err,
		add(j, listRegistrations, row.key, func(x rollout.Registration) { one.Registration = &x }),
		add(j, listManagers, row.key, func(m graph.Manager) { one.User.Manager = m.ManagerID }),
		add(j, listMemberships, row.key, func(m membership) { one.Groups = append(one.Groups, m.Group) }),
		add(j, listPurposes, row.key, func(k kindOf) { one.User.Purpose = k.Purpose }),
		add(j, listMFABulk, row.key, func(s graph.MFAState) { one.User.PerUserMFA = s.State }),
		add(j, listMFA, row.key, func(s graph.MFAState) { one.User.PerUserMFA = s.State }),
		add(j, listSignIns, row.key, func(t trace) { traces = append(traces, t) }))
	if err != nil {
		return one, fmt.Errorf("account %s: %w", row.key, err)
	}
	return one, j.signIns(row.key, traces, &one)
}

// stored hands over what the table holds of the account; gone, unless nil, hears
// of those before it, which the tenant has no more.
func (j *join) stored(key string, take, gone func(rollout.Account) error) error {
	decoded := func(do func(rollout.Account) error) func(record) error {
		if do == nil {
			return nil
		}
		return func(row record) error {
			var account rollout.Account
			if err := json.Unmarshal(row.value, &account); err != nil {
				return fmt.Errorf("what the table held of account %s: %w", row.key, err)
			}
			return do(account)
		}
	}
	return j.spooled[listStored].of(key, decoded(take), decoded(gone))
}

// add takes an account's rows of a listing that is open.
func add[T any](j *join, listing, key string, do func(T)) error {
	if j.spooled[listing] == nil {
		return nil
	}
	return j.spooled[listing].of(key, func(r record) error {
		var row T
		if err := json.Unmarshal(r.value, &row); err != nil {
			return fmt.Errorf("its row in %s: %w", listing, err)
		}
		do(row)
		return nil
	}, nil)
}

// signIns brings together what the pages of the log and earlier nights say.
func (j *join) signIns(key string, traces []trace, one *joined) error {
	seen := map[string]rollout.Observation{} // by policy
	if j.observations != nil {
		if err := j.observations.of(key, func(o rollout.Observation) error { seen[o.Policy] = o; return nil }, nil); err != nil {
			return err
		}
	}
	if len(traces)+len(j.legacy[key]) == 0 {
		return nil
	}
	digest := rollout.NewSignInDigest(j.reading.ours, j.legacy[key], j.reading.progress.Begun)
	for _, t := range traces {
		digest.Merge(t.Observed, t.Legacy)
	}
	for _, o := range digest.Observations() {
		if o.LastAt.After(seen[o.Policy].LastAt) {
			one.Observed = append(one.Observed, o)
		}
	}
	one.Legacy = digest.Legacy()
	for _, u := range one.Legacy {
		one.LegacyClients = append(one.LegacyClients, u.Client)
	}
	return nil
}

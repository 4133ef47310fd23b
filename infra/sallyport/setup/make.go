package setup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Sealed is an account with its new password.
type Sealed struct {
	Slot     int
	Account  Account
	Password Password
}

// Hand gives passwords to the person at the keyboard, before they are set. It fails
// if they did not get there; then nothing is set.
type Hand func([]Sealed) error

// VoidError says which of the passwords that were handed over are no good.
type VoidError struct {
	Void   []int // the accounts whose cards are void: the next run gives new ones
	Unsure int   // the account of which nobody knows; 0: none
	Good   int   // how many cards are good
	Err    error
}

// Error says what to do with the cards.
func (e *VoidError) Error() string {
	text := e.Err.Error() + "\n"
	for _, slot := range e.Void {
		text += fmt.Sprintf("The password just handed over for account %d is VOID: destroy its card. ", slot)
	}
	if e.Unsure > 0 {
		text += fmt.Sprintf("The card of account %d may be good: keep it until the next run says whether its password was handed over. ", e.Unsure)
	}
	return text + "Run this again: it goes on from here."
}

// Unwrap gives the cause.
func (e *VoidError) Unwrap() error { return e.Err }

// Make makes what s lacks, and says in s what is there. say hears of each thing
// that was done. Every step looks before it is taken again, so Make may be called
// after a run that died anywhere.
func (r Room) Make(ctx context.Context, s *State, hand Hand, say func(string)) error {
	if s.Grouped && s.Group.ID == "" {
		if err := r.makeGroup(ctx, s); err != nil {
			return fmt.Errorf("make the group of the emergency accounts: %w", err)
		}
		say("made the protected group " + s.Group.ID)
	}
	for i := range s.Accounts {
		if s.Accounts[i].ID != "" {
			continue
		}
		if err := r.makeAccount(ctx, s, i); err != nil {
			return fmt.Errorf("make account %d: %w", i+1, err)
		}
		say(fmt.Sprintf("made account %d, which cannot sign in yet: %s", i+1, s.Accounts[i].ID))
	}
	for i := range s.Policies {
		p := &s.Policies[i]
		if p.Change != Exclude {
			continue
		}
		if err := r.exclude(ctx, *p, s.Group.ID); err != nil {
			return err
		}
		p.Change, p.Excluded = Already, append(p.Excluded, s.Group.ID)
		say("excluded the group from policy " + p.ID)
	}
	return r.handOver(ctx, s, hand, say)
}

func (r Room) makeGroup(ctx context.Context, s *State) error {
	nickname := mark(s.TenantID, "group")
	id, err := r.Writer.createGroup(ctx, nickname)
	for tries := 0; errors.Is(err, ErrUnknown) && tries < 4; tries++ {
		// It is never sent again here: Graph takes the same group twice.
		if err := r.Writer.clock.Sleep(ctx, 2*time.Second<<tries); err != nil {
			return err
		}
		found, lookErr := r.Writer.groupsMarked(ctx, nickname)
		if lookErr != nil {
			return errors.Join(err, lookErr)
		}
		if len(found) > 0 {
			id, err = found[0].ID, nil
		}
	}
	s.Group.ID = id
	return err
}

func (r Room) makeAccount(ctx context.Context, s *State, i int) error {
	nobodys, err := DrawPassword(r.Random)
	if err != nil {
		return err
	}
	nickname, a := mark(s.TenantID, fmt.Sprint("account ", i+1)), &s.Accounts[i]
	return r.ensure(ctx, func() error {
		// Sent again it makes no second one: the name is taken then.
		id, err := r.Writer.createUser(ctx, nickname, a.DisplayName, a.UserPrincipalName, nobodys)
		a.ID = id
		return err
	}, func() (bool, error) {
		found, err := r.Writer.usersMarked(ctx, nickname)
		if err != nil || len(found) == 0 {
			return false, err
		}
		*a = found[0].account()
		return true, nil
	})
}

// handOver gives each account that has none its password, and then its rights.
func (r Room) handOver(ctx context.Context, s *State, hand Hand, say func(string)) error {
	var sealed []Sealed
	for i, a := range s.Accounts {
		if a.Handed() {
			continue
		}
		password, err := DrawPassword(r.Random)
		if err != nil {
			return err
		}
		sealed = append(sealed, Sealed{Slot: i + 1, Account: a, Password: password})
	}
	if len(sealed) == 2 && sealed[0].Password == sealed[1].Password {
		return errors.New("both passwords came out the same: the source of random numbers is broken, and nothing was set")
	}
	if len(sealed) > 0 {
		if err := hand(sealed); err != nil {
			return fmt.Errorf("the passwords could not be handed over, so none was set: %w", err)
		}
	}
	for n, card := range sealed {
		a := &s.Accounts[card.Slot-1]
		err := r.ensure(ctx, func() error { return r.Writer.enable(ctx, a.ID, card.Password) }, func() (bool, error) { return false, nil })
		if err == nil {
			a.Enabled = true
			say(fmt.Sprintf("set the password of account %d and enabled it", card.Slot))
			err = r.promote(ctx, s, a)
		}
		if err != nil && !a.Handed() {
			void := &VoidError{Good: n, Err: err}
			for _, later := range sealed[n:] {
				void.Void = append(void.Void, later.Slot)
			}
			if a.Enabled && (errors.Is(err, ErrUnknown) || statusOf(err) == 0) {
				// It may have its first right by now, and then keeps its password.
				void.Unsure, void.Void = card.Slot, void.Void[1:]
			}
			return void
		}
		if err != nil {
			err = fmt.Errorf("account %d has its password, and its card is good. Run this again for the rest: %w", card.Slot, err)
			if n+1 == len(sealed) {
				return err
			}
			void := &VoidError{Good: n + 1, Err: err} // the cards after it were never set
			for _, later := range sealed[n+1:] {
				void.Void = append(void.Void, later.Slot)
			}
			return void
		}
		say(fmt.Sprintf("made account %d Global Administrator", card.Slot))
	}
	for i := range s.Accounts { // those of an earlier run that lack something
		if err := r.promote(ctx, s, &s.Accounts[i]); err != nil {
			return fmt.Errorf("give account %d its rights: %w", i+1, err)
		}
	}
	return nil
}

// promote puts an account into the group and makes it Global Administrator.
func (r Room) promote(ctx context.Context, s *State, a *Account) error {
	if s.Grouped && !a.Member {
		err := r.ensure(ctx, func() error { return r.Writer.addMember(ctx, s.Group.ID, a.ID) }, func() (bool, error) {
			members, err := r.Writer.members(ctx, s.Group.ID)
			return holds(members, a.ID), err
		})
		if err != nil {
			return fmt.Errorf("put account %s into group %s: %w", a.ID, s.Group.ID, err)
		}
		a.Member = true
	}
	if a.Administrator {
		return nil
	}
	err := r.ensure(ctx, func() error { return r.Writer.assign(ctx, a.ID) }, func() (bool, error) {
		assignments, err := r.Reader.RoleAssignments(ctx, false)
		return hasRole(assignments, a.ID), err
	})
	if err != nil {
		return fmt.Errorf("make account %s Global Administrator: %w", a.ID, err)
	}
	a.Administrator = true
	return nil
}

// ensure does something that may be done already, or that Entra is not ready for:
// what was made a moment ago is not known everywhere at once. After an error it
// looks, waits, and tries again, three times.
func (r Room) ensure(ctx context.Context, do func() error, look func() (bool, error)) error {
	for tries := 0; ; tries++ {
		err := do()
		if err == nil {
			return nil
		}
		status := statusOf(err)
		if !errors.Is(err, ErrUnknown) && status != http.StatusBadRequest && status != http.StatusNotFound && status != http.StatusConflict {
			return err
		}
		there, lookErr := look()
		switch {
		case lookErr != nil:
			return errors.Join(err, lookErr)
		case there:
			return nil
		case tries == 3:
			return err
		}
		if err := r.Writer.clock.Sleep(ctx, 2*time.Second<<tries); err != nil {
			return err
		}
	}
}

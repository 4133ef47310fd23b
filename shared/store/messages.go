package store

import (
	"context"
	"fmt"
	"time"

	"sallyport/shared/rollout"
)

// ClaimMessage takes a message for sending, once and for ever: ErrConflict if it
// was claimed before, or if the person already has another message on m.Day. In
// either case nothing is written. It is stored as version 1.
//
// Invariant: no message exists twice, and no person has two of one day. Both are
// conditions of one transaction, so they hold under any crash or repetition.
func (s *Store) ClaimMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error {
	m.Version = 1
	return s.write(ctx, s.messageWrites(t, m, Absent())...)
}

// PutMessage moves a claimed message on. m.Version is the version that was read;
// ErrConflict if it has moved on since.
//
// A message to a person that is still to be sent keeps the lock of its day, and
// one that is claimed anew for a later m.Day takes that day's lock too:
// ErrConflict if another message has it.
func (s *Store) PutMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error {
	if m.Version == 0 {
		return fmt.Errorf("store: message %s of %s was never claimed; claim it first", m.ID, t)
	}
	read := m.Version
	m.Version++
	return s.write(ctx, s.messageWrites(t, m, VersionIs(read))...)
}

// dayLock holds a person's day for one message.
type dayLock struct {
	Message string `json:"message"`
}

// messageWrites are the message itself and, where it still has to go to a
// person, the lock of the day, owned by the message.
func (s *Store) messageWrites(t rollout.TenantID, m rollout.Message, condition Condition) []Write {
	expires := expiry(m.ClaimedAt)
	writes := []Write{{Item: Item{Key: messageKey(t, m.ID), Version: m.Version, Expires: expires, Data: m}, If: condition}}
	if m.Kind.ToPerson() && !settled(m.State) {
		writes = append(writes, Write{
			Item: Item{Key: dayLockKey(t, m.Account, m.Day), Owner: m.ID, Expires: expires, Data: dayLock{m.ID}},
			If:   FreeFor(m.ID, time.Time{}),
		})
	}
	return writes
}

// settled reports whether a message is out of our hands: it takes no day any more.
func settled(state rollout.MessageState) bool {
	switch state {
	case rollout.MessageSent, rollout.MessageDelivered, rollout.MessageBounced, rollout.MessageDropped:
		return true
	}
	return false
}

// Message returns one message, or ErrNotFound.
func (s *Store) Message(ctx context.Context, t rollout.TenantID, id string) (rollout.Message, error) {
	return get[rollout.Message](ctx, s, messageKey(t, id))
}

// Messages lists every message ever claimed, by id.
func (s *Store) Messages(ctx context.Context, t rollout.TenantID) ([]rollout.Message, error) {
	return list[rollout.Message](ctx, s, t, kindMessage)
}

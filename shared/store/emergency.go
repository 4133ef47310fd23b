package store

import (
	"context"
	"fmt"
	"strings"

	"sallyport/shared/rollout"
)

// PutEmergency keeps the proof of the emergency accounts in place of the one
// before: the record and each account's proof, all or nothing. p.Version is the
// version that was read, 0 for the first; ErrConflict if it moved on. The proof of
// an account that is no longer configured is left to expire.
func (s *Store) PutEmergency(ctx context.Context, t rollout.TenantID, p rollout.ProvenEmergency) error {
	read := p.Version
	p.Version++
	writes := []Write{{Item: Item{Key: emergencyKey(t), Version: p.Version, Data: p}, If: unchangedSince(read)}}
	written := map[string]bool{}
	for _, account := range p.Proofs {
		if id := strings.ToLower(account.Account); !written[id] { // configured twice
			written[id] = true
			writes = append(writes, Write{Item: Item{Key: proofKey(t, id), Expires: expiry(p.ReadAt), Data: account}})
		}
	}
	return s.write(ctx, writes...)
}

// Emergency returns the last proof of the emergency accounts, or ErrNotFound
// before the first. Who reads while another writes may see accounts that are newer
// than the record; what he then writes is an ErrConflict.
func (s *Store) Emergency(ctx context.Context, t rollout.TenantID) (rollout.ProvenEmergency, error) {
	p, err := get[rollout.ProvenEmergency](ctx, s, emergencyKey(t))
	if err != nil {
		return p, err
	}
	for _, id := range p.Accounts {
		account, err := get[rollout.EmergencyProof](ctx, s, proofKey(t, strings.ToLower(id)))
		if err != nil {
			return p, fmt.Errorf("proof of emergency account %s: %w", id, err)
		}
		p.Proofs = append(p.Proofs, account)
	}
	return p, nil
}

// PutProbe keeps the newest self-test of the way in of notifications. p.Version is
// the version that was read, 0 for the first; ErrConflict if it moved on.
func (s *Store) PutProbe(ctx context.Context, t rollout.TenantID, p rollout.Probe) error {
	read := p.Version
	p.Version++
	return s.write(ctx, Write{Item: Item{Key: probeKey(t), Version: p.Version, Data: p}, If: unchangedSince(read)})
}

// Probe returns the newest self-test, or ErrNotFound before the first.
func (s *Store) Probe(ctx context.Context, t rollout.TenantID) (rollout.Probe, error) {
	return get[rollout.Probe](ctx, s, probeKey(t))
}

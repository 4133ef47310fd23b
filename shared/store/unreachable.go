package store

import (
	"context"

	"sallyport/shared/rollout"
)

type unreachable struct {
	Account string `json:"account"`
	Reason  string `json:"reason"`
}

// MarkUnreachable remembers that mail to the account bounced for good. The last
// reason stays.
func (s *Store) MarkUnreachable(ctx context.Context, t rollout.TenantID, account, reason string) error {
	return s.put(ctx, unreachableKey(t, account), unreachable{account, reason})
}

// Unreachable returns the reason by account id, an empty map if there is none.
func (s *Store) Unreachable(ctx context.Context, t rollout.TenantID) (map[string]string, error) {
	reasons := map[string]string{}
	for u, err := range each[unreachable](ctx, s, partition(t, kindUnreachable)) {
		if err != nil {
			return nil, err
		}
		reasons[u.Account] = u.Reason
	}
	return reasons, nil
}

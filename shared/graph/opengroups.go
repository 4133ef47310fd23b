package graph

import (
	"context"
	"errors"
	"fmt"

	"sallyport/shared/rollout"
)

// Groups opens the groups of the ids: their transitive user members. An id that
// is no group (any more) is answered as one that is not opened, and proves
// nothing; any other failure is an error.
func (c *Client) Groups(ctx context.Context, ids []string) (map[string]rollout.Group, error) {
	groups := make(map[string]rollout.Group, len(ids))
	for _, id := range ids {
		group, err := c.Group(ctx, id)
		if errors.Is(err, ErrNotFound) {
			groups[id] = rollout.Group{ID: id}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open group %s: %w", id, err)
		}
		groups[id] = group
	}
	return groups, nil
}

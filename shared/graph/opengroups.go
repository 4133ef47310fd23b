package graph

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// mostWays is how many groups [Client.ReadWays] follows: more than anybody nests.
const mostWays = 200

// ReadWays completes those of the groups that hold one of the accounts through
// other groups: it reads who stands in them directly, and adds the groups inside
// them. A group whose direct members are hidden stays as it is.
func (c *Client) ReadWays(ctx context.Context, groups map[string]rollout.Group, accounts []string) error {
	holds := func(g rollout.Group) bool {
		return slices.ContainsFunc(g.Members, func(m string) bool {
			return slices.ContainsFunc(accounts, func(a string) bool { return strings.EqualFold(a, m) })
		})
	}
	open := slices.Sorted(maps.Keys(groups))
	for followed := 0; len(open) > 0 && followed < mostWays; open = open[1:] {
		g := groups[open[0]]
		if !holds(g) || g.DirectRead {
			continue
		}
		followed++
		direct, nested, err := c.DirectMembers(ctx, open[0])
		if errors.Is(err, ErrMembersHidden) {
			continue
		}
		if err != nil {
			return err
		}
		g.Direct, g.DirectRead = direct, true
		groups[open[0]] = g
		for _, id := range nested {
			if _, known := groups[id]; known {
				continue
			}
			inner, err := c.Groups(ctx, []string{id})
			if err != nil {
				return err
			}
			groups[id] = inner[id]
			open = append(open, id)
		}
	}
	return nil
}

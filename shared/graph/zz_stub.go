package graph

import (
	"context"
	"errors"

	"sallyport/shared/rollout"
)

var ErrNotOffered = errors.New("stub")

type PerUserMFAState struct{ UserID, State string }

func (c *Client) PerUserMFAPage(context.Context, string) (Page[PerUserMFAState], error) {
	return Page[PerUserMFAState]{}, ErrNotOffered
}
func (c *Client) PerUserMFA(context.Context, []string) (map[string]string, error) { return nil, ErrNotOffered }
func (c *Client) MethodsPolicy(context.Context) (rollout.MethodsPolicy, error) {
	return rollout.MethodsPolicy{}, nil
}
func (c *Client) RoleDefinitions(context.Context) (map[string]rollout.RoleDefinition, error) {
	return nil, nil
}
func (c *Client) DefaultsUpsell(context.Context) (rollout.DefaultsUpsell, error) {
	return rollout.DefaultsUpsell{}, nil
}

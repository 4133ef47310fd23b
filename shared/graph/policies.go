package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/microsoftgraph/msgraph-sdk-go/identity"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

// policyRow keeps a policy's JSON: it is read with the original strings.
type policyRow struct {
	ID   string
	body json.RawMessage
}

func (r policyRow) rowID() string { return r.ID }

// UnmarshalJSON keeps the bytes and picks out the id.
func (r *policyRow) UnmarshalJSON(b []byte) error {
	var p struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	r.ID, r.body = p.ID, slices.Clone(b)
	return nil
}

// Policies reads every Conditional Access policy of the tenant. One that cannot
// be understood is an error and never left out: it may be the one that matters.
// Source: https://learn.microsoft.com/graph/api/conditionalaccessroot-list-policies
func (c *Client) Policies(ctx context.Context) ([]rollout.Policy, error) {
	req, err := identity.NewIdentityRequestBuilderInternal(c.path(), c.adapter).
		ConditionalAccess().Policies().ToGetRequestInformation(ctx, nil)
	if err != nil {
		return nil, err
	}
	l := &listing[policyRow]{client: c, call: call{api: apiPolicies()}}
	return all(ctx, l, req, func(r policyRow) (rollout.Policy, error) { return raw.Policy(r.body) })
}

// Policy reads one Conditional Access policy; [ErrNotFound] where it is gone.
func (c *Client) Policy(ctx context.Context, id string) (rollout.Policy, error) {
	policy, _, err := c.PolicyCopy(ctx, id)
	return policy, err
}

// PolicyCopy reads one Conditional Access policy and keeps, beside what is
// understood of it, the very bytes of Graph's answer: a copy of what was there,
// with the controls that nobody here knows.
// Source: https://learn.microsoft.com/graph/api/conditionalaccesspolicy-get
func (c *Client) PolicyCopy(ctx context.Context, id string) (rollout.Policy, string, error) {
	if id == "" {
		return rollout.Policy{}, "", errors.New("read a policy: no id")
	}
	req, err := identity.NewIdentityRequestBuilderInternal(c.path(), c.adapter).
		ConditionalAccess().Policies().ByConditionalAccessPolicyId(id).ToGetRequestInformation(ctx, nil)
	if err != nil {
		return rollout.Policy{}, "", err
	}
	var body json.RawMessage
	if err := c.fetch(ctx, call{api: apiPolicies()}, req, &body); err != nil {
		return rollout.Policy{}, "", fmt.Errorf("read policy %s: %w", id, err)
	}
	policy, err := raw.Policy(body)
	return policy, string(body), err
}

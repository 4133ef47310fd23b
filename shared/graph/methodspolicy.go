package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/microsoftgraph/msgraph-sdk-go/policies"

	"sallyport/shared/rollout"
)

type methodsPolicyRow struct {
	MigrationState      string `json:"policyMigrationState"`
	RegistrationEnforce struct {
		Campaign struct {
			State   string      `json:"state"`
			Include []targetRow `json:"includeTargets"`
			Exclude []targetRow `json:"excludeTargets"`
		} `json:"authenticationMethodsRegistrationCampaign"`
	} `json:"registrationEnforcement"`
	Methods *[]struct {
		ID      string      `json:"id"`
		State   string      `json:"state"`
		Include []targetRow `json:"includeTargets"`
		Exclude []targetRow `json:"excludeTargets"`
	} `json:"authenticationMethodConfigurations"`
}

type targetRow struct {
	ID     string `json:"id"`
	Method string `json:"targetedAuthenticationMethod"` // of a campaign's targets
}

// MethodsPolicy reads which authentication methods the tenant lets whom use, and
// its registration campaign. Every string is Microsoft's own.
// Source: https://learn.microsoft.com/graph/api/authenticationmethodspolicy-get
func (c *Client) MethodsPolicy(ctx context.Context) (rollout.MethodsPolicy, error) {
	req, err := policies.NewPoliciesRequestBuilderInternal(c.path(), c.adapter).AuthenticationMethodsPolicy().ToGetRequestInformation(ctx, nil)
	if err != nil {
		return rollout.MethodsPolicy{}, err
	}
	var r methodsPolicyRow
	if err := c.fetch(ctx, call{api: apiMethodsPolicy()}, req, &r); err != nil {
		return rollout.MethodsPolicy{}, fmt.Errorf("read the authentication methods policy: %w", err)
	}
	if r.Methods == nil {
		return rollout.MethodsPolicy{}, errors.New("read the authentication methods policy: the answer names no methods, not even none")
	}
	campaign := r.RegistrationEnforce.Campaign
	policy := rollout.MethodsPolicy{Read: true, MigrationState: r.MigrationState, Campaign: rollout.Campaign{
		State: campaign.State, Include: targetIDs(campaign.Include), Exclude: targetIDs(campaign.Exclude),
	}}
	for _, target := range campaign.Include {
		if target.Method != "" && !slices.Contains(policy.Campaign.Methods, target.Method) {
			policy.Campaign.Methods = append(policy.Campaign.Methods, target.Method)
		}
	}
	for i, m := range *r.Methods {
		if m.ID == "" || m.State == "" {
			return rollout.MethodsPolicy{}, fmt.Errorf("read the authentication methods policy: method %d (%q) has no id or no state", i+1, m.ID)
		}
		policy.Methods = append(policy.Methods, rollout.MethodConfiguration{
			ID: m.ID, State: m.State, Include: targetIDs(m.Include), Exclude: targetIDs(m.Exclude),
		})
	}
	return policy, nil
}

func targetIDs(targets []targetRow) []string {
	var ids []string
	for _, t := range targets {
		ids = append(ids, t.ID)
	}
	return ids
}

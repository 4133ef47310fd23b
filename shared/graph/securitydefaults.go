package graph

import (
	"context"
	"errors"
	"fmt"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/policies"
)

// SecurityDefaults reports whether Security Defaults is on.
// Source: https://learn.microsoft.com/graph/api/identitysecuritydefaultsenforcementpolicy-get
func (c *Client) SecurityDefaults(ctx context.Context) (bool, error) {
	req, err := policies.NewPoliciesRequestBuilderInternal(c.path(), c.adapter).
		IdentitySecurityDefaultsEnforcementPolicy().ToGetRequestInformation(ctx, nil)
	if err != nil {
		return false, err
	}
	var answer struct {
		IsEnabled *bool `json:"isEnabled"`
	}
	if err := c.fetch(ctx, call{api: apiSecurityDefaults()}, req, &answer); err != nil {
		return false, fmt.Errorf("read Security Defaults: %w", err)
	}
	if answer.IsEnabled == nil {
		return false, errors.New("read Security Defaults: the answer does not say whether it is on")
	}
	return *answer.IsEnabled, nil
}

// SetSecurityDefaults switches Security Defaults. On takes effect for everybody
// at once and knows no exclusions.
// Source: https://learn.microsoft.com/graph/api/identitysecuritydefaultsenforcementpolicy-update
func (c *Client) SetSecurityDefaults(ctx context.Context, on bool) error {
	body := models.NewIdentitySecurityDefaultsEnforcementPolicy()
	body.SetOdataType(nil)
	body.SetIsEnabled(&on)
	req, err := policies.NewPoliciesRequestBuilderInternal(c.path(), c.adapter).
		IdentitySecurityDefaultsEnforcementPolicy().ToPatchRequestInformation(ctx, body, nil)
	if err != nil {
		return err
	}
	if _, err := c.send(ctx, call{api: apiSecurityDefaultsWrite()}, req); err != nil {
		return fmt.Errorf("set Security Defaults to %t: %w", on, err)
	}
	return nil
}

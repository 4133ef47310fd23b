package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/policies"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
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

// DefaultsUpsell reads what Microsoft itself is about to do with Security
// Defaults. Only Graph's beta says it, and no documentation promises it: where
// that does not know the question (400, 404, 501) or answers it in a shape of
// its own, nothing is known, which the log says and which is no error. Errors
// are for what another day answers, and for a permission that lacks; none of
// them need fail more than this.
func (c *Client) DefaultsUpsell(ctx context.Context) (rollout.DefaultsUpsell, error) {
	u := c.endpoint.JoinPath("beta", "policies", "identitySecurityDefaultsEnforcementPolicy")
	unknown := func(why error) (rollout.DefaultsUpsell, error) {
		c.log.LogAttrs(ctx, slog.LevelInfo, "graph: what Microsoft plans for Security Defaults is not known", slog.String("why", why.Error()))
		return rollout.DefaultsUpsell{}, nil
	}
	body, err := c.send(ctx, call{api: apiSecurityDefaults()}, at(u))
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusNotImplemented:
		return unknown(err)
	}
	if err != nil {
		return rollout.DefaultsUpsell{}, fmt.Errorf("read what Microsoft plans for Security Defaults: %w", err)
	}
	var answer struct {
		Upsell struct {
			Action string   `json:"action"`
			Due    raw.Time `json:"dueDateTime"`
		} `json:"securityDefaultsUpsell"`
	}
	if err := decode(apiSecurityDefaults(), body, &answer); err != nil {
		return unknown(err)
	}
	return rollout.DefaultsUpsell{Action: answer.Upsell.Action, Due: answer.Upsell.Due.Time}, nil
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

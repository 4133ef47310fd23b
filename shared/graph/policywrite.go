package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/identity"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

// CreatePolicy creates a Conditional Access policy that demands MFA for all
// apps, in report-only: it changes nothing for anybody until
// [Client.SetPolicyState]. The draft's marker stands in the description.
//
// emergency are the ids of the emergency accounts. Nothing is sent unless the
// draft excludes each of them by its id.
//
// It is sent once. After an error nobody knows whether the policy exists: look
// for the marker in [Client.Policies] before creating again, since Graph takes
// the same name twice.
// Source: https://learn.microsoft.com/graph/api/conditionalaccessroot-post-policies
func (c *Client) CreatePolicy(ctx context.Context, draft rollout.PolicyDraft, emergency []string) (rollout.Policy, error) {
	if draft.Marker == "" || draft.DisplayName == "" {
		return rollout.Policy{}, errors.New("create a policy: the draft has no marker or no name")
	}
	req, err := identity.NewIdentityRequestBuilderInternal(c.path(), c.adapter).
		ConditionalAccess().Policies().ToPostRequestInformation(ctx, policyModel(draft), nil)
	if err != nil {
		return rollout.Policy{}, err
	}
	var body json.RawMessage
	if err := c.fetch(ctx, call{api: apiPolicyWrite(), spared: emergency}, req, &body); err != nil {
		return rollout.Policy{}, fmt.Errorf("create the policy %s: %w", draft.Marker, err)
	}
	created, err := raw.Policy(body)
	if err != nil {
		return rollout.Policy{}, fmt.Errorf("create the policy %s: it was made, but %w", draft.Marker, err)
	}
	return created, nil
}

// policyModel is the only shape of policy that Sallyport creates. Nothing in it
// was ever read from Graph.
func policyModel(draft rollout.PolicyDraft) *models.ConditionalAccessPolicy {
	who := models.NewConditionalAccessUsers()
	who.SetIncludeUsers(draft.IncludeUsers)
	who.SetIncludeGroups(draft.IncludeGroups)
	who.SetIncludeRoles(draft.IncludeRoles)
	who.SetExcludeUsers(draft.ExcludeUsers)
	who.SetExcludeGroups(draft.ExcludeGroups)
	who.SetExcludeRoles(draft.ExcludeRoles)

	apps := models.NewConditionalAccessApplications()
	apps.SetIncludeApplications([]string{"All"})

	conditions := models.NewConditionalAccessConditionSet()
	conditions.SetUsers(who)
	conditions.SetApplications(apps)
	conditions.SetClientAppTypes([]models.ConditionalAccessClientApp{models.ALL_CONDITIONALACCESSCLIENTAPP})

	grant := models.NewConditionalAccessGrantControls()
	grant.SetOperator(new("OR"))
	grant.SetBuiltInControls([]models.ConditionalAccessGrantControl{models.MFA_CONDITIONALACCESSGRANTCONTROL})

	description := draft.Description
	if !strings.Contains(description, draft.Marker) {
		description = strings.TrimSpace(description + "\n" + draft.Marker)
	}
	policy := models.NewConditionalAccessPolicy()
	policy.SetDisplayName(&draft.DisplayName)
	policy.SetDescription(&description)
	policy.SetState(new(models.ENABLEDFORREPORTINGBUTNOTENFORCED_CONDITIONALACCESSPOLICYSTATE))
	policy.SetConditions(conditions)
	policy.SetGrantControls(grant)
	return policy
}

// SetPolicyState sets the state of a policy that Sallyport owns, and nothing
// else: one of rollout.StateEnabled, StateDisabled, StateReportOnly. Read it back
// with [Client.Policy]. Enabling fails with [ErrSecurityDefaultsOn] while
// Security Defaults is on.
// Source: https://learn.microsoft.com/graph/api/conditionalaccesspolicy-update
func (c *Client) SetPolicyState(ctx context.Context, owned []rollout.OwnedPolicy, id, state string) error {
	parsed, err := models.ParseConditionalAccessPolicyState(state)
	known, ok := parsed.(*models.ConditionalAccessPolicyState)
	if err != nil || !ok {
		return fmt.Errorf("set the state of policy %s: %q is no state", id, state)
	}
	if id == "" {
		return errors.New("set the state of a policy: no id")
	}
	body := models.NewConditionalAccessPolicy()
	body.SetState(known)
	req, err := identity.NewIdentityRequestBuilderInternal(c.path(), c.adapter).
		ConditionalAccess().Policies().ByConditionalAccessPolicyId(id).ToPatchRequestInformation(ctx, body, nil)
	if err != nil {
		return err
	}
	_, err = c.send(ctx, call{api: apiPolicyWrite(), owned: policyIDs(owned)}, req)
	if err != nil && state == rollout.StateEnabled && c.refusedBySecurityDefaults(ctx, err) {
		err = fmt.Errorf("%w: %w", ErrSecurityDefaultsOn, err)
	}
	if err != nil {
		return fmt.Errorf("set the state of policy %s to %s: %w", id, state, err)
	}
	return nil
}

// refusedBySecurityDefaults asks whether that is why: BadRequest is the code of
// many mistakes, and the message is not to be relied on.
func (c *Client) refusedBySecurityDefaults(ctx context.Context, err error) bool {
	var answer *Error
	if !errors.As(err, &answer) || answer.Status != http.StatusBadRequest || !answer.has("BadRequest") {
		return false
	}
	on, err := c.SecurityDefaults(ctx)
	return err == nil && on
}

func policyIDs(owned []rollout.OwnedPolicy) []string {
	ids := make([]string, 0, len(owned))
	for _, p := range owned {
		if p.ID != "" {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

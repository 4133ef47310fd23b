package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/rolemanagement"

	"sallyport/shared/rollout"
)

type roleRow struct {
	ID               string `json:"id"`
	PrincipalID      string `json:"principalId"`
	RoleDefinitionID string `json:"roleDefinitionId"`
	DirectoryScopeID string `json:"directoryScopeId"`
}

func (r roleRow) rowID() string { return r.ID }

func (r roleRow) assignment(eligible bool) (rollout.RoleAssignment, error) {
	if r.PrincipalID == "" || r.RoleDefinitionID == "" {
		return rollout.RoleAssignment{}, fmt.Errorf("role assignment %s names no principal or no role", r.ID)
	}
	return rollout.RoleAssignment{
		PrincipalID: r.PrincipalID, RoleDefinitionID: r.RoleDefinitionID,
		DirectoryScopeID: r.DirectoryScopeID, Eligible: eligible,
	}, nil
}

// RoleAssignments reads who holds a directory role now and, if asked, who may
// activate one through Privileged Identity Management.
//
// A tenant without that (it needs Entra ID P2) answers the second question with
// an error. The active assignments are then returned, complete, together with an
// error that is [ErrNoLicence]: name the eligible ones as missing and go on. With
// any other error there are no assignments.
// Sources: https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments
// https://learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityscheduleinstances
func (c *Client) RoleAssignments(ctx context.Context, withEligible bool) ([]rollout.RoleAssignment, error) {
	directory := rolemanagement.NewRoleManagementRequestBuilderInternal(c.path(), c.adapter).Directory()
	// No $top here: role management refuses it in places.
	req, err := directory.RoleAssignments().ToGetRequestInformation(ctx, nil)
	if err != nil {
		return nil, err
	}
	// Every tenant has a Global Administrator.
	active := &listing[roleRow]{client: c, call: call{api: apiRoles()}, neverEmpty: true}
	assignments, err := all(ctx, active, req, func(r roleRow) (rollout.RoleAssignment, error) { return r.assignment(false) })
	if err != nil || !withEligible {
		return assignments, err
	}

	req, err = directory.RoleEligibilityScheduleInstances().ToGetRequestInformation(ctx, nil)
	if err != nil {
		return nil, err
	}
	eligible := &listing[roleRow]{client: c, call: call{api: apiEligibleRoles()}}
	more, err := all(ctx, eligible, req, func(r roleRow) (rollout.RoleAssignment, error) { return r.assignment(true) })
	switch {
	case err == nil:
		return append(assignments, more...), nil
	case errors.Is(err, ErrNoLicence):
		return assignments, err
	// Without its licence, Privileged Identity Management answers 400 and not 403.
	case statusOf(err) == http.StatusBadRequest && eligible.pages == 0:
		return assignments, fmt.Errorf("%w: %w", ErrNoLicence, err)
	}
	return nil, err
}

type roleDefinitionRow struct {
	ID          string `json:"id"`
	TemplateID  string `json:"templateId"`
	DisplayName string `json:"displayName"`
	IsBuiltIn   bool   `json:"isBuiltIn"` // absent: not known to be, so that nobody counts on it
}

func (r roleDefinitionRow) rowID() string { return r.ID }

// RoleDefinitions reads the directory's roles, Microsoft's own and the tenant's,
// by id in lower case.
// Source: https://learn.microsoft.com/graph/api/rbacapplication-list-roledefinitions
func (c *Client) RoleDefinitions(ctx context.Context) (map[string]rollout.RoleDefinition, error) {
	// Graph refuses $top here.
	req, err := rolemanagement.NewRoleManagementRequestBuilderInternal(c.path(), c.adapter).Directory().
		RoleDefinitions().ToGetRequestInformation(ctx, nil)
	if err != nil {
		return nil, err
	}
	definitions := map[string]rollout.RoleDefinition{}
	l := &listing[roleDefinitionRow]{client: c, call: call{api: apiRoleDefinitions()}, neverEmpty: true}
	err = l.read(ctx, req, func(rows []roleDefinitionRow) error {
		for _, r := range rows {
			d := rollout.RoleDefinition{ID: r.ID, DisplayName: r.DisplayName, BuiltIn: r.IsBuiltIn}
			if r.IsBuiltIn && r.TemplateID != "" {
				d.ID = r.TemplateID
			}
			definitions[strings.ToLower(r.ID)] = d
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return definitions, nil
}

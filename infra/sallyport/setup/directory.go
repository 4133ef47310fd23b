package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/rolemanagement"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// globalAdministrator is the role's id in every tenant.
// Source: https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// GroupName is what the group is called. Whoever looks after the tenant must understand it and
// leave it alone; who is in it and what role they hold shows to every member of the
// tenant anyway.
const (
	GroupName  = "Emergency accounts (Sallyport)"
	groupAbout = "Holds the emergency accounts alone. Every Conditional Access policy excludes this group: who is in it is asked for no second factor. Do not delete it, and add nobody. Made by sallyport emergency create."
)

type userRow struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	DisplayName       string `json:"displayName"`
	Enabled           bool   `json:"accountEnabled"`
	Synced            bool   `json:"onPremisesSyncEnabled"`
}

func (r userRow) account() Account {
	return Account{ID: r.ID, DisplayName: r.DisplayName, UserPrincipalName: r.UserPrincipalName, Enabled: r.Enabled}
}

// usersMarked finds the accounts with a mark.
func (c *Client) usersMarked(ctx context.Context, nickname string) ([]userRow, error) {
	var answer struct {
		Value []userRow `json:"value"`
		Next  string    `json:"@odata.nextLink"`
	}
	err := c.read(ctx, &answer, "users", url.Values{
		"$filter": {"mailNickname eq '" + nickname + "'"}, "$select": {"id,userPrincipalName,displayName,accountEnabled,onPremisesSyncEnabled"},
	})
	if err == nil && answer.Next != "" {
		err = errors.New("more accounts carry the mark than stand on a page")
	}
	if err != nil {
		return nil, fmt.Errorf("look for the account with the nickname %s: %w", nickname, err)
	}
	return answer.Value, nil
}

// taken reports whether an account has this name.
func (c *Client) taken(ctx context.Context, userPrincipalName string) (bool, error) {
	var found userRow
	err := c.read(ctx, &found, "users/"+url.PathEscape(userPrincipalName), url.Values{"$select": {"id"}})
	switch {
	case err == nil:
		return true, nil
	case statusOf(err) == http.StatusNotFound:
		return false, nil
	}
	return false, fmt.Errorf("see whether a name is taken: %w", err)
}

type groupRow struct {
	ID                 string `json:"id"`
	IsAssignableToRole bool   `json:"isAssignableToRole"`
}

// groupsMarked finds the groups with a mark.
func (c *Client) groupsMarked(ctx context.Context, nickname string) ([]groupRow, error) {
	var answer struct {
		Value []groupRow `json:"value"`
		Next  string     `json:"@odata.nextLink"`
	}
	err := c.read(ctx, &answer, "groups", url.Values{"$filter": {"mailNickname eq '" + nickname + "'"}, "$select": {"id,isAssignableToRole"}})
	if err == nil && answer.Next != "" {
		err = errors.New("more groups carry the mark than stand on a page")
	}
	if err != nil {
		return nil, fmt.Errorf("look for the group with the nickname %s: %w", nickname, err)
	}
	return answer.Value, nil
}

// members are the ids of what stands in a group.
func (c *Client) members(ctx context.Context, group string) ([]string, error) {
	var answer struct {
		Value []struct {
			ID string `json:"id"`
		} `json:"value"`
		Next string `json:"@odata.nextLink"`
	}
	err := c.read(ctx, &answer, "groups/"+url.PathEscape(group)+"/members", url.Values{"$select": {"id"}})
	if err == nil && answer.Next != "" {
		err = errors.New("it has more members than stand on a page, and should have two")
	}
	if err != nil {
		return nil, fmt.Errorf("read the members of group %s: %w", group, err)
	}
	ids := make([]string, len(answer.Value))
	for i, m := range answer.Value {
		ids[i] = m.ID
	}
	return ids, nil
}

// createGroup makes the protected group, empty.
// Source: https://learn.microsoft.com/graph/api/group-post-groups
func (c *Client) createGroup(ctx context.Context, nickname string) (string, error) {
	body := models.NewGroup()
	body.SetOdataType(nil)
	body.SetDisplayName(new(GroupName))
	body.SetDescription(new(groupAbout))
	body.SetMailNickname(&nickname)
	body.SetMailEnabled(new(false))
	body.SetSecurityEnabled(new(true))
	body.SetIsAssignableToRole(new(true))
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ToPostRequestInformation(ctx, body, nil)
	if err != nil {
		return "", err
	}
	return c.made(ctx, req, "groups", map[string]any{
		"displayName": GroupName, "description": groupAbout, "mailNickname": nickname,
		"mailEnabled": false, "securityEnabled": true, "isAssignableToRole": true,
	})
}

// createUser makes an account that nobody can sign in to.
// Source: https://learn.microsoft.com/graph/api/user-post-users
func (c *Client) createUser(ctx context.Context, nickname, displayName, userPrincipalName string, nobodys Password) (string, error) {
	body := models.NewUser()
	body.SetOdataType(nil)
	body.SetAccountEnabled(new(false))
	body.SetDisplayName(&displayName)
	body.SetMailNickname(&nickname)
	body.SetUserPrincipalName(&userPrincipalName)
	body.SetPasswordPolicies(new("DisablePasswordExpiration"))
	body.SetPasswordProfile(profile(nobodys))
	req, err := users.NewUsersRequestBuilderInternal(c.path(), c.adapter).ToPostRequestInformation(ctx, body, nil)
	if err != nil {
		return "", err
	}
	return c.made(ctx, req, "users", map[string]any{
		"accountEnabled": false, "displayName": displayName, "mailNickname": nickname, "userPrincipalName": userPrincipalName,
		"passwordPolicies": "DisablePasswordExpiration", "passwordProfile": profileMeant(nobodys),
	})
}

func profile(p Password) *models.PasswordProfile {
	out := models.NewPasswordProfile()
	out.SetPassword(new(p.Reveal()))
	out.SetForceChangePasswordNextSignIn(new(false))
	return out
}

func profileMeant(p Password) map[string]any {
	return map[string]any{"password": p.Reveal(), "forceChangePasswordNextSignIn": false}
}

// enable sets the password and lets the account sign in, both or neither.
// Source: https://learn.microsoft.com/graph/api/user-update
func (c *Client) enable(ctx context.Context, id string, password Password) error {
	body := models.NewUser()
	body.SetOdataType(nil)
	body.SetAccountEnabled(new(true))
	body.SetPasswordProfile(profile(password))
	req, err := users.NewUsersRequestBuilderInternal(c.path(), c.adapter).ByUserId(id).ToPatchRequestInformation(ctx, body, nil)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, req, "users/"+id, map[string]any{"accountEnabled": true, "passwordProfile": profileMeant(password)})
	return err
}

// addMember puts an account into the group.
// Source: https://learn.microsoft.com/graph/api/group-post-members
func (c *Client) addMember(ctx context.Context, group, user string) error {
	body := models.NewReferenceCreate()
	body.SetOdataId(new(c.base() + "/directoryObjects/" + user))
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ByGroupId(group).Members().Ref().ToPostRequestInformation(ctx, body, nil)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, req, "groups/"+group+"/members/$ref", map[string]any{"@odata.id": c.base() + "/directoryObjects/" + user})
	return err
}

// assign makes an account Global Administrator of the whole tenant, for good.
// Source: https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments
func (c *Client) assign(ctx context.Context, user string) error {
	body := models.NewUnifiedRoleAssignment()
	body.SetOdataType(nil)
	body.SetPrincipalId(&user)
	body.SetRoleDefinitionId(new(globalAdministrator))
	body.SetDirectoryScopeId(new("/"))
	const path = "roleManagement/directory/roleAssignments"
	req, err := rolemanagement.NewRoleManagementRequestBuilderInternal(c.path(), c.adapter).Directory().RoleAssignments().ToPostRequestInformation(ctx, body, nil)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, req, path, map[string]any{"principalId": user, "roleDefinitionId": globalAdministrator, "directoryScopeId": "/"})
	return err
}

// made sends a create and returns the id of what came of it.
func (c *Client) made(ctx context.Context, req *abstractions.RequestInformation, path string, meant any) (string, error) {
	body, err := c.write(ctx, req, path, meant)
	if err != nil {
		return "", err
	}
	var answer struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.ID == "" {
		return "", fmt.Errorf("%w: the answer holds no id", ErrUnknown)
	}
	return answer.ID, nil
}

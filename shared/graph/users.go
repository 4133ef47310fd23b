package graph

import (
	"context"
	"fmt"

	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

// The largest pages that Graph gives of /users.
// Source: https://learn.microsoft.com/graph/api/user-list
const (
	usersPage             = 999
	usersPageWithActivity = 500
)

type userRow struct {
	ID                    string   `json:"id"`
	UserPrincipalName     string   `json:"userPrincipalName"`
	DisplayName           string   `json:"displayName"`
	Mail                  string   `json:"mail"`
	OtherMails            []string `json:"otherMails"`
	UserType              string   `json:"userType"`
	AccountEnabled        raw.Bool `json:"accountEnabled"`
	OnPremisesSyncEnabled raw.Bool `json:"onPremisesSyncEnabled"`
	AssignedLicenses      []struct {
		SkuID string `json:"skuId"`
	} `json:"assignedLicenses"`
	PreferredLanguage string   `json:"preferredLanguage"`
	UsageLocation     string   `json:"usageLocation"`
	Department        string   `json:"department"`
	CreationType      string   `json:"creationType"`
	ExternalUserState string   `json:"externalUserState"`
	CreatedDateTime   raw.Time `json:"createdDateTime"`
	PasswordChanged   raw.Time `json:"lastPasswordChangeDateTime"`
	SignInActivity    struct {
		Last           raw.Time `json:"lastSignInDateTime"`
		NonInteractive raw.Time `json:"lastNonInteractiveSignInDateTime"`
		Successful     raw.Time `json:"lastSuccessfulSignInDateTime"`
	} `json:"signInActivity"`
}

func (r userRow) rowID() string { return r.ID }

func (r userRow) user(withActivity bool) rollout.User {
	return rollout.User{
		ID: r.ID, UserPrincipalName: r.UserPrincipalName, DisplayName: r.DisplayName,
		Mail: r.Mail, OtherMails: r.OtherMails, UserType: r.UserType,
		AccountEnabled: r.AccountEnabled.Fact(), Synced: r.OnPremisesSyncEnabled.FactNullIsNo(),
		Licensed: len(r.AssignedLicenses) > 0, PreferredLanguage: r.PreferredLanguage,
		UsageLocation: r.UsageLocation, Department: r.Department,
		CreationType: r.CreationType, ExternalUserState: r.ExternalUserState,
		Created: r.CreatedDateTime.Time, PasswordChanged: r.PasswordChanged.Time, LastSignIn: r.SignInActivity.Last.Time,
		LastNonInteractive: r.SignInActivity.NonInteractive.Time, LastSuccessfulSignIn: r.SignInActivity.Successful.Time,
		ActivityKnown: withActivity,
	}
}

func userProperties() []string {
	return []string{
		"id", "userPrincipalName", "displayName", "mail", "otherMails", "userType", "accountEnabled",
		"onPremisesSyncEnabled", "assignedLicenses", "preferredLanguage", "usageLocation", "department",
		"creationType", "externalUserState", "createdDateTime", "lastPasswordChangeDateTime",
	}
}

// UsersPage reads one page of the tenant's accounts: the first for an empty
// cursor, else the one that the page before it named as Next. With activity it
// also reads when each last signed in: that needs Entra ID P1 ([ErrNoLicence]
// without), has pages of 500 and not 999, and 10 requests a minute. Purpose,
// PerUserMFA and Manager stay empty.
// Source: https://learn.microsoft.com/graph/api/user-list
func (c *Client) UsersPage(ctx context.Context, withActivity bool, cursor string) (Page[rollout.User], error) {
	l, req, err := c.usersListing(ctx, withActivity)
	if err != nil {
		return Page[rollout.User]{}, err
	}
	return pageOf(ctx, l, req, cursor, sure(func(r userRow) rollout.User { return r.user(withActivity) }))
}

func (c *Client) usersListing(ctx context.Context, withActivity bool) (*listing[userRow], *request, error) {
	about, top, properties := apiUsers(), int32(usersPage), userProperties()
	if withActivity {
		about, top, properties = apiUsersWithActivity(), usersPageWithActivity, append(properties, "signInActivity")
	}
	req, err := c.usersRequest(ctx, users.UsersRequestBuilderGetQueryParameters{Select: properties, Top: &top})
	return &listing[userRow]{client: c, call: call{api: about}, neverEmpty: true}, req, err
}

func (c *Client) usersRequest(ctx context.Context, query users.UsersRequestBuilderGetQueryParameters) (*request, error) {
	return users.NewUsersRequestBuilderInternal(c.path(), c.adapter).ToGetRequestInformation(ctx,
		&users.UsersRequestBuilderGetRequestConfiguration{QueryParameters: &query})
}

// User reads one account by object id or userPrincipalName; [ErrNotFound] where
// there is none. The last sign-in is not asked for.
// Source: https://learn.microsoft.com/graph/api/user-get
func (c *Client) User(ctx context.Context, id string) (rollout.User, error) {
	if id == "" {
		return rollout.User{}, fmt.Errorf("read a user: no id")
	}
	query := users.UserItemRequestBuilderGetQueryParameters{Select: userProperties()}
	req, err := users.NewUsersRequestBuilderInternal(c.path(), c.adapter).ByUserId(id).ToGetRequestInformation(ctx,
		&users.UserItemRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil {
		return rollout.User{}, err
	}
	var r userRow
	if err := c.fetch(ctx, call{api: apiUsers()}, req, &r); err != nil {
		return rollout.User{}, fmt.Errorf("read user %s: %w", id, err)
	}
	if r.ID == "" {
		return rollout.User{}, fmt.Errorf("read user %s: the answer has no id", id)
	}
	return r.user(false), nil
}

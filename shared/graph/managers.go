package graph

import (
	"context"

	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// managersPage is what Graph gives at most of directory objects with $expand.
// Source: https://learn.microsoft.com/graph/query-parameters#expand
const managersPage = 100

// Manager says to whom an account reports.
type Manager struct {
	UserID    string
	ManagerID string // empty: nobody
}

type managerRow struct {
	ID      string `json:"id"`
	Manager *struct {
		ID string `json:"id"`
	} `json:"manager"`
}

func (r managerRow) rowID() string { return r.ID }

func (r managerRow) manager() Manager {
	m := Manager{UserID: r.ID}
	if r.Manager != nil {
		m.ManagerID = r.Manager.ID
	}
	return m
}

// ManagersPage reads one page of all accounts, each with its manager. A tenant
// may refuse it: managers are then missing, and nothing else is.
//
// Graph documents that $expand on directory objects gives at most 100 and
// perhaps no link to more. So count: where fewer accounts came than the users'
// listing has, the managers of the others are not known.
// Source: https://learn.microsoft.com/graph/api/user-list-manager
func (c *Client) ManagersPage(ctx context.Context, cursor string) (Page[Manager], error) {
	req, err := c.usersRequest(ctx, users.UsersRequestBuilderGetQueryParameters{
		Select: []string{"id"}, Expand: []string{"manager($select=id)"}, Top: new(int32(managersPage)),
	})
	if err != nil {
		return Page[Manager]{}, err
	}
	l := &listing[managerRow]{client: c, call: call{api: apiManagers()}, neverEmpty: true}
	return pageOf(ctx, l, req, cursor, sure(managerRow.manager))
}

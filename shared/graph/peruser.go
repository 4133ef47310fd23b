package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// ErrNotOffered: this tenant does not answer a question that no documentation
// promises an answer to. Ask the documented way.
var ErrNotOffered = errors.New("the tenant does not offer this")

// MFAState is the legacy per-user MFA switch of one account: disabled, enabled
// or enforced, or what Microsoft adds one day.
type MFAState struct {
	UserID string
	State  string
}

type mfaStateRow struct {
	ID    string  `json:"id"`
	State *string `json:"perUserMfaState"`
}

func (r mfaStateRow) rowID() string { return r.ID }

func (r mfaStateRow) state() (MFAState, error) {
	if r.State == nil || *r.State == "" {
		return MFAState{}, fmt.Errorf("%w: account %s comes without perUserMfaState", ErrNotOffered, r.ID)
	}
	return MFAState{UserID: r.ID, State: *r.State}, nil
}

// PerUserMFAPage reads one page of all accounts with their per-user MFA. It is a
// first try: the property stands in no schema of v1.0, though others read it in
// production. Where Graph refuses it, or a single row comes without it, nothing
// of it is believed: [ErrNotOffered], and [Client.PerUserMFA] is the way.
func (c *Client) PerUserMFAPage(ctx context.Context, cursor string) (Page[MFAState], error) {
	req, err := c.usersRequest(ctx, users.UsersRequestBuilderGetQueryParameters{
		Select: []string{"id", "perUserMfaState"}, Top: new(int32(usersPage)),
	})
	if err != nil {
		return Page[MFAState]{}, err
	}
	l := &listing[mfaStateRow]{client: c, call: call{api: apiPerUserMFA()}, neverEmpty: true}
	page, err := pageOf(ctx, l, req, cursor, mfaStateRow.state)
	if cursor == "" && statusOf(err) == http.StatusBadRequest {
		err = fmt.Errorf("%w: %w", ErrNotOffered, err)
	}
	return page, err
}

// PerUserMFA reads the per-user MFA of the accounts one by one, twenty in a
// request: the documented way, in Graph's beta alone, and slow. Ask only for
// those where it can matter. Who is gone in the meantime, who is refused (403),
// and whose state Graph does not say is not in the answer, which is not
// "disabled". Where every one is refused, the permission lacks: [DeniedError].
// Source: https://learn.microsoft.com/graph/api/authentication-get
func (c *Client) PerUserMFA(ctx context.Context, ids []string) (map[string]string, error) {
	paths := make([]string, len(ids))
	for i, id := range ids {
		if id == "" {
			return nil, errors.New("read per-user MFA: no user id")
		}
		req, err := users.NewUsersRequestBuilderInternal(c.path(), c.adapter).ByUserId(id).Authentication().ToGetRequestInformation(ctx, nil)
		if err != nil {
			return nil, err
		}
		authentication, err := c.relative(req)
		if err != nil {
			return nil, err
		}
		paths[i] = authentication + "/requirements"
	}
	about := apiPerUserMFA()
	states := make(map[string]string, len(ids))
	// Five in ten seconds, should the limit count each person.
	err := c.askEach(ctx, c.beta(), about, 5, ids, paths, func(i int, body []byte) error {
		var answer struct {
			State *string `json:"perUserMfaState"`
		}
		if err := decode(about, body, &answer); err != nil {
			return err
		}
		if answer.State != nil && *answer.State != "" {
			states[ids[i]] = *answer.State
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return states, nil
}

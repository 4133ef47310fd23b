package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

type methodRow struct {
	Type string `json:"@odata.type"`
	ID   string `json:"id"`
}

func (r methodRow) rowID() string { return r.ID }

func (r methodRow) name() (string, error) {
	name, ok := strings.CutPrefix(r.Type, "#microsoft.graph.")
	if !ok || name == "" {
		return "", fmt.Errorf("authentication method %s does not say what it is", r.ID)
	}
	return name, nil
}

func (c *Client) methodsRequest(ctx context.Context, userID string) (*request, error) {
	if userID == "" {
		return nil, errors.New("read authentication methods: no user id")
	}
	return users.NewUsersRequestBuilderInternal(c.path(), c.adapter).ByUserId(userID).
		Authentication().Methods().ToGetRequestInformation(ctx, nil)
}

// Methods reads the authentication methods of one person by kind, for example
// fido2AuthenticationMethod, each once, sorted.
// Source: https://learn.microsoft.com/graph/api/authentication-list-methods
func (c *Client) Methods(ctx context.Context, userID string) ([]string, error) {
	req, err := c.methodsRequest(ctx, userID)
	if err != nil {
		return nil, err
	}
	l := &listing[methodRow]{client: c, call: call{api: apiMethods()}}
	names, err := all(ctx, l, req, methodRow.name)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", userID, err)
	}
	return sortedOnce(names), nil
}

// HeldMethod is one authentication method of one person. Its id is of the method
// and no secret.
type HeldMethod struct{ Kind, ID string }

// HeldMethods reads the authentication methods of one person, each by itself: of
// two keys, one that was added shows by its id alone.
// Source: https://learn.microsoft.com/graph/api/authentication-list-methods
func (c *Client) HeldMethods(ctx context.Context, userID string) ([]HeldMethod, error) {
	req, err := c.methodsRequest(ctx, userID)
	if err != nil {
		return nil, err
	}
	l := &listing[methodRow]{client: c, call: call{api: apiMethods()}}
	held, err := all(ctx, l, req, func(r methodRow) (HeldMethod, error) {
		kind, err := r.name()
		return HeldMethod{kind, r.ID}, err
	})
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", userID, err)
	}
	return held, nil
}

// BatchMethods reads the authentication methods of many people: the way to know
// who is registered in a tenant without the registration report. Who is gone in
// the meantime is not in the answer.
func (c *Client) BatchMethods(ctx context.Context, ids []string) (map[string][]string, error) {
	paths := make([]string, len(ids))
	for i, id := range ids {
		req, err := c.methodsRequest(ctx, id)
		if err != nil {
			return nil, err
		}
		if paths[i], err = c.relative(req); err != nil {
			return nil, err
		}
	}
	about := apiMethods()
	found := make(map[string][]string, len(ids))
	// Five in ten seconds, should the limit count each person.
	err := c.batch(ctx, c.base(), about, 5, paths, func(i, status int, body []byte) error {
		switch {
		case status == http.StatusNotFound:
			return nil
		case status != http.StatusOK:
			return fmt.Errorf("user %s: %w", ids[i], answerError(about, status, "", errorIn(body)))
		}
		var p page[methodRow]
		if err := decode(about, body, &p); err != nil {
			return fmt.Errorf("user %s: %w", ids[i], err)
		}
		if p.Value == nil || p.NextLink != "" {
			// More than a page of methods: one by one follows the link.
			names, err := c.Methods(ctx, ids[i])
			found[ids[i]] = names
			return err
		}
		var names []string
		for _, r := range *p.Value {
			name, err := r.name()
			if err != nil {
				return fmt.Errorf("user %s: %w", ids[i], err)
			}
			names = append(names, name)
		}
		found[ids[i]] = sortedOnce(names)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Purposes reads what kind of mailbox each account has (user, shared, room,
// equipment, linked, others). An account without a mailbox is not in the answer.
// Source: https://learn.microsoft.com/graph/api/user-get-mailboxsettings
func (c *Client) Purposes(ctx context.Context, ids []string) (map[string]string, error) {
	paths := make([]string, len(ids))
	for i, id := range ids {
		if id == "" {
			return nil, errors.New("read the kinds of mailbox: no user id")
		}
		req, err := users.NewUsersRequestBuilderInternal(c.path(), c.adapter).ByUserId(id).
			MailboxSettings().ToGetRequestInformation(ctx, nil)
		if err != nil {
			return nil, err
		}
		settings, err := c.relative(req)
		if err != nil {
			return nil, err
		}
		paths[i] = settings + "/userPurpose"
	}
	about := apiMailboxes()
	purposes := make(map[string]string, len(ids))
	// Four at a time is what Outlook serves to one app. Exchange answers 403 for an
	// account without a mailbox, too.
	err := c.askEach(ctx, c.base(), about, 4, ids, paths, func(i int, body []byte) error {
		purpose, err := purposeIn(about, body)
		purposes[ids[i]] = purpose
		return err
	})
	if err != nil {
		return nil, err
	}
	return purposes, nil
}

// askEach asks about accounts one by one and hands over each answer. Who is gone
// (404) or refused (403) has none. Where every one is refused it may be that the
// permission lacks: [DeniedError].
func (c *Client) askEach(ctx context.Context, base string, about api, careful int, ids, paths []string, take func(i int, body []byte) error) error {
	var refused error
	denied := 0
	err := c.batch(ctx, base, about, careful, paths, func(i, status int, body []byte) error {
		var err error
		switch status {
		case http.StatusOK:
			err = take(i, body)
		case http.StatusNotFound:
		case http.StatusForbidden:
			denied, refused = denied+1, answerError(about, status, "", errorIn(body))
		default:
			err = answerError(about, status, "", errorIn(body))
		}
		if err != nil {
			return fmt.Errorf("user %s: %w", ids[i], err)
		}
		return nil
	})
	if err == nil && denied > 0 && denied == len(ids) {
		return refused
	}
	return err
}

// purposeIn reads the purpose in each of the shapes that Graph is known to use:
// {"value":"user"}, {"userPurpose":"user"}, {"userPurpose":{"value":"user"}}.
func purposeIn(a api, body []byte) (string, error) {
	var answer struct {
		Value   string          `json:"value"`
		Purpose json.RawMessage `json:"userPurpose"`
	}
	if err := decode(a, body, &answer); err != nil {
		return "", err
	}
	if answer.Value != "" {
		return answer.Value, nil
	}
	var purpose string
	if json.Unmarshal(answer.Purpose, &purpose) == nil && purpose != "" {
		return purpose, nil
	}
	var nested struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(answer.Purpose, &nested) == nil && nested.Value != "" {
		return nested.Value, nil
	}
	return "", errors.New("the answer names no kind of mailbox")
}

func sortedOnce(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

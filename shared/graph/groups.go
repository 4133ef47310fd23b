package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

// membersPerPatch is how many members one PATCH may add.
// Source: https://learn.microsoft.com/graph/api/group-post-members
const membersPerPatch = 20

type groupRow struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
	Visibility  string `json:"visibility"`

	GroupTypes             *[]string `json:"groupTypes"`
	IsAssignableToRole     raw.Bool  `json:"isAssignableToRole"`
	IsManagementRestricted raw.Bool  `json:"isManagementRestricted"`
}

// dynamic reports whether a rule decides who is in the group.
func (r groupRow) dynamic() rollout.Fact {
	if r.GroupTypes == nil {
		return rollout.Unknown
	}
	return rollout.FactOf(slices.ContainsFunc(*r.GroupTypes, func(kind string) bool { return strings.EqualFold(kind, "DynamicMembership") }))
}

func (r groupRow) rowID() string { return r.ID }

// hides reports whether the group may look empty without being it.
func (r groupRow) hides() bool { return strings.EqualFold(r.Visibility, "HiddenMembership") }

// ErrMembersHidden: Graph shows the group but not its members. It proves nothing
// about anybody. (Where the group itself could not be read, a permission lacks.)
var ErrMembersHidden = errors.New("the group hides its members from the app")

type memberRow struct {
	Type string `json:"@odata.type"`
	ID   string `json:"id"`
}

func (r memberRow) rowID() string { return r.ID }

// isUser is true for a row without a type too: an id that is no user's matches
// no user.
func (r memberRow) isUser() bool { return r.Type == "" || r.Type == "#microsoft.graph.user" }

func (r memberRow) isGroup() bool { return r.Type == "#microsoft.graph.group" }

// Group reads a group and the users and groups in it, transitively. [ErrNotFound] where it
// is gone. A group that hides its members from the app (by a refusal, or by
// looking empty) comes back with Opened false, and proves nothing.
// Source: https://learn.microsoft.com/graph/api/group-list-transitivemembers
func (c *Client) Group(ctx context.Context, id string) (rollout.Group, error) {
	group := rollout.Group{ID: id}
	r, err := c.group(ctx, id)
	if err != nil {
		return group, err
	}
	group.DisplayName, group.Dynamic = r.DisplayName, r.dynamic()
	// Graph writes null for a group that is in no restricted unit.
	group.RoleAssignable, group.Restricted = r.IsAssignableToRole.FactNullIsNo(), r.IsManagementRestricted.FactNullIsNo()
	req, err := c.transitiveMembers(ctx, id)
	if err != nil {
		return group, err
	}
	rows, err := c.allIn(ctx, req)
	if errors.Is(err, ErrMembersHidden) {
		return group, nil // the group itself could be read: the permission is there
	}
	if err != nil {
		return group, fmt.Errorf("read the members of group %s: %w", id, err)
	}
	for _, m := range rows {
		switch {
		case m.isUser():
			group.Members = append(group.Members, m.ID)
		case m.isGroup():
			group.Groups = append(group.Groups, m.ID)
		}
	}
	group.Opened = len(group.Members) > 0 || !r.hides()
	if group.Opened && len(group.Groups) == 0 {
		group.Direct, group.DirectRead = group.Members, true // nothing is nested
	}
	return group, nil
}

// GroupFacts reads a group without its members, for those who then read these
// with [Client.MembersPage]. Opened is false where there is no such group (any
// more): ask for no members then. With hidden, a group that shows no member at
// all was not opened; nor was one whose members are [ErrMembersHidden].
// Source: https://learn.microsoft.com/graph/api/group-get
func (c *Client) GroupFacts(ctx context.Context, id string) (facts rollout.GroupFacts, hidden bool, err error) {
	r, err := c.group(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return rollout.GroupFacts{ID: id}, false, nil
	}
	if err != nil {
		return rollout.GroupFacts{ID: id}, false, err
	}
	return rollout.GroupFacts{ID: id, DisplayName: r.DisplayName, Opened: true}, r.hides(), nil
}

// MembersPage reads one page of the ids of the users in a group, transitively. A
// page may have no user and still not be the last. [ErrMembersHidden] where
// Graph does not show them to the app, [ErrNotFound] where the group is gone.
// Source: https://learn.microsoft.com/graph/api/group-list-transitivemembers
func (c *Client) MembersPage(ctx context.Context, id, cursor string) (Page[string], error) {
	if id == "" {
		return Page[string]{}, errors.New("read a group's members: no id")
	}
	req, err := c.transitiveMembers(ctx, id)
	if err != nil {
		return Page[string]{}, err
	}
	l := &listing[memberRow]{client: c, call: call{api: apiGroups()}}
	rows, err := pageOf(ctx, l, req, cursor, sure(func(r memberRow) memberRow { return r }))
	if statusOf(err) == http.StatusForbidden {
		err = fmt.Errorf("%w: %w", ErrMembersHidden, err)
	}
	if err != nil {
		return Page[string]{}, fmt.Errorf("group %s: %w", id, err)
	}
	page := Page[string]{Next: rows.Next}
	for _, r := range rows.Rows {
		if r.isUser() {
			page.Rows = append(page.Rows, r.ID)
		}
	}
	return page, nil
}

// group reads a group without its members.
func (c *Client) group(ctx context.Context, id string) (groupRow, error) {
	if id == "" {
		return groupRow{}, errors.New("read a group: no id")
	}
	query := groups.GroupItemRequestBuilderGetQueryParameters{Select: []string{"id", "displayName", "visibility", "groupTypes", "isAssignableToRole", "isManagementRestricted"}}
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ByGroupId(id).
		ToGetRequestInformation(ctx, &groups.GroupItemRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil {
		return groupRow{}, err
	}
	var r groupRow
	if err := c.fetch(ctx, call{api: apiGroups()}, req, &r); err != nil {
		return groupRow{}, fmt.Errorf("read group %s: %w", id, err)
	}
	return r, nil
}

// transitiveMembers asks without the cast to users: Graph answers a cast from an
// index that lags.
func (c *Client) transitiveMembers(ctx context.Context, id string) (*request, error) {
	query := groups.ItemTransitiveMembersRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: new(int32(999))}
	return groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ByGroupId(id).TransitiveMembers().ToGetRequestInformation(ctx,
		&groups.ItemTransitiveMembersRequestBuilderGetRequestConfiguration{QueryParameters: &query})
}

// GroupMembers reads the ids of the users who are directly in a group.
// Source: https://learn.microsoft.com/graph/api/group-list-members
func (c *Client) GroupMembers(ctx context.Context, id string) ([]string, error) {
	if id == "" {
		return nil, errors.New("read a group's members: no id")
	}
	query := groups.ItemMembersRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: new(int32(999))}
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ByGroupId(id).Members().ToGetRequestInformation(ctx,
		&groups.ItemMembersRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil {
		return nil, err
	}
	ids, err := c.members(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("read the members of group %s: %w", id, err)
	}
	return ids, nil
}

func (c *Client) members(ctx context.Context, first *request) ([]string, error) {
	var ids []string
	l := &listing[memberRow]{client: c, call: call{api: apiGroups()}}
	err := l.read(ctx, first, func(rows []memberRow) error {
		for _, r := range rows {
			if r.isUser() {
				ids = append(ids, r.ID)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// DirectMembers reads the ids of all that stands in a group itself, and which of
// them are groups. [ErrMembersHidden] where Graph does not show them to the app.
// Source: https://learn.microsoft.com/graph/api/group-list-members
func (c *Client) DirectMembers(ctx context.Context, id string) (members, nested []string, err error) {
	if id == "" {
		return nil, nil, errors.New("read a group's members: no id")
	}
	query := groups.ItemMembersRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: new(int32(999))}
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ByGroupId(id).Members().ToGetRequestInformation(ctx,
		&groups.ItemMembersRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil {
		return nil, nil, err
	}
	rows, err := c.allIn(ctx, req)
	if err != nil {
		return nil, nil, fmt.Errorf("read the direct members of group %s: %w", id, err)
	}
	for _, r := range rows {
		members = append(members, r.ID)
		if r.isGroup() {
			nested = append(nested, r.ID)
		}
	}
	return members, nested, nil
}

// Owners reads the ids of a group's owners: they may change who is in it. Graph
// names no applications among them, and no owners of groups that are synchronised
// or made in Exchange: an empty answer does not say that nobody owns it.
// [ErrMembersHidden] where Graph does not show them to the app.
// Source: https://learn.microsoft.com/graph/api/group-list-owners
func (c *Client) Owners(ctx context.Context, id string) ([]string, error) {
	if id == "" {
		return nil, errors.New("read a group's owners: no id")
	}
	query := groups.ItemOwnersRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: new(int32(999))}
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ByGroupId(id).Owners().ToGetRequestInformation(ctx,
		&groups.ItemOwnersRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil {
		return nil, err
	}
	rows, err := c.allIn(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("read the owners of group %s: %w", id, err)
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids, nil
}

// allIn reads a listing of directory objects, whatever they are.
func (c *Client) allIn(ctx context.Context, first *request) ([]memberRow, error) {
	l := &listing[memberRow]{client: c, call: call{api: apiGroups()}}
	rows, err := all(ctx, l, first, func(r memberRow) (memberRow, error) { return r, nil })
	if statusOf(err) == http.StatusForbidden {
		return nil, fmt.Errorf("%w: %w", ErrMembersHidden, err)
	}
	return rows, err
}

// CreateGroup creates a security group and returns its id. The marker stands in
// the description, and in the mail nickname by which [Client.FindGroup] finds
// it. It is sent once: after an error, look for the marker before creating again.
// Source: https://learn.microsoft.com/graph/api/group-post-groups
func (c *Client) CreateGroup(ctx context.Context, displayName, marker string) (string, error) {
	if displayName == "" || marker == "" {
		return "", errors.New("create a group: it needs a name and a marker")
	}
	body := models.NewGroup()
	body.SetOdataType(nil)
	body.SetDisplayName(&displayName)
	body.SetDescription(&marker)
	body.SetMailNickname(new(nicknameOf(marker)))
	body.SetMailEnabled(new(false))
	body.SetSecurityEnabled(new(true))
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ToPostRequestInformation(ctx, body, nil)
	if err != nil {
		return "", err
	}
	var r groupRow
	if err := c.fetch(ctx, call{api: apiGroupWrite()}, req, &r); err != nil {
		return "", fmt.Errorf("create the group %s: %w", marker, err)
	}
	if r.ID == "" {
		return "", fmt.Errorf("create the group %s: the answer has no id", marker)
	}
	return r.ID, nil
}

// FindGroup looks for a group that [Client.CreateGroup] made with this marker.
// Two of them are an error: which one is in use cannot be known.
func (c *Client) FindGroup(ctx context.Context, marker string) (id string, found bool, err error) {
	query := groups.GroupsRequestBuilderGetQueryParameters{
		Filter: new("mailNickname eq " + quote(nicknameOf(marker))),
		Select: []string{"id", "displayName", "description"},
	}
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ToGetRequestInformation(ctx,
		&groups.GroupsRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil {
		return "", false, err
	}
	l := &listing[groupRow]{client: c, call: call{api: apiGroups()}}
	rows, err := all(ctx, l, req, func(r groupRow) (groupRow, error) { return r, nil })
	if err != nil {
		return "", false, fmt.Errorf("look for the group %s: %w", marker, err)
	}
	rows = slices.DeleteFunc(rows, func(r groupRow) bool { return r.Description != marker })
	switch len(rows) {
	case 0:
		return "", false, nil
	case 1:
		return rows[0].ID, true, nil
	}
	return "", false, fmt.Errorf("look for the group %s: there are %d (%s and %s): delete the one that no policy names",
		marker, len(rows), rows[0].ID, rows[1].ID)
}

// AddMembers adds users to a group that Sallyport owns. Who is already in it
// stays in it.
// Source: https://learn.microsoft.com/graph/api/group-post-members
func (c *Client) AddMembers(ctx context.Context, owned []rollout.OwnedGroup, id string, members []string) error {
	for chunk := range slices.Chunk(members, membersPerPatch) {
		err := c.addMembers(ctx, owned, id, chunk)
		if statusOf(err) == http.StatusBadRequest {
			// One member who is already there makes Graph refuse all twenty: after
			// a lost answer, that is every one of them.
			err = c.addMissing(ctx, owned, id, chunk, err)
		}
		if err != nil {
			return fmt.Errorf("add members to group %s: %w", id, err)
		}
	}
	return nil
}

// addMissing adds those of the members who are not in the group; refused is why
// adding all of them failed.
func (c *Client) addMissing(ctx context.Context, owned []rollout.OwnedGroup, id string, members []string, refused error) error {
	present, err := c.GroupMembers(ctx, id)
	if err != nil {
		return errors.Join(refused, err)
	}
	missing := slices.DeleteFunc(slices.Clone(members), func(m string) bool { return slices.Contains(present, m) })
	switch len(missing) {
	case 0:
		return nil
	case len(members):
		return refused
	}
	return c.addMembers(ctx, owned, id, missing)
}

func (c *Client) addMembers(ctx context.Context, owned []rollout.OwnedGroup, id string, members []string) error {
	refs := make([]string, len(members))
	for i, m := range members {
		refs[i] = c.base() + "/directoryObjects/" + m
	}
	body := models.NewGroup()
	body.SetOdataType(nil)
	body.SetAdditionalData(map[string]any{"members@odata.bind": refs})
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ByGroupId(id).ToPatchRequestInformation(ctx, body, nil)
	if err != nil {
		return err
	}
	_, err = c.send(ctx, call{api: apiGroupWrite(), owned: groupIDs(owned)}, req)
	return err
}

// RemoveMember takes one user out of a group that Sallyport owns. Who is not in
// it any more is no error.
// Source: https://learn.microsoft.com/graph/api/group-delete-members
func (c *Client) RemoveMember(ctx context.Context, owned []rollout.OwnedGroup, id, member string) error {
	if member == "" {
		return fmt.Errorf("remove a member from group %s: no id", id)
	}
	req, err := groups.NewGroupsRequestBuilderInternal(c.path(), c.adapter).ByGroupId(id).Members().
		ByDirectoryObjectId(member).Ref().ToDeleteRequestInformation(ctx, nil)
	if err != nil {
		return err
	}
	_, err = c.send(ctx, call{api: apiGroupWrite(), owned: groupIDs(owned)}, req)
	if errors.Is(err, ErrNotFound) {
		// Either the member is gone, which is what was wanted, or the group is.
		present, listErr := c.GroupMembers(ctx, id)
		if listErr == nil && !slices.Contains(present, member) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("remove %s from group %s: %w", member, id, err)
	}
	return nil
}

func groupIDs(owned []rollout.OwnedGroup) []string {
	ids := make([]string, 0, len(owned))
	for _, g := range owned {
		if g.ID != "" {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// nicknameOf makes a mail nickname of a marker: nicknames may hold few
// characters, and 64 of them, but can be filtered on.
func nicknameOf(marker string) string {
	sum := sha256.Sum256([]byte(marker))
	return "sallyport-" + hex.EncodeToString(sum[:16])
}

// quote writes a string as an OData literal.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

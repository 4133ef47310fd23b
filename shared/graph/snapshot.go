package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

// RawListing names a listing that a snapshot keeps as Graph wrote it.
type RawListing struct {
	Name  string // the file's name, without its ending
	path  string // below the version
	query url.Values
	api   api
	// repeats: rows may come twice, as in the sign-in log
	repeats bool
	// Premium says what a tenant without it does not have: "P1", "P2" or "".
	Premium string
}

// RawListings are the listings of a snapshot that are read by one address each.
// The sign-in log is read from since on. Every request is a GET.
func RawListings(premium bool, since time.Time) []RawListing {
	properties, top := userProperties(), usersPage
	about := apiUsers()
	if premium {
		properties, top = append(properties, "signInActivity"), usersPageWithActivity
		about = apiUsersWithActivity()
	}
	users := RawListing{Name: "users", path: "users", api: about, query: url.Values{"$select": {strings.Join(properties, ",")}, "$top": {strconv.Itoa(top)}}}
	return []RawListing{
		users,
		{Name: "managers", path: "users", api: apiManagers(), query: url.Values{"$select": {"id"}, "$expand": {"manager($select=id)"}, "$top": {strconv.Itoa(managersPage)}}},
		{Name: "organization", path: "organization", api: apiOrganization()},
		{Name: "subscribedSkus", path: "subscribedSkus", api: apiLicences()},
		{Name: "userRegistrationDetails", path: "reports/authenticationMethods/userRegistrationDetails", api: apiRegistrations(), Premium: "P1"},
		{Name: "conditionalAccessPolicies", path: "identity/conditionalAccess/policies", api: apiPolicies()},
		{Name: "roleDefinitions", path: "roleManagement/directory/roleDefinitions", api: apiRoleDefinitions()},
		{Name: "roleAssignments", path: "roleManagement/directory/roleAssignments", api: apiRoles()},
		{Name: "roleEligibilityScheduleInstances", path: "roleManagement/directory/roleEligibilityScheduleInstances", api: apiEligibleRoles(), Premium: "P2"},
		{Name: "signIns", path: "auditLogs/signIns", api: apiSignIns(), repeats: true, Premium: "P1", query: url.Values{"$filter": {"createdDateTime ge " + since.UTC().Format(time.RFC3339)}}},
		{Name: "riskDetections", path: "identityProtection/riskDetections", api: api{"the risk detections", "IdentityRiskEvent.Read.All", "nobody yet", paceConditionalAccess}, Premium: "P2"},
		{Name: "riskyUsers", path: "identityProtection/riskyUsers", api: api{"the risky users", "IdentityRiskyUser.Read.All", "nobody yet", paceConditionalAccess}, Premium: "P2"},
	}
}

// rawRow is a row with its text as it came.
type rawRow struct {
	id   string
	text json.RawMessage
}

func (r rawRow) rowID() string { return r.id }

// UnmarshalJSON keeps the text and looks at nothing but the id.
func (r *rawRow) UnmarshalJSON(b []byte) error {
	var identified struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(b, &identified); err != nil {
		return err
	}
	r.id, r.text = identified.ID, append(json.RawMessage(nil), b...)
	return nil
}

// ReadRaw reads a listing to its end, each row as Graph wrote it. The errors are
// those of the typed listings.
func (c *Client) ReadRaw(ctx context.Context, l RawListing) ([]json.RawMessage, error) {
	rows := []json.RawMessage{}
	reading := &listing[rawRow]{client: c, call: call{api: l.api}, repeats: l.repeats}
	err := reading.read(ctx, at(c.address(l.path, l.query)), func(page []rawRow) error {
		for _, r := range page {
			rows = append(rows, r.text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// UserIn is what [Client.UsersPage] makes of a row of the users as it came.
func UserIn(row json.RawMessage) (rollout.User, error) {
	var r userRow
	if err := json.Unmarshal(row, &r); err != nil {
		return rollout.User{}, fmt.Errorf("read a row of the users: %w", err)
	}
	return r.user(false), nil
}

// RegistrationIn is what [Client.RegistrationsPage] makes of a row of the report as
// it came.
func RegistrationIn(row json.RawMessage) (rollout.Registration, error) {
	var r registrationRow
	if err := json.Unmarshal(row, &r); err != nil {
		return rollout.Registration{}, fmt.Errorf("read a row of the registration report: %w", err)
	}
	return r.registration(), nil
}

// MethodsIn is what [Client.Methods] makes of the methods as they came.
func MethodsIn(rows []json.RawMessage) ([]string, error) {
	var names []string
	for _, text := range rows {
		var r methodRow
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("read an authentication method: %w", err)
		}
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return sortedOnce(names), nil
}

// RawGroup reads a group with its direct members, nested groups among them, and
// with its owners.
func (c *Client) RawGroup(ctx context.Context, id string) (json.RawMessage, error) {
	var group map[string]any
	// isManagementRestricted comes only when it is asked for.
	query := url.Values{"$select": {"id,displayName,description,visibility,groupTypes,membershipRule,mailEnabled,mailNickname,securityEnabled,createdDateTime,onPremisesSyncEnabled,isAssignableToRole,isManagementRestricted"}}
	if err := c.fetch(ctx, call{api: apiGroups()}, at(c.address("groups/"+url.PathEscape(id), query)), &group); err != nil {
		return nil, fmt.Errorf("read group %s: %w", id, err)
	}
	members, err := c.ReadRaw(ctx, RawListing{path: "groups/" + url.PathEscape(id) + "/members", query: url.Values{"$select": {"id"}}, api: apiGroups()})
	if err != nil {
		return nil, fmt.Errorf("read the members of group %s: %w", id, err)
	}
	delete(group, "@odata.context")
	group["members"] = members
	owners, err := c.ReadRaw(ctx, RawListing{path: "groups/" + url.PathEscape(id) + "/owners", query: url.Values{"$select": {"id"}}, api: apiGroups()})
	switch {
	case err == nil:
		group["owners"] = owners
	case statusOf(err) != http.StatusForbidden: // else they stay out, which is not "none"
		return nil, fmt.Errorf("read the owners of group %s: %w", id, err)
	}
	return json.Marshal(group)
}

// RawObject reads one of the two settings that a snapshot keeps: securityDefaults
// or authenticationMethodsPolicy.
func (c *Client) RawObject(ctx context.Context, name string) (json.RawMessage, error) {
	path, about := "policies/identitySecurityDefaultsEnforcementPolicy", apiSecurityDefaults()
	if name == "authenticationMethodsPolicy" {
		path, about = "policies/authenticationMethodsPolicy", apiMethodsPolicy()
	}
	var text json.RawMessage
	if err := c.fetch(ctx, call{api: about}, at(c.address(path, nil)), &text); err != nil {
		return nil, fmt.Errorf("read %s: %w", about.name, err)
	}
	return text, nil
}

// RawMethods reads the methods of one account as Graph wrote them.
func (c *Client) RawMethods(ctx context.Context, user string) ([]json.RawMessage, error) {
	methods, err := c.ReadRaw(ctx, RawListing{path: "users/" + url.PathEscape(user) + "/authentication/methods", api: apiMethods()})
	if err != nil {
		return nil, fmt.Errorf("read the methods of account %s: %w", user, err)
	}
	return methods, nil
}

func (c *Client) address(path string, query url.Values) *url.URL {
	u := c.endpoint.JoinPath("v1.0", path)
	u.RawQuery = query.Encode()
	return u
}

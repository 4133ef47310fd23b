package graph

import (
	"context"
	"net/http"

	"github.com/microsoftgraph/msgraph-sdk-go/reports"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

// registrationsPage: the largest page is not documented. This one works in
// practice; should Graph refuse it one day, its default will do.
const registrationsPage = 999

type registrationRow struct {
	ID                  string   `json:"id"`
	IsAdmin             bool     `json:"isAdmin"`
	IsMfaRegistered     raw.Bool `json:"isMfaRegistered"`
	IsMfaCapable        raw.Bool `json:"isMfaCapable"`
	MethodsRegistered   []string `json:"methodsRegistered"`
	LastUpdatedDateTime raw.Time `json:"lastUpdatedDateTime"`
}

func (r registrationRow) rowID() string { return r.ID }

func (r registrationRow) registration() rollout.Registration {
	return rollout.Registration{
		UserID: r.ID, IsAdmin: r.IsAdmin,
		MFARegistered: r.IsMfaRegistered.Fact(), MFACapable: r.IsMfaCapable.Fact(),
		Methods: r.MethodsRegistered, ReportedAt: r.LastUpdatedDateTime.Time,
	}
}

// RegistrationsPage reads one page of the report of who has registered for MFA.
// Disabled and deleted accounts are not in it, and it lags by hours. A tenant
// without Entra ID P1 has none: [ErrNoLicence].
// Source: https://learn.microsoft.com/graph/api/authenticationmethodsroot-list-userregistrationdetails
func (c *Client) RegistrationsPage(ctx context.Context, cursor string) (Page[rollout.Registration], error) {
	read := func(top *int32) (Page[rollout.Registration], error) {
		l, req, err := c.registrationsListing(ctx, top)
		if err != nil {
			return Page[rollout.Registration]{}, err
		}
		return pageOf(ctx, l, req, cursor, sure(registrationRow.registration))
	}
	page, err := read(new(int32(registrationsPage)))
	// A cursor holds the size that Graph accepted.
	if cursor == "" && statusOf(err) == http.StatusBadRequest {
		return read(nil)
	}
	return page, err
}

func (c *Client) registrationsListing(ctx context.Context, top *int32) (*listing[registrationRow], *request, error) {
	query := reports.AuthenticationMethodsUserRegistrationDetailsRequestBuilderGetQueryParameters{Top: top}
	req, err := reports.NewReportsRequestBuilderInternal(c.path(), c.adapter).
		AuthenticationMethods().UserRegistrationDetails().ToGetRequestInformation(ctx,
		&reports.AuthenticationMethodsUserRegistrationDetailsRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	return &listing[registrationRow]{client: c, call: call{api: apiRegistrations()}}, req, err
}

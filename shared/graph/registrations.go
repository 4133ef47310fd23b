package graph

import (
	"context"
	"errors"
	"net/http"

	"github.com/microsoftgraph/msgraph-sdk-go/reports"

	"sallyport/shared/graph/raw"
	"sallyport/shared/rollout"
)

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

// Registrations reads the report of who has registered for MFA, page by page.
// Disabled and deleted accounts are not in it, and it lags by hours. A tenant
// without Entra ID P1 has none: [ErrNoLicence].
// Source: https://learn.microsoft.com/graph/api/authenticationmethodsroot-list-userregistrationdetails
func (c *Client) Registrations(ctx context.Context, page func([]rollout.Registration) error) error {
	// The largest page is not documented. A thousand works in practice; should
	// Graph refuse it one day, its default will do.
	err := c.registrations(ctx, new(int32(999)), page)
	var partial *PartialError
	if statusOf(err) == http.StatusBadRequest && !errors.As(err, &partial) {
		return c.registrations(ctx, nil, page)
	}
	return err
}

func (c *Client) registrations(ctx context.Context, top *int32, page func([]rollout.Registration) error) error {
	query := reports.AuthenticationMethodsUserRegistrationDetailsRequestBuilderGetQueryParameters{Top: top}
	req, err := reports.NewReportsRequestBuilderInternal(c.path(), c.adapter).
		AuthenticationMethods().UserRegistrationDetails().ToGetRequestInformation(ctx,
		&reports.AuthenticationMethodsUserRegistrationDetailsRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil {
		return err
	}
	l := &listing[registrationRow]{client: c, call: call{api: apiRegistrations()}}
	return l.read(ctx, req, convert(page, registrationRow.registration))
}

package graph

import (
	"context"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/organization"
	"github.com/microsoftgraph/msgraph-sdk-go/subscribedskus"

	"sallyport/shared/rollout"
)

type organizationRow struct {
	ID                string `json:"id"`
	DisplayName       string `json:"displayName"`
	PreferredLanguage string `json:"preferredLanguage"`
	CountryLetterCode string `json:"countryLetterCode"`
	VerifiedDomains   []struct {
		Name      string `json:"name"`
		IsInitial bool   `json:"isInitial"`
	} `json:"verifiedDomains"`
}

func (r organizationRow) rowID() string { return r.ID }

// Organization reads the tenant itself. Domains are lower case.
// Source: https://learn.microsoft.com/graph/api/organization-list
func (c *Client) Organization(ctx context.Context) (rollout.Organization, error) {
	query := organization.OrganizationRequestBuilderGetQueryParameters{
		Select: []string{"id", "displayName", "preferredLanguage", "countryLetterCode", "verifiedDomains"},
	}
	req, err := organization.NewOrganizationRequestBuilderInternal(c.path(), c.adapter).ToGetRequestInformation(ctx,
		&organization.OrganizationRequestBuilderGetRequestConfiguration{QueryParameters: &query})
	if err != nil {
		return rollout.Organization{}, err
	}
	l := &listing[organizationRow]{client: c, call: call{api: apiOrganization()}, neverEmpty: true}
	found, err := all(ctx, l, req, func(r organizationRow) (rollout.Organization, error) {
		o := rollout.Organization{
			ID: r.ID, DisplayName: r.DisplayName,
			PreferredLanguage: r.PreferredLanguage, CountryLetterCode: r.CountryLetterCode,
		}
		for _, d := range r.VerifiedDomains {
			name := strings.ToLower(d.Name)
			o.Domains = append(o.Domains, name)
			if d.IsInitial {
				o.InitialDomain = name
			}
		}
		return o, nil
	})
	if err != nil {
		return rollout.Organization{}, err
	}
	return found[0], nil
}

type skuRow struct {
	ID               string `json:"id"`
	CapabilityStatus string `json:"capabilityStatus"`
	ServicePlans     []struct {
		ID                 string `json:"servicePlanId"`
		Name               string `json:"servicePlanName"`
		ProvisioningStatus string `json:"provisioningStatus"`
	} `json:"servicePlans"`
}

func (r skuRow) rowID() string { return r.ID }

// Plans reads the service plans that are in force: provisioned with Success, in
// a SKU that is Enabled. Each comes once, in Graph's order. A tenant may have
// none.
// Source: https://learn.microsoft.com/graph/api/subscribedsku-list
func (c *Client) Plans(ctx context.Context) ([]rollout.ServicePlan, error) {
	req, err := subscribedskus.NewSubscribedSkusRequestBuilderInternal(c.path(), c.adapter).ToGetRequestInformation(ctx, nil)
	if err != nil {
		return nil, err
	}
	var plans []rollout.ServicePlan
	seen := map[string]bool{}
	l := &listing[skuRow]{client: c, call: call{api: apiLicences()}}
	err = l.read(ctx, req, func(skus []skuRow) error {
		for _, sku := range skus {
			if sku.CapabilityStatus != "Enabled" {
				continue
			}
			for _, p := range sku.ServicePlans {
				if id := strings.ToLower(p.ID); p.ProvisioningStatus == "Success" && !seen[id] {
					seen[id] = true
					plans = append(plans, rollout.ServicePlan{ID: id, Name: p.Name})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return plans, nil
}

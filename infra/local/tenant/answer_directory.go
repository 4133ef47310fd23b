package tenant

import (
	"net/http"
)

// missing is how Graph says that a directory object is not there.
func missing(id string) answer {
	return problem(http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
}

// unlicensed is how Graph says that P1 is needed.
func unlicensed() answer {
	return problem(http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
}

// organizationProperties are those of the type organization that may be
// selected, whether or not a folder's organisation has them.
// Source: https://learn.microsoft.com/graph/api/resources/organization
var organizationProperties = []string{
	"id", "displayName", "verifiedDomains", "preferredLanguage", "countryLetterCode", "country", "city", "state", "street", "postalCode",
	"assignedPlans", "provisionedPlans", "businessPhones", "createdDateTime", "deletedDateTime", "defaultUsageLocation", "directorySizeQuota",
	"isMultipleDataLocationsForServicesEnabled", "marketingNotificationEmails", "onPremisesLastSyncDateTime", "onPremisesSyncEnabled",
	"onPremisesSyncStatus", "partnerTenantType", "privacyProfile", "securityComplianceNotificationMails", "securityComplianceNotificationPhones",
	"technicalNotificationMails", "tenantType", "mobileDeviceManagementAuthority",
}

func (t *Tenant) getOrganization(c *call) answer {
	return t.list(c, listing{context: "organization", rows: []Object{t.organization}, properties: organizationProperties, pageOf: 100, most: 100})
}

func (t *Tenant) getSKUs(c *call) answer {
	return t.list(c, listing{context: "subscribedSkus", rows: t.skus, pageOf: 1000, most: 1000, noTop: true})
}

// entity answers one thing.
func entity(context string, o Object) answer {
	body := Object{"@odata.context": metadata + context + "/$entity"}
	for k, v := range o {
		body[k] = v
	}
	return ok(http.StatusOK, body)
}

func (t *Tenant) listAssignments(c *call) answer {
	rows := t.assignments.all()
	if c.query.Has("$expand") {
		if c.query.Get("$expand") != "principal" {
			return badQuery("Parsing OData Select and Expand failed.")
		}
		for i, r := range rows {
			rows[i] = cloneObject(r)
			rows[i]["principal"] = t.directoryObject(text(r, "principalId"))
		}
	}
	return t.list(c, listing{
		context: "roleManagement/directory/roleAssignments", rows: rows, options: []string{"$expand"},
		filters: map[string]string{"principalId": "eq", "roleDefinitionId": "eq", "directoryScopeId": "eq"}, pageOf: 100, most: 500,
	})
}

func (t *Tenant) listDefinitions(c *call) answer {
	return t.list(c, listing{
		context: "roleManagement/directory/roleDefinitions", rows: t.definitions.all(), noTop: true,
		filters: map[string]string{"id": "eq in", "displayName": "eq startswith", "isBuiltIn": "eq"}, pageOf: 1000, most: 1000,
	})
}

func (t *Tenant) listEligibility(c *call) answer {
	if !t.licensed(PlanP2) {
		return problem(http.StatusBadRequest, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.")
	}
	if c.query.Has("$expand") {
		return badQuery("The query specified in the URI is not valid. Property 'principal' cannot be expanded here.")
	}
	return t.list(c, listing{
		context: "roleManagement/directory/roleEligibilityScheduleInstances", rows: t.eligibility.all(), options: []string{"$expand"},
		filters: map[string]string{"principalId": "eq", "roleDefinitionId": "eq"}, pageOf: 100, most: 999,
	})
}

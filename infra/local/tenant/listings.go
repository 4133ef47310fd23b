package tenant

import (
	"strings"
)

// A folder of plain Graph answers holds one file, or one folder of files, per
// listing. These are the listings.
const (
	listUsers         = "users"
	listRegistrations = "userRegistrationDetails"
	listGroups        = "groups"
	listPolicies      = "conditionalAccessPolicies"
	listDefaults      = "securityDefaults"
	listDefinitions   = "roleDefinitions"
	listAssignments   = "roleAssignments"
	listEligibility   = "roleEligibilityScheduleInstances"
	listSKUs          = "subscribedSkus"
	listOrganization  = "organization"
	listMethodsPolicy = "authenticationMethodsPolicy"
	listMethods       = "authenticationMethods"
	listPurposes      = "userPurpose"
	listManagers      = "managers"
	listPerUserMFA    = "perUserMfa"
	listSignIns       = "signIns"
	listRisks         = "riskDetections"
	listRiskyUsers    = "riskyUsers"
)

// kept is what the loader knows of one listing.
type kept struct {
	name    string
	aliases []string // other first words of a file's name, lower case
	// assumed says what a folder without it is taken for. Empty: it must be
	// there, because its absence would make somebody look protected or excluded.
	assumed string
	keyed   bool // an object from user id to value, not rows
	// types are the properties whose type matters; one of another type is
	// dropped and named.
	types map[string]string
}

func listings() []kept {
	return []kept{
		{name: listUsers, aliases: []string{"user"}, types: map[string]string{
			"id": "string", "userPrincipalName": "string", "displayName": "string", "mail": "string", "userType": "string", "accountEnabled": "bool",
			"onPremisesSyncEnabled": "bool", "createdDateTime": "time", "lastPasswordChangeDateTime": "time", "assignedLicenses": "list", "otherMails": "list", "signInActivity": "object",
			"preferredLanguage": "string", "usageLocation": "string", "department": "string", "creationType": "string", "externalUserState": "string",
			"manager": "object",
		}},
		{name: listPolicies, aliases: []string{"conditionalaccesspolicy", "conditionalaccess", "capolicies"}},
		{name: listRegistrations, aliases: []string{"registrationdetails"}, assumed: "the report is made from authenticationMethods; without those nobody is capable", types: map[string]string{
			"id": "string", "isMfaCapable": "bool", "isMfaRegistered": "bool", "isAdmin": "bool", "methodsRegistered": "list", "lastUpdatedDateTime": "time",
		}},
		{name: listGroups, aliases: []string{"group"}, assumed: "no group can be opened, so none proves an exclusion", types: map[string]string{"id": "string", "members": "list", "owners": "list", "displayName": "string", "isAssignableToRole": "bool", "isManagementRestricted": "bool", "groupTypes": "list"}},
		{name: listDefaults, aliases: []string{"identitysecuritydefaultsenforcementpolicy"}, assumed: "Security Defaults are off: nobody looks protected by them", types: map[string]string{"isEnabled": "bool"}},
		{name: listDefinitions, aliases: []string{"roledefinition"}, assumed: "Microsoft's own roles", types: map[string]string{"id": "string"}},
		{name: listAssignments, aliases: []string{"roleassignment"}, assumed: "nobody is an admin, emergency accounts included", types: map[string]string{"id": "string", "principalId": "string", "roleDefinitionId": "string", "directoryScopeId": "string"}},
		{name: listEligibility, aliases: []string{"roleeligibilityscheduleinstance"}, assumed: "nobody may become an admin on request", types: map[string]string{"id": "string", "principalId": "string", "roleDefinitionId": "string"}},
		{name: listSKUs, aliases: []string{"subscribedsku"}, assumed: "no licences: no report, no sign-in log, no Conditional Access", types: map[string]string{"id": "string", "capabilityStatus": "string", "servicePlans": "list"}},
		{name: listOrganization, aliases: []string{"organizations"}, assumed: "an organisation without domains: no account is proven to be on the initial domain", types: map[string]string{"id": "string", "verifiedDomains": "list"}},
		{name: listMethodsPolicy, assumed: "the Authenticator, one-time codes and FIDO2 are allowed, phones are not", types: map[string]string{"authenticationMethodConfigurations": "list"}},
		{name: listMethods, aliases: []string{"authenticationmethod"}, assumed: "people have what the report says they registered", keyed: true},
		{name: listPurposes, aliases: []string{"userpurposes", "mailboxsettings"}, assumed: "no mailbox is known, so shared mailboxes and rooms count as people", keyed: true},
		{name: listManagers, assumed: "nobody's manager is known", types: map[string]string{"id": "string", "manager": "object"}},
		{name: listPerUserMFA, aliases: []string{"perusermfastate"}, assumed: "per-user MFA is off everywhere", keyed: true},
		{name: listSignIns, aliases: []string{"signin"}, assumed: "nobody has signed in lately", types: map[string]string{"id": "string", "createdDateTime": "time", "userId": "string", "status": "object"}},
		{name: listRisks, aliases: []string{"riskdetection"}, assumed: "no risk was seen", types: map[string]string{"id": "string", "userId": "string", "detectedDateTime": "time"}},
		{name: listRiskyUsers, aliases: []string{"riskyuser"}, assumed: "nobody is at risk", types: map[string]string{"id": "string", "isDeleted": "bool", "isProcessing": "bool", "riskLastUpdatedDateTime": "time"}},
	}
}

// listingOf says which listing a file or folder holds by its name: the
// listing's own name, a singular, or that and more words
// ("conditionalAccessPolicy-list.json"). why tells what else it may be.
func listingOf(file string) (l kept, why string, found bool) {
	name := strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(file, ".json"), ".JSON")), "derived-")
	words := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_. ()", r) })
	if len(words) == 0 {
		return kept{}, "its name fits no listing", false
	}
	for _, w := range words[1:] {
		switch w {
		case "request":
			return kept{}, "it is a request, not an answer", false
		case "members", "history":
			return kept{}, "it does not say of which group or account it is", false
		}
	}
	for _, l := range listings() {
		if strings.ToLower(l.name) == words[0] || holds(l.aliases, words[0]) {
			return l, "", true
		}
	}
	return kept{}, "its name fits no listing", false
}

package rollout

import "time"

// What Graph says, in Microsoft's terms. Strings that Microsoft may extend stay
// strings: an enum member unknown to an SDK must never turn into a known one.

// Organization is the tenant itself.
// Source: https://learn.microsoft.com/graph/api/resources/organization
type Organization struct {
	ID                string   `json:"id"`
	DisplayName       string   `json:"displayName"`
	PreferredLanguage string   `json:"preferredLanguage"`
	CountryLetterCode string   `json:"countryLetterCode"`
	InitialDomain     string   `json:"initialDomain"`
	Domains           []string `json:"domains"`
}

// mostDomains is how many domains a record names: a tenant can have thousands.
const mostDomains = 500

// Brief is the organization as the record of an audit keeps it.
func (o Organization) Brief() Organization {
	o.Domains = o.Domains[:min(len(o.Domains), mostDomains)]
	return o
}

// ServicePlan is a plan of a subscribed SKU that is in force: provisioning
// Success in a SKU that is Enabled. Licences are found by plan, never by SKU name.
// Source: https://learn.microsoft.com/graph/api/resources/subscribedsku
type ServicePlan struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// The service plans that matter here.
// Source: https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference
const (
	PlanEntraP1 = "41781fb2-bc02-4b7c-bd55-b576c07bb09d"
	PlanEntraP2 = "eec0eb4f-6444-4f95-aba0-50c24d67f998"
)

// User is one row of /users.
// Source: https://learn.microsoft.com/graph/api/resources/user
type User struct {
	ID                   string    `json:"id"`
	UserPrincipalName    string    `json:"userPrincipalName"`
	DisplayName          string    `json:"displayName"`
	Mail                 string    `json:"mail"`
	OtherMails           []string  `json:"otherMails"`
	UserType             string    `json:"userType"` // Member, Guest, or empty
	AccountEnabled       Fact      `json:"accountEnabled"`
	Synced               Fact      `json:"synced"` // onPremisesSyncEnabled; null is No
	Licensed             bool      `json:"licensed"`
	PreferredLanguage    string    `json:"preferredLanguage"`
	UsageLocation        string    `json:"usageLocation"`
	Department           string    `json:"department"`
	CreationType         string    `json:"creationType"`      // Invitation for a guest who was invited
	ExternalUserState    string    `json:"externalUserState"` // PendingAcceptance, Accepted, or empty
	Manager              string    `json:"manager"`           // object id; empty: none, or not read
	Created              time.Time `json:"created"`
	LastSignIn           time.Time `json:"lastSignIn"`           // attempts count
	LastNonInteractive   time.Time `json:"lastNonInteractive"`   //
	LastSuccessfulSignIn time.Time `json:"lastSuccessfulSignIn"` //
	// ActivityKnown is false where signInActivity could not be read (no P1), so
	// that a zero LastSignIn means "not known" and not "never".
	ActivityKnown bool `json:"activityKnown"`
	// PasswordChanged is lastPasswordChangeDateTime; zero where it is not known.
	PasswordChanged time.Time `json:"passwordChanged"`
	// Purpose is mailboxSettings/userPurpose (user, shared, room, equipment ...);
	// empty where it was not asked or there is no mailbox.
	Purpose string `json:"purpose"`
	// PerUserMFA is the legacy switch: disabled, enabled or enforced; empty where
	// it was not read.
	// Source: https://learn.microsoft.com/graph/api/resources/strongauthenticationrequirements
	PerUserMFA string `json:"perUserMfa"`
}

// Registration is one row of the registration report. Disabled and deleted
// accounts have none, so absence is not "no MFA".
// Source: https://learn.microsoft.com/graph/api/resources/userregistrationdetails
type Registration struct {
	UserID        string    `json:"userId"`
	IsAdmin       bool      `json:"isAdmin"`
	MFARegistered Fact      `json:"mfaRegistered"`
	MFACapable    Fact      `json:"mfaCapable"`
	Methods       []string  `json:"methods"`
	ReportedAt    time.Time `json:"reportedAt"` // when the row was refreshed, not when the person registered
}

// RoleAssignment gives a principal a directory role, now or (Eligible) when it
// activates it through Privileged Identity Management.
// Source: https://learn.microsoft.com/graph/api/resources/unifiedroleassignment
type RoleAssignment struct {
	PrincipalID      string `json:"principalId"` // a user or a role-assignable group
	RoleDefinitionID string `json:"roleDefinitionId"`
	DirectoryScopeID string `json:"directoryScopeId"` // "/" or an administrative unit
	Eligible         bool   `json:"eligible"`
}

// RoleDefinition is a directory role. Only built-in ones are seen by the role
// conditions of Conditional Access.
// Source: https://learn.microsoft.com/graph/api/resources/unifiedroledefinition
type RoleDefinition struct {
	ID          string `json:"id"` // of a built-in role the template id
	DisplayName string `json:"displayName"`
	BuiltIn     bool   `json:"builtIn"`
}

// GroupFacts is a group without its members. Opened is false for a group that
// could not be read: it proves nothing.
type GroupFacts struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Opened      bool   `json:"opened"`
}

// MethodsPolicy is the tenant's policy of authentication methods, and the
// registration campaign in it.
// Source: https://learn.microsoft.com/graph/api/resources/authenticationmethodspolicy
type MethodsPolicy struct {
	// Read is false where the policy could not be read: then nothing is known of it.
	Read    bool                  `json:"read"`
	Methods []MethodConfiguration `json:"methods"`
	// MigrationState is policyMigrationState: preMigration, migrationInProgress,
	// migrationComplete, or empty, which is not known.
	MigrationState string   `json:"migrationState"`
	Campaign       Campaign `json:"campaign"`
}

// MethodConfiguration says whether a method may be used, and by whom. Targets
// are group ids, or all_users.
type MethodConfiguration struct {
	ID      string   `json:"id"`    // Fido2, MicrosoftAuthenticator, Sms, TemporaryAccessPass, ...
	State   string   `json:"state"` // enabled or disabled
	Include []string `json:"include"`
	Exclude []string `json:"exclude"`
}

// Campaign is the registration campaign: it nudges people, after an MFA that
// they completed, to register a better method.
// Source: https://learn.microsoft.com/entra/identity/authentication/how-to-mfa-registration-campaign
type Campaign struct {
	State   string   `json:"state"` // default, enabled or disabled
	Methods []string `json:"methods"`
	Include []string `json:"include"`
	Exclude []string `json:"exclude"`
}

// DefaultsUpsell is what Microsoft itself is about to do with Security Defaults.
// Beta, and only seen by others so far: empty says nothing.
type DefaultsUpsell struct {
	Action string    `json:"action"` // autoEnable, autoEnabledNotify, or empty
	Due    time.Time `json:"due"`
}

// Group is a group and the user ids that are in it transitively. Opened is
// false for a group that could not be read: it proves nothing.
type Group struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName"`
	Members     []string `json:"members"`
	Opened      bool     `json:"opened"`

	// Groups are the ids of the groups that are in it, transitively.
	Groups []string `json:"groups"`

	Dynamic Fact `json:"dynamic"` // a rule decides who is in it
	// RoleAssignable and Restricted (in a restricted management administrative
	// unit) are the two ways in which Entra keeps lesser administrators from
	// changing a group.
	RoleAssignable Fact `json:"roleAssignable"`
	Restricted     Fact `json:"restricted"`

	// Direct are the ids, users and groups, that stand in the group themselves:
	// Members alone loses the way. Like Owners it is only read where somebody wants
	// to see it.
	Direct     []string `json:"direct"`
	DirectRead bool     `json:"directRead"`
	Owners     []string `json:"owners"`
	OwnersRead bool     `json:"ownersRead"`
}

// Protected reports whether only the highest administrators can change who is in
// the group: it is role-assignable, or in a restricted management administrative
// unit, and no rule fills it. An owner of it still can.
// Sources: https://learn.microsoft.com/entra/identity/role-based-access-control/groups-concept
// https://learn.microsoft.com/entra/identity/role-based-access-control/admin-units-restricted-management
func (g Group) Protected() Fact {
	switch {
	case g.Dynamic == Yes:
		return No
	case g.Dynamic != No:
		return Unknown
	case g.RoleAssignable == Yes || g.Restricted == Yes:
		return Yes
	case g.RoleAssignable == No && g.Restricted == No:
		return No
	}
	return Unknown
}

// The three states of a Conditional Access policy.
// Source: https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
const (
	StateEnabled    = "enabled"
	StateDisabled   = "disabled"
	StateReportOnly = "enabledForReportingButNotEnforced"
)

// Policy is a Conditional Access policy as Graph wrote it: every list keeps the
// original strings, known or not. It is only ever read; what Sallyport writes
// is a [PolicyDraft] or a state.
type Policy struct {
	ID          string    `json:"id"`
	DisplayName string    `json:"displayName"`
	Description string    `json:"description"`
	State       string    `json:"state"`
	TemplateID  string    `json:"templateId"`
	Created     time.Time `json:"created"`
	Modified    time.Time `json:"modified"`

	IncludeUsers  []string `json:"includeUsers"`
	ExcludeUsers  []string `json:"excludeUsers"`
	IncludeGroups []string `json:"includeGroups"`
	ExcludeGroups []string `json:"excludeGroups"`
	IncludeRoles  []string `json:"includeRoles"`
	ExcludeRoles  []string `json:"excludeRoles"`
	// IncludeGuests and ExcludeGuests are the guestOrExternalUserTypes, split at commas.
	IncludeGuests []string `json:"includeGuests"`
	ExcludeGuests []string `json:"excludeGuests"`

	IncludeApplications []string `json:"includeApplications"`
	ExcludeApplications []string `json:"excludeApplications"`
	IncludeUserActions  []string `json:"includeUserActions"`
	AuthContexts        []string `json:"authContexts"`
	ClientAppTypes      []string `json:"clientAppTypes"`
	// Narrowing names the other conditions that are set (platforms, locations,
	// devices, signInRiskLevels, userRiskLevels, authenticationFlows, ...): a
	// policy with one of them demands MFA only sometimes.
	Narrowing []string `json:"narrowing"`

	GrantOperator string   `json:"grantOperator"` // AND or OR
	GrantControls []string `json:"grantControls"` // builtInControls, original strings
	// OtherGrants names the grants that are no built-in control
	// (customAuthenticationFactors, termsOfUse).
	OtherGrants            []string `json:"otherGrants"`
	AuthenticationStrength string   `json:"authenticationStrength"` // its id
	SessionControls        []string `json:"sessionControls"`        // names of those that are set
}

// PolicyDraft is a policy that Sallyport asks Graph to create, report-only. It
// knows no block control on purpose.
type PolicyDraft struct {
	Wave          string   `json:"wave"`
	Marker        string   `json:"marker"` // stands in the description; found again after a create that timed out
	DisplayName   string   `json:"displayName"`
	Description   string   `json:"description"`
	IncludeUsers  []string `json:"includeUsers"`
	IncludeGroups []string `json:"includeGroups"`
	IncludeRoles  []string `json:"includeRoles"`
	ExcludeUsers  []string `json:"excludeUsers"`
	ExcludeGroups []string `json:"excludeGroups"`
	ExcludeRoles  []string `json:"excludeRoles"`
}

// SignIn is one row of the sign-in log. Rows arrive late and more than once:
// key by ID, never by arrival.
// Source: https://learn.microsoft.com/graph/api/resources/signin
type SignIn struct {
	ID                string          `json:"id"`
	UserID            string          `json:"userId"`
	UserPrincipalName string          `json:"userPrincipalName"`
	CreatedAt         time.Time       `json:"createdAt"`
	AppDisplayName    string          `json:"appDisplayName"`
	ClientAppUsed     string          `json:"clientAppUsed"`
	IPAddress         string          `json:"ipAddress"`
	City              string          `json:"city"`
	Country           string          `json:"country"`
	ErrorCode         int             `json:"errorCode"`
	FailureReason     string          `json:"failureReason"`
	Interactive       bool            `json:"interactive"`
	CAStatus          string          `json:"caStatus"`
	Applied           []AppliedPolicy `json:"applied"`
	// Requirement (singleFactorAuthentication, multiFactorAuthentication) and the
	// Methods that succeeded are in Graph's beta alone; empty: the row says nothing.
	Requirement string   `json:"requirement"`
	Methods     []string `json:"methods"`
}

// AppliedPolicy is what one policy said about one sign-in. Result keeps
// Microsoft's string; unknownFutureValue is missing data, never "no impact".
type AppliedPolicy struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"` // empty where the log does not say it
	Result      string `json:"result"`
}

// Directory is what one complete reading says of a tenant beside its accounts,
// which come one by one as a [Reading]: there may be more of them than fit into
// memory. A listing that could not be read to its end makes no Directory but an
// error; what the tenant's licences do not offer is named in Missing.
type Directory struct {
	ReadAt           time.Time                 `json:"readAt"`
	Organization     Organization              `json:"organization"`
	Plans            []ServicePlan             `json:"plans"`
	RoleAssignments  []RoleAssignment          `json:"roleAssignments"`
	RoleDefinitions  map[string]RoleDefinition `json:"roleDefinitions"` // by id, lower case
	Groups           map[string]GroupFacts     `json:"groups"`          // by id: every group that a policy or a role names
	Policies         []Policy                  `json:"policies"`
	SecurityDefaults bool                      `json:"securityDefaults"`
	Upsell           DefaultsUpsell            `json:"upsell"`
	MethodsPolicy    MethodsPolicy             `json:"methodsPolicy"`
	Missing          []MissingData             `json:"missing"`
}

// Reading is everything that was read of one account.
type Reading struct {
	User User
	// Registration is the account's row of the report; nil if it has none.
	Registration *Registration
	Groups       []string // ids of those Groups of the Directory that hold it, transitively
	// LegacyClients are those used in the last seven days, as the sign-in log
	// names them.
	LegacyClients []string
	// Before is what the audit before made of the account; nil if it is new.
	Before *Account
}

// MissingData is a listing that the tenant does not offer, and what follows.
type MissingData struct {
	Listing     string `json:"listing"`
	Reason      string `json:"reason"`
	Consequence string `json:"consequence"`
}

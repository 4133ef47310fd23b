package graph

import "context"

// api is what this package knows of one part of Graph: how to name it, the
// application permission it needs, which functions need it, and its pace.
// Permissions: https://learn.microsoft.com/graph/permissions-reference
type api struct {
	name       string
	permission string
	neededBy   string
	pace       pace
}

// The parts of Graph that are used. Functions that write run as the writer app
// registration, all others as the reader.
func apiOrganization() api {
	return api{"the organization", "Organization.Read.All", "audit", paceDirectory}
}

func apiLicences() api {
	return api{"the subscribed licences", "LicenseAssignment.Read.All", "audit", paceDirectory}
}

func apiUsers() api {
	return api{"the users", "User.Read.All", "audit, enforce, breakglass", paceDirectory}
}

func apiUsersWithActivity() api {
	return api{"the users with their last sign-in", "User.Read.All and AuditLog.Read.All", "audit", paceActivity}
}

func apiManagers() api {
	return api{"the managers", "User.Read.All", "audit", paceDirectory}
}

func apiRegistrations() api {
	return api{"the registration report", "AuditLog.Read.All", "audit", paceReports}
}

func apiRoles() api {
	return api{"the role assignments", "RoleManagement.Read.Directory", "audit, enforce", paceDirectory}
}

func apiEligibleRoles() api {
	return api{"the eligible role assignments", "RoleManagement.Read.Directory", "audit", paceDirectory}
}

func apiGroups() api {
	return api{"the groups", "GroupMember.Read.All", "audit, enforce", paceDirectory}
}

func apiGroupWrite() api {
	return api{"the groups of Sallyport", "Group.Create and GroupMember.ReadWrite.All", "enforce", paceDirectory}
}

func apiMailboxes() api {
	return api{"the kinds of mailbox", "MailboxSettings.Read", "audit", paceDirectory}
}

func apiMethods() api {
	return api{"the authentication methods", "UserAuthenticationMethod.Read.All", "audit, enforce", paceReports}
}

func apiPerUserMFA() api {
	return api{"per-user MFA", "Policy.Read.All", "audit", paceReports}
}

func apiMethodsPolicy() api {
	return api{"the authentication methods policy", "Policy.Read.AuthenticationMethod", "audit, snapshot", paceDirectory}
}

func apiRoleDefinitions() api {
	return api{"the role definitions", "RoleManagement.Read.Directory", "audit", paceDirectory}
}

func apiPolicies() api {
	return api{"the Conditional Access policies", "Policy.Read.All", "audit, enforce, monitor", paceConditionalAccess}
}

func apiPolicyWrite() api {
	return api{"a Conditional Access policy", "Policy.ReadWrite.ConditionalAccess and Policy.Read.All", "enforce", paceConditionalAccess}
}

func apiSecurityDefaults() api {
	return api{"Security Defaults", "Policy.Read.All", "audit, enforce", paceDirectory}
}

func apiSecurityDefaultsWrite() api {
	return api{"Security Defaults", "Policy.ReadWrite.SecurityDefaults and Policy.Read.All", "enforce", paceDirectory}
}

func apiSignIns() api {
	return api{"the sign-in log", "AuditLog.Read.All (and Policy.Read.All, without which Graph leaves the policies out)", "audit, breakglass, monitor", paceReports}
}

func apiSubscriptions() api {
	return api{"the change notifications", "User.Read.All", "subscriptions", paceDirectory}
}

// apiGroupSubscriptions: reading a group and its members takes less than being
// notified of it.
// Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
func apiGroupSubscriptions() api {
	return api{"the change notifications of groups", "Group.Read.All", "subscriptions", paceDirectory}
}

// call is what travels with a request down to the transport: which API it is,
// how many requests it counts as, and which objects it may write.
type call struct {
	api    api
	weight int
	owned  []string // ids that this very request may change
	spared []string // emergency accounts, which a new policy must leave out
}

type callKey struct{}

func withCall(ctx context.Context, c call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}

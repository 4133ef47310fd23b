// Sends the tenant's sign-in and audit logs to the workspace of alerts.bicep. It
// counts for the whole tenant and is deployed at its scope, by somebody who may
// write there: a Security Administrator who is Owner at "/" for the moment. A tenant
// that sends these three logs to a workspace already does not need it.
// Source: https://learn.microsoft.com/azure/templates/microsoft.aadiam/diagnosticsettings

targetScope = 'tenant'

@description('Output workspaceId of alerts.bicep')
param workspaceId string

resource toWorkspace 'microsoft.aadiam/diagnosticSettings@2017-04-01' = {
  name: 'sallyport'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'SignInLogs'
        enabled: true
      }
      {
        category: 'NonInteractiveUserSignInLogs'
        enabled: true
      }
      {
        category: 'AuditLogs'
        enabled: true
      }
    ]
  }
}

// Tells Sallyport of every sign-in of an emergency account, sooner than its poll of
// the sign-in log does: a Log Analytics workspace, an alert rule for each account,
// and an action group that calls Sallyport's end point with a token of Entra.
// Deploy it into a resource group, and then logs.bicep once for the tenant. The steps
// stand in infra/docs/emergency-accounts.md.

targetScope = 'resourceGroup'

@description('The object ids of the emergency accounts, as in rollout.yaml: never names, which can be given to others')
@minLength(2)
param emergencyAccounts string[]

@description('Output SecureAlertUrl of the stack')
param secureAlertUrl string

@description('Application id of the app registration "Sallyport alerts"; the stack has it in its parameter AlertTenants')
param alertAppId string

@description('Object id of that application, not of its service principal: az ad app show --id APPLICATION --query id')
param alertAppObjectId string

@description('A workspace that gets the sign-in logs already; empty: one is made')
param workspaceId string = ''

param location string = resourceGroup().location

resource logs 'Microsoft.OperationalInsights/workspaces@2022-10-01' = if (empty(workspaceId)) {
  name: 'sallyport-sign-ins'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource sallyport 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'sallyport'
  location: 'Global'
  properties: {
    enabled: true
    groupShortName: 'sallyport'
    webhookReceivers: [
      {
        name: 'sallyport'
        serviceUri: secureAlertUrl
        useAadAuth: true
        objectId: alertAppObjectId
        identifierUri: 'api://${alertAppId}'
        tenantId: tenant().tenantId
        useCommonAlertSchema: true
      }
    ]
  }
}

// One rule for each account, so that one that is muted or deleted does not silence
// the other. A log alert carries no rows: the account's id gets to Sallyport only as
// the dimension UserId.
// Source: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
resource used 'Microsoft.Insights/scheduledQueryRules@2021-08-01' = [
  for account in emergencyAccounts: {
    name: 'emergency-account-used-${account}'
    location: location
    kind: 'LogAlert'
    properties: {
      displayName: 'Emergency account used: ${account}'
      description: 'A sign-in of an emergency account, successful or failed. Sallyport alerts the security team.'
      severity: 0
      enabled: true
      scopes: [
        empty(workspaceId) ? logs.id : workspaceId
      ]
      // Rows arrive minutes late. The windows overlap, and Sallyport knows a sign-in
      // that it was told of already. What arrives later still, its poll finds.
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      // Every window with a sign-in is told, not only the first until it is over.
      autoMitigate: false
      // The tables appear with their first row, which may be days after this.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: 'union isfuzzy=true SigninLogs, AADNonInteractiveUserSignInLogs | where UserId == "${account}" | project TimeGenerated, UserId'
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: [
              {
                name: 'UserId'
                operator: 'Include'
                values: [
                  '*'
                ]
              }
            ]
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [
          sallyport.id
        ]
      }
    }
  }
]

@description('For the parameter workspaceId of logs.bicep')
output workspaceId string = empty(workspaceId) ? logs.id : workspaceId

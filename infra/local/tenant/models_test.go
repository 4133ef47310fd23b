package tenant_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/infra/local/tenant"

	"github.com/microsoft/kiota-abstractions-go/serialization"
	backing "github.com/microsoft/kiota-abstractions-go/store"
	kiota "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
)

// busy is the sample after a few eventful days, so that no listing is empty.
func busy(t *testing.T) (*tenant.Tenant, *clock) {
	t.Helper()
	c := newClock()
	firm := unthrottled(tenant.Sample(3, c))
	managed, _ := firm.PolicyID(tenant.SampleManagedPolicy)
	if err := firm.EditPolicy(managed, func(p tenant.Object) {
		p["grantControls"] = tenant.Object{"operator": "OR", "builtInControls": []any{}, "authenticationStrength": tenant.Object{"id": "00000000-0000-0000-0000-000000000004"}}
		users := p["conditions"].(tenant.Object)["users"].(tenant.Object)
		users["excludeGuestsOrExternalUsers"] = tenant.Object{"guestOrExternalUserTypes": "ServiceProvider, internalguest", "externalTenants": nil}
	}); err != nil {
		t.Fatal(err)
	}
	kinds := []tenant.MethodKind{tenant.AuthenticatorPush, tenant.SoftwareOath, tenant.FIDO2, tenant.WindowsHello, tenant.PlatformCredential, tenant.MobilePhone, tenant.AlternatePhone, tenant.OfficePhone, tenant.Email}
	for i, u := range firm.Users() {
		id := str(u, "id")
		if i%20 == 0 {
			if err := firm.Register(id, kinds[i/20%len(kinds)], c.now); err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range []tenant.Attempt{{}, {AppID: tenant.AppAzurePortal}, {Refused: 50126}, {Client: "IMAP4"}, {NonInteractive: true}} {
			a.UserID = id
			if _, err := firm.SignIn(a); err != nil {
				t.Fatal(err)
			}
		}
		if i%50 == 0 {
			if err := firm.AddRisk(id, "high", "unfamiliarFeatures"); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.advance(26 * time.Hour)
	return firm, c
}

// What the tenant answers is decoded by Microsoft's own generated models, which
// leave nothing over and lose nothing: written back, every value is the same.
func TestAnswersAreWhatMicrosoftsModelsKnow(t *testing.T) {
	firm, c := busy(t)
	firm.SetCallBack(echo{})
	app := call(t, firm, everyRole...)
	expires := c.now.Add(24 * time.Hour).Format(time.RFC3339)
	if status, o, _ := app.do(http.MethodPost, "/subscriptions", `{"changeType":"updated","notificationUrl":"https://hook.example.com/a","lifecycleNotificationUrl":"https://hook.example.com/b","resource":"/users","expirationDateTime":"`+expires+`","clientState":"s"}`); status != http.StatusCreated {
		t.Fatalf("subscribe: %d %v", status, o)
	}
	one := anyone(t, firm, func(u tenant.Object) bool { return firm.IsCapable(str(u, "id")) })
	group, _ := firm.GroupID("All staff")
	all := "id,userPrincipalName,displayName,mail,otherMails,userType,accountEnabled,onPremisesSyncEnabled,assignedLicenses,preferredLanguage,usageLocation,department,createdDateTime,signInActivity,creationType,externalUserState"
	asked := app.with("Prefer", "include-unknown-enum-members")
	for _, listing := range []struct {
		path string
		make serialization.ParsableFactory
	}{
		{"/organization", models.CreateOrganizationCollectionResponseFromDiscriminatorValue},
		{"/subscribedSkus", models.CreateSubscribedSkuCollectionResponseFromDiscriminatorValue},
		{"/users?$top=999", models.CreateUserCollectionResponseFromDiscriminatorValue},
		{"/users?$top=500&$select=" + all, models.CreateUserCollectionResponseFromDiscriminatorValue},
		{"/users?$top=999&$select=id&$expand=manager($select=id)", models.CreateUserCollectionResponseFromDiscriminatorValue},
		{"/users?$expand=manager", models.CreateUserCollectionResponseFromDiscriminatorValue},
		{"/users/" + one, models.CreateUserFromDiscriminatorValue},
		{"/users/" + one + "/authentication/methods", models.CreateAuthenticationMethodCollectionResponseFromDiscriminatorValue},
		{"/users/" + one + "/mailboxSettings", models.CreateMailboxSettingsFromDiscriminatorValue},
		{"/reports/authenticationMethods/userRegistrationDetails?$top=999", models.CreateUserRegistrationDetailsCollectionResponseFromDiscriminatorValue},
		{"/roleManagement/directory/roleAssignments", models.CreateUnifiedRoleAssignmentCollectionResponseFromDiscriminatorValue},
		{"/roleManagement/directory/roleDefinitions", models.CreateUnifiedRoleDefinitionCollectionResponseFromDiscriminatorValue},
		{"/roleManagement/directory/roleEligibilityScheduleInstances", models.CreateUnifiedRoleEligibilityScheduleInstanceCollectionResponseFromDiscriminatorValue},
		{"/groups", models.CreateGroupCollectionResponseFromDiscriminatorValue},
		{"/groups/" + group, models.CreateGroupFromDiscriminatorValue},
		{"/groups/" + group + "/members", models.CreateDirectoryObjectCollectionResponseFromDiscriminatorValue},
		{"/groups/" + group + "/transitiveMembers?$top=999", models.CreateDirectoryObjectCollectionResponseFromDiscriminatorValue},
		{"/groups/" + group + "/transitiveMembers/graph.user?$top=999", models.CreateUserCollectionResponseFromDiscriminatorValue},
		{"/identity/conditionalAccess/policies", models.CreateConditionalAccessPolicyCollectionResponseFromDiscriminatorValue},
		{"/policies/identitySecurityDefaultsEnforcementPolicy", models.CreateIdentitySecurityDefaultsEnforcementPolicyFromDiscriminatorValue},
		{"/policies/authenticationMethodsPolicy", models.CreateAuthenticationMethodsPolicyFromDiscriminatorValue},
		{"/auditLogs/signIns", models.CreateSignInCollectionResponseFromDiscriminatorValue},
		{"/auditLogs/directoryAudits", models.CreateDirectoryAuditCollectionResponseFromDiscriminatorValue},
		{"/identityProtection/riskDetections", models.CreateRiskDetectionCollectionResponseFromDiscriminatorValue},
		{"/identityProtection/riskyUsers", models.CreateRiskyUserCollectionResponseFromDiscriminatorValue},
		{"/subscriptions", models.CreateSubscriptionCollectionResponseFromDiscriminatorValue},
	} {
		t.Run(listing.path, func(t *testing.T) {
			o := asked.get(listing.path)
			if value, is := o["value"].([]any); is && len(value) == 0 {
				t.Fatal("empty: nothing was tested")
			}
			raw, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			node, err := kiota.NewJsonParseNode(raw)
			if err != nil {
				t.Fatal(err)
			}
			model, err := node.GetObjectValue(listing.make)
			if err != nil {
				t.Fatal(err)
			}
			for _, over := range slices.Compact(leftOver(model, "")) {
				t.Errorf("left over: %s", over)
			}
			writer := kiota.NewJsonSerializationWriter()
			if err := writer.WriteObjectValue("", model); err != nil {
				t.Fatal(err)
			}
			written, err := writer.GetSerializedContent()
			if err != nil {
				t.Fatal(err)
			}
			var back any
			if err := json.Unmarshal(written, &back); err != nil {
				t.Fatal(err)
			}
			lost := map[string]bool{}
			compare(o, back, "", lost)
			for l := range lost {
				t.Error(l)
			}
		})
	}
}

// leftOver walks a model and lists what the models have no property for.
func leftOver(v any, path string) []string {
	var out []string
	if holder, ok := v.(serialization.AdditionalDataHolder); ok {
		for k := range holder.GetAdditionalData() {
			if !strings.HasPrefix(k, "@odata") && !strings.Contains(k, "@odata.") {
				out = append(out, path+"/"+k)
			}
		}
	}
	if backed, ok := v.(interface{ GetBackingStore() backing.BackingStore }); ok {
		for k, e := range backed.GetBackingStore().Enumerate() {
			out = append(out, leftOver(e, path+"/"+k)...)
		}
		return out
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice {
		for i := range r.Len() {
			out = append(out, leftOver(r.Index(i).Interface(), path)...)
		}
	}
	slices.Sort(out)
	return out
}

// compare notes every value of the answer that is not the same once Microsoft's
// models have read and written it.
func compare(sent, back any, path string, lost map[string]bool) {
	switch s := sent.(type) {
	case nil:
	case tenant.Object:
		b, _ := back.(tenant.Object)
		for k, v := range s {
			if !strings.Contains(k, "@odata.") && v != "" {
				compare(v, b[k], path+"/"+k, lost)
			}
		}
	case []any:
		b, _ := back.([]any)
		if len(b) != len(s) {
			lost[fmt.Sprintf("%s: %d came back of %d", path, len(b), len(s))] = len(s) > 0
			if len(s) == 0 {
				delete(lost, fmt.Sprintf("%s: %d came back of %d", path, len(b), len(s)))
			}
			return
		}
		for i := range s {
			compare(s[i], b[i], path, lost)
		}
	case string:
		b, _ := back.(string)
		if s == b {
			return
		}
		at, err := time.Parse(time.RFC3339Nano, s)
		again, errBack := time.Parse(time.RFC3339Nano, b)
		if err != nil || errBack != nil || !at.Equal(again) {
			lost[fmt.Sprintf("%s: %q came back as %v", path, s, back)] = true
		}
	default:
		if fmt.Sprint(sent) != fmt.Sprint(back) {
			lost[fmt.Sprintf("%s: %v came back as %v", path, sent, back)] = true
		}
	}
}

// echo answers the handshake as it should be answered.
type echo struct{}

func (echo) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		Body: io.NopCloser(strings.NewReader(r.URL.Query().Get("validationToken"))),
	}, nil
}

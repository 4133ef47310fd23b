package graph_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// examplesDir holds Microsoft's documented answers. They are not in this
// repository: the text is Microsoft's.
const examplesDir = "../../../shared/graph-examples"

// example serves one documented answer, without the link to a next page that
// leads to Microsoft, and returns the client that will read it.
func example(t *testing.T, name string, code int) *tenant {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(examplesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{}
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatal(err)
	}
	delete(body, "@odata.nextLink")
	if raw, err = json.Marshal(body); err != nil {
		t.Fatal(err)
	}
	return newTenant(t, status(code, string(raw)))
}

// reader reads one documented answer through the adapter and checks the facts
// that it documents.
type reader func(t *testing.T, name string)

func TestDocumentedAnswersAreRead(t *testing.T) {
	if _, err := os.Stat(examplesDir); errors.Is(err, os.ErrNotExist) {
		t.Skip("the documented answers are not here")
	}
	notOurs := func(why string) reader {
		return func(t *testing.T, _ string) { t.Log("not read by this package: " + why) }
	}
	const (
		request = "what a client sends"
		hook    = "arrives at the webhook"
		later   = "no method asks for it"
	)
	readers := map[string]reader{
		"organization-list.json":                               organizationExample,
		"subscribedSkus-list.json":                             plansExample("8c098270-9dd4-4350-9b30-ba4703f3b36b"),
		"DERIVED-subscribedSkus-entra-p2.json":                 plansExample(rollout.PlanEntraP1, rollout.PlanEntraP2, "8a256a2b-b617-496d-b51b-e76466e88db0"),
		"userRegistrationDetails-list.json":                    registrationsExample,
		"users-list-assignedLicenses.json":                     usersExample,
		"users-delta-page1.json":                               usersExample,
		"users-list-signInActivity.json":                       usersWithoutIDExample,
		"roleAssignments-list-by-role.json":                    rolesExample,
		"group-members-list.json":                              membersExample,
		"directoryRole-members-list.json":                      membersWithoutIDExample,
		"conditionalAccessPolicy-get.json":                     policyExample,
		"conditionalAccessPolicy-create-response-exo-mfa.json": policyExample,
		"conditionalAccessPolicy-list.json":                    policiesExample,
		"securityDefaults-get.json":                            securityDefaultsExample,
		"signIn-list-success.json":                             signInsExample,
		"signIn-list-beta-authenticationDetails.json":          signInsExample,
		"signIn-list-beta-authenticationRequirement.json":      signInsExample,
		"DERIVED-signIn-list-failures.json":                    signInsExample,
		"DERIVED-signIn-list-reportOnly.json":                  signInsExample,
		"mailboxSettings-userPurpose-get-beta.json":            purposeExample,
		"mailboxSettings-get-beta.json":                        purposeExample,
		"subscription-create-response.json":                    subscriptionExample,
		"subscription-renew-response.json":                     subscriptionExample,
		"batch-response.json":                                  batchExample,
		"temporaryAccessPass-create-response.json":             notOurs(later),
		"error-400-securityDefaultsEnabled.json":               securityDefaultsOnExample,
		"error-429-tooManyRequests.json":                       errorExample(429, "TooManyRequests"),
		"DERIVED-error-429-no-retry-after.json":                errorExample(429, "TooManyRequests"),
		"error-generic.json":                                   errorExample(400, "invalidRange"),
		"DERIVED-error-401.json":                               deniedExample(401),
		"DERIVED-error-403-permission.json":                    deniedExample(403),
		"DERIVED-error-403-noPremiumLicence.json":              kindExample(403, graph.ErrNoLicence),
		"DERIVED-error-404.json":                               kindExample(404, graph.ErrNotFound),

		"DERIVED-azureMonitor-breakglass-logAlertV2.json":           notOurs(hook),
		"DERIVED-changeNotification-user.json":                      notOurs(hook),
		"azureMonitor-commonAlertSchema-metric.json":                notOurs(hook),
		"azureMonitor-logAlertV2-alertContext.json":                 notOurs(hook),
		"changeNotification-message.json":                           notOurs(hook),
		"changeNotification-rich-chatMessage.json":                  notOurs(hook),
		"lifecycle-missed.json":                                     notOurs(hook),
		"lifecycle-reauthorizationRequired.json":                    notOurs(hook),
		"lifecycle-subscriptionRemoved.json":                        notOurs(hook),
		"DERIVED-conditionalAccessPolicy-create-mfa-admins.json":    notOurs(request),
		"DERIVED-conditionalAccessPolicy-create-mfa-all-users.json": notOurs(request),
		"DERIVED-federatedIdentityCredential-aws.json":              notOurs(request),
		"DERIVED-subscription-create-request-users.json":            notOurs(request),
		"authenticationRequirements-update-request.json":            notOurs(request),
		"batch-request.json":                                        notOurs(request),
		"conditionalAccessPolicy-create-request-exo-mfa.json":       notOurs(request),
		"passkeyOptOut-update-request-beta.json":                    notOurs(request),
		"registrationCampaign-update-request.json":                  notOurs(request),
		"securityDefaults-update-request.json":                      notOurs(request),
		"subscription-create-request-lifecycle.json":                notOurs(request),
		"subscription-create-request.json":                          notOurs(request),
		"subscription-renew-request.json":                           notOurs(request),
		"temporaryAccessPass-create-request.json":                   notOurs(request),
		"authenticationMethodsPolicy-get.json":                      methodsPolicyExample,
		"authenticationRequirements-get.json":                       requirementsExample,
		"authenticationStrengthPolicies-list.json":                  notOurs(later),
		"conditionalAccessTemplates-list-secureFoundation.json":     notOurs(later),
		"conditionalAccessTemplates-list.json":                      notOurs(later),
		"directoryRoles-list.json":                                  notOurs(later),
		"riskDetections-list.json":                                  rawExample("riskDetections"),
		"riskyUser-history-list.json":                               notOurs(later),
		"riskyUsers-list-beta-with-values.json":                     rawExample("riskyUsers"),
		"riskyUsers-list.json":                                      rawExample("riskyUsers"),
		"signInPreferences-get.json":                                notOurs(later),
		"usersRegisteredByMethod.json":                              notOurs(later),
	}
	files, err := filepath.Glob(filepath.Join(examplesDir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documented answers: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			read, known := readers[name]
			if !known {
				t.Fatal("a documented answer that this test does not know: say how it is read, or why it is not")
			}
			read(t, name)
		})
	}
}

func organizationExample(t *testing.T, name string) {
	got, err := example(t, name, 200).Organization(t.Context())
	want := rollout.Organization{
		ID: "84841066-274d-4ec0-a5c1-276be684bdd3", DisplayName: "Contoso", PreferredLanguage: "en", CountryLetterCode: "NL",
		InitialDomain: "contoso.onmicrosoft.com", Domains: []string{"contoso.onmicrosoft.com"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func plansExample(want ...string) reader {
	return func(t *testing.T, name string) {
		got, err := example(t, name, 200).Plans(t.Context())
		var ids []string
		for _, p := range got {
			ids = append(ids, p.ID)
		}
		if diff := cmp.Diff(want, ids); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	}
}

func registrationsExample(t *testing.T, name string) {
	tn := example(t, name, 200)
	got, err := collect(func(f func([]rollout.Registration) error) error { return tn.Registrations(t.Context(), f) })
	if err != nil || len(got) != 3 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	if got[0].MFACapable != rollout.Yes || got[1].MFACapable != rollout.No || len(got[2].Methods) != 3 || got[0].ReportedAt.Year() != 2023 {
		t.Errorf("got %+v", got)
	}
}

func usersExample(t *testing.T, name string) {
	tn := example(t, name, 200)
	got, err := collect(func(f func([]rollout.User) error) error { return tn.Users(t.Context(), false, f) })
	if err != nil || len(got) == 0 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	for _, u := range got {
		// What was not selected is not known.
		if u.Mail == "" || u.AccountEnabled != rollout.Unknown || u.Synced != rollout.Unknown || u.Licensed != strings.Contains(name, "Licenses") {
			t.Errorf("got %+v", u)
		}
	}
}

// The sample was read without ids: such rows cannot be told apart.
func usersWithoutIDExample(t *testing.T, name string) {
	tn := example(t, name, 200)
	_, err := collect(func(f func([]rollout.User) error) error { return tn.Users(t.Context(), true, f) })
	if err == nil || !strings.Contains(err.Error(), "row 1 has no id") {
		t.Errorf("error %v", err)
	}
}

func rolesExample(t *testing.T, name string) {
	got, err := example(t, name, 200).RoleAssignments(t.Context(), false)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	want := rollout.RoleAssignment{PrincipalID: "ace08ec9-aa11-4ada-9145-addf0398233e", RoleDefinitionID: "62e90394-69f5-4237-9190-012177145e10", DirectoryScopeID: "/"}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
}

func membersExample(t *testing.T, name string) {
	got, err := example(t, name, 200).GroupMembers(t.Context(), groupID)
	if diff := cmp.Diff([]string{"11111111-2222-3333-4444-555555555555"}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func membersWithoutIDExample(t *testing.T, name string) {
	if got, err := example(t, name, 200).GroupMembers(t.Context(), groupID); err == nil || !strings.Contains(err.Error(), "no id") {
		t.Errorf("got %v, %v", got, err)
	}
}

func policyExample(t *testing.T, name string) {
	got, err := example(t, name, 200).Policy(t.Context(), policyID)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID == "" || got.State == "" || len(got.GrantControls) == 0 || len(got.ClientAppTypes) == 0 || len(got.IncludeApplications) == 0 {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(name, "-get") {
		return
	}
	if diff := cmp.Diff([]string{"locations", "platforms", "signInRiskLevels"}, got.Narrowing); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cloudAppSecurity", "signInFrequency"}, got.SessionControls); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"mfa", "compliantDevice", "domainJoinedDevice", "approvedApplication", "compliantApplication"}, got.GrantControls); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"termsOfUse"}, got.OtherGrants); diff != "" {
		t.Error(diff)
	}
}

func policiesExample(t *testing.T, name string) {
	got, err := example(t, name, 200).Policies(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("%d policies, %v", len(got), err)
	}
	if got[0].GrantControls[0] != "block" || got[1].GrantControls[0] != "mfa" || len(got[0].Narrowing) != 0 || got[0].IncludeUsers[0] != "None" {
		t.Errorf("got %+v", got)
	}
}

func securityDefaultsExample(t *testing.T, name string) {
	if on, err := example(t, name, 200).SecurityDefaults(t.Context()); err != nil || !on {
		t.Errorf("got %t, %v", on, err)
	}
}

func signInsExample(t *testing.T, name string) {
	got, err := signIns(t, example(t, name, 200), graph.SignInQuery{})
	if err != nil || len(got) == 0 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	results := map[string]bool{}
	for _, s := range got {
		if s.UserID == "" || s.CreatedAt.IsZero() || s.CAStatus == "" || s.ClientAppUsed == "" || s.Country != "US" {
			t.Errorf("got %+v", s)
		}
		for _, a := range s.Applied {
			results[a.Result] = true
		}
		switch {
		case strings.Contains(name, "failures"):
			if s.ErrorCode <= 0 {
				t.Errorf("a failure has the code %d", s.ErrorCode)
			}
		case strings.Contains(name, "authenticationDetails"):
			if s.ErrorCode != graph.ErrorCodeMissing || s.CAStatus != "applied" {
				t.Errorf("a row that does not say how it ended has %d, %s", s.ErrorCode, s.CAStatus)
			}
			if s.Requirement != "singleFactorAuthentication" || !slices.Equal(s.Methods, []string{"Password"}) {
				t.Errorf("a row of beta says %q, %v", s.Requirement, s.Methods)
			}
		default:
			if s.ErrorCode != 0 {
				t.Errorf("a success has the code %d", s.ErrorCode)
			}
		}
	}
	if strings.Contains(name, "reportOnly") && (!results["reportOnlyInterrupted"] || !results["reportOnlySuccess"] || !results["reportOnlyNotApplied"]) {
		t.Errorf("results %v", results)
	}
}

func purposeExample(t *testing.T, name string) {
	raw, err := os.ReadFile(filepath.Join(examplesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	tn := newTenant(t, ok(`{"responses":[{"id":"0","status":200,"body":`+string(raw)+`}]}`))
	got, err := tn.Purposes(t.Context(), []string{userID})
	if diff := cmp.Diff(map[string]string{userID: "user"}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func methodsPolicyExample(t *testing.T, name string) {
	got, err := example(t, name, 200).MethodsPolicy(t.Context())
	everybody := []string{"all_users"}
	want := rollout.MethodsPolicy{
		Read: true,
		Methods: []rollout.MethodConfiguration{
			{ID: "Fido2", State: "disabled", Include: everybody},
			{ID: "MicrosoftAuthenticator", State: "disabled", Include: everybody},
			{ID: "Sms", State: "enabled", Include: everybody},
			{ID: "TemporaryAccessPass", State: "disabled", Include: everybody},
			{ID: "Email", State: "enabled"},
		},
		Campaign: rollout.Campaign{State: "default", Methods: []string{"microsoftAuthenticator"}, Include: everybody},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func requirementsExample(t *testing.T, name string) {
	raw, err := os.ReadFile(filepath.Join(examplesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	tn := newTenant(t, ok(`{"responses":[{"id":"0","status":200,"body":`+string(raw)+`}]}`))
	got, err := tn.PerUserMFA(t.Context(), []string{userID})
	if diff := cmp.Diff(map[string]string{userID: "enforced"}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// A snapshot keeps these as they are; every row of the sample has its id.
func rawExample(listing string) reader {
	return func(t *testing.T, name string) {
		listings := graph.RawListings(true, start())
		i := slices.IndexFunc(listings, func(l graph.RawListing) bool { return l.Name == listing })
		rows, err := example(t, name, 200).ReadRaw(t.Context(), listings[i])
		if err != nil || len(rows) == 0 || !strings.Contains(string(rows[0]), `"id"`) {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	}
}

func subscriptionExample(t *testing.T, name string) {
	got, err := example(t, name, 200).RenewSubscription(t.Context(), "7f105c7d-2dc5-4530-97cd-4e7ae6534c07", start())
	if err != nil || got.ID != "7f105c7d-2dc5-4530-97cd-4e7ae6534c07" || got.ExpiresAt.Year() != 2016 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Its ids are 1 to 4: what was not asked for is no answer.
func batchExample(t *testing.T, name string) {
	if got, err := example(t, name, 200).BatchMethods(t.Context(), ids(4)); err == nil {
		t.Errorf("got %v", got)
	}
	// Asked for five, the sample answers all but the first, and that is refused.
	if got, err := example(t, name, 200).BatchMethods(t.Context(), ids(5)); err == nil || !strings.Contains(err.Error(), "left out") {
		t.Errorf("got %v, %v", got, err)
	}
}

func securityDefaultsOnExample(t *testing.T, name string) {
	raw, err := os.ReadFile(filepath.Join(examplesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			ok(`{"isEnabled":true}`)(w, r)
			return
		}
		status(400, string(raw))(w, r)
	})
	err = tn.SetPolicyState(t.Context(), []rollout.OwnedPolicy{{ID: policyID}}, policyID, rollout.StateEnabled)
	if !errors.Is(err, graph.ErrSecurityDefaultsOn) {
		t.Errorf("error %v", err)
	}
}

func errorExample(code int, says string) reader {
	return func(t *testing.T, name string) {
		_, err := example(t, name, code).Policies(t.Context())
		var answer *graph.Error
		if !errors.As(err, &answer) || answer.Status != code || len(answer.Codes) == 0 || answer.Codes[0] != says {
			t.Errorf("error %v, want %d %s", err, code, says)
		}
	}
}

func deniedExample(code int) reader {
	return func(t *testing.T, name string) {
		_, err := example(t, name, code).Policies(t.Context())
		var denied *graph.DeniedError
		if !errors.As(err, &denied) || denied.Permission != "Policy.Read.All" || denied.Answer.RequestID == "" {
			t.Errorf("error %v", err)
		}
	}
}

func kindExample(code int, want error) reader {
	return func(t *testing.T, name string) {
		if _, err := example(t, name, code).User(t.Context(), userID); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
}

package tenant_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
)

// draft is a policy as it is posted: MFA for everybody but these.
func draft(state string, exclude ...string) string {
	b, err := json.Marshal(map[string]any{
		"displayName": "MFA for everybody", "state": state,
		"conditions": map[string]any{
			"clientAppTypes": []string{"all"}, "applications": map[string]any{"includeApplications": []string{"All"}},
			"users": map[string]any{"includeUsers": []string{"All"}, "excludeUsers": exclude},
		},
		"grantControls": map[string]any{"operator": "AND", "builtInControls": []string{"mfa"}},
	})
	if err != nil {
		return err.Error()
	}
	return string(b)
}

const policies = "/identity/conditionalAccess/policies"

func TestWhatIsPostedIsNotWhatIsRead(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	one, two := idOf(t, firm, tenant.SampleEmergencyOne), idOf(t, firm, tenant.SampleEmergencyTwo)
	status, made, _ := app.do(http.MethodPost, policies, `{
		"displayName": "Guests", "state": "enabledForReportingButNotEnforced",
		"conditions": {
			"applications": {"includeApplications": ["All"]},
			"platforms": {"includePlatforms": [], "excludePlatforms": []},
			"users": {"excludeUsers": ["`+two+`", "`+one+`"], "includeGuestsOrExternalUsers": {"guestOrExternalUserTypes": "ServiceProvider,InternalGuest"}}
		},
		"grantControls": {"operator": "AND", "authenticationStrength": {"id": "00000000-0000-0000-0000-000000000002"}},
		"sessionControls": {}
	}`)
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, made)
	}
	read := app.get(policies + "/" + str(made, "id"))
	conditions := read["conditions"].(tenant.Object)
	users := conditions["users"].(tenant.Object)
	grant := read["grantControls"].(tenant.Object)
	strength := grant["authenticationStrength"].(tenant.Object)
	first, second := min(one, two), max(one, two)
	got := map[string]any{
		"operator": grant["operator"], "controls": grant["builtInControls"], "requirements": strength["requirementsSatisfied"],
		"clients": conditions["clientAppTypes"], "platforms": conditions["platforms"], "session": read["sessionControls"],
		"guests":  users["includeGuestsOrExternalUsers"].(tenant.Object)["guestOrExternalUserTypes"],
		"exclude": users["excludeUsers"], "groups": users["includeGroups"],
	}
	want := map[string]any{
		"operator": "OR", "controls": []any{}, "requirements": "mfa", "clients": []any{"all"}, "platforms": nil, "session": nil,
		"guests": "internalGuest,serviceProvider", "exclude": []any{first, second}, "groups": []any{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A control that no SDK knows yet stays the string that it is.
func TestUnknownControlsSurvive(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	body := strings.Replace(draft(tenant.StateReportOnly), `["mfa"]`, `["riskRemediation","mfa"]`, 1)
	_, made, _ := app.do(http.MethodPost, policies, body)
	grant := app.get(policies + "/" + str(made, "id"))["grantControls"].(tenant.Object)
	if diff := cmp.Diff([]any{"mfa", "riskRemediation"}, grant["builtInControls"]); diff != "" || grant["operator"] != "AND" {
		t.Errorf("%v %s", grant["operator"], diff)
	}
}

func TestTwoPoliciesMayBearOneName(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	before := len(firm.Policies())
	for range 2 {
		if status, o, _ := app.do(http.MethodPost, policies, draft(tenant.StateReportOnly)); status != http.StatusCreated {
			t.Fatalf("%d %v", status, o)
		}
	}
	if n := len(firm.Policies()); n != before+2 {
		t.Errorf("%d policies, want %d", n, before+2)
	}
}

func TestSecurityDefaultsAndPoliciesExcludeEachOther(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	const defaults = "/policies/identitySecurityDefaultsEnforcementPolicy"
	if status, o, _ := app.do(http.MethodPatch, defaults, `{"isEnabled":true}`); status != http.StatusBadRequest {
		t.Errorf("with a policy enabled: %d %v, want 400", status, o)
	}
	legacy, _ := firm.PolicyID(tenant.SampleBlockLegacy)
	if status, _, _ := app.do(http.MethodPatch, policies+"/"+legacy, `{"state":"disabled"}`); status != http.StatusNoContent {
		t.Fatalf("disable: %d", status)
	}
	if status, _, _ := app.do(http.MethodPatch, defaults, `{"isEnabled":true}`); status != http.StatusNoContent || !firm.SecurityDefaults() {
		t.Fatalf("switch on: %d", status)
	}
	if app.get(defaults)["isEnabled"] != true {
		t.Error("the switch is not read back")
	}
	status, o, _ := app.do(http.MethodPatch, policies+"/"+legacy, `{"state":"enabled"}`)
	if status != http.StatusBadRequest || !strings.HasPrefix(errorMessage(o), "Security Defaults is enabled in the tenant.") {
		t.Errorf("enable a policy: %d %v, want Microsoft's 400", status, o)
	}
	if status, _, _ := app.do(http.MethodPost, policies, draft(tenant.StateEnabled)); status != http.StatusBadRequest {
		t.Errorf("create enabled: %d, want 400", status)
	}
	if status, _, _ := app.do(http.MethodPost, policies, draft(tenant.StateReportOnly)); status != http.StatusCreated {
		t.Errorf("create report-only: %d, want 201", status)
	}
}

func TestPolicyWritesThatGraphRefuses(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	managed, _ := firm.PolicyID(tenant.SampleManagedPolicy)
	for name, w := range map[string]struct {
		method, path, body string
		want               int
	}{
		"a name where an id belongs":    {http.MethodPost, policies, draft(tenant.StateReportOnly, "Current administrator will be excluded"), http.StatusBadRequest},
		"a user who is not there":       {http.MethodPost, policies, draft(tenant.StateReportOnly, "11111111-1111-1111-1111-111111111111"), http.StatusBadRequest},
		"no name":                       {http.MethodPost, policies, strings.Replace(draft(tenant.StateReportOnly), "MFA for everybody", " ", 1), http.StatusBadRequest},
		"a state that is none":          {http.MethodPost, policies, draft("on"), http.StatusBadRequest},
		"no JSON":                       {http.MethodPost, policies, `{`, http.StatusBadRequest},
		"rename what Microsoft manages": {http.MethodPatch, policies + "/" + managed, `{"displayName":"x"}`, http.StatusBadRequest},
		"delete what Microsoft manages": {http.MethodDelete, policies + "/" + managed, ``, http.StatusBadRequest},
		"what is not there":             {http.MethodPatch, policies + "/22222222-2222-2222-2222-222222222222", `{"state":"disabled"}`, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			before := firm.Policies()
			if status, o, _ := app.do(w.method, w.path, w.body); status != w.want {
				t.Errorf("%d %v, want %d", status, o, w.want)
			}
			if diff := cmp.Diff(before, firm.Policies()); diff != "" {
				t.Errorf("it changed something: %s", diff)
			}
		})
	}
}

// A PATCH of the state touches nothing else.
func TestPatchOfTheStateLeavesTheRest(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	id, _ := firm.PolicyID(tenant.SampleManagedPolicy)
	before, _ := firm.Policy(id)
	if status, _, _ := app.do(http.MethodPatch, policies+"/"+id, `{"state":"enabled"}`); status != http.StatusNoContent {
		t.Fatal(status)
	}
	after, _ := firm.Policy(id)
	before["state"], before["modifiedDateTime"] = "enabled", after["modifiedDateTime"]
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

func TestGroupMembersAreAddedInTwenties(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	status, made, _ := app.do(http.MethodPost, "/groups", `{"displayName":"Ready","mailEnabled":false,"mailNickname":"ready-1","securityEnabled":true}`)
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, made)
	}
	id := str(made, "id")
	bind := func(n int) string {
		var links []string
		for _, u := range firm.Users()[:n] {
			links = append(links, "https://graph.microsoft.com/v1.0/directoryObjects/"+str(u, "id"))
		}
		b, err := json.Marshal(map[string]any{"members@odata.bind": links})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if status, _, _ := app.do(http.MethodPatch, "/groups/"+id, bind(21)); status != http.StatusBadRequest {
		t.Errorf("21 at once: %d, want 400", status)
	}
	if n := len(firm.TransitiveMembers(id)); n != 0 {
		t.Errorf("%d members after a refusal", n)
	}
	if status, _, _ := app.do(http.MethodPatch, "/groups/"+id, bind(20)); status != http.StatusNoContent {
		t.Errorf("20 at once: %d, want 204", status)
	}
	if status, _, _ := app.do(http.MethodPatch, "/groups/"+id, bind(1)); status != http.StatusBadRequest {
		t.Errorf("one who is in already: %d, want 400", status)
	}
	first := str(firm.Users()[0], "id")
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		if status, _, _ := app.do(http.MethodDelete, "/groups/"+id+"/members/"+first+"/$ref", ""); status != want {
			t.Errorf("remove: %d, want %d", status, want)
		}
	}
	if n := len(app.rows("/groups/" + id + "/members?$select=id&$top=5")); n != 19 {
		t.Errorf("%d members, want 19", n)
	}
	found := app.rows("/groups?$filter=mailNickname eq 'ready-1'&$select=id,displayName")
	if len(found) != 1 || str(found[0], "id") != id {
		t.Errorf("found by nickname: %v", found)
	}
	desk, _ := firm.GroupID("Helpdesk admins")
	if status, _, _ := app.do(http.MethodPatch, "/groups/"+desk, bind(1)); status != http.StatusForbidden {
		t.Errorf("a group that carries a role: %d, want 403", status)
	}
}

func TestAGroupThatIsClosedCannotBeOpened(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	id, _ := firm.GroupID("All staff")
	if n := len(app.rows("/groups/" + id + "/transitiveMembers/microsoft.graph.user?$select=id")); n < 150 {
		t.Errorf("%d people through nested groups", n)
	}
	firm.CloseGroup(id, true)
	for _, path := range []string{"/members", "/transitiveMembers"} {
		if status, _, _ := app.do(http.MethodGet, "/groups/"+id+path, ""); status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", path, status)
		}
	}
}

// Each permission that is missing is refused in the words of its part of Graph.
func TestMissingPermissionsAreRefused(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	user := idOf(t, firm, tenant.SampleEmergencyOne)
	for path, c := range map[string]struct{ needs, code string }{
		"/users": {"User.Read.All", "Authorization_RequestDenied"},
		"/users?$select=id,signInActivity&$top=10":               {"AuditLog.Read.All", "Authentication_MSGraphPermissionMissing"},
		"/users/" + user + "/authentication/methods":             {"UserAuthenticationMethod.Read.All", "accessDenied"},
		"/users/" + user + "/mailboxSettings":                    {"MailboxSettings.Read", "ErrorAccessDenied"},
		"/reports/authenticationMethods/userRegistrationDetails": {"AuditLog.Read.All", "Authentication_MSGraphPermissionMissing"},
		"/auditLogs/signIns":                                     {"AuditLog.Read.All", "Authentication_MSGraphPermissionMissing"},
		policies:                                                 {"Policy.R", "AccessDenied"},
		"/policies/identitySecurityDefaultsEnforcementPolicy":    {"Policy.Read.All", "AccessDenied"},
		"/roleManagement/directory/roleAssignments":              {"RoleManagement.Read.Directory", "Authorization_RequestDenied"},
		"/identityProtection/riskDetections":                     {"IdentityRiskEvent.Read.All", "AccessDenied"},
		"/subscribedSkus":                                        {"LicenseAssignment.Read.All,Organization.Read.All", "Authorization_RequestDenied"},
	} {
		var roles []string
		for _, r := range everyRole {
			gone := false
			for _, n := range strings.Split(c.needs, ",") {
				gone = gone || strings.HasPrefix(r, n)
			}
			if !gone {
				roles = append(roles, r)
			}
		}
		status, o, _ := call(t, firm, roles...).do(http.MethodGet, path, "")
		if status != http.StatusForbidden || errorCode(o) != c.code {
			t.Errorf("%s without %s: %d %s, want 403 %s", path, c.needs, status, errorCode(o), c.code)
		}
		if status, o, _ := call(t, firm, everyRole...).do(http.MethodGet, path, ""); status != http.StatusOK && errorCode(o) != "MailboxNotEnabledForRESTAPI" {
			t.Errorf("%s with it: %d %v", path, status, o)
		}
	}
	app := call(t, firm, "Policy.ReadWrite.ConditionalAccess")
	if status, _, _ := app.do(http.MethodPost, policies, draft(tenant.StateReportOnly)); status != http.StatusForbidden {
		t.Errorf("create a policy without Policy.Read.All: %d, want 403", status)
	}
}

func TestTokens(t *testing.T) {
	c := newClock()
	firm := unthrottled(tenant.Sample(1, c))
	call(t, firm, everyRole...)
	token, expires, err := firm.Token(reader)
	if err != nil {
		t.Fatal(err)
	}
	try := func(authorization string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1.0/organization", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		firm.ServeHTTP(w, r)
		return w.Code
	}
	for _, bad := range []string{"", "Bearer ", "Bearer x", "Basic " + token, "Bearer a.b.c"} {
		if code := try(bad); code != http.StatusUnauthorized {
			t.Errorf("%q: %d, want 401", bad, code)
		}
	}
	if code := try("Bearer " + token); code != http.StatusOK {
		t.Errorf("a good token: %d", code)
	}
	c.advance(expires.Sub(c.now))
	if code := try("Bearer " + token); code != http.StatusUnauthorized {
		t.Errorf("an old token: %d, want 401", code)
	}
	if _, _, err := firm.Token("nobody"); err == nil {
		t.Error("an unknown application got a token")
	}
}

// What the licence does not offer is refused in Microsoft's words.
func TestFreeTenantIsRefusedWhatP1Buys(t *testing.T) {
	firm := unthrottled(tenant.SampleFree(1, newClock()))
	app := call(t, firm, everyRole...)
	const unlicensed = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
	for path, want := range map[string]string{
		"/reports/authenticationMethods/userRegistrationDetails": unlicensed,
		"/auditLogs/signIns":                 unlicensed,
		"/users?$select=id,signInActivity":   unlicensed,
		"/identityProtection/riskDetections": unlicensed,
		"/identityProtection/riskyUsers":     unlicensed,
	} {
		if status, o, _ := app.do(http.MethodGet, path, ""); status != http.StatusForbidden || errorCode(o) != want {
			t.Errorf("%s: %d %s", path, status, errorCode(o))
		}
	}
	status, o, _ := app.do(http.MethodGet, "/roleManagement/directory/roleEligibilityScheduleInstances", "")
	if status != http.StatusBadRequest || errorCode(o) != "AadPremiumLicenseRequired" {
		t.Errorf("eligibility: %d %s, want 400", status, errorCode(o))
	}
	if status, o, _ := app.do(http.MethodPost, policies, draft(tenant.StateReportOnly)); status != http.StatusForbidden || errorCode(o) != "AccessDenied" {
		t.Errorf("create a policy: %d %v", status, o)
	}
	if n := len(app.rows("/users/" + idOf(t, firm, tenant.SampleFreeEmergencyOne) + "/authentication/methods")); n != 2 {
		t.Errorf("%d methods, want password and key", n)
	}
	licensed := unthrottled(tenant.Sample(1, newClock()))
	licensed.SetLicenceStatus("Suspended")
	if status, _, _ := call(t, licensed, everyRole...).do(http.MethodGet, "/auditLogs/signIns", ""); status != http.StatusForbidden {
		t.Errorf("a suspended licence: %d, want 403", status)
	}
}

// Microsoft's limits, by the clock of the tenant.
func TestLimits(t *testing.T) {
	for name, l := range map[string]struct {
		path  string
		free  int
		after time.Duration
		says  bool
	}{
		"reports":            {"/reports/authenticationMethods/userRegistrationDetails", 5, 10 * time.Second, true},
		"sign-ins":           {"/auditLogs/signIns", 5, 10 * time.Second, true},
		"signInActivity":     {"/users?$select=id,signInActivity", 10, time.Minute, true},
		"conditional access": {policies, 1, time.Second, false},
		"risk":               {"/identityProtection/riskyUsers", 1, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			app := call(t, tenant.Sample(1, c), everyRole...)
			for i := range l.free {
				if status, o, _ := app.do(http.MethodGet, l.path, ""); status != http.StatusOK {
					t.Fatalf("request %d: %d %v", i+1, status, o)
				}
			}
			c.advance(100 * time.Millisecond)
			status, o, header := app.do(http.MethodGet, l.path, "")
			if status != http.StatusTooManyRequests || errorCode(o) != "TooManyRequests" {
				t.Fatalf("one more: %d %v, want 429", status, o)
			}
			wait := header.Get("Retry-After")
			if l.says != strings.Contains(wait, ".") {
				t.Errorf("Retry-After %q", wait)
			}
			c.advance(l.after + time.Second)
			if status, _, _ := app.do(http.MethodGet, l.path, ""); status != http.StatusOK {
				t.Errorf("after the wait: %d", status)
			}
		})
	}
}

// The wait that a 429 names is enough, and less is not.
func TestRetryAfterIsTheTruth(t *testing.T) {
	c := newClock()
	app := call(t, tenant.Sample(1, c), everyRole...)
	const path = "/auditLogs/signIns"
	for range 5 {
		app.get(path)
		c.advance(1500 * time.Millisecond)
	}
	_, _, header := app.do(http.MethodGet, path, "")
	wait, err := time.ParseDuration(header.Get("Retry-After") + "s")
	if err != nil || wait <= 0 {
		t.Fatalf("%q: %v", header.Get("Retry-After"), err)
	}
	c.advance(wait)
	app.get(path)
}

func TestBatchAnswersEachOnItsOwn(t *testing.T) {
	c := newClock()
	firm := tenant.Sample(1, c)
	app := call(t, firm, everyRole...)
	batch := func(n int, each func(int) string) string {
		var in []string
		for i := range n {
			in = append(in, fmt.Sprintf(`{"id":"%d","method":"GET","url":"%s"}`, i, each(i)))
		}
		return `{"requests":[` + strings.Join(in, ",") + `]}`
	}
	users := firm.Users()
	purpose := func(i int) string {
		return "/users/" + str(users[200+i], "id") + "/mailboxSettings/userPurpose"
	}
	if status, _, _ := app.do(http.MethodPost, "/$batch", batch(21, purpose)); status != http.StatusBadRequest {
		t.Errorf("21 at once: %d, want 400", status)
	}
	status, o, _ := app.do(http.MethodPost, "/$batch", batch(20, purpose))
	answers := objectsOf(o["responses"])
	if status != http.StatusOK || len(answers) != 20 {
		t.Fatalf("%d, %d answers", status, len(answers))
	}
	kinds, none := map[string]int{}, 0
	for _, a := range answers {
		body, _ := a["body"].(tenant.Object)
		if a["status"] == float64(http.StatusNotFound) {
			none++
		}
		kinds[str(body, "value")]++
	}
	if none == 0 || kinds["shared"] == 0 || str(answers[0], "id") == "0" {
		t.Errorf("%d without a mailbox, %v, first answer %s", none, kinds, str(answers[0], "id"))
	}
	_, o, _ = app.do(http.MethodPost, "/$batch", batch(20, func(i int) string { return "/users/" + str(users[i], "id") + "/authentication/methods" }))
	throttled := 0
	for _, a := range objectsOf(o["responses"]) {
		if a["status"] == float64(http.StatusTooManyRequests) {
			throttled++
			if headers, _ := a["headers"].(tenant.Object); !strings.Contains(str(headers, "Retry-After"), ".") {
				t.Error("a 429 inside the batch does not say when to return")
			}
		}
	}
	if throttled != 15 {
		t.Errorf("%d of 20 were throttled, want 15", throttled)
	}
}

func TestBodiesMayBeZipped(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(draft(tenant.StateReportOnly))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if status, o, _ := app.with("Content-Encoding", "gzip").do(http.MethodPost, policies, b.String()); status != http.StatusCreated {
		t.Errorf("%d %v", status, o)
	}
	writes := firm.Writes()
	if len(writes) != 1 || !strings.Contains(writes[0].Body, "MFA for everybody") || writes[0].Status != http.StatusCreated || writes[0].App != reader {
		t.Errorf("the journal does not show it: %+v", writes)
	}
}

// What Graph does not know is refused, never quietly passed over.
func TestQueriesThatGraphRefuses(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	for path, want := range map[string]int{
		"/roleManagement/directory/roleDefinitions?$top=5":                               http.StatusBadRequest,
		"/roleManagement/directory/roleEligibilityScheduleInstances?$expand=principal":   http.StatusBadRequest,
		"/users?$select=shoeSize":                                                        http.StatusBadRequest,
		"/users?$filter=shoeSize eq 44":                                                  http.StatusBadRequest,
		"/users?$top=0":                                                                  http.StatusBadRequest,
		"/users?$skiptoken=rubbish":                                                      http.StatusBadRequest,
		"/users?$orderby=displayName":                                                    http.StatusNotImplemented,
		"/users?top=5":                                                                   http.StatusBadRequest,
		"/auditLogs/signIns?$select=id,authenticationRequirement":                        http.StatusBadRequest,
		"/auditLogs/signIns?$filter=status/errorCode ne 0":                               http.StatusBadRequest,
		"/auditLogs/signIns?$filter=userId eq 'a' or userId eq 'b'":                      http.StatusBadRequest,
		"/auditLogs/signIns?$filter=createdDateTime gt 2026-01-01T00:00:00Z":             http.StatusBadRequest,
		"/reports/authenticationMethods/userRegistrationDetails?$filter=isAdmin eq true": http.StatusBadRequest,
		"/users/nobody":   http.StatusNotFound,
		"/groups/nothing": http.StatusNotFound,
		"/sites":          http.StatusBadRequest,
		"/beta/users":     http.StatusBadRequest,
	} {
		if status, o, _ := app.do(http.MethodGet, path, ""); status != want || errorCode(o) == "" {
			t.Errorf("%s: %d %v, want %d", path, status, o, want)
		}
	}
}

func TestListingsComeInPages(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	first := app.get("/users?$top=999&$select=id,signInActivity")
	if n := len(objectsOf(first["value"])); n != 250 {
		t.Errorf("%d rows on a page of at most 500", n)
	}
	if n := len(objectsOf(app.get("/users")["value"])); n != 100 {
		t.Errorf("%d rows without $top, want 100", n)
	}
	many := unthrottled(tenant.Sample(1, newClock()))
	for i := range 400 {
		if _, err := many.AddUser(tenant.Object{"userPrincipalName": fmt.Sprintf("extra%d@contoso.com", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{"$select=id": 650, "$select=id,signInActivity": 500} {
		if n := len(objectsOf(call(t, many, everyRole...).get("/users?$top=999&" + query)["value"])); n != want {
			t.Errorf("%s: %d rows on the first page, want %d", query, n, want)
		}
	}
	b := firm.Behaviour()
	b.PageCap = 7
	firm.SetBehaviour(b)
	seen := map[string]int{}
	for _, u := range app.rows("/users?$top=999&$select=id&$filter=userType eq 'Member'") {
		seen[str(u, "id")]++
	}
	if len(seen) != 225 {
		t.Errorf("%d members over all pages, want 225", len(seen))
	}
	quoted := app.rows("/users?$filter=startswith(userPrincipalName,'emergency') and accountEnabled eq true&$select=id")
	if len(quoted) != 2 {
		t.Errorf("%d emergency accounts by filter, want 2", len(quoted))
	}
}

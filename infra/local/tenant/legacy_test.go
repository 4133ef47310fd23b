package tenant_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
)

func TestManagersComeWithExpand(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	first := app.get("/users?$top=999&$select=id&$expand=manager($select=id)")
	if n := len(objectsOf(first["value"])); n != 100 {
		t.Errorf("%d rows on a page with $expand, want 100", n)
	}
	rows := app.rows("/users?$top=999&$select=id&$expand=manager($select=id)")
	reporting := 0
	for _, u := range rows {
		manager, has := u["manager"].(tenant.Object)
		if !has {
			continue
		}
		reporting++
		if _, err := firm.User(str(manager, "id")); err != nil || str(manager, "id") == str(u, "id") || len(manager) != 2 {
			t.Errorf("%s reports to %v", str(u, "id"), manager)
		}
	}
	if len(rows) != 250 || reporting < 150 || reporting == 250 {
		t.Errorf("%d of %d accounts report to somebody", reporting, len(rows))
	}
	if status, _, _ := app.do(http.MethodGet, "/users?$expand=manager($levels=max)", ""); status != http.StatusBadRequest {
		t.Errorf("$levels on a listing: %d, want 400", status)
	}
	if _, has := app.rows("/users?$select=id")[3]["manager"]; has {
		t.Error("a manager comes without being asked for")
	}
}

func TestSetManager(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	one, two := str(firm.Users()[0], "id"), str(firm.Users()[1], "id")
	if err := firm.SetManager(one, two); err != nil {
		t.Fatal(err)
	}
	row := call(t, firm, everyRole...).rows("/users?$select=id&$expand=manager($select=id)")[0]
	if diff := cmp.Diff(tenant.Object{"@odata.type": "#microsoft.graph.user", "id": two}, row["manager"]); diff != "" {
		t.Error(diff)
	}
	for _, pair := range [][2]string{{"nobody", two}, {one, "nobody"}} {
		if err := firm.SetManager(pair[0], pair[1]); err == nil {
			t.Errorf("%v: no error", pair)
		}
	}
}

// No schema has it, so the tenant refuses it, unless it is told to be one of
// those that answer.
func TestPerUserMFAInBulkIsOnlyThereWhenTold(t *testing.T) {
	const path = "/users?$select=id,perUserMfaState&$top=999"
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	if status, o, _ := app.do(http.MethodGet, path, ""); status != http.StatusBadRequest || errorCode(o) != "BadRequest" {
		t.Errorf("by default: %d %v, want 400", status, o)
	}
	b := firm.Behaviour()
	b.BulkPerUserMFA = true
	firm.SetBehaviour(b)
	count := map[string]int{}
	for _, u := range app.rows(path) {
		count[str(u, "perUserMfaState")]++
		if one := app.get("/beta/users/" + str(u, "id") + "/authentication/requirements"); one["perUserMfaState"] != u["perUserMfaState"] {
			t.Errorf("%s: %v in bulk, %v alone", str(u, "id"), u["perUserMfaState"], one["perUserMfaState"])
		}
	}
	if diff := cmp.Diff(map[string]int{"disabled": 248, "enforced": 2}, count); diff != "" {
		t.Error(diff)
	}
	if _, has := app.rows("/users")[0]["perUserMfaState"]; has {
		t.Error("the state comes without being asked for")
	}
}

func TestTheUpsellIsInBetaAlone(t *testing.T) {
	const path = "/policies/identitySecurityDefaultsEnforcementPolicy"
	firm := unthrottled(tenant.SampleFree(1, newClock()))
	app := call(t, firm, everyRole...)
	if v, has := app.get("/beta" + path)["securityDefaultsUpsell"]; !has || v != nil {
		t.Errorf("nothing planned: %v", v)
	}
	firm.SetUpsell("autoEnable", time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC))
	want := tenant.Object{"action": "autoEnable", "dueDateTime": "2027-01-15T00:00:00Z"}
	if diff := cmp.Diff(want, app.get("/beta" + path)["securityDefaultsUpsell"]); diff != "" {
		t.Error(diff)
	}
	if _, has := app.get(path)["securityDefaultsUpsell"]; has {
		t.Error("v1.0 has it too")
	}
	firm.SetUpsell("", time.Time{})
	if v := app.get("/beta" + path)["securityDefaultsUpsell"]; v != nil {
		t.Errorf("taken back: %v", v)
	}
}

// The sample has one of each thing that an audit must tell apart.
func TestSampleHasItsLeftovers(t *testing.T) {
	firm := unthrottled(tenant.Sample(1, newClock()))
	app := call(t, firm, everyRole...)
	builtIn := map[string]bool{}
	for _, d := range app.rows("/roleManagement/directory/roleDefinitions") {
		builtIn[str(d, "id")] = d["isBuiltIn"] == true
	}
	own, scoped := 0, 0
	for _, a := range app.rows("/roleManagement/directory/roleAssignments") {
		is, known := builtIn[str(a, "roleDefinitionId")]
		if !known {
			t.Errorf("assignment %s names a role that is not there", str(a, "id"))
		}
		if !is {
			own++
		}
		if str(a, "directoryScopeId") != "/" {
			scoped++
		}
	}
	if own != 1 || scoped != 1 {
		t.Errorf("%d assignments of the firm's own role and %d in a unit, want one each", own, scoped)
	}
	campaign := app.get("/policies/authenticationMethodsPolicy")["registrationEnforcement"].(tenant.Object)["authenticationMethodsRegistrationCampaign"].(tenant.Object)
	if campaign["state"] != "enabled" {
		t.Errorf("the campaign is %v", campaign["state"])
	}
	invited := app.rows("/users?$filter=creationType eq 'Invitation'&$select=id,creationType,externalUserState")
	if len(invited) != 25 || str(invited[0], "externalUserState") != "Accepted" || str(invited[4], "externalUserState") != "PendingAcceptance" {
		t.Errorf("%d invited guests", len(invited))
	}
}

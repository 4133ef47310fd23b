package tenant_test

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
)

// folderOf writes files into a new folder. Names may have a slash.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	ada  = "aaaaaaaa-0000-4000-8000-000000000001"
	ben  = "bbbbbbbb-0000-4000-8000-000000000002"
	team = "cccccccc-0000-4000-8000-000000000003"
	shut = "eeeeeeee-0000-4000-8000-000000000005"

	adaUser  = `{"id":"` + ada + `","userPrincipalName":"ada@contoso.com","displayName":"Ada","accountEnabled":true,"userType":"Member"}`
	benUser  = `{"id":"` + ben + `","userPrincipalName":"ben@contoso.com","displayName":"Ben","accountEnabled":true,"userType":"Member"}`
	noPolicy = `{"value":[]}`
)

// said reports whether a line of the report holds all the words.
func said(r tenant.Report, words ...string) bool {
	return slices.ContainsFunc(r.Lines(), func(l string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(l, w) })
	})
}

func load(t *testing.T, files map[string]string) (*tenant.Tenant, tenant.Report) {
	t.Helper()
	firm, report, err := tenant.Load(folderOf(t, files), 1, newClock())
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(report.Lines(), "\n"))
	}
	return firm, report
}

// What is saved and loaded again is the same tenant: accounts, methods,
// policies, groups, roles, and the report as late as it was.
func TestSavedAndLoadedIsTheSame(t *testing.T) {
	for name, made := range map[string]func() (*tenant.Tenant, *clock){
		"sample": func() (*tenant.Tenant, *clock) { return busy(t) },
		"free":   func() (*tenant.Tenant, *clock) { c := newClock(); return tenant.SampleFree(5, c), c },
	} {
		t.Run(name, func(t *testing.T) {
			firm, c := made()
			dir := filepath.Join(t.TempDir(), "a", "b")
			if err := firm.Save(dir); err != nil {
				t.Fatal(err)
			}
			again, report, err := tenant.Load(dir, 99, c)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Problems) > 0 || len(report.Unused) > 0 {
				t.Errorf("problems: %v %v", report.Problems, report.Unused)
			}
			if name == "sample" && len(report.Missing) > 0 {
				t.Errorf("missing: %v", report.Missing)
			}
			for what, f := range map[string]func(*tenant.Tenant) any{
				"accounts": func(f *tenant.Tenant) any {
					users := f.Users()
					for _, u := range users {
						delete(u, "signInActivity") // as late as the listing tells it
					}
					return users
				},
				"policies":     func(f *tenant.Tenant) any { return f.Policies() },
				"groups":       func(f *tenant.Tenant) any { return f.Groups() },
				"roles":        func(f *tenant.Tenant) any { return f.RoleAssignments() },
				"organization": func(f *tenant.Tenant) any { return f.Organization() },
				"capable": func(f *tenant.Tenant) any {
					out := map[string]bool{}
					for _, u := range f.Users() {
						out[str(u, "id")] = f.IsCapable(str(u, "id"))
					}
					return out
				},
				"methods": func(f *tenant.Tenant) any {
					out := map[string]any{}
					for _, u := range f.Users() {
						out[str(u, "id")], _ = f.Methods(str(u, "id"))
					}
					return out
				},
			} {
				if diff := cmp.Diff(plain(t, f(firm)), plain(t, f(again))); diff != "" {
					t.Errorf("%s: %s", what, diff)
				}
			}
			if name != "sample" {
				return
			}
			firm, again = unthrottled(firm), unthrottled(again)
			for _, f := range []*tenant.Tenant{firm, again} {
				b := f.Behaviour()
				b.BulkPerUserMFA = true
				f.SetBehaviour(b)
			}
			one, two := call(t, firm, everyRole...), call(t, again, everyRole...)
			for _, path := range []string{"/reports/authenticationMethods/userRegistrationDetails", "/auditLogs/signIns?$select=id,createdDateTime,userId,status", "/users?$select=id,signInActivity", "/users?$select=id&$expand=manager($select=id)", "/identityProtection/riskyUsers", "/roleManagement/directory/roleEligibilityScheduleInstances", "/users?$select=id,perUserMfaState"} {
				if diff := cmp.Diff(byID(one.rows(path)), byID(two.rows(path))); diff != "" {
					t.Errorf("%s: %s", path, diff)
				}
			}
		})
	}
}

// plain is a value as JSON has it, so that an int and its number are equal.
func plain(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// byID forgets order, doubles and when a row was refreshed.
func byID(rows []tenant.Object) map[string]tenant.Object {
	out := map[string]tenant.Object{}
	for _, r := range rows {
		delete(r, "lastUpdatedDateTime")
		out[str(r, "id")] = r
	}
	return out
}

func utf16With(order binary.ByteOrder, s string) string {
	b := order.(binary.AppendByteOrder).AppendUint16(nil, 0xFEFF)
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.(binary.AppendByteOrder).AppendUint16(b, u)
	}
	return string(b)
}

// Files as people keep them.
func TestFilesAsPeopleKeepThem(t *testing.T) {
	list := `{"value":[` + adaUser + `,` + benUser + `]}`
	for name, files := range map[string]map[string]string{
		"as Graph answers":          {"users.json": list},
		"an array":                  {"users.json": `[` + adaUser + `,` + benUser + `]`},
		"UTF-8 with a mark":         {"users.json": "\xEF\xBB\xBF" + list},
		"UTF-16, little end":        {"users.json": utf16With(binary.LittleEndian, list)},
		"UTF-16, big end":           {"users.json": utf16With(binary.BigEndian, list)},
		"one object per file":       {"users/ada.json": adaUser, "users/ben.json": benUser},
		"pages in a folder":         {"users/1.json": `{"value":[` + adaUser + `],"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=x"}`, "users/2.json": `{"value":[` + benUser + `]}`},
		"an array of pages":         {"users.json": `[{"value":[` + adaUser + `]},{"value":[` + benUser + `]}]`},
		"lines of JSON":             {"users.json": adaUser + "\n" + benUser + "\n"},
		"a tool's envelope":         {"users.json": `{"exportedAt":"2026-11-01","tool":{"name":"x"},"data":` + list + `}`},
		"in an envelope with an id": {"users.json": `{"id":"export-7","state":"done","users":[` + adaUser + `,` + benUser + `]}`},
		"under the listing's name":  {"users.json": `{"Users":[` + adaUser + `,` + benUser + `],"count":2}`},
		"a batch's answers":         {"users.json": `{"responses":[{"id":"1","status":200,"body":{"value":[` + adaUser + `]}},{"id":"2","status":200,"body":` + benUser + `}]}`},
		"two listings of columns":   {"users-list-names.json": list, "users-list-more.json": `{"value":[{"id":"` + ada + `","department":"Sales"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			files["conditionalAccessPolicies.json"] = noPolicy
			firm, report := load(t, files)
			if len(report.Problems) > 0 {
				t.Errorf("problems: %v", report.Problems)
			}
			var names []string
			for _, u := range firm.Users() {
				names = append(names, str(u, "displayName"))
			}
			if diff := cmp.Diff([]string{"Ada", "Ben"}, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What would make somebody look protected or excluded is refused.
func TestFoldersThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		words string
	}{
		"no users":                 {map[string]string{"conditionalAccessPolicies.json": noPolicy}, "users"},
		"no policies":              {map[string]string{"users.json": adaUser}, "conditionalAccessPolicies"},
		"users that are none":      {map[string]string{"users.json": `{"value":[]}`, "conditionalAccessPolicies.json": noPolicy}, "no account"},
		"users that are no JSON":   {map[string]string{"users.json": `{"value":[`, "conditionalAccessPolicies.json": noPolicy}, "users.json"},
		"an empty file":            {map[string]string{"users.json": "", "conditionalAccessPolicies.json": noPolicy}, "empty"},
		"half a letter":            {map[string]string{"users.json": "\xFF\xFE{", "conditionalAccessPolicies.json": noPolicy}, "UTF-16"},
		"an error for an answer":   {map[string]string{"users.json": adaUser, "conditionalAccessPolicies.json": `{"error":{"code":"AccessDenied","message":"no"}}`}, "AccessDenied"},
		"a step of a batch failed": {map[string]string{"users.json": adaUser, "conditionalAccessPolicies.json": `{"responses":[{"id":"1","status":403,"body":{"error":{"code":"x"}}}]}`}, "403"},
		"policies of one page":     {map[string]string{"users.json": adaUser, "conditionalAccessPolicies.json": `{"value":[],"@odata.nextLink":"https://graph.microsoft.com/x"}`}, "next page"},
		"a policy without state":   {map[string]string{"users.json": adaUser, "conditionalAccessPolicies.json": `[{"id":"p","conditions":{"users":{"includeUsers":["All"]}}}]`}, "state"},
		"a policy about nobody":    {map[string]string{"users.json": adaUser, "conditionalAccessPolicies.json": `[{"id":"p","state":"enabled","conditions":{}}]`}, "whom"},
		"users that are no list":   {map[string]string{"users.json": adaUser, "conditionalAccessPolicies.json": `[{"id":"p","state":"enabled","conditions":{"users":{"includeUsers":"All"}}}]`}, "includeUsers"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := tenant.Load(folderOf(t, c.files), 1, newClock())
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v, want an error about %q", err, c.words)
			}
		})
	}
	if _, _, err := tenant.Load(filepath.Join(t.TempDir(), "nothing"), 1, newClock()); err == nil {
		t.Error("a folder that is not there was loaded")
	}
}

// Everything else that is missing or odd is named, and assumed so that nobody
// looks better than they are.
func TestWhatIsMissingIsNamed(t *testing.T) {
	policy := `{"id":"dddddddd-0000-4000-8000-000000000004","displayName":"P","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"clientAppTypes":["all"],
		"users":{"includeUsers":["All"],"excludeUsers":["Current administrator will be excluded","` + ben + `"],"excludeGroups":["` + team + `"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`
	firm, report := load(t, map[string]string{
		"users.json":                           `[` + adaUser + `,{"id":"` + ben + `","userPrincipalName":"ben@contoso.com","accountEnabled":"yes"}]`,
		"conditionalAccessPolicies.json":       policy,
		"signIns.json":                         `{"value":[{"id":"1","createdDateTime":"2026-11-29T08:00:00Z","userId":"` + ada + `","status":{"errorCode":0}},{"id":"2"}],"@odata.nextLink":"x"}`,
		"userPurpose.json":                     `{"` + ada + `":{"value":"user"},"` + team + `":"shared"}`,
		"riskyUsers.json":                      `{"broken`,
		"groups.json":                          `[{"id":"` + shut + `","displayName":"Saved without members"}]`,
		"notes.txt":                            "hello",
		"invoices.json":                        `[]`,
		"securityDefaults-update-request.json": `{"isEnabled":true}`,
	})
	for _, words := range [][]string{
		{"users.json", ben, "accountEnabled", "not known"},
		{"1 of 2 accounts", "accountEnabled"},
		{"Current administrator will be excluded", "no object id"},
		{team, "does not know"},
		{"signIns", "next page"},
		{"sign-in 2", "left out"},
		{"mailbox of " + team},
		{"riskyUsers.json", "cannot be read"},
		{"notes.txt", "not used"},
		{"invoices.json", "not used"},
		{"update-request", "a request"},
		{"roleAssignments is missing", "nobody is an admin"},
		{"subscribedSkus is missing"},
		{"group " + shut, "proves nothing"},
		{"securityDefaults is missing", "off"},
		{"authenticationMethods is missing"},
		{"managers is missing", "nobody's manager is known"},
		{"perUserMfa is missing", "off everywhere"},
	} {
		if !said(report, words...) {
			t.Errorf("nothing says %v:\n%s", words, strings.Join(report.Lines(), "\n"))
		}
	}
	if firm.SecurityDefaults() {
		t.Error("a request was taken for an answer")
	}
	if demand, _ := firm.DemandsMFA(ada); demand != tenant.DemandAlways {
		t.Errorf("a placeholder excludes somebody: %s", demand)
	}
	if demand, _ := firm.DemandsMFA(ben); demand != tenant.DemandNo {
		t.Errorf("ben is excluded by id: %s", demand)
	}
	if firm.IsCapable(ada) {
		t.Error("somebody of whom nothing is known is capable")
	}
	app := call(t, unthrottled(firm), everyRole...)
	for _, g := range []string{team, shut} {
		if status, _, _ := app.do("GET", "/groups/"+g+"/members", ""); status != 403 {
			t.Errorf("group %s, whose members nobody saved, can be opened: %d", g, status)
		}
	}
	if u := app.get("/users/" + ben + "?$select=accountEnabled"); u["accountEnabled"] != nil {
		t.Errorf("accountEnabled %v, want null", u["accountEnabled"])
	}
}

// Managers come in a listing of their own, or beside the accounts; what fits
// nobody is named and makes nobody a manager.
func TestManagersOfAFolder(t *testing.T) {
	const nobody = "99999999-0000-4000-8000-000000000009"
	beside := strings.Replace(benUser, "{", `{"manager":{"id":"`+ada+`"},`, 1)
	for name, c := range map[string]struct {
		users, managers string // no file for none
		want            string // to whom Ben reports
		says            []string
	}{
		"listed":                        {benUser, `{"value":[{"id":"` + ada + `"},{"id":"` + ben + `","manager":{"@odata.type":"#microsoft.graph.user","id":"` + strings.ToUpper(ada) + `"}}]}`, ada, []string{"managers: 2 from managers.json"}},
		"beside the accounts":           {beside, "", ada, []string{"managers: 1 from users.json"}},
		"listed as reporting to nobody": {beside, `[{"id":"` + ada + `"},{"id":"` + ben + `","manager":null}]`, "", nil},
		"of half of them":               {benUser, `[{"id":"` + ben + `","manager":{"id":"` + ada + `"}}]`, ada, []string{"1 of 2 accounts"}},
		"nobody there":                  {benUser, `[{"id":"` + ada + `"},{"id":"` + ben + `","manager":{"id":"` + nobody + `"}}]`, "", []string{ben, nobody, "no account"}},
		"beside, and no object":         {strings.Replace(benUser, "{", `{"manager":"Ada",`, 1), `[{"id":"` + ada + `"},{"id":"` + ben + `"}]`, "", []string{ben, "manager is no object"}},
		"of nobody there":               {benUser, `[{"id":"` + nobody + `","manager":{"id":"` + ada + `"}}]`, "", []string{"manager of " + nobody, "no account"}},
		"no object":                     {benUser, `[{"id":"` + ada + `"},{"id":"` + ben + `","manager":"Ada"}]`, "", []string{ben, "manager is no object"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"users.json": "[" + adaUser + "," + c.users + "]", "conditionalAccessPolicies.json": noPolicy}
			if c.managers != "" {
				files["managers.json"] = c.managers
			}
			firm, report := load(t, files)
			app := call(t, unthrottled(firm), everyRole...)
			got := byID(app.rows("/users?$select=id&$expand=manager($select=id)"))[ben]["manager"]
			if manager, _ := got.(tenant.Object); str(manager, "id") != c.want {
				t.Errorf("Ben reports to %v, want %q", got, c.want)
			}
			for _, u := range firm.Users() {
				if _, has := u["manager"]; has {
					t.Errorf("the manager of %s stands among the properties", str(u, "id"))
				}
			}
			if c.says != nil && !said(report, c.says...) {
				t.Errorf("nothing says %v:\n%s", c.says, strings.Join(report.Lines(), "\n"))
			}
			if said(report, "managers is missing") {
				t.Error("managers are missing and are there")
			}
		})
	}
}

// The legacy switch is taken as Graph answers it, one by one or all at once.
func TestPerUserMFAOfAFolder(t *testing.T) {
	users := map[string]string{"users.json": "[" + adaUser + "," + benUser + "]", "conditionalAccessPolicies.json": noPolicy}
	for name, c := range map[string]struct {
		file, body string
		want       tenant.Demand // of Ada
		says       []string
	}{
		"one word each":      {"perUserMfa.json", `{"` + ada + `":"enforced","` + ben + `":"disabled"}`, tenant.DemandAlways, nil},
		"answers":            {"perUserMfa.json", `{"` + ada + `":{"perUserMfaState":"enforced"}}`, tenant.DemandAlways, nil},
		"an answer a file":   {"perUserMfa/" + ada + ".json", `{"perUserMfaState":"enforced"}`, tenant.DemandAlways, nil},
		"rows":               {"perUserMfa.json", `[{"id":"` + ada + `","perUserMfaState":"enforced"}]`, tenant.DemandAlways, nil},
		"enabled, no more":   {"perUserMfa.json", `{"` + ada + `":"enabled"}`, tenant.DemandNo, nil},
		"of somebody else":   {"perUserMfa.json", `{"` + team + `":"enforced"}`, tenant.DemandNo, []string{team, "fits no account"}},
		"that says nothing":  {"perUserMfa.json", `{"` + ada + `":null}`, tenant.DemandNo, []string{ada, "says no state"}},
		"that says a number": {"perUserMfa.json", `{"` + ada + `":3}`, tenant.DemandNo, []string{ada, "says no state"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{c.file: c.body}
			maps.Copy(files, users)
			firm, report := load(t, files)
			if got, _ := firm.DemandsMFA(ada); got != c.want {
				t.Errorf("MFA is demanded of Ada: %s, want %s", got, c.want)
			}
			if c.says != nil && !said(report, c.says...) || c.says == nil && len(report.Problems) > 0 {
				t.Errorf("want %v:\n%s", c.says, strings.Join(report.Lines(), "\n"))
			}
		})
	}
}

// The folder's own report rows stand until the person changes something.
func TestTheFoldersReportStands(t *testing.T) {
	row := `{"id":"` + ada + `","userPrincipalName":"ada@contoso.com","userDisplayName":"Ada","userType":"member","isAdmin":false,"isMfaRegistered":true,"isMfaCapable":false,"methodsRegistered":["fido2SecurityKey","smokeSignals"],"lastUpdatedDateTime":"2026-11-20T00:00:00Z"}`
	skus := `[{"id":"s","capabilityStatus":"Enabled","servicePlans":[{"servicePlanId":"` + tenant.PlanP1 + `","provisioningStatus":"Success"}]}]`
	c := newClock()
	firm, _, err := tenant.Load(folderOf(t, map[string]string{
		"users.json": `[` + adaUser + `,` + benUser + `]`, "conditionalAccessPolicies.json": noPolicy, "subscribedSkus.json": skus, "userRegistrationDetails.json": `[` + row + `]`,
		"authenticationMethods/" + ben + ".json": `{"value":[{"@odata.type":"#microsoft.graph.microsoftAuthenticatorAuthenticationMethod","id":"x"}]}`,
	}), 1, c)
	if err != nil {
		t.Fatal(err)
	}
	unthrottled(firm)
	app := call(t, firm, everyRole...)
	got := func(id string) (any, any) {
		r := app.get("/reports/authenticationMethods/userRegistrationDetails/" + id)
		return r["isMfaCapable"], r["methodsRegistered"]
	}
	for range 2 {
		capable, methods := got(ada)
		if capable != false || !cmp.Equal(methods, any([]any{"fido2SecurityKey", "smokeSignals"})) || firm.IsCapable(ada) {
			t.Errorf("capable %v (truth %v), methods %v", capable, firm.IsCapable(ada), methods)
		}
		c.advance(24 * time.Hour)
	}
	if methods, err := firm.Methods(ada); err != nil || len(methods) != 2 {
		t.Errorf("methods made from the report: %v %v", methods, err)
	}
	if capable, _ := got(ben); capable != true || !firm.IsCapable(ben) {
		t.Error("ben's own methods are not the truth")
	}
	if err := firm.Register(ada, tenant.AuthenticatorPush, c.now); err != nil {
		t.Fatal(err)
	}
	c.advance(6 * time.Hour)
	if capable, methods := got(ada); capable != true || !cmp.Equal(methods, any([]any{"microsoftAuthenticatorPush", "passKeyDeviceBound"})) {
		t.Errorf("after registering: %v %v", capable, methods)
	}
}

// examples is the folder of Microsoft's documented answers, beside the checkout.
func examples(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SALLYPORT_GRAPH_EXAMPLES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "graph-examples")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the documented answers are not here (set SALLYPORT_GRAPH_EXAMPLES): %v", err)
	}
	return dir
}

// Every documented answer of a listing loads, and its rows are told again.
func TestDocumentedAnswersLoad(t *testing.T) {
	dir := examples(t)
	for file, want := range map[string]struct {
		path string
		rows int
	}{
		"users-list-assignedLicenses.json":                          {"/users", 2},
		"users-list-signInActivity.json":                            {"/users", 2},
		"users-delta-page1.json":                                    {"/users", 1},
		"conditionalAccessPolicy-get.json":                          {policies, 1},
		"conditionalAccessPolicy-list.json":                         {policies, 2},
		"conditionalAccessPolicy-create-response-exo-mfa.json":      {policies, 1},
		"DERIVED-conditionalAccessPolicy-create-mfa-all-users.json": {policies, 1},
		"organization-list.json":                                    {"/organization", 1},
		"subscribedSkus-list.json":                                  {"/subscribedSkus", 2},
		"DERIVED-subscribedSkus-entra-p2.json":                      {"/subscribedSkus", 1},
		"roleAssignments-list-by-role.json":                         {"/roleManagement/directory/roleAssignments", 3},
		"riskDetections-list.json":                                  {"/identityProtection/riskDetections", 1},
		"riskyUsers-list.json":                                      {"/identityProtection/riskyUsers", 1},
		"riskyUsers-list-beta-with-values.json":                     {"/identityProtection/riskyUsers", 1},
		"userRegistrationDetails-list.json":                         {"/reports/authenticationMethods/userRegistrationDetails", 3},
		"signIn-list-success.json":                                  {"/auditLogs/signIns", 1},
		"signIn-list-beta-authenticationDetails.json":               {"/auditLogs/signIns", 1},
		"DERIVED-signIn-list-failures.json":                         {"/auditLogs/signIns", 5},
		"DERIVED-signIn-list-reportOnly.json":                       {"/auditLogs/signIns", 4},
		"securityDefaults-get.json":                                 {"/policies/identitySecurityDefaultsEnforcementPolicy", 0},
		"authenticationMethodsPolicy-get.json":                      {"/policies/authenticationMethodsPolicy", 0},
	} {
		t.Run(file, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{file: string(b)}
			if want.path != "/users" {
				files["users.json"] = usersOf(t, b)
			}
			if want.path != policies {
				files["conditionalAccessPolicies.json"] = noPolicy
			}
			if want.path != "/subscribedSkus" {
				files["subscribedSkus.json"] = `[{"id":"s","capabilityStatus":"Enabled","servicePlans":[{"servicePlanId":"` + tenant.PlanP2 + `","provisioningStatus":"Success"}]}]`
			}
			c := newClock()
			switch { // the log keeps 30 days, and the samples are old
			case strings.Contains(file, "authenticationDetails"):
				c.now = time.Date(2018, 11, 7, 0, 0, 0, 0, time.UTC)
			case strings.Contains(file, "signIn"):
				c.now = time.Date(2020, 3, 14, 0, 0, 0, 0, time.UTC)
			}
			firm, report, err := tenant.Load(folderOf(t, files), 1, c)
			if err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(report.Lines(), "\n"))
			}
			if len(report.Unused) > 0 {
				t.Errorf("not used: %v", report.Unused)
			}
			o := call(t, unthrottled(firm), everyRole...).get(want.path)
			if n := len(objectsOf(o["value"])); n != want.rows {
				t.Errorf("%d rows, want %d", n, want.rows)
			}
			if want.rows == 0 && o["id"] == nil {
				t.Errorf("not told again: %v", o)
			}
		})
	}
}

// usersOf makes a users listing of whoever the rows of an answer are about.
func usersOf(t *testing.T, answer []byte) string {
	t.Helper()
	var o tenant.Object
	if err := json.Unmarshal(answer, &o); err != nil {
		t.Fatal(err)
	}
	var rows []tenant.Object
	for _, r := range objectsOf(o["value"]) {
		if upn := str(r, "userPrincipalName"); upn != "" {
			rows = append(rows, tenant.Object{"id": r["id"], "userPrincipalName": upn, "accountEnabled": true})
		}
	}
	if len(rows) == 0 {
		return adaUser
	}
	b, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The whole folder of documented answers loads at once; what is no part of a
// tenant is named.
func TestAllDocumentedAnswersLoadAtOnce(t *testing.T) {
	firm, report, err := tenant.Load(examples(t), 1, newClock())
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(report.Lines(), "\n"))
	}
	if n := len(firm.Users()); n != 5 {
		t.Errorf("%d accounts, want the 5 of the three listings", n)
	}
	for _, words := range [][]string{{"batch-request.json", "not used"}, {"SOURCES.txt", "not used"}, {"mailboxSettings-userPurpose-get-beta.json", "whose it is"}, {"group-members-list.json", "of which group"}} {
		if !said(report, words...) {
			t.Errorf("nothing says %v:\n%s", words, strings.Join(report.Lines(), "\n"))
		}
	}
	files, err := os.ReadDir(examples(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !said(report, f.Name()) {
			t.Errorf("%s was skipped without a word", f.Name())
		}
	}
}

// However a folder is mangled, loading ends in a tenant or in an error.
func FuzzLoad(f *testing.F) {
	f.Add(`{"value":[` + adaUser + `]}`)
	f.Add(`[[],{"value":{}},{"responses":[{"status":"200","body":[]}]}]`)
	f.Add("\xFF\xFE{\x00}\x00")
	f.Add(`{"` + ada + `":[{"@odata.type":"x"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		dir := t.TempDir()
		for _, name := range []string{"users", "conditionalAccessPolicies", "groups", "authenticationMethods", "userPurpose", "signIns", "organization", "userRegistrationDetails", "subscribedSkus", "authenticationMethodsPolicy"} {
			if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		firm, _, err := tenant.Load(dir, 1, newClock())
		if err != nil {
			return
		}
		for _, u := range firm.Users() {
			if _, err := firm.SignIn(tenant.Attempt{UserID: str(u, "id")}); err != nil {
				t.Error(err)
			}
		}
		if err := firm.Save(t.TempDir()); err != nil {
			t.Error(err)
		}
	})
}

// A saved policy that names no client apps is about all of them, at a sign-in and
// for the witness.
func TestAPolicyWithoutClientAppsIsAboutAll(t *testing.T) {
	firm, _ := load(t, map[string]string{
		"users.json":                     adaUser,
		"conditionalAccessPolicies.json": `{"id":"dddddddd-0000-4000-8000-000000000004","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`,
	})
	if demand, by := firm.DemandsMFA(ada); demand != tenant.DemandAlways {
		t.Errorf("DemandsMFA = %s by %v, want always", demand, by)
	}
}

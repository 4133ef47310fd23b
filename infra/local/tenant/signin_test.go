package tenant_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
)

// exact is a tenant that is never late and never throttles.
func exact(firm *tenant.Tenant) *tenant.Tenant {
	firm.SetBehaviour(tenant.Behaviour{})
	return firm
}

// everybody is a policy that demands MFA of everybody but those excluded.
func everybody(state string, exclude ...any) tenant.Object {
	return tenant.Object{
		"displayName": "MFA for everybody", "state": state,
		"conditions": tenant.Object{
			"clientAppTypes": []any{"all"}, "applications": tenant.Object{"includeApplications": []any{"All"}},
			"users": tenant.Object{"includeUsers": []any{"All"}, "excludeUsers": exclude},
		},
		"grantControls": tenant.Object{"operator": "OR", "builtInControls": []any{"mfa"}},
	}
}

// people of the sample with nothing, with SMS only, and with the Authenticator.
type people struct{ nothing, phone, app, resistant string }

func peopleOf(t *testing.T, firm *tenant.Tenant) people {
	t.Helper()
	holds := func(want ...string) func(tenant.Object) bool {
		return func(u tenant.Object) bool {
			methods, err := firm.Methods(str(u, "id"))
			if err != nil || firm.IsAdmin(str(u, "id")) || str(u, "department") == "IT" {
				return false
			}
			var have []string
			for _, m := range methods[1:] {
				have = append(have, str(m, "@odata.type")[len("#microsoft.graph."):])
			}
			return cmp.Equal(want, have)
		}
	}
	return people{
		nothing: anyone(t, firm, holds()), phone: anyone(t, firm, holds("phoneAuthenticationMethod")),
		app: anyone(t, firm, holds("microsoftAuthenticatorAuthenticationMethod")), resistant: anyone(t, firm, holds("fido2AuthenticationMethod")),
	}
}

func TestWhatComesOfASignIn(t *testing.T) {
	mfa := everybody(tenant.StateEnabled)
	resistant := everybody(tenant.StateEnabled)
	resistant["grantControls"] = tenant.Object{"operator": "OR", "authenticationStrength": tenant.Object{"id": "00000000-0000-0000-0000-000000000004"}}
	orCompliant := everybody(tenant.StateEnabled)
	orCompliant["grantControls"] = tenant.Object{"operator": "OR", "builtInControls": []any{"mfa", "compliantDevice"}}
	andCompliant := everybody(tenant.StateEnabled)
	andCompliant["grantControls"] = tenant.Object{"operator": "AND", "builtInControls": []any{"mfa", "compliantDevice"}}
	block := everybody(tenant.StateEnabled)
	block["grantControls"] = tenant.Object{"operator": "OR", "builtInControls": []any{"block"}}
	unknown := everybody(tenant.StateEnabled)
	unknown["grantControls"] = tenant.Object{"operator": "OR", "builtInControls": []any{"riskRemediation"}}
	restrict := everybody(tenant.StateEnabled)
	restrict["conditions"].(tenant.Object)["applications"] = tenant.Object{"includeUserActions": []any{"urn:user:registersecurityinfo"}}
	restrict["conditions"].(tenant.Object)["locations"] = tenant.Object{"includeLocations": []any{"All"}, "excludeLocations": []any{"AllTrusted"}}
	restrict["grantControls"] = tenant.Object{"operator": "OR", "builtInControls": []any{"block"}}

	moon := everybody(tenant.StateEnabled)
	moon["conditions"].(tenant.Object)["moonPhases"] = []any{"full"}

	for name, s := range map[string]struct {
		policies []tenant.Object
		defaults bool
		risky    bool
		off      bool
		who      func(people) string
		attempt  tenant.Attempt
		want     int
	}{
		"nothing is demanded":                          {who: func(p people) string { return p.nothing }, want: 0},
		"nobody who has nothing passes":                {policies: []tenant.Object{mfa}, who: func(p people) string { return p.nothing }, want: 50072},
		"a script without a method":                    {policies: []tenant.Object{mfa}, who: func(p people) string { return p.nothing }, attempt: tenant.Attempt{NonInteractive: true}, want: 50079},
		"a script with a method":                       {policies: []tenant.Object{mfa}, who: func(p people) string { return p.app }, attempt: tenant.Attempt{NonInteractive: true}, want: 50076},
		"SMS passes plain MFA":                         {policies: []tenant.Object{mfa}, who: func(p people) string { return p.phone }, want: 0},
		"SMS is not phishing-resistant":                {policies: []tenant.Object{resistant}, who: func(p people) string { return p.phone }, want: 50072},
		"a key is":                                     {policies: []tenant.Object{resistant}, who: func(p people) string { return p.resistant }, want: 0},
		"walking away":                                 {policies: []tenant.Object{mfa}, who: func(p people) string { return p.app }, attempt: tenant.Attempt{Answer: tenant.Abandons}, want: 50074},
		"denying":                                      {policies: []tenant.Object{mfa}, who: func(p people) string { return p.app }, attempt: tenant.Attempt{Answer: tenant.Denies}, want: 500121},
		"a session that carries MFA is not asked":      {policies: []tenant.Object{mfa}, who: func(p people) string { return p.app }, attempt: tenant.Attempt{MFAClaim: true, Answer: tenant.Denies}, want: 0},
		"nobody carries MFA who cannot pass it":        {policies: []tenant.Object{mfa}, who: func(p people) string { return p.nothing }, attempt: tenant.Attempt{MFAClaim: true}, want: 50072},
		"a compliant device instead":                   {policies: []tenant.Object{orCompliant}, who: func(p people) string { return p.nothing }, attempt: tenant.Attempt{Compliant: true}, want: 0},
		"MFA instead of a compliant device":            {policies: []tenant.Object{orCompliant}, who: func(p people) string { return p.app }, want: 0},
		"both are demanded":                            {policies: []tenant.Object{andCompliant}, who: func(p people) string { return p.app }, want: 53000},
		"blocked":                                      {policies: []tenant.Object{block, mfa}, who: func(p people) string { return p.app }, want: 53003},
		"a control that nobody knows is not met":       {policies: []tenant.Object{unknown}, who: func(p people) string { return p.app }, want: 530032},
		"IMAP is blocked by the firm's own policy":     {who: func(p people) string { return p.app }, attempt: tenant.Attempt{Client: "IMAP4"}, want: 53003},
		"the wrong password comes first":               {policies: []tenant.Object{block}, who: func(p people) string { return p.app }, attempt: tenant.Attempt{Refused: 50126}, want: 50126},
		"a disabled account comes before that":         {policies: []tenant.Object{block}, off: true, who: func(p people) string { return p.app }, attempt: tenant.Attempt{Refused: 50126}, want: 50057},
		"the risky may not register":                   {policies: []tenant.Object{mfa}, risky: true, who: func(p people) string { return p.nothing }, want: 53004},
		"registering is blocked from here":             {policies: []tenant.Object{mfa, restrict}, who: func(p people) string { return p.nothing }, want: 53010},
		"and allowed from the office":                  {policies: []tenant.Object{mfa, restrict}, who: func(p people) string { return p.nothing }, attempt: tenant.Attempt{Trusted: true}, want: 50072},
		"security defaults ask those who have nothing": {defaults: true, who: func(p people) string { return p.nothing }, want: 50072},
		"a condition that nobody knows is not met":     {policies: []tenant.Object{moon}, who: func(p people) string { return p.nothing }, want: 0},
		"nor by a claim that cannot be":                {defaults: true, who: func(p people) string { return p.nothing }, attempt: tenant.Attempt{MFAClaim: true}, want: 50072},
		"security defaults do not take SMS":            {defaults: true, who: func(p people) string { return p.phone }, want: 50072},
		"security defaults take the Authenticator":     {defaults: true, who: func(p people) string { return p.app }, want: 0},
		"security defaults block old protocols":        {defaults: true, who: func(p people) string { return p.app }, attempt: tenant.Attempt{Client: "POP3"}, want: 530035},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			firm := exact(tenant.Sample(1, c))
			if s.defaults {
				legacy, _ := firm.PolicyID(tenant.SampleBlockLegacy)
				if err := firm.SetPolicyState(legacy, tenant.StateDisabled); err != nil {
					t.Fatal(err)
				}
				firm.SetSecurityDefaults(true)
			}
			for _, p := range s.policies {
				firm.AddPolicy(p)
			}
			s.attempt.UserID = s.who(peopleOf(t, firm))
			if s.risky {
				if err := firm.AddRisk(s.attempt.UserID, "high", "leakedCredentials"); err != nil {
					t.Fatal(err)
				}
			}
			if s.off {
				if err := firm.SetEnabled(s.attempt.UserID, false); err != nil {
					t.Fatal(err)
				}
			}
			got, err := firm.SignIn(s.attempt)
			if err != nil {
				t.Fatal(err)
			}
			if got.Code != s.want {
				t.Errorf("error code %d, want %d (%+v)", got.Code, s.want, got)
			}
			if mfaStopped := got.Code != 0 && s.want != 50126 && s.want != 50057; got.Stopped() != mfaStopped {
				t.Errorf("Stopped() = %v with code %d", got.Stopped(), got.Code)
			}
		})
	}
}

// Whom a policy is about: exclusion wins, groups count at any depth, roles count
// through groups, an unknown condition narrows.
func TestWhomAPolicyIsAbout(t *testing.T) {
	c := newClock()
	firm := exact(tenant.Sample(1, c))
	p := peopleOf(t, firm)
	staff, _ := firm.GroupID("All staff")
	desk, _ := firm.GroupID("Helpdesk admins")
	deskAdmin := firm.TransitiveMembers(desk)[0]
	guest := ""
	for _, u := range firm.Users() {
		if u["userType"] == "Guest" {
			guest = str(u, "id")
		}
	}
	const helpdesk = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
	for name, w := range map[string]struct {
		users    tenant.Object
		who      string
		about    bool
		always   bool
		narrowed tenant.Object
	}{
		"everybody":                      {tenant.Object{"includeUsers": []any{"All"}}, p.app, true, true, nil},
		"nobody":                         {tenant.Object{"includeUsers": []any{"None"}}, p.app, false, false, nil},
		"included and excluded":          {tenant.Object{"includeUsers": []any{p.app}, "excludeUsers": []any{p.app}}, p.app, false, false, nil},
		"excluded through nested groups": {tenant.Object{"includeUsers": []any{"All"}, "excludeGroups": []any{staff}}, p.app, false, false, nil},
		"included through nested groups": {tenant.Object{"includeGroups": []any{staff}}, p.app, true, true, nil},
		"a role held through a group":    {tenant.Object{"includeRoles": []any{helpdesk}}, deskAdmin, true, true, nil},
		"a role not held":                {tenant.Object{"includeRoles": []any{helpdesk}}, p.app, false, false, nil},
		"guests, by the old word":        {tenant.Object{"includeUsers": []any{"GuestsOrExternalUsers"}}, guest, true, true, nil},
		"guests, by kind":                {tenant.Object{"includeGuestsOrExternalUsers": tenant.Object{"guestOrExternalUserTypes": "b2bCollaborationGuest"}}, guest, true, true, nil},
		"other guests":                   {tenant.Object{"includeGuestsOrExternalUsers": tenant.Object{"guestOrExternalUserTypes": "serviceProvider"}}, guest, false, false, nil},
		"guests excluded":                {tenant.Object{"includeUsers": []any{"All"}, "excludeUsers": []any{"GuestsOrExternalUsers"}}, guest, false, false, nil},
		"a placeholder is nobody":        {tenant.Object{"includeUsers": []any{"All"}, "excludeUsers": []any{"Current administrator will be excluded"}}, p.app, true, true, nil},
		"narrowed by place":              {tenant.Object{"includeUsers": []any{"All"}}, p.app, true, false, tenant.Object{"locations": tenant.Object{"includeLocations": []any{"All"}, "excludeLocations": []any{"AllTrusted"}}}},
		"narrowed to some apps":          {tenant.Object{"includeUsers": []any{"All"}}, p.app, true, false, tenant.Object{"applications": tenant.Object{"includeApplications": []any{"Office365"}}}},
		"narrowed to some platforms":     {tenant.Object{"includeUsers": []any{"All"}}, p.app, true, false, tenant.Object{"platforms": tenant.Object{"includePlatforms": []any{"all"}, "excludePlatforms": []any{"iOS"}}}},
		"on every platform":              {tenant.Object{"includeUsers": []any{"All"}}, p.app, true, true, tenant.Object{"platforms": tenant.Object{"includePlatforms": []any{"all"}, "excludePlatforms": []any{}}}},
		"at every place":                 {tenant.Object{"includeUsers": []any{"All"}}, p.app, true, true, tenant.Object{"locations": tenant.Object{"includeLocations": []any{"All"}, "excludeLocations": []any{}}}},
		"narrowed by what is new":        {tenant.Object{"includeUsers": []any{"All"}}, p.app, true, false, tenant.Object{"moonPhases": []any{"full"}}},
	} {
		t.Run(name, func(t *testing.T) {
			policy := everybody(tenant.StateEnabled)
			policy["conditions"].(tenant.Object)["users"] = w.users
			for k, v := range w.narrowed {
				policy["conditions"].(tenant.Object)[k] = v
			}
			id := firm.AddPolicy(policy)
			defer func() {
				if err := firm.DeletePolicy(id); err != nil {
					t.Error(err)
				}
			}()
			if got := firm.Addresses(id, w.who); got != w.about {
				t.Errorf("Addresses = %v, want %v", got, w.about)
			}
			want := tenant.DemandNo
			if w.about {
				want = tenant.DemandPartly
			}
			if w.always {
				want = tenant.DemandAlways
			}
			if got, by := firm.DemandsMFA(w.who); got != want {
				t.Errorf("DemandsMFA = %v by %v, want %v", got, by, want)
			}
		})
	}
}

// A policy that asks for MFA at no sign-in demands it of nobody, though it is
// about everybody.
func TestMFAThatIsAskedForNowhere(t *testing.T) {
	firm := exact(tenant.Sample(1, newClock()))
	p := peopleOf(t, firm)
	for name, set := range map[string]func(policy tenant.Object){
		"about no application": func(policy tenant.Object) {
			policy["conditions"].(tenant.Object)["applications"] = tenant.Object{"includeApplications": []any{"None"}}
		},
		"about something done": func(policy tenant.Object) {
			policy["conditions"].(tenant.Object)["applications"] = tenant.Object{"includeUserActions": []any{"urn:user:registersecurityinfo"}}
		},
		"that blocks": func(policy tenant.Object) {
			policy["grantControls"] = tenant.Object{"operator": "OR", "builtInControls": []any{"block", "mfa"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			policy := everybody(tenant.StateEnabled)
			set(policy)
			id := firm.AddPolicy(policy)
			if !firm.Addresses(id, p.app) {
				t.Fatal("the policy is not about everybody")
			}
			if got, by := firm.DemandsMFA(p.app); got != tenant.DemandNo || len(by) > 0 {
				t.Errorf("DemandsMFA = %v by %v", got, by)
			}
			if err := firm.DeletePolicy(id); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a report-only policy says depends on what the session carries.
func TestReportOnlyVerdicts(t *testing.T) {
	c := newClock()
	firm := exact(tenant.Sample(1, c))
	p := peopleOf(t, firm)
	emergency := idOf(t, firm, tenant.SampleEmergencyOne)
	firm.AddPolicy(everybody(tenant.StateReportOnly, emergency))
	block := everybody(tenant.StateReportOnly)
	block["displayName"] = "Block"
	block["grantControls"] = tenant.Object{"operator": "OR", "builtInControls": []any{"block"}}
	firm.AddPolicy(block)
	off := everybody(tenant.StateDisabled)
	off["displayName"] = "Off"
	firm.AddPolicy(off)
	app := call(t, firm, everyRole...).with("Prefer", "odata.maxpagesize=50, include-unknown-enum-members")
	for name, w := range map[string]struct {
		attempt tenant.Attempt
		want    string
	}{
		"nobody asked, nothing carried": {tenant.Attempt{UserID: p.app}, "reportOnlyInterrupted"},
		"carried":                       {tenant.Attempt{UserID: p.app, MFAClaim: true}, "reportOnlySuccess"},
		"no method":                     {tenant.Attempt{UserID: p.nothing}, "reportOnlyInterrupted"},
		"excluded":                      {tenant.Attempt{UserID: emergency}, "reportOnlyNotApplied"},
	} {
		out, err := firm.SignIn(w.attempt)
		if err != nil || out.Code != 0 {
			t.Fatalf("%s: %v %+v", name, err, out)
		}
		got := verdicts(app.get("/auditLogs/signIns/" + out.ID))
		want := map[string]string{"MFA for everybody": w.want, "Block": "reportOnlyFailure", "Off": "notEnabled", tenant.SampleManagedPolicy: "reportOnlyNotApplied", tenant.SampleBlockLegacy: "notApplied"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		plain := call(t, firm, everyRole...)
		if got := verdicts(plain.get("/auditLogs/signIns/" + out.ID))["MFA for everybody"]; got != "unknownFutureValue" {
			t.Errorf("%s, without the Prefer header: %s", name, got)
		}
	}
	out, err := firm.SignIn(tenant.Attempt{UserID: p.app})
	if err != nil {
		t.Fatal(err)
	}
	if o := call(t, firm, "AuditLog.Read.All").get("/auditLogs/signIns/" + out.ID); o["appliedConditionalAccessPolicies"] != nil {
		t.Error("policies are told to a caller who may not read them")
	}
}

func verdicts(o tenant.Object) map[string]string {
	out := map[string]string{}
	for _, p := range objectsOf(o["appliedConditionalAccessPolicies"]) {
		out[str(p, "displayName")] = str(p, "result")
	}
	return out
}

// A changed policy is read at once and decides about sign-ins later.
func TestPoliciesTakeTimeToSpread(t *testing.T) {
	c := newClock()
	firm := unthrottled(tenant.Sample(1, c))
	p := peopleOf(t, firm)
	app := call(t, firm, everyRole...)
	status, made, _ := app.do(http.MethodPost, policies, draft(tenant.StateReportOnly))
	if status != http.StatusCreated {
		t.Fatal(status)
	}
	c.advance(3 * time.Hour)
	if status, _, _ := app.do(http.MethodPatch, policies+"/"+str(made, "id"), `{"state":"enabled"}`); status != http.StatusNoContent {
		t.Fatal(status)
	}
	if str(app.get(policies+"/"+str(made, "id")), "state") != tenant.StateEnabled {
		t.Error("the change is not read back at once")
	}
	if demand, _ := firm.DemandsMFA(p.nothing); demand != tenant.DemandAlways {
		t.Errorf("as written it demands %s", demand)
	}
	codes := func() int {
		out, err := firm.SignIn(tenant.Attempt{UserID: p.nothing})
		if err != nil {
			t.Fatal(err)
		}
		return out.Code
	}
	if code := codes(); code != 0 {
		t.Errorf("at once: %d, want 0", code)
	}
	c.advance(2 * time.Hour)
	if code := codes(); code != 50072 {
		t.Errorf("after two hours: %d, want 50072", code)
	}
	if err := firm.DeletePolicy(str(made, "id")); err != nil {
		t.Fatal(err)
	}
	if code := codes(); code != 50072 {
		t.Errorf("just deleted: %d, want 50072", code)
	}
	c.advance(2 * time.Hour)
	if code := codes(); code != 0 {
		t.Errorf("long deleted: %d, want 0", code)
	}
}

// The log is late, lists some rows twice and publishes some again; who overlaps
// by two hours and keeps rows by id misses none.
func TestTheLogArrivesLateTwiceAndAgain(t *testing.T) {
	c := newClock()
	firm := unthrottled(tenant.Sample(1, c))
	app := call(t, firm, everyRole...).with("Prefer", "include-unknown-enum-members")
	start := c.now
	var ids []string
	users := slices.DeleteFunc(firm.Users(), func(u tenant.Object) bool { return u["accountEnabled"] != true })
	for i := range 400 {
		out, err := firm.SignIn(tenant.Attempt{UserID: str(users[i%200], "id"), AppID: tenant.AppAzurePortal})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, out.ID)
		c.advance(15 * time.Second)
	}
	rows := func() []tenant.Object {
		return app.rows("/auditLogs/signIns?$top=50&$filter=createdDateTime ge " + start.Format(time.RFC3339))
	}
	for _, r := range rows() {
		if created, err := time.Parse(time.RFC3339, str(r, "createdDateTime")); err != nil || c.now.Sub(created) < 2*time.Minute {
			t.Errorf("a row of %v is there after %v", created, c.now.Sub(created))
		}
	}
	if n := len(rows()); n == 0 || n >= 400 {
		t.Errorf("%d rows at once", n)
	}
	c.advance(15 * time.Minute)
	all := rows()
	hollow, listed := map[string]bool{}, map[string]int{}
	for i, r := range all {
		listed[str(r, "id")]++
		if len(verdicts(r)) == 0 {
			hollow[str(r, "id")] = true
		}
		if i > 0 && str(all[i-1], "createdDateTime") < str(r, "createdDateTime") {
			t.Error("the log is not newest first")
		}
	}
	twice := 0
	for _, id := range ids {
		if listed[id] == 0 {
			t.Errorf("%s is missing after 15 minutes", id)
		}
		if listed[id] == 2 {
			twice++
		}
	}
	if twice < 5 || len(hollow) < 3 {
		t.Errorf("%d of 400 are listed twice, %d came without what the policies said", twice, len(hollow))
	}
	c.advance(2 * time.Hour)
	for _, r := range rows() {
		if len(verdicts(r)) == 0 {
			t.Errorf("%s is not complete after two hours", str(r, "id"))
		}
	}
}

func TestSignInQueries(t *testing.T) {
	c := newClock()
	firm := exact(tenant.Sample(1, c))
	p := peopleOf(t, firm)
	app := call(t, firm, everyRole...)
	at := map[string]string{}
	for i, a := range []tenant.Attempt{{UserID: p.app}, {UserID: p.nothing, Refused: 50126}, {UserID: p.app, Refused: 50126}, {UserID: p.app, NonInteractive: true}} {
		c.advance(time.Hour)
		out, err := firm.SignIn(a)
		if err != nil {
			t.Fatal(err)
		}
		at[out.ID] = fmt.Sprint(i)
	}
	day := func(h int) string { return newClock().now.Add(time.Duration(h) * time.Hour).Format(time.RFC3339) }
	for filter, want := range map[string]string{
		"":                          "210",
		"userId eq '" + p.app + "'": "20",
		"status/errorCode eq 50126": "21",
		"status/errorCode eq 0":     "0",
		"status/errorCode eq 50126 and userId eq '" + p.nothing + "'":        "1",
		"createdDateTime ge " + day(2) + " and createdDateTime le " + day(2): "1",
		"createdDateTime ge " + day(2) + " and userId eq '" + p.app + "'":    "2",
		"isInteractive eq true and startswith(userPrincipalName,'zzz')":      "",
		"clientAppUsed eq 'Browser' and createdDateTime le " + day(1):        "0",
		"userId eq '" + p.app + "' and (status/errorCode eq 0)":              "0",
	} {
		got := ""
		for _, r := range app.rows("/auditLogs/signIns?$filter=" + filter) {
			got += at[str(r, "id")]
		}
		if got != want {
			t.Errorf("%q: rows %q, want %q", filter, got, want)
		}
	}
	const unattended = "/auditLogs/signIns?$filter=signInEventTypes/any(t: t eq 'nonInteractiveUser')"
	if status, _, _ := app.do(http.MethodGet, unattended, ""); status != http.StatusBadRequest {
		t.Errorf("v1.0 knows no signInEventTypes, and answers %d", status)
	}
	var nonInteractive []tenant.Object
	for _, r := range app.rows("/beta" + unattended) {
		if at[str(r, "id")] != "" {
			nonInteractive = append(nonInteractive, r)
		}
	}
	if len(nonInteractive) != 1 || at[str(nonInteractive[0], "id")] != "3" || nonInteractive[0]["authenticationRequirement"] == nil {
		t.Errorf("non-interactive: %v", nonInteractive)
	}
	c.advance(31 * 24 * time.Hour)
	if n := len(app.rows("/auditLogs/signIns")); n != 0 {
		t.Errorf("%d rows after 31 days, want none: they are kept for 30", n)
	}
}

func TestSkipTokensOfTheLogRunOut(t *testing.T) {
	c := newClock()
	firm := exact(tenant.Sample(1, c))
	app := call(t, firm, everyRole...)
	for _, u := range firm.Users()[:3] {
		if _, err := firm.SignIn(tenant.Attempt{UserID: str(u, "id")}); err != nil {
			t.Fatal(err)
		}
	}
	next := str(app.get("/auditLogs/signIns?$top=1"), "@odata.nextLink")
	c.advance(21 * time.Minute)
	if status, o, _ := app.do(http.MethodGet, next, ""); status != http.StatusBadRequest || errorMessage(o) != "Skip token has expired." {
		t.Errorf("%d %v", status, o)
	}
}

// The report shows what was, until its next refresh.
func TestTheReportLags(t *testing.T) {
	c := newClock()
	firm := unthrottled(tenant.Sample(1, c))
	p := peopleOf(t, firm)
	app := call(t, firm, everyRole...)
	row := func() tenant.Object {
		return app.get("/reports/authenticationMethods/userRegistrationDetails/" + p.nothing)
	}
	c.advance(30 * time.Hour)
	if err := firm.Register(p.nothing, tenant.AuthenticatorPush, c.now); err != nil {
		t.Fatal(err)
	}
	if !firm.IsCapable(p.nothing) || row()["isMfaCapable"] != false {
		t.Errorf("just registered: truth %v, report %v", firm.IsCapable(p.nothing), row()["isMfaCapable"])
	}
	c.advance(6 * time.Hour)
	r := row()
	if r["isMfaCapable"] != true || !cmp.Equal(r["methodsRegistered"], any([]any{"microsoftAuthenticatorPush"})) {
		t.Errorf("six hours later: %v", r)
	}
	if refreshed, err := time.Parse(time.RFC3339, str(r, "lastUpdatedDateTime")); err != nil || refreshed.After(c.now) || c.now.Sub(refreshed) > 6*time.Hour {
		t.Errorf("lastUpdatedDateTime %v at %v", refreshed, c.now)
	}
	if err := firm.SetEnabled(p.nothing, false); err != nil {
		t.Fatal(err)
	}
	c.advance(6 * time.Hour)
	if status, _, _ := app.do(http.MethodGet, "/reports/authenticationMethods/userRegistrationDetails/"+p.nothing, ""); status != http.StatusNotFound {
		t.Errorf("a disabled account has a row: %d", status)
	}
	enabled := 0
	for _, u := range firm.Users() {
		if u["accountEnabled"] == true {
			enabled++
		}
	}
	if n := len(app.rows("/reports/authenticationMethods/userRegistrationDetails")); n != enabled {
		t.Errorf("%d rows for %d enabled accounts", n, enabled)
	}
}

// Registered is not capable: the methods policy decides.
func TestMethodsThatPolicyForbidsDoNotCount(t *testing.T) {
	c := newClock()
	firm := exact(tenant.Sample(1, c))
	p := peopleOf(t, firm)
	app := call(t, firm, everyRole...)
	row := func() (any, any) {
		c.advance(time.Minute)
		r := app.get("/reports/authenticationMethods/userRegistrationDetails/" + p.phone)
		return r["isMfaRegistered"], r["isMfaCapable"]
	}
	if registered, capable := row(); registered != true || capable != true {
		t.Errorf("SMS on: registered %v, capable %v", registered, capable)
	}
	firm.SetMethodState("Sms", "disabled")
	if registered, capable := row(); registered != true || capable != false || firm.IsCapable(p.phone) {
		t.Errorf("SMS off: registered %v, capable %v", registered, capable)
	}
}

func TestTemporaryAccessPass(t *testing.T) {
	c := newClock()
	firm := exact(tenant.Sample(1, c))
	p := peopleOf(t, firm)
	firm.AddPolicy(everybody(tenant.StateEnabled))
	app := call(t, firm, everyRole...)
	path := "/users/" + p.nothing + "/authentication/temporaryAccessPassMethods"
	for _, body := range []string{`{"lifetimeInMinutes":5}`, `{"lifetimeInMinutes":9999}`} {
		if status, _, _ := app.do(http.MethodPost, path, body); status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", body, status)
		}
	}
	status, o, _ := app.do(http.MethodPost, path, `{"lifetimeInMinutes":60,"isUsableOnce":true}`)
	if status != http.StatusCreated || len(str(o, "temporaryAccessPass")) != 8 {
		t.Fatalf("%d %v", status, o)
	}
	methods, err := firm.Methods(p.nothing)
	if err != nil || len(methods) != 2 || methods[1]["temporaryAccessPass"] != nil {
		t.Errorf("the pass itself is kept: %v %v", methods, err)
	}
	for i, want := range []int{0, 50072} {
		if out, err := firm.SignIn(tenant.Attempt{UserID: p.nothing}); err != nil || out.Code != want {
			t.Errorf("use %d: %d, want %d", i+1, out.Code, want)
		}
	}
	if status, _, _ := app.do(http.MethodPost, path, `{"lifetimeInMinutes":60}`); status != http.StatusCreated {
		t.Fatal(status)
	}
	if firm.IsCapable(p.nothing) {
		t.Error("a pass made somebody capable")
	}
	c.advance(61 * time.Minute)
	if out, err := firm.SignIn(tenant.Attempt{UserID: p.nothing}); err != nil || out.Code != 50072 {
		t.Errorf("an old pass: %d", out.Code)
	}
}

func TestActivityIsLateAndCountsAttempts(t *testing.T) {
	c := newClock()
	firm := unthrottled(tenant.Sample(1, c))
	p := peopleOf(t, firm)
	app := call(t, firm, everyRole...)
	c.advance(48 * time.Hour)
	if _, err := firm.SignIn(tenant.Attempt{UserID: p.app, Refused: 50126}); err != nil {
		t.Fatal(err)
	}
	at := c.now.Format(time.RFC3339)
	shown := func() tenant.Object {
		a, _ := app.get("/users/" + p.app + "?$select=id,signInActivity")["signInActivity"].(tenant.Object)
		return a
	}
	if str(shown(), "lastSignInDateTime") == at {
		t.Error("it is shown at once")
	}
	c.advance(24 * time.Hour)
	if a := shown(); str(a, "lastSignInDateTime") != at || str(a, "lastSuccessfulSignInDateTime") == at {
		t.Errorf("a day after a failure at %s: %v", at, a)
	}
}

func TestNobodyIsThere(t *testing.T) {
	firm := tenant.Sample(1, newClock())
	_, errSignIn := firm.SignIn(tenant.Attempt{UserID: "nobody"})
	_, errUser := firm.User("nobody")
	for name, err := range map[string]error{
		"SignIn": errSignIn, "User": errUser, "SetEnabled": firm.SetEnabled("nobody", true), "Register": firm.Register("nobody", tenant.FIDO2, time.Time{}),
		"EditPolicy": firm.EditPolicy("nothing", nil), "AddMember": firm.AddMember("nothing", "nobody"), "DeleteUser": firm.DeleteUser("nobody"),
	} {
		if !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("%s: %v, want ErrUnknown", name, err)
		}
	}
}

// Sixty days of polling every five minutes must fit into seconds.
func BenchmarkPoll(b *testing.B) {
	c := newClock()
	firm := tenant.Sample(1, c)
	firm.SetBehaviour(tenant.Behaviour{})
	users := firm.Users()[2:] // the first two are the emergency accounts, who rarely sign in
	for i := range 30000 {
		if _, err := firm.SignIn(tenant.Attempt{UserID: str(users[i%len(users)], "id")}); err != nil {
			b.Fatal(err)
		}
	}
	firm.PutApp(tenant.App{ID: reader, Roles: everyRole})
	token, _, err := firm.Token(reader)
	if err != nil {
		b.Fatal(err)
	}
	id, _ := firm.UserID(tenant.SampleEmergencyOne)
	url := "https://graph.microsoft.com/v1.0/auditLogs/signIns?%24filter=createdDateTime%20ge%20" + c.now.Add(-2*time.Hour).Format(time.RFC3339) + "%20and%20userId%20eq%20%27" + id + "%27"
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := firm.Transport().RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(res, err)
		}
		_ = res.Body.Close()
	}
}

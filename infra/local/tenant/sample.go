package tenant

import (
	"fmt"
	"strings"
	"time"
)

// The names by which a driver finds the fixed points of the sample firms:
// with [Tenant.UserID], [Tenant.GroupID] and [Tenant.PolicyID].
const (
	SampleDomain        = "contoso.onmicrosoft.com"
	SampleEmergencyOne  = "emergency1@contoso.onmicrosoft.com"
	SampleEmergencyTwo  = "emergency2@contoso.onmicrosoft.com"
	SampleScanner       = "scanner@contoso.com" // mails over SMTP, which cannot do MFA
	SampleEmergency     = "Emergency access (excluded from Conditional Access)"
	SampleBlockLegacy   = "CA001: Block legacy authentication"
	SampleManagedPolicy = "Microsoft-managed: Multifactor authentication for admins accessing Microsoft Admin Portals"

	SampleFreeDomain       = "fabrikam.onmicrosoft.com"
	SampleFreeEmergencyOne = "emergency1@fabrikam.onmicrosoft.com"
	SampleFreeEmergencyTwo = "emergency2@fabrikam.onmicrosoft.com"
)

// SKUs of the sample firms.
// Source: https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference
const (
	skuBusinessPremium = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
	skuEntraP2         = "84a661c4-e949-4bd2-a560-ed7766fcaf2b"
	skuBusinessBasic   = "3b555118-da6a-4418-894f-7df1e2096870"
	planExchange       = "9aaf7827-d63c-4b61-89c3-182f06f82e5c"
	planMFA            = "8a256a2b-b617-496d-b51b-e76466e88db0"
)

// Sample is Contoso, a believable firm of 250 accounts with P1 for everybody
// and P2 for its admins (Privileged Identity Management needs it). About 40 %
// of admins and members are MFA capable, some of them by SMS only. The same
// seed makes the same firm; dates are counted back from the clock's now.
func Sample(seed uint64, clock Clock) *Tenant {
	t := New("Contoso", SampleDomain, seed, clock)
	t.AddDomain("contoso.com", true)
	t.organization["onPremisesSyncEnabled"] = true
	t.organization["onPremisesLastSyncDateTime"] = stamp(clock.Now().Add(-20 * time.Minute))
	t.organization["technicalNotificationMails"] = []any{"it@contoso.com"}
	t.AddSKU(skuBusinessPremium, "SPB", 230, map[string]string{PlanP1: "AAD_PREMIUM", planMFA: "MFA_PREMIUM", planExchange: "EXCHANGE_S_STANDARD"})
	t.AddSKU(skuEntraP2, "AAD_PREMIUM_P2", 15, map[string]string{PlanP1: "AAD_PREMIUM", PlanP2: "AAD_PREMIUM_P2"})

	f := &firm{t: t, seed: seed, now: clock.Now(), domain: "contoso.com", initial: SampleDomain, licence: skuBusinessPremium, roster: roster{seed: seed, taken: map[string]bool{}}}
	emergency := f.emergency()
	sync := f.account("Sync_CONTOSO-DC01_5f0e2a@"+SampleDomain, "On-Premises Directory Synchronization Service Account", nil)
	t.AssignRole(sync, roleSync, "/")
	f.active(sync, 0, true)
	f.admins()
	f.members(168)
	for range 6 {
		f.person("Sales", nil) // has never signed in
	}
	for i := range 12 {
		id := f.person("Research", Object{"accountEnabled": false})
		f.active(id, 200+20*i, false)
		f.register(id, [][]MethodKind{nil, {MobilePhone}, {AuthenticatorPush}}[i%3])
	}
	legacy := f.services()
	f.sharedMailboxes("info", "sales", "support", "accounts", "people", "press", "careers", "invoices", "events", "legal", "facilities", "bookings")
	f.rooms()
	f.guests(25)
	f.offices()
	emergencyGroup := t.AddGroup(SampleEmergency, Object{"description": "Both emergency accounts. Never remove them.", "isManagementRestricted": true}, emergency...)
	legacyGroup := t.AddGroup("Legacy mail devices", nil, legacy...)
	f.policies(emergencyGroup, legacyGroup)
	f.managers()
	f.leftovers()
	f.lastDays(legacy)
	t.settle()
	return t
}

// SampleFree is Fabrikam, 30 accounts without P1: no report, no sign-in log, no
// Conditional Access. Security Defaults are off.
func SampleFree(seed uint64, clock Clock) *Tenant {
	t := New("Fabrikam", SampleFreeDomain, seed, clock)
	t.AddDomain("fabrikam.com", true)
	t.organization["technicalNotificationMails"] = []any{"it@fabrikam.com"}
	t.AddSKU(skuBusinessBasic, "O365_BUSINESS_ESSENTIALS", 30, map[string]string{planExchange: "EXCHANGE_S_STANDARD"})
	f := &firm{t: t, seed: seed, now: clock.Now(), domain: "fabrikam.com", initial: SampleFreeDomain, licence: skuBusinessBasic, cloudOnly: true, roster: roster{seed: seed, taken: map[string]bool{}}}
	f.emergency()
	for i, role := range []string{RoleGlobalAdmin, "729827e3-9c14-49f7-bb1b-9608f156bbb8"} {
		id := f.person("IT", nil)
		t.AssignRole(id, role, "/")
		f.register(id, [][]MethodKind{{AuthenticatorPush}, nil}[i])
		f.active(id, 1, false)
	}
	f.members(20)
	scanner := f.account("scanner@fabrikam.com", "Office scanner", nil)
	f.active(scanner, 0, true)
	f.sharedMailboxes("info", "orders")
	f.guests(2)
	f.active(f.person("Sales", Object{"accountEnabled": false}), 300, false)
	t.settle()
	return t
}

// GroupID finds a group by its name.
func (t *Tenant) GroupID(displayName string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return named(t.groups, displayName)
}

// PolicyID finds a policy by its name.
func (t *Tenant) PolicyID(displayName string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return named(t.policies, displayName)
}

func named(in *table, displayName string) (string, bool) {
	for _, o := range in.all() {
		if text(o, "displayName") == displayName {
			return text(o, "id"), true
		}
	}
	return "", false
}

// firm builds a sample.
type firm struct {
	t                        *Tenant
	seed                     uint64
	now                      time.Time
	domain, initial, licence string
	cloudOnly                bool
	roster                   roster
	people                   []string // members and admins, for the offices
	cities                   map[string][]string
	departments              map[string][]string
}

// account adds an account that is no person.
func (f *firm) account(upn, name string, more Object) string {
	o := Object{
		"userPrincipalName": upn, "displayName": name, "mail": nil, "givenName": nil, "surname": nil, "jobTitle": nil, "department": nil,
		"usageLocation": "GB", "preferredLanguage": nil, "officeLocation": nil, "mobilePhone": nil, "onPremisesSyncEnabled": nil,
		"createdDateTime": stamp(f.before(400, 2000, "created", upn)), "mailNickname": strings.SplitN(upn, "@", 2)[0],
		"creationType": nil, "externalUserState": nil,
	}
	for k, v := range more {
		o[k] = v
	}
	id, err := f.t.AddUser(o)
	if err != nil { // two accounts of one name: the sample is wrong, and its test says so
		return ""
	}
	return id
}

// person adds an employee with a mailbox and a licence.
func (f *firm) person(department string, more Object) string {
	d := f.roster.draw()
	upn := d.alias + "@" + f.domain
	var synced any
	if !f.cloudOnly && share(f.seed, "synced", upn) < 0.7 {
		synced = true
	}
	var language any = d.language
	if share(f.seed, "language", upn) < 0.1 {
		language = nil // as in many tenants, nobody ever set it
	}
	o := Object{
		"givenName": d.given, "surname": d.family, "mail": upn, "department": department, "usageLocation": d.country, "preferredLanguage": language,
		"officeLocation": d.city, "jobTitle": "Specialist, " + department, "onPremisesSyncEnabled": synced,
		"createdDateTime":  stamp(f.before(60, 2500, "created", upn)),
		"assignedLicenses": []any{Object{"skuId": f.licence, "disabledPlans": []any{}}},
	}
	for k, v := range more {
		o[k] = v
	}
	id := f.account(upn, d.given+" "+d.family, o)
	f.t.person(id).purpose = "user"
	if enabled, _ := truth(o, "accountEnabled"); enabled || more == nil {
		f.people = append(f.people, id)
		if f.cities == nil {
			f.cities, f.departments = map[string][]string{}, map[string][]string{}
		}
		f.cities[d.city] = append(f.cities[d.city], id)
		f.departments[department] = append(f.departments[department], id)
	}
	return id
}

// before is a moment from least to most days ago.
func (f *firm) before(least, most int, words ...string) time.Time {
	span := time.Duration(most-least) * 24 * time.Hour
	return f.now.AddDate(0, 0, -least).Add(-part(span, f.seed, words...))
}

// active gives an account a last sign-in some days ago.
func (f *firm) active(id string, days int, nonInteractive bool) {
	when := f.now.AddDate(0, 0, -days).Add(-part(20*time.Hour, f.seed, "active", id))
	activity := Object{"lastSuccessfulSignInDateTime": stamp(when), "lastSuccessfulSignInRequestId": makeID(f.seed, "active "+id, 1)}
	what := "lastSignIn"
	if nonInteractive {
		what = "lastNonInteractiveSignIn"
	}
	activity[what+"DateTime"], activity[what+"RequestId"] = activity["lastSuccessfulSignInDateTime"], activity["lastSuccessfulSignInRequestId"]
	f.t.person(id).activity = activity
}

func (f *firm) register(id string, kinds []MethodKind) {
	p := f.t.person(id)
	for _, k := range kinds {
		p.methods = append(p.methods, newMethod(k, fmt.Sprint(id, k), f.before(10, 300, "method", id, string(k))))
	}
}

func (f *firm) emergency() []string {
	var ids []string
	for i := 1; i <= 2; i++ {
		id := f.account(fmt.Sprintf("emergency%d@%s", i, f.initial), fmt.Sprintf("Emergency Access %d", i), nil)
		f.t.AssignRole(id, RoleGlobalAdmin, "/")
		f.register(id, []MethodKind{FIDO2})
		f.active(id, 70+i, false)
		ids = append(ids, id)
	}
	return ids
}

// admins makes twelve: two of them through a group that carries a role, one
// only eligible, through another group.
func (f *firm) admins() {
	const helpdesk, exchange = "729827e3-9c14-49f7-bb1b-9608f156bbb8", "29232cdf-9323-42fd-ade2-1d097af3e4de"
	plan := []struct {
		role    string
		methods []MethodKind
	}{
		{RoleGlobalAdmin, []MethodKind{AuthenticatorPush, FIDO2}},
		{RoleGlobalAdmin, []MethodKind{AuthenticatorPush}},
		{"e8611ab8-c189-46e8-94e1-60213ab1f814", []MethodKind{FIDO2}},
		{exchange, []MethodKind{AuthenticatorPush, MobilePhone}},
		{"194ae4cb-b126-40b2-bd5b-6091b380977d", []MethodKind{WindowsHello}},
		{"fe930be7-5e62-47db-91af-98c3a49a38b1", []MethodKind{MobilePhone}},
		{helpdesk, nil},
		{helpdesk, nil},
		{"f28a1f50-f6e7-4571-818b-6a12f2af6b6c", []MethodKind{SoftwareOath}},
		{"69091246-20e8-4a56-aa4d-066075b2a7a8", nil},
		{"b0f54661-2d74-4c50-afa3-1ec803f12efe", nil},
		{"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", nil},
	}
	carries := Object{"isAssignableToRole": true}
	var desk, eligible []string
	for i, p := range plan {
		id := f.person("IT", nil)
		f.register(id, p.methods)
		f.active(id, i%4, false)
		switch {
		case p.role == helpdesk:
			desk = append(desk, id)
		case p.role == exchange:
			eligible = append(eligible, id)
		default:
			f.t.AssignRole(id, p.role, "/")
		}
	}
	f.t.AssignRole(f.t.AddGroup("Helpdesk admins", carries, desk...), helpdesk, "/")
	f.t.MakeEligible(f.t.AddGroup("Exchange admins (on request)", carries, eligible...), exchange, "/")
}

// members makes employees of whom about 39 % are capable, a quarter of those by
// SMS only, and some hold a method that policy does not allow.
func (f *firm) members(n int) {
	departments := strings.Fields("Sales Finance Production Logistics Engineering Legal Marketing Research")
	for i := range n {
		id := f.person(departments[i%len(departments)], nil)
		var kinds []MethodKind
		switch at := i * 168 / n; { // shares of 168, whatever n is
		case at < 17:
			kinds = []MethodKind{MobilePhone}
		case at < 36:
			kinds = []MethodKind{AuthenticatorPush}
		case at < 44:
			kinds = []MethodKind{AuthenticatorPush, MobilePhone}
		case at < 50:
			kinds = []MethodKind{AuthenticatorPush, SoftwareOath}
		case at < 54:
			kinds = []MethodKind{SoftwareOath, Email}
		case at < 61:
			kinds = []MethodKind{WindowsHello}
		case at < 65:
			kinds = []MethodKind{FIDO2}
		case at < 68:
			kinds = []MethodKind{OfficePhone} // voice is off: registered, not capable
		case at < 90:
			kinds = []MethodKind{Email}
		}
		f.register(id, kinds)
		days := int(share(f.seed, "days", id) * 12)
		if i%40 == 39 {
			days = 120 // has not been here for long
		}
		f.active(id, days, false)
	}
}

// services makes service accounts; those that mail over SMTP are returned.
func (f *firm) services() []string {
	scanner := f.account(SampleScanner, "Office scanner", Object{"mail": SampleScanner, "assignedLicenses": []any{Object{"skuId": f.licence, "disabledPlans": []any{}}}})
	f.t.person(scanner).purpose = "user"
	f.active(scanner, 0, true)
	for _, name := range []string{"svc-backup", "svc-crm-sync", "svc-reporting"} {
		f.active(f.account(name+"@"+f.domain, "Service: "+strings.TrimPrefix(name, "svc-"), nil), 0, true)
	}
	return []string{scanner}
}

// sharedMailboxes makes shared mailboxes; the last one is enabled, which none
// should be.
func (f *firm) sharedMailboxes(names ...string) {
	for i, n := range names {
		id := f.account(n+"@"+f.domain, strings.ToUpper(n[:1])+n[1:], Object{"mail": n + "@" + f.domain, "accountEnabled": i == len(names)-1})
		f.t.person(id).purpose = "shared"
	}
}

func (f *firm) rooms() {
	for i, n := range []string{"Thames", "Spree", "Manzanares", "Seine", "Clyde", "Havel", "Projector 1", "Van 2"} {
		alias := "room-" + strings.ToLower(strings.ReplaceAll(n, " ", "-"))
		id := f.account(alias+"@"+f.domain, n, Object{"mail": alias + "@" + f.domain, "accountEnabled": i == 0})
		f.t.person(id).purpose = "room"
		if i >= 6 {
			f.t.person(id).purpose = "equipment"
		}
	}
}

func (f *firm) guests(n int) {
	home := "fabrikam.com"
	if f.domain == home {
		home = "contoso.com"
	}
	for i := range n {
		d := f.roster.draw()
		mail := d.alias + "@" + home
		state := "Accepted"
		if i%5 == 4 {
			state = "PendingAcceptance"
		}
		id := f.account(d.alias+"_"+home+"#EXT#@"+f.initial, d.given+" "+d.family, Object{
			"mail": mail, "otherMails": []any{mail}, "userType": "Guest", "creationType": "Invitation", "externalUserState": state,
			"givenName": d.given, "surname": d.family, "usageLocation": nil,
		})
		if i%4 == 0 {
			f.register(id, []MethodKind{AuthenticatorPush})
		}
		if state == "Accepted" {
			f.active(id, 3*i, false)
		}
	}
}

// offices makes one group per office and department, and one around the offices.
func (f *firm) offices() {
	var all []string
	for _, city := range sortedKeys(f.cities) {
		all = append(all, f.t.AddGroup("Office "+city, nil, f.cities[city]...))
	}
	for _, d := range sortedKeys(f.departments) {
		f.t.AddGroup("Department "+d, nil, f.departments[d]...)
	}
	f.t.AddGroup("All staff", Object{"description": "The offices, nested."}, all...)
}

// policies makes what was there before anybody thought of a rollout: one policy
// that Microsoft manages, report-only, and one of the firm's own.
func (f *firm) policies(emergency, legacy string) {
	everyClient := []any{"all"}
	roles := []any{}
	for _, r := range builtInRoles()[:15] {
		roles = append(roles, r["id"])
	}
	f.t.AddPolicy(Object{
		"displayName": SampleManagedPolicy, "state": StateReportOnly, "createdDateTime": stamp(f.now.AddDate(0, 0, -20)), "modifiedDateTime": nil,
		"conditions": Object{
			"clientAppTypes": everyClient, "applications": Object{"includeApplications": []any{"MicrosoftAdminPortals"}},
			"users": Object{"includeRoles": roles, "excludeGroups": []any{emergency}},
		},
		"grantControls": Object{"operator": "OR", "builtInControls": []any{"mfa"}},
	})
	f.t.AddPolicy(Object{
		"displayName": SampleBlockLegacy, "state": StateEnabled, "createdDateTime": stamp(f.now.AddDate(-1, 0, 0)), "modifiedDateTime": nil,
		"conditions": Object{
			"clientAppTypes": []any{"exchangeActiveSync", "other"}, "applications": Object{"includeApplications": []any{"All"}},
			"users": Object{"includeUsers": []any{"All"}, "excludeGroups": []any{emergency, legacy}},
		},
		"grantControls": Object{"operator": "OR", "builtInControls": []any{"block"}},
	})
}

// lastDays writes the log of the last two days for accounts that only speak old
// protocols.
func (f *firm) lastDays(legacy []string) {
	for h := 42; h > 0; h -= 7 {
		for _, id := range legacy {
			// The accounts exist, so there is no error to see.
			_, _ = f.t.SignIn(Attempt{UserID: id, At: f.now.Add(-time.Duration(h) * time.Hour), Client: "Authenticated SMTP", NonInteractive: true})
		}
	}
}

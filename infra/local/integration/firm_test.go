package integration_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sallyport/infra/local/tenant"
	"sallyport/shared/config"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

const (
	domain    = "contoso.onmicrosoft.com"
	readerApp = "5a11e900-0000-4000-8000-000000000001"
	writerApp = "5a11e900-0000-4000-8000-000000000002"
	skuP1     = "078d2b04-f1bd-4111-bbd4-b4b1b354cef4"
)

// firm is the Microsoft side: Contoso, eleven accounts, always up to date.
type firm struct {
	*tenant.Tenant
	graph  string // end point of Graph
	login  string // of the log-in, over TLS
	caFile string // whom to trust for it

	emergency [2]string
	ids       map[string]string // accounts by the first part of their address
}

// The two who are not registered when the rollout begins.
const (
	late  = "gus"  // registers once he is told
	never = "finn" // is told, reminded, and stopped
)

func newFirm(t *testing.T) *firm {
	t.Helper()
	f := &firm{Tenant: tenant.New("Contoso", domain, 7, job.Wall{}), ids: map[string]string{}}
	f.SetBehaviour(tenant.Behaviour{}) // nothing lags: the real clock leaves no time for it
	f.AddDomain("contoso.com", true)
	f.AddSKU(skuP1, "AAD_PREMIUM", 20, map[string]string{tenant.PlanP1: "AAD_PREMIUM"})
	for i := range f.emergency {
		f.emergency[i] = f.person(t, fmt.Sprintf("emergency%d@%s", i+1, domain), tenant.FIDO2)
		f.AssignRole(f.emergency[i], tenant.RoleGlobalAdmin, "/")
	}
	const userAdministrator = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	f.AssignRole(f.person(t, "ada@contoso.com", tenant.AuthenticatorPush), tenant.RoleGlobalAdmin, "/")
	f.AssignRole(f.person(t, "ben@contoso.com", tenant.AuthenticatorPush), userAdministrator, "/")
	for _, name := range []string{"cleo", "dev", "eve"} {
		f.person(t, name+"@contoso.com", tenant.AuthenticatorPush)
	}
	f.person(t, late+"@contoso.com")
	f.person(t, never+"@contoso.com")
	f.person(t, "scanner@contoso.com")
	must(t, f.SetEnabled(f.person(t, "hana@contoso.com"), false))

	f.PutApp(tenant.App{ID: readerApp, Roles: rollout.ReaderPermissions(), Issuer: stsIssuer, Subject: roleARN + readerKey})
	f.PutApp(tenant.App{ID: writerApp, Roles: rollout.WriterPermissions(), Issuer: stsIssuer, Subject: roleARN + writerKey})

	graph := httptest.NewServer(f.Tenant)
	t.Cleanup(graph.Close)
	login, err := tenant.ServeTLS(f.Login(), t.TempDir(), time.Now())
	must(t, err)
	t.Cleanup(func() {
		if err := login.Close(); err != nil {
			t.Errorf("end the log-in: %v", err)
		}
	})
	f.graph, f.login, f.caFile = graph.URL, login.URL+"/", login.CAFile
	return f
}

// person adds an account that has been there for a year and signed in yesterday.
func (f *firm) person(t *testing.T, upn string, methods ...tenant.MethodKind) string {
	t.Helper()
	name, _, _ := strings.Cut(upn, "@")
	yesterday := time.Now().AddDate(0, 0, -1)
	account := tenant.Object{
		"userPrincipalName": upn, "displayName": strings.ToUpper(name[:1]) + name[1:] + " Example", "preferredLanguage": "en-GB",
		"createdDateTime": yesterday.AddDate(-1, 0, 0).UTC().Format(time.RFC3339),
	}
	if !strings.HasSuffix(upn, domain) {
		account["mail"] = upn
		account["assignedLicenses"] = []any{tenant.Object{"skuId": skuP1, "disabledPlans": []any{}}}
	}
	id, err := f.AddUser(account)
	must(t, err)
	f.ids[name] = id
	must(t, f.SetPurpose(id, "user"))
	for _, m := range methods {
		must(t, f.Register(id, m, yesterday))
	}
	_, err = f.SignIn(tenant.Attempt{UserID: id, At: yesterday})
	must(t, err)
	return id
}

// config is the firm's rollout.yaml for a rollout that is announced in the week
// before start. The window in which anything may be switched is waived: a test
// runs on any day, at any hour.
func (f *firm) config(t *testing.T, start rollout.Date) rollout.Config {
	t.Helper()
	loc, err := time.LoadLocation("Europe/London")
	must(t, err)
	quiet := 3
	if hour := now().In(loc).Hour(); hour == 2 || hour == 3 {
		quiet = 5
	}
	text := strings.NewReplacer(
		"ANNOUNCE", start.AddDays(-7).String(), "DEADLINE", deadline(start).String(), "NEXT-YEAR", start.AddDays(365).String(),
		"QUIET-FROM", fmt.Sprint(quiet), "QUIET-TO", fmt.Sprint(quiet+1),
		"EMERGENCY-1", f.emergency[0], "EMERGENCY-2", f.emergency[1],
	).Replace(`
tenant: contoso.onmicrosoft.com
timeZone: Europe/London
announce: ANNOUNCE
waves:
  - {name: administrators, members: admins, deadline: DEADLINE}
  - {name: everyone, members: all, deadline: DEADLINE, coverage: 80}
emergencyAccounts:
  - {id: EMERGENCY-1, passwordLocation: "Safe 1, head office", custodian: Chief Operating Officer}
  - {id: EMERGENCY-2, passwordLocation: "Safe 2, Leeds office", custodian: Head of Finance}
incidentResponsePlan: https://intranet.contoso.com/break-glass
exemptions:
  - {account: scanner@contoso.com, kind: serviceAccount, alternative: trustedLocation, owner: it@contoso.com, reason: "Mails scans until it is replaced", expires: NEXT-YEAR}
communication:
  from: "Contoso IT <it@contoso.com>"
  helpDesk: {name: IT Help Desk, email: help@contoso.com, phone: "+44 20 7946 0100", hours: "Monday to Friday, 8 to 18"}
  quietDays: []
  quietHours: {fromHour: QUIET-FROM, toHour: QUIET-TO}
alerts: {email: [security@fabrikam.com]}
waivers:
  - {gate: enforcement-window, owner: it@contoso.com, reason: "This test runs at any hour", until: NEXT-YEAR}
`)
	cfg, _, err := config.Parse("rollout.yaml", []byte(text), config.Options{Languages: []string{"en"}, Gates: rollout.GateIDs()})
	must(t, err)
	return cfg
}

// deadline is the first day that may be one, two weeks or more after start.
func deadline(start rollout.Date) rollout.Date {
	day := start.AddDays(rollout.NoticeDays)
	for day.Weekday() < time.Monday || day.Weekday() > time.Thursday {
		day = day.AddDays(1)
	}
	return day
}

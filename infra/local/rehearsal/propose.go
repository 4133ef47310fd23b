package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/functions/audit"
	"sallyport/infra/local/tenant"
	"sallyport/shared/graph"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// Propose is a plan for a tenant whose operator has not written one: it is
// announced on the next day, administrators follow after three weeks, everyone
// after six. As emergency accounts it takes those that their facts show to be
// some (enabled, cloud-only, on the initial domain, a permanent direct Global
// Administrator with a FIDO2 key or certificate), never by a name. What only a
// person can decide stays open, and holds the waves: that is the answer.
func Propose(t *tenant.Tenant, today rollout.Date) (rollout.Config, time.Time) {
	domain := t.InitialDomain()
	cfg := rollout.Config{
		Tenant: rollout.TenantID(domain), TimeZone: "UTC", Method: rollout.MethodAuto, GraceDays: 14, ReminderDays: []int{14, 7, 3, 1},
		Enforcement: rollout.SwitchWindow{FromHour: 9, ToHour: 16}, Breaker: rollout.BreakerLimits{People: 3, Percent: 2, Admins: 2},
		Communication: rollout.Communication{
			From: "it@" + domain, HelpDesk: rollout.HelpDesk{Name: "IT", Email: "it@" + domain}, Languages: mail.Languages(),
		},
		Alerts: rollout.Alerts{Email: []string{"it@" + domain}},
	}
	cfg.Announce = workingDay(cfg, today.AddDays(1))
	cfg.Waves = []rollout.WaveConfig{
		{Name: "administrators", Members: rollout.MembersAdmins, Deadline: switchDay(cfg, cfg.Announce.AddDays(21))},
		{Name: "ready", Members: rollout.MembersCapable},
		{Name: "everyone", Members: rollout.MembersAll, Deadline: switchDay(cfg, cfg.Announce.AddDays(42))},
	}
	for i, id := range emergencyCandidates(t) {
		cfg.EmergencyAccounts = append(cfg.EmergencyAccounts, rollout.EmergencyAccount{
			ID: id, PasswordLocation: fmt.Sprintf("place %d", i+1), Custodian: fmt.Sprintf("custodian %d", i+1),
		})
	}
	return cfg, cfg.Announce.AddDays(-1).At(0, 0, time.UTC)
}

func workingDay(cfg rollout.Config, day rollout.Date) rollout.Date {
	for !cfg.Enforcement.WorkingDay(day) {
		day = day.AddDays(1)
	}
	return day
}

func switchDay(cfg rollout.Config, day rollout.Date) rollout.Date {
	for !cfg.IsSwitchDay(day) {
		day = day.AddDays(1)
	}
	return day
}

// Reader is a Graph client that may read a simulated tenant, and no more.
func Reader(t *tenant.Tenant, clock *Clock) (*graph.Client, error) {
	t.PutApp(tenant.App{ID: readerApp, Roles: rollout.ReaderPermissions()})
	client, err := graph.New(graph.Options{
		Credential: &appCredential{tenant: t, clock: clock, app: readerApp}, Clock: clock, Transport: t.Transport(),
	})
	if err != nil {
		return nil, fmt.Errorf("build the Graph client: %w", err)
	}
	return client, nil
}

// Read reads a simulated tenant as the nightly audit reads a real one.
func Read(ctx context.Context, t *tenant.Tenant, clock *Clock) (rollout.Directory, []rollout.Reading, error) {
	client, err := Reader(t, clock)
	if err != nil {
		return rollout.Directory{}, nil, err
	}
	return audit.Read(ctx, client, clock.Now())
}

// emergencyCandidates are the accounts whose facts are those of an emergency
// account, in the order of their ids.
func emergencyCandidates(t *tenant.Tenant) []string {
	var ids []string
	for _, a := range t.RoleAssignments() {
		id, _ := a["principalId"].(string)
		if a["roleDefinitionId"] != rollout.RoleGlobalAdministrator || a["directoryScopeId"] != "/" || slices.Contains(ids, id) {
			continue
		}
		user, err := t.User(id)
		if err != nil {
			continue // a group or a service principal
		}
		upn, _ := user["userPrincipalName"].(string)
		cloudOnly := user["onPremisesSyncEnabled"] != true
		initial := strings.HasSuffix(strings.ToLower(upn), "@"+strings.ToLower(t.InitialDomain()))
		if user["accountEnabled"] == true && cloudOnly && initial && holdsKey(t, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func holdsKey(t *tenant.Tenant, id string) bool {
	methods, err := t.Methods(id)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(methods, func(m tenant.Object) bool {
		kind, _ := m["@odata.type"].(string)
		return strings.HasSuffix(kind, "fido2AuthenticationMethod") || strings.HasSuffix(kind, "x509CertificateAuthenticationMethod")
	})
}

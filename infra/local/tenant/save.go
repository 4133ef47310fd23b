package tenant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Save writes the tenant into a folder of plain Graph answers, one file per
// listing, as Graph would answer now: what its licences do not offer is not
// there, and the report is as late as it is. It makes the folder.
func (t *Tenant) Save(dir string) error {
	t.mu.Lock()
	answers := t.answers()
	t.mu.Unlock()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save the tenant: %w", err)
	}
	for _, name := range sortedKeys(answers) {
		var b bytes.Buffer
		if err := json.Indent(&b, marshal(answers[name]), "", "  "); err != nil {
			return fmt.Errorf("save %s: %w", name, err)
		}
		b.WriteByte('\n')
		if err := os.WriteFile(filepath.Join(dir, name+".json"), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("save %s: %w", name, err)
		}
	}
	return nil
}

func (t *Tenant) answers() map[string]any {
	listed := func(context string, rows []Object) Object {
		all := make([]any, len(rows))
		for i, r := range rows {
			all[i] = r
		}
		return Object{"@odata.context": metadata + context, "value": all}
	}
	t.refreshAll()
	var users, groups, rows, managers []Object
	methods, purposes, perUser := Object{}, Object{}, Object{}
	for _, u := range t.users.all() {
		id := text(u, "id")
		p := t.person(id)
		if t.premium() {
			u = t.withActivity(u)
		}
		users = append(users, cloneObject(u))
		methods[id] = cloneAll(p.methods)
		if p.purpose != "" {
			purposes[id] = p.purpose
		}
		perUser[id] = p.perUser
		reports := Object{"id": id}
		if p.manager != "" {
			reports["manager"] = Object{"@odata.type": graphType + "user", "id": p.manager}
		}
		managers = append(managers, reports)
		if p.reported != nil {
			rows = append(rows, cloneObject(p.reported))
		}
	}
	for _, g := range t.groups.all() {
		groups = append(groups, t.withMembers(g))
	}
	out := map[string]any{
		listUsers: listed("users", users), listGroups: listed("groups", groups),
		listPolicies:      listed("identity/conditionalAccess/policies", cloneAll(t.policies.all())),
		listDefaults:      cloneObject(t.defaults),
		listDefinitions:   listed("roleManagement/directory/roleDefinitions", cloneAll(t.definitions.all())),
		listAssignments:   listed("roleManagement/directory/roleAssignments", cloneAll(t.assignments.all())),
		listSKUs:          listed("subscribedSkus", cloneAll(t.skus)),
		listOrganization:  listed("organization", []Object{cloneObject(t.organization)}),
		listMethodsPolicy: cloneObject(t.methodsPolicy),
		listManagers:      listed("users(id,manager(id))", managers),
		listMethods:       methods, listPurposes: purposes, listPerUserMFA: perUser,
	}
	if t.licensed(PlanP2) {
		out[listEligibility] = listed("roleManagement/directory/roleEligibilityScheduleInstances", cloneAll(t.eligibility.all()))
	}
	if t.premium() {
		out[listRegistrations] = listed(registrationContext, rows)
		out[listSignIns] = listed("auditLogs/signIns", t.arrivedSignIns())
		out[listRisks] = listed("identityProtection/riskDetections", cloneAll(t.hiding(t.risks.all())))
		out[listRiskyUsers] = listed("identityProtection/riskyUsers", cloneAll(t.hiding(t.riskyUsers.all())))
	}
	return out
}

// arrivedSignIns are the rows of the log, interactive or not, newest first, each
// once.
func (t *Tenant) arrivedSignIns() []Object {
	now := t.clock.Now()
	var out []Object
	for i := len(t.log.rows) - 1; i >= 0; i-- {
		r := t.log.rows[i]
		if r.from.After(now) || r.at.Before(now.Add(-retention)) {
			continue
		}
		out = append(out, t.signInObject(r, telling{applied: true, future: true, partial: now.Before(r.again)}))
	}
	return out
}

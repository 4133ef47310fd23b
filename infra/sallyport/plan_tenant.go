package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/config"
	"sallyport/shared/rollout"
)

// plannedTenant is what a copy of the tenant adds to a plan.
type plannedTenant struct {
	Method       rollout.Method `json:"method"` // what method: auto comes to
	MethodReason string         `json:"methodReason"`
	MethodAdvice string         `json:"methodAdvice"`
	Coverage     float64        `json:"coverage"` // percent
	Waves        []plannedWave  `json:"waves"`
}

type plannedWave struct {
	Name   string `json:"name"`
	People int    `json:"people"`
	// Stopped are those of them who could not sign in if the wave were switched
	// now.
	Stopped int `json:"stopped"`
}

// ask holds the plan to a copy of its tenant: whom each wave holds, and what
// the file names but the tenant does not have, or not as it should be.
func (p *planner) ask(ctx context.Context, s session, cfg rollout.Config) (*plannedTenant, []config.Problem, error) {
	now, err := asOf(p.at)
	if err != nil {
		return nil, nil, err
	}
	clock := rehearsal.NewClock(now)
	t, err := loadTenant(s, p.tenant, 1, clock)
	if err != nil {
		return nil, nil, err
	}
	if initial := rollout.TenantID(strings.ToLower(t.InitialDomain())); initial != cfg.Tenant {
		return nil, nil, fmt.Errorf("the file is for %s, but --tenant %s is a copy of %s: choose the one that belongs to the other", cfg.Tenant, p.tenant, initial)
	}
	dir, readings, err := rehearsal.Read(ctx, t, clock)
	if err != nil {
		return nil, nil, err
	}
	reader, err := rehearsal.Reader(t, clock)
	if err != nil {
		return nil, nil, err
	}
	groups, err := reader.Groups(ctx, slices.Sorted(maps.Keys(dir.Groups)))
	if err != nil {
		return nil, nil, fmt.Errorf("open the groups that policies and roles name: %w", err)
	}
	ids := make([]string, len(cfg.EmergencyAccounts))
	for i, e := range cfg.EmergencyAccounts {
		ids[i] = e.ID
	}
	if err := reader.ReadWays(ctx, groups, ids); err != nil {
		return nil, nil, fmt.Errorf("follow nested groups: %w", err)
	}
	accounts, _ := rollout.Assess(cfg, dir, readings, now)
	day := rollout.DateOf(now.In(cfg.Location()))
	coverage := rollout.CoverageOf(cfg, accounts, day)
	choice := rollout.ChooseMethod(cfg, "", dir.Plans, coverage, day)
	answer := plannedTenant{
		Method: choice.Method, MethodReason: choice.Reason, MethodAdvice: choice.Advice, Coverage: coverage.Percent(), Waves: []plannedWave{},
	}
	for _, w := range cfg.Waves {
		people, stopped := 0, 0
		for _, a := range accounts {
			if w.Holds(cfg, a, day) && rollout.IsPerson(cfg, a) {
				people++
			}
		}
		seen := rollout.Seen{Accounts: accounts, Audit: rollout.AuditRun{Method: choice.Method}}
		for _, b := range rollout.BlastList(cfg, seen, rollout.Known{}, w, day) {
			if b.CannotAnswer() && (rollout.ClassCounts(cfg, b.Class) || b.Class == rollout.ClassNeverSignedIn) {
				stopped++
			}
		}
		answer.Waves = append(answer.Waves, plannedWave{w.Name, people, stopped})
	}
	problems := slices.Concat(unproven(cfg, t, dir, readings, groups), strangers(cfg, accounts))
	everyone := slices.ContainsFunc(cfg.Waves, func(w rollout.WaveConfig) bool { return w.Members == rollout.MembersAll })
	if answer.Method == rollout.MethodSecurityDefaults && !everyone {
		problems = append(problems, config.Problem{Path: "waves", What: "Security Defaults are one switch for everybody, but no wave holds everybody: nothing would ever be switched"})
	}
	return &answer, problems, nil
}

// unproven names what keeps a configured emergency account from being one.
func unproven(cfg rollout.Config, t *tenant.Tenant, dir rollout.Directory, readings []rollout.Reading, groups map[string]rollout.Group) []config.Problem {
	facts := make([]rollout.EmergencyFacts, len(cfg.EmergencyAccounts))
	for i, e := range cfg.EmergencyAccounts {
		facts[i] = rollout.EmergencyFacts{Account: e.ID}
		if r := slices.IndexFunc(readings, func(r rollout.Reading) bool { return strings.EqualFold(r.User.ID, e.ID) }); r >= 0 {
			facts[i].User = &readings[r].User
		}
		if methods, err := t.Methods(e.ID); err == nil {
			facts[i].MethodsRead = true
			for _, m := range methods {
				kind, _ := m["@odata.type"].(string)
				facts[i].Methods = append(facts[i].Methods, strings.TrimPrefix(kind, "#microsoft.graph."))
			}
		}
	}
	var problems []config.Problem
	proofs := rollout.ProveEmergency(cfg, t.InitialDomain(), facts, dir.RoleAssignments, dir.Policies, groups)
	for i, account := range rollout.JudgeEmergency(cfg, proofs, dir.Policies).Accounts {
		for _, f := range account.Findings {
			problems = append(problems, config.Problem{Path: fmt.Sprintf("emergencyAccounts[%d].id", i), What: printable(f.Text + " " + f.Remedy)})
		}
	}
	return problems
}

// strangers are accounts that the file names and the tenant does not have: a
// mistyped exemption leaves out nobody.
func strangers(cfg rollout.Config, accounts []rollout.Account) []config.Problem {
	known := map[string]bool{}
	for _, a := range accounts {
		known[strings.ToLower(a.ID)], known[strings.ToLower(a.UserPrincipalName)] = true, true
	}
	var problems []config.Problem
	check := func(path, account string) {
		if !known[strings.ToLower(account)] {
			problems = append(problems, config.Problem{Path: path, What: "the tenant has no account " + account})
		}
	}
	for i, e := range cfg.Exemptions {
		check(fmt.Sprintf("exemptions[%d].account", i), e.Account)
	}
	for i, e := range cfg.Extensions {
		check(fmt.Sprintf("extensions[%d].account", i), e.Account)
	}
	for i, o := range cfg.Overrides {
		check(fmt.Sprintf("accounts[%d].account", i), o.Account)
	}
	for i, a := range cfg.Accepted {
		check(fmt.Sprintf("accepted[%d].account", i), a.Account)
	}
	return problems
}

func writeTenant(b *strings.Builder, t plannedTenant) {
	rows := [][]string{{"method", fmt.Sprintf("%s: %s", t.Method, t.MethodReason)}, {"coverage", fmt.Sprintf("%.1f %%", t.Coverage)}}
	for _, w := range t.Waves {
		rows = append(rows, []string{"wave " + w.Name, fmt.Sprintf("%d people, %d of them could not sign in if it were switched now", w.People, w.Stopped)})
	}
	writeTable(b, "In the tenant as it is:", rows)
	fmt.Fprintf(b, "Why this method, to forward:\n%s\n\n", t.MethodAdvice)
}

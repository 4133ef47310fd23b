package rollout

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// EmergencyFinding is one cause for which emergency accounts are not what they
// should be: one finding however many accounts and policies it concerns.
type EmergencyFinding struct {
	ID       string   `json:"id"`
	Severity string   `json:"severity"` // critical: what it concerns is not proven; warning; note
	Text     string   `json:"text"`
	Remedy   string   `json:"remedy"`
	Accounts []string `json:"accounts"` // ids
	Group    string   `json:"group"`    // id of the group that is the cause, or empty
	Policies []string `json:"policies"` // ids of the policies concerned
}

// The ids of the findings about how policies stand to an account.
const (
	findingExclusionGroup = "exclusion-group"
	findingUnprotected    = "exclusion-group-unprotected"
	findingInside         = "inside-policy"
	findingManaged        = "inside-microsoft-policy"
	findingDepends        = "outside-by-membership"
	findingUnresolvable   = "unresolvable-policy"
)

// JudgedAccount is what the proof of one emergency account comes to.
type JudgedAccount struct {
	Account  string
	OK       bool // proven: nothing critical concerns it
	Findings []EmergencyFinding
}

// JudgedEmergency is what the proofs come to together.
type JudgedEmergency struct {
	OK       bool // two accounts or more are proven
	Proven   int
	Accounts []JudgedAccount
	// Findings are those of all accounts, each cause once.
	Findings []EmergencyFinding
}

// JudgeEmergency says what is wrong with the emergency accounts of the proofs:
// each by itself, and together: two that share a custodian or a place are lost
// together.
func JudgeEmergency(cfg Config, proofs []EmergencyProof, policies []Policy) JudgedEmergency {
	return judgeEmergency(cfg, proofs, policies, nil)
}

// judgeEmergency is JudgeEmergency with what else was found.
func judgeEmergency(cfg Config, proofs []EmergencyProof, policies []Policy, found []EmergencyFinding) JudgedEmergency {
	for _, p := range proofs {
		found = append(found, p.Findings(policies)...)
	}
	judged := JudgedEmergency{Findings: merged(append(found, shared(cfg)...))}
	proven := map[string]bool{}
	for _, p := range proofs {
		a := JudgedAccount{Account: p.Account, OK: true}
		for _, f := range judged.Findings {
			if containsFold(f.Accounts, p.Account) {
				a.Findings = append(a.Findings, f)
				a.OK = a.OK && f.Severity != SeverityCritical
			}
		}
		if a.OK {
			proven[strings.ToLower(p.Account)] = true // the same account twice is one
		}
		judged.Accounts = append(judged.Accounts, a)
	}
	judged.Proven = len(proven)
	judged.OK = judged.Proven >= 2
	return judged
}

// merged makes one finding of those with the same cause, the worst first.
func merged(found []EmergencyFinding) []EmergencyFinding {
	var list []EmergencyFinding
	for _, f := range found {
		i := slices.IndexFunc(list, func(have EmergencyFinding) bool {
			return have.ID == f.ID && have.Group == f.Group && have.Text == f.Text && slices.Equal(have.Policies, f.Policies)
		})
		if i < 0 {
			list = append(list, f)
			continue
		}
		for _, account := range f.Accounts {
			if !containsFold(list[i].Accounts, account) {
				list[i].Accounts = append(list[i].Accounts, account)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b EmergencyFinding) int { return cmp.Compare(gravity(a.Severity), gravity(b.Severity)) })
	return list
}

// gravity orders severities, the gravest first.
func gravity(severity string) int {
	return slices.Index([]string{SeverityCritical, SeverityWarning, SeverityNote}, severity)
}

// shared finds the accounts that one absence, or one fire, would take together.
func shared(cfg Config) []EmergencyFinding {
	var found []EmergencyFinding
	for _, s := range []struct {
		id, text, remedy string
		of               func(EmergencyAccount) string
	}{
		{
			"shared-custodian", "Two accounts or more have the same custodian: one absence would lock them away together.",
			"Give each account a custodian of its own.", func(e EmergencyAccount) string { return e.Custodian },
		},
		{
			"shared-place", "The passwords of two accounts or more lie in the same place: one fire would take them together.",
			"Keep each account's password in a place of its own.", func(e EmergencyAccount) string { return e.PasswordLocation },
		},
	} {
		accounts := map[string][]string{}
		for _, e := range cfg.EmergencyAccounts {
			if key := lettersOf(s.of(e)); key != "" && !containsFold(accounts[key], e.ID) {
				accounts[key] = append(accounts[key], e.ID)
			}
		}
		for _, e := range cfg.EmergencyAccounts {
			key := lettersOf(s.of(e))
			if len(accounts[key]) > 1 {
				found = append(found, EmergencyFinding{ID: s.id, Severity: SeverityCritical, Text: s.text, Remedy: s.remedy, Accounts: accounts[key]})
			}
			delete(accounts, key)
		}
	}
	return found
}

// lettersOf is a text without what people write differently: case, spaces, signs.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// Findings says what is wrong with the account: in itself, and in how the
// policies stand to it.
func (p EmergencyProof) Findings(policies []Policy) []EmergencyFinding {
	switch p.Exists {
	case No:
		// All else follows from this.
		return []EmergencyFinding{p.finding("missing", "The tenant has no account of this object id.", "Find out who deleted it. Restore it from the deleted users, or make another and put its id into rollout.yaml.")}
	case Yes:
	default:
		return []EmergencyFinding{p.finding("not-read", "The account could not be read, so nothing about it is proven: "+nameOr(p.ReadError, "nobody looked at it")+".", "Mend the reading and check again.")}
	}
	return slices.Concat(p.ownFindings(), p.policyFindings(policies))
}

// policyFindings says what is wrong with how the policies stand to the account.
// Nothing critical means that no policy can stop it.
func (p EmergencyProof) policyFindings(policies []Policy) []EmergencyFinding {
	return slices.Concat(p.exposures(policies), p.weakGroups())
}

func (p EmergencyProof) finding(id, text, remedy string) EmergencyFinding {
	return EmergencyFinding{ID: id, Severity: SeverityCritical, Text: text, Remedy: remedy, Accounts: []string{p.Account}}
}

func (p EmergencyProof) ownFindings() []EmergencyFinding {
	var found []EmergencyFinding
	for _, c := range []struct {
		fact            Fact
		id, no, unknown string
		remedy          string
	}{
		{
			p.Enabled, "disabled", "The account is disabled.", "Whether the account is enabled was not said.",
			"Enable the account, and find out who disabled it.",
		},
		{
			p.CloudOnly, "synced", "The account is synchronised from a directory on premises: what stops that directory stops it.", "Whether the account is cloud-only was not said.",
			"Make a cloud-only account and put its id into rollout.yaml.",
		},
		{
			p.InitialDomain, "not-initial-domain", "The account is not on the tenant's initial onmicrosoft.com domain: a change of that domain or its federation stops it.", "Which domain is the tenant's initial one was not said.",
			"Rename the account to the initial onmicrosoft.com domain.",
		},
		{
			p.GlobalAdmin, "not-global-administrator", "The account does not hold Global Administrator actively, directly and for the whole tenant.",
			"The account holds Global Administrator and may activate it too: whether it is permanent, or an activation that ends, cannot be told.",
			"Assign Global Administrator to the account itself, active and permanent, and take away the eligibility.",
		},
		{
			p.StrongMethod, "no-strong-method", "The account holds neither a FIDO2 key nor a certificate: Microsoft's admin centres would not let it in.", "The account's methods could not be read.",
			"Register two FIDO2 keys for the account.",
		},
		{
			p.NothingPersonal, "personal-method", "The account holds methods of one person, who may be away or have left: " + strings.Join(p.Personal, ", ") + ".", "",
			"Remove these methods from the account.",
		},
	} {
		switch {
		case c.fact == Yes:
		case c.fact == No:
			found = append(found, p.finding(c.id, c.no, c.remedy))
		case c.unknown != "": // methods that were not read are one cause
			found = append(found, p.finding(c.id, c.unknown, c.remedy))
		}
	}
	if asksPerUser(p.PerUserMFA) {
		found = append(found, p.finding("per-user-mfa", "The legacy per-user MFA is "+p.PerUserMFA+" for the account: no policy's exclusion keeps that away.",
			"Set the account's per-user MFA to disabled."))
	}
	if slices.ContainsFunc(p.Held, func(held string) bool { kind, _, _ := strings.Cut(held, " "); return isPass(kind) }) {
		f := p.finding("temporary-access-pass", "A Temporary Access Pass was made for the account: while it lasts, whoever was told it can sign in. Whether it has ended is not said.",
			"Delete the pass as soon as the keys are registered. If nobody of you made it, find out who did.")
		f.Severity = SeverityWarning
		found = append(found, f)
	}
	return found
}

// asksPerUser reports whether the legacy per-user MFA asks for a second factor.
// Source: https://learn.microsoft.com/entra/identity/authentication/howto-mfa-userstates
func asksPerUser(state string) bool { return state == "enabled" || state == "enforced" }

// tenantEmergency is what was read beside the accounts, and what could not be.
func tenantEmergency(proofs []EmergencyProof, securityDefaults Fact) []EmergencyFinding {
	var found []EmergencyFinding
	var all, unread []string
	for _, p := range proofs {
		all = append(all, p.Account)
		if p.Exists == Yes && p.PerUserMFA == "" {
			unread = append(unread, p.Account)
		}
	}
	// Source: https://learn.microsoft.com/entra/fundamentals/security-defaults
	if securityDefaults == Yes {
		found = append(found, EmergencyFinding{
			ID: "security-defaults", Severity: SeverityWarning, Accounts: all,
			Text:   "Security Defaults are on, and they exclude nobody: the emergency accounts are asked for a second factor as everybody is.",
			Remedy: "Register the keys of each account, and try each at a sign-in.",
		})
	} else if securityDefaults != No {
		found = append(found, EmergencyFinding{
			ID: "security-defaults-unknown", Severity: SeverityNote, Accounts: all,
			Text: "Whether Security Defaults are on could not be read.", Remedy: "Grant the reader Policy.Read.All.",
		})
	}
	if len(unread) > 0 {
		found = append(found, EmergencyFinding{
			ID: "per-user-mfa-unknown", Severity: SeverityNote, Accounts: unread,
			Text: "Whether the legacy per-user MFA asks for anything could not be read.", Remedy: "Grant the reader Policy.Read.All, or look at the account's per-user MFA.",
		})
	}
	return found
}

// exposures are the causes for which policies could stop the account.
func (p EmergencyProof) exposures(policies []Policy) []EmergencyFinding {
	left := p.Exposed(policies)
	var found []EmergencyFinding
	take := func(id, group, before, after, remedy string, concerned func(PolicyVerdict) bool) {
		var taken []PolicyVerdict
		for _, v := range left {
			if concerned(v) {
				taken = append(taken, v)
			}
		}
		if len(taken) == 0 {
			return
		}
		left = slices.DeleteFunc(left, concerned)
		f := p.finding(id, before+listed(taken, policies, group == "")+after, remedy)
		f.Group = group
		for _, v := range taken {
			f.Policies = append(f.Policies, v.ID)
		}
		found = append(found, f)
	}
	for _, g := range p.brokenExclusions() {
		take(findingExclusionGroup, g.ID, capital(g.name())+", which policies exclude, "+g.state()+". So it could be stopped by ", ".",
			"Find out who changed the group. Put the accounts back into it, or exclude them by id in each policy.",
			func(v PolicyVerdict) bool { return slices.Contains(g.Policies, v.ID) })
	}
	for _, g := range p.Including {
		if !g.Opened {
			take(findingUnresolvable, g.ID, capital(g.name())+", which policies include, is gone or cannot be opened: nobody can say whether it holds the account. So it could be stopped by ", ".",
				"Exclude the account in each policy, or let the group be read.",
				func(v PolicyVerdict) bool {
					return v.Verdict == VerdictUnresolvable && slices.Contains(g.Policies, v.ID)
				})
		}
	}
	const exclude = "Exclude the account in each of these policies, by id or through a protected group."
	take(findingUnresolvable, "", "Nobody can say whether the account is outside ", ".", exclude,
		func(v PolicyVerdict) bool { return v.Verdict == VerdictUnresolvable })
	take(findingDepends, "", "The account is only by membership outside ", ": whoever puts it into an included group or role exposes it.", exclude,
		func(v PolicyVerdict) bool { return v.Verdict == VerdictDepends })
	take(findingManaged, "", "The account is inside ", ", which Microsoft made and switches on by itself.",
		"Add the account to the exclusions of Microsoft's policy: those, and its state, are yours to change.",
		func(v PolicyVerdict) bool { q, read := policyIn(policies, v.ID); return read && ManagedByMicrosoft(q) })
	take(findingInside, "", "The account is inside ", ".", exclude, func(PolicyVerdict) bool { return true })
	return found
}

// largeGroup is from how many members on a group is no small circle.
const largeGroup = 10

// weakGroups are the groups that the account's safety hangs on without being
// safe themselves, and those that draw it into policies.
func (p EmergencyProof) weakGroups() []EmergencyFinding {
	var found []EmergencyFinding
	add := func(id, severity, text, remedy string, g PolicyGroup) {
		f := p.finding(id, text, remedy)
		f.Severity, f.Group, f.Policies = severity, g.ID, g.Policies
		found = append(found, f)
	}
	for _, g := range p.Excluding {
		if !g.Holds || g.Protected == Yes || !p.leansOn(g) {
			continue
		}
		why := "is neither role-assignable nor in a restricted management administrative unit: many an administrator can empty it"
		if g.Weak != "" {
			why = "only through " + g.Weak + ", which is not protected as it is itself"
		} else if g.Dynamic == Yes {
			why = "is filled by a rule: whoever can edit the account can take it out"
		} else if g.Protected != No {
			why = "is not known to be protected"
		}
		add(findingUnprotected, SeverityCritical, capital(g.name())+" keeps emergency accounts out of policies, but "+why+".",
			"Put the group, and those inside it, into a restricted management administrative unit, or exclude the accounts by id or through a role-assignable group.", g)
	}
	for _, g := range p.Including {
		if g.Holds && (g.Dynamic == Yes || g.Members >= largeGroup) {
			add("in-broad-group", SeverityWarning, capital(g.name())+", which policies include, holds the account among others: the next policy for it holds the account too.",
				"Take the account out of the group.", g)
		}
	}
	return found
}

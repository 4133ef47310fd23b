package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Blast is one account that a wave's switch would stop: why, what it was told,
// and whether that arrived.
type Blast struct {
	Account           string        `json:"account"` // object id
	UserPrincipalName string        `json:"userPrincipalName"`
	DisplayName       string        `json:"displayName"`
	Department        string        `json:"department"`
	Class             Class         `json:"class"`
	Reasons           []BlastReason `json:"reasons"`
	// Trial is what the wave's report-only policy last said of the account, with
	// the day; empty where the sign-in log shows none. A reportOnlyInterrupted is
	// a prompt: it stops nobody who has a method.
	Trial   string `json:"trial"`
	TrialOn Date   `json:"trialOn"`
	// Told is the kind of the message that told of the date; empty: none was sent.
	Told   MessageKind `json:"told"`
	ToldOn Date        `json:"toldOn"`
	// Arrived: Yes once the delivery was reported, No if it bounced or the address
	// is dead, Unknown until either is known.
	Arrived    Fact   `json:"arrived"`
	NotReached string `json:"notReached"` // why no message reaches them; empty: nothing is known
	// InTime: told, delivered, and the notice has run out by that day.
	InTime     bool   `json:"inTime"`
	AcceptedBy string `json:"acceptedBy"` // who accepted by name that they are stopped
	// LeftOut: the live policy excludes them through Sallyport's group, so they are
	// not stopped on that day after all.
	LeftOut bool `json:"leftOut"`
}

// BlastReason is one reason why an account is stopped.
type BlastReason struct {
	Code string `json:"code"` // one of the constants below
	Text string `json:"text"` // a sentence without a name
}

// The codes of a [BlastReason].
const (
	BlastNotCapable  = "notCapable"  // no method that a policy accepts
	BlastUnproven    = "unproven"    // nobody knows whether there is one
	BlastWeakOnly    = "weakOnly"    // text message or voice alone, after their end
	BlastClient      = "client"      // a client that cannot answer a second factor
	BlastRefused     = "refused"     // the trial refused a sign-in although a method is there
	BlastNoRegistry  = "noRegistry"  // registration is restricted, or was refused already
	BlastNoExclusion = "noExclusion" // exempt, but Security Defaults leave nobody out
)

// BlastList is the named accounts that the wave's switch would stop if it were
// made on that day: report-only results joined with who is capable. Those whom
// nothing proves to be told come first.
//
// Security Defaults know no exclusions: with them, service accounts, guests,
// exempt and emergency accounts stand on it like everybody else.
// Source: https://learn.microsoft.com/entra/fundamentals/security-defaults
func BlastList(cfg Config, seen Seen, known Known, wave WaveConfig, day Date) []Blast {
	l := blastList{cfg: cfg, seen: seen, known: known, wave: wave, day: day, loc: cfg.Location()}
	l.index()
	var list []Blast
	for _, a := range l.inScope() {
		if reasons := l.reasons(a); len(reasons) > 0 {
			list = append(list, l.blast(a, reasons))
		}
	}
	slices.SortStableFunc(list, func(a, b Blast) int {
		return cmp.Or(a.settled()-b.settled(), cmp.Compare(a.Account, b.Account))
	})
	return list
}

// settled is 0 while somebody should still do something about it.
func (b Blast) settled() int {
	if b.InTime || b.AcceptedBy != "" || b.LeftOut {
		return 1
	}
	return 0
}

// CannotAnswer reports whether the account has no method for a second step: it is
// stopped with every client, not with an old one alone.
func (b Blast) CannotAnswer() bool {
	return slices.ContainsFunc(b.Reasons, func(r BlastReason) bool {
		return r.Code == BlastNotCapable || r.Code == BlastUnproven || r.Code == BlastWeakOnly
	})
}

type blastList struct {
	cfg   Config
	seen  Seen
	known Known
	wave  WaveConfig
	day   Date
	loc   *time.Location

	trial   map[string]Observation // newest of the wave's policy, by account
	legacy  map[string][]string
	sent    map[string][]Message
	refused map[string]bool // registration was refused to the account already
	leftOut map[string]bool
	guarded []registrationPolicy
	numbers *index
	groups  map[string][]string // of an account, among those that such policies name
}

// registrationPolicy restricts from where people may register a method.
type registrationPolicy struct {
	*audience
	id string
}

// userActionRegister is the user action of registering security information.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/policy-all-users-security-info-registration
const userActionRegister = "urn:user:registersecurityinfo"

func (l *blastList) index() {
	l.trial, l.legacy, l.refused, l.leftOut = map[string]Observation{}, map[string][]string{}, map[string]bool{}, map[string]bool{}
	owned, created := l.known.Owned(l.wave.Name)
	for _, o := range l.seen.Observations {
		if created && o.Policy == owned.ID && !o.LastAt.Before(l.trial[o.Account].LastAt) {
			l.trial[o.Account] = o
		}
	}
	for _, u := range l.seen.Audit.Legacy {
		l.legacy[u.Account] = append(l.legacy[u.Account], u.Client)
	}
	for _, o := range l.known.LockOuts {
		if o.ClosedAt.IsZero() && slices.Contains(o.Codes, 53010) {
			l.refused[o.Account] = true
		}
	}
	l.sent = messagesByAccount(l.known.Messages)
	in := gateInput{cfg: l.cfg, seen: l.seen, known: l.known, wave: l.wave}
	for _, id := range in.spared() {
		l.leftOut[strings.ToLower(id)] = true
	}
	l.indexRegistration()
}

// indexRegistration finds the policies that say from where people may register.
func (l *blastList) indexRegistration() {
	l.numbers, l.groups = newIndex(), map[string][]string{}
	if l.seen.Live == nil {
		return
	}
	facts := map[string]GroupFacts{}
	for _, p := range l.seen.Live.Policies {
		if p.State != StateEnabled || !containsFold(p.IncludeUserActions, userActionRegister) {
			continue
		}
		for _, id := range slices.Concat(p.IncludeGroups, p.ExcludeGroups) {
			g, read := l.seen.Live.Named[id]
			if _, done := facts[id]; done || !read {
				continue
			}
			facts[id] = GroupFacts{ID: id, DisplayName: g.DisplayName, Opened: g.Opened}
			for _, member := range g.Members {
				l.groups[strings.ToLower(member)] = append(l.groups[strings.ToLower(member)], id)
			}
		}
		l.guarded = append(l.guarded, registrationPolicy{newAudience(p, facts, l.numbers), p.ID})
	}
}

// inScope are the accounts that the switch reaches.
func (l *blastList) inScope() []Account {
	if !l.defaults() {
		return addressed(l.cfg, l.seen, l.wave, l.day)
	}
	return slices.DeleteFunc(slices.Clone(l.seen.Accounts), func(a Account) bool {
		return !a.Enabled || a.Class == ClassSync || a.Class == ClassDisabled || (l.wave.Members == MembersAdmins && !administers(a))
	})
}

func (l *blastList) defaults() bool { return l.seen.Audit.Method == MethodSecurityDefaults }

// reasons are empty for who gets in.
func (l *blastList) reasons(a Account) []BlastReason {
	var list []BlastReason
	add := func(code, format string, args ...any) {
		list = append(list, BlastReason{code, fmt.Sprintf(format, args...)})
	}
	switch {
	case l.able(a):
	case a.Capable == Yes && l.defaults():
		add(BlastWeakOnly, "has text message or voice call alone, which Security Defaults do not take")
	case a.Capable == Yes:
		add(BlastWeakOnly, "has text message or voice call alone, which Microsoft switches off on %s", SmsVoiceEnds())
	case a.Capable == No:
		add(BlastNotCapable, "has no method for a second step")
	default:
		add(BlastUnproven, "it is not known whether there is a method for a second step")
	}
	if clients := l.clients(a); len(clients) > 0 {
		add(BlastClient, "signs in by %s, which cannot do MFA", strings.Join(clients, ", "))
	}
	if o, tried := l.trial[a.ID]; tried && a.Capable == Yes && strings.EqualFold(o.Result, "reportOnlyFailure") {
		add(BlastRefused, "the policy's trial refused a sign-in on %s", DateOf(o.LastAt.In(l.loc)))
	}
	if len(list) == 0 {
		return nil
	}
	if !l.able(a) {
		if policies := l.registrationPolicies(a); len(policies) > 0 {
			add(BlastNoRegistry, "registration is restricted by policy %s", strings.Join(policies, ", "))
		} else if l.refused[a.ID] {
			add(BlastNoRegistry, "registration was refused from where they sign in (53010)")
		}
	}
	if _, exempt := l.cfg.Exemption(a, l.day); exempt || a.Class == ClassEmergency {
		add(BlastNoExclusion, "Security Defaults leave nobody out: not this account either")
	}
	return list
}

// able reports whether the account can answer what the switch will ask of it.
func (l *blastList) able(a Account) bool {
	return CapableOn(a, l.day) == Yes && (!l.defaults() || a.Strength != StrengthWeak)
}

// clients are those that cannot do MFA and were used in the last days.
func (l *blastList) clients(a Account) []string {
	clients := slices.Concat(a.LegacyClients, l.legacy[a.ID])
	slices.Sort(clients)
	return slices.Compact(clients)
}

func (l *blastList) registrationPolicies(a Account) []string {
	if len(l.guarded) == 0 {
		return nil
	}
	attributes := l.numbers.of(Subject{ID: a.ID, EligibleRoles: a.Roles, Groups: l.groups[strings.ToLower(a.ID)]})
	var ids []string
	for _, p := range l.guarded {
		if p.judge(&attributes).reaches() {
			ids = append(ids, p.id)
		}
	}
	return ids
}

func (l *blastList) blast(a Account, reasons []BlastReason) Blast {
	b := Blast{
		Account: a.ID, UserPrincipalName: a.UserPrincipalName, DisplayName: a.DisplayName, Department: a.Department, Class: a.Class,
		Reasons: reasons, Arrived: Unknown, InTime: toldInTime(l.loc, l.sent[a.ID], l.day), LeftOut: l.leftOut[strings.ToLower(a.ID)],
	}
	if o, tried := l.trial[a.ID]; tried {
		b.Trial, b.TrialOn = o.Result, DateOf(o.LastAt.In(l.loc))
	}
	if x, is := acceptanceOf(l.cfg, l.known, l.wave, a); is {
		b.AcceptedBy = x.By
	}
	for _, m := range l.sent[a.ID] {
		if !m.Kind.IsNotice() || m.State == MessageDropped || (b.Arrived == Yes && m.State != MessageDelivered) {
			continue
		}
		b.Told, b.ToldOn, b.Arrived = m.Kind, m.Day, Unknown
		switch m.State {
		case MessageDelivered:
			b.Arrived = not(FactOf(m.Redirected()))
		case MessageBounced:
			b.Arrived = No
		}
	}
	switch why, dead := l.known.Unreachable[a.ID]; {
	case dead:
		b.Arrived, b.NotReached = No, why
	case a.Mail == "":
		b.Arrived, b.NotReached = No, "no mail address"
	}
	return b
}

// CapableOn is whether the account can answer a second factor on that day: who
// has text message or voice alone can until Microsoft switches these off.
func CapableOn(a Account, day Date) Fact {
	if a.Capable == Yes && a.Strength == StrengthWeak && !day.Before(SmsVoiceEnds()) {
		return No
	}
	return a.Capable
}

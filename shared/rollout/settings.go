package rollout

import (
	"slices"
	"strings"
	"time"
)

// Method is how MFA is demanded of people.
type Method string

// The methods. MethodAuto is resolved by [ChooseMethod] from the licences.
const (
	MethodAuto              Method = "auto"
	MethodConditionalAccess Method = "conditionalAccess"
	MethodSecurityDefaults  Method = "securityDefaults"
)

// Config is a validated rollout.yaml: what the operator wants for one tenant.
// Package config reads and validates it; here it is only data.
type Config struct {
	Tenant   TenantID `json:"tenant"`
	TimeZone string   `json:"timeZone"` // IANA name, for example Europe/London
	Method   Method   `json:"method"`
	Announce Date     `json:"announce"`

	Waves             []WaveConfig       `json:"waves"`
	EmergencyAccounts []EmergencyAccount `json:"emergencyAccounts"`
	// IncidentResponsePlan is the link that every alert carries.
	IncidentResponsePlan string      `json:"incidentResponsePlan"`
	Exemptions           []Exemption `json:"exemptions"`
	// Extensions give single people some days more, see [Config.Extension].
	Extensions []Extension `json:"extensions"`
	// Overrides say what an account is where the audit cannot see it.
	Overrides []Override `json:"accounts"`
	// Accepted are people who may be stopped by the switch although Sallyport
	// could not prove that they were told: the operator accepted them by name.
	Accepted      []Acceptance  `json:"accepted"`
	Communication Communication `json:"communication"`
	Alerts        Alerts        `json:"alerts"`
	Waivers       []Waiver      `json:"waivers"`

	// CountGuests puts guests into coverage and into the policy for everyone.
	CountGuests bool `json:"countGuests"`
	// GraceDays is how long a new account is shown apart from coverage.
	GraceDays int `json:"graceDays"`
	// ReminderDays are the reminder windows: days before the deadline, descending.
	ReminderDays []int `json:"reminderDays"`
	// GroupChanges is how many memberships of Sallyport's groups one run may change;
	// 0: 50, or 5 % of the accounts if that is more.
	GroupChanges int           `json:"groupChanges"`
	Enforcement  SwitchWindow  `json:"enforcement"`
	Breaker      BreakerLimits `json:"breaker"`
	Drills       DrillPlan     `json:"drills"`
	// Paused stops every write and every message until the operator resumes.
	Paused bool `json:"paused"`
}

// Location returns the tenant's time zone. Validation has proven that the name
// loads, so UTC is answered only for a Config that was never validated. It reads
// the time zone database each time: ask once, not once per account.
func (c Config) Location() *time.Location {
	loc, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// Wave returns the configured wave of that name.
func (c Config) Wave(name string) (WaveConfig, bool) {
	i := slices.IndexFunc(c.Waves, func(w WaveConfig) bool { return w.Name == name })
	if i < 0 {
		return WaveConfig{}, false
	}
	return c.Waves[i], true
}

// IsEmergency reports whether the object id is that of an emergency account.
func (c Config) IsEmergency(id string) bool {
	return slices.ContainsFunc(c.EmergencyAccounts, func(e EmergencyAccount) bool { return strings.EqualFold(e.ID, id) })
}

// EmergencyIDs are the object ids of the emergency accounts.
func (c Config) EmergencyIDs() []string {
	ids := make([]string, 0, len(c.EmergencyAccounts))
	for _, e := range c.EmergencyAccounts {
		ids = append(ids, e.ID)
	}
	return ids
}

// Exemption returns the exemption of an account that is in force on the day.
// An expired exemption is none: the account is back by itself.
func (c Config) Exemption(a Account, day Date) (Exemption, bool) {
	i := slices.IndexFunc(c.Exemptions, func(e Exemption) bool {
		return names(e.Account, a) && !e.Expires.Before(day)
	})
	if i < 0 {
		return Exemption{}, false
	}
	return c.Exemptions[i], true
}

// names reports whether an entry of rollout.yaml means the account. An empty
// entry means nobody, also where an account has no name.
func names(entry string, a Account) bool {
	return entry != "" && (strings.EqualFold(entry, a.ID) || strings.EqualFold(entry, a.UserPrincipalName))
}

// Members says whom a wave holds.
type Members string

// The sets of people a wave can hold.
const (
	MembersAdmins  Members = "admins"
	MembersCapable Members = "capable" // each person the day they become capable
	MembersAll     Members = "all"
)

// WaveConfig is one wave as the operator planned it.
type WaveConfig struct {
	Name     string  `json:"name"`
	Members  Members `json:"members"`
	Deadline Date    `json:"deadline"` // unset only for MembersCapable
	Coverage int     `json:"coverage"` // percent that the coverage gate demands; 0: the usual, see NeededCoverage
}

// EmergencyAccount is a break-glass account as configured: an object id, never
// a name, and where its password lies, never the password.
type EmergencyAccount struct {
	ID               string `json:"id"`
	PasswordLocation string `json:"passwordLocation"`
	Custodian        string `json:"custodian"`
	// CustodianEmail is where the invitation to a drill goes; empty: only to
	// the addresses under alerts.email, which get it in any case.
	CustodianEmail string `json:"custodianEmail"`
}

// DrillPlan is how often each emergency account is tried, in days. The zero
// value is the usual plan: every 90 days, a window of 7, the invitation 14 ahead.
type DrillPlan struct {
	EveryDays  int `json:"everyDays"`  // from one passed drill to the next, at most
	WindowDays int `json:"windowDays"` // how long the custodian may choose
	InviteDays int `json:"inviteDays"` // how long before the window the custodian is asked
}

// drillPlan returns the plan of drills, the usual one if none is set.
func (c Config) drillPlan() DrillPlan {
	if c.Drills.EveryDays == 0 {
		return UsualDrills()
	}
	return c.Drills
}

// UsualDrills is the plan of a rollout.yaml that says nothing of drills.
func UsualDrills() DrillPlan { return DrillPlan{EveryDays: DrillDays, WindowDays: 7, InviteDays: 14} }

// Exemption leaves one account out of the rollout until it expires.
type Exemption struct {
	Account     string `json:"account"` // object id or userPrincipalName
	Kind        string `json:"kind"`    // serviceAccount, sharedMailbox, person
	Alternative string `json:"alternative"`
	Owner       string `json:"owner"`
	Reason      string `json:"reason"`
	Expires     Date   `json:"expires"` // the last day on which it holds
}

// Override says what one account is.
type Override struct {
	Account string `json:"account"` // object id or userPrincipalName
	Class   Class  `json:"class"`   // one of [OverrideClasses]
	Reason  string `json:"reason"`
}

// RuleOverride is the rule of an account whose class the operator gave.
const RuleOverride = "override"

// OverrideClasses are the classes that an operator can give an account. The
// others follow from what Microsoft knows and acts on: to write down something
// else would not change whom its policies stop.
func OverrideClasses() []Class {
	return []Class{ClassService, ClassSharedMailbox, ClassRoom, ClassMember}
}

// Override returns what the operator says of the account.
func (c Config) Override(a Account) (Override, bool) {
	i := slices.IndexFunc(c.Overrides, func(o Override) bool { return names(o.Account, a) })
	if i < 0 {
		return Override{}, false
	}
	return c.Overrides[i], true
}

// Acceptance names a person who may be stopped without proof of notice.
type Acceptance struct {
	Account string `json:"account"` // object id or userPrincipalName
	By      string `json:"by"`
	Reason  string `json:"reason"`
}

// Waiver lifts one gate until a day, by an owner, for a reason.
type Waiver struct {
	Gate   string `json:"gate"`
	Owner  string `json:"owner"`
	Reason string `json:"reason"`
	Until  Date   `json:"until"` // the last day on which it holds
}

// Communication is how people are spoken to.
type Communication struct {
	From      string   `json:"from"`
	HelpDesk  HelpDesk `json:"helpDesk"`
	Training  Training `json:"training"`
	Languages []string `json:"languages"` // the first is the fallback
	// Quiet are the hours in which nobody is written to, by their own clock.
	Quiet QuietHours `json:"quietHours"`
	// QuietDays are the days of the week on which nobody is written to, in lower
	// case; nil: Saturday and Sunday.
	QuietDays []string `json:"quietDays"`
	// Done says whether who has just registered hears once that all is done.
	Done bool `json:"done"`
	// Redirect sends every message to a person to this address instead, marked:
	// to try a rollout out. Empty: people get their own.
	Redirect string `json:"redirect"`
	// MostPerRun is how many messages one run of remind begins; 0: all that are due.
	MostPerRun int      `json:"mostPerRun"`
	Branding   Branding `json:"branding"`
}

// Branding is how the messages to people look and what is added to them.
type Branding struct {
	Colour    string      `json:"colour"` // of the bar above a message, as #rrggbb; empty: by its urgency
	Signature string      `json:"signature"`
	Extra     []Paragraph `json:"paragraphs"`
}

// Paragraph is added to one kind of message.
type Paragraph struct {
	Message  MessageKind `json:"message"`
	Language string      `json:"language"` // empty: in every language
	Text     string      `json:"text"`
}

// HelpDesk is whom people ask.
type HelpDesk struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone"`
	Hours string `json:"hours"`
}

// Training is an optional session to which people are invited.
type Training struct {
	Title     string `json:"title"`
	Start     string `json:"start"` // local time in the tenant's zone, 2006-01-02T15:04
	Minutes   int    `json:"minutes"`
	Join      string `json:"join"`
	Recording string `json:"recording"`
}

// Alerts is who hears of emergency accounts, holds and lock-outs.
type Alerts struct {
	Email   []string `json:"email"`
	SMS     []string `json:"sms"`
	Webhook string   `json:"webhook"`
	// WebhookFormat is the JSON that the webhook takes; empty: known by its host.
	WebhookFormat string `json:"webhookFormat"`
	// Contacts are called in their order while an alert is not acknowledged.
	Contacts []Contact `json:"contacts"`
}

// Contact is somebody who is called when nobody acknowledges an alert.
type Contact struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone"`
}

// The forms in which an alert goes to a webhook.
const (
	WebhookSlack = "slack"
	WebhookTeams = "teams"
	WebhookJSON  = "json"
)

// WebhookFormats are the words that can stand under alerts.webhookFormat.
func WebhookFormats() []string { return []string{WebhookTeams, WebhookSlack, WebhookJSON} }

// SwitchWindow is when a switch may be made, in the tenant's time zone. Friday
// and weekends never are.
type SwitchWindow struct {
	FromHour int    `json:"fromHour"` // first hour, 0-23
	ToHour   int    `json:"toHour"`   // the hour at which it closes
	Holidays []Date `json:"holidays"`
}

// BreakerLimits are the circuit breaker's thresholds after a switch.
type BreakerLimits struct {
	People  int     `json:"people"`  // locked out in 24 hours, at least this many
	Percent float64 `json:"percent"` // or this share of the wave, whichever is larger
	Admins  int     `json:"admins"`  // this many admins trip it alone
}

package rollout

import "time"

// Class says what an account is. Each account has exactly one, given by the
// first rule that holds, in the order of the constants below.
type Class string

// The classes, in the order in which they are tried.
const (
	ClassEmergency     Class = "emergency account"
	ClassSync          Class = "sync account"
	ClassRoom          Class = "room or equipment"
	ClassSharedMailbox Class = "shared mailbox"
	ClassDisabled      Class = "disabled"
	ClassService       Class = "service account"
	ClassGuest         Class = "guest"
	ClassAdmin         Class = "admin"
	ClassNeverSignedIn Class = "never signed in"
	ClassMember        Class = "member"
)

// Strength is how good the best registered method is.
type Strength string

// The strengths, weakest first. StrengthUnknown is a method string that nobody
// has documented: kept and shown, counted neither as strong nor as none.
const (
	StrengthNone              Strength = "none"
	StrengthUnknown           Strength = "unknown"
	StrengthWeak              Strength = "weak" // SMS or voice, off on 2027-02-01
	StrengthStrong            Strength = "strong"
	StrengthPhishingResistant Strength = "phishing-resistant"
)

// Demand is how far MFA is demanded of an account by what is enabled today.
type Demand string

// The demands. DemandPartly is a policy narrowed by a condition or to some apps.
const (
	DemandAlways Demand = "always"
	DemandPartly Demand = "partly"
	DemandNo     Demand = "no"
)

// Account is what the audit made of one account. It is what the table keeps.
type Account struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	DisplayName       string `json:"displayName"`
	Mail              string `json:"mail"` // where to write; empty: not reachable
	Language          string `json:"language"`
	Country           string `json:"country"`
	Department        string `json:"department"`

	Class    Class  `json:"class"`
	Rule     string `json:"rule"`     // the rule that gave the class
	Evidence string `json:"evidence"` // what the rule saw
	Enabled  bool   `json:"enabled"`
	// New and Reactivated are set while the account is within its grace, after
	// its creation or after it was enabled again: counted apart.
	New         bool `json:"new"`
	Reactivated bool `json:"reactivated"`
	// EnabledSince is when an audit first saw an account enabled that the one
	// before saw disabled; zero if that never happened.
	EnabledSince time.Time `json:"enabledSince"`

	Registered Fact         `json:"registered"`
	Capable    Fact         `json:"capable"`
	Methods    []string     `json:"methods"`
	Strength   Strength     `json:"strength"`
	Enforced   Demand       `json:"enforced"`
	DemandedBy []string     `json:"demandedBy"` // policy ids, or "securityDefaults"
	NarrowedBy []NarrowedBy `json:"narrowedBy"`
	// Upcoming are policies that Microsoft manages and will enable by itself.
	Upcoming []Upcoming `json:"upcoming"`
	Roles    []string   `json:"roles"` // role template ids, tenant-wide, active or eligible
	// OtherRoles are roles that Conditional Access role conditions do not see, in
	// words: custom ones, and those scoped to an administrative unit.
	OtherRoles []string `json:"otherRoles"`
	// PerUserMFA is the legacy switch: disabled, enabled or enforced; empty where
	// it was not read.
	PerUserMFA string `json:"perUserMfa"`
	// Purpose is what its mailbox is for; empty where that was not asked.
	Purpose string `json:"purpose"`

	LanguageFrom  string   `json:"languageFrom"`  // preferredLanguage, organization or configured
	Manager       string   `json:"manager"`       // object id; empty: none is known
	LegacyClients []string `json:"legacyClients"` // used in the last seven days, as the sign-in log names them

	Created    time.Time `json:"created"`
	LastSignIn time.Time `json:"lastSignIn"`
	// LastInteractive is the last attempt to sign in by hand, successful or not.
	LastInteractive time.Time `json:"lastInteractive"`
	// StoppedBy are, of an emergency account, the ids of the policies that are not
	// proven to leave it out.
	StoppedBy []string `json:"stoppedBy,omitempty"`
}

// NarrowedBy names a condition that makes a policy demand MFA only sometimes.
type NarrowedBy struct {
	Policy string `json:"policy"`
	By     string `json:"by"`
}

// Upcoming is a policy that Microsoft manages and enables by itself, on that day
// or later, unless somebody sets its state before.
// Source: https://learn.microsoft.com/entra/identity/conditional-access/managed-policies
type Upcoming struct {
	Policy string `json:"policy"`
	From   Date   `json:"from"`
}

// Coverage is capable / all, over the accounts that count.
type Coverage struct {
	Capable int           `json:"capable"`
	All     int           `json:"all"`
	Weak    int           `json:"weak"` // capable, but only through SMS or voice
	Unknown int           `json:"unknown"`
	Classes map[Class]int `json:"classes"` // how many accounts of each class there are
	New     int           `json:"new"`     // in their grace, new or reactivated, counted apart

	ByClass map[Class]Share `json:"byClass"`
	// ByWave is over those whom a wave holds, as its coverage gate counts.
	ByWave map[string]Share `json:"byWave"`
	// ByDepartment holds the largest departments; see [DepartmentNone] and
	// [DepartmentOther].
	ByDepartment map[string]Share `json:"byDepartment"`
}

// Share is capable / all of a part of those who count.
type Share struct {
	Capable int `json:"capable"`
	All     int `json:"all"`
}

// Percent is the share from 0 to 100, rounded like [Coverage.Percent].
func (s Share) Percent() float64 { return Coverage{Capable: s.Capable, All: s.All}.Percent() }

// Percent is the coverage from 0 to 100, rounded down to a tenth so that 100
// means everybody. A tenant without anybody to count has 0: nothing was proven.
func (c Coverage) Percent() float64 {
	if c.All == 0 {
		return 0
	}
	return float64(c.Capable*1000/c.All) / 10
}

// CoveragePoint is the coverage of one day.
type CoveragePoint struct {
	Day      Date     `json:"day"`
	Coverage Coverage `json:"coverage"`
}

// AuditRun is the record of the newest complete audit.
type AuditRun struct {
	At               time.Time     `json:"at"` // when it began to read
	Organization     Organization  `json:"organization"`
	Plans            []ServicePlan `json:"plans"`
	Method           Method        `json:"method"`       // chosen or configured
	MethodReason     string        `json:"methodReason"` // one sentence
	MethodAdvice     string        `json:"methodAdvice"` // a paragraph an admin can forward
	SecurityDefaults bool          `json:"securityDefaults"`
	Coverage         Coverage      `json:"coverage"`
	Accounts         int           `json:"accounts"`
	Findings         []Finding     `json:"findings"`
	Missing          []MissingData `json:"missing"`
	Granted          []string      `json:"granted"` // application permissions in the reader's token
	// Legacy are sign-ins seen in the last day by protocols that cannot do MFA.
	Legacy []LegacyUse `json:"legacy"`
	// Failed is the reason of a later audit that did not complete; the facts
	// above are then those of At and grow stale.
	Failed   string    `json:"failed"`
	FailedAt time.Time `json:"failedAt"`
}

// Finding is something the audit saw that somebody should know of.
type Finding struct {
	ID       string   `json:"id"`
	Severity string   `json:"severity"` // critical, warning, note
	Text     string   `json:"text"`
	Evidence string   `json:"evidence"` // what was seen, by id and not by name
	Accounts []string `json:"accounts"` // ids, the first hundred
	Count    int      `json:"count"`    // of all accounts concerned
	Remedy   string   `json:"remedy"`
	// FirstSeen and LastSeen are the audits that saw it first and last; GoneAt is
	// the first that saw it no more, zero while it lasts.
	FirstSeen time.Time `json:"firstSeen"`
	LastSeen  time.Time `json:"lastSeen"`
	GoneAt    time.Time `json:"goneAt"`
}

// LegacyUse is an account seen on a protocol that cannot do MFA.
type LegacyUse struct {
	Account string    `json:"account"`
	Client  string    `json:"client"`
	LastAt  time.Time `json:"lastAt"`
}

// Observation is what a report-only policy last said about one account.
type Observation struct {
	Account string    `json:"account"`
	Policy  string    `json:"policy"`
	Result  string    `json:"result"`
	LastAt  time.Time `json:"lastAt"`
}

// Classes are all classes, in the order in which they are tried.
func Classes() []Class {
	return []Class{
		ClassEmergency, ClassSync, ClassRoom, ClassSharedMailbox, ClassDisabled, ClassService, ClassGuest, ClassAdmin, ClassNeverSignedIn, ClassMember,
	}
}

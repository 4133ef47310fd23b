package rollout

import (
	"maps"
	"slices"
	"time"
)

// What the table remembers of a rollout.

// WaveState is where a wave stands.
type WaveState string

// The states of a wave. [Moves] lists the moves that are allowed between them.
const (
	WavePlanned    WaveState = "planned"
	WaveAnnounced  WaveState = "announced"
	WaveObserving  WaveState = "observing"
	WaveHeld       WaveState = "held"
	WaveEnforced   WaveState = "enforced"
	WaveSettled    WaveState = "settled"
	WavePaused     WaveState = "paused"
	WaveRolledBack WaveState = "rolled back"
)

// Wave is the record of one wave.
type Wave struct {
	Name    string    `json:"name"`
	State   WaveState `json:"state"`
	Version int64     `json:"version"`
	// AnnouncedAt and ObservedFrom are when the wave first entered that state (the
	// latter begins anew after a roll-back), EnforcedAt and SettledAt when it last
	// did; zero until then.
	AnnouncedAt  time.Time `json:"announcedAt"`
	ObservedFrom time.Time `json:"observedFrom"`
	EnforcedAt   time.Time `json:"enforcedAt"`
	SettledAt    time.Time `json:"settledAt"`
	// BreakerTripped is set by monitor when the circuit breaker's limits are
	// passed; enforce then puts the policy back to report-only.
	BreakerTripped string `json:"breakerTripped"`
	History        []Move `json:"history"`
}

// Move is one change of a wave's state.
type Move struct {
	From   WaveState `json:"from"`
	To     WaveState `json:"to"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Gates are the ids of the gates that failed, for a move to held.
	Gates []string `json:"gates"`
}

// OwnedPolicy is a policy that Sallyport created: the only ones it writes.
type OwnedPolicy struct {
	Wave   string      `json:"wave"`
	ID     string      `json:"id"`     // empty: the create is intended but not yet confirmed
	Marker string      `json:"marker"` // stands in the policy's description
	Draft  PolicyDraft `json:"draft"`  // what was announced
	At     time.Time   `json:"at"`
	// State is the state that Sallyport last wrote and read back.
	State   string `json:"state"`
	Version int64  `json:"version"`
}

// Purposes of the groups that Sallyport owns.
const (
	GroupReady  = "ready"  // everybody who is capable: members of the ready wave
	GroupExempt = "exempt" // accounts left out until their exemption expires
)

// OwnedGroup is a group that Sallyport created: the only ones it fills.
type OwnedGroup struct {
	Purpose string    `json:"purpose"`
	ID      string    `json:"id"` // empty: intended but not yet confirmed
	Marker  string    `json:"marker"`
	At      time.Time `json:"at"`
	Version int64     `json:"version"`
}

// MessageKind names a message. Kinds to a person are in the first block.
type MessageKind string

// The kinds of message.
const (
	MessageAnnouncement MessageKind = "announcement"
	MessageReady        MessageKind = "ready"     // to those already capable, instead of the announcement
	MessageReminder     MessageKind = "reminder"  // only to those who still have to act
	MessageHoldout      MessageKind = "holdout"   // after the switch: how to get in
	MessageToday        MessageKind = "today"     // the morning of the switch, to those who still have to act
	MessageColleague    MessageKind = "colleague" // instead of the announcement, to whoever joins after the switch
	MessageTraining     MessageKind = "training"  // the invitation, what changed of it, or that it is called off
	MessageBetter       MessageKind = "better"    // to those with SMS or voice alone, which end
	MessageDone         MessageKind = "done"      // to whoever has just registered, if the operator likes
	MessageTeam         MessageKind = "team"      // to a manager: who of theirs is stopped

	MessageBlast    MessageKind = "blast"    // operator: whom the next switch will stop, 3 days and 1 day ahead
	MessageTask     MessageKind = "task"     // operator: something waits for a decision, see [Task]
	MessageHold     MessageKind = "hold"     // operator: a wave is held, why, and what to do
	MessageSwitched MessageKind = "switched" // operator: a wave was switched
	MessageRollback MessageKind = "rollback" // operator: the circuit breaker put a wave back
	MessageLockOut  MessageKind = "lockOut"  // help desk: who is locked out and why
	MessageDrill    MessageKind = "drill"    // operator: a drill is due, who should sign in
	MessageClosing  MessageKind = "closing"  // operator: the closing summary
	MessageHoldouts MessageKind = "holdouts" // operator: who is stopped since a week, by name
	MessageAlert    MessageKind = "alert"    // security team: an emergency account was used
)

// PersonKinds are the kinds that go to a person, in the order in which a rollout
// sends them.
func PersonKinds() []MessageKind {
	return []MessageKind{
		MessageAnnouncement, MessageReady, MessageTraining, MessageReminder, MessageToday, MessageHoldout, MessageTeam,
		MessageColleague, MessageBetter, MessageDone,
	}
}

// ToPerson reports whether the kind goes to a person of the tenant, at most one
// a day; the others go to the operator's addresses.
func (k MessageKind) ToPerson() bool { return slices.Contains(PersonKinds(), k) }

// IsNotice reports whether the kind tells a person of the date.
func (k MessageKind) IsNotice() bool {
	return k == MessageAnnouncement || k == MessageReady || k == MessageColleague
}

// MessageState is how far a message has come.
type MessageState string

// The states of a message. Sending is the moment of doubt: SES may or may not
// have taken it; only SES's own events settle that.
const (
	MessageClaimed   MessageState = "claimed"
	MessageSending   MessageState = "sending"
	MessageSent      MessageState = "sent"
	MessageDelivered MessageState = "delivered"
	MessageBounced   MessageState = "bounced"
	MessageDropped   MessageState = "dropped" // no longer true at send time, or no address
)

// Message is one message to one recipient. Its ID is derived from what it is,
// so that claiming it twice is impossible.
type Message struct {
	ID      string      `json:"id"`
	Kind    MessageKind `json:"kind"`
	Account string      `json:"account"` // the person; empty for the operator's
	Wave    string      `json:"wave"`
	Window  int         `json:"window"` // of a reminder: days before the deadline, or before SMS and voice end
	Subject string      `json:"subject"`
	Day     Date        `json:"day"` // the tenant's day on which it was claimed
	// Deadline is the person's own: the wave's, or later if their notice is.
	Deadline Date              `json:"deadline"`
	State    MessageState      `json:"state"`
	Reason   string            `json:"reason"`
	Details  map[string]string `json:"details"` // what the message says, by name, as it was when it was claimed

	ClaimedAt time.Time `json:"claimedAt"`
	SendingAt time.Time `json:"sendingAt"`
	SentAt    time.Time `json:"sentAt"`
	// DeliveredAt is when SES reported the delivery; notice is counted from it.
	DeliveredAt time.Time `json:"deliveredAt"`
	Version     int64     `json:"version"`
}

// detailRedirect is the address that a message went to instead of the person's.
const detailRedirect = "redirect"

// Redirected reports whether the message went to another address than the
// person's, who knows nothing of it: it is no notice, and its bounce is not theirs.
func (m Message) Redirected() bool { return m.Details[detailRedirect] != "" }

// Redirect is the message, bound for another address.
func (m Message) Redirect(to string) Message {
	details := maps.Clone(m.Details)
	if details == nil {
		details = map[string]string{}
	}
	details[detailRedirect] = to
	m.Details = details
	return m
}

// Alert is the record of one sign-in of an emergency account, or of one touch
// of it.
type Alert struct {
	ID         string    `json:"id"`   // derived from the sign-in id: one alert per sign-in
	Kind       string    `json:"kind"` // AlertSignIn, AlertTampering, AlertMonitor, AlertRepetition
	Account    string    `json:"account"`
	SignIn     SignIn    `json:"signIn"`
	Source     string    `json:"source"` // poll, notification, azureMonitor
	Drill      string    `json:"drill"`  // id of the open drill, or empty
	Text       string    `json:"text"`
	OccurredAt time.Time `json:"occurredAt"`
	SeenAt     time.Time `json:"seenAt"`
	AlertedAt  time.Time `json:"alertedAt"` // the first delivery; zero until then
	// Delivered is when each channel (email, sns, sms/..., webhook) took it.
	Delivered map[string]time.Time `json:"delivered"`
	// Pair is the other alert of the same sign-in, or empty: Azure Monitor's word
	// and the row of the log come apart, and make at most one pair.
	Pair string `json:"pair"`
	// AckedAt is when somebody acknowledged it; zero: repeated until then.
	AckedAt time.Time `json:"ackedAt"`
	AckedBy string    `json:"ackedBy"`
	// Of a repetition: how many alerts nobody had acknowledged, and the contact
	// it goes to; empty: to everybody under alerts.
	Repeats int    `json:"repeats"`
	Contact string `json:"contact"`
	Version int64  `json:"version"`
}

// Drill is one rehearsal of an emergency account's use: a window in which its
// custodian signs in. It ends once: passed, failed or cancelled.
type Drill struct {
	ID      string     `json:"id"`
	Account string     `json:"account"`
	Cause   DrillCause `json:"cause"` // why it is due
	// Custodian is who was asked, as rollout.yaml named them then, and Invitee
	// their address; empty: only the operator was written to.
	Custodian string `json:"custodian"`
	Invitee   string `json:"invitee"`
	// InvitedAt is when the newest invitation was made. Sequence counts how often
	// the window moved since the first, and Told is the newest notice that left.
	InvitedAt time.Time `json:"invitedAt"`
	Sequence  int       `json:"sequence"`
	Told      string    `json:"told"`
	// OpenedAt and ClosesAt are the window: it may lie ahead.
	OpenedAt time.Time `json:"openedAt"`
	ClosesAt time.Time `json:"closesAt"`

	PassedAt    time.Time `json:"passedAt"` // when the alert left; zero: not passed
	FailedAt    time.Time `json:"failedAt"`
	CancelledAt time.Time `json:"cancelledAt"`
	Why         string    `json:"why"` // why it failed or was cancelled

	// The evidence of a passed drill: the alert, when the sign-in was, the methods
	// that the sign-in log names (none: it did not say), and the ways that saw it.
	AlertID    string    `json:"alertId"`
	SignedInAt time.Time `json:"signedInAt"`
	Methods    []string  `json:"methods"`
	Ways       []string  `json:"ways"`
	Version    int64     `json:"version"`
}

// Change is one entry of the change log, which is only ever added to: the intent
// before a write, then the result as an entry of its own. It is called by its
// number. chain.go says how entries are bound to one another.
type Change struct {
	Seq  int64      `json:"seq"` // 1, 2, 3 and so on, in each tenant
	Kind ChangeKind `json:"kind"`
	At   time.Time  `json:"at"`
	By   string     `json:"by"`  // who or what asked: a part of Sallyport, or the ARN of an operator
	Run  string     `json:"run"` // in which run
	// Order is the operator's order that is carried out; empty: nobody's.
	Order string `json:"order"`
	// Of is the intent that a result belongs to; Undoes is the intent that an
	// intent takes back. 0: none.
	Of     int64 `json:"of"`
	Undoes int64 `json:"undoes"`

	What   string `json:"what"`   // createPolicy, setPolicyState, setSecurityDefaults, createGroup, fillGroup; of a note: pause, resume, refused
	Target string `json:"target"` // policy or group id, or a wave's name
	Before string `json:"before"`
	After  string `json:"after"`
	Reason string `json:"reason"`
	// Added and Removed are members of a group: of an intent those that are to
	// move, of a result those that did.
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	// Copy is a policy byte for byte as Graph answered it: of an intent what was
	// there, of a result what is there now.
	Copy string `json:"copy"`
	// Result is what became of an intent: one of the Result constants, or the
	// error, after which nobody knows yet whether the write happened.
	Result string `json:"result"`

	Prev string `json:"prev"` // the hash of the entry before
	Hash string `json:"hash"` // of this entry, Prev included
}

// LockOut is one incident of the lock-out desk: a person who was stopped and did
// not get in. Account and OpenedAt say which one it is. [FindLockOuts] is what a
// lock-out is, [CauseRule] why.
type LockOut struct {
	Account string    `json:"account"`
	Kind    CauseKind `json:"kind"`
	Cause   string    `json:"cause"`
	Advice  string    `json:"advice"`
	// Policies are those that stopped the person, by name, or by id where the log
	// does not say the name; empty where it says neither.
	Policies []string  `json:"policies"`
	Codes    []int     `json:"codes"`
	Attempts int       `json:"attempts"`
	OpenedAt time.Time `json:"openedAt"`
	LastAt   time.Time `json:"lastAt"`
	ClosedAt time.Time `json:"closedAt"`
	ClosedBy string    `json:"closedBy"` // ClosedBySignIn, ClosedByRegistering; empty: open
	ToldIn   string    `json:"toldIn"`   // the message to the help desk that names it
	ToldKind CauseKind `json:"toldKind"` // what that message gave as the cause
	Version  int64     `json:"version"`
}

// Subscription is a Graph change notification that Sallyport keeps alive.
type Subscription struct {
	ID          string    `json:"id"`
	Resource    string    `json:"resource"`
	ChangeType  string    `json:"changeType"`
	ClientState string    `json:"clientState"`
	ExpiresAt   time.Time `json:"expiresAt"`
}

// EmergencyProof is what was seen of one configured emergency account, read
// live. A fact that could not be read is Unknown, and Unknown proves nothing.
type EmergencyProof struct {
	Account       string `json:"account"`
	Exists        Fact   `json:"exists"`
	Enabled       Fact   `json:"enabled"`
	CloudOnly     Fact   `json:"cloudOnly"`
	InitialDomain Fact   `json:"initialDomain"`
	// GlobalAdmin: Global Administrator, active, direct, at "/".
	GlobalAdmin Fact `json:"globalAdmin"`
	// StrongMethod: holds a FIDO2 or certificate method.
	StrongMethod Fact `json:"strongMethod"`
	// NothingPersonal: holds no method that hangs on one person's phone or device;
	// Personal names those that it holds.
	NothingPersonal Fact     `json:"nothingPersonal"`
	Personal        []string `json:"personal"`
	// PasswordChanged is zero where it is not known.
	PasswordChanged time.Time `json:"passwordChanged"`
	// UserPrincipalName, and Held: each method as its kind and its own id. They say
	// nothing of how good the account is, but show that somebody changed it.
	UserPrincipalName string   `json:"userPrincipalName"`
	Held              []string `json:"held"` // null: not read
	// PerUserMFA is the legacy state: disabled, enabled, enforced; empty: not known.
	PerUserMFA string `json:"perUserMfa"`
	// ReadError is why the account could not be read; empty: it could.
	ReadError string `json:"readError"`
	// Excluding and Including are the groups that policies which could stop the
	// account exclude and include.
	Excluding []PolicyGroup `json:"excluding"`
	Including []PolicyGroup `json:"including"`
	// Policies is the verdict on every policy of the tenant.
	Policies []PolicyVerdict `json:"policies"`
}

// Verdict is how a policy stands to one account.
type Verdict string

// The verdicts. VerdictNotAddressed is safe only as long as memberships stay as
// they are; VerdictUnresolvable is a group that could not be opened.
const (
	VerdictExcluded     Verdict = "excluded"
	VerdictInside       Verdict = "inside"
	VerdictNotAddressed Verdict = "not-addressed"
	VerdictDepends      Verdict = "depends-on-membership"
	VerdictUnresolvable Verdict = "unresolvable"
)

// PolicyVerdict is the verdict of one policy on one account, with its path of
// evidence ("excluded through group A").
type PolicyVerdict struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Verdict Verdict  `json:"verdict"`
	Path    []string `json:"path"`
	// CanStop: the policy is on, or about to be, and asks for something. Only a
	// proof says it.
	CanStop bool `json:"canStop"`
}

// Seen is everything that was seen of the tenant for one [Plan].
type Seen struct {
	Audit        AuditRun
	Accounts     []Account
	Observations []Observation
	// Live is what enforce read just now; nil where the caller has no Graph
	// rights (remind) and for a plan that only concerns messages.
	Live *Live
}

// Live is the tenant's security configuration, read in this very run.
type Live struct {
	Policies         []Policy
	SecurityDefaults Fact
	Emergency        []EmergencyProof
	// Groups holds the members of the groups that Sallyport owns, by purpose.
	Groups map[string]Group
	// Named holds every group that a policy names, by id.
	Named map[string]Group
	// Granted are the application permissions in the writer's token.
	Granted []string
}

// Known is everything that the table remembers of the rollout.
type Known struct {
	Waves    []Wave
	Policies []OwnedPolicy
	Groups   []OwnedGroup
	Messages []Message
	Drills   []Drill
	LockOuts []LockOut
	// ChangeOver is the newest one from Security Defaults.
	ChangeOver ChangeOver
	// Unreachable are accounts whose address bounced for good, with the reason.
	Unreachable map[string]string
	// Accepted is who may be stopped, by name, beside what rollout.yaml accepts.
	Accepted []NamedAcceptance
}

// Wave returns the record of the wave; a wave without one is planned.
func (k Known) Wave(name string) Wave {
	for _, w := range k.Waves {
		if w.Name == name {
			return w
		}
	}
	return Wave{Name: name, State: WavePlanned}
}

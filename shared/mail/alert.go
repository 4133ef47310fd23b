package mail

import (
	"time"

	"sallyport/shared/rollout"
)

// SecurityAlert says that an emergency account was used or touched. It is read
// at three in the morning: what happened, whether it is a drill, what to do, how
// to say that somebody is at it.
type SecurityAlert struct {
	Notice
	ID                Line // of the alert: what `sallyport alerts ack` takes
	Account           Name // which one, as people call it
	UserPrincipalName Line
	OccurredAt        time.Time
	SeenAt            time.Time // when Sallyport saw it: logs arrive late
	// SignIn is set when it was a sign-in; What says it when it was something
	// else (a method added, a role taken away). At least one of them is set.
	SignIn *SignIn
	What   Line
	// Fired: Azure Monitor saw a sign-in whose row is not in the log yet.
	Fired bool
	// Update: this row is what Azure Monitor fired for, and the alert of that has
	// left. The same sign-in, and not a second one.
	Update bool
	Drill  *OpenDrill // nil: no drill is open for this account
	Lately rollout.Lately
	// Repeat is set when nobody acknowledged; the fields about one alert, down
	// from Account, are empty then.
	Repeat *Repeat
	// Care is set where nothing was done to the account, and something about it has
	// to be looked after: what, in a few words, and what to do. What says more.
	Care, CareStep Line
	// Custodian is who keeps the account's credentials.
	Custodian Name
	Plan      string // link to the incident response plan; empty: none is named
	AckLink   string // link to acknowledge; empty: by the command alone
	Table     Line   // the name of the stack's table, for the command
}

// SignIn is what the log says of one sign-in.
type SignIn struct {
	ID        Line // of the row in the sign-in log
	App       Line
	Client    Line
	Address   Line // IP address
	Place     Line // town and country; empty: not known
	Succeeded bool
	Code      int  // Microsoft's error code; 0: it succeeded
	Result    Line // the code in words
}

// OpenDrill is a drill inside whose window the alert falls.
type OpenDrill struct {
	Opened, Closes time.Time
}

// Repeat calls again about all that nobody has acknowledged.
type Repeat struct {
	Contact Name // whom this call is to; empty: everybody
	Open    []OpenAlert
}

// OpenAlert is one alert that nobody has acknowledged.
type OpenAlert struct {
	At      time.Time
	Account Name
	What    Line
	Keeper  Name // who keeps its credentials; empty: not known
	Drill   bool
}

// mostOpen is how many alerts a repetition lists, the newest.
const mostOpen = 20

// Count is how many alerts are open.
func (r Repeat) Count() int { return len(r.Open) }

// Shown are the alerts that the message lists.
func (r Repeat) Shown() []OpenAlert { return r.Open[:min(len(r.Open), mostOpen)] }

// More is how many it leaves out.
func (r Repeat) More() int { return len(r.Open) - len(r.Shown()) }

// Kind says which message it is.
func (SecurityAlert) Kind() rollout.MessageKind { return rollout.MessageAlert }

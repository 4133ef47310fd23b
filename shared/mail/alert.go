package mail

import (
	"time"

	"sallyport/shared/rollout"
)

// SecurityAlert says that an emergency account was used or touched. It is read
// at three in the morning: what happened, whether it is a drill, what to do.
type SecurityAlert struct {
	Notice
	Account           Name // which one, as people call it
	UserPrincipalName Line
	OccurredAt        time.Time
	SeenAt            time.Time // when Sallyport saw it: logs arrive late
	// SignIn is set when it was a sign-in; What says it when it was something
	// else (a method added, a role taken away). At least one of them is set.
	SignIn *SignIn
	What   Line
	Drill  *OpenDrill // nil: no drill is open for this account
	// Custodian is who keeps the account's credentials.
	Custodian Name
	Plan      string // link to the incident response plan
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

// Kind says which message it is.
func (SecurityAlert) Kind() rollout.MessageKind { return rollout.MessageAlert }

// Package touch is what webhook tells breakglass: somebody may have used or
// touched an emergency account. It is a package of its own, without a single
// dependency, so that webhook can write an [Event] without linking the Graph
// SDK that breakglass needs to look into it.
//
// An Event is a hint and never a fact: Graph's notifications carry ids alone,
// Azure Monitor's alerts no rows, and each may come twice, late or out of
// order. Breakglass reads the account and its sign-ins itself.
package touch

import "time"

// The ways in which an Event reaches us.
const (
	// SourceNotification is a Graph change notification: an account was
	// changed or deleted.
	SourceNotification = "notification"
	// SourceLifecycle is a Graph lifecycle notification: the subscription itself
	// needs care.
	SourceLifecycle = "lifecycle"
	// SourceAzureMonitor is an Azure Monitor alert on the sign-in log.
	SourceAzureMonitor = "azureMonitor"
	// SourceAck is somebody who pressed the button behind an alert's link.
	SourceAck = "ack"
	// SourceProbe is the handshake of a subscription that was made for the sake of
	// it: the self-test of this very way.
	SourceProbe = "probe"
)

// The conditions of an Azure Monitor alert. A Resolved may come without a Fired.
const (
	ConditionFired    = "Fired"
	ConditionResolved = "Resolved"
)

// Event is one hint, as it lies on the event queue: one JSON object per queue
// message. Fields that the source does not have are empty. Its sender was
// proven before it was queued; its content was not.
type Event struct {
	Source     string    `json:"source"`
	ReceivedAt time.Time `json:"receivedAt"` // when webhook had it, UTC

	// Of a Graph notification. The subscription's id leads to the tenant
	// (store: TenantOfSubscription); an id that we do not know is foreign.
	SubscriptionID string `json:"subscriptionId,omitempty"`
	ChangeType     string `json:"changeType,omitempty"` // updated, deleted
	Resource       string `json:"resource,omitempty"`   // for example Users/{id}
	Account        string `json:"account,omitempty"`    // the changed object's id; may be empty
	Lifecycle      string `json:"lifecycle,omitempty"`  // reauthorizationRequired, subscriptionRemoved, missed

	// Of an acknowledgement, with AlertID, both of which stood in the signed link; and
	// of a self-test, with Probe: webhook has proven that we made it.
	Probe  string `json:"probe,omitempty"`
	Tenant string `json:"tenant,omitempty"`

	// Of an Azure Monitor alert. Accounts are the values of the dimension
	// UserId: none if the rule does not split by it, and then every emergency
	// account may be meant. The tenant follows from the accounts.
	AlertID   string    `json:"alertId,omitempty"` // the same in every redelivery
	Rule      string    `json:"rule,omitempty"`
	Condition string    `json:"condition,omitempty"`
	FiredAt   time.Time `json:"firedAt,omitzero"`
	Accounts  []string  `json:"accounts,omitempty"`
}

package rollout

import "time"

// The kinds of alert.
const (
	AlertSignIn    = "signIn"       // a row of the sign-in log
	AlertTampering = "tampering"    // the account or its exclusion was touched
	AlertMonitor   = "azureMonitor" // Azure Monitor fired; the rows may come later
)

// AlertID is the key of the alert for one sign-in: whichever way saw it first,
// it is claimed once.
func AlertID(signInID string) string { return "signin-" + signInID }

// PollOverlap is how far back each poll of the sign-in log reads: rows arrive
// up to two hours late and more than once.
// Source: https://learn.microsoft.com/entra/identity/monitoring-health/reports-faq
const PollOverlap = 2*time.Hour + 10*time.Minute

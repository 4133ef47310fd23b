package setup

import "encoding/json"

// Guard lets the tests try writes that this package never makes.
func Guard(method, path string, body, meant []byte) error {
	return guard(method, path, body, permit{method: method, path: path, body: meant})
}

// Mark is the nickname of what a tenant has of a kind.
func Mark(tenantID, what string) string { return mark(tenantID, what) }

// Meaning is what a policy says beside the groups that it excludes.
func Meaning(policy string) string { return string(meaning(json.RawMessage(policy), false)) }

// DrawName draws the name of an account.
var DrawName = drawName

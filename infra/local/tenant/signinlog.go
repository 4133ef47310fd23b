package tenant

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// retention is how long P1 and P2 tenants can read their sign-ins.
// Source: https://learn.microsoft.com/entra/identity/monitoring-health/reference-reports-data-retention
const retention = 30 * 24 * time.Hour

// row is one sign-in, kept small: a rehearsal makes tens of thousands.
type row struct {
	id, correlation, userID string
	at                      time.Time
	code                    int
	interactive             bool
	user                    Object
	attempt                 Attempt
	status                  string
	applied                 []appliedPolicy
	mfa                     bool
	loaded                  Object // a row from a folder, told as it is
	from, again             time.Time
	twice                   bool
	told                    map[telling][]byte // JSON that was already made
}

// telling is a way in which a row can be answered.
type telling struct {
	beta    bool // with the properties that only beta has
	applied bool // the caller may see what the policies said
	future  bool // the caller asked for members after unknownFutureValue
	partial bool // as first published
}

// signInLog keeps rows by time and by user, oldest first.
type signInLog struct {
	rows   []*row
	byUser map[string][]*row
	failed map[int][]*row // by error code, failures only
	forgot int            // rows before this one keep no JSON
}

// keepJSON is how long after a sign-in its JSON is kept: what is polled again
// and again is young.
const keepJSON = 3 * 24 * time.Hour

func newSignInLog() signInLog {
	return signInLog{byUser: map[string][]*row{}, failed: map[int][]*row{}}
}

func (l *signInLog) add(r *row) {
	l.rows = insert(l.rows, r)
	user := strings.ToLower(r.userID)
	l.byUser[user] = insert(l.byUser[user], r)
	if r.code != 0 {
		l.failed[r.code] = insert(l.failed[r.code], r)
	}
	for ; l.forgot < len(l.rows) && r.at.Sub(l.rows[l.forgot].at) > keepJSON; l.forgot++ {
		l.rows[l.forgot].told = nil
	}
}

// insert keeps a list sorted by time; nearly always the row is the newest.
func insert(rows []*row, r *row) []*row {
	i := len(rows)
	for i > 0 && rows[i-1].at.After(r.at) {
		i--
	}
	return slices.Insert(rows, i, r)
}

// between returns the rows of a sorted list from one instant to another, both
// included; a zero time leaves that end open.
func between(rows []*row, from, to time.Time) []*row {
	lo, hi := 0, len(rows)
	if !from.IsZero() {
		lo, _ = slices.BinarySearchFunc(rows, from, func(r *row, t time.Time) int {
			if r.at.Before(t) {
				return -1
			}
			return 1
		})
	}
	if !to.IsZero() {
		hi, _ = slices.BinarySearchFunc(rows, to, func(r *row, t time.Time) int {
			if r.at.After(t) {
				return 1
			}
			return -1
		})
	}
	if hi < lo {
		return nil
	}
	return rows[lo:hi]
}

// newRow writes down a sign-in and decides when the log will show it.
func (t *Tenant) newRow(u Object, a Attempt, v judgement) *row {
	r := &row{
		id: t.newID("signIn"), userID: text(u, "id"), at: a.At.UTC(), code: v.Code, interactive: !a.NonInteractive,
		user: u, attempt: a, status: v.status, applied: v.applied, mfa: v.UsedMFA,
	}
	r.correlation = makeID(t.seed, "correlation "+r.id, 1)
	t.delay(r)
	return r
}

// delay decides when a row reaches the log, whether it is listed twice and
// whether it is published again.
func (t *Tenant) delay(r *row) {
	b := t.behave
	r.from = r.at.Add(b.SignInsFrom + part(b.SignInsTo-b.SignInsFrom, t.seed, "late", r.id))
	r.twice = share(t.seed, "twice", r.id) < b.SignInsTwice
	if share(t.seed, "again", r.id) < b.SignInsAgain {
		r.again = r.from.Add(part(b.SignInsAgainIn-b.SignInsTo, t.seed, "when again", r.id))
	}
}

// render makes the JSON of a row.
func (t *Tenant) render(r *row, as telling, now time.Time) []byte {
	as.partial = now.Before(r.again)
	if b, ok := r.told[as]; ok {
		return b
	}
	b, err := json.Marshal(t.signInObject(r, as))
	if err != nil {
		return []byte("null") // maps of strings and numbers always marshal
	}
	if r.told == nil {
		r.told = map[telling][]byte{}
	}
	r.told[as] = b
	return b
}

// reasons are the texts of the codes. Nobody should read them; somebody will.
// Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var reasons = map[int]string{
	50053: "The account is locked, or the address is not trusted.", 50057: "The user account is disabled.",
	50072: "User needs to enroll for second factor authentication (interactive).", 50074: "Strong authentication is required and the user did not pass the challenge.",
	50076: "Multi-factor authentication must be used because of a change by the administrator or a new location.", 50079: "User needs to enroll for second factor authentication.",
	50126: "Invalid username or password.", 500121: "Authentication failed during strong authentication request.",
	53000: "Device is not compliant.", 53001: "Device is not domain joined.", 53003: "Access has been blocked by Conditional Access policies.",
	53004: "User may not register authentication methods because of risk.", 53010: "Registering authentication methods is not allowed from here.",
	530032: "Blocked by the organisation's security policy.", 530035: "Access has been blocked by security defaults.",
}

// signInObject tells a row in Graph's shape.
func (t *Tenant) signInObject(r *row, as telling) Object {
	var o Object
	if r.loaded != nil {
		o = cloneObject(r.loaded)
		for _, k := range sortedKeys(o) {
			if !slices.Contains(signInProperties, k) {
				delete(o, k) // from beta
			}
		}
	} else {
		o = t.freshSignIn(r)
	}
	switch said := objects(o, "appliedConditionalAccessPolicies"); {
	case !as.applied:
		delete(o, "appliedConditionalAccessPolicies")
	case as.partial:
		o["appliedConditionalAccessPolicies"], o["conditionalAccessStatus"] = []any{}, "notApplied"
	case !as.future:
		for _, p := range said {
			if strings.HasPrefix(text(p, "result"), "reportOnly") {
				p["result"] = "unknownFutureValue"
			}
		}
	}
	if as.beta {
		kind, requirement := "interactiveUser", "singleFactorAuthentication"
		if !r.interactive {
			kind = "nonInteractiveUser"
		}
		if r.mfa || r.code == 50072 || r.code == 50074 || r.code == 50076 || r.code == 50079 || r.code == 500121 {
			requirement = "multiFactorAuthentication"
		}
		o["signInEventTypes"], o["authenticationRequirement"] = []any{kind}, requirement
	}
	return o
}

func (t *Tenant) freshSignIn(r *row) Object {
	a := r.attempt
	applied := make([]any, len(r.applied))
	for i, p := range r.applied {
		controls := []any{}
		if p.control != "" {
			controls = []any{p.control}
		}
		applied[i] = Object{"id": p.id, "displayName": p.name, "enforcedGrantControls": controls, "enforcedSessionControls": []any{}, "result": p.result}
	}
	var reason any
	if r.code != 0 {
		reason = reasons[r.code]
	}
	risk := a.Risk
	if risk == "" {
		risk = "none"
	} else if !t.licensed(PlanP2) {
		risk = "hidden"
	}
	appName := appNames[a.AppID]
	if appName == "" {
		appName = "Some application"
	}
	return Object{
		"id": r.id, "createdDateTime": stamp(r.at), "userId": r.userID, "userDisplayName": r.user["displayName"],
		"userPrincipalName": strings.ToLower(text(r.user, "userPrincipalName")), "appId": a.AppID, "appDisplayName": appName,
		"ipAddress": orDefault(a.IP, "192.0.2.10"), "clientAppUsed": a.Client, "correlationId": r.correlation, "isInteractive": r.interactive,
		"conditionalAccessStatus": r.status, "riskDetail": "none", "riskLevelAggregated": risk, "riskLevelDuringSignIn": risk, "riskState": "none",
		"riskEventTypes": []any{}, "riskEventTypes_v2": []any{}, "resourceDisplayName": appName, "resourceId": a.AppID,
		"status":                           Object{"errorCode": r.code, "failureReason": reason, "additionalDetails": nil},
		"deviceDetail":                     Object{"deviceId": "", "displayName": nil, "operatingSystem": orDefault(a.Platform, "windows"), "browser": "Edge 140.0", "isCompliant": a.Compliant, "isManaged": a.Compliant, "trustType": nil},
		"location":                         Object{"city": orDefault(a.City, "London"), "state": "", "countryOrRegion": orDefault(a.Country, "GB"), "geoCoordinates": nil},
		"appliedConditionalAccessPolicies": applied,
	}
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// SignIns tells a witness every sign-in from one instant to another, oldest
// first and each once, whether the log shows it yet or not, with everything a
// fully trusted reader of v1.0 would see.
func (t *Tenant) SignIns(from, to time.Time) []Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Object
	for _, r := range between(t.log.rows, from, to) {
		out = append(out, t.signInObject(r, telling{applied: true, future: true}))
	}
	return out
}

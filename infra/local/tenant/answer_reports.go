package tenant

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"
)

// registrationFilters are what the page of the report states.
// Source: https://learn.microsoft.com/graph/api/authenticationmethodsroot-list-userregistrationdetails
var registrationFilters = map[string]string{
	"isMfaCapable": "eq", "isMfaRegistered": "eq", "isPasswordlessCapable": "eq", "isSsprCapable": "eq", "isSsprEnabled": "eq", "isSsprRegistered": "eq",
	"isSystemPreferredAuthenticationMethodEnabled": "eq", "userPrincipalName": "eq startswith", "userDisplayName": "eq startswith",
	"methodsRegistered": "any", "systemPreferredAuthenticationMethods": "any",
}

const registrationContext = "reports/authenticationMethods/userRegistrationDetails"

func (t *Tenant) listRegistrations(c *call) answer {
	if !t.premium() {
		return unlicensed()
	}
	var rows []Object
	for _, id := range t.users.ids {
		t.refresh(id)
		if r := t.person(id).reported; r != nil {
			rows = append(rows, r)
		}
	}
	return t.list(c, listing{context: registrationContext, rows: rows, filters: registrationFilters, pageOf: 100, most: 999})
}

func (t *Tenant) getRegistration(c *call) answer {
	if !t.premium() {
		return unlicensed()
	}
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	t.refresh(text(u, "id"))
	r := t.person(text(u, "id")).reported
	if r == nil {
		return missing(c.vars["user"])
	}
	return entity(registrationContext, r)
}

// signInFilters are what the page of the log states: no ne, no in, no or.
// Source: https://learn.microsoft.com/graph/api/signin-list
var signInFilters = map[string]string{
	"createdDateTime": "eq ge le", "userId": "eq", "userPrincipalName": "eq startswith", "userDisplayName": "eq startswith",
	"appDisplayName": "eq startswith", "appId": "eq", "id": "eq", "correlationId": "eq", "conditionalAccessStatus": "eq", "ipAddress": "eq startswith",
	"status/errorCode": "eq", "riskState": "eq", "riskLevelAggregated": "eq", "riskLevelDuringSignIn": "eq", "riskDetail": "eq",
	"isInteractive": "eq", "clientAppUsed": "eq", "resourceId": "eq", "resourceDisplayName": "eq",
	"location/city": "eq startswith", "location/countryOrRegion": "eq startswith", "signInEventTypes": "any",
}

// signInProperties are the properties of v1.0's signIn; beta has two more here.
var signInProperties = []string{
	"id", "createdDateTime", "userId", "userDisplayName", "userPrincipalName", "appId", "appDisplayName", "ipAddress", "clientAppUsed", "correlationId",
	"isInteractive", "conditionalAccessStatus", "riskDetail", "riskLevelAggregated", "riskLevelDuringSignIn", "riskState", "riskEventTypes",
	"riskEventTypes_v2", "resourceDisplayName", "resourceId", "status", "deviceDetail", "location", "appliedConditionalAccessPolicies",
}

const (
	signInPage   = 1000
	skipTokenAge = 20 * time.Minute
)

// tellingFor is how a caller may see sign-ins.
func tellingFor(c *call) telling {
	return telling{
		beta:    c.version == "beta",
		applied: c.may(one("Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess")),
		future:  strings.Contains(strings.Join(c.header.Values("Prefer"), ","), "include-unknown-enum-members"),
	}
}

// listSignIns answers the sign-in log: newest first, what has arrived, some of
// it twice. Rows are many and asked for often, so they are found by user, code
// and time and their JSON is kept.
func (t *Tenant) listSignIns(c *call) answer {
	if !t.premium() {
		return unlicensed()
	}
	as := tellingFor(c)
	l := listing{context: "auditLogs/signIns", filters: signInFilters, properties: signInProperties, pageOf: signInPage, most: signInPage, options: []string{"$orderby"}}
	if as.beta {
		l.properties = append(slices.Clone(l.properties), "signInEventTypes", "authenticationRequirement")
	}
	if a := l.refuse(c.query); a.status != 0 {
		return a
	}
	terms, err := parseFilter(c.query.Get("$filter"))
	if err != nil {
		return badQuery(err.Error())
	}
	if a := l.permits(terms); a.status != 0 {
		return a
	}
	if !as.beta && slices.ContainsFunc(terms, func(m term) bool { return m.path[0] == "signInEventTypes" }) {
		return badQuery("Could not find a property named 'signInEventTypes' on type 'microsoft.graph.signIn'.")
	}
	selected, a := l.selected(c.query.Get("$select"))
	if a.status != 0 {
		return a
	}
	size, a := t.pageSize(c.query, signInPage, signInPage)
	if a.status != 0 {
		return a
	}
	from, issued, a := skipped(c.query)
	if a.status != 0 {
		return a
	}
	if from > 0 && c.at.Sub(issued) > skipTokenAge {
		return badQuery("Skip token has expired.")
	}
	if order := c.query.Get("$orderby"); order != "" && order != "createdDateTime desc" {
		return badQuery("The $orderby expression is not supported.")
	}
	q := askedOf(terms, as.beta)
	var b bytes.Buffer
	b.WriteString(`{"@odata.context":"` + metadata + l.context + `","value":[`)
	n, more := 0, false
	t.arrived(q, as, c.at, func(r *row) bool {
		if n++; n <= from {
			return true
		}
		if n > from+size {
			more = true
			return false
		}
		if n > from+1 {
			b.WriteByte(',')
		}
		if selected == nil {
			b.Write(t.render(r, as, c.at))
		} else {
			b.Write(marshal(pick(t.signInObject(r, as), selected)))
		}
		return true
	})
	b.WriteByte(']')
	if more {
		b.WriteString(`,"@odata.nextLink":`)
		b.Write(marshal(c.next(skipToken(from+size, c.at))))
	}
	b.WriteByte('}')
	return answer{status: http.StatusOK, body: b.Bytes()}
}

// asked is a query of the sign-in log with the parts that are indexed apart.
type asked struct {
	from, to       time.Time
	user           string
	code           int
	byCode         bool
	nonInteractive bool
	rest           []term
}

func askedOf(terms []term, beta bool) asked {
	var q asked
	for _, m := range terms {
		name := strings.Join(m.path, "/")
		when, isTime := m.values[0].(time.Time)
		s, _ := m.values[0].(string)
		code, isNumber := m.values[0].(float64)
		switch {
		case name == "createdDateTime" && isTime && m.op == "ge" && when.After(q.from):
			q.from = when
		case name == "createdDateTime" && isTime && m.op == "le" && (q.to.IsZero() || when.Before(q.to)):
			q.to = when
		case name == "userId":
			q.user = strings.ToLower(s)
		case name == "status/errorCode" && isNumber:
			q.code, q.byCode = int(code), true
		case name == "signInEventTypes" && beta:
			q.nonInteractive = s == "nonInteractiveUser"
		default:
			q.rest = append(q.rest, m)
		}
	}
	return q
}

// arrived calls yield with every row that a query finds in the log by now,
// newest first, until yield has had enough.
func (t *Tenant) arrived(q asked, as telling, now time.Time, yield func(*row) bool) {
	rows := t.log.rows
	switch {
	case q.user != "":
		rows = t.log.byUser[q.user]
	case q.byCode && q.code != 0:
		rows = t.log.failed[q.code]
	}
	oldest := now.Add(-retention)
	if q.from.Before(oldest) {
		q.from = oldest
	}
	rows = between(rows, q.from, q.to)
	for i := len(rows) - 1; i >= 0; i-- {
		r := rows[i]
		if r.from.After(now) || r.interactive == q.nonInteractive || q.byCode && r.code != q.code {
			continue
		}
		if len(q.rest) > 0 && !matches(t.signInObject(r, as), q.rest) {
			continue
		}
		if !yield(r) || r.twice && !yield(r) {
			return
		}
	}
}

func (t *Tenant) getSignIn(c *call) answer {
	if !t.premium() {
		return unlicensed()
	}
	for _, r := range t.log.rows {
		if strings.EqualFold(r.id, c.vars["signIn"]) && !r.from.After(c.at) {
			as := tellingFor(c)
			as.partial = c.at.Before(r.again)
			return entity("auditLogs/signIns", t.signInObject(r, as))
		}
	}
	return missing(c.vars["signIn"])
}

func (t *Tenant) listAudits(c *call) answer {
	rows := slices.Clone(t.audits)
	slices.Reverse(rows)
	return t.list(c, listing{
		context: "auditLogs/directoryAudits", rows: rows, pageOf: 1000, most: 1000, options: []string{"$orderby"},
		filters: map[string]string{"activityDateTime": "eq ge le", "activityDisplayName": "eq startswith", "category": "eq", "loggedByService": "eq", "correlationId": "eq", "result": "eq"},
	})
}

func (t *Tenant) listRisks(c *call) answer {
	if !t.premium() {
		return unlicensed()
	}
	return t.list(c, listing{
		context: "identityProtection/riskDetections", rows: t.hiding(t.risks.all()), pageOf: 20, most: 500,
		filters: map[string]string{"userId": "eq", "riskLevel": "eq", "riskState": "eq", "detectedDateTime": "ge le", "activityDateTime": "ge le", "userPrincipalName": "eq"},
	})
}

func (t *Tenant) listRiskyUsers(c *call) answer {
	if !t.premium() {
		return unlicensed()
	}
	return t.list(c, listing{
		context: "identityProtection/riskyUsers", rows: t.hiding(t.riskyUsers.all()), pageOf: 20, most: 500,
		filters: map[string]string{"riskLevel": "eq", "riskState": "eq", "userPrincipalName": "eq", "riskLastUpdatedDateTime": "ge le"},
	})
}

// hiding hides how bad a risk is from tenants without P2.
func (t *Tenant) hiding(rows []Object) []Object {
	if t.licensed(PlanP2) {
		return rows
	}
	rows = cloneAll(rows)
	for _, r := range rows {
		r["riskLevel"], r["riskDetail"] = "hidden", "hidden"
	}
	return rows
}

package tenant

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (t *Tenant) listMethods(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	id := text(u, "id")
	return t.list(c, listing{context: "users('" + id + "')/authentication/methods", rows: t.person(id).methods, pageOf: 100, most: 100})
}

// The rules of a Temporary Access Pass.
// Source: https://learn.microsoft.com/graph/api/authentication-post-temporaryaccesspassmethods
func (t *Tenant) createPass(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	id := text(u, "id")
	if !t.allowed(id, TemporaryAccessPass) || strings.EqualFold(text(u, "userType"), "guest") {
		return badQuery("Temporary Access Pass is not enabled for this user by policy.")
	}
	minutes, start := 60, c.at
	if n, has := number(body["lifetimeInMinutes"]); has {
		minutes = int(n)
	}
	if when := moment(body, "startDateTime"); when.After(start) {
		start = when
	}
	least, most := t.passLimits()
	if minutes < least || minutes > most {
		return badQuery(fmt.Sprintf("lifetimeInMinutes must be between %d and %d.", least, most))
	}
	once, _ := truth(body, "isUsableOnce")
	t.refresh(id)
	p := t.person(id)
	p.methods = slices.DeleteFunc(p.methods, func(m Object) bool { return kindOf(m) == TemporaryAccessPass })
	reason := "EnabledByPolicy"
	if start.After(c.at) {
		reason = "NotYetValid"
	}
	method := Object{
		"@odata.type": graphType + "temporaryAccessPassAuthenticationMethod", "id": t.newID("pass"), "createdDateTime": stamp(c.at),
		"startDateTime": stamp(start), "lifetimeInMinutes": minutes, "isUsableOnce": once, "isUsable": !start.After(c.at), "methodUsabilityReason": reason,
	}
	p.methods = append(p.methods, method)
	shown := cloneObject(method)
	shown["temporaryAccessPass"] = makeID(t.seed, "secret "+text(method, "id"), 1)[:8] // told once, kept nowhere
	delete(shown, "@odata.type")
	shown["@odata.context"] = metadata + "users('" + id + "')/authentication/temporaryAccessPassMethods/$entity"
	return ok(http.StatusCreated, shown)
}

func (t *Tenant) passLimits() (least, most int) {
	least, most = 10, 43200
	for _, c := range objects(t.methodsPolicy, "authenticationMethodConfigurations") {
		if text(c, "id") == "TemporaryAccessPass" {
			if n, has := number(c["minimumLifetimeInMinutes"]); has {
				least = int(n)
			}
			if n, has := number(c["maximumLifetimeInMinutes"]); has {
				most = int(n)
			}
		}
	}
	return least, most
}

// usablePass returns a person's pass that is good at an instant, or nil.
func (t *Tenant) usablePass(id string, when time.Time) Object {
	for _, m := range t.person(id).methods {
		start, minutes := moment(m, "startDateTime"), 0.0
		if n, has := number(m["lifetimeInMinutes"]); has {
			minutes = n
		}
		usable := text(m, "methodUsabilityReason") != "OneTimeUsed"
		if kindOf(m) == TemporaryAccessPass && usable && !when.Before(start) && when.Before(start.Add(time.Duration(minutes)*time.Minute)) {
			return m
		}
	}
	return nil
}

func (t *Tenant) getRequirements(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	id := text(u, "id")
	return ok(http.StatusOK, Object{
		"@odata.context": metadata + "users('" + id + "')/authentication/requirements", "perUserMfaState": t.person(id).perUser,
	})
}

func (t *Tenant) patchRequirements(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	state := text(body, "perUserMfaState")
	if !slices.Contains([]string{"disabled", "enabled", "enforced"}, state) {
		return badQuery("perUserMfaState must be disabled, enabled or enforced.")
	}
	t.person(text(u, "id")).perUser = state
	return empty()
}

func (t *Tenant) revokeSessions(c *call) answer {
	u, a := t.theUser(c)
	if a.status != 0 {
		return a
	}
	u["signInSessionsValidFromDateTime"] = stamp(c.at)
	return ok(http.StatusOK, Object{"@odata.context": metadata + "Edm.Boolean", "value": true})
}

// purposeOf finds the kind of mailbox of a call's user, or says that there is none.
func (t *Tenant) purposeOf(c *call) (string, Object, answer) {
	u, a := t.theUser(c)
	if a.status != 0 {
		return "", nil, problem(http.StatusNotFound, "ErrorInvalidUser", "The requested user '"+c.vars["user"]+"' is invalid.")
	}
	purpose := t.person(text(u, "id")).purpose
	if purpose == "" {
		return "", nil, problem(http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
	}
	return purpose, u, answer{}
}

func (t *Tenant) getMailbox(c *call) answer {
	purpose, u, a := t.purposeOf(c)
	if a.status != 0 {
		return a
	}
	o := Object{
		"@odata.context": metadata + "users('" + text(u, "id") + "')/mailboxSettings", "timeZone": "UTC", "dateFormat": "yyyy-MM-dd", "timeFormat": "HH:mm",
		"userPurpose": purpose,
	}
	if c.version == "beta" {
		o["userPurpose"] = Object{"value": purpose}
	}
	return ok(http.StatusOK, pickOnly(o, c.query.Get("$select")))
}

// pickOnly keeps the annotations and what is selected.
func pickOnly(o Object, selected string) Object {
	if selected == "" {
		return o
	}
	out := Object{}
	for k, v := range o {
		if strings.HasPrefix(k, "@") || holds(strings.Split(selected, ","), k) {
			out[k] = v
		}
	}
	return out
}

func (t *Tenant) getPurpose(c *call) answer {
	purpose, u, a := t.purposeOf(c)
	if a.status != 0 {
		return a
	}
	return ok(http.StatusOK, Object{"@odata.context": metadata + "users('" + text(u, "id") + "')/mailboxSettings/userPurpose", "value": purpose})
}

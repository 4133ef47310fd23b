package tenant

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxLife is how long a subscription to users or groups may run.
// Source: https://learn.microsoft.com/graph/change-notifications-overview
const maxLife = 41760 * time.Minute

// Notification is a change notification that waits for delivery.
type Notification struct {
	URL  string
	Body []byte
}

// SetCallBack sets how the tenant reaches notificationUrls; without it, over
// the network.
func (t *Tenant) SetCallBack(rt http.RoundTripper) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.callBack = rt
}

// TakeNotifications returns the change notifications since the last call. The
// driver delivers them: late, twice or never, as it likes.
func (t *Tenant) TakeNotifications() []Notification {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.notifications
	t.notifications = nil
	return out
}

// notify queues a change notification for every subscription that wants it.
// Creation and deletion of users and groups are updates as well.
func (t *Tenant) notify(collection, id, change string) {
	for _, s := range t.live() {
		resource := strings.ToLower(strings.Trim(text(s, "resource"), "/"))
		if resource != collection && resource != collection+"/"+strings.ToLower(id) {
			continue
		}
		for _, kind := range []string{change, "updated"} {
			if !holds(strings.Split(text(s, "changeType"), ","), kind) {
				continue
			}
			name := strings.ToUpper(collection[:1]) + collection[1:] + "/" + id
			t.notifications = append(t.notifications, Notification{URL: text(s, "notificationUrl"), Body: marshal(Object{"value": []any{Object{
				"subscriptionId": s["id"], "subscriptionExpirationDateTime": s["expirationDateTime"], "clientState": s["clientState"],
				"changeType": kind, "resource": name, "tenantId": text(t.organization, "id"),
				"resourceData": Object{"@odata.type": "#Microsoft.Graph." + strings.TrimSuffix(strings.ToUpper(collection[:1])+collection[1:], "s"), "@odata.id": name, "id": id},
			}}})})
			if change == "updated" {
				break
			}
		}
	}
}

// live are the subscriptions that have not run out.
func (t *Tenant) live() []Object {
	now := t.clock.Now()
	var out []Object
	for _, s := range t.subscriptions.all() {
		if now.Before(moment(s, "expirationDateTime")) {
			out = append(out, s)
		}
	}
	return out
}

// Subscriptions returns what is subscribed to now, of every application.
func (t *Tenant) Subscriptions() []Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cloneAll(t.live())
}

// DropSubscription ends a subscription without a word, as happens.
func (t *Tenant) DropSubscription(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subscriptions.remove(id)
}

// handshake asks each address of a new subscription to prove that it listens:
// it must send the token back as plain text.
func (t *Tenant) handshake(c *call) answer {
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	if a := refuseSubscription(body, c.at); a.status != 0 {
		return a
	}
	// To read a group and its members takes less than to be notified of it.
	// Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
	if strings.HasPrefix(strings.ToLower(strings.Trim(text(body, "resource"), "/")), "groups") && !c.may(one("Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")) {
		return problem(http.StatusForbidden, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: ]")
	}
	t.mu.Lock()
	token := "Validation: " + t.newID("validation") + " <&+ü>"
	rt := t.callBack
	t.mu.Unlock()
	for _, k := range []string{"notificationUrl", "lifecycleNotificationUrl"} {
		if u := text(body, k); u != "" {
			if err := validate(rt, u, token); err != nil {
				return problem(http.StatusBadRequest, "ValidationError", "Subscription validation request failed. "+err.Error())
			}
		}
	}
	return answer{}
}

func validate(rt http.RoundTripper, address, token string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%q is no URL", address)
	}
	q := u.Query()
	q.Set("validationToken", token)
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, u.String(), http.NoBody)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := rt.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end or given up
	got, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("notification endpoint must respond with 200 OK to validation request, and answered %d", res.StatusCode)
	case !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain"):
		return fmt.Errorf("notification endpoint must respond with text/plain, and answered %q", res.Header.Get("Content-Type"))
	case string(got) != token:
		return fmt.Errorf("the validation token was not sent back as it was")
	}
	return nil
}

func refuseSubscription(body Object, now time.Time) answer {
	expires := moment(body, "expirationDateTime")
	resource := strings.ToLower(strings.Trim(text(body, "resource"), "/"))
	collection, _, _ := strings.Cut(resource, "/")
	switch {
	case text(body, "changeType") == "" || text(body, "notificationUrl") == "" || resource == "":
		return problem(http.StatusBadRequest, "InvalidRequest", "changeType, notificationUrl and resource are required.")
	case collection != "users" && collection != "groups":
		return problem(http.StatusBadRequest, "InvalidRequest", "Resource '"+text(body, "resource")+"' is not supported for change notifications.")
	case len(text(body, "clientState")) > 128:
		return problem(http.StatusBadRequest, "InvalidRequest", "clientState must not be longer than 128 characters.")
	}
	return refuseExpiry(expires, now)
}

func refuseExpiry(expires, now time.Time) answer {
	switch {
	case expires.IsZero() || !expires.After(now):
		return problem(http.StatusBadRequest, "InvalidRequest", "expirationDateTime must lie in the future.")
	case expires.After(now.Add(maxLife)):
		return problem(http.StatusBadRequest, "InvalidRequest", "Subscription expiration can only be 41760 minutes in the future.")
	}
	return answer{}
}

func (t *Tenant) createSubscription(c *call) answer {
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	for _, s := range t.live() {
		if strings.EqualFold(text(s, "applicationId"), c.app) && strings.EqualFold(strings.Trim(text(s, "resource"), "/"), strings.Trim(text(body, "resource"), "/")) &&
			text(s, "changeType") == text(body, "changeType") {
			return problem(http.StatusConflict, "InvalidRequest", "A subscription for the same changeType and resource already exists.")
		}
	}
	id := t.newID("subscription")
	s := Object{
		"id": id, "applicationId": c.app, "creatorId": makeID(t.seed, "servicePrincipal "+c.app, 1),
		"latestSupportedTlsVersion": "v1_2", "includeResourceData": nil, "encryptionCertificate": nil, "encryptionCertificateId": nil,
		"lifecycleNotificationUrl": nil, "notificationQueryOptions": nil, "notificationUrlAppId": nil,
	}
	for _, k := range []string{"resource", "changeType", "clientState", "notificationUrl", "lifecycleNotificationUrl", "expirationDateTime"} {
		if v, has := body[k]; has {
			s[k] = v
		}
	}
	s["expirationDateTime"] = stamp(moment(body, "expirationDateTime"))
	t.subscriptions.put(id, s)
	made := entity("subscriptions", s)
	made.status = http.StatusCreated
	return made
}

// mine are the live subscriptions of the calling application; nobody else's are
// ever shown, nor is the secret.
func (t *Tenant) mine(c *call) []Object {
	var out []Object
	for _, s := range t.live() {
		if strings.EqualFold(text(s, "applicationId"), c.app) {
			s = cloneObject(s)
			s["clientState"] = nil
			out = append(out, s)
		}
	}
	return out
}

func (t *Tenant) listSubscriptions(c *call) answer {
	return t.list(c, listing{context: "subscriptions", rows: t.mine(c), pageOf: 100, most: 100})
}

// theSubscription finds the truth of one of the caller's subscriptions.
func (t *Tenant) theSubscription(c *call) (Object, answer) {
	for _, s := range t.mine(c) {
		if strings.EqualFold(text(s, "id"), c.vars["subscription"]) {
			s, _ = t.subscriptions.get(text(s, "id"))
			return s, answer{}
		}
	}
	return nil, problem(http.StatusNotFound, "ResourceNotFound", "The object was not found.")
}

func (t *Tenant) getSubscription(c *call) answer {
	s, a := t.theSubscription(c)
	if a.status != 0 {
		return a
	}
	s = cloneObject(s)
	s["clientState"] = nil
	return entity("subscriptions", s)
}

func (t *Tenant) renewSubscription(c *call) answer {
	s, a := t.theSubscription(c)
	if a.status != 0 {
		return a
	}
	body, a := c.decode()
	if a.status != 0 {
		return a
	}
	expires := moment(body, "expirationDateTime")
	if a := refuseExpiry(expires, c.at); a.status != 0 {
		return a
	}
	s["expirationDateTime"] = stamp(expires)
	return t.getSubscription(c)
}

func (t *Tenant) deleteSubscription(c *call) answer {
	s, a := t.theSubscription(c)
	if a.status != 0 {
		return a
	}
	t.subscriptions.remove(text(s, "id"))
	return empty()
}

func (t *Tenant) reauthorize(c *call) answer {
	if _, a := t.theSubscription(c); a.status != 0 {
		return a
	}
	return empty()
}

package breakglass

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// Outgoing posts alerts to the address under alerts.webhook: a channel of Teams
// or Slack, or an end point of one's own.
//
// Neither Slack nor Teams takes the other's form, so the form follows from the
// address, or is said in alerts.webhookFormat:
//
//   - teams: a message with an Adaptive Card, as a workflow "When a Teams webhook
//     request is received" and the older incoming webhooks take it.
//     Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
//   - slack: text, which Mattermost and many others take too.
//     Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
//   - json: every fact under a name of its own, and the same text.
type Outgoing struct {
	// Client is [PublicClient], but for tests.
	Client *http.Client
}

// Name implements Channel.
func (Outgoing) Name() string { return "webhook" }

// Route leaves the webhook out where none is configured, and out of a call to one
// contact.
func (c Outgoing) Route(w Warning) []Channel {
	if _, one := w.contact(); one || w.Config.Alerts.Webhook == "" {
		return nil
	}
	return []Channel{c}
}

// postAttempts is how often an alert is posted in one run. Somebody may read it
// twice then, which is better than not at all.
const postAttempts = 2

// Alert implements Channel. The address is a secret: no error shows it.
func (c Outgoing) Alert(ctx context.Context, w Warning) error {
	target, err := url.Parse(w.Config.Alerts.Webhook)
	if err != nil || target.Scheme != "https" || target.Host == "" {
		return errors.New("alerts.webhook in rollout.yaml is no address that begins with https://")
	}
	body, err := json.Marshal(payload(w, formatOf(target, w.Config.Alerts.WebhookFormat)))
	if err != nil {
		return fmt.Errorf("write the alert as JSON: %w", err)
	}
	for range postAttempts {
		var again bool
		if again, err = c.post(ctx, target.String(), body); !again {
			break
		}
	}
	return err
}

func (c Outgoing) post(ctx context.Context, target string, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("alerts.webhook in rollout.yaml cannot be called")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "sallyport")
	resp, err := c.Client.Do(req)
	if err != nil {
		var shown *url.Error
		if errors.As(err, &shown) {
			err = shown.Err // without the address
		}
		return !errors.Is(err, errNotPublic) && ctx.Err() == nil, fmt.Errorf("call the webhook: %w", err)
	}
	defer resp.Body.Close()
	// Read on, so that the connection is kept; what it says is nobody's.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)); err != nil {
		return false, fmt.Errorf("read the webhook's answer: %w", err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return false, nil
	}
	return resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests, fmt.Errorf("the webhook answers %d", resp.StatusCode)
}

// errNotPublic: an alert leaves for the internet and for nowhere else.
var errNotPublic = errors.New("the address is not a public one, and alerts leave from AWS")

// PublicClient calls public addresses alone: whoever may write a rollout.yaml
// must not make the function speak to what only it can reach, such as its own
// credentials. The address is looked at when it is dialled, after the name was
// resolved, so no name can lead elsewhere. It follows no redirect, takes no
// proxy, and waits for three seconds.
func PublicClient() *http.Client {
	dialer := &net.Dialer{Timeout: 2 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !Public(at.Addr()) {
			return errNotPublic
		}
		return nil
	}}
	return &http.Client{
		Timeout:       3 * time.Second,
		Transport:     &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 2 * time.Second, MaxIdleConns: 4, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// notPublic are ranges that netip has no word for: of carriers, of benchmarks,
// reserved ones, and those that hide an IPv4 address in an IPv6 one.
// Source: https://www.iana.org/assignments/iana-ipv4-special-registry and
// https://www.iana.org/assignments/iana-ipv6-special-registry
func notPublic() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// Public reports whether alerts may leave for the address.
func Public(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	for _, prefix := range notPublic() {
		if prefix.Contains(addr) {
			return false
		}
	}
	return true
}

// formatOf is the form that an address takes: what is configured, or what its
// host is known for.
func formatOf(target *url.URL, configured string) string {
	if configured != "" {
		return configured
	}
	host := strings.ToLower(target.Hostname())
	for _, slack := range []string{"hooks.slack.com", "hooks.slack-gov.com"} {
		if host == slack {
			return rollout.WebhookSlack
		}
	}
	for _, teams := range []string{".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com", ".logic.azure.us"} {
		if strings.HasSuffix(host, teams) {
			return rollout.WebhookTeams
		}
	}
	return rollout.WebhookJSON
}

// fact is one line of the card.
type fact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

// facts are what the alert says, the most important first. What the log says is
// plain text in every form: nothing of it is a link or a mention.
func facts(w Warning) []fact {
	if w.Alert.Kind == rollout.AlertRepetition {
		all := []fact{{"Not acknowledged", fmt.Sprint(len(w.Open))}}
		for _, open := range w.Open[:min(len(w.Open), 5)] {
			all = append(all, fact{w.moment(open.OccurredAt), w.name(open.Account) + " " + WhatHappened(open)})
		}
		return all
	}
	all := []fact{
		{"Tenant", string(w.Config.Tenant)},
		{"When", w.moment(w.Alert.OccurredAt) + " (" + w.Alert.OccurredAt.UTC().Format("2006-01-02 15:04:05 UTC") + ")"},
		{"Drill", w.drill()},
	}
	if row := w.Alert.SignIn; row.ID != "" {
		result := mail.Line(resultInWords(row)).String()
		if row.ErrorCode != 0 {
			result += fmt.Sprintf(" (code %d)", row.ErrorCode)
		}
		all = append(all, fact{"Result", result},
			fact{"From", strings.TrimPrefix(place(row)+", "+mail.Line(row.IPAddress).String(), ", ")},
			fact{"App", mail.Line(row.AppDisplayName).String()}, fact{"Client", mail.Line(row.ClientAppUsed).String()})
	}
	if w.Lately != (rollout.Lately{}) {
		all = append(all, fact{"The day before", strings.TrimPrefix(lately(w.Lately), "The day before: ")})
	}
	return append(all, fact{"Alert", w.Alert.ID})
}

// payload is the alert in one form.
func payload(w Warning, format string) map[string]any {
	switch format {
	case rollout.WebhookTeams:
		return teams(w)
	case rollout.WebhookSlack:
		return map[string]any{"text": slackText(w)}
	}
	fields := map[string]any{
		"version": 1, "text": shortText(w, 1400), "tenant": w.Config.Tenant, "alert": w.Alert.ID, "kind": w.Alert.Kind, "account": w.Alert.Account,
		"occurredAt": w.Alert.OccurredAt.UTC(), "seenAt": w.Alert.SeenAt.UTC(), "drill": w.Drill != nil, "update": w.Fired != nil,
		"acknowledge": w.ackLink(), "plan": w.Config.IncidentResponsePlan, "facts": facts(w),
	}
	if row := w.Alert.SignIn; row.ID != "" {
		fields["signIn"] = map[string]any{
			"id": row.ID, "succeeded": row.ErrorCode == 0, "errorCode": row.ErrorCode, "result": resultInWords(row),
			"ipAddress": row.IPAddress, "city": row.City, "country": row.Country, "app": row.AppDisplayName, "client": row.ClientAppUsed,
		}
	}
	return fields
}

// teams is a message with one card. A FactSet shows its values as they are but
// for a little Markdown, which is taken out of what others wrote.
func teams(w Warning) map[string]any {
	var set []fact
	for _, f := range facts(w) {
		set = append(set, fact{unmarked(f.Title), unmarked(f.Value)})
	}
	title := w.headline()
	if w.Fired != nil {
		title = "Update: " + title
	}
	card := map[string]any{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
		"fallbackText": shortText(w, 1400),
		"body": []any{
			map[string]any{"type": "TextBlock", "text": unmarked(title), "weight": "Bolder", "size": "Medium", "color": "Attention", "wrap": true},
			map[string]any{"type": "FactSet", "facts": set},
		},
	}
	var actions []any
	for _, link := range []struct{ title, url string }{{"Acknowledge", w.ackLink()}, {"Incident response plan", w.Config.IncidentResponsePlan}} {
		if link.url != "" {
			actions = append(actions, map[string]any{"type": "Action.OpenUrl", "title": link.title, "url": link.url})
		}
	}
	if len(actions) > 0 {
		card["actions"] = actions
	}
	return map[string]any{"type": "message", "attachments": []any{
		map[string]any{"contentType": "application/vnd.microsoft.card.adaptive", "content": card},
	}}
}

// slackText is the alert in Slack's own markup, in which only our own links are
// links.
// Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
func slackText(w Warning) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	title := w.headline()
	if w.Fired != nil {
		title = "Update: " + title
	}
	lines := []string{"*" + escape.Replace(unmarked(title)) + "*"}
	for _, f := range facts(w) {
		lines = append(lines, escape.Replace(unmarked(f.Title)+": "+unmarked(f.Value)))
	}
	if link := w.ackLink(); link != "" {
		lines = append(lines, "<"+link+"|Acknowledge>")
	}
	if plan := w.Config.IncidentResponsePlan; plan != "" {
		lines = append(lines, "<"+escape.Replace(plan)+"|Incident response plan>")
	}
	return strings.Join(lines, "\n")
}

// unmarked takes out the signs that Teams and Slack read as markup.
func unmarked(s string) string {
	return strings.NewReplacer("*", "", "`", "", "~", "", "[", "(", "]", ")").Replace(s)
}

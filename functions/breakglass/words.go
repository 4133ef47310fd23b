package breakglass

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport/functions/breakglass/acklink"
	"sallyport/shared/graph"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// Links makes the links by which alerts are acknowledged. The zero value makes
// none: alerts then name the command.
type Links struct {
	URL    string // of webhook, up to the token
	Secret string
	Table  string // the stack's, for the command
}

// ackLink is the link that acknowledges the alert, or nothing. A new one is made
// for each message: it is good for a week from then.
func (w Warning) ackLink() string {
	if w.Links.URL == "" {
		return ""
	}
	token, err := acklink.Sign(w.Links.Secret, acklink.Claim{
		Tenant: string(w.Config.Tenant), Alert: w.Alert.ID, Expires: w.Now.Add(acklink.GoodFor),
	})
	if err != nil {
		return "" // the command does it too
	}
	return w.Links.URL + token
}

// contact is whom a repetition calls. Nobody in particular if none is configured,
// or if the one whose turn it was is gone: then everybody is called.
func (w Warning) contact() (rollout.Contact, bool) {
	for _, c := range w.Config.Alerts.Contacts {
		if c.Name == w.Alert.Contact && c.Name != "" {
			return c, true
		}
	}
	return rollout.Contact{}, false
}

// recipients are the addresses and numbers that the alert goes to.
func (w Warning) recipients() (emails, numbers []string) {
	c, one := w.contact()
	if !one {
		return w.Config.Alerts.Email, w.Config.Alerts.SMS
	}
	if c.Email != "" {
		emails = []string{c.Email}
	}
	if c.Phone != "" {
		numbers = []string{c.Phone}
	}
	return emails, numbers
}

// account is what people call the alert's account.
func (w Warning) account() string {
	if name := mail.Name(w.Account.DisplayName).String(); name != "" {
		return name
	}
	return mail.Name(w.Alert.Account).String()
}

// keeper is who keeps an emergency account's credentials.
func (w Warning) keeper(account string) mail.Name {
	for _, e := range w.Config.EmergencyAccounts {
		if strings.EqualFold(e.ID, account) {
			return mail.Name(e.Custodian)
		}
	}
	return ""
}

// fromWhere goes on with where a sign-in came from, and with which app.
func fromWhere(row rollout.SignIn) string {
	text := ""
	if from := strings.TrimSuffix(place(row)+", "+row.IPAddress, ", "); from != "" {
		text = ", from " + strings.TrimPrefix(from, ", ")
	}
	if row.AppDisplayName != "" {
		text += ", with " + row.AppDisplayName
	}
	return text
}

// headline says in one sentence what happened.
func (w Warning) headline() string {
	if w.Alert.Kind == rollout.AlertRepetition {
		if len(w.Open) == 1 {
			return fmt.Sprintf("Nobody has acknowledged an alert: %s %s.", w.name(w.Open[0].Account), WhatHappened(w.Open[0]))
		}
		return fmt.Sprintf("Nobody has acknowledged %d alerts. The newest: %s %s.", len(w.Open), w.name(w.Open[0].Account), WhatHappened(w.Open[0]))
	}
	return fmt.Sprintf("%s %s.", w.account(), WhatHappened(w.Alert))
}

func (w Warning) name(account string) string {
	if name := mail.Name(w.Names[account]).String(); name != "" {
		return name
	}
	return account
}

// WhatHappened goes on with the account's name.
func WhatHappened(a rollout.Alert) string {
	switch {
	case a.Kind == rollout.AlertMonitor:
		return "was used, says Azure Monitor; the log has no row yet"
	case a.Kind == rollout.AlertDrill, a.Kind == rollout.AlertSilent:
		return "has to be looked after: " + strings.TrimSuffix(mail.Line(a.Text).String(), ".")
	case a.SignIn.ID == "":
		return "was changed: " + strings.TrimSuffix(mail.Line(a.Text).String(), ".")
	case a.SignIn.ErrorCode == 0:
		return "signed in"
	}
	return "was tried, and it failed: " + mail.Line(resultInWords(a.SignIn)).String()
}

// drill says whether it may be one.
func (w Warning) drill() string {
	switch {
	case w.Alert.Kind == rollout.AlertRepetition:
		return ""
	case w.Drill != nil:
		return "A drill is open."
	}
	return "No drill is open."
}

// place is where a sign-in came from, as the log has it.
func place(row rollout.SignIn) string {
	var parts []string
	for _, part := range []string{row.City, row.Country} {
		if part = mail.Name(part).String(); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// moment is a time as the tenant's people read it.
func (w Warning) moment(at time.Time) string {
	return at.In(w.Config.Location()).Format("2 Jan 15:04 MST")
}

// mostSMS is how long a text message is, in characters: two parts of one.
const mostSMS = 300

// shortText is the alert for a small screen: what happened and when, whether a
// drill is open, how to acknowledge, and then as much as fits. The link goes
// before everything that is only good to know.
func shortText(w Warning, most int) string {
	at := w.Alert.OccurredAt
	text := fmt.Sprintf("Sallyport ALERT %s: %s %s.", w.Config.Tenant, w.headline(), w.moment(at))
	if d := w.drill(); d != "" {
		text += " " + d
	}
	ack := " Ack: " + w.ackLink()
	if w.ackLink() == "" || utf8.RuneCountInString(text+ack) > most {
		ack = " Ack: sallyport alerts ack " + w.Alert.ID
	}
	text = cut(text, most-utf8.RuneCountInString(ack))
	var more []string
	if row := w.Alert.SignIn; row.ID != "" {
		more = append(more, "From "+strings.TrimPrefix(place(row)+", ", ", ")+mail.Line(row.IPAddress).String()+".", "App: "+mail.Name(row.AppDisplayName).String()+".")
	}
	if w.Lately != (rollout.Lately{}) {
		more = append(more, lately(w.Lately))
	}
	more = append(more, at.UTC().Format("15:04 UTC."))
	if w.Config.IncidentResponsePlan != "" {
		more = append(more, "Plan: "+w.Config.IncidentResponsePlan)
	}
	for _, part := range more {
		if utf8.RuneCountInString(text+" "+part+ack) <= most {
			text += " " + part
		}
	}
	return text + ack
}

// lately says what else happened to the account in the day before.
func lately(l rollout.Lately) string {
	text := fmt.Sprintf("The day before: %d other attempts, %d successful", l.SignIns, l.Succeeded)
	if l.Tampered > 0 {
		text += fmt.Sprintf(", changed %d times", l.Tampered)
	}
	return text + "."
}

func cut(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:max(most-1, 0)]) + "…"
}

func resultInWords(row rollout.SignIn) string {
	switch row.ErrorCode {
	case 0:
		return "signed in"
	case graph.ErrorCodeMissing:
		return "how it ended is not known"
	}
	if cause, _, ok := rollout.Cause(row.ErrorCode, rollout.LegacyClient(row.ClientAppUsed)); ok {
		return cause
	}
	if row.FailureReason != "" {
		return row.FailureReason
	}
	return "failed"
}

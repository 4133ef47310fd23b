package config

import (
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

func (c checker) communication() {
	m := &c.cfg.Communication
	if c.usable["communication.from"] {
		if a, err := mail.ParseAddress(m.From); err != nil || !isAddress(a.Address) {
			c.fail("communication.from", "%s is no e-mail address", quote(m.From))
		}
	}
	c.helpDesk(m.HelpDesk)
	c.training(m.Training)
	c.languages(m)
	c.delivery(*m)
	c.branding(m.Branding)
	c.webAddress("incidentResponsePlan", c.cfg.IncidentResponsePlan, "https", "http")
	if _, given := c.places["incidentResponsePlan"]; !given && !c.misspelt["incidentResponsePlan"] {
		c.warn("incidentResponsePlan", "no incident response plan is named: an alert at 3 a.m. will not say what to do")
	}
}

func (c checker) helpDesk(h rollout.HelpDesk) {
	const path = "communication.helpDesk"
	if !c.usable[path] {
		return
	}
	c.address(path+".email", h.Email)
	if c.usable[path+".phone"] && !phone.MatchString(h.Phone) {
		c.fail(path+".phone", "%s is no telephone number", quote(h.Phone))
	}
	if h.Email == "" && h.Phone == "" && !c.failed[path] {
		c.fail(path, "the help desk has neither an email nor a phone: nobody could reach it")
	}
}

// phone is lenient: people dial extensions and short numbers too.
var phone = regexp.MustCompile(`^[0-9+][0-9 ()./x#-]{2,29}$`)

func (c checker) training(t rollout.Training) {
	const path = "communication.training"
	if !c.usable[path] {
		return
	}
	c.between(path+".minutes", float64(t.Minutes), 5, 480)
	c.webAddress(path+".join", t.Join, "https")
	c.webAddress(path+".recording", t.Recording, "https")
	if t.Join == "" && t.Recording == "" && !c.failed[path] {
		c.fail(path, "the training has neither join nor recording: nobody could attend it")
	}
	if !c.usable[path+".start"] {
		return
	}
	start, err := time.Parse(rollout.TrainingLayout, t.Start)
	if err != nil {
		c.fail(path+".start", "%s is no day and time", quote(t.Start))
		return
	}
	day := rollout.DateOf(start)
	if last, ok := c.lastDeadline(); ok && last.Before(day) {
		c.warn(path+".start", "the training is after the last deadline (%s)", last)
	}
	if c.usable["announce"] && day.Before(c.cfg.AnnouncementDay()) {
		c.warn(path+".start", "the training is before the announcement that invites to it (%s)", c.cfg.AnnouncementDay())
	}
}

func (c checker) lastDeadline() (rollout.Date, bool) {
	var last rollout.Date
	for _, wave := range c.cfg.Waves {
		if !wave.Deadline.IsZero() && (last.IsZero() || last.Before(wave.Deadline)) {
			last = wave.Deadline
		}
	}
	return last, !last.IsZero()
}

func (c checker) languages(m *rollout.Communication) {
	expected := "one of " + strings.Join(c.opts.Languages, ", ")
	seen := map[string]string{}
	// The default is shared with the options: never written to in place.
	m.Languages = slices.Clone(m.Languages)
	for i, language := range m.Languages {
		path := item("communication.languages", i)
		if !c.usable[path] {
			continue
		}
		known := slices.IndexFunc(c.opts.Languages, func(l string) bool { return strings.EqualFold(l, language) })
		if known < 0 {
			c.failWith(path, expected, c.hint(path).example, "no message is written in %s", quote(language))
			continue
		}
		m.Languages[i] = c.opts.Languages[known]
		c.unique(path, m.Languages[i], seen, "%s stands in this list already", m.Languages[i])
	}
}

// delivery checks when and whither messages to people go.
func (c checker) delivery(m rollout.Communication) {
	for i, day := range m.QuietDays {
		c.choice(item("communication.quietDays", i), day, weekdays())
	}
	const quiet = "communication.quietHours"
	c.between(quiet+".fromHour", float64(m.Quiet.From), 0, 23)
	c.between(quiet+".toHour", float64(m.Quiet.To), 0, 23)
	if c.usable[quiet+".fromHour"] && c.usable[quiet+".toHour"] && m.Quiet.From == m.Quiet.To {
		c.fail(quiet+".toHour", "the quiet begins and ends at the same hour")
	}
	c.address("communication.redirect", m.Redirect)
	if m.Redirect != "" {
		c.warn("communication.redirect", "no person of the tenant gets any message, and none counts as told: take redirect out for the real rollout")
	}
	c.between("communication.mostPerRun", float64(m.MostPerRun), 1, 1e6)
}

// hexColour is a colour as a mail can show it everywhere.
var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func (c checker) branding(b rollout.Branding) {
	const path = "communication.branding"
	if c.usable[path+".colour"] && !hexColour.MatchString(b.Colour) {
		c.fail(path+".colour", "%s is no colour", quote(b.Colour))
	}
	for i, p := range b.Extra {
		at := item(path+".paragraphs", i)
		c.choice(at+".message", string(p.Message), personKinds())
		if c.usable[at+".language"] && !slices.Contains(c.cfg.Communication.Languages, p.Language) {
			c.fail(at+".language", "nobody is written to in %s", quote(p.Language))
		}
	}
}

func (c checker) alerts() {
	if !c.usable["alerts"] {
		return
	}
	a := &c.cfg.Alerts
	if len(a.Email)+len(a.SMS) == 0 && a.Webhook == "" && !c.failed["alerts"] {
		c.fail("alerts", "nobody would hear of an emergency account's use")
	}
	inside := c.ownDomains()
	for i, address := range a.Email {
		path := item("alerts.email", i)
		c.address(path, address)
		if slices.Contains(inside, domainOf(address)) {
			c.warn(path, "%s is a mailbox of this very tenant: a lock-out or an intruder can keep the alert from being read there%s", address, c.onlyInside(inside))
		}
	}
	for i := range a.SMS {
		c.mobile(item("alerts.sms", i), &a.SMS[i])
	}
	c.webhook(a.Webhook)
	c.choice("alerts.webhookFormat", a.WebhookFormat, rollout.WebhookFormats())
	c.contacts(inside)
}

// contacts are told apart by their names: in the record stands who was called,
// whatever becomes of the list.
func (c checker) contacts(inside []string) {
	seen := map[string]string{}
	for i := range c.cfg.Alerts.Contacts {
		contact, path := &c.cfg.Alerts.Contacts[i], item("alerts.contacts", i)
		if !c.usable[path] {
			continue
		}
		c.unique(path+".name", contact.Name, seen, "there is a contact %s already", quote(contact.Name))
		c.address(path+".email", contact.Email)
		c.mobile(path+".phone", &contact.Phone)
		if contact.Email == "" && contact.Phone == "" && !c.failed[path] {
			c.fail(path, "the contact has neither an email nor a phone: nobody could be called")
		}
		if contact.Phone == "" && contact.Email != "" && slices.Contains(inside, domainOf(contact.Email)) {
			c.warn(path+".email", "%s is a mailbox of this very tenant, and the contact has no phone: a lock-out or an intruder can keep the alert from being read there", contact.Email)
		}
	}
}

// webhook holds the address to what can be called from outside: alerts leave
// from AWS's network and not from the operator's.
func (c checker) webhook(address string) {
	const path = "alerts.webhook"
	c.webAddress(path, address, "https")
	u, err := url.Parse(address)
	if err != nil || !c.usable[path] || c.failed[path] {
		return
	}
	host := strings.ToLower(u.Hostname())
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && !(ip.IsGlobalUnicast() && !ip.IsPrivate()) {
		c.fail(path, "%s cannot be reached from outside: alerts leave from AWS, not from your network", quote(host))
	}
}

// mobile brings a number into the form that SNS takes.
func (c checker) mobile(path string, number *string) {
	given := *number
	*number = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "").Replace(given)
	if c.usable[path] && !mobile.MatchString(*number) {
		c.fail(path, "%s is no telephone number with its country code", quote(given))
	}
}

// mobile is a number as SNS takes it: E.164.
// Source: https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html
var mobile = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// onlyInside is what to add if no alert leaves the tenant at all.
func (c checker) onlyInside(inside []string) string {
	a := c.cfg.Alerts
	outside := slices.ContainsFunc(a.Email, func(address string) bool { return !slices.Contains(inside, domainOf(address)) })
	if outside || len(a.SMS) > 0 || a.Webhook != "" {
		return ""
	}
	return ", and no alert goes anywhere else. Add an address, a number or a webhook outside"
}

// ownDomains are the domains that the file itself shows to be the tenant's.
func (c checker) ownDomains() []string {
	domains := []string{string(c.cfg.Tenant)}
	if from, err := mail.ParseAddress(c.cfg.Communication.From); err == nil {
		domains = append(domains, domainOf(from.Address))
	}
	return domains
}

func domainOf(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

func (c checker) address(path, value string) {
	if c.usable[path] && !isAddress(value) {
		c.fail(path, "%s is no e-mail address", quote(value))
	}
}

// isAddress reports whether s is a bare mail address: no name, no brackets, and
// a domain that can be reached from outside.
func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && strings.Contains(domainOf(s), ".")
}

func (c checker) webAddress(path, value string, schemes ...string) {
	if !c.usable[path] {
		return
	}
	if u, err := url.Parse(value); err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		c.fail(path, "%s is no web address that begins with %s://", quote(value), schemes[0])
	}
}

// weekdays are the words of the days of the week.
func weekdays() []string {
	return []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
}

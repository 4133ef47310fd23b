package config

import (
	"strings"

	"sallyport/shared/rollout"
)

// hint says of one key what is expected of its value and shows one.
type hint struct {
	expected string
	example  string
	// required: the key must stand, with a value, wherever what is around it stands.
	required bool
}

// hints holds the hint of every key that a rollout.yaml can hold, by the kind of
// its path: a test walks the configuration's type.
func hints() map[string]hint {
	const (
		yes = true
		no  = false

		emergency = "emergencyAccounts:\n  - {id: 6b0f4c1e-2a55-4f0e-9d0b-7f6c1a2b3c4d, passwordLocation: \"Safe 1, head office\", custodian: \"Chief Operating Officer\"}\n" +
			"  - {id: 9d2c7b10-5b7e-4a44-8f0e-0c1d2e3f4a5b, passwordLocation: \"Safe 2, Leeds\", custodian: \"Company secretary\"}"
		wave = "waves:\n  - {name: everyone, members: all, deadline: 2027-01-12}"
	)
	return map[string]hint{
		"": {"the keys of a rollout, one `key: value` on a line", "tenant: contoso.onmicrosoft.com", no},

		"tenant":   {"the tenant's initial domain, the one that ends in .onmicrosoft.com (Entra admin centre: Settings, Domain names)", "tenant: contoso.onmicrosoft.com", yes},
		"timeZone": {"an IANA time zone, Region/City", "timeZone: Europe/London", yes},
		"method":   {"one of auto, conditionalAccess, securityDefaults", "method: auto", no},
		"announce": {"the day of the announcement as YYYY-MM-DD", "announce: 2026-12-01", yes},

		"waves":            {"a list of waves, at least one", wave, yes},
		"waves[]":          {"a wave: name, members and deadline", wave, no},
		"waves[].name":     {"a name of its own, up to 40 letters, digits, spaces, - or _", "name: everyone", yes},
		"waves[].members":  {"one of admins, capable, all", "members: all", yes},
		"waves[].deadline": {"a Monday to Thursday that is no holiday, 14 days or more after the announcement, as YYYY-MM-DD", "deadline: 2027-01-12", no},
		"waves[].coverage": {"the percentage of the wave, 1 to 100, that must be able to do MFA before the switch; leave it out for 95 (90 for admins)", "coverage: 95", no},

		"emergencyAccounts":                    {"a list of two or more emergency (break-glass) accounts", emergency, yes},
		"emergencyAccounts[]":                  {"an emergency account: id, passwordLocation and custodian", emergency, no},
		"emergencyAccounts[].id":               {"the account's object id, never its name (Entra admin centre: Users, the account, Object ID)", "id: 6b0f4c1e-2a55-4f0e-9d0b-7f6c1a2b3c4d", yes},
		"emergencyAccounts[].passwordLocation": {"where the password lies, never the password itself", "passwordLocation: \"Safe 1, head office\"", yes},
		"emergencyAccounts[].custodian":        {"who holds it: a different role or person for each account", "custodian: \"Chief Operating Officer\"", yes},

		"emergencyAccounts[].custodianEmail": {"the custodian's own e-mail address, for the invitations to drills; leave it out if alerts.email passes them on", "custodianEmail: coo@fabrikam.com", no},

		"incidentResponsePlan": {"the web address of the page that says what to do when an emergency account is used", "incidentResponsePlan: https://intranet.contoso.com/break-glass", no},

		"exemptions":               {"a list of accounts that are left out", "exemptions: []", no},
		"exemptions[]":             {"an exemption: account, kind, alternative, owner, reason and expires", "exemptions:\n  - {account: scanner@contoso.com, kind: serviceAccount, alternative: managedIdentity, owner: \"Facilities\", reason: \"scanner, replaced in March\", expires: 2027-03-31}", no},
		"exemptions[].account":     {"one account: its user principal name or its object id", "account: scanner@contoso.com", yes},
		"exemptions[].kind":        {"one of serviceAccount, sharedMailbox, person", "kind: serviceAccount", yes},
		"exemptions[].alternative": {"what protects the account instead: one of managedIdentity, workloadIdentity, certificate, trustedLocation, appPassword, signInBlocked", "alternative: managedIdentity", yes},
		"exemptions[].owner":       {"who answers for it", "owner: \"Facilities\"", yes},
		"exemptions[].reason":      {"why it is needed", "reason: \"scanner that cannot do MFA, replaced in March\"", yes},
		"exemptions[].expires":     {"the last day on which it holds, as YYYY-MM-DD", "expires: 2027-03-31", yes},

		"extensions":           {"a list of people who get up to 7 days more, each once", "extensions: []", no},
		"extensions[]":         {"an extension: account, until, reason and by", "extensions:\n  - {account: kim@contoso.com, until: 2027-01-19, reason: \"new phone arrives on the 18th\", by: \"Alex Wilber\"}", no},
		"extensions[].account": {"one person: the user principal name or the object id", "account: kim@contoso.com", yes},
		"extensions[].until":   {"the last day on which the person is left out, at most 7 days after the wave's deadline, as YYYY-MM-DD", "until: 2027-01-19", yes},
		"extensions[].reason":  {"why it is needed", "reason: \"new phone arrives on the 18th\"", yes},
		"extensions[].by":      {"who grants it", "by: \"Alex Wilber\"", yes},

		"accounts":           {"a list of accounts that are something else than the audit takes them to be", "accounts: []", no},
		"accounts[]":         {"an account: account, class and reason", "accounts:\n  - {account: kiosk@contoso.com, class: service account, reason: \"runs the screen in the lobby\"}", no},
		"accounts[].account": {"one account: its user principal name or its object id", "account: kiosk@contoso.com", yes},
		"accounts[].class":   {"one of service account, shared mailbox, room or equipment, member", "class: service account", yes},
		"accounts[].reason":  {"how you know what it is", "reason: \"runs the screen in the lobby\"", yes},

		"accepted":           {"a list of people who may be stopped although it could not be proven that they were told", "accepted: []", no},
		"accepted[]":         {"a person: account, by and reason", "accepted:\n  - {account: kim@contoso.com, by: \"Alex Wilber\", reason: \"on leave until February, knows by phone\"}", no},
		"accepted[].account": {"one person: the user principal name or the object id", "account: kim@contoso.com", yes},
		"accepted[].by":      {"who accepts it", "by: \"Alex Wilber\"", yes},
		"accepted[].reason":  {"why it is acceptable", "reason: \"on leave until February, knows by phone\"", yes},

		"communication":                    {"how people are spoken to: from, helpDesk and, if you like, training and languages", "communication:\n  from: \"Contoso IT <it@contoso.com>\"\n  helpDesk: {name: IT Help Desk, email: help@contoso.com}", yes},
		"communication.from":               {"the sender of every message: an e-mail address, with a name if you like", "from: \"Contoso IT <it@contoso.com>\"", yes},
		"communication.helpDesk":           {"whom people ask: name, and email or phone", "helpDesk: {name: IT Help Desk, email: help@contoso.com, phone: \"+44 20 7946 0000\", hours: \"Mon-Fri 8-18\"}", yes},
		"communication.helpDesk.name":      {"what people call the help desk", "name: IT Help Desk", yes},
		"communication.helpDesk.email":     {"the help desk's e-mail address", "email: help@contoso.com", no},
		"communication.helpDesk.phone":     {"the help desk's number, as people dial it", "phone: \"+44 20 7946 0000\"", no},
		"communication.helpDesk.hours":     {"when somebody answers", "hours: \"Mon-Fri 8-18\"", no},
		"communication.training":           {"a training session: title, start, minutes, and join or recording", "training: {title: \"Two factors in ten minutes\", start: 2026-12-08T10:00, minutes: 30, join: https://meet.contoso.com/mfa}", no},
		"communication.training.title":     {"what the session is called", "title: \"Two factors in ten minutes\"", yes},
		"communication.training.start":     {"when it begins, in the tenant's time zone, as YYYY-MM-DDThh:mm", "start: 2026-12-08T10:00", yes},
		"communication.training.minutes":   {"how long it takes, 5 to 480 minutes", "minutes: 30", yes},
		"communication.training.join":      {"the web address to join at, beginning with https://", "join: https://meet.contoso.com/mfa", no},
		"communication.training.recording": {"the web address of the recording, beginning with https://", "recording: https://video.contoso.com/mfa", no},
		"communication.languages":          {"the languages that people are written to in, the fallback first", "languages: [en]", no},
		"communication.languages[]":        {"a language that the messages are written in", "languages: [en]", no},

		"communication.quietDays":                      {"the days of the week on which nobody is written to; [] for none", "quietDays: [saturday, sunday]", no},
		"communication.quietDays[]":                    {"a day of the week, in lower case", "quietDays: [saturday, sunday]", no},
		"communication.quietHours":                     {"the hours in which nobody is written to, by the reader's own clock: fromHour in the evening, toHour in the morning", "quietHours: {fromHour: 18, toHour: 8}", no},
		"communication.quietHours.fromHour":            {"the hour at which the quiet begins, 0 to 23", "fromHour: 18", yes},
		"communication.quietHours.toHour":              {"the hour at which it ends, 0 to 23, another than fromHour", "toHour: 8", yes},
		"communication.done":                           {"true or false: whether who has just registered hears once that all is done", "done: false", no},
		"communication.redirect":                       {"for a trial: the address that gets every message to a person instead, marked; leave it out for the real rollout", "redirect: test@contoso.com", no},
		"communication.mostPerRun":                     {"how many messages one run begins at most, 1 or more; leave it out for all that are due", "mostPerRun: 500", no},
		"communication.branding":                       {"how messages to people look: colour, signature and paragraphs", "branding: {colour: \"#0b57a4\", signature: \"Contoso IT, 1 High Street, Leeds\"}", no},
		"communication.branding.colour":                {"the colour of the bar above a message, as # and six hexadecimal digits, in quotes", "colour: \"#0b57a4\"", no},
		"communication.branding.signature":             {"one line below every message", "signature: \"Contoso IT, 1 High Street, Leeds\"", no},
		"communication.branding.paragraphs":            {"a list of paragraphs, each added to one kind of message", "paragraphs:\n  - {message: announcement, text: \"Phones can be borrowed at the front desk.\"}", no},
		"communication.branding.paragraphs[]":          {"a paragraph: message and text, and language if it is for one alone", "paragraphs:\n  - {message: announcement, text: \"Phones can be borrowed at the front desk.\"}", no},
		"communication.branding.paragraphs[].message":  {"one of " + strings.Join(personKinds(), ", "), "message: announcement", yes},
		"communication.branding.paragraphs[].language": {"a language of communication.languages; leave it out for all", "language: en", no},
		"communication.branding.paragraphs[].text":     {"the paragraph, plain text", "text: \"Phones can be borrowed at the front desk.\"", yes},

		"alerts":         {"who hears at once when an emergency account is used or a wave is held: email, sms or webhook, at least one", "alerts: {email: [security@fabrikam.com], sms: [\"+442079460000\"]}", yes},
		"alerts.email":   {"a list of e-mail addresses", "email: [security@fabrikam.com]", no},
		"alerts.email[]": {"an e-mail address", "email: [security@fabrikam.com]", no},
		"alerts.sms":     {"a list of numbers that can receive text messages", "sms: [\"+442079460000\"]", no},
		"alerts.sms[]":   {"a number with + and the country code", "sms: [\"+442079460000\"]", no},
		"alerts.webhook": {"the web address that takes a JSON alert, beginning with https://", "webhook: https://alerts.fabrikam.com/sallyport", no},

		"alerts.webhookFormat":    {"teams, slack or json; left out, the address says it", "webhookFormat: teams", no},
		"alerts.contacts":         {"who is called, in this order, while an alert is not acknowledged", "contacts:\n    - {name: Duty manager, email: duty@fabrikam.com, phone: \"+442079460001\"}", no},
		"alerts.contacts[]":       {"a contact: name, and email or phone", "contacts:\n    - {name: Duty manager, email: duty@fabrikam.com, phone: \"+442079460001\"}", no},
		"alerts.contacts[].name":  {"what people call the contact, another one for each", "name: Duty manager", yes},
		"alerts.contacts[].email": {"an e-mail address", "email: duty@fabrikam.com", no},
		"alerts.contacts[].phone": {"a number that can receive text messages, with + and the country code", "phone: \"+442079460001\"", no},

		"waivers":          {"a list of gates that an owner lifts until a day", "waivers: []", no},
		"waivers[]":        {"a waiver: gate, owner, reason and until", "waivers:\n  - {gate: coverage, owner: \"Alex Wilber\", reason: \"the last five are on leave\", until: 2027-01-31}", no},
		"waivers[].gate":   {"the id of a gate that may be waived", "gate: coverage", yes},
		"waivers[].owner":  {"who answers for it", "owner: \"Alex Wilber\"", yes},
		"waivers[].reason": {"why it is right to switch although the gate fails", "reason: \"the last five are on leave\"", yes},
		"waivers[].until":  {"the last day on which it holds, as YYYY-MM-DD", "until: 2027-01-31", yes},

		"countGuests":    {"true or false: whether guests count and must do MFA too", "countGuests: false", no},
		"graceDays":      {"how many days a new account is shown apart, 0 to 90", "graceDays: 14", no},
		"groupChanges":   {"how many memberships of Sallyport's groups one run may change, 1 or more; leave it out for 50, or 5 % of the accounts if that is more", "groupChanges: 400", no},
		"reminderDays":   {"days before the deadline, each 1 to 60, the largest first", "reminderDays: [7, 3, 1]", no},
		"reminderDays[]": {"days before the deadline, 1 to 60, fewer than the one before it", "reminderDays: [7, 3, 1]", no},

		"enforcement":            {"when a switch may be made: fromHour, toHour and holidays", "enforcement: {fromHour: 9, toHour: 16, holidays: [2026-12-25]}", no},
		"enforcement.fromHour":   {"the hour at which the window opens, 0 to 23, in the tenant's time zone", "fromHour: 9", no},
		"enforcement.toHour":     {"the hour at which the window closes, later than fromHour, at most 24", "toHour: 16", no},
		"enforcement.holidays":   {"a list of days on which nobody is written to and nothing is switched", "holidays: [2026-12-25, 2027-01-01]", no},
		"enforcement.holidays[]": {"a day as YYYY-MM-DD", "holidays: [2026-12-25, 2027-01-01]", no},

		"breaker":         {"when a switch is undone by itself: people, percent and admins locked out", "breaker: {people: 3, percent: 2, admins: 2}", no},
		"breaker.people":  {"how many people locked out within 24 hours, 1 or more", "people: 3", no},
		"breaker.percent": {"which share of the wave, more than 0 and at most 100, if that is more people", "percent: 2", no},
		"breaker.admins":  {"how many administrators locked out, 1 or more", "admins: 2", no},

		"drills":            {"how often each emergency account is tried: everyDays, windowDays and inviteDays", "drills: {everyDays: 90, windowDays: 7, inviteDays: 14}", no},
		"drills.everyDays":  {"how many days may lie between two passed drills of an account, 30 to 90", "everyDays: 90", no},
		"drills.windowDays": {"how many days the custodian has to sign in, 3 to 14", "windowDays: 7", no},
		"drills.inviteDays": {"how many days before the window the custodian is asked, 0 to 30", "inviteDays: 14", no},

		"paused": {"true or false: true stops every message and every change until you resume", "paused: false", no},
	}
}

// The words that some keys choose from.
func methods() []string {
	return []string{string(rollout.MethodAuto), string(rollout.MethodConditionalAccess), string(rollout.MethodSecurityDefaults)}
}

func members() []string {
	return []string{string(rollout.MembersAdmins), string(rollout.MembersCapable), string(rollout.MembersAll)}
}

// personKinds are the kinds of message to people.
func personKinds() []string {
	var words []string
	for _, k := range rollout.PersonKinds() {
		words = append(words, string(k))
	}
	return words
}

func exemptionKinds() []string { return []string{"serviceAccount", "sharedMailbox", "person"} }

// overrideClasses are the classes that rollout.yaml can give an account.
func overrideClasses() []string {
	words := make([]string, 0, len(rollout.OverrideClasses()))
	for _, c := range rollout.OverrideClasses() {
		words = append(words, string(c))
	}
	return words
}

func alternatives() []string {
	return []string{"managedIdentity", "workloadIdentity", "certificate", "trustedLocation", "appPassword", "signInBlocked"}
}

package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"sallyport/shared/rollout"
)

// objectID matches the id of a directory object.
var objectID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (c checker) emergencyAccounts() {
	list := c.cfg.EmergencyAccounts
	if c.usable["emergencyAccounts"] && len(list) < 2 {
		c.fail("emergencyAccounts", "there is only one: if it fails, nobody can get back in")
	}
	ids, custodians, locations, addresses := map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	for i := range list {
		path, account := item("emergencyAccounts", i), &list[i]
		account.ID = strings.ToLower(account.ID)
		if c.usable[path+".id"] && !objectID.MatchString(account.ID) {
			c.fail(path+".id", "%s is no object id", quote(account.ID))
		}
		c.unique(path+".id", account.ID, ids, "this is the same account again")
		c.unique(path+".custodian", plain(account.Custodian), custodians, "two emergency accounts have the same custodian: one absence would lock both away")
		c.address(path+".custodianEmail", account.CustodianEmail)
		c.unique(path+".custodianEmail", strings.ToLower(account.CustodianEmail), addresses, "two emergency accounts' custodians have the same address: one absence would lock both away")
		if LooksSecret(account.PasswordLocation) {
			// Never quoted: if it is a password, a log is no place for it.
			c.fail(path+".passwordLocation", "this looks like a password; if it is one, change it now, because this file has been stored")
			continue
		}
		c.unique(path+".passwordLocation", plain(account.PasswordLocation), locations, "two emergency accounts' passwords lie in the same place: one fire would take both")
	}
}

// drills holds the plan of drills to what Microsoft asks, and to itself: a failed
// drill must leave time for another, and for the invitation to the one after it.
func (c checker) drills() {
	d := c.cfg.Drills
	c.between("drills.everyDays", float64(d.EveryDays), 30, rollout.DrillDays)
	c.between("drills.windowDays", float64(d.WindowDays), 3, 14)
	c.between("drills.inviteDays", float64(d.InviteDays), 0, 30)
	if c.failed["drills"] {
		return
	}
	if needed := 2*d.WindowDays + 1 + d.InviteDays; d.EveryDays <= needed {
		at := "drills.everyDays"
		for _, key := range []string{"drills.inviteDays", "drills.windowDays"} {
			if _, given := c.places[key]; given {
				at = key
			}
		}
		c.failWith(at, "shorter windows, a shorter notice, or more days between two drills", "drills: {everyDays: 90, windowDays: 7, inviteDays: 14}",
			"every %d days is too often: the invitation and two windows take %d days", d.EveryDays, needed)
	}
}

// plain is a text without what people write differently: case, spaces, signs.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// namedSecret matches a text that says itself that a password follows.
var namedSecret = regexp.MustCompile(`(?i)\b(password|passwort|passcode|passphrase|pwd|pw|pin|kennwort|contraseña|mot de passe)\s*(is|ist|[:=])\s*\S`)

// looksSecret reports whether a text that should say where a password lies
// holds something like one: a word of letters in both cases and digits with a
// sign that no place has, or one that changes between letters and digits as
// only a generator does. Words that people make passwords of cannot be told
// from places.
func looksSecret(s string) bool {
	if namedSecret.MatchString(s) {
		return true
	}
	for _, word := range strings.Fields(s) {
		word = strings.Trim(word, `"'.,;:()[]`)
		if len(word) < 8 || strings.Contains(word, "://") || objectID.MatchString(strings.ToLower(word)) {
			continue
		}
		upper, lower := strings.IndexFunc(word, unicode.IsUpper) >= 0, strings.IndexFunc(word, unicode.IsLower) >= 0
		digit, sign := strings.IndexFunc(word, unicode.IsDigit) >= 0, strings.ContainsAny(word, `!$%^&*?@+=~#<>|{}\`)
		if upper && lower && digit && (sign || changes(word) >= 3) {
			return true
		}
	}
	return false
}

// changes counts how often a word goes from letters to digits or back.
func changes(word string) int {
	n, before := 0, rune(0)
	for _, r := range word {
		if !unicode.IsDigit(r) && !unicode.IsLetter(r) {
			continue
		}
		if before != 0 && unicode.IsDigit(r) != unicode.IsDigit(before) {
			n++
		}
		before = r
	}
	return n
}

func (c checker) exemptions() {
	accounts := map[string]string{}
	for i := range c.cfg.Exemptions {
		path, e := item("exemptions", i), &c.cfg.Exemptions[i]
		c.choice(path+".kind", e.Kind, exemptionKinds())
		c.choice(path+".alternative", e.Alternative, alternatives())
		e.Account = c.account(path+".account", e.Account, accounts)
		if c.usable[path+".account"] && c.cfg.IsEmergency(e.Account) {
			c.failWith(path+".account", "no exemption", "exemptions: []", "this is an emergency account: those stand outside every policy anyway, and an exemption ends")
		}
		if deadline, ok := c.firstDeadline(); ok && c.usable[path+".expires"] && e.Expires.Before(deadline) {
			c.warn(path+".expires", "the exemption ends on %s, before anything is switched (%s)", e.Expires, deadline)
		}
	}
}

// extensions refuses what would be a second extension, or a longer one.
func (c checker) extensions() {
	accounts := map[string]string{}
	for i := range c.cfg.Extensions {
		path, e := item("extensions", i), &c.cfg.Extensions[i]
		e.Account = c.account(path+".account", e.Account, accounts)
		if c.usable[path+".account"] && c.cfg.IsEmergency(e.Account) {
			c.failWith(path+".account", "no extension", "extensions: []", "this is an emergency account: those stand outside every policy anyway")
		}
		if c.usable[path+".until"] && !c.failed["waves"] && c.usable["waves"] {
			c.extended(path+".until", e.Until)
		}
	}
	if len(c.cfg.Extensions) > 0 && c.cfg.Method == rollout.MethodSecurityDefaults {
		c.warn("extensions", "Security Defaults know no exclusions: nobody can be given more time")
	}
}

// extended holds the last day of an extension to a deadline: on it at the
// earliest, and seven days after it at the latest.
func (c checker) extended(path string, until rollout.Date) {
	last := rollout.Date{}
	for _, wave := range c.cfg.Waves {
		if wave.Deadline.IsZero() {
			continue
		}
		if days := wave.Deadline.DaysUntil(until); days >= 0 && days <= rollout.ExtensionDays {
			return
		}
		last = wave.Deadline
	}
	if !last.IsZero() {
		c.failWith(path, "a day up to 7 days after the wave's deadline, as YYYY-MM-DD", "until: "+last.AddDays(rollout.ExtensionDays).String(),
			"%s is no extension of any wave: one lasts at most %d days after the deadline, and there is no second one; who needs longer needs an exemption", until, rollout.ExtensionDays)
	}
}

// overrides refuses what can never hold: the classes that follow from what
// Microsoft knows and acts on cannot be given or taken away.
func (c checker) overrides() {
	accounts := map[string]string{}
	for i := range c.cfg.Overrides {
		path, o := item("accounts", i), &c.cfg.Overrides[i]
		if class := rollout.Class(strings.ToLower(string(o.Class))); slices.Contains(rollout.Classes(), class) && !slices.Contains(rollout.OverrideClasses(), class) {
			c.fail(path+".class", "%s cannot be given: it follows from the account itself", quote(string(o.Class)))
		} else {
			c.choice(path+".class", string(o.Class), overrideClasses())
		}
		o.Account = c.account(path+".account", o.Account, accounts)
		if c.usable[path+".account"] && c.cfg.IsEmergency(o.Account) {
			c.failWith(path+".account", "no class", "accounts: []", "this is an emergency account, and nothing else")
		}
	}
}

func (c checker) accepted() {
	accounts := map[string]string{}
	for i := range c.cfg.Accepted {
		a := &c.cfg.Accepted[i]
		a.Account = c.account(item("accepted", i)+".account", a.Account, accounts)
	}
}

// account holds a value to being a user principal name or an object id, once in
// its list, and returns it in lower case.
func (c checker) account(path, value string, seen map[string]string) string {
	value = strings.ToLower(value)
	if c.usable[path] && !objectID.MatchString(value) && !isAddress(value) {
		c.fail(path, "%s is neither a user principal name nor an object id", quote(value))
		return value
	}
	c.unique(path, value, seen, "%s stands in this list already", quote(value))
	return value
}

func (c checker) firstDeadline() (rollout.Date, bool) {
	var first rollout.Date
	for _, wave := range c.cfg.Waves {
		if !wave.Deadline.IsZero() && (first.IsZero() || wave.Deadline.Before(first)) {
			first = wave.Deadline
		}
	}
	return first, !first.IsZero()
}

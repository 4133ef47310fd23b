package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// EmergencyChange is one thing about the emergency accounts that is no longer as
// the last proof found it: one cause, however many accounts and policies it
// concerns.
type EmergencyChange struct {
	// ID is stable: the cause, what it is about, and the proof it departs from.
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Severity is critical for what could be an attack or keeps an account from
	// working, warning for what is about to, note for what mends something or
	// harms nothing yet. Notes are shown; the others are alerted.
	Severity string   `json:"severity"`
	Text     string   `json:"text"`
	Accounts []string `json:"accounts"` // ids
	Group    string   `json:"group"`    // id, or empty
	Policies []string `json:"policies"` // ids
	// At is when it happened, where the tenant says; SeenAt when it was read;
	// Since the reading before, which did not show it yet.
	At     time.Time `json:"at"`
	SeenAt time.Time `json:"seenAt"`
	Since  time.Time `json:"since"`
}

// Alerts reports whether somebody has to hear of it now.
func (c EmergencyChange) Alerts() bool { return c.Severity != SeverityNote }

// Tampered compares the proofs of two complete readings. An account without an
// earlier proof is held to the least that any must be: there, enabled, cloud-only.
// What a change brings with it is not told again: who deletes an account, or
// empties a group, is one cause.
func Tampered(before, after []EmergencyProof) []EmergencyChange {
	c := comparison{}
	for _, now := range after {
		i := slices.IndexFunc(before, func(p EmergencyProof) bool { return strings.EqualFold(p.Account, now.Account) })
		if i < 0 {
			c.account(EmergencyProof{Account: now.Account, Exists: Yes, Enabled: Yes, CloudOnly: Yes}, now)
			continue
		}
		was := before[i]
		if c.account(was, now) {
			c.groups(was, now)
			c.policies(was, now)
		}
	}
	slices.SortStableFunc(c.found, func(a, b EmergencyChange) int { return cmp.Compare(gravity(a.Severity), gravity(b.Severity)) })
	return c.found
}

// comparison collects what is found, one cause once.
type comparison struct{ found []EmergencyChange }

// add notes a cause; about is what makes it another than one of the same kind.
func (c *comparison) add(kind, about, severity, account, text string) *EmergencyChange {
	id := strings.ToLower("tampering-" + kind + "-" + about)
	i := slices.IndexFunc(c.found, func(f EmergencyChange) bool { return f.ID == id })
	if i < 0 {
		i = len(c.found)
		c.found = append(c.found, EmergencyChange{ID: id, Kind: kind, Severity: severity, Text: text})
	}
	if !containsFold(c.found[i].Accounts, account) {
		c.found[i].Accounts = append(c.found[i].Accounts, account)
	}
	return &c.found[i]
}

// worth orders a fact that should hold: what is not known is less than proven.
func worth(f Fact) int {
	switch f {
	case Yes:
		return 2
	case No:
		return 0
	}
	return 1
}

// account compares the account itself. It is false where the rest follows from
// what was found.
func (c *comparison) account(was, now EmergencyProof) bool {
	id := now.Account
	switch {
	case worth(now.Exists) < worth(was.Exists):
		c.add("deleted", id, SeverityCritical, id, "The account was deleted.")
		return false
	case worth(now.Exists) > worth(was.Exists):
		c.add("restored", id, SeverityNote, id, "The account is there again.")
		return false
	case now.Exists != Yes:
		return false
	}
	for _, f := range []struct {
		kind, taken, unknown, mended string
		was, now                     Fact
	}{
		{"disabled", "The account was disabled.", "Whether the account is enabled is not said any more.", "The account was enabled again.", was.Enabled, now.Enabled},
		{"synced", "The account was joined to one of a directory on premises.", "Whether the account is cloud-only is not said any more.", "The account is cloud-only again.", was.CloudOnly, now.CloudOnly},
		{
			"role", "Global Administrator was taken from the account, or no longer holds for the whole tenant.",
			"Global Administrator was made eligible for the account: whether it still holds it for good cannot be told.",
			"The account is permanently Global Administrator again.", was.GlobalAdmin, now.GlobalAdmin,
		},
	} {
		switch {
		case f.was == "": // nothing was proven before
		case worth(f.now) < worth(f.was) && f.now == No:
			c.add(f.kind, id, SeverityCritical, id, f.taken)
		case worth(f.now) < worth(f.was):
			c.add(f.kind, id, SeverityCritical, id, f.unknown)
		case worth(f.now) > worth(f.was):
			c.add(f.kind+"-mended", id, SeverityNote, id, f.mended)
		}
	}
	c.name(was, now)
	if !was.PasswordChanged.IsZero() && !now.PasswordChanged.Equal(was.PasswordChanged) {
		p := c.add("password", id, SeverityCritical, id, "The account's password was changed.")
		p.At = now.PasswordChanged
	}
	if was.PerUserMFA != "" && asksPerUser(now.PerUserMFA) && !asksPerUser(was.PerUserMFA) {
		c.add("per-user-mfa", id, SeverityWarning, id, "The legacy per-user MFA was switched on for the account.")
	}
	c.methods(was, now)
	return true
}

func (c *comparison) name(was, now EmergencyProof) {
	if was.UserPrincipalName == "" || strings.EqualFold(was.UserPrincipalName, now.UserPrincipalName) {
		return
	}
	text := "The account was renamed."
	if now.InitialDomain != Yes {
		text = "The account was renamed, and is not on the initial onmicrosoft.com domain."
	}
	c.add("renamed", now.Account, SeverityCritical, now.Account, text)
}

// methods compares them one by one: a second key is a way in, whoever holds it.
func (c *comparison) methods(was, now EmergencyProof) {
	if was.Held == nil || now.Held == nil {
		return
	}
	id := now.Account
	for _, held := range now.Held {
		if !slices.Contains(was.Held, held) {
			kind, _, _ := strings.Cut(held, " ")
			c.add("method-added", id+"-"+held, SeverityCritical, id, "A way to sign in was added to the account: "+methodWords(kind)+". If nobody of you did that, somebody has made one for himself.")
		}
	}
	for _, held := range was.Held {
		kind, _, _ := strings.Cut(held, " ")
		switch {
		case slices.Contains(now.Held, held):
		case len(personalMethods([]string{kind})) > 0 || isPass(kind):
			c.add("method-removed", id+"-"+held, SeverityNote, id, "Taken from the account, where it does not belong: "+methodWords(kind)+".")
		default:
			text := "A way to sign in was taken from the account: " + methodWords(kind) + "."
			if now.StrongMethod != Yes {
				text += " It holds neither a FIDO2 key nor a certificate any more."
			}
			c.add("method-removed", id+"-"+held, SeverityCritical, id, text)
		}
	}
}

// methodWords names a kind of method as people do; a kind that nobody knows keeps
// Microsoft's name.
func methodWords(kind string) string {
	switch strings.ToLower(kind) {
	case "fido2authenticationmethod":
		return "a FIDO2 key"
	case "x509certificateauthenticationmethod":
		return "a certificate"
	case "passwordauthenticationmethod":
		return "the password"
	case "phoneauthenticationmethod":
		return "a phone"
	case "emailauthenticationmethod":
		return "an e-mail address"
	case "microsoftauthenticatorauthenticationmethod", "passwordlessmicrosoftauthenticatorauthenticationmethod":
		return "Microsoft Authenticator on somebody's phone"
	case "softwareoathauthenticationmethod":
		return "an app that shows codes"
	case "temporaryaccesspassauthenticationmethod":
		return "a Temporary Access Pass"
	}
	return strings.TrimSuffix(kind, "AuthenticationMethod")
}

// isPass: a Temporary Access Pass lets in whoever was told it.
func isPass(kind string) bool {
	return strings.EqualFold(kind, "temporaryAccessPassAuthenticationMethod")
}

// groups compares the groups that keep the account out, which two accounts mostly
// share: each change of one is told once.
func (c *comparison) groups(was, now EmergencyProof) {
	for _, g := range now.Excluding {
		i := slices.IndexFunc(was.Excluding, func(b PolicyGroup) bool { return strings.EqualFold(b.ID, g.ID) })
		if i < 0 || !g.Holds || !was.Excluding[i].Holds {
			continue // one that is left or lost shows by the policies
		}
		before := was.Excluding[i]
		note := func(kind, about, severity, text string) {
			n := c.add(kind, g.ID+about, severity, now.Account, capital(g.name())+", which keeps emergency accounts out of policies, "+text)
			n.Group = g.ID
		}
		switch {
		case worth(g.Protected) < worth(before.Protected):
			note("group-unprotected", "", SeverityCritical, "is not protected any more: many an administrator can empty it.")
		case worth(g.Protected) > worth(before.Protected):
			note("group-protected", "", SeverityNote, "is protected now.")
		}
		for _, id := range added(before.Owners, g.Owners) {
			note("group-owner-added", "-"+id, SeverityCritical, "has a new owner, "+id+", who can take the accounts out of it.")
		}
		for _, id := range added(g.Owners, before.Owners) {
			note("group-owner-removed", "-"+id, SeverityNote, "has lost its owner "+id+".")
		}
		for _, id := range added(before.Circle, g.Circle) {
			note("group-member-added", "-"+id, SeverityCritical, "has a new member, "+id+", who is now outside these policies as well.")
		}
	}
}

// added are the ids that are only in the second list; none if either was not read.
func added(before, after []string) []string {
	if before == nil || after == nil {
		return nil
	}
	var list []string
	for _, id := range after {
		if !containsFold(before, id) {
			list = append(list, id)
		}
	}
	return list
}

// exposing reports whether the policy could stop the account.
func (v PolicyVerdict) exposing() bool {
	return v.CanStop && v.Verdict != VerdictExcluded && v.Verdict != VerdictNotAddressed
}

// policies compares how they stand to the account.
func (c *comparison) policies(was, now EmergencyProof) {
	for _, v := range now.Policies {
		i := slices.IndexFunc(was.Policies, func(b PolicyVerdict) bool { return b.ID == v.ID })
		var before PolicyVerdict
		if i >= 0 {
			before = was.Policies[i]
		}
		name := fmt.Sprintf("policy %q (%s)", nameOr(v.Name, v.ID), stateWords(v.State))
		switch {
		case v.exposing() && !before.exposing():
			c.exposed(was, now, before, v, name)
		case v.exposing() && before.State == StateReportOnly && v.State != StateReportOnly && v.Verdict != VerdictDepends:
			n := c.add("policy-switched", v.ID, SeverityCritical, now.Account, capital(name)+" was switched on, and the account is not proven to be outside it.")
			n.Policies = []string{v.ID}
		case before.exposing() && !v.exposing():
			n := c.add("policy-mended", v.ID, SeverityNote, now.Account, "The account is outside "+name+" again.")
			n.Policies = []string{v.ID}
		}
	}
}

// exposed finds the cause for which a policy can stop the account now: the group
// that kept it out, the role that did, or the policy itself.
func (c *comparison) exposed(was, now EmergencyProof, before, v PolicyVerdict, name string) {
	severity := SeverityCritical
	switch {
	case v.Verdict == VerdictDepends:
		severity = SeverityNote // nothing stops it today
	case v.State == StateReportOnly:
		severity = SeverityWarning
	}
	reason := strings.Join(before.Path, ", ")
	var n *EmergencyChange
	if i := slices.IndexFunc(was.Excluding, func(g PolicyGroup) bool { return g.Holds && slices.Contains(g.Policies, v.ID) }); i >= 0 && strings.HasPrefix(reason, excludedBy+throughGroup) {
		g := was.Excluding[i]
		n = c.add("exclusion-group", g.ID, severity, now.Account, capital(g.name())+" no longer keeps emergency accounts out of policies"+leftHow(now, g)+".")
		n.Group = g.ID
	} else if strings.HasPrefix(reason, excludedBy+throughRole) && worth(now.GlobalAdmin) < worth(was.GlobalAdmin) {
		n = c.add("role", now.Account, severity, now.Account, "")
	} else {
		how := "The account is inside "
		if v.Verdict == VerdictDepends {
			how = "The account is only by membership outside "
		} else if v.Verdict == VerdictUnresolvable {
			how = "Nobody can say any more whether the account is outside "
		}
		n = c.add("inside-policy", v.ID, severity, now.Account, how+name+".")
	}
	if gravity(severity) < gravity(n.Severity) {
		n.Severity = severity
	}
	if !slices.Contains(n.Policies, v.ID) {
		n.Policies = append(n.Policies, v.ID)
	}
}

// leftHow says what became of a group.
func leftHow(now EmergencyProof, g PolicyGroup) string {
	i := slices.IndexFunc(now.Excluding, func(n PolicyGroup) bool { return strings.EqualFold(n.ID, g.ID) })
	if i < 0 {
		return ": no policy excludes it any more"
	}
	if n := now.Excluding[i]; !n.Holds {
		return ": it " + n.state()
	}
	return ": some of them do not exclude it any more"
}

package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
)

func (s *scene) gate(t *testing.T, id string) rollout.GateResult {
	t.Helper()
	wave, _ := s.cfg.Wave("everyone")
	results := rollout.CheckGates(s.cfg, s.seen, s.known, wave, s.now)
	i := slices.IndexFunc(results, func(r rollout.GateResult) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("there is no gate %s", id)
	}
	return results[i]
}

// TestEveryGateHolds: without this the failures below would prove nothing.
func TestEveryGateHolds(t *testing.T) {
	s := sample(t)
	for _, g := range rollout.Gates() {
		if r := s.gate(t, g.ID); !r.OK {
			t.Errorf("%s: %s", g.ID, r.Evidence)
		}
	}
}

// gateCases are ways in which a gate fails, and some in which it must not.
var gateCases = []struct {
	gate, name string
	spoil      func(t *testing.T, s *scene)
	holds      bool
	says       string // part of the evidence
}{
	{"emergency-accounts", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, false, "not read"},
	{"emergency-accounts", "one is not enough", func(_ *testing.T, s *scene) { s.cfg.EmergencyAccounts = s.cfg.EmergencyAccounts[:1]; s.prove() }, false, "1 of 1"},
	{"emergency-accounts", "the same one twice is one", func(_ *testing.T, s *scene) {
		s.cfg.EmergencyAccounts[1].ID = strings.ToUpper(em1)
		s.prove()
	}, false, "1 of 2"},
	{"emergency-accounts", "one was not looked at", func(_ *testing.T, s *scene) {
		s.cfg.EmergencyAccounts = append(s.cfg.EmergencyAccounts, rollout.EmergencyAccount{ID: "em3"})
	}, false, "em3: not looked at"},
	{"emergency-accounts", "one is disabled", func(_ *testing.T, s *scene) { s.seen.Live.Emergency[1].Enabled = rollout.No }, false, "is enabled (no)"},
	{"emergency-accounts", "one fact is unknown", func(_ *testing.T, s *scene) { s.seen.Live.Emergency[1].StrongMethod = rollout.Unknown }, false, "FIDO2"},
	{"emergency-accounts", "one fact is missing", func(_ *testing.T, s *scene) { s.seen.Live.Emergency[0].GlobalAdmin = "" }, false, "(unknown)"},

	{"emergency-excluded", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, false, "not read"},
	{"emergency-excluded", "no emergency account", func(_ *testing.T, s *scene) { s.cfg.EmergencyAccounts = nil }, false, "no emergency account"},
	{"emergency-excluded", "one was not looked at", func(_ *testing.T, s *scene) { s.seen.Live.Emergency = s.seen.Live.Emergency[:1] }, false, "em2 was not looked at"},
	{"emergency-excluded", "taken out of ours", func(_ *testing.T, s *scene) {
		s.policy(policyEveryone).ExcludeUsers = []string{em1}
		s.prove()
	}, false, "em2: The account is inside policy"},
	{"emergency-excluded", "inside one of Microsoft's, report-only", func(_ *testing.T, s *scene) {
		s.seen.Live.Policies = append(s.seen.Live.Policies, rollout.Policy{ID: "managed", State: rollout.StateReportOnly, IncludeUsers: []string{"All"}, GrantControls: []string{"mfa"}})
		s.prove()
	}, false, `"managed"`},
	{"emergency-excluded", "a policy that appeared after the proof", func(_ *testing.T, s *scene) {
		s.seen.Live.Policies = append(s.seen.Live.Policies, rollout.Policy{ID: "young", State: rollout.StateEnabled, IncludeUsers: []string{"All"}, SessionControls: []string{"signInFrequency"}})
	}, false, "not looked at"},
	{"emergency-excluded", "inside one that is off", func(_ *testing.T, s *scene) {
		s.seen.Live.Policies = append(s.seen.Live.Policies, rollout.Policy{ID: "off", State: rollout.StateDisabled, IncludeUsers: []string{"All"}, GrantControls: []string{"block"}})
		s.prove()
	}, true, "outside all 4"},
	{"emergency-excluded", "through a protected group", func(_ *testing.T, s *scene) {
		excludeThroughGroup(s, rollout.Group{Opened: true, Members: []string{em1, em2}, Dynamic: rollout.No, RoleAssignable: rollout.Yes})
	}, true, "outside all"},
	{"emergency-excluded", "through a group that anybody can empty", func(_ *testing.T, s *scene) {
		excludeThroughGroup(s, rollout.Group{Opened: true, Members: []string{em1, em2}, Dynamic: rollout.No, RoleAssignable: rollout.No, Restricted: rollout.No})
	}, false, "em1, em2: Group break-glass keeps"},
	{"emergency-excluded", "the group was emptied", func(_ *testing.T, s *scene) {
		excludeThroughGroup(s, rollout.Group{Opened: true})
	}, false, "em1, em2: Group break-glass, which policies exclude, holds nobody"},
	{"emergency-excluded", "outside only by membership", func(_ *testing.T, s *scene) {
		s.groups["staff"] = rollout.Group{Opened: true, Members: []string{"m01"}}
		s.seen.Live.Policies = append(s.seen.Live.Policies, rollout.Policy{ID: "staff-only", State: rollout.StateEnabled, IncludeGroups: []string{"staff"}, GrantControls: []string{"mfa"}})
		s.prove()
	}, false, "only by membership outside"},
	{"emergency-excluded", "the listing lacks our own policy", func(_ *testing.T, s *scene) { s.seen.Live.Policies = nil; s.prove() }, false, "own policy"},
	{"emergency-excluded", "our policy was never created", func(_ *testing.T, s *scene) { s.known.Policies = nil }, false, "own policy"},

	{"audit-fresh", "never", func(_ *testing.T, s *scene) { s.seen.Audit = rollout.AuditRun{} }, false, "no complete audit"},
	{"audit-fresh", "two nights ago", func(_ *testing.T, s *scene) { s.seen.Audit.At = s.now.Add(-37 * time.Hour) }, false, "37 hours"},
	{"audit-fresh", "one night was missed", func(_ *testing.T, s *scene) { s.seen.Audit.At = s.now.Add(-36 * time.Hour) }, true, "22 accounts"},
	{"audit-fresh", "in the future", func(_ *testing.T, s *scene) { s.seen.Audit.At = s.now.Add(time.Minute) }, false, "clock"},
	{"audit-fresh", "accounts are missing", func(_ *testing.T, s *scene) { s.seen.Accounts = s.seen.Accounts[1:] }, false, "saw 22 accounts, the table holds 21"},
	{"audit-fresh", "no accounts", func(_ *testing.T, s *scene) { s.seen.Accounts = nil; s.seen.Audit.Accounts = 0 }, false, "no complete audit"},

	{"capable-admin", "none is known to be", func(_ *testing.T, s *scene) {
		s.account("admin1").Capable, s.account("admin2").Capable = rollout.Unknown, rollout.No
	}, false, "0 capable"},
	{"capable-admin", "they have text messages alone, after their end", func(t *testing.T, s *scene) {
		s.now = at(t, "Europe/London", "2027-02-01 10:00")
		s.account("admin1").Strength, s.account("admin2").Strength = rollout.StrengthWeak, rollout.StrengthWeak
	}, false, "0 capable"},
	{"capable-admin", "one is enough", func(_ *testing.T, s *scene) { s.account("admin1").Capable = rollout.No }, true, "1 capable"},
	{"capable-admin", "no accounts", func(_ *testing.T, s *scene) { s.seen.Accounts = nil }, false, "0 capable"},
	{"capable-admin", "the only ones are emergency accounts since today", func(_ *testing.T, s *scene) {
		s.cfg.EmergencyAccounts = append(s.cfg.EmergencyAccounts, rollout.EmergencyAccount{ID: "admin1"}, rollout.EmergencyAccount{ID: "ADMIN2"})
	}, false, "0 capable"},
	{"capable-admin", "a lesser administrator is none", func(_ *testing.T, s *scene) {
		for _, id := range []string{"admin1", "admin2"} {
			s.account(id).Roles = []string{"729827e3-9c14-49f7-bb1b-9608f156bbb8"}
		}
	}, false, "0 capable"},
	{"capable-admin", "the role's id in capitals", func(_ *testing.T, s *scene) {
		for _, id := range []string{"admin1", "admin2"} {
			s.account(id).Roles = []string{strings.ToUpper(rollout.RoleGlobalAdministrator)}
		}
	}, true, "2 capable"},

	{"defaults-off", "on, and the policies stand ready", func(_ *testing.T, s *scene) { s.underDefaults() }, true, "give way to the 3 policies"},
	{"defaults-off", "on, and a policy is on", func(_ *testing.T, s *scene) { s.seen.Live.SecurityDefaults = rollout.Yes }, false, "no policy stands ready, report-only, for administrators, ready"},
	{"defaults-off", "on, and a policy was not read", func(_ *testing.T, s *scene) {
		s.underDefaults()
		s.seen.Live.Policies = s.seen.Live.Policies[1:]
	}, false, "report-only, for administrators"},
	{"defaults-off", "on, and no wave is for everybody", func(_ *testing.T, s *scene) {
		s.underDefaults()
		s.cfg.Waves[2].Members = rollout.MembersAdmins
	}, false, "no wave is for everybody"},
	{"defaults-off", "on, and taken back today", func(_ *testing.T, s *scene) {
		s.underDefaults()
		s.known.ChangeOver = rollout.ChangeOver{BegunAt: s.now.Add(-time.Hour), EndedAt: s.now.Add(-time.Hour), Outcome: rollout.TakenBack, Failure: "400"}
	}, false, "the next try is tomorrow: 400"},
	{"defaults-off", "on, and taken back yesterday", func(_ *testing.T, s *scene) {
		s.underDefaults()
		s.known.ChangeOver = rollout.ChangeOver{BegunAt: s.now.AddDate(0, 0, -1), EndedAt: s.now.AddDate(0, 0, -1), Outcome: rollout.TakenBack}
	}, true, "give way"},
	{"defaults-off", "not read", func(_ *testing.T, s *scene) { s.seen.Live.SecurityDefaults = rollout.Unknown }, false, "not known"},
	{"defaults-off", "are the method", func(_ *testing.T, s *scene) {
		s.seen.Live.SecurityDefaults, s.seen.Audit.Method = rollout.Yes, rollout.MethodSecurityDefaults
	}, true, "method"},
	{"licence", "none", func(_ *testing.T, s *scene) { s.seen.Audit.Plans = nil }, false, "Entra ID P1"},
	{"licence", "not needed", func(_ *testing.T, s *scene) {
		s.seen.Audit.Plans, s.seen.Audit.Method = nil, rollout.MethodSecurityDefaults
	}, true, "Security Defaults"},

	{"permissions", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, false, "not read"},
	{"permissions", "the reader's are not known", func(_ *testing.T, s *scene) { s.seen.Audit.Granted = nil }, false, "reader lacks"},
	{"permissions", "the reader lacks one", func(_ *testing.T, s *scene) { s.seen.Audit.Granted = rollout.ReaderPermissions()[1:] }, false, "the reader lacks " + rollout.ReaderPermissions()[0]},
	{"permissions", "the writer has too much", func(_ *testing.T, s *scene) {
		s.seen.Live.Granted = append(rollout.WriterPermissions(), "Directory.ReadWrite.All")
	}, false, "too much: Directory.ReadWrite.All"},

	{"alert-path", "no drill", func(_ *testing.T, s *scene) { s.known.Drills = s.known.Drills[:1] }, false, "em2"},
	{"alert-path", "an old one", func(_ *testing.T, s *scene) { s.known.Drills[0].PassedAt = s.now.Add(-91 * 24 * time.Hour) }, false, "em1"},
	{"alert-path", "passed in the future", func(_ *testing.T, s *scene) { s.known.Drills[0].PassedAt = s.now.Add(time.Hour) }, false, "em1"},
	{"alert-path", "no emergency account", func(_ *testing.T, s *scene) { s.cfg.EmergencyAccounts = nil }, false, "no passed drill"},

	{"help-desk", "no name", func(_ *testing.T, s *scene) { s.cfg.Communication.HelpDesk.Name = "" }, false, "no help desk"},
	{"help-desk", "no way to reach it", func(_ *testing.T, s *scene) { s.cfg.Communication.HelpDesk.Email = "" }, false, "no help desk"},

	{"policies-unchanged", "not read", func(_ *testing.T, s *scene) { s.seen.Live = nil }, false, "not read"},
	{"policies-unchanged", "not created", func(_ *testing.T, s *scene) { s.known.Policies[2].ID = "" }, false, "not created"},
	{"policies-unchanged", "gone", func(_ *testing.T, s *scene) { s.seen.Live.Policies = s.seen.Live.Policies[:2] }, false, "gone"},
	{"policies-unchanged", "somebody switched it off", func(_ *testing.T, s *scene) { s.policy(policyEveryone).State = rollout.StateDisabled }, false, `"disabled"`},
	{"policies-unchanged", "somebody widened it", func(_ *testing.T, s *scene) { s.policy(policyEveryone).ExcludeGroups = nil }, false, "excluded group group-exempt was taken out"},
	{"policies-unchanged", "rollout.yaml was changed since: guests count no longer", func(_ *testing.T, s *scene) {
		s.policy(policyEveryone).ExcludeUsers, s.known.Policies[2].Draft.ExcludeUsers = []string{em1, em2}, []string{em1, em2}
	}, false, "excluded user GuestsOrExternalUsers"},
	{"policies-unchanged", "rollout.yaml was changed since: fewer people", func(_ *testing.T, s *scene) { s.cfg.Waves[2].Members = rollout.MembersAdmins }, false, "rollout.yaml asks for another policy"},
	{"policies-unchanged", "others excluded somebody", func(_ *testing.T, s *scene) {
		p := s.policy(policyEveryone)
		p.ExcludeUsers = append(slices.Clone(p.ExcludeUsers), "m07")
	}, true, "others excluded m07"},

	{"policies-unchanged", "others excluded four of twenty people", func(_ *testing.T, s *scene) {
		p := s.policy(policyEveryone)
		p.ExcludeUsers = append(slices.Clone(p.ExcludeUsers), "m07", "M08", "m09", "m10")
	}, false, "leaves out 4 of 20 people"},
	{"policies-unchanged", "others excluded three people and an account of nobody's", func(_ *testing.T, s *scene) {
		p := s.policy(policyEveryone)
		p.ExcludeUsers = append(slices.Clone(p.ExcludeUsers), "m07", "m08", "m09", "elsewhere", em1)
	}, true, "leaves out 3 of 20 people: that stays"},
	{"policies-unchanged", "others excluded a group of four", func(_ *testing.T, s *scene) {
		p := s.policy(policyEveryone)
		p.ExcludeGroups = append(slices.Clone(p.ExcludeGroups), "sales")
		s.seen.Live.Named = map[string]rollout.Group{"sales": {Opened: true, Members: []string{"m01", "m02", "m03", "M04", "gone"}}}
	}, false, "leaves out 4 of 20 people"},
	{"policies-unchanged", "others excluded a small group", func(_ *testing.T, s *scene) {
		p := s.policy(policyEveryone)
		p.ExcludeGroups = append(slices.Clone(p.ExcludeGroups), "sales")
		s.seen.Live.Named = map[string]rollout.Group{"sales": {Opened: true, Members: []string{"m01"}}}
	}, true, "leaves out 1 of 20 people"},
	{"policies-unchanged", "others excluded a group that could not be opened", func(_ *testing.T, s *scene) {
		p := s.policy(policyEveryone)
		p.ExcludeGroups = append(slices.Clone(p.ExcludeGroups), "sales")
		s.seen.Live.Named = map[string]rollout.Group{"sales": {Members: []string{"m01"}}}
	}, false, "could not be opened: sales"},
	{"policies-unchanged", "others excluded a group that nobody read", func(_ *testing.T, s *scene) {
		p := s.policy(policyEveryone)
		p.ExcludeGroups = append(slices.Clone(p.ExcludeGroups), "sales")
	}, false, "could not be opened: sales"},
	{"policies-unchanged", "others excluded every guest", func(_ *testing.T, s *scene) {
		s.cfg.CountGuests = true
		s.policy(policyEveryone).ExcludeUsers, s.known.Policies[2].Draft.ExcludeUsers = []string{em1, em2, "GuestsOrExternalUsers"}, []string{em1, em2}
		for _, id := range []string{"m01", "m02", "m03", "m04"} {
			s.account(id).Class = rollout.ClassGuest
		}
	}, false, "leaves out 4 of 20 people"},
	{"policies-unchanged", "drift says when it was", func(t *testing.T, s *scene) {
		s.policy(policyEveryone).ExcludeGroups = nil
		s.policy(policyEveryone).Modified = at(t, "Europe/London", "2027-01-11 14:02")
	}, false, "last changed 2027-01-11 14:02"},

	{"observed", "not begun", func(_ *testing.T, s *scene) { s.wave("everyone").ObservedFrom = time.Time{} }, false, "not begun"},
	{"observed", "too short", func(_ *testing.T, s *scene) {
		s.wave("everyone").ObservedFrom = s.now.Add(-7*24*time.Hour + time.Minute)
	}, false, "7.0 of 7"},
	{"observed", "no verdict", func(_ *testing.T, s *scene) { s.seen.Observations = nil }, false, "no verdict"},
	{"observed", "verdicts on another policy alone", func(_ *testing.T, s *scene) { s.seen.Observations[0].Policy = policyReady }, false, "no verdict"},
	{"observed", "the newest verdict is old", func(_ *testing.T, s *scene) { s.seen.Observations[0].LastAt = s.now.Add(-4 * 24 * time.Hour) }, false, "no verdict"},
	{"observed", "a verdict that nobody knows", func(_ *testing.T, s *scene) {
		s.seen.Observations = append(s.seen.Observations, rollout.Observation{Account: "m02", Policy: policyEveryone, Result: "unknownFutureValue", LastAt: s.now.Add(-6 * 24 * time.Hour)})
	}, false, "missing data"},
	{"observed", "such a verdict, seven days old to the minute", func(_ *testing.T, s *scene) {
		s.seen.Observations = append(s.seen.Observations, rollout.Observation{Account: "m02", Policy: policyEveryone, Result: "unknownFutureValue", LastAt: s.now.Add(-7 * 24 * time.Hour)})
	}, false, "missing data"},
	{"observed", "the policy was never created", func(_ *testing.T, s *scene) {
		s.known.Policies[2].ID, s.seen.Observations[0].Policy = "", ""
	}, false, "not created"},
	{"observed", "such a verdict on somebody who has left", func(_ *testing.T, s *scene) {
		s.seen.Observations = append(s.seen.Observations, rollout.Observation{Account: "gone", Policy: policyEveryone, Result: "unknownFutureValue", LastAt: s.now.Add(-8 * 24 * time.Hour)})
	}, true, "verdicts on 1"},

	{"notice-given", "no accounts", func(_ *testing.T, s *scene) { s.seen.Accounts = nil }, false, "no account"},
	{"notice-given", "never told", func(_ *testing.T, s *scene) { s.known.Messages = nil }, false, "1 of 1 people who would be stopped were not provably told 14 days ago: m18"},
	{"notice-given", "told 13 days ago", func(t *testing.T, s *scene) {
		s.known.Messages = []rollout.Message{told("m18", day(t, "2026-12-30"), s.cfg)}
	}, false, "m18"},
	{"notice-given", "told 14 days ago", func(t *testing.T, s *scene) {
		s.known.Messages = []rollout.Message{told("m18", day(t, "2026-12-29"), s.cfg)}
	}, true, "1 people"},
	{"notice-given", "told 13 days ago, of today", func(t *testing.T, s *scene) {
		s.known.Messages = []rollout.Message{told("m18", day(t, "2026-12-30"), s.cfg)}
		s.known.Messages[0].Deadline = rollout.DateOf(s.now)
	}, false, "m18"},
	{"notice-given", "sent but not delivered", func(_ *testing.T, s *scene) { s.known.Messages[0].State = rollout.MessageSent }, false, "m18"},
	{"notice-given", "bounced after it was delivered", func(_ *testing.T, s *scene) { s.known.Messages[0].State = rollout.MessageBounced }, false, "m18"},
	{"notice-given", "the notice went to a test address", func(_ *testing.T, s *scene) {
		s.known.Messages[0] = s.known.Messages[0].Redirect("test@contoso.com")
	}, false, "m18"},
	{"notice-given", "a reminder is no notice", func(_ *testing.T, s *scene) { s.known.Messages[0].Kind = rollout.MessageReminder }, false, "m18"},
	{"notice-given", "told of a later day than this", func(t *testing.T, s *scene) { s.known.Messages[0].Deadline = day(t, "2027-01-13") }, false, "m18"},
	{"notice-given", "accepted by name", func(_ *testing.T, s *scene) {
		s.known.Messages, s.cfg.Accepted = nil, []rollout.Acceptance{{Account: "M18@contoso.com", By: "Alex Wilber"}}
	}, true, "1 people"},
	{"notice-given", "accepted by nobody", func(_ *testing.T, s *scene) {
		s.known.Messages, s.cfg.Accepted = nil, []rollout.Acceptance{{Account: "m18"}}
	}, false, "m18"},
	{"notice-given", "accepted by name before the switch", func(_ *testing.T, s *scene) {
		s.known.Messages, s.known.Accepted = nil, []rollout.NamedAcceptance{{Wave: "everyone", Account: "M18", By: "Alex Wilber"}}
	}, true, "1 people"},
	{"notice-given", "accepted for another wave", func(_ *testing.T, s *scene) {
		s.known.Messages, s.known.Accepted = nil, []rollout.NamedAcceptance{{Wave: "administrators", Account: "m18", By: "Alex Wilber"}}
	}, false, "m18"},
	{"notice-given", "accepted before the switch by nobody", func(_ *testing.T, s *scene) {
		s.known.Messages, s.known.Accepted = nil, []rollout.NamedAcceptance{{Wave: "everyone", Account: "m18"}}
	}, false, "m18"},
	{"notice-given", "another was accepted", func(_ *testing.T, s *scene) {
		s.known.Messages, s.known.Accepted = nil, []rollout.NamedAcceptance{{Wave: "everyone", Account: "m17", By: "Alex Wilber"}, {Wave: "everyone", By: "Alex Wilber"}}
		s.account("m18").UserPrincipalName = ""
	}, false, "m18"},
	{"notice-given", "only text messages, after their end, and never told", func(t *testing.T, s *scene) {
		s.now = at(t, "Europe/London", "2027-02-01 10:00")
		s.account("m01").Strength = rollout.StrengthWeak
	}, false, "told 14 days ago: m01"},
	{"notice-given", "only text messages, the day before their end", func(t *testing.T, s *scene) {
		s.now = at(t, "Europe/London", "2027-01-31 10:00")
		s.account("m01").Strength = rollout.StrengthWeak
	}, true, "1 people"},
	{"notice-given", "an entry for nobody accepts nobody", func(_ *testing.T, s *scene) {
		s.known.Messages, s.cfg.Accepted = nil, []rollout.Acceptance{{By: "Alex Wilber"}}
		s.account("m18").UserPrincipalName = ""
	}, false, "m18"},
	{"notice-given", "never told, and left out until then", func(_ *testing.T, s *scene) {
		s.known.Messages = nil
		s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{"M18"}}
	}, true, "1 whose notice still runs"},
	{"notice-given", "left out by a group that was not opened", func(_ *testing.T, s *scene) {
		s.known.Messages = nil
		s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Members: []string{"m18"}}
	}, false, "m18"},
	{"notice-given", "left out by a group that the policy forgot", func(_ *testing.T, s *scene) {
		s.known.Messages = nil
		s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{"m18"}}
		s.policy(policyEveryone).ExcludeGroups = nil
	}, false, "m18"},
	{"notice-given", "Security Defaults leave nobody out", func(_ *testing.T, s *scene) {
		s.known.Messages, s.seen.Audit.Method = nil, rollout.MethodSecurityDefaults
		s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{"m18"}}
	}, false, "m18"},
	{"notice-given", "exempted, and not left out yet", func(_ *testing.T, s *scene) {
		s.cfg.Exemptions = []rollout.Exemption{{Account: "m01", Expires: rollout.DateOf(s.now)}}
	}, false, "not yet left out by the policy: m01"},
	{"notice-given", "exempted, and left out", func(_ *testing.T, s *scene) {
		s.cfg.Exemptions = []rollout.Exemption{{Account: "m01", Expires: rollout.DateOf(s.now)}}
		s.seen.Live.Groups[rollout.GroupExempt] = rollout.Group{Opened: true, Members: []string{"m01"}}
	}, true, "1 people"},
	{"notice-given", "whether somebody is capable is not known", func(_ *testing.T, s *scene) { s.account("m01").Capable = rollout.Unknown }, false, "m01"},
	{"notice-given", "nor is this: nothing at all was said", func(_ *testing.T, s *scene) { s.account("m01").Capable = "" }, false, "m01"},

	{"coverage", "just enough", func(*testing.T, *scene) {}, true, "19 of 20 capable, 95.0 %; 95 %"},
	{"coverage", "one too few", func(_ *testing.T, s *scene) { s.account("m01").Capable = rollout.Unknown }, false, "90.0 %"},
	{"coverage", "the wave asks for more", func(_ *testing.T, s *scene) { s.cfg.Waves[2].Coverage = 96 }, false, "96 %"},
	{"coverage", "no accounts", func(_ *testing.T, s *scene) { s.seen.Accounts = nil }, false, "nobody"},

	{"coverage", "two with text messages alone, after their end", func(t *testing.T, s *scene) {
		s.now = at(t, "Europe/London", "2027-02-01 10:00")
		s.account("m01").Strength, s.account("m02").Strength = rollout.StrengthWeak, rollout.StrengthWeak
	}, false, "17 of 20"},

	{"service-accounts", "a service account", func(_ *testing.T, s *scene) { s.account("m01").Class = rollout.ClassService }, false, "m01"},
	{"service-accounts", "a shared mailbox that can sign in", func(_ *testing.T, s *scene) { s.account("m01").Class = rollout.ClassSharedMailbox }, false, "m01"},
	{"service-accounts", "a room that cannot", func(_ *testing.T, s *scene) { a := s.account("m01"); a.Class, a.Enabled = rollout.ClassRoom, false }, true, "none"},
	{"service-accounts", "exempted", func(_ *testing.T, s *scene) {
		s.account("m01").Class = rollout.ClassService
		s.cfg.Exemptions = []rollout.Exemption{{Account: "m01", Expires: rollout.DateOf(s.now)}}
	}, true, "none"},
	{"service-accounts", "the exemption ended yesterday", func(_ *testing.T, s *scene) {
		s.account("m01").Class = rollout.ClassService
		s.cfg.Exemptions = []rollout.Exemption{{Account: "m01", Expires: rollout.DateOf(s.now).AddDays(-1)}}
	}, false, "m01"},
	{"service-accounts", "no accounts", func(_ *testing.T, s *scene) { s.seen.Accounts = nil }, false, "no account"},

	{"legacy", "somebody by IMAP", func(_ *testing.T, s *scene) {
		s.seen.Audit.Legacy = []rollout.LegacyUse{{Account: "m03", Client: "IMAP4", LastAt: s.now.Add(-6 * 24 * time.Hour)}}
	}, false, "m03 by IMAP4"},
	{"legacy", "long ago", func(_ *testing.T, s *scene) {
		s.seen.Audit.Legacy = []rollout.LegacyUse{{Account: "m03", Client: "IMAP4", LastAt: s.now.Add(-7 * 24 * time.Hour)}}
	}, true, "none"},
	{"legacy", "somebody outside the wave", func(_ *testing.T, s *scene) {
		s.seen.Audit.Legacy = []rollout.LegacyUse{{Account: em1, Client: "IMAP4", LastAt: s.now}}
	}, true, "none"},
	{"legacy", "no sign-in log", func(_ *testing.T, s *scene) { s.seen.Audit.Plans = nil }, false, "no sign-in log"},
	{"legacy", "no accounts", func(_ *testing.T, s *scene) { s.seen.Accounts = nil }, false, "no account"},

	{rollout.GateWindow, "too early", func(t *testing.T, s *scene) { s.now = at(t, "Europe/London", "2027-01-12 08:59") }, false, "opens Tuesday 2027-01-12 09:00"},
	{rollout.GateWindow, "too late", func(t *testing.T, s *scene) { s.now = at(t, "Europe/London", "2027-01-12 16:00") }, false, "opens Wednesday 2027-01-13"},
	{rollout.GateWindow, "a Friday", func(t *testing.T, s *scene) { s.now = at(t, "Europe/London", "2027-01-15 10:00") }, false, "opens Monday 2027-01-18"},
	{rollout.GateWindow, "a holiday", func(_ *testing.T, s *scene) { s.cfg.Enforcement.Holidays = []rollout.Date{rollout.DateOf(s.now)} }, false, "opens Wednesday"},
	{rollout.GateWindow, "business hours elsewhere", func(_ *testing.T, s *scene) { s.cfg.TimeZone = "Pacific/Kiritimati" }, false, "opens Wednesday 2027-01-13 09:00"},
	{rollout.GateWindow, "never", func(t *testing.T, s *scene) {
		for d := rollout.DateOf(s.now); len(s.cfg.Enforcement.Holidays) < 400; d = d.AddDays(1) {
			s.cfg.Enforcement.Holidays = append(s.cfg.Enforcement.Holidays, d)
		}
	}, false, "not open within a year"},
}

func TestGates(t *testing.T) {
	fails := map[string]bool{}
	for _, tt := range gateCases {
		fails[tt.gate] = fails[tt.gate] || !tt.holds
		t.Run(tt.gate+"/"+tt.name, func(t *testing.T) {
			s := sample(t)
			tt.spoil(t, s)
			r := s.gate(t, tt.gate)
			if r.OK != tt.holds || !strings.Contains(r.Evidence, tt.says) {
				t.Errorf("ok %v, want %v; evidence %q, want it to say %q", r.OK, tt.holds, r.Evidence, tt.says)
			}
		})
	}
	for _, g := range rollout.Gates() {
		if !fails[g.ID] {
			t.Errorf("no case shows %s failing", g.ID)
		}
	}
}

// TestNoGateHoldsOnNothing: of a tenant of which nothing was seen only those
// gates may hold that ask about rollout.yaml and the clock.
func TestNoGateHoldsOnNothing(t *testing.T) {
	s := sample(t)
	s.seen, s.known = rollout.Seen{}, rollout.Known{}
	for _, g := range rollout.Gates() {
		r := s.gate(t, g.ID)
		if wantOK := g.ID == "help-desk" || g.ID == rollout.GateWindow; r.OK != wantOK {
			t.Errorf("%s: ok %v: %s", g.ID, r.OK, r.Evidence)
		}
	}
}

func TestWaivers(t *testing.T) {
	valid := rollout.Waiver{Gate: "coverage", Owner: "Alex Wilber", Reason: "the last five are on leave"}
	tests := []struct {
		name   string
		change func(w *rollout.Waiver)
		waived bool
	}{
		{"until today", func(*rollout.Waiver) {}, true},
		{"until yesterday", func(w *rollout.Waiver) { w.Until = w.Until.AddDays(-1) }, false},
		{"without an end", func(w *rollout.Waiver) { w.Until = rollout.Date{} }, false},
		{"without an owner", func(w *rollout.Waiver) { w.Owner = "" }, false},
		{"without a reason", func(w *rollout.Waiver) { w.Reason = "" }, false},
		{"of another gate", func(w *rollout.Waiver) { w.Gate = "observed" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sample(t)
			s.account("m01").Capable = rollout.No
			w := valid
			w.Until = rollout.DateOf(s.now)
			tt.change(&w)
			s.cfg.Waivers = []rollout.Waiver{w}
			if r := s.gate(t, "coverage"); r.OK || r.Holds() != tt.waived {
				t.Errorf("ok %v, holds %v; want false, %v", r.OK, r.Holds(), tt.waived)
			}
		})
	}
}

// TestNeverWaived: five gates stand whatever rollout.yaml says; the others give way.
func TestNeverWaived(t *testing.T) {
	s := sample(t)
	s.seen, s.known = rollout.Seen{}, rollout.Known{}
	for id := range rollout.GateIDs() {
		s.cfg.Waivers = append(s.cfg.Waivers, rollout.Waiver{Gate: id, Owner: "Alex Wilber", Reason: "in a hurry", Until: rollout.DateOf(s.now)})
	}
	wave, _ := s.cfg.Wave("everyone")
	var got []string
	for _, r := range rollout.Failing(rollout.CheckGates(s.cfg, s.seen, s.known, wave, s.now)) {
		got = append(got, r.ID)
	}
	want := []string{"emergency-accounts", "emergency-excluded", "audit-fresh", "capable-admin", "defaults-off"}
	if !slices.Equal(got, want) {
		t.Errorf("gates that fail although all are waived: %v, want %v", got, want)
	}
}

// TestReadyWaveStopsWhoIsCapableNoLonger: its policy addresses a group, so the
// notice counts for whoever is in the group, capable or not.
func TestReadyWaveStopsWhoIsCapableNoLonger(t *testing.T) {
	s := sample(t)
	s.cfg.Waves = []rollout.WaveConfig{{Name: "everyone", Members: rollout.MembersCapable}}
	if r := s.gate(t, "notice-given"); !r.OK {
		t.Fatalf("with only capable people inside: %s", r.Evidence)
	}
	s.account("m01").Capable = rollout.No
	if r := s.gate(t, "notice-given"); r.OK || !strings.Contains(r.Evidence, "m01") {
		t.Errorf("m01 is in the group and not capable: ok %v, %s", r.OK, r.Evidence)
	}
	s.cfg.Exemptions = []rollout.Exemption{{Account: "m01", Expires: rollout.DateOf(s.now)}}
	if r := s.gate(t, "notice-given"); r.OK || !strings.Contains(r.Evidence, "not yet left out") {
		t.Errorf("m01 is exempted, and in the group: ok %v, %s", r.OK, r.Evidence)
	}
	delete(s.seen.Live.Groups, rollout.GroupReady)
	if r := s.gate(t, "notice-given"); r.OK {
		t.Errorf("the group was not read: %s", r.Evidence)
	}
}

// excludeThroughGroup takes the accounts' ids out of every policy and excludes a
// group in their stead.
func excludeThroughGroup(s *scene, g rollout.Group) {
	s.groups["break-glass"] = g
	for i := range s.seen.Live.Policies {
		p := &s.seen.Live.Policies[i]
		p.ExcludeUsers, p.ExcludeGroups = nil, append(slices.Clone(p.ExcludeGroups), "break-glass")
	}
	s.prove()
}

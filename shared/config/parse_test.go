package config_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/config"
	"sallyport/shared/rollout"
)

func smallest(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("testdata/good/smallest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// with replaces a part of the smallest valid file.
func with(t testing.TB, old, changed string) string {
	t.Helper()
	file := smallest(t)
	if strings.Count(file, old) != 1 {
		t.Fatalf("%q stands %d times in smallest.yaml", old, strings.Count(file, old))
	}
	return strings.Replace(file, old, changed, 1)
}

func parse(file string) (rollout.Config, []config.Problem, error) {
	return config.Parse("rollout.yaml", []byte(file), options())
}

func date(y int, m time.Month, d int) rollout.Date { return rollout.Date{Year: y, Month: m, Day: d} }

// The example of the design, completed, is read to the last key.
func TestParseDesign(t *testing.T) {
	got, warnings, err := parseFile(t, "testdata/good/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := rollout.Config{
		Tenant: "contoso.onmicrosoft.com", TimeZone: "Europe/London", Method: rollout.MethodAuto, Announce: date(2026, 12, 1),
		Waves: []rollout.WaveConfig{
			{Name: "administrators", Members: rollout.MembersAdmins, Deadline: date(2026, 12, 15)},
			{Name: "ready", Members: rollout.MembersCapable},
			{Name: "everyone", Members: rollout.MembersAll, Deadline: date(2027, 1, 12), Coverage: 95},
		},
		EmergencyAccounts: []rollout.EmergencyAccount{
			{ID: "6b0f4c1e-2a55-4f0e-9d0b-7f6c1a2b3c4d", PasswordLocation: "Safe 1, head office", Custodian: "Chief Operating Officer"},
			{ID: "9d2c7b10-5b7e-4a44-8f0e-0c1d2e3f4a5b", PasswordLocation: "Safe 2, Leeds", Custodian: "Company secretary", CustodianEmail: "secretary@fabrikam.com"},
		},
		IncidentResponsePlan: "https://intranet.contoso.com/break-glass",
		Exemptions: []rollout.Exemption{{
			Account: "scanner@contoso.com", Kind: "serviceAccount", Alternative: "managedIdentity", Owner: "Facilities",
			Reason: "cannot do MFA, replaced in March", Expires: date(2027, 3, 31),
		}},
		Overrides: []rollout.Override{
			{Account: "kiosk@contoso.com", Class: rollout.ClassService, Reason: "runs the screen in the lobby"},
			{Account: "0c4e1a52-7b1d-4f57-9f0e-2a3b4c5d6e7f", Class: rollout.ClassMember, Reason: "signs in by hand, rarely"},
		},
		Accepted: []rollout.Acceptance{{Account: "kim@contoso.com", By: "Alex Wilber", Reason: "on leave until February, knows by phone"}},
		Communication: rollout.Communication{
			From:     "Contoso IT <it@contoso.com>",
			HelpDesk: rollout.HelpDesk{Name: "IT Help Desk", Email: "help@contoso.com", Phone: "+44 20 7946 0000", Hours: "Mon-Fri 8-18"},
			Training: rollout.Training{
				Title: "Two factors in ten minutes", Start: "2026-12-08T10:00", Minutes: 30,
				Join: "https://meet.contoso.com/mfa", Recording: "https://video.contoso.com/mfa",
			},
			Languages: []string{"en", "es", "de", "fr"},
		},
		Alerts: rollout.Alerts{
			Email: []string{"security@contoso.com", "soc@fabrikam.com"}, SMS: []string{"+442079460001"},
			Webhook: "https://alerts.fabrikam.com/sallyport", WebhookFormat: rollout.WebhookJSON,
			Contacts: []rollout.Contact{{Name: "Duty manager", Email: "duty@fabrikam.com", Phone: "+442079460002"}, {Name: "Head of IT", Phone: "+442079460003"}},
		},
		Waivers:   []rollout.Waiver{{Gate: "coverage", Owner: "Alex Wilber", Reason: "the last five are on leave", Until: date(2027, 1, 31)}},
		GraceDays: 14, ReminderDays: []int{7, 3, 1},
		Enforcement: rollout.SwitchWindow{
			FromHour: 9, ToHour: 16,
			Holidays: []rollout.Date{date(2026, 12, 25), date(2026, 12, 28), date(2027, 1, 1)},
		},
		Breaker: rollout.BreakerLimits{People: 3, Percent: 2, Admins: 2},
		Drills:  rollout.DrillPlan{EveryDays: 80, WindowDays: 5, InviteDays: 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if len(warnings) != 1 || warnings[0].Path != "alerts.email[0]" || !strings.HasSuffix(warnings[0].What, "from being read there") {
		t.Errorf("warnings = %v, want one about the alert address inside the tenant", warnings)
	}
}

// What a small file leaves out has the documented value.
func TestParseDefaults(t *testing.T) {
	got, warnings, err := parse(smallest(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 0 {
		t.Errorf("warnings = %v, want none", warnings)
	}
	if got.Tenant != "contoso.onmicrosoft.com" {
		t.Errorf("tenant = %q, want it in lower case", got.Tenant)
	}
	got = rollout.Config{
		Method: got.Method, GraceDays: got.GraceDays, ReminderDays: got.ReminderDays, Enforcement: got.Enforcement,
		Breaker: got.Breaker, Drills: got.Drills, Communication: rollout.Communication{Languages: got.Communication.Languages},
	}
	want := rollout.Config{
		Method: rollout.MethodAuto, GraceDays: 14, ReminderDays: []int{7, 3, 1},
		Enforcement: rollout.SwitchWindow{FromHour: 9, ToHour: 16}, Breaker: rollout.BreakerLimits{People: 3, Percent: 2, Admins: 2},
		Drills:        rollout.DrillPlan{EveryDays: 90, WindowDays: 7, InviteDays: 14},
		Communication: rollout.Communication{Languages: []string{"en"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// A file means the same however an editor saved it.
func TestParseEncodings(t *testing.T) {
	file := strings.Replace(smallest(t), "Leeds", "Zürich", 1)
	want, _, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	wide := func(order binary.ByteOrder, mark bool) []byte {
		var b bytes.Buffer
		if mark {
			file = "\uFEFF" + file
		}
		for _, unit := range utf16.Encode([]rune(file)) {
			_ = binary.Write(&b, order, unit) // a Buffer never fails
		}
		file = strings.TrimPrefix(file, "\uFEFF")
		return b.Bytes()
	}
	for name, data := range map[string][]byte{
		"UTF-8 with a mark":       []byte("\uFEFF" + file),
		"UTF-16LE with a mark":    wide(binary.LittleEndian, true),
		"UTF-16BE with a mark":    wide(binary.BigEndian, true),
		"UTF-16LE without a mark": wide(binary.LittleEndian, false),
		"UTF-16BE without a mark": wide(binary.BigEndian, false),
		"lines ended by CRLF":     []byte(strings.ReplaceAll(file, "\n", "\r\n")),
	} {
		got, _, err := config.Parse("rollout.yaml", data, options())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// Each change to a valid file is refused at the place and for the reason given.
func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	tests := []struct {
		name, file string
		path       string
		line       int
		what       string
	}{
		{"old encoding", strings.Replace(smallest(t), "Leeds", "Z\xfcrich", 1), "", 10, "old encoding"},
		{"too large", smallest(t) + "# " + strings.Repeat("x", 300<<10), "", 1, "no rollout.yaml"},
		{"too deep in brackets", with(t, "timeZone: Europe/London", "timeZone: "+deep), "", 2, "deep"},
		{"too deep in dashes", with(t, "timeZone: Europe/London", "timeZone:\n  "+strings.Repeat("- ", 40)), "", 3, "deep"},
		{"nothing", "~", "", 1, "empty"},
		{"only a tag", "!!null", "", 1, "empty"},
		{"anchor", with(t, "announce: 2026-12-01", "announce: &day 2026-12-01"), "announce", 3, "anchor"},
		{"merge key", smallest(t) + "<<: {paused: true}\n", "", 16, "no key"},
		{"complex key", smallest(t) + "? paused\n: true\n", "", 16, "no key"},
		{"key of ten thousand letters", smallest(t) + strings.Repeat("k", 9999) + ": 1\n", "\"" + strings.Repeat("k", 60) + "…\"", 16, "no such key"},
		{"control character in a key", smallest(t) + "\"pau\\x1B[31msed\": 1\n", `"pau\x1b[31msed"`, 16, "no such key"},
		{"line break in a sender", with(t, "from: it@contoso.com", `from: "it@contoso.com\nBcc: all@contoso.com"`), "communication.from", 13, "no e-mail address"},
		{"text turned around", with(t, "name: IT Help Desk", "name: \"IT \u202eksed pleH\""), "communication.helpDesk.name", 14, "control character"},
		{"year mistyped", with(t, "announce: 2026-12-01", "announce: 1026-12-01"), "announce", 3, "not a day"},
		{"routing domain", with(t, "Contoso.onmicrosoft.com", "contoso.mail.onmicrosoft.com"), "tenant", 1, "initial domain"},
		{"lookalike domain", with(t, "Contoso.onmicrosoft.com", "contoso.onmicrosoft.com.example.com"), "tenant", 1, "initial domain"},
		{"empty time zone", with(t, "Europe/London", `""`), "timeZone", 2, "empty"},
		{"deadline one day too early", with(t, "2027-01-13", "2026-12-14"), "waves[0].deadline", 7, "only 13 days"},
		{"deadline on a holiday", with(t, "announce:", "enforcement: {holidays: [2027-01-13]}\nannounce:"), "waves[0].deadline", 8, "holiday"},
		{"percent not a number", smallest(t) + "breaker: {percent: .nan}\n", "breaker.percent", 16, "not a number"},
		{"one switch for nobody", with(t, "members: all", "members: admins") + "method: securityDefaults\n", "method", 16, "nothing would ever be switched"},
		{"window never open", smallest(t) + "enforcement: {fromHour: 16}\n", "enforcement.toHour", 16, "could ever be switched"},
		{"window from nowhere", smallest(t) + "enforcement: {fromHour: -1}\n", "enforcement.fromHour", 16, "out of range"},
		{"window without end", smallest(t) + "enforcement: {toHour: 25}\n", "enforcement.toHour", 16, "out of range"},
		{"breaker never trips for admins", smallest(t) + "breaker: {admins: 0}\n", "breaker.admins", 16, "out of range"},
		{"breaker trips at more than all", smallest(t) + "breaker: {percent: 101}\n", "breaker.percent", 16, "out of range"},
		{"training without a door", with(t, "  from: it", "  training: {title: a, start: 2026-12-08T10:00, minutes: 30}\n  from: it"), "communication.training", 13, "neither join nor recording"},
		{"recording nowhere", with(t, "  from: it", "  training: {title: a, start: 2026-12-08T10:00, minutes: 30, recording: intranet}\n  from: it"), "communication.training.recording", 13, "no web address"},
		{"training without a start", with(t, "  from: it", "  training: {title: a, minutes: 30, join: https://contoso.com/j}\n  from: it"), "communication.training.start", 13, "missing"},
		{"empty language", with(t, "  from: it", "  languages: [en, \"\"]\n  from: it"), "communication.languages[1]", 13, "empty"},
		{"webhook at home", with(t, `{sms: ["+442079460001"]}`, "{webhook: https://10.0.0.7/hook}"), "alerts.webhook", 15, "from outside"},
		{"webhook at oneself", with(t, `{sms: ["+442079460001"]}`, "{webhook: https://localhost/hook}"), "alerts.webhook", 15, "from outside"},
		{"the same contact twice", with(t, `"+442079460001"]`, `"+442079460001"], contacts: [{name: Ana, email: ana@fabrikam.com}, {name: Ana, phone: "+442079460002"}]`), "alerts.contacts[1].name", 15, "already"},
		{"quiet on no day of the week", communicating(t, "quietDays: [sunnday]"), "communication.quietDays[0]", 13, "did you mean sunday"},
		{"quiet at no hour of the day", communicating(t, "quietHours: {fromHour: 24, toHour: 8}"), "communication.quietHours.fromHour", 13, "out of range"},
		{"quiet around the clock", communicating(t, "quietHours: {fromHour: 8, toHour: 8}"), "communication.quietHours.toHour", 13, "same hour"},
		{"quiet without an end", communicating(t, "quietHours: {fromHour: 8}"), "communication.quietHours.toHour", 13, "missing"},
		{"redirected nowhere", communicating(t, "redirect: test"), "communication.redirect", 13, "no e-mail address"},
		{"no message ever", communicating(t, "mostPerRun: 0"), "communication.mostPerRun", 13, "out of range"},
		{"a colour that is none", communicating(t, `branding: {colour: "blue;background:url(https://example.com)"}`), "communication.branding.colour", 13, "no colour"},
		{"a paragraph for an alert", communicating(t, "branding: {paragraphs: [{message: alert, text: a}]}"), "communication.branding.paragraphs[0].message", 13, "none of the words"},
		{"a paragraph that nobody reads", communicating(t, "branding: {paragraphs: [{message: done, language: ja, text: a}]}"), "communication.branding.paragraphs[0].language", 13, "written to in"},
		{"a paragraph without words", communicating(t, "branding: {paragraphs: [{message: done}]}"), "communication.branding.paragraphs[0].text", 13, "missing"},
		{"reminder on the day", smallest(t) + "reminderDays: [3, 0]\n", "reminderDays[1]", 16, "out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := parse(tt.file)
			var invalid *config.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("Parse = %v, want an InvalidError", err)
			}
			if len(invalid.Problems) != 1 {
				t.Fatalf("problems = %v, want exactly one", err)
			}
			p := invalid.Problems[0]
			if p.Path != tt.path || p.Line != tt.line || !strings.Contains(p.What, tt.what) {
				t.Errorf("problem = %s\nwant path %q, line %d, %q", p, tt.path, tt.line, tt.what)
			}
		})
	}
}

// communicating is the smallest file with one more key under communication.
func communicating(t *testing.T, key string) string {
	t.Helper()
	return with(t, "  from: it", "  "+key+"\n  from: it")
}

// What is unwise but allowed is said, and nothing else is.
func TestParseWarns(t *testing.T) {
	tests := []struct{ name, file, path, what string }{
		{"every message redirected", communicating(t, "redirect: test@contoso.com"), "communication.redirect", "none counts as told"},
		{"alert into the initial domain", with(t, `{sms: ["+442079460001"]}`, "{email: [it@contoso.onmicrosoft.com]}"), "alerts.email[0]", "no alert goes anywhere else"},
		{"contact who may be locked out too", with(t, `"+442079460001"]`, `"+442079460001"], contacts: [{name: Ana, email: ana@contoso.onmicrosoft.com}]`), "alerts.contacts[0].email", "no phone"},
		{"announcement on a Sunday", with(t, "announce: 2026-12-01", "announce: 2026-12-06"), "announce", "Monday 2026-12-07"},
		{"last reminder on a Sunday", with(t, "deadline: 2027-01-13", "deadline: 2027-01-11"), "waves[0].deadline", "left out"},
		{"not everybody", with(t, "members: all", "members: admins"), "waves", "never reaches everybody"},
		{"one switch for two waves", with(t, "waves:\n", "method: securityDefaults\nwaves:\n  - {name: ready, members: capable}\n"), "method", "all are switched with everyone"},
		{
			"exemption that cannot hold",
			smallest(t) + "method: securityDefaults\nexemptions: [{account: scanner@contoso.com, kind: person, alternative: certificate, owner: a, reason: b, expires: 2027-03-31}]\n",
			"exemptions", "no exclusions",
		},
		{"no plan", with(t, "incidentResponsePlan: https://intranet.contoso.com/break-glass\n", ""), "incidentResponsePlan", "3 a.m."},
		{
			"exemption over too soon",
			smallest(t) + "exemptions: [{account: scanner@contoso.com, kind: person, alternative: certificate, owner: a, reason: b, expires: 2027-01-12}]\n",
			"exemptions[0].expires", "before anything is switched",
		},
		{
			"exemption that ends between two deadlines",
			with(t, "waves:\n", "waves:\n  - {name: administrators, members: admins, deadline: 2026-12-16}\n") +
				"exemptions: [{account: scanner@contoso.com, kind: person, alternative: certificate, owner: a, reason: b, expires: 2026-12-15}]\n",
			"exemptions[0].expires", "(2026-12-16)",
		},
		{
			"training after the last deadline, before a wave without one",
			strings.Replace(with(t, "  from: it", "  training: {title: a, start: 2027-01-14T10:00, minutes: 30, recording: https://contoso.com/v}\n  from: it"),
				"emergencyAccounts:\n", "  - {name: ready, members: capable}\nemergencyAccounts:\n", 1),
			"communication.training.start", "(2027-01-13)",
		},
		{
			"training too early",
			with(t, "  from: it", "  training: {title: a, start: 2026-11-30T10:00, minutes: 30, recording: https://contoso.com/v}\n  from: it"),
			"communication.training.start", "before the announcement",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, warnings, err := parse(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) != 1 || warnings[0].Path != tt.path || !strings.Contains(warnings[0].What, tt.what) {
				t.Errorf("warnings = %v, want one at %s: %q", warnings, tt.path, tt.what)
			}
		})
	}
}

// A password never stands in a message, and a place is never taken for one.
func TestPasswordLocation(t *testing.T) {
	for _, location := range []string{"Tr0ub4dor&3", "Safe 1: xK9mPq2vR7tL", "password: swordfish", "PIN=1234", "Kennwort ist Sommer", "aB3$efgh", "q7w2k9m4x1c8v5b3", "Safe 1: correct-horse-battery-staple"} {
		_, _, err := parse(with(t, "Safe 2, Leeds", location))
		if err == nil {
			t.Errorf("%q passes for a place", location)
			continue
		}
		if strings.Contains(err.Error(), location) {
			t.Errorf("the message shows the password: %v", err)
		}
	}
	for _, location := range []string{
		"Safe 3, York", "Büro-Ost/Raum3.12", "Fireproof safe #12-B, 3rd floor", "Bank vault, box 4711", "1Password vault 'Break glass'",
		"https://vault.contoso.com/Item12a4B", "item 6b0f4c1e-2a55-4f0e-9d0b-7f6c1a2b3c4d", "金庫2、本社", "Envelope in the CEO's pinboard room",
		"stow-on-the-wold, room 4", "building12-floor3-room4", "vault@contoso.com", "Strongroom-of-the-Berwick-office",
	} {
		if _, _, err := parse(with(t, "Safe 2, Leeds", location)); err != nil {
			t.Errorf("%q is taken for a password: %v", location, err)
		}
	}
}

// Every national cloud that Graph serves has its own kind of initial domain.
func TestTenant(t *testing.T) {
	for _, tenant := range []string{"contoso.onmicrosoft.com", "CONTOSO.onmicrosoft.us", "contoso.partner.onmschina.cn"} {
		got, _, err := parse(with(t, "Contoso.onmicrosoft.com", tenant))
		if err != nil || got.Tenant != rollout.TenantID(strings.ToLower(tenant)) {
			t.Errorf("%s: %q, %v", tenant, got.Tenant, err)
		}
	}
}

// Every mistake of a large file is named, and only once.
func TestParseManyMistakes(t *testing.T) {
	var b strings.Builder
	b.WriteString(smallest(t))
	b.WriteString("exemptions:\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "  - {account: a%d, kind: x}\n", i)
	}
	_, _, err := parse(b.String())
	var invalid *config.InvalidError
	if !errors.As(err, &invalid) || len(invalid.Problems) != 5000*6 {
		t.Fatalf("Parse found %d problems, want %d", len(invalid.Problems), 5000*6)
	}
}

// Without languages nothing is said of them, and nothing breaks.
func TestParseWithoutOptions(t *testing.T) {
	cfg, _, err := config.Parse("rollout.yaml", []byte(smallest(t)), config.Options{})
	if err != nil || len(cfg.Communication.Languages) != 0 {
		t.Errorf("languages = %v, %v", cfg.Communication.Languages, err)
	}
}

func TestProblemsAsJSON(t *testing.T) {
	_, _, err := parse(with(t, "announce: 2026-12-01", "announce: soon"))
	var invalid *config.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	got, err := json.Marshal(invalid.Problems)
	want := `[{"file":"rollout.yaml","line":3,"column":11,"path":"announce","what":"\"soon\" is not a day",` +
		`"expected":"the day of the announcement as YYYY-MM-DD","example":"announce: 2026-12-01"}]`
	if err != nil || string(got) != want {
		t.Errorf("JSON = %s\nwant   %s", got, want)
	}
}

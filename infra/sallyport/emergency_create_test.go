package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/infra/sallyport/setup"
	"sallyport/shared/job"
)

// scene is a firm without emergency accounts and a Global Administrator of it at
// the keyboard.
type scene struct {
	t     *testing.T
	firm  *tenant.Tenant
	clock job.Clock
	boss  string // the Global Administrator
	old   string // a group that a policy excludes already
	world outside
	env   []string
	stdin string
}

const sceneDomain = "fabrikam.onmicrosoft.com"

func newScene(t *testing.T) *scene {
	t.Helper()
	clock := rehearsal.NewClock(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC))
	firm := tenant.New("Fabrikam", sceneDomain, 7, clock)
	b := firm.Behaviour()
	b.PoliciesWithin = 0
	firm.SetBehaviour(b)
	firm.AddSKU("cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", "SPB", 25, map[string]string{tenant.PlanP1: "AAD_PREMIUM"})
	boss, err := firm.AddUser(tenant.Object{"userPrincipalName": "ann@" + sceneDomain, "displayName": "Ann Example"})
	if err != nil {
		t.Fatal(err)
	}
	firm.AssignRole(boss, tenant.RoleGlobalAdmin, "/")
	s := &scene{t: t, firm: firm, clock: clock, boss: boss, stdin: sceneDomain + "\n"}
	s.old = firm.AddGroup("Meeting room devices", nil)
	for _, p := range []struct{ name, state, users, grant string }{
		{"MFA for everybody", "enabled", `{"includeUsers":["All"],"excludeGroups":["` + s.old + `"],"excludeRoles":["` + "d29b2b05-8046-44ba-8758-1e26182fcf32" + `"]}`, `{"operator":"OR","builtInControls":["mfa","riskRemediation"]}`},
		{"Microsoft-managed: Block legacy authentication", "enabledForReportingButNotEnforced", `{"includeUsers":["All"]}`, `{"operator":"OR","builtInControls":["block"]}`},
		{"An old idea", "disabled", `{"includeRoles":["62e90394-69f5-4237-9190-012177145e10"]}`, `{"operator":"OR","builtInControls":["mfa"]}`},
		{"Workloads", "enabled", `{"includeUsers":["None"]}`, `{"operator":"OR","builtInControls":["block"]}`},
	} {
		var o tenant.Object
		text := `{"displayName":"` + p.name + `","state":"` + p.state + `","conditions":{"users":` + p.users + `,"applications":{"includeApplications":["All"]},"platforms":{"includePlatforms":["all"],"excludePlatforms":["somethingNew"]}},"grantControls":` + p.grant + `}`
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		firm.AddPolicy(o)
	}
	s.world = outside{clock: clock, random: rand.NewChaCha8([32]byte{1}), seen: func(io.Writer) bool { return true }, transport: firm.Transport()}
	s.signedIn(boss)
	return s
}

// signedIn puts somebody's token into the environment.
func (s *scene) signedIn(id string) {
	s.env = []string{"GRAPH_TOKEN=" + s.firm.PersonToken(id, graphCommandLineTools, scopeNames()...)}
}

func scopeNames() []string {
	names := setup.Scopes("graph.microsoft.com")
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], "https://graph.microsoft.com/")
	}
	return names
}

// run runs the verb as run does, with this scene's world.
func (s *scene) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	in := session{stdin: strings.NewReader(s.stdin), stdout: &out, stderr: &errs, env: s.env}
	v := createVerb(s.world)
	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&in.json, "json", false, "")
	act := v.prepare(flags)
	var err error
	if in.operands, err = parseArgs(flags, args); err != nil {
		err = usageError{err.Error()}
	} else {
		err = act(s.t.Context(), in)
	}
	return in.finish("sallyport "+v.name, "help", err), out.String(), errs.String()
}

// ours are the accounts that were made, by their mail nicknames.
func (s *scene) ours() []tenant.Object {
	var out []tenant.Object
	for _, u := range s.firm.Users() {
		if nick, _ := u["mailNickname"].(string); strings.HasPrefix(nick, "u") && len(nick) == 16 {
			out = append(out, u)
		}
	}
	return out
}

// group is the protected group that was made.
func (s *scene) group() string {
	for _, g := range s.firm.Groups() {
		if is, _ := g["isAssignableToRole"].(bool); is {
			return id(g)
		}
	}
	return ""
}

func id(o tenant.Object) string { text, _ := o["id"].(string); return text }

// whole says everything that must be true when all is made.
func (s *scene) whole() error {
	accounts, group := s.ours(), s.group()
	if len(accounts) != 2 || group == "" {
		return fmt.Errorf("%d accounts, group %q", len(accounts), group)
	}
	assigned := map[string]int{}
	for _, a := range s.firm.RoleAssignments() {
		if a["roleDefinitionId"] == tenant.RoleGlobalAdmin && a["directoryScopeId"] == "/" {
			assigned[fmt.Sprint(a["principalId"])]++
		}
	}
	members := s.firm.TransitiveMembers(group)
	if len(members) != 2 {
		return fmt.Errorf("the group has members %v", members)
	}
	for _, u := range accounts {
		if u["accountEnabled"] != true || u["passwordPolicies"] != "DisablePasswordExpiration" || assigned[id(u)] != 1 || len(s.firm.Password(id(u))) < 64 {
			return fmt.Errorf("account %v, assigned %d times", u, assigned[id(u)])
		}
		if !slices.ContainsFunc(members, func(m string) bool { return strings.EqualFold(m, id(u)) }) {
			return fmt.Errorf("%s is no member", id(u))
		}
	}
	groups := 0
	for _, g := range s.firm.Groups() {
		if g["displayName"] == setup.GroupName {
			groups++
		}
	}
	if groups != 1 {
		return fmt.Errorf("%d groups", groups)
	}
	for _, p := range s.firm.Policies() {
		n := strings.Count(fmt.Sprint(p["conditions"]), group)
		if want := map[bool]int{true: 0, false: 1}[p["displayName"] == "Workloads"]; n != want {
			return fmt.Errorf("policy %v excludes the group %d times, want %d", p["displayName"], n, want)
		}
	}
	return nil
}

// others is what policies say beside our group.
func (s *scene) others() string {
	var b strings.Builder
	for _, p := range s.firm.Policies() {
		delete(p, "modifiedDateTime")
		text, err := json.Marshal(p)
		if err != nil {
			s.t.Fatal(err)
		}
		b.Write(text)
	}
	group := s.group()
	if group == "" {
		return b.String()
	}
	return strings.NewReplacer(`"`+group+`",`, "", `,"`+group+`"`, "", `"`+group+`"`, "").Replace(b.String())
}

// secrets are the passwords that the tenant has ever been sent.
func (s *scene) secrets() []string {
	var out []string
	for _, r := range s.firm.Writes() {
		var body struct {
			Profile struct {
				Password string `json:"password"`
			} `json:"passwordProfile"`
		}
		if json.Unmarshal([]byte(r.Body), &body) == nil && body.Profile.Password != "" {
			out = append(out, body.Profile.Password)
		}
	}
	return out
}

// Without --apply everything is shown and nothing is changed.
func TestEmergencyCreateShows(t *testing.T) {
	s := newScene(t)
	code, out, errs := s.run("--name", "mia.holt", "--name", "tom.shaw")
	if code != exitDone || len(s.firm.Writes()) > 0 {
		t.Fatalf("code %d, %d writes, %s", code, len(s.firm.Writes()), errs)
	}
	for _, want := range []string{"mia.holt@" + sceneDomain, "MFA for everybody", "excludes now     " + s.old, "would be added   the new group", "is left alone: it is not about people", "Nothing was changed. With --apply"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	// The one that is off is changed first, the one that is on last.
	if a, b := strings.Index(out, "An old idea"), strings.Index(out, "MFA for everybody"); a < 0 || a > b {
		t.Errorf("the order of the policies:\n%s", out)
	}
}

// Over real sockets: device code sign-in, everything made, proven and shown once.
func TestEmergencyCreate(t *testing.T) {
	s := newScene(t)
	before := s.others()
	login, err := tenant.ServeTLS(s.firm.Login(), t.TempDir(), job.Wall{}.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = login.Close() })
	graphServer := httptest.NewServer(s.firm)
	t.Cleanup(graphServer.Close)
	pem, err := os.ReadFile(login.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	s.world.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	s.env = []string{"AZURE_AUTHORITY_HOST=" + login.URL + "/", "GRAPH_ENDPOINT=" + graphServer.URL}
	s.firm.SetOperator(s.boss)

	code, out, errs := s.run("--apply", "--tenant-id", sceneDomain)
	if err := s.whole(); err != nil || code != exitHeld {
		t.Fatalf("code %d, %v\n%s\n%s", code, err, out, errs)
	}
	if diff := s.others(); diff != before {
		t.Errorf("policies say something else beside the exclusion:\n%s\n%s", before, diff)
	}
	if !strings.Contains(errs, "enter the code") || !strings.Contains(errs, "Type "+sceneDomain) {
		t.Errorf("no sign-in or no question: %s", errs)
	}
	for i, u := range s.ours() {
		password := s.firm.Password(id(u))
		if got := strings.ReplaceAll(out, " ", ""); !strings.Contains(regexp.MustCompile(`\n\d?`).ReplaceAllString(got, ""), password) {
			t.Errorf("account %d: its password is not shown", i+1)
		}
		if !strings.Contains(out, "- id: "+id(u)) {
			t.Errorf("account %d is not in the section for rollout.yaml", i+1)
		}
	}
	for _, want := range []string{"0 of 2 accounts proven", "Register two FIDO2 security keys"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}

	// Once more: nothing to do, and nothing is asked.
	writes := len(s.firm.Writes())
	s.stdin = ""
	if code, _, errs := s.run("--apply"); code != exitHeld || len(s.firm.Writes()) != writes || !strings.Contains(errs, "Everything is there already") {
		t.Errorf("again: code %d, %d more writes, %s", code, len(s.firm.Writes())-writes, errs)
	}

	// With their keys both are proven.
	for _, u := range s.ours() {
		if err := s.firm.Register(id(u), tenant.FIDO2, s.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, errs := s.run("--apply"); code != exitDone {
		t.Errorf("with keys: code %d\n%s\n%s", code, out, errs)
	}
}

// What is refused before anybody signs in or anything is made.
func TestEmergencyCreateRefuses(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil { //nolint:gosec // that is the fault
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "cards.html")
	if err := os.WriteFile(there, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args     []string
		terminal bool
		code     int
		says     string
	}{
		"no terminal":             {[]string{"--apply", "--yes"}, false, exitUsage, "this is no terminal"},
		"JSON without cards":      {[]string{"--apply", "--yes", "--json"}, true, exitUsage, "--json never carries a password"},
		"cards that exist":        {[]string{"--apply", "--cards", there}, true, exitFailed, "the file exists"},
		"a folder of everybody's": {[]string{"--apply", "--cards", filepath.Join(open, "cards.html")}, true, exitFailed, "others than you can write"},
		"no folder":               {[]string{"--apply", "--cards", filepath.Join(open, "no", "cards.html")}, true, exitFailed, "no such file"},
		"both":                    {[]string{"--apply", "--dry-run"}, true, exitUsage, "which one"},
		"an operand":              {[]string{"now"}, true, exitUsage, "unexpected"},
		"a name that says it":     {[]string{"--name", "breakglass1"}, true, exitUsage, "the first that an attacker tries"},
		"the same name twice":     {[]string{"--name", "mia.holt", "--name", "mia.holt"}, true, exitUsage, "each another"},
		"three names":             {[]string{"--name", "mia.holt", "--name", "tom.shaw", "--name", "ida.bell"}, true, exitUsage, "at most 2"},
	} {
		s := newScene(t)
		s.world.seen = func(io.Writer) bool { return tt.terminal }
		code, out, errs := s.run(tt.args...)
		if code != tt.code || !strings.Contains(out+errs, tt.says) || len(s.firm.Journal()) > 0 {
			t.Errorf("%s: code %d, %d requests, %s%s", name, code, len(s.firm.Journal()), out, errs)
		}
	}
	for name, w := range map[string]io.Writer{"a buffer": &bytes.Buffer{}, "a file": must(os.Open(there)), "the null device": must(os.OpenFile(os.DevNull, os.O_WRONLY, 0))} {
		if seenAtOnce(w) {
			t.Errorf("%s is taken for a terminal", name)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Whoever types another name is in another tenant than they think.
func TestEmergencyCreateAsks(t *testing.T) {
	for _, typed := range []string{"", "yes\n", "contoso.onmicrosoft.com\n"} {
		s := newScene(t)
		s.stdin = typed
		if code, _, errs := s.run("--apply"); code != exitFailed || len(s.firm.Writes()) > 0 || !strings.Contains(errs, "nothing was changed") {
			t.Errorf("%q: code %d, %d writes, %s", typed, code, len(s.firm.Writes()), errs)
		}
	}
}

// These rights are a person's: no application's token is taken, and a person's
// opens no more than their role does.
func TestEmergencyCreateIsForAPerson(t *testing.T) {
	s := newScene(t)
	s.firm.PutApp(tenant.App{ID: "app", Roles: scopeNames()})
	token, _, err := s.firm.Token("app")
	if err != nil {
		t.Fatal(err)
	}
	s.env = []string{"GRAPH_TOKEN=" + token}
	if code, _, errs := s.run("--apply"); code != exitFailed || len(s.firm.Journal()) > 0 || !strings.Contains(errs, "only a person makes emergency accounts") {
		t.Errorf("an application: code %d, %s", code, errs)
	}
	helper, err := s.firm.AddUser(tenant.Object{"userPrincipalName": "ben@" + sceneDomain})
	if err != nil {
		t.Fatal(err)
	}
	s.firm.AssignRole(helper, "729827e3-9c14-49f7-bb1b-9608f156bbb8", "/")
	s.signedIn(helper)
	if code, _, errs := s.run("--apply"); code != exitFailed || len(s.ours()) > 0 || !strings.Contains(errs, "Are you a Global Administrator now?") {
		t.Errorf("a lesser administrator: code %d, %s", code, errs)
	}
}

// With --cards the passwords are in that file, for its owner's eyes, and nowhere
// else: not on the terminal, not in JSON.
func TestEmergencyCreateCards(t *testing.T) {
	s := newScene(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "cards.html")
	s.world.seen = func(io.Writer) bool { return false }
	code, out, errs := s.run("--apply", "--yes", "--json", "--cards", file)
	if err := s.whole(); err != nil || code != exitHeld {
		t.Fatalf("code %d, %v\n%s\n%s", code, err, out, errs)
	}
	var answer created
	if err := json.Unmarshal([]byte(out), &answer); err != nil || !answer.Applied || answer.Check == nil || len(answer.Accounts) != 2 || answer.Cards != file {
		t.Errorf("%v: %s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	plain := regexp.MustCompile(`<tr><td>\d</td>|</?t[dr]>|\n`).ReplaceAllString(html.UnescapeString(string(text)), "")
	for _, u := range s.ours() {
		if !strings.Contains(plain, s.firm.Password(id(u))) {
			t.Errorf("the card of %s has another password than the tenant", id(u))
		}
	}
	if found := s.leaks(out + errs); len(found) > 0 {
		t.Errorf("%d passwords are in what was written:\n%s\n%s", len(found), out, errs)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// leaks finds passwords, or a piece of one, in a text.
func (s *scene) leaks(text string) []string {
	var found []string
	for _, secret := range s.secrets() {
		for i := 0; i+12 <= len(secret); i += 4 {
			if strings.Contains(strings.ReplaceAll(text, " ", ""), secret[i:i+12]) {
				found = append(found, secret)
				break
			}
		}
	}
	return found
}

// strike lets something befall the n-th write, before or after it was done.
type strike struct {
	nth    int
	after  bool
	fault  tenant.Fault
	writes int
	struck bool
	crash  bool // everything after it is lost, too
}

func (k *strike) Before(c tenant.Call) tenant.Fault {
	if c.Method != http.MethodGet {
		k.writes++
		if !k.after && k.writes == k.nth {
			k.struck = true
			return k.fault
		}
	}
	if k.struck && k.crash {
		return tenant.Fault{Kind: tenant.Breaks, Err: errors.New("the process is gone")}
	}
	return tenant.Fault{}
}

func (k *strike) After(c tenant.Call, _ int) tenant.Fault {
	if k.after && c.Method != http.MethodGet && k.writes == k.nth && !k.struck {
		k.struck = true
		return k.fault
	}
	return tenant.Fault{}
}

// TestEmergencyCreateDiesAnywhere: wherever a run dies, with the write done or not,
// the next one ends in the same state, with nothing made twice, and the cards that
// count are those whose passwords the tenant has.
func TestEmergencyCreateDiesAnywhere(t *testing.T) {
	faults := map[string]strike{
		"refused":          {fault: tenant.Fault{Kind: tenant.Answers, Status: 403}},
		"unavailable":      {fault: tenant.Fault{Kind: tenant.Answers, Status: 503}},
		"throttled":        {fault: tenant.Fault{Kind: tenant.Answers, Status: 429}},
		"lost before":      {fault: tenant.Fault{Kind: tenant.TimesOut}},
		"lost after":       {fault: tenant.Fault{Kind: tenant.TimesOut}, after: true},
		"reset after":      {fault: tenant.Fault{Kind: tenant.Resets}, after: true},
		"dies before":      {fault: tenant.Fault{Kind: tenant.Resets}, crash: true},
		"dies when it did": {fault: tenant.Fault{Kind: tenant.Resets}, after: true, crash: true},
	}
	clean := newScene(t)
	if _, _, errs := clean.run("--apply"); clean.whole() != nil {
		t.Fatalf("%v: %s", clean.whole(), errs)
	}
	writes := len(clean.firm.Writes())
	if writes != 12 { // a group, two accounts, three policies; per account: enabled, member, role
		t.Fatalf("%d writes: the fault points are not those that were meant", writes)
	}
	for name, fault := range faults {
		for nth := 1; nth <= writes; nth++ {
			t.Run(fmt.Sprint(name, " ", nth), func(t *testing.T) {
				s := newScene(t)
				before := s.others()
				dir := t.TempDir()
				k := fault
				k.nth = nth
				s.firm.SetFaults(&k)
				first := filepath.Join(dir, "first.html")
				code, out, errs := s.run("--apply", "--cards", first)
				if !k.struck {
					t.Fatal("nothing befell the run")
				}
				// What was done, and only its answer lost, is seen by looking: the same
				// run goes on.
				if done := fault.after && !fault.crash; done && code != exitHeld {
					t.Errorf("code %d, %s", code, errs)
				}
				if found := s.leaks(out + errs); len(found) > 0 {
					t.Errorf("a password is in what was written:\n%s\n%s", out, errs)
				}
				for _, u := range s.ours() {
					// No account that works is without rights, and none has rights
					// without a card.
					if cards := cardText(first); s.firm.IsAdmin(id(u)) && !strings.Contains(cards, s.firm.Password(id(u))) {
						t.Errorf("account %s is an administrator, and no card has its password", id(u))
					}
				}
				s.firm.SetFaults(nil)
				if code == exitFailed {
					code, out, errs = s.run("--apply", "--cards", filepath.Join(dir, "second.html"))
				}
				if err := s.whole(); err != nil || code != exitHeld {
					t.Fatalf("code %d, %v\n%s\n%s", code, err, out, errs)
				}
				if s.others() != before {
					t.Errorf("policies say something else beside the exclusion:\n%s\n%s", before, s.others())
				}
				for _, u := range s.ours() {
					if cards := cardText(first) + cardText(filepath.Join(dir, "second.html")); !strings.Contains(cards, s.firm.Password(id(u))) {
						t.Errorf("no card has the password of %s", id(u))
					}
				}
			})
		}
	}
}

// cardText is a page of cards with its passwords in one piece, empty where there is
// no file.
func cardText(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return regexp.MustCompile(`<tr><td>\d</td>|</?t[dr]>|\n`).ReplaceAllString(string(text), "")
}

// A tenant without Entra ID P1 has no policies and can have no protected group: two
// accounts with the role are all there is.
func TestEmergencyCreateWithoutLicence(t *testing.T) {
	s := newScene(t)
	s.firm.SetLicenceStatus("Suspended")
	code, out, errs := s.run("--apply")
	if len(s.ours()) != 2 || s.group() != "" || code == exitFailed {
		t.Fatalf("code %d, %d accounts, group %q\n%s%s", code, len(s.ours()), s.group(), out, errs)
	}
	writes := len(s.firm.Writes())
	if s.run("--apply"); len(s.firm.Writes()) != writes {
		t.Errorf("%d more writes the second time", len(s.firm.Writes())-writes)
	}
}

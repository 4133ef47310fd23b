package rehearsal

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sallyport/shared/rollout"
)

const (
	alice   = "11111111-0000-4000-8000-000000000001"
	bob     = "22222222-0000-4000-8000-000000000002"
	managed = "44444444-0000-4000-8000-00000000000a"
	key     = "33333333-0000-4000-8000-000000000003"
)

// small is a rehearsal of three days, made by hand, in which each section of the
// report has something to show. The names are hostile.
func small() Timeline {
	begin := time.Date(2026, time.October, 5, 9, 0, 0, 0, time.UTC)
	at := func(days, minutes int) *time.Time {
		t := begin.AddDate(0, 0, days).Add(time.Duration(minutes) * time.Minute)
		return &t
	}
	point := func(day, capable int) rollout.CoveragePoint {
		return rollout.CoveragePoint{Day: rollout.DateOf(begin).AddDays(day), Coverage: rollout.Coverage{Capable: capable, All: 2}}
	}
	first := point(0, 0)
	first.Coverage.ByWave = map[string]rollout.Share{"everyone": {All: 2}}
	first.Coverage.ByDepartment = map[string]rollout.Share{"<b>Sales</b>": {Capable: 2, All: 80}}
	return Timeline{
		Tenant: "contoso.onmicrosoft.com", Seed: 7, Days: 3, From: rollout.DateOf(begin), Coverage: Span{Start: 0, End: 50},
		Waves: []WaveLine{
			{Name: "everyone", State: rollout.WaveEnforced, Deadline: rollout.DateOf(begin).AddDays(1), AnnouncedAt: at(0, 0), ObservedFrom: at(0, 60), EnforcedAt: at(2, 0)},
			{Name: "stores", State: rollout.WaveHeld, Deadline: rollout.DateOf(begin).AddDays(2)},
		},
		Messages: map[rollout.MessageKind]int{rollout.MessageAnnouncement: 200, rollout.MessageReminder: 50, "strange": 1},
		Alerts: []AlertLine{
			{Kind: rollout.AlertSignIn, Account: key, SignInID: "s1", Drill: true, OccurredAt: *at(0, 0), AlertedAt: at(0, 4), AckedAt: at(0, 9), AckedBy: "by link"},
			{Kind: rollout.AlertSignIn, Account: key, SignInID: "s2", OccurredAt: *at(1, 0), AlertedAt: at(1, 8), AckedAt: at(1, 41), AckedBy: "by link to <b>Ana</b>", Calls: 2},
			{Kind: rollout.AlertSignIn, Account: key, SignInID: "s3", OccurredAt: *at(2, 0)},
		},
		Holds: []Hold{
			{Wave: "everyone", Gate: "coverage", From: *at(1, 0), To: at(2, 0)},
			{Wave: "everyone", Gate: "legacy", From: *at(1, 0), To: at(2, 0)},
			{Wave: "stores", Gate: "legacy", From: *at(2, 0)},
		},
		LockOuts:   []LockOutLine{{Account: alice, Cause: "not registered and stopped", OpenedAt: *at(2, 0), ClosedAt: at(2, 90), ClosedBy: "signed in"}, {Account: bob, OpenedAt: *at(2, 5)}},
		Holdouts:   []string{bob},
		Classes:    map[rollout.Class]int{rollout.ClassMember: 2, rollout.ClassEmergency: 1},
		Faults:     map[string]int{"429": 3, "crash": 1, "503": 2},
		Failures:   map[string]int{"audit": 2},
		Violations: []string{"2026-10-06 09:00 property 4: " + bob + " was stopped"},
		Final:      Final{Capable: 1, Counted: 2, Open: 1},
		points:     []rollout.CoveragePoint{first, point(1, 1), point(2, 1)},
		detail: detail{
			cfg: rollout.Config{TimeZone: "Europe/Berlin", Waves: []rollout.WaveConfig{{Name: "everyone", Members: rollout.MembersAll, Deadline: rollout.DateOf(begin).AddDays(1)}}},
			accounts: []rollout.Account{
				{ID: alice, DisplayName: `<script>alert(1)</script>`, Class: rollout.ClassMember, Enabled: true, Capable: rollout.Yes},
				{ID: bob, DisplayName: `=HYPERLINK("http://example.com")" onload="x`, Class: rollout.ClassMember, Enabled: true, Capable: rollout.No},
				{ID: key, DisplayName: "Emergency One", Class: rollout.ClassEmergency},
			},
			audit: rollout.AuditRun{
				At: *at(2, 0), Organization: rollout.Organization{DisplayName: "Contoso </title><script>"},
				Coverage: rollout.Coverage{
					ByWave: map[string]rollout.Share{"everyone": {Capable: 1, All: 2}, "of an older plan": {Capable: 1, All: 1}}, ByClass: map[rollout.Class]rollout.Share{rollout.ClassMember: {Capable: 1, All: 2}},
					ByDepartment: departments(),
				},
				Findings: []rollout.Finding{
					{ID: "gone", Severity: "critical", Text: "was mended", GoneAt: *at(1, 0)}, {ID: "idle", Severity: "note", Text: "Nothing demands MFA"}, {ID: "weak", Evidence: "policy of " + bob + ", policy " + managed, Severity: "warning", Text: "1 person has SMS only", Accounts: []string{alice}, Remedy: "Ask them."},
				},
			},
			proof: rollout.ProvenEmergency{
				Version: 3, ReadAt: *at(2, 0), Proven: 0, Accounts: []string{key},
				Proofs:   []rollout.EmergencyProof{{Account: key, Policies: []rollout.PolicyVerdict{{ID: "p1", Name: "<i>MFA</i>", State: rollout.StateReportOnly, Verdict: rollout.VerdictExcluded, Path: []string{"excluded through group A > B"}}}}},
				Findings: []rollout.EmergencyFinding{{ID: "disabled", Severity: rollout.SeverityCritical, Text: "The account is disabled.", Remedy: "Enable it.", Accounts: []string{strings.ToUpper(key)}}},
				Changes:  []rollout.EmergencyChange{{ID: "c", Severity: rollout.SeverityCritical, Text: "The account was disabled.", Accounts: []string{key}, SeenAt: *at(1, 0)}, {ID: "d", Severity: rollout.SeverityNote, Text: "It is protected now.", Accounts: []string{key}, SeenAt: *at(2, 0)}},
			},
			policies: map[string]string{strings.ToUpper(managed): "Microsoft-managed: <i>all</i>"},
			known: rollout.Known{Drills: []rollout.Drill{
				{Account: key, Custodian: "Head of <i>Finance</i>", OpenedAt: *at(1, 0), ClosesAt: *at(8, 0), FailedAt: *at(8, 200), Why: "nobody signed in"},
				{Account: key, Custodian: "COO", OpenedAt: *at(0, 0), ClosesAt: *at(7, 0), SignedInAt: *at(0, 1), PassedAt: *at(0, 5), Ways: []string{"azureMonitor", "poll"}},
				{Account: key, OpenedAt: *at(20, 0), ClosesAt: *at(27, 0)},
			}, Waves: []rollout.Wave{{Name: "everyone", History: []rollout.Move{{To: rollout.WaveHeld, At: *at(1, 0), Reason: "still missing: " + bob}}}}},
			changes: []rollout.Change{
				{Seq: 2, Kind: rollout.ChangeIntent, What: "fillGroup", Target: "g1", Added: []string{alice, bob, key, alice, bob}, At: *at(0, 0)},
				{Seq: 3, Kind: rollout.ChangeResult, Of: 2, Result: "done"},
				{Seq: 4, Kind: rollout.ChangeIntent, What: "setPolicyState", Target: "p1", Before: rollout.StateReportOnly, After: "enabled", At: *at(2, 0)},
				{Seq: 5, Kind: rollout.ChangeResult, Of: 4, Result: "503"},
				{Seq: 6, Kind: rollout.ChangeIntent, What: "setPolicyState", Target: "p1", After: "enabled", At: *at(2, 0)},
			},
		},
	}
}

// departments are more than the report shows.
func departments() map[string]rollout.Share {
	by := map[string]rollout.Share{rollout.DepartmentNone: {Capable: 3, All: 4}, "<b>Sales</b>": {Capable: 9, All: 90}}
	for n := range 15 {
		by[fmt.Sprint("small ", n)] = rollout.Share{All: 1}
	}
	return by
}

func written(t *testing.T, timeline Timeline) string {
	t.Helper()
	var b bytes.Buffer
	if err := timeline.WriteReport(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sections are the page's texts, by the id of their heading; "" is the page's
// head. The page is read as a browser reads it.
func sections(t *testing.T, page string) (map[string]string, []*html.Node) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]*strings.Builder{"": {}}
	var elements []*html.Node
	var walk func(n *html.Node, section string)
	walk = func(n *html.Node, section string) {
		switch n.Type {
		case html.ElementNode:
			elements = append(elements, n)
			if n.Data == "section" {
				section = attribute(n, "aria-labelledby")
				texts[section] = &strings.Builder{}
			}
		case html.TextNode:
			if n.Parent.Data == "style" {
				break
			}
			texts[section].WriteString(strings.TrimSpace(n.Data) + " ")
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, section)
		}
	}
	walk(root, "")
	plain := map[string]string{}
	for id, b := range texts {
		plain[id] = strings.Join(strings.Fields(b.String()), " ")
	}
	return plain, elements
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestReportSays(t *testing.T) {
	texts, _ := sections(t, written(t, small()))
	for section, wants := range map[string][]string{
		"":         {"from 0.0 % to 50.0 % of people", "5 October 2026 to 7 October 2026, 3 days", "Europe/Berlin", "1 of 2"},
		"verdict":  {"1 of Sallyport's promises was broken", `property 4: =HYPERLINK("http://example.com")" onload="x was stopped`},
		"coverage": {"0.0 % at the first audit, 50.0 % at the last", "wave everyone switched, Wed 7 Oct, 11:00", "5 October 2026 0.0 % 0 2 0", "7 October 2026 50.0 % 1 2 0"},
		"waves":    {"everyone everybody 6 October 2026 Mon 5 Oct, 11:00 Mon 5 Oct, 12:00 Wed 7 Oct, 11:00 not yet enforced", "stores 7 October 2026 not yet not yet not yet not yet held"},
		"holds":    {"Wave everyone, held for 24 hours", `still missing: =HYPERLINK(`, "coverage Is enough of the wave capable? No.", "Wave stores, still held", "never", "All 16 gates"},
		"messages": {"251 in all", "announcement to each person who has to act 200", "strange 1"},
		"drills":   {"Emergency One COO", "passed Mon 5 Oct, 11:01 4 minutes azureMonitor, poll not said by the log", "Head of <i>Finance</i>", "failed nobody signed in - - -", "not over"},
		"alerts":   {"The slowest left 8 minutes after the sign-in, half of them within 4 minutes", "Emergency One sign-in drill Mon 5 Oct, 11:00 4 minutes 9 minutes, by link", "41 minutes, by link to <b>Ana</b>, after 2 calls", "no drill", "no alert", "not acknowledged"},
		"proof":    {"0 of 1 proven", "Read on Wed 7 Oct, 11:00", "Emergency One not proven The account is disabled. Enable it.", "<i>MFA</i> report-only excluded excluded through group A > B", "Wed 7 Oct, 11:00 It is protected now. no alert", "Tue 6 Oct, 11:00 The account was disabled. alerted Emergency One"},
		"lockouts": {"<script>alert(1)</script> not registered and stopped Wed 7 Oct, 11:00 Wed 7 Oct, 12:30 signed in 90 minutes", "still open"},
		"holdouts": {`=HYPERLINK("http://example.com")" onload="x`},
		"classes":  {"member 2 2 1", "emergency account outside every policy on purpose; each use raises an alert 1 no"},
		"parts": {
			"everyone 0.0 % 50.0 % 1 of 2", "member not known 50.0 % 1 of 2", "<b>Sales</b> 2.5 % 10.0 % 9 of 90 no department given not known 75.0 % 3 of 4 small 0 not known 0.0 % 0 of 1", "2 smaller ones are not shown",
		},
		"findings": {`warning 1 person has SMS only policy of =HYPERLINK("http://example.com")" onload="x, policy "Microsoft-managed: <i>all</i>" Ask them. <script>alert(1)</script> note Nothing demands MFA`},
		"changes":  {"change members: g1 add <script>alert(1)</script>, =HYPERLINK(\"http://example.com\")\" onload=\"x, Emergency One and 2 more done", "report-only → enabled failed 503", "unknown: the run ended"},
		"faults":   {"429 3 503 2 crash 1", "audit 2"},
	} {
		for _, want := range wants {
			if !strings.Contains(texts[section], want) {
				t.Errorf("section %q lacks %q; it says\n%s", section, want, texts[section])
			}
		}
	}
}

// What is no more, or no longer planned, is not shown as if it were.
func TestReportLeavesOutThePast(t *testing.T) {
	page := written(t, small())
	for _, past := range []string{"was mended", "of an older plan"} {
		if strings.Contains(page, past) {
			t.Errorf("the page holds %q", past)
		}
	}
}

// What the tenant calls its people must never become part of the page.
func TestReportEscapes(t *testing.T) {
	page := written(t, small())
	_, elements := sections(t, page)
	for _, n := range elements {
		if slices.Contains([]string{"script", "iframe", "object", "embed", "base", "form"}, n.Data) {
			t.Errorf("the page holds <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s> has %s", n.Data, a.Key)
			}
		}
	}
	if got := strings.Count(page, "<title>"); got != 1 {
		t.Errorf("%d titles", got)
	}
}

func TestReportIsSelfContained(t *testing.T) {
	_, elements := sections(t, written(t, small()))
	for _, n := range elements {
		for _, name := range []string{"src", "href", "xlink:href", "srcset"} {
			link := attribute(n, name)
			if strings.Contains(link, "//") || link != "" && n.Data != "a" && !strings.HasPrefix(link, "data:") {
				t.Errorf("<%s %s=%q> would ask somebody", n.Data, name, link)
			}
		}
	}
	if page := written(t, small()); strings.Contains(page, "@import") || strings.Contains(page, "url(") {
		t.Error("the style sheet would ask somebody")
	}
}

// Every id that a heading promises exists once, levels do not jump, and each
// table says what its columns are.
func TestReportIsAccessible(t *testing.T) {
	_, elements := sections(t, written(t, small()))
	ids, before := map[string]int{}, 0
	for _, n := range elements {
		if id := attribute(n, "id"); id != "" {
			ids[id]++
		}
		switch n.Data {
		case "html":
			if attribute(n, "lang") != "en" {
				t.Error("the page says no language")
			}
		case "h1", "h2", "h3":
			level := int(n.Data[1] - '0')
			if level > before+1 {
				t.Errorf("h%d follows h%d", level, before)
			}
			before = level
		case "th":
			if attribute(n, "scope") == "" {
				t.Error("a header cell without scope")
			}
		case "svg":
			if attribute(n, "aria-hidden") != "true" {
				t.Error("the chart is read out although the table says the same")
			}
		}
	}
	for _, n := range elements {
		if n.Data == "section" && ids[attribute(n, "aria-labelledby")] != 1 {
			t.Errorf("section %q has no heading of its own", attribute(n, "aria-labelledby"))
		}
	}
}

func TestReportDrawsCoverageInTheThemesColours(t *testing.T) {
	page := written(t, small())
	if got := strings.Count(page, "<svg"); got != 2 {
		t.Fatalf("%d charts, want a wide and a narrow one", got)
	}
	for _, paint := range []string{"var(--accent)", "var(--mark)", "var(--faint)", "var(--line)"} {
		if !strings.Contains(page[strings.Index(page, "<svg"):], paint) {
			t.Errorf("no %s in the chart", paint)
		}
	}
	if strings.Contains(page, "rgb(") || strings.Contains(page, "rgba(") {
		t.Error("a colour in the chart follows no theme")
	}
}

func TestReportIsTheSameEveryTime(t *testing.T) {
	first := written(t, small())
	for range 20 {
		again := small()
		again.Messages = maps.Collect(maps.All(again.Messages)) // another order in memory
		again.Faults = maps.Collect(maps.All(again.Faults))
		if got := written(t, again); got != first {
			t.Fatal("the same timeline gave other bytes")
		}
	}
}

// A rehearsal that never came to anything still has a report.
func TestReportOfNothing(t *testing.T) {
	texts, _ := sections(t, written(t, Timeline{Tenant: "fabrikam.onmicrosoft.com", Days: 1, From: rollout.Date{Year: 2026, Month: time.May, Day: 4}}))
	for section, want := range map[string]string{
		"verdict": "None of Sallyport's promises", "coverage": "There are not two days", "holds": "No wave was held", "alerts": "No emergency account was used", "drills": "No drill was planned", "proof": "There is no proof yet",
		"lockouts": "Nobody was locked out", "holdouts": "None", "findings": "None", "changes": "Nothing was written",
	} {
		if !strings.Contains(texts[section], want) {
			t.Errorf("section %q lacks %q: %s", section, want, texts[section])
		}
	}
	if _, there := texts["faults"]; there {
		t.Error("faults are shown although none were asked for")
	}
}

func TestReportPassesOnAFullDisk(t *testing.T) {
	if err := small().WriteReport(failing{}); err == nil {
		t.Error("a writer that fails gave no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, false)
	many := slices.Repeat([]string{"somebody was stopped"}, dayLines+3)
	p.Day(Day{N: 1, Of: 14, Date: rollout.Date{Year: 2026, Month: time.October, Day: 5}, Coverage: 40, Said: []string{"wave admins: announced", "wave ready: announced"}, Mailed: map[rollout.MessageKind]int{rollout.MessageReminder: 2, rollout.MessageAnnouncement: 1, rollout.MessageClosing: 2}})
	p.Day(Day{N: 2, Of: 14, Coverage: 40})
	p.Day(Day{N: 7, Of: 14, Date: rollout.Date{Year: 2026, Month: time.October, Day: 11}, Coverage: 41.5})
	p.Day(Day{N: 8, Of: 14, Coverage: 41.5, Said: many})
	got := out.String()
	for _, want := range []string{
		"day  1  Mon 05 Oct   40.0 %  wave admins: announced\n", "mail: 1 announcement, 2 reminders, 2 closing summaries\n",
		"day  7  Sun 11 Oct   41.5 %\n", "and 3 things more",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("progress lacks %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "(a wave is"); n != 1 {
		t.Errorf("a wave is explained %d times", n)
	}
	if strings.Contains(got, "day  2") {
		t.Error("an uneventful day has a line of its own")
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		20 * time.Second: "0 minutes", time.Minute: "1 minute", 90 * time.Minute: "90 minutes", 2 * time.Hour: "2 hours",
		166 * time.Minute: "2 hours 46 minutes", 24 * time.Hour: "24 hours", 72 * time.Hour: "3 days",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}

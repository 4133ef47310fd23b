package rollout_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// delivery is a row of the log with when and how it comes.
type delivery struct {
	row         rollout.SignIn
	from, fully time.Time // until fully it comes without what the policies said
	times       int
}

// history is one person's sign-ins with the incidents that follow.
type history struct {
	name           string
	account        rollout.Account
	audited, until time.Time
	deliveries     []delivery
	want           []string
}

// midnight begins the day of the switch, which is made at nine.
var midnight = time.Date(2027, 1, 12, 0, 0, 0, 0, time.UTC)

const switchedAfter = 9 * time.Hour

// histories reads testdata/histories; registration.txt says how they are written.
func histories(t *testing.T) []history {
	t.Helper()
	files, err := filepath.Glob("testdata/histories/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []history
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "\n== ")[1:] {
			all = append(all, readHistory(t, part))
		}
	}
	return all
}

func readHistory(t *testing.T, text string) history {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	h := history{name: lines[0], account: person("m01", rollout.No), until: midnight.Add(16 * time.Hour)}
	for _, line := range lines[1:] {
		cells := strings.Split(line, "|")
		switch first, rest, _ := strings.Cut(line, " "); {
		case first == "=>":
			h.want = append(h.want, rest)
		case first == "capable":
			h.account.Capable = rollout.Fact(rest)
		case first == "audited":
			h.audited = clock(t, rest)
		case first == "until":
			h.until = clock(t, rest)
		case len(cells) >= 4:
			h.deliveries = append(h.deliveries, readRow(t, cells))
		default:
			t.Fatalf("%s: %q is no line of a history", h.name, line)
		}
	}
	return h
}

func readRow(t *testing.T, cells []string) delivery {
	t.Helper()
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	at := clock(t, cells[0])
	r := rollout.SignIn{UserID: "M01", CreatedAt: at, AppDisplayName: cells[2], ClientAppUsed: "Browser", Interactive: true, CAStatus: "notApplied"}
	if _, err := fmt.Sscan(cells[1], &r.ErrorCode); err != nil {
		t.Fatalf("%q: %v", cells[1], err)
	}
	for _, said := range strings.Fields(cells[3]) {
		name, result, _ := strings.Cut(said, ":")
		r.Applied = append(r.Applied, rollout.AppliedPolicy{ID: "id-" + name, DisplayName: name, Result: result})
		if result == "failure" || result == "success" && r.CAStatus != "failure" {
			r.CAStatus = result
		}
	}
	r.ID = strings.Join(cells[:3], " ")
	d := delivery{row: r, from: at, times: 1}
	for _, note := range cells[4:] {
		word, rest, _ := strings.Cut(note, " ")
		switch {
		case word == "twice":
			d.times = 2
		case word == "client":
			d.row.ClientAppUsed = rest
		case word == "bare":
			d.fully = clock(t, strings.TrimPrefix(rest, "until "))
		case strings.HasPrefix(word, "+"):
			late, err := time.ParseDuration(word[1:])
			if err != nil {
				t.Fatal(err)
			}
			d.from = at.Add(late)
		default:
			t.Fatalf("%q is no way in which a row comes", note)
		}
	}
	return d
}

// clock reads hours and minutes since midnight of the day of the switch.
func clock(t *testing.T, s string) time.Time {
	t.Helper()
	var h, m int
	if _, err := fmt.Sscanf(s, "%d:%d", &h, &m); err != nil {
		t.Fatalf("%q is no time: %v", s, err)
	}
	return midnight.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
}

func sinceMidnight(at time.Time) string {
	d := at.Sub(midnight)
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// tell writes an incident as the histories do.
func tell(l rollout.LockOut) string {
	plural := "s"
	if l.Attempts == 1 {
		plural = ""
	}
	s := fmt.Sprintf("opened %s, last %s, %d attempt%s, %s, codes %s", sinceMidnight(l.OpenedAt), sinceMidnight(l.LastAt), l.Attempts, plural, l.Kind, strings.Trim(fmt.Sprint(l.Codes), "[]"))
	if len(l.Policies) > 0 {
		s += ", by " + strings.Join(l.Policies, " ")
	}
	if l.ClosedAt.IsZero() {
		return s + ", open"
	}
	return fmt.Sprintf("%s, %s %s", s, l.ClosedBy, sinceMidnight(l.ClosedAt))
}

func tellAll(list []rollout.LockOut) []string {
	var lines []string
	for _, l := range list {
		lines = append(lines, tell(l))
	}
	slices.Sort(lines)
	return lines
}

// published is what the sign-in log shows at a moment.
func published(deliveries []delivery, at time.Time) []rollout.SignIn {
	var rows []rollout.SignIn
	for _, d := range deliveries {
		if d.from.After(at) {
			continue
		}
		r := d.row
		if at.Before(d.fully) {
			r.Applied, r.CAStatus = nil, "notApplied"
		}
		for range d.times {
			rows = append(rows, r)
		}
	}
	return rows
}

// desk is the lock-out desk of one person, run by hand.
type desk struct {
	account rollout.Account
	stored  []rollout.LockOut
	last    time.Time
	dropped int // records that were none after all
}

// read is one reading of the log, as monitor makes it.
func (d *desk) read(log []rollout.SignIn, audited, now time.Time) {
	since := midnight.Add(switchedAfter)
	from := since
	if back := d.last.Add(-rollout.DeskLookBack); !d.last.IsZero() && back.After(since) {
		from = back
	}
	if audited.After(now) {
		audited = time.Time{}
	}
	d.last = now
	begin := rollout.HistoryFrom(d.stored, from)
	var rows []rollout.SignIn
	for _, r := range log {
		if !r.CreatedAt.Before(begin) && !r.CreatedAt.After(now) {
			rows = append(rows, r)
		}
	}
	found := rollout.FindLockOuts(rows, []rollout.Account{d.account}, since, audited, now)
	for _, change := range rollout.Reconcile(d.stored, found, begin) {
		if change.Before != nil {
			d.stored = slices.DeleteFunc(d.stored, func(l rollout.LockOut) bool { return l.OpenedAt.Equal(change.Before.OpenedAt) })
		}
		if change.After == nil {
			d.dropped++
		} else {
			d.stored = append(d.stored, *change.After)
		}
	}
}

// Every history leads to the incidents that are written beside it, twice over:
// from all rows at once, and from hourly readings of a log in which they come
// late, twice and in pieces.
func TestHistories(t *testing.T) {
	all := histories(t)
	if len(all) < 40 {
		t.Errorf("%d histories, want at least 40", len(all))
	}
	names := map[string]bool{}
	for _, h := range all {
		if names[h.name] {
			t.Errorf("two histories are called %q", h.name)
		}
		names[h.name] = true
		slices.Sort(h.want)
		t.Run(h.name, func(t *testing.T) {
			found := rollout.FindLockOuts(published(h.deliveries, h.until), []rollout.Account{h.account}, midnight.Add(switchedAfter), h.audited, h.until)
			if diff := cmp.Diff(h.want, tellAll(found)); diff != "" {
				t.Errorf("at once (-want +got):\n%s", diff)
			}
			d := desk{account: h.account}
			for now := midnight.Add(switchedAfter); now.Before(h.until); now = now.Add(time.Hour) {
				d.read(published(h.deliveries, now), h.audited, now)
			}
			d.read(published(h.deliveries, h.until), h.audited, h.until)
			if diff := cmp.Diff(h.want, tellAll(d.stored)); diff != "" {
				t.Errorf("hour by hour (-want +got):\n%s", diff)
			}
		})
	}
}

// The incidents do not depend on the order in which rows arrive, nor on how
// often: when every row has come, the desk holds what all rows at once give.
func TestDeskEndsTheSameInAnyOrder(t *testing.T) {
	found, dropped := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		account := person("m01", rollout.No)
		var log []delivery
		for n := range rapid.IntRange(1, 14).Draw(t, "rows") {
			at := midnight.Add(switchedAfter + time.Duration(rapid.IntRange(0, 5*60).Draw(t, "minute"))*time.Minute)
			r := rollout.SignIn{
				ID: fmt.Sprint("r", n), UserID: "m01", CreatedAt: at, CAStatus: "failure",
				ErrorCode:     rapid.SampledFrom([]int{0, 0, 50072, 50074, 50076, 500121, 53003, 53004, 50126, 599999}).Draw(t, "code"),
				ClientAppUsed: rapid.SampledFrom([]string{"Browser", "IMAP4"}).Draw(t, "client"),
				Applied:       []rollout.AppliedPolicy{{ID: "p", DisplayName: rapid.SampledFrom([]string{"MFA", "BLOCK"}).Draw(t, "policy"), Result: "failure"}},
			}
			late := func(label string) time.Time {
				return at.Add(time.Duration(rapid.IntRange(0, 120).Draw(t, label)) * time.Minute)
			}
			d := delivery{row: r, from: late("late"), times: rapid.IntRange(1, 3).Draw(t, "times")}
			if r.ErrorCode == 0 && rapid.Bool().Draw(t, "very late") {
				d.from = at.Add(2 * time.Hour) // after the desk has taken its failure for a lock-out
			}
			if d.fully = late("fully"); r.ErrorCode == 599999 {
				d.fully = d.from // a code that nobody knows is found by what the policy said
			}
			log = append(log, d)
		}
		log = rapid.Permutation(log).Draw(t, "order")

		until := midnight.Add(switchedAfter + 16*time.Hour)
		want := rollout.FindLockOuts(published(log, until), []rollout.Account{account}, midnight.Add(switchedAfter), time.Time{}, until)
		d := desk{account: account}
		for now := midnight.Add(switchedAfter); !now.After(until); now = now.Add(time.Duration(rapid.IntRange(20, 300).Draw(t, "gap")) * time.Minute) {
			d.read(published(log, now), time.Time{}, now)
		}
		d.read(published(log, until), time.Time{}, until)
		if diff := cmp.Diff(tellAll(want), tellAll(d.stored)); diff != "" {
			t.Fatalf("read as it came (-all at once +read):\n%s", diff)
		}
		found += len(want)
		dropped += d.dropped
	})
	if found == 0 || dropped == 0 {
		t.Errorf("%d lock-outs were found, and %d records dropped: nothing was proven", found, dropped)
	}
}

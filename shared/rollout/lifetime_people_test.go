package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// town is several people in one rollout like that of a life.
type town struct {
	t      *testing.T
	cfg    rollout.Config
	people []rollout.Account
	known  rollout.Known
	told   strings.Builder
}

func newTown(t *testing.T, zone string, people ...rollout.Account) *town {
	w := &town{t: t, people: people, cfg: rollout.Config{
		TimeZone: zone, Announce: day(t, "2026-12-01"), ReminderDays: []int{7, 3, 1},
		Enforcement: rollout.SwitchWindow{FromHour: 9, ToHour: 16},
		Waves:       []rollout.WaveConfig{{Name: "everyone", Members: rollout.MembersAll, Deadline: day(t, "2027-01-12")}},
	}}
	w.known = rollout.Known{Waves: []rollout.Wave{{}}, Unreachable: map[string]string{}}
	return w
}

// run lets remind run once, and the mail arrive.
func (w *town) run(now time.Time) []rollout.Message {
	w.known.Waves[0] = waveOn(w.cfg, rollout.DateOf(now.In(w.cfg.Location())))
	seen := rollout.Seen{Accounts: w.people, Audit: rollout.AuditRun{At: now.Add(-20 * time.Minute), Accounts: len(w.people)}}
	var sent []rollout.Message
	for _, a := range rollout.PlanMessages(w.cfg, seen, w.known, now) {
		m := a.(rollout.Send).Message
		fmt.Fprintf(&w.told, "%s %s\n", m.Day, strings.ReplaceAll(m.ID, ".everyone", ""))
		m.State, m.DeliveredAt = rollout.MessageDelivered, now.Add(5*time.Minute)
		sent = append(sent, m)
	}
	w.known.Messages = append(w.known.Messages, sent...)
	return sent
}

// live runs each day at nine.
func (w *town) live(from, to string) string {
	w.told.Reset()
	w.told.WriteByte('\n')
	for d := day(w.t, from); !day(w.t, to).Before(d); d = d.AddDays(1) {
		w.run(at(w.t, w.cfg.TimeZone, d.String()+" 09:00").UTC())
	}
	return w.told.String()
}

func reportsTo(manager string, a rollout.Account) rollout.Account {
	a.Manager = manager
	return a
}

// TestManagerOfManyHoldouts: one message about fifty people on the third day,
// and one a week later about those who are left.
func TestManagerOfManyHoldouts(t *testing.T) {
	people := []rollout.Account{person("boss", rollout.Yes), person("chief", rollout.No)}
	for i := range 50 {
		people = append(people, reportsTo("boss", person(fmt.Sprintf("m%02d", i), rollout.No)))
	}
	people[1].Manager = "chief" // their own manager: nobody is told about themselves
	w := newTown(t, "Europe/London", people...)
	w.known.Unreachable["m49"] = "550 no such user" // told, and then the mailbox broke
	w.live("2026-12-01", "2027-01-13")
	w.known.Messages = append(w.known.Messages, rollout.Message{
		ID: "announcement.everyone.m49", Kind: rollout.MessageAnnouncement, Account: "m49", Deadline: day(t, "2027-01-12"), State: rollout.MessageDelivered,
	})
	digests := func(from, to string) string {
		var found []string
		for line := range strings.Lines(w.live(from, to)) {
			if strings.Contains(line, "boss") || strings.Contains(line, "chief") && strings.Contains(line, "team") || strings.Contains(line, "holdouts") {
				found = append(found, strings.TrimSpace(line))
			}
		}
		return strings.Join(found, "\n")
	}
	if diff := cmp.Diff("2027-01-15 team-1.boss\n2027-01-19 holdouts.week-1", digests("2027-01-14", "2027-01-20")); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
	i := slices.IndexFunc(w.known.Messages, func(m rollout.Message) bool { return m.Kind == rollout.MessageTeam })
	if team, more := rollout.HoldoutsOf(w.known.Messages[i]); len(team) != 50 || more != 0 || !slices.Contains(team, "m49") {
		t.Errorf("the message is about %d people and %d more: %v", len(team), more, team)
	}
	for i := range w.people {
		if w.people[i].ID != "m07" {
			w.people[i].Capable = rollout.Yes
		}
	}
	if diff := cmp.Diff("2027-01-22 team-2.boss\n2027-01-26 holdouts.week-2", digests("2027-01-21", "2027-01-27")); diff != "" {
		t.Errorf("digests a week later (-want +got):\n%s", diff)
	}
	w.people[9].Capable = rollout.Yes
	if got := digests("2027-01-28", "2027-02-10"); got != "" {
		t.Errorf("nobody is stopped any more, and still: %s", got)
	}
}

// A manager's own message comes first, and the digest the next day.
func TestManagersOwnMessageComesFirst(t *testing.T) {
	w := newTown(t, "Europe/London", person("boss", rollout.No), reportsTo("boss", person("m1", rollout.No)))
	w.live("2026-12-01", "2027-01-12")
	w.people[0].Manager = ""
	got := w.live("2027-01-13", "2027-01-19")
	want := `
2027-01-13 holdout-1.boss
2027-01-13 holdout-1.m1
2027-01-15 team-1.boss
2027-01-19 holdouts.week-1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	got = w.live("2027-01-20", "2027-01-25")
	if want := "\n2027-01-20 holdout-2.boss\n2027-01-20 holdout-2.m1\n2027-01-22 team-2.boss\n"; got != want {
		t.Errorf("messages %q, want %q", got, want)
	}
}

// TestTwoAccountsWithOneMailbox: the mailbox gets one message a day, and both
// accounts get theirs.
func TestTwoAccountsWithOneMailbox(t *testing.T) {
	a, b := person("a", rollout.No), person("b", rollout.No)
	a.Mail, b.Mail = "kim@contoso.com", "Kim@contoso.com"
	got := newTown(t, "Europe/London", a, b).live("2026-12-01", "2027-01-14")
	want := `
2026-12-01 announcement.a
2026-12-02 announcement.b
2027-01-05 reminder-7-2027-01-12.a
2027-01-06 reminder-7-2027-01-12.b
2027-01-11 reminder-1-2027-01-12.a
2027-01-12 today-2027-01-12.b
2027-01-13 holdout-1.a
2027-01-14 holdout-1.b
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestMailboxClocks is the quiet half of property 3, drawn: whatever the run, the
// zone, the change of the clocks or the side of the date line, a mailbox is
// written to by day, on a working day, and once a day, by its reader's clock.
func TestMailboxClocks(t *testing.T) {
	sent := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		zones := map[string]string{"GB": "Europe/London", "JP": "Asia/Tokyo", "NZ": "Pacific/Auckland", "WS": "Pacific/Apia", "AS": "Pacific/Pago_Pago", "IN": "Asia/Kolkata"}
		tenant := rapid.SampledFrom([]string{"Europe/London", "America/New_York", "Pacific/Kiritimati", "Asia/Tokyo"}).Draw(rt, "tenant")
		w := newTown(t, tenant)
		w.cfg.Announce, w.cfg.Waves[0].Deadline = day(t, "2027-03-09"), day(t, rapid.SampledFrom([]string{"2027-03-30", "2027-04-06"}).Draw(rt, "deadline"))
		w.cfg.Communication.Training = rollout.Training{Title: "Two steps", Start: "2027-03-24T10:00", Minutes: 30, Join: "https://meet.contoso.com/mfa"}
		for i := range 12 {
			a := person(fmt.Sprintf("m%02d", i), rapid.SampledFrom([]rollout.Fact{rollout.Yes, rollout.No, rollout.No}).Draw(rt, "capable"))
			a.Country = rapid.SampledFrom([]string{"GB", "JP", "NZ", "WS", "AS", "IN", "US", "", "XX"}).Draw(rt, "country")
			if i%4 == 3 {
				a.Mail, a.Country = w.people[i-1].Mail, w.people[i-1].Country
			}
			w.people = append(w.people, a)
		}
		type box struct {
			mail string
			day  rollout.Date
		}
		once := map[box]string{}
		now := at(t, tenant, "2027-03-08 00:00").UTC()
		for range 200 {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3, 5, 8, 26}).Draw(rt, "hours")) * time.Hour)
			for _, m := range w.run(now) {
				if !m.Kind.ToPerson() {
					continue
				}
				a := w.people[slices.IndexFunc(w.people, func(a rollout.Account) bool { return a.ID == m.Account })]
				zone := tenant
				if own := zones[a.Country]; own != "" {
					zone = own
				}
				loc, err := time.LoadLocation(zone)
				if err != nil {
					t.Fatal(err)
				}
				local := now.In(loc)
				sent[a.Country]++
				if local.Hour() < 8 || local.Hour() >= 18 || local.Weekday() == time.Saturday || local.Weekday() == time.Sunday {
					rt.Fatalf("%s is sent on %s", m.ID, local.Format("Monday 15:04"))
				}
				key := box{strings.ToLower(a.Mail), rollout.DateOf(local)}
				if once[key] != "" {
					rt.Fatalf("%s and %s are sent to one mailbox on %s", once[key], m.ID, key.day)
				}
				once[key] = m.ID
			}
		}
	})
	for _, country := range []string{"GB", "JP", "NZ", "WS", "AS", "IN", "US", "", "XX"} {
		if sent[country] == 0 {
			t.Errorf("nobody in %q was written to: nothing was proven", country)
		}
	}
}

// TestMayWrite: the hours are the reader's, and those of rollout.yaml.
func TestMayWrite(t *testing.T) {
	for _, tt := range []struct {
		name, country, now string // now in London
		quiet              rollout.QuietHours
		want               bool
	}{
		{"eight in the morning", "GB", "2027-01-05 08:00", rollout.QuietHours{}, true},
		{"a minute before", "GB", "2027-01-05 07:59", rollout.QuietHours{}, false},
		{"a minute before six", "GB", "2027-01-05 17:59", rollout.QuietHours{}, true},
		{"six in the evening", "GB", "2027-01-05 18:00", rollout.QuietHours{}, false},
		{"Saturday", "GB", "2027-01-09 10:00", rollout.QuietHours{}, false},
		{"a holiday", "GB", "2027-01-06 10:00", rollout.QuietHours{}, false},
		{"Tokyo sleeps", "JP", "2027-01-05 10:00", rollout.QuietHours{}, false},
		{"Tokyo is at work, London asleep", "JP", "2027-01-05 01:00", rollout.QuietHours{}, true},
		{"Tokyo's Saturday has begun", "JP", "2027-01-08 23:30", rollout.QuietHours{}, false},
		{"Auckland's Monday has begun", "NZ", "2027-01-10 21:00", rollout.QuietHours{}, true},
		{"nobody knows where in the United States", "US", "2027-01-05 10:00", rollout.QuietHours{}, true},
		{"no such country", "ZZ", "2027-01-05 10:00", rollout.QuietHours{}, true},
		{"the operator's hours", "GB", "2027-01-05 19:00", rollout.QuietHours{From: 20, To: 6}, true},
		{"quiet in the middle of the day", "GB", "2027-01-05 13:00", rollout.QuietHours{From: 12, To: 14}, false},
	} {
		cfg := rollout.Config{TimeZone: "Europe/London", Communication: rollout.Communication{Quiet: tt.quiet}}
		cfg.Enforcement.Holidays = []rollout.Date{day(t, "2027-01-06")}
		a := rollout.Account{Country: tt.country}
		if got := rollout.MayWrite(cfg, a, at(t, "Europe/London", tt.now)); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

// TestQuietDays: the weekend is the operator's, and holidays are quiet on any.
func TestQuietDays(t *testing.T) {
	for _, tt := range []struct {
		name, now string
		quiet     []string
		want      bool
	}{
		{"Friday, of a weekend on Friday and Saturday", "2027-01-08 10:00", []string{"friday", "saturday"}, false},
		{"Sunday, of the same", "2027-01-10 10:00", []string{"friday", "saturday"}, true},
		{"Sunday, without a weekend", "2027-01-10 10:00", []string{}, true},
		{"Sunday, where nothing is said", "2027-01-10 10:00", nil, false},
		{"a holiday, without a weekend", "2027-01-06 10:00", []string{}, false},
	} {
		cfg := rollout.Config{TimeZone: "Europe/London", Communication: rollout.Communication{QuietDays: tt.quiet}}
		cfg.Enforcement.Holidays = []rollout.Date{day(t, "2027-01-06")}
		if got := rollout.MayWrite(cfg, rollout.Account{Country: "GB"}, at(t, "Europe/London", tt.now)); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

// TestEveryCountryHasAClock: each country of the table names a zone that there is.
func TestEveryCountryHasAClock(t *testing.T) {
	now := at(t, "UTC", "2027-01-05 12:00")
	for country, zone := range rollout.CountryZones() {
		loc, err := time.LoadLocation(zone)
		if err != nil || len(country) != 2 {
			t.Errorf("%q: %q: %v", country, zone, err)
			continue
		}
		hour := now.In(loc).Hour()
		want := hour >= 8 && hour < 18
		if got := rollout.MayWrite(rollout.Config{TimeZone: "UTC"}, rollout.Account{Country: country}, now); got != want {
			t.Errorf("%s at %d o'clock: %t, want %t", country, hour, got, want)
		}
	}
	for _, wide := range []string{"US", "CA", "AU", "BR", "RU", "MX"} {
		if zone := rollout.CountryZones()[wide]; zone != "" {
			t.Errorf("%s has one zone, %s: it has many", wide, zone)
		}
	}
}

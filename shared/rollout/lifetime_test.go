package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

// life is one person's way through a rollout that is announced on Tuesday
// 2026-12-01 and switched on Tuesday 2027-01-12, told as what changes on which
// day. Each day the audit reads the tenant, then remind runs at nine local
// time; mail is delivered within minutes.
type life struct {
	name    string
	changes map[string]func(p *pass)
	want    string // every message: its day, its id without wave and account, the deadline it names
}

// pass is one person on one day.
type pass struct {
	cfg     *rollout.Config
	person  *rollout.Account
	known   *rollout.Known
	gone    bool // not in the tenant
	bounces bool
	runs    []string // local times at which remind runs today; once at 09:00 if nil
}

func registers(p *pass) { p.person.Capable = rollout.Yes }
func loses(p *pass)     { p.person.Capable = rollout.No }

// training sets the one session that rollout.yaml offers, or none.
func training(start string) func(*pass) {
	return func(p *pass) {
		p.cfg.Communication.Training = rollout.Training{}
		if start != "" {
			p.cfg.Communication.Training = rollout.Training{Title: "Two steps", Start: start, Minutes: 30, Join: "https://meet.contoso.com/mfa"}
		}
	}
}

func TestLifetimeOfAPerson(t *testing.T) {
	never := `
2026-12-01 announcement 2027-01-12
2027-01-05 reminder-7-2027-01-12 2027-01-12
2027-01-11 reminder-1-2027-01-12 2027-01-12
2027-01-12 today-2027-01-12 2027-01-12
2027-01-13 holdout-1 2027-01-12
2027-01-20 holdout-2 2027-01-12
2027-01-27 holdout-3 2027-01-12
`
	lives := []life{
		{"never registers", nil, never},
		{"was capable before it began", map[string]func(*pass){"2026-11-20": registers}, `
2026-12-01 ready 2027-01-12
`},
		{"registers when told", map[string]func(*pass){"2026-12-03": registers}, `
2026-12-01 announcement 2027-01-12
`},
		{"registers on the day of a reminder, before it leaves", map[string]func(*pass){"2027-01-11": registers}, `
2026-12-01 announcement 2027-01-12
2027-01-05 reminder-7-2027-01-12 2027-01-12
`},
		{"registers a week after the switch", map[string]func(*pass){"2027-01-19": registers}, `
2026-12-01 announcement 2027-01-12
2027-01-05 reminder-7-2027-01-12 2027-01-12
2027-01-11 reminder-1-2027-01-12 2027-01-12
2027-01-12 today-2027-01-12 2027-01-12
2027-01-13 holdout-1 2027-01-12
`},
		{"registers, and loses the phone", map[string]func(*pass){"2026-12-03": registers, "2027-01-18": loses}, `
2026-12-01 announcement 2027-01-12
2027-01-18 holdout-1 2027-01-12
2027-01-25 holdout-2 2027-01-12
`},
		{"was capable, and is no longer", map[string]func(*pass){"2026-11-20": registers, "2026-12-20": loses}, `
2026-12-01 ready 2027-01-12
2027-01-05 reminder-7-2027-01-12 2027-01-12
2027-01-11 reminder-1-2027-01-12 2027-01-12
2027-01-12 today-2027-01-12 2027-01-12
2027-01-13 holdout-1 2027-01-12
2027-01-20 holdout-2 2027-01-12
2027-01-27 holdout-3 2027-01-12
`},
		{"joins on a Saturday, a week before the deadline", map[string]func(*pass){
			"2026-11-20": func(p *pass) { p.gone = true }, "2027-01-02": func(p *pass) { p.gone = false },
		}, `
2027-01-04 announcement 2027-01-18
2027-01-11 reminder-7-2027-01-18 2027-01-18
2027-01-15 reminder-3-2027-01-18 2027-01-18
2027-01-18 today-2027-01-18 2027-01-18
2027-01-19 holdout-1 2027-01-18
2027-01-26 holdout-2 2027-01-18
`},
		{"joins after the switch", map[string]func(*pass){
			"2026-11-20": func(p *pass) { p.gone = true }, "2027-01-13": func(p *pass) { p.gone = false },
		}, `
2027-01-13 announcement 2027-01-27
2027-01-20 reminder-7-2027-01-27 2027-01-27
2027-01-25 reminder-3-2027-01-27 2027-01-27
2027-01-26 reminder-1-2027-01-27 2027-01-27
2027-01-27 today-2027-01-27 2027-01-27
2027-01-28 holdout-1 2027-01-27
`},
		{"is made an account after the switch", map[string]func(*pass){
			"2026-11-20": func(p *pass) { p.gone = true }, "2027-01-13": func(p *pass) {
				p.gone, p.person.Created = false, time.Date(2027, time.January, 13, 5, 0, 0, 0, time.UTC)
			},
		}, `
2027-01-13 colleague 2027-01-27
2027-01-20 reminder-7-2027-01-27 2027-01-27
2027-01-25 reminder-3-2027-01-27 2027-01-27
2027-01-26 reminder-1-2027-01-27 2027-01-27
2027-01-27 today-2027-01-27 2027-01-27
2027-01-28 holdout-1 2027-01-27
`},
		{"leaves before the reminder", map[string]func(*pass){"2027-01-04": func(p *pass) { p.gone = true }}, `
2026-12-01 announcement 2027-01-12
`},
		{"is on leave over the switch, and registers when back", map[string]func(*pass){
			"2027-01-25": registers,
		}, `
2026-12-01 announcement 2027-01-12
2027-01-05 reminder-7-2027-01-12 2027-01-12
2027-01-11 reminder-1-2027-01-12 2027-01-12
2027-01-12 today-2027-01-12 2027-01-12
2027-01-13 holdout-1 2027-01-12
2027-01-20 holdout-2 2027-01-12
`},
		{"has no mailbox until the new year", map[string]func(*pass){
			"2026-11-20": func(p *pass) { p.person.Mail = "" }, "2027-01-04": func(p *pass) { p.person.Mail = "m18@contoso.com" },
		}, `
2027-01-04 announcement 2027-01-18
2027-01-11 reminder-7-2027-01-18 2027-01-18
2027-01-15 reminder-3-2027-01-18 2027-01-18
2027-01-18 today-2027-01-18 2027-01-18
2027-01-19 holdout-1 2027-01-18
2027-01-26 holdout-2 2027-01-18
`},
		{"changes language half-way: the same messages", map[string]func(*pass){"2027-01-04": func(p *pass) { p.person.Language = "ja-JP" }}, never},
		{"has SMS alone since before it began", map[string]func(*pass){"2026-11-20": func(p *pass) { registers(p); p.person.Strength = rollout.StrengthWeak }}, `
2026-12-01 ready 2027-01-12
2026-12-03 better-60 2027-01-12
2027-01-04 better-30 2027-01-12
2027-01-18 better-14 2027-01-12
2027-01-25 better-7 2027-01-12
`},
		{"registers SMS when told, and the app at Christmas", map[string]func(*pass){
			"2026-12-02": func(p *pass) { registers(p); p.person.Strength = rollout.StrengthWeak },
			"2026-12-24": func(p *pass) { p.person.Strength = rollout.StrengthStrong },
		}, `
2026-12-01 announcement 2027-01-12
2026-12-03 better-60 2027-01-12
`},
		{"registers, where the operator wants that confirmed: once", map[string]func(*pass){
			"2026-11-20": func(p *pass) { p.cfg.Communication.Done = true },
			"2026-12-10": registers, "2026-12-14": loses, "2026-12-16": registers,
		}, `
2026-12-01 announcement 2027-01-12
2026-12-10 done 2027-01-12
`},
		{"was capable before, where the operator wants registrations confirmed", map[string]func(*pass){
			"2026-11-20": func(p *pass) { registers(p); p.cfg.Communication.Done = true },
		}, `
2026-12-01 ready 2027-01-12
`},
		{"is invited to a training that moves, twice", map[string]func(*pass){
			"2026-11-20": training("2026-12-08T10:00"), "2026-12-04": training("2026-12-15T10:00"), "2026-12-14": training("2026-12-16T10:00"), "2026-12-11": registers,
		}, `
2026-12-01 announcement 2027-01-12
2026-12-02 training-1 2027-01-12
2026-12-04 training-2 2027-01-12
2026-12-14 training-3 2027-01-12
`},
		{"is invited to a training that is called off, and then offered anew", map[string]func(*pass){
			"2026-11-20": training("2026-12-08T10:00"), "2026-12-04": training(""), "2026-12-14": training("2026-12-16T10:00"),
		}, strings.Replace(never, "2027-01-05 rem", "2026-12-02 training-1 2027-01-12\n2026-12-04 training-2 2027-01-12\n2026-12-14 training-3 2027-01-12\n2027-01-05 rem", 1)},
		{"has nothing to do: no invitation", map[string]func(*pass){"2026-11-20": func(p *pass) { registers(p); training("2026-12-08T10:00")(p) }}, `
2026-12-01 ready 2027-01-12
`},
		{"joins after the training", map[string]func(*pass){
			"2026-11-20": func(p *pass) { p.gone = true; training("2026-12-08T10:00")(p) }, "2026-12-08": func(p *pass) { p.gone = false }, "2026-12-09": registers,
		}, `
2026-12-08 announcement 2027-01-12
`},
		{"the training moves into the past: a slip of the pen", map[string]func(*pass){
			"2026-11-20": training("2026-12-08T10:00"), "2026-12-04": training("2025-12-15T10:00"), "2026-12-05": registers,
		}, `
2026-12-01 announcement 2027-01-12
2026-12-02 training-1 2027-01-12
`},
		{"joins after the switch, capable", map[string]func(*pass){
			"2026-11-20": func(p *pass) { p.gone = true; registers(p) }, "2027-01-13": func(p *pass) { p.gone = false },
		}, "\n"},
		{"exempted until after the switch", map[string]func(*pass){"2026-11-20": func(p *pass) {
			p.cfg.Exemptions = []rollout.Exemption{{Account: "m18", Expires: rollout.Date{Year: 2027, Month: time.January, Day: 17}}}
		}}, `
2027-01-18 announcement 2027-02-01
2027-01-25 reminder-7-2027-02-01 2027-02-01
2027-01-29 reminder-3-2027-02-01 2027-02-01
`},
		{"disabled, and back", map[string]func(*pass){
			"2026-12-20": func(p *pass) { p.person.Class, p.person.Enabled = rollout.ClassDisabled, false },
			"2027-01-08": func(p *pass) { p.person.Class, p.person.Enabled = rollout.ClassMember, true },
		}, `
2026-12-01 announcement 2027-01-12
2027-01-08 reminder-7-2027-01-12 2027-01-12
2027-01-11 reminder-1-2027-01-12 2027-01-12
2027-01-12 today-2027-01-12 2027-01-12
2027-01-13 holdout-1 2027-01-12
2027-01-20 holdout-2 2027-01-12
2027-01-27 holdout-3 2027-01-12
`},
		{"the mailbox bounces for good", map[string]func(*pass){"2026-11-20": func(p *pass) { p.bounces = true }}, `
2026-12-01 announcement 2027-01-12
`},
		{"the mailbox is mended before Christmas", map[string]func(*pass){
			"2026-11-20": func(p *pass) { p.bounces = true },
			"2026-12-23": func(p *pass) { p.bounces = false; clear(p.known.Unreachable) },
		}, `
2026-12-01 announcement 2027-01-12
2026-12-23 announcement-2 2027-01-12
2027-01-05 reminder-7-2027-01-12 2027-01-12
2027-01-11 reminder-1-2027-01-12 2027-01-12
2027-01-12 today-2027-01-12 2027-01-12
2027-01-13 holdout-1 2027-01-12
2027-01-20 holdout-2 2027-01-12
2027-01-27 holdout-3 2027-01-12
`},
		{"remind is down when the reminder is due", map[string]func(*pass){
			"2027-01-05": func(p *pass) { p.runs = []string{} }, "2027-01-07": func(p *pass) { p.runs = nil },
		}, strings.Replace(never, "2027-01-05 rem", "2027-01-07 rem", 1)},
		{"remind is down for a window: no burst afterwards", map[string]func(*pass){
			"2027-01-04": func(p *pass) { p.runs = []string{} }, "2027-01-11": func(p *pass) { p.runs = nil },
		}, strings.Replace(never, "2027-01-05 reminder-7-2027-01-12 2027-01-12\n", "", 1)},
		{"remind runs twice, and late", map[string]func(*pass){"2026-11-20": func(p *pass) { p.runs = []string{"09:00", "09:00", "17:59"} }}, never},
	}
	for _, zone := range []string{"Europe/London", "Pacific/Kiritimati", "Pacific/Pago_Pago"} {
		for _, l := range lives {
			t.Run(zone+"/"+l.name, func(t *testing.T) {
				got := l.live(t, zone, "2026-12-01", "2027-01-12", "2027-01-29")
				if diff := cmp.Diff(l.want, got); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestLifetimeAcrossTheClocks: the clocks change between announcement and
// deadline; days stay days.
func TestLifetimeAcrossTheClocks(t *testing.T) {
	tests := []struct{ zone, announce, deadline, end, want string }{
		// Clocks forward on 2027-03-28.
		{"Europe/London", "2027-03-16", "2027-03-30", "2027-04-07", `
2027-03-16 announcement 2027-03-30
2027-03-23 reminder-7-2027-03-30 2027-03-30
2027-03-29 reminder-1-2027-03-30 2027-03-30
2027-03-30 today-2027-03-30 2027-03-30
2027-03-31 holdout-1 2027-03-30
2027-04-07 holdout-2 2027-03-30
`},
		// Clocks forward on 2027-03-14.
		{"America/New_York", "2027-03-02", "2027-03-16", "2027-03-24", `
2027-03-02 announcement 2027-03-16
2027-03-09 reminder-7-2027-03-16 2027-03-16
2027-03-15 reminder-1-2027-03-16 2027-03-16
2027-03-16 today-2027-03-16 2027-03-16
2027-03-17 holdout-1 2027-03-16
2027-03-24 holdout-2 2027-03-16
`},
		// Clocks back on 2027-11-07: the day has 25 hours.
		{"America/New_York", "2027-10-26", "2027-11-09", "2027-11-17", `
2027-10-26 announcement 2027-11-09
2027-11-02 reminder-7-2027-11-09 2027-11-09
2027-11-08 reminder-1-2027-11-09 2027-11-09
2027-11-09 today-2027-11-09 2027-11-09
2027-11-10 holdout-1 2027-11-09
2027-11-17 holdout-2 2027-11-09
`},
	}
	for _, tt := range tests {
		for _, hour := range []string{"08:00", "09:00", "17:59"} {
			t.Run(tt.zone+" "+tt.deadline+" "+hour, func(t *testing.T) {
				first := day(t, tt.announce).AddDays(-1).String()
				l := life{changes: map[string]func(*pass){first: func(p *pass) { p.runs = []string{hour} }}}
				if diff := cmp.Diff(tt.want, l.live(t, tt.zone, tt.announce, tt.deadline, tt.end)); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// live walks the days up to end and writes down what the person is sent.
func (l life) live(t *testing.T, zone, announce, deadline, end string) string {
	cfg := rollout.Config{
		TimeZone: zone, Announce: day(t, announce), ReminderDays: []int{7, 3, 1},
		Enforcement: rollout.SwitchWindow{FromHour: 9, ToHour: 16},
		Waves:       []rollout.WaveConfig{{Name: "everyone", Members: rollout.MembersAll, Deadline: day(t, deadline)}},
	}
	someone, colleague := person("m18", rollout.No), person("m01", rollout.Yes)
	known := rollout.Known{Waves: []rollout.Wave{{Name: "everyone", State: rollout.WavePlanned}}, Unreachable: map[string]string{}}
	p := pass{cfg: &cfg, person: &someone, known: &known}
	var messages strings.Builder
	messages.WriteByte('\n')
	for d := cfg.Announce.AddDays(-11); !day(t, end).Before(d); d = d.AddDays(1) {
		if change := l.changes[d.String()]; change != nil {
			change(&p)
		}
		known.Waves[0] = waveOn(cfg, d)
		for _, run := range p.times() {
			now := at(t, zone, d.String()+" "+run).UTC()
			seen := rollout.Seen{Accounts: []rollout.Account{colleague, someone}}
			if p.gone {
				seen.Accounts = seen.Accounts[:1]
			}
			seen.Audit = rollout.AuditRun{At: now.Add(-20 * time.Minute), Accounts: len(seen.Accounts)}
			for _, a := range rollout.PlanMessages(cfg, seen, known, now) {
				m := a.(rollout.Send).Message
				if m.Account == someone.ID {
					fmt.Fprintf(&messages, "%s %s %s\n", m.Day, strings.TrimSuffix(m.ID, ".everyone.m18"), m.Deadline)
				}
				known.Messages = append(known.Messages, p.deliver(m, now))
			}
		}
	}
	return messages.String()
}

func (p pass) times() []string {
	if p.runs == nil {
		return []string{"09:00"}
	}
	return p.runs
}

func (p pass) deliver(m rollout.Message, now time.Time) rollout.Message {
	m.State, m.DeliveredAt = rollout.MessageDelivered, now.Add(5*time.Minute)
	if p.bounces && m.Account == p.person.ID {
		m.State, m.DeliveredAt = rollout.MessageBounced, time.Time{}
		p.known.Unreachable[m.Account] = "550 no such user"
	}
	return m
}

// waveOn is where the wave stands on a day on which every gate holds.
func waveOn(cfg rollout.Config, d rollout.Date) rollout.Wave {
	w := rollout.Wave{Name: "everyone", State: rollout.WavePlanned}
	if deadline := cfg.Waves[0].Deadline; !d.Before(deadline) {
		w.State, w.EnforcedAt = rollout.WaveEnforced, deadline.At(9, 10, cfg.Location())
	} else if !d.Before(cfg.Announce) {
		w.State = rollout.WaveObserving
	}
	return w
}

package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

func TestPassesDrill(t *testing.T) {
	opened := at(t, "UTC", "2026-12-01 12:00")
	good := rollout.Alert{
		Kind: rollout.AlertSignIn, Account: "EM1", OccurredAt: opened, AlertedAt: opened.Add(time.Minute), SignIn: rollout.SignIn{Interactive: true},
	}
	tests := []struct {
		name   string
		change func(d *rollout.Drill, a *rollout.Alert)
		passes bool
	}{
		{"as meant", func(*rollout.Drill, *rollout.Alert) {}, true},
		{"a failed sign-in", func(_ *rollout.Drill, a *rollout.Alert) { a.SignIn.ErrorCode = 50126 }, false},
		{"how it ended is not known", func(_ *rollout.Drill, a *rollout.Alert) { a.SignIn.ErrorCode = -1 }, false},
		{"whose alert did not leave", func(_ *rollout.Drill, a *rollout.Alert) { a.AlertedAt = time.Time{} }, false},
		{"of another account", func(_ *rollout.Drill, a *rollout.Alert) { a.Account = em2 }, false},
		{"before it opened", func(_ *rollout.Drill, a *rollout.Alert) { a.OccurredAt = opened.Add(-time.Second) }, false},
		{"when it closed", func(_ *rollout.Drill, a *rollout.Alert) { a.OccurredAt = opened.Add(time.Hour) }, false},
		{"no sign-in at all", func(_ *rollout.Drill, a *rollout.Alert) { a.Kind = rollout.AlertTampering }, false},
		{"by a program, in a session that is open", func(_ *rollout.Drill, a *rollout.Alert) { a.SignIn.Interactive = false }, false},
		{"MFA was demanded", func(_ *rollout.Drill, a *rollout.Alert) { a.SignIn.Requirement = "multiFactorAuthentication" }, true},
		{"with one factor", func(_ *rollout.Drill, a *rollout.Alert) { a.SignIn.Requirement = "singleFactorAuthentication" }, false},
		{"one factor was demanded, the key was used", func(_ *rollout.Drill, a *rollout.Alert) {
			a.SignIn.Requirement, a.SignIn.Methods = "singleFactorAuthentication", []string{"FIDO2 security key"}
		}, true},
		{"password and certificate", func(_ *rollout.Drill, a *rollout.Alert) {
			a.SignIn.Methods = []string{"Password", "X.509 Certificate"}
		}, true},
		{"a session that had it before", func(_ *rollout.Drill, a *rollout.Alert) { a.SignIn.Methods = []string{"Previously satisfied"} }, false},
		{"a text message", func(_ *rollout.Drill, a *rollout.Alert) { a.SignIn.Methods = []string{"Password", "Text message"} }, false},
		{"a drill that was passed", func(d *rollout.Drill, _ *rollout.Alert) { d.PassedAt = opened }, false},
		{"a drill that failed", func(d *rollout.Drill, _ *rollout.Alert) { d.FailedAt = opened.Add(4 * time.Hour) }, false},
		{"a drill that was cancelled", func(d *rollout.Drill, _ *rollout.Alert) { d.CancelledAt = opened }, false},
	}
	for _, tt := range tests {
		d, a := rollout.Drill{Account: em1, OpenedAt: opened, ClosesAt: opened.Add(time.Hour)}, good
		tt.change(&d, &a)
		if got := rollout.PassesDrill(d, a); got != tt.passes {
			t.Errorf("%s: passes %v", tt.name, got)
		}
	}
}

// A drill that has ended is open no more: a sign-in after it is no drill.
func TestOpenDrill(t *testing.T) {
	opened := at(t, "UTC", "2026-12-01 12:00")
	d := rollout.Drill{ID: "d", Account: em1, OpenedAt: opened, ClosesAt: opened.Add(time.Hour)}
	passed, failed, cancelled := d, d, d
	passed.PassedAt, failed.FailedAt, cancelled.CancelledAt = opened, opened, opened
	for name, tt := range map[string]struct {
		drill rollout.Drill
		after time.Duration
		open  bool
	}{
		"before it": {d, -time.Second, false}, "in it": {d, 0, true}, "at its end": {d, time.Hour, false},
		"passed": {passed, time.Minute, false}, "failed": {failed, time.Minute, false}, "cancelled": {cancelled, time.Minute, false},
	} {
		if _, open := rollout.OpenDrill([]rollout.Drill{tt.drill}, "EM1", opened.Add(tt.after)); open != tt.open {
			t.Errorf("%s: open %t, want %t", name, open, tt.open)
		}
	}
	if _, open := rollout.OpenDrill([]rollout.Drill{d}, em2, opened); open {
		t.Error("another account's drill is open")
	}
}

// The evidence: who and when, the methods, how soon the alert left, each way once.
func TestDrillEvidence(t *testing.T) {
	opened := at(t, "UTC", "2026-12-01 12:00")
	d := rollout.Drill{ID: "d", Account: em1, Custodian: "Chief Operating Officer", OpenedAt: opened, ClosesAt: opened.Add(time.Hour)}
	proof := rollout.Alert{
		ID: "a", Kind: rollout.AlertSignIn, Account: em1, Source: "poll", OccurredAt: opened.Add(time.Minute), AlertedAt: opened.Add(4 * time.Minute),
		SignIn: rollout.SignIn{Interactive: true, Methods: []string{"FIDO2 security key"}},
	}
	monitor := func(account string, after time.Duration) rollout.Alert {
		return rollout.Alert{Kind: rollout.AlertMonitor, Account: account, OccurredAt: opened.Add(time.Minute + after)}
	}
	got := d.Pass(proof, []rollout.Alert{proof, monitor(em2, time.Minute), monitor(em1, -time.Second), monitor(em1, 3*time.Hour)})
	want := d
	want.PassedAt, want.SignedInAt, want.AlertID = proof.AlertedAt, proof.OccurredAt, "a"
	want.Methods, want.Ways = []string{"FIDO2 security key"}, []string{"poll"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("evidence (-want +got):\n%s", diff)
	}
	got, more := got.SawByMonitor([]rollout.Alert{monitor(em1, 5*time.Minute)})
	if diff := cmp.Diff([]string{"azureMonitor", "poll"}, got.Ways); diff != "" || !more {
		t.Errorf("ways (-want +got):\n%s", diff)
	}
	if _, more = got.Saw("poll"); more {
		t.Error("the same way was noted twice")
	}
	if _, more = d.Saw("poll"); more {
		t.Error("a drill that nobody passed was seen by a way")
	}
}

// TestPlanDrills: what is due in one moment of an account's life.
func TestPlanDrills(t *testing.T) {
	// 2026-12-25 is a Friday and a holiday.
	passed := at(t, "Europe/London", "2026-10-12 10:00") // a Monday: 75 days later is 2026-12-26
	loc := passed.Location()
	base := rollout.Config{
		TimeZone: "Europe/London", Enforcement: rollout.SwitchWindow{FromHour: 9, ToHour: 16, Holidays: []rollout.Date{day(t, "2026-12-25")}},
		EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1, Custodian: "COO", CustodianEmail: "coo@contoso.com"}},
	}
	pass := rollout.Drill{ID: "drill-em1-001", Account: em1, Custodian: "C.O.O.", OpenedAt: passed.Add(-time.Hour), ClosesAt: passed.Add(7 * 24 * time.Hour), PassedAt: passed}
	planned := rollout.Drill{ID: "drill-em1-002", Account: em1, Cause: rollout.DrillRoutine, Custodian: "COO", OpenedAt: time.Date(2026, 12, 24, 9, 0, 0, 0, loc), ClosesAt: time.Date(2026, 12, 31, 9, 0, 0, 0, loc), Version: 3}
	fallen := planned
	fallen.FailedAt = planned.ClosesAt.Add(3 * time.Hour)
	custodian := planned
	custodian.Cause = rollout.DrillCustodian
	other := rollout.Drill{ID: "drill-em2-001", Account: em2, OpenedAt: time.Date(2026, 12, 24, 9, 0, 0, 0, loc), ClosesAt: time.Date(2026, 12, 31, 9, 0, 0, 0, loc)}
	passOther := rollout.Drill{ID: "drill-em2-000", Account: em2, PassedAt: passed}
	both := []rollout.EmergencyAccount{{ID: em1, Custodian: "COO"}, {ID: em2}}

	tests := []struct {
		name   string
		now    string
		change func(c *rollout.Config)
		drills []rollout.Drill
		want   string
	}{
		{"never tried: at once, also by night", "2026-12-02 03:07", nil, nil, "invite drill-em1-001 first 2026-12-02 03:07 to 2026-12-09 03:07"},
		{"not yet", "2026-12-10 08:59", nil, []rollout.Drill{pass}, ""},
		{"two weeks ahead of the last working day", "2026-12-10 09:00", nil, []rollout.Drill{pass}, "invite drill-em1-002 routine 2026-12-24 09:00 to 2026-12-31 09:00"},
		{"its runs did not happen", "2026-12-28 11:00", nil, []rollout.Drill{pass}, "invite drill-em1-002 routine 2026-12-28 11:00 to 2027-01-04 11:00"},
		{"one is planned", "2026-12-11 09:00", nil, []rollout.Drill{pass, planned}, ""},
		{"one is open", "2026-12-24 09:00", nil, []rollout.Drill{pass, planned}, ""},
		{"over, but a row may still come", "2026-12-31 11:09", nil, []rollout.Drill{pass, planned}, ""},
		{"over: failed", "2026-12-31 11:10", nil, []rollout.Drill{pass, planned}, "fail drill-em1-002"},
		{"failed: the next at once", "2027-01-02 11:00", nil, []rollout.Drill{pass, fallen}, "invite drill-em1-003 again 2027-01-02 11:00 to 2027-01-09 11:00"},
		{"another custodian", "2026-11-02 11:00", func(c *rollout.Config) { c.EmergencyAccounts[0].Custodian = "CFO" }, []rollout.Drill{pass}, "invite drill-em1-002 custodian 2026-11-02 11:00 to 2026-11-09 11:00"},
		{"another custodian, and one is planned", "2026-12-11 11:00", func(c *rollout.Config) { c.EmergencyAccounts[0].Custodian = "CFO" }, []rollout.Drill{pass, planned}, "cancel drill-em1-002"},
		{"the custodian is back", "2026-11-02 11:00", nil, []rollout.Drill{pass, custodian}, "cancel drill-em1-002"},
		{"no emergency account any more", "2026-12-11 11:00", func(c *rollout.Config) { c.EmergencyAccounts = nil }, []rollout.Drill{pass, planned}, "cancel drill-em1-002"},
		{"a holiday was added", "2026-12-11 11:00", func(c *rollout.Config) {
			c.Enforcement.Holidays = append(c.Enforcement.Holidays, day(t, "2026-12-24"))
		}, []rollout.Drill{pass, planned}, "move drill-em1-002 routine 2026-12-23 09:00 to 2026-12-30 09:00"},
		{"more often from now on", "2026-12-11 11:00", func(c *rollout.Config) {
			c.Drills = rollout.DrillPlan{EveryDays: 60, WindowDays: 5, InviteDays: 3}
		}, []rollout.Drill{pass, planned}, "move drill-em1-002 routine 2026-12-11 11:00 to 2026-12-16 11:00"},
		{"the other's window is in the way", "2026-12-03 09:00", func(c *rollout.Config) { c.EmergencyAccounts = both }, []rollout.Drill{pass, passOther, other}, "invite drill-em1-002 routine 2026-12-17 09:00 to 2026-12-24 09:00"},
		{"in the way, too late to make room", "2026-12-10 09:00", func(c *rollout.Config) { c.EmergencyAccounts = both }, []rollout.Drill{pass, passOther, other}, "invite drill-em1-002 routine 2026-12-24 09:00 to 2026-12-31 09:00"},
		{"a run that is late: a later one saw it passed", "2026-10-12 09:55", nil, []rollout.Drill{pass}, ""},
		{"the same account twice", "2026-12-02 03:07", func(c *rollout.Config) {
			c.EmergencyAccounts = []rollout.EmergencyAccount{{ID: em1}, {ID: "EM1"}}
		}, nil, "invite drill-em1-001 first 2026-12-02 03:07 to 2026-12-09 03:07"},
	}
	for _, tt := range tests {
		cfg := base
		cfg.EmergencyAccounts = append([]rollout.EmergencyAccount(nil), base.EmergencyAccounts...)
		if tt.change != nil {
			tt.change(&cfg)
		}
		var got []string
		for _, s := range rollout.PlanDrills(cfg, tt.drills, nil, at(t, "Europe/London", tt.now)) {
			words := string(s.Do) + " " + s.Drill.ID
			if s.Do == rollout.DrillInvite || s.Do == rollout.DrillMove {
				const layout = "2006-01-02 15:04"
				words += " " + string(s.Drill.Cause) + " " + s.Drill.OpenedAt.In(loc).Format(layout) + " to " + s.Drill.ClosesAt.In(loc).Format(layout)
			}
			got = append(got, words)
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A failed drill says what it lacked.
func TestWhyDrillsFail(t *testing.T) {
	opened := at(t, "UTC", "2026-12-01 12:00")
	d := rollout.Drill{ID: "d", Account: em1, OpenedAt: opened, ClosesAt: opened.Add(time.Hour)}
	row := rollout.Alert{Kind: rollout.AlertSignIn, Account: em1, OccurredAt: opened, AlertedAt: opened.Add(time.Minute)}
	silent := row
	silent.AlertedAt = time.Time{}
	before := row
	before.OccurredAt = opened.Add(-time.Minute)
	cfg := rollout.Config{EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1}}}
	for want, alerts := range map[string][]rollout.Alert{
		"nobody signed in": {before},
		"somebody tried, but no sign-in succeeded with the key": {row},
		"somebody signed in, but no alert of it left":           {row, silent},
	} {
		step := rollout.PlanDrills(cfg, []rollout.Drill{d}, alerts, opened.Add(4*time.Hour))[0]
		if step.Do != rollout.DrillFail || step.Drill.Why != want {
			t.Errorf("%s %q, want it to fail: %q", step.Do, step.Drill.Why, want)
		}
		if a := rollout.DrillAlert(step.Drill, opened.Add(4*time.Hour)); !strings.Contains(a.Text, want) || a.ID != "failed-d" {
			t.Errorf("alert %s: %q, want %q in it", a.ID, a.Text, want)
		}
	}
}

// Each notice is due once, and what opens with its invitation needs no second one.
func TestDueDrillNotice(t *testing.T) {
	now := at(t, "UTC", "2026-12-01 12:00")
	ahead := rollout.Drill{ID: "d", Account: em1, InvitedAt: now, OpenedAt: now.AddDate(0, 0, 14), ClosesAt: now.AddDate(0, 0, 21)}
	atOnce := ahead
	atOnce.OpenedAt = now
	with := func(d rollout.Drill, change func(*rollout.Drill)) rollout.Drill { change(&d); return d }
	for _, tt := range []struct {
		name  string
		drill rollout.Drill
		days  int
		want  string
	}{
		{"invited", ahead, 0, "drill..d.invitation-0"},
		{"told", with(ahead, func(d *rollout.Drill) { d.Told = "invitation-0" }), 1, ""},
		{"moved", with(ahead, func(d *rollout.Drill) { d.Told, d.Sequence = "invitation-0", 1 }), 1, "drill..d.invitation-1"},
		{"open", with(ahead, func(d *rollout.Drill) { d.Told = "invitation-0" }), 14, "drill..d.open-0"},
		{"open and told", with(ahead, func(d *rollout.Drill) { d.Told = "open-0" }), 15, ""},
		{"opens with its invitation", atOnce, 0, "drill..d.invitation-0"},
		{"opened with its invitation", with(atOnce, func(d *rollout.Drill) { d.Told = "invitation-0" }), 1, ""},
		{"over", with(ahead, func(d *rollout.Drill) { d.Told = "invitation-0" }), 21, ""},
		{"passed", with(ahead, func(d *rollout.Drill) { d.PassedAt = now }), 14, ""},
		{"failed", with(ahead, func(d *rollout.Drill) { d.FailedAt = now }), 14, ""},
		{"cancelled", with(ahead, func(d *rollout.Drill) { d.Told, d.CancelledAt = "invitation-0", now }), 1, "drill..d.cancelled"},
		{"cancelled and told", with(ahead, func(d *rollout.Drill) { d.Told, d.CancelledAt = "cancelled", now }), 1, ""},
		{"cancelled before anybody heard of it", with(ahead, func(d *rollout.Drill) { d.CancelledAt = now }), 1, ""},
	} {
		m, due := rollout.DueDrillNotice(rollout.Config{}, tt.drill, now.AddDate(0, 0, tt.days))
		if m.ID != tt.want || due != (tt.want != "") {
			t.Errorf("%s: %q, due %t; want %q", tt.name, m.ID, due, tt.want)
		}
	}
}

// What the gate and the findings say of an account, and of when it can be tried.
func TestDrillTroubles(t *testing.T) {
	now := at(t, "Europe/London", "2026-12-01 12:00")
	pass := rollout.Drill{Account: em1, Custodian: "coo", PassedAt: now.AddDate(0, 0, -80), ClosesAt: now.AddDate(0, 0, -75)}
	failed := rollout.Drill{Account: em1, Custodian: "coo", OpenedAt: now.AddDate(0, 0, -9), ClosesAt: now.AddDate(0, 0, -2), FailedAt: now.AddDate(0, 0, -2), Why: "nobody signed in"}
	old := pass
	old.PassedAt = now.AddDate(0, 0, -91)
	nobody := pass
	nobody.Custodian = ""
	ahead := rollout.Drill{Account: em1, OpenedAt: now.AddDate(0, 0, 3), ClosesAt: now.AddDate(0, 0, 10)}
	open := rollout.Drill{Account: em1, OpenedAt: now, ClosesAt: now.AddDate(0, 0, 7)}
	future, passedAhead := failed, pass
	future.FailedAt, future.ClosesAt = now.AddDate(1, 0, 0), now.AddDate(1, 0, 0)
	passedAhead.PassedAt = now.Add(time.Hour)
	mended := failed
	mended.OpenedAt, mended.ClosesAt = now.AddDate(0, 0, -100), now.AddDate(0, 0, -90)
	for _, tt := range []struct {
		name      string
		drills    []rollout.Drill
		custodian string
		want      string
	}{
		{"proven", []rollout.Drill{pass}, "COO", ""},
		{"failed long ago, passed since", []rollout.Drill{mended, pass}, "COO", ""},
		{"never", nil, "COO", "drill-missing: no drill was ever passed; the next window opens within minutes, unless the rollout is paused or the tenant has no sign-in log"},
		{"never, and one is open", []rollout.Drill{open}, "COO", "drill-missing: no drill was ever passed; a window is open until Tuesday 2026-12-08 12:00"},
		{"too old", []rollout.Drill{old, ahead}, "COO", "drill-overdue: no drill was passed within 90 days, the last on 2026-09-01; the next window opens Friday 2026-12-04 12:00"},
		{"failed since", []rollout.Drill{pass, failed, open}, "COO", "drill-failed: the drill from 2026-11-22 to 2026-11-29 failed: nobody signed in; a window is open until Tuesday 2026-12-08 12:00"},
		{"failed in the future: a clock was wrong", []rollout.Drill{pass, future}, "COO", ""},
		{"passed in the future: a clock was wrong", []rollout.Drill{ahead, passedAhead}, "COO", "drill-missing: no drill was ever passed; the next window opens Friday 2026-12-04 12:00"},
		{"another custodian", []rollout.Drill{pass, open}, "CFO", "drill-custodian: the last drill, on 2026-09-12, was not passed by its present custodian; a window is open until Tuesday 2026-12-08 12:00"},
		{"by whom is not known", []rollout.Drill{nobody, open}, "COO", "drill-custodian: the last drill, on 2026-09-12, was not passed by its present custodian; a window is open until Tuesday 2026-12-08 12:00"},
	} {
		cfg := rollout.Config{TimeZone: "Europe/London", EmergencyAccounts: []rollout.EmergencyAccount{{ID: em1, Custodian: tt.custodian}}}
		got := ""
		for _, trouble := range rollout.DrillTroubles(cfg, tt.drills, now) {
			got = trouble.ID + ": " + trouble.Text + "; " + trouble.Next
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		findings := rollout.DrillFindings(cfg, tt.drills, now)
		if (len(findings) > 0) != (tt.want != "") || len(findings) > 1 {
			t.Errorf("%s: %d findings", tt.name, len(findings))
		}
		for _, f := range findings {
			if f.ID+": "+f.Evidence != tt.want || len(f.Accounts) != 1 || f.Count != 1 {
				t.Errorf("%s: finding %+v", tt.name, f)
			}
		}
	}
}

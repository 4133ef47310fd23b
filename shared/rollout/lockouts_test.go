package rollout_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// TestFindLockOuts: rows as minutes after the switch, looked at after three hours.
func TestFindLockOuts(t *testing.T) {
	since := at(t, "UTC", "2027-01-12 09:10")
	row := func(minute, code int) rollout.SignIn {
		return rollout.SignIn{ID: fmt.Sprintf("r%d", minute), UserID: "m01", CreatedAt: since.Add(time.Duration(minute) * time.Minute), ErrorCode: code, ClientAppUsed: "Browser"}
	}
	imap := row(5, 50076)
	imap.ClientAppUsed = "IMAP4"
	late := row(5, 0)
	late.ID = "r5-late"
	tests := []struct {
		name    string
		rows    []rollout.SignIn
		capable rollout.Fact
		want    string // opened, attempts, and how it was closed
	}{
		{"nothing", nil, rollout.No, ""},
		{"stopped", []rollout.SignIn{row(5, 50072)}, rollout.No, "at 5, 1 attempts, open"},
		{"stopped for less than an hour", []rollout.SignIn{row(121, 50072)}, rollout.No, ""},
		{"stopped for an hour", []rollout.SignIn{row(120, 50072)}, rollout.No, "at 120, 1 attempts, open"},
		{"an interrupt before a success", []rollout.SignIn{row(5, 50074), row(6, 0)}, rollout.Yes, ""},
		{"got in after an hour", []rollout.SignIn{row(5, 500121), row(30, 500121), row(65, 0)}, rollout.Yes, "at 5, 2 attempts, closed by signed in at 65"},
		{"got in, and was stopped again", []rollout.SignIn{row(5, 50072), row(6, 0), row(20, 50072)}, rollout.No, "at 20, 1 attempts, open"},
		{"registered since", []rollout.SignIn{row(5, 50072)}, rollout.Yes, "at 5, 1 attempts, closed by registered at 150"},
		{"has a method and cannot use it", []rollout.SignIn{row(5, 500121)}, rollout.Yes, "at 5, 1 attempts, open"},
		{"a wrong password is no lock-out", []rollout.SignIn{row(5, 50126)}, rollout.No, ""},
		{"a prompt that is pending", []rollout.SignIn{row(5, 50076)}, rollout.No, ""},
		{"a client that cannot prompt", []rollout.SignIn{imap}, rollout.No, "at 5, 1 attempts, open"},
		{"before the switch", []rollout.SignIn{row(-1, 50072)}, rollout.No, ""},
		{"the same row twice", []rollout.SignIn{row(5, 50072), row(5, 50072)}, rollout.No, "at 5, 1 attempts, open"},
		{"failed and got in within the same second", []rollout.SignIn{row(5, 50074), late}, rollout.Yes, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, l := range rollout.FindLockOuts(tt.rows, []rollout.Account{person("m01", tt.capable)}, since, since.Add(150*time.Minute), since.Add(3*time.Hour)) {
				how := "open"
				if !l.ClosedAt.IsZero() {
					how = fmt.Sprintf("closed by %s at %.0f", l.ClosedBy, l.ClosedAt.Sub(since).Minutes())
				}
				got += fmt.Sprintf("at %.0f, %d attempts, %s", l.OpenedAt.Sub(since).Minutes(), l.Attempts, how)
				if l.Cause == "" || l.Advice == "" {
					t.Errorf("no cause or no advice: %+v", l)
				}
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestFindLockOutsInAnyOrder: rows arrive late, twice, in any order, and may be
// published again with another content.
func TestFindLockOutsInAnyOrder(t *testing.T) {
	since := at(t, "UTC", "2027-01-12 09:10")
	codes := []int{0, 50072, 50074, 50076, 500121, 53003, 50126}
	accounts := []rollout.Account{person("m01", rollout.No), person("m02", rollout.Yes)}
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		var rows []rollout.SignIn
		for range rapid.IntRange(0, 12).Draw(t, "rows") {
			rows = append(rows, rollout.SignIn{
				ID:        fmt.Sprint("r", rapid.IntRange(1, 9).Draw(t, "id")),
				UserID:    rapid.SampledFrom([]string{"m01", "m02", "stranger"}).Draw(t, "user"),
				CreatedAt: since.Add(time.Duration(rapid.IntRange(-10, 300).Draw(t, "minute")) * time.Minute),
				ErrorCode: rapid.SampledFrom(codes).Draw(t, "code"), ClientAppUsed: rapid.SampledFrom([]string{"Browser", "IMAP4"}).Draw(t, "client"),
			})
		}
		before := slices.Clone(rows)
		want := rollout.FindLockOuts(rows, accounts, since, since.Add(5*time.Hour), since.Add(6*time.Hour))
		if diff := cmp.Diff(before, rows); diff != "" {
			t.Fatalf("the rows were changed:\n%s", diff)
		}
		found += len(want)
		shuffled := rapid.Permutation(rows).Draw(t, "order")
		if len(rows) > 0 {
			shuffled = append(shuffled, rapid.SliceOf(rapid.SampledFrom(rows)).Draw(t, "again")...)
		}
		if diff := cmp.Diff(want, rollout.FindLockOuts(shuffled, accounts, since, since.Add(5*time.Hour), since.Add(6*time.Hour))); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
	})
	if found == 0 {
		t.Error("no case found a lock-out: nothing was proven")
	}
}

// TestCodesAreExplained: what monitor asks the log for is what Cause explains.
func TestCodesAreExplained(t *testing.T) {
	codes := rollout.LockOutCodes()
	for _, code := range codes {
		if cause, advice, ok := rollout.Cause(code, true); !ok || cause == "" || advice == "" {
			t.Errorf("%d is not explained", code)
		}
	}
	for _, harmless := range []int{0, 50055, 50057, 50078, 50097, 50105, 50125, 50126, 50140, 50158} {
		if _, _, ok := rollout.Cause(harmless, true); ok || slices.Contains(codes, harmless) {
			t.Errorf("%d is no lock-out by MFA", harmless)
		}
	}
}

func TestBreaker(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 15:00")
	cfg := rollout.Config{TimeZone: "UTC", Breaker: rollout.BreakerLimits{People: 3, Percent: 10, Admins: 2}}
	wave := rollout.WaveConfig{Members: rollout.MembersAll}
	var accounts []rollout.Account
	for n := range 50 {
		a := person(fmt.Sprintf("m%02d", n), rollout.Yes)
		if n >= 47 {
			a.Class = rollout.ClassAdmin
		}
		accounts = append(accounts, a)
	}
	locked := func(ids ...string) (list []rollout.LockOut) {
		for _, id := range ids {
			list = append(list, rollout.LockOut{Account: id, OpenedAt: now.Add(-23 * time.Hour)})
		}
		return list
	}
	hoursAgo := func(hours int, list []rollout.LockOut) []rollout.LockOut {
		for i := range list {
			list[i].OpenedAt = now.Add(-time.Duration(hours) * time.Hour)
		}
		return list
	}
	closed := func(list []rollout.LockOut) []rollout.LockOut {
		for i := range list {
			list[i].ClosedAt = list[i].OpenedAt.Add(2 * time.Hour)
		}
		return list
	}
	since := now.Add(-72 * time.Hour)
	tests := []struct {
		name     string
		accounts []rollout.Account
		lockOuts []rollout.LockOut
		trips    bool
	}{
		{"nobody", accounts, nil, false},
		{"as many as the share allows", accounts, locked("m00", "m01", "m02", "m03", "m04"), false},
		{"one more", accounts, locked("m00", "m01", "m02", "m03", "m04", "m05"), true},
		{"the same person again and again", accounts, locked("m00", "m00", "m00", "m00", "m00", "m00"), false},
		{"six of before the switch", accounts, closed(hoursAgo(73, locked("m00", "m01", "m02", "m03", "m04", "m05"))), false},
		{"six within a day that is over", accounts, closed(hoursAgo(71, locked("m00", "m01", "m02", "m03", "m04", "m05"))), true},
		{"six, never within one day", accounts, slices.Concat(hoursAgo(50, locked("m00", "m01", "m02")), hoursAgo(26, locked("m03", "m04", "m05"))), false},
		{"six, within 24 hours but a second", accounts, slices.Concat(locked("m00", "m01", "m02"), []rollout.LockOut{
			{Account: "m03", OpenedAt: now.Add(-47*time.Hour + time.Second)}, {Account: "m04", OpenedAt: now.Add(-30 * time.Hour)}, {Account: "m05", OpenedAt: now.Add(-25 * time.Hour)},
		}), true},
		{"people of another tenant", accounts, locked("a", "b", "c", "d", "e", "f"), false},
		{"a few of a few", accounts[:10], locked("m00", "m01", "m02", "m03"), true},
		{"one administrator", accounts, locked("m47"), false},
		{"two administrators", accounts, locked("m47", "m48"), true},
		{"two administrators, a day apart", accounts, slices.Concat(locked("m47"), hoursAgo(47, locked("m48"))), false},
		{"the last administrator who could help", accounts[:48], locked("m47"), true},
		{"the others are still outside", accounts, slices.Concat(locked("m47"), hoursAgo(47, locked("m48")), hoursAgo(71, locked("m49"))), true},
		{"outside since before the switch", accounts[:49], slices.Concat(locked("m47"), hoursAgo(100, locked("m48"))), true},
		{"the others are in again", accounts, slices.Concat(locked("m47"), closed(hoursAgo(47, locked("m48"))), closed(hoursAgo(71, locked("m49")))), false},
		{"the only one, of before the switch, in again", accounts[:48], closed(hoursAgo(73, locked("m47"))), false},
		{"no accounts", nil, locked("m00", "m01", "m02", "m03"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trips, reason := rollout.Breaker(cfg, wave, tt.accounts, tt.lockOuts, since, now)
			if trips != tt.trips || trips != (reason != "") {
				t.Errorf("trips %v (%s), want %v", trips, reason, tt.trips)
			}
		})
	}
}

package rollout_test

import (
	"fmt"
	"testing"

	"sallyport/shared/rollout"
)

func TestAsksPurpose(t *testing.T) {
	night := rollout.Date{Year: 2026, Month: 12, Day: 1}
	person := rollout.User{ID: "u1", Mail: "u1@contoso.com", Licensed: true, AccountEnabled: rollout.Yes}
	capable, not := &rollout.Registration{MFACapable: rollout.Yes}, &rollout.Registration{MFACapable: rollout.No}
	is := func(purpose string) *rollout.Account { return &rollout.Account{Purpose: purpose} }
	tests := []struct {
		name   string
		change func(u *rollout.User)
		reg    *rollout.Registration
		before *rollout.Account
		want   bool
	}{
		{"a person who is capable", nil, capable, nil, false},
		{"licensed and not capable: may be a room", nil, not, nil, true},
		{"not in the report", nil, nil, nil, true},
		{"without a licence", func(u *rollout.User) { u.Licensed = false }, capable, nil, true},
		{"disabled", func(u *rollout.User) { u.AccountEnabled = rollout.No }, capable, nil, true},
		{"without a mailbox", func(u *rollout.User) { u.Mail = "" }, not, nil, false},
		{"a guest", func(u *rollout.User) { u.UserType = "Guest" }, not, nil, false},
		{"was never answered", nil, not, is(""), true},
		{"was a shared mailbox, and may be a person now", nil, capable, is("shared"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := person
			if tt.change != nil {
				tt.change(&u)
			}
			if got := rollout.AsksPurpose(u, tt.reg, tt.before, night); got != tt.want {
				t.Errorf("asks: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAsksPerUserMFA(t *testing.T) {
	night := rollout.Date{Year: 2026, Month: 12, Day: 1}
	is := func(state string) *rollout.Account { return &rollout.Account{PerUserMFA: state} }
	for _, tt := range []struct {
		name   string
		user   rollout.User
		before *rollout.Account
		want   bool
	}{
		{"new", rollout.User{ID: "u1"}, nil, true},
		{"not known", rollout.User{ID: "u1"}, is(""), true},
		{"was on", rollout.User{ID: "u1"}, is("enforced"), true},
		{"in a word of tomorrow", rollout.User{ID: "u1"}, is("paused"), true},
		{"disabled account", rollout.User{ID: "u1", AccountEnabled: rollout.No}, is("enforced"), false},
		{"guest", rollout.User{ID: "u1", UserType: "Guest"}, nil, false},
	} {
		if got := rollout.AsksPerUserMFA(tt.user, tt.before, night); got != tt.want {
			t.Errorf("%s: asks %v, want %v", tt.name, got, tt.want)
		}
	}
	// Who had it off is asked about once a week, and not all on one night.
	nights := map[int]int{}
	for n := range 700 {
		id, asked := fmt.Sprintf("account-%d", n), 0
		for day := range 7 {
			if rollout.AsksPerUserMFA(rollout.User{ID: id}, is("Disabled"), night.AddDays(day)) {
				asked++
				nights[day]++
			}
		}
		if asked != 1 {
			t.Fatalf("%s was asked about %d times in a week", id, asked)
		}
	}
	for day := range 7 {
		if nights[day] < 50 || nights[day] > 150 {
			t.Errorf("night %d asks about %d of 700, want about a seventh", day, nights[day])
		}
	}
}

package rollout_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

// drawConfig draws a config that package config would accept: the usual three
// waves, 14 days and more between the announcement and each deadline, two or
// more emergency accounts.
func drawConfig(t *rapid.T) rollout.Config {
	cfg := rollout.Config{
		Tenant:        "contoso.onmicrosoft.com",
		TimeZone:      rapid.SampledFrom([]string{"Europe/London", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago"}).Draw(t, "timeZone"),
		Announce:      drawDay(t, "announce"),
		CountGuests:   rapid.Bool().Draw(t, "countGuests"),
		GraceDays:     14,
		ReminderDays:  rapid.SliceOfNDistinct(rapid.IntRange(1, 30), 0, 4, rapid.ID[int]).Draw(t, "reminderDays"),
		Enforcement:   rollout.SwitchWindow{FromHour: 9, ToHour: 16},
		Breaker:       rollout.BreakerLimits{People: 3, Percent: 2, Admins: 2},
		Communication: rollout.Communication{HelpDesk: rollout.HelpDesk{Name: "IT Help Desk", Phone: "+44 20 7946 0000"}},
	}
	slices.Sort(cfg.ReminderDays)
	slices.Reverse(cfg.ReminderDays)
	for range rapid.IntRange(0, 6).Draw(t, "holidays") {
		cfg.Enforcement.Holidays = append(cfg.Enforcement.Holidays, drawDay(t, "holiday"))
	}
	for n := range rapid.IntRange(2, 4).Draw(t, "emergencyAccounts") {
		cfg.EmergencyAccounts = append(cfg.EmergencyAccounts, rollout.EmergencyAccount{ID: fmt.Sprintf("em%d", n+1)})
	}
	deadline := func(name string) rollout.Date {
		d := cfg.AnnouncementDay().AddDays(rollout.NoticeDays + rapid.IntRange(0, 21).Draw(t, name))
		for !cfg.IsSwitchDay(d) {
			d = d.AddDays(1)
		}
		return d
	}
	first, second := deadline("administrators"), deadline("everyone")
	if second.Before(first) {
		first, second = second, first
	}
	cfg.Waves = []rollout.WaveConfig{
		{Name: "administrators", Members: rollout.MembersAdmins, Deadline: first},
		{Name: "ready", Members: rollout.MembersCapable},
		{Name: "everyone", Members: rollout.MembersAll, Deadline: second, Coverage: rapid.IntRange(0, 100).Draw(t, "coverage")},
	}
	return cfg
}

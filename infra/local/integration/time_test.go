package integration_test

import (
	"testing"
	"time"

	"sallyport/shared/rollout"
)

// now is the moment as EventBridge Scheduler writes it: in whole seconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// workingMorning is nine o'clock of the first day from start on, in London, on
// which people are written to.
func workingMorning(start rollout.Date, loc *time.Location) time.Time {
	for start.Weekday() == time.Saturday || start.Weekday() == time.Sunday {
		start = start.AddDays(1)
	}
	return start.At(9, 0, loc)
}

// daysPass lets days go by. The functions' clock is the real one, and enforce
// refuses events of another time, so the past moves instead of the clock: what
// the rules compare with now (rollout.yaml's dates, waves, messages, drills) is
// moved back by that many days. Whole weeks keep every weekday.
func (w *world) daysPass(t *testing.T, weeks int) {
	t.Helper()
	days := 7 * weeks
	back := func(moments ...*time.Time) {
		for _, m := range moments {
			if !m.IsZero() {
				*m = m.AddDate(0, 0, -days)
			}
		}
	}
	w.start = w.start.AddDays(-days)
	must(t, w.table.PutConfig(t.Context(), w.config(t, w.start)))

	waves, err := w.table.Waves(t.Context(), domain)
	must(t, err)
	for _, wave := range waves {
		back(&wave.AnnouncedAt, &wave.ObservedFrom, &wave.EnforcedAt, &wave.SettledAt)
		for i := range wave.History {
			back(&wave.History[i].At)
		}
		must(t, w.table.PutWave(t.Context(), domain, wave))
	}
	messages, err := w.table.Messages(t.Context(), domain)
	must(t, err)
	for _, m := range messages {
		back(&m.ClaimedAt, &m.SendingAt, &m.SentAt, &m.DeliveredAt)
		for _, day := range []*rollout.Date{&m.Day, &m.Deadline} {
			if !day.IsZero() {
				*day = day.AddDays(-days)
			}
		}
		must(t, w.table.PutMessage(t.Context(), domain, m))
	}
	drills, err := w.table.Drills(t.Context(), domain)
	must(t, err)
	for _, d := range drills {
		back(&d.OpenedAt, &d.ClosesAt, &d.PassedAt)
		must(t, w.table.PutDrill(t.Context(), domain, d))
	}
}

package rollout_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

func TestDate(t *testing.T) {
	// A day is a day, also where the clocks jump and where a year has 366.
	d := day(t, "2028-02-28")
	for _, tt := range []struct {
		days int
		want string
	}{{1, "2028-02-29"}, {2, "2028-03-01"}, {366, "2029-02-28"}, {-59, "2027-12-31"}, {27, "2028-03-26"}} {
		if got := d.AddDays(tt.days); got.String() != tt.want || d.DaysUntil(got) != tt.days {
			t.Errorf("%d days after %s: %s, %d days away; want %s", tt.days, d, got, d.DaysUntil(got), tt.want)
		}
	}
	if d.Before(d) || !d.Before(d.AddDays(1)) || d.Before(d.AddDays(-1)) {
		t.Error("Before is not earlier than")
	}
	var zero rollout.Date
	if !zero.IsZero() || zero.String() != "" || !zero.Before(d) {
		t.Errorf("the zero day: %q", zero)
	}
	for _, wrong := range []string{"2027-02-29", "12/01/2027", "2027-1-2", "tomorrow"} {
		if got, err := rollout.ParseDate(wrong); err == nil {
			t.Errorf("ParseDate(%q) = %s", wrong, got)
		}
	}
}

func TestDateIsTheTenantsOwn(t *testing.T) {
	moment := time.Date(2027, time.January, 12, 10, 30, 0, 0, time.UTC)
	for zone, want := range map[string]string{
		"Pacific/Kiritimati": "2027-01-13", "Pacific/Pago_Pago": "2027-01-11", "Europe/London": "2027-01-12",
	} {
		if got := rollout.DateOf(moment.In((rollout.Config{TimeZone: zone}).Location())); got.String() != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
}

func TestDateKeepsInJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDay(t, "day")
		if rapid.Bool().Draw(t, "unset") {
			d = rollout.Date{}
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		got := rollout.Date{Year: 1}
		if err := json.Unmarshal(text, &got); err != nil || got != d {
			t.Fatalf("%s came back as %s: %v", d, got, err)
		}
	})
}

func drawDay(t *rapid.T, name string) rollout.Date {
	start := rollout.Date{Year: 2026, Month: time.December, Day: 1}
	return start.AddDays(rapid.IntRange(0, 120).Draw(t, name))
}

package rollout_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

func TestCoverage(t *testing.T) {
	today := day(t, "2027-01-12")
	cfg := rollout.Config{Exemptions: []rollout.Exemption{
		{Account: "exempt", Expires: today}, {Account: "expired", Expires: today.AddDays(-1)},
	}}
	weak := person("weak", rollout.Yes)
	weak.Strength = rollout.StrengthWeak
	never, guest, off, young := person("never", rollout.No), person("guest", rollout.No), person("off", rollout.No), person("young", rollout.No)
	never.Class, guest.Class, off.Enabled, young.New = rollout.ClassNeverSignedIn, rollout.ClassGuest, false, true
	accounts := []rollout.Account{
		person("yes", rollout.Yes), weak, person("no", rollout.No), person("unknown", rollout.Unknown), person("unsaid", ""),
		person("exempt", rollout.No), person("expired", rollout.No), never, guest, off, young,
	}
	want := rollout.Coverage{Capable: 2, All: 6, Weak: 1, Unknown: 2, New: 1, Classes: map[rollout.Class]int{
		rollout.ClassMember: 9, rollout.ClassNeverSignedIn: 1, rollout.ClassGuest: 1,
	}, ByClass: map[rollout.Class]rollout.Share{rollout.ClassMember: {2, 6}}, ByWave: map[string]rollout.Share{}, ByDepartment: map[string]rollout.Share{"(none)": {2, 6}}}
	if diff := cmp.Diff(want, rollout.CoverageOf(cfg, accounts, today)); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	cfg.CountGuests = true
	if got := rollout.CoverageOf(cfg, accounts, today).All; got != 7 {
		t.Errorf("with guests %d count, want 7", got)
	}
}

// TestPercent: 100 means everybody, and nobody is no proof.
func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		capable, all int
		want         float64
	}{{0, 0, 0}, {1999, 2000, 99.9}, {2000, 2000, 100}, {1, 3, 33.3}} {
		if got := (rollout.Coverage{Capable: tt.capable, All: tt.all}).Percent(); got != tt.want {
			t.Errorf("%d of %d: %v %%, want %v", tt.capable, tt.all, got, tt.want)
		}
	}
}

// TestCoverageParts: each part counts those who count, and nobody else; a wave
// counts whom it holds, as its gate does.
func TestCoverageParts(t *testing.T) {
	today := day(t, "2027-01-12")
	cfg := rollout.Config{Waves: []rollout.WaveConfig{
		{Name: "administrators", Members: rollout.MembersAdmins}, {Name: "ready", Members: rollout.MembersCapable}, {Name: "everyone", Members: rollout.MembersAll},
	}}
	admin := person("admin", rollout.Yes)
	admin.Class, admin.Roles, admin.Department = rollout.ClassAdmin, []string{helpdeskAdministrator}, "IT"
	sales, spaced, young, robot := person("sales", rollout.No), person("spaced", rollout.Yes), person("young", rollout.No), person("robot", rollout.Yes)
	sales.Department, spaced.Department, young.Department, robot.Department = "Sales", " Sales ", "Sales", "Sales"
	young.Reactivated, robot.Class = true, rollout.ClassService
	got := rollout.CoverageOf(cfg, []rollout.Account{admin, sales, spaced, young, robot, person("nowhere", rollout.Unknown)}, today)
	want := rollout.Coverage{
		Capable: 2, All: 4, Unknown: 1, New: 1,
		Classes:      map[rollout.Class]int{rollout.ClassAdmin: 1, rollout.ClassMember: 4, rollout.ClassService: 1},
		ByClass:      map[rollout.Class]rollout.Share{rollout.ClassAdmin: {1, 1}, rollout.ClassMember: {1, 3}},
		ByWave:       map[string]rollout.Share{"administrators": {1, 1}, "ready": {2, 2}, "everyone": {2, 4}},
		ByDepartment: map[string]rollout.Share{"IT": {1, 1}, "Sales": {1, 2}, "(none)": {0, 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if got := want.ByDepartment["Sales"].Percent(); got != 50 {
		t.Errorf("Sales: %v %%, want 50", got)
	}
}

// TestManyDepartments: free text does not make the record grow with the tenant,
// and nobody is lost: the largest are named, the others are one.
func TestManyDepartments(t *testing.T) {
	var accounts []rollout.Account
	for n := range 2000 {
		a := person(fmt.Sprint(n), rollout.FactOf(n%2 == 0))
		a.Department = fmt.Sprint("department ", n)
		if n%10 == 3 {
			a.Department = strings.Repeat("ü", 100)
		}
		accounts = append(accounts, a)
	}
	for n := range 300 { // by now enough are told apart
		a := person(fmt.Sprint("late ", n), rollout.No)
		a.Department = "late"
		accounts = append(accounts, a)
	}
	got := rollout.CoverageOf(rollout.Config{}, accounts, rollout.Date{})
	if _, apart := got.ByDepartment["late"]; apart {
		t.Error("a department beyond the first 500 is told apart: they are counted in memory that grows")
	}
	var sum rollout.Share
	for _, s := range got.ByDepartment {
		sum = rollout.Share{Capable: sum.Capable + s.Capable, All: sum.All + s.All}
	}
	if len(got.ByDepartment) != 201 || sum != (rollout.Share{Capable: 1000, All: 2300}) {
		t.Errorf("%d departments hold %v, want 200 and the others, with 1000 of 2300", len(got.ByDepartment), sum)
	}
	if s := got.ByDepartment[strings.Repeat("ü", 64)]; s.All != 200 {
		t.Errorf("the largest department has %d, want 200", s.All)
	}
}

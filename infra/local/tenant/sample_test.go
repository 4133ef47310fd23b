package tenant_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
)

// clock is a clock that stands until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func newClock() *clock { return &clock{now: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)} }

func str(o tenant.Object, key string) string {
	s, _ := o[key].(string)
	return s
}

// The sample is the firm that the design speaks of, whatever the seed.
func TestSampleIsTheFirmItClaimsToBe(t *testing.T) {
	for _, seed := range []uint64{1, 2, 77} {
		c := newClock()
		firm := tenant.Sample(seed, c)
		users := firm.Users()
		if len(users) != 250 {
			t.Errorf("seed %d: %d accounts, want 250", seed, len(users))
		}
		names := map[string]bool{}
		admins, capableAdmins, people, capable, weak, foreign := 0, 0, 0, 0, 0, 0
		languages := map[string]bool{}
		for _, u := range users {
			id, upn := str(u, "id"), str(u, "userPrincipalName")
			if names[strings.ToLower(upn)] {
				t.Errorf("seed %d: two accounts are called %s", seed, upn)
			}
			names[strings.ToLower(upn)] = true
			for _, r := range upn {
				if r > 127 {
					t.Errorf("seed %d: %q is no address", seed, upn)
				}
			}
			languages[str(u, "preferredLanguage")] = true
			if strings.ContainsFunc(str(u, "displayName"), func(r rune) bool { return r > 127 }) {
				foreign++
			}
			emergency := strings.HasPrefix(upn, "emergency")
			switch {
			case emergency:
				demand, _ := firm.DemandsMFA(id)
				if !firm.IsCapable(id) || !firm.IsAdmin(id) || demand != tenant.DemandNo || u["onPremisesSyncEnabled"] != nil {
					t.Errorf("seed %d: %s is no sound emergency account", seed, upn)
				}
			case str(u, "department") == "IT":
				admins++
				if firm.IsCapable(id) {
					capableAdmins++
				}
			}
			if str(u, "department") != "" && u["accountEnabled"] == true {
				people++
				if firm.IsCapable(id) {
					capable++
					if methods, err := firm.Methods(id); err == nil && len(methods) == 2 && str(methods[1], "phoneType") == "mobile" {
						weak++
					}
				}
			}
		}
		if admins != 12 || capableAdmins < 6 || capableAdmins == 12 {
			t.Errorf("seed %d: %d of %d admins are capable", seed, capableAdmins, admins)
		}
		if percent := 100 * capable / people; percent < 36 || percent > 42 {
			t.Errorf("seed %d: %d of %d people (%d %%) are capable, want about 40 %%", seed, capable, people, percent)
		}
		if weak < 15 || foreign < 40 {
			t.Errorf("seed %d: %d weak, %d names beyond ASCII", seed, weak, foreign)
		}
		for _, l := range []string{"en-GB", "de-DE", "es-ES", "fr-FR", ""} {
			if !languages[l] {
				t.Errorf("seed %d: nobody reads %q", seed, l)
			}
		}
		group, ok := firm.GroupID(tenant.SampleEmergency)
		if !ok || len(firm.TransitiveMembers(group)) != 2 {
			t.Errorf("seed %d: the emergency group does not hold both accounts", seed)
		}
		for _, p := range firm.Policies() {
			for _, upn := range []string{tenant.SampleEmergencyOne, tenant.SampleEmergencyTwo} {
				if id, _ := firm.UserID(upn); firm.Addresses(str(p, "id"), id) {
					t.Errorf("seed %d: %s addresses %s", seed, str(p, "displayName"), upn)
				}
			}
		}
	}
}

func TestSampleFreeHasNoLicenceAndThirtyAccounts(t *testing.T) {
	firm := tenant.SampleFree(1, newClock())
	if n := len(firm.Users()); n != 30 {
		t.Errorf("%d accounts, want 30", n)
	}
	if firm.SecurityDefaults() || len(firm.Policies()) != 0 {
		t.Error("nothing should be demanded of anybody yet")
	}
}

// The same seed makes the same firm to the last byte, another seed another one.
func TestTheSameSeedMakesTheSameFirm(t *testing.T) {
	save := func(seed uint64) map[string]string {
		dir := t.TempDir()
		if err := tenant.Sample(seed, newClock()).Save(dir); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			out[f.Name()] = string(b)
		}
		return out
	}
	one, again, other := save(1), save(1), save(2)
	if diff := cmp.Diff(one, again); diff != "" {
		t.Error(diff)
	}
	if len(one) != 18 || one["users.json"] == other["users.json"] {
		t.Errorf("%d files; the users of two seeds are the same: %v", len(one), one["users.json"] == other["users.json"])
	}
}

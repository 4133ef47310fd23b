package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// onCopy runs a verb on a copy of the sample tenant.
func onCopy(t *testing.T, change func(*tenant.Tenant), verb string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	folder := sampleFolder(t, change) // plan FILE --tenant DIR --at DAY
	args = append([]string{verb, "--config", folder[1], "--tenant", folder[3], "--as-of", folder[5]}, args...)
	var out, errs bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &out, &errs, nil)
	return code, out.String(), errs.String()
}

func gatesOf(t *testing.T, args ...string) (int, gatesAnswer) {
	t.Helper()
	code, out, errs := onCopy(t, func(*tenant.Tenant) {}, "gates", append(args, "--json")...)
	var answer gatesAnswer
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("code %d, no JSON: %v\n%s%s", code, err, out, errs)
	}
	return code, answer
}

// What a folder cannot know fails, and says so; what it shows is judged.
func TestGatesOfAFolder(t *testing.T) {
	code, answer := gatesOf(t)
	if code != exitHeld || answer.Holds || len(answer.Waves) != 3 {
		t.Fatalf("code %d, %+v; want %d for three waves that cannot be switched", code, answer, exitHeld)
	}
	for _, w := range answer.Waves {
		var ids, ok, unknown []string
		for _, r := range w.Gates {
			ids = append(ids, r.ID)
			if r.OK {
				ok = append(ok, r.ID)
			}
			if strings.HasPrefix(r.Evidence, "not known from a folder") {
				unknown = append(unknown, r.ID)
			}
		}
		var all []string
		for _, g := range rollout.Gates() {
			all = append(all, g.ID)
		}
		if diff := cmp.Diff(all, ids); diff != "" {
			t.Errorf("wave %s: gates in another order than that in which to mend (-want +got):\n%s", w.Name, diff)
		}
		want := []string{"emergency-excluded", "audit-fresh", "permissions", "alert-path", "policies-unchanged", "observed", "notice-given"}
		if diff := cmp.Diff(want, unknown); diff != "" {
			t.Errorf("wave %s: not known from a folder (-want +got):\n%s", w.Name, diff)
		}
		if !slices.Contains(ok, "emergency-accounts") || !slices.Contains(ok, "licence") {
			t.Errorf("wave %s: ok are %v; the folder shows the emergency accounts and the licence", w.Name, ok)
		}
	}
}

// On a later day what a folder cannot know is not foreseen, and no reason to exit
// with 3; what will fail is.
func TestGatesForeseen(t *testing.T) {
	code, answer := gatesOf(t, "--at", "2026-11-11", "--wave", "everyone")
	if code != exitHeld || !answer.Foreseen || len(answer.Waves) != 1 || len(answer.Waves[0].Gates) != 0 {
		t.Fatalf("code %d, %+v", code, answer)
	}
	outlooks := map[string]rollout.Outlook{}
	for _, f := range answer.Waves[0].Forecasts {
		outlooks[f.ID] = f.Outlook
	}
	for gate, want := range map[string]rollout.Outlook{
		"observed": rollout.Unforeseen, "audit-fresh": rollout.Unforeseen, "notice-given": rollout.Unforeseen,
		"licence": rollout.WillHold, rollout.GateWindow: rollout.WillHold, "coverage": rollout.WillFail,
	} {
		if outlooks[gate] != want {
			t.Errorf("%s: %q, want %q", gate, outlooks[gate], want)
		}
	}
	// The wave of capable people asks for no coverage: nothing there will fail.
	if code, answer := gatesOf(t, "--at", "2026-11-11", "--wave", "ready"); code != exitDone || !answer.Holds {
		t.Errorf("code %d, %+v; want %d: what cannot be foreseen fails nothing", code, answer, exitDone)
	}
}

// A person reads the same.
func TestGatesInWords(t *testing.T) {
	_, out, _ := onCopy(t, func(*tenant.Tenant) {}, "gates", "--wave", "everyone")
	for _, want := range []string{"Wave everyone, planned, deadline Wednesday 2026-11-11", "ok          emergency-accounts", "FAILS       observed", "to mend: Look into the table"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
}

func TestGatesUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"nowhere":            {},
		"two places":         {"--tenant", "x", "--table", "y"},
		"a folder alone":     {"--tenant", "x"},
		"a folder is one":    {"--tenant", "x", "--config", "y", "--of", "z"},
		"a folder is past":   {"--tenant", "x", "--config", "y", "--live"},
		"the table is now":   {"--table", "x", "--as-of", "2026-10-04"},
		"an operand":         {"--table", "x", "y"},
		"a day that is none": {"--tenant", "x", "--config", "y", "--as-of", "soon"},
	} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), append([]string{"gates"}, args...), strings.NewReader(""), &out, &errs, nil); code != exitUsage {
			t.Errorf("%s: code %d, want %d\n%s", name, code, exitUsage, &errs)
		}
	}
	for name, args := range map[string][]string{
		"today": {"--at", "2026-10-04"}, "yesterday": {"--at", "2026-10-03"}, "no day": {"--at", "soon"}, "no wave": {"--wave", "nobody"},
	} {
		if code, _, errs := onCopy(t, func(*tenant.Tenant) {}, "gates", args...); code != exitUsage {
			t.Errorf("%s: code %d, want %d\n%s", name, code, exitUsage, errs)
		}
	}
}

// rolledOut is a table in which the wave of administrators is switched.
func rolledOut(t *testing.T) (*store.Store, rollout.Config) {
	t.Helper()
	ctx := context.Background()
	table := store.New(store.NewMemory())
	cfg := rollout.Config{
		Tenant: "contoso.onmicrosoft.com", TimeZone: "Europe/London", Enforcement: rollout.SwitchWindow{FromHour: 9, ToHour: 16},
		Waves: []rollout.WaveConfig{
			{Name: "administrators", Members: rollout.MembersAdmins, Deadline: rollout.Date{Year: 2026, Month: 12, Day: 15}},
			{Name: "everyone", Members: rollout.MembersAll, Deadline: rollout.Date{Year: 2027, Month: 1, Day: 12}},
		},
		EmergencyAccounts: []rollout.EmergencyAccount{{ID: "em1"}},
	}
	put := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	put(table.PutConfig(ctx, cfg))
	put(table.PutWave(ctx, cfg.Tenant, rollout.Wave{Name: "administrators", State: rollout.WaveEnforced}))
	_, _, err := table.SaveAccounts(ctx, cfg.Tenant, []rollout.Account{
		{ID: "m18", UserPrincipalName: "kim@contoso.com", DisplayName: "Kim", Class: rollout.ClassMember, Enabled: true, Capable: rollout.No, Mail: "kim@contoso.com"},
		{ID: "em1", UserPrincipalName: "em1@contoso.com", Class: rollout.ClassEmergency, Enabled: true, Capable: rollout.Yes},
	})
	put(err)
	return table, cfg
}

// From the table come the plan, the state of the waves, the accounts; a wave that
// is switched asks for nothing any more.
func TestGatesOfATable(t *testing.T) {
	table, _ := rolledOut(t)
	from := gatherer{table: "sallyport"}
	all := gathered{now: time.Date(2027, 1, 11, 10, 0, 0, 0, time.UTC)}
	if err := from.read(t.Context(), session{}, table, &all); err != nil {
		t.Fatal(err)
	}
	answer, err := (&gatesCommand{}).ask(all)
	if err != nil {
		t.Fatal(err)
	}
	admins, everyone := answer.Waves[0], answer.Waves[1]
	if admins.State != rollout.WaveEnforced || len(admins.Gates) != 0 || len(everyone.Gates) != len(rollout.Gates()) || answer.Holds {
		t.Errorf("%+v", answer)
	}
	only, err := (&gatesCommand{wave: "administrators"}).ask(all)
	if err != nil || !only.Holds {
		t.Errorf("%+v, error %v; want nothing in the way of a wave that is switched", only, err)
	}
}

// The tenant is the one that was named, or the only one.
func TestChooseTenant(t *testing.T) {
	table, _ := rolledOut(t)
	for asked, want := range map[string]rollout.TenantID{"": "contoso.onmicrosoft.com", "Contoso.onmicrosoft.com": "contoso.onmicrosoft.com", "fabrikam.onmicrosoft.com": ""} {
		if got, err := chooseTenant(t.Context(), table, "sallyport", asked); got != want || (err != nil) != (want == "") {
			t.Errorf("asked for %q: %q, error %v; want %q", asked, got, err, want)
		}
	}
	if err := table.PutConfig(t.Context(), rollout.Config{Tenant: "fabrikam.onmicrosoft.com"}); err != nil {
		t.Fatal(err)
	}
	if got, err := chooseTenant(t.Context(), table, "sallyport", ""); err == nil {
		t.Errorf("of two tenants %q was chosen", got)
	}
	if got, err := chooseTenant(t.Context(), store.New(store.NewMemory()), "sallyport", ""); err == nil {
		t.Errorf("of no tenant %q was chosen", got)
	}
}

package rehearsal

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/infra/local/tenant"
	"sallyport/shared/config"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

//go:embed sample.yaml
var sampleYAML string

// SampleStart is the first day of the sample's rehearsal: a Monday.
var SampleStart = rollout.Date{Year: 2026, Month: time.October, Day: 5}

// Sample is the rehearsal of `make demo`: Contoso, sixty days, and a story in
// which somebody takes an emergency account out of an exclusion on the eve of
// the switch.
func Sample(seed uint64, renderer *mail.Renderer) (Options, error) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		return Options{}, fmt.Errorf("time zones: %w", err)
	}
	start := SampleStart.At(0, 0, london)
	clock := NewClock(start)
	t := tenant.Sample(seed, clock)
	text, err := SampleYAML(t)
	if err != nil {
		return Options{}, err
	}
	two, _ := t.UserID(tenant.SampleEmergencyTwo)
	cfg, _, err := config.Parse("sample.yaml", []byte(text), config.Options{Languages: mail.Languages(), Gates: rollout.GateIDs()})
	if err != nil {
		return Options{}, fmt.Errorf("the sample's rollout.yaml: %w", err)
	}
	return Options{
		Tenant: t, Clock: clock, Config: cfg, Start: start, Days: 60, Seed: seed, Renderer: renderer,
		Story: sampleStory(two), Bounces: []string{bouncing(t)},
	}, nil
}

// SampleYAML is the rollout.yaml of the sample tenant: its emergency accounts are
// named by id, and ids depend on the seed.
func SampleYAML(t *tenant.Tenant) (string, error) {
	one, found1 := t.UserID(tenant.SampleEmergencyOne)
	two, found2 := t.UserID(tenant.SampleEmergencyTwo)
	if !found1 || !found2 {
		return "", errors.New("the sample tenant lacks its emergency accounts")
	}
	return strings.NewReplacer("EMERGENCY-ONE", one, "EMERGENCY-TWO", two).Replace(sampleYAML), nil
}

// bouncing is the address of a member who has no method yet and whose mailbox
// does not exist: somebody whom no message reaches.
func bouncing(t *tenant.Tenant) string {
	var addresses []string
	for _, u := range t.Users() {
		id, _ := u["id"].(string)
		mail, _ := u["mail"].(string)
		if u["department"] == "Sales" && mail != "" && u["accountEnabled"] == true && !t.IsCapable(id) && !t.IsAdmin(id) {
			addresses = append(addresses, mail)
		}
	}
	slices.Sort(addresses)
	if len(addresses) == 0 {
		return ""
	}
	return addresses[0]
}

func sampleStory(emergencyTwo string) *Story {
	day := func(month time.Month, d int) rollout.Date { return rollout.Date{Year: 2026, Month: month, Day: d} }
	return &Story{
		Mends: true,
		Events: []Event{
			{day(time.October, 19), 14, 20, excludeConferencePhone},
			{day(time.November, 3), 9, 30, newColleague},
			{day(time.November, 10), 21, 15, func(w *world) error { return takeOut(w, "everyone", emergencyTwo) }},
			{day(time.November, 21), 3, 7, func(w *world) error {
				w.say("03:07 at night: somebody signs in with %s", w.nameOf(emergencyTwo))
				w.emergencySignIn(tenant.Attempt{UserID: emergencyTwo, AppID: tenant.AppAzurePortal, IP: "203.0.113.66", City: "Reykjavik", Country: "IS", Platform: "linux", MFAClaim: true})
				return nil
			}},
		},
	}
}

// takeOut removes an account from the exclusions of a wave's policy, as somebody
// might in the portal.
func takeOut(w *world, wave, account string) error {
	for _, id := range w.witness.created {
		p, err := w.tenant.Policy(id)
		if err != nil {
			return err
		}
		if name, _ := p["displayName"].(string); strings.HasSuffix(name, " "+wave) {
			w.say("somebody takes an emergency account out of the exclusions of %q", name)
			return w.tenant.Unexclude(id, account)
		}
	}
	return fmt.Errorf("wave %s has no policy yet", wave)
}

// excludeConferencePhone is a colleague excluding a meeting room's account from
// a policy of Sallyport: the exclusion has to stay.
func excludeConferencePhone(w *world) error {
	room, found := w.tenant.UserID("room-spree@contoso.com")
	if !found || len(w.witness.created) == 0 {
		return fmt.Errorf("no room or no policy to exclude it from")
	}
	for _, id := range w.witness.created {
		if !w.tenant.Addresses(id, room) {
			continue
		}
		if w.witness.strangers[id] == nil {
			w.witness.strangers[id] = map[string]bool{}
		}
		w.witness.strangers[id][room] = true
		if err := w.tenant.Exclude(id, "excludeUsers", room); err != nil {
			return err
		}
	}
	w.say("a colleague excludes a meeting room from the policy")
	return nil
}

// newColleague joins eight days before the deadline: too late for two weeks'
// notice.
func newColleague(w *world) error {
	w.say("Noor Okafor-Lind joins the firm")
	_, err := w.tenant.AddUser(tenant.Object{
		"displayName": "Noor Okafor-Lind", "userPrincipalName": "noor.okafor-lind@contoso.com", "mail": "noor.okafor-lind@contoso.com",
		"givenName": "Noor", "surname": "Okafor-Lind", "department": "Research", "usageLocation": "GB", "preferredLanguage": "en-GB",
		"assignedLicenses": []any{tenant.Object{"skuId": "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", "disabledPlans": []any{}}},
		"createdDateTime":  w.clock.Now().Format(time.RFC3339),
	})
	return err
}

package rehearsal_test

import (
	"context"
	"testing"

	"sallyport/infra/local/rehearsal"
	"sallyport/infra/local/tenant"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// A tenant without P1 goes by Security Defaults: no report, no log, no policy,
// and the switch all the same. What its licences cannot prove (the alert path,
// without a sign-in log) its operator has waived, with a reason.
func TestSecurityDefaults(t *testing.T) {
	t.Parallel()
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	clock := rehearsal.NewClock(rehearsal.SampleStart.At(0, 0, rollout.Config{}.Location()))
	free := tenant.SampleFree(1, clock)
	cfg, start := rehearsal.Propose(free, rehearsal.SampleStart)
	cfg.Waves = []rollout.WaveConfig{{Name: "everyone", Members: rollout.MembersAll, Deadline: cfg.Waves[2].Deadline, Coverage: 60}}
	cfg.Exemptions = []rollout.Exemption{{
		Account: "scanner@fabrikam.com", Kind: "serviceAccount", Alternative: "appPassword", Owner: "owner@fabrikam.com", Reason: "is replaced", Expires: cfg.Waves[0].Deadline.AddDays(60),
	}}
	until := cfg.Waves[0].Deadline.AddDays(30)
	for _, gate := range []string{"alert-path", "legacy", "service-accounts"} {
		cfg.Waivers = append(cfg.Waivers, rollout.Waiver{Gate: gate, Owner: "owner@fabrikam.com", Reason: "there is no sign-in log without a licence", Until: until})
	}
	clock.Set(start)
	timeline, err := rehearsal.Run(context.Background(), rehearsal.Options{
		Tenant: free, Clock: clock, Config: cfg, Start: start, Days: 70, Seed: 1, Renderer: renderer,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := timeline.Waves[0]; w.State != rollout.WaveSettled || timeline.Coverage.End != 100 {
		t.Errorf("the wave ends %s at %.1f %%, want settled at 100\n%s", w.State, timeline.Coverage.End, text(t, timeline))
	}
	if !free.SecurityDefaults() {
		t.Error("Security Defaults are not on")
	}
	if len(timeline.Violations) > 0 {
		t.Errorf("violations: %q", timeline.Violations)
	}
}

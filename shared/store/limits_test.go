package store_test

import (
	"fmt"
	"strings"
	"testing"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// The large records of a large tenant fit.
func largeRecordsFit(t *testing.T, s *store.Store) {
	ids := func(n int) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("6b0f2c4e-0000-4000-8000-%012d", i)
		}
		return all
	}
	audit := rollout.AuditRun{Findings: make([]rollout.Finding, 50)}
	for i := range audit.Findings {
		audit.Findings[i] = rollout.Finding{ID: fmt.Sprint("finding ", i), Text: strings.Repeat("t", 400), Accounts: ids(100)}
	}
	wave := rollout.Wave{Name: "everyone", History: make([]rollout.Move, 500)}
	for i := range wave.History {
		wave.History[i] = rollout.Move{From: rollout.WaveObserving, To: rollout.WaveHeld, At: noon, Reason: strings.Repeat("r", 300), Gates: []string{"emergency-excluded"}}
	}
	policy := rollout.OwnedPolicy{Marker: "marker", Draft: rollout.PolicyDraft{IncludeUsers: ids(5000), ExcludeUsers: ids(2000)}}
	ok(t, s.PutAudit(t.Context(), contoso, audit))
	ok(t, s.PutWave(t.Context(), contoso, wave))
	ok(t, s.PutPolicy(t.Context(), contoso, policy))
	same(t, audit, must(s.Audit(t.Context(), contoso))(t))
	same(t, wave.History, must(s.Wave(t.Context(), contoso, "everyone"))(t).History)
	same(t, policy.Draft, must(s.Policies(t.Context(), contoso))(t)[0].Draft)
}

// What does not fit is refused before the call, and named.
func tooLargeIsRefusedByName(t *testing.T, s *store.Store) {
	long := strings.Repeat("x", 410_000)
	ok(t, s.PutAudit(t.Context(), contoso, rollout.AuditRun{Method: rollout.MethodAuto}))
	refused := map[string]error{
		"contoso.onmicrosoft.com#audit current":                     s.PutAudit(t.Context(), contoso, rollout.AuditRun{Failed: long}),
		"contoso.onmicrosoft.com#account ana":                       saveAccount(s)(t.Context(), contoso, rollout.Account{ID: "ana", Evidence: long}),
		"contoso.onmicrosoft.com#message m1":                        s.ClaimMessage(t.Context(), contoso, rollout.Message{ID: "m1", Kind: rollout.MessageReminder, Account: "ana", Day: rollout.DateOf(noon), Reason: long}),
		"contoso.onmicrosoft.com#drill " + strings.Repeat("x", 100): s.PutDrill(t.Context(), contoso, rollout.Drill{ID: long[:1025]}),
	}
	for name, err := range refused {
		wantErr(t, store.ErrTooLarge, err)
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %q: %.300s", name, err)
		}
		if len(err.Error()) > 1000 {
			t.Errorf("the error repeats what was too large: %d bytes", len(err.Error()))
		}
	}
	same(t, rollout.MethodAuto, must(s.Audit(t.Context(), contoso))(t).Method)
	same(t, 0, len(must(s.Messages(t.Context(), contoso))(t)))
}

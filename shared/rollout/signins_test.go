package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/shared/rollout"
)

func TestSignInDigest(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 02:00")
	row := func(hours int, user, client string, code int, applied ...rollout.AppliedPolicy) rollout.SignIn {
		return rollout.SignIn{UserID: user, ClientAppUsed: client, ErrorCode: code, CreatedAt: now.Add(-time.Duration(hours) * time.Hour), Applied: applied}
	}
	ours := func(result string) rollout.AppliedPolicy {
		return rollout.AppliedPolicy{ID: policyEveryone, Result: result}
	}
	before := []rollout.LegacyUse{
		{Account: "m01", Client: "POP3", LastAt: now.Add(-6 * 24 * time.Hour)},
		{Account: "m02", Client: "POP3", LastAt: now.Add(-7 * 24 * time.Hour)},
	}
	d := rollout.NewSignInDigest(map[string]bool{policyEveryone: true}, before, now)
	d.Add([]rollout.SignIn{
		row(5, "m03", "Browser", 0, ours("reportOnlySuccess")),
		row(1, "m03", "Browser", 0, ours("unknownFutureValue"), rollout.AppliedPolicy{ID: "another", Result: "reportOnlyFailure"}),
		row(9, "m03", "Browser", 0, ours("reportOnlyFailure")),
		row(2, "m04", "Browser", 0, ours("success")), // from when it was on
		row(3, "m05", "IMAP4", 0),
		row(4, "m06", "IMAP4", 50126), // somebody guessed a password
		row(4, "m07", "Mobile Apps and Desktop clients", 0),
	})
	wantVerdicts := []rollout.Observation{{Account: "m03", Policy: policyEveryone, Result: "unknownFutureValue", LastAt: now.Add(-time.Hour)}}
	if diff := cmp.Diff(wantVerdicts, d.Observations()); diff != "" {
		t.Errorf("observations (-want +got):\n%s", diff)
	}
	wantLegacy := []rollout.LegacyUse{before[0], {Account: "m05", Client: "IMAP4", LastAt: now.Add(-3 * time.Hour)}}
	if diff := cmp.Diff(wantLegacy, d.Legacy()); diff != "" {
		t.Errorf("legacy (-want +got):\n%s", diff)
	}
}

// TestSignInDigestInAnyOrder: rows come late, twice and in any order.
func TestSignInDigestInAnyOrder(t *testing.T) {
	now := at(t, "UTC", "2027-01-12 02:00")
	rapid.Check(t, func(t *rapid.T) {
		var rows []rollout.SignIn
		for hour := range rapid.IntRange(0, 10).Draw(t, "rows") {
			rows = append(rows, rollout.SignIn{
				UserID: rapid.SampledFrom([]string{"m01", "m02"}).Draw(t, "user"), CreatedAt: now.Add(-time.Duration(hour) * time.Hour),
				ClientAppUsed: rapid.SampledFrom([]string{"Browser", "IMAP4"}).Draw(t, "client"),
				Applied:       []rollout.AppliedPolicy{{ID: policyEveryone, Result: rapid.SampledFrom([]string{"reportOnlySuccess", "reportOnlyFailure"}).Draw(t, "result")}},
			})
		}
		digest := func(rows []rollout.SignIn) ([]rollout.Observation, []rollout.LegacyUse) {
			d := rollout.NewSignInDigest(map[string]bool{policyEveryone: true}, nil, now)
			for page := range slices.Chunk(rows, 3) {
				d.Add(page)
			}
			return d.Observations(), d.Legacy()
		}
		observations, legacy := digest(rows)
		again := slices.Concat(rapid.Permutation(rows).Draw(t, "order"), rows)
		gotObservations, gotLegacy := digest(again)
		if diff := cmp.Diff(observations, gotObservations) + cmp.Diff(legacy, gotLegacy); diff != "" {
			t.Fatalf("in another order:\n%s", diff)
		}
	})
}

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sallyport/shared/rollout"
)

// The nightly proof stands beside a check: when it was made, what it found, what is
// otherwise now. An account that is asked about for the first time has not changed.
func TestLastProof(t *testing.T) {
	proof := func(id string, enabled rollout.Fact) rollout.EmergencyProof {
		return rollout.EmergencyProof{Account: id, Exists: rollout.Yes, Enabled: enabled, CloudOnly: rollout.Yes, GlobalAdmin: rollout.Yes}
	}
	at := time.Date(2026, 12, 1, 1, 7, 0, 0, time.UTC)
	last := rollout.ProvenEmergency{
		Version: 4, ReadAt: at, Proven: 2, Proofs: []rollout.EmergencyProof{proof(northGate, rollout.Yes)},
		Changes: []rollout.EmergencyChange{{Severity: rollout.SeverityCritical, Text: "The account was renamed.", Accounts: []string{northGate}, SeenAt: at.Add(-time.Hour)}},
	}
	var b bytes.Buffer
	answer := checked{Last: lastProofOf(last, []rollout.EmergencyProof{proof(northGate, rollout.No), proof(southGate, rollout.No)})}
	if err := writeChecked(&b, answer); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"Last nightly proof: 2026-12-01 01:07 UTC, 2 proven.", "since then, critical: The account was disabled. " + northGate, "2026-12-01 00:07 critical: The account was renamed.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(got, southGate) {
		t.Errorf("an account without an earlier proof is said to have changed:\n%s", b.String())
	}
	if none := lastProofOf(rollout.ProvenEmergency{}, nil).words(); !strings.Contains(none, "no nightly proof yet") {
		t.Errorf("without a proof: %s", none)
	}
}

package subscriptions_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass/touch"
	"sallyport/shared/rollout"
)

// proveGroups keeps a proof by which these groups hold both accounts.
func (w *world) proveGroups(t *testing.T, ids ...string) {
	t.Helper()
	ctx := context.Background()
	p, err := w.store.Emergency(ctx, contoso)
	if err != nil {
		p = rollout.ProvenEmergency{}
	}
	p.Accounts, p.Proofs = []string{first}, []rollout.EmergencyProof{{Account: first}}
	for _, id := range ids {
		p.Proofs[0].Excluding = append(p.Proofs[0].Excluding, rollout.PolicyGroup{ID: id, Opened: true, Holds: true, Within: []string{"inner-of-" + id}})
	}
	p.Proofs[0].Excluding = append(p.Proofs[0].Excluding, rollout.PolicyGroup{ID: "scanners", Opened: true})
	if err := w.store.PutEmergency(ctx, contoso, p); err != nil {
		t.Fatal(err)
	}
}

// The groups that keep an account out of policies are watched too, and those
// inside them, from the day on which a proof has found them.
func TestExclusionGroupsAreWatched(t *testing.T) {
	w := newWorld(t)
	w.mustRun(t, now)
	w.proveGroups(t, "eg")
	calls := w.mustRun(t, now.AddDate(0, 0, 1))
	const rest = " updated,deleted " + address + " " + secret + " 696h0m0s"
	if diff := cmp.Diff([]string{"create /groups/eg" + rest, "create /groups/inner-of-eg" + rest}, calls); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if calls := w.mustRun(t, now.AddDate(0, 0, 2)); len(calls) != 0 {
		t.Errorf("the next day it asks %v", calls)
	}
	if len(w.records(t)) != 4 {
		t.Errorf("records %v, want two of accounts and two of groups", w.records(t))
	}
}

// Without Group.Read.All groups are not watched: that is said, and the accounts
// are watched all the same.
func TestGroupsThatMayNotBeWatched(t *testing.T) {
	w := newWorld(t)
	w.graph.denied = true
	w.proveGroups(t, "eg")
	w.mustRun(t, now)
	if got := w.sum.String(); !strings.Contains(got, "groupsUnwatched 2") || len(w.records(t)) != 2 {
		t.Errorf("summary %q, records %v", got, w.records(t))
	}
}

// Each day's self-test is recorded before it is sent, and its address proves
// itself to webhook, for a while.
func TestProbe(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	for day := range 2 {
		at := now.AddDate(0, 0, day)
		w.mustRun(t, at)
		kept, err := w.store.Probe(ctx, contoso)
		if err != nil || !kept.SentAt.Equal(at) || !kept.HeardAt.IsZero() {
			t.Fatalf("day %d: kept %+v, %v", day, kept, err)
		}
		u, err := url.Parse(w.graph.probes[day])
		if err != nil || !strings.HasPrefix(w.graph.probes[day], address+"?") {
			t.Fatalf("address %s, %v", w.graph.probes[day], err)
		}
		probe := u.Query().Get(touch.ProbeParameter)
		e, ours := touch.ProvenProbe(probe, secret, at.Add(time.Second))
		if !ours || e.Probe != kept.ID || e.Tenant != string(contoso) || e.Source != touch.SourceProbe {
			t.Errorf("day %d: the probe says %+v, %v; kept is %+v", day, e, ours, kept)
		}
		for what, tt := range map[string]struct {
			probe, secret string
			at            time.Time
		}{
			"of somebody else":   {probe, "another", at},
			"without a secret":   {touch.NewProbe(string(contoso), "id", "", at), "", at},
			"of an hour ago":     {probe, secret, at.Add(time.Hour)},
			"for another tenant": {strings.Replace(probe, "contoso", "fabrikam", 1), secret, at},
			"empty":              {"", secret, at},
		} {
			if _, ours := touch.ProvenProbe(tt.probe, tt.secret, tt.at); ours {
				t.Errorf("a probe %s is taken", what)
			}
		}
		if strings.Contains(w.graph.probes[day], secret) {
			t.Error("the address tells the secret")
		}
	}
	// A run that is started again within the hour needs no other.
	w.mustRun(t, now.AddDate(0, 0, 1).Add(time.Minute))
	if len(w.graph.probes) != 2 {
		t.Errorf("%d self-tests in two days", len(w.graph.probes))
	}
}

// A self-test that Graph refuses is an error, and what watches stays watched. One
// that is left behind is never taken for the watch.
func TestProbeFails(t *testing.T) {
	w := newWorld(t)
	w.graph.refuses = errors.New("400: validation failed")
	if _, err := w.run(t, now); err == nil || !strings.Contains(err.Error(), "test the way in") {
		t.Errorf("error %v", err)
	}
	if len(w.records(t)) != 2 {
		t.Errorf("records %v", w.records(t))
	}
	w = newWorld(t)
	w.graph.live = []rollout.Subscription{{ID: "left", Resource: "users/" + strings.ToLower(first), ChangeType: "deleted", ExpiresAt: now.AddDate(0, 0, 20)}}
	if calls := w.mustRun(t, now); len(calls) != 2 {
		t.Errorf("asked %v, want a watch for each account", calls)
	}
}

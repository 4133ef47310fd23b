package integration_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/tenant"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// The steps build on each other: the first that fails ends the rollout.
func TestRollout(t *testing.T) {
	w := &world{cloud: newCloud(t), firm: newFirm(t)}
	w.run(t)
	loc, err := time.LoadLocation("Europe/London")
	must(t, err)
	w.start = rollout.DateOf(time.Now().In(loc))
	announcing := workingMorning(w.start, loc)
	reminding := deadline(w.start).AddDays(-7).At(9, 0, loc)

	for _, step := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"events/ is understood", w.samples},
		{"the operator applies rollout.yaml", func(t *testing.T) { must(t, w.table.PutConfig(t.Context(), w.config(t, w.start))) }},
		{"audit sees everybody", func(t *testing.T) { w.audited(t, 5, 7) }},
		{"subscriptions hears of emergency accounts, through webhook", w.subscribed},
		{"a drill proves the alert path", w.drilled},
		{"breakglass alerts on a touched emergency account", w.touched},
		{"enforce announces and creates, report-only", w.announced},
		{"remind and notify tell everybody, once", func(t *testing.T) { w.told(t, announcing) }},
		{"feedback knows that it was delivered", w.delivered},
		{"a week before the deadline one is left to remind", func(t *testing.T) { w.reminded(t, reminding) }},
		{"feedback knows that of the reminder, too", w.delivered},
		{"monitor runs with nothing to watch", func(t *testing.T) { w.job(t, "monitor", now()) }},
		{"weeks pass", func(t *testing.T) { w.daysPass(t, 3) }},
		{"enforce leaves events of another time alone", w.strangeEvents},
		{"enforce holds while nothing was observed", w.held},
		{"enforce switches", w.switched},
		{"the operator hears of it", w.operatorTold},
		{"monitor finds who is locked out", w.lockedOut},
		{"webhook says 503 when its queue is gone", w.queueGone},
		{"no log holds an address or a secret", w.discreet},
	} {
		began := time.Now()
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
		t.Logf("%5.1f s  %s", time.Since(began).Seconds(), step.name)
	}
}

// audited: coverage is what is true in the tenant.
func (w *world) audited(t *testing.T, capable, all int) {
	w.job(t, "audit", now())
	audit, err := w.table.Audit(t.Context(), domain)
	must(t, err)
	accounts, err := w.table.Accounts(t.Context(), domain)
	must(t, err)
	if audit.Coverage.Capable != capable || audit.Coverage.All != all || len(accounts) != len(w.Users()) {
		t.Errorf("%d of %d capable among %d accounts, want %d of %d among %d", audit.Coverage.Capable, audit.Coverage.All, len(accounts), capable, all, len(w.Users()))
	}
}

// subscribed: Graph asks webhook for the handshake before it answers.
func (w *world) subscribed(t *testing.T) {
	d := door{webhook: w.functions["webhook"]}
	must(t, json.Unmarshal(sample(t, "webhook-change.json"), &d.sample))
	w.SetCallBack(d)
	w.job(t, "subscriptions", now())
	var to []string
	for _, s := range w.Subscriptions() {
		if s["changeType"] != "deleted" { // the self-test's
			to = append(to, strings.TrimPrefix(s["resource"].(string), "/users/"))
		}
	}
	if diff := cmp.Diff(w.emergency[:], to); diff != "" {
		t.Errorf("subscriptions to other accounts than the emergency accounts (-want +got):\n%s", diff)
	}
	// The self-test's handshake came through webhook and the queue: twice, for Graph
	// asks the address of lifecycle notifications as well.
	heard := w.take(t, w.eventQueue)
	if len(heard.Records) != 2 {
		t.Fatalf("%d events in the queue, want the self-test's two", len(heard.Records))
	}
	w.batch(t, "breakglass", heard)
	probe, err := w.table.Probe(t.Context(), domain)
	must(t, err)
	if probe.HeardAt.IsZero() {
		t.Errorf("the self-test was not heard: %+v", probe)
	}
}

// touched: somebody disables an emergency account; Graph tells webhook, the
// event queue breakglass, and that everybody.
func (w *world) touched(t *testing.T) {
	must(t, w.SetEnabled(w.emergency[1], false))
	d := door{webhook: w.functions["webhook"]}
	must(t, json.Unmarshal(sample(t, "webhook-change.json"), &d.sample))
	for _, n := range w.TakeNotifications() {
		reply, err := d.call(t.Context(), "", string(n.Body))
		must(t, err)
		if reply.StatusCode != http.StatusAccepted {
			t.Fatalf("webhook answered %d", reply.StatusCode)
		}
	}
	hints := w.take(t, w.eventQueue)
	if len(hints.Records) != 1 {
		t.Fatalf("%d events in the queue, want 1", len(hints.Records))
	}
	w.batch(t, "breakglass", hints)
	must(t, w.SetEnabled(w.emergency[1], true))
	w.TakeNotifications() // that of the mending

	w.heard(t, 1, "disabled") // and nothing of the drills' sign-ins, which were read again
	alerts, err := w.table.Alerts(t.Context(), domain)
	must(t, err)
	if !slices.ContainsFunc(alerts, func(a rollout.Alert) bool {
		return a.Kind == rollout.AlertTampering && a.Account == w.emergency[1]
	}) {
		t.Errorf("no alert of the account that was touched: %+v", alerts)
	}
}

// heard: the security team got that many alerts about what was done, by mail and
// by SNS, and by SNS none of anything else since it was last asked.
func (w *world) heard(t *testing.T, n int, what string) {
	t.Helper()
	var texts []string
	for _, batch := range w.takeAll(t, w.alertQueue) {
		for _, record := range batch.Records {
			texts = append(texts, record.Body)
		}
	}
	var mails []letter
	for _, l := range w.mailsTo(t, "security@fabrikam.com") {
		if strings.Contains(l.Raw, what) {
			mails = append(mails, l)
		}
	}
	if len(texts) != n || len(mails) != n {
		t.Fatalf("%d alerts by SNS and %d by mail that say %q, want %d by each", len(texts), len(mails), what, n)
	}
	for _, text := range texts {
		if !strings.Contains(text, what) {
			t.Errorf("an alert by SNS says nothing of %q: %s", what, text)
		}
	}
}

func (w *world) mailsTo(t *testing.T, address string) []letter {
	t.Helper()
	return slices.DeleteFunc(w.mails(t), func(l letter) bool { return !strings.Contains(l.To, address) })
}

// drilled: breakglass opens a drill for each emergency account and asks the
// custodian; each signs in, and the alert closes the drill.
func (w *world) drilled(t *testing.T) {
	w.job(t, "breakglass", now())
	for _, id := range w.emergency {
		_, err := w.SignIn(tenant.Attempt{UserID: id, AppID: tenant.AppAzurePortal, IP: "203.0.113.66", City: "Leeds", Country: "GB", At: now(), MFAClaim: true})
		must(t, err)
	}
	w.job(t, "breakglass", now())
	w.heard(t, 2, "signed in")
	drills, err := w.table.Drills(t.Context(), domain)
	must(t, err)
	if len(drills) != 2 || drills[0].PassedAt.IsZero() || drills[1].PassedAt.IsZero() {
		t.Errorf("drills: %+v, want two that were passed", drills)
	}
	if n := w.post(t); n != 2 {
		t.Errorf("%d mails ask for a drill, want 2", n)
	}
}

// post carries the mail queue to notify, as Lambda's poller does, and returns
// how many messages SES took.
func (w *world) post(t *testing.T) int {
	t.Helper()
	before := len(w.mails(t))
	for _, batch := range w.takeAll(t, w.mailQueue) {
		w.batch(t, "notify", batch)
	}
	return len(w.mails(t)) - before
}

// announced: enforce needs an hour's run for each state that has to be read
// back: announced; the group; the policies; observing.
func (w *world) announced(t *testing.T) {
	for range 4 {
		w.job(t, "enforce", now())
	}
	w.waves(t, rollout.WaveObserving)
	policies := w.Policies()
	if len(policies) != 2 {
		t.Fatalf("%d policies, want one for each wave", len(policies))
	}
	for _, p := range policies {
		w.policyIs(t, p, rollout.StateReportOnly)
	}
	groups, err := w.table.Groups(t.Context(), domain)
	must(t, err)
	if len(groups) != 1 || !slices.Equal(w.TransitiveMembers(groups[0].ID), []string{w.ids["scanner"]}) {
		t.Errorf("groups %+v, want one with the exempted scanner in it", groups)
	}
}

// waves: all are in that state.
func (w *world) waves(t *testing.T, want rollout.WaveState) {
	t.Helper()
	waves, err := w.table.Waves(t.Context(), domain)
	must(t, err)
	if len(waves) != 2 {
		t.Fatalf("%d waves, want 2", len(waves))
	}
	for _, wave := range waves {
		if wave.State != want {
			t.Fatalf("wave %s is %s, want %s; its history: %+v", wave.Name, wave.State, want, wave.History)
		}
	}
}

// policyIs looks at the tenant's own policy.
func (w *world) policyIs(t *testing.T, p tenant.Object, state string) {
	t.Helper()
	if p["state"] != state {
		t.Errorf("policy %v is %v, want %s", p["displayName"], p["state"], state)
	}
	id, _ := p["id"].(string)
	for _, account := range append(w.emergency[:], w.ids["scanner"]) {
		if w.Addresses(id, account) {
			t.Errorf("policy %v addresses account %s, which must be left out", p["displayName"], account)
		}
	}
}

// told: everybody who is a person gets one notice; a second hour adds nothing.
func (w *world) told(t *testing.T, at time.Time) {
	w.job(t, "audit", at.Add(-time.Hour)) // on a weekend the next working day's
	w.job(t, "remind", at)
	w.job(t, "remind", at.Add(time.Hour))
	if n := w.post(t); n != 7 {
		t.Errorf("%d notices left, want 7", n)
	}
	for _, name := range []string{"ada", "ben", "cleo", "dev", "eve", late, never} {
		if n := len(w.mailsTo(t, name+"@contoso.com")); n != 1 {
			t.Errorf("%s got %d mails, want 1", name, n)
		}
	}
}

// delivered hands feedback SES's events in the shape that AWS documents: moto's
// are unlike it.
func (w *world) delivered(t *testing.T) {
	messages, err := w.table.Messages(t.Context(), domain)
	must(t, err)
	var batch events.SQSEvent
	for _, m := range messages {
		if m.State == rollout.MessageSent {
			batch.Records = append(batch.Records, delivery(t, m))
		}
	}
	if len(batch.Records) == 0 {
		t.Fatal("no message was sent")
	}
	w.batch(t, "feedback", batch)
	messages, err = w.table.Messages(t.Context(), domain)
	must(t, err)
	for _, m := range messages {
		if m.State != rollout.MessageDelivered || m.DeliveredAt.IsZero() {
			t.Errorf("message %s is %s (%s), want delivered", m.ID, m.State, m.Reason)
		}
	}
}

// delivery is the sample event, about that message.
func delivery(t *testing.T, m rollout.Message) events.SQSMessage {
	t.Helper()
	var batch events.SQSEvent
	must(t, json.Unmarshal(sample(t, "feedback-delivery.json"), &batch))
	record := batch.Records[0]
	var envelope, event map[string]any
	must(t, json.Unmarshal([]byte(record.Body), &envelope))
	must(t, json.Unmarshal([]byte(envelope["Message"].(string)), &event))
	sent := event["mail"].(map[string]any)
	sent["timestamp"] = now().Format(time.RFC3339)
	sent["tags"].(map[string]any)[mail.TagTenant] = []string{mail.Tag(domain)}
	sent["tags"].(map[string]any)[mail.TagMessage] = []string{mail.Tag(m.ID)}
	event["delivery"].(map[string]any)["timestamp"] = now().Format(time.RFC3339)
	message, err := json.Marshal(event)
	must(t, err)
	envelope["Message"] = string(message)
	body, err := json.Marshal(envelope)
	must(t, err)
	record.Body = string(body)
	return record
}

// reminded: one has registered since; only the other hears of it again.
func (w *world) reminded(t *testing.T, at time.Time) {
	must(t, w.Register(w.ids[late], tenant.AuthenticatorPush, now()))
	w.job(t, "audit", at.Add(-time.Hour))
	w.job(t, "remind", at)
	if n := w.post(t); n != 1 {
		t.Errorf("%d reminders left, want 1", n)
	}
	if n := len(w.mailsTo(t, never+"@contoso.com")); n != 2 {
		t.Errorf("who never registers got %d mails, want the notice and a reminder", n)
	}
}

// strangeEvents: the time of an event decides about the switch, so neither a
// late event nor one of the future counts.
func (w *world) strangeEvents(t *testing.T) {
	before := w.Journal()
	w.job(t, "enforce", now().Add(-2*time.Hour))
	w.job(t, "enforce", now().AddDate(0, 0, 30))
	if calls := len(w.Journal()) - len(before); calls != 0 {
		t.Errorf("enforce made %d requests for an event of another time", calls)
	}
}

// held: the deadline is here, and no sign-in has shown what the policies would
// do. Nothing is switched, and the operator hears why.
func (w *world) held(t *testing.T) {
	w.audited(t, 6, 7)
	w.job(t, "enforce", now())
	w.waves(t, rollout.WaveHeld)
	for _, p := range w.Policies() {
		w.policyIs(t, p, rollout.StateReportOnly)
	}
	if n := w.post(t); n != 2 {
		t.Errorf("%d mails about held waves, want 2", n)
	}
	waves, err := w.table.Waves(t.Context(), domain)
	must(t, err)
	for _, wave := range waves {
		if last := wave.History[len(wave.History)-1]; !slices.Equal(last.Gates, []string{"observed"}) {
			t.Errorf("wave %s is held by %v (%s), want the gate observed alone", wave.Name, last.Gates, last.Reason)
		}
	}
}

// switched: people have signed in, the audit has read what the policies said of
// it, every gate holds, and both policies are on.
func (w *world) switched(t *testing.T) {
	for name, id := range w.ids {
		if !strings.HasPrefix(name, "emergency") && name != "hana" {
			_, err := w.SignIn(tenant.Attempt{UserID: id, At: now()})
			must(t, err)
		}
	}
	w.audited(t, 6, 7)
	w.ForgetJournal()
	w.job(t, "enforce", now())
	w.waves(t, rollout.WaveEnforced)
	for _, p := range w.Policies() {
		w.policyIs(t, p, rollout.StateEnabled)
	}
	if writes := w.Writes(); len(writes) != 2 {
		t.Errorf("the switch of two waves made %d writes: %+v", len(writes), writes)
	}
	changes, err := w.table.Changes(t.Context(), domain)
	must(t, err)
	for _, c := range rollout.WritesOf(changes) {
		if c.Result.Result != rollout.ResultDone {
			t.Errorf("change %d ended with %q", c.Intent.Seq, c.Result.Result)
		}
	}
}

func (w *world) operatorTold(t *testing.T) {
	w.job(t, "enforce", now())
	if n := w.post(t); n != 2 {
		t.Errorf("%d mails about two switched waves, want 2", n)
	}
	w.ForgetJournal()
	w.job(t, "enforce", now())
	if n, writes := w.post(t), w.Writes(); n != 0 || len(writes) != 0 {
		t.Errorf("an hour later %d more mails and %d more writes, want none", n, len(writes))
	}
}

// lockedOut: who never registered is stopped, who is capable gets in, and the
// help desk hears of it.
func (w *world) lockedOut(t *testing.T) {
	stopped, err := w.SignIn(tenant.Attempt{UserID: w.ids[never], At: now()})
	must(t, err)
	passed, err := w.SignIn(tenant.Attempt{UserID: w.ids["cleo"], At: now()})
	must(t, err)
	if !stopped.Stopped() || passed.Code != 0 {
		t.Fatalf("the policies do not do what they are for: %+v and %+v", stopped, passed)
	}
	w.job(t, "monitor", now().Add(2*time.Hour)) // a failure is a lock-out once it is an hour old
	lockOuts, err := w.table.LockOuts(t.Context(), domain)
	must(t, err)
	if len(lockOuts) != 1 || lockOuts[0].Account != w.ids[never] {
		t.Errorf("lock-outs: %+v, want the one person who was stopped", lockOuts)
	}
	w.post(t)
	if n := len(w.mailsTo(t, "help@contoso.com")); n != 1 {
		t.Errorf("the help desk got %d mails, want 1", n)
	}
}

func (w *world) queueGone(t *testing.T) {
	_, err := w.queues.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &w.eventQueue})
	must(t, err)
	var reply events.APIGatewayV2HTTPResponse
	must(t, json.Unmarshal(w.invoke(t, "webhook", sample(t, "webhook-change.json")), &reply))
	if reply.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503, which Graph answers by coming again", reply.StatusCode)
	}
}

func (w *world) discreet(t *testing.T) {
	for name, f := range w.functions {
		log := f.Log()
		if log == "" {
			t.Errorf("%s has logged nothing: there is nothing to look at", name)
		}
		for _, secret := range []string{"@contoso.com", "@fabrikam.com", " Example", clientState, alertSecret} {
			if strings.Contains(log, secret) {
				t.Errorf("the log of %s holds %q", name, secret)
			}
		}
	}
}

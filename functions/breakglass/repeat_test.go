package breakglass_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

func (n *bench) contacts(t *testing.T, contacts ...rollout.Contact) {
	t.Helper()
	cfg, err := n.table.Config(context.Background(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Alerts.Contacts = contacts
	if err := n.table.PutConfig(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
}

func (n *bench) alerts(t *testing.T) []rollout.Alert {
	t.Helper()
	alerts, err := n.table.Alerts(context.Background(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	return alerts
}

// calls are the repetitions in the table: whom, when in minutes after the night's
// moment, and by what.
func (n *bench) calls(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, a := range n.alerts(t) {
		if a.Kind == rollout.AlertRepetition {
			all = append(all, fmt.Sprintf("%s %d %d", a.Contact, int(a.SeenAt.Sub(night).Minutes()), len(a.Delivered)))
		}
	}
	return all
}

// Nobody answers the alert: the contacts are called in turn, each call recorded,
// until somebody presses the button behind the link.
func TestRepeatedUntilAcknowledged(t *testing.T) {
	n := newBench(t)
	n.contacts(t, rollout.Contact{Name: "Ana", Email: "ana@fabrikam.com"}, rollout.Contact{Name: "Ben", Phone: "+442079460001"})
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0)}
	for m := 5; m <= 60; m += 5 {
		if m == 40 {
			n.hear(t, night.Add(39*time.Minute), touch.Event{
				Source: touch.SourceAck, Tenant: string(contoso), AlertID: n.email.sent[len(n.email.sent)-1], ReceivedAt: night.Add(38 * time.Minute),
			})
		}
		if err := n.poll(night.Add(time.Duration(m) * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"Ana 20 2", "Ben 35 2"}, n.calls(t)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for _, a := range n.alerts(t) {
		if a.ID == "signin-s1" && (a.AckedBy != "by link to Ben" || !a.AckedAt.Equal(night.Add(38*time.Minute))) {
			t.Errorf("acknowledged %q at %s", a.AckedBy, a.AckedAt)
		}
	}
}

// An attacker's thousand failed sign-ins are a thousand alerts, and one call.
func TestFloodIsOneCall(t *testing.T) {
	n := newBench(t)
	for i := range 1000 {
		n.directory.rows = append(n.directory.rows, row(fmt.Sprintf("s%04d", i), one, night, 50126))
	}
	for m := 5; m <= 20; m += 5 {
		if err := n.poll(night.Add(time.Duration(m) * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(n.email.sent); got != 1001 {
		t.Errorf("%d mails, want 1000 alerts and one call", got)
	}
	call := n.email.sent[len(n.email.sent)-1]
	n.hear(t, night.Add(21*time.Minute), touch.Event{Source: touch.SourceAck, Tenant: string(contoso), AlertID: call})
	if open := rollout.Unacknowledged(n.alerts(t)); len(open) > 0 {
		t.Errorf("%d alerts are open after the call was acknowledged", len(open))
	}
}

// A call that was claimed by a run that died, or that its channel did not take,
// is made by the next, once; one that is overtaken is not.
func TestCallIsMadeOnce(t *testing.T) {
	n := newBench(t)
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0)}
	for m := 5; m <= 25; m += 5 {
		n.email.down = m == 20
		if err := n.poll(night.Add(time.Duration(m) * time.Minute)); (err != nil) != n.email.down {
			t.Fatalf("minute %d: %v", m, err)
		}
	}
	if len(n.email.sent) != 2 || !strings.HasPrefix(n.email.sent[1], "repeat-") {
		t.Fatalf("mails %v, want the alert and one call", n.email.sent)
	}
	n.email.down = true
	for m := 30; m <= 50; m += 5 {
		_ = n.poll(night.Add(time.Duration(m) * time.Minute)) // fails while mail is down
	}
	n.email.down = false
	if err := n.poll(night.Add(52 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if len(n.email.sent) != 3 {
		t.Errorf("mails %v, want the newest call alone after the one that left", n.email.sent)
	}
}

// Two runs at the same time make one call.
func TestTwoRunsOneCall(t *testing.T) {
	n := newBench(t)
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0)}
	if err := n.poll(night.Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	behind := n.b
	behind.Table = stale{n.table, n.alerts(t)} // read before the other claimed
	for _, b := range []breakglass.Breakglass{n.b, behind} {
		if err := b.Run(context.Background(), contoso, night.Add(20*time.Minute), &job.Summary{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.calls(t); len(got) != 1 || len(n.email.sent) != 2 {
		t.Errorf("calls %v, mails %v; want one call", got, n.email.sent)
	}
}

type stale struct {
	breakglass.Table
	alerts []rollout.Alert
}

func (s stale) Alerts(context.Context, rollout.TenantID) ([]rollout.Alert, error) {
	return slices.Clone(s.alerts), nil
}

// An acknowledgement counts once, whoever replays it; a pair is acknowledged
// together; what is not there is nobody's; a drill's alert is asked for too.
func TestAcknowledge(t *testing.T) {
	n := newBench(t)
	n.hear(t, night.Add(6*time.Minute), firedAt("a1", night.Add(6*time.Minute)))
	ack := func(id string, minutes int) {
		n.hear(t, night.Add(time.Duration(minutes)*time.Minute), touch.Event{Source: touch.SourceAck, Tenant: string(contoso), AlertID: id})
	}
	ack("azureMonitor-a1-"+one, 7)
	ack("azureMonitor-a1-"+one, 700)
	ack("signin-nobody's", 8)
	// The row comes late and is looked after already; mail says what it was.
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0)}
	if err := n.poll(night.Add(10 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, a := range n.alerts(t) {
		if a.AckedBy != "by link" || !a.AckedAt.Equal(night.Add(7*time.Minute)) {
			t.Errorf("%s: acknowledged %q at %s", a.ID, a.AckedBy, a.AckedAt)
		}
	}
	if diff := cmp.Diff([]string{"azureMonitor-a1-" + one, "signin-s1"}, n.email.sent); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	if got := n.calls(t); len(got) > 0 {
		t.Errorf("calls %v", got)
	}
	// A tenant that is no longer there does not come back for ever.
	h := breakglass.Handler{Breakglass: n.b, Registry: n.table, Now: func() time.Time { return night }}
	body, err := json.Marshal(touch.Event{Source: touch.SourceAck, Tenant: "gone.onmicrosoft.com", AlertID: "signin-s1"})
	if err != nil {
		t.Fatal(err)
	}
	if reply := h.HandleQueue(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: string(body)}}}); len(reply.BatchItemFailures) > 0 {
		t.Errorf("came back: %v", reply.BatchItemFailures)
	}
}

// A delivery that is recorded meanwhile does not lose an acknowledgement.
func TestAcknowledgeWhileItMoves(t *testing.T) {
	n := newBench(t)
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0)}
	if err := n.poll(night.Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	before := n.alerts(t)
	moved := before[0]
	moved.Text = "moved"
	if err := n.table.PutAlert(t.Context(), contoso, moved); err != nil {
		t.Fatal(err)
	}
	acked, err := breakglass.Acknowledge(t.Context(), n.table, contoso, before, "Alex", night.Add(6*time.Minute))
	if err != nil || len(acked) != 1 {
		t.Fatalf("acknowledged %v, %v", acked, err)
	}
	again, err := breakglass.Acknowledge(t.Context(), n.table, contoso, before, "Somebody else", night.Add(9*time.Minute))
	if err != nil || len(again) != 0 {
		t.Errorf("again: %v, %v", again, err)
	}
	if a := n.alerts(t)[0]; a.AckedBy != "Alex" || a.Text != "moved" {
		t.Errorf("acknowledged %q, text %q", a.AckedBy, a.Text)
	}
}

// A channel that is new does not tell what is long past, and what somebody looks
// after is not sent again.
func TestOldAlertsAreNotSent(t *testing.T) {
	n := newBench(t)
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0)}
	if err := n.poll(night.Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	late := &channel{name: "new"}
	n.b.Channels = append(n.b.Channels, late)
	if err := n.poll(night.Add(25 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(late.sent, "signin-s1") {
		t.Errorf("the new channel told of %v", late.sent)
	}
}

// Each failure of a channel is counted where an alarm can see it.
func TestFailuresAreCounted(t *testing.T) {
	n := newBench(t)
	var metrics bytes.Buffer
	n.b.Metrics, n.sns.down = &metrics, true
	n.sns.name = "sms/1a2b3c4d"
	n.directory.rows = []rollout.SignIn{row("s1", one, night, 0), row("s2", two, night, 0)}
	_ = n.poll(night.Add(5 * time.Minute)) // fails for the channel that is down
	lines := strings.Split(strings.TrimSpace(metrics.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one for each alert:\n%s", len(lines), metrics.String())
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	if got["AlertChannelFailed"] != 1. || got["Function"] != "breakglass" || got["Channel"] != "sms" {
		t.Errorf("metric %v", got)
	}
}

package feedback_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sallyport/functions/feedback"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	contoso = rollout.TenantID("contoso.onmicrosoft.com")
	account = "6b0f0000-0000-4000-8000-000000000001"
	address = "ada@contoso.example"
	// messageID needs to be escaped in a tag.
	messageID = "announcement.all staff.6b0f"
)

var (
	sendingAt   = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	sentAt      = sendingAt.Add(time.Second)
	deliveredAt = sendingAt.Add(4 * time.Second)
	receivedAt  = sendingAt.Add(time.Minute)
)

// world is a table with one message in it, and the handler over it.
type world struct {
	store   *store.Store
	handler *feedback.Handler
	log     bytes.Buffer
}

func newWorld(t testing.TB, kind rollout.MessageKind, state rollout.MessageState) *world {
	t.Helper()
	w := &world{store: store.New(store.NewMemory())}
	m := rollout.Message{ID: messageID, Kind: kind, State: state, Day: rollout.DateOf(sendingAt), ClaimedAt: sendingAt}
	if kind.ToPerson() {
		m.Account = account
	}
	if state == rollout.MessageSending {
		m.SendingAt = sendingAt
	}
	if err := w.store.ClaimMessage(context.Background(), contoso, m); err != nil {
		t.Fatal(err)
	}
	w.handler = w.over(w.store)
	return w
}

func (w *world) over(table feedback.Table) *feedback.Handler {
	return &feedback.Handler{
		Feedback: feedback.Feedback{Table: table},
		Now:      func() time.Time { return receivedAt },
		Log:      slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
}

func (w *world) handle(t testing.TB, bodies ...string) (failed []string) {
	t.Helper()
	var batch events.SQSEvent
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprintf("record-%d", i), Body: body})
	}
	reply, err := w.handler.Handle(context.Background(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if reply.BatchItemFailures == nil {
		t.Error("a nil list of failures becomes null, and Lambda takes the batch for failed")
	}
	for _, f := range reply.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

func (w *world) message(t testing.TB) rollout.Message {
	t.Helper()
	m, err := w.store.Message(context.Background(), contoso, messageID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (w *world) unreachable(t testing.TB) map[string]string {
	t.Helper()
	u, err := w.store.Unreachable(context.Background(), contoso)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// sesEvent is an SES event of that type with one more object in it, about
// the one message.
func sesEvent(eventType, object string) string {
	return fmt.Sprintf(`{"eventType":%q,%s"mail":{"timestamp":%q,"source":"Contoso IT <it@contoso.example>","messageId":"0100-ses","destination":[%q],
		"headersTruncated":false,"tags":{"ses:configuration-set":["sallyport"],"message":[%q],"tenant":[%q]}}}`,
		eventType, object, sentAt.Format("2006-01-02T15:04:05.000Z"), address, mail.Tag(messageID), mail.Tag(string(contoso)))
}

func bounce(bounceType, subType string) string {
	return sesEvent("Bounce", fmt.Sprintf(`"bounce":{"bounceType":%q,"bounceSubType":%q,"bouncedRecipients":[
		{"emailAddress":%q,"action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}],"timestamp":"2026-12-01T09:00:30.000Z"},`, bounceType, subType, address))
}

func complaint(kind, subType string) string {
	return sesEvent("Complaint", fmt.Sprintf(`"complaint":{"complainedRecipients":[{"emailAddress":%q},{"emailAddress":"everybody@contoso.example"}],
		"complaintFeedbackType":%q,"complaintSubType":%s,"timestamp":"2026-12-01T09:02:00.000Z"},`, address, kind, subType))
}

func delivery() string {
	return sesEvent("Delivery", fmt.Sprintf(`"delivery":{"timestamp":%q,"processingTimeMillis":3000,"recipients":[%q],"smtpResponse":"250 ok"},`,
		deliveredAt.Format("2006-01-02T15:04:05.000Z"), address))
}

func viaSNS(t testing.TB, message string) string {
	t.Helper()
	quoted, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return `{"Type":"Notification","MessageId":"n1","TopicArn":"arn:aws:sns:eu-west-1:123456789012:mail","Message":` + string(quoted) + `,"Timestamp":"2026-12-01T09:00:05.000Z","SignatureVersion":"1"}`
}

func TestEachEvent(t *testing.T) {
	const (
		bounced    = "mail bounced for good"
		suppressed = "address is on the suppression list: nothing was sent"
		complained = "complained about our mail"
	)
	for name, tt := range map[string]struct {
		body        string
		state       rollout.MessageState
		unreachable string
	}{
		"delivery":                            {delivery(), rollout.MessageDelivered, ""},
		"delivery as notificationType":        {strings.Replace(delivery(), "eventType", "notificationType", 1), rollout.MessageDelivered, ""},
		"delivery through SNS":                {viaSNS(t, delivery()), rollout.MessageDelivered, ""},
		"send":                                {sesEvent("Send", `"send":{},`), rollout.MessageSent, ""},
		"permanent bounce":                    {bounce("Permanent", "General"), rollout.MessageBounced, bounced},
		"permanent bounce, no such mailbox":   {bounce("Permanent", "NoEmail"), rollout.MessageBounced, bounced},
		"permanent bounce of a new subtype":   {bounce("Permanent", "Novelty"), rollout.MessageBounced, bounced},
		"on the account's suppression list":   {bounce("Permanent", "OnAccountSuppressionList"), rollout.MessageBounced, suppressed},
		"on SES's suppression list":           {bounce("Permanent", "Suppressed"), rollout.MessageBounced, suppressed},
		"transient bounce":                    {bounce("Transient", "MailboxFull"), rollout.MessageSent, ""},
		"undetermined bounce":                 {bounce("Undetermined", "Undetermined"), rollout.MessageSent, ""},
		"bounce of an unknown type":           {bounce("Novelty", "Novelty"), rollout.MessageSent, ""},
		"complaint":                           {complaint("abuse", "null"), rollout.MessageSent, complained},
		"complaint without a type":            {complaint("", "null"), rollout.MessageSent, complained},
		"not-spam is no complaint":            {complaint("not-spam", "null"), rollout.MessageSent, ""},
		"suppressed because of a complaint":   {complaint("", `"OnAccountSuppressionList"`), rollout.MessageBounced, complained},
		"reject names the sender at times":    {strings.Replace(sesEvent("Reject", `"reject":{"reason":"Bad content"},`), address, "it@contoso.example", 1), rollout.MessageBounced, ""},
		"rendering failure":                   {sesEvent("Rendering Failure", `"failure":{"errorMessage":"attribute missing","templateName":"t"},`), rollout.MessageBounced, ""},
		"delivery delay":                      {sesEvent("DeliveryDelay", `"deliveryDelay":{"delayType":"TransientCommunicationFailure"},`), rollout.MessageSent, ""},
		"a type of tomorrow":                  {sesEvent("Levitation", ""), rollout.MessageSending, ""},
		"another's message":                   {strings.Replace(delivery(), mail.Tag(messageID), "announcement-of-another", 1), rollout.MessageSending, ""},
		"another tenant's":                    {strings.Replace(delivery(), mail.Tag(string(contoso)), mail.Tag("fabrikam.onmicrosoft.com"), 1), rollout.MessageSending, ""},
		"a tag that is not ours":              {strings.Replace(delivery(), mail.Tag(messageID), "half_an_escape_", 1), rollout.MessageSending, ""},
		"no tags":                             {strings.Replace(delivery(), `"tags"`, `"labels"`, 1), rollout.MessageSending, ""},
		"SES announcing itself in words":      {viaSNS(t, "Successfully validated SNS topic for Amazon SES event publishing."), rollout.MessageSending, ""},
		"SES announcing itself as an event":   {viaSNS(t, `{"notificationType":"AmazonSnsSubscriptionSucceeded","message":"ready"}`), rollout.MessageSending, ""},
		"several recipients, ours among them": {strings.Replace(bounce("Permanent", "General"), `{"emailAddress"`, `{"emailAddress":"bob@contoso.example"},{"emailAddress"`, 1), rollout.MessageBounced, bounced},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
			if failed := w.handle(t, tt.body); len(failed) > 0 {
				t.Fatalf("came back: %s", w.log.String())
			}
			m := w.message(t)
			if m.State != tt.state {
				t.Errorf("state %q, want %q", m.State, tt.state)
			}
			if got := w.unreachable(t)[account]; got != tt.unreachable {
				t.Errorf("unreachable %q, want %q", got, tt.unreachable)
			}
			if notice := !m.DeliveredAt.IsZero(); notice != (tt.state == rollout.MessageDelivered) {
				t.Errorf("delivered at %v in state %q: notice is counted from it", m.DeliveredAt, m.State)
			}
			version := m.Version
			w.handle(t, tt.body)
			if again := w.message(t); again.Version != version {
				t.Errorf("the same event again wrote version %d over %d", again.Version, version)
			}
		})
	}
}

// A message that went to a test address says nothing of the person's own.
func TestBounceOfATestAddressMarksNobody(t *testing.T) {
	w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
	if err := w.store.PutMessage(context.Background(), contoso, w.message(t).Redirect("test@contoso.example")); err != nil {
		t.Fatal(err)
	}
	w.handle(t, bounce("Permanent", "General"))
	if m := w.message(t); m.State != rollout.MessageBounced || len(w.unreachable(t)) != 0 {
		t.Errorf("state %s, unreachable %v; want it bounced and nobody marked", m.State, w.unreachable(t))
	}
}

func TestDeliveryKeepsItsTimes(t *testing.T) {
	w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
	w.handle(t, delivery())
	m := w.message(t)
	if !m.SentAt.Equal(sentAt) || !m.DeliveredAt.Equal(deliveredAt) {
		t.Errorf("sent %v delivered %v, want %v and %v", m.SentAt, m.DeliveredAt, sentAt, deliveredAt)
	}
	// A time that cannot be read must not count as told in the year 1, nor never.
	w = newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
	w.handle(t, strings.Replace(delivery(), deliveredAt.Format("2006-01-02T15:04:05.000Z"), "soon", 1))
	if m := w.message(t); !m.DeliveredAt.Equal(receivedAt) {
		t.Errorf("delivered %v, want the receipt %v", m.DeliveredAt, receivedAt)
	}
}

// The samples are what `sam local` sends too.
func TestSamples(t *testing.T) {
	const sample = "announcement.everyone.6b0f0000-0000-4000-8000-000000000101"
	for name, want := range map[string]struct {
		state       rollout.MessageState
		unreachable bool
	}{
		"delivery":             {rollout.MessageDelivered, false},
		"delivery-then-bounce": {rollout.MessageBounced, true},
		"bounce-permanent":     {rollout.MessageBounced, true},
		"bounce-suppressed":    {rollout.MessageBounced, true},
		"bounce-transient":     {rollout.MessageSent, false},
		"complaint":            {rollout.MessageSent, true},
		"complaint-not-spam":   {rollout.MessageSent, false},
		"reject":               {rollout.MessageBounced, false},
		"rendering-failure":    {rollout.MessageBounced, false},
		// Without a configuration set SES publishes no tags, so nobody can say
		// which message it was.
		"notification-type": {rollout.MessageSending, false},
		"topic-connected":   {rollout.MessageSending, false},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile("../../events/feedback-" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var batch events.SQSEvent
			if err := json.Unmarshal(raw, &batch); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
			ctx := context.Background()
			m := rollout.Message{ID: sample, Kind: rollout.MessageAnnouncement, Account: "another", State: rollout.MessageSending, Day: rollout.DateOf(sendingAt), ClaimedAt: sendingAt}
			if err := w.store.ClaimMessage(ctx, contoso, m); err != nil {
				t.Fatal(err)
			}
			reply, err := w.handler.Handle(ctx, batch)
			if err != nil || len(reply.BatchItemFailures) != 0 {
				t.Fatalf("%v, came back: %v", err, reply.BatchItemFailures)
			}
			m, err = w.store.Message(ctx, contoso, sample)
			if err != nil {
				t.Fatal(err)
			}
			if _, unreachable := w.unreachable(t)["another"]; m.State != want.state || unreachable != want.unreachable {
				t.Errorf("%s, unreachable %v; want %s and %v", m.State, unreachable, want.state, want.unreachable)
			}
		})
	}
}

// A message that was given back because nothing was heard of it for hours, and
// then is proven to have been taken, is not sent a second time.
func TestLateProofSettlesAReleasedMessage(t *testing.T) {
	w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageClaimed)
	w.handle(t, delivery())
	if m := w.message(t); m.State != rollout.MessageDelivered {
		t.Errorf("state %q, want delivered: it would be sent twice", m.State)
	}
}

func TestABounceAfterADeliveryTakesTheNoticeBack(t *testing.T) {
	w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSent)
	w.handle(t, delivery(), bounce("Permanent", "General"), delivery())
	m := w.message(t)
	if m.State != rollout.MessageBounced || !m.DeliveredAt.IsZero() {
		t.Errorf("state %q, delivered %v: the person was not told", m.State, m.DeliveredAt)
	}
}

// The operator's addresses share one message: one that bounces neither undoes
// the others' delivery nor makes anybody unreachable.
func TestOperatorMessageIsDeliveredIfAnyAddressWas(t *testing.T) {
	for _, order := range [][]string{
		{delivery(), bounce("Permanent", "General")},
		{bounce("Permanent", "General"), delivery()},
	} {
		w := newWorld(t, rollout.MessageHold, rollout.MessageSent)
		if failed := w.handle(t, order...); len(failed) != 0 {
			t.Errorf("came back: %v", failed)
		}
		if m := w.message(t); m.State != rollout.MessageDelivered || !m.DeliveredAt.Equal(deliveredAt) {
			t.Errorf("state %q at %v, want delivered", m.State, m.DeliveredAt)
		}
		if u := w.unreachable(t); len(u) != 0 {
			t.Errorf("unreachable %v, want nobody", u)
		}
	}
}

// Whatever the order and however often, a message's events end in one state.
func TestOrderAndRepetitionDoNotMatter(t *testing.T) {
	all := []string{
		delivery(), bounce("Permanent", "General"), bounce("Transient", "General"), complaint("abuse", "null"),
		sesEvent("Send", ""), sesEvent("DeliveryDelay", ""), sesEvent("Levitation", ""),
	}
	rapid.Check(t, func(rt *rapid.T) {
		kind := rapid.SampledFrom([]rollout.MessageKind{rollout.MessageReminder, rollout.MessageClosing}).Draw(rt, "kind")
		state := rapid.SampledFrom([]rollout.MessageState{rollout.MessageSending, rollout.MessageSent, rollout.MessageClaimed}).Draw(rt, "state")
		heard := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, len(all), rapid.ID).Draw(rt, "events")
		end := func(order []string) (rollout.Message, map[string]string) {
			w := newWorld(t, kind, state)
			if failed := w.handle(t, order...); len(failed) != 0 {
				t.Errorf("came back: %v", failed)
			}
			m := w.message(t)
			m.Version = 0
			return m, w.unreachable(t)
		}
		want, wantUnreachable := end(heard)
		other := rapid.Permutation(slices.Concat(heard, heard[:1])).Draw(rt, "order")
		got, gotUnreachable := end(other)
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("message (-one order +another):\n%s", diff)
		}
		if _, a := wantUnreachable[account]; a != (gotUnreachable[account] != "") {
			rt.Fatalf("unreachable %v in one order, %v in another", wantUnreachable, gotUnreachable)
		}
	})
}

// flaky is a table some of whose writes fail.
type flaky struct {
	feedback.Table
	failures []error // of the next writes of a message
	rival    func()  // runs before the next write: somebody was faster
}

func (f *flaky) PutMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error {
	if f.rival != nil {
		f.rival()
		f.rival = nil
	}
	if len(f.failures) > 0 {
		err := f.failures[0]
		f.failures = f.failures[1:]
		return err
	}
	return f.Table.PutMessage(ctx, t, m)
}

// Notify confirms the same message at the same time.
func TestRivalWriteIsReadAgain(t *testing.T) {
	w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
	w.handler = w.over(&flaky{Table: w.store, rival: func() {
		m := w.message(t)
		m.State, m.SentAt = rollout.MessageSent, sentAt.Add(time.Millisecond)
		if err := w.store.PutMessage(context.Background(), contoso, m); err != nil {
			t.Fatal(err)
		}
	}})
	if failed := w.handle(t, delivery()); len(failed) > 0 {
		t.Fatalf("came back: %s", w.log.String())
	}
	m := w.message(t)
	if m.State != rollout.MessageDelivered || !m.SentAt.Equal(sentAt.Add(time.Millisecond)) {
		t.Errorf("state %q sent %v: the rival's write is lost", m.State, m.SentAt)
	}
}

func TestOneBadEventDoesNotStopTheBatch(t *testing.T) {
	w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
	failed := w.handle(t, "no JSON", `"text"`, sesEvent("Delivery", `"delivery":7,`), delivery())
	if diff := cmp.Diff([]string{"record-0", "record-1", "record-2"}, failed); diff != "" {
		t.Errorf("came back (-want +got):\n%s", diff)
	}
	if m := w.message(t); m.State != rollout.MessageDelivered {
		t.Errorf("state %q, want delivered", m.State)
	}
}

// What is deeper or larger than any event of SES takes nothing else of its batch
// with it, and says nothing of the message.
func TestHostileEventsDoNotStopTheBatch(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	huge := strings.Repeat("x", 10<<20)
	hostile := []string{
		deep,
		sesEvent("Bounce", `"bounce":{"bounceType":`+deep+`},`),
		sesEvent("Bounce", `"novelty":`+deep+`,`),
		viaSNS(t, sesEvent("Bounce", `"novelty":`+deep+`,`)), // no JSON in the envelope: about no message
		huge,
		strings.Replace(bounce("Permanent", "General"), mail.Tag(messageID), huge, 1), // about a message that nobody sent
	}
	w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
	failed := w.handle(t, append(hostile, delivery())...)
	if diff := cmp.Diff([]string{"record-0", "record-1", "record-2", "record-4"}, failed); diff != "" {
		t.Errorf("came back (-want +got):\n%s", diff)
	}
	if m := w.message(t); m.State != rollout.MessageDelivered || len(w.unreachable(t)) != 0 {
		t.Errorf("state %q, unreachable %v; want delivered, and nobody", m.State, w.unreachable(t))
	}
}

// A run that dies between the mark and the message is made whole by the event's
// return, and so is a table that answers with errors for a while.
func TestFailedWriteComesAgain(t *testing.T) {
	down := errors.New("table is down")
	for name, failures := range map[string][]error{
		"down":              {down},
		"conflict for long": {store.ErrConflict, store.ErrConflict, store.ErrConflict, store.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
			table := &flaky{Table: w.store, failures: failures}
			w.handler = w.over(table)
			if failed := w.handle(t, bounce("Permanent", "General")); len(failed) != 1 {
				t.Fatalf("came back: %v, want the event", failed)
			}
			if m := w.message(t); m.State != rollout.MessageSending {
				t.Fatalf("state %q before the event came again", m.State)
			}
			if failed := w.handle(t, bounce("Permanent", "General")); len(failed) != 0 {
				t.Fatalf("came back again: %v", failed)
			}
			if m := w.message(t); m.State != rollout.MessageBounced || w.unreachable(t)[account] == "" {
				t.Errorf("state %q, unreachable %v", m.State, w.unreachable(t))
			}
		})
	}
}

func TestLogsCarryNoAddress(t *testing.T) {
	w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
	w.handle(t, delivery(), bounce("Permanent", "General"), complaint("abuse", "null"), "no JSON")
	if !strings.Contains(w.log.String(), "feedback") {
		t.Fatal("nothing was logged, so nothing was proven")
	}
	if strings.Contains(w.log.String(), "@") {
		t.Errorf("the log shows an address:\n%s", w.log.String())
	}
}

func FuzzParse(f *testing.F) {
	f.Add(delivery())
	f.Add(viaSNS(f, bounce("Permanent", "General")))
	f.Add(`{"Type":"Notification","Message":"words"}`)
	f.Add(`{"mail":{"tags":{"message":[]}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t, rollout.MessageAnnouncement, rollout.MessageSending)
		w.handle(t, body)
		if m := w.message(t); m.State == rollout.MessageDelivered && m.DeliveredAt.IsZero() {
			t.Errorf("delivered at no time: %s", body)
		}
	})
}

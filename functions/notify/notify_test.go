package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/jhillyerd/enmime/v2"

	"sallyport/functions/notify"
	"sallyport/shared/mail"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

const (
	contoso   = rollout.TenantID("contoso.onmicrosoft.com")
	megan     = "00000000-0000-4000-8000-00000000000a"
	emergency = "00000000-0000-4000-8000-0000000000e1"
)

var (
	// now is a Tuesday morning in London.
	now      = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	today    = rollout.DateOf(now)
	deadline = today.AddDays(21)
)

func config() rollout.Config {
	return rollout.Config{
		Tenant: contoso, TimeZone: "Europe/London", ReminderDays: []int{7, 3, 1},
		Waves: []rollout.WaveConfig{{Name: "everyone", Members: rollout.MembersAll, Deadline: deadline}},
		EmergencyAccounts: []rollout.EmergencyAccount{
			{ID: emergency, PasswordLocation: "Safe 1, head office", Custodian: "Chief Operating Officer"},
		},
		IncidentResponsePlan: "https://intranet.contoso.com/break-glass",
		Communication: rollout.Communication{
			From: "Contoso IT <it@contoso.com>", Languages: []string{"en", "de"},
			HelpDesk: rollout.HelpDesk{Name: "IT Help Desk", Email: "help@contoso.com", Phone: "+44 20 7946 0123", Hours: "8-18"},
			Training: rollout.Training{Title: "The second step", Start: "2026-12-08T10:00", Minutes: 30, Join: "https://meet.contoso.com/x"},
		},
		Alerts: rollout.Alerts{Email: []string{"security@contoso.com", "Night Desk <night@contoso.com>"}},
	}
}

func account() rollout.Account {
	return rollout.Account{
		ID: megan, UserPrincipalName: "megan@contoso.com", DisplayName: "Megan Bowen", Mail: "megan.bowen@contoso.com",
		Language: "de-AT", Class: rollout.ClassMember, Enabled: true, Capable: rollout.No, Registered: rollout.No,
	}
}

func announcement() rollout.Message {
	return rollout.Message{
		ID: "announcement.everyone." + megan, Kind: rollout.MessageAnnouncement, Account: megan, Wave: "everyone",
		Day: today, Deadline: deadline, State: rollout.MessageClaimed, ClaimedAt: now,
	}
}

// post is a mail provider that keeps what it takes.
type post struct {
	mu    sync.Mutex
	taken []mail.Envelope
	err   error  // what it answers
	lost  bool   // with err: it has taken the mail all the same
	while func() // runs while it has the mail
}

func (p *post) Send(_ context.Context, e mail.Envelope) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil || p.lost {
		p.taken = append(p.taken, e)
	}
	if p.while != nil {
		p.while()
	}
	return "provider-1", p.err
}

type world struct {
	store   *store.Store
	post    *post
	handler *notify.Handler
	log     bytes.Buffer
	now     time.Time
}

// renderer loads the templates once for all tests.
var renderer = sync.OnceValues(mail.NewRenderer)

func newWorld(t testing.TB) *world {
	t.Helper()
	renderer, err := renderer()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: store.New(store.NewMemory()), post: &post{}, now: now}
	w.handler = &notify.Handler{
		Notify: notify.Notify{Table: w.store, Renderer: renderer, Sender: w.post, Log: slog.New(slog.NewJSONHandler(&w.log, nil))},
		Now:    func() time.Time { return w.now },
	}
	w.configure(t, config())
	w.accounts(t, account())
	w.do(t, w.store.PutAudit(context.Background(), contoso, rollout.AuditRun{At: now, Organization: rollout.Organization{DisplayName: "Contoso Ltd"}}))
	return w
}

func (w *world) do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) configure(t testing.TB, cfg rollout.Config) {
	t.Helper()
	w.do(t, w.store.PutConfig(context.Background(), cfg))
}

func (w *world) accounts(t testing.TB, accounts ...rollout.Account) {
	t.Helper()
	_, _, err := w.store.SaveAccounts(context.Background(), contoso, accounts)
	w.do(t, err)
}

func (w *world) claim(t testing.TB, m rollout.Message) {
	t.Helper()
	w.do(t, w.store.ClaimMessage(context.Background(), contoso, m))
}

func (w *world) message(t testing.TB, id string) rollout.Message {
	t.Helper()
	m, err := w.store.Message(context.Background(), contoso, id)
	w.do(t, err)
	return m
}

func (w *world) unreachable(t testing.TB) map[string]string {
	t.Helper()
	u, err := w.store.Unreachable(context.Background(), contoso)
	w.do(t, err)
	return u
}

// deliver puts the messages through the handler as one batch and returns the
// ids of those that come again.
func (w *world) deliver(t testing.TB, ids ...string) []string {
	t.Helper()
	return w.deliverIn(context.Background(), t, ids...)
}

func (w *world) deliverIn(ctx context.Context, t testing.TB, ids ...string) []string {
	t.Helper()
	var batch events.SQSEvent
	for _, id := range ids {
		body, err := json.Marshal(outbox.Item{Tenant: contoso, MessageID: id})
		w.do(t, err)
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: id, Body: string(body)})
	}
	reply, err := w.handler.Handle(ctx, batch)
	w.do(t, err)
	if reply.BatchItemFailures == nil {
		t.Error("a nil list of failures becomes null, and Lambda takes the batch for failed")
	}
	var again []string
	for _, f := range reply.BatchItemFailures {
		again = append(again, f.ItemIdentifier)
	}
	return again
}

func (w *world) text(t testing.TB) *enmime.Envelope {
	t.Helper()
	if len(w.post.taken) != 1 {
		t.Fatalf("%d mails left, want 1; log:\n%s", len(w.post.taken), w.log.String())
	}
	parsed, err := enmime.ReadEnvelope(bytes.NewReader(w.post.taken[0].Raw))
	w.do(t, err)
	return parsed
}

func TestClaimedMessageIsSentOnce(t *testing.T) {
	w := newWorld(t)
	m := announcement()
	w.claim(t, m)

	if again := w.deliver(t, m.ID, m.ID); len(again) != 0 {
		t.Fatalf("came back: %v\n%s", again, w.log.String())
	}

	parsed := w.text(t)
	want := mail.Envelope{From: `"Contoso IT" <it@contoso.com>`, To: []string{"megan.bowen@contoso.com"}, MessageID: m.ID, Tenant: contoso}
	got := w.post.taken[0]
	got.Raw = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
	if lang := parsed.GetHeader("Content-Language"); lang != "de" {
		t.Errorf("language %q, want de for a preference of de-AT", lang)
	}
	if replyTo := parsed.GetHeader("Reply-To"); !strings.Contains(replyTo, "help@contoso.com") {
		t.Errorf("Reply-To %q, want the help desk", replyTo)
	}
	for _, say := range []string{"Megan Bowen", "Contoso Ltd", "22. Dezember 2026", "https://meet.contoso.com/x", "megan@contoso.com"} {
		if !strings.Contains(parsed.Text, say) {
			t.Errorf("the mail does not say %q:\n%s", say, parsed.Text)
		}
	}
	stored := w.message(t, m.ID)
	if stored.State != rollout.MessageSent || !stored.SentAt.Equal(now) || !stored.SendingAt.Equal(now) {
		t.Errorf("stored %+v, want sent now", stored)
	}
}

func TestMessageInAnotherStateIsSkipped(t *testing.T) {
	for _, state := range []rollout.MessageState{
		rollout.MessageSending, rollout.MessageSent, rollout.MessageDelivered, rollout.MessageBounced, rollout.MessageDropped,
	} {
		w := newWorld(t)
		m := announcement()
		m.State = state
		w.claim(t, m)
		if again := w.deliver(t, m.ID); len(again) != 0 || len(w.post.taken) != 0 {
			t.Errorf("%s: %d mails left, %v comes again; want neither", state, len(w.post.taken), again)
		}
		if got := w.message(t, m.ID).State; got != state {
			t.Errorf("%s became %s", state, got)
		}
	}
}

func TestNoLongerTrueIsDropped(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*rollout.Message, *rollout.Account, *rollout.Config)
		reason string
	}{
		"registered since":  {func(_ *rollout.Message, a *rollout.Account, _ *rollout.Config) { a.Capable = rollout.Yes }, "registered since"},
		"disabled since":    {func(_ *rollout.Message, a *rollout.Account, _ *rollout.Config) { a.Class = rollout.ClassDisabled }, "the account is now: disabled"},
		"gone":              {func(_ *rollout.Message, a *rollout.Account, _ *rollout.Config) { a.ID = "another" }, "the account is gone"},
		"no address":        {func(_ *rollout.Message, a *rollout.Account, _ *rollout.Config) { a.Mail = "" }, "the account has no mail address"},
		"wave taken out":    {func(_ *rollout.Message, _ *rollout.Account, c *rollout.Config) { c.Waves = nil }, "the wave is no longer in the plan"},
		"nobody stopped":    {func(m *rollout.Message, _ *rollout.Account, _ *rollout.Config) { m.Kind = rollout.MessageHoldout }, "the wave is no longer on"},
		"nobody locked out": {toOperator(rollout.MessageLockOut, "lockOuts", "[]"), "nobody is locked out"},
		"nobody to tell": {func(m *rollout.Message, _ *rollout.Account, c *rollout.Config) {
			m.Kind, m.Account, m.Details, c.Alerts.Email = rollout.MessageHold, "", map[string]string{"gates": "[]"}, nil
		}, "rollout.yaml names nobody to tell: see alerts.email"},
		"drill of a former emergency account": {toOperator(rollout.MessageDrill, "account", megan), "the account is no longer an emergency account"},
		"drill that is over": {func(m *rollout.Message, _ *rollout.Account, _ *rollout.Config) {
			m.Kind, m.Account = rollout.MessageDrill, ""
			m.Details = map[string]string{"account": emergency, "opens": "2026-11-01T09:00:00Z", "closes": now.Format(time.RFC3339)}
		}, "the drill's window is over"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, a, cfg := announcement(), account(), config()
			tt.change(&m, &a, &cfg)
			w.accounts(t, a)
			w.configure(t, cfg)
			w.claim(t, m)
			if again := w.deliver(t, m.ID); len(again) != 0 || len(w.post.taken) != 0 {
				t.Errorf("%d mails left, %v comes again; want neither\n%s", len(w.post.taken), again, w.log.String())
			}
			if got := w.message(t, m.ID); got.State != rollout.MessageDropped || got.Reason != tt.reason {
				t.Errorf("%s because %q, want dropped because %q", got.State, got.Reason, tt.reason)
			}
		})
	}
}

func toOperator(kind rollout.MessageKind, detail, value string) func(*rollout.Message, *rollout.Account, *rollout.Config) {
	return func(m *rollout.Message, _ *rollout.Account, _ *rollout.Config) {
		m.Kind, m.Account, m.Details = kind, "", map[string]string{detail: value}
	}
}

// A pause stops mail with the next batch and loses nothing: the message stays
// claimed, and the sweep after the pause queues it again.
func TestPauseKeepsTheClaim(t *testing.T) {
	w := newWorld(t)
	cfg := config()
	cfg.Paused = true
	w.configure(t, cfg)
	m := announcement()
	w.claim(t, m)
	if again := w.deliver(t, m.ID); len(again) != 0 || len(w.post.taken) != 0 {
		t.Errorf("%d mails left, %v comes again; want neither", len(w.post.taken), again)
	}
	if got := w.message(t, m.ID).State; got != rollout.MessageClaimed {
		t.Fatalf("state %s, want claimed", got)
	}
	w.configure(t, config())
	w.deliver(t, m.ID)
	if len(w.post.taken) != 1 {
		t.Errorf("%d mails left after the pause, want 1", len(w.post.taken))
	}
}

// A pause by hand holds for the next mail of the same batch.
func TestPauseByHandHoldsAtOnce(t *testing.T) {
	w := newWorld(t)
	first, second := announcement(), rollout.Message{ID: "second", Kind: rollout.MessageClosing, State: rollout.MessageClaimed, ClaimedAt: now}
	w.claim(t, first)
	w.claim(t, second)
	run := w.handler.Notify.Begin(now)
	if got, err := run.Send(context.Background(), outbox.Item{Tenant: contoso, MessageID: first.ID}); got != notify.OutcomeSent || err != nil {
		t.Fatalf("the first is %s, %v", got, err)
	}
	w.do(t, w.store.PutPause(context.Background(), contoso, rollout.Pause{Paused: true}))
	if got, err := run.Send(context.Background(), outbox.Item{Tenant: contoso, MessageID: second.ID}); got != notify.OutcomePaused || err != nil {
		t.Errorf("the second is %s, %v; want it kept back", got, err)
	}
}

func TestRefusals(t *testing.T) {
	quota := &smithy.GenericAPIError{Code: "Throttling", Message: "Maximum sending rate exceeded for it@contoso.com"}
	for name, tt := range map[string]struct {
		err   error
		lost  bool
		state rollout.MessageState
		again bool
		left  int // mails after the provider has recovered and the item came again
	}{
		"rejected":      {fmt.Errorf("%w: megan.bowen@contoso.com", mail.ErrRejected), false, rollout.MessageBounced, false, 0},
		"throttled":     {fmt.Errorf("%w: %w", mail.ErrThrottled, quota), false, rollout.MessageClaimed, true, 1},
		"not set up":    {mail.ErrNotSetUp, false, rollout.MessageClaimed, true, 1},
		"time-out":      {context.DeadlineExceeded, true, rollout.MessageSending, false, 1},
		"unknown error": {&smithy.GenericAPIError{Code: "InternalFailure", Message: "for megan.bowen@contoso.com"}, false, rollout.MessageSending, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := announcement()
			w.claim(t, m)
			w.post.err, w.post.lost = tt.err, tt.lost
			if again := len(w.deliver(t, m.ID)) == 1; again != tt.again {
				t.Errorf("comes again: %v, want %v", again, tt.again)
			}
			if got := w.message(t, m.ID).State; got != tt.state {
				t.Errorf("state %s, want %s", got, tt.state)
			}
			if _, marked := w.unreachable(t)[megan]; marked != (tt.state == rollout.MessageBounced) {
				t.Errorf("unreachable: %v in state %s", marked, tt.state)
			}
			if strings.Contains(w.log.String(), "@") {
				t.Errorf("the log shows an address:\n%s", w.log.String())
			}
			w.post.err = nil
			w.deliver(t, m.ID)
			if len(w.post.taken) != tt.left {
				t.Errorf("%d mails left in the end, want %d", len(w.post.taken), tt.left)
			}
		})
	}
}

func TestAddressThatCannotBeWrittenToIsUnreachable(t *testing.T) {
	w := newWorld(t)
	a := account()
	a.Mail = "megan bowen@contoso"
	w.accounts(t, a)
	m := announcement()
	w.claim(t, m)
	if again := w.deliver(t, m.ID); len(again) != 0 || len(w.post.taken) != 0 {
		t.Errorf("%d mails left, %v comes again; want neither", len(w.post.taken), again)
	}
	if got := w.message(t, m.ID); got.State != rollout.MessageBounced || w.unreachable(t)[megan] == "" {
		t.Errorf("%s, unreachable %v; want bounced and unreachable", got.State, w.unreachable(t))
	}
}

// A mistake in the operator's own addresses is nobody's unreachability.
func TestMistakeInConfigMarksNobody(t *testing.T) {
	for name, spoil := range map[string]func(*rollout.Config){
		"from":      func(c *rollout.Config) { c.Communication.From = "Contoso IT" },
		"help desk": func(c *rollout.Config) { c.Communication.HelpDesk.Email = "help desk" },
		"alerts":    func(c *rollout.Config) { c.Alerts.Email = []string{"security"} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cfg := config()
			spoil(&cfg)
			w.configure(t, cfg)
			m := announcement()
			if name == "alerts" {
				m.Kind, m.Account, m.Details = rollout.MessageHold, "", map[string]string{"gates": "[]"}
			}
			w.claim(t, m)
			if again := w.deliver(t, m.ID); len(again) != 1 {
				t.Errorf("comes again: %v, want the message", again)
			}
			if got := w.message(t, m.ID).State; got != rollout.MessageClaimed || len(w.unreachable(t)) != 0 {
				t.Errorf("%s, unreachable %v; want claimed and nobody", got, w.unreachable(t))
			}
			if !strings.Contains(w.log.String(), "rollout.yaml") {
				t.Errorf("the log does not say what to mend: %s", w.log.String())
			}
		})
	}
}

// broken is a table whose writes of a message fail in a given state, as if the
// run had ended there.
type broken struct {
	*store.Store
	at  rollout.MessageState
	err error
}

func (b *broken) PutMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error {
	if m.State == b.at {
		return b.err
	}
	return b.Store.PutMessage(ctx, t, m)
}

// Wherever a run ends, the message is sent at most once, and what is in doubt
// waits for the provider's word.
func TestRunThatEndsHalfWay(t *testing.T) {
	down := errors.New("the table is down")
	for name, tt := range map[string]struct {
		at    rollout.MessageState
		err   error
		state rollout.MessageState // after the run
		again bool
		taken int // in the end, with the table back and the item come again
	}{
		"before sending":           {rollout.MessageSending, down, rollout.MessageClaimed, true, 1},
		"a rival was faster":       {rollout.MessageSending, store.ErrConflict, rollout.MessageClaimed, false, 1},
		"after sending":            {rollout.MessageSent, down, rollout.MessageSending, false, 1},
		"feedback was faster":      {rollout.MessageSent, store.ErrConflict, rollout.MessageSending, false, 1},
		"cannot record the bounce": {rollout.MessageBounced, down, rollout.MessageSending, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			table := &broken{Store: w.store, at: tt.at, err: tt.err}
			w.handler.Notify.Table = table
			m := announcement()
			w.claim(t, m)
			if tt.at == rollout.MessageBounced {
				w.post.err = mail.ErrRejected
			}
			if again := len(w.deliver(t, m.ID)) == 1; again != tt.again {
				t.Errorf("comes again: %v, want %v", again, tt.again)
			}
			if got := w.message(t, m.ID).State; got != tt.state {
				t.Errorf("state %s, want %s", got, tt.state)
			}
			table.at, w.post.err = "", nil
			w.deliver(t, m.ID)
			if len(w.post.taken) != tt.taken {
				t.Errorf("%d mails left in the end, want %d", len(w.post.taken), tt.taken)
			}
		})
	}
}

// The provider's own word may be here before ours.
func TestFeedbackIsNotOverwritten(t *testing.T) {
	w := newWorld(t)
	m := announcement()
	w.claim(t, m)
	w.post.while = func() {
		sending := w.message(t, m.ID)
		sending.State, sending.DeliveredAt = rollout.MessageDelivered, now
		w.do(t, w.store.PutMessage(context.Background(), contoso, sending))
	}
	w.deliver(t, m.ID)
	if got := w.message(t, m.ID); got.State != rollout.MessageDelivered || !got.DeliveredAt.Equal(now) {
		t.Errorf("%s at %v, want delivered", got.State, got.DeliveredAt)
	}
	if strings.Contains(w.log.String(), "WARN") {
		t.Errorf("it is nothing to warn of:\n%s", w.log.String())
	}
}

// A run that is cut off while the provider has the mail still records it.
func TestEndOfTheRunDoesNotLoseTheRecord(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	w.post.while = cancel
	w.handler.Notify.Table = &attentive{w.store}
	first, second := announcement(), announcement()
	second.ID, second.Day = "announcement-2", today.AddDays(1)
	w.claim(t, first)
	w.claim(t, second)
	if diff := cmp.Diff([]string{second.ID}, w.deliverIn(ctx, t, first.ID, second.ID)); diff != "" {
		t.Errorf("comes again (-want +got):\n%s", diff)
	}
	if got := w.message(t, first.ID).State; got != rollout.MessageSent {
		t.Errorf("state %s, want sent", got)
	}
	if len(w.post.taken) != 1 {
		t.Errorf("%d mails left, want 1: the second must not begin", len(w.post.taken))
	}
}

// attentive is a table that records no success once its context has ended.
type attentive struct{ *store.Store }

func (a *attentive) PutMessage(ctx context.Context, t rollout.TenantID, m rollout.Message) error {
	if err := ctx.Err(); err != nil && m.State == rollout.MessageSent {
		return err
	}
	return a.Store.PutMessage(ctx, t, m)
}

func TestTooLittleTimeBeginsNothing(t *testing.T) {
	w := newWorld(t)
	m := announcement()
	w.claim(t, m)
	w.now = time.Now() // the context's deadline is in real time
	ctx, cancel := context.WithDeadline(context.Background(), w.now.Add(4*time.Second))
	defer cancel()
	if again := w.deliverIn(ctx, t, m.ID); len(again) != 1 || len(w.post.taken) != 0 {
		t.Errorf("%d mails left, %v comes again; want none and the message", len(w.post.taken), again)
	}
}

// After a refusal for being too fast, the rest of the batch is not tried.
func TestThrottlingEndsTheBatch(t *testing.T) {
	w := newWorld(t)
	tries := 0
	w.post.err = mail.ErrThrottled
	w.post.while = func() { tries++ }
	var ids []string
	for i := range 3 {
		m := announcement()
		m.ID, m.Day = fmt.Sprint("m", i), today.AddDays(i)
		w.claim(t, m)
		ids = append(ids, m.ID)
	}
	if diff := cmp.Diff(ids, w.deliver(t, ids...)); diff != "" {
		t.Errorf("comes again (-want +got):\n%s", diff)
	}
	if tries != 1 {
		t.Errorf("the provider was asked %d times, want 1", tries)
	}
}

func TestOneBadItemDoesNotStopTheBatch(t *testing.T) {
	w := newWorld(t)
	m := announcement()
	w.claim(t, m)
	batch := events.SQSEvent{Records: []events.SQSMessage{
		{MessageId: "broken", Body: "{"},
		{MessageId: "unknown", Body: `{"tenant":"contoso.onmicrosoft.com","messageId":"never claimed"}`},
		{MessageId: "good", Body: fmt.Sprintf(`{"tenant":%q,"messageId":%q}`, contoso, m.ID)},
	}}
	reply, err := w.handler.Handle(context.Background(), batch)
	w.do(t, err)
	want := []events.SQSBatchItemFailure{{ItemIdentifier: "broken"}, {ItemIdentifier: "unknown"}}
	if diff := cmp.Diff(want, reply.BatchItemFailures); diff != "" {
		t.Errorf("comes again (-want +got):\n%s", diff)
	}
	if len(w.post.taken) != 1 {
		t.Errorf("%d mails left, want 1", len(w.post.taken))
	}
}

// The sample is what `sam local` sends too.
func TestSample(t *testing.T) {
	raw, err := os.ReadFile("../../events/notify-mail.json")
	if err != nil {
		t.Fatal(err)
	}
	var batch events.SQSEvent
	if err := json.Unmarshal(raw, &batch); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	first := announcement()
	first.ID = "announcement.everyone.6b0f0000-0000-4000-8000-000000000101"
	w.claim(t, first) // the second of the batch was never claimed here
	reply, err := w.handler.Handle(context.Background(), batch)
	w.do(t, err)
	if len(batch.Records) != 2 || len(reply.BatchItemFailures) != 1 || reply.BatchItemFailures[0].ItemIdentifier != batch.Records[1].MessageId {
		t.Errorf("of %d records %v come again, want the second of two", len(batch.Records), reply.BatchItemFailures)
	}
	if got := w.message(t, first.ID).State; got != rollout.MessageSent {
		t.Errorf("state %s, want sent", got)
	}
}

// A claim that waited into another day takes that day's lock: nobody gets two
// messages in a day. A notice still gives its full time.
func TestLateClaimMovesToToday(t *testing.T) {
	w := newWorld(t)
	m := announcement()
	m.Day, m.Deadline = today.AddDays(-2), today.AddDays(12)
	w.claim(t, m)
	w.deliver(t, m.ID)
	got := w.message(t, m.ID)
	if got.State != rollout.MessageSent || got.Day != today || got.Deadline != today.AddDays(14) {
		t.Errorf("%s on %s with deadline %s, want sent on %s with deadline %s", got.State, got.Day, got.Deadline, today, today.AddDays(14))
	}
	if text := w.text(t).Text; !strings.Contains(text, "15. Dezember 2026") {
		t.Errorf("the mail says another deadline than the record:\n%s", text)
	}
}

func TestLateClaimWaitsForAFreeDay(t *testing.T) {
	w := newWorld(t)
	late, other := announcement(), announcement()
	late.ID, late.Day = "late", today.AddDays(-1)
	other.ID = "other"
	w.claim(t, late)
	w.claim(t, other)
	w.deliver(t, other.ID, late.ID)
	if len(w.post.taken) != 1 || w.post.taken[0].MessageID != other.ID {
		t.Errorf("%d mails left, want today's alone", len(w.post.taken))
	}
	if got := w.message(t, late.ID).State; got != rollout.MessageClaimed {
		t.Errorf("state %s, want claimed: its turn comes", got)
	}
	w.now = now.AddDate(0, 0, 1)
	w.deliver(t, late.ID)
	if len(w.post.taken) != 2 {
		t.Errorf("%d mails left the day after, want 2", len(w.post.taken))
	}
}

package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/aws/aws-lambda-go/events"

	"sallyport/functions/audit"
	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/functions/enforce"
	"sallyport/functions/feedback"
	"sallyport/functions/monitor"
	"sallyport/functions/notify"
	"sallyport/functions/remind"
	"sallyport/functions/webhook"
	"sallyport/infra/local/tenant"
	"sallyport/shared/archive"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/outbox"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// The two app registrations of the simulation.
const (
	readerApp = "5a11e900-0000-4000-8000-000000000001"
	writerApp = "5a11e900-0000-4000-8000-000000000002"
)

// world is everything around the functions: the tenant, the table, the queues,
// the mailbox and the schedule. The functions are those that run in Lambda.
type world struct {
	options Options
	cfg     rollout.Config
	clock   *Clock
	agenda  *agenda
	faults  *faults
	tenant  *tenant.Tenant
	table   *store.Store // as the functions see it, faults included
	truth   *store.Store // the same table without faults, for those who watch
	archive archive.Archive
	mails   *queue[outbox.Item]
	events  *queue[string] // SES's events, as SNS hands them to SQS
	touches *queue[touch.Event]
	mailbox *mailbox
	people  *people
	witness *witness
	said    []string                    // what happened since the last progress line
	mailed  map[rollout.MessageKind]int // messages that left since then

	// What a Lambda instance keeps between invocations; a crash takes it away.
	functions *functions
	owners    int
	failures  map[string]int
}

// functions are the handlers of one cold start.
type functions struct {
	audit      audit.Handler
	remind     remind.Handler
	enforce    enforce.Handler
	monitor    monitor.Handler
	breakglass breakglass.Handler
	notify     notify.Handler
	feedback   feedback.Handler
	webhook    webhook.Handler
}

// appCredential gives the tokens of one app registration of the simulated
// tenant.
type appCredential struct {
	tenant *tenant.Tenant
	clock  *Clock
	app    string
	held   azcore.AccessToken
}

func (c *appCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if c.clock.Now().Add(5 * time.Minute).Before(c.held.ExpiresOn) {
		return c.held, nil
	}
	token, expires, err := c.tenant.Token(c.app)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	c.held = azcore.AccessToken{Token: token, ExpiresOn: expires}
	return c.held, nil
}

// coldStart builds the functions as their mains do, on this world instead of on
// AWS and Microsoft.
func (w *world) coldStart() (*functions, error) {
	quiet := slog.New(slog.NewJSONHandler(w.options.Log, nil))
	client := func(app string) (*graph.Client, error) {
		return graph.New(graph.Options{
			Credential: &appCredential{tenant: w.tenant, clock: w.clock, app: app}, Clock: w.clock, Log: quiet,
			Transport: faultyTransport{w.tenant.Transport(), w.faults},
		})
	}
	reader, err := client(readerApp)
	if err != nil {
		return nil, fmt.Errorf("build the reader's Graph client: %w", err)
	}
	writer, err := client(writerApp)
	if err != nil {
		return nil, fmt.Errorf("build the writer's Graph client: %w", err)
	}
	out := outbox.Outbox{Table: w.table, Queue: faultyQueue{mailQueue{w.mails}, w.faults}}
	sender := faultySender{w.mailbox, w.faults}
	runner := func(ttl time.Duration) job.Runner {
		return job.Runner{
			Leases: w.table, Clock: w.clock, Log: quiet, Metrics: io.Discard, TTL: ttl, Bound: job.Unbounded,
			Owner: func() string { w.owners++; return fmt.Sprintf("run-%d", w.owners) },
		}
	}
	f := &functions{}
	f.audit = audit.Handler{Tenants: w.table, Runner: runner(15 * time.Minute), Audit: audit.Audit{
		Table: w.table, Archive: faultyArchive{w.archive, w.faults}, Now: w.clock.Now,
		Graph: func(context.Context, rollout.TenantID) (audit.Graph, error) { return reader, nil },
	}}
	f.remind = remind.Handler{Tenants: w.table, Runner: runner(15 * time.Minute), Remind: remind.Remind{Table: w.table, Outbox: out}}
	f.enforce = enforce.Handler{Tenants: w.table, Runner: runner(15 * time.Minute), Enforce: enforce.Enforce{
		Table: w.table, Outbox: out, Log: quiet, Clock: w.clock, Graph: func(context.Context, rollout.TenantID) (enforce.Graph, error) { return writer, nil },
	}}
	f.monitor = monitor.Handler{Tenants: w.table, Runner: runner(15 * time.Minute), Monitor: monitor.Monitor{
		Table: w.table, Outbox: out, Log: quiet, Graph: func(context.Context, rollout.TenantID) (monitor.Graph, error) { return reader, nil },
	}}
	f.breakglass = breakglass.Handler{Registry: w.table, Runner: runner(4 * time.Minute), Now: w.clock.Now, Breakglass: breakglass.Breakglass{
		Table: w.table, Outbox: out, Log: quiet, Graph: func(context.Context, rollout.TenantID) (breakglass.Graph, error) { return reader, nil },
		Channels: []breakglass.Channel{breakglass.Email{Renderer: w.options.Renderer, Sender: sender}}, Links: ackLinks(),
	}}
	door := webhook.NewReceiver("", "", nil, touches{w.touches})
	door.AckSecret = ackSecret
	f.webhook = webhook.Handler{Receiver: door, Now: w.clock.Now, Log: quiet, Metrics: io.Discard}
	f.notify = notify.Handler{Now: w.clock.Now, Notify: notify.Notify{Table: w.table, Renderer: w.options.Renderer, Sender: sender, Log: quiet}}
	f.feedback = feedback.Handler{Now: w.clock.Now, Log: quiet, Feedback: feedback.Feedback{Table: w.table}}
	return f, nil
}

// invoke calls a function as Lambda does: a crash loses the instance, and only
// that.
func (w *world) invoke(name string, call func(context.Context, *functions) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c, is := r.(crash)
			if !is {
				panic(r) //nolint:forbidigo // a mistake of the program is passed on
			}
			w.functions = nil
			err = fmt.Errorf("died after %s", c.after)
		}
		if err != nil {
			w.failures[name]++
			w.options.failed(w.clock.Now(), name, err)
		}
	}()
	if w.functions == nil {
		if w.functions, err = w.coldStart(); err != nil {
			return err
		}
	}
	return call(context.Background(), w.functions)
}

// retries are when Lambda repeats an asynchronous invocation that failed.
// Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
var retries = [...]time.Duration{time.Minute, 2 * time.Minute}

// schedule runs a job at its times, and again after a failure.
func (w *world) schedule(name string, next func(time.Time) time.Time, call func(context.Context, *functions, job.ScheduledEvent) error) {
	var run func(at time.Time, attempt int)
	run = func(at time.Time, attempt int) {
		err := w.invoke(name, func(ctx context.Context, f *functions) error { return call(ctx, f, job.ScheduledEvent{Time: at}) })
		if err != nil && attempt < len(retries) {
			w.agenda.put(w.clock.Now().Add(retries[attempt]), func() { run(at, attempt+1) })
		}
		w.witness.afterJob(name)
	}
	w.agenda.every(next(w.clock.Now()), next, func(at time.Time) { run(at, 0) })
}

// start puts the schedule of template.yaml on the agenda.
func (w *world) start() {
	loc := w.cfg.Location()
	w.schedule("audit", daily(2, 0, loc), func(ctx context.Context, f *functions, e job.ScheduledEvent) error {
		return f.audit.Handle(ctx, audit.Event{ScheduledEvent: e})
	})
	w.schedule("audit continues", each(5*time.Minute), func(ctx context.Context, f *functions, e job.ScheduledEvent) error {
		return f.audit.Handle(ctx, audit.Event{ScheduledEvent: e, Continue: true})
	})
	remindHours := workingHours(loc)
	if w.livesByOtherClocks() {
		remindHours = sooner(remindHours, otherClocks(loc))
	}
	w.schedule("remind", remindHours, func(ctx context.Context, f *functions, e job.ScheduledEvent) error { return f.remind.Handle(ctx, e) })
	w.schedule("monitor", hourly(0), func(ctx context.Context, f *functions, e job.ScheduledEvent) error { return f.monitor.Handle(ctx, e) })
	w.schedule("enforce", hourly(10), func(ctx context.Context, f *functions, e job.ScheduledEvent) error {
		return f.enforce.Handle(ctx, enforce.Event{ScheduledEvent: e})
	})
	w.schedule("enforce what waits", each(5*time.Minute), func(ctx context.Context, f *functions, e job.ScheduledEvent) error {
		return f.enforce.Handle(ctx, enforce.Event{ScheduledEvent: e, Waiting: true})
	})
	w.schedule("breakglass", each(5*time.Minute), func(ctx context.Context, f *functions, e job.ScheduledEvent) error {
		raw, err := json.Marshal(map[string]any{"time": e.Time})
		if err != nil {
			return err
		}
		_, err = f.breakglass.Handle(ctx, raw)
		return err
	})
	w.mails.deliver = func(batch events.SQSEvent) (reply events.SQSEventResponse, err error) {
		err = w.invoke("notify", func(ctx context.Context, f *functions) error {
			reply, err = f.notify.Handle(ctx, batch)
			return err
		})
		return reply, err
	}
	w.touches.deliver = func(batch events.SQSEvent) (reply events.SQSEventResponse, err error) {
		err = w.invoke("breakglass", func(ctx context.Context, f *functions) error {
			reply = f.breakglass.HandleQueue(ctx, batch)
			return nil
		})
		return reply, err
	}
	w.events.deliver = func(batch events.SQSEvent) (reply events.SQSEventResponse, err error) {
		err = w.invoke("feedback", func(ctx context.Context, f *functions) error {
			reply, err = f.feedback.Handle(ctx, batch)
			return err
		})
		return reply, err
	}
}

// workingHours returns the hours from 9 to 16 of Monday to Friday.
func workingHours(loc *time.Location) func(time.Time) time.Time {
	return hoursThat(func(t time.Time) bool {
		return t.Hour() >= 9 && t.Hour() <= 16 && t.Weekday() != time.Saturday && t.Weekday() != time.Sunday
	}, loc)
}

// otherClocks returns the hours for people whose day is the tenant's night.
func otherClocks(loc *time.Location) func(time.Time) time.Time {
	return hoursThat(func(t time.Time) bool {
		return (t.Hour() == 1 || t.Hour() == 5 || t.Hour() == 21) && t.Weekday() != time.Saturday
	}, loc)
}

func hoursThat(suit func(local time.Time) bool, loc *time.Location) func(time.Time) time.Time {
	return func(after time.Time) time.Time {
		t := hourly(0)(after)
		for !suit(t.In(loc)) {
			t = t.Add(time.Hour)
		}
		return t
	}
}

func sooner(a, b func(time.Time) time.Time) func(time.Time) time.Time {
	return func(after time.Time) time.Time {
		x, y := a(after), b(after)
		if y.Before(x) {
			return y
		}
		return x
	}
}

// livesByOtherClocks reports whether somebody may not be written to at noon of
// the tenant's working day. Where nobody is, the runs for such people would find
// nothing to do, and are left out to save time.
func (w *world) livesByOtherClocks() bool {
	noon := w.clock.Now().In(w.cfg.Location())
	noon = time.Date(noon.Year(), noon.Month(), noon.Day(), 12, 0, 0, 0, noon.Location())
	for !w.cfg.Enforcement.WorkingDay(rollout.DateOf(noon)) {
		noon = noon.AddDate(0, 0, 1)
	}
	return slices.ContainsFunc(w.tenant.Users(), func(u tenant.Object) bool {
		country, _ := u["usageLocation"].(string)
		return !rollout.MayWrite(w.cfg, rollout.Account{Country: country}, noon)
	})
}

// say notes something for the progress line.
func (w *world) say(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

package rehearsal

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/touch"
	"sallyport/shared/rollout"
)

// ackURL and ackSecret are those of the stack that is rehearsed.
const (
	ackURL    = "https://hooks.contoso.com/ack/"
	ackSecret = "the rehearsal's own"
)

func ackLinks() breakglass.Links { return breakglass.Links{URL: ackURL, Secret: ackSecret} }

// touches is the event queue as webhook sees it.
type touches struct{ *queue[touch.Event] }

// Send implements webhook.Queue.
func (q touches) Send(_ context.Context, events []touch.Event) error {
	for _, e := range events {
		if err := q.put(e); err != nil {
			return err
		}
	}
	return nil
}

var ackLink = regexp.MustCompile(regexp.QuoteMeta(ackURL) + `([0-9A-Za-z._-]+)`)

// ackToken finds the link in a message as it left: quoted-printable breaks long
// lines.
func ackToken(raw []byte) string {
	found := ackLink.FindStringSubmatch(strings.ReplaceAll(string(raw), "=\r\n", ""))
	if found == nil {
		return ""
	}
	return found[1]
}

// alarmed is the security team with an alert. By day somebody is at it within
// minutes. At night nobody reads mail: whoever is called by a repetition gets up.
func (p *people) alarmed(l letter) {
	w := p.world
	hour := w.clock.Now().In(w.cfg.Location()).Hour()
	if called := strings.HasPrefix(l.ID, "repeat-"); !called && (hour < 7 || hour >= 22) {
		return
	}
	w.agenda.put(w.clock.Now().Add(2*time.Minute+p.share(7*time.Minute, "acknowledges", l.ID)), func() { w.press(l) })
}

// press opens the link, as a mail scanner does too, and presses its button.
func (w *world) press(l letter) {
	alert, err := w.truth.Alert(context.Background(), w.cfg.Tenant, l.ID)
	if err != nil {
		w.witness.violate("the simulation could not read alert %s: %v", l.ID, err)
		return
	}
	for _, method := range []string{"GET", "POST"} {
		err := w.invoke("webhook", func(ctx context.Context, f *functions) error {
			resp, err := f.webhook.Handle(ctx, events.APIGatewayV2HTTPRequest{
				RouteKey: method + " /ack/{token}", PathParameters: map[string]string{"token": l.Ack},
			})
			if err == nil && resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("the link of alert %s is answered %d to %s", l.ID, resp.StatusCode, method)
			}
			return err
		})
		if err != nil {
			w.witness.violate("an alert could not be acknowledged: %v", err)
			return
		}
	}
	who := "the security team"
	if alert.Contact != "" {
		who = alert.Contact
	}
	w.say("%s acknowledges the alert by its link, %s after the sign-in", who, span(w.clock.Now().Sub(alert.OccurredAt)))
}

// unanswered judges whether somebody was called while an alert was not
// acknowledged: within a quarter of an hour, and a run of breakglass.
func (v *witness) unanswered(alerts []rollout.Alert) {
	patience := rollout.RepeatAfter + 6*time.Minute
	if v.world.faults.rate > 0 {
		patience += time.Hour
	}
	for _, a := range alerts {
		until := a.AckedAt
		if until.IsZero() {
			until = v.world.clock.Now()
		}
		if a.Kind != rollout.AlertRepetition && until.Sub(a.SeenAt) >= patience && callsAbout(alerts, a) == 0 {
			v.violate("property 5: nobody acknowledged alert %s for %s, and nobody was called", a.ID, span(until.Sub(a.SeenAt)))
		}
	}
}

// callsAbout is how many calls there were while an alert was not acknowledged.
func callsAbout(alerts []rollout.Alert, about rollout.Alert) int {
	n := 0
	for _, a := range alerts {
		if a.Kind == rollout.AlertRepetition && a.SeenAt.After(about.SeenAt) && (about.AckedAt.IsZero() || a.SeenAt.Before(about.AckedAt)) {
			n++
		}
	}
	return n
}

package webhook

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/functions/breakglass/acklink"
	"sallyport/functions/breakglass/touch"
)

// The link in an alert leads to a page with one button, and only the button
// acknowledges. Mail scanners and chat previews open every link that passes
// them: if that were enough, an alert would be acknowledged by a machine, and
// nobody would be called. They press no buttons.
//
// Source: https://learn.microsoft.com/defender-office-365/safe-links-about

//go:embed ack.html
var ackHTML string

//go:embed ack.css
var ackCSS string

// ackPage is what the page says. It names the alert and nothing of what
// happened: whoever finds the link learns no more.
type ackPage struct {
	CSS           template.CSS
	Title, Tenant string
	Alert         string
	Ask           bool     // with the button
	Text          []string // the paragraphs
}

// acknowledge shows the page, or queues what the button says. Whether the alert
// is there, or acknowledged already, breakglass knows; asked again, it changes
// nothing.
func (h *Handler) acknowledge(ctx context.Context, req events.APIGatewayV2HTTPRequest, now time.Time) events.APIGatewayV2HTTPResponse {
	claim, err := acklink.Verify(h.Receiver.AckSecret, req.PathParameters["token"], now)
	page := ackPage{Tenant: claim.Tenant, Alert: claim.Alert}
	switch {
	case errors.Is(err, acklink.ErrExpired):
		h.count("WebhookRefused", 1, http.StatusGone, err, now)
		page.Title = "This link is too old"
		page.Text = []string{"A link works for seven days.", "Use the link in the newest message about the alert, or run: sallyport alerts list"}
		return h.page(ctx, http.StatusGone, page)
	case err != nil:
		h.count("WebhookRefused", 1, http.StatusNotFound, err, now)
		page.Title = "This link does not work"
		page.Text = []string{"It may have been cut off on its way.", "Copy the whole link from the message, or run: sallyport alerts list"}
		return h.page(ctx, http.StatusNotFound, page)
	case req.RouteKey == routeAckPage:
		page.Title, page.Ask = "Are you looking after this alert?", true
		page.Text = []string{"Acknowledge it, and nobody else is called about it.", "Do it only if you know what happened, or are finding out right now."}
		return h.page(ctx, http.StatusOK, page)
	}
	err = h.Receiver.queue.Send(ctx, []touch.Event{{Source: touch.SourceAck, ReceivedAt: now, Tenant: claim.Tenant, AlertID: claim.Alert}})
	if err != nil {
		h.count("WebhookQueueRefused", 1, http.StatusServiceUnavailable, nil, now)
		h.Log.ErrorContext(ctx, "acknowledgement not queued", "alert", claim.Alert, "error", fmt.Errorf("%w an acknowledgement: %w", ErrQueue, err))
		page.Title = "Not acknowledged yet"
		page.Text = []string{"Something on our side did not work. Go back and press the button again.", "If it still does not work, run: sallyport alerts ack " + claim.Alert}
		return h.page(ctx, http.StatusServiceUnavailable, page)
	}
	h.Log.InfoContext(ctx, "acknowledgement queued", "tenant", claim.Tenant, "alert", claim.Alert)
	page.Title = "Acknowledged"
	page.Text = []string{"Nobody else is called about this alert.", "Now follow your incident response plan, unless you know that all is well. The alert's mail links to it."}
	return h.page(ctx, http.StatusOK, page)
}

// page answers a browser with a page that runs no script, loads nothing, stands
// in no frame, and is kept and indexed by nobody: its address is a right.
func (h *Handler) page(ctx context.Context, status int, p ackPage) events.APIGatewayV2HTTPResponse {
	p.CSS = template.CSS(ackCSS)
	var body strings.Builder
	words, err := template.New("ack.html").Parse(ackHTML)
	if err == nil {
		err = words.Execute(&body, p)
	}
	if err != nil {
		h.Log.ErrorContext(ctx, "page not rendered", "error", err)
		return reply(http.StatusInternalServerError)
	}
	style := sha256.Sum256([]byte(ackCSS))
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers: map[string]string{
			"Content-Type":           "text/html; charset=utf-8",
			"X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(style[:]) +
				"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Cache-Control":   "no-store",
			"Referrer-Policy": "no-referrer",
			"X-Robots-Tag":    "noindex, nofollow",
		},
		Body: body.String(),
	}
}

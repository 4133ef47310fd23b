package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"sallyport/functions/breakglass/touch"
)

// The routes, as API Gateway names them.
const (
	routeNotifications = "POST /notifications"
	routeAlerts        = "POST /alerts/{secret}" // Azure Monitor's plain webhook
	routeSecureAlerts  = "POST /alerts"          // and its secure one
	routeAckPage       = "GET /ack/{token}"      // the page behind an alert's link
	routeAck           = "POST /ack/{token}"     // and its button
)

// maxToken is the longest validation token that is echoed, in bytes. Graph's
// are about 150.
const maxToken = 2048

// Handler answers HTTP API events (payload format 2.0).
type Handler struct {
	Receiver *Receiver
	Now      func() time.Time
	Log      *slog.Logger
	// Metrics takes CloudWatch's embedded metric lines: standard output in Lambda.
	Metrics io.Writer
}

// Handle answers one request. It never returns an error: API Gateway would make
// a 500 of it, which Azure Monitor does not retry.
func (h *Handler) Handle(ctx context.Context, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	now := h.Now().UTC()
	if req.RouteKey == routeNotifications {
		if token, asked := validationToken(req); asked {
			if err := h.Receiver.Probe(ctx, probeIn(req), now); err != nil {
				h.count("WebhookQueueRefused", 1, http.StatusServiceUnavailable, nil, now)
				h.Log.ErrorContext(ctx, "self-test not queued, Graph makes no subscription then", "error", err)
				return reply(http.StatusServiceUnavailable), nil
			}
			return h.handshake(token, now), nil
		}
	}
	if req.RouteKey == routeAckPage || req.RouteKey == routeAck {
		return h.acknowledge(ctx, req, now), nil
	}
	result, err := h.receive(ctx, req, now)
	status := statusOf(err)
	switch {
	case status == http.StatusServiceUnavailable:
		metric := "WebhookQueueRefused"
		if errors.Is(err, ErrUndecided) {
			metric = "WebhookUndecided"
		}
		h.count(metric, 1, status, nil, now)
		h.Log.ErrorContext(ctx, "request not queued, sender asked to come again", "route", req.RouteKey, "error", err)
	case result.Foreign > 0 || err != nil:
		h.count("WebhookRefused", max(result.Foreign, 1), status, err, now)
	}
	if err == nil {
		h.Log.InfoContext(ctx, "request queued", "route", req.RouteKey, "events", result.Queued, "foreign", result.Foreign)
	}
	return reply(status), nil
}

var (
	errNoRoute   = errors.New("no such route")
	errHandshake = errors.New("validation token is none of Graph's")
)

func (h *Handler) receive(ctx context.Context, req events.APIGatewayV2HTTPRequest, now time.Time) (Result, error) {
	if !slices.Contains([]string{routeNotifications, routeAlerts, routeSecureAlerts}, req.RouteKey) {
		return Result{}, errNoRoute
	}
	body, err := bodyOf(req)
	if err != nil {
		return Result{}, err
	}
	switch req.RouteKey {
	case routeAlerts:
		return h.Receiver.Alert(ctx, req.PathParameters["secret"], body, now)
	case routeSecureAlerts:
		return h.Receiver.SecureAlert(ctx, header(req, "authorization"), body, now)
	}
	return h.Receiver.Notifications(ctx, body, now)
}

// header returns a header's value. API Gateway writes their names in lower case,
// and joins values that are repeated with a comma, which no token holds.
func header(req events.APIGatewayV2HTTPRequest, name string) string {
	for key, value := range req.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// handshake proves to Graph that the end point is ours: the token comes back as
// it was, and no browser may take it for anything but plain text, since anybody
// can ask for it.
func (h *Handler) handshake(token string, now time.Time) events.APIGatewayV2HTTPResponse {
	if token == "" || len(token) > maxToken || !utf8.ValidString(token) || strings.ContainsFunc(token, unicode.IsControl) {
		h.count("WebhookRefused", 1, http.StatusBadRequest, errHandshake, now)
		return reply(http.StatusBadRequest)
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK,
		Headers: map[string]string{
			"Content-Type":            "text/plain; charset=utf-8",
			"X-Content-Type-Options":  "nosniff",
			"Content-Security-Policy": "default-src 'none'; sandbox",
			"Cache-Control":           "no-store",
		},
		Body: token,
	}
}

// validationToken returns the URL-decoded token of a handshake. The raw query
// comes first: API Gateway joins repeated parameters with commas in the other.
func validationToken(req events.APIGatewayV2HTTPRequest) (string, bool) {
	if query, err := url.ParseQuery(req.RawQueryString); err == nil && query.Has("validationToken") {
		return query.Get("validationToken"), true
	}
	token, asked := req.QueryStringParameters["validationToken"]
	return token, asked
}

// probeIn returns the probe in the query of a handshake, if it is one.
func probeIn(req events.APIGatewayV2HTTPRequest) string {
	if query, err := url.ParseQuery(req.RawQueryString); err == nil && query.Has(touch.ProbeParameter) {
		return query.Get(touch.ProbeParameter)
	}
	return req.QueryStringParameters[touch.ProbeParameter]
}

// bodyOf returns the request's body, decoded if API Gateway encoded it.
func bodyOf(req events.APIGatewayV2HTTPRequest) ([]byte, error) {
	if !req.IsBase64Encoded {
		return []byte(req.Body), nil
	}
	if base64.StdEncoding.DecodedLen(len(req.Body)) > MaxBody+2 { // +2: padding
		return nil, fmt.Errorf("%w of %d bytes", ErrOversized, MaxBody)
	}
	body, err := base64.StdEncoding.DecodeString(req.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64", ErrMalformed)
	}
	return body, nil
}

// statusOf says what the sender hears. Whatever is our own fault is 503, which
// both Graph and Azure Monitor retry.
func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusAccepted
	case errors.Is(err, ErrOversized):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrMalformed):
		return http.StatusBadRequest
	case errors.Is(err, ErrForeign):
		return http.StatusUnauthorized
	case errors.Is(err, errNoRoute), errors.Is(err, ErrOff):
		return http.StatusNotFound
	}
	return http.StatusServiceUnavailable
}

func reply(status int) events.APIGatewayV2HTTPResponse {
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: map[string]string{"X-Content-Type-Options": "nosniff"}}
}

// count writes one metric in CloudWatch's embedded format. Status and reason say
// why without another metric to pay for, and hold nothing that the sender wrote.
//
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func (h *Handler) count(name string, n, status int, why error, now time.Time) {
	metric := map[string]any{
		"_aws": map[string]any{
			"Timestamp": now.UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace":  "Sallyport",
				"Dimensions": [][]string{{"Function"}},
				"Metrics":    []any{map[string]string{"Name": name, "Unit": "Count"}},
			}},
		},
		"Function": "webhook",
		"Status":   status,
		name:       n,
	}
	if why != nil {
		metric["Reason"] = why.Error()
	}
	line, err := json.Marshal(metric)
	if err == nil {
		_, err = h.Metrics.Write(append(line, '\n'))
	}
	if err != nil {
		h.Log.Error("metric not written", "metric", name, "error", err)
	}
}

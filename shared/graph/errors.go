package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

var (
	// ErrNotFound: the object does not exist, or not any more.
	ErrNotFound = errors.New("not found in the tenant")
	// ErrNoLicence: the tenant has no licence for this part of Graph (the
	// registration report, last sign-ins and the sign-in log need Microsoft Entra
	// ID P1; eligible roles need P2).
	ErrNoLicence = errors.New("the tenant's licences do not include this")
	// ErrSecurityDefaultsOn: a policy cannot be enabled while Security Defaults
	// is on; switch that off first.
	ErrSecurityDefaultsOn = errors.New("Security Defaults is on: it must be off before a Conditional Access policy is enabled")
	// ErrRefused: the request was stopped on this side, before the wire, because
	// it is no write that Sallyport may make.
	ErrRefused = errors.New("refused before sending")
)

// Error is an answer of Graph that is no success. Its text holds the code and
// the request's id; Microsoft's message is kept apart because it may name
// people, and is never to be matched on.
// Source: https://learn.microsoft.com/graph/errors
type Error struct {
	API       string   // what was asked for
	Status    int      // HTTP status; 200 for an error inside a success
	Codes     []string // error.code, then those of the inner errors
	RequestID string
	Message   string
}

// Error names the API, the status, the codes and Graph's request id.
func (e *Error) Error() string {
	code := "no error code"
	if len(e.Codes) > 0 {
		code = strings.Join(e.Codes, "/")
	}
	text := fmt.Sprintf("Graph answered %d (%s) for %s", e.Status, code, e.API)
	if e.RequestID != "" {
		text += ", request " + e.RequestID
	}
	return text
}

// has reports whether one of the error's codes is among those given.
func (e *Error) has(codes ...string) bool {
	return slices.ContainsFunc(e.Codes, func(c string) bool { return slices.Contains(codes, c) })
}

// DeniedError says that Graph refused the app (401 or 403): which permission it
// lacks, for what, and which functions need it.
type DeniedError struct {
	Permission string
	API        string
	NeededBy   string
	Answer     *Error
}

// Error says what to grant.
func (e *DeniedError) Error() string {
	if e.Answer.Status == http.StatusUnauthorized {
		return fmt.Sprintf("%v: the access token was not accepted; check the app registration and its federated credential, and that %s (needed by %s) has admin consent",
			e.Answer, e.Permission, e.NeededBy)
	}
	return fmt.Sprintf("%v: the app registration lacks %s, needed by %s; grant it and give admin consent", e.Answer, e.Permission, e.NeededBy)
}

// Unwrap gives Graph's answer.
func (e *DeniedError) Unwrap() error { return e.Answer }

// PartialError says that a listing could not be read to its end, or cannot be
// right. Whatever was handed over before it proves nothing.
type PartialError struct {
	Listing string
	Rows    int // how many rows had been read
	Err     error
}

// Error says how far the listing was read, and why no further.
func (e *PartialError) Error() string {
	return fmt.Sprintf("the listing of %s is not complete (%d rows read): %v; nothing may be concluded from it", e.Listing, e.Rows, e.Err)
}

// Unwrap gives the cause.
func (e *PartialError) Unwrap() error { return e.Err }

// odataError is the body of an error.
type odataError struct {
	Code       string      `json:"code"`
	Message    string      `json:"message"`
	InnerError *odataError `json:"innerError"`
	RequestID  string      `json:"request-id"`
}

// errorIn returns the error object of an answer, or nil. An error that is no
// object ("error": "invalid_request") still is an error.
func errorIn(body []byte) *odataError {
	var envelope struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &envelope) != nil || len(envelope.Error) == 0 || string(envelope.Error) == "null" {
		return nil
	}
	var e odataError
	if json.Unmarshal(envelope.Error, &e) != nil {
		return &odataError{}
	}
	return &e
}

// answerError makes the typed error of a status and an error body.
func answerError(a api, status int, requestID string, body *odataError) error {
	e := &Error{API: a.name, Status: status, RequestID: requestID}
	if body != nil {
		e.Message = body.Message
		// The depth is bounded: a body may nest as deep as it likes.
		for inner := body; inner != nil && len(e.Codes) < 8; inner = inner.InnerError {
			if inner.Code != "" {
				e.Codes = append(e.Codes, inner.Code)
			}
			if e.RequestID == "" {
				e.RequestID = inner.RequestID
			}
		}
	}
	switch {
	// Only the code tells a missing licence from a missing permission.
	// Source: https://learn.microsoft.com/graph/api/resources/authenticationmethodsroot
	case e.has("Authentication_RequestFromNonPremiumTenantOrB2CTenant", "AadPremiumLicenseRequired"):
		return fmt.Errorf("%w: %w", ErrNoLicence, e)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &DeniedError{Permission: a.permission, API: a.name, NeededBy: a.neededBy, Answer: e}
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, e)
	}
	return e
}

// Refusal says why Graph will not give this to the app in this tenant, now or in
// an hour: no permission, no licence, or nothing of the kind there. Empty for any
// other error, and for none. Graph's own words are left out: they differ each time.
func Refusal(err error) string {
	var denied *DeniedError
	var answer *Error
	switch {
	case errors.As(err, &denied):
		return "the app lacks the permission " + denied.Permission
	case errors.Is(err, ErrNoLicence):
		return "the tenant's licences do not include it"
	case errors.Is(err, ErrNotOffered):
		return "Graph does not offer it in this tenant"
	case errors.Is(err, ErrCursorExpired), !errors.As(err, &answer):
		return ""
	}
	switch answer.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusNotImplemented:
		return fmt.Sprintf("Graph answers it with %d", answer.Status)
	}
	return ""
}

// statusOf returns the HTTP status of a Graph answer in err, or 0.
func statusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

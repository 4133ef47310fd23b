package graph

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// deadlineMargin is what stays of the caller's time after a wait: for the
// request, and for keeping what was read.
const deadlineMargin = 10 * time.Second

// LaterError says that the answer is to be had, but not in the caller's time, or
// not within ten minutes. Nothing was waited for in vain: go on in a later
// invocation, not before At. Coming back earlier counts against the app.
type LaterError struct {
	At  time.Time
	API string
	Err error // Graph's answer; nil where it is our own pace that asks for the wait
}

// Error says when to come back, and what for.
func (e *LaterError) Error() string {
	at := e.At.UTC().Format(time.RFC3339)
	if e.Err == nil {
		return fmt.Sprintf("%s: the pace that Graph allows leaves no request before %s; go on then", e.API, at)
	}
	return fmt.Sprintf("%s: not before %s; go on then: %v", e.API, at, e.Err)
}

// Unwrap gives Graph's answer.
func (e *LaterError) Unwrap() error { return e.Err }

// inTime reports whether a wait until then leaves the caller time to go on.
func inTime(ctx context.Context, then time.Time) bool {
	deadline, limited := ctx.Deadline()
	return !limited || !then.After(deadline.Add(-deadlineMargin))
}

// answerOf makes the typed error of an answer that the transport holds.
func answerOf(a api, res *http.Response) error {
	var body []byte
	if whole, ok := res.Body.(*wholeBody); ok {
		body = whole.all
	}
	return answerError(a, res.StatusCode, res.Header.Get("request-id"), errorIn(body))
}

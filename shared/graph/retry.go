package graph

import (
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The retry policy, in figures. With Microsoft's reports the waits of a bad day
// are tens of seconds; what is not back after ten minutes is for the next run.
const (
	maxAttempts = 8
	maxWait     = 10 * time.Minute
	firstWait   = time.Second
	longestWait = time.Minute
	// attemptTime bounds one attempt on the wire, so that a server that went
	// silent counts as a connection error.
	attemptTime = 100 * time.Second
)

// repeatable reports whether sending the request again cannot do anything twice.
// A create may have happened although its answer was lost; a $batch here holds
// reads alone (the guard sees to it).
func repeatable(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	case http.MethodPost:
		return strings.HasSuffix(path, batchPath)
	}
	return false
}

// temporary reports whether the status may be gone a moment later.
func temporary(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads how long Graph asks to wait: seconds, perhaps decimal
// ("2.128" in Microsoft's own sample), or a date, measured from the server's
// clock where it says what it shows. False if nothing sensible is said.
// Source: https://learn.microsoft.com/graph/throttling
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if math.IsNaN(seconds) || seconds < 0 || seconds > (365*24*time.Hour).Seconds() {
			return 0, false
		}
		return time.Duration(math.Ceil(seconds * float64(time.Second))), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if sent, err := http.ParseTime(header.Get("Date")); err == nil {
		now = sent
	}
	return max(at.Sub(now), 0), true
}

// backoff is the wait before the next attempt where Graph names none: doubling,
// with up to a half more of jitter. The jitter comes from the request itself, so
// that two requests that were refused together do not come back together, and a
// rehearsal stays the same from its seed.
func backoff(method, url string, attempt int) time.Duration {
	wait := longestWait
	if attempt < 7 {
		wait = min(firstWait<<(attempt-1), longestWait)
	}
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %s %d", method, url, attempt)
	return wait + time.Duration(float64(wait)/2*float64(h.Sum32())/math.MaxUint32)
}

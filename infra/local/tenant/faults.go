package tenant

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Call is a request as a source of faults sees it.
type Call struct {
	N      int // how many requests there were, this one included
	At     time.Time
	Method string
	Path   string // with the version, without the query
	Query  string // as it came
	Inner  bool   // out of a $batch: only faults with a status are meant for it
}

// Fault is what befalls a request or its answer.
type Fault struct {
	Kind       FaultKind
	Status     int    // for Answers
	RetryAfter string // for Answers; empty: no such header
	Err        error  // for Breaks: what the caller's transport returns
}

// FaultKind says what happens.
type FaultKind string

// The kinds. Before the tenant looks at a request, anything but Answers and
// LosesPage means that nothing was done; after it, that it was done and the
// caller does not know.
const (
	NoFault   FaultKind = ""
	Answers   FaultKind = "answers"   // with Status, and nothing is done
	TimesOut  FaultKind = "times out" //
	Resets    FaultKind = "resets"    // the connection
	Cuts      FaultKind = "cuts"      // the answer in the middle
	LosesPage FaultKind = "loses page"
	Breaks    FaultKind = "breaks" // with Err: a crash of the caller, say
)

// String names a fault for the journal.
func (f Fault) String() string {
	switch f.Kind {
	case Answers:
		return fmt.Sprintf("answers %d", f.Status)
	case Breaks:
		return fmt.Sprintf("breaks: %v", f.Err)
	default:
		return string(f.Kind)
	}
}

// Faults decides what befalls requests. Before is asked with every request,
// After with every answer and its status.
type Faults interface {
	Before(Call) Fault
	After(c Call, status int) Fault
}

// SetFaults sets where faults come from; nil for none.
func (t *Tenant) SetFaults(f Faults) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = f
}

// The errors that callers in the same process see.
var (
	ErrReset = errors.New("read tcp: connection reset by peer")
	ErrCut   = errors.New("unexpected EOF")
)

// timeout is an error that every HTTP client takes for a time-out.
type timeout struct{}

func (timeout) Error() string   { return "request timed out while awaiting headers" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// broken carries a fault of the transport, with what was already sent.
type broken struct {
	err  error
	part answer
}

func (b *broken) Error() string { return b.err.Error() }
func (b *broken) Unwrap() error { return b.err }

// befall turns a fault into what the caller gets instead of a.
func (t *Tenant) befall(c *call, f Fault, a answer) (answer, error) {
	switch f.Kind {
	case Answers:
		said := problem(f.Status, map[int]string{429: "TooManyRequests", 503: "ServiceUnavailable", 504: "GatewayTimeout"}[f.Status], "Injected.")
		if f.RetryAfter != "" {
			said.header = map[string]string{"Retry-After": f.RetryAfter}
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.signed(c, said), nil
	case LosesPage:
		return problem(http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request."), nil
	case TimesOut:
		return answer{}, &broken{err: timeout{}}
	case Cuts:
		a.body = a.body[:len(a.body)/2]
		return answer{}, &broken{err: ErrCut, part: a}
	case Breaks:
		return answer{}, &broken{err: f.Err}
	default:
		return answer{}, &broken{err: ErrReset}
	}
}

// SeededFaults lets each request fail with a probability, the same ones for the
// same seed and order of requests.
type SeededFaults struct {
	seed uint64
	rate float64

	mu     sync.Mutex
	struck map[string]int
}

// NewSeededFaults makes a source of faults. rate is the share of requests, from
// 0 to 1, that something befalls.
func NewSeededFaults(seed uint64, rate float64) *SeededFaults {
	return &SeededFaults{seed: seed, rate: rate, struck: map[string]int{}}
}

// Before strikes half of the faults: nothing is done.
func (s *SeededFaults) Before(c Call) Fault {
	if !s.strikes(c, "before") {
		return Fault{}
	}
	if c.Inner {
		return s.count(s.status(c))
	}
	kinds := []Fault{s.status(c), s.status(c), {Kind: TimesOut}, {Kind: Resets}}
	if strings.Contains(c.Query, "skiptoken") {
		kinds = append(kinds, Fault{Kind: LosesPage})
	}
	return s.count(kinds[s.pick(c, len(kinds))])
}

// After strikes the other half: it is done, and the caller does not learn it.
func (s *SeededFaults) After(c Call, _ int) Fault {
	if c.Inner || !s.strikes(c, "after") {
		return Fault{}
	}
	kinds := []Fault{{Kind: TimesOut}, {Kind: TimesOut}, {Kind: Resets}}
	if c.Method == http.MethodGet {
		kinds = append(kinds, Fault{Kind: Cuts})
	}
	return s.count(kinds[s.pick(c, len(kinds))])
}

// Struck returns how often each fault struck.
func (s *SeededFaults) Struck() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.struck))
	for k, v := range s.struck {
		out[k] = v
	}
	return out
}

func (s *SeededFaults) count(f Fault) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.struck[f.String()]++
	return f
}

func (s *SeededFaults) strikes(c Call, when string) bool {
	return share(s.seed, when, fmt.Sprint(c.N)) < s.rate/2
}

func (s *SeededFaults) pick(c Call, n int) int {
	return int(share(s.seed, "which", fmt.Sprint(c.N)) * float64(n))
}

// status is a refusal; Conditional Access never says when to return.
func (s *SeededFaults) status(c Call) Fault {
	f := Fault{Kind: Answers, Status: []int{429, 503, 504}[s.pick(Call{N: -c.N}, 3)]}
	if f.Status == 429 && !strings.Contains(c.Path, "/conditionalAccess/") && !strings.Contains(c.Path, "/identityProtection/") {
		f.RetryAfter = fmt.Sprintf("%.3f", 0.5+3*share(s.seed, "wait", fmt.Sprint(c.N)))
	}
	return f
}

package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sallyport/functions/breakglass/touch"
	"sallyport/functions/webhook"
)

// gateway hands HTTP requests to a handler as API Gateway does (payload format
// 2.0): header names in lower case, the route by name.
func gateway(h *webhook.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, route := range []string{"POST /notifications", "POST /alerts/{secret}", "POST /alerts"} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			req := events.APIGatewayV2HTTPRequest{RouteKey: route, RawQueryString: r.URL.RawQuery, Body: string(body), Headers: map[string]string{}}
			for name := range r.Header {
				req.Headers[strings.ToLower(name)] = strings.Join(r.Header.Values(name), ",")
			}
			if secret := r.PathValue("secret"); secret != "" {
				req.PathParameters = map[string]string{"secret": secret}
			}
			resp, err := h.Handle(r.Context(), req)
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			w.WriteHeader(resp.StatusCode)
			_, _ = io.WriteString(w, resp.Body)
		})
	}
	return mux
}

// overloaded is an SQS that is not well: of each 20 requests it refuses one whole,
// takes only a part of another, and takes a third without saying so in time.
type overloaded struct {
	mu    sync.Mutex
	calls int
	taken map[string]int // how often, by what the event is known by
}

func (q *overloaded) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls++
	if q.calls%20 == 1 {
		return nil, errors.New("throttled")
	}
	out := &sqs.SendMessageBatchOutput{}
	for i, entry := range in.Entries {
		if q.calls%20 == 2 && i == len(in.Entries)-1 {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: entry.Id, Code: aws.String("InternalError")})
			continue
		}
		var event touch.Event
		if err := json.Unmarshal([]byte(aws.ToString(entry.MessageBody)), &event); err != nil {
			return nil, err
		}
		q.taken[event.SubscriptionID+event.AlertID]++
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: entry.Id})
	}
	if q.calls%20 == 3 {
		return nil, errors.New("timeout")
	}
	return out, nil
}

// shot is one request of the flood, and what may become of it.
type shot struct {
	path, authorization, body string
	answers                   []int    // those that are allowed
	carries                   []string // what is on the queue if it is accepted
}

// shots returns what comes n-th: each kind in turn, good ones among forged ones.
func shots(t *testing.T, e *entra) func(n int) shot {
	good, tk := e.version2().sign(t), e.version2()
	tk.header["kid"] = "nobody-has-it"
	forged := tk.sign(t)
	big := strings.Repeat("x", 1<<20)
	queued := []int{http.StatusAccepted, http.StatusServiceUnavailable}
	return func(n int) shot {
		id := fmt.Sprintf("flood-%d", n)
		alert := strings.Replace(fired("Fired"), "/subscriptions/s/alerts/a1", id, 1)
		batch := func(state string) string {
			var items []string
			for i := range 3 {
				items = append(items, strings.Replace(change(quoted(state)), "sub-1", fmt.Sprintf("%s-%d", id, i), 1))
			}
			return `{"value":[` + strings.Join(items, ",") + `]}`
		}
		switch n % 8 {
		case 0:
			return shot{"/alerts", "Bearer " + good, alert, queued, []string{id}}
		case 1:
			return shot{"/alerts/" + alertSecret, "", alert, queued, []string{id}}
		case 2, 3:
			return shot{"/notifications", "", batch(clientState), queued, []string{id + "-0", id + "-1", id + "-2"}}
		case 4:
			return shot{"/alerts", "Bearer " + forged, alert, []int{http.StatusUnauthorized}, nil}
		case 5:
			return shot{"/alerts/another", "", alert, []int{http.StatusUnauthorized}, nil}
		case 6:
			return shot{"/notifications", "", batch("another"), []int{http.StatusUnauthorized}, nil}
		}
		if n%16 == 7 {
			return shot{"/notifications", "", nested(10_000), []int{http.StatusBadRequest}, nil}
		}
		return shot{"/alerts/" + alertSecret, "", big, []int{http.StatusRequestEntityTooLarge}, nil}
	}
}

// TestFlood: in a flood, over real connections and on a queue that is not well,
// nothing is lost that was accepted, whatever was not is refused in so many
// words, and Entra hears nothing of it. It takes two seconds; the whole flood is
//
//	SALLYPORT_FLOOD=1000x10s go test -v -run TestFlood ./functions/webhook
func TestFlood(t *testing.T) {
	rate, lasts := 250, 2*time.Second
	if given := os.Getenv("SALLYPORT_FLOOD"); given != "" {
		perSecond, duration, _ := strings.Cut(given, "x")
		var err error
		if lasts, err = time.ParseDuration(duration); err != nil {
			t.Fatalf("SALLYPORT_FLOOD=%s, want requests a second and a duration, as 1000x10s: %v", given, err)
		}
		if _, err = fmt.Sscan(perSecond, &rate); err != nil || rate < 1 {
			t.Fatalf("SALLYPORT_FLOOD=%s, want requests a second and a duration, as 1000x10s: %v", given, err)
		}
	}
	e := newEntra(t)
	queue := &overloaded{taken: map[string]int{}}
	tokens := webhook.NewTokens(e.URL, map[string]string{contoso: contosoApp}, e.Client())
	server := httptest.NewServer(gateway(&webhook.Handler{
		Receiver: webhook.NewReceiver(clientState, alertSecret, tokens, webhook.SQS{Client: queue}),
		Now:      func() time.Time { return received }, Log: slog.New(slog.DiscardHandler), Metrics: io.Discard,
	}))
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 500}}
	defer client.CloseIdleConnections()

	total := int(lasts.Seconds() * float64(rate))
	answers := make([]int, total)
	var slowest atomic.Int64
	next := shots(t, e)
	var wg sync.WaitGroup
	begun := time.Now()
	for n := range total {
		// By the clock and not by the answers: a flood does not wait for us.
		time.Sleep(time.Until(begun.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		wg.Go(func() {
			shot, sent := next(n), time.Now()
			answers[n] = shoot(t, client, server.URL, shot)
			for took := int64(time.Since(sent)); ; {
				if so := slowest.Load(); took <= so || slowest.CompareAndSwap(so, took) {
					break
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)

	counts := map[int]int{}
	for n, answer := range answers {
		shot := next(n)
		counts[answer]++
		if !slices.Contains(shot.answers, answer) {
			t.Errorf("request %d to %s: got %d, want one of %v", n, shot.path, answer, shot.answers)
		}
		for _, id := range shot.carries {
			if answer == http.StatusAccepted && queue.taken[id] != 1 {
				t.Errorf("request %d was accepted and %s lies on the queue %d times", n, id, queue.taken[id])
			}
			delete(queue.taken, id)
		}
	}
	if len(queue.taken) > 0 {
		t.Errorf("on the queue lies what nobody proven sent: %v", queue.taken)
	}
	if counts[http.StatusAccepted] == 0 || counts[http.StatusServiceUnavailable] == 0 || counts[http.StatusUnauthorized] == 0 {
		t.Errorf("answers %v: not every case was there, so nothing was proven", counts)
	}
	if got := e.asked.Load(); got != 1 {
		t.Errorf("Entra was asked %d times, want once", got)
	}
	t.Logf("%d requests in %s (%.0f a second), slowest answer %s, answers %v", total, took.Round(time.Millisecond),
		float64(total)/took.Seconds(), time.Duration(slowest.Load()).Round(time.Millisecond), counts)
}

// shoot sends one request and returns the status of its answer, which has no body.
func shoot(t *testing.T, client *http.Client, url string, s shot) int {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+s.path, strings.NewReader(s.body))
	if err != nil {
		t.Error(err)
		return 0
	}
	if s.authorization != "" {
		req.Header.Set("Authorization", s.authorization)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Errorf("no answer: %v", err)
		return 0
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || len(body) > 0 {
		t.Errorf("answer %d says %q (%v)", resp.StatusCode, body, err)
	}
	return resp.StatusCode
}

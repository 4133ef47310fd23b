package graph_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
)

type sub struct {
	ID     string `json:"id"`
	Method string `json:"method"`
	URL    string `json:"url"`
}

type subAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body"`
}

// batchServer answers each sub-request as one says.
func batchServer(t *testing.T, one func(sub) subAnswer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Requests []sub }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("read the batch: %v", err)
		}
		if len(in.Requests) > 20 {
			t.Errorf("%d requests in a batch", len(in.Requests))
		}
		out := []subAnswer{}
		for _, s := range in.Requests {
			a := one(s)
			a.ID = s.ID
			out = append([]subAnswer{a}, out...) // in another order
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"responses": out}); err != nil {
			t.Error(err)
		}
	}
}

func odata(code string) any { return map[string]any{"error": map[string]any{"code": code}} }

func methodsOf(kinds ...string) any {
	rows := []any{}
	for i, k := range kinds {
		rows = append(rows, map[string]any{"@odata.type": "#microsoft.graph." + k, "id": fmt.Sprint(i)})
	}
	return map[string]any{"value": rows}
}

func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
	}
	return out
}

func TestMethods(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[{"@odata.type":"#microsoft.graph.phoneAuthenticationMethod","id":"1"},
		{"@odata.type":"#microsoft.graph.fido2AuthenticationMethod","id":"2"},{"@odata.type":"#microsoft.graph.fido2AuthenticationMethod","id":"3"}]}`))
	got, err := tn.Methods(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fido2AuthenticationMethod", "phoneAuthenticationMethod"}, got); diff != "" {
		t.Error(diff)
	}
	if want := "GET /v1.0/users/" + userID + "/authentication/methods"; tn.calls()[0] != want {
		t.Errorf("asked %s, want %s", tn.calls()[0], want)
	}
	if _, err := newTenant(t, ok(`{"value":[{"id":"1"}]}`)).Methods(t.Context(), userID); err == nil {
		t.Error("a method that does not say what it is passes")
	}
	if _, err := newTenant(t, failure(404, "Request_ResourceNotFound")).Methods(t.Context(), userID); !errors.Is(err, graph.ErrNotFound) {
		t.Errorf("nobody: %v, want ErrNotFound", err)
	}
}

func TestBatchMethodsReadsTwentyAtATime(t *testing.T) {
	people := ids(45)
	tn := newTenant(t, batchServer(t, func(s sub) subAnswer {
		if s.Method != "GET" || !strings.HasPrefix(s.URL, "/users/") || !strings.HasSuffix(s.URL, "/authentication/methods") {
			t.Errorf("asked %s %s", s.Method, s.URL)
		}
		if strings.Contains(s.URL, people[7]) {
			return subAnswer{Status: 404, Body: odata("Request_ResourceNotFound")}
		}
		if strings.Contains(s.URL, people[8]) {
			return subAnswer{Status: 200, Body: methodsOf()}
		}
		return subAnswer{Status: 200, Body: methodsOf("passwordAuthenticationMethod", "fido2AuthenticationMethod")}
	}))
	got, err := tn.BatchMethods(t.Context(), people)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 44 || len(tn.calls()) != 3 {
		t.Errorf("%d people in %d requests, want 44 in 3", len(got), len(tn.calls()))
	}
	if _, has := got[people[7]]; has {
		t.Error("who is gone has methods")
	}
	if m, has := got[people[8]]; !has || len(m) != 0 {
		t.Errorf("who has none has %v, %t", m, has)
	}
	if diff := cmp.Diff([]string{"fido2AuthenticationMethod", "passwordAuthenticationMethod"}, got[people[0]]); diff != "" {
		t.Error(diff)
	}
}

// Each sub-request is throttled alone, inside a success.
func TestABatchAsksAgainForWhatWasThrottled(t *testing.T) {
	tries := map[string]int{}
	tn := newTenant(t, batchServer(t, func(s sub) subAnswer {
		tries[s.URL]++
		if n := len(tries); tries[s.URL] == 1 && n > 5 && n <= 20 {
			return subAnswer{Status: 429, Headers: map[string]string{"retry-after": fmt.Sprint(30 - n)}, Body: odata("TooManyRequests")}
		}
		return subAnswer{Status: 200, Body: methodsOf("fido2AuthenticationMethod")}
	}))
	got, err := tn.BatchMethods(t.Context(), ids(40))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 40 {
		t.Errorf("%d people, want 40", len(got))
	}
	if first := tn.seen[1].at.Sub(tn.seen[0].at); first < 24*time.Second {
		t.Errorf("came back after %s, the longest wait asked for is 24 s", first)
	}
	for i, s := range tn.seen[1:] {
		n := strings.Count(s.body, `"method"`)
		if n > 5 {
			t.Errorf("request %d carries %d after the limit showed, want at most 5", i+2, n)
		}
		if i > 0 {
			if gap := s.at.Sub(tn.seen[i].at); gap < 10*time.Second {
				t.Errorf("request %d came %s after the one before: more than 5 in 10 s", i+2, gap)
			}
		}
	}
}

func TestABatchThatIsNotWholeIsAnError(t *testing.T) {
	var partial *graph.PartialError
	for name, answer := range map[string]http.HandlerFunc{
		"one left out":             ok(`{"responses":[{"id":"0","status":200,"body":{"value":[]}}]}`),
		"one twice":                ok(`{"responses":[{"id":"0","status":200,"body":{"value":[]}},{"id":"0","status":200,"body":{"value":[]}}]}`),
		"one twice, none left out": ok(`{"responses":[{"id":"0","status":200,"body":{"value":[]}},{"id":"1","status":200,"body":{"value":[]}},{"id":"0","status":404}]}`),
		"one not asked":            ok(`{"responses":[{"id":"0","status":200,"body":{"value":[]}},{"id":"7","status":200,"body":{"value":[]}}]}`),
		"a third not asked":        ok(`{"responses":[{"id":"0","status":200,"body":{"value":[]}},{"id":"1","status":200,"body":{"value":[]}},{"id":"7","status":200,"body":{"value":[]}}]}`),
		"an id that is none":       ok(`{"responses":[{"id":"x","status":200}]}`),
		"no responses":             ok(`{}`),
		"an error inside a 200":    ok(`{"error":{"code":"UnknownError"}}`),
		"refused for ever":         batchServer(t, func(sub) subAnswer { return subAnswer{Status: 429, Body: odata("TooManyRequests")} }),
		"told to wait an hour":     batchServer(t, func(sub) subAnswer { return subAnswer{Status: 429, Headers: map[string]string{"Retry-After": "3600"}} }),
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, answer)
			if got, err := tn.BatchMethods(t.Context(), ids(2)); !errors.As(err, &partial) {
				t.Errorf("got %v, %v, want a PartialError", got, err)
			}
			for _, d := range tn.clock.sleeps {
				if d > 10*time.Minute {
					t.Errorf("waited for %s", d)
				}
			}
		})
	}
	t.Run("one refused", func(t *testing.T) {
		tn := newTenant(t, batchServer(t, func(sub) subAnswer { return subAnswer{Status: 403, Body: odata("Authorization_RequestDenied")} }))
		_, err := tn.BatchMethods(t.Context(), ids(2))
		var denied *graph.DeniedError
		if !errors.As(err, &denied) || denied.Permission != "UserAuthenticationMethod.Read.All" {
			t.Errorf("error %v, want a DeniedError", err)
		}
	})
	t.Run("an error inside a sub-answer", func(t *testing.T) {
		tn := newTenant(t, batchServer(t, func(sub) subAnswer { return subAnswer{Status: 200, Body: odata("UnknownError")} }))
		if _, err := tn.BatchMethods(t.Context(), ids(2)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a batch may be sent again", func(t *testing.T) {
		tn := newTenant(t, answers(failure(503, "x"), ok(`{"responses":[{"id":"0","status":200,"body":{"value":[]}},{"id":"1","status":200,"body":{"value":[]}}]}`)))
		if got, err := tn.BatchMethods(t.Context(), ids(2)); err != nil || len(got) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("more than a page", func(t *testing.T) {
		tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				ok(`{"value":[{"@odata.type":"#microsoft.graph.fido2AuthenticationMethod","id":"1"}]}`)(w, r)
				return
			}
			ok(`{"responses":[{"id":"0","status":200,"body":{"value":[],"@odata.nextLink":"{host}/v1.0/x"}}]}`)(w, r)
		})
		got, err := tn.BatchMethods(t.Context(), ids(1))
		if err != nil || len(got[ids(1)[0]]) != 1 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestPurposes(t *testing.T) {
	people := ids(6)
	shapes := []subAnswer{
		{Status: 200, Body: map[string]any{"@odata.context": "x", "value": "user"}},
		{Status: 200, Body: map[string]any{"userPurpose": "shared"}},
		{Status: 200, Body: map[string]any{"userPurpose": map[string]any{"value": "room"}}},
		{Status: 404, Body: odata("MailboxNotEnabledForRESTAPI")},
		{Status: 403, Body: odata("ErrorAccessDenied")},
		{Status: 200, Body: map[string]any{"value": "somethingNew"}},
	}
	tn := newTenant(t, batchServer(t, func(s sub) subAnswer {
		if !strings.HasSuffix(s.URL, "/mailboxSettings/userPurpose") {
			t.Errorf("asked %s", s.URL)
		}
		for i, id := range people {
			if strings.Contains(s.URL, id) {
				return shapes[i]
			}
		}
		return subAnswer{Status: 400}
	}))
	got, err := tn.Purposes(t.Context(), people)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{people[0]: "user", people[1]: "shared", people[2]: "room", people[5]: "somethingNew"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	all := newTenant(t, batchServer(t, func(sub) subAnswer { return shapes[4] }))
	_, err = all.Purposes(t.Context(), people)
	var denied *graph.DeniedError
	if !errors.As(err, &denied) || denied.Permission != "MailboxSettings.Read" {
		t.Errorf("all refused: %v, want a DeniedError", err)
	}
	if _, err := newTenant(t, batchServer(t, func(sub) subAnswer { return subAnswer{Status: 200, Body: map[string]any{}} })).Purposes(t.Context(), people); err == nil {
		t.Error("an answer that says nothing passes")
	}
	if got, err := newTenant(t, ok(`{}`)).Purposes(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("nobody asked: %v, %v", got, err)
	}
}

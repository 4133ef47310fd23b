package graph_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

func signIns(t *testing.T, tn *tenant, q graph.SignInQuery) ([]rollout.SignIn, error) {
	t.Helper()
	return collect(func(f func([]rollout.SignIn) error) error { return tn.SignIns(t.Context(), q, f) })
}

func TestSignInsAsksForWhatItShould(t *testing.T) {
	from := time.Date(2026, 12, 1, 7, 0, 0, 0, time.FixedZone("", 3600))
	for name, c := range map[string]struct {
		query        graph.SignInQuery
		path, filter string
	}{
		"everything": {graph.SignInQuery{}, "/v1.0/auditLogs/signIns", ""},
		"a window":   {graph.SignInQuery{From: from, To: from.Add(1500 * time.Millisecond)}, "/v1.0/auditLogs/signIns", "createdDateTime ge 2026-12-01T06:00:00Z and createdDateTime le 2026-12-01T06:00:01.5Z"},
		"one person": {graph.SignInQuery{UserID: "o'brien"}, "/v1.0/auditLogs/signIns", "userId eq 'o''brien'"},
		"one code":   {graph.SignInQuery{From: from, ErrorCode: 50072}, "/v1.0/auditLogs/signIns", "createdDateTime ge 2026-12-01T06:00:00Z and status/errorCode eq 50072"},
		"non-interactive": {
			graph.SignInQuery{UserID: userID, NonInteractive: true},
			"/beta/auditLogs/signIns",
			"userId eq '" + userID + "' and signInEventTypes/any(t: t eq 'nonInteractiveUser')",
		},
		"in detail": {
			graph.SignInQuery{UserID: userID, Detailed: true},
			"/beta/auditLogs/signIns",
			"userId eq '" + userID + "' and signInEventTypes/any(t: t eq 'interactiveUser')",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var filter string
			tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
				filter = r.URL.Query().Get("$filter")
				ok(`{"value":[]}`)(w, r)
			})
			if _, err := signIns(t, tn, c.query); err != nil {
				t.Fatal(err)
			}
			if got := tn.last(); got.path != c.path || filter != c.filter {
				t.Errorf("asked %s with %q, want %s with %q", got.path, filter, c.path, c.filter)
			}
			// Without it, what a report-only policy said comes as unknownFutureValue.
			if got := tn.last().header.Get("Prefer"); got != "include-unknown-enum-members" {
				t.Errorf("Prefer is %q", got)
			}
			// One property that v1.0 does not know makes the whole query a 400.
			if strings.Contains(tn.last().query, "select") {
				t.Errorf("asked with %q", tn.last().query)
			}
		})
	}
}

func TestSignInsKeepsWhatGraphWrote(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[
		{"id":"a","userId":"`+userID+`","userPrincipalName":"ana@contoso.com","createdDateTime":"2026-12-01T08:00:00.5Z","appDisplayName":"Outlook",
		 "clientAppUsed":"Browser","ipAddress":"192.0.2.7","isInteractive":true,"conditionalAccessStatus":"applied",
		 "location":{"city":"Leeds","countryOrRegion":"GB"},"status":{"errorCode":50072,"failureReason":"must enrol"},
		 "authenticationRequirement":"multiFactorAuthentication","authenticationDetails":[{"authenticationMethod":"Password","succeeded":true},
		  {"authenticationMethod":"Text message","succeeded":false},{"authenticationMethod":"","succeeded":true},{"authenticationMethod":"brand new","succeeded":true}],
		 "appliedConditionalAccessPolicies":[{"id":"p","result":"reportOnlyInterrupted"},{"id":"q","result":"unknownFutureValue"},{"id":"r","result":"brandNew"}]},
		{"id":"b","createdDateTime":"2026-12-01T07:00:00+00:00","status":{"errorCode":0},"location":null,"appliedConditionalAccessPolicies":null},
		{"id":"a","createdDateTime":"2026-12-01T07:00:00Z","status":{}},
		{"id":"c","createdDateTime":"2026-12-01T06:00:00Z","status":null}]}`))
	got, err := signIns(t, tn, graph.SignInQuery{})
	if err != nil {
		t.Fatal(err)
	}
	seven := time.Date(2026, 12, 1, 7, 0, 0, 0, time.UTC)
	want := []rollout.SignIn{
		{
			ID: "a", UserID: userID, UserPrincipalName: "ana@contoso.com", CreatedAt: seven.Add(time.Hour + 500*time.Millisecond), AppDisplayName: "Outlook",
			ClientAppUsed: "Browser", IPAddress: "192.0.2.7", City: "Leeds", Country: "GB", ErrorCode: 50072, FailureReason: "must enrol",
			Interactive: true, CAStatus: "applied", Requirement: "multiFactorAuthentication", Methods: []string{"Password", "brand new"},
			Applied: []rollout.AppliedPolicy{{ID: "p", Result: "reportOnlyInterrupted"}, {ID: "q", Result: "unknownFutureValue"}, {ID: "r", Result: "brandNew"}},
		},
		{ID: "b", CreatedAt: seven},
		{ID: "a", CreatedAt: seven, ErrorCode: graph.ErrorCodeMissing},
		{ID: "c", CreatedAt: seven.Add(-time.Hour), ErrorCode: graph.ErrorCodeMissing},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSignInsRefusesARowWithoutIDOrTime(t *testing.T) {
	for _, row := range []string{`{"createdDateTime":"2026-12-01T07:00:00Z"}`, `{"id":"a"}`, `{"id":"a","createdDateTime":null}`, `{"id":"a","createdDateTime":"yesterday"}`} {
		if got, err := signIns(t, newTenant(t, ok(`{"value":[`+row+`]}`)), graph.SignInQuery{}); err == nil {
			t.Errorf("%s passes as %+v", row, got)
		}
	}
}

// log is a sign-in log of one row a minute, newest first, whose skip tokens
// expire after so many pages.
func expiringLog(t *testing.T, rows, size, pagesPerToken int, order func(int) int) http.HandlerFunc {
	read, expiries := 0, 0
	return func(w http.ResponseWriter, r *http.Request) {
		at := func(i int) time.Time { return start().Add(-time.Duration(order(i)/2) * time.Minute) }
		from := 0
		if s := r.URL.Query().Get("$skiptoken"); s != "" {
			if read++; read >= pagesPerToken {
				expiries++
				failure([]int{400, 410}[expiries%2], "UnknownError")(w, r) // either has been seen
				return
			}
			fmt.Sscan(s, &from)
		} else {
			read = 0
			if _, le, ok := strings.Cut(r.URL.Query().Get("$filter"), "createdDateTime le "); ok {
				to, err := time.Parse(time.RFC3339, le)
				if err != nil {
					t.Errorf("filter by %q: %v", le, err)
				}
				for from < rows && at(from).After(to) {
					from++
				}
			}
		}
		var out []string
		for i := from; i < min(from+size, rows); i++ {
			out = append(out, fmt.Sprintf(`{"id":"%d","createdDateTime":"%s","status":{"errorCode":0}}`, i, at(i).Format(time.RFC3339)))
		}
		link := ""
		if from+size < rows {
			link = fmt.Sprintf(`,"@odata.nextLink":"http://%s%s?$skiptoken=%d"`, r.Host, r.URL.Path, from+size)
		}
		fmt.Fprintf(w, `{"value":[%s]%s}`, strings.Join(out, ","), link)
	}
}

func TestSignInsGoesOnWhenASkipTokenExpires(t *testing.T) {
	tn := newTenant(t, expiringLog(t, 47, 5, 3, func(i int) int { return i }))
	got, err := signIns(t, tn, graph.SignInQuery{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, s := range got {
		seen[s.ID]++
	}
	for i := range 47 {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("row %d came %d times", i, n)
		}
	}
}

func TestSignInsDoesNotGoOnWhereThatCouldLoseRows(t *testing.T) {
	var partial *graph.PartialError
	t.Run("not newest first", func(t *testing.T) {
		tn := newTenant(t, answers(
			ok(`{"value":[{"id":"a","createdDateTime":"2026-12-01T08:00:00Z"},{"id":"b","createdDateTime":"2026-12-01T06:00:00Z"},
				{"id":"c","createdDateTime":"2026-12-01T07:00:00Z"}],"@odata.nextLink":"{host}/v1.0/auditLogs/signIns?$skiptoken=1"}`),
			failure(400, "BadRequest"), ok(`{"value":[{"id":"b","createdDateTime":"2026-12-01T06:00:00Z"}]}`)))
		if _, err := signIns(t, tn, graph.SignInQuery{}); !errors.As(err, &partial) {
			t.Errorf("error %v, want a PartialError", err)
		}
	})
	t.Run("no progress", func(t *testing.T) {
		tn := newTenant(t, expiringLog(t, 47, 5, 2, func(int) int { return 0 }))
		if _, err := signIns(t, tn, graph.SignInQuery{}); !errors.As(err, &partial) {
			t.Errorf("error %v, want a PartialError", err)
		}
		if n := len(tn.calls()); n > 10 {
			t.Errorf("%d requests in a ring", n)
		}
	})
	t.Run("again and again", func(t *testing.T) {
		tn := newTenant(t, expiringLog(t, 1000, 5, 2, func(i int) int { return 2 * i }))
		if _, err := signIns(t, tn, graph.SignInQuery{}); !errors.As(err, &partial) {
			t.Errorf("error %v, want a PartialError", err)
		}
	})
	t.Run("the first page is refused", func(t *testing.T) {
		tn := newTenant(t, failure(400, "BadRequest"))
		if _, err := signIns(t, tn, graph.SignInQuery{}); err == nil || len(tn.calls()) != 1 {
			t.Errorf("error %v after %d requests", err, len(tn.calls()))
		}
	})
	t.Run("refused after the restart", func(t *testing.T) {
		tn := newTenant(t, answers(
			ok(`{"value":[{"id":"a","createdDateTime":"2026-12-01T07:00:00Z"}],"@odata.nextLink":"{host}/v1.0/auditLogs/signIns?$skiptoken=1"}`),
			failure(400, "BadRequest"), failure(403, "Authentication_MSGraphPermissionMissing")))
		_, err := signIns(t, tn, graph.SignInQuery{})
		var denied *graph.DeniedError
		if !errors.As(err, &partial) || !errors.As(err, &denied) || partial.Rows != 1 {
			t.Errorf("error %v, want a PartialError of a DeniedError", err)
		}
	})
}

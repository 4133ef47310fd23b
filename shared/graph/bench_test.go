package graph_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// inProcess answers without a socket.
type inProcess func(*http.Request) string

func (f inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	body := f(r)
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// BenchmarkRegistrations reads a report of 10,000 rows; the figures per row
// are what an audit pays on top of Graph's pace.
func BenchmarkRegistrations(b *testing.B) {
	const rows, size = 10_000, 999
	pages := map[string]string{}
	for from := 0; from < rows; from += size {
		var page bytes.Buffer
		page.WriteString(`{"value":[`)
		for i := from; i < min(from+size, rows); i++ {
			if i > from {
				page.WriteByte(',')
			}
			fmt.Fprintf(&page, `{"id":"%08d-0000-4000-8000-000000000000","userPrincipalName":"person%d@contoso.com","userDisplayName":"Person %d","isAdmin":false,
				"isSsprRegistered":false,"isSsprEnabled":false,"isSsprCapable":false,"isMfaRegistered":true,"isMfaCapable":true,"isPasswordlessCapable":false,
				"lastUpdatedDateTime":"2026-12-01T03:00:00.6195833Z","methodsRegistered":["microsoftAuthenticatorPush","softwareOneTimePasscode"],
				"isSystemPreferredAuthenticationMethodEnabled":true,"systemPreferredAuthenticationMethods":["push"],
				"userPreferredMethodForSecondaryAuthentication":"push","userType":"member"}`, i, i, i)
		}
		page.WriteString(`]`)
		if from+size < rows {
			fmt.Fprintf(&page, `,"@odata.nextLink":"https://graph.microsoft.com/v1.0/reports/authenticationMethods/userRegistrationDetails?$skiptoken=%d"`, from+size)
		}
		page.WriteString(`}`)
		key := ""
		if from > 0 {
			key = fmt.Sprint(from)
		}
		pages[key] = page.String()
	}
	client, err := graph.New(graph.Options{
		Credential: app{}, Clock: &clock{now: start()},
		Transport: inProcess(func(r *http.Request) string { return pages[r.URL.Query().Get("$skiptoken")] }),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := client.Registrations(b.Context(), func(page []rollout.Registration) error { n += len(page); return nil }); err != nil || n != rows {
			b.Fatalf("%d rows, %v", n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

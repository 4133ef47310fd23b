package graph_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

func TestAListingIsReadToItsEnd(t *testing.T) {
	tn := newTenant(t, answers(
		ok(`{"value":[{"id":"1"},{"id":"2"}],"@odata.nextLink":"{host}/v1.0/users?$skiptoken=a"}`),
		ok(`{"value":[],"@odata.nextLink":"{host}/v1.0/users?$skiptoken=b"}`),
		ok(`{"value":[{"id":"3"}]}`)))
	var pages []int
	err := tn.Users(t.Context(), false, func(page []rollout.User) error { pages = append(pages, len(page)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2, 1}, pages); diff != "" {
		t.Errorf("pages: %s", diff)
	}
	q, err := url.ParseQuery(tn.seen[0].query)
	if err != nil || q.Get("$top") != "999" || !strings.Contains(q.Get("$select"), "onPremisesSyncEnabled") {
		t.Errorf("first page asked with %q", tn.seen[0].query)
	}
	if got := tn.seen[2].query; got != "$skiptoken=b" {
		t.Errorf("last page asked with %q", got)
	}
}

func TestABadListingIsAnErrorAndNeverAShortList(t *testing.T) {
	first := `{"value":[{"id":"1"}],"@odata.nextLink":"{host}/v1.0/users?$skiptoken=a"}`
	for name, c := range map[string]struct {
		pages []http.HandlerFunc
		says  string
		rows  int
	}{
		"a later page fails":      {[]http.HandlerFunc{ok(first), failure(400, "BadRequest")}, "400", 1},
		"a later page is denied":  {[]http.HandlerFunc{ok(first), failure(403, "Authorization_RequestDenied")}, "User.Read.All", 1},
		"a page breaks off":       {[]http.HandlerFunc{ok(first), ok(`{"value":[{"id":"2"`)}, "not what Graph documents", 1},
		"a page is empty bytes":   {[]http.HandlerFunc{ok(first), ok(``)}, "not what Graph documents", 1},
		"a page has no rows":      {[]http.HandlerFunc{ok(first), ok(`{}`)}, "no rows", 1},
		"rows are null":           {[]http.HandlerFunc{ok(first), ok(`{"value":null}`)}, "no rows", 1},
		"an error inside a 200":   {[]http.HandlerFunc{ok(first), ok(`{"error":{"code":"UnknownError"}}`)}, "UnknownError", 1},
		"an error beside rows":    {[]http.HandlerFunc{ok(first), ok(`{"value":[],"error":{"code":"UnknownError"}}`)}, "UnknownError", 1},
		"an error and odd rows":   {[]http.HandlerFunc{ok(first), ok(`{"value":"x","error":{"code":"UnknownError"}}`)}, "UnknownError", 1},
		"a null id":               {[]http.HandlerFunc{ok(first), ok(`{"value":[{"id":null}]}`)}, "row 2 has no id", 1},
		"no id":                   {[]http.HandlerFunc{ok(first), ok(`{"value":[{}]}`)}, "row 2 has no id", 1},
		"a null row":              {[]http.HandlerFunc{ok(first), ok(`{"value":[null]}`)}, "row 2 has no id", 1},
		"an id twice":             {[]http.HandlerFunc{ok(first), ok(`{"value":[{"id":"1"}]}`)}, "came twice", 1},
		"an id twice in a page":   {[]http.HandlerFunc{ok(first), ok(`{"value":[{"id":"2"},{"id":"2"}]}`)}, "came twice", 1},
		"the link goes in a ring": {[]http.HandlerFunc{ok(first), ok(`{"value":[],"@odata.nextLink":"{host}/v1.0/users?$skiptoken=a"}`)}, "leads back", 1},
		"the link is no address":  {[]http.HandlerFunc{ok(first), ok(`{"value":[],"@odata.nextLink":"::"}`)}, "no address", 1},
		"the link is no text":     {[]http.HandlerFunc{ok(first), ok(`{"value":[],"@odata.nextLink":7}`)}, "not what Graph documents", 1},
		"fewer than counted":      {[]http.HandlerFunc{ok(`{"@odata.count":3,"value":[{"id":"1"}]}`)}, "Graph counted 3", 1},
		"nobody at all":           {[]http.HandlerFunc{ok(`{"value":[]}`)}, "empty", 0},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, answers(c.pages...))
			_, err := collect(func(f func([]rollout.User) error) error { return tn.Users(t.Context(), false, f) })
			var partial *graph.PartialError
			if !errors.As(err, &partial) {
				t.Fatalf("error %v, want a PartialError", err)
			}
			if partial.Rows != c.rows || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q after %d rows, want %q after %d", err, partial.Rows, c.says, c.rows)
			}
		})
	}
}

func TestWhoTakesAPageCanStopTheListing(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[{"id":"1"}],"@odata.nextLink":"{host}/v1.0/users?$skiptoken=a"}`))
	full := errors.New("the table is full")
	if err := tn.Users(t.Context(), false, func([]rollout.User) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v, want the taker's", err)
	}
	if n := len(tn.calls()); n != 1 {
		t.Errorf("%d requests, want one", n)
	}
}

// One reading takes one request a page, however many rows.
func TestAListingCostsOneRequestAPage(t *testing.T) {
	const n, size = 2500, 999
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if s := r.URL.Query().Get("$skiptoken"); s != "" {
			fmt.Sscan(s, &from)
		}
		var rows []string
		for i := from; i < min(from+size, n); i++ {
			rows = append(rows, fmt.Sprintf(`{"id":"%08d-0000-4000-8000-000000000000","methodsRegistered":["mobilePhone"]}`, i))
		}
		link := ""
		if from+size < n {
			link = fmt.Sprintf(`,"@odata.nextLink":"http://%s%s?$skiptoken=%d"`, r.Host, r.URL.Path, from+size)
		}
		fmt.Fprintf(w, `{"value":[%s]%s}`, strings.Join(rows, ","), link)
	})
	got, err := collect(func(f func([]rollout.Registration) error) error { return tn.Registrations(t.Context(), f) })
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != n || len(tn.calls()) != 3 {
		t.Errorf("%d rows in %d requests, want %d in 3", len(got), len(tn.calls()), n)
	}
}

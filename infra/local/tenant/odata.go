package tenant

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// metadata begins every @odata.context.
const metadata = "https://graph.microsoft.com/v1.0/$metadata#"

// listing is a collection as one end point offers it.
type listing struct {
	context string
	rows    []Object
	// properties may be selected; default ones come without $select. Nil: all
	// that any row has.
	properties, standard []string
	// filters are the properties that may stand in $filter, each with its
	// operators separated by spaces.
	filters map[string]string
	pageOf  int  // rows on a page without $top
	most    int  // rows on a page at most
	noTop   bool // $top is refused
	// dress adds to a row what only this call shows; nil: nothing. It costs time,
	// so without a filter only the page's rows are dressed.
	dress func(Object) Object
	// expanded is a property that comes whatever is selected, where a row has it
	expanded string
	options  []string
}

// list answers a collection: filtered, cut to a page, with a link to the next.
func (t *Tenant) list(c *call, l listing) answer {
	if a := l.refuse(c.query); a.status != 0 {
		return a
	}
	terms, err := parseFilter(c.query.Get("$filter"))
	if err != nil {
		return badQuery(err.Error())
	}
	if a := l.permits(terms); a.status != 0 {
		return a
	}
	rows := l.rows
	if len(terms) > 0 {
		rows = nil
		for _, r := range l.rows {
			r = l.dressed(r)
			if matches(r, terms) {
				rows = append(rows, r)
			}
		}
	}
	selected, a := l.selected(c.query.Get("$select"))
	if a.status != 0 {
		return a
	}
	size, a := t.pageSize(c.query, l.pageOf, l.most)
	if a.status != 0 {
		return a
	}
	from, _, a := skipped(c.query)
	if a.status != 0 {
		return a
	}
	from = min(from, len(rows))
	to := min(from+size, len(rows))
	body := Object{"@odata.context": metadata + l.context}
	if c.query.Get("$count") == "true" {
		body["@odata.count"] = len(rows)
	}
	page := make([]any, 0, to-from)
	for _, r := range rows[from:to] {
		if len(terms) == 0 {
			r = l.dressed(r)
		}
		shown := pick(r, selected)
		if with, has := r[l.expanded]; has {
			shown[l.expanded] = with
		}
		page = append(page, shown)
	}
	body["value"] = page
	if to < len(rows) {
		body["@odata.nextLink"] = c.next(skipToken(to, c.at))
	}
	return ok(http.StatusOK, body)
}

func (l listing) dressed(r Object) Object {
	if l.dress == nil {
		return r
	}
	return l.dress(r)
}

// refuse answers query options that the end point does not know.
func (l listing) refuse(q url.Values) answer {
	known := append([]string{"$select", "$filter", "$top", "$skiptoken", "$count", "$format"}, l.options...)
	for _, k := range sortedKeys(q) {
		switch {
		case k == "$top" && l.noTop:
			return badQuery("The query specified in the URI is not valid. Query option 'Top' is not allowed.")
		case strings.HasPrefix(k, "$") && !slices.Contains(known, k):
			return problem(http.StatusNotImplemented, "notSupportedBySimulation", "The simulated tenant does not know "+k+" here; Graph may.")
		case !strings.HasPrefix(k, "$"):
			return badQuery("Unrecognized query argument specified: '" + k + "'.")
		}
	}
	return answer{}
}

func (l listing) permits(terms []term) answer {
	for _, m := range terms {
		if !slices.Contains(strings.Fields(l.filters[strings.Join(m.path, "/")]), m.op) {
			return problem(http.StatusBadRequest, "Request_UnsupportedQuery", fmt.Sprintf("Unsupported or invalid query filter clause specified for property '%s' of resource '%s'.", strings.Join(m.path, "/"), l.context))
		}
	}
	return answer{}
}

// selected resolves $select; nil means everything.
func (l listing) selected(s string) ([]string, answer) {
	if s == "" {
		return l.standard, answer{}
	}
	known := l.properties
	if known == nil {
		for _, r := range l.rows {
			known = append(known, sortedKeys(r)...)
		}
	}
	out := []string{}
	for _, name := range strings.Split(s, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
		if i < 0 && len(known) > 0 {
			return nil, badQuery("Parsing OData Select and Expand failed: Could not find a property named '" + name + "' on type 'microsoft.graph." + l.context + "'.")
		}
		if i >= 0 {
			out = append(out, known[i])
		}
	}
	return out, answer{}
}

// pick copies the selected properties of a row; one that it lacks is null.
func pick(r Object, selected []string) Object {
	if selected == nil {
		return r
	}
	out := Object{}
	if kind, has := r["@odata.type"]; has {
		out["@odata.type"] = kind
	}
	if id, has := r["id"]; has {
		out["id"] = id
	}
	for _, s := range selected {
		out[s] = r[s]
	}
	return out
}

// pageSize resolves $top. More than a page may hold is quietly cut, as most of
// Graph does.
func (t *Tenant) pageSize(q url.Values, usual, most int) (int, answer) {
	size := usual
	if s := q.Get("$top"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return 0, badQuery("Invalid page size specified: '" + s + "'.")
		}
		size = min(n, most)
	}
	if t.behave.PageCap > 0 {
		size = min(size, t.behave.PageCap)
	}
	return size, answer{}
}

// next is the link to the next page of a call.
func (c *call) next(token string) string {
	q := url.Values{}
	for k, v := range c.query {
		q[k] = v
	}
	q.Set("$skiptoken", token)
	return c.base + "/" + c.version + "/" + c.path + "?" + strings.ReplaceAll(q.Encode(), "%24", "$")
}

// skipToken remembers how far a reader came and when.
func skipToken(from int, now time.Time) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d", from, now.Unix()))
}

func skipped(q url.Values) (from int, issued time.Time, a answer) {
	s := q.Get("$skiptoken")
	if s == "" {
		return 0, time.Time{}, answer{}
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	var unix int64
	if err == nil {
		_, err = fmt.Sscanf(string(b), "%d %d", &from, &unix)
	}
	if err != nil || from < 0 {
		return 0, time.Time{}, problem(http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.")
	}
	return from, time.Unix(unix, 0), answer{}
}

func badQuery(message string) answer {
	return problem(http.StatusBadRequest, "BadRequest", message)
}

package tenant

import (
	"encoding/base64"
	"encoding/json"
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
	options []string
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
		page = append(page, pick(r, selected))
	}
	body["value"] = page
	if to < len(rows) {
		body["@odata.nextLink"] = c.next(skipToken(to, c.at))
	}
	return ok(http.StatusOK, body)
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

// term is one comparison of a $filter; all terms must hold.
type term struct {
	path   []string
	op     string // eq ne ge le gt lt in startswith any
	values []any
}

// parseFilter reads the part of OData's filters that Graph's readers here use:
// comparisons, startswith, in, and any with eq, joined by and.
func parseFilter(s string) ([]term, error) {
	if s == "" {
		return nil, nil
	}
	p := &filterParser{tokens: tokenize(s)}
	var out []term
	for {
		m, err := p.term()
		if err != nil {
			return nil, fmt.Errorf("invalid filter clause: %w", err)
		}
		out = append(out, m)
		if p.done() {
			return out, nil
		}
		if got := p.take(); got != "and" {
			return nil, fmt.Errorf("invalid filter clause: 'and' expected, found '%s'", got)
		}
	}
}

type filterParser struct {
	tokens []string
	next   int
}

func (p *filterParser) done() bool { return p.next >= len(p.tokens) }

func (p *filterParser) take() string {
	if p.done() {
		return ""
	}
	p.next++
	return p.tokens[p.next-1]
}

func (p *filterParser) expect(want string) error {
	if got := p.take(); got != want {
		return fmt.Errorf("'%s' expected, found '%s'", want, got)
	}
	return nil
}

func (p *filterParser) term() (term, error) {
	name := p.take()
	switch {
	case name == "(":
		m, err := p.term()
		if err != nil {
			return term{}, err
		}
		return m, p.expect(")")
	case strings.EqualFold(name, "startswith"):
		if err := p.expect("("); err != nil {
			return term{}, err
		}
		m := term{path: strings.Split(p.take(), "/"), op: "startswith"}
		if err := p.expect(","); err != nil {
			return term{}, err
		}
		m.values = []any{literal(p.take())}
		return m, p.expect(")")
	case strings.HasSuffix(name, "/any"):
		return p.anyTerm(strings.TrimSuffix(name, "/any"))
	}
	m := term{path: strings.Split(name, "/"), op: p.take()}
	switch m.op {
	case "eq", "ne", "ge", "le", "gt", "lt":
		m.values = []any{literal(p.take())}
		return m, nil
	case "in":
		if err := p.expect("("); err != nil {
			return term{}, err
		}
		for {
			m.values = append(m.values, literal(p.take()))
			if sep := p.take(); sep == ")" {
				return m, nil
			} else if sep != "," {
				return term{}, fmt.Errorf("',' or ')' expected, found '%s'", sep)
			}
		}
	}
	return term{}, fmt.Errorf("operator expected after '%s', found '%s'", name, m.op)
}

// anyTerm reads (x:x eq 'value') after the name of a list.
func (p *filterParser) anyTerm(of string) (term, error) {
	if err := p.expect("("); err != nil {
		return term{}, err
	}
	v := p.take()
	if err := p.expect(":"); err != nil {
		return term{}, err
	}
	if err := p.expect(v); err != nil {
		return term{}, err
	}
	if err := p.expect("eq"); err != nil {
		return term{}, err
	}
	m := term{path: strings.Split(of, "/"), op: "any", values: []any{literal(p.take())}}
	return m, p.expect(")")
}

// tokenize splits a filter; a quoted string keeps its opening quote as a mark.
func tokenize(s string) []string {
	var out []string
	for i := 0; i < len(s); {
		switch ch := s[i]; {
		case ch == ' ':
			i++
		case ch == '(' || ch == ')' || ch == ',':
			out = append(out, string(ch))
			i++
		case ch == ':' && i+1 < len(s) && (s[i+1] < '0' || s[i+1] > '9'):
			out = append(out, ":")
			i++
		case ch == '\'':
			var b strings.Builder
			for i++; i < len(s); i++ {
				if s[i] == '\'' {
					if i+1 < len(s) && s[i+1] == '\'' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(s[i])
			}
			i++
			out = append(out, "'"+b.String())
		default:
			j := i
			for j < len(s) && !strings.ContainsRune(" (),'", rune(s[j])) && !(s[j] == ':' && (j+1 >= len(s) || s[j+1] < '0' || s[j+1] > '9')) {
				j++
			}
			out = append(out, s[i:j])
			i = j
		}
	}
	return out
}

// literal turns a token into the value that JSON would have.
func literal(token string) any {
	switch {
	case strings.HasPrefix(token, "'"):
		return token[1:]
	case token == "true", token == "false":
		return token == "true"
	case token == "null":
		return nil
	}
	if when, err := time.Parse(time.RFC3339Nano, token); err == nil {
		return when
	}
	if n, err := strconv.ParseFloat(token, 64); err == nil {
		return n
	}
	return token
}

func matches(o Object, terms []term) bool {
	return !slices.ContainsFunc(terms, func(m term) bool { return !m.holds(o) })
}

func (m term) holds(o Object) bool {
	have := at(o, m.path...)
	switch m.op {
	case "any":
		return holds(list(o, m.path...), fmt.Sprint(m.values[0]))
	case "startswith":
		s, _ := have.(string)
		return strings.HasPrefix(strings.ToLower(s), strings.ToLower(fmt.Sprint(m.values[0])))
	case "in":
		return slices.ContainsFunc(m.values, func(v any) bool { c, ok := compare(have, v); return ok && c == 0 })
	}
	c, like := compare(have, m.values[0])
	switch m.op {
	case "eq":
		return like && c == 0
	case "ne":
		return !like || c != 0
	case "ge":
		return like && c >= 0
	case "le":
		return like && c <= 0
	case "gt":
		return like && c > 0
	default:
		return like && c < 0
	}
}

// compare orders a property against a literal; they may not be comparable.
func compare(have, want any) (int, bool) {
	switch w := want.(type) {
	case nil:
		return 0, have == nil
	case bool:
		h, ok := have.(bool)
		if h == w {
			return 0, ok
		}
		return 1, ok
	case float64:
		h, ok := number(have)
		switch {
		case h < w:
			return -1, ok
		case h > w:
			return 1, ok
		}
		return 0, ok
	case time.Time:
		s, _ := have.(string)
		h, err := time.Parse(time.RFC3339Nano, s)
		return h.Compare(w), err == nil
	default:
		s, ok := have.(string)
		return strings.Compare(strings.ToLower(s), strings.ToLower(fmt.Sprint(w))), ok
	}
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	default:
		return 0, false
	}
}

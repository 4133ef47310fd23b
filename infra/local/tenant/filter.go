package tenant

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

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

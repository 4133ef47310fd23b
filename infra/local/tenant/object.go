package tenant

import (
	"slices"
	"strings"
	"time"
)

// Object is one thing in Graph's own JSON shape, as encoding/json decodes it.
// Keeping the shape keeps every string that Microsoft may invent tomorrow.
type Object = map[string]any

// text returns the string at a path of properties ("status/errorCode" style,
// one argument per step), or empty.
func text(o Object, path ...string) string {
	s, _ := at(o, path...).(string)
	return s
}

// truth returns the bool at a path and whether there is one.
func truth(o Object, path ...string) (value, known bool) {
	value, known = at(o, path...).(bool)
	return value, known
}

// object returns the object at a path, or nil.
func object(o Object, path ...string) Object {
	v, _ := at(o, path...).(Object)
	return v
}

// list returns the strings of the array at a path; what is no string is left out.
func list(o Object, path ...string) []string {
	switch v := at(o, path...).(type) {
	case []string:
		return v
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	default:
		return nil
	}
}

// objects returns the objects of the array at a path.
func objects(o Object, path ...string) []Object {
	switch v := at(o, path...).(type) {
	case []Object:
		return v
	case []any:
		out := make([]Object, 0, len(v))
		for _, e := range v {
			if m, ok := e.(Object); ok {
				out = append(out, m)
			}
		}
		return out
	default:
		return nil
	}
}

// moment returns the instant at a path, or the zero time.
func moment(o Object, path ...string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text(o, path...))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func at(o Object, path ...string) any {
	var v any = o
	for _, p := range path {
		m, ok := v.(Object)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

// stamp writes an instant as Graph does, in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z07:00") }

// clone copies deeply, so that nobody outside holds a piece of the truth.
func clone(v any) any {
	switch v := v.(type) {
	case Object:
		out := make(Object, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	case []Object:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	case []string:
		return slices.Clone(v)
	default:
		return v
	}
}

func cloneObject(o Object) Object {
	if o == nil {
		return nil
	}
	c, _ := clone(o).(Object)
	return c
}

func cloneAll(in []Object) []Object {
	out := make([]Object, len(in))
	for i, o := range in {
		out[i] = cloneObject(o)
	}
	return out
}

// holds reports whether the list holds the id or keyword; Graph compares both
// without regard to case.
func holds(list []string, s string) bool {
	return slices.ContainsFunc(list, func(e string) bool { return strings.EqualFold(e, s) })
}

// table is a listing: rows by id, in the order in which they came.
type table struct {
	ids  []string // lower case
	rows map[string]Object
}

func newTable() *table { return &table{rows: map[string]Object{}} }

func (t *table) get(id string) (Object, bool) {
	o, ok := t.rows[strings.ToLower(id)]
	return o, ok
}

// put adds a row or replaces the one of the same id.
func (t *table) put(id string, o Object) {
	key := strings.ToLower(id)
	if _, ok := t.rows[key]; !ok {
		t.ids = append(t.ids, key)
	}
	t.rows[key] = o
}

func (t *table) remove(id string) bool {
	key := strings.ToLower(id)
	if _, ok := t.rows[key]; !ok {
		return false
	}
	delete(t.rows, key)
	t.ids = slices.DeleteFunc(t.ids, func(e string) bool { return e == key })
	return true
}

func (t *table) all() []Object {
	out := make([]Object, len(t.ids))
	for i, id := range t.ids {
		out[i] = t.rows[id]
	}
	return out
}

func (t *table) len() int { return len(t.ids) }

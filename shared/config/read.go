package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml/ast"

	"sallyport/shared/rollout"
)

// reader lays what a file holds over a configuration. It follows the
// configuration's type, so a new field needs no code here, only a hint. It
// reports what has the wrong shape, what is unknown and what is missing; what
// the values mean is for the checks.
type reader struct{ *report }

func (r reader) readInto(cfg *rollout.Config, root ast.Node) {
	r.read(root, "", reflect.ValueOf(cfg).Elem())
	if !r.usable[""] && !r.failed[""] {
		r.fail("", "the file is empty")
	}
}

// read reads a node into v and marks the path as usable if it could.
func (r reader) read(n ast.Node, path string, v reflect.Value) {
	if _, null := n.(*ast.NullNode); null {
		return
	}
	if what := refused(n); what != "" {
		r.failAt(n, path, "%s has no place in a rollout.yaml: write the value itself", what)
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[rollout.Date]():
		r.scalar(n, path, "a day", func(text string) bool { return setDate(v, text) })
	case v.Kind() == reflect.Struct:
		r.mapping(n, path, v)
	case v.Kind() == reflect.Slice:
		r.sequence(n, path, v)
	case v.Kind() == reflect.String:
		r.text(n, path, v)
	case v.Kind() == reflect.Bool:
		r.scalar(n, path, "true or false", func(text string) bool { return setBool(v, text) })
	case v.Kind() == reflect.Int:
		r.scalar(n, path, "a whole number", func(text string) bool { return setInt(v, text) })
	case v.Kind() == reflect.Float64:
		r.scalar(n, path, "a number", func(text string) bool { return setFloat(v, text) })
	}
}

func (r reader) mapping(n ast.Node, path string, v reflect.Value) {
	mapping, ok := n.(*ast.MappingNode)
	if !ok {
		r.failAt(n, path, "%s stands where keys with values are expected", shape(n))
		return
	}
	fields := fieldsOf(v)
	for _, entry := range mapping.Values {
		key, ok := keyText(entry)
		if !ok {
			r.failAt(entry, path, "this is no key that a rollout.yaml can hold")
			continue
		}
		field, known := fields[key]
		if !known {
			r.unknownKey(entry, path, key, v.Type())
			continue
		}
		r.places[join(path, key)] = placeOf(entry.Value)
		if _, null := entry.Value.(*ast.NullNode); null {
			r.places[join(path, key)] = placeOf(entry)
		}
		r.read(entry.Value, join(path, key), field)
	}
	r.usable[path] = true
	for _, key := range keysOf(v.Type()) {
		if child := join(path, key); r.hint(child).required {
			r.need(child)
		}
	}
}

// need reports a key that is missing or empty, unless its value or its spelling
// was already found to be wrong. It reports whether the value is usable.
func (r *report) need(path string) bool {
	_, given := r.places[path]
	switch {
	case r.usable[path]:
		return true
	case r.failed[path], r.misspelt[path]:
	case given:
		r.fail(path, "this is empty")
	default:
		r.fail(path, "this is missing")
	}
	return false
}

func (r reader) sequence(n ast.Node, path string, v reflect.Value) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		r.failAt(n, path, "%s stands where a list is expected", shape(n))
		return
	}
	v.SetZero()
	for i, item := range sequence.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.places[at] = placeOf(item)
		value := reflect.New(v.Type().Elem()).Elem()
		r.read(item, at, value)
		v.Set(reflect.Append(v, value))
		r.need(at)
	}
	r.usable[path] = len(sequence.Values) > 0
}

// text reads one line of text. Line breaks become spaces; what could forge a
// mail header or turn text around on a screen is refused.
func (r reader) text(n ast.Node, path string, v reflect.Value) {
	text, ok := scalarText(n)
	if !ok {
		r.failAt(n, path, "%s stands where text is expected", shape(n))
		return
	}
	text = strings.Join(strings.FieldsFunc(text, unicode.IsSpace), " ")
	if i := strings.IndexFunc(text, isForbidden); i >= 0 {
		r.failAt(n, path, "the text holds an invisible control character")
		return
	}
	v.SetString(text)
	r.usable[path] = text != ""
}

func isForbidden(c rune) bool {
	return unicode.IsControl(c) || unicode.In(c, unicode.Bidi_Control)
}

func (r reader) scalar(n ast.Node, path, wanted string, set func(string) bool) {
	text, ok := scalarText(n)
	switch {
	case !ok:
		r.failAt(n, path, "%s stands where %s is expected", shape(n), wanted)
	case text == "":
		return
	case !set(text):
		r.failAt(n, path, "%s is not %s", quote(text), wanted)
	default:
		r.usable[path] = true
	}
}

// setDate refuses years in which no rollout takes place: they are typing
// mistakes, and counting days over centuries overflows.
func setDate(v reflect.Value, text string) bool {
	d, err := rollout.ParseDate(text)
	if err != nil || d.Year < 2020 || d.Year > 2099 {
		return false
	}
	v.Set(reflect.ValueOf(d))
	return true
}

func setBool(v reflect.Value, text string) bool {
	v.SetBool(text == "true")
	return text == "true" || text == "false"
}

func setInt(v reflect.Value, text string) bool {
	n, err := strconv.Atoi(text)
	v.SetInt(int64(n))
	return err == nil
}

func setFloat(v reflect.Value, text string) bool {
	n, err := strconv.ParseFloat(text, 64)
	v.SetFloat(n)
	return err == nil && n-n == 0 // neither infinite nor NaN
}

// plainKey is a key that can be shown as it is.
var plainKey = regexp.MustCompile(`^[\pL\pN_-]{1,40}$`)

func (r reader) unknownKey(entry *ast.MappingValueNode, path, key string, t reflect.Type) {
	known := keysOf(t)
	expected := "one of " + strings.Join(known, ", ")
	where := "here"
	if path != "" {
		where = "in " + path
	}
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	r.places[join(path, key)] = placeOf(entry)
	if meant := nearest(key, known); meant != "" {
		r.misspelt[join(path, meant)] = true
		r.failWith(join(path, key), expected, r.hint(join(path, meant)).example, "there is no such key %s; did you mean %s?", where, meant)
		return
	}
	r.failWith(join(path, key), expected, "", "there is no such key %s", where)
}

// failAt reports a mistake at a node that may not be what its path stands for.
func (r reader) failAt(n ast.Node, path, format string, args ...any) {
	r.fail(path, format, args...)
	at := placeOf(n)
	last := &r.mistakes[len(r.mistakes)-1]
	last.Line, last.Column = at.line, at.column
}

// nearest returns the candidate that is spelt most like the word, or nothing if
// none is near: at most half of its letters differ, and no more than three.
func nearest(word string, candidates []string) string {
	best, least := "", 4
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(c)); d < least && 2*d <= len(c) {
			best, least = c, d
		}
	}
	return best
}

// refused names the parts of YAML that a rollout.yaml has no use for.
func refused(n ast.Node) string {
	switch n.(type) {
	case *ast.AnchorNode:
		return "an anchor (&)"
	case *ast.AliasNode:
		return "an alias (*)"
	case *ast.TagNode:
		return "a tag (!)"
	case *ast.DirectiveNode:
		return "a directive (%)"
	}
	return ""
}

func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		// As it was written: a telephone number is no integer.
		return n.GetToken().Value, true
	}
	return "", false
}

func keyText(entry *ast.MappingValueNode) (string, bool) {
	key, ok := entry.Key.(*ast.StringNode)
	if !ok {
		return "", false
	}
	return key.Value, true
}

func shape(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// fieldsOf returns the fields of a struct by their key in the file.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i, key := range keysOf(v.Type()) {
		fields[key] = v.Field(i)
	}
	return fields
}

// keysOf returns the keys of a struct's fields, in the order of the fields.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

package config

import (
	"reflect"
	"strings"
	"testing"

	"sallyport/shared/rollout"
)

// Every key that a rollout.yaml can hold says what is expected of it, with an
// example; no hint is left of a key that is gone.
func TestEveryKeyHasAHint(t *testing.T) {
	paths := map[string]bool{"": true}
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		paths[path] = true
		switch {
		case typ == reflect.TypeFor[rollout.Date]():
		case typ.Kind() == reflect.Struct:
			for i, key := range keysOf(typ) {
				walk(join(path, key), typ.Field(i).Type)
			}
		case typ.Kind() == reflect.Slice:
			walk(path+"[]", typ.Elem())
		}
	}
	walk("", reflect.TypeFor[rollout.Config]())
	if len(paths) < 60 {
		t.Fatalf("only %d keys were found: nothing is proven", len(paths))
	}
	for path := range paths {
		h, ok := hints()[path]
		if !ok || h.expected == "" || h.example == "" {
			t.Errorf("%q has no complete hint", path)
			continue
		}
		key := strings.TrimSuffix(path[strings.LastIndexByte(path, '.')+1:], "[]")
		if !strings.HasPrefix(h.example, key) {
			t.Errorf("the example of %q does not begin with its key: %s", path, h.example)
		}
	}
	for path := range hints() {
		if !paths[path] {
			t.Errorf("there is a hint for %q, which no configuration has", path)
		}
	}
}

// Nobody who pastes an example gets the next error from it: all of them
// together are a valid file.
func TestExamplesAreValid(t *testing.T) {
	var file strings.Builder
	for path, h := range hints() {
		if path == "" || strings.ContainsAny(path, ".[") {
			report := newReport("example.yaml")
			if _, ok := parseYAML(h.example, report); !ok {
				t.Errorf("the example of %q: %v", path, report.err())
			}
			continue
		}
		file.WriteString(h.example + "\n")
	}
	if _, _, err := Parse("examples.yaml", []byte(file.String()), Options{Languages: []string{"en"}, Gates: rollout.GateIDs()}); err != nil {
		t.Errorf("%v\n%s", err, file.String())
	}
}

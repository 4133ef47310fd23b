// Package template holds template.yaml to its promises, as AWS will deploy it:
// the SAM translator turns it into plain CloudFormation first, so that what SAM
// adds is looked at too.
package template_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/infra/local/emulator"
)

func TestTemplate(t *testing.T) {
	s := load(t)
	t.Run("functions", s.functions)
	t.Run("environment", s.environment)
	t.Run("rights", s.rights)
	t.Run("what is wired", s.wired)
	t.Run("who may speak to Graph", s.graph)
	t.Run("door", s.door)
	t.Run("queues", s.queues)
	t.Run("schedules", s.schedules)
	t.Run("table", s.table)
	t.Run("events", s.events)
	t.Run("alarms", s.alarms)
}

// TestValid asks AWS's own checkers.
func TestValid(t *testing.T) {
	root := emulator.Root(t)
	for _, check := range [][]string{
		{emulator.Tool(t, "python", "bin", "sam"), "validate", "--lint"},
		{emulator.Tool(t, "python", "bin", "cfn-lint"), "template.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), check[0], check[1:]...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION="+emulator.Region, "SAM_CLI_TELEMETRY=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(check[0]), err, out)
		}
	}
}

// stack is the template as it will be deployed, every intrinsic function in its
// long form.
type stack struct {
	Parameters map[string]any
	Resources  map[string]resource
}

type resource struct {
	Type           string
	DeletionPolicy string
	Metadata       struct{ BuildMethod string }
	Properties     map[string]any
}

// load translates template.yaml.
func load(t *testing.T) stack {
	t.Helper()
	root := emulator.Root(t)
	cmd := exec.CommandContext(t.Context(), emulator.Tool(t, "python", "bin", "python"),
		filepath.Join(root, "infra", "template", "transform.py"), filepath.Join(root, "template.yaml"))
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("translate template.yaml: %v", err)
	}
	var s stack
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// of returns the resources of a type by logical id; none is a failure, because
// a check over nothing holds always.
func (s stack) of(t *testing.T, kind string) map[string]resource {
	t.Helper()
	found := maps.Clone(s.Resources)
	maps.DeleteFunc(found, func(_ string, r resource) bool { return r.Type != kind })
	if len(found) == 0 {
		t.Fatalf("the template has no %s", kind)
	}
	return found
}

// folders returns the names in functions/.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(emulator.Root(t), "functions"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// at walks down objects and lists by keys and "0", "1", and so on.
func at(v any, path ...string) any {
	for _, key := range path {
		switch in := v.(type) {
		case map[string]any:
			v = in[key]
		case []any:
			i := strings.Index("0123456789", key)
			if i < 0 || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// target returns the logical id behind {Ref: X} or {Fn::GetAtt: [X, ...]}.
func target(v any) string {
	if id, ok := at(v, "Ref").(string); ok {
		return id
	}
	id, _ := at(v, "Fn::GetAtt", "0").(string)
	return id
}

// list makes a list of what IAM takes as one value or as several.
func list(v any) []any {
	if values, ok := v.([]any); ok {
		return values
	}
	return []any{v}
}

// number returns a number, and 0 for anything else.
func number(v any) float64 {
	n, _ := v.(float64)
	return n
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

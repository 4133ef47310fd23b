package template_test

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/emulator"
	"sallyport/shared/config"
)

// functions: every folder of functions/ is deployed, and nothing else.
func (s stack) functions(t *testing.T) {
	functions := s.of(t, "AWS::Lambda::Function")
	var deployed []string
	for _, id := range sorted(functions) {
		deployed = append(deployed, strings.ToLower(id))
	}
	if diff := cmp.Diff(folders(t), deployed); diff != "" {
		t.Errorf("functions/ and template.yaml differ (-folders +template):\n%s", diff)
	}
	for id, f := range functions {
		if got := at(f.Properties, "Architectures", "0"); got != "arm64" {
			t.Errorf("%s: architecture %v, want arm64", id, got)
		}
		if got := f.Properties["Runtime"]; got != "provided.al2023" {
			t.Errorf("%s: runtime %v", id, got)
		}
		if f.Properties["Handler"] != "bootstrap" || f.Metadata.BuildMethod != "makefile" {
			t.Errorf("%s is not built by the Makefile as bootstrap", id)
		}
		if got := at(f.Properties, "LoggingConfig", "LogFormat"); got != "JSON" {
			t.Errorf("%s: log format %v, want JSON", id, got)
		}
		logs := s.Resources[target(at(f.Properties, "LoggingConfig", "LogGroup"))]
		if number(logs.Properties["RetentionInDays"]) == 0 {
			t.Errorf("%s logs where nothing is ever deleted", id)
		}
		if dir := makes(t, id); dir != "./functions/"+strings.ToLower(id)+"/lambda" {
			t.Errorf("make build-%s builds %q", id, dir)
		}
	}
	for id, logs := range s.of(t, "AWS::Logs::LogGroup") {
		if number(logs.Properties["RetentionInDays"]) == 0 {
			t.Errorf("log group %s keeps everything for ever", id)
		}
	}
}

// makes returns what the Makefile builds for a function, without building it.
func makes(t *testing.T, id string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "--dry-run", "--no-print-directory", "build-"+id, "ARTIFACTS_DIR=out")
	cmd.Dir = emulator.Root(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make build-%s: %v\n%s", id, err, out)
	}
	words := strings.Fields(string(out))
	return words[len(words)-1]
}

// environment: each function gets the variables that its config reads, all of
// them and no others; and where config tells the operator to look, there it is.
func (s stack) environment(t *testing.T) {
	reads := map[string]reflect.Type{
		"Audit": reflect.TypeFor[config.Audit](), "Breakglass": reflect.TypeFor[config.BreakGlass](),
		"Enforce": reflect.TypeFor[config.Enforce](), "Feedback": reflect.TypeFor[config.Feedback](),
		"Monitor": reflect.TypeFor[config.Monitor](), "Notify": reflect.TypeFor[config.Notify](),
		"Remind": reflect.TypeFor[config.Remind](), "Subscriptions": reflect.TypeFor[config.Subscriptions](),
		"Webhook": reflect.TypeFor[config.Webhook](),
	}
	for id, f := range s.of(t, "AWS::Lambda::Function") {
		given, _ := at(f.Properties, "Environment", "Variables").(map[string]any)
		if reads[id] == nil {
			t.Errorf("%s: say here which type of shared/config it reads", id)
			continue
		}
		want := map[string]string{}
		variables(reads[id], want)
		if diff := cmp.Diff(sorted(want), sorted(given)); diff != "" {
			t.Errorf("%s: variables (-config +template):\n%s", id, diff)
		}
		for name, source := range want {
			for part := range strings.SplitSeq(source, ";") {
				words := strings.Fields(part)
				where := words[len(words)-1]
				_, isParameter := s.Parameters[where]
				_, isResource := s.Resources[where]
				if !isParameter && !isResource {
					t.Errorf("config says that %s comes from %s, which template.yaml does not have", name, where)
				}
			}
		}
	}
}

// variables notes what a config type reads, with where config says it is set.
func variables(t reflect.Type, into map[string]string) {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			variables(field.Type, into)
		} else if name, _, _ := strings.Cut(field.Tag.Get("env"), ","); name != "" {
			into[name] = field.Tag.Get("template")
		}
	}
}

package emulator_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/emulator"
)

func TestLambda(t *testing.T) {
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bootstrap, "./testdata/echo").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	function := emulator.Lambda(t, bootstrap, "GREETING=hello")

	for range 2 { // cold, then warm
		answer, err := function.Invoke(t.Context(), []byte(`{"who":"contoso"}`))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"who": "contoso", "greeting": "hello"}, got); diff != "" {
			t.Error(diff)
		}
	}

	_, err := function.Invoke(t.Context(), []byte(`{"fail":"as asked"}`))
	if failure := (&emulator.FunctionError{}); !errors.As(err, &failure) || failure.Message != "as asked" {
		t.Errorf("got %v, want the function's own error", err)
	}
}

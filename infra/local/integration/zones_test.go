package integration_test

import (
	"os/exec"
	"strings"
	"testing"

	"sallyport/infra/local/emulator"
)

// Lambda's provided.al2023 came without a time zone database, and where a zone
// is not found the rules go by UTC: deadlines and the enforcement window would
// move by hours. This machine has one, so no run of the functions would show it.
// Source: https://github.com/aws/aws-lambda-dotnet/issues/1620
func TestFunctionsBringTimeZones(t *testing.T) {
	list := func(args ...string) []string {
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
		cmd.Dir = emulator.Root(t)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list %s: %v", strings.Join(args, " "), err)
		}
		return strings.Fields(string(out))
	}
	readers := 0
	for _, function := range list("./functions/...") {
		if !strings.HasSuffix(function, "/lambda") {
			continue
		}
		links := map[string]bool{}
		for _, dependency := range list("-deps", function) {
			links[dependency] = true
		}
		if !links["sallyport/shared/store"] {
			continue // it cannot read a tenant's time zone
		}
		readers++
		if !links["time/tzdata"] {
			t.Errorf("%s reads time zones and does not import time/tzdata", function)
		}
	}
	if readers == 0 {
		t.Error("no function reads the table: this test looks for the wrong package")
	}
}

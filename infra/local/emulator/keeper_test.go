package emulator_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sallyport/infra/local/emulator"
)

// TestKilledTestLeavesNothing kills a test binary that has started moto, as a
// time-out does, and sees moto end.
func TestKilledTestLeavesNothing(t *testing.T) {
	if os.Getenv("BE_KILLED") != "" {
		_, _ = os.Stdout.WriteString("endpoint " + emulator.AWS(t) + "\n")
		<-t.Context().Done()
		return
	}
	emulator.Tool(t, "python", "bin", "moto_server")

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledTestLeavesNothing$")
	cmd.Env = append(os.Environ(), "BE_KILLED=yes")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	endpoint := ""
	for lines := bufio.NewScanner(stdout); endpoint == "" && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "endpoint "); ok {
			endpoint = rest
		}
	}
	if endpoint == "" || !up(t.Context(), endpoint) {
		t.Fatalf("moto did not start: %q", endpoint)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); up(t.Context(), endpoint); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("moto still answers at %s", endpoint)
		}
	}
}

func up(ctx context.Context, endpoint string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/moto-api/", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil
}

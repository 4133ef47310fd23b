package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Build compiles functions/<name>/lambda for this machine, as the Makefile does
// for a deployment, and returns the path of the bootstrap.
func Build(t testing.TB, name string) string {
	t.Helper()
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bootstrap, "./functions/"+name+"/lambda")
	cmd.Dir = Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return bootstrap
}

// Function is a bootstrap that runs under AWS's runtime interface emulator.
type Function struct {
	process *process
	mu      sync.Mutex // the emulator takes one invocation at a time
}

// FunctionError is what a function answered instead of a result.
type FunctionError struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

// Error says what the function said.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Lambda starts a bootstrap with that environment and nothing else of this
// process's, and a time-out of a minute. Set AWS_LAMBDA_FUNCTION_TIMEOUT for
// another (seconds).
func Lambda(t testing.TB, bootstrap string, env ...string) *Function {
	t.Helper()
	if runtime.GOOS != "linux" {
		absent(t, "AWS's Lambda runtime interface emulator runs on Linux only")
	}
	rie := Tool(t, "aws-lambda-rie")
	env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"AWS_LAMBDA_FUNCTION_NAME=" + filepath.Base(filepath.Dir(bootstrap)),
		"AWS_LAMBDA_FUNCTION_TIMEOUT=60",
	}, env...)
	return &Function{process: start(t, program{
		name: "aws-lambda-rie " + bootstrap,
		command: func(port string) *exec.Cmd {
			api, err := freePort(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(rie, "--log-level", "error",
				"--runtime-interface-emulator-address", "127.0.0.1:"+port,
				"--runtime-api-address", "127.0.0.1:"+api, bootstrap)
			cmd.Env, cmd.Dir = env, filepath.Dir(bootstrap)
			return cmd
		},
		// It has no health check, and an invocation would start the function.
		ready: func(ctx context.Context, endpoint string) error {
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(endpoint, "http://"))
			if err != nil {
				return err
			}
			return conn.Close()
		},
	})}
}

// Invoke hands the function one event and returns its result. An error that
// the function returned is a *FunctionError.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.process.endpoint+"/2015-03-31/functions/function/invocations", bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("invoke: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("invoke: read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("invoke: %s: %s", resp.Status, body)
	}
	// The emulator answers 200 for a failure too, in this shape.
	var failure FunctionError
	if json.Unmarshal(body, &failure) == nil && failure.Message != "" {
		return nil, &failure
	}
	return body, nil
}

// Log is what the function and the emulator printed lately.
func (f *Function) Log() string { return f.process.output.String() }

// Package emulator starts, for one test, the programs that stand in for AWS:
// Amazon's own DynamoDB Local, moto (S3, SES, SQS, SNS, STS) and AWS's own Lambda
// runtime interface emulator. None of them is written here, which is the point:
// the adapters are tested against somebody else's reading of AWS.
//
// `make tools` fetches them. A test that asks for one that is not there is
// skipped with a line that says so, and fails where CI is set: in CI nothing is
// skipped.
//
// Every program listens on a free port of the loopback interface (DynamoDB
// Local, which cannot be told so, on that port of all interfaces), is waited
// for no longer than a minute, and ends with the test, or with the test binary
// if that is killed. Nothing but what was started here is ever ended.
package emulator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ToolsEnv names the environment variable that says where `make tools` put the
// programs. Unset, they are looked for in .tools at the root of the module.
const ToolsEnv = "SALLYPORT_TOOLS"

// Tool returns the path of a fetched program, for example python/bin/sam. The
// test is skipped if it was not fetched, and fails in CI.
func Tool(t testing.TB, path ...string) string {
	t.Helper()
	dir := os.Getenv(ToolsEnv)
	if dir == "" {
		dir = filepath.Join(Root(t), ".tools")
	}
	tool := filepath.Join(append([]string{dir}, path...)...)
	if _, err := os.Stat(tool); err != nil {
		absent(t, fmt.Sprintf("%s is not there: run `make tools` (or `make test`, which does) and try again", tool))
	}
	return tool
}

// Root returns the folder that holds go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod in this folder or above it")
		}
		dir = parent
	}
}

// absent skips a test that cannot run here, unless this is CI.
func absent(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason + "; in CI nothing is skipped")
	}
	t.Skip(reason)
}

// DynamoDB starts an empty DynamoDB Local, in memory, and returns its end point.
// 256 MB are plenty for tests, and Java would take a quarter of the machine.
func DynamoDB(t testing.TB) string {
	t.Helper()
	return DynamoDBOf(t, 256)
}

// DynamoDBOf starts one with room for more: it keeps everything in memory.
func DynamoDBOf(t testing.TB, megabytes int) string {
	t.Helper()
	home := Tool(t, "dynamodb-local")
	java := "java"
	if dir := os.Getenv("JAVA_HOME"); dir != "" {
		java = filepath.Join(dir, "bin", "java")
	}
	if _, err := exec.LookPath(java); err != nil {
		absent(t, "DynamoDB Local needs Java 17 or newer: install it (`make tools` says how) or set JAVA_HOME")
	}
	return start(t, program{
		name: "DynamoDB Local",
		command: func(port string) *exec.Cmd {
			return exec.Command(java, fmt.Sprintf("-Xmx%dm", megabytes), "-Djava.library.path="+filepath.Join(home, "DynamoDBLocal_lib"),
				"-jar", filepath.Join(home, "DynamoDBLocal.jar"), "-inMemory", "-sharedDb", "-disableTelemetry", "-port", port)
		},
		// Without a signature it refuses, in its own words: so it is up, and it is it.
		ready: func(ctx context.Context, endpoint string) error {
			return answers(ctx, endpoint+"/", "MissingAuthenticationToken")
		},
	}).endpoint
}

// AWS starts an empty moto server and returns its end point, which serves every
// service. It is a second opinion on buckets, queues, topics and mail, not on
// DynamoDB. Buckets are spoken to in path style.
func AWS(t testing.TB) string {
	t.Helper()
	moto := Tool(t, "python", "bin", "moto_server")
	return start(t, program{
		name:    "moto",
		command: func(port string) *exec.Cmd { return exec.Command(moto, "-H", "127.0.0.1", "-p", port) },
		ready:   func(ctx context.Context, endpoint string) error { return answers(ctx, endpoint+"/moto-api/", "Moto") },
	}).endpoint
}

// Env is the environment in which any AWS SDK speaks to endpoint, for handing
// to a process (DynamoDB Local can be set apart with AWS_ENDPOINT_URL_DYNAMODB).
func Env(endpoint string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + endpoint,
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + Key,
		"AWS_SECRET_ACCESS_KEY=" + Key,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// Region and Key are what the emulators are spoken to with: they check neither.
const (
	Region = "eu-west-1"
	Key    = "local"
)

// answers reports whether a GET of url is answered with a body that holds want.
func answers(ctx context.Context, url, want string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if !strings.Contains(string(body), want) {
		return fmt.Errorf("GET %s answered %s without %q", url, resp.Status, want)
	}
	return nil
}

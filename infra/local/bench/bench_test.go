package bench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"sallyport/infra/local/emulator"
	"sallyport/shared/store"
)

// role is what this binary is when a benchmark started it again.
const role = "SALLYPORT_BENCH"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "tenant":
		err = serveTenant()
	case "audit":
		err = report(runAudit)
	case "bare":
		err = report(runBare)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// job is what a reading is told, as JSON in the environment.
type job struct {
	Accounts int
	Graph    string // end point
	Token    string
	DynamoDB string
	Table    string
	Folder   string // for the archive
}

// result is what a reading answers on standard output.
type result struct {
	Seconds  float64
	Requests int // to Graph
	Written  int // items
	Capable  int
	PeakMB   float64 // of the whole process
	CPU      float64 // seconds of processor time
}

const jobVariable = "SALLYPORT_BENCH_JOB"

func report(run func(job) (result, error)) error {
	var j job
	if err := json.Unmarshal([]byte(os.Getenv(jobVariable)), &j); err != nil {
		return err
	}
	begun := time.Now()
	r, err := run(j)
	if err != nil {
		return err
	}
	r.Seconds = time.Since(begun).Seconds()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// start runs this binary again in a role.
func start(b *testing.B, as string, j job) *exec.Cmd {
	b.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		b.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), program)
	cmd.Env = append(os.Environ(), role+"="+as, jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	return cmd
}

// measure runs one reading to its end.
func measure(b *testing.B, as string, j job) result {
	b.Helper()
	cmd := start(b, as, j)
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v", as, err)
	}
	var r result
	if err := json.Unmarshal(out, &r); err != nil {
		b.Fatalf("%s answered %q: %v", as, out, err)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.PeakMB = float64(usage.Maxrss) / 1024 // kilobytes on Linux
		r.CPU = cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds()
	}
	return r
}

// startTenant starts a simulated tenant in a process of its own.
func startTenant(b *testing.B, j *job) {
	b.Helper()
	cmd := start(b, "tenant", *j)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // ours, and nothing of it is needed
		_ = cmd.Wait()         // it was killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("the tenant did not start: %v", err)
	}
	j.Graph, j.Token, _ = strings.Cut(strings.TrimSpace(line), " ")
}

// BenchmarkAudit prints a line of the table for each size of tenant and each
// reading of it.
func BenchmarkAudit(b *testing.B) {
	fmt.Println("| accounts | what | seconds | accounts/s | times the bare loop | processor s | peak MB | requests | items written |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	endpoint := emulator.DynamoDBOf(b, 6000)
	keys := credentials.NewStaticCredentialsProvider(emulator.Key, emulator.Key, "")
	tables := dynamodb.New(dynamodb.Options{Region: emulator.Region, BaseEndpoint: &endpoint, Credentials: keys})
	table := func(name string) string {
		if err := store.CreateTable(b.Context(), tables, name); err != nil {
			b.Fatal(err)
		}
		return name
	}
	for _, accounts := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			j := job{Accounts: accounts, DynamoDB: endpoint, Folder: b.TempDir()}
			startTenant(b, &j)
			// Once before anything is measured: the tenant makes each page once.
			j.Table = table(fmt.Sprintf("warm-%d", accounts))
			warm := measure(b, "bare", j)
			j.Table = table(fmt.Sprintf("warm-audit-%d", accounts))
			measure(b, "audit", j)
			for n := range b.N {
				j.Table = table(fmt.Sprintf("bare-%d-%d-%d", accounts, b.N, n))
				bare := measure(b, "bare", j)
				j.Table = table(fmt.Sprintf("audit-%d-%d-%d", accounts, b.N, n))
				first := measure(b, "audit", j)
				again := measure(b, "audit", j)
				if bare.Capable != first.Capable || warm.Capable != bare.Capable {
					b.Fatalf("the bare loop counts %d capable, the audit %d", bare.Capable, first.Capable)
				}
				b.ReportMetric(float64(accounts)/first.Seconds, "accounts/s")
				b.ReportMetric(first.Seconds/bare.Seconds, "times-bare")
				b.ReportMetric(first.PeakMB, "peak-MB")
				row(accounts, "bare loop", bare, bare)
				row(accounts, "first audit", first, bare)
				row(accounts, "unchanged", again, bare)
			}
		})
	}
}

func row(accounts int, what string, r, bare result) {
	fmt.Printf("| %d | %s | %.1f | %.0f | %.2f | %.1f | %.0f | %d | %d |\n",
		accounts, what, r.Seconds, float64(accounts)/r.Seconds, r.Seconds/bare.Seconds, r.CPU, r.PeakMB, r.Requests, r.Written)
}

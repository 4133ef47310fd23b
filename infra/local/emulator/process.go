package emulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"
)

const (
	readyWithin = time.Minute      // a cold Java on a busy machine takes ten seconds
	endWithin   = 10 * time.Second // then it is killed
	tries       = 3                // another program may take the free port first
)

// program is something to start on a port.
type program struct {
	name    string
	command func(port string) *exec.Cmd
	ready   func(ctx context.Context, endpoint string) error
}

// process is a program that runs.
type process struct {
	endpoint string
	output   *output
	stop     func() error
}

// keeper runs the program "$@" as its child and ends it when its standard input
// closes, which it does with the test binary, however that ends. It needs only
// a POSIX shell, so it does on macOS what Linux alone could do by a signal.
const keeper = `exec 3<&0
"$@" 3<&- &
child=$!
{ cat <&3; kill "$child"; } >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$child"
kill "$watcher" 2>/dev/null`

// start runs the program on a free port, waits until it is ready, and ends it
// with the test. What it printed is shown if the test fails.
func start(t testing.TB, p program) *process {
	t.Helper()
	var err error
	for range tries {
		var running *process
		running, err = try(t.Context(), p)
		if err != nil {
			continue
		}
		t.Cleanup(func() {
			if err := running.stop(); err != nil {
				t.Errorf("ending %s: %v", p.name, err)
			}
			if t.Failed() {
				t.Logf("%s printed:\n%s", p.name, running.output)
			}
		})
		return running
	}
	t.Fatal(err)
	return nil
}

func try(ctx context.Context, p program) (*process, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	inner := p.command(port)
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeper, p.name}, inner.Args...)...)
	cmd.Env, cmd.Dir = inner.Env, inner.Dir
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = endWithin
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is always ended by a signal; what it printed says more
	}()
	running := &process{endpoint: "http://127.0.0.1:" + port, output: out, stop: func() error { return stop(cmd, stdin, ended) }}

	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		err := p.ready(ctx, running.endpoint)
		if err == nil {
			return running, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("%s ended before it was ready; it printed:\n%s", p.name, out)
		case <-ctx.Done():
			_ = running.stop()
			return nil, fmt.Errorf("%s was not ready within %v (%w); it printed:\n%s", p.name, readyWithin, err, out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop asks the program to end by closing the keeper's input, and waits for it.
func stop(cmd *exec.Cmd, stdin io.Closer, ended <-chan struct{}) error {
	_ = stdin.Close() // fails only if it has ended already
	select {
	case <-ended:
		return nil
	case <-time.After(endWithin):
		return fmt.Errorf("it did not end within %v (kept by process %d)", endWithin, cmd.Process.Pid)
	}
}

// freePort returns a port of the loopback interface that was free a moment ago.
func freePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("look for a free port: %w", err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// output keeps the last of what a program printed: enough to see why it failed.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const outputKept = 64 << 10

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	if over := o.buf.Len() - outputKept; over > 0 {
		o.buf.Next(over)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Command sallyport is the operator's command: it shows what a rollout.yaml
// leads to before anything is applied. `sallyport help` lists what it can do.
//
// It exits with 0 if it is done, 1 if it failed or a property was violated, 2
// if it was called wrongly, and 3 if it is done but a wave stands held
// or fewer than two emergency accounts are proven.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(sallyport()) }

// sallyport hands the process's surroundings to run and returns its exit code.
func sallyport() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
}

package main

import (
	"fmt"
	"os"
)

// prepareOut makes the folder that a verb is going to write into and proves
// that it can be written to. A verb calls it first: an operator hears of a full
// or read-only disk before the work, not after it.
func prepareOut(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--out %s cannot be made, choose another folder: %w", dir, err)
	}
	probe, err := os.CreateTemp(dir, ".sallyport-*")
	if err != nil {
		return fmt.Errorf("--out %s cannot be written to, choose another folder: %w", dir, err)
	}
	_, err = probe.WriteString("probe")
	if closed := probe.Close(); err == nil {
		err = closed
	}
	if removed := os.Remove(probe.Name()); err == nil {
		err = removed
	}
	if err != nil {
		return fmt.Errorf("--out %s cannot be written to, choose another folder: %w", dir, err)
	}
	return nil
}

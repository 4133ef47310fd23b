package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/config"
	"sallyport/shared/rollout"
)

var update = flag.Bool("update", false, "write what is found into the golden files")

func options() config.Options {
	return config.Options{Languages: []string{"en", "es", "de", "fr"}, Gates: rollout.GateIDs()}
}

func parseFile(t *testing.T, path string) (rollout.Config, []config.Problem, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return config.Parse("rollout.yaml", data, options())
}

// Every bad file is refused with the messages in its golden file. Read them
// aloud when they change: somebody who sees a rollout.yaml for the first time
// must know what to do. go test ./shared/config -update writes them anew.
func TestParseBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			cfg, warnings, err := parseFile(t, file)
			var invalid *config.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("Parse = %v, want an InvalidError", err)
			}
			if diff := cmp.Diff(rollout.Config{}, cfg); diff != "" {
				t.Errorf("an invalid file gave a configuration:\n%s", diff)
			}
			got := err.Error() + "\n"
			for _, w := range warnings {
				got += "warning: " + w.String() + "\n"
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v; go test ./shared/config -update writes it", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("messages (-want +got), go test ./shared/config -update writes them:\n%s", diff)
			}
		})
	}
}

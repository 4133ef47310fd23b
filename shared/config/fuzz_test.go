package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/config"
	"sallyport/shared/rollout"
)

// FuzzParse: whatever the file, it is either refused with problems that a
// person can act on, or gives a configuration that a rollout can run on; and
// the same file is answered the same twice.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, warnings, err := config.Parse("rollout.yaml", data, options())
		again, _, errAgain := config.Parse("rollout.yaml", data, options())
		if diff := cmp.Diff(cfg, again); diff != "" || (err == nil) != (errAgain == nil) || (err != nil && err.Error() != errAgain.Error()) {
			t.Fatalf("two readings differ: %s\n%v\n%v", diff, err, errAgain)
		}
		for _, w := range warnings {
			if w.Line < 1 || w.Column < 1 || w.What == "" {
				t.Errorf("a warning without a place or a word: %+v", w)
			}
		}
		if err == nil {
			runnable(t, cfg)
			return
		}
		var invalid *config.InvalidError
		if !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
			t.Fatalf("refused without a problem: %v", err)
		}
		if diff := cmp.Diff(rollout.Config{}, cfg); diff != "" {
			t.Errorf("an invalid file gave a configuration: %s", diff)
		}
		for _, p := range invalid.Problems {
			if p.Line < 1 || p.Column < 1 || p.What == "" || p.Expected == "" {
				t.Errorf("nobody can act on %+v", p)
			}
		}
	})
}

// runnable checks what the rest of Sallyport takes for granted.
func runnable(t *testing.T, cfg rollout.Config) {
	if cfg.Tenant == "" || len(cfg.Waves) == 0 || len(cfg.EmergencyAccounts) < 2 || cfg.Location().String() != cfg.TimeZone {
		t.Errorf("accepted, but not runnable: %+v", cfg)
	}
	for _, w := range cfg.Waves {
		if (w.Members == rollout.MembersCapable) != w.Deadline.IsZero() {
			t.Errorf("accepted, but wave %+v", w)
		}
		if !w.Deadline.IsZero() && (!cfg.IsSwitchDay(w.Deadline) || cfg.AnnouncementDay().DaysUntil(w.Deadline) < rollout.NoticeDays) {
			t.Errorf("accepted, but nothing can be switched on %s", w.Deadline)
		}
	}
	if entries := rollout.Timeline(cfg); len(entries) < 2 {
		t.Errorf("accepted, but the timeline is %v", entries)
	}
}

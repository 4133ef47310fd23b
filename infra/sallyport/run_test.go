package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sallyport": main})
}

// Each script in testdata is an operator at work: one or more for every verb.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "", // writes goldens anew
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a program and demands an exit code: exits 2 sallyport plan.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program args...")
	}
	code := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s\n%s%s", code, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// Flags are read wherever people put them.
func TestParseArgs(t *testing.T) {
	tests := []struct {
		args []string
		want []string
		json bool
	}{
		{[]string{"a", "--json", "b"}, []string{"a", "b"}, true},
		{[]string{"--json", "a"}, []string{"a"}, true},
		{[]string{"a", "--json"}, []string{"a"}, true},
		{[]string{"-", "--", "--json"}, []string{"-", "--json"}, false},
		{nil, nil, false},
	}
	for _, tt := range tests {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		json := flags.Bool("json", false, "")
		got, err := parseArgs(flags, tt.args)
		if err != nil {
			t.Errorf("%q: %v", tt.args, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || *json != tt.json {
			t.Errorf("%q: json %v, operands (-want +got):\n%s", tt.args, *json, diff)
		}
	}
}

// The exit code follows the kind of error, however deep it lies.
func TestExitCode(t *testing.T) {
	for want, err := range map[int]error{
		0: nil,
		1: errors.New("it failed"),
		2: errors.Join(usageError{"no such flag"}),
		3: errors.Join(heldError{"everyone is held"}),
	} {
		if got := exitCode(err); got != want {
			t.Errorf("exit code of %v = %d, want %d", err, got, want)
		}
	}
}

// A held wave is no failure of the command: its answer stands, and the reason
// goes beside it.
func TestHeldIsSaidBesideTheAnswer(t *testing.T) {
	var out, errs bytes.Buffer
	s := session{json: true, stdout: &out, stderr: &errs}
	code := s.finish("sallyport rehearse", "", heldError{"wave everyone is held"})
	if code != 3 || out.Len() != 0 || errs.String() != "sallyport rehearse: wave everyone is held\n" {
		t.Errorf("code %d, stdout %q, stderr %q", code, out.String(), errs.String())
	}
}

// A plan that could not be written is a failure, not a silent success.
func TestFullDiskFails(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this machine has no /dev/full")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"plan", "../../shared/config/testdata/good/design.yaml"}, {"plan", "--json", "../../shared/config/testdata/good/design.yaml"}} {
		var errs bytes.Buffer
		if code := run(context.Background(), args, strings.NewReader(""), full, &errs, nil); code != 1 || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%q: code %d, stderr %q", args, code, errs.String())
		}
	}
}

func TestPrepareOut(t *testing.T) {
	dir := t.TempDir()
	fresh := filepath.Join(dir, "out", "demo")
	if err := prepareOut(fresh); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(fresh); err != nil || len(left) != 0 {
		t.Errorf("the probe left %v, %v", left, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "demo"), "/proc/sallyport"} {
		if err := prepareOut(bad); err == nil || !strings.Contains(err.Error(), "--out "+bad) || !strings.Contains(err.Error(), "choose another folder") {
			t.Errorf("prepareOut(%s) = %v, want an error that names the folder and what to do", bad, err)
		}
	}
}

// A rollout.yaml may ask for exactly the languages that messages are written in.
func TestLanguagesAreThoseOfTheMail(t *testing.T) {
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range mail.Languages() {
		if got := renderer.Language([]string{language}, language); got != language {
			t.Errorf("%s is allowed in rollout.yaml, but mail is written in %s", language, got)
		}
	}
}

// Every milestone of a timeline has its own words in the text.
func TestWords(t *testing.T) {
	seen := map[string]rollout.Milestone{}
	for _, what := range []rollout.Milestone{
		rollout.MilestoneAnnouncement, rollout.MilestoneObservation, rollout.MilestoneTraining, rollout.MilestoneReminder,
		rollout.MilestoneOpens, rollout.MilestoneDeadline, rollout.MilestoneSettled, rollout.MilestoneExemption, rollout.MilestoneWaiver,
	} {
		if other, twice := seen[words(what)]; twice || words(what) == "" {
			t.Errorf("%s and %s are both %q", what, other, words(what))
		}
		seen[words(what)] = what
	}
}

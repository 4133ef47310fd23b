package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // or a property was violated
	exitUsage  = 2
	exitHeld   = 3 // done, but a wave stands held
)

// verbs is everything that the command can do, in the order of its help. A new
// verb is a file with a function like planVerb, and a line here.
func verbs() []verb {
	return []verb{
		rehearseVerb(),
		snapshotVerb(),
		auditVerb(),
		planVerb(),
		applyVerb(),
		gatesVerb(),
		blastVerb(),
		acceptVerb(),
		incidentsVerb(),
		pauseVerb(),
		resumeVerb(),
		rollbackVerb(),
		undoVerb(),
		logVerb(),
		logVerifyVerb(),
		emergencyCheckVerb(),
		emergencyCreateVerb(),
		emergencyDocumentVerb(),
		mailPreviewVerb(),
		alertsListVerb(),
		alertsAckVerb(),
	}
}

// verb is one thing that the command can do.
type verb struct {
	name     string // one word, or two where several verbs are about one thing
	operands string // what stands after the flags, for example FILE
	summary  string // one line of `sallyport help`
	about    string // what `--help` says beside flags and examples
	examples []string
	// prepare declares the verb's flags and returns what runs once they are read.
	prepare func(*flag.FlagSet) action
}

// action does what the verb is for. The error says what to do next; a
// [usageError] or [heldError] decides the exit code.
type action func(context.Context, session) error

// session is what an action may use of the world.
type session struct {
	operands []string
	json     bool // write one JSON object to stdout, and nothing else
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	env      []string
}

// writeJSON writes the one JSON object of a session with --json.
func (s session) writeJSON(v any) error {
	encoder := json.NewEncoder(s.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// usageError is a command that was typed wrongly: exit code 2.
type usageError struct{ what string }

func (e usageError) Error() string { return e.what }

// heldError is work done while a wave stands held: exit code 3.
type heldError struct{ what string }

func (e heldError) Error() string { return e.what }

// shownError is a failure that the action has shown already, in full.
type shownError struct{ error }

func (e shownError) Unwrap() error { return e.error }

// run does what the arguments say and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	s := session{stdin: stdin, stdout: stdout, stderr: stderr, env: env}
	if len(args) == 0 {
		fmt.Fprint(stderr, overview())
		return exitUsage
	}
	if isHelp(args[0]) {
		return help(args[1:], stdout, stderr)
	}
	v, rest, err := find(args)
	if err != nil {
		return s.finish("sallyport", "sallyport help", err)
	}

	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // finish says it in our own words
	flags.BoolVar(&s.json, "json", false, "answer with one JSON object")
	act := v.prepare(flags)
	s.operands, err = parseArgs(flags, rest)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, v.help(flags))
		return exitDone
	case err != nil:
		err = usageError{err.Error()}
	default:
		err = act(ctx, s)
	}
	return s.finish("sallyport "+v.name, "sallyport "+v.name+" --help", err)
}

// finish says what went wrong, where the caller reads it, and returns the exit
// code.
func (s session) finish(who, more string, err error) int {
	code := exitCode(err)
	switch {
	case err == nil || errors.As(err, new(shownError)):
	case s.json && code != exitHeld:
		if jsonErr := s.writeJSON(map[string]string{"error": err.Error()}); jsonErr != nil {
			fmt.Fprintf(s.stderr, "%s: %v\n", who, jsonErr)
		}
	default:
		fmt.Fprintf(s.stderr, "%s: %v\n", who, err)
	}
	if code == exitUsage {
		fmt.Fprintf(s.stderr, "Try: %s\n", more)
	}
	return code
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.As(err, new(heldError)):
		return exitHeld
	}
	return exitFailed
}

// parseArgs reads flags wherever they stand among the operands, as people type
// them; after -- everything is an operand.
func parseArgs(flags *flag.FlagSet, args []string) (operands []string, err error) {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		rest := flags.Args()
		if used := len(args) - len(rest); len(rest) == 0 || (used > 0 && args[used-1] == "--") {
			return append(operands, rest...), nil
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
	return operands, nil
}

// find returns the verb that the arguments begin with, and the rest of them.
func find(args []string) (verb, []string, error) {
	name := args[0]
	if seconds := secondWords(name); len(seconds) > 0 {
		if len(args) > 1 && slices.Contains(seconds, args[1]) {
			name, args = name+" "+args[1], args[1:]
		} else if !slices.ContainsFunc(verbs(), func(v verb) bool { return v.name == name }) {
			return verb{}, nil, usageError{fmt.Sprintf("%s what? expected %s", name, strings.Join(seconds, " or "))}
		}
	}
	best, least := "", len(name)
	for _, v := range verbs() {
		if v.name == name {
			return v, args[1:], nil
		}
		if d := levenshtein.ComputeDistance(strings.ToLower(name), v.name); d < least && 2*d <= len(v.name) {
			best, least = v.name, d
		}
	}
	if best != "" {
		return verb{}, nil, usageError{fmt.Sprintf("there is no verb %q; did you mean %s?", name, best)}
	}
	return verb{}, nil, usageError{fmt.Sprintf("there is no verb %q", name)}
}

// secondWords are those that follow the word in the verbs of two words.
func secondWords(first string) []string {
	var words []string
	for _, v := range verbs() {
		if a, b, two := strings.Cut(v.name, " "); two && a == first {
			words = append(words, b)
		}
	}
	return words
}

// asOf is the moment for which --at asks a folder to be judged: the night of that
// day, when an audit would run. Without a day it is now.
func asOf(at string) (time.Time, error) {
	if at == "" {
		return job.Wall{}.Now(), nil
	}
	day, err := rollout.ParseDate(at)
	if err != nil {
		return time.Time{}, usageError{"--at " + err.Error()}
	}
	return day.At(2, 0, time.UTC), nil
}

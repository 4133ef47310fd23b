package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing in a rollout.yaml that somebody has to change or, as a
// warning, to know.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // from 1; 0: known by its path alone
	Column int    `json:"column"` // from 1, in characters
	Path   string `json:"path"`   // for example waves[1].deadline; empty: the file as a whole
	What   string `json:"what"`
	// Expected and Example say what to write instead. A warning may lack them.
	Expected string `json:"expected"`
	Example  string `json:"example"`
}

// String is the problem as a person reads it, over a few lines. It begins
// with file:line:column, which editors and terminals turn into a link.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		fmt.Fprintf(&b, "%s: ", p.Path)
	}
	b.WriteString(p.What)
	if p.Expected != "" {
		fmt.Fprintf(&b, "\n    expected: %s", p.Expected)
	}
	if p.Example != "" {
		// An example of several lines keeps the indentation it needs in the file.
		fmt.Fprintf(&b, "\n    example:  %s", strings.ReplaceAll(p.Example, "\n", "\n              "))
	}
	return b.String()
}

// InvalidError holds every mistake of a rollout.yaml, in the order of its lines.
type InvalidError struct {
	File     string
	Problems []Problem
}

// Error lists every mistake and says what did not happen.
func (e *InvalidError) Error() string {
	var b strings.Builder
	for _, p := range e.Problems {
		b.WriteString(p.String())
		b.WriteString("\n")
	}
	things := "1 thing"
	if n := len(e.Problems); n != 1 {
		things = fmt.Sprintf("%d things", n)
	}
	fmt.Fprintf(&b, "%s is not valid: %s to mend. Nothing was applied.", e.File, things)
	return b.String()
}

// place is where something stands in the file, both from 1.
type place struct{ line, column int }

// report collects what is found while a file is read and checked.
type report struct {
	file     string
	hints    map[string]hint
	places   map[string]place // of every key that the file holds, by path
	usable   map[string]bool  // paths whose value was understood and is not empty
	misspelt map[string]bool  // paths that an unknown key was probably meant to be
	failed   map[string]bool  // paths at which, or inside which, there is a mistake
	mistakes []Problem
	warnings []Problem
}

func newReport(file string) *report {
	return &report{
		file: file, hints: hints(), places: map[string]place{"": {1, 1}},
		usable: map[string]bool{}, misspelt: map[string]bool{}, failed: map[string]bool{},
	}
}

func (r *report) hint(path string) hint { return r.hints[kind(path)] }

// fail records a mistake at a path, with what the hints say of it.
func (r *report) fail(path, format string, args ...any) {
	h := r.hint(path)
	r.failWith(path, h.expected, h.example, format, args...)
}

// failWith records a mistake with an expectation and an example of its own.
func (r *report) failWith(path, expected, example, format string, args ...any) {
	r.mistakes = append(r.mistakes, r.problem(path, expected, example, format, args...))
	for r.failed[path] = true; path != ""; r.failed[path] = true {
		path = around(path)
	}
}

// warn records something allowed but unwise.
func (r *report) warn(path, format string, args ...any) {
	r.warnings = append(r.warnings, r.problem(path, "", "", format, args...))
}

func (r *report) problem(path, expected, example, format string, args ...any) Problem {
	at := r.placeOf(path)
	return Problem{
		File: r.file, Line: at.line, Column: at.column, Path: path,
		What: fmt.Sprintf(format, args...), Expected: expected, Example: example,
	}
}

// placeOf returns the place of a path, or of the nearest thing around it that
// the file holds.
func (r *report) placeOf(path string) place {
	for {
		if at, ok := r.places[path]; ok {
			return at
		}
		path = around(path)
	}
}

// around returns the path of what stands around a path.
func around(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

func (r *report) err() error {
	if len(r.mistakes) == 0 {
		return nil
	}
	return &InvalidError{File: r.file, Problems: r.sorted(r.mistakes)}
}

func (r *report) sorted(problems []Problem) []Problem {
	return slices.SortedStableFunc(slices.Values(problems), func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// index matches the position of an item in a path: [3].
var index = regexp.MustCompile(`\[\d+\]`)

// kind is a path without the positions of its items: waves[].deadline.
func kind(path string) string { return index.ReplaceAllString(path, "[]") }

// quote shows what a file said, cut short.
func quote(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

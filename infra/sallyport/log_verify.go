package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"sallyport/shared/rollout"
)

func logVerifyVerb() verb {
	return verb{
		name: "log verify", operands: "[FILE]",
		summary: "recompute the change log, and name the first entry that was changed",
		about: `Recomputes the change log from its first entry to its last, and says which is the
first that is not what was once written. FILE is an export of sallyport log --lines,
or - for stdin, and needs nothing else: no table, no network. Without FILE the log
of --table is read. --head is where the log once ended, as the nightly audit's log
line (changeLog), the archive (logheads/) or an earlier sallyport log showed it:
with it, entries that were dropped from the end are noticed too.`,
		examples: []string{
			"sallyport log verify --table sallyport",
			"sallyport log verify contoso-log.jsonl --head 41:5f2c...",
		},
		prepare: func(f *flag.FlagSet) action {
			v := &logVerifier{hand: newHand()}
			v.where(f)
			f.StringVar(&v.head, "head", "", "where the log once ended, `NUMBER:HASH`")
			return v.run
		},
	}
}

type logVerifier struct {
	*hand
	head string
}

// verified is what `sallyport log verify --json` answers.
type verified struct {
	Holds  bool   `json:"holds"`
	Head   string `json:"head"`   // where what holds ends
	Broken int64  `json:"broken"` // the first entry that does not; 0: none
	Why    string `json:"why"`
}

func (v *logVerifier) run(ctx context.Context, s session) error {
	var known []rollout.ChangeHead
	if v.head != "" {
		head, err := rollout.ParseHead(v.head)
		if err != nil {
			return usageError{"--head: " + err.Error()}
		}
		known = append(known, head)
	}
	var end rollout.ChangeHead
	var err error
	switch {
	case len(s.operands) > 1:
		return usageError{fmt.Sprintf("expected one FILE, got %d", len(s.operands))}
	case len(s.operands) == 1 && v.table != "":
		return usageError{"FILE and --table are two logs; choose one"}
	case len(s.operands) == 1:
		end, err = v.file(s, known)
	default:
		end, err = v.ofTable(ctx, known)
	}
	var broken *rollout.BrokenChainError
	if err != nil && !errors.As(err, &broken) {
		return err
	}
	return v.say(s, end, broken)
}

func (v *logVerifier) say(s session, end rollout.ChangeHead, broken *rollout.BrokenChainError) error {
	answer := verified{Holds: broken == nil}
	if end.Seq > 0 {
		answer.Head = end.String()
	}
	if broken != nil {
		answer.Broken, answer.Why = broken.Seq, broken.Why
	}
	switch {
	case s.json:
		if err := s.writeJSON(answer); err != nil {
			return err
		}
	case broken == nil && end.Seq == 0:
		fmt.Fprintln(s.stdout, "The log is empty.")
	case broken == nil:
		fmt.Fprintf(s.stdout, "All %d entries are what was once written. The log ends at\n%s\n", end.Seq, end)
		if v.head == "" {
			fmt.Fprintln(s.stdout, "Whether it went on from there, a head from elsewhere shows: --head NUMBER:HASH")
		}
	}
	if broken == nil {
		return nil
	}
	if s.json {
		return shownError{broken}
	}
	return fmt.Errorf("%w\nWhat to do: keep the table and this file as they are, and find out who may write to the table (AWS CloudTrail)", broken)
}

func (v *logVerifier) ofTable(ctx context.Context, known []rollout.ChangeHead) (rollout.ChangeHead, error) {
	table, t, err := v.reach(ctx)
	if err != nil {
		return rollout.ChangeHead{}, err
	}
	return table.VerifyChanges(ctx, t, known...)
}

// file verifies an export line by line: it may be larger than memory.
func (v *logVerifier) file(s session, known []rollout.ChangeHead) (rollout.ChangeHead, error) {
	from := s.stdin
	if name := s.operands[0]; name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return rollout.ChangeHead{}, fmt.Errorf("read the export: %w", err)
		}
		defer file.Close()
		from = file
	}
	check := rollout.ChainCheck{Tenant: rollout.TenantID(v.tenant)}
	for _, head := range known {
		check.Expect(head)
	}
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return check.Head(), fmt.Errorf("read the export: %w", err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			c, why := readEntry(line)
			if why != "" {
				return check.Head(), &rollout.BrokenChainError{Seq: check.Head().Seq + 1, Why: why}
			}
			if err := check.Add(c); err != nil {
				return check.Head(), err
			}
		}
		if err != nil {
			return check.Head(), check.EndOfExport()
		}
	}
}

// readEntry reads a line as it was exported: with nothing more in it and nothing
// twice, which another reader might take for something else.
func readEntry(line []byte) (c rollout.Change, why string) {
	if err := json.Unmarshal(line, &c); err != nil {
		return c, "its line is no entry: " + err.Error()
	}
	again, err := exported(c)
	if err != nil || strings.TrimSuffix(again, "\n") != strings.TrimSuffix(string(line), "\n") {
		return c, "its line is not as sallyport log --lines writes it: it was changed or written by another program"
	}
	return c, ""
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func logVerb() verb {
	return verb{
		name:    "log",
		summary: "show what Sallyport wrote to a tenant, why, and what came of it",
		about: `Shows the change log of a tenant: every write, its intent recorded before it and
its result after it, what was there, who or what asked, and in which run. Entries
are only ever added, and each is bound to the one before by its hash. --lines
exports all of it, the copies of policies included, as JSON Lines; what stands in
each is said in infra/docs/change-log.md.`,
		examples: []string{
			"sallyport log --table sallyport",
			"sallyport log --table sallyport --lines --out contoso-log.jsonl",
			"sallyport log verify contoso-log.jsonl",
		},
		prepare: func(f *flag.FlagSet) action {
			l := &logger{hand: newHand()}
			l.where(f)
			f.BoolVar(&l.lines, "lines", false, "one JSON object a line, everything in it")
			f.StringVar(&l.out, "out", "", "write to this `FILE`, once it is whole; empty or -: to stdout")
			return l.run
		},
	}
}

type logger struct {
	*hand
	lines bool
	out   string
}

func (l *logger) run(ctx context.Context, s session) error {
	switch {
	case len(s.operands) > 0:
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	case s.json && l.lines:
		return usageError{"--json and --lines are two formats; choose one"}
	}
	table, t, err := l.reach(ctx)
	if err != nil {
		return err
	}
	if l.out == "" || l.out == "-" {
		return l.write(ctx, s, table, t, s.stdout)
	}
	file, err := newOutFile(l.out)
	if err != nil {
		return err
	}
	return file.keep(l.write(ctx, s, table, t, file))
}

// logged is what `sallyport log --json` answers.
type logged struct {
	Tenant  rollout.TenantID `json:"tenant"`
	Head    string           `json:"head"`
	Changes []rollout.Change `json:"changes"`
}

func (l *logger) write(ctx context.Context, s session, table *store.Store, t rollout.TenantID, to io.Writer) error {
	if s.json {
		changes, err := table.Changes(ctx, t)
		if err != nil {
			return fmt.Errorf("read the change log of %s: %w", t, err)
		}
		s.stdout = to
		return s.writeJSON(logged{t, headOf(changes), append([]rollout.Change{}, changes...)})
	}
	out := bufio.NewWriter(to)
	var last rollout.Change
	for c, err := range table.EachChange(ctx, t) {
		if err != nil {
			return fmt.Errorf("read the change log of %s: %w", t, err)
		}
		line := changeWords(c)
		if l.lines {
			if line, err = exported(c); err != nil {
				return err
			}
		}
		if _, err := out.WriteString(line); err != nil {
			return fmt.Errorf("write the change log: %w", err)
		}
		last = c
	}
	switch {
	case l.lines:
	case last.Seq == 0:
		fmt.Fprintf(out, "Sallyport has written nothing to %s.\n", t)
	default:
		fmt.Fprintf(out, "\nThe log ends at %s\nWritten down elsewhere, this line shows later that nothing was dropped: sallyport log verify --head\n", headOf([]rollout.Change{last}))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the change log: %w", err)
	}
	return nil
}

func headOf(changes []rollout.Change) string {
	if len(changes) == 0 {
		return ""
	}
	last := changes[len(changes)-1]
	return rollout.ChangeHead{Seq: last.Seq, Hash: last.Hash}.String()
}

// exported is an entry as a line of an export.
func exported(c rollout.Change) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c); err != nil {
		return "", fmt.Errorf("write entry %d: %w", c.Seq, err)
	}
	return b.String(), nil
}

// changeWords is an entry as people read it. Times are in UTC.
func changeWords(c rollout.Change) string {
	head := fmt.Sprintf("%5d  %s  ", c.Seq, c.At.UTC().Format("2006-01-02 15:04"))
	others := strings.Repeat(" ", len(head))
	var text string
	switch c.Kind {
	case rollout.ChangeGenesis:
		text = "the log of " + c.Target + " begins"
		if c.Before != "" {
			text += ", after " + c.Before
		}
	case rollout.ChangeResult:
		return wrapped(head, others, fmt.Sprintf("change %d: %s", c.Of, c.Result))
	case rollout.ChangeNote:
		text = strings.TrimSpace(c.What + " " + c.Target)
		if c.Undoes > 0 {
			text += fmt.Sprintf(" of change %d", c.Undoes)
		}
		if c.Result != "" {
			text += ": " + c.Result
		}
	default:
		text = intentWords(c)
	}
	lines := wrapped(head, others, text)
	if c.Kind != rollout.ChangeGenesis {
		by := "by " + c.By
		if c.Reason != "" {
			by += ": " + c.Reason
		}
		lines += wrapped(others, others, by)
	}
	return lines
}

func intentWords(c rollout.Change) string {
	words := map[string]string{
		rollout.ChangeCreatePolicy: "create the policy of wave", rollout.ChangePolicyState: "set the state of policy",
		rollout.ChangeDefaults: "set Security Defaults", rollout.ChangeCreateGroup: "create the group", rollout.ChangeGroupMembers: "change the members of group",
	}
	text, known := words[c.What]
	if !known {
		text = c.What
	}
	if c.Target != "securityDefaults" {
		text += " " + c.Target
	}
	switch {
	case c.What == rollout.ChangeGroupMembers:
		text += fmt.Sprintf(": %d added, %d taken out", len(c.Added), len(c.Removed))
	case c.Before != "":
		text += ": " + stateWords(c.Before) + " -> " + stateWords(c.After)
	case c.After != "":
		text += ": " + stateWords(c.After)
	}
	if c.Undoes > 0 {
		text += fmt.Sprintf(" (undoes change %d)", c.Undoes)
	}
	return text
}

package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"sallyport/shared/rollout"
)

func undoVerb() verb {
	return verb{
		name: "undo", operands: "CHANGE",
		summary: "put back what one change did",
		about: `Puts back exactly what one change of the log did: a policy's state, Security
Defaults, or the members of a group (those added are taken out, those taken out are
added; what others did since stays). A policy that was made is not deleted, since
others may have built on it, but disabled. CHANGE is its number in sallyport log.

It is refused if what is there now is not what the change left, and the difference
is shown; and if it would demand MFA of anybody: only the gates lead there. An undo
is a change itself and can be undone. It is carried out also while the tenant is
paused. While it is not, the next run may do again what rollout.yaml asks for.
Without --yes it only shows what would follow.`,
		examples: []string{
			"sallyport log --table sallyport",
			`sallyport undo 42 --table sallyport --reason "too early" --yes --wait`,
		},
		prepare: func(f *flag.FlagSet) action {
			h := newHand()
			h.act(f)
			h.waits(f)
			return h.undo
		},
	}
}

func (h *hand) undo(ctx context.Context, s session) error {
	if len(s.operands) != 1 {
		return usageError{fmt.Sprintf("expected one CHANGE, got %d; sallyport log shows their numbers", len(s.operands))}
	}
	seq, err := strconv.ParseInt(s.operands[0], 10, 64)
	if err != nil || seq < 1 {
		return usageError{fmt.Sprintf("%q is no number of a change; sallyport log shows them", s.operands[0])}
	}
	table, t, err := h.reach(ctx)
	if err != nil {
		return err
	}
	log, err := table.Changes(ctx, t)
	if err != nil {
		return fmt.Errorf("read the change log of %s: %w", t, err)
	}
	u, err := rollout.PlanUndo(log, seq)
	if err != nil {
		return err
	}
	return h.give(ctx, s, table, t, rollout.Order{Kind: rollout.OrderUndo, Change: seq}, undoWords(u))
}

// undoWords say what an undo leads to, if nobody has changed anything since.
func undoWords(u rollout.Undo) string {
	words := fmt.Sprintf("Undo of change %d:", u.Seq)
	switch u.What {
	case rollout.ChangeGroupMembers:
		if len(u.Remove) > 0 {
			words += "\n  taken out of group " + u.Target + ": " + strings.Join(u.Remove, ", ")
		}
		if len(u.Add) > 0 {
			words += "\n  added to group " + u.Target + ": " + strings.Join(u.Add, ", ")
		}
		words += "\nWho was moved by somebody else since stays where they are."
	case rollout.ChangeDefaults:
		words += " Security Defaults are switched off."
	default:
		words += fmt.Sprintf(" the state of policy %s goes from %s to %s.", u.Target, stateWords(u.From), stateWords(u.To))
	}
	return words
}

// stateWords is a policy's state as people say it.
func stateWords(state string) string {
	if state == rollout.StateReportOnly {
		return "report-only"
	}
	return state
}

package rollout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The writes that the change log knows, as its entries name them.
const (
	ChangeCreatePolicy = "createPolicy"
	ChangePolicyState  = "setPolicyState"
	ChangeDefaults     = "setSecurityDefaults"
	ChangeCreateGroup  = "createGroup"
	ChangeGroupMembers = "fillGroup"
)

// Written is one write of the log: its intent and the last that is known of it.
type Written struct {
	Intent Change
	Result Change // Seq 0: nothing is known yet
	// Added and Removed are the members that did move.
	Added, Removed []string
}

// WritesOf joins intents with their results, in the order of the intents.
func WritesOf(log []Change) []Written {
	var list []Written
	at := map[int64]int{}
	for _, c := range log {
		switch c.Kind {
		case ChangeIntent:
			at[c.Seq] = len(list)
			list = append(list, Written{Intent: c})
		case ChangeResult:
			if i, ok := at[c.Of]; ok {
				list[i].Result, list[i].Added, list[i].Removed = c, c.Added, c.Removed
			}
		}
	}
	return list
}

// Undo is how to put back what one change did.
type Undo struct {
	Seq    int64
	What   string // as of a [Change]
	Target string
	From   string // a state: what the change left
	To     string // a state: what was there before it
	// Left and Was are the copies that belong to the two. Left is empty if nobody
	// could read it: then the state alone is compared.
	Left, Was string
	// Add and Remove are members of a group.
	Add, Remove []string
}

// PlanUndo says how to undo a change, or why that cannot be. It never leads to
// anything that enforces: the gates are the only way there.
func PlanUndo(log []Change, seq int64) (Undo, error) {
	no := func(format string, args ...any) (Undo, error) {
		return Undo{}, fmt.Errorf("change %d is not undone: %s", seq, fmt.Sprintf(format, args...))
	}
	i := slices.IndexFunc(log, func(c Change) bool { return c.Seq == seq })
	if i < 0 {
		return no("the log holds no entry of that number; sallyport log shows them")
	}
	if c := log[i]; c.Kind == ChangeResult {
		return no("it is the result of change %d: undo that one", c.Of)
	} else if c.Kind != ChangeIntent {
		return no("it wrote nothing to the tenant")
	}
	writes := WritesOf(log)
	w := writes[slices.IndexFunc(writes, func(w Written) bool { return w.Intent.Seq == seq })]
	c := w.Intent
	u := Undo{Seq: seq, What: c.What, Target: c.Target, From: c.After, To: c.Before, Was: c.Copy, Left: w.Result.Copy}
	switch {
	case w.Result.Seq == 0 || !w.Result.Certain():
		return no("it is not known yet whether it happened; the next run of enforce looks")
	case c.What == ChangeGroupMembers: // some may have been moved before it failed
		u.From, u.To, u.Add, u.Remove = "", "", w.Removed, w.Added
		if len(u.Add)+len(u.Remove) == 0 {
			return no("nobody was moved by it")
		}
		return u, nil
	case !w.Result.Happened():
		return no("it did not happen")
	}
	switch c.What {
	case ChangePolicyState:
		if c.Before == StateEnabled {
			return no("the policy was enforcing before it, and only the gates may lead there; to let the wave be observed again: sallyport resume --wave NAME")
		}
	case ChangeDefaults:
		if c.Before == "true" {
			return no("Security Defaults were on before it, and only the gates may lead there")
		}
	case ChangeCreatePolicy:
		// What is not there cannot be put back without deleting what others may
		// have added to since: it is made to do nothing.
		u.What, u.Target, u.To = ChangePolicyState, idOf(w.Result.Copy), StateDisabled
		if u.Target == "" {
			return no("the log does not say which policy was made")
		}
	case ChangeCreateGroup:
		return no("nothing that was made is ever deleted, others may have built on it; to empty the group, undo what filled it")
	default:
		return no("nobody knows how to undo %s", c.What)
	}
	return u, nil
}

// Members are those who are still as the change left them, given who is in the
// group now: only they are moved back. What others did since stays.
func (u Undo) Members(now []string) (add, remove []string) {
	return difference(u.Add, now), difference(u.Remove, difference(u.Remove, now))
}

// FoundMembers are those of an intent who are found moved.
func FoundMembers(intent Change, now []string) (added, removed []string) {
	return difference(intent.Added, difference(intent.Added, now)), difference(intent.Removed, now)
}

func idOf(policy string) string {
	var p struct {
		ID string `json:"id"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil {
		return ""
	}
	return p.ID
}

// CopyDifference compares two copies of a policy by meaning, member by member,
// and says each difference in a line. What Graph itself writes at every change
// (modifiedDateTime) and annotations are none, nor is the order of a list.
func CopyDifference(was, now string) ([]string, error) {
	var a, b any
	for text, into := range map[string]*any{was: &a, now: &b} {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(into); err != nil {
			return nil, fmt.Errorf("a copy of a policy is no JSON: %w", err)
		}
	}
	if was == now {
		return nil, nil
	}
	return differences("", a, b), nil
}

func differences(path string, was, now any) []string {
	a, aIs := was.(map[string]any)
	b, bIs := now.(map[string]any)
	if !aIs || !bIs {
		if sameValue(was, now) {
			return nil
		}
		return []string{fmt.Sprintf("%s was %s, is %s", path, asJSON(was), asJSON(now))}
	}
	names := maps.Clone(a)
	maps.Copy(names, b)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if name == "modifiedDateTime" || strings.Contains(name, "@odata.") {
			continue
		}
		list = append(list, differences(strings.TrimPrefix(path+"."+name, "."), a[name], b[name])...)
	}
	return list
}

func sameValue(was, now any) bool {
	a, aIs := was.([]any)
	b, bIs := now.([]any)
	if !aIs || !bIs {
		return asJSON(was) == asJSON(now)
	}
	sorted := func(list []any) []string {
		texts := make([]string, 0, len(list))
		for _, v := range list {
			texts = append(texts, asJSON(v))
		}
		slices.Sort(texts)
		return texts
	}
	return slices.Equal(sorted(a), sorted(b))
}

func asJSON(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Sprint(v) // what was decoded encodes
	}
	return strings.TrimSpace(b.String())
}

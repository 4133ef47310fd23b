package rollout_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/rollout"
)

const policyCopy = `{"id":"p1","state":"enabled","modifiedDateTime":"2026-11-11T10:00:00Z"}`

// withCopy gives an entry a copy.
func withCopy(c rollout.Change, text string) rollout.Change {
	c.Copy = text
	return c
}

func moved(c rollout.Change, added, removed []string) rollout.Change {
	c.Added, c.Removed = added, removed
	return c
}

func TestPlanUndo(t *testing.T) {
	state := func(before, after string) rollout.Change {
		return intent(rollout.ChangePolicyState, "p1", before, after)
	}
	fill := moved(intent(rollout.ChangeGroupMembers, "g1", "", ""), []string{"a", "b"}, []string{"c"})
	for name, tt := range map[string]struct {
		log  []rollout.Change // the intent is entry 2
		seq  int64
		want rollout.Undo
		no   string
	}{
		"a switch": {
			[]rollout.Change{withCopy(state(rollout.StateReportOnly, rollout.StateEnabled), "was"), withCopy(result(2, "done"), "is")},
			2,
			rollout.Undo{Seq: 2, What: rollout.ChangePolicyState, Target: "p1", From: rollout.StateEnabled, To: rollout.StateReportOnly, Left: "is", Was: "was"},
			"",
		},
		"a switch that was found done": {
			[]rollout.Change{state(rollout.StateReportOnly, rollout.StateEnabled), result(2, "no answer"), result(2, rollout.ResultFoundDone)},
			2,
			rollout.Undo{Seq: 2, What: rollout.ChangePolicyState, Target: "p1", From: rollout.StateEnabled, To: rollout.StateReportOnly},
			"",
		},
		"a roll-back":        {[]rollout.Change{state(rollout.StateEnabled, rollout.StateReportOnly), result(2, "done")}, 2, rollout.Undo{}, "only the gates"},
		"not known":          {[]rollout.Change{state(rollout.StateReportOnly, rollout.StateEnabled)}, 2, rollout.Undo{}, "not known yet"},
		"in doubt":           {[]rollout.Change{state(rollout.StateReportOnly, rollout.StateEnabled), result(2, "no answer")}, 2, rollout.Undo{}, "not known yet"},
		"did not happen":     {[]rollout.Change{state(rollout.StateReportOnly, rollout.StateEnabled), result(2, rollout.ResultFoundNotDone)}, 2, rollout.Undo{}, "did not happen"},
		"defaults on":        {[]rollout.Change{intent(rollout.ChangeDefaults, "d", "false", "true"), result(2, "done")}, 2, rollout.Undo{Seq: 2, What: rollout.ChangeDefaults, Target: "d", From: "true", To: "false"}, ""},
		"defaults off":       {[]rollout.Change{intent(rollout.ChangeDefaults, "d", "true", "false"), result(2, "done")}, 2, rollout.Undo{}, "only the gates"},
		"a group":            {[]rollout.Change{intent(rollout.ChangeCreateGroup, "exempt", "", "x"), result(2, "done")}, 2, rollout.Undo{}, "ever deleted"},
		"a policy":           {[]rollout.Change{intent(rollout.ChangeCreatePolicy, "everyone", "", rollout.StateReportOnly), withCopy(result(2, "done"), policyCopy)}, 2, rollout.Undo{Seq: 2, What: rollout.ChangePolicyState, Target: "p1", From: rollout.StateReportOnly, To: rollout.StateDisabled, Left: policyCopy}, ""},
		"a policy, no id":    {[]rollout.Change{intent(rollout.ChangeCreatePolicy, "everyone", "", rollout.StateReportOnly), result(2, "done")}, 2, rollout.Undo{}, "which policy"},
		"members":            {[]rollout.Change{fill, moved(result(2, "done"), []string{"a", "b"}, []string{"c"})}, 2, rollout.Undo{Seq: 2, What: rollout.ChangeGroupMembers, Target: "g1", Add: []string{"c"}, Remove: []string{"a", "b"}}, ""},
		"members, some":      {[]rollout.Change{fill, result(2, "403"), moved(result(2, rollout.ResultFoundNotDone), []string{"a"}, nil)}, 2, rollout.Undo{Seq: 2, What: rollout.ChangeGroupMembers, Target: "g1", Remove: []string{"a"}}, ""},
		"members, none":      {[]rollout.Change{fill, result(2, rollout.ResultFoundNotDone)}, 2, rollout.Undo{}, "nobody was moved"},
		"members, in doubt":  {[]rollout.Change{fill, moved(result(2, "403"), []string{"a"}, nil)}, 2, rollout.Undo{}, "not known yet"},
		"of another kind":    {[]rollout.Change{intent("dance", "", "", ""), result(2, "done")}, 2, rollout.Undo{}, "nobody knows how"},
		"a result":           {[]rollout.Change{state(rollout.StateReportOnly, rollout.StateEnabled), result(2, "done")}, 3, rollout.Undo{}, "the result of change 2"},
		"the genesis":        {nil, 1, rollout.Undo{}, "wrote nothing"},
		"a note":             {[]rollout.Change{{Kind: rollout.ChangeNote, What: "pause"}}, 2, rollout.Undo{}, "wrote nothing"},
		"one that never was": {nil, 9, rollout.Undo{}, "no entry of that number"},
	} {
		log, _ := chained(tt.log...)
		got, err := rollout.PlanUndo(log, tt.seq)
		if tt.no != "" {
			if err == nil || !strings.Contains(err.Error(), tt.no) || got.What != "" {
				t.Errorf("%s: got %+v, %v; want it refused: %s", name, got, err, tt.no)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

// Only those move back who are still as the change left them.
func TestUndoMembers(t *testing.T) {
	u := rollout.Undo{Add: []string{"c", "d"}, Remove: []string{"a", "B"}}
	add, remove := u.Members([]string{"b", "c", "x"})
	if !slices.Equal(add, []string{"d"}) || !slices.Equal(remove, []string{"B"}) {
		t.Errorf("add %v, remove %v; want d and B", add, remove)
	}
	c := moved(rollout.Change{}, []string{"a", "b"}, []string{"c", "d"})
	if added, removed := rollout.FoundMembers(c, []string{"B", "c"}); !slices.Equal(added, []string{"b"}) || !slices.Equal(removed, []string{"d"}) {
		t.Errorf("found %v added and %v removed; want b and d", added, removed)
	}
}

func TestCopyDifference(t *testing.T) {
	was := `{"id":"p","state":"enabled","modifiedDateTime":"x","grantControls":{"builtInControls":["mfa","riskRemediation"],"a@odata.context":"1","n":1.0}}`
	for name, tt := range map[string]struct {
		now  string
		want []string
	}{
		"the same": {was, nil},
		"Graph's own": {
			`{"grantControls":{"n":1.0,"builtInControls":["riskRemediation","mfa"]},"state":"enabled","id":"p","modifiedDateTime":"y"}`, nil,
		},
		"a control that nobody here knows is gone": {
			`{"id":"p","state":"enabled","grantControls":{"builtInControls":["mfa"],"n":1.0}}`,
			[]string{`grantControls.builtInControls was ["mfa","riskRemediation"], is ["mfa"]`},
		},
		"the state, and a member more": {
			`{"id":"p","state":"<off>","more":true,"grantControls":{"builtInControls":["mfa","riskRemediation"],"n":1.0}}`,
			[]string{"more was null, is true", `state was "enabled", is "<off>"`},
		},
		"an object is gone": {`{"id":"p","state":"enabled"}`, []string{`grantControls was {"a@odata.context":"1","builtInControls":["mfa","riskRemediation"],"n":1.0}, is null`}},
		"twice in a list":   {strings.Replace(was, `["mfa",`, `["mfa","mfa",`, 1), []string{`grantControls.builtInControls was ["mfa","riskRemediation"], is ["mfa","mfa","riskRemediation"]`}},
	} {
		got, err := rollout.CopyDifference(was, tt.now)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
	if _, err := rollout.CopyDifference(was, "no JSON"); err == nil {
		t.Error("what is no JSON was compared")
	}
}

func TestCheckOrders(t *testing.T) {
	for _, state := range []rollout.WaveState{
		rollout.WavePlanned, rollout.WaveAnnounced, rollout.WaveObserving, rollout.WaveHeld,
		rollout.WaveEnforced, rollout.WaveSettled, rollout.WavePaused, rollout.WaveRolledBack,
	} {
		settled, err := rollout.CheckRollback(rollout.Wave{Name: "w", State: state})
		on := state == rollout.WaveEnforced || state == rollout.WaveSettled
		back := state == rollout.WaveRolledBack
		if settled != back || (err == nil) != (on || back) {
			t.Errorf("roll back a wave that is %s: %v, %v", state, settled, err)
		}
		if settled, err := rollout.CheckResume(rollout.Wave{Name: "w", State: state}, logTime); settled || (err == nil) != back {
			t.Errorf("resume a wave that is %s: %v, %v", state, settled, err)
		}
	}
	w := rollout.Wave{State: rollout.WaveHeld, History: []rollout.Move{
		{From: rollout.WaveRolledBack, To: rollout.WaveObserving, At: logTime}, {From: rollout.WaveObserving, To: rollout.WaveHeld, At: logTime},
	}}
	if settled, err := rollout.CheckResume(w, logTime); !settled || err != nil {
		t.Errorf("resumed by this very order: %v, %v", settled, err)
	}
	if _, err := rollout.CheckResume(w, logTime.Add(1)); err == nil {
		t.Error("resumed before the order was given: it is not rolled back any more")
	}
}

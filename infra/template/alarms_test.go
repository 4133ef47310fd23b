package template_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/emulator"
)

// alarms: each rings for a metric that the code writes, by a topic that is not
// the one that may have failed, and names a playbook that is there; and there is
// no playbook without an alarm.
func (s stack) alarms(t *testing.T) {
	const dir = "infra/docs/playbooks"
	root := emulator.Root(t)
	alarms := s.of(t, "AWS::CloudWatch::Alarm")
	source := written(t)
	for id, alarm := range alarms {
		description, _ := alarm.Properties["AlarmDescription"].(string)
		playbook := dir + "/" + id + ".md"
		if !strings.HasSuffix(description, "What to do: "+playbook) {
			t.Errorf("%s does not say what to do: %q, want it to end with the name of %s", id, description, playbook)
		}
		text, err := os.ReadFile(filepath.Join(root, playbook))
		if err != nil {
			t.Errorf("%s has no playbook: %v", id, err)
		}
		for _, heading := range []string{"# " + id + "\n", "\n## What it means\n", "\n## What to do\n", "\n## When it is over\n"} {
			if !strings.Contains("\n"+string(text), heading) {
				t.Errorf("%s has no heading %q", playbook, strings.TrimSpace(heading))
			}
		}
		if metric, _ := alarm.Properties["MetricName"].(string); alarm.Properties["Namespace"] == "Sallyport" && !strings.Contains(source, `"`+metric+`"`) {
			t.Errorf("%s waits for the metric %s, which nobody writes", id, metric)
		}
		if got := target(at(alarm.Properties, "AlarmActions", "0")); got != "OperatorTopic" {
			t.Errorf("%s rings by %q: an alarm about alerts must not need the alerts' own topic", id, got)
		}
		if alarm.Properties["TreatMissingData"] == nil {
			t.Errorf("%s does not say what silence means", id)
		}
	}
	files, err := filepath.Glob(filepath.Join(root, dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var playbooks []string
	for _, file := range files {
		playbooks = append(playbooks, strings.TrimSuffix(filepath.Base(file), ".md"))
	}
	if diff := cmp.Diff(sorted(alarms), playbooks); diff != "" {
		t.Errorf("alarms and playbooks (-alarms +playbooks):\n%s", diff)
	}
	var heard []string
	for id, sub := range s.of(t, "AWS::SNS::Subscription") {
		if target(sub.Properties["TopicArn"]) == "OperatorTopic" {
			heard = append(heard, id)
		}
	}
	if !slices.Equal(heard, []string{"OperatorTopicToMail"}) {
		t.Errorf("OperatorTopic is heard by %v", heard)
	}
}

// written is the source of the functions and of what they share, without tests.
func written(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"functions", "shared"} {
		err := filepath.WalkDir(filepath.Join(emulator.Root(t), dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

package template_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/job"
)

// queues: a message is hidden for six times its function's time-out, one bad
// message fails alone, and what fails five times is kept aside.
func (s stack) queues(t *testing.T) {
	sources := map[string]bool{}
	for id, m := range s.of(t, "AWS::Lambda::EventSourceMapping") {
		name := target(m.Properties["EventSourceArn"])
		sources[name] = true
		queue, function := s.Resources[name], s.Resources[target(m.Properties["FunctionName"])]
		if visible, timeout := number(queue.Properties["VisibilityTimeout"]), number(function.Properties["Timeout"]); timeout == 0 || visible < 6*timeout {
			t.Errorf("%s: %s hides a message for %v s, and its function may take %v s", id, name, visible, timeout)
		}
		if !slices.Equal(list(m.Properties["FunctionResponseTypes"]), []any{"ReportBatchItemFailures"}) {
			t.Errorf("%s: one bad message would fail the whole batch", id)
		}
		if number(at(m.Properties, "ScalingConfig", "MaximumConcurrency")) == 0 {
			t.Errorf("%s: nothing bounds how many run at once", id)
		}
		if got := number(at(queue.Properties, "RedrivePolicy", "maxReceiveCount")); got != 5 {
			t.Errorf("%s: given up after %v attempts, want 5", name, got)
		}
		dead := s.Resources[target(at(queue.Properties, "RedrivePolicy", "deadLetterTargetArn"))]
		if dead.Type != "AWS::SQS::Queue" || number(dead.Properties["MessageRetentionPeriod"]) < number(queue.Properties["MessageRetentionPeriod"]) {
			t.Errorf("%s: its dead letters are not kept longer than it keeps its own", name)
		}
	}
	for id, q := range s.of(t, "AWS::SQS::Queue") {
		if !strings.HasSuffix(id, "DeadLetters") && !sources[id] {
			t.Errorf("nobody reads %s", id)
		}
		if q.Properties["SqsManagedSseEnabled"] != true {
			t.Errorf("%s is not encrypted", id)
		}
	}
	for id, sub := range s.of(t, "AWS::SNS::Subscription") {
		if sub.Properties["Protocol"] == "sqs" && at(sub.Properties, "RedrivePolicy", "deadLetterTargetArn") == nil {
			t.Errorf("%s: what cannot be delivered is lost", id)
		}
	}
}

// schedules: every run that cannot be started or fails for good is kept aside,
// days are the operator's, and the job learns when it was due.
func (s stack) schedules(t *testing.T) {
	due := time.Date(2026, time.December, 1, 2, 0, 0, 0, time.UTC)
	scheduled := map[string][]string{}
	for id, schedule := range s.of(t, "AWS::Scheduler::Schedule") {
		expression, _ := schedule.Properties["ScheduleExpression"].(string)
		to := at(schedule.Properties, "Target")
		function := target(at(to, "Arn"))
		scheduled[function] = append(scheduled[function], expression)
		if strings.HasPrefix(expression, "cron") && target(schedule.Properties["ScheduleExpressionTimezone"]) != "TimeZone" {
			t.Errorf("%s does not follow the parameter TimeZone", id)
		}
		if schedule.Properties["Name"] != nil {
			t.Errorf("%s has a fixed name: a second stack in the account could not be made", id)
		}
		if at(to, "RetryPolicy", "MaximumEventAgeInSeconds") == nil || s.Resources[target(at(to, "DeadLetterConfig", "Arn"))].Type != "AWS::SQS::Queue" {
			t.Errorf("%s: a run that cannot be started is not tried again and kept aside", id)
		}
		var event job.ScheduledEvent
		input := strings.ReplaceAll(at(to, "Input").(string), "<aws.scheduler.scheduled-time>", due.Format(time.RFC3339))
		if err := json.Unmarshal([]byte(input), &event); err != nil || !event.Time.Equal(due) {
			t.Errorf("%s: the job would read %v (%v) out of %s", id, event.Time, err, input)
		}
		f := s.Resources[function]
		if s.Resources[target(at(f.Properties, "DeadLetterConfig", "TargetArn"))].Type != "AWS::SQS::Queue" {
			t.Errorf("%s is started by a schedule, and has no queue for the runs that fail", function)
		}
		if number(f.Properties["Timeout"]) <= 60 {
			t.Errorf("%s: a job does not start with less than a minute left", function)
		}
	}
	// As the rehearsal has it (infra/local/rehearsal/world.go): what was rehearsed is
	// what runs.
	for function, want := range map[string][]string{
		"Audit": {"cron(0 2 * * ? *)", "rate(5 minutes)"}, "Remind": {"cron(0 1,5,21 ? * SUN-FRI *)", "cron(0 9-16 ? * MON-FRI *)"}, "Enforce": {"cron(10 * * * ? *)", "rate(5 minutes)"},
		"Monitor": {"cron(0 * * * ? *)"}, "Subscriptions": {"cron(0 4 * * ? *)"}, "Breakglass": {"rate(5 minutes)"},
	} {
		slices.Sort(scheduled[function])
		if diff := cmp.Diff(want, scheduled[function]); diff != "" {
			t.Errorf("%s runs at other times (-want +template):\n%s", function, diff)
		}
	}
}

// table: nothing that a rollout remembers can be lost by a slip.
func (s stack) table(t *testing.T) {
	for id, table := range s.of(t, "AWS::DynamoDB::Table") {
		for _, keep := range [][]string{
			{"DeletionProtectionEnabled"},
			{"PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"},
			{"SSESpecification", "SSEEnabled"},
			{"TimeToLiveSpecification", "Enabled"},
		} {
			if at(table.Properties, keep...) != true {
				t.Errorf("%s: %s is off", id, strings.Join(keep, "."))
			}
		}
		if table.DeletionPolicy != "Retain" {
			t.Errorf("%s would go with the stack", id)
		}
		if at(table.Properties, "TimeToLiveSpecification", "AttributeName") != "expires" {
			t.Errorf("%s does not expire by the attribute that shared/store writes", id)
		}
	}
}

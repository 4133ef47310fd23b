package job

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"sallyport/shared/rollout"
)

// outcome is how a run ended, as it stands in the line.
type outcome string

const (
	done      outcome = "done"
	continues outcome = "to be continued" // stopped on purpose, a later run goes on
	failed    outcome = "failed"
	busy      outcome = "busy"      // another run has the lease: skipped
	notBegun  outcome = "not begun" // no time, or no lease could be had
)

// line is all that a run's one line says.
type line struct {
	tenant rollout.TenantID
	job    string
	now    time.Time // what the run was about
	begun  time.Time // by the clock
	sum    *Summary
	err    error
}

// finish writes the line and, of a run that was done, the metric. It returns the
// line's error: what the run has to answer.
func (r Runner) finish(ctx context.Context, l line, how outcome) error {
	ended := r.Clock.Now()
	attrs := []slog.Attr{
		slog.String("tenant", string(l.tenant)),
		slog.String("job", l.job),
		slog.String("outcome", string(how)),
		slog.Time("for", l.now),
		slog.Int64("milliseconds", ended.Sub(l.begun).Milliseconds()),
	}
	attrs = append(attrs, l.sum.attrs()...)
	level := slog.LevelInfo
	if l.err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", l.err.Error()))
	}
	r.Log.LogAttrs(ctx, level, "job", attrs...)
	if how == done {
		if err := r.writeSuccess(l, ended); err != nil {
			r.Log.WarnContext(ctx, "metric not written: the alarm on missing success may ring", "tenant", l.tenant, "job", l.job, "error", err)
		}
	}
	return l.err
}

// The metrics of a run that was done, in the namespace "Sallyport" with the one
// dimension "Job": JobSuccess (a count, 1 for each tenant) and JobDuration (in
// milliseconds). The tenant stands beside them and can be searched for, but is
// no dimension: each would be a metric more to pay for. A tenant whose job fails
// while others succeed makes the function fail, which has an alarm of its own.
const (
	namespace   = "Sallyport"
	jobSuccess  = "JobSuccess"
	jobDuration = "JobDuration"
)

// success is a line in CloudWatch's embedded metric format.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type success struct {
	AWS      emf              `json:"_aws"`
	Job      string           `json:"Job"`
	Tenant   rollout.TenantID `json:"Tenant"`
	Success  int              `json:"JobSuccess"`
	Duration int64            `json:"JobDuration"`
}

type emf struct {
	Timestamp         int64            `json:"Timestamp"` // milliseconds since 1970
	CloudWatchMetrics []emfDeclaration `json:"CloudWatchMetrics"`
}

type emfDeclaration struct {
	Namespace  string      `json:"Namespace"`
	Dimensions [][]string  `json:"Dimensions"`
	Metrics    []emfMetric `json:"Metrics"`
}

type emfMetric struct {
	Name string `json:"Name"`
	Unit string `json:"Unit"`
}

func (r Runner) writeSuccess(l line, ended time.Time) error {
	text, err := json.Marshal(success{
		AWS: emf{
			Timestamp: ended.UnixMilli(),
			CloudWatchMetrics: []emfDeclaration{{
				Namespace:  namespace,
				Dimensions: [][]string{{"Job"}},
				Metrics:    []emfMetric{{jobSuccess, "Count"}, {jobDuration, "Milliseconds"}},
			}},
		},
		Job:      l.job,
		Tenant:   l.tenant,
		Success:  1,
		Duration: ended.Sub(l.begun).Milliseconds(),
	})
	if err != nil {
		return fmt.Errorf("write the metric: %w", err)
	}
	if _, err := r.Metrics.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write the metric: %w", err)
	}
	return nil
}

package breakglass

import (
	"context"
	"encoding/json"
	"strings"
)

// countFailure writes one metric in CloudWatch's embedded format: a channel did
// not take an alert. The channel's name stands beside it, without the recipient.
//
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func (w *watch) countFailure(ctx context.Context, channel string) {
	if w.Metrics == nil {
		return
	}
	kind, _, _ := strings.Cut(channel, "/")
	const name = "AlertChannelFailed"
	line, err := json.Marshal(map[string]any{
		"_aws": map[string]any{
			"Timestamp": w.now.UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace":  "Sallyport",
				"Dimensions": [][]string{{"Function"}},
				"Metrics":    []any{map[string]string{"Name": name, "Unit": "Count"}},
			}},
		},
		"Function": "breakglass",
		"Tenant":   w.cfg.Tenant,
		"Channel":  kind,
		name:       1,
	})
	if err == nil {
		_, err = w.Metrics.Write(append(line, '\n'))
	}
	if err != nil {
		w.Log.WarnContext(ctx, "metric not written: no alarm rings for a channel that fails", "channel", kind, "error", err)
	}
}

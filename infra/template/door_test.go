package template_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// door: the routes that webhook answers and no other, throttled, and a log
// that does not write down a secret in the path.
func (s stack) door(t *testing.T) {
	var routes []string
	for _, api := range s.of(t, "AWS::ApiGatewayV2::Api") {
		paths, _ := at(api.Properties, "Body", "paths").(map[string]any)
		for _, path := range sorted(paths) {
			methods, _ := paths[path].(map[string]any)
			for _, method := range sorted(methods) {
				routes = append(routes, strings.ToUpper(method)+" "+path)
				if at(methods[method], "x-amazon-apigateway-integration", "payloadFormatVersion") != "2.0" {
					t.Errorf("%s %s is not handed over as webhook reads it", method, path)
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"GET /ack/{token}", "POST /ack/{token}", "POST /alerts", "POST /alerts/{secret}", "POST /notifications"}, routes); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	for id, stage := range s.of(t, "AWS::ApiGatewayV2::Stage") {
		if number(at(stage.Properties, "DefaultRouteSettings", "ThrottlingRateLimit")) == 0 ||
			number(at(stage.Properties, "DefaultRouteSettings", "ThrottlingBurstLimit")) == 0 {
			t.Errorf("%s lets anybody run up the bill", id)
		}
		format, _ := at(stage.Properties, "AccessLogSettings", "Format").(string)
		if format == "" || strings.Contains(format, "$context.path") || strings.Contains(format, "resourcePath") {
			t.Errorf("%s: log format %q: there is none, or it writes a path, which may hold a secret", id, format)
		}
	}
}

package template_test

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/infra/local/emulator"
)

// statement is one of a policy, with the policy's owner.
type statement struct {
	owner      string
	properties map[string]any
}

// statements returns those of every role and every resource policy.
func (s stack) statements(t *testing.T) []statement {
	t.Helper()
	var found []statement
	for id, r := range s.Resources {
		if managed := list(r.Properties["ManagedPolicyArns"]); r.Type == "AWS::IAM::Role" && managed[0] != nil {
			t.Errorf("%s carries policies that somebody else may widen: %v", id, managed)
		}
		documents := []any{r.Properties["PolicyDocument"]}
		for _, policy := range list(r.Properties["Policies"]) {
			documents = append(documents, at(policy, "PolicyDocument"))
		}
		for _, document := range documents {
			for _, entry := range list(at(document, "Statement")) {
				if properties, ok := entry.(map[string]any); ok {
					found = append(found, statement{id, properties})
				}
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("the template grants nothing at all")
	}
	return found
}

// textMessages is what may stand for telephone numbers, which have no ARN: all
// that is no topic and no end point of SNS. Whoever else may publish, or may
// publish anything else by a statement like it, is refused.
func textMessages() map[string]any {
	return map[string]any{
		"Effect": "Allow", "Action": "sns:Publish", "NotResource": map[string]any{"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"},
	}
}

// rights: single actions on single ARNs. The exceptions are what STS leaves no
// choice about, where the token is bound by its audience, and text messages.
func (s stack) rights(t *testing.T) {
	for _, st := range s.statements(t) {
		text, err := json.Marshal(st.properties)
		if err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(st.properties["Condition"], map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}) && st.properties["Effect"] == "Deny" {
			continue // nobody, nothing, over a line that can be read
		}
		if st.owner == "BreakglassRole" && cmp.Equal(st.properties, textMessages()) {
			continue
		}
		if st.properties["Effect"] != "Allow" || st.properties["NotAction"] != nil || st.properties["NotResource"] != nil {
			t.Errorf("%s: say what is allowed, not what is not: %s", st.owner, text)
		}
		actions := list(st.properties["Action"])
		if slices.Equal(actions, []any{"sts:GetWebIdentityToken"}) {
			want := map[string]any{
				"ForAllValues:StringEquals": map[string]any{"sts:IdentityTokenAudience": "api://AzureADTokenExchange"},
				"Null":                      map[string]any{"sts:IdentityTokenAudience": "false"},
				"NumericLessThanEquals":     map[string]any{"sts:DurationSeconds": 300.},
			}
			if diff := cmp.Diff(want, st.properties["Condition"]); diff != "" {
				t.Errorf("%s: a web identity token for anybody but Entra (-want +got):\n%s", st.owner, diff)
			}
			continue
		}
		objects := map[string]any{"Fn::Sub": "${Archive.Arn}/*"} // as S3 names what is in a bucket
		if cmp.Equal(st.properties["Resource"], any(objects)) && !strings.Contains(fmt.Sprint(actions), "*") {
			continue
		}
		if strings.Contains(string(text), "*") {
			t.Errorf("%s: a wildcard: %s", st.owner, text)
		}
		for _, action := range actions {
			if service, name, ok := strings.Cut(action.(string), ":"); !ok || service == "" || name == "" {
				t.Errorf("%s: %q is no single action", st.owner, action)
			}
		}
		if resources := list(st.properties["Resource"]); resources[0] == nil {
			t.Errorf("%s: on which resource? %s", st.owner, text)
		}
	}
	for id, r := range s.Resources {
		if r.Type == "AWS::IAM::Role" && at(r.Properties, "AssumeRolePolicyDocument", "Statement", "0", "Principal", "Service") == nil {
			t.Errorf("%s can be assumed by somebody who is no AWS service", id)
		}
	}
}

// wired: a role may speak to a service if and only if its function has a client
// for it. Queues are apart: Lambda itself reads them in the role's name.
func (s stack) wired(t *testing.T) {
	for id, f := range s.of(t, "AWS::Lambda::Function") {
		main := filepath.Join(emulator.Root(t), "functions", strings.ToLower(id), "lambda", "main.go")
		source, err := parser.ParseFile(token.NewFileSet(), main, nil, parser.ImportsOnly)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		clients := map[string]bool{}
		for _, spec := range source.Imports {
			if service, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "github.com/aws/aws-sdk-go-v2/service/"); ok {
				clients[service] = true
			}
		}
		rights := map[string]bool{}
		for _, st := range s.statements(t) {
			if st.owner != target(f.Properties["Role"]) {
				continue
			}
			for _, action := range list(st.properties["Action"]) {
				service, name, _ := strings.Cut(action.(string), ":")
				queues := list(st.properties["Resource"])
				switch {
				case service == "logs", service == "sqs" && name != "SendMessage":
				case service == "sqs" && len(queues) == 1 && target(queues[0]) == "ScheduleDeadLetters":
				default:
					rights[service] = true
				}
			}
		}
		if diff := cmp.Diff(sorted(clients), sorted(rights)); diff != "" {
			t.Errorf("%s (-has a client for +has rights on):\n%s", id, diff)
		}
	}
}

// graph: a token for Entra is for those who need one, and the app that may
// write is for enforce alone.
func (s stack) graph(t *testing.T) {
	const reader, writer = "GraphReaderClientId", "GraphWriterClientId"
	want := map[string]string{
		"Audit": reader, "Breakglass": reader, "Monitor": reader, "Subscriptions": reader,
		"Enforce":  writer,
		"Feedback": "", "Notify": "", "Remind": "", "Webhook": "",
	}
	got := map[string]string{}
	for id, f := range s.of(t, "AWS::Lambda::Function") {
		got[id] = target(at(f.Properties, "Environment", "Variables", "GRAPH_CLIENT_ID"))
		role := target(f.Properties["Role"])
		may := slices.ContainsFunc(s.statements(t), func(st statement) bool {
			return st.owner == role && slices.Contains(list(st.properties["Action"]), any("sts:GetWebIdentityToken"))
		})
		if may != (want[id] != "") {
			t.Errorf("%s may ask for a token: %v", id, may)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("app registrations (-want +got):\n%s", diff)
	}

	// The webhook is what strangers reach: it may log and queue, and that is all.
	var actions []any
	for _, st := range s.statements(t) {
		if st.owner == "WebhookRole" {
			actions = append(actions, list(st.properties["Action"])...)
		}
	}
	if diff := cmp.Diff([]any{"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"}, actions); diff != "" {
		t.Errorf("webhook's rights (-want +got):\n%s", diff)
	}
	roles := map[string]string{}
	for id, f := range s.of(t, "AWS::Lambda::Function") {
		role := target(f.Properties["Role"])
		if other, taken := roles[role]; taken {
			t.Errorf("%s and %s share the role %s", id, other, role)
		}
		roles[role] = id
		if at(s.Resources[role].Properties, "RoleName", "Fn::Sub") == nil {
			t.Errorf("%s: Entra trusts a role by its name, so %s needs one of its own", id, role)
		}
	}
}

package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sallyport/shared/config"
)

func TestLoad(t *testing.T) {
	got, err := config.Load[config.Audit]("audit", []string{"TABLE_NAME=sallyport", "GRAPH_CLIENT_ID=6b0f", "ARCHIVE_BUCKET=archive", "HOME=/"})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Audit{
		Table:   config.Table{TableName: "sallyport"},
		Graph:   config.Graph{GraphClientID: "6b0f", GraphEndpoint: "https://graph.microsoft.com", AuthorityHost: "https://login.microsoftonline.com/"},
		Archive: config.Archive{ArchiveBucket: "archive"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

// A function that lacks a variable says at its start which, and where it is set.
func TestLoadNamesWhatIsMissing(t *testing.T) {
	_, err := config.Load[config.Enforce]("enforce", []string{"TABLE_NAME=", "MAIL_QUEUE_URL=https://sqs.example.com/mail"})
	want := "enforce cannot start: " +
		"GRAPH_CLIENT_ID is not set (template.yaml: parameter GraphReaderClientId; for enforce GraphWriterClientId); " +
		"TABLE_NAME is empty (template.yaml: resource Table)"
	if err == nil || err.Error() != want {
		t.Errorf("Load = %v\nwant   %s", err, want)
	}
}

// source matches what a template tag names, in template.yaml's own words.
var source = regexp.MustCompile(`(?:resource|parameter|for enforce) (\w+)`)

// Every variable of every function can be traced to template.yaml.
func TestEveryVariableNamesItsSource(t *testing.T) {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range []any{
		config.Audit{},
		config.Remind{},
		config.Notify{},
		config.Feedback{},
		config.Enforce{},
		config.Monitor{},
		config.BreakGlass{},
		config.Webhook{},
		config.Subscriptions{},
	} {
		variables := 0
		for _, field := range reflect.VisibleFields(reflect.TypeOf(environment)) {
			variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			if variable == "" {
				continue
			}
			variables++
			names := source.FindAllStringSubmatch(field.Tag.Get("template"), -1)
			if len(names) == 0 {
				t.Errorf("%T: %s names no resource and no parameter: %q", environment, variable, field.Tag.Get("template"))
			}
			for _, name := range names {
				if !strings.Contains(string(template), "\n  "+name[1]+":") {
					t.Errorf("%T: %s is said to come from %s, which template.yaml does not have", environment, variable, name[1])
				}
			}
			if !strings.Contains(string(template), variable+": !") {
				t.Errorf("%T: template.yaml never sets %s", environment, variable)
			}
		}
		if variables == 0 {
			t.Errorf("%T has no variable", environment)
		}
	}
}

// A stack without AlertTenants has no secure webhook; one with a slip in them
// does not start with a part of them.
func TestAlertTenants(t *testing.T) {
	const (
		contoso, contosoApp   = "c0000000-0000-4000-8000-00000000000c", "c0000000-0000-4000-8000-0000000000aa"
		fabrikam, fabrikamApp = "f0000000-0000-4000-8000-00000000000f", "f0000000-0000-4000-8000-0000000000aa"
	)
	for name, tt := range map[string]struct {
		given string
		want  config.AlertTenants // nil: refused
	}{
		"none":                {"", config.AlertTenants{}},
		"one":                 {contoso + "=" + contosoApp, config.AlertTenants{contoso: contosoApp}},
		"two, with a space":   {contoso + "=" + contosoApp + ", " + fabrikam + "=" + fabrikamApp, config.AlertTenants{contoso: contosoApp, fabrikam: fabrikamApp}},
		"without application": {contoso, nil},
		"a name for an id":    {"contoso.onmicrosoft.com=" + contosoApp, nil},
		"a name for an app":   {contoso + "=api://sallyport", nil},
		"upper case":          {strings.ToUpper(contoso) + "=" + contosoApp, nil},
		"a tenant twice":      {contoso + "=" + contosoApp + "," + contoso + "=" + fabrikamApp, nil},
		"a comma too many":    {contoso + "=" + contosoApp + ",", nil},
		"another separator":   {contoso + "=" + contosoApp + ";" + fabrikam + "=" + fabrikamApp, nil},
	} {
		got, err := config.Load[config.Webhook]("webhook", []string{
			"EVENT_QUEUE_URL=https://sqs.example.com/events", "WEBHOOK_CLIENT_STATE_SECRET=a", "WEBHOOK_ALERT_SECRET=b", "WEBHOOK_ACK_SECRET=c", "ALERT_TENANTS=" + tt.given,
		})
		if refused := err != nil; refused != (tt.want == nil) || refused && !strings.Contains(err.Error(), "AlertTenants") {
			t.Errorf("%s: error %v, want one that names AlertTenants: %t", name, err, tt.want == nil)
		}
		if diff := cmp.Diff(tt.want, got.AlertTenants, cmpopts.EquateEmpty()); err == nil && diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// FuzzAlertTenants: whatever the parameter, either all of it is understood, GUIDs
// alone, or nothing.
func FuzzAlertTenants(f *testing.F) {
	f.Add("c0000000-0000-4000-8000-00000000000c=c0000000-0000-4000-8000-0000000000aa,f0000000-0000-4000-8000-00000000000f=f0000000-0000-4000-8000-0000000000aa")
	f.Add("c0000000-0000-4000-8000-00000000000c=")
	f.Add(",=,")
	f.Fuzz(func(t *testing.T, text string) {
		var got config.AlertTenants
		if err := got.UnmarshalText([]byte(text)); err != nil {
			if got != nil {
				t.Errorf("%q is refused and gives %v", text, got)
			}
			return
		}
		if pairs := strings.Count(text, "="); pairs != len(got) || pairs == 0 {
			t.Errorf("%q gives %d tenants", text, len(got))
		}
		for tenant, app := range got {
			if len(tenant) != 36 || len(app) != 36 || !strings.Contains(text, tenant+"="+app) {
				t.Errorf("%q gives %s=%s", text, tenant, app)
			}
		}
	})
}

func TestSecretNeverShows(t *testing.T) {
	const value = "hunter2-hunter2"
	got, err := config.Load[config.Webhook]("webhook", []string{
		"EVENT_QUEUE_URL=https://sqs.example.com/events", "WEBHOOK_CLIENT_STATE_SECRET=" + value, "WEBHOOK_ALERT_SECRET=" + value, "WEBHOOK_ACK_SECRET=" + value,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.ClientState.ClientState.Reveal() != value {
		t.Error("the secret is lost")
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("started", "environment", got, "secret", got.AlertSecret)
	asJSON, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for how, shown := range map[string]string{
		"%v": fmt.Sprintf("%v", got), "%+v": fmt.Sprintf("%+v", got), "%#v": fmt.Sprintf("%#v", got), "Sprint": fmt.Sprint(got.AlertSecret),
		"JSON": string(asJSON), "log": log.String(),
	} {
		if strings.Contains(shown, value) {
			t.Errorf("%s shows the secret: %s", how, shown)
		}
		if !strings.Contains(shown, "[secret]") {
			t.Errorf("%s does not say that there is a secret: %s", how, shown)
		}
	}
}

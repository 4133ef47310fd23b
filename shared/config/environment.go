package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Audit is the environment of the audit function.
type Audit struct {
	Table
	Graph
	Archive
}

// Remind is the environment of the remind function.
type Remind struct {
	Table
	MailQueue
}

// Notify is the environment of the notify function.
type Notify struct {
	Table
	SES
}

// Feedback is the environment of the feedback function.
type Feedback struct {
	Table
}

// Enforce is the environment of the enforce function.
type Enforce struct {
	Table
	Graph
	MailQueue
}

// Monitor is the environment of the monitor function.
type Monitor struct {
	Table
	Graph
	MailQueue
}

// BreakGlass is the environment of the breakglass function. It sends alerts
// itself: they do not wait in a queue.
type BreakGlass struct {
	Table
	Graph
	MailQueue // for asking a custodian to a drill
	SES
	AlertTopic
	AckSecret
	// AckURL is where the links in alerts lead: webhook's address.
	AckURL string `env:"ACK_URL,required,notEmpty" template:"resource WebhookApi"`
}

// Webhook is the environment of the webhook function, which has neither the
// table nor Graph.
type Webhook struct {
	EventQueue
	ClientState
	AckSecret
	// AlertSecret stands in the path that Azure Monitor's action group calls.
	AlertSecret Secret `env:"WEBHOOK_ALERT_SECRET,required,notEmpty" template:"resource WebhookAlertSecret"`
	// AlertTenants may call the secure webhook instead. None: it is off.
	AlertTenants AlertTenants `env:"ALERT_TENANTS" template:"parameter AlertTenants"`
	// AuthorityHost is who signs their tokens.
	AuthorityHost string `env:"AZURE_AUTHORITY_HOST" envDefault:"https://login.microsoftonline.com/" template:"parameter AzureAuthorityHost"`
}

// Subscriptions is the environment of the subscriptions function.
type Subscriptions struct {
	Table
	Graph
	ClientState
	// NotificationURL is where Graph sends its notifications: webhook's address.
	NotificationURL string `env:"NOTIFICATION_URL,required,notEmpty" template:"resource WebhookApi"`
}

// The parts that the environments above are made of. The template tag says
// where in template.yaml a variable comes from; what AWS's own SDK reads
// (AWS_REGION, AWS_ENDPOINT_URL and its like) is not repeated here.
type (
	// Table is the one table.
	Table struct {
		TableName string `env:"TABLE_NAME,required,notEmpty" template:"resource Table"`
	}

	// Archive is the bucket for what does not fit the table.
	Archive struct {
		ArchiveBucket string `env:"ARCHIVE_BUCKET,required,notEmpty" template:"resource Archive"`
	}

	// MailQueue takes claimed messages for notify.
	MailQueue struct {
		MailQueueURL string `env:"MAIL_QUEUE_URL,required,notEmpty" template:"resource MailQueue"`
	}

	// EventQueue takes what webhook heard for breakglass.
	EventQueue struct {
		EventQueueURL string `env:"EVENT_QUEUE_URL,required,notEmpty" template:"resource EventQueue"`
	}

	// AlertTopic is the SNS topic of the alerts.
	AlertTopic struct {
		AlertTopicARN string `env:"ALERT_TOPIC_ARN,required,notEmpty" template:"resource AlertTopic"`
	}

	// AckSecret signs the links by which alerts are acknowledged.
	AckSecret struct {
		AckSecret Secret `env:"WEBHOOK_ACK_SECRET,required,notEmpty" template:"resource WebhookAckSecret"`
	}

	// SES is how mail leaves.
	SES struct {
		// SESConfigurationSet is what makes SES report deliveries and bounces.
		SESConfigurationSet string `env:"SES_CONFIGURATION_SET,required,notEmpty" template:"resource MailConfigurationSet"`
	}

	// Graph is how a function reaches Microsoft Graph.
	Graph struct {
		// GraphClientID is the application (client) id of the app registration.
		GraphClientID string `env:"GRAPH_CLIENT_ID,required,notEmpty" template:"parameter GraphReaderClientId; for enforce GraphWriterClientId"`
		// GraphEndpoint and AuthorityHost are those of the tenant's cloud.
		GraphEndpoint string `env:"GRAPH_ENDPOINT" envDefault:"https://graph.microsoft.com" template:"parameter GraphEndpoint"`
		AuthorityHost string `env:"AZURE_AUTHORITY_HOST" envDefault:"https://login.microsoftonline.com/" template:"parameter AzureAuthorityHost"`
	}

	// ClientState proves that a notification comes from Graph: subscriptions
	// gives it, webhook compares it.
	ClientState struct {
		ClientState Secret `env:"WEBHOOK_CLIENT_STATE_SECRET,required,notEmpty" template:"resource WebhookClientStateSecret"`
	}
)

// Secret is a value that never shows itself: not in a log, an error or JSON.
type Secret string

// Reveal returns the value, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String, GoString, MarshalText and LogValue say only that there is a secret.
func (s Secret) String() string               { return "[secret]" }
func (s Secret) GoString() string             { return "[secret]" }
func (s Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue("[secret]") }

// AlertTenants says whose Azure Monitor may call the secure webhook: Entra's
// tenant id -> the application (client) id of the app registration there that
// the action group calls, both GUIDs in lower case. Every tenant has an app of
// its own, so that no tenant's token is good for another's.
type AlertTenants map[string]string

var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// UnmarshalText reads "tenant=application,tenant=application".
func (a *AlertTenants) UnmarshalText(text []byte) error {
	tenants := AlertTenants{}
	for pair := range strings.SplitSeq(string(text), ",") {
		tenant, app, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !guid.MatchString(tenant) || !guid.MatchString(app) {
			return fmt.Errorf("AlertTenants: %q is no tenant id and application id, both GUIDs in lower case, with = between them", pair)
		}
		if _, twice := tenants[tenant]; twice {
			return fmt.Errorf("AlertTenants: tenant %s stands there twice", tenant)
		}
		tenants[tenant] = app
	}
	*a = tenants
	return nil
}

// Load reads the environment of a function, given as os.Environ gives it. Every
// variable that is missing is named, with what sets it in template.yaml.
func Load[T any](function string, environ []string) (T, error) {
	cfg, err := env.ParseAsWithOptions[T](env.Options{Environment: env.ToMap(environ)})
	if err == nil {
		return cfg, nil
	}
	var several env.AggregateError
	if !errors.As(err, &several) {
		return cfg, fmt.Errorf("%s cannot start: %w", function, err)
	}
	var missing []string
	sources := sourcesOf(reflect.TypeFor[T]())
	for _, err := range several.Errors {
		missing = append(missing, describe(err, sources))
	}
	slices.Sort(missing)
	return cfg, fmt.Errorf("%s cannot start: %s", function, strings.Join(missing, "; "))
}

func describe(err error, sources map[string]string) string {
	var unset env.VarIsNotSetError
	var empty env.EmptyVarError
	switch {
	case errors.As(err, &unset):
		return fmt.Sprintf("%s is not set (template.yaml: %s)", unset.Key, sources[unset.Key])
	case errors.As(err, &empty):
		return fmt.Sprintf("%s is empty (template.yaml: %s)", empty.Key, sources[empty.Key])
	}
	return err.Error()
}

// sourcesOf maps each variable of an environment to what sets it.
func sourcesOf(t reflect.Type) map[string]string {
	sources := map[string]string{}
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("env"), ","); name != "" {
			sources[name] = field.Tag.Get("template")
		}
	}
	return sources
}

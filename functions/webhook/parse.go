package webhook

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"sallyport/functions/breakglass/touch"
)

const (
	// maxDepth is how deep JSON may nest: Microsoft's own bodies need eight, and
	// a decoder recurses.
	maxDepth = 32
	// maxField is the longest text, in bytes, that is taken over from a body.
	maxField = 512
)

// notification is one item of a batch. Only a readable one has an event.
type notification struct {
	clientState string
	readable    bool
	event       touch.Event
}

// parseNotifications reads a changeNotificationCollection. Each item is read by
// itself, so that a broken one cannot take the others with it. Unknown keys are
// ignored: Microsoft adds some without notice.
func parseNotifications(body []byte) ([]notification, error) {
	var batch struct {
		Value []json.RawMessage `json:"value"`
	}
	if err := decode(body, &batch); err != nil {
		return nil, err
	}
	if len(batch.Value) == 0 {
		return nil, fmt.Errorf("%w: no notification in it", ErrMalformed)
	}
	items := make([]notification, len(batch.Value))
	for i, raw := range batch.Value {
		items[i] = parseNotification(raw)
	}
	return items, nil
}

func parseNotification(raw json.RawMessage) notification {
	var in struct {
		SubscriptionID string `json:"subscriptionId"`
		ClientState    string `json:"clientState"`
		ChangeType     string `json:"changeType"`
		Resource       string `json:"resource"`
		Lifecycle      string `json:"lifecycleEvent"`
		ResourceData   struct {
			ID string `json:"id"`
		} `json:"resourceData"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return notification{}
	}
	event := touch.Event{
		Source:         touch.SourceNotification,
		SubscriptionID: in.SubscriptionID,
		ChangeType:     in.ChangeType,
		Resource:       in.Resource,
		Account:        in.ResourceData.ID,
		Lifecycle:      in.Lifecycle,
	}
	if in.Lifecycle != "" {
		event.Source = touch.SourceLifecycle
	}
	// A change without a type or a resource would tell breakglass nothing.
	complete := in.SubscriptionID != "" && (in.Lifecycle != "" || in.ChangeType != "" && in.Resource != "")
	plain := allOf(plainText, in.SubscriptionID, in.ChangeType, in.Resource, in.ResourceData.ID, in.Lifecycle)
	return notification{clientState: in.ClientState, readable: complete && plain, event: event}
}

// parseAlert reads an alert of Azure Monitor's common alert schema. What it was
// about stands only in the dimensions ("log alerts V2" carry no rows), and in
// a shape that differs by monitoring service: where it cannot be read the alert
// is still one, about nobody in particular.
//
// Source: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
func parseAlert(body []byte) (touch.Event, error) {
	var in struct {
		SchemaID string `json:"schemaId"`
		Data     struct {
			Essentials struct {
				AlertID   string `json:"alertId"`
				AlertRule string `json:"alertRule"`
				Condition string `json:"monitorCondition"`
				Fired     string `json:"firedDateTime"`
			} `json:"essentials"`
			Context json.RawMessage `json:"alertContext"`
		} `json:"data"`
	}
	if err := decode(body, &in); err != nil {
		return touch.Event{}, err
	}
	essentials := in.Data.Essentials
	if in.SchemaID != "azureMonitorCommonAlertSchema" {
		return touch.Event{}, fmt.Errorf("%w: not the common alert schema", ErrMalformed)
	}
	if essentials.Condition != touch.ConditionFired && essentials.Condition != touch.ConditionResolved {
		return touch.Event{}, fmt.Errorf("%w: monitorCondition is neither Fired nor Resolved", ErrMalformed)
	}
	if essentials.AlertID == "" || !plainText(essentials.AlertID) {
		return touch.Event{}, fmt.Errorf("%w: no alertId to know a redelivery by", ErrMalformed)
	}
	// An alert is worth having without its time: a bad one stays zero.
	fired, _ := time.Parse(time.RFC3339, essentials.Fired)
	return touch.Event{
		Source:    touch.SourceAzureMonitor,
		AlertID:   essentials.AlertID,
		Rule:      printable(essentials.AlertRule),
		Condition: essentials.Condition,
		FiredAt:   fired.UTC(),
		Accounts:  dimensionUserIDs(in.Data.Context),
	}, nil
}

// dimensionUserIDs returns the values of the dimension UserId, each once.
func dimensionUserIDs(alertContext json.RawMessage) []string {
	var in struct {
		Condition struct {
			AllOf []struct {
				Dimensions []struct {
					Name  string `json:"name"`
					Value string `json:"value"`
				} `json:"dimensions"`
			} `json:"allOf"`
		} `json:"condition"`
	}
	if len(alertContext) == 0 || json.Unmarshal(alertContext, &in) != nil {
		return nil
	}
	var ids []string
	for _, criterion := range in.Condition.AllOf {
		for _, d := range criterion.Dimensions {
			if strings.EqualFold(d.Name, "UserId") && d.Value != "" && plainText(d.Value) && !slices.Contains(ids, d.Value) {
				ids = append(ids, d.Value)
			}
		}
	}
	return ids
}

// decode refuses what is too large or nests too deep before the decoder sees it.
func decode(body []byte, into any) error {
	if len(body) > MaxBody {
		return fmt.Errorf("%w of %d bytes", ErrOversized, MaxBody)
	}
	if depth(body) > maxDepth {
		return fmt.Errorf("%w: nested deeper than %d", ErrMalformed, maxDepth)
	}
	if err := json.Unmarshal(body, into); err != nil {
		// The decoder's own words quote the body: they must not reach a log.
		return fmt.Errorf("%w: not the JSON expected", ErrMalformed)
	}
	return nil
}

// depth returns how deep the brackets outside strings nest in body.
func depth(body []byte) int {
	open, deepest, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

func allOf(holds func(string) bool, values ...string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !holds(v) })
}

// plainText reports whether s is what an id or an enum can be: short printable
// ASCII. A queue refuses some other characters for good, and a sender that is
// told to come again would come for ever.
func plainText(s string) bool {
	return len(s) <= maxField && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// printable keeps of a name what can be shown, up to maxField bytes.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > maxField {
		s = strings.ToValidUTF8(s[:maxField], "")
	}
	return s
}

package breakglass_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"sallyport/functions/breakglass"
	"sallyport/functions/breakglass/acklink"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// warning is the alert of 03:07, with all that its reader needs.
func warning() breakglass.Warning {
	return breakglass.Warning{
		Config: rollout.Config{
			Tenant: contoso, TimeZone: "Europe/Berlin", IncidentResponsePlan: "https://intranet.contoso.com/break-glass",
			Communication:     rollout.Communication{From: "Contoso IT <it@contoso.com>"},
			EmergencyAccounts: []rollout.EmergencyAccount{{ID: one, Custodian: "Chief Operating Officer"}},
			Alerts: rollout.Alerts{
				Email: []string{"security@fabrikam.com"}, SMS: []string{"+442079460001", "+442079460002"}, Webhook: "https://alerts.fabrikam.com/secret-path",
				Contacts: []rollout.Contact{{Name: "Ana", Email: "ana@fabrikam.com", Phone: "+442079460003"}, {Name: "Ben", Phone: "+442079460004"}},
			},
		},
		Account: rollout.Account{ID: one, DisplayName: "Emergency account 1", UserPrincipalName: "emergency1@contoso.onmicrosoft.com"},
		Alert: rollout.Alert{
			ID: "signin-66ea54eb-6301-4ee5-be62-ff5a759b0100", Kind: rollout.AlertSignIn, Account: one, OccurredAt: night, SeenAt: night.Add(3 * time.Minute),
			SignIn: rollout.SignIn{
				ID: "66ea54eb-6301-4ee5-be62-ff5a759b0100", UserID: one, CreatedAt: night, AppDisplayName: "Azure Portal", ClientAppUsed: "Browser",
				IPAddress: "203.0.113.66", City: "Reykjavik", Country: "IS",
			},
		},
		Links: breakglass.Links{URL: "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/ack/", Secret: "an-invented-ack-secret"},
		Now:   night.Add(3 * time.Minute),
	}
}

// call is a repetition of it, to a contact.
func call(contact string) breakglass.Warning {
	w := warning()
	w.Open = []rollout.Alert{w.Alert}
	w.Names = map[string]string{one: "Emergency account 1"}
	w.Alert = rollout.Alert{ID: "repeat-20261121T030700.000000", Kind: rollout.AlertRepetition, Account: one, Contact: contact, OccurredAt: night, SeenAt: night.Add(20 * time.Minute)}
	return w
}

// phone is SNS that keeps what was published.
type phone struct {
	sent []sns.PublishInput
	err  error
}

func (p *phone) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	p.sent = append(p.sent, *in)
	return &sns.PublishOutput{}, p.err
}

type post struct{ sent []mail.Envelope }

func (p *post) Send(_ context.Context, e mail.Envelope) (string, error) {
	p.sent = append(p.sent, e)
	return "id", nil
}

// Who gets what: everybody gets an alert, by each way that is configured; a call
// goes to the one contact, by the ways that he has.
func TestWhoIsTold(t *testing.T) {
	none := warning()
	none.Config.Alerts = rollout.Alerts{SMS: []string{"+442079460001"}}
	mailOnly := warning()
	mailOnly.Config.Alerts.SMS, mailOnly.Config.Alerts.Webhook = nil, ""
	renderer, err := mail.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		w    breakglass.Warning
		want []string
	}{
		"an alert":                 {warning(), []string{"+442079460001", "+442079460002", "POST", "security@fabrikam.com", "topic"}},
		"numbers alone":            {none, []string{"+442079460001", "topic"}},
		"mail alone":               {mailOnly, []string{"security@fabrikam.com", "topic"}},
		"a call to Ana":            {call("Ana"), []string{"+442079460003", "ana@fabrikam.com"}},
		"a call to Ben":            {call("Ben"), []string{"+442079460004"}},
		"a call to one who left":   {call("Cleo"), []string{"+442079460001", "+442079460002", "POST", "security@fabrikam.com", "topic"}},
		"a call to nobody special": {call(""), []string{"+442079460001", "+442079460002", "POST", "security@fabrikam.com", "topic"}},
	} {
		sent, letters := &phone{}, &post{}
		var got []string
		hook := &http.Client{Transport: answers(func(*http.Request) int { got = append(got, "POST"); return 202 })}
		for _, c := range []interface {
			Route(breakglass.Warning) []breakglass.Channel
		}{breakglass.Email{Renderer: renderer, Sender: letters}, breakglass.SNS{Client: sent, TopicARN: "topic"}, breakglass.SMS{Client: sent}, breakglass.Outgoing{Client: hook}} {
			for _, channel := range c.Route(tt.w) {
				if err := channel.Alert(t.Context(), tt.w); err != nil {
					t.Errorf("%s by %s: %v", name, channel.Name(), err)
				}
				if strings.Contains(channel.Name(), "44") && strings.Contains(channel.Name(), "7946") {
					t.Errorf("the channel's name %s shows a number", channel.Name())
				}
			}
		}
		for _, in := range sent.sent {
			got = append(got, aws.ToString(in.PhoneNumber)+aws.ToString(in.TopicArn))
		}
		for _, e := range letters.sent {
			got = append(got, e.To...)
		}
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Each number is a channel of its own: one that fails is tried again alone.
func TestNumbersAreIndependent(t *testing.T) {
	channels := breakglass.SMS{Client: &phone{}}.Route(warning())
	if len(channels) != 2 || channels[0].Name() == channels[1].Name() {
		t.Fatalf("channels %v", channels)
	}
	if again := (breakglass.SMS{Client: &phone{}}).Route(warning()); again[1].Name() != channels[1].Name() {
		t.Error("a number is not known again in the next run")
	}
}

// A text message has at most 300 characters, says the most important first, and
// always says how to acknowledge.
func TestTextMessage(t *testing.T) {
	endless := warning()
	endless.Account.DisplayName = strings.Repeat("Ä", 500)
	endless.Config.Tenant = rollout.TenantID(strings.Repeat("x", 200) + ".onmicrosoft.com")
	failed := warning()
	failed.Alert.SignIn.ErrorCode, failed.Alert.SignIn.FailureReason = 50126, strings.Repeat("Error validating credentials. ", 30)
	drill := warning()
	drill.Drill = &rollout.Drill{ID: "d"}
	without := warning()
	without.Links = breakglass.Links{}
	for name, tt := range map[string]struct {
		w     breakglass.Warning
		wants []string
	}{
		"sign-in":  {warning(), []string{"Sallyport ALERT contoso.onmicrosoft.com: Emergency account 1 signed in. 21 Nov 04:07 CET. No drill is open.", "/ack/1."}},
		"no link":  {without, []string{"signed in", "From Reykjavik, IS, 203.0.113.66.", "App: Azure Portal.", "03:07 UTC", "Ack: sallyport alerts ack signin-66ea54eb-6301-4ee5-be62-ff5a759b0100"}},
		"failed":   {failed, []string{"was tried, and it failed: Error validating", "Ack: sallyport alerts ack signin-66ea54eb"}},
		"a drill":  {drill, []string{"A drill is open."}},
		"a call":   {call("Ana"), []string{"Nobody has acknowledged an alert: Emergency account 1 signed in", "/ack/1."}},
		"too much": {endless, []string{"ALERT xxx", "Ack: sallyport alerts ack signin-66ea54eb-6301-4ee5-be62-ff5a759b0100"}},
	} {
		sent := &phone{}
		if err := (breakglass.SMS{Client: sent}).Route(tt.w)[0].Alert(t.Context(), tt.w); err != nil {
			t.Fatal(err)
		}
		text := aws.ToString(sent.sent[0].Message)
		if n := utf8.RuneCountInString(text); n > 300 {
			t.Errorf("%s: %d characters", name, n)
		}
		for _, want := range tt.wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q does not say %q", name, text, want)
			}
		}
		if _, link, found := strings.Cut(text, "/ack/"); found {
			if _, err := acklink.Verify("an-invented-ack-secret", link, tt.w.Now); err != nil {
				t.Errorf("%s: the link is cut off: %v", name, err)
			}
		}
	}
}

// answers is a transport that answers a status.
type answers func(*http.Request) int

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	status := a(req)
	if status == 0 {
		return nil, errors.New("no connection")
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("ok")), Header: http.Header{}, Request: req}, nil
}

// posted returns what goes to an address, as JSON.
func posted(t *testing.T, w breakglass.Warning, address string) map[string]any {
	t.Helper()
	var body []byte
	w.Config.Alerts.Webhook = address
	c := breakglass.Outgoing{Client: &http.Client{Transport: answers(func(req *http.Request) int {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil || req.Method != http.MethodPost || !strings.HasPrefix(req.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s %v", req.Method, req.Header, err)
		}
		return 202
	})}}
	if err := c.Alert(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// Each address gets the form that it takes; what the log says is no markup there.
func TestWebhookForms(t *testing.T) {
	w := warning()
	w.Alert.SignIn.AppDisplayName = "<!channel> *Portal* [click](https://example.com) <https://example.com|here>"
	for address, want := range map[string]string{
		"https://hooks.slack.com/services/T/B/x":                                   "slack",
		"https://contoso.webhook.office.com/webhookb2/x":                           "teams",
		"https://prod-01.westeurope.logic.azure.com:443/workflows/x":               "teams",
		"https://default0f.0a.environment.api.powerplatform.com:443/powerautomate": "teams",
		"https://hooks.slack.com.example.com/x":                                    "json",
		"https://alerts.fabrikam.com/x":                                            "json",
	} {
		got := posted(t, w, address)
		form := "json"
		switch {
		case got["type"] == "message":
			form = "teams"
		case len(got) == 1 && got["text"] != nil:
			form = "slack"
		}
		if form != want {
			t.Errorf("%s gets %s, want %s", address, form, want)
		}
	}
	w.Config.Alerts.WebhookFormat = rollout.WebhookSlack
	text, _ := posted(t, w, "https://alerts.fabrikam.com/x")["text"].(string)
	for _, want := range []string{"*Emergency account 1 signed in.*", "&lt;!channel&gt; Portal (click)", "From: Reykjavik, IS, 203.0.113.66", "|Acknowledge>", "<https://intranet.contoso.com/break-glass|"} {
		if !strings.Contains(text, want) {
			t.Errorf("Slack's text does not say %s:\n%s", want, text)
		}
	}
	w.Config.Alerts.WebhookFormat = rollout.WebhookTeams
	card, err := json.Marshal(posted(t, w, "https://alerts.fabrikam.com/x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"contentType":"application/vnd.microsoft.card.adaptive"`, `"type":"AdaptiveCard"`, `"title":"Acknowledge"`, "Portal (click)"} {
		if !bytes.Contains(card, []byte(want)) {
			t.Errorf("the card has no %s:\n%s", want, card)
		}
	}
	w.Config.Alerts.WebhookFormat = ""
	plain := posted(t, w, "https://alerts.fabrikam.com/x")
	signIn, _ := plain["signIn"].(map[string]any)
	if plain["alert"] != w.Alert.ID || signIn["succeeded"] != true || signIn["app"] != w.Alert.SignIn.AppDisplayName || plain["version"] != 1. {
		t.Errorf("JSON %v", plain)
	}
	if got := posted(t, call(""), "https://alerts.fabrikam.com/x"); got["kind"] != rollout.AlertRepetition || got["signIn"] != nil {
		t.Errorf("a call is %v", got)
	}
}

// What does not work is tried twice, or not if that would not help, and no error
// shows the address, which is a secret.
func TestWebhookThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		answers []int // 0: no connection
		tries   int
		failed  bool
	}{
		"taken":                 {[]int{200}, 1, false},
		"once down":             {[]int{0, 202}, 2, false},
		"down":                  {[]int{503, 503}, 2, true},
		"too many":              {[]int{429, 200}, 2, false},
		"gone":                  {[]int{404}, 1, true},
		"leads elsewhere":       {[]int{302}, 1, true},
		"no connection, really": {[]int{0, 0}, 2, true},
	} {
		tries := 0
		c := breakglass.Outgoing{Client: &http.Client{
			Transport:     answers(func(*http.Request) int { tries++; return tt.answers[tries-1] }),
			CheckRedirect: breakglass.PublicClient().CheckRedirect,
		}}
		err := c.Alert(t.Context(), warning())
		if (err != nil) != tt.failed || tries != tt.tries {
			t.Errorf("%s: %d tries, error %v", name, tries, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret-path") || strings.Contains(err.Error(), "fabrikam")) {
			t.Errorf("%s: the error shows the address: %v", name, err)
		}
	}
	w := warning()
	w.Config.Alerts.Webhook = "http://alerts.fabrikam.com/x"
	never := &http.Client{Transport: answers(func(*http.Request) int { return 200 })}
	if err := (breakglass.Outgoing{Client: never}).Alert(t.Context(), w); err == nil {
		t.Error("an alert left over a line that can be read")
	}
}

// Whoever writes a rollout.yaml cannot make the function speak to what only it
// can reach: the address that is dialled is looked at, whatever the name was.
func TestAlertsLeaveForPublicAddressesAlone(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody called") }))
	defer server.Close()
	w := warning()
	for _, address := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), strings.Replace(server.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		w.Config.Alerts.Webhook = address
		err := (breakglass.Outgoing{Client: breakglass.PublicClient()}).Alert(t.Context(), w)
		if err == nil || !strings.Contains(err.Error(), "not a public one") {
			t.Errorf("%s: error %v", address, err)
		}
	}
	for addr, want := range map[string]bool{
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "0.0.0.0": false, "0.1.2.3": false,
		"100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "192.0.2.1": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fd00:ec2::254": false, "ff02::1": false, "::ffff:10.0.0.1": false, "::ffff:100.64.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false,
		"8.8.8.8": true, "52.112.0.1": true, "2620:1ec::1": true,
	} {
		if got := breakglass.Public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is public: %t, want %t", addr, got, want)
		}
	}
}
